"""What a tool chooses once for several places: which assets can share an invocation, and why others cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from assetry.types.assets import Asset
from assetry.types.invocations import InvocationGroup

if TYPE_CHECKING:
    from assetry.partitions.parts import Parts


class Made(NamedTuple):
    """An asset of a plan by its number in the graph, with its group and the partitions that are made of it."""

    number: int
    asset: Asset
    group: InvocationGroup
    parts: Parts | None


class Parting(NamedTuple):
    """Why one of two `assets`, the second, cannot be made with the other: what is made for their places differs.

    `alone` is an asset that is made for just one of the two places, None where only partitions differ.
    """

    key: str
    chooser: str
    places: tuple[str, str]
    assets: tuple[int, int]
    alone: int | None


class Choices:
    """What is chosen in a plan, see `InvocationGroup.choice`: the `side` of each asset that a tool chooses.

    Places of one chooser have the same side where the same is made for them. So assets of one group can share an
    invocation where their sides are the same, and those of different choosers in any case.

    >>> group = InvocationGroup("mill", choice=("tap", "target", "stream"))
    >>> made = [("a", "x", "users"), ("a", "y", "users"), ("a", "z", "orders"), ("b", "z", "visits")]
    >>> specs = [dict(zip(group.choice, each)) for each in made]
    >>> assets = [Asset(key="/".join(each.values()), kind="mill", spec=each) for each in specs]
    >>> choices = Choices(Made(number, asset, group, None) for number, asset in enumerate(assets))
    >>> choices.side, [each.places for each in choices.partings()]
    ({0: 0, 1: 0, 2: 1, 3: 0}, [('x', 'z')])
    """

    def __init__(self, made: Iterable[Made]) -> None:
        #: By group and chooser, for each place what is made for it.
        self._chosen: dict[tuple[str, str, str], dict[str, dict[str, Made]]] = {}
        self.side: dict[int, int] = {}
        for each in made:
            if each.group.choice and not each.group.whole:
                chooser, place, thing = (str(each.asset.spec.get(name)) for name in each.group.choice)
                maker = each.asset.integration.name if each.asset.integration else ""
                places = self._chosen.setdefault((maker, each.group.key, chooser), {})
                places.setdefault(place, {})[thing] = each
        for places in self._chosen.values():
            sides: dict[frozenset[tuple[str, Parts | None]], int] = {}
            for things in places.values():
                side = sides.setdefault(frozenset((name, each.parts) for name, each in things.items()), len(sides))
                self.side.update((each.number, side) for each in things.values())

    def partings(self) -> Iterator[Parting]:
        """Yield for each side of a group but the first why it is not the one before."""
        told: set[tuple[str, str, int]] = set()
        for (maker, key, chooser), places in self._chosen.items():
            for (place, things), (other, others) in combinations(places.items(), 2):
                one, two = (next(iter(each.values())).number for each in (things, others))
                if self.side[two] == self.side[one] + 1 and (maker, key, self.side[two]) not in told:
                    told.add((maker, key, self.side[two]))
                    alone = [each.number for name, each in things.items() if name not in others]
                    alone += [each.number for name, each in others.items() if name not in things]
                    yield Parting(key, chooser, (place, other), (one, two), next(iter(alone), None))
