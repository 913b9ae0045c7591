"""Gates: where checks run in a plan, and who waits for them.

A check runs in an invocation that is there anyway: the first one of its integration in which, or after which,
everything it reads is done. Only a check that is not counted (`Check.counted`) becomes a step of its own, on what
another integration made. A check of severity ``error`` gates what it reads: consumers in other invocations wait for it.
A gate that would make two invocations wait for each other is left out, and the plan says so. A check that reads what is
not made here, and never was, is not run. A check that is set apart (`Check.apart`) runs in an invocation after that of
what it reads.

Positions are those of the invocations in the order of the collapse; steps of their own are numbered after them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.graph.order import dependency_order
from assetry.types.assets import Asset, Check, Integration
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


@dataclass(frozen=True, slots=True)
class Layout:
    """What the collapse decided, in the graph's own numbers.

    `places` maps what is made to the positions of its invocations, in order: several where they make partitions of it.
    `selected` is what was asked for, made or not; `never` is what was never made, and is not made in this plan.
    `integrations` are those of the invocations. `consumers` maps an asset to what is made from it in this plan.
    `edges` are the pairs of positions of which the second waits for the first. `only` are the checks to be placed, all
    of them; None for those that belong to the plan.
    """

    graph: AssetGraph
    places: Mapping[int, Sequence[int]]
    selected: frozenset[int]
    integrations: Sequence[Integration]
    consumers: Mapping[int, Sequence[int]]
    edges: frozenset[tuple[int, int]]
    never: frozenset[int] = frozenset()
    only: frozenset[CheckRef] | None = None

    def last(self, i: int) -> int:
        """Return the position by which all of an asset is made; -1 when it is not made."""
        places = self.places.get(i)
        return places[-1] if places else -1


class Ungated(NamedTuple):
    """A check that does not hold back what is made from an asset it reads, because that is made before it can run."""

    ref: CheckRef
    asset: int
    consumers: tuple[int, ...]


class Premature(NamedTuple):
    """A check that is not run, and what it reads that was never made."""

    ref: CheckRef
    missing: tuple[int, ...]


@dataclass(slots=True)
class Checking:
    """Where checks run, and what follows from that.

    `checks` are those of each position, with what each reads; positions from the number of invocations on are steps
    of their own, of the integrations `own`. `gates` maps an asset to the checks that its consumers wait for.
    `order` is an order of all positions in which they can run, gates kept; `before` what each waits for directly.
    `left_out` are the checks that no invocation of their integration comes late enough for, `premature` those that read
    what is not there yet, `ungated` those that come too late for some consumers.
    """

    checks: list[list[CheckRef]]
    reads: list[set[int]]
    own: list[Integration] = field(default_factory=list)
    gates: dict[int, list[CheckRef]] = field(default_factory=dict)
    left_out: list[CheckRef] = field(default_factory=list)
    premature: list[Premature] = field(default_factory=list)
    ungated: list[Ungated] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A check with what it reads and the position it runs at."""

    ref: CheckRef
    reads: tuple[int, ...]
    position: int
    error: bool


