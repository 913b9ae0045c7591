"""Tests of `assetry.selection.facets`: how what is asked for is compared, against a plain reading of the rules."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from assetry.selection.facets import facet_methods, facet_test, facet_values
from hypothesis import given
from hypothesis import strategies as st

WORDS = st.sampled_from(["a", "b", "ab", "a.b", "true", "False", "*", "[a]", "x*"])
PATTERNS = st.sampled_from(
    ["a", "ab", "a*", "?", "[ab]*", "*.b", "a.*", "a.b", "*", "true", "TRUE", "false", "[a]", "x*"]
)
NAMES = st.lists(st.sampled_from(["a", "b", "ab", "b.a"]), min_size=1, max_size=3)
SCALARS = WORDS | st.booleans() | st.none() | st.integers(0, 2)
SETTINGS = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3), lambda inner: st.dictionaries(st.sampled_from("pqr"), inner, max_size=3)
)
PLAIN = st.dictionaries(st.sampled_from("fgh"), SCALARS | st.lists(SCALARS | NAMES, max_size=3) | SETTINGS, max_size=3)
WHOLE = st.dictionaries(st.sampled_from(["f:a", "f:*", "f.p:a", "f.p.q:true"]), st.booleans(), max_size=2)
FACETS = st.builds(lambda plain, whole: {**plain, **whole}, PLAIN, WHOLE)
METHODS = st.sampled_from(["f", "g", "f.p", "f.p.q", "h.q", "f."])


def fits(held: Any, value: str, *, wild: bool) -> bool:
    """Tell whether one value fits, as the docstring of `Asset` has it."""
    if isinstance(held, bool):
        return str(held).lower() == value.lower()
    if isinstance(held, str):
        return fnmatchcase(held, value) if wild else held == value
    if isinstance(held, list) and wild:
        asked = value.split(".")
        return len(asked) == len(held) and all(map(fnmatchcase, held, asked))
    return False


def naive(facets: dict[str, Any], method: str, value: str) -> bool:
    if facets.get(f"{method}:{value}") is True:
        return True
    held: Any = facets
    for step in method.split("."):
        if not isinstance(held, dict) or step not in held:
            return False
        held = held[step]
    wild = "." not in method
    return any(fits(each, value, wild=wild) for each in (held if isinstance(held, list) else [held]))


@given(FACETS, METHODS, PATTERNS)
def test_facets_are_compared_as_it_is_written(facets: dict[str, Any], method: str, value: str) -> None:
    assert facet_test(method, value)(facets) == naive(facets, method, value)


@given(FACETS)
def test_every_value_that_is_told_finds_its_facets(facets: dict[str, Any]) -> None:
    for method in facet_methods(facets):
        told = list(facet_values(facets, method))
        assert told
        # A value with a wildcard is a pattern, which need not fit the very same text.
        plain = [each for each in told if not set(each) & set("*?[")]
        # Parts that hold a dot cannot be written as a dotted name.
        written = [each for each in plain if "b.a" not in each]
        assert all(facet_test(method, each)(facets) for each in written)


def test_a_part_of_a_name_may_hold_a_dot() -> None:
    facets = {"source": [["web"], ["web", "page.views"], ["shop", "web", "page.views"]]}
    found = [
        asked for asked in ("web.page*", "web.page.views", "*.web.*", "page*") if facet_test("source", asked)(facets)
    ]
    assert found == ["web.page*", "*.web.*"]


def test_what_is_no_text_is_compared_as_it_is_written_in_a_name_and_else_never() -> None:
    facets = {"run": [["nightly", 7]], "size": 7, "none": None}
    assert facet_test("run", "nightly.7")(facets)
    assert not facet_test("run", "nightly.8")(facets)
    assert not any(facet_test(name, "*")(facets) for name in ("size", "none", "nothing"))
    assert [list(facet_values(facets, name)) for name in ("run", "size", "none")] == [["nightly.7"], [], []]


def test_a_word_that_stands_whole_is_reached_by_no_pattern() -> None:
    facets = {"package": "shop", "package:this": True, "package:that": False}
    found = [asked for asked in ("this", "th*", "*", "sh*", "that") if facet_test("package", asked)(facets)]
    assert found == ["this", "*", "sh*"]
