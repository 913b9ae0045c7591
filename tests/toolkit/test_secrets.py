"""Secrets are put in where they are referred to, and masked however they are spelt."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from assetry.plugin import UsageError, read_secret
from assetry_toolkit.live_objects import keep
from assetry_toolkit.secrets import Mask, is_reference, resolve, resolved, secret_names, values_of
from hypothesis import given
from hypothesis import strategies as st

SECRETS = st.text(st.characters(codec="utf-8"), min_size=8, max_size=40).filter(lambda each: "*" not in each)


def _lower(found: re.Match[str]) -> str:
    return found[0].lower()


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
def test_a_secret_is_masked_in_every_usual_spelling(secret: str, before: str, after: str) -> None:
    mask = Mask(frozenset({secret}))
    spellings = {
        *(secret, quote(secret, safe=""), quote(secret), quote_plus(secret), re.sub("%..", _lower, quote(secret))),
        *(json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]),
        html.escape(secret),
    }
    for spelling in spellings:
        assert mask(f"a {spelling} b") == "a *** b"
    assert secret not in mask(before + secret + after)


@given(SECRETS, st.binary(max_size=7), st.binary(max_size=7))
def test_in_base64_it_is_masked_as_a_part_of_anything(secret: str, before: bytes, after: bytes) -> None:
    mask, data = Mask(frozenset({secret})), secret.encode()
    for encode in (b64encode, urlsafe_b64encode):
        assert mask(encode(data).decode()) == "***"
        told = mask(encode(before + data + after).decode())
        head, _, tail = told.partition("***")
        # What is left is of what stands around it: not one character has a bit of the secret.
        assert len(head) * 6 <= len(before) * 8
        assert len(tail.rstrip("=")) * 6 <= (len(after) * 8 // 6 + 1) * 6
        assert "***" in told


def test_a_basic_header_is_masked() -> None:
    header = "Basic " + b64encode(b"bob:hunter2-hunter2").decode()
    assert Mask(frozenset({"hunter2-hunter2"}))(f"Authorization: {header}").startswith("Authorization: Basic Ym9iO")
    assert "*" in Mask(frozenset({"hunter2-hunter2"}))(header)


def test_each_line_of_a_key_of_several_lines_is_masked_alone() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nabc\n-----END KEY-----\n"
    mask = Mask(frozenset({key}))
    assert mask("read MIIEvQIBADANBg") == "read ***"
    assert mask("abc") == "abc"  # too short to tell from other words
    assert mask(f"key {key!r}") == "key '***'"


def test_the_longest_comes_first_and_half_characters_do_no_harm() -> None:
    assert Mask(frozenset({"pass", "password1"}))("password1 pass") == "*** ***"
    assert Mask(frozenset({"half\ud800way"}))("half\ud800way") == "***"
    assert Mask(frozenset({""}))("text") == Mask()("text") == "text"


def test_masks_add_up_and_show_no_secret() -> None:
    both = Mask(frozenset({"one-secret"})) | Mask(frozenset({"other-secret"}))
    assert both("one-secret other-secret") == "*** ***"
    assert "secret" not in repr(both)


def test_references_are_resolved_at_any_depth() -> None:
    config = {"user": "bob", "login": [{"key": {"env": "KEY"}}], "env": {"env": "X", "more": 1}}
    assert resolved(config, {"KEY": "s3cret"}.__getitem__) == (
        {"user": "bob", "login": [{"key": "s3cret"}], "env": {"env": "X", "more": 1}},
        frozenset({"s3cret"}),
    )
    assert resolve(keep("of this process"), str) == "of this process"
    assert not is_reference({"env": 3})
    assert not is_reference({"file": "x"})


def test_a_secret_that_is_not_set_is_named_with_the_near_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_TOKEN", "t0ken")
    assert resolve({"env": "MILL_TOKEN"}, read_secret) == "t0ken"
    with pytest.raises(UsageError, match="The secret MILL_TOKN is not set") as caught:
        resolve({"env": "MILL_TOKN"}, read_secret)
    assert caught.value.near == ("MILL_TOKEN",)


def test_the_secret_fields_of_a_schema_are_found_by_their_marks() -> None:
    deep = {"oneOf": [{"properties": {"key": {"writeOnly": True}, "password": {"hidden": True}}}]}
    schema = {"properties": {"host": {}, "auth": deep, "writeOnly": {"type": "boolean"}}}
    assert secret_names(schema) == {"key"}
    assert secret_names(schema, ("hidden", "writeOnly")) == {"key", "password"}
    config = {"host": "h", "auth": {"key": "k3y", "password": {"not": "a text"}}, "list": [{"key": "other"}]}
    assert values_of(config, frozenset({"key", "password"})) == {"k3y", "other"}
