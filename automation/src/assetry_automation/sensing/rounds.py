"""The senses of a project, each asked at its time in a process beside: none holds up another, or who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import Store, from_json

from assetry_automation.asked import AskedProcess
from assetry_automation.daemon.health import SenseHealth
from assetry_automation.decision.senses import Sense, Sensed, asked_at, due, first_due, is_news
from assetry_automation.kept import keep_senses, known_senses
from assetry_automation.sensing.senses import Saw

#: So many are asked at a time; and for so many seconds a process is kept that has nothing to ask.
AT_ONCE, KEPT = 4, 300.0
#: Seconds that the definitions may take to load.
LOADING = 600.0
#: Seconds between two looks at what is being asked.
_LOOK = 1.0


class Asked(NamedTuple):
    """How it went to ask a sense: what it `saw`, or what the `problem` was."""

    sense: Sense
    saw: Saw
    problem: str | None = None


class SensingProcess(AskedProcess):
    """A process that asks one sense at a time, as long as that may take."""

    def __init__(self, root: Path) -> None:
        super().__init__("assetry_automation.sensing.child", root)
        self.sense: Sense | None = None
        self._ready = False
        self._until = time.monotonic() + LOADING
        self.idle_since = 0.0

    def begin(self, sense: Sense) -> None:
        """Ask a sense, as soon as the definitions are loaded."""
        self.sense = sense
        if self._ready:
            self._begin(sense)

    def _begin(self, sense: Sense) -> None:
        self._until = time.monotonic() + sense.timeout.total_seconds()
        self.ask(sense.name)

    def outcome(self, timeout: float) -> Asked | None:
        """Return how it went, waiting for it at most so many seconds; None as long as it goes on.

        One that takes too long, or ends by itself, is ended: `sense` is then None, and it is of no more use.
        """
        while (sense := self.sense) is not None:
            left = self._until - time.monotonic()
            answer = self.answer(max(0.0, min(timeout, left)))
            if answer is None:
                return None if left > timeout else self._gone(sense, self._late(sense))
            if "ready" in answer:
                self._ready = True
                self._begin(sense)
            elif "problem" in answer:
                return self._gone(sense, str(answer["problem"]))
            else:
                self.sense, self.idle_since = None, time.monotonic()
                if "failed" in answer:
                    return Asked(sense, Saw(), str(answer["failed"]))
                return Asked(sense, Saw(tuple(answer["keys"]), int(answer["new"]), str(answer["told"])))
        return None

    @property
    def usable(self) -> bool:
        """Tell whether it may be asked."""
        return self._process.poll() is None

    def _late(self, sense: Sense) -> str:
        if not self._ready:
            return f"The definitions did not load in {LOADING:.0f} s."
        return f"{_title(sense)} did not end in {_span(sense.timeout)}, and was stopped: nothing of it is recorded."

    def _gone(self, sense: Sense, problem: str) -> Asked:
        self.end()
        self.sense = None
        return Asked(sense, Saw(), problem)

    def ended(self, code: int) -> str:
        """Return what is told of one that ended by itself."""
        if self.sense is None or not self._ready:
            return super().ended(code)
        return f"{_title(self.sense)} ended its process with {code}: nothing of it is recorded."


@dataclass(slots=True)
class Rounds:
    """The rounds of a daemon: each sense of a project is asked when it is due, as the clock of this process runs.

    That clock is never set, so that none is asked twice, or late, where the time of day is. `warn` tells people of what
    begins to fail, and of what no longer does.
    """

    root: Path
    warn: Callable[[str], None]
    _senses: tuple[Sense, ...] = ()
    _known: dict[str, Sensed] = field(default_factory=dict)
    _kept: dict[str, Sensed] | None = None
    _processes: list[SensingProcess] = field(default_factory=list)
    _turned: bool = False
    _start: datetime = field(default_factory=lambda: datetime.now(UTC))
    _began: float = field(default_factory=time.monotonic)

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=time.monotonic() - self._began)

    def take(self, senses: Sequence[Sense]) -> None:
        """Take what there is to ask from now on: the definitions were loaded anew."""
        self.end()
        self._senses = tuple(senses)
        self.forgive()

    def forgive(self) -> None:
        """Ask at once again what failed: it did so by other definitions, or because these did not load."""
        self._known = {name: each for name, each in self._known.items() if not each.failures}

    def turn(self, store: Store, *, starts: bool) -> None:
        """Take what was answered, and ask what is due, where it `starts` anything; never wait."""
        if self._kept is None and self._senses:
            self._kept = known_senses(store)
            self._known = dict(self._kept)
        for process in list(self._processes):
            asked = process.outcome(0.0)
            if asked is not None:
                self._took(store, asked)
            idle = process.sense is None and time.monotonic() - process.idle_since > KEPT
            if idle or not process.usable:
                process.end()
                self._processes.remove(process)
        self._turned = starts
        if starts:
            self._ask()

    def _ask(self) -> None:
        under_way = {each.sense.name for each in self._processes if each.sense is not None}
        waiting = [each for each in due(self._senses, self._known, self._now()) if each.name not in under_way]
        for sense in waiting[: AT_ONCE - len(under_way)]:
            process = next((each for each in self._processes if each.sense is None), None)
            if process is None:
                process = SensingProcess(self.root)
                self._processes.append(process)
            process.begin(sense)

    def _took(self, store: Store, asked: Asked) -> None:
        name = asked.sense.name
        before = self._known.get(name)
        after = (before or Sensed(at=self._now())).again(self._now(), asked.problem, asked.saw.keys)
        self._known[name] = after
        if asked.problem is not None and (before is None or before.told != after.told):
            later = _later(asked_at(asked.sense, after, after.at), after.at)
            self.warn(f"{asked.problem} {_title(asked.sense)} is asked again {later}.")
        kept = self._kept if self._kept is not None else {}
        failed = before or kept.get(name)
        if asked.problem is None and failed is not None and failed.failures:
            self.warn(f"{_title(asked.sense)} sees again.")
        # By the time of day, which others go by.
        written = Sensed(at=datetime.now(UTC), failures=after.failures, told=after.told, keys=after.keys)
        if is_news(kept.get(name), written):
            keep_senses(store, {name: written}, {each.name for each in self._senses})
            kept[name] = written

    def wait(self) -> float:
        """Return how many seconds there may be to the next turn; any, where the last one started nothing."""
        if any(each.sense is not None for each in self._processes):
            return _LOOK
        now, turned, self._turned = self._now(), self._turned, False
        first = first_due(self._senses, self._known, now) if turned else None
        return float("inf") if first is None else max((first - now).total_seconds(), 0.05)

    def told(self) -> dict[str, SenseHealth]:
        """Return how each sense is."""
        now, found = self._now(), {}
        for each in self._senses:
            last = self._known.get(each.name)
            ahead = (asked_at(each, last, now) - now).total_seconds()
            found[each.name] = SenseHealth(time.time() + ahead, last.failures if last else 0, last.told if last else "")
        return found

    def end(self) -> None:
        """End all that is being asked: it is asked again later."""
        for each in self._processes:
            each.end()
        self._processes = []


def ask_all(root: Path, senses: Iterable[Sense]) -> Iterable[Asked]:
    """Ask senses one after the other, in a process beside, and yield how that went."""
    process: SensingProcess | None = None
    try:
        for sense in senses:
            if process is None or not process.usable:
                process = SensingProcess(root)
            process.begin(sense)
            while (asked := process.outcome(_LOOK)) is None:
                pass
            yield asked
    finally:
        if process is not None:
            process.end()


def read_senses(written: Iterable[Mapping[str, Any]]) -> list[Sense]:
    """Return senses of their JSON."""
    return [from_json(Sense, each) for each in written]


def _title(sense: Sense) -> str:
    return f"{sense.of.capitalize()} {sense.name!r}"


def _span(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


def _later(at: datetime, now: datetime) -> str:
    return f"in {max((at - now).total_seconds(), 0.0):.0f} s"
