from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from assetry.plugin import AssetKey
from assetry_automation.decision.memory import Failures, Memory, Starts, Written, read, written

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = AssetKey("shop/orders")


def test_a_memory_is_the_same_after_a_way_through_json() -> None:
    memory = Memory(
        known={KEY: NOW},
        served={KEY: NOW},
        wanted={KEY: NOW},
        failures={KEY: Failures("r", "1", 3, NOW)},
        starts={KEY: Starts("load", "code_changed", 2, None)},
        resumed={KEY: NOW},
        held={KEY: "moved"},
        jobs={"nightly": NOW},
    )
    assert read(json.loads(json.dumps(written(memory)))) == memory


def test_what_cannot_be_read_is_not_remembered_and_the_rest_is() -> None:
    found = read({"known": {"shop/orders": "never"}, "held": {"shop/orders": "moved"}, "failures": 3})
    assert found == Memory(held={KEY: "moved"})


def test_what_is_as_it_was_is_neither_read_nor_written_again() -> None:
    memory = Memory(known={KEY: NOW}, held={KEY: "moved"})
    before = Written(memory, json.loads(json.dumps(written(memory))))
    again = read(json.loads(json.dumps(before.document)), before)
    assert again.known is memory.known
    assert again == memory
    other = replace(memory, held={})
    document = written(other, before)
    assert document["known"] is before.document["known"]
    assert read(document) == other


def test_since_when_there_are_policies_is_read_as_it_was_once_written() -> None:
    assert read({"known": {"shop/orders": NOW.isoformat()}}) == Memory(known={KEY: NOW})
