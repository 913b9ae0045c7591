"""Secrets are taken out of texts and plain data; what must stay is left."""

from __future__ import annotations

import json
import re

import pytest
from assetry.hooks.masks import SHORTEST, Mask, masked
from assetry.types.hooks.panels import Panel
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

MASK = Mask(frozenset({"hunter2!"}))


@given(st.sets(st.text(max_size=12), max_size=3), st.text(max_size=60))
def test_the_quick_look_misses_nothing_that_the_pattern_finds(secrets: set[str], text: str) -> None:
    mask = Mask(frozenset(secrets))
    for each in (text, *(f"{text}{secret}{text}" for secret in secrets)):
        found = mask._pattern is not None and mask._pattern.search(each) is not None
        assert (mask(each) != each or "***" in each) == (found or "***" in each)


@given(st.sets(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=4), st.text("abc", max_size=40))
def test_nothing_is_left_of_those_that_overlap(secrets: set[str], text: str) -> None:
    places = sorted((at, -at - len(each)) for each in secrets for at in range(len(text)) if text.startswith(each, at))
    told, after = "", 0
    for begin, end in places:
        told += f"{text[after:begin]}***" if begin >= after else ""
        after = max(after, -end)
    assert Mask(frozenset(secrets))(text) == told + text[after:]


def test_one_with_space_around_it_is_masked_without_that_too() -> None:
    mask = Mask(frozenset({"hunter2\n"}))
    assert mask("login bob:hunter2, 'hunter2\\n', hunter2%0A") == "login bob:***, '***', ***"
    assert Mask(frozenset({" abc\n"}))("abc") == "abc"


def test_one_that_stands_in_every_text_is_left() -> None:
    assert SHORTEST == 4
    assert Mask(frozenset({"abc", "a", ""}))("abc a") == "abc a"
    assert Mask(frozenset({"abcd"}))("abcd abc") == "*** abc"


def test_plain_data_is_masked_at_any_depth_names_included() -> None:
    data = {"hunter2!": [{"url": ("x?key=hunter2%21", 3)}], "rows": 3, "none": None}
    assert masked(data, MASK) == {"***": [{"url": ("x?key=***", 3)}], "rows": 3, "none": None}
    assert masked(data, Mask()) is data


def test_a_panel_is_masked_and_a_key_is_not() -> None:
    panel = Panel(title="hunter2!", rows=(("hunter2!", 1),), links={"hunter2!": "https://hunter2!"})
    assert masked(panel, MASK) == Panel(title="***", rows=(("***", 1),), links={"***": "https://***"})
    assert masked(AssetKey("hunter2!"), MASK) == "hunter2!"


@pytest.mark.parametrize("secret", ['p4ss"word', "p4ss\\word", "p4sswörd", "p4ss'w\"örd\\😀", "p4ss\nword"])
def test_one_is_masked_in_json_that_stands_in_json(secret: str) -> None:
    """As a line that a program has written in JSON stands in a log in JSON."""
    mask = Mask(frozenset({secret}))
    for inner in (True, False):
        line = json.dumps({"token": secret}, ensure_ascii=inner)
        for text in (line, f"the config is { ({'token': secret})!r}"):
            for outer in (True, False):
                written = json.dumps({"event": text}, ensure_ascii=outer)
                assert "p4ss" not in mask(written), written
                raised = re.sub(r"u[0-9a-f]{4}", lambda found: "u" + found[0][1:].upper(), written)
                assert "p4ss" not in mask(raised), raised
