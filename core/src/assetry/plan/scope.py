"""What takes part in a plan: wanted assets, by the pieces of their partitions, and what tools cannot leave out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import numbers_of
from assetry.plan.checks import Layout
from assetry.plan.choices import Choices, Made
from assetry.plan.collapse import Collapse, Family
from assetry.plan.numbering import Numbering
from assetry.plan.plan import PlanRequest
from assetry.types.assets import Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.parts import Parts
    from assetry.plan.pieces import Piece, Want

Wants = Mapping[AssetKey, "Parts | None"]
Groups = Mapping[AssetKey, InvocationGroup | None]
#: What invocations are told apart by: the integration, the key of the group, what partitions span, and the side.
Known = tuple[str, str, Hashable, int]


class Scope:
    """What takes part in a plan, as numbered nodes: wanted assets, and what their tools cannot leave out.

    An asset is one node; one with partitions is a node for each piece of them that an invocation makes. By node, in
    order: `made` is the graph's number of the asset, `parts` are its partitions (None without any). `known` are the
    families of nodes that may share an invocation. The rest is by node, as `collapse` wants it.
    """

    def __init__(self, graph: AssetGraph, wants: Wants, groups: Groups, request: PlanRequest) -> None:
        self.graph = graph
        self.numbering = Numbering(graph, request.definitions, request.now)
        self.wants = {graph.index(key): parts for key, parts in wants.items()}
        self.selected = frozenset(self.wants)
        self._never = request.never
        self._alone = ("never", "unless_refreshed") if request.full_refresh else ("never",)
        self._checks = request.checks
        self._beside = frozenset(map(graph.index, request.beside)) - self.selected
        self.known: dict[Known, int] = {}
        self.tools: list[InvocationGroup] = []
        self.choices = self._chosen(groups)
        pieces = self._pieces(groups)
        self.made: list[int] = []
        self.parts: list[Parts | None] = []
        self.groups: list[int | None] = []
        self.node: dict[int, tuple[int, ...]] = {}
        for i in sorted(pieces):
            first = len(self.made)
            for parts, family in pieces[i]:
                self.made.append(i)
                self.parts.append(parts)
                self.groups.append(family)
            self.node[i] = tuple(range(first, len(self.made)))
        self.families = [Family(each.ordered, each.whole, each.counted) for each in self.tools]
        self.riders = self._riders()
        self.through: dict[AssetKey, tuple[AssetKey, ...]] = {}
        self.apart: set[tuple[int, int]] = set()
        self._index: dict[int, _Index] = {}
        self.upstream = self._upstream()
        self._drop_known()

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _pieces(self, groups: Groups) -> dict[int, list[tuple[Parts | None, int | None]]]:
        """Return for each asset that is made its partitions in pieces, each with its family."""
        cut: dict[int, Sequence[tuple[Parts | None, Hashable]]] = {}
        parted: dict[tuple[str, str], list[int]] = {}
        for i in self.selected:
            asset = self.graph.assets[i]
            if not asset.executable:
                continue
            group, parts = groups.get(asset.key), self.wants[i]
            if parts is None or group is None or group.whole:
                cut[i] = [(parts, None)]
            else:
                parted.setdefault((self._maker(i), group.key), []).append(i)
        for members in parted.values():
            cut.update(zip(sorted(members), self._cut(sorted(members), groups), strict=True))
        found: dict[int, list[tuple[Parts | None, int | None]]] = {}
        for i in sorted(cut):
            group = groups.get(self.graph.keys[i])
            found[i] = [(parts, self._family(i, group, span)) for parts, span in cut[i]]
        for i, family in self._dragged(groups).items():
            found.setdefault(i, [(None, family)])
        self._even_out(found)
        return found

    def _chosen(self, groups: Groups) -> Choices:
        found = ((i, groups.get(self.graph.keys[i])) for i in sorted(self.selected) if self.graph.assets[i].executable)
        return Choices(Made(i, self.graph.assets[i], group, self.wants[i]) for i, group in found if group is not None)

    def _cut(self, members: Sequence[int], groups: Groups) -> Sequence[list[Piece]]:
        """Return the wanted partitions of the assets of one group in pieces."""
        from assetry.plan import pieces  # most projects have no partitions

        wants = [self._want(i) for i in members]
        group = groups[self.graph.keys[members[0]]]
        assert group is not None, "assets without a group are not cut"
        ranged = group.partitions == "range"
        if not group.counted:
            own = {self.graph.keys[i] for i in members}
            # Ranges that read earlier ones of their own are called one after the other.
            if any(self.numbering.reads_others(key, own - {key} if ranged else own) for key in own):
                # One call makes the same partitions of all its assets: it cannot make what it reads of others first.
                return [[pieces.Piece(want.parts, i)] for i, want in zip(members, wants, strict=True)]
            if not ranged:
                return pieces.together(wants)
        return pieces.ranges(wants, group.max_partitions, apart=not group.counted) if ranged else pieces.each(wants)

    def _want(self, i: int) -> Want:
        from assetry.plan.pieces import Want

        definition, parts = self.numbering.definition(self.graph.keys[i]), self.wants[i]
        assert definition is not None, "only what has partitions is cut"
        assert parts is not None, "only what has partitions is cut"
        return Want(definition, parts)

    def _even_out(self, found: dict[int, list[tuple[Parts | None, int | None]]]) -> None:
        """Let a tool that can leave nothing out make the same partitions of all its assets."""
        whole: dict[int, list[int]] = {}
        for i, pieces in found.items():
            family = pieces[0][1] if len(pieces) == 1 else None
            if family is not None and self.tools[family].whole:
                whole.setdefault(family, []).append(i)
        for family, members in whole.items():
            for i in members:
                definition = self.numbering.definition(self.graph.keys[i])
                if definition is None:
                    continue
                alike = [j for j in members if self._numbers(j) == self._numbers(i)]
                wanted = [parts for j in alike if (parts := self.wants.get(j)) is not None]
                if wanted:
                    found[i] = [(_united(wanted), family)]

    def _numbers(self, i: int) -> Hashable:
        definition = self.numbering.definition(self.graph.keys[i])
        return definition and numbers_of(definition)

    def _riders(self) -> dict[int, tuple[int, ...]]:
        """Return the nodes without partitions that may go with several families that have some, with these.

        Those that may go with just one are members of it.
        """
        beside: dict[int, list[int]] = {}
        for (name, key, span, side), family in self.known.items():
            own = self.known.get((name, key, None, side))
            if span is not None and own is not None and self.tools[own].mixed:
                beside.setdefault(own, []).append(family)
        found: dict[int, tuple[int, ...]] = {}
        for node, own in enumerate(self.groups):
            others = beside.get(own, ()) if own is not None else ()
            if len(others) == 1:
                self.groups[node] = others[0]
            elif others:
                found[node] = tuple(others)
        return found

    @property
    def needed(self) -> int:
        """Return how many families of counted groups have nodes that go with no other one."""
        used = {group for node, group in enumerate(self.groups) if group is not None and node not in self.riders}
        return sum(self.tools[group].counted for group in used)

    def _maker(self, i: int) -> str:
        integration = self.graph.assets[i].integration
        return integration.name if integration else ""

    def _family(self, i: int, group: InvocationGroup | None, span: Hashable = None) -> int | None:
        """Return the number of an asset's family: one invocation is for given partitions or for none."""
        if group is None:
            return None
        known = self._maker(i), group.key, span, self.choices.side.get(i, 0)
        found = self.known.setdefault(known, len(self.tools))
        if found == len(self.tools):
            self.tools.append(group)
        return found

    def _dragged(self, groups: Groups) -> dict[int, int | None]:
        """Return what the tools of the selected assets cannot leave out, selected or not, with its family."""
        whole = {group.key for group in self.tools if group.whole and group.along not in self._alone}
        if not whole:
            return {}
        known = set(self.known)
        dragged: dict[int, int | None] = {}
        for i, asset in enumerate(self.graph.assets):
            group = groups.get(asset.key)
            if group is None or group.key not in whole or not asset.executable:
                continue
            if (self._maker(i), group.key, None, 0) in known:
                dragged[i] = self._family(i, group)
        return dragged

    # -- what they wait for ----------------------------------------------------------------------------------------

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
            direct = [each for j in parents if j in node for each in node[j]]
            views = [passed[j] for j in parents if j in passed]
            # Of partitions that it reads by itself, others may stand behind a view.
            known = [each for each in direct if self.parts[each] is None] if views else ()
            behind = views[0].union(*views[1:]).difference(known) if views else frozenset()
            apart = self._apart(i, passed, unknown) if graph.apart and (direct or behind) else frozenset[int]()
            if not mine:
                unknown[i] = apart
                if direct or behind:
                    passed[i] = behind.union(direct) if direct else behind
                continue
            if behind:
                read = dict.fromkeys(graph.keys[self.made[each]] for each in sorted(behind))
                self.through[graph.keys[i]] = tuple(read)
            if self.parts[node[i][0]] is None and all(self.parts[each] is None for each in direct):
                rows = [(*direct, *sorted(behind)) if behind else tuple(direct)]
            else:
                rows = [self._above(each, parents, behind) for each in node[i]]
            upstream += rows
            for each, row in zip(node[i], rows, strict=True) if apart else ():
                self.apart.update((above, each) for above in apart.intersection(row))
        return upstream

    def _above(self, lower: int, parents: Sequence[int], behind: frozenset[int]) -> tuple[int, ...]:
        """Return the nodes that one with partitions is made from, or one that is made from partitions."""
        i, own = self.made[lower], self.parts[lower]
        found = dict[int, None]()
        # An asset that reads earlier partitions of itself is above itself.
        for j in (*parents, i) if own is not None else parents:
            nodes = self.node.get(j, ())
            if j == i or (len(nodes) > 1 or (nodes and self.parts[nodes[0]] is not None)):
                nodes = tuple(self._read(lower, j))
            found.update(dict.fromkeys(nodes))
        found.update(dict.fromkeys(sorted(behind)))
        return tuple(found)

    def _read(self, lower: int, j: int) -> Iterator[int]:
        """Yield the nodes of asset `j` that have partitions which a node is made from."""
        from assetry.partitions.parts import WHOLE

        i, own = self.made[lower], self.parts[lower]
        if own is None and self.graph.assets[i].partitions_def is not None:
            yield from self.node[j]  # it is made as a whole
            return
        read = self.numbering.up(self.graph.keys[i], self.graph.keys[j], WHOLE if own is None else own)
        if j not in self._index:
            self._index[j] = _Index((node, parts) for node in self.node[j] if (parts := self.parts[node]) is not None)
        found = self._index[j].having(read)
        yield from (each for each in found if each < lower) if i == j else found

    def _apart(
        self, i: int, passed: Mapping[int, frozenset[int]], unknown: Mapping[int, frozenset[int]]
    ) -> frozenset[int]:
        """Return the nodes above asset `i`, through views too, of which its tool does not know that they are."""
        node, graph = self.node, self.graph
        known, others = set[int](), set[int]()
        for j in graph.upstream[i]:
            everything = passed.get(j, frozenset()).union(node.get(j, ()))
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

    @property
    def other_cuts(self) -> bool:
        """Tell whether ranges that were cut otherwise might take fewer invocations, as far as is known.

        Not where all ranges of each tool are the same, and each partition is made from its namesake alone: to cut them
        further would then put every invocation that stands between two others into one of the parts.
        """
        spans: dict[tuple[str, str, int], int] = {}
        for (name, key, span, side), family in self.known.items():
            group = self.tools[family]
            if span is not None and group.counted and group.partitions == "range":
                spans[name, key, side] = spans.get((name, key, side), 0) + 1
        if not spans:
            return False
        parted = {self.graph.keys[i] for i, nodes in self.node.items() if self.parts[nodes[0]] is not None}
        return max(spans.values()) > 1 or any(self.numbering.reads_others(key, parted) for key in parted)

    def other_shares(self, found: Collapse) -> int:
        """Return how many invocations fewer there might be if what is chosen for a place was made bit by bit.

        With *k* choices a place is given one of less than two to the *k* sums of them: fewer than that never do.
        """
        families: dict[tuple[str, str], dict[int, int]] = {}
        for (name, key, _, side), family in self.known.items():
            families.setdefault((name, key), {})[family] = side
        fewer = 0
        for sides in families.values():
            if (most := max(sides.values())) > 0:
                fewer += sum(slot.group in sides for slot in found.slots) - (most + 1).bit_length()
        return fewer

    def layout(self, found: Collapse) -> Layout:
        """Return what `place_checks` has to know of the collapse."""
        place = [0] * len(self.made)
        for position, slot in enumerate(found.slots):
            for node in slot.members:
                place[node] = position
        consumers: dict[int, dict[int, None]] = {}
        edges: set[tuple[int, int]] = set()
        for node, parents in enumerate(self.upstream):
            for parent in parents:
                if self.made[parent] != self.made[node]:
                    consumers.setdefault(self.made[parent], {})[self.made[node]] = None
                if place[parent] != place[node]:
                    edges.add((place[parent], place[node]))
        selected = self.selected | self._beside
        for i in selected.difference(self.node):
            consumers[i] = {j: None for j in self.graph.downstream[i] if j in self.node}
        places = {i: tuple(sorted({place[node] for node in nodes})) for i, nodes in self.node.items()}
        return Layout(
            self.graph,
            places,
            selected,
            [self.integration(slot.members[0]) for slot in found.slots],
            {i: tuple(each) for i, each in consumers.items()},
            frozenset(edges),
            frozenset(i for i, key in enumerate(self.graph.keys) if key in self._never and i not in self.node),
            self._checks,
        )


class _Index:
    """The nodes of an asset, to be found by the partitions that they have."""

    def __init__(self, nodes: Iterable[tuple[int, Parts]]) -> None:
        spans: dict[str, list[tuple[int, int, int]]] = {}
        for node, parts in nodes:
            for strand, first, stop in parts.spans():
                spans.setdefault(strand, []).append((first, stop, node))
        #: By strand: where ranges begin, where they end, and whose they are; no two ranges meet.
        self._strands: dict[str, tuple[list[int], list[int], list[int]]] = {}
        for strand, own in spans.items():
            own.sort()
            firsts, stops, numbers = zip(*own, strict=True)
            self._strands[strand] = (list(firsts), list(stops), list(numbers))

    def having(self, parts: Parts) -> list[int]:
        """Return the nodes that have any of the partitions."""
        found: set[int] = set()
        for strand, first, stop in parts.spans():
            if strand in self._strands:
                firsts, stops, nodes = self._strands[strand]
                found.update(nodes[bisect_right(stops, first) : bisect_left(firsts, stop)])
        return sorted(found)


def _united(sets: Sequence[Parts]) -> Parts:
    found = sets[0]
    for each in sets[1:]:
        found |= each
    return found
