"""Plans: real invocations, checks and gates, what comes along, and the reasons in words."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.plan.collapse import Mode
from assetry.plan.plan import Plan, PlannedInvocation, PlanRequest
from assetry.plan.planner import make_plan
from assetry.plan.reasons import near_notes
from assetry.run.tracking.tracker import Tracker
from assetry.types.assets import Asset, Check, Integration
from assetry.types.events import Checked, Materialized
from assetry.types.invocations import CheckRef, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.views.json import plan_to_json
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

PYTHON = Integration("python", "python")
SHOP = Integration("shop", "dbt")
CRM = Integration("crm", "dbt")
SYNC = Integration("sync", "airbyte")
GROUPS = {
    "shop": InvocationGroup("dbt:shop@dev"),
    "crm": InvocationGroup("dbt:crm@dev"),
    "sync": InvocationGroup("airbyte:sync", ordered=False, whole=True),
}


def dbt(key: str, *deps: str, tool: Integration = SHOP, **more: object) -> Asset:
    return Asset(key=key, kind="dbt", integration=tool, deps=deps, **more)  # type: ignore[arg-type]


def python(key: str, *deps: str, **more: object) -> Asset:
    return Asset(key=key, kind="python", integration=PYTHON, deps=deps, **more)  # type: ignore[arg-type]


def table(key: str, *deps: str, **more: object) -> Asset:
    return Asset(key=key, kind="airbyte", integration=SYNC, deps=deps, **more)  # type: ignore[arg-type]


def source(key: str, **more: object) -> Asset:
    return dbt(key, executable=False, resource_type="source", **more)  # type: ignore[arg-type]


def groups_of(graph: AssetGraph) -> dict[AssetKey, InvocationGroup | None]:
    return {
        asset.key: GROUPS.get(asset.integration.name if asset.integration else "")
        for asset in graph.assets
        if asset.executable
    }


def plan_of(
    *assets: Asset, select: Iterable[str] | None = None, partitions: Sequence[str] = (), **request: object
) -> Plan:
    graph = AssetGraph.of(assets)
    keys = graph.keys if select is None else [AssetKey(key) for key in select]
    wants = {key: parted.parts_of(partitions) if (parted := graph[key].partitions_def) else None for key in keys}
    plan = make_plan(graph, wants, groups_of(graph), PlanRequest(**request))  # type: ignore[arg-type]
    check(plan, graph, {graph[key].key for key in keys})
    return plan


def shown(plan: Plan) -> list[str]:
    """Return each invocation as its assets and checks: ``a b | unique_a``."""
    lines = []
    for planned in plan.invocations:
        line = " ".join(asset.key for asset in planned.invocation.assets)
        if planned.invocation.also:
            line += " + " + " ".join(asset.key for asset in planned.invocation.also)
        if planned.invocation.checks:
            line += " | " + " ".join(ref.check for ref in planned.invocation.checks)
        lines.append(line.strip())
    return lines


# -- what holds of every plan --------------------------------------------------------------------------------------


def reads(graph: AssetGraph, ref: CheckRef) -> set[AssetKey]:
    (found,) = (check for check in graph[ref.key].checks if check.name == ref.check)
    return {graph[key].key for key in (ref.key, *found.also)}


def ancestors(plan: Plan) -> dict[str, set[str]]:
    above: dict[str, set[str]] = {}
    for planned in plan.invocations:
        above[planned.id] = set(planned.after).union(*(above[each] for each in planned.after))
    return above


def check(plan: Plan, graph: AssetGraph, selected: set[AssetKey]) -> None:
    assert [planned.id for planned in plan.invocations] == [str(n + 1) for n in range(len(plan.invocations))]
    order = {planned.id: n for n, planned in enumerate(plan.invocations)}
    home = {
        asset.key: planned.id
        for planned in plan.invocations
        for asset in (*planned.invocation.assets, *planned.invocation.also)
    }
    made = [asset.key for planned in plan.invocations for asset in planned.invocation.assets]
    assert sorted(made) == sorted(key for key in selected if graph[key].executable)
    for planned in plan.invocations:
        check_invocation(planned, graph, home, order)
    check_checks(plan, graph, selected, home, order)
    counted = [p for p in plan.invocations if p.invocation.group is not None and p.invocation.group.counted]
    assert plan.count == len(counted)
    assert plan.minimal == (plan.count == plan.lower_bound)
    assert len(plan.splits) == len(counted) - len({p.invocation.group for p in counted})
    assert pickle.loads(pickle.dumps(plan)) == plan


def check_invocation(
    planned: PlannedInvocation, graph: AssetGraph, home: Mapping[AssetKey, str], order: Mapping[str, int]
) -> None:
    invocation = planned.invocation
    inside = [asset.key for asset in (*invocation.assets, *invocation.also)]
    numbers = [graph.index(asset.key) for asset in invocation.assets]
    assert numbers == sorted(numbers)
    assert set(planned.because) == {asset.key for asset in invocation.assets}
    assert all(order[each] < order[planned.id] for each in planned.after)
    needed = {graph.keys[j] for key in inside for j in graph.upstream[graph.index(key)]}
    needed |= {key for ref in invocation.checks for key in reads(graph, ref)}
    assert {asset.key for asset in invocation.inputs} == needed - set(inside)
    for asset in invocation.inputs:
        assert home.get(asset.key, planned.id) in (*planned.after, planned.id)


def check_checks(
    plan: Plan, graph: AssetGraph, selected: set[AssetKey], home: Mapping[AssetKey, str], order: Mapping[str, int]
) -> None:
    runs = {ref: planned.id for planned in plan.invocations for ref in planned.invocation.checks}
    assert sum(len(planned.invocation.checks) for planned in plan.invocations) == len(runs)
    wanted = {CheckRef(asset.key, each.name): each for asset in graph.assets for each in asset.checks}
    asked = {ref for ref in wanted if ref.key in selected or reads(graph, ref) & selected & home.keys()}
    assert set(runs) | set(plan.unchecked) == (asked if plan.invocations else set())
    assert not set(runs) & set(plan.unchecked)
    # Only a check that no plan counts may have an invocation to itself, so that one is never left out.
    assert all(wanted[ref].counted for ref in plan.unchecked)
    alone = {planned.id for planned in plan.invocations if not planned.invocation.assets}
    assert all(id_ not in alone or not wanted[ref].counted for ref, id_ in runs.items())
    above = ancestors(plan)
    consumers: dict[AssetKey, set[str]] = {}
    for key in home:
        upstream = {graph.keys[j] for j in graph.upstream[graph.index(key)]} | set(plan.through.get(key, ()))
        for each in upstream:
            consumers.setdefault(each, set()).add(home[key])
    for ref, id_ in runs.items():
        for key in reads(graph, ref):
            assert key not in home or home[key] == id_ or home[key] in above[id_]
            outside = consumers.get(key, set()) - {id_, home.get(key)}
            gated = ref in plan.gates.get(key, ())
            if gated:
                assert wanted[ref].severity == "error"
                assert all(id_ in above[each] for each in outside)
            elif wanted[ref].severity == "error" and (key in home or key in selected):
                # It was left out for a reason: somebody it would hold up is needed for the check.
                assert not outside or any(each in above[id_] or each == id_ for each in outside)
                assert home.get(key) != id_


# -- random projects -----------------------------------------------------------------------------------------------


def made_by(kind: str, name: str, deps: list[str], checks: list[Check]) -> Asset:
    if kind == "python":
        return python(name, *deps, checks=checks)
    if kind == "sync":
        return table(name, checks=checks)
    if kind == "source":
        return source(name, checks=checks)
    return dbt(name, *deps, tool=CRM if kind == "crm" else SHOP, checks=checks, computed_on_read=kind == "view")


@st.composite
def projects(draw: st.DrawFn) -> tuple[list[Asset], list[str]]:
    count = draw(st.integers(1, 9))
    names = [f"a{n}" for n in range(count)]
    assets: list[Asset] = []
    for n, name in enumerate(names):
        deps = sorted(draw(st.sets(st.sampled_from(names[:n]), max_size=3))) if n else []
        kind = draw(st.sampled_from(["shop", "shop", "crm", "sync", "python", "python", "view", "source"]))
        checks = []
        for number in range(draw(st.integers(0, 2))):
            also = draw(st.sets(st.sampled_from(names), max_size=1)) - {name}
            severity = draw(st.sampled_from(["error", "error", "warn"]))
            runner = draw(st.sampled_from([None, None, "python", "shop"]))
            counted = runner != "python" if draw(st.booleans()) else draw(st.booleans())
            reads = tuple(AssetKey(each) for each in also)
            checks.append(Check(f"c{n}{number}", severity, also=reads, integration=runner, counted=counted))
        assets.append(made_by(kind, name, deps, checks))
    return assets, sorted(draw(st.sets(st.sampled_from(names), min_size=1)))


@settings(max_examples=examples(100))
@given(projects(), st.sampled_from(["fewest", "earliest"]))
def test_every_plan_can_run_and_runs_every_check_once(project: tuple[list[Asset], list[str]], mode: str) -> None:
    assets, select = project
    plan = plan_of(*assets, select=select, mode=mode)
    assert json.loads(json.dumps(plan_to_json(plan)))["count"] == plan.count


@settings(max_examples=examples(100))
@given(projects(), st.sampled_from(["fewest", "earliest"]))
def test_no_plan_comes_to_a_standstill(project: tuple[list[Asset], list[str]], mode: Mode) -> None:
    assets, select = project
    graph = AssetGraph.of(assets)
    plan = make_plan(graph, dict.fromkeys(map(AssetKey, select)), groups_of(graph), PlanRequest(mode=mode))
    board = Tracker(plan, graph)
    launched = []
    while ready := [planned.id for planned in board.ready()]:
        for id_ in ready:
            launched.append(id_)
            left = board.launch(id_).invocation
            assert left is not None
            for asset in left.assets:
                board.take(id_, Materialized(asset.key))
            for ref in left.checks:
                board.take(id_, Checked(ref.key, ref.check, True))
            board.end(id_, None)
    assert sorted(launched) == sorted(planned.id for planned in plan.invocations)
    assert board.done


# -- invocations ---------------------------------------------------------------------------------------------------


def test_one_project_is_one_invocation() -> None:
    plan = plan_of(dbt("shop/stg"), dbt("shop/mart", "shop/stg"), source("shop/raw"))
    (planned,) = plan.invocations
    assert shown(plan) == ["shop/stg shop/mart"]
    assert planned.invocation.group == GROUPS["shop"]
    assert (plan.count, plan.lower_bound, plan.minimal, plan.splits) == (1, 1, True, ())


def test_python_in_between_says_why_there_are_two() -> None:
    plan = plan_of(
        dbt("shop/stg_orders"),
        dbt("shop/other"),
        python("features", "shop/stg_orders"),
        dbt("shop/mart_orders", "features"),
    )
    assert shown(plan) == ["shop/stg_orders shop/other", "features", "shop/mart_orders"]
    assert [planned.after for planned in plan.invocations] == [(), ("1",), ("2",)]
    (split,) = plan.splits
    assert split.because == "`features` (python) stands between `stg_orders` and `mart_orders`"
    assert (split.group, split.first, split.second) == ("dbt:shop@dev", "1", "3")
    assert split.path == ("shop/stg_orders", "features", "shop/mart_orders")
    assert [planned.invocation.inputs for planned in plan.invocations][2][0].key == "features"


def test_names_that_several_assets_share_are_written_out() -> None:
    plan = plan_of(dbt("shop/orders"), python("py/orders", "shop/orders"), dbt("shop/mart", "py/orders"))
    assert plan.splits[0].because == "`py/orders` (python) stands between `shop/orders` and `mart`"


def test_a_split_through_another_project_names_it() -> None:
    plan = plan_of(dbt("a"), dbt("b", "a", tool=CRM), dbt("c", "b"))
    assert plan.splits[0].because == "`b` (dbt:crm@dev) stands between `a` and `c`"


def test_a_split_by_a_shared_invocation_tells_the_steps() -> None:
    plan = plan_of(dbt("d1"), dbt("x2", "d1", tool=CRM), dbt("x1", tool=CRM), dbt("d2", "x1"))
    assert (plan.count, plan.minimal) == (3, True)
    assert plan.splits[0].because in {
        "`x2` (dbt:crm@dev) is made from `d1`, `x1` shares an invocation with `x2` and "
        "`d2` (dbt:shop@dev) is made from `x1`",
        "`d2` (dbt:shop@dev) is made from `x1`, `d1` shares an invocation with `d2` and "
        "`x2` (dbt:crm@dev) is made from `d1`",
    }


def test_long_ways_are_shortened() -> None:
    steps = [python("p0", "a"), *(python(f"p{n}", f"p{n - 1}") for n in range(1, 9))]
    plan = plan_of(dbt("a"), *steps, dbt("b", "p8"))
    assert plan.splits[0].because == "`p0` (python), `p1` (python), 6 more and `p8` (python) stand between `a` and `b`"


def test_earliest_says_what_is_not_waited_for() -> None:
    plan = plan_of(dbt("a"), python("slow"), dbt("b", "slow"), mode="earliest")
    assert (plan.count, plan.lower_bound, plan.minimal) == (2, 1, False)
    assert plan.splits[0].because.startswith("`b` waits for `slow` (python), and the invocation before it does not")


def test_what_is_not_selected_does_not_make_others_wait() -> None:
    assets = [dbt("a"), python("p", "a"), dbt("b", "p")]
    plan = plan_of(*assets, select=["a", "b"])
    assert shown(plan) == ["a b"]
    assert [asset.key for asset in plan.invocations[0].invocation.inputs] == ["p"]
    assert plan.through == {}


def test_a_view_that_is_not_selected_hands_on_what_it_reads() -> None:
    views = [dbt("v1", "p", computed_on_read=True), dbt("v2", "v1", computed_on_read=True)]
    plan = plan_of(python("p"), *views, dbt("b", "v2"), select=["b", "p"])
    assert shown(plan) == ["p", "b"]
    assert plan.invocations[1].after == ("1",)
    assert plan.through == {"b": ("p",)}
    assert [asset.key for asset in plan.invocations[1].invocation.inputs] == ["v2"]


def test_whole_groups_bring_their_other_tables_along() -> None:
    plan = plan_of(table("raw/a"), table("raw/b"), dbt("m", "raw/b"), select=["raw/a", "m"])
    assert shown(plan) == ["raw/a + raw/b", "m"]
    assert plan.invocations[0].because == {"raw/a": "selected"}
    assert plan.invocations[1].after == ("1",)
    (first, _) = plan_to_json(plan)["invocations"]
    assert (first["assets"], first["also"]) == (["raw/a"], ["raw/b"])


def test_whole_groups_that_are_not_selected_stay_out() -> None:
    assert shown(plan_of(table("raw/a"), dbt("m", "raw/a"), select=["m"])) == ["m"]


@pytest.mark.parametrize(
    ("along", "full_refresh", "also"),
    [
        ("always", True, ["raw/b"]),
        ("unless_refreshed", True, []),
        ("unless_refreshed", False, ["raw/b"]),
        ("never", False, []),
    ],
)
def test_a_whole_group_says_whether_its_other_tables_come_along(
    monkeypatch: pytest.MonkeyPatch, along: Any, full_refresh: bool, also: list[str]
) -> None:
    graph = AssetGraph.of([table("raw/a"), table("raw/b")])
    wants = {AssetKey("raw/a"): None}
    with monkeypatch.context() as patched:
        group = InvocationGroup("airbyte:sync", ordered=False, whole=True, along=along)
        patched.setitem(GROUPS, "sync", group)
        plan = make_plan(graph, wants, groups_of(graph), PlanRequest(full_refresh=full_refresh))
        assert [asset.key for asset in plan.invocations[0].invocation.also] == also


def test_a_whole_group_that_waits_for_itself_is_explained() -> None:
    assets = [table("raw/a"), python("p", "raw/a"), table("raw/b", "p", source="sync.py:3")]
    with pytest.raises(CycleError) as caught:
        plan_of(*assets)
    text = str(caught.value)
    assert "airbyte:sync can only run as a whole" in text
    assert "`p` (python) waits for `a` (airbyte:sync)" in text
    assert "`b` (airbyte:sync) waits for `p` (python)" in text
    assert "`b` and `a` are made together" in text
    assert caught.value.where == "sync.py:3"
    # Without the step in between its stored value is used, and nothing waits.
    assert shown(plan_of(*assets, select=["raw/a", "raw/b"])) == ["raw/a raw/b"]


def test_equal_group_keys_of_two_integrations_are_not_mixed() -> None:
    graph = AssetGraph.of([dbt("a"), dbt("b", tool=CRM)])
    plan = make_plan(graph, dict.fromkeys(graph.keys), dict.fromkeys(graph.keys, InvocationGroup("dbt")))
    assert shown(plan) == ["a", "b"]


def test_sources_alone_are_skipped_with_a_reason() -> None:
    exposure = dbt("report", "raw", executable=False, consumer=True, resource_type="exposure")
    board = dbt("board", executable=False, consumer=True, resource_type="dashboard")
    plan = plan_of(source("raw"), exposure, board)
    assert plan.invocations == ()
    assert [(each.key, each.because) for each in plan.skipped] == [
        ("raw", "nothing in this project makes it"),
        ("report", "an exposure is only read from"),
        ("board", "a dashboard is only read from"),
    ]
    assert plan_of(source("raw"), dbt("a", "raw")).skipped == ()


def test_reasons_are_handed_on() -> None:
    plan = plan_of(dbt("a"), dbt("b"), because={AssetKey("a"): "never materialized"}, default="asked for")
    assert plan.invocations[0].because == {"a": "never materialized", "b": "asked for"}


def test_partitions_go_to_the_assets_that_have_some() -> None:
    days = StaticPartitionsDefinition(("mon", "tue"))
    plan = plan_of(python("a", partitions_def=days), python("b"), partitions=("mon", "tue"), full_refresh=True)
    assert [planned.invocation.partitions for planned in plan.invocations] == [("mon", "tue"), ()]
    assert all(planned.invocation.full_refresh for planned in plan.invocations)
    mixed = plan_of(dbt("a", partitions_def=days), dbt("b"), partitions=("mon",))
    assert [planned.invocation.partitions for planned in mixed.invocations] == [("mon",), ()]
    assert mixed.splits[0].because == "`a` is made for partitions, and `b` has none"
    graph = AssetGraph.of([dbt("a", partitions_def=days)])
    single = make_plan(graph, {AssetKey("a"): days.parts_of(days.partition_keys)}, groups_of(graph))
    assert [planned.invocation.partitions for planned in single.invocations] == [("mon",), ("tue",)]
    assert single.splits[0].because == "`a` is made for mon, then for tue"


# -- checks and gates ----------------------------------------------------------------------------------------------


def gates(plan: Plan) -> dict[str, list[str]]:
    return {str(key): [ref.check for ref in refs] for key, refs in plan.gates.items()}


def test_checks_run_with_their_asset_and_gate_its_consumers() -> None:
    checks = [Check("unique"), Check("fresh", "warn")]
    plan = plan_of(dbt("a", checks=checks), python("p", "a"))
    assert shown(plan) == ["a | unique fresh", "p"]
    assert gates(plan) == {"a": ["unique"]}


def test_a_check_on_two_models_runs_in_the_later_invocation_and_gates_what_it_can() -> None:
    both = Check("relationships", also=(AssetKey("b"),))
    # p is between a and b, so it cannot wait for the check; q only reads b.
    plan = plan_of(dbt("a", checks=[both]), python("p", "a"), dbt("b", "p"), python("q", "b"))
    assert shown(plan) == ["a", "p", "b | relationships", "q"]
    assert gates(plan) == {"b": ["relationships"]}
    assert plan.notes == (
        "Check relationships of `a` does not hold back `p`: when `p` is made from `a`, not all that it reads is there",
    )


def test_a_check_on_two_models_cannot_hold_back_what_is_made_with_the_first_in_one_go() -> None:
    both = Check("relationships", also=(AssetKey("b"),))
    plan = plan_of(dbt("a", checks=[both]), dbt("a2", "a"), python("p", "a"), dbt("b", "p"))
    assert shown(plan) == ["a a2", "p", "b | relationships"]
    (note,) = plan.notes
    assert note.startswith("Check relationships of `a` does not hold back `a2` and `p`: ")


def test_a_check_that_reads_what_was_never_made_is_not_run_and_says_so() -> None:
    both = Check("relationships", also=(AssetKey("b"),))
    assets = [dbt("a", checks=[both, Check("unique_a")]), dbt("b"), source("raw")]
    never = PlanRequest(never=frozenset(map(AssetKey, "ab")))
    graph = AssetGraph.of(assets)
    part = make_plan(graph, {AssetKey("a"): None}, groups_of(graph), never)
    assert shown(part) == ["a | unique_a"]
    assert part.notes == ("Check relationships of `a` is not run: `b` was never made",)
    whole = make_plan(graph, dict.fromkeys(graph.keys), groups_of(graph), never)
    assert shown(whole) == ["a b | unique_a relationships"]
    assert whole.notes == ()


def test_a_check_on_two_models_gates_the_earlier_one_where_nothing_waits_in_a_circle() -> None:
    both = Check("relationships", also=(AssetKey("b"),))
    plan = plan_of(
        dbt("a", checks=[both]), python("p"), dbt("s"), python("t", "s"), dbt("b", "p", "t"), python("q", "a")
    )
    assert shown(plan)[-1] == "q"
    assert gates(plan) == {"a": ["relationships"], "b": ["relationships"]}
    assert plan.notes == ()
    assert plan.invocations[-1].after == ("2", "4")


def test_two_gates_that_only_together_close_a_circle_are_not_both_kept() -> None:
    # Either check could hold up the Python step that the project of the other waits for; both at once could not.
    circle = [
        python("x", checks=[Check("left", integration="shop")]),
        python("y", checks=[Check("right", integration="crm")]),
        python("below_x", "x"),
        python("below_y", "y"),
        dbt("c", "below_x", tool=CRM),
        dbt("s", "below_y"),
    ]
    assert gates(plan_of(*circle)) in ({"x": ["left"]}, {"y": ["right"]})
    # An earlier question about one of the projects does not make the later answer stale.
    harmless = [python("z", checks=[Check("first", integration="crm")]), python("below_z", "z")]
    assert gates(plan_of(*harmless, *circle)) == {"z": ["first"], "x": ["left"]}


def test_a_gate_holds_up_only_consumers_outside() -> None:
    plan = plan_of(
        dbt("a", checks=[Check("looks_right", integration="python", counted=False)]), dbt("a2", "a"), python("p", "a")
    )
    assert shown(plan) == ["a a2", "| looks_right", "p"]
    assert gates(plan) == {"a": ["looks_right"]}
    assert plan.invocations[2].after == ("1", "2")


def test_a_check_of_dbt_on_a_python_asset_runs_in_the_next_invocation_of_dbt() -> None:
    there = Check("not_null", integration="shop")
    plan = plan_of(python("raw", checks=[there]), dbt("stg", "raw"), python("report", "raw"))
    assert shown(plan) == ["raw", "stg | not_null", "report"]
    assert gates(plan) == {"raw": ["not_null"]}
    assert plan.invocations[2].after == ("1", "2")


def test_a_check_without_a_later_invocation_is_reported_and_adds_none() -> None:
    there = Check("not_null", integration="shop")
    plan = plan_of(dbt("a"), python("end", "a", checks=[there]))
    assert shown(plan) == ["a", "end"]
    assert plan.unchecked == (CheckRef(AssetKey("end"), "not_null"),)
    assert plan_to_json(plan)["unchecked"] == [{"key": "end", "check": "not_null"}]


def test_a_python_check_on_a_model_is_a_step_of_its_own_right_after_it() -> None:
    plan = plan_of(dbt("a", checks=[Check("looks_right", integration="python", counted=False)]), python("p", "a"))
    assert shown(plan) == ["a", "| looks_right", "p"]
    step = plan.invocations[1]
    assert (step.invocation.assets, step.invocation.group, step.invocation.integration) == ((), None, PYTHON)
    assert [asset.key for asset in step.invocation.inputs] == ["a"]
    assert gates(plan) == {"a": ["looks_right"]}
    assert plan.invocations[2].after == ("1", "2")
    assert plan.count == 1


def test_a_python_check_runs_with_its_python_asset() -> None:
    plan = plan_of(python("p", checks=[Check("positive")]))
    assert shown(plan) == ["p | positive"]


def test_a_check_on_a_source_runs_with_its_project() -> None:
    plan = plan_of(source("raw", checks=[Check("fresh")]), dbt("stg", "raw"))
    assert shown(plan) == ["stg | fresh"]
    assert [asset.key for asset in plan.invocations[0].invocation.inputs] == ["raw"]


def test_a_check_runs_when_another_table_it_reads_is_selected() -> None:
    both = Check("relationships", also=(AssetKey("b"),))
    assets = [dbt("a", checks=[both, Check("unique_a")]), dbt("b")]
    assert shown(plan_of(*assets, select=["b"])) == ["b | relationships"]


# -- JSON ----------------------------------------------------------------------------------------------------------


def test_json_has_the_shape_of_the_contract() -> None:
    plan = plan_of(dbt("a", checks=[Check("unique")]), python("p", "a"))
    data = plan_to_json(plan)
    assert data == {
        "version": 1,
        "count": 1,
        "lower_bound": 1,
        "minimal": True,
        "invocations": [
            {
                "id": "1",
                "kind": "dbt",
                "integration": "shop",
                "group": "dbt:shop@dev",
                "counted": True,
                "command": None,
                "notes": [],
                "assets": ["a"],
                "also": [],
                "after": [],
                "because": {"a": "selected"},
                "checks": [{"key": "a", "check": "unique"}],
                "partitions": [],
                "window": None,
                "own_partitions": {},
                "full_refresh": False,
                "may_be_cut": [],
                "cut_by": {},
            },
            {
                "id": "2",
                "kind": "python",
                "integration": "python",
                "group": None,
                "counted": False,
                "command": None,
                "notes": [],
                "assets": ["p"],
                "also": [],
                "after": ["1"],
                "because": {"p": "selected"},
                "checks": [],
                "partitions": [],
                "window": None,
                "own_partitions": {},
                "full_refresh": False,
                "may_be_cut": [],
                "cut_by": {},
            },
        ],
        "skipped": [],
        "splits": [],
        "unchecked": [],
        "notes": [],
    }
    assert {type(key) for key in data["invocations"][0]["because"]} == {str}


# -- what a tool does not know to order --------------------------------------------------------------------------


def seeded(*more: Asset) -> list[Asset]:
    """Return a seed that its own project reads as a source, and what is above and below it."""
    table = ("d", "raw", "events")
    return [
        dbt("events", relation=table, checks=[Check("seed_ok")]),
        source("raw/events", relation=table, checks=[Check("source_ok")]),
        dbt("stg", "raw/events"),
        dbt("mart", "stg", checks=[Check("related", also=(AssetKey("raw/events"),))]),
        *more,
    ]


def test_a_seed_that_is_read_as_a_source_comes_in_an_invocation_before_with_the_reason() -> None:
    plan = plan_of(*seeded(dbt("alone")))
    assert shown(plan) == ["events alone | seed_ok", "stg mart | source_ok related"]
    assert (plan.count, plan.lower_bound) == (2, 2)
    assert plan.splits[0].because == (
        "`stg` reads `events` as a source, so that dbt:shop@dev does not know that it comes after it"
    )
    # The tests of the source run beside what reads it, and there the tool heeds them.
    assert plan.gates[AssetKey("events")] == (CheckRef(AssetKey("events"), "seed_ok"),)


def test_python_between_is_no_further_invocation() -> None:
    plan = plan_of(*seeded(python("p", "raw/events"), dbt("last", "p", "stg")))
    assert shown(plan) == ["events | seed_ok", "p", "stg mart last | source_ok related"]
    assert plan.minimal


def test_a_seed_alone_leaves_the_tests_of_the_source_and_says_so() -> None:
    plan = plan_of(*seeded(), select=["events"])
    assert shown(plan) == ["events | seed_ok"]
    assert {ref.check for ref in plan.unchecked} == {"source_ok", "related"}


def test_what_the_tool_knows_by_another_way_needs_no_invocation_of_its_own() -> None:
    plan = plan_of(
        *seeded(dbt("known", "events"), dbt("both", "raw/events", "known")), select=["events", "known", "both"]
    )
    assert shown(plan) == ["events known both | seed_ok"]


def test_a_source_that_is_read_through_a_view_outside_the_plan_is_set_apart() -> None:
    table = ("d", "raw", "events")
    assets = [
        dbt("events", relation=table),
        source("raw/events", relation=table),
        dbt("view", "raw/events", computed_on_read=True),
        dbt("mart", "view"),
    ]
    assert shown(plan_of(*assets, select=["events", "mart"])) == ["events", "mart"]
    assert shown(plan_of(*assets, select=["events", "view", "mart"])) == ["events", "view mart"]


def test_a_source_that_is_not_taken_for_a_kept_asset_is_told_to_those_whom_it_concerns() -> None:
    graph = AssetGraph.of(
        [
            Asset(key="events", kind="python", kept=True),
            Asset(key="shop/raw/events", kind="dbt", executable=False, relation=("db", "raw", "events")),
            Asset(key="shop/m", kind="dbt", deps=["shop/raw/events"]),
            Asset(key="other", kind="dbt"),
        ]
    )
    for keys, told in ((["events"], 1), (["shop/m"], 1), (["other"], 0)):
        notes = list(near_notes(graph, [AssetKey(key) for key in keys]))
        assert len(notes) == told
    (note,) = near_notes(graph, [AssetKey("events")])
    assert note == (
        "shop/raw/events is not taken for events: events is not kept there, in db.raw.events; "
        "its io_manager, or the project's io, says where it is"
    )
