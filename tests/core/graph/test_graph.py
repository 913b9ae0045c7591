from __future__ import annotations

import gc
import pickle
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from assetry.errors import (
    AmbiguousNameError,
    AssetryError,
    CycleError,
    DuplicateKeyError,
    UnknownDependencyError,
    UsageError,
)
from assetry.graph.graph import AssetGraph
from assetry.types.assets import Asset, AssetCheck, Check, Column, Dep, Integration
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

SHOP = Integration("shop", "dbt")
OTHER = Integration("other", "dbt")


def model(key: str, *deps: str, **rest: object) -> Asset:
    return Asset(key=key, kind="dbt", deps=deps, resource_type="model", **rest)  # type: ignore[arg-type]


def source(key: str, relation: object = None, integration: Integration | None = SHOP, **rest: object) -> Asset:
    return Asset(
        key=key,
        kind="dbt",
        executable=False,
        resource_type="source",
        relation=relation,  # type: ignore[arg-type]
        integration=integration,
        **rest,  # type: ignore[arg-type]
    )


def argument(name: str, key: str | None = None) -> Dep:
    return Dep(AssetKey(key or name), name=name, short=True)


def python(key: str, *arguments: str, **rest: object) -> Asset:
    return Asset(key=key, kind="python", deps=[argument(each) for each in arguments], **rest)  # type: ignore[arg-type]


def names(graph: AssetGraph, indices: Sequence[int] | set[int]) -> list[str]:
    return [str(graph.keys[i]) for i in sorted(indices)]


# Order, neighbours, reach


def test_assets_stand_after_what_they_are_made_from_and_else_where_they_were_defined() -> None:
    graph = AssetGraph.of([model("c", "b"), model("x"), model("b", "a"), model("a"), model("y", "x")])
    assert [str(key) for key in graph.keys] == ["x", "a", "b", "c", "y"]
    assert graph.upstream == ((), (), (1,), (2,), (0,))
    assert graph.downstream == ((4,), (2,), (3,), (), ())


def test_a_graph_of_nothing() -> None:
    graph = AssetGraph.of([])
    assert (len(graph), graph.keys, graph.near_misses(), graph.ancestors([])) == (0, (), (), set())


def test_a_dependency_named_twice_is_one_edge() -> None:
    graph = AssetGraph.of([model("shop/a"), python("p", "a", "shop/a")])
    assert graph.upstream == ((), (0,))
    assert [dep.name for dep in graph["p"].deps] == ["a", "shop/a"]


def test_reach_stops_at_its_depth_and_leaves_out_the_start() -> None:
    graph = AssetGraph.of([model("a"), model("b", "a"), model("c", "b"), model("d", "c", "a")])
    assert names(graph, graph.ancestors([3])) == ["a", "b", "c"]
    assert names(graph, graph.ancestors([3], 1)) == ["a", "c"]
    assert graph.ancestors([3], 0) == set()
    assert names(graph, graph.descendants([0], 2)) == ["b", "c", "d"]
    assert names(graph, graph.descendants([0, 1])) == ["b", "c", "d"]


@st.composite
def acyclic(draw: st.DrawFn) -> list[tuple[int, list[int]]]:
    size = draw(st.integers(0, 12))
    edges = [(i, draw(st.lists(st.integers(0, i - 1), unique=True)) if i else []) for i in range(size)]
    return draw(st.permutations(edges))


@given(acyclic(), st.integers(0, 4) | st.none())
def test_order_and_reach_agree_with_the_edges(edges: list[tuple[int, list[int]]], depth: int | None) -> None:
    graph = AssetGraph.of([model(f"n{i}", *(f"n{j}" for j in below)) for i, below in edges])
    for i, below in edges:
        at = graph.index(f"n{i}")
        assert {graph.index(f"n{j}") for j in below} == set(graph.upstream[at])
        assert all(j < at for j in graph.upstream[at])
    pairs = {(j, i) for i, each in enumerate(graph.upstream) for j in each}
    assert pairs == {(i, j) for i, each in enumerate(graph.downstream) for j in each}
    for i in range(len(graph)):
        reached: set[int] = set()
        layer, steps = {i}, 0
        while layer and (depth is None or steps < depth):
            layer = {a for a, b in pairs if b in layer}
            reached |= layer
            steps += 1
        assert graph.ancestors([i], depth) == reached
        assert {j for j in range(len(graph)) if i in graph.descendants([j], depth)} == reached


