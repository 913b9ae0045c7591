"""How everything is at one moment, as far as it matters for what is started next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assetry.plugin import (
    Asset,
    AssetGraph,
    AssetKey,
    Attempt,
    AutomationPolicy,
    Numbering,
    Parts,
    Reason,
    Status,
)

from assetry_automation.decision.settings import JobEnd, Settings

#: No partition of anything.
NOTHING = Parts()
#: The reasons that lie in the definition of an asset.
DEFINED = ("code_changed", "columns_differ", "deps_changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that is known at a moment, `now`.

    * `statuses` are those of all assets of `graph`, judged for data as new as the demands of this moment ask.
    * `policies` are those that act: an asset without one of its own has the one that it is given.
    * `tries` are the last ones of each that made nothing, `durations` are seconds of late, and `under_way` counts the
      runs that automation has started and that still go on.
    * `selections` are the keys that the selections mean which policies name.
    * `versions` are those of what was made, and observed, that has no partitions, and that failed assets are made from.
    * `groups` are the keys of the groups whose members share an invocation of their tool, by asset.
    * `jobs` are what each job selects, by its name, and `ended` how those came out that were run.
    * `load` is another text when the definitions were loaded anew, and changed.
    """

    now: datetime
    graph: AssetGraph
    statuses: Mapping[AssetKey, Status]
    numbering: Numbering
    policies: Mapping[AssetKey, AutomationPolicy]
    settings: Settings = field(default_factory=Settings)
    tries: Mapping[AssetKey, Sequence[Attempt]] = field(default_factory=dict)
    durations: Mapping[AssetKey, Sequence[float]] = field(default_factory=dict)
    selections: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    versions: Mapping[AssetKey, str] = field(default_factory=dict)
    under_way: int = 0
    groups: Mapping[AssetKey, str] = field(default_factory=dict)
    jobs: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    ended: Mapping[str, JobEnd] = field(default_factory=dict)
    load: str = ""

    def due(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that are out of date; `Numbering.existing` of one without stands for it."""
        status = self.statuses[key]
        if status.partitions is not None:
            return status.partitions.due
        return self.numbering.existing(key) if status.is_due else NOTHING

    def running(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that are being made."""
        status = self.statuses[key]
        if status.status != "running":
            return NOTHING
        found = status.partitions.running if status.partitions is not None else NOTHING
        return found or self.numbering.existing(key)

    def missing(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that were never made; nothing of what is made elsewhere."""
        status = self.statuses[key]
        sets = status.partitions
        if sets is None and status.last_materialized is not None:
            return NOTHING
        if not self.graph[key].executable or self.graph[key].computed_on_read:
            return NOTHING
        if sets is None:
            return self.numbering.existing(key)
        return NOTHING if sets.whole else sets.existing - sets.made

    def failed(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset of which the last try failed."""
        status = self.statuses[key]
        if status.partitions is not None:
            return status.partitions.failed
        return self.numbering.existing(key) if status.status == "failed" else NOTHING

    def up(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return what of `upper` some partitions of `lower` are made from."""
        if not parts or self._is_linked(lower, upper):
            return self.numbering.up(lower, upper, parts)
        return self.numbering.existing(upper)

    def down(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return what of `lower` is made from some partitions of `upper`."""
        if not parts or self._is_linked(lower, upper):
            return self.numbering.down(lower, upper, parts)
        return self.numbering.existing(lower)

    def _is_linked(self, lower: AssetKey, upper: AssetKey) -> bool:
        """Tell whether the graph says what is made from what; it does not where neither of the two has partitions."""
        return lower in self.graph.links and bool(self.numbering.links(lower, upper))

    def parts(self, key: AssetKey, reasons: Iterable[Reason]) -> Parts:
        """Return the partitions of an asset that some of its reasons are about."""
        found = NOTHING
        for each in reasons:
            found |= each.parts or (NOTHING if self.statuses[key].partitions is not None else self.due(key))
        return found

    def last_start(self, key: AssetKey) -> datetime | None:
        """Return when an asset was last made, or tried, as far as records tell."""
        tried = [each.at for each in self.tries.get(key, ()) if each.outcome in ("failed", "running")]
        made = self.statuses[key].last_materialized
        return max([*tried, *([made] if made is not None else [])], default=None)

    def usual(self, key: AssetKey) -> timedelta:
        """Return how long making an asset takes in the middle; nothing where it is not known."""
        took = sorted(self.durations.get(key, ()))
        return timedelta(seconds=took[len(took) // 2] if took else 0.0)

    def print_of(self, key: AssetKey) -> str:
        """Return a text that is another one when a try at an asset may come out otherwise: its code, and its inputs.

        An input that was made again and came out as before is the same one.
        """
        read = (self._version(each) for each in made_from(self.graph, key) if each in self.statuses)
        return " ".join([str(self.graph[key].code_version), *read])

    def _version(self, key: AssetKey) -> str:
        if self.graph[key].computed_on_read:
            return str(self.graph[key].code_version)
        return self.versions.get(key) or str(self.statuses[key].run)


def made_from(graph: AssetGraph, key: AssetKey) -> Iterator[AssetKey]:
    """Yield what an asset is made from, and what is read by that where it is computed on read."""
    for dep in graph[key].deps:
        yield dep.key
        if dep.key != key and dep.key in graph and graph[dep.key].computed_on_read:
            yield from made_from(graph, dep.key)


def each_of(policy: AutomationPolicy) -> Iterator[AutomationPolicy]:
    """Yield a policy, and all policies that it is made of.

    >>> [each.when for each in each_of(AutomationPolicy("lazy") | AutomationPolicy("missing"))]
    ['any_of', 'lazy', 'missing']
    """
    yield policy
    for each in policy.of:
        yield from each_of(each)


def policies_of(assets: Sequence[Asset], graph: AssetGraph) -> dict[AssetKey, AutomationPolicy]:
    """Return the policy of each asset that has one, or is given one: what lies above those that ask is made for them.

    So an asset with a freshness policy, and each above it or above one with a policy, is ``lazy`` unless it says
    otherwise.
    """
    own = {asset.key: asset.automation for asset in assets if asset.automation is not None}
    asking = [asset.key for asset in assets if asset.freshness_policy is not None and asset.key not in own]
    acting = [key for key, policy in own.items() if policy.when != "never"]
    above = graph.ancestors(graph.index(key) for key in (*asking, *acting))
    lazy = {graph.keys[i] for i in above}.union(asking)
    found = {key: AutomationPolicy("lazy") for key in lazy if graph[key].executable}
    return {**found, **{key: policy for key, policy in own.items() if graph[key].executable}}
