"""Where two lists of definitions differ is said by asset and field."""

from __future__ import annotations

from assetry.plugin import Asset, AssetCheck, AssetKey, Check, InvocationGroup
from assetry.testing.integration.comparison import differing, first_difference, group_words, short

A, B = Asset(key="a", kind="x"), Asset(key="b", kind="x")


def test_the_first_field_that_differs_is_named() -> None:
    assert differing([A, B], [A, Asset(key="b", kind="y")]) == "the kind of b, 'x' and 'y'"
    assert differing([A, B], [A]) == "their number, 2 and 1"
    one, two = (AssetCheck(AssetKey("a"), Check(name)) for name in ("rows", "nulls"))
    assert differing([one], [two]).startswith("the check of check rows, Check(")
    assert differing([A], [AssetCheck(AssetKey("a"), Check("rows"))]).startswith("the ")


def test_keys_that_differ_are_shown_as_such() -> None:
    assert first_difference([{"key": "a"}], [{"key": "b"}]) == "the key of asset a, 'a' and 'b'"


def test_groups_of_one_key_are_shown_whole() -> None:
    one, two = group_words(InvocationGroup("g"), InvocationGroup("g", whole=True))
    assert "whole=False" in one
    assert "whole=True" in two


def test_long_values_are_cut() -> None:
    assert len(short("x" * 1000)) < 100
