"""What automation has to remember from one look to the next: what records do not tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
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


class Round(NamedTuple):
    """How often an asset that waits for any of its inputs was made since it was started from these inputs and code.

    `print_of` tells these, `run` is the one that has made it last. What is out of date above it, and stays so, may
    leave it out of date however often it is made.
    """

    print_of: str
    times: int
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is remembered, by asset.

    * `known`: since when there is a policy; `served`: the last tick of its clock that was met.
    * `wanted`: since when something is wanted of it; `failures`, `starts` and `rounds`: see there.
    * `resumed`: when a person has let it go on, whatever held it; `held`: why a person keeps it from being made.
    * `overheads`: by the key of each group, how many seconds its last invocation took beside what it made.
    * `jobs`: by the name of each job, the last tick of its clock that was met, or since when there is the job.
    """

    known: Mapping[AssetKey, datetime] = field(default_factory=dict)
    served: Mapping[AssetKey, datetime] = field(default_factory=dict)
    wanted: Mapping[AssetKey, datetime] = field(default_factory=dict)
    failures: Mapping[AssetKey, Failures] = field(default_factory=dict)
    starts: Mapping[AssetKey, Starts] = field(default_factory=dict)
    rounds: Mapping[AssetKey, Round] = field(default_factory=dict)
    resumed: Mapping[AssetKey, datetime] = field(default_factory=dict)
    held: Mapping[AssetKey, str] = field(default_factory=dict)
    jobs: Mapping[str, datetime] = field(default_factory=dict)
    overheads: Mapping[str, float] = field(default_factory=dict)

    def learned(self, world: World) -> Memory:
        """Return what is remembered after a look at everything."""
        keys = world.policies
        known = self.known
        if known is not world.known and known.keys() != keys.keys():
            known = {key: known.get(key, world.now) for key in keys}
        failed = (key for key in world.all_failed if key in keys)
        failures = {key: each for key in failed if (each := self._failures(world, key)) is not None}
        starts = {key: each for key, each in self.starts.items() if key in keys and _still(world, key, each)}
        rounds = {key: now for key, each in self.rounds.items() if (now := _round(world, key, each)) is not None}
        resumed = {key: at for key, at in self.resumed.items() if key in keys and world.due(key)}
        served = {key: at for key, at in self.served.items() if key in keys}
        jobs = {each.name: self.jobs.get(each.name, world.now) for each in world.settings.jobs}
        learnt: dict[str, Any] = {"failures": failures, "starts": starts, "rounds": rounds, "resumed": resumed}
        return replace(self, known=known, served=served, jobs=jobs, **learnt)

    def _failures(self, world: World, key: AssetKey) -> Failures | None:
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
        starts, rounds, wanted = dict(self.starts), dict(self.rounds), dict(self.wanted)
        for key in keys:
            wanted.pop(key, None)
            if key in world.standing.hasty and key not in rounds:
                rounds[key] = Round(world.print_of(key), 0, world.statuses[key].run)
            because = defined(world, key)
            if because:
                before = starts.get(key)
                again = before is not None and (before.load, before.because) == (world.load, because)
                times = 1 + (before.times if before is not None and again else 0)
                starts[key] = Starts(world.load, because, times, world.statuses[key].run)
        return replace(self, starts=starts, rounds=rounds, wanted=wanted)


def defined(world: World, key: AssetKey) -> str:
    """Return the reason in its definition for which an asset is out of date; an empty text when there is none."""
    return next((each.code for each in world.statuses[key].reasons if each.code in DEFINED and each.asset == key), "")


def _still(world: World, key: AssetKey, starts: Starts) -> bool:
    """Tell whether an asset is out of date as it was when it was started, or nothing is known of that start yet."""
    return starts.load == world.load and (starts.run == world.statuses[key].run or defined(world, key) != "")


def _round(world: World, key: AssetKey, before: Round) -> Round | None:
    """Return how often an asset was made from the same by now; None where code or inputs are others, or it is fresh."""
    if key not in world.standing.hasty or not world.due(key) or before.print_of != world.print_of(key):
        return None
    run = world.statuses[key].run
    return before if run == before.run else Round(before.print_of, before.times + 1, run)


# -- as JSON ---------------------------------------------------------------------------------------------------------

_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("known", "served", "wanted", "resumed", "jobs"), datetime),
    **{"failures": Failures, "starts": Starts, "rounds": Round, "held": str, "overheads": float},
}


class Written(NamedTuple):
    """A memory, and how it is written as JSON: most of it is as it was at the look before, and is not done again."""

    memory: Memory = Memory()
    document: Mapping[str, Any] = MappingProxyType({})


def written(memory: Memory, before: Written = Written()) -> dict[str, Any]:  # noqa: B008 - it never changes
    """Return a memory as JSON; what is the very same as `before` is taken from there.

    >>> read(written(Memory())) == Memory()
    True
    """
    found: dict[str, Any] = {}
    for name in _KINDS:
        value = getattr(memory, name)
        if value and value is getattr(before.memory, name) and name in before.document:
            found[name] = before.document[name]
        elif value:
            found[name] = _by_moment(value) if name == "known" else {str(k): to_json(v) for k, v in value.items()}
    return found


def _by_moment(known: Mapping[AssetKey, datetime]) -> dict[str, list[str]]:
    """Return since when there are policies, by moment: most came with the same look."""
    found: dict[datetime, list[str]] = {}
    for key, at in known.items():
        found.setdefault(at, []).append(str(key))
    return {to_json(at): keys for at, keys in found.items()}


def read(document: Mapping[str, Any], before: Written = Written()) -> Memory:  # noqa: B008 - it never changes
    """Return the memory of a document; what cannot be read of it is not remembered.

    What is written as in that of `before` is taken from there.
    """
    found: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        value = document.get(name, {})
        if name in before.document and value == before.document[name]:
            found[name] = getattr(before.memory, name)
            continue
        with suppress(TypeError, ValueError, KeyError, AttributeError):
            key_of = str if name in ("jobs", "overheads") else AssetKey
            if name == "known":
                found[name] = dict(_by_key(value))
            else:
                found[name] = {key_of(key): from_json(kind, each) for key, each in value.items()}
    return Memory(**found)


def _by_key(known: Mapping[str, Any]) -> Iterator[tuple[AssetKey, datetime]]:
    """Yield since when there is the policy of each asset, which was once written by asset."""
    for name, each in known.items():
        if isinstance(each, list):
            at = from_json(datetime, name)
            yield from ((AssetKey(key), at) for key in each)
        else:
            yield AssetKey(name), from_json(datetime, each)