@given(acyclic())
def test_an_order_that_fits_is_kept(edges: list[tuple[int, list[int]]]) -> None:
    fitting = sorted(edges)
    graph = AssetGraph.of([model(f"n{i}", *(f"n{j}" for j in below)) for i, below in fitting])
    assert [str(key) for key in graph.keys] == [f"n{i}" for i, _ in fitting]


def test_a_chain_far_longer_than_the_recursion_limit() -> None:
    size = 50_000
    assert size > sys.getrecursionlimit()
    chain = [model(f"n{i}", *([f"n{i - 1}"] if i else [])) for i in range(size)]
    random.Random(1).shuffle(chain)
    graph = AssetGraph.of(chain)
    assert graph.keys[-1] == f"n{size - 1}"
    assert len(graph.ancestors([size - 1])) == size - 1


def test_the_garbage_collector_is_left_as_it_was() -> None:
    AssetGraph.of([model("a")])
    assert gc.isenabled()
    with pytest.raises(UnknownDependencyError):
        AssetGraph.of([model("a", "b")])
    assert gc.isenabled()
    gc.disable()
    try:
        AssetGraph.of([model("a")])
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_graph_travels() -> None:
    graph = AssetGraph.of([source("shop/raw", ("d", "s", "t")), python("made", relation=("d", "s", "t"))])
    again = pickle.loads(pickle.dumps(graph))
    assert (again.keys, again.upstream, again.find("raw")) == (graph.keys, graph.upstream, "made")


# Names


def test_keys_aliases_and_last_parts_find_assets() -> None:
    graph = AssetGraph.of([model("shop/orders", aliases=["old/orders_2"]), model("shop/customers")])
    assert graph.find("shop/orders") == graph.find("orders") == graph.find("old/orders_2") == graph.find("orders_2")
    assert graph["old/orders_2"].key == "shop/orders"
    assert "old/orders_2" in graph
    assert "orders" not in graph
    with pytest.raises(UsageError) as caught:
        graph.find("odrers")
    assert caught.value.near[0] == "shop/orders"
    with pytest.raises(UsageError):
        graph.index("orders")


def test_finding_one_of_two_lists_both() -> None:
    graph = AssetGraph.of([model("a/x"), model("b/x")])
    with pytest.raises(AmbiguousNameError, match="'a/x' or 'b/x'"):
        graph.find("x")
    assert graph.find("a/x") == "a/x"


def test_an_argument_finds_the_exact_key_before_a_last_part() -> None:
    graph = AssetGraph.of([model("shop/orders"), model("orders"), python("p", "orders")])
    assert names(graph, graph.upstream[graph.index("p")]) == ["orders"]


def test_an_argument_is_never_the_asset_itself_or_a_consumer() -> None:
    dashboard = Asset(key="shop/exposure/orders", kind="dbt", executable=False, consumer=True)
    graph = AssetGraph.of([model("shop/orders"), dashboard, python("py/orders", "orders")])
    assert graph["py/orders"].deps == (argument("orders", "shop/orders"),)


def test_an_argument_that_fits_two_assets_lists_them() -> None:
    with pytest.raises(AmbiguousNameError) as caught:
        AssetGraph.of([model("a/x"), model("b/x"), python("p", "x", source="assets.py:7")])
    assert "'a/x' or 'b/x'" in caught.value.message
    assert caught.value.where == "assets.py:7"
    assert caught.value.hint


def test_an_unknown_dependency_says_who_asked_where_and_what_is_near() -> None:
    with pytest.raises(UnknownDependencyError) as caught:
        AssetGraph.of([model("shop/orders"), python("p", "odrers", source="assets.py:3")])
    text = str(caught.value)
    assert "'p'" in text
    assert "'odrers'" in text
    assert (caught.value.where, caught.value.near) == ("assets.py:3", ("shop/orders",))


