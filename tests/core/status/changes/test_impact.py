"""What a change touches, against brute force: partition by partition, step by step."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import WHOLE
from assetry.plan.numbering import Numbering
from assetry.status.changes.impact import impact
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 20, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-05")
GRIDS: list[Any] = [None, DAYS, WeeklyPartitionsDefinition("2026-01-05"), StaticPartitionsDefinition(["eu", "us"])]


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    assets: list[Asset] = []
    for number in range(draw(st.integers(1, 7))):
        above = draw(st.lists(st.sampled_from(assets), unique_by=lambda each: each.key, max_size=3)) if assets else []
        grid = draw(st.sampled_from(GRIDS))
        deps = [Dep(each.key, "all" if _differ(grid, each.partitions_def) else "same") for each in above]
        if grid is DAYS and draw(st.booleans()):
            deps.append(Dep(AssetKey(f"a{number}"), TimeWindowPartitionMapping(-1, -1)))
        assets.append(Asset(key=f"a{number}", kind="x", deps=deps, partitions_def=grid))
    return AssetGraph.of(assets)


def _differ(one: Any, other: Any) -> bool:
    times = [each is None or each.typical_length is not None for each in (one, other)]
    return None not in (one, other) and times[0] != times[1]


def brute(graph: AssetGraph, numbering: Numbering, start: tuple[str, int]) -> dict[str, set[int]]:
    """Follow every partition by itself."""
    root, number = start
    existing = {asset.key: {n for _, n in numbering.existing(asset.key)} for asset in graph.assets}
    found: dict[str, set[int]] = {root: {number}}
    todo = [start]
    while todo:
        key, number = todo.pop()
        for asset in graph.assets:
            if not any(dep.key == key for dep in asset.deps):
                continue
            links = numbering.links(asset.key, AssetKey(key))
            for each in existing[asset.key] - found.get(asset.key, set()):
                read = [n for link in links for _, n in link.up(WHOLE.of([each]), NOW)]
                if not links or number in read:
                    found.setdefault(asset.key, set()).add(each)
                    todo.append((asset.key, each))
    return found


@given(graphs(), st.data())
def test_a_change_touches_just_what_is_made_from_it_partition_by_partition(
    graph: AssetGraph, data: st.DataObject
) -> None:
    numbering = Numbering(graph, now=NOW)
    root = data.draw(st.sampled_from(graph.keys))
    number = data.draw(st.sampled_from([n for _, n in numbering.existing(root)]))
    found = impact(graph, {root: WHOLE.of([number])}, numbering)
    wanted = brute(graph, numbering, (root, number))
    told = {each.asset.key: {n for _, n in each.parts} for each in (*found.changed, *found.touched)}
    assert told == wanted
    assert found.partitions == sum(
        len(parts) for key, parts in wanted.items() if key != root and graph[key].partitions_def is not None
    )


def test_steps_are_the_fewest_and_what_changes_itself_is_not_touched() -> None:
    made = [("a", []), ("b", ["a"]), ("c", ["b"]), ("d", ["a", "c"])]
    graph = AssetGraph.of([Asset(key=key, kind="x", deps=deps) for key, deps in made])
    changed = {AssetKey("a"): WHOLE, AssetKey("b"): WHOLE}
    found = impact(graph, changed, Numbering(graph))
    assert [(str(each.asset.key), each.steps) for each in found.changed] == [("a", 0), ("b", 0)]
    assert [(str(each.asset.key), each.steps) for each in found.touched] == [("c", 1), ("d", 1)]


def test_those_without_an_owner_or_a_group_are_counted_last() -> None:
    assets = [
        Asset(key="a", kind="x"),
        *(Asset(key=f"b{n}", kind="x", deps=["a"]) for n in range(3)),
        Asset(key="c", kind="dbt", deps=["a"], owners=["ana", "ben"], group="marts", consumer=True),
        Asset(key="d", kind="x", deps=["a"], owners=["ben"]),
    ]
    graph = AssetGraph.of(assets)
    found = impact(graph, {AssetKey("a"): WHOLE}, Numbering(graph))
    assert found.by_owner == (("ben", 2), ("ana", 1), (None, 3))
    assert found.by_group == (("marts", 1), (None, 4))
    assert found.by_kind == (("x", 4), ("dbt", 1))
    assert [str(each.asset.key) for each in found.exposures] == ["c"]
