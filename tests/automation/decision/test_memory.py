from __future__ import annotations

import json
from datetime import UTC, datetime

from assetry.plugin import AssetKey
from assetry_automation.decision.memory import Failures, Memory, Starts, read, written

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