@pytest.mark.parametrize("name", ["dim", "shop/dim"])
def test_versions_of_an_unknown_dependency_are_near_the_newest_first(name: str) -> None:
    versions = [replace(model(f"shop/dim/v{each}"), version=each) for each in ("1", "2", "10")]
    with pytest.raises(UnknownDependencyError) as caught:
        AssetGraph.of([*versions, model("shop/dime"), python("p", name)])
    assert caught.value.near == ("shop/dim/v10", "shop/dim/v2", "shop/dim/v1")


@pytest.mark.parametrize("kind", ["python", "dbt", "acme"])
def test_a_dependency_is_named_by_its_last_part_only_where_it_says_so(kind: str) -> None:
    short = Asset(key="p", kind=kind, deps=[Dep(AssetKey("orders"), short=True)])
    assert AssetGraph.of([model("shop/orders"), short])["p"].deps[0].key == "shop/orders"
    for whole in (Dep(AssetKey("orders")), Dep(AssetKey("orders"), name="orders")):
        with pytest.raises(UnknownDependencyError):
            AssetGraph.of([model("shop/orders"), Asset(key="p", kind=kind, deps=[whole])])


def test_checks_name_what_they_read_by_key() -> None:
    made = python("made", relation=("d", "s", "t"))
    check = Check("related", also=(AssetKey("shop/raw"),))
    graph = AssetGraph.of([made, source("shop/raw", ("d", "s", "t")), model("m", checks=[check])])
    assert graph["m"].checks[0].also == ("made",)
    with pytest.raises(UnknownDependencyError, match="related"):
        AssetGraph.of([model("m", checks=[check])])


QUALITY = Integration("quality", "acme")


@pytest.mark.parametrize("key", ["shop/orders", "orders", "shop/raw/orders"])
def test_a_check_that_is_defined_apart_goes_to_its_asset(key: str) -> None:
    orders = model("shop/orders", integration=SHOP, aliases=["shop/raw/orders"], checks=[Check("unique_id")])
    apart = AssetCheck(AssetKey(key), Check("no_gaps", spec={"n": 1}), QUALITY)
    graph = AssetGraph.of([apart, model("b"), orders])
    assert [str(key) for key in graph.keys] == ["b", "shop/orders"]
    assert graph["shop/orders"].checks == (
        Check("unique_id"),
        Check("no_gaps", spec={"n": 1}, integration="quality"),
    )
    assert dict(graph.integrations) == {"shop": SHOP, "quality": QUALITY}


def test_a_check_of_another_tool_gets_another_name_where_its_own_is_taken() -> None:
    orders = model("orders", integration=SHOP, checks=[Check("no_gaps")])
    apart = [AssetCheck(AssetKey("orders"), Check(name), QUALITY) for name in ("no_gaps", "fresh")]
    assert [check.name for check in AssetGraph.of([orders, *apart])["orders"].checks] == [
        "no_gaps",
        "quality:no_gaps",
        "fresh",
    ]


@pytest.mark.parametrize("runner", [None, SHOP])
def test_a_check_apart_is_the_asset_s_own_where_one_tool_has_both(runner: Integration | None) -> None:
    orders = model("orders", integration=SHOP)
    graph = AssetGraph.of([orders, AssetCheck(AssetKey("orders"), Check("no_gaps"), runner)])
    assert graph["orders"].checks == (Check("no_gaps"),)


def test_a_check_apart_goes_to_what_makes_an_asset_before_what_only_knows_of_it() -> None:
    read = source("py/events", checks=[Check("read")])
    graph = AssetGraph.of([read, python("py/events"), AssetCheck(AssetKey("events"), Check("ok"), QUALITY)])
    assert [check.name for check in graph["py/events"].checks] == ["ok", "read"]


def test_a_check_apart_means_no_consumer_where_it_could_mean_another() -> None:
    dashboard = Asset(key="shop/exposure/orders", kind="dbt", executable=False, consumer=True)
    apart = AssetCheck(AssetKey("orders"), Check("ok"), QUALITY)
    assert AssetGraph.of([dashboard, model("shop/orders"), apart])["shop/orders"].checks
    assert AssetGraph.of([dashboard, apart])["shop/exposure/orders"].checks