def with_sources(graph: AssetGraph, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
    """Return assets and, of what they read, all that has checks and is made elsewhere: it is checked before it is read.

    >>> raw = Asset(key="raw", kind="source", executable=False, checks=[Check("unique_id")])
    >>> with_sources(AssetGraph.of([raw, Asset(key="orders", kind="dbt", deps=["raw"])]), [AssetKey("orders")])
    (AssetKey('raw'), AssetKey('orders'))
    """
    found = dict.fromkeys(keys)
    for key in tuple(found):
        above = (graph[each] for each in graph.upstream_of(key))
        found.update({asset.key: None for asset in above if asset.checks and not asset.executable})
    return tuple(sorted(found, key=graph.index))


def place_checks(layout: Layout) -> Checking:
    """Return where the checks on what is selected run, what they gate, and the order that follows.

    A check belongs to a plan when the asset it is written on is selected, or another one it reads is made.

    >>> tool = Integration("shop", "dbt")
    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt", integration=tool, checks=[Check("unique_a")])])
    >>> found = place_checks(Layout(graph, {0: (0,)}, frozenset([0]), [tool], {}, frozenset()))
    >>> [each.check for each in found.checks[0]], found.order
    (['unique_a'], [0])
    """
    count = len(layout.integrations)
    checking = Checking([[] for _ in range(count)], [set() for _ in range(count)])
    after = list(range(count))
    placed = list(_placed(layout, checking, after, _place_own(layout, checking)))
    edges = set(layout.edges)
    for each in placed:
        checking.checks[each.position].append(each.ref)
        checking.reads[each.position].update(each.reads)
        homes = {home for i in each.reads for home in layout.places.get(i, ())}
        edges.update((home, each.position) for home in homes if home != each.position)
    _gate(layout, checking, placed, edges)
    checking.order, checking.before = _order(edges, after)
    return checking


def _place_own(layout: Layout, checking: Checking) -> list[tuple[int, Check]]:
    """Place the checks that read one asset and run with it, as most do; return the others."""
    others: list[tuple[int, Check]] = []
    for i, asset in enumerate(layout.graph.assets):
        if not asset.checks:
            continue
        homes = layout.places.get(i, ()) if i in layout.selected else ()
        for check in asset.checks:
            if layout.only is not None and CheckRef(asset.key, check.name) not in layout.only:
                continue
            if not homes or check.also or check.integration is not None or check.apart:
                others.append((i, check))
                continue
            ref = CheckRef(asset.key, check.name)
            for home in homes:
                checking.checks[home].append(ref)
            if check.severity == "error":
                checking.gates.setdefault(i, []).append(ref)
    return others


def _placed(
    layout: Layout, checking: Checking, after: list[int], checks: Iterable[tuple[int, Check]]
) -> Iterator[_Placed]:
    """Yield the checks of the plan with their positions; `after` gets the position that each own step follows."""
    by_name: dict[str, list[int]] = {}
    for position, integration in enumerate(layout.integrations):
        by_name.setdefault(integration.name, []).append(position)
    for i, check in checks:
        asset = layout.graph.assets[i]
        reads = (i, *(layout.graph.index(key) for key in check.also)) if check.also else (i,)
        if (
            layout.only is None
            and i not in layout.selected
            and not any(j in layout.places and j in layout.selected for j in reads)
        ):
            continue
        ref = CheckRef(asset.key, check.name)
        missing = tuple(j for j in reads if j in layout.never)
        if missing:
            checking.premature.append(Premature(ref, missing))
            continue
        last = max(0, *map(layout.last, reads))
        tool = _tool(asset, check, layout.graph.integrations)
        if not check.counted:
            position = layout.last(i)
            # A function looks at what its own call makes; only a step of its own at what several calls do.
            several = len(layout.places.get(i, ())) > 1
            if position < last or several or layout.integrations[position].name != tool.name:
                position = _own_step(checking, after, last, tool)
        else:
            later = by_name.get(tool.name, [])
            apart = max((layout.last(layout.graph.index(key)) + 1 for key in check.apart), default=0)
            place = bisect_left(later, max(last, apart))
            if place == len(later):
                checking.left_out.append(ref)
                continue
            position = later[place]
        yield _Placed(ref, reads, position, check.severity == "error")


def _own_step(checking: Checking, after: list[int], last: int, tool: Integration) -> int:
    """Return the position of a new step, right after position `last`."""
    after.append(last)
    checking.own.append(tool)
    checking.checks.append([])
    checking.reads.append(set())
    return len(after) - 1


def _tool(asset: Asset, check: Check, known: Mapping[str, Integration]) -> Integration:
    """Return the integration that runs a check."""
    if check.integration is None:
        return asset.integration or Integration(asset.kind, asset.kind)
    return known.get(check.integration) or Integration(check.integration, check.integration)


def _gate(layout: Layout, checking: Checking, placed: Iterable[_Placed], edges: set[tuple[int, int]]) -> None:
    """Note which assets the checks gate, and add what waits for a check because of that to `edges`."""
    above = _Above(edges, len(checking.checks))
    for each in placed:
        if not each.error:
            continue
        for i in dict.fromkeys(each.reads):
            homes, consumers = set(layout.places.get(i, ())), layout.consumers.get(i, ())
            if homes == {each.position}:
                checking.gates.setdefault(i, []).append(each.ref)
                continue
            if not homes and i not in layout.selected:
                continue
            waiting = {home for j in consumers for home in layout.places[j]} - {each.position} - homes
            circular = waiting & above.of(each.position)
            if not circular and (waiting or each.position in homes):
                checking.gates.setdefault(i, []).append(each.ref)
                for position in waiting:
                    above.add(each.position, position)
            # A tool that makes an asset and goes on at once cannot wait for what only another one lets run.
            early = (waiting if circular else set()) | (homes - {each.position} if len(each.reads) > 1 else set())
            lost = tuple(j for j in consumers if not early.isdisjoint(layout.places[j]))
            if lost:
                checking.ungated.append(Ungated(each.ref, i, lost))


class _Above:
    """What is above some positions, while edges are added of which none closes a cycle."""

    def __init__(self, edges: set[tuple[int, int]], count: int) -> None:
        self._edges = edges
        self._upstream: list[list[int]] | None = None
        self._count = count
        self._known: dict[int, set[int]] = {}

    def of(self, position: int) -> set[int]:
        """Return everything that `position` waits for, and itself."""
        found = self._known.get(position)
        if found is not None:
            return found
        if self._upstream is None:
            self._upstream = [[] for _ in range(self._count)]
            for upper, lower in self._edges:
                self._upstream[lower].append(upper)
        found, queue = {position}, [position]
        while queue:
            for each in self._upstream[queue.pop()]:
                if each not in found:
                    found.add(each)
                    queue.append(each)
        self._known[position] = found
        return found

    def add(self, upper: int, lower: int) -> None:
        """Make `lower` wait for `upper`, whose own waits are known."""
        if (upper, lower) in self._edges:
            return
        self._edges.add((upper, lower))
        if self._upstream is not None:
            self._upstream[lower].append(upper)
        for found in self._known.values():
            if lower in found:
                found.update(self._known[upper])


def _order(edges: Iterable[tuple[int, int]], after: Sequence[int]) -> tuple[list[int], list[list[int]]]:
    """Return an order in which positions can run, near the given one, and what each waits for in that order."""
    upstream: list[list[int]] = [[] for _ in after]
    for upper, lower in edges:
        upstream[lower].append(upper)
    order = dependency_order(upstream, after)
    place = {position: number for number, position in enumerate(order)}
    return order, [sorted(each, key=place.__getitem__) for each in upstream]
