from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from assetry.errors import SelectionError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.selection.grammar import Both, Criterion, Either, Expression, Reach, Reaching, Without, read_selector
from assetry.selection.patterns import path_matcher
from assetry.selection.selection import selection
from assetry.types.assets import Asset, Check, Column, Integration
from assetry.types.keys import AssetKey, selection_value
from hypothesis import given
from hypothesis import strategies as st


def select(*given: Any, **named: Any) -> tuple[AssetKey, ...]:
    return selection(*given, **named).keys


SHOP = Integration("transform", "dbt")


def dbt(name: str, *deps: str, folder: str = "staging", kind: str = "model", **rest: Any) -> Asset:
    read, parts = kind == "source", name.split("/")
    facets = {
        "package": "shop",
        "package:this": True,
        "source": [parts[:1], parts, ["shop", *parts]] if read else [],
        "exposure": [],
        "config": {"enabled": True, "materialized": "view", "meta": {"layer": folder}},
        "path": [f"models/{folder}/schema.yml"],
    }
    return Asset(
        key=f"shop/{name}",
        kind="dbt",
        integration=SHOP,
        deps=deps,
        fqn=None if read else ("shop", folder, *parts),
        source=f"models/{folder}/{name}.sql",
        resource_type=kind,
        executable=not read,
        facets=facets,
        **rest,
    )


GRAPH = AssetGraph.of(
    [
        Asset(key="events/clicks", kind="airbyte", relation=("d", "raw", "clicks"), group="ingest"),
        dbt("raw/clicks", kind="source", relation=("d", "raw", "clicks"), tags=["landing"]),
        dbt("raw/orders", kind="source", relation=("d", "raw", "orders")),
        dbt("stg_orders", "shop/raw/orders", tags=["nightly", "core"], owners=["Data@example.com"]),
        dbt("stg_clicks", "shop/raw/clicks", tags=["nightly"], columns=[Column("User_ID", "int")]),
        dbt("orders", "shop/stg_orders", "shop/stg_clicks", folder="marts", group="sales"),
        dbt("island", folder="marts"),
        Asset(
            key="forecast",
            kind="python",
            deps=["shop/orders"],
            source="./assets/sales.py:14",
            partitions_def=DailyPartitionsDefinition("2024-01-01"),
            metadata={"config": {"config": "hidden"}},
            facets={"config": {"config": ["none", "some"]}, "score": "b", "pii": True},
        ),
        Asset(key="py/orders", kind="python", source="assets.py:3", deps=["forecast"]),
        Asset(key="regional", kind="python", partitions_def=StaticPartitionsDefinition(["eu", "us"])),
        Asset(key="files", kind="python", partitions_def=DynamicPartitionsDefinition("file")),
    ]
)


def chosen(selectors: str | Sequence[str] | None, exclude: str | Sequence[str] = (), **rest: Any) -> set[str]:
    return {str(key) for key in select(GRAPH, selectors, exclude, **rest)}


EVERYTHING = {str(key) for key in GRAPH.keys}


