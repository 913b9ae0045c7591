"""How the streams of a load came out: by what the log says, by the rows in their tables, and by what these owe."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Event, Failed, Log, Materialized, RunContext

from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.owed_rows import Owed
from assetry_toolkit.extract_load.row_counts import ABSENT, rows_of
from assetry_toolkit.singer.loads import TapLoad
from assetry_toolkit.singer.streams import GOES_ON, StreamLoad


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

    def hold_back(self, load: TapLoad, reached: Callable[[], Container[str] | None]) -> Iterator[Event]:
        """Count the rows before a run, and take out of a load what it would go on with behind rows that are gone.

        `reached` returns the streams that the state tells of; None where that is not known: then it goes on with all
        that had rows after an earlier run. Yields that these failed, so the load has its end when it has no other;
        where they are only to be warned of, they stay in it.
        """
        for stream in load.streams:
            stream.before = rows_of(self.context, stream.asset) if stream.id else None
            stream.adds = not (self.anew or load.mapped) and stream.adds_only
            if self.anew and stream.keyless and not load.mapped and (stream.before or 0) > 0:
                again = f"{stream.id} is read from its first row on, and its table has {stream.before:,} rows."
                yield Log(f"{again}{load.emptied_first(stream)}", "warning", stream.asset.key)
        bare = [] if self.anew or load.mapped else [each for each in load.streams if each.before in (0, ABSENT)]
        told = reached() if bare else None
        for stream in bare:
            had = self._had(stream, told)
            if had is None:
                continue
            failed = load.gone(stream, had)
            if self.only_warn:
                yield Log(f"{failed.message.partition(': nothing')[0]}. {failed.hint}", "warning", stream.asset.key)
                continue
            owed = self.history.owed(self.line)
            owed.note(str(stream.id), owed.of(str(stream.id)) or Owed(max(had, 1)))
            self.history.failed(self.line, {str(stream.id): True})
            load.leave_out(stream)
            yield failed

    def _had(self, stream: StreamLoad, reached: Container[str] | None) -> int | None:
        """Return how many rows a table had, which has none now, if a run would go on behind them; None if not."""
        name, method = str(stream.id), stream.asset.spec.get("method")
        counted = self.history.counted(self.line).of(name)
        had = counted.rows if counted is not None else 0
        if reached is None:
            goes_on = method in GOES_ON and had > 0
        else:
            goes_on = method != "FULL_TABLE" and (name in reached or stream.asset.spec.get("name") in reached)
        # It never had any, as far as our last run tells, after which there was no other.
        never = counted is not None and had == 0 and counted.run == self.before
        return had if goes_on and not never and (stream.before == ABSENT or had) else None

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
        self.history.failed(self.line, {stream.id or "": failed is not None for stream, failed, _ in found})
        versions: Mapping[str, str] = {}
        if self.run is not None and load.well:
            moved = {stream.id or "": stream.rows for stream, *_ in found}
            lost = [stream.id or "" for stream, failed, _ in found if failed]
            versions = self.history.versions.after(self.line, self.run, self.before, moved, lost)
        known = {
            stream.id: max(rows, 0) for stream, failed, rows in found if stream.id and not failed and rows is not None
        }
        self.history.counted(self.line).note(known, self.run)
        for stream, failed, rows in found:
            why = load.uncompared(stream, rows)
            facts = {**self.facts, "rows": None if rows == ABSENT else rows, **stream.facts, "rows_not_compared": why}
            facts = {name: value for name, value in facts.items() if value is not None}
            if failed is None and (twice := load.doubled(stream, rows, self.anew)):
                yield Log(twice, "warning", stream.asset.key)
                facts["rows_doubled"] = True
            yield failed or Materialized(stream.asset.key, data_version=versions.get(stream.id or ""), metadata=facts)

    def left_off(self, load: TapLoad) -> None:
        """Keep what the tables of a load owe that was stopped before its end."""
        for stream in load.streams:
            self._counted(load, stream, Failed(stream.asset.key, "The run was cancelled."))

    def _counted(self, load: TapLoad, stream: StreamLoad, told: Failed | None) -> tuple[Failed | None, int | None]:
        """Return what is missing in the table of a stream, and its rows; `told` is why it failed, if it did."""
        if self.only_warn:
            looked = told is None and (stream.rows or load.unheard(stream) or stream.before is not None)
            rows = rows_of(self.context, stream.asset) if looked else None
            return load.missing(stream, rows), rows
        owed = self.history.owed(self.line)
        return load.settled(stream, told, lambda: rows_of(self.context, stream.asset), owed, self.anew)