@pytest.mark.parametrize(("key", "near"), [("orders", ("b/orders", "a/orders")), ("odrers", ())])
def test_a_check_that_fits_no_asset_or_several_is_refused(key: str, near: tuple[str, ...]) -> None:
    apart = AssetCheck(AssetKey(key), Check("no_gaps", source="checks.py:3"), QUALITY)
    with pytest.raises(UnknownDependencyError, match=f"The check 'no_gaps' is about '{key}'") as caught:
        AssetGraph.of([model("a/orders"), model("b/orders"), apart])
    assert caught.value.where == "checks.py:3"
    assert set(near) <= set(caught.value.near)


def test_two_definitions_of_one_key_name_both_places() -> None:
    with pytest.raises(DuplicateKeyError) as caught:
        AssetGraph.of([model("a", source="models/a.sql", integration=SHOP), python("a", source="assets.py:9")])
    assert "models/a.sql (dbt 'shop')" in caught.value.message
    assert "assets.py:9 (python)" in caught.value.message


def test_an_alias_of_two_assets_is_an_error() -> None:
    with pytest.raises(DuplicateKeyError):
        AssetGraph.of([model("a", aliases=["x"]), model("b", aliases=["x"])])
    with pytest.raises(DuplicateKeyError):
        AssetGraph.of([model("a", aliases=["b"]), model("b")])


# Cycles


def test_a_cycle_is_a_path_across_tools() -> None:
    below = python("p", "a", source="assets.py:2")
    with pytest.raises(CycleError) as caught:
        AssetGraph.of([model("z", "shop/a"), model("shop/a", "p", source="models/a.sql"), below, model("start")])
    assert "shop/a (dbt) → p (python) → shop/a (dbt)" in caught.value.message
    assert caught.value.where == "models/a.sql"


def test_a_long_cycle_leaves_its_middle_out() -> None:
    with pytest.raises(CycleError) as caught:
        AssetGraph.of([model(f"n{i}", f"n{(i - 1) % 5000}") for i in range(5000)])
    assert len(caught.value.message) < 500
    assert "more" in caught.value.message


def test_a_cycle_through_a_source_says_what_the_source_is() -> None:
    made = python("made", "out", relation=("d", "s", "t"))
    with pytest.raises(CycleError) as caught:
        AssetGraph.of([made, source("shop/raw/t", ("d", "s", "t")), model("shop/out", "shop/raw/t")])
    assert "'shop/raw/t' is 'made'" in str(caught.value)


@given(st.integers(2, 7), st.data())
def test_the_shortest_cycle_through_its_members_is_shown(size: int, data: st.DataObject) -> None:
    edges = {(i, (i + 1) % size) for i in range(size)}
    edges |= data.draw(st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=4))
    edges = {(i, j) for i, j in edges if i != j}
    with pytest.raises(CycleError) as caught:
        AssetGraph.of([model(f"n{j}", *(f"n{i}" for i, k in edges if k == j)) for j in range(size)])
    shown = [int(each.split()[0][1:]) for each in caught.value.message.partition(": ")[2].split(" → ")]
    assert shown[0] == shown[-1]
    assert len(set(shown)) == len(shown) - 1
    assert all(pair in edges for pair in pairwise(shown))


# Joins


def test_a_source_becomes_what_makes_it() -> None:
    made = python("events", relation=("d", "raw", "events"), tags=["py"])
    read = source(
        "shop/raw/events",
        ("d", "raw", "events"),
        description="All that happened.",
        columns=[Column("id")],
        checks=[Check("not_null_id")],
        tags=["landing"],
    )
    graph = AssetGraph.of([model("shop/stg", "shop/raw/events"), read, made])
    joined = graph["shop/raw/events"]
    assert [str(key) for key in graph.keys] == ["events", "shop/stg"]
    assert (joined.key, joined.aliases, joined.kind) == ("events", ("shop/raw/events",), "python")
    assert (joined.description, joined.columns) == ("All that happened.", (Column("id"),))
    assert joined.checks == (Check("not_null_id", integration="shop"),)
    assert joined.tags == ("py", "landing")
    assert graph["shop/stg"].deps[0].key == "events"
    assert graph.definitions(0) == (joined, read)


