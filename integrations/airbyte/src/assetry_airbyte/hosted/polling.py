"""Following jobs: however many wait, one of them asks for all, with one request per workspace where that suffices.

Each waiting invocation has a thread of its own already. One of them leads: it waits for the next turn, asks, and tells
the others. When its own job has ended another takes over. So polling costs no thread and never more than one request
per second and workspace.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass

from assetry_airbyte.hosted.errors import AirbyteError, Refused, Unavailable
from assetry_airbyte.hosted.responses import Job
from assetry_airbyte.hosted.service import Service

#: Seconds between two turns: quick at first, because many syncs are short.
PAUSES = (1.0, 1.0, 1.0, 2.0, 5.0, 10.0, 15.0)
#: Pauses before a job that is not found is looked for again: a replica of the server may be behind.
LOST = (5.0, 10.0, 15.0)


@dataclass(frozen=True, slots=True)
class Look:
    """Hold what a turn found of one job: how it stands, or the error that came instead of an answer.

    `asked` is whether the job was part of the turn at all.
    """

    job: Job | None
    error: AirbyteError | None = None


@dataclass(slots=True)
class _Watched:
    id: int | str
    look: Look | None = None
    #: How often it was not found, one turn after the other.
    lost: int = 0


class Poller:
    """Follow the jobs of one workspace (or, where the workspace is unknown, of one connection)."""

    def __init__(self, service: Service, workspace: str | None, fixed: float | None) -> None:
        self._service = service
        self._clock = service.client.clock
        self._workspace = workspace
        self._fixed = fixed
        self._changed = threading.Condition()
        self._watched: dict[object, _Watched] = {}
        self._leading = False
        #: How many jobs were ever added: a newcomer is not kept waiting for the end of a long pause.
        self._added = 0
        #: Turns since a job was last added, turns in a row without an answer, and requests of the last turn.
        self._turns = self._failures = 0
        self._requests = 1
        self._last_error: AirbyteError | None = None

    def watch(self, id_: int | str, called_off: Callable[[], bool]) -> Generator[Look, None, None]:
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

    def _next(self, me: object, called_off: Callable[[], bool]) -> Look | None:
        """Wait for the next look, leading when nobody else does; None when called off, or when it is worth a try."""
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

    # -- a turn ------------------------------------------------------------------------------------------------------

    def _pause(self) -> float:
        error = self._last_error
        if error is not None:
            return max(self._service.client.pause(error, self._failures - 1), self._fixed or 0.0)
        if self._fixed is not None:
            return self._fixed
        lost = max((each.lost for each in self._watched.copy().values()), default=0)
        usual = PAUSES[min(self._turns, len(PAUSES) - 1)]
        return max(usual, self._requests * 1.0, LOST[min(lost, len(LOST)) - 1] if lost else 0.0)

    def _turn(self) -> None:
        """Ask about every job that is watched, once, and tell those who wait."""
        with self._changed:
            wanted = list(dict.fromkeys(each.id for each in self._watched.values()))
        looks = self._ask(wanted)
        answered = any(look.job is not None or isinstance(look.error, Refused) for look in looks.values())
        with self._changed:
            self._turns += 1
            self._failures = 0 if answered else self._failures + 1
            errors = [look.error for look in looks.values() if isinstance(look.error, Unavailable)]
            self._last_error = errors[0] if errors and not answered else None
            for each in self._watched.values():
                if each.id in looks:
                    each.look = looks[each.id]
                    missing = isinstance(each.look.error, Refused)
                    each.lost = each.lost + 1 if missing else 0
            self._changed.notify_all()

    def _ask(self, wanted: list[int | str]) -> Mapping[int | str, Look]:
        self._requests = 0
        looks: dict[int | str, Look] = {}
        if len(wanted) > 1 and self._workspace is not None:
            self._requests += 1
            try:
                listed = {job.id: job for job in self._service.workspace_jobs(self._workspace)}
            except Refused:
                listed = {}  # a role that may see single jobs only
            except AirbyteError as error:
                return {id_: Look(None, error) for id_ in wanted}
            looks = {id_: Look(listed[id_]) for id_ in wanted if id_ in listed}
        for id_ in wanted:
            if id_ not in looks:
                self._requests += 1
                looks[id_] = self._one(id_)
                if isinstance(looks[id_].error, Unavailable):
                    break  # the rest is asked for in the next turn, after a pause
        return looks

    def _one(self, id_: int | str) -> Look:
        try:
            return Look(self._service.job(id_))
        except AirbyteError as error:
            return Look(None, error)


def poller(service: Service, workspace: str | None, connection: str, fixed: float | None) -> Poller:
    """Return the poller that a connection's jobs are followed by; those of one workspace share one."""
    place = ("poller", workspace) if workspace else ("poller", None, connection)
    found: Poller = service.share((*place, fixed), lambda: Poller(service, workspace, fixed))
    return found
