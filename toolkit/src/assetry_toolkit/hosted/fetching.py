"""Reading definitions, many at a time: what is gone or cannot be read stays as it was, and hides nothing else."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from assetry.plugin import Asset, DefinitionError, IntegrationError, near_names, read_secret

from assetry_toolkit.errors import AuthError, MissingSecret, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.extract_load.changed_settings import still_changed
from assetry_toolkit.files import written_or_told
from assetry_toolkit.hosted.keys import fits
from assetry_toolkit.hosted.pulling import UNFOUND, UNREAD, Renewed
from assetry_toolkit.hosted.settings import HostedOptions
from assetry_toolkit.hosted.snapshots import Breaks, Snapshot, SnapshotFile, age, breaks_of, imagined
from assetry_toolkit.http import Http
from assetry_toolkit.work import GONE

LOG = logging.getLogger("assetry.toolkit")

#: How many requests are under way at a time while definitions are read.
AT_A_TIME = 4
#: What the status of a connection is called that is there no more.
GONE_STATUSES = ("deleted", "deprecated")
#: For how many seconds a service that is busy is waited for in all before a project is loaded, or a pull has failed.
PATIENCE = 60.0
#: The status by which a service says that these credentials may not do that.
FORBIDDEN = 403
#: By these statuses a service says that there is no such connection, or that it may not be seen.
MISSING = (400, FORBIDDEN, 404, 409, 422)

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


@dataclass(frozen=True)
class Definitions(Generic[In, D, S, Options]):
    """How connections of a service are read, and kept in the file of a snapshot.

    * `opened`: opens the service that options name, with what reads secrets.
    * `read`: returns connections, and their destinations by id, of the service; it is given the snapshot before, too.
    * `named`: makes a connection of its id alone.
    * `place`: says what two connections cannot both be, see `not_replaced`.
    """

    file: SnapshotFile[In, D]
    opened: Callable[[Options, Callable[[str], str]], AbstractContextManager[S]]
    read: Callable[[S, Options, Snapshot[In, D] | None], tuple[Iterable[In], Mapping[str, D]]]
    named: Callable[[str], In]
    place: Callable[[In], Hashable]

    def known(self, options: Options) -> Snapshot[In, D]:
        """Return what is known of the connections: the snapshot, read first when there is none; warn of trouble in it.

        A connection whose tables are named is defined by these names alone as long as it cannot be read. Raises
        `IntegrationError` when it has to be read and cannot be.
        """
        found = self._known(options)
        warn_of_connections(options, self.there(found))
        return found

    def there(self, snapshot: Snapshot[In, D]) -> list[In]:
        """Return the connections of a snapshot, but for those in whose place another one has come."""
        connections: tuple[Any, ...] = snapshot.connections
        return not_replaced(connections, self.place)

    def _known(self, options: Options) -> Snapshot[In, D]:
        found = self.file.known(options.snapshot_path, options.asks_for)
        if found is not None:
            return found
        # A start-up should not wait long for an answer that it can do without.
        id_ = options.connection_id if options.destination_tables else None
        try:
            return self.pull(options, 1 if id_ else None)
        except (Unavailable, MissingSecret):
            if id_ is None:
                raise
            return imagined(options.asks_for, self.named(id_))

    def pull(self, options: Options, attempts: int | None = None) -> Snapshot[In, D]:
        """Read everything anew, keep it as the snapshot and return it; `attempts` limits how often a look is repeated.

        What `read` makes of a connection that is gone, or cannot be read, never hides the others. Raises
        `IntegrationError` when the service cannot be reached or refuses us; the snapshot stays as it was, then.
        """
        before = self.file.known(options.snapshot_path, options.asks_for)
        try:
            with self.opened(options, read_secret) as service:
                service.http.attempts, service.http.patience = attempts or service.http.attempts, PATIENCE
                connections, destinations = self.read(service, options, before)
                connections = [_masked(each, service.http.masked) for each in connections]
        except IntegrationError as error:
            error.where = error.where or f"integration {options.name!r}"
            if before is not None and isinstance(error, Unavailable):
                since = age((datetime.now(UTC) - before.at).total_seconds())
                error.hint = f"{error.hint or ''} What was read {since} stays as it is.".strip()
            raise
        left = {} if before is None else before.left
        found = Snapshot(datetime.now(UTC), options.asks_for, tuple(connections), destinations, left)
        with written_or_told(options.snapshot_path):
            self.file.write(options.snapshot_path, found)
        return found

    def renewed(self, options: Options, assets: Callable[[Snapshot[In, D]], Iterable[Asset]]) -> Renewed:
        """Read everything anew as `pull` does; return it with the keys of the `assets` that came and that left by that.

        What has left is noted in the snapshot, until it is there again. Where tables are named that there are not,
        `assets` raises `DefinitionError`.
        """

        def tables(snapshot: Snapshot[In, D] | None) -> dict[str, Any]:
            try:
                return {str(each.key): each.relation for each in assets(snapshot)} if snapshot is not None else {}
            except DefinitionError:
                if snapshot is found and options.destination_tables:
                    raise
                return {}

        before = self.file.known(options.snapshot_path, options.asks_for)
        found = self.pull(options)
        was, now = tables(before), tables(found)
        lost = {key: list(table) for key, table in was.items() if table is not None and key not in now}
        left = {key: table for key, table in {**found.left, **lost}.items() if now and key not in now}
        if left != found.left:
            with written_or_told(options.snapshot_path):
                self.file.write(options.snapshot_path, replace(found, left=left))
        came, gone = ([each for each in new if each not in old] for new, old in ((now, was), (was, now)))
        return Renewed(found.connections, came if was else [], gone if now else [])


def no_such(
    what: str, id_: str, error: Refused, there: Iterable[tuple[str, str]], hint: str, option: str | None = None
) -> IntegrationError:
    """Return the error for an id that a service does not know, with the ids near to it or of names near to it.

    `what` is as in a sentence, ``connection`` or ``group``; `there` are the ids and names that the service has, and
    `option` names the option with the id, unless that is called as usual. Of a page's address the id in it is near.

    >>> refused = Refused("No such thing.", status=404)
    >>> no_such("connection", "crm2", refused, [("c_1", "crm"), ("crm_2", "shop"), ("c_3", "ads")], "Look.").near
    ('crm_2', 'c_1')
    >>> no_such("connection", "https://mill.com/connections/c_1/status", refused, [], "Look.").near
    ('c_1',)
    """
    known: dict[str, str] = {}
    for own, name in there:
        known |= {name: own, own: own}
    pages = re.search(rf"/{what}s/([^/?#]+)", id_)
    return IntegrationError(
        f"There is no {what} {id_!r}, or it may not be read: {error.message}",
        option=option or f"{what}_id",
        near=[pages[1]] if pages else dict.fromkeys(known[each] for each in near_names(id_, known)),
        hint=hint,
    )


def check_filters(
    asked: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    fitting: bool,
    service: str,
    integration: str,
    among: str | None = None,
) -> None:
    """Warn of filters that fit nothing, each alone; raise `IntegrationError` where nothing is `fitting` them together.

    `asked` has by option the patterns that are asked for, and what there is, connection by connection: those that the
    option `among` names, if one does.

    >>> check_filters({"names": (["crm*", "ads"], ["crm_eu", "ad"])}, False, "Mill", "shop")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: Mill has no connection with names = 'ads'.
      did you mean 'ad'?
      There are: crm_eu, ad. Patterns have * in them.
    """
    odd = {
        f"{option} = {each!r}": near_names(each, dict.fromkeys(there))
        for option, (wanted, there) in asked.items()
        for each in wanted
        if not any(fits(name, [each]) for name in there)
    }
    rows = zip(*(there for _, there in asked.values()), strict=True)
    told = [f"{first} ({', '.join(rest)})" if (rest := [*dict.fromkeys(more)]) else first for first, *more in rows]
    error = IntegrationError(
        f"{service} has no connection with {' or '.join(odd) or 'all that is asked for'}"
        f"{f' among those of {among}' if among else ''}.",
        option=next((each.partition(" ")[0] for each in odd), among),
        near=[*dict.fromkeys(near for found in odd.values() for near in found)][:3],
        hint=f"There are: {few(told)}. Patterns have * in them.",
    )
    if told and not fitting:
        raise error
    if told and odd:
        LOG.warning("Integration %r: %s", integration, " ".join(str(error).split()))


def few(told: Iterable[str]) -> str:
    """Return the first of some names.

    >>> few(map(str, range(12)))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 …'
    """
    first = [*islice(told, 11)]
    return f"{', '.join(first[:10])}{' …' if len(first) > 10 else ''}"


def trouble_of(status: str, reason: str | None, well: Collection[str]) -> str | None:
    """Return what is wrong with a connection, as a sentence would have it; None when nothing is.

    `well` are the statuses of one that can be synced.

    >>> trouble_of("broken", "Log in.", ["connected"]), trouble_of("connected", None, ["connected"])
    ('broken: Log in.', None)
    """
    if status in well:
        return f"known as it was: {reason}" if reason else None
    return f"{status}: {reason}" if reason else status


def warn_of_trouble(troubled: Sequence[str], integration: str, tool: str) -> None:
    """Log which connections are in trouble, as sentences have it (``crm is paused``), if any are."""
    if troubled:
        told = ", ".join(troubled[:5]) + (f", and {len(troubled) - 5} more" if len(troubled) > 5 else "")
        LOG.warning("Integration %r: %s. `assetry %s pull` looks again.", integration, told, tool)


def warn_of_connections(options: HostedOptions, connections: Sequence[Any]) -> None:
    """Log which connections are in trouble, or have settings that a killed run has changed; they have a name, too."""
    listed = [each for each in connections if each.status not in GONE_STATUSES]
    gone = [f"{each.name} is {each.trouble}" for each in connections if each.status in GONE_STATUSES]
    if gone:
        anew = f"remove {options.snapshot_told}, then `assetry {options.kind} pull`"
        LOG.warning("Integration %r: %s. To forget what is gone, %s.", options.name, few(gone), anew)
    owed = still_changed(options.changed_path, (each.id for each in listed))
    # What it was found to be before its settings were changed it is no more.
    troubled = [
        f"{each.name} is {each.trouble}" for each in listed if each.trouble not in (None, *owed.get(each.id, ()))
    ]
    changed = ((each.name, ", ".join(owed[each.id])) for each in listed if each.id in owed)
    told = "{} is still as it was changed for a sync ({}): its next run puts that back"
    warn_of_trouble([*troubled, *(told.format(*each) for each in changed)], options.name, options.kind)


class Connection(Protocol):
    """A connection as it was read: a dataclass with these fields; `synced` and `table_ids` may be properties."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def status(self) -> str:
        """Return how it is: ``deleted`` when it is gone."""

    @property
    def reason(self) -> str | None:
        """Return why."""

    @property
    def breaks(self) -> Breaks:
        """Return what `breaks_of` says of its tables: kept with the snapshot, and found out by `Reading`."""

    @property
    def synced(self) -> datetime | None:
        """Return when it was last synced, by the server's clock; None where that is not told with a connection."""

    @property
    def table_ids(self) -> Iterable[str] | None:
        """Return the `table_id` of each of its tables; None where they are not known."""