def test_a_source_may_know_how_what_makes_it_grows() -> None:
    made = Asset(key="sync/orders", kind="x", relation=("db", "raw", "orders"))
    read = Asset(key="shop/raw/orders", kind="dbt", executable=False, relation=("db", "raw", "orders"), grows="append")
    assert AssetGraph.of([made, read])["sync/orders"].grows == "append"
    seed = replace(made, grows="never")
    assert AssetGraph.of([seed, read])["sync/orders"].grows == "never", "who makes it knows better"


def test_a_consumer_is_no_table_that_something_makes() -> None:
    made = python("events", relation=("d", "raw", "events"))
    dashboard = Asset(key="board", kind="bi", executable=False, consumer=True, relation=("d", "raw", "events"))
    graph = AssetGraph.of([made, dashboard])
    assert [str(key) for key in graph.keys] == ["events", "board"]
    assert graph.near_misses() == ()


def test_what_the_producer_says_itself_stays() -> None:
    made = python("e", relation=("d", "r", "E"), description="Mine.", columns=[Column("a")], checks=[Check("c")])
    read = source("s/e", ("D", "R", "e"), description="Other.", columns=[Column("b")], checks=[Check("c")])
    joined = AssetGraph.of([made, read])["e"]
    assert (joined.description, joined.columns, joined.relation) == ("Mine.", (Column("a"),), ("d", "r", "E"))
    assert [check.name for check in joined.checks] == ["c", "shop:c"]


@pytest.mark.parametrize(
    ("made", "read", "joins"),
    [
        (("d", "s", "t"), ("d", "s", "t"), True),
        (("D", "S", "T"), ("d", "s", "t"), True),
        ((None, "s", "t"), ("d", "s", "t"), True),
        ((None, None, "t"), ("d", "s", "T"), True),
        (("d", "s", "t"), (None, "s", "t"), True),
        (("d", "s", "t"), ("e", "s", "t"), False),
        (("d", "s", "t"), ("d", "s", "u"), False),
        ((None, "x", "t"), ("d", "s", "t"), False),
    ],
)
def test_relations_join(made: tuple[str, str, str], read: tuple[str, str, str], joins: bool) -> None:
    graph = AssetGraph.of([python("p", relation=made), source("s/t", read)])
    assert len(graph) == (1 if joins else 2)
    if joins:
        assert None not in (graph["p"].relation or (None,))


def test_the_exact_relation_wins_over_one_that_differs_in_case() -> None:
    graph = AssetGraph.of([python("a", relation=("d", "s", "T")), python("b", relation=("d", "s", "t")),
                           source("x/t", ("d", "s", "t")), source("x/T", ("d", "s", "T"))])  # fmt: skip
    assert graph["x/t"].key == "b"
    assert graph["x/T"].key == "a"


def test_between_two_producers_none_is_guessed_and_both_are_reported() -> None:
    graph = AssetGraph.of([python("a", relation=("d", "s", "T")), python("b", relation=("D", "s", "t")),
                           source("x/t", ("d", "S", "t"))])  # fmt: skip
    assert len(graph) == 3
    assert [(miss.source, miss.candidate) for miss in graph.near_misses()] == [("x/t", "a"), ("x/t", "b")]


def test_a_producer_that_fits_two_sources_takes_none() -> None:
    graph = AssetGraph.of([python("p", relation=(None, None, "t")), source("x/t", ("d", "a", "t")),
                           source("y/t", ("d", "b", "t"))])  # fmt: skip
    assert len(graph) == 3


def test_near_misses_say_why() -> None:
    graph = AssetGraph.of([python("p", relation=("prod", "s", "t")), source("x/t", ("dev", "s", "t")),
                           python("u"), source("x/u", ("dev", "s", "u"))])  # fmt: skip
    found = {(str(miss.source), str(miss.candidate)): miss.why for miss in graph.near_misses()}
    assert "databases differ" in found["x/t", "p"]
    assert "last part" in found["x/u", "u"]