# What each method finds (what dbt finds too is compared with dbt in test_selection_dbt.py)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("shop/orders", {"shop/orders"}),
        ("key:shop/orders", {"shop/orders"}),
        ("shop/*", {"shop/raw/orders", "shop/stg_orders", "shop/stg_clicks", "shop/orders", "shop/island",
                    "events/clicks"}),
        ("shop/raw", {"shop/raw/orders", "events/clicks"}),
        ("shop/raw/", {"shop/raw/orders", "events/clicks"}),
        ("shop/raw/clicks", {"events/clicks"}),
        ("key:*clicks", {"events/clicks", "shop/stg_clicks"}),
        ("orders", {"shop/orders", "py/orders"}),
        ("clicks", {"events/clicks"}),
        ("py", {"py/orders"}),
        ("forecast", {"forecast"}),
        ("kind:python", {"forecast", "py/orders", "regional", "files"}),
        ("kind:air*", {"events/clicks"}),
        ("integration:transform,island", {"shop/island"}),
        ("group:sales", {"shop/orders"}),
        ("owner:data@example.com", {"shop/stg_orders"}),
        ("column:user_id", {"shop/stg_clicks"}),
        ("tag:landing", {"events/clicks"}),
        ("source:raw.clicks", {"events/clicks"}),
        ("source:raw", {"events/clicks", "shop/raw/orders"}),
        ("resource_type:source", {"events/clicks", "shop/raw/orders"}),
        ("path:assets/sales.py", {"forecast"}),
        ("assets/", {"forecast"}),
        ("sales.py", {"forecast"}),
        ("assets.py", {"py/orders"}),
        ("path:'models/marts'", {"shop/orders", "shop/island"}),
        ("partition:daily", {"forecast"}),
        ("partition:2024-02-01", {"forecast"}),
        ("partition:eu", {"regional"}),
        ("partition:dynamic", {"files"}),
        ("partition:*", {"forecast", "regional", "files"}),
        ("partition:none,kind:python", {"py/orders"}),
        ("config.config:none", {"forecast"}),
        ("score:b", {"forecast"}),
        ("score:[ab]", {"forecast"}),
        ("pii:true", {"forecast"}),
        ("pii:TRUE", {"forecast"}),
        ("config.meta.layer:marts", {"shop/orders", "shop/island"}),
        ("package:shop", {"events/clicks", "shop/raw/orders", "shop/stg_orders", "shop/stg_clicks", "shop/orders",
                          "shop/island"}),
        ("package:this,marts", {"shop/orders", "shop/island"}),
        ("package:s*,marts", {"shop/orders", "shop/island"}),
        ("source:shop.r*.c?icks", {"events/clicks"}),
        ("path:models/marts/schema.yml", {"shop/orders", "shop/island"}),
        ("path:models/*/schema.yml,marts", {"shop/orders", "shop/island"}),
        ("forecast+", {"forecast", "py/orders"}),
        ("1+shop/orders", {"shop/orders", "shop/stg_orders", "shop/stg_clicks"}),
    ],
)  # fmt: skip
def test_methods(selector: str, found: set[str]) -> None:
    assert chosen(selector) == found


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("forecast regional", {"forecast", "regional"}),
        ("forecast or regional", {"forecast", "regional"}),
        ("kind:python and not (forecast+ or files)", {"regional"}),
        ("kind:python,not forecast+,not files", {"regional"}),
        ("not kind:python and not shop/*", set()),
        ("NOT kind:dbt AND tag:landing", {"events/clicks"}),
        ("tag:nightly and owner:* or regional", {"shop/stg_orders", "regional"}),
        ("regional tag:nightly and owner:*", {"shop/stg_orders", "regional"}),
        ("(regional tag:nightly) and owner:*", {"shop/stg_orders"}),
        ("(shop/stg_orders shop/stg_clicks)+1", {"shop/stg_orders", "shop/stg_clicks", "shop/orders"}),
        ("1+(forecast)", {"forecast", "shop/orders"}),
        ("@(shop/stg_clicks)", EVERYTHING - {"shop/island", "regional", "files"}),
        ("not not regional", {"regional"}),
        ("not(kind:python)and(marts)", {"shop/orders", "shop/island"}),
        ("  regional  ", {"regional"}),
        ("fqn:not regional", {"regional"}),
    ],
)
def test_words_and_brackets(selector: str, found: set[str]) -> None:
    if found:
        assert chosen(selector) == found
    else:
        with pytest.raises(SelectionError):
            chosen(selector)


def test_nothing_said_is_everything_in_the_graphs_order() -> None:
    assert select(GRAPH) == select(GRAPH, ()) == select(GRAPH, []) == GRAPH.keys
    assert select(GRAPH, ["forecast", "+forecast"]) == tuple(key for key in GRAPH.keys if key in chosen("+forecast"))


def test_exclusions() -> None:
    assert chosen("kind:python", "forecast+") == {"regional", "files"}
    assert chosen("kind:python", ["forecast+", "files"]) == {"regional"}
    assert chosen(None, "shop/* nothing_of_this_name") == EVERYTHING - chosen("shop/*")
    with pytest.raises(SelectionError, match="excluded"):
        chosen("forecast", "kind:python")
    with pytest.raises(SelectionError, match="excluded"):
        chosen(None, "key:*")


