"""The snapshot: what was read of a service's connections, in one file beside the project's records.

It is all that is needed to define the assets, so that a project loads in milliseconds, without a network, and the
same for everybody who has the file. It holds names and places, never a secret. ``assetry <tool> pull`` makes it anew.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from assetry.plugin import to_json

from assetry_toolkit.files import write_whole
from assetry_toolkit.hosted.answers import moment

#: Held while a file is changed: the invocations of a run are in several threads.
_renewing = threading.Lock()

C = TypeVar("C")
D = TypeVar("D")


#: By their `table_id`, tables that a connection did not sync for a while: when that was seen to be over, by our clock,
#: and when a sync ended last by then, by the server's; None while it lasts.
Breaks = Mapping[str, Sequence[str | None] | None]


class Table(Protocol):
    """A table of a connection; `id` is its `table_id`."""

    @property
    def id(self) -> str:
        """Return how it is told from the others."""


T = TypeVar("T", bound=Table)


@dataclass(frozen=True)
class Snapshot(Generic[C, D]):
    """What was read: when (UTC), what was asked for, the connections, and their destinations by id.

    `left` are the tables of what is no more there since it was read once: database, schema and identifier, by the keys
    that their assets had.
    """

    at: datetime
    asked: Mapping[str, Any] = field(default_factory=dict)
    connections: tuple[C, ...] = ()
    destinations: Mapping[str, D] = field(default_factory=dict)
    left: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    @property
    def imagined(self) -> bool:
        """Tell whether nothing was read yet: there is only what the options say."""
        return self.at.timestamp() == 0

    def answers(self, asked: Mapping[str, Any]) -> bool:
        """Tell whether this was read for the same options."""
        return dict(self.asked) == dict(asked)


def imagined(asked: Mapping[str, Any], *connections: C) -> Snapshot[C, Any]:
    """Return what is known of connections that were never read: that they are there.

    >>> imagined({}, "c").imagined
    True
    """
    return Snapshot(datetime.fromtimestamp(0, UTC), asked, connections)


@dataclass(frozen=True, kw_only=True)
class SnapshotFile(Generic[C, D]):
    """How a service's snapshots are written: connections and destinations as JSON objects, and back.

    A file of another `version` is not read. Of connections a file has one to a line, so that differences are readable
    where it is under version control. A `destination` is a dataclass with fields of JSON, and its `destination_id` the
    one that tells it from others.
    """

    version: int
    connection: Callable[[dict[str, Any]], C]
    connection_json: Callable[[C], Mapping[str, Any]]
    destination: Callable[..., D]
    destination_id: str = "id"

    def read(self, path: Path) -> Snapshot[C, D] | None:
        """Return the snapshot in a file; None when there is none, or none that can be understood: it is made anew."""
        try:
            given = json.loads(path.read_bytes())
            if given["version"] != self.version:
                return None
            return Snapshot(
                at=moment(given["at"]) or datetime.fromtimestamp(0, UTC),
                asked=given["asked"],
                connections=tuple(map(self.connection, given["connections"])),
                destinations={each[self.destination_id]: self.destination(**each) for each in given["destinations"]},
                left=dict(given.get("left", {})),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def known(self, path: Path, asked: Mapping[str, Any]) -> Snapshot[C, D] | None:
        """Return the snapshot in a file if it was read for the same options."""
        found = self.read(path)
        return found if found is not None and found.answers(asked) else None

    def write(self, path: Path, snapshot: Snapshot[C, D]) -> None:
        """Write a snapshot; readers see the old one or the new one, never a part."""
        destinations: Iterable[Any] = snapshot.destinations.values()
        head = {
            "version": self.version,
            "at": snapshot.at.isoformat(),
            "asked": dict(snapshot.asked),
            "destinations": [to_json(asdict(each)) for each in destinations],
            **({"left": dict(snapshot.left)} if snapshot.left else {}),
        }
        rows = ",\n".join(json.dumps(self.connection_json(each), ensure_ascii=False) for each in snapshot.connections)
        write_whole(path, f'{json.dumps(head, ensure_ascii=False)[:-1]}, "connections": [\n{rows}\n]}}\n')

    def renew(self, path: Path, asked: Mapping[str, Any], id_: str, renewed: Callable[[C, Mapping[str, D]], C]) -> None:
        """Put what `renewed` makes of the connection with an id in its place, if the file has it and that is another.

        For what a run learns of a connection, so that it is warned of from then on. It is given the destinations, too.
        That the definitions were read at some time stays so, and a file that cannot be written stays as it is.
        """
        with _renewing, suppress(OSError):
            found = self.known(path, asked)
            if found is None:
                return
            known: tuple[Any, ...] = found.connections
            now = tuple(renewed(each, found.destinations) if each.id == id_ else each for each in known)
            if now != known:
                self.write(path, replace(found, connections=now))

    def learn_tables(
        self, path: Path, asked: Mapping[str, Any], id_: str, tables: Sequence[T] | None, synced: datetime | None
    ) -> list[T]:
        """Let the file say which of its tables a connection syncs no more, or again; return those that it has not.

        `tables` are those that it syncs now, None where that is not known; `synced` is as `breaks_of` has it.
        """
        if tables is None:
            return []
        new, now = [*tables], [each.id for each in tables]

        def learnt(known: Any, _: object) -> Any:
            had = set(known.table_ids or ())
            new[:] = [each for each in tables if each.id not in had]
            # Which syncs left out what is back is to be known before it is called back.
            last = {each: over for each, over in known.breaks.items() if over is None and synced is None}
            return replace(known, breaks={**breaks_of(known.breaks, known.table_ids or (), now, synced), **last})

        self.renew(path, asked, id_, learnt)
        return new


def table_id(*names: str | None) -> str:
    """Return how a table of a connection is told from its others, by its names at the source, whatever is in them.

    >>> table_id("crm", "a.b") == table_id("crm.a", "b")
    False
    """
    return json.dumps(names, ensure_ascii=False)


def breaks_of(known: Breaks, before: Iterable[str], now: Iterable[str], synced: datetime | None) -> Breaks:
    """Return which tables a connection did not sync for a while.

    `known` is what this returned last time. `before` are the tables that the connection had, and `now` those that it is
    seen to sync, each by its `table_id`; `synced` is when its last sync ended by the server's clock, if that is known.

    >>> breaks_of({}, ["a", "b"], ["a"], None)
    {'b': None}
    >>> found = breaks_of({"b": None}, ["a"], ["a", "b"], datetime(2026, 1, 5, tzinfo=UTC))
    >>> moment(found["b"][0]) <= datetime.now(UTC), found["b"][1]
    (True, '2026-01-05T00:00:00+00:00')
    """
    there, back = set(now), [datetime.now(UTC).isoformat(), synced.isoformat() if synced is not None else None]
    found = {**known, **{each: None for each in before if each not in there}}
    return {each: back if over is None and each in there else over for each, over in found.items()}


def left_of(path: Path) -> Mapping[str, Sequence[str | None]]:
    """Return what a snapshot's file says that has `left`, without a look at its connections."""
    with suppress(OSError, ValueError, AttributeError), path.open(encoding="utf-8") as file:
        head = file.readline().rstrip().removesuffix(', "connections": [')
        return dict(json.loads(f"{head}}}").get("left", {}))
    return {}


def read_when(at: Any, now: datetime, command: str) -> str:
    """Return how old a definition is, for people; `command` reads it anew.

    >>> read_when("2026-01-01T00:00:00+00:00", datetime(2026, 1, 3, 1, tzinfo=UTC), "assetry mill pull")
    '2 days ago; `assetry mill pull` reads it anew'
    >>> read_when(None, datetime.now(UTC), "assetry mill pull")
    'never: `assetry mill pull` reads it'
    """
    then = at if isinstance(at, datetime) else moment(at)
    if then is None:
        return f"never: `{command}` reads it"
    return f"{age((now - then).total_seconds())}; `{command}` reads it anew"


def age(seconds: float) -> str:
    """Return a length of time until now, in its largest unit.

    >>> age(30), age(60), age(7300)
    ('just now', '1 minute ago', '2 hours ago')
    """
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
