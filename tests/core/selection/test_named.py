"""Selections that have names: what they mean stands in their place, and what is wrong with one is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from assetry.errors import SelectionError
from assetry.graph.graph import AssetGraph
from assetry.selection.selection import selection
from assetry.types.assets import Asset, Check
from assetry.types.keys import AssetKey


def select(*given: Any, **named: Any) -> tuple[AssetKey, ...]:
    return selection(*given, **named).keys


GRAPH = AssetGraph.of(
    [
        Asset(key="shop/a", kind="x", tags=["nightly"]),
        Asset(key="shop/b", kind="x", deps=["shop/a"]),
        Asset(key="shop/c", kind="x", deps=["shop/b"]),
    ]
)
TEXTS: Mapping[str, Sequence[str]] = {
    "nightly": ["tag:nightly"],
    "several": ["b c"],
    "of_two": ["a", "c"],
    "nested": ["selector:nightly+1"],
    "round": ["selector:round2"],
    "round2": ["selector:round"],
    "unread": [""],
    "typo": ["nothing"],
}


def found(text: str, exclude: str = "") -> str:
    return "".join(key.name for key in select(GRAPH, text, exclude or (), named=lambda: TEXTS))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("selector:nightly", "a"),
        ("selector:nightly+", "abc"),
        ("selector:several", "bc"),
        ("1+selector:several,b", "b"),
        ("selector:of_two", "ac"),
        ("selector:nested", "ab"),
        ('not selector:"nightly"', "bc"),
    ],
)
def test_a_name_is_what_it_means(text: str, keys: str) -> None:
    assert found(text) == keys


def test_a_name_can_be_left_out() -> None:
    assert found("*", exclude="selector:several") == "a"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "selector:nightlie",
            r"No selection has the name 'nightlie'(.|\n)*did you mean 'nightly'(.|\n)*There are: nested",
        ),
        ("selector:unread", "cannot be read"),
        ("selector:round", "made from itself"),
        ("selector:typo", "No asset matches 'selector:typo'"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(SelectionError, match=words):
        found(text)


def test_what_is_there_only_for_its_checks_is_found_by_them() -> None:
    loose = Check("no_gaps", source="tests/gaps.sql", fqn=("shop", "daily", "no_gaps"), facets={"package": "shop"})
    graph = AssetGraph.of(
        [
            Asset(key="shop/tests", kind="x", executable=False, checks=[loose]),
            Asset(key="shop/raw", kind="x", executable=False, relation=(None, "raw", "raw"), checks=[loose]),
            Asset(key="shop/a", kind="x", checks=[loose]),
        ]
    )
    for text in ("no_gaps", "shop.daily", "package:shop", "path:tests", "+no_gaps"):
        assert "shop/tests" in select(graph, text)
    assert select(graph, "path:tests") == ("shop/tests",)


def test_names_are_asked_for_only_when_one_occurs() -> None:
    assert select(GRAPH, "a", named=lambda: pytest.fail("asked")) == ("shop/a",)
    with pytest.raises(SelectionError, match="No integration has any"):
        selection(GRAPH, "selector:x")