def test_checks_lead_to_what_they_read() -> None:
    check = Check("related", also=(AssetKey("b"),), tags=("strict",), source="tests/related.sql")
    graph = AssetGraph.of(
        [
            Asset(key="root", kind="dbt"),
            Asset(key="a", kind="dbt", checks=[check]),
            Asset(key="b", kind="dbt", deps=["root"]),
        ]
    )
    assert select(graph, "@a") == ("root", "a", "b")
    assert select(graph, "a+") == ("a",)
    assert select(graph, "1+related") == select(graph, "1+tag:strict") == select(graph, "1+path:tests") == ("a", "b")
    with pytest.raises(SelectionError) as caught:
        select(graph, "related")
    assert caught.value.near == ("a",)
    assert "+related" in str(caught.value.hint)


def test_facets_of_checks_lead_to_what_they_read() -> None:
    check = Check(
        "related", also=(AssetKey("b"),), facets={"test_name": "relationships", "config": {"severity": "warn"}}
    )
    graph = AssetGraph.of([Asset(key="a", kind="dbt", checks=[check]), Asset(key="b", kind="dbt"), dbt("c")])
    assert select(graph, "1+test_name:rel*") == select(graph, "+config.severity:warn") == ("a", "b")
    with pytest.raises(SelectionError, match="No asset matches 'test_name:rel") as caught:
        select(graph, "test_name:rel*")
    assert caught.value.near == ("a",)
    assert "+test_name:rel*" in str(caught.value.hint)
    assert select(graph, "shop/c test_name:unique") == ("shop/c",)


# States


def test_state_is_asked_once_and_only_when_it_is_meant() -> None:
    asked = []

    def statuses() -> Mapping[AssetKey, str]:
        asked.append(1)
        return {key: "stale" if key.startswith("shop") else "fresh" for key in GRAPH.keys}

    assert chosen("forecast", statuses=statuses) == {"forecast"}
    assert not asked
    found = chosen("state:stale+1 state:fresh,regional", "state:failed", statuses=statuses)
    assert found == {*chosen("key:shop/* "), "forecast", "regional"} - {"events/clicks"}
    assert asked == [1]


def test_a_state_that_no_asset_is_in() -> None:
    with pytest.raises(SelectionError, match="No asset is failed"):
        chosen("state:failed", statuses=dict)


def test_states_are_words_and_need_records() -> None:
    with pytest.raises(SelectionError) as caught:
        chosen("state:stael", statuses=dict)
    assert caught.value.near == ("stale",)
    with pytest.raises(SelectionError, match="cannot be asked"):
        chosen("state:stale")
    with pytest.raises(SelectionError) as caught:
        chosen("state:modified+", statuses=dict, hint=lambda method, value: f"Not {method} {value}.")
    assert caught.value.hint == "Not state modified."


# What cannot be read


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 0),
        ("   ", 3),
        ("a and", 5),
        ("a or", 4),
        ("and a", 0),
        ("a or or b", 5),
        ("not", 3),
        ("(a", 0),
        ("a (b (c)", 2),
        ("a)", 1),
        ("()", 1),
        ("a,", 1),
        (",a", 0),
        ("a,,b", 1),
        ("a, b", 1),
        ("a ,b", 2),
        ("a(b)", 1),
        ("(a)b", 3),
        ("+", 1),
        ("@", 1),
        ("tag:", 4),
        ("x tag: nightly", 6),
        ("@a+", 0),
        ("x @(a)+", 2),
        ("path:'models", 5),
        ("tga:nightly", 0),
        ("a  tga:nightly+", 3),
        ("a nothing.at.all:x", 2),
        ("state:x", 0),
        ("version:3", 0),
        ("test_type:unit", 0),
        ("(" * 55 + "a" + ")", 50),
    ],
)
def test_a_caret_points_at_what_cannot_be_read(text: str, at: int) -> None:
    with pytest.raises(SelectionError) as caught:
        chosen(text, statuses=dict)
    _, shown, caret = caught.value.message.split("\n")
    assert shown == f"    {text}"
    assert caret == " " * (4 + at) + "^"
    assert caught.value.exit_code == 2


def test_a_long_selection_is_shown_around_the_place() -> None:
    with pytest.raises(SelectionError) as caught:
        chosen("forecast " * 100 + "tga:x" + " forecast" * 100)
    _, shown, caret = caught.value.message.split("\n")
    assert len(shown) < 120
    assert shown[len(caret) - 1 :].startswith("tga:x")


