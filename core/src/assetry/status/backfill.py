"""How a backfill stands: what of it was made since it began, what failed, and what is left. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.recorded import numbered
from assetry.plan.dependents import dependents
from assetry.plan.numbering import Numbering
from assetry.types.keys import AssetKey
from assetry.types.records import FAILED, WELL, Attempt, Materialization

if TYPE_CHECKING:
    from assetry.plan.scope import Wants

BackfillState = Literal["queued", "running", "cancelled", "done", "failed"]
#: An asset, and the partition of it; None for all of it.
Place = tuple[AssetKey, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillAsset:
    """How far one asset of a backfill is: partitions by what became of them; one without any counts as one."""

    key: AssetKey
    wanted: int
    done: int = 0
    failed: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill, and how it stands.

    `state` is ``queued`` while nothing carries it out, ``running``, or how it ended. Of `wanted` partitions `done` were
    made since `at`, `failed` have failed as often as they are tried, `blocked` are made from these, `running` are being
    made now, by any run, and `left` are all that are still to be made. `eta` is about when it will be through, while it
    is running. With `only_failed` it goes on with what had failed alone, and is not through with that.
    `failures` say what failed, one sentence for each that is told; `notes` what else there is to know.

    >>> from datetime import UTC
    >>> Backfill(id="b1", state="done", at=datetime(2026, 1, 1, tzinfo=UTC), wanted=3, done=3).ok
    True
    """

    id: str
    state: BackfillState
    at: datetime
    name: str | None = None
    by: str = ""
    why: str | None = None
    select: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    wanted: int = 0
    done: int = 0
    failed: int = 0
    blocked: int = 0
    running: int = 0
    left: int = 0
    eta: datetime | None = None
    only_failed: bool = False
    assets: tuple[BackfillAsset, ...] = ()
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether all of it was made."""
        return self.state == "done"

    def __str__(self) -> str:
        return f"{self.name} ({self.id})" if self.name else self.id


@dataclass(slots=True)
class Standing:
    """How far a backfill is, as it is told of what was made and tried.

    A partition counts as made when a run made it since the backfill began, whichever, or found that it need not be
    made. One that has failed is tried again until it has failed more than `retries` times.
    """

    wants: Wants
    numbering: Numbering
    retries: int = 0
    done: dict[AssetKey, Parts] = field(default_factory=dict)
    #: How often each has failed, and what was said the last time.
    tries: Counter[Place] = field(default_factory=Counter)
    said: dict[Place, str] = field(default_factory=dict)
    #: What was made in a run in which a check of it failed.
    spoilt: set[tuple[Place, str]] = field(default_factory=set)

    def made(self, records: Iterable[Materialization]) -> None:
        """Learn of partitions that were made since the backfill began, by whichever run."""
        places = (
            (each.key, each.partition) for each in records if ((each.key, each.partition), each.run) not in self.spoilt
        )
        self._add(places)

    def _add(self, places: Iterable[Place]) -> None:
        for key, parts in self._parts(places).items():
            self.done[key] = self.done.get(key, NOTHING) | parts

    def tried(self, run: str, attempts: Iterable[Attempt]) -> None:
        """Learn how a run of this backfill has left what it tried; a check that failed takes back what was made.

        Runs are told oldest first, and before what was made.
        """
        found = {(each.key, each.partition): each for each in attempts}
        well = [place for place, each in found.items() if each.outcome in WELL]
        bad = {place: each for place, each in found.items() if each.outcome in FAILED}
        roots = {key for key, _ in bad}
        # What is left out because of a failure in this run waits for that; for any other reason it has failed itself.
        lost = {place: each for place, each in found.items() if each.outcome == "skipped" and each.because not in roots}
        bad |= lost
        for key, name in tuple(bad):
            if name is None and self.wants.get(key) is not None:
                # A check of all of it says nothing of what other runs have made.
                whole = bad.pop((key, name))
                bad |= {place: whole for place in well if place[0] == key}
        for place, each in bad.items():
            self.tries[place] += 1
            self.said[place] = each.message or "it failed"
            self.spoilt.add((place, run))
        self._add(place for place in well if place not in bad)
        for key, parts in self._parts(bad).items():
            self.done[key] = self.done.get(key, NOTHING) - parts

    def nothing_said(self, wants: Wants, words: str) -> None:
        """Learn that a run said nothing of what it was to make: that counts as a try."""
        for place in self._places(wants):
            self.tries[place] += 1
            self.said[place] = words

    def gave_up(self, wants: Wants, sentences: Iterable[str]) -> None:
        """Learn what had failed as often as it is tried when it ended, with the `sentences` of then."""
        said = {text: words for text, _, words in (each.partition(": ") for each in sentences)}
        for place in self._places(wants):
            self.tries[place] = max(self.tries[place], self.retries + 1)
            self.said.setdefault(place, said.get(_place_text(place), "it failed"))

    def _places(self, wants: Wants) -> Iterator[Place]:
        for key, parts in wants.items():
            for name in self.numbering.keys_of(key, parts) if parts is not None else (None,):
                yield key, name

    def _parts(self, places: Iterable[Place]) -> dict[AssetKey, Parts]:
        """Return partitions by number, of those that are wanted."""
        names: dict[AssetKey, list[str]] = {}
        found: dict[AssetKey, Parts] = {}
        for key, name in places:
            if key not in self.wants:
                continue
            own = self.wants[key]
            if name is None:
                found[key] = WHOLE if own is None else own
            elif own is not None:
                names.setdefault(key, []).append(name)
        for key, own_names in names.items():
            definition, own = self.numbering.definition(key), self.wants[key]
            if definition is not None and own is not None:
                found[key] = found.get(key, NOTHING) | (Parts.at(numbered(definition, own_names).places.values()) & own)
        return found

    # -- what follows --------------------------------------------------------------------------------------------

    @property
    def left(self) -> Wants:
        """Return what is wanted and was not made yet, what has failed among it."""
        left: dict[AssetKey, Parts | None] = {}
        for key, own in self.wants.items():
            rest = (own or WHOLE) - self.done.get(key, NOTHING)
            if rest:
                left[key] = None if own is None else rest
        return left

    @property
    def given_up(self) -> dict[AssetKey, Parts]:
        """Return what has failed as often as it is tried."""
        often = self._parts(place for place, count in self.tries.items() if count > self.retries)
        left = self.left.items() if often else ()
        return {key: rest for key, own in left if (rest := often.get(key, NOTHING) & (own or WHOLE))}

    def blocked(self, graph: AssetGraph) -> Wants:
        """Return what is left and cannot be made, because it is made from what is given up."""
        return dependents(graph, self.left, self.given_up, self.numbering)

    @property
    def failures(self) -> int:
        """Return how many partitions have failed as often as they are tried."""
        return sum(map(len, self.given_up.values()))

    def told(self, graph: AssetGraph) -> dict[str, int]:
        """Return the counts of a `Backfill`."""
        left, failed, blocked = self.left, self.given_up, self.blocked(graph)
        return {
            "wanted": size(self.wants),
            "done": size(self.wants) - size(left),
            "failed": sum(map(len, failed.values())),
            "blocked": size(blocked),
            "left": size(left) - sum(map(len, failed.values())) - size(blocked),
        }

    def assets(self) -> tuple[BackfillAsset, ...]:
        """Return how far each asset is."""
        left, failed = self.left, self.given_up
        found = []
        for key, own in self.wants.items():
            wanted, rest = len(own or WHOLE), len(left[key] or WHOLE) if key in left else 0
            bad = len(failed.get(key, NOTHING))
            found.append(BackfillAsset(key=key, wanted=wanted, done=wanted - rest, failed=bad, left=rest - bad))
        return tuple(found)

    def sentences(self, most: int = 5) -> tuple[str, ...]:
        """Return what failed and was said, of some."""
        failed = self.given_up
        told = []
        for key, parts in failed.items():
            for name in self.numbering.keys_of(key, parts) or (None,):
                said = self.said.get((key, name)) or self.said.get((key, None), "it failed")
                told.append(f"{_place_text((key, name))}: {said.splitlines()[0] if said else said}")
                if len(told) == most:
                    return tuple(told)
        return tuple(told)


def _place_text(place: Place) -> str:
    key, name = place
    return f"{key}{'' if name is None else f' [{name}]'}"


def size(wants: Wants | Mapping[AssetKey, Parts]) -> int:
    """Return how many partitions are wanted, an asset without any counting as one.

    >>> size({AssetKey("a"): Parts.range(0, 3), AssetKey("b"): None})
    4
    """
    return sum(len(parts or WHOLE) for parts in wants.values())
