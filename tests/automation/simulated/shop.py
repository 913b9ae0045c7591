"""Shops drawn from a seed: assets with policies, what their tools really do, and what tables really hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any

from assetry import DailyPartitionsDefinition, FreshnessPolicy, Integration, StaticPartitionsDefinition
from assetry.automation import between, eager, lazy, missing, never, on_cron
from assetry.plugin import Asset, AssetKey, AutomationPolicy

MILL = Integration("mill", "mill")
EAGER = (eager(), eager(), eager(), eager().wait_for("any"), eager() | missing())
OTHERS = (
    *(None, lazy(), never(), missing(), eager(every=timedelta(minutes=30))),
    *(eager() & between("06:00", "20:00"), on_cron("0 */6 * * *"), ~never() & eager()),
)
#: An asset, and a partition of it.
Place = tuple[str, str | None]


@dataclass
class Thing:
    """One asset: what it is made from, when it is to be made, and how long that takes.

    What is `dull` comes out as before whatever it is made from; `outside` is made elsewhere.
    """

    name: str
    deps: list[str]
    policy: AutomationPolicy | None
    took: timedelta
    lag: timedelta | None = None
    parted: bool = False
    dull: bool = False
    outside: bool = False
    code: int = 1

    @property
    def eager(self) -> bool:
        return self.policy in EAGER


@dataclass
class Shop:
    """All assets, and what really is in their tables: by place, what it was made from."""

    things: dict[str, Thing]
    partitions: StaticPartitionsDefinition | DailyPartitionsDefinition | None
    grouped: bool
    #: How often each was loaded from outside.
    loads: dict[str, int] = field(default_factory=dict)
    content: dict[Place, str] = field(default_factory=dict)

    @classmethod
    def drawn(cls, random: Random, now: datetime, *, plain: bool) -> Shop:
        """Draw a shop; a `plain` one has assets that are made as soon as they are out of date, and no clocks."""
        count = random.randint(2, 6)
        parted = random.choice(("none", "none", "static", "daily"))
        definition: Any = {
            "none": None,
            "static": StaticPartitionsDefinition(["eu", "us"]),
            "daily": DailyPartitionsDefinition(f"{now:%Y-%m-%d}"),
        }[parted if not (plain and parted == "daily") else "static"]
        things: dict[str, Thing] = {}
        for i in range(count):
            deps = random.sample([*things], min(len(things), random.choice((1, 1, 2, 3)))) if i else []
            outside = not deps and random.random() < 0.4
            policy = None if outside else random.choice(EAGER if plain or random.random() < 0.6 else OTHERS)
            things[f"a{i}"] = Thing(
                *(f"a{i}", deps, policy, timedelta(seconds=random.choice((2, 20, 90, 400)))),
                parted=definition is not None and not outside and random.random() < 0.6,
                dull=random.random() < 0.15,
                outside=outside,
            )
        shop = cls(things, definition, random.random() < 0.5, dict.fromkeys(things, 1))
        if not plain:
            shop._give_lags(random)
        return shop

    def _give_lags(self, random: Random) -> None:
        """Give some assets deadlines that one machine can meet."""
        for each in self.things.values():
            above = [self.things[name] for name in self.above(each.name)]
            # What has another policy of its own is not made because others ask for it.
            hidden = any(it.outside or it.parted or it.policy not in (None, lazy(), *EAGER) for it in [each, *above])
            if not hidden and random.random() < 0.25:
                each.policy = None
                each.lag = 3 * self.whole + timedelta(minutes=random.choice((30, 60, 240)))

    @property
    def whole(self) -> timedelta:
        """Return how long it takes to make everything, one after the other."""
        return sum((each.took * (3 if each.parted else 1) for each in self.things.values()), timedelta())

    def above(self, name: str) -> set[str]:
        """Return all that an asset is made from."""
        found = set(self.things[name].deps)
        return found.union(*(self.above(each) for each in found))

    def assets(self) -> list[Asset]:
        """Return the definitions as they are now."""
        return [self._asset(each) for each in self.things.values()]

    def _asset(self, thing: Thing) -> Asset:
        return Asset(
            key=thing.name,
            kind="mill",
            integration=MILL,
            deps=thing.deps,
            executable=not thing.outside,
            automation=thing.policy,
            freshness_policy=FreshnessPolicy(maximum_lag=thing.lag) if thing.lag is not None else None,
            partitions_def=self.partitions if thing.parted else None,
            code_version=None if thing.outside else f"c{thing.code}",
        )

    def places(self, name: str) -> Iterable[Place]:
        """Return what an asset has in its tables."""
        return [place for place in self.content if place[0] == name]

    def of(self, place: Place) -> str:
        """Return what a place would hold, made from what is there now."""
        thing = self.things[place[0]]
        if not thing.deps:
            read: list[str] = [str(self.loads[thing.name])]
        else:
            read = []
            for name in thing.deps:
                same = self.things[name].parted and thing.parted
                own = [(name, place[1])] if same else sorted(self.places(name), key=str)
                read += [self.content.get(each, "") for each in own]
        return digest(thing.code, [] if thing.dull else read)


def digest(code: int, read: Iterable[str]) -> str:
    """Return the version of what some code makes of what it reads."""
    return blake2b(f"{code} {' '.join(read)}".encode(), digest_size=6).hexdigest()


def made(latest: Mapping[tuple[AssetKey, str | None], Any]) -> dict[Place, str]:
    """Return the versions of all that was made, as records tell."""
    return {(str(key), partition): each.data_version for (key, partition), each in latest.items()}