def test_an_unknown_method_tells_a_near_one() -> None:
    with pytest.raises(SelectionError) as caught:
        chosen("tga:nightly")
    assert caught.value.near[0] == "tag:"
    assert """write '"tga:nightly"'.""" in str(caught.value.hint)
    with pytest.raises(SelectionError) as caught:
        chosen("scoer:b")
    assert caught.value.near[0] == "score:"
    assert "There are column, config, exposure, " in str(caught.value.hint)


def test_a_word_of_another_tool_tells_what_to_write_instead() -> None:
    with pytest.raises(SelectionError, match="result: finds no assets") as caught:
        chosen("forecast result:error+", hint=lambda method, value: f"{method} {value}: not here.")
    assert caught.value.hint == "result error: not here."
    with pytest.raises(SelectionError, match="Unknown method 'result'"):
        chosen("result:error", hint=lambda _method, _value: None)


def test_a_method_that_an_integration_has_finds_nothing_where_no_asset_answers_it() -> None:
    # As in dbt, which only warns: what one excludes, or adds, need not be there today.
    assert chosen("forecast exposure:weekly config.nothing.at.all:x") == {"forecast"}
    assert chosen("forecast", "exposure:weekly") == {"forecast"}


def test_a_facet_of_few_values_lists_them() -> None:
    for text in ("score:a", "source:a.b.c.d"):
        with pytest.raises(SelectionError, match=f"No asset matches '{text}'") as caught:
            chosen(text)
        listed = "b" if text == "score:a" else "raw, raw.clicks, raw.orders, shop.raw.clicks, shop.raw.orders"
        assert caught.value.hint == f"There are {listed}."


def test_what_an_asset_is_by_a_bare_name_only_where_nothing_else_is() -> None:
    assert chosen("clicks") == {"events/clicks"}
    graph = AssetGraph.of([dbt("raw/orders", kind="source"), dbt("orders")])
    assert select(graph, "orders") == ("shop/orders",)
    assert select(graph, "*") == ("shop/orders",)
    assert select(AssetGraph.of([dbt("raw/orders", kind="source")]), "orders") == ("shop/raw/orders",)


def test_a_slip_of_the_pen_is_found_before_anything_is_looked_for() -> None:
    with pytest.raises(SelectionError, match="never closed"):
        chosen("nothing_of_this_name", "(a")


# Keys with signs of the grammar in them


ODD = ["crm/all accounts", "a,b", "a+", "+a", "2+a", "@a", "tag:nightly", "not", "x)", "(x", "'x", '5" discs', "x y/z"]
ODD_GRAPH = AssetGraph.of([Asset(key=key, kind="x", tags=["odd"]) for key in ODD])


@pytest.mark.parametrize("key", ODD)
def test_a_key_is_selected_as_it_is_written_where_it_means_nothing_else(key: str) -> None:
    assert select(ODD_GRAPH, key) == select(ODD_GRAPH, [AssetKey(key)]) == (key,)
    assert select(ODD_GRAPH, "tag:odd", key) == tuple(each for each in ODD_GRAPH.keys if each != key)


#: Last parts, each with a sign of the grammar, as somebody types them who knows no grammar.
LAST = [each for each in ODD if "/" not in each] + ["all accounts", "shop data.csv"]


@pytest.mark.parametrize("name", LAST)
def test_the_last_part_of_a_key_is_selected_as_it_is_written_too(name: str) -> None:
    graph = AssetGraph.of([Asset(key=key, kind="x") for key in (f"crm/{name}", f"erp/{name}", "crm/other")])
    assert select(graph, name) == select(graph, f" {name} ") == (f"crm/{name}", f"erp/{name}")
    assert select(graph, None, name) == ("crm/other",)


def test_a_file_as_the_last_part_of_a_key_is_found_where_no_definition_stands_in_one() -> None:
    graph = AssetGraph.of([Asset(key="lake/orders.csv", kind="x"), Asset(key="b", kind="x", source="seeds/b.csv:1")])
    assert select(graph, "orders.csv") == ("lake/orders.csv",)
    assert select(graph, "b.csv") == ("b",)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("a,c", '"crm/a,b"'),
        ("a,b+", '"crm/a,b"'),
        ("my tabel", '"crm/my table"'),
        ("x/z", "crm/x/y"),
        ("x/y", "crm/x/y"),
        ("+my table", '"crm/my table"'),
    ],
)
def test_what_is_near_to_the_whole_of_a_text_is_named_first(text: str, near: str) -> None:
    graph = AssetGraph.of([Asset(key=key, kind="x") for key in ("crm/a,b", "crm/my table", "crm/x/y", "crm/orders")])
    with pytest.raises(SelectionError) as caught:
        select(graph, text)
    assert caught.value.near[0] == near


