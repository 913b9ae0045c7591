"""Reading definitions, many at a time: what is gone or cannot be read stays as it was, and hides nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from assetry.plugin import UsageError

from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.hosted.settings import HostedOptions
from assetry_toolkit.hosted.snapshots import Snapshot, SnapshotFile, age, imagined
from assetry_toolkit.http import Http

#: How many requests are under way at a time while definitions are read.
AT_A_TIME = 4
#: By these statuses a service says that there is no such connection, or that it may not be seen.
MISSING = (400, 403, 404, 409, 422)

In = TypeVar("In")
Out = TypeVar("Out")
Options = TypeVar("Options", bound=HostedOptions)
D = TypeVar("D")


class Service(Protocol):
    """A service that is asked by HTTP."""

    @property
    def http(self) -> Http:
        """Return by what it is asked."""


S = TypeVar("S", bound=Service)


def together(work: Callable[[In], Out], things: Iterable[In], at_a_time: int = AT_A_TIME) -> list[Out]:
    """Return what `work` makes of each thing, in order, a few at a time; raise the first error.

    >>> together(str.upper, ["a", "b"])
    ['A', 'B']
    """
    listed = list(things)
    if len(listed) < 2:
        return [work(each) for each in listed]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(at_a_time, thread_name_prefix="assetry-fetch") as pool:
        return list(pool.map(work, listed))


def known(
    file: SnapshotFile[In, D],
    options: Options,
    pull: Callable[[Options, int | None], Snapshot[In, D]],
    named: Callable[[str], In],
) -> Snapshot[In, D]:
    """Return what is known of the connections: the snapshot, read by `pull` first when there is none.

    `pull` is given how often a look may be repeated at most. A connection whose tables are named is defined by these
    names alone as long as it cannot be read; `named` makes it of its id. Raises `IntegrationError` when it has to be
    read and cannot be.
    """
    found = file.known(options.snapshot_path, options.asks_for)
    if found is not None:
        return found
    # A start-up should not wait long for an answer that it can do without.
    id_ = options.connection_id if options.destination_tables else None
    try:
        return pull(options, 1 if id_ else None)
    except (Unavailable, UsageError):
        if id_ is None:
            raise
        return imagined(options.asks_for, named(id_))


def read_anew(
    file: SnapshotFile[In, D],
    options: HostedOptions,
    opened: Callable[[], AbstractContextManager[S]],
    read: Callable[[S, Snapshot[In, D] | None], tuple[Iterable[In], Mapping[str, D]]],
    attempts: int | None = None,
) -> Snapshot[In, D]:
    """Keep as the snapshot what `read` returns: connections, and destinations by id.

    It is given the service that is `opened` for that, and the snapshot before; `attempts` limits how often a look is
    repeated.

    Raises `IntegrationError` when the service cannot be reached or refuses us; the snapshot stays as it was, then.
    """
    before = file.known(options.snapshot_path, options.asks_for)
    try:
        with opened() as service:
            service.http.attempts = attempts or service.http.attempts
            connections, destinations = read(service, before)
    except Unavailable as error:
        if before is not None:
            since = age((datetime.now(UTC) - before.at).total_seconds())
            error.hint = f"{error.hint or ''} What was read {since} stays as it is.".strip()
        raise
    found = Snapshot(datetime.now(UTC), options.asks_for, tuple(connections), destinations)
    file.write(options.snapshot_path, found)
    return found


class Connection(Protocol):
    """A connection as it was read: a dataclass with these fields."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def status(self) -> str:
        """Return how it is: ``deleted`` when it is gone."""

    @property
    def reason(self) -> str | None:
        """Return why."""


C = TypeVar("C", bound=Connection)


class Reading(Generic[C]):
    """One reading of connections, with those that were known before it.

    `unknown` makes a connection of which nothing is known but its id, and why.
    """

    def __init__(self, before: Iterable[C], unknown: Callable[[str, str], C]) -> None:
        self._earlier = {each.id: each for each in before}
        self._unknown = unknown

    def named(
        self, ids: Sequence[str], ask: Callable[[str], C], no_such: Callable[[str, Refused], ServiceError | Exception]
    ) -> list[C]:
        """Return connections by their ids. Raise what `no_such` makes where the only one never was there."""

        def one(id_: str) -> C:
            try:
                return ask(id_)
            except Refused as error:
                if error.status not in MISSING:
                    raise
                if id_ in self._earlier:
                    return _marked(self._earlier[id_], "deleted", error.message)
                if len(ids) > 1:
                    return self._unknown(id_, error.message)
                raise no_such(id_, error) from None

        return together(one, dict.fromkeys(ids))

    def listed(
        self, things: Iterable[tuple[str, In]], read: Callable[[In], C], unread: Callable[[In, ServiceError], C]
    ) -> list[C]:
        """Return connections that were listed, with their ids, and those that are listed no more, marked.

        `unread` makes a connection of one that cannot be read, and never was.
        """

        def one(pair: tuple[str, In]) -> C:
            id_, thing = pair
            try:
                return read(thing)
            except (AuthError, WrongAddress):
                raise
            except ServiceError as error:
                earlier = self._earlier.get(id_)
                if earlier is None:
                    return unread(thing, error)
                return _marked(earlier, earlier.status, f"it could not be read again: {error.message}")

        found = together(one, things)
        present = {each.id for each in found}
        gone = (each for each in self._earlier.values() if each.id not in present)
        return [*found, *(_marked(each, "deleted", "it is not listed any more") for each in gone)]


def _marked(connection: C, status: str, reason: str) -> C:
    known: Any = connection
    marked: C = replace(known, status=status, reason=reason)
    return marked
