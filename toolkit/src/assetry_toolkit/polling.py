"""Following jobs: however many wait, one of them asks for all.

Each waiting invocation has a thread of its own already. One of them leads: it waits for the next turn, asks, and tells
the others. When its own job has ended another takes over. So polling costs no thread, and no more than one request per
second, or one per job where a service has no lists.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import Refused, ServiceError, Unavailable
from assetry_toolkit.retries import pause_after

#: Seconds between two turns: quick at first, because many jobs are short.
PAUSES = (1.0, 1.0, 1.0, 2.0, 5.0, 10.0, 15.0)
#: Pauses before a job that is not found is looked for again: a replica of the server may be behind.
LOST = (5.0, 10.0, 15.0)

JobId = int | str
J = TypeVar("J")


# Without slots: on Python 3.11 a frozen class with slots cannot be called as `Look[int](…)`.
@dataclass(frozen=True)
class Look(Generic[J]):
    """What a turn found of one job: how it stands, or the error that came in place of an answer.

    >>> Look[int](1)
    Look(job=1, error=None)
    """

    job: J | None
    error: ServiceError | None = None


@dataclass(frozen=True)
class Turn(Generic[J]):
    """What one turn found, and how many requests it took; a job that was not asked for is left out."""

    looks: Mapping[JobId, Look[J]]
    requests: int = 1


@dataclass(slots=True)
class _Watched(Generic[J]):
    id: JobId
    look: Look[J] | None = None
    #: How often it was not found, one turn after the other.
    lost: int = 0


def one_by_one(ids: Sequence[JobId], ask: Callable[[JobId], J]) -> Turn[J]:
    """Return a turn that asks for each job by itself, up to the first that finds the service unavailable.

    >>> one_by_one([7, 8], lambda id_: f"job {id_}").looks[8]
    Look(job='job 8', error=None)
    """
    looks: dict[JobId, Look[J]] = {}
    for id_ in ids:
        try:
            looks[id_] = Look(ask(id_))
        except ServiceError as error:
            looks[id_] = Look(None, error)
            if isinstance(error, Unavailable):
                break  # the rest is asked for in the next turn, after a pause
    return Turn(looks, len(looks))


def at_once(
    ids: Sequence[JobId], listed: Callable[[], Mapping[JobId, J]], ask: Callable[[JobId], J], requests: int = 1
) -> Turn[J]:
    """Return a turn that takes jobs from a list of so many `requests` where that saves some, and asks for the rest.

    Where lists are refused, as to a role that may see single jobs only, each is asked for by itself.

    >>> at_once([7, 8], lambda: {7: "listed", 9: "another's"}, lambda id_: f"job {id_}").looks
    {7: Look(job='listed', error=None), 8: Look(job='job 8', error=None)}
    """
    if len(ids) <= requests:
        return one_by_one(ids, ask)
    try:
        found = listed()
    except Refused:
        return one_by_one(ids, ask)
    except ServiceError as error:
        return Turn(dict.fromkeys(ids, Look[J](None, error)), requests)
    rest = one_by_one([id_ for id_ in ids if id_ not in found], ask)
    return Turn({**{id_: Look(found[id_]) for id_ in ids if id_ in found}, **rest.looks}, requests + rest.requests)


class Poller(Generic[J]):
    """The jobs that are followed together: those one question can be about.

    `ask` finds out how jobs stand; it is called by one thread at a time. A `ServiceError` that it raises is the look at
    each of the jobs: it ends nothing. `every` are the seconds between two turns;
    None begins with one second, and grows. `pace` are the seconds that a request stands for, at least: of a turn that
    took three the pause is three times that long.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[JobId]], Turn[J]],
        clock: Clock | None = None,
        every: float | None = None,
        pace: float = 1.0,
    ) -> None:
        self._ask = ask
        self._clock = clock or Clock()
        self._every = every
        self._pace = pace
        self._changed = threading.Condition()
        self._watched: dict[object, _Watched[J]] = {}
        self._leading = False
        #: How many jobs were ever added: a newcomer is not kept waiting for the end of a long pause.
        self._added = 0
        #: Turns since a job was last added, turns in a row without an answer, and requests of the last turn.
        self._turns = self._failures = 0
        self._requests = 1
        self._last_error: ServiceError | None = None

    def watch(self, id_: JobId, called_off: Callable[[], bool]) -> Generator[Look[J], None, None]:
        """Yield what each turn finds of a job until `called_off` answers True or the caller has seen enough."""
        me = object()
        with self._changed:
            self._watched[me] = _Watched(id_)
            self._turns = 0
            self._added += 1
        try:
            while not called_off():
                look = self._next(me, called_off)
                if look is not None:
                    yield look
        finally:
            with self._changed:
                del self._watched[me]
                self._changed.notify_all()

    def _next(self, me: object, called_off: Callable[[], bool]) -> Look[J] | None:
        """Wait for the next look, leading when no other does; None when called off, or when it is worth a try."""
        with self._changed:
            mine = self._watched[me]
            if self._leading and mine.look is None:
                self._changed.wait(0.1)  # the leader tells; look now and then whether we were called off
            look, mine.look = mine.look, None
            if look is not None or self._leading:
                return look
            self._leading, added = True, self._added
        try:
            if self._clock.sleep(self._pause(), lambda: called_off() or self._added != added):
                self._turn()
        finally:
            with self._changed:
                self._leading = False
                self._changed.notify_all()
        with self._changed:
            look, mine.look = mine.look, None
            return look

    def _pause(self) -> float:
        error = self._last_error
        if error is not None:
            return max(pause_after(error, self._failures - 1, self._clock), self._every or 0.0)
        if self._every is not None:
            return self._every
        lost = max((each.lost for each in self._watched.copy().values()), default=0)
        usual = PAUSES[min(self._turns, len(PAUSES) - 1)]
        return max(usual, self._requests * self._pace, LOST[min(lost, len(LOST)) - 1] if lost else 0.0)

    def _turn(self) -> None:
        """Ask about every job that is watched, once, and tell those who wait."""
        with self._changed:
            wanted = list(dict.fromkeys(each.id for each in self._watched.values()))
        try:
            turn = self._ask(wanted)
        except ServiceError as error:  # no answer about any of them: that fails no job
            turn = Turn(dict.fromkeys(wanted, Look[J](None, error)))
        looks = turn.looks
        answered = any(look.job is not None or isinstance(look.error, Refused) for look in looks.values())
        with self._changed:
            self._requests = turn.requests
            self._turns += 1
            self._failures = 0 if answered else self._failures + 1
            errors = [look.error for look in looks.values() if isinstance(look.error, Unavailable)]
            self._last_error = errors[0] if errors and not answered else None
            for each in self._watched.values():
                if each.id in looks:
                    each.look = looks[each.id]
                    each.lost = each.lost + 1 if isinstance(each.look.error, Refused) else 0
            self._changed.notify_all()