def test_what_a_text_means_does_not_change_because_a_key_is_written_like_it() -> None:
    names = ["a", "b", "a b", "b+"]
    graph = AssetGraph.of([*(Asset(key=name, kind="x") for name in names), Asset(key="c", kind="x", deps=["b"])])
    assert set(select(graph, "a b")) == {"a", "b"}
    assert set(select(graph, "b+")) == {"b", "c"}
    assert select(graph, '"b+"') == ("b+",)
    assert select(graph, '"a b"') == select(graph, AssetKey("a b")) == ("a b",)
    graph = AssetGraph.of([Asset(key=key, kind="x") for key in ("shop/a", "shop/b", "shop/a b")])
    assert set(select(graph, "a b")) == {"shop/a", "shop/b"}


def test_a_key_as_a_selection_means_no_other_asset_of_its_name() -> None:
    graph = AssetGraph.of([Asset(key="orders", kind="x"), Asset(key="shop/orders", kind="x")])
    assert len(select(graph, "orders")) == 2
    assert select(graph, AssetKey("orders")) == select(graph, AssetKey("orders").selection) == ("orders",)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("crm/all_accounts", '"crm/all accounts"'),
        ("tag:od", "tag:odd"),
        ("fqn:odd", "tag:odd"),
        ("'a,c'", '"a,b"'),
    ],
)
def test_what_is_near_is_written_so_that_it_can_be_selected(text: str, near: str) -> None:
    with pytest.raises(SelectionError) as caught:
        select(ODD_GRAPH, text)
    assert near in caught.value.near
    assert select(ODD_GRAPH, near)
    assert f"'{near}'" in str(caught.value)


KEYS = st.lists(
    st.text(st.characters(exclude_characters="/", exclude_categories=("C", "Z")), min_size=1, max_size=4)
    | st.text(alphabet="ab ,+@:()'\"*[]?12.\\", min_size=1, max_size=6).filter(lambda part: part.strip() == part)
    | st.sampled_from(["and", "NOT", "or", "12", "a b", "key"]),
    min_size=1,
    max_size=3,
).map(AssetKey)


@given(st.lists(KEYS, min_size=3, max_size=6, unique=True), st.integers(0, 3), st.booleans())
def test_any_key_is_read_back_from_its_selection(keys: list[AssetKey], depth: int, both: bool) -> None:
    first, second, third, *_ = keys
    # A chain, in which each one is made from the one before it.
    chain = [Asset(key=key, kind="x", deps=keys[i - 1 : i] if i else ()) for i, key in enumerate(keys)]
    graph = AssetGraph.of(chain)
    for key in keys:
        (_, expression), *more = read_selector(key.selection).parts
        assert isinstance(expression, Criterion)
        assert (expression.value, more) == (key, [])
        assert select(graph, key.selection) == (key,)
        assert select(graph, f"{depth}+({key.selection})") == select(graph, f"{depth}+{key.selection}")
    one, two, three = first.selection, second.selection, third.selection
    assert select(graph, f"+{two}+") == tuple(keys)
    assert select(graph, f"1+{two}+{depth}") == tuple(keys[: 2 + depth])
    assert select(graph, f"@{two}") == tuple(keys)
    assert select(graph, f"{two} {one}") == select(graph, f"({two} or {one})") == (first, second)
    joined = "," if both else " and "
    assert select(graph, f"{two}+1{joined}+{three}{joined}not {two}") == (third,)
    assert select(graph, None, [two, f"{three}+"]) == (first,)


