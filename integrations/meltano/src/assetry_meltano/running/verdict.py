"""How each stream of a pair came out: by what the log tells, and by the rows in its table."""

from __future__ import annotations

from assetry.plugin import Failed
from assetry_toolkit.extract_load.row_counts import ABSENT, may_be_all
from assetry_toolkit.hosted.pulling import counted

from assetry_meltano.project.program import install_hint
from assetry_meltano.running.reading import Load, Target


def failure(load: Load, target: Target, accept_silence: bool) -> Failed | None:
    """Return why a stream did not come out well as far as the log tells; None when it did.

    * A pair that failed fails each of its streams: what was read before may be loaded in part.
    * A stream that was asked for and not read is no success, whatever the exit code: a choice that matches nothing ends
      well. Of an extractor that never tells what it reads only the exit code is known; that is taken where all of its
      streams were asked for, or with `accept_silence`.
    """
    key, tap, loader = target.asset.key, load.pair.extractor, load.pair.loader
    last = "\n".join(load.errors or (() if load.well else load.said)) or None
    if not load.well:
        read = f" after {target.rows:,} rows of {target.stream}" if target.rows else ""
        hint = install_hint(tap, "extractor", load.why) or install_hint(loader, "loader", load.why) or last
        return Failed(key, f"{load.pair}: {load.why or 'it broke off'}{read}.", hint, retryable=True)
    if not target.well:
        return Failed(key, f"{tap} says that it failed to read {target.stream}.", last)
    silent = not load.speaks and (load.filter is None or accept_silence)
    if target.seen or silent or target.stream is None:
        # How many rows a loader took it may say itself.
        few = not target.asset.spec.get("mapped") and target.loaded is not None and target.loaded < (target.rows or 0)
        return _lost(load, target, f"{loader} took {target.loaded:,} of them") if few else None
    if load.speaks:
        advice = f"Its streams may be others by now: `assetry meltano pull`, or look what `meltano select {tap}` says."
        return Failed(key, f"{target.stream} was asked for, and {tap} did not read it.", advice)
    advice = 'Its log has no METRIC lines. Choose all its streams, or take Meltano\'s word: results = "exit code".'
    return Failed(key, f"Nothing tells that {tap} has read {target.stream}, which was chosen from its streams.", advice)


def missing(load: Load, target: Target, rows: int | None) -> Failed | None:
    """Return that a table has fewer rows than it must have after a load; None when it may be right, or is not known."""
    asset, spec = target.asset, target.asset.spec
    if rows is None or not target.rows or spec.get("mapped") or spec.get("method") == "LOG_BASED":
        return None
    if rows == ABSENT:
        place = f"[integrations.{asset.key.parts[0]}.loaders.{load.pair.loader}]"
        hint = f"Say where it is: schema, table or join = false in {place}."
        return Failed(asset.key, _extracted(load, target, f"there is no table {asset.relation}"), hint)
    if may_be_all(target.rows, rows, None if spec.get("keys") else target.before):
        return None
    had = f", after {target.before:,} before," if target.before else ""
    return _lost(load, target, f"the table {asset.relation}{had} has {rows:,}")


def _extracted(load: Load, target: Target, told: str) -> str:
    return f"{load.pair.extractor} extracted {counted(target.rows or 0, 'row')} of {target.stream}, and {told}."


def _lost(load: Load, target: Target, told: str) -> Failed:
    """Return that rows of a stream were lost on the way."""
    known = ""
    if load.pair.loader.startswith("target-duckdb"):
        known = "target-duckdb 0.8.0 is known to lose the first row of each batch: use another loader. "
    hint = (
        f"{known}The state goes on behind these rows, so read them anew: assetry materialize -s {target.asset.key} "
        '--full-refresh. If the extractor repeats rows, record_count = "warn" takes what comes.'
    )
    return Failed(target.asset.key, _extracted(load, target, told), hint)
