"""Tests of `assetry_dbt.project.flags`: what dbt takes from its environment is known, and narrows no selection."""

from __future__ import annotations

import pytest
from assetry_dbt.project.flags import BuildFlags, from_environment, warnings_fail, widening


@pytest.fixture(autouse=True)
def no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("EMPTY", "SAMPLE", "DEFER", "STATE", "FULL_REFRESH", "RESOURCE_TYPES", "EXCLUDE_RESOURCE_TYPES")
    for name in names:
        monkeypatch.delenv(f"DBT_{name}", raising=False)
        monkeypatch.delenv(f"DBT_ENGINE_{name}", raising=False)


def test_without_any_there_are_none() -> None:
    assert BuildFlags.read() == BuildFlags({}, {})
    assert BuildFlags.read().args() == widening() == ()


@pytest.mark.parametrize(
    ("variables", "args", "of_a_model"),
    [
        ({"DBT_EMPTY": "1"}, "--empty", {"empty": "true"}),
        ({"DBT_EMPTY": "0"}, "", {}),
        ({"DBT_EMPTY": ""}, "", {}),
        ({"DBT_ENGINE_EMPTY": "true", "DBT_EMPTY": "false"}, "--empty", {"empty": "true"}),
        ({"DBT_SAMPLE": "3 days"}, "--sample 3 days", {"sample": "3 days"}),
        ({"DBT_FULL_REFRESH": "TRUE"}, "--full-refresh", {}),
        ({"DBT_STATE": "prod", "DBT_FAVOR_STATE": "1"}, "", {}),
        ({"DBT_STATE": "prod", "DBT_DEFER": "1"}, "--defer --state prod", {"defer": "true", "state": "prod"}),
        ({"DBT_EVENT_TIME_START": "2024-01-01"}, "--event-time-start 2024-01-01", {}),
    ],
)
def test_flags_are_shown_and_change_what_a_model_is(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], args: str, of_a_model: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    flags = BuildFlags.read()
    assert " ".join(flags.args()) == args
    assert flags.of("model", windowed=False) == of_a_model
    assert flags.of("seed", windowed=False) == {}


def test_a_window_is_of_models_that_are_made_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_EVENT_TIME_START", "2024-01-01")
    assert BuildFlags.read().of("model", windowed=True) == {"event_time_start": "2024-01-01"}


def test_what_the_environment_leaves_out_is_taken_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_RESOURCE_TYPES", "model")
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "test")
    assert widening() == ("--resource-type", "all", "--exclude-resource-type", "analysis")
    assert widening(["model"]) == ("--exclude-resource-type", "analysis")


def test_the_longer_name_counts_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_TARGET", "dev")
    assert from_environment("TARGET") == "dev"
    monkeypatch.setenv("DBT_ENGINE_TARGET", "prod")
    assert from_environment("TARGET") == "prod"


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        ({}, {}, False),
        ({"warn_error": True}, {}, True),
        ({"warn_error": True}, {"DBT_WARN_ERROR": "0"}, False),
        ({}, {"DBT_WARN_ERROR": "true"}, True),
        ({"warn_error_options": {"error": "all"}}, {}, True),
        ({"warn_error_options": {"include": ["LogTestResult"]}}, {}, True),
        ({"warn_error_options": {"error": ["NoNodesForSelectionCriteria"]}}, {}, False),
        ({"warn_error_options": {"error": "all", "silence": ["LogTestResult"]}}, {}, False),
        ({}, {"DBT_WARN_ERROR_OPTIONS": "{error: '*'}"}, True),
        ({"warn_error_options": {"error": "all"}}, {"DBT_WARN_ERROR_OPTIONS": "{error: []}"}, False),
    ],
)
def test_a_warning_may_be_a_failure(
    flags: dict[str, object], environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DBT_WARN_ERROR", "DBT_WARN_ERROR_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert warnings_fail({"flags": flags}) is expected
