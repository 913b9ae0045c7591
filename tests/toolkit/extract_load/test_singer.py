"""What taps and targets say, line by line, in each of the forms in which they say it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from assetry.plugin import Level
from assetry_toolkit.extract_load.singer import Said, Stream, conformed, read_log, selected_streams, stream_ids


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


def entry(id_: str, whole: dict[str, Any], **columns: dict[str, Any]) -> dict[str, Any]:
    metadata = [{"breadcrumb": [], "metadata": whole}]
    metadata += [{"breadcrumb": ["properties", each], "metadata": about} for each, about in columns.items()]
    properties: dict[str, Any] = dict.fromkeys(columns)
    return {"tap_stream_id": id_, "metadata": metadata, "schema": {"properties": properties}}


def test_selected_streams_with_the_columns_that_are_read() -> None:
    columns: dict[str, Any] = {
        "id": {"inclusion": "automatic", "selected": False},
        "name": {"selected": False, "selected-by-default": True},
        "age": {},
    }
    growing = {"selected": True, "forced-replication-method": "INCREMENTAL", "replication-key": "age"}
    catalog = {
        "streams": [
            entry("users", {**growing, "table-key-properties": ["id"]}, **columns),
            entry("orders", {"selected": False}),
            entry("views", {"selected": True, "inclusion": "unsupported"}),
        ]
    }
    [users] = selected_streams(catalog)
    assert users == Stream("users", "users", ["id"], "INCREMENTAL", "age", [["id", ""], ["age", ""]])
    assert users.grows
    assert Stream(**json.loads(json.dumps(asdict(users)))) == users
    assert stream_ids(catalog) == ["users", "orders", "views"]
    assert list(selected_streams({})) == []


@pytest.mark.parametrize(("name", "column"), [("Order Items", "order_items"), ("né", "n"), ("a.b-c", "a_b_c")])
def test_names_are_written_as_targets_do(name: str, column: str) -> None:
    assert conformed(name) == column
