"""What taps and targets say, line by line, in each of the forms in which they say it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from assetry.plugin import Level
from assetry_toolkit.singer.logs import Said, read_log


def metric(stream: dict[str, Any], value: Any = 3, name: str = "record_count") -> dict[str, Any]:
    return {"type": "counter", "metric": name, "value": value, "tags": stream}


@pytest.mark.parametrize(
    "text",
    [
        f"METRIC: {json.dumps(metric({'stream': 'users', 'context': {}}))}",
        f"INFO METRIC: {json.dumps(metric({'endpoint': 'users'}))}",
        f"2026-11-26 09:00 name=singer level=INFO message=METRIC: {json.dumps(metric({'endpoint': 'users'}))}",
    ],
)
def test_both_families_of_metrics_count_rows(text: str) -> None:
    assert read_log(text) == Said("rows", stream="users", value=3)


def test_a_metric_that_was_parsed_already_is_taken_as_it_is() -> None:
    assert read_log("METRIC", metric({"stream": "users"})) == Said("rows", stream="users", value=3)
    ended = metric({"stream": "users", "status": "failed"}, 0.1, "sync_duration")
    assert read_log("METRIC", ended) == Said("ended", stream="users", value=0)


def test_a_database_tap_names_schema_and_table() -> None:
    line = f"INFO METRIC: {json.dumps(metric({'database': 'public', 'table': 'users'}))}"
    assert read_log(line).stream == "public-users"


@pytest.mark.parametrize(
    ("text", "parsed", "what"),
    [
        ("Error: Block tap-nope not found", None, "said"),
        ("METRIC: {broken", None, "said"),
        ("METRIC", metric({"stream": "users"}, name="http_request_count"), "said"),
        ("METRIC", metric({"stream": "users"}, "many"), "said"),
        ("METRIC", metric({"stream": "users"}, float("nan")), "said"),
        ('METRIC: {"metric": "record_count", "value": 1e999, "tags": {"endpoint": "users"}}', None, "said"),
        ('METRIC: {"a": %s}' % ("[" * 200_000), None, "said"),
        ("METRIC", metric({}), "said"),
        ("METRIC", {"tags": "none"}, "said"),
        ("Beginning full_table sync of 'users'...", None, "began"),
        ("[1, 2]", None, "said"),
        ("", None, "said"),
    ],
)
def test_lines_that_count_nothing(text: str, parsed: Any, what: str) -> None:
    assert read_log(text, parsed).what == what


@pytest.mark.parametrize(
    ("text", "level"), [("CRITICAL no", "error"), ("2026 ERROR no", "error"), ("WARNING", "warning"), ("fine", "info")]
)
def test_how_grave_a_line_is(text: str, level: Level) -> None:
    assert read_log(text).level == level
    assert read_log("fine", level="DEBUG").level == "debug"