def test_a_source_over_a_table_of_its_own_tool_is_that_table_and_the_tool_does_not_know_the_order() -> None:
    seed = model("shop/events", relation=("d", "raw", "events"), integration=SHOP)
    read = source("shop/raw/events", ("D", "RAW", "events"), checks=[Check("unique_id"), Check("fresh")])
    seed = replace(seed, checks=(Check("unique_id"),))
    below = model("shop/stg", "shop/raw/events", integration=SHOP, checks=[Check("both", also=(read.key,))])
    both = model("shop/both", "shop/raw/events", "shop/events", integration=SHOP)
    graph = AssetGraph.of(
        [read, seed, below, both, python("p", "shop/raw/events"), model("other/m", "shop/raw/events")]
    )
    assert graph["shop/raw/events"].key == "shop/events"
    stg = graph.index("shop/stg")
    # What also refers to the table as such is in order, and other tools have invocations of their own.
    assert graph.apart == {(graph.index("shop/events"), stg)}
    assert [(check.name, check.apart) for check in graph["shop/events"].checks] == [
        ("unique_id", ()),
        ("events:unique_id", (seed.key,)),
        ("fresh", (seed.key,)),
    ]
    assert graph.assets[stg].checks[0].apart == (seed.key,)
    assert graph.near_misses() == ()


def test_a_source_that_says_it_is_a_table_of_its_own_tool_is_set_apart_too() -> None:
    made = model("shop/events", integration=SHOP)
    graph = AssetGraph.of([made, source("shop/raw/e", joins="shop/events"), model("m", "shop/raw/e", integration=SHOP)])
    assert graph.apart == {(0, 1)}


def test_what_is_made_out_of_its_own_table_does_not_become_its_own_source() -> None:
    table = ("d", "raw", "events")
    chain = [model("shop/a", "shop/raw/events", integration=SHOP), python("a2", "a")]
    made = model("shop/events", "a2", relation=table, integration=SHOP)
    graph = AssetGraph.of([*chain, made, source("shop/raw/events", table)])
    assert len(graph) == 4
    assert graph.apart == frozenset()
    assert "shop/events is made from it" in graph.near_misses()[0].why


def test_a_model_that_reads_its_own_table_as_a_source_is_two_nodes() -> None:
    own = model("shop/orders", "shop/raw/orders", relation=("d", "s", "orders"), integration=SHOP)
    graph = AssetGraph.of([own, source("shop/raw/orders", ("d", "s", "orders"))])
    assert len(graph) == 2
    assert "of one integration" in graph.near_misses()[0].why


def test_sources_of_two_projects_are_one() -> None:
    graph = AssetGraph.of([source("a/raw/t", ("d", "s", "t")), source("b/raw/t", ("d", "s", "T"), OTHER),
                           model("b/m", "b/raw/t")])  # fmt: skip
    assert [str(key) for key in graph.keys] == ["a/raw/t", "b/m"]
    assert graph["b/m"].deps[0].key == "a/raw/t"


def test_another_projects_model_makes_a_source() -> None:
    made = model("b/mart", relation=("d", "s", "mart"), integration=OTHER)
    graph = AssetGraph.of([source("a/b/mart", ("d", "s", "mart")), made, model("a/m", "a/b/mart", integration=SHOP)])
    assert graph.upstream[graph.index("a/m")] == (graph.index("b/mart"),)


def test_a_source_may_say_what_it_is() -> None:
    graph = AssetGraph.of([python("deep/events"), source("shop/raw/e", ("d", "raw", "e"), joins="deep/events")])
    assert graph["shop/raw/e"].key == "deep/events"
    assert graph["deep/events"].relation == ("d", "raw", "e")


def test_a_source_that_is_said_to_be_nothing_known_is_an_error() -> None:
    with pytest.raises(UnknownDependencyError) as caught:
        AssetGraph.of([python("deep/events"), source("shop/raw/e", joins="deep/evnets", source="models/s.yml")])
    assert (caught.value.near, caught.value.where) == (("deep/events",), "models/s.yml")


def test_sources_that_point_at_each_other_are_one() -> None:
    graph = AssetGraph.of([source("a", joins="b"), source("b", joins="a")])
    assert len(graph) == 1


