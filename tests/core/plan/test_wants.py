"""Plans over partitions: each wanted one is made once and none else, after what it is made from, by the fewest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.recorded import numbered
from assetry.plan.collapse import Family, collapse
from assetry.plan.numbering import Numbering, window_of
from assetry.plan.pieces import Want, ranges
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.types.assets import Asset, Check, Dep, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

NOW = datetime(2026, 1, 20, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
GRIDS: Mapping[str, Any] = {
    "none": None,
    "days": DAYS,
    "weeks": WeeklyPartitionsDefinition("2025-12-29", day_offset=1),
    "hours": HourlyPartitionsDefinition("2026-01-18"),
    "berlin": DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin", exclude=["2026-01-06"]),
    "letters": StaticPartitionsDefinition(["a", "b", "c"]),
    "both": MultiPartitionsDefinition({"day": DAYS, "region": StaticPartitionsDefinition(["eu", "us"])}),
}
TOOLS = {
    name: Integration(name, name)
    for name in ("range", "one", "calls", "stretches", "whole", "python", "mixed", "single")
}
GROUPS = {
    "range": InvocationGroup("range", partitions="range"),
    "one": InvocationGroup("one"),
    "calls": InvocationGroup("calls", counted=False),
    "stretches": InvocationGroup("stretches", counted=False, partitions="range", max_partitions=3),
    "whole": InvocationGroup("whole", counted=False, whole=True),
    "python": None,
    "mixed": InvocationGroup("mixed", partitions="range", mixed=True),
    "single": InvocationGroup("single", partitions="one", mixed=True),
}


def groups_of(graph: AssetGraph) -> dict[AssetKey, InvocationGroup | None]:
    return {asset.key: GROUPS[asset.kind] for asset in graph.assets}


def made(key: str, tool: str, grid: Any, *deps: str | Dep, **more: Any) -> Asset:
    return Asset(key=key, kind=tool, integration=TOOLS[tool], partitions_def=grid, deps=deps, **more)


@st.composite
def projects(draw: st.DrawFn) -> tuple[AssetGraph, dict[AssetKey, Parts | None]]:
    assets: list[Asset] = []
    whole = draw(st.sampled_from(list(GRIDS)))
    for number in range(draw(st.integers(1, 6))):
        tool = draw(st.sampled_from(list(TOOLS)))
        grid = GRIDS[whole if tool == "whole" else draw(st.sampled_from(list(GRIDS)))]
        deps: list[Dep] = []
        for above in assets:
            if above.kind == "whole" and tool == "whole":
                continue
            if draw(st.booleans()):
                kinds = {type(above.partitions_def).__name__, type(grid).__name__}
                unlike = len(kinds) > 1 and kinds & {"StaticPartitionsDefinition", "MultiPartitionsDefinition"}
                mapping: Any = "all" if unlike or grid is None else draw(st.sampled_from(["same", "all", "last"]))
                deps.append(Dep(above.key, partition_mapping=mapping))
        if tool != "whole" and grid is GRIDS["days"] and draw(st.booleans()):
            deps.append(Dep(f"x{number}", partition_mapping=TimeWindowPartitionMapping(-1, -1)))
        checks = [Check("ok")] if draw(st.booleans()) else []
        assets.append(made(f"x{number}", tool, grid, *deps, checks=checks))
    graph = AssetGraph.of(assets)
    wants: dict[AssetKey, Parts | None] = {}
    for asset in graph.assets:
        if draw(st.integers(0, 4)) == 0:
            continue
        if asset.partitions_def is None:
            wants[asset.key] = None
            continue
        every = list(asset.partitions_def.existing(NOW))[-12:]
        chosen = draw(st.sets(st.sampled_from(every), min_size=1))
        wants[asset.key] = Parts.at(chosen)
    return graph, wants


def plan_or_none(graph: AssetGraph, wants: Mapping[AssetKey, Parts | None], mode: Any = "fewest") -> Plan | None:
    try:
        return make_plan(graph, wants, groups_of(graph), PlanRequest(now=NOW, mode=mode))
    except CycleError:
        return None  # a whole group that waits for itself has no plan


def shared_out(plan: Plan) -> Iterator[tuple[int, Asset, Parts | None]]:
    for position, planned in enumerate(plan.invocations):
        for asset in planned.invocation.assets:
            yield position, asset, planned.parts.get(asset.key)


@settings(max_examples=examples(150), deadline=None)
@given(projects(), st.sampled_from(["fewest", "earliest"]))
def test_each_wanted_partition_is_made_once_after_its_inputs_and_none_else(project: Any, mode: Any) -> None:
    graph, wants = project
    plan = plan_or_none(graph, wants, mode)
    if plan is None:
        return
    numbering = Numbering(graph, {}, NOW)
    whole = NOTHING
    for key, parts in wants.items():
        whole |= parts if graph[key].kind == "whole" and parts is not None else NOTHING
    done: dict[AssetKey, Parts] = {}
    at: dict[AssetKey, list[tuple[int, Parts]]] = {}
    for position, asset, parts in shared_out(plan):
        own = WHOLE if parts is None else parts
        assert not own & done.get(asset.key, NOTHING), "made twice"
        done[asset.key] = done.get(asset.key, NOTHING) | own
        at.setdefault(asset.key, []).append((position, own))
    wanted = {key: parts or WHOLE for key, parts in wants.items()}
    for key in wanted:
        if graph[key].kind == "whole" and whole:
            wanted[key] = whole  # it can leave nothing out
    assert done == wanted
    for position, asset, parts in shared_out(plan):
        for dep in asset.deps:
            if dep.key not in wanted or dep.key == asset.key:
                continue
            linked = numbering.links(asset.key, dep.key)
            read = numbering.up(asset.key, dep.key, WHOLE if parts is None else parts) if linked else WHOLE
            before = [own for place, own in at[dep.key] if place <= position]
            for own in before:
                read -= own
            assert not read & wanted[dep.key], f"{asset.key} is made before {dep.key}"
    for planned in plan.invocations:
        for asset in planned.invocation.assets:
            names = planned.invocation.partitions_of(asset)
            parts = planned.parts.get(asset.key, NOTHING)
            assert names == (asset.partitions_def.keys_of(parts) if asset.partitions_def else ())
        if planned.invocation.window is not None:
            start, end = planned.invocation.window
            assert start < end


@settings(max_examples=examples(150), deadline=None)
@given(projects())
def test_a_tool_gets_what_it_takes(project: Any) -> None:
    graph, wants = project
    plan = plan_or_none(graph, wants)
    if plan is None:
        return
    stretches = {key for key, parts in wants.items() if graph[key].kind == "stretches" and parts is not None}
    # Where one output reads another at other partitions, the call is cut by who carries it out.
    mixed = any(Numbering(graph, {}, NOW).reads_others(key, stretches - {key}) for key in stretches)
    for planned in plan.invocations:
        kind = planned.invocation.integration.kind
        for key, parts in planned.parts.items():
            if kind in ("one", "single"):
                assert len(parts) == 1
            if kind in ("range", "mixed") and graph[key].partitions_def.typical_length is not None:
                assert len({span[1:] for span in parts.spans()}) == 1, "a range has no hole"
                assert planned.invocation.window is not None
            if kind == "stretches" and not mixed:
                assert len(parts) <= 3
                assert len(parts.strands) == 1, "a call has one key of each other dimension"
                hole = graph[key].partitions_def.typical_length is not None and len(list(parts.spans())) > 1
                assert not hole, "a range has no hole"
        if kind not in ("mixed", "single", "whole") and planned.parts:
            assert planned.parts.keys() >= {asset.key for asset in planned.invocation.assets}
        if kind == "calls":
            assert len(set(planned.parts.values())) <= 1, "one call makes the same partitions of all its assets"
    count = sum(each.invocation.group is not None and each.invocation.group.counted for each in plan.invocations)
    assert plan.count == count >= plan.lower_bound
    assert plan.minimal == (plan.count == plan.lower_bound)


# -- the fewest, against brute force -------------------------------------------------------------------------------


def span_sets() -> st.SearchStrategy[list[set[int]]]:
    return st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=4)


def compositions(first: int, stop: int) -> Iterator[tuple[tuple[int, int], ...]]:
    if first == stop:
        yield ()
    for end in range(first + 1, stop + 1):
        for rest in compositions(end, stop):
            yield ((first, end), *rest)


@settings(max_examples=examples(150), deadline=None)
@given(span_sets())
def test_ranges_are_cut_into_the_fewest_that_cover_them(sets: list[set[int]]) -> None:
    base = DAYS.number("2026-01-01")
    wants = [Want(DAYS, Parts.of(base + day for day in days)) for days in sets]
    pieces = ranges(wants)
    for want, own in zip(wants, pieces, strict=True):
        joined = NOTHING
        for piece in own:
            assert not joined & piece.parts
            joined |= piece.parts
        assert joined == want.parts
    found = len({piece.span for own in pieces for piece in own})
    spans = {span for want in wants for span in want.parts.spans()}
    ways = [list(compositions(first, stop)) for _, first, stop in spans]
    assert found == min(len({piece for way in chosen for piece in way}) for chosen in product(*ways))


@st.composite
def small(draw: st.DrawFn) -> tuple[AssetGraph, dict[AssetKey, Parts | None]]:
    assets: list[Asset] = []
    wants: dict[AssetKey, Parts | None] = {}
    base = DAYS.number("2026-01-01")
    tools = draw(st.sampled_from([["range", "range", "python"], ["mixed", "mixed", "mixed", "python"]]))
    for number in range(draw(st.integers(1, 4 if "range" in tools else 5))):
        deps = [
            Dep(
                each.key,
                partition_mapping="same"
                if each.partitions_def is None
                else draw(st.sampled_from(["same", TimeWindowPartitionMapping(-1, -1)])),
            )
            for each in assets
            if draw(st.booleans())
        ]
        tool = draw(st.sampled_from(tools))
        if "mixed" in tools and draw(st.booleans()):
            own = [each.key for each in assets if draw(st.booleans())]
            assets.append(made(f"x{number}", tool, None, *own))
            wants[assets[-1].key] = None
            continue
        asset = made(f"x{number}", tool, DAYS, *deps)
        assets.append(asset)
        wants[asset.key] = Parts.of(base + 1 + day for day in draw(st.sets(st.integers(0, 2), min_size=1)))
    return AssetGraph.of(assets), wants


def least(graph: AssetGraph, wants: Mapping[AssetKey, Parts | None]) -> int:
    """Return the least count over all ways to cut the ranges of all assets, and to let others go along with them."""
    numbering = Numbering(graph, {}, NOW)
    ways: list[list[Sequence[Parts]]] = []
    for asset in graph.assets:
        parts = wants[asset.key]
        if asset.kind == "python" or parts is None:
            ways.append([[WHOLE if parts is None else parts]])
            continue
        cut = [list(compositions(first, stop)) for _, first, stop in parts.spans()]
        ways.append([[Parts.range(*piece) for way in chosen for piece in way] for chosen in product(*cut)])
    best = 99
    for chosen in product(*ways):
        nodes = [(asset, parts) for asset, own in zip(graph.assets, chosen, strict=True) for parts in own]
        families: dict[Parts, int] = {}
        groups = [None if asset.kind == "python" else families.setdefault(own, len(families)) for asset, own in nodes]
        riders = [n for n, (asset, own) in enumerate(nodes) if asset.kind == "mixed" and own is WHOLE]
        above = [
            [
                n
                for n, (upper, theirs) in enumerate(nodes[:number])
                if any(dep.key == upper.key for dep in asset.deps)
                and (own is theirs is WHOLE or numbering.up(asset.key, upper.key, own) & theirs)
            ]
            for number, (asset, own) in enumerate(nodes)
        ]
        for along in product(range(len(families)), repeat=len(riders)):
            for rider, family in zip(riders, along, strict=True):
                groups[rider] = family
            best = min(best, collapse(above, groups, [Family() for _ in families]).count)
    return best


@settings(max_examples=examples(200), deadline=None)
@given(small())
def test_a_plan_is_no_better_than_it_says_and_mostly_the_best_there_is(project: Any) -> None:
    graph, wants = project
    plan = make_plan(graph, wants, groups_of(graph), PlanRequest(now=NOW))
    best = least(graph, wants)
    assert plan.lower_bound <= best <= plan.count
    if plan.minimal:
        assert plan.count == best


# -- cases ---------------------------------------------------------------------------------------------------------


def planned(*assets: Asset, **wants: Any) -> Plan:
    graph = AssetGraph.of(assets)
    found: dict[AssetKey, Parts | None] = {}
    for asset in graph.assets:
        texts = wants.get(str(asset.key))
        found[asset.key] = None if texts is None else asset.partitions_def.parts_of(texts)  # type: ignore[union-attr]
    return make_plan(graph, found, groups_of(graph), PlanRequest(now=NOW))


JANUARY = [f"2026-01-{day:02}" for day in range(1, 11)]


def test_a_range_that_is_two_others_is_cut_where_they_meet() -> None:
    plan = planned(
        made("a", "range", DAYS), made("b", "range", DAYS), made("c", "range", DAYS),
        a=JANUARY, b=JANUARY[:5], c=JANUARY[5:],
    )  # fmt: skip
    assert plan.count == 2
    assert [[str(each.key) for each in inv.invocation.assets] for inv in plan.invocations] == [["a", "b"], ["a", "c"]]


def test_what_has_no_partitions_goes_along_where_a_tool_mixes() -> None:
    raw, day = made("raw", "mixed", None), made("day", "mixed", DAYS, "raw")
    total, report = made("total", "mixed", None, "day"), made("report", "mixed", DAYS, "total")
    plan = planned(raw, day, total, report, day=JANUARY, report=JANUARY)
    assert (plan.count, plan.minimal) == (1, True)
    (only,) = plan.invocations
    assert [str(each.key) for each in only.invocation.assets] == ["raw", "day", "total", "report"]
    assert only.invocation.partitions == tuple(JANUARY)
    assert [only.invocation.partitions_of(each) for each in only.invocation.assets] == [
        (), tuple(JANUARY), (), tuple(JANUARY)
    ]  # fmt: skip
    assert [str(each)[:10] for each in only.invocation.window or ()] == ["2026-01-01", "2026-01-11"]


def test_what_has_no_partitions_goes_with_those_that_it_stands_between() -> None:
    plan = planned(
        made("a", "mixed", DAYS), made("n", "mixed", None, "a"), made("b", "mixed", DAYS, "n"),
        made("c", "mixed", DAYS), made("m", "mixed", None, "c"), made("d", "mixed", DAYS, "m"),
        a=JANUARY[:3], b=JANUARY[:3], c=JANUARY[6:], d=JANUARY[6:],
    )  # fmt: skip
    together = {"".join(str(each.key) for each in inv.invocation.assets) for inv in plan.invocations}
    assert (plan.count, plan.lower_bound, together) == (2, 2, {"anb", "cmd"})
    assert [split.because for split in plan.splits] == [
        "`a` is made for 2026-01-01..2026-01-03, and `c` for 2026-01-07..2026-01-10"
    ]


def test_what_has_no_partitions_and_comes_too_late_is_told() -> None:
    plan = planned(
        made("a", "mixed", DAYS), made("p", "python", None, "a"), made("n", "mixed", None, "p", "q"),
        made("b", "mixed", DAYS), made("q", "python", None, "b"),
        a=JANUARY[:3], b=JANUARY[6:],
    )  # fmt: skip
    assert plan.count == 3
    assert "`n`, which has no partitions, waits for more than" in plan.splits[-1].because


def test_windows_of_two_grids_that_are_the_same_time_share_an_invocation() -> None:
    weeks = GRIDS["weeks"]
    plan = planned(
        made("days", "range", DAYS), made("week", "range", weeks, "days"), days=JANUARY[4:], week=["2026-01-05"]
    )
    assert plan.count == 2, "six days are not a week"
    days = [*JANUARY[4:], "2026-01-11"]
    (only,) = planned(
        made("days", "range", DAYS), made("week", "range", weeks, "days"), days=days, week=["2026-01-05"]
    ).invocations
    assert only.invocation.partitions_of(only.invocation.assets[0]) == tuple(days)
    assert only.invocation.partitions_of(only.invocation.assets[1]) == ("2026-01-05",)
    assert [str(each) for each in only.invocation.window or ()] == [
        "2026-01-05 00:00:00+00:00",
        "2026-01-12 00:00:00+00:00",
    ]


def test_keys_that_come_into_being_have_the_numbers_of_the_request() -> None:
    files = DynamicPartitionsDefinition("file")
    graph = AssetGraph.of([made("a", "python", files), made("b", "python", files, "a")])
    known = {key: numbered(files, ["one", "two"]).definition for key in graph.keys}
    wants = {key: each.parts_of(["two"]) for key, each in known.items()}
    plan = make_plan(graph, wants, groups_of(graph), PlanRequest(now=NOW, definitions=known))
    assert [each.invocation.partitions for each in plan.invocations] == [("two",), ("two",)]
    assert plan.invocations[1].after == ("1",)


def test_keys_that_come_into_being_are_each_assets_own_where_the_definition_is_shared() -> None:
    files = DynamicPartitionsDefinition("file")
    graph = AssetGraph.of([made("a", "python", files), made("b", "python", files)])
    known = {
        key: numbered(files, names).definition
        for key, names in zip(graph.keys, (["one", "two"], ["two", "three"]), strict=True)
    }
    wants: dict[AssetKey, Parts | None] = dict.fromkeys(graph.keys, Parts.of([0]))
    plan = make_plan(graph, wants, groups_of(graph), PlanRequest(now=NOW, definitions=known))
    assert sorted(each.invocation.partitions for each in plan.invocations) == [("one",), ("two",)]


def test_ranges_may_be_cut_in_the_hour_that_comes_twice() -> None:
    hours = HourlyPartitionsDefinition("2026-10-25", "2026-10-26", timezone="Europe/Berlin")
    keys = hours.keys(NOW.replace(year=2027))
    assert len(keys) == 25
    plan = planned(
        made("a", "range", hours), made("b", "range", hours), made("c", "range", hours),
        a=keys, b=keys[:3], c=keys[3:],
    )  # fmt: skip
    assert plan.count == 2


def test_the_first_day_that_is_counted_has_a_window() -> None:
    days = DailyPartitionsDefinition("1970-01-01")
    assert [str(each) for each in window_of(days, Parts.of([0])) or ()] == [
        "1970-01-01 00:00:00+00:00",
        "1970-01-02 00:00:00+00:00",
    ]


def test_ranges_of_a_group_are_cut_at_what_it_takes() -> None:
    for tool in ("stretches", "range"):
        group = replace(GROUPS[tool] or InvocationGroup(""), max_partitions=4)
        graph = AssetGraph.of([made("a", tool, DAYS), made("b", tool, GRIDS["letters"])])
        wants = {AssetKey("a"): DAYS.parts_of(JANUARY), AssetKey("b"): Parts.range(0, 3)}
        plan = make_plan(graph, wants, dict.fromkeys(wants, group), PlanRequest(now=NOW))
        assert sorted(len(each.invocation.partitions) for each in plan.invocations) == [2, 3, 4, 4]
        few = make_plan(graph, wants, dict.fromkeys(wants, replace(group, max_partitions=2)), PlanRequest(now=NOW))
        assert sorted(len(each.invocation.partitions) for each in few.invocations) == [1, 2, 2, 2, 2, 2, 2]


def test_a_range_of_several_strands_has_no_more_than_a_tool_takes() -> None:
    parts = Parts({"eu": [(20454, 20458)], "us": [(20454, 20458)]})
    for most, sizes in ((8, [8]), (5, [4, 4]), (1, [1] * 8), (0, [1] * 8)):
        (found,) = ranges([Want(GRIDS["both"], parts)], most)
        assert [len(piece.parts) for piece in found] == sizes
        together = NOTHING
        for piece in found:
            together |= piece.parts
        assert together == parts


def test_calls_for_ranges_have_one_strand_each_and_share_what_they_have_alike() -> None:
    group = InvocationGroup("f", counted=False, partitions="range")
    parts = Parts({"eu": [(20454, 20464)], "us": [(20454, 20464)]})
    graph = AssetGraph.of([made(key, "stretches", GRIDS["both"]) for key in "ab"])
    wants = dict.fromkeys(graph.keys, parts)
    plan = make_plan(graph, wants, dict.fromkeys(graph.keys, group), PlanRequest(now=NOW))
    assert sorted(each.parts[AssetKey("a")].strands for each in plan.invocations) == [("eu",), ("us",)]
    assert all(len(each.parts) == 2 for each in plan.invocations)
    assert plan.count == 0


def test_no_more_partitions_than_an_invocation_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.plan.pieces.MOST", 4)
    plan = planned(made("a", "range", DAYS), a=JANUARY)
    assert [len(each.invocation.partitions) for each in plan.invocations] == [4, 4, 2]