C = TypeVar("C", bound=Connection)


class Reading(Generic[C]):
    """One reading of connections, with those that were known before it, of which none is lost.

    One that is gone stays as it was, marked, so that what it has made is seen to be made no more. What is to be
    forgotten is so with the snapshot, when that file is removed.
    """

    def __init__(self, before: Iterable[C]) -> None:
        self._earlier = {each.id: each for each in before}

    def named(
        self, ids: Sequence[str], ask: Callable[[str], C], no_such: Callable[[str, Refused], ServiceError | Exception]
    ) -> list[C]:
        """Return connections by their ids. Raise what `no_such` makes of one that never was there."""

        def one(id_: str) -> C:
            try:
                return self._after(ask(id_))
            except Refused as error:
                if error.status not in MISSING:
                    raise
                if id_ in self._earlier:
                    return _missed(self._earlier[id_], error)
                raise no_such(id_, error) from None

        return together(one, dict.fromkeys(ids))

    def listed(
        self,
        things: Iterable[tuple[str, In]],
        read: Callable[[In], C],
        unread: Callable[[In, ServiceError], C],
        ask: Callable[[str], C | None] | None = None,
    ) -> list[C]:
        """Return connections that were listed, with their ids, and those that are listed no more, marked.

        `unread` makes a connection of one that cannot be read, and never was. `ask` returns one by its id, None when it
        is not asked for any more: a list whose pages shift while it is read can miss one that is there.
        """

        def one(pair: tuple[str, In]) -> C:
            id_, thing = pair
            try:
                return self._after(read(thing))
            except (AuthError, WrongAddress):
                raise
            except ServiceError as error:
                earlier = self._earlier.get(id_)
                if earlier is None:
                    return unread(thing, error)
                return _unread(earlier, error)

        def missed(earlier: C) -> C:
            found = None
            if ask is not None and earlier.status not in GONE_STATUSES:
                try:
                    found = ask(earlier.id)
                except Refused as error:
                    if error.status not in MISSING:
                        raise
                    if error.status == FORBIDDEN:
                        return _missed(earlier, error)
                except Unavailable as error:
                    return _unread(earlier, error)
            return self._after(found) if found else _marked(earlier, "deleted", "it is not listed any more")

        found = together(one, things)
        present = {each.id for each in found}
        return [*found, *together(missed, (each for each in self._earlier.values() if each.id not in present))]

    def _after(self, found: C) -> C:
        """Return a connection that was read, with the breaks of its tables since it was read before."""
        earlier, now = self._earlier.get(found.id), found.table_ids
        if earlier is None:
            return found
        breaks = earlier.breaks
        if now is not None:
            breaks = breaks_of(breaks, earlier.table_ids or (), now, found.synced)
        known: Any = found
        read: C = replace(known, breaks=breaks)
        return read