def test_a_made_asset_cannot_be_the_table_of_another() -> None:
    with pytest.raises(DuplicateKeyError):
        AssetGraph.of([python("a"), python("b", joins="a")])


def test_the_same_key_joins_a_source_with_what_makes_it() -> None:
    graph = AssetGraph.of([source("raw/events", ("d", "raw", "events")), python("raw/events")])
    assert (len(graph), graph["raw/events"].aliases) == (1, ())
    assert graph["raw/events"].relation == ("d", "raw", "events")


def test_the_same_source_key_with_two_relations_is_an_error() -> None:
    with pytest.raises(DuplicateKeyError):
        AssetGraph.of([source("raw/e", ("d", "raw", "e")), source("raw/e", ("d", "other", "e"))])


def test_a_fallback_gives_way() -> None:
    installed = model("lib/m", fallback=True, description="installed")
    assert AssetGraph.of([installed, model("lib/m", description="own")])["lib/m"].description == "own"
    assert AssetGraph.of([model("lib/m", description="own"), installed])["lib/m"].description == "own"
    assert len(AssetGraph.of([installed, installed])) == 1


RELATIONS = st.tuples(st.sampled_from(["d", "D", None]), st.sampled_from(["s", "S", None]), st.sampled_from("tTu"))


@given(st.lists(RELATIONS, max_size=5), st.lists(RELATIONS, max_size=5))
def test_joining_loses_nothing_and_never_joins_what_differs(made: list[object], read: list[object]) -> None:
    assets = [python(f"p{i}", relation=each) for i, each in enumerate(made)]
    assets += [source(f"s{i}", each, OTHER, checks=[Check(f"c{i}")]) for i, each in enumerate(read)]
    graph = AssetGraph.of(assets)
    assert all(f"p{i}" in graph.keys for i in range(len(made)))
    assert all(f"s{i}" in graph for i in range(len(read)))
    assert sorted(check.name for asset in graph for check in asset.checks) == [f"c{i}" for i in range(len(read))]
    for i in range(len(graph)):
        relations = [each.relation for each in graph.definitions(i) if each.relation]
        tables = {each.identifier.casefold() for each in relations}
        assert len(tables) <= 1
        assert len([each for each in graph.definitions(i) if each.executable]) <= 1


def test_every_error_has_a_next_step() -> None:
    wrong: list[list[Asset]] = [
        [model("a"), model("a")],
        [model("a", "b")],
        [model("a", "b"), model("b", "a")],
        [model("x/a"), model("y/a"), python("p", "a")],
        [source("a", joins="b")],
    ]
    for assets in wrong:
        with pytest.raises(AssetryError) as caught:
            AssetGraph.of(assets)
        assert caught.value.hint
        assert caught.value.exit_code == 3


def test_a_name_of_what_is_inlined_says_so() -> None:
    part = Asset(key="shop/middle", kind="x", inlined=True)
    graph = AssetGraph.of([Asset(key="first", kind="x"), part])
    for name in ("middle", "shop/middle"):
        with pytest.raises(UsageError, match="becomes part of what reads it") as caught:
            graph.find(name)
        assert "middle+" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (("shop", "lake", "orders"), "it is shop.raw.orders, and the other shop.lake.orders"),
        (("prod", "raw", "orders"), "their databases differ: shop.raw.orders and prod.raw.orders"),
        (None, "they share the last part of their keys only"),
    ],
)
def test_a_name_of_a_source_and_of_what_may_make_its_table_is_told_with_why_they_are_two(made: Any, why: str) -> None:
    orders = Asset(key="el/tap/orders", kind="mill", relation=made)
    source = Asset(key="shop/raw/orders", kind="dbt", executable=False, relation=("shop", "raw", "orders"))
    reader = Asset(key="best", kind="python", deps=[Dep("orders", name="orders", short=True)])
    with pytest.raises(AmbiguousNameError, match="means 'el/tap/orders' or 'shop/raw/orders'") as told:
        AssetGraph.of([orders, source, reader])
    assert f"shop/raw/orders is not joined with el/tap/orders: {why}" in str(told.value)
