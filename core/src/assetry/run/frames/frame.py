"""The frame of a run: that it begins and how it ends, in its store and for those who listen."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan
from assetry.run.leases.lease import places_in
from assetry.run.listeners import Listeners
from assetry.run.recorder import Recorder
from assetry.run.result import RunServices, defined
from assetry.types.events import RunFinished, RunStarted
from assetry.types.leases import Lease
from assetry.types.records import EventRecord, RunInfo, RunState


class Frame:
    """The beginning and the end of a run that is carried out in one go; `info` is its record as it is now."""

    #: What begins the names that are given within the run, so that no two of its stages give the same.
    stage = ""

    def __init__(
        self,
        services: RunServices,
        graph: AssetGraph,
        info: RunInfo,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> None:
        self.info = info
        #: Whether its end is recorded.
        self.ended = False
        self._began = time.monotonic()
        self._services = services
        self._graph = graph
        self._on_event = on_event
        self._listeners: Listeners | None = None

    def let_go(self, lease: Lease) -> None:
        """Give back what was leased and is not made."""
        self._services.store.finish(self.info.id, "cancelled", _now(), lease=lease)

    def begin(self, lease: Lease) -> None:
        """Record that the run begins, with what it has leased."""
        self._listeners = Listeners(self._services, self._graph, self.info, self._on_event)
        self.info = replace(self.info, definitions=defined(self._graph, self._services.store))
        self._services.store.begin(self.info, lease)

    def note_start(self, recorder: Recorder, plan: Plan) -> None:
        """Note what the run is to make."""
        recorder.note(_now(), RunStarted(len(self.info.assets), len(plan.invocations), places_in(plan)))

    def tell(self, records: Sequence[EventRecord]) -> None:
        """Tell of events that are durable now."""
        if self._listeners is not None:
            self._listeners.tell(records)

    def end(self, recorder: Recorder, state: RunState, lease: Lease) -> RunInfo:
        """Record how the run ended, and tell of it; return its record."""
        now, store = _now(), self._services.store
        recorder.note(now, RunFinished(state, self._seconds(), dict(recorder.counts)))
        records = recorder.write(store)
        store.finish(self.info.id, state, now, lease=lease)
        self.ended = True
        self.tell(records)
        return replace(self.info, state=state, finished=now)

    def note_break(self, recorder: Recorder) -> None:
        """Note that the run broke off."""
        recorder.note(_now(), RunFinished("interrupted", self._seconds(), dict(recorder.counts)))

    def break_off(self, lease: Lease) -> None:
        """Record that the run broke off, as far as the store still takes it."""
        with suppress(Exception):
            self._services.store.finish(self.info.id, "interrupted", _now(), lease=lease)

    def _seconds(self) -> float:
        """Return how long the run has taken until now."""
        return round(time.monotonic() - self._began, 3)

    def close(self) -> None:
        """Wait a little for the listeners to catch up."""
        if self._listeners is not None:
            self._listeners.close()


def _now() -> datetime:
    return datetime.now(UTC)
