"""What is made from something, near or far: as following single partitions has it."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.dependents import dependents
from assetry.plan.numbering import Numbering
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-05", end_date="2026-01-19")
WEEKS = WeeklyPartitionsDefinition("2026-01-05", end_date="2026-01-26")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
GRIDS = (None, DAYS, WEEKS, REGIONS)


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    assets: list[Asset] = []
    for n in range(draw(st.integers(2, 6))):
        grid = draw(st.sampled_from(GRIDS))
        above = draw(st.lists(st.sampled_from(assets), max_size=2, unique_by=lambda each: each.key)) if assets else []
        # Between keys and windows of time there is no `same`.
        deps = [
            Dep(each.key, "all" if (each.partitions_def is REGIONS) != (grid is REGIONS) else "same") for each in above
        ]
        if grid is DAYS and draw(st.booleans()):
            deps.append(Dep(AssetKey(f"a{n}"), TimeWindowPartitionMapping(start=-2, end=-1)))
        view = bool(above) and draw(st.booleans())
        assets.append(Asset(key=f"a{n}", kind="x", deps=deps, partitions_def=grid, computed_on_read=view))
    return AssetGraph.of(assets)


def some(draw: st.DrawFn, existing: Parts) -> Parts:
    return Parts.at(draw(st.lists(st.sampled_from(list(existing)), unique=True)))


def existing(asset: Asset) -> Parts:
    return WHOLE if asset.partitions_def is None else asset.partitions_def.existing(NOW)


Places = set[tuple[AssetKey, tuple[str, int]]]


def places(wants: dict[AssetKey, Parts]) -> Places:
    return {(key, part) for key, parts in wants.items() for part in parts}


@given(graphs(), st.data())
def test_it_is_what_can_be_reached_part_by_part(graph: AssetGraph, data: st.DataObject) -> None:
    draw = data.draw
    numbering = Numbering(graph, {}, NOW)
    tables = draw(st.lists(st.sampled_from(graph.assets), unique_by=lambda each: each.key))
    wants = {each.key: some(draw, existing(each)) if each.partitions_def else WHOLE for each in tables}  # type: ignore[arg-type]
    wants = {key: parts for key, parts in wants.items() if parts}
    start = {key: some(draw, parts) for key, parts in wants.items() if draw(st.booleans())}  # type: ignore[arg-type]
    start = {key: parts for key, parts in start.items() if parts}
    given_wants = {key: parts if graph[key].partitions_def else None for key, parts in wants.items()}
    found = dependents(graph, given_wants, start, numbering)
    assert all((parts is None) == (graph[key].partitions_def is None) for key, parts in found.items())

    reached, wanted = places(start), places(wants)
    grows = True
    while grows:
        grows = False
        for asset in graph.assets:
            if asset.key not in wants and not asset.computed_on_read:
                continue
            for part in existing(asset) if asset.computed_on_read else wants[asset.key]:
                place = (asset.key, part)
                if place in reached:
                    continue
                one = Parts.at([part])
                for dep in asset.deps:
                    linked = numbering.links(asset.key, dep.key)
                    read = numbering.up(asset.key, dep.key, one) if linked else WHOLE
                    if any((dep.key, each) in reached for each in read):
                        reached.add(place)
                        grows = True
                        break
    expected = (reached & wanted) - places(start)
    assert places({key: parts or WHOLE for key, parts in found.items()}) == expected


def test_nothing_is_made_from_nothing() -> None:
    graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    assert dependents(graph, dict.fromkeys(graph.keys), {AssetKey("a"): NOTHING}, Numbering(graph)) == {}