# What matches nothing


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("odrers", "shop/orders"),
        ("shop/odrers", "shop/orders"),
        ("forecsat+", "forecast"),
        ("tag:nigthly", "tag:nightly"),
        ("nightly", "tag:nightly"),
        ("sales", "group:sales"),
        ("source:raw.odrers", "source:raw.orders"),
        ("raw", "source:raw"),
        ("b", "score:b"),
        ("package:shpo", "package:shop"),
        ("config.materialised:view", "config.materialized:view"),
        ("config.meta.lyaer:marts", "config.meta.layer:marts"),
        ("config.meta.layer:mart", "config.meta.layer:marts"),
        ("config.enabled:ture", "config.enabled:true"),
        ("kind:pyhton", "kind:python"),
        ("path:models/mart", "path:models/marts"),
        ("resource_type:modle", "resource_type:model"),
        ("column:user_di", "column:User_ID"),
        ("odrers,tag:nightly", "shop/orders"),
        ("odrers tag:nigthly", "tag:nightly"),
    ],
)
def test_what_matches_nothing_tells_what_is_near(text: str, near: str) -> None:
    with pytest.raises(SelectionError) as caught:
        chosen(text)
    assert near in caught.value.near
    assert text in caught.value.message


def test_an_asset_is_near_once_whatever_its_names() -> None:
    graph = AssetGraph.of([Asset(key="shop/orders", kind="x", aliases=["raw/orders"], fqn=("shop", "orders"))])
    with pytest.raises(SelectionError) as caught:
        select(graph, "shop/ordres")
    assert caught.value.near == ("shop/orders",)


def test_parts_that_share_nothing_say_so() -> None:
    with pytest.raises(SelectionError) as caught:
        chosen("forecast,regional")
    assert "together" in str(caught.value.hint)


def test_a_part_that_matches_nothing_is_handed_back_for_a_warning() -> None:
    found = selection(GRAPH, ["forecast", "odrers and forecast tag:nigthly"])
    assert found.keys == ("forecast",)
    assert [(each.text, each.near[-1]) for each in found.unmatched] == [
        ("odrers and forecast", "py/orders"),
        ("tag:nigthly", "tag:nightly"),
    ]
    assert selection(GRAPH, "forecast,regional files").unmatched[0].why


def test_what_is_inlined_is_found_and_gone_through_and_never_selected() -> None:
    graph = AssetGraph.of(
        [
            Asset(key="first", kind="x"),
            Asset(key="shop/middle", kind="x", inlined=True, reads=["first"], tags=["t"]),
            Asset(key="last", kind="x", deps=["first"], reads=["shop/middle"], tags=["t"]),
        ]
    )

    def found(text: str | None, exclude: str = "key:nothing") -> list[str]:
        return [str(key) for key in selection(graph, text, exclude).keys]

    assert found(None) == ["first", "last"]
    assert found("middle+") == found("first+2,tag:t") == found("tag:t") == ["last"]
    assert found("first+1") == found("+middle") == ["first"]
    assert found("@middle") == ["first", "last"]
    assert found(None, "middle+") == ["first"]
    with pytest.raises(SelectionError, match="Nothing that is selected is an asset") as caught:
        selection(graph, "middle")
    assert "shop/middle is not a table, but part of what reads it: middle+ means that." in (caught.value.hint or "")
    (told,) = selection(graph, "middle last").unmatched
    assert (told.text, told.excluded) == ("middle", False)
    assert "middle+" in (told.why or "")


def test_an_exclusion_that_matches_nothing_is_handed_back_for_a_warning() -> None:
    found = selection(GRAPH, "kind:python", ["forecst", "files"])
    assert [(each.text, each.near[0], each.excluded) for each in found.unmatched] == [("forecst", "forecast", True)]


# Properties


NAMES = st.sampled_from(
    [
        "forecast",
        "shop/orders",
        "marts",
        "regional",
        "stg_*",
        "a b",
        "x,y",
        "(z)",
        "what's",
        "dim.v1",
        '5" "a+2',
        "not",
        "12",
    ]
)
METHODS = st.sampled_from([None, "key", "tag", "kind", "config.materialized", "state"])
DEPTHS = st.none() | st.integers(0, 12)


@st.composite
def reaches(draw: st.DrawFn) -> Reach:
    both, parents, children = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    children = children and not both
    return Reach(both, parents, draw(DEPTHS) if parents else None, children, draw(DEPTHS) if children else None)


def _wrapped(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        several.map(Both),
        several.map(Either),
        inner.map(Without),
        st.builds(Reaching, inner, reaches().filter(lambda reach: any(reach[:2]) or reach.children)),
    )


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(st.builds(Criterion, METHODS, NAMES), _wrapped, max_leaves=6)


