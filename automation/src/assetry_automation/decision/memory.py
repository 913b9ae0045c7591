"""What automation has to remember from one look to the next: what records do not tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from assetry.plugin import AssetKey, from_json, to_json

from assetry_automation.decision.world import DEFINED, World


class Failures(NamedTuple):
    """How often an asset has failed in a row with the same code and inputs: `print_of` tells these, `run` the last.

    `times` is 0 where code or inputs have changed since the last failure: so it was not tried yet.
    """

    run: str
    print_of: str
    times: int
    at: datetime


class Starts(NamedTuple):
    """How often in a row an asset was made, for the same reason in its definition, since the definitions were loaded.

    One whose code is another at each load is out of date however often it is made.
    """

    load: str
    because: str
    times: int
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered, by asset.

    * `known`: since when there is a policy; `served`: the last tick of its clock that was met.
    * `wanted`: since when something is wanted of it; `failures` and `starts`: see there.
    * `resumed`: when a person has let it go on, whatever held it; `held`: why a person keeps it from being made.
    * `overheads`: by the key of each group, how many seconds its last invocation took beside what it made.
    * `jobs`: by the name of each job, the last tick of its clock that was met, or since when there is the job.
    """

    known: Mapping[AssetKey, datetime] = field(default_factory=dict)
    served: Mapping[AssetKey, datetime] = field(default_factory=dict)
    wanted: Mapping[AssetKey, datetime] = field(default_factory=dict)
    failures: Mapping[AssetKey, Failures] = field(default_factory=dict)
    starts: Mapping[AssetKey, Starts] = field(default_factory=dict)
    resumed: Mapping[AssetKey, datetime] = field(default_factory=dict)
    held: Mapping[AssetKey, str] = field(default_factory=dict)
    jobs: Mapping[str, datetime] = field(default_factory=dict)
    overheads: Mapping[str, float] = field(default_factory=dict)

    def learned(self, world: World) -> Memory:
        """Return what is remembered after a look at everything."""
        keys = world.policies
        known = {key: self.known.get(key, world.now) for key in keys}
        failures = {key: each for key in keys if (each := self._failures(world, key)) is not None}
        starts = {key: each for key, each in self.starts.items() if key in keys and _still(world, key, each)}
        resumed = {key: at for key, at in self.resumed.items() if key in keys and world.due(key)}
        served = {key: at for key, at in self.served.items() if key in keys}
        jobs = {each.name: self.jobs.get(each.name, world.now) for each in world.settings.jobs}
        return replace(self, known=known, failures=failures, starts=starts, resumed=resumed, served=served, jobs=jobs)

    def _failures(self, world: World, key: AssetKey) -> Failures | None:
        if not world.failed(key):
            return None
        tries = [each for each in world.tries.get(key, ()) if each.outcome == "failed"]
        last = max(tries, key=lambda each: each.at, default=None)
        before = self.failures.get(key)
        if last is None:
            return before
        print_of = world.print_of(key)
        again = int(before is None or before.run != last.run)
        same = before is not None and before.print_of == print_of
        return Failures(last.run, print_of, again + (before.times if before is not None and same else 0), last.at)

    def started(self, world: World, keys: Iterable[AssetKey]) -> Memory:
        """Return what is remembered once some assets are started."""
        starts = dict(self.starts)
        wanted = dict(self.wanted)
        for key in keys:
            wanted.pop(key, None)
            because = defined(world, key)
            if because:
                before = starts.get(key)
                again = before is not None and (before.load, before.because) == (world.load, because)
                times = 1 + (before.times if before is not None and again else 0)
                starts[key] = Starts(world.load, because, times, world.statuses[key].run)
        return replace(self, starts=starts, wanted=wanted)


def defined(world: World, key: AssetKey) -> str:
    """Return the reason in its definition for which an asset is out of date; an empty text when there is none."""
    return next((each.code for each in world.statuses[key].reasons if each.code in DEFINED and each.asset == key), "")


def _still(world: World, key: AssetKey, starts: Starts) -> bool:
    """Tell whether an asset is out of date as it was when it was started, or nothing is known of that start yet."""
    return starts.load == world.load and (starts.run == world.statuses[key].run or defined(world, key) != "")


# -- as JSON ---------------------------------------------------------------------------------------------------------

_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("known", "served", "wanted", "resumed", "jobs"), datetime),
    **{"failures": Failures, "starts": Starts, "held": str, "overheads": float},
}


def written(memory: Memory) -> dict[str, Any]:
    """Return a memory as JSON.

    >>> read(written(Memory())) == Memory()
    True
    """
    return {
        name: {str(key): to_json(value) for key, value in getattr(memory, name).items()}
        for name in _KINDS
        if getattr(memory, name)
    }


def read(document: Mapping[str, Any]) -> Memory:
    """Return the memory of a document; what cannot be read of it is not remembered."""
    found: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        try:
            key_of = str if name in ("jobs", "overheads") else AssetKey
            found[name] = {key_of(key): from_json(kind, value) for key, value in document.get(name, {}).items()}
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
    return Memory(**found)
