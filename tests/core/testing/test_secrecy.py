"""A secret is found however it is spelt, and nothing of it is left when a text is masked."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from assetry.testing.secrecy import SHORTEST, betrayed, masked, referred_variables
from hypothesis import given
from hypothesis import strategies as st

SECRETS = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=SHORTEST + 4, max_size=40)
AROUND = st.text(st.characters(codec="ascii"), max_size=12)

WAYS: list[Callable[[str, str, str], str]] = [
    lambda before, secret, after: before + secret + after,
    lambda before, secret, after: before + quote(secret, safe="") + after,
    lambda before, secret, after: before + quote_plus(secret) + after,
    lambda before, secret, after: json.dumps({"x": before + secret + after}),
    lambda before, secret, after: repr([before + secret]) + after,
    lambda before, secret, after: b64encode((before + secret + after).encode()).decode(),
    lambda before, secret, after: urlsafe_b64encode((before + secret + after).encode()).decode(),
    lambda before, secret, after: (before + secret + after).encode().hex(),
]


@pytest.mark.parametrize("number", range(len(WAYS)))
@given(SECRETS, AROUND, AROUND)
def test_a_secret_is_found_in_every_spelling(number: int, secret: str, before: str, after: str) -> None:
    text = WAYS[number](before, secret, after)
    known = {"TOKEN": secret}
    if number == 4 and "'" in before + secret:
        return  # repr chooses its quotes by what stands around
    found = betrayed(text, known)
    assert found is not None
    assert found.startswith("the value of TOKEN")
    assert betrayed(masked(text, known), known) is None


@given(st.text(max_size=SHORTEST - 1), AROUND)
def test_short_ones_are_not_looked_for(secret: str, text: str) -> None:
    assert betrayed(text + secret, {"TOKEN": secret}) is None


def test_variables_are_found_at_any_depth() -> None:
    options = {"a": [{"env": "ONE"}, {"b": ({"env": "TWO"},)}], "c": {"env": "no", "more": 1}, "env": "no"}
    assert referred_variables(options) == {"ONE", "TWO"}
