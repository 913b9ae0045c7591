from __future__ import annotations

import json
import pickle

import pytest
from assetry.errors import DefinitionError
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

PARTS = st.text(st.characters(exclude_characters="/", exclude_categories=("C", "Z")), min_size=1, max_size=8)


@given(st.lists(PARTS, min_size=1, max_size=4))
def test_parts_and_written_form_are_the_same_key(parts: list[str]) -> None:
    key = AssetKey(parts)
    assert key == AssetKey("/".join(parts)) == "/".join(parts)
    assert key.parts == tuple(parts)
    assert key.name == parts[-1]
    assert hash(key) == hash("/".join(parts))
    assert pickle.loads(pickle.dumps(key)) == key
    assert type(pickle.loads(pickle.dumps(key))) is AssetKey
    assert json.loads(json.dumps({key: key})) == {str(key): str(key)}


def test_a_key_of_a_key_is_itself() -> None:
    key = AssetKey("a/b")
    assert AssetKey(key) is key
    found: dict[str, int] = {key: 1}
    assert found["a/b"] == 1
    assert repr(key) == "AssetKey('a/b')"
    assert f"{key}" == "a/b"


@pytest.mark.parametrize(
    "wrong",
    ["", "/", "a/", "/a", "a//b", " a", "a ", "a/ b", "a\nb", "a\tb", "a\x00", (), ("",), ("a", ""), ("a/b", "c")],
)
def test_what_is_no_key_is_refused_with_a_next_step(wrong: str | tuple[str, ...]) -> None:
    with pytest.raises(DefinitionError) as caught:
        AssetKey(wrong)
    assert caught.value.hint


def test_blanks_within_a_part_are_kept() -> None:
    assert AssetKey("my crm/all accounts").parts == ("my crm", "all accounts")
