"""How the streams of a load came out: by what the log says, by the rows in their tables, and by what these owe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Asset, Event, Failed, Log, Materialized, Observed, RunContext

from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.row_counts import ABSENT, rows_of
from assetry_toolkit.singer.loads import StreamLoad, TapLoad


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What decides how the streams of a load came out, and what is kept of that for the runs after it.

    * `context`: counts the rows of tables.
    * `history`, `line`: what is kept of runs of this load; rows of an earlier one have to be in the tables, too.
    * `run`: what the runner calls this run, and `before` the one before it, of whomever. Without `run` it is not known
      which runs there are, and each is one more version.
    * `anew`: the run reads all streams from their first rows on.
    * `accept_silence`: see `TapLoad.failure`.
    * `only_warn`: rows that are missing are a warning, and are not owed.
    * `facts`: metadata of all streams that were made.
    """

    context: RunContext
    history: RunHistory
    line: str
    run: str | None = None
    before: str | None = None
    anew: bool = False
    accept_silence: bool = False
    only_warn: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def reserve(self) -> None:
        """Make sure that what the tables will owe can be kept; raise `Unkept` where it cannot."""
        if not self.only_warn:
            self.history.owed(self.line).reserve()

    def events(self, load: TapLoad) -> Iterator[Event]:
        """Yield how each stream of a load came out, now that it has its end."""
        found = []
        spoke = self.history.told(self.line, load.speaks)
        for stream in load.streams:
            told = load.failure(stream, self.accept_silence, spoke)
            few, rows = self._counted(load, stream, told)
            if few is not None and self.only_warn:
                yield Log(few.message, "warning", stream.asset.key)
                few = None
            found.append((stream, few or told, rows))
        versions: Mapping[str, str] = {}
        if self.run is not None and load.well:
            moved = {stream.id or "": stream.rows for stream, *_ in found}
            lost = [stream.id or "" for stream, failed, _ in found if failed]
            versions = self.history.versions.after(self.line, self.run, self.before, moved, lost)
        for stream, failed, rows in found:
            why = load.uncompared(stream, rows)
            facts = {**self.facts, "rows": rows, **stream.facts, "rows_not_compared": why}
            facts = {name: value for name, value in facts.items() if value is not None}
            yield failed or Materialized(stream.asset.key, data_version=versions.get(stream.id or ""), metadata=facts)

    def left_off(self, load: TapLoad) -> None:
        """Keep what the tables of a load owe that was stopped before its end."""
        for stream in load.streams:
            self._counted(load, stream, Failed(stream.asset.key, "The run was cancelled."))

    def _counted(self, load: TapLoad, stream: StreamLoad, told: Failed | None) -> tuple[Failed | None, int | None]:
        """Return what is missing in the table of a stream, and its rows; `told` is why it failed, if it did."""
        if self.only_warn:
            looked = told is None and (stream.rows or load.unheard(stream))
            rows = rows_of(self.context, stream.asset) if looked else None
            return load.missing(stream, rows), rows
        owed = self.history.owed(self.line)
        return load.settled(stream, told, lambda: rows_of(self.context, stream.asset), owed, self.anew)


def observed(context: RunContext, asset: Asset, version: str | None, facts: Mapping[str, Any]) -> Iterator[Observed]:
    """Yield how a stream is after a run that ended well and that others have started, by its `version` then, if any.

    What that run has read is not known here; where the table should be, and is not there, the stream is gone.
    """
    if not asset.spec["mapped"] and rows_of(context, asset) == ABSENT:
        yield Observed(asset.key, gone=True)
    elif version is not None:
        yield Observed(asset.key, data_version=version, metadata=facts)