def _masked(connection: In, mask: Callable[[str], str]) -> In:
    """Return a connection, no secret in what is told of it: a service may repeat what it was asked with."""
    known: Any = connection
    told = {name: getattr(known, name, None) for name in ("reason", "note")}
    masked = {name: mask(text) for name, text in told.items() if text}
    return replace(known, **masked) if masked != {name: told[name] for name in masked} else connection


def _marked(connection: C, status: str, reason: str) -> C:
    known: Any = connection
    marked: C = replace(known, status=status, reason=reason)
    return marked


def _unread(connection: C, error: ServiceError) -> C:
    return _marked(connection, connection.status, f"it {UNREAD} again: {error.message}")


def _missed(connection: C, error: Refused) -> C:
    """Return a connection that was not given to us: that it may not be seen does not mean that it is gone."""
    if error.status == FORBIDDEN:
        return _unread(connection, error)
    return _marked(connection, "deleted", UNFOUND if error.status in GONE else error.message)


def not_replaced(connections: Iterable[C], place: Callable[[C], Hashable]) -> list[C]:
    """Return connections, those that are gone last; without those in whose place another one has come since.

    `place` says what two connections cannot both be: its destination and name, for example.
    """
    found = sorted(connections, key=lambda each: each.status in GONE_STATUSES)
    taken = {place(each) for each in found if each.status not in GONE_STATUSES}
    return [each for each in found if each.status not in GONE_STATUSES or place(each) not in taken]
