"""What takes part in a plan: selected assets, and what their tools cannot leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.plan.checks import Layout
from assetry.plan.collapse import Collapse, Family
from assetry.plan.plan import PlanRequest
from assetry.types.assets import Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey


class Scope:
    """What takes part in a plan, numbered: selected assets, and what their tools cannot leave out.

    `made` are the graph's numbers of the nodes, in order; `known` are the groups by integration, key and whether
    partitions are made. The rest is by node, as `collapse` wants it.
    """

    def __init__(
        self,
        graph: AssetGraph,
        selected: Iterable[AssetKey],
        groups: Mapping[AssetKey, InvocationGroup | None],
        request: PlanRequest,
    ) -> None:
        self.graph = graph
        self.selected = frozenset(graph.index(key) for key in selected)
        self._partitions = request.partitions
        self._never = request.never
        self.known: dict[tuple[str, str, bool], int] = {}
        self.tools: list[InvocationGroup] = []
        family = {i: self._family(i, groups) for i in self.selected if graph.assets[i].executable}
        family.update(self._dragged(groups))
        self.made = sorted(family)
        self.node = {i: node for node, i in enumerate(self.made)}
        self.groups = [family[i] for i in self.made]
        self.families = [Family(each.ordered, each.whole, each.counted) for each in self.tools]
        self.through: dict[AssetKey, tuple[AssetKey, ...]] = {}
        self.apart: set[tuple[int, int]] = set()
        self.upstream = self._upstream()
        self._drop_known()

    def _family(self, i: int, groups: Mapping[AssetKey, InvocationGroup | None]) -> int | None:
        """Return the number of an asset's group."""
        asset = self.graph.assets[i]
        group = groups.get(asset.key)
        if group is None:
            return None
        # One invocation is for given partitions or for none.
        parted = bool(self._partitions) and asset.partitions_def is not None and not group.whole
        if group.counted and group.partitions == "one" and parted and len(self._partitions) > 1:
            raise UsageError(
                f"{group.key} makes one partition at a time, and {len(self._partitions)} of {asset.key} are asked for.",
                hint="Ask for one partition.",
            )
        name = asset.integration.name if asset.integration else ""
        found = self.known.setdefault((name, group.key, parted), len(self.tools))
        if found == len(self.tools):
            self.tools.append(group)
        return found

    def _dragged(self, groups: Mapping[AssetKey, InvocationGroup | None]) -> dict[int, int | None]:
        """Return what the tools of the selected assets cannot leave out, selected or not, with its group."""
        whole = {group.key for group in self.tools if group.whole}
        if not whole:
            return {}
        known = set(self.known)
        dragged: dict[int, int | None] = {}
        for i, asset in enumerate(self.graph.assets):
            group = groups.get(asset.key)
            if group is None or group.key not in whole or not asset.executable:
                continue
            if (asset.integration.name if asset.integration else "", group.key, False) in known:
                dragged[i] = self._family(i, groups)
        return dragged

    def _upstream(self) -> list[tuple[int, ...]]:
        """Return the nodes that each node waits for; note those it reads through views, and those set apart from it."""
        node, graph = self.node, self.graph
        passed: dict[int, frozenset[int]] = {}
        unknown: dict[int, frozenset[int]] = {}
        upstream: list[tuple[int, ...]] = []
        for i, parents in enumerate(graph.upstream):
            mine = i in node
            if not mine and not graph.assets[i].computed_on_read:
                continue
            direct = [node[j] for j in parents if j in node]
            views = [passed[j] for j in parents if j in passed]
            behind = views[0].union(*views[1:]).difference(direct) if views else frozenset()
            if graph.apart and (direct or behind):
                apart = self._apart(i, passed, unknown)
                if not mine:
                    unknown[i] = apart
                self.apart.update((each, node[i]) for each in apart if mine)
            if not mine:
                if direct or behind:
                    passed[i] = behind.union(direct) if direct else behind
                continue
            if behind:
                self.through[graph.keys[i]] = tuple(graph.keys[self.made[each]] for each in sorted(behind))
                direct += sorted(behind)
            upstream.append(tuple(direct))
        return upstream

    def _apart(
        self, i: int, passed: Mapping[int, frozenset[int]], unknown: Mapping[int, frozenset[int]]
    ) -> frozenset[int]:
        """Return the nodes above asset `i`, through views too, of which its tool does not know that they are."""
        node, graph = self.node, self.graph
        known, others = set[int](), set[int]()
        for j in graph.upstream[i]:
            everything = passed.get(j, frozenset()) | ({node[j]} if j in node else set())
            hidden = everything if (j, i) in graph.apart else unknown.get(j, frozenset())
            others |= hidden
            known |= everything - hidden
        return frozenset(others - known)

    def _drop_known(self) -> None:
        """Forget what is set apart though dependencies that the tools do know keep the same order."""
        firm: list[list[int]] = [[] for _ in self.made] if self.apart else []
        for lower, parents in enumerate(self.upstream if self.apart else ()):
            firm[lower] = [upper for upper in parents if (upper, lower) not in self.apart]
        for lower in {lower for _, lower in self.apart}:
            seen, waiting = {lower}, [lower]
            while waiting:
                fresh = set(firm[waiting.pop()]) - seen
                seen |= fresh
                waiting += fresh
            self.apart -= {(upper, lower) for upper in seen}

    def integration(self, node: int) -> Integration:
        """Return the integration that makes a node."""
        asset = self.graph.assets[self.made[node]]
        return asset.integration or Integration(asset.kind, asset.kind)

    def layout(self, found: Collapse) -> Layout:
        """Return what `place_checks` has to know of the collapse."""
        place = [0] * len(self.made)
        for position, slot in enumerate(found.slots):
            for node in slot.members:
                place[node] = position
        consumers: dict[int, list[int]] = {}
        edges: set[tuple[int, int]] = set()
        for node, parents in enumerate(self.upstream):
            for parent in parents:
                consumers.setdefault(self.made[parent], []).append(self.made[node])
                if place[parent] != place[node]:
                    edges.add((place[parent], place[node]))
        for i in self.selected.difference(self.node):
            consumers[i] = [j for j in self.graph.downstream[i] if j in self.node]
        return Layout(
            self.graph,
            {i: place[node] for i, node in self.node.items()},
            self.selected,
            [self.integration(slot.members[0]) for slot in found.slots],
            consumers,
            frozenset(edges),
            frozenset(i for i, key in enumerate(self.graph.keys) if key in self._never and i not in self.node),
        )
