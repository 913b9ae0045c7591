"""Lineage: what follows from the facts of a run, by the specification's own schemas."""

from __future__ import annotations

from typing import Any

import pytest
from assetry_openlineage.lineage import Lineage, run_id
from assetry_openlineage.options import Options
from jsonschema import ValidationError

from tests.openlineage.schemas import validated

AT = "2026-01-31T10:02:00+00:00"
LATER = "2026-01-31T10:03:00+00:00"
HEADING = {"version": 1, "run": "r1", "job": "run", "process": {}, "parent": None}
RAW = {
    "kind": "dbt",
    "integration": "transform",
    "relation": ["shop", "main", "raw"],
    "io": "duckdb:/srv/shop.duckdb",
    "view": False,
    "placed": True,
    "deps": ["shop/source"],
    "description": "All orders.",
    "owners": ["ana"],
    "columns": [{"name": "id", "type": None, "description": "Its number."}],
}
SOURCE = {**RAW, "relation": ["shop", "raw", "orders"], "deps": [], "columns": [], "owners": [], "description": ""}
FACTS = [{"asset": "shop/raw", "facts": RAW}, {"asset": "shop/source", "facts": SOURCE}]


def told(event: str, at: str = AT, **more: Any) -> dict[str, Any]:
    return {"at": at, "event": {"event": event, **more}}


def events(*lines: dict[str, Any], over: bool = False, parent: str | None = None) -> list[dict[str, Any]]:
    lineage = Lineage(Options("shop"))
    found = [event for line in ({**HEADING, "parent": parent}, *FACTS, *lines) for event in lineage.take(line)]
    found += lineage.end(LATER) if over else ()
    return [validated(each) for each in found]


def brief(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["eventType"], each["job"]["name"]) for each in found]


START = told("run_started", assets=1, invocations=1)
BEGUN = told("started", asset="shop/raw")
MADE = told("materialized", LATER, asset="shop/raw", data_version="v1", rows=3, columns=[{"name": "id", "type": "int"}])


def test_a_run_and_its_assets_begin_and_end_with_what_was_read_and_made() -> None:
    found = events(START, BEGUN, MADE, told("run_finished", LATER, state="succeeded", seconds=1.0))
    assert brief(found) == [("START", "run"), ("START", "shop/raw"), ("COMPLETE", "shop/raw"), ("COMPLETE", "run")]
    run, begun, made, _ = found
    assert (begun["run"]["runId"], made["run"]["runId"]) == (run_id("r1", "shop/raw"),) * 2
    parent = made["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]) == (
        run["run"]["runId"],
        {"facets": {}, "name": "run", "namespace": "shop"},
    )
    assert made["eventTime"] == LATER
    (read,), (written,) = made["inputs"], made["outputs"]
    assert (read["namespace"], read["name"]) == ("duckdb:///srv/shop.duckdb", "shop.raw.orders")
    assert (written["namespace"], written["name"]) == ("duckdb:///srv/shop.duckdb", "shop.main.raw")
    facets = written["facets"]
    (field,) = facets["schema"]["fields"]
    assert (field["name"], field["type"], field["description"]) == ("id", "int", "Its number.")
    assert "schema" not in begun["outputs"][0]["facets"], "what is declared need not be all that there is"
    assert facets["version"]["datasetVersion"] == "v1"
    assert facets["ownership"]["owners"] == [{"name": "ana"}]
    assert facets["documentation"]["description"] == "All orders."
    assert facets["datasetType"]["datasetType"] == "TABLE"
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 3
    assert made["run"]["facets"]["tags"]["tags"][0]["value"] == "r1"


def test_a_failure_says_what_happened_and_so_does_its_run() -> None:
    failed = told("failed", asset="shop/raw", message="no disk", hint="Free some.")
    broken = told("invocation_finished", state="failed", seconds=1.0, message="dbt ended with 2")
    found = events(START, failed, broken, told("run_finished", state="failed", seconds=1.0))
    assert brief(found) == [("START", "run"), ("START", "shop/raw"), ("FAIL", "shop/raw"), ("FAIL", "run")]
    assert found[2]["run"]["facets"]["errorMessage"]["message"] == "no disk\nFree some."
    assert found[2]["run"]["facets"]["errorMessage"]["programmingLanguage"] == "SQL"
    assert found[3]["run"]["facets"]["errorMessage"]["message"] == "dbt ended with 2"


def test_what_was_called_off_is_aborted_and_what_was_not_begun_has_no_run() -> None:
    off = told("skipped", asset="shop/raw", because="the run was cancelled", cancelled=True)
    end = told("run_finished", state="cancelled", seconds=1.0)
    assert brief(events(START, BEGUN, off, end))[1:] == [("START", "shop/raw"), ("ABORT", "shop/raw"), ("ABORT", "run")]
    assert brief(events(START, off, end)) == [("START", "run"), ("ABORT", "run")]


def test_all_that_has_no_end_is_aborted_when_the_process_is_gone_once() -> None:
    lineage = Lineage(Options("shop"))
    lines = (HEADING, *FACTS, START, BEGUN)
    begun = [validated(event) for line in lines for event in lineage.take(line)]
    ended = [validated(event) for event in lineage.end(LATER)]
    assert brief(begun + ended)[2:] == [("ABORT", "shop/raw"), ("ABORT", "run")]
    assert list(lineage.end(LATER)) == []


def test_ranges_of_partitions_that_come_out_alike_are_runs_of_their_own() -> None:
    begun = told("started", asset="shop/raw", partition="2026-01-01", through="2026-01-31")
    made = told("materialized", LATER, asset="shop/raw", partition="2026-01-01", through="2026-01-30")
    failed = told("failed", LATER, asset="shop/raw", partition="2026-01-31", message="no disk")
    found = events(START, begun, made, failed)[1:]
    assert [each["eventType"] for each in found] == ["START", "COMPLETE", "START", "FAIL"]
    assert [each["eventTime"] for each in found] == [AT, LATER, AT, LATER]
    ids = [each["run"]["runId"] for each in found]
    assert (ids[0], ids[2]) == (ids[1], ids[3])
    assert ids[0] != ids[2]
    tags = {each["key"]: each["value"] for each in found[1]["run"]["facets"]["tags"]["tags"]}
    assert tags["partition"] == "2026-01-01..2026-01-30"


def test_what_started_the_run_is_its_parent() -> None:
    outer = "3f5e83fa-3480-44ff-99c5-ff943904e5e8"
    (run,) = events(START, parent=f"airflow/daily.shop/{outer}")
    parent = run["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["namespace"], parent["job"]["name"]) == (
        outer,
        "airflow",
        "daily.shop",
    )
    assert "parent" not in events(START, parent="no/id")[0]["run"]["facets"]


def test_an_event_that_is_not_as_the_specification_says_is_seen() -> None:
    (run,) = events(START)
    with pytest.raises(ValidationError):
        validated({**run, "run": {**run["run"], "runId": "r1"}})
    run["run"]["facets"]["processing_engine"].pop("version")
    with pytest.raises(ValidationError):
        validated(run)


def test_what_was_made_in_the_run_is_read_with_the_columns_that_it_was_seen_to_have() -> None:
    paid = {**RAW, "relation": ["shop", "main", "paid"], "deps": ["shop/raw"]}
    made = told("materialized", LATER, asset="shop/paid", data_version="v1")
    (*_, found) = events(START, BEGUN, MADE, {"asset": "shop/paid", "facts": paid}, made)
    assert found["inputs"][0]["facets"]["schema"]["fields"][0]["name"] == "id"
    assert "schema" not in found["outputs"][0]["facets"]
