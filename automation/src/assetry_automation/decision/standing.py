"""What stays as it is from one loading of the definitions to the next, found once for all looks between. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from assetry.plugin import Asset, AssetGraph, AssetKey, AutomationPolicy, Next, PartitionsDefinition

from assetry_automation.decision.settings import Job, Settings

#: By asset: the key of the group whose members share an invocation of their tool.
Groups = Mapping[AssetKey, str]
BY_HAND = Next("not_automated", "no policy makes it, no job, and nothing below it has a policy")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """All that a look needs and that depends on the definitions alone.

    * `policies` are those that act: an asset without one of its own has the one that it is given.
    * `groups` are the keys of the groups whose members share an invocation of their tool, by asset.
    * `jobs` are what each job selects, by its name, and `selections` what the selections mean that policies name: all
      but those that may depend on how assets are.

    >>> [each.kind for each in Standing(graph=AssetGraph.of([Asset(key="a", kind="x")])).by_hand.values()]
    ['not_automated']
    """

    graph: AssetGraph
    settings: Settings = field(default_factory=Settings)
    policies: Mapping[AssetKey, AutomationPolicy] = field(default_factory=dict)
    groups: Groups = field(default_factory=dict)
    jobs: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    selections: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)

    @cached_property
    def by_hand(self) -> Mapping[AssetKey, Next]:
        """Return what is told of each asset that no policy makes."""
        return {each.key: BY_HAND for each in self.graph.assets if each.executable and each.key not in self.policies}

    @cached_property
    def parted(self) -> Mapping[AssetKey, PartitionsDefinition]:
        """Return the assets that have partitions, in graph order, with their definitions."""
        return {each.key: each.partitions_def for each in self.graph.assets if each.partitions_def is not None}

    @cached_property
    def above(self) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
        """Return what each asset is made from."""
        keys = self.graph.keys
        return {key: tuple([keys[j] for j in upper]) for key, upper in zip(keys, self.graph.upstream, strict=True)}

    @cached_property
    def clocks(self) -> Mapping[AssetKey, tuple[AutomationPolicy, ...]]:
        """Return the clocks of each policy that has any."""
        return self._with(lambda each: each.cron is not None)

    @cached_property
    def hours(self) -> frozenset[AutomationPolicy]:
        """Return the policies that say between which hours something is made."""
        found = self._with(lambda each: each.when == "between").values()
        return frozenset(each for some in found for each in some)

    @cached_property
    def lazy(self) -> frozenset[AssetKey]:
        """Return the assets that are made when others need them."""
        return frozenset(self._with(lambda each: each.when == "lazy"))

    @cached_property
    def hasty(self) -> frozenset[AssetKey]:
        """Return the assets that are made when any of what they are made from is new, whatever the rest waits for."""
        return frozenset(key for key, policy in self.policies.items() if policy.waits_for == "any")

    @cached_property
    def led(self) -> tuple[int, ...]:
        """Return the assets of which a deadline or a clock of their own may ask something, by number."""
        assets, clocks = self.graph.assets, self.clocks
        return tuple(i for i, each in enumerate(assets) if each.freshness_policy is not None or each.key in clocks)

    @cached_property
    def asking(self) -> tuple[int, ...]:
        """Return the assets of which newer data may be asked, by number, and all that they are made from, in order."""
        graph = self.graph
        aged = [i for i, asset in enumerate(graph.assets) if asset.freshness_policy is not None]
        return tuple(sorted(graph.ancestors(aged).union(aged)))

    @cached_property
    def moving(self) -> tuple[str, ...]:
        """Return the selections that policies name which depend on how assets are."""
        return tuple(text for text in named_by(self._kinds) if text not in self.selections)

    @cached_property
    def moving_jobs(self) -> tuple[Job, ...]:
        """Return the jobs whose selections may depend on how assets are."""
        return tuple(each for each in self.settings.jobs if each.name not in self.jobs)

    @cached_property
    def _kinds(self) -> Mapping[AutomationPolicy, tuple[AutomationPolicy, ...]]:
        """Return all that each policy is made of: most assets have one of a few."""
        return {each: tuple(each_of(each)) for each in set(self.policies.values())}

    def _with(self, are: Callable[[AutomationPolicy], bool]) -> dict[AssetKey, tuple[AutomationPolicy, ...]]:
        """Return of each policy the parts that are so, where any is."""
        found = {policy: tuple(filter(are, parts)) for policy, parts in self._kinds.items()}
        return {key: found[policy] for key, policy in self.policies.items() if found[policy]}


def each_of(policy: AutomationPolicy) -> Iterator[AutomationPolicy]:
    """Yield a policy, and all policies that it is made of.

    >>> [each.when for each in each_of(AutomationPolicy("lazy") | AutomationPolicy("missing"))]
    ['any_of', 'lazy', 'missing']
    """
    yield policy
    for each in policy.of:
        yield from each_of(each)


def named_by(policies: Iterable[AutomationPolicy]) -> tuple[str, ...]:
    """Return the selections that some policies name, each once.

    >>> named_by([AutomationPolicy("upstream_changed", upstream="tag:core"), AutomationPolicy("eager")])
    ('tag:core',)
    """
    texts = ((each.upstream, each.allowed, each.ignored) for policy in policies for each in each_of(policy))
    return tuple(dict.fromkeys(text for some in texts for text in some if text is not None))


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
    found = dict.fromkeys((key for key in lazy if graph[key].executable), AutomationPolicy("lazy"))
    return {**found, **{key: policy for key, policy in own.items() if graph[key].executable}}