def written(expression: Expression, draw: Any) -> str:
    """Write an expression so that reading it gives the same: brackets around all that is not single."""
    if isinstance(expression, Criterion):
        quote = draw(st.sampled_from("'\""))
        quoted = f"{quote}{expression.value.replace(quote, 2 * quote)}{quote}"
        value = draw(st.sampled_from([selection_value(expression.value), quoted]))
        return f"{expression.method}:{value}" if expression.method else value
    if isinstance(expression, Reaching):
        reach, inner = expression.reach, expression.inner
        text = written(inner, draw) if isinstance(inner, Criterion) else f"({written(inner, draw)})"
        before = "@" * reach.both + (f"{_digits(reach.parents_depth)}+" if reach.parents else "")
        return before + text + (f"+{_digits(reach.children_depth)}" if reach.children else "")
    if isinstance(expression, Without):
        return f"not ({written(expression.inner, draw)})"
    if isinstance(expression, Both):
        words = [f"({written(part, draw)})" for part in expression.parts]
        return str(draw(st.sampled_from([",", " and ", "  AND "]))).join(words)
    words = [f"({written(part, draw)})" for part in expression.parts]
    return str(draw(st.sampled_from([" ", " or ", "   "]))).join(words)


def _digits(depth: int | None) -> str:
    return "" if depth is None else str(depth)


@given(EXPRESSIONS, st.data())
def test_what_is_written_is_read_back(expression: Expression, data: st.DataObject) -> None:
    parts = read_selector(written(expression, data.draw)).parts
    read = parts[0][1] if len(parts) == 1 else Either(tuple(part for _, part in parts))
    assert read == expression


@given(st.text(alphabet="ab:+@,() '\"*[]0159.!/-\tandortg", max_size=25))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(SelectionError):
        assert select(GRAPH, text, statuses=dict)


EDGES = [(j, i) for i, each in enumerate(GRAPH.upstream) for j in each]


def _naive(expression: Expression) -> set[int]:
    if isinstance(expression, Criterion):
        return {GRAPH.index(expression.value)}
    if isinstance(expression, Without):
        return set(range(len(GRAPH))) - _naive(expression.inner)
    if isinstance(expression, Both):
        return set.intersection(*map(_naive, expression.parts))
    if isinstance(expression, Either):
        return set.union(*map(_naive, expression.parts))
    start, reach = _naive(expression.inner), expression.reach
    found = set(start)
    if reach.both:
        below = start | _steps(start, None, EDGES)
        found |= below | _steps(below, None, [(j, i) for i, j in EDGES])
    if reach.parents:
        found |= _steps(start, reach.parents_depth, [(j, i) for i, j in EDGES])
    if reach.children:
        found |= _steps(start, reach.children_depth, EDGES)
    return found


def _steps(start: set[int], depth: int | None, edges: list[tuple[int, int]]) -> set[int]:
    found: set[int] = set()
    for _ in range(len(GRAPH) if depth is None else depth):
        found |= {j for i, j in edges if i in start or i in found}
    return found


@given(
    st.recursive(st.builds(Criterion, st.just("key"), st.sampled_from(sorted(EVERYTHING))), _wrapped, max_leaves=8),
    st.data(),
)
def test_sets_agree_with_a_naive_reading(expression: Expression, data: st.DataObject) -> None:
    expected = {str(GRAPH.keys[i]) for i in _naive(expression)}
    try:
        found = chosen(written(expression, data.draw))
    except SelectionError:
        found = set()
    assert found == expected


@given(
    st.lists(st.sampled_from(["models", "a", "b.sql", "x1"]), min_size=1, max_size=4),
    st.lists(
        st.sampled_from(["models", "*", "**", "a", "*.sql", "?", "[ab]*", "[!a]*", "x[0-9]"]), min_size=1, max_size=4
    ),
)
def test_paths_match_as_the_file_system_says(
    tmp_path_factory: pytest.TempPathFactory, path: list[str], pattern: list[str]
) -> None:
    root = tmp_path_factory.mktemp("glob")
    (root / "/".join(path)).mkdir(parents=True)
    text = "/".join(pattern)
    there = {each.relative_to(root).as_posix() for each in root.glob(text)} - {"."}
    matches = path_matcher(text)
    made = ["/".join(path[: i + 1]) for i in range(len(path))]
    assert {each for each in made if matches(each)} == there
