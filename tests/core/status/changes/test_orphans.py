"""What is recorded and nothing defines any more: what may be deleted, why the rest may not, and in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.graph.graph import AssetGraph
from assetry.status.changes.orphans import Orphan, Outside, deletion_order, orphans, readers_among
from assetry.types.assets import Asset, Relation
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization, Origin
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def table(name: str = "orders") -> Relation:
    return Relation("shop", "main", name)


def record(key: str, *inputs: str, view: bool = False, days: int = 0, **more: Any) -> Materialization:
    origin = Origin("dbt", "shop", table(AssetKey(key).name), "duckdb:/shop.duckdb", view=view)
    given: dict[str, Any] = {"origin": origin, "inputs": {AssetKey(each): "1" for each in inputs}, **more}
    return Materialization(key=AssetKey(key), at=NOW - timedelta(days=days), run="r", data_version="1", **given)


def found(
    *gone: Materialization,
    graph: AssetGraph | None = None,
    living: dict[str, Relation] | None = None,
    standing: tuple[Materialization, ...] = (),
) -> dict[str, Orphan]:
    graph = graph or AssetGraph.of([])
    keys = {each.key for each in gone}
    tables = [(AssetKey(key), relation) for key, relation in (living or {}).items()]
    records = {(each.key, each.partition): each for each in gone}
    return {each.key: each for each in orphans(graph, keys, (), records, tables, standing)}


def test_what_nothing_defines_may_be_deleted() -> None:
    each = found(record("shop/orders", metadata={"rows": 3}))["shop/orders"]
    assert (each.because, each.refused, each.total("rows"), each.total("bytes")) == (
        "nothing defines it any more", None, 3, None
    )  # fmt: skip
    assert each.last_made == NOW
    (origin,) = each.origins
    assert origin.relation == table()


def test_why_it_is_gone_is_told() -> None:
    made = Asset(key="mill/orders", kind="mill", relation=table(), description="made")
    source = Asset(key="shop/src/orders", kind="dbt", relation=table(), executable=False)
    inlined = Asset(key="shop/eph", kind="dbt", inlined=True)
    graph = AssetGraph.of([made, source, inlined])
    assert graph.keys == ("mill/orders",)
    reasons = {
        key: each.because for key, each in found(record("shop/src/orders"), record("shop/eph"), graph=graph).items()
    }
    assert reasons == {"shop/src/orders": "it is mill/orders now", "shop/eph": "it is part of what reads it now"}


@pytest.mark.parametrize(
    "living",
    [table(), Relation("SHOP", "Main", "ORDERS"), Relation(None, None, "orders"), Relation("shop", None, "Orders")],
)
def test_a_table_that_something_defined_may_have_stays(living: Relation) -> None:
    each = found(record("old/orders"), living={"new/orders": living})["old/orders"]
    assert each.refused == "shop.main.orders is the table of new/orders now"


def test_another_table_says_nothing() -> None:
    others = {"x": table("orders_2"), "y": Relation("shop", "raw", "orders"), "z": Relation("prod", "main", "orders")}
    assert found(record("old/orders"), living=others)["old/orders"].refused is None


def test_of_a_table_that_was_moved_every_place_counts() -> None:
    old, new = record("old/a", days=3, partition="1"), record("old/a", partition="2")
    new = Materialization(**{**_fields(new), "origin": Origin("dbt", "shop", table("b"))})
    for name in ("a", "b"):
        assert found(old, new, living={"x": table(name)})["old/a"].refused == f"shop.main.{name} is the table of x now"
    each = found(old, new)["old/a"]
    assert [str(origin.relation) for origin in each.origins] == ["shop.main.b", "shop.main.a"]


def _fields(made: Materialization) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__dataclass_fields__}


def test_what_was_not_made_here_stays() -> None:
    seen = record("shop/source", origin=None)
    assert found(seen)["shop/source"].refused == "nothing recorded says that it was made here"
    early = record("shop/early", origin=None, code_version="c1")
    assert found(early)["shop/early"].refused == "it was made before records told what made it, and where it is"


def test_what_a_view_reads_stays_until_the_view_is_made_anew() -> None:
    graph = AssetGraph.of([Asset(key="shop/v", kind="dbt", computed_on_read=True), Asset(key="shop/t", kind="dbt")])
    view, plain = record("shop/v", "old/a", view=True), record("shop/t", "old/a")
    assert found(record("old/a"), graph=graph, standing=(plain,))["old/a"].refused is None
    refused = found(record("old/a"), graph=graph, standing=(plain, view))["old/a"].refused
    assert refused == "shop/v, a view, was made from it and not anew since"
    # A record of before views were told apart: the definition says it.
    early = record("shop/v", "old/a", origin=None)
    assert found(record("old/a"), graph=graph, standing=(early,))["old/a"].refused is not None
    assert (
        found(record("old/a"), graph=graph, standing=(record("shop/v", "shop/t", view=True),))["old/a"].refused is None
    )


def test_a_view_stays_while_anything_was_made_from_it() -> None:
    graph = AssetGraph.of([Asset(key="shop/t", kind="dbt")])
    each = found(record("old/v", view=True), graph=graph, standing=(record("shop/t", "old/v"),))["old/v"]
    assert each.refused == "it is a view, and shop/t was made from it and not anew since"


def test_partitions_that_are_no_more_are_apart_from_the_asset() -> None:
    graph = AssetGraph.of([Asset(key="daily", kind="python")])
    days = [record("daily", partition=day, days=number, metadata={"rows": 2}) for number, day in enumerate("ab")]
    whole = record("daily")
    outside = [Outside(AssetKey("daily"), ("a", "b"), "gone"), Outside(AssetKey("daily"), (None,), "whole")]
    records = {(each.key, each.partition): each for each in (*days, whole)}
    first, second = orphans(graph, (), outside, records, [(AssetKey("daily"), table("daily"))])
    assert (first.partitions, first.refused, first.total("rows"), first.records) == (("a", "b"), None, 4, tuple(days))
    assert (second.partitions, second.records) == ((None,), (whole,))
    assert second.refused is not None, "what has partitions now may be in its place"


def test_rows_count_once_where_all_of_it_was_made_anew() -> None:
    parts = [record("a", partition=each, days=2, metadata={"rows": 2}) for each in "xy"]
    whole = record("a", metadata={"rows": 7})
    assert found(*parts, whole)["a"].total("rows") == 7
    unknown = record("a", partition="z", days=1)
    assert found(*parts, unknown)["a"].total("rows") is None, "of one it is not known"


@st.composite
def related(draw: st.DrawFn) -> list[Orphan]:
    keys = [f"k{number}" for number in range(draw(st.integers(1, 7)))]
    found = []
    for key in draw(st.permutations(keys)):
        inputs = draw(st.lists(st.sampled_from(keys), unique=True, max_size=3))
        made = record(key, *inputs, view=draw(st.booleans()))
        parts = draw(st.sampled_from([None, None, None, ("a",)]))
        found.append(Orphan(AssetKey(key), "gone", (made,), parts))
    return found


@given(related())
def test_views_go_before_what_they_read(found: list[Orphan]) -> None:
    order = deletion_order(found)
    assert sorted(order, key=lambda each: each.key) == sorted(found, key=lambda each: each.key)
    place = {each.key: number for number, each in enumerate(order)}
    readers = readers_among(found)

    def above(key: AssetKey, seen: frozenset[AssetKey] = frozenset()) -> frozenset[AssetKey]:
        """Return all that reads an asset, near or far."""
        for reader in readers.get(key, ()):
            if reader not in seen:
                seen = above(reader, seen | {reader})
        return seen

    for each in found:
        for reader in readers.get(each.key, ()):
            circle = each.key in above(reader) | {reader}
            if each.partitions is None and not circle and each.key not in above(each.key):
                assert place[reader] < place[each.key]
