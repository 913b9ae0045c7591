"""What states tell of streams."""

from __future__ import annotations

from typing import Any

import pytest
from assetry_toolkit.singer.states import streams_read

VALUE = {"replication_key": "n", "replication_key_value": 4}


@pytest.mark.parametrize(
    ("bookmark", "read"),
    [
        (VALUE, True),
        ({"partitions": [{"context": {"repo": "a"}, **VALUE}]}, True),
        ({"n": 0}, True),
        ("2026-01-01", True),
        ({}, False),
        ({"starting_replication_value": "2020-01-01"}, False),
        ({"replication_key_value": None}, False),
        ({"partitions": []}, False),
    ],
)
def test_a_bookmark_tells_that_rows_were_read(bookmark: Any, read: bool) -> None:
    assert streams_read({"bookmarks": {"orders": bookmark}}) == ({"orders"} if read else set())


def test_what_either_of_two_states_tells_counts_and_other_forms_are_not_known() -> None:
    assert streams_read({"bookmarks": {"a": VALUE}}, {}, {"bookmarks": {"b": VALUE}}) == {"a", "b"}
    assert streams_read() == set()
    assert streams_read({"orders": "2026-01-01"}) is None
    assert streams_read({"bookmarks": []}) is None
