"""Runs that others have started: which streams each of them read, by its log, and what that makes of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, Event, Failed, Log, Observed, RunContext

from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.row_counts import ABSENT, rows_of
from assetry_toolkit.singer.loads import TapLoad
from assetry_toolkit.singer.logs import Said
from assetry_toolkit.singer.streams import GOES_ON, StreamLoad, read_anew


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run of a load that has its end, in which the runner calls it `id`.

    `well` is how the runner says that it ended, `facts` are the metadata of what it made, and `log` returns what its
    plugins said, each by its name; None where that is not kept.
    """

    id: str
    well: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    log: Callable[[], Iterable[tuple[str, Said]] | None] = lambda: None


@dataclass(slots=True)
class Look:
    """A look at the streams of one load, after runs that others may have started, newest first.

    `history` and `line` are what is kept of runs of ours, see `Settling`. `unfinished` tells of a run that it is one of
    ours of which not all was told yet.
    """

    context: RunContext
    history: RunHistory
    line: str
    unfinished: Callable[[str], bool] = lambda _: False

    def events(self, load: TapLoad, runs: Iterable[PastRun]) -> Iterator[Event]:
        """Yield how each stream of a load is: by the newest run that read it, if all runs since have ended well.

        A run of ours says itself what it has read, and of others their logs do; where these tell nothing, the runner's
        word is taken, but not for a stream that failed in ours. A stream is gone where its table should be, and is not.
        """
        rows = {stream.id: rows_of(self.context, stream.asset) for stream in load.streams}
        left = []
        for stream in load.streams:
            if not load.mapped and rows[stream.id] == ABSENT:
                yield Observed(stream.asset.key, gone=True, hint=_anew_told(stream.asset))
            else:
                left.append(stream)
        told: dict[str | None, Failed] = {}
        last = self.history.versions.last(self.line)
        for run in runs:
            if not left or not run.well:
                break
            if self.unfinished(run.id):
                message = (
                    f"{load.called}: its last run is one of ours that was not followed to its end: `assetry retry`."
                )
                yield Log(message, "warning", left[0].asset.key)
                break
            ours = run.id == last
            seen = None if ours else _seen(load, run)
            for stream in list(left):
                failed, by = (None, {}) if ours else self._read(load, seen, stream)
                if failed is not None:
                    told.setdefault(stream.id, failed)
                    continue
                left.remove(stream)
                yield from self._observed(stream, run, by, rows[stream.id])
            if ours:
                break
        for stream in left:
            if failed := told.get(stream.id):
                message = f"The run of others that came last ended well, but: {failed.message}"
                yield Log(message, "warning", stream.asset.key)

    def _read(self, load: TapLoad, seen: TapLoad | None, stream: StreamLoad) -> tuple[Failed | None, Mapping[str, Any]]:
        """Return why it is not known that a run read a stream, else None and by what it is known."""
        name = stream.id or ""
        ours = name in self.history.failed(self.line)
        if seen is None or not seen.speaks:
            told = self.history.told(self.line, False)
            if ours or (seen is not None and told):
                known = "no log of it is kept" if seen is None else "its log tells of no stream"
                return Failed(stream.asset.key, f"it is not known whether it read {name}: {known}."), {}
            return None, {"result_known_by": "exit code"}
        here = next(each for each in seen.streams if each.id == stream.id)
        failed = (
            seen.failure(here)
            if here.seen or stream.id is None
            else Failed(stream.asset.key, f"its log does not tell that {load.tap} read {name}.")
        )
        return failed, {"result_known_by": "stream", "rows_extracted": here.rows}

    def _observed(self, stream: StreamLoad, run: PastRun, by: Mapping[str, Any], rows: int | None) -> Iterator[Event]:
        name, have = stream.id or "", max(rows or 0, 0)
        version = self.history.version(self.line, run.id, name)
        owed, counted = self.history.owed(self.line).of(name), self.history.counted(self.line).of(name)
        want = owed.rows if owed is not None else counted.rows if counted is not None and stream.adds_only else 0
        if version is not None and rows is not None and have < want:
            message = f"The table {stream.asset.relation} has {have:,} rows, and had {want:,} or should have them."
            yield Log(f"{message} {read_anew(stream.asset)} reads it anew.", "warning", stream.asset.key)
        elif version is not None:
            facts = {**run.facts, **by, "rows": None if rows == ABSENT else rows}
            facts = {key: value for key, value in facts.items() if value is not None}
            yield Observed(stream.asset.key, data_version=version, metadata=facts)


def _seen(load: TapLoad, run: PastRun) -> TapLoad | None:
    """Return a load as the log of a run tells of it; None where no log is kept."""
    said = run.log()
    if said is None:
        return None
    streams = [StreamLoad(stream.asset) for stream in load.streams]
    found = replace(load, streams=streams, well=True, speaks=False, strange=set())
    for plugin, each in said:
        if each.what != "said":
            list(found.take(plugin, each))
    return found


def told_in(folder: Path, text: str) -> bool:
    """Tell whether a journal in a folder, of which not all was told yet, has a text in it.

    >>> told_in(Path("nowhere"), "run 1")
    False
    """
    untold = (each for each in folder.glob("*/out") if not each.with_name("told").exists())
    return any(text.encode() in each.read_bytes() for each in untold)


def _anew_told(asset: Asset) -> str | None:
    """Return which command brings back a table that is gone, where a usual run does not."""
    return f"{read_anew(asset)} reads it anew." if asset.spec.get("method") in GOES_ON else None
