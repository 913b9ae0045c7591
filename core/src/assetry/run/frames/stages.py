"""A run in stages: parts of what is wanted are made one after another, and between them others are waited for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assetry.plan.plan import Plan
from assetry.run.frames.frame import Frame
from assetry.run.leases.heartbeat import Heartbeat
from assetry.run.leases.lease import places_in
from assetry.run.recorder import Recorder
from assetry.types.events import Event, RunFinished, RunStarted
from assetry.types.leases import Lease, WantedLeases
from assetry.types.records import Attempt, EventRecord, RunInfo, RunState


class Stages(Frame):
    """The beginning and the end of a run that is carried out in stages, each of which is no run of its own.

    Between its stages the run goes on and has leased nothing: others may make what it still waits to make.
    """

    _lease: Lease
    _number = 0

    @property
    def stage(self) -> str:  # type: ignore[override]
        """Return what begins the names that are given within a stage."""
        return f"{self._number}." if self._number > 1 else ""

    # -- as a whole ------------------------------------------------------------------------------------------------

    def open(self, plan: Plan) -> None:
        """Record that the run begins, before it has leased anything, with all that it is to make."""
        self._lease = self._services.store.begin(self.info)
        super().begin(self._lease)
        self.record([RunStarted(len(self.info.assets), len(plan.invocations), places_in(plan))])

    def keep(self, options: Mapping[str, Any]) -> None:
        """Keep more options with the run."""
        self.info = replace(self.info, options={**self.info.options, **options})
        self._services.store.begin(self.info, self._lease)

    def waiting(self) -> Heartbeat:
        """Return the signs of life that the run gives while it waits; that it was taken for gone is seen afterwards."""
        return Heartbeat(self._services.store, self._lease, lambda _: None)

    def record(self, events: Sequence[Event], attempts: Sequence[Attempt] = (), *, told: bool = True) -> None:
        """Record what became of something that no stage makes, and let it be `told`."""
        records = [EventRecord(at=_now(), run=self.info.id, event=event) for event in events]
        self._services.store.append(records, (), attempts, lease=self._lease)
        if told:
            self.tell(records)

    def record_skipped(self, events: Sequence[Event], attempts: Sequence[Attempt], wanted: WantedLeases) -> None:
        """Record that something is not made; of what another run makes now only that run tells how it came out."""
        lease = self._services.store.lease(self.info.id, wanted, priority=self.info.priority).lease
        if lease is not None:
            self._lease = lease
        self.record(events, attempts if lease is not None else ())
        self._let_go()

    def finish(self, state: RunState, counts: Mapping[str, int]) -> RunInfo:
        """Record how the run ended, and tell of it; return its record."""
        now, store = _now(), self._services.store
        event = RunFinished(state, self._seconds(), dict(counts))
        records = [EventRecord(at=now, run=self.info.id, event=event)]
        store.append(records, lease=self._lease)
        store.finish(self.info.id, state, now, lease=self._lease)
        self.ended = True
        self.tell(records)
        self.info = replace(self.info, state=state, finished=now)
        return self.info

    def give_up(self, counts: Mapping[str, int]) -> None:
        """Record that the run broke off, as far as the store still takes it."""
        if not self.ended:
            with suppress(Exception):
                self.finish("interrupted", counts)

    def _let_go(self) -> None:
        lease = self._services.store.lease(self.info.id, {}, priority=self.info.priority).lease
        assert lease is not None, "a run can always lease nothing"
        self._lease = lease

    # -- in a stage ------------------------------------------------------------------------------------------------

    def let_go(self, lease: Lease) -> None:
        """Give back what was leased and is not made."""
        self._lease = lease
        self._let_go()

    def begin(self, lease: Lease) -> None:
        """Go on with what a stage has leased."""
        self._lease = lease
        self._number += 1

    def note_start(self, recorder: Recorder, plan: Plan) -> None:
        """Note nothing: what all stages are to make was told when the run began."""

    def end(self, recorder: Recorder, state: RunState, lease: Lease) -> RunInfo:
        """Record what is left to be recorded of a stage, and let go of what it had leased; return how it ended."""
        records = recorder.write(self._services.store)
        self.let_go(lease)
        self.tell(records)
        return replace(self.info, state=state, finished=_now())

    def note_break(self, recorder: Recorder) -> None:
        """Note nothing: `give_up` does."""

    def break_off(self, lease: Lease) -> None:
        """Record nothing: `give_up` does."""

    def close(self) -> None:
        """Leave the listeners to the stages after this one."""

    def leave(self) -> None:
        """Wait a little for the listeners to catch up, after the last stage."""
        super().close()


def _now() -> datetime:
    return datetime.now(UTC)
