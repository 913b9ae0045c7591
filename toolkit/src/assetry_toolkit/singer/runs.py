"""One invocation by a runner of taps and targets: commands that outlive us, each with all loads that can be made.

class Run(LoadRun[TapLoad]):
    runner = "The mill"

    def command(self, loads):
        return Command(["mill", *(load.called for load in loads)], merged=True)

    def read(self, loads, taken_up):
        return Reading(loads, mask, "the mill's log", taken_up=taken_up)  # a LoadReading

    def settling(self, load):
        return Settling(context=self.context, history=RunHistory(folder, "shop"), line=load.called)

def assetry_invoke(invocation, context):
    yield from Run(context, loads_of(invocation), journals=folder / "runs").events()
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import ClassVar, Generic, NamedTuple

from assetry.plugin import Event, Handle, JobOverError, Log, RunContext

from assetry_toolkit.clock import Clock
from assetry_toolkit.commands import Command, JournaledCommand, ending
from assetry_toolkit.secrets import Mask
from assetry_toolkit.singer.reading import L, LoadReading
from assetry_toolkit.singer.settling import Settling

#: Bytes: a disk that has fewer left is full.
FULL = 1 << 16
#: Seconds after which a load is tried again of which it cannot be seen whether another run has it still.
BLIND = 30.0


class Held(NamedTuple):
    """What another run has that a load needs: `by` says whose it is, as a sentence without its end.

    `told` is logged, and `hint` is the next step when it is waited for too long. `goes_on` tells whether that run has
    it still; None where only the runner can tell, when it is tried again.

    >>> Held("Another mill has the rye", "Another mill has the rye; waiting.", "Try again later.").goes_on is None
    True
    """

    by: str
    told: str
    hint: str
    goes_on: Callable[[], bool] | None = None


class LoadRun(ABC, Generic[L]):
    """One invocation whose loads are made by commands of a runner, which is called `runner` in sentences.

    A command makes its loads one after the other and ends with the first that fails: the rest is given to another one
    then, so that what fails stays alone. It goes on when this process is killed, and is found again by
    `RunContext.resume`: what its output says of loads that have ended counts, also when its own end is not known.

    `journals` is the folder for that output, in which nothing stands that is `hidden`. A load that is `locked` is
    waited for, no longer than `patience` seconds.
    """

    runner: ClassVar[str] = "The runner"

    def __init__(
        self,
        context: RunContext,
        loads: Sequence[L],
        journals: Path,
        *,
        hidden: Mask | None = None,
        patience: float = 3600.0,
        clock: Clock | None = None,
    ) -> None:
        self.context, self.loads = context, loads
        self._journals, self._hidden = journals, hidden
        self._clock, self._patience = clock or Clock(), patience
        self._until: dict[int, float] = {}

    @abstractmethod
    def command(self, loads: Sequence[L]) -> Command:
        """Return the command that makes some loads, one after the other; its standard error is its output, too."""

    @abstractmethod
    def read(self, loads: Sequence[L], taken_up: bool) -> LoadReading[L]:
        """Return what reads the output of a command, which an earlier process may have started."""

    @abstractmethod
    def settling(self, load: L) -> Settling:
        """Return what decides how the streams of a load came out."""

    def at_once(self, loads: Sequence[L]) -> Sequence[L]:
        """Return those of the loads, one at least, that a command can make; the rest is for others."""
        return loads

    def reached(self, load: L) -> Container[str] | None:  # noqa: ARG002
        """Return the streams that the state of a load tells of, see `streams_read`; None where that is not known."""
        return None

    def held(self, load: L) -> Held:
        """Return what another run has that a locked load needs."""
        by = f"Another run loads {load.called}"
        return Held(by, f"{by}; waiting for its end.", "Wait for it, then `assetry retry`.")

    def events(self) -> Iterator[Event]:
        """Make all loads, yielding events as they happen.

        Raises `JobOverError` when a command will tell nothing more, and what starting one does.
        """
        resume = self.context.resume
        while not self.context.cancelled and (left := [load for load in self.loads if load.well is None]):
            # Whatever can be loaded is, before the rest is waited for.
            ready = [load for load in left if not load.locked]
            for load in () if ready else left:
                yield from self._wait(load)
            if ready:
                yield from self._run(ready, resume)
                resume = None

    def _run(self, loads: Sequence[L], resume: str | None) -> Iterator[Event]:
        found = JournaledCommand.find(resume, unkept=True) if resume else None
        if resume and not found:
            told = f"{self.runner}'s earlier run is over or was never begun: what is left is started anew."
            yield Log(told, "warning")
        for load in [] if found else loads:
            settling = self.settling(load)
            settling.reserve()
            yield from settling.hold_back(load, partial(self.reached, load))
        # One that is found may make any of them.
        loads = loads if found else self.at_once([load for load in loads if load.well is None])
        if not loads:
            return
        names = [str(stream.asset.key) for load in self.loads for stream in load.streams]
        running = found or JournaledCommand.prepare(self.command(loads), self._journals, self._hidden, names)
        try:
            with running:
                yield Handle(running.token)
                yield from self._followed(running, self.read(loads, found is not None))
                # The run goes on from a handle when that is recorded, and so is all that was told before it. Until then
                # the log is needed: of a run that is killed now a retry has to learn what became of the command's.
                yield Handle(running.token)
        finally:
            # A run that was cancelled is done anew, but one that has ended says all that an earlier one of these could.
            running.remove(superseded=running.returncode is not None)

    def _followed(self, running: JournaledCommand, reading: LoadReading[L]) -> Iterator[Event]:
        unsettled = list(reading.loads)
        for line in running.lines(lambda: self.context.cancelled):
            yield from reading.take(line.text)
            # A file that its target has had open is looked into when the command is gone.
            for load in [each for each in unsettled if each.well is not None and not each.is_file]:
                unsettled.remove(load)
                yield from self.settling(load).events(load)
        if running.returncode is None and self.context.cancelled:
            for load in unsettled:
                self.settling(load).left_off(load)
            return
        yield from reading.end()
        if running.returncode is not None:
            how = ending(running.returncode) if running.returncode else "ended well, and does not say that it ran it"
            reading.broken_off(f"{self.runner} {how}{_disk_told(Path(running.token))}")
        for load in unsettled:
            if load.well is not None:
                yield from self.settling(load).events(load)
        lost = [load for load in reading.loads if load.well is None and not load.locked]
        if running.returncode is None and lost:
            # It is not known how the command ended, and its output does not tell the end of these.
            if running.stopped or not reading.taken_up:
                raise JobOverError(f"{self.runner}'s run was stopped, or what kept its journal was killed.")
            yield Log(f"{self.runner}'s earlier run broke off: what it did not end is started anew.", "warning")
            for load in lost:
                self.settling(load).left_off(load)
                load.forget()

    def _wait(self, load: L) -> Iterator[Event]:
        """Wait until no other run has what a load needs; fail it when that takes too long."""
        left = self._until.setdefault(id(load), self._clock.monotonic() + self._patience) - self._clock.monotonic()
        held = self.held(load)
        if left <= 0:
            yield from load.fail(f"{held.by}, and goes on after {self._patience:g} s.", held.hint, retryable=True)
            return
        yield Log(held.told, "warning")
        goes_on = held.goes_on
        seconds = left if goes_on is not None else min(BLIND, left)
        self._clock.sleep(seconds, lambda: self.context.cancelled or (goes_on is not None and not goes_on()))
        load.locked = goes_on is not None and goes_on()


def _disk_told(journal: Path) -> str:
    """Return what to add where the log of a command may lack its end, because its disk is full; "" where it is not."""
    with suppress(OSError):
        if disk_usage(journal).free < FULL:
            return f", and the disk of {journal.parent} is full, so its log may lack its end"
    return ""
