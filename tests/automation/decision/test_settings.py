from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from assetry.plugin import OptionError
from assetry_automation.decision.settings import Settings, read_settings


def test_nothing_said_is_what_the_readme_says() -> None:
    assert read_settings({}) == Settings()
    assert (Settings().max_runs, Settings().slack, Settings().surge) == (4, timedelta(minutes=10), 500)


def test_jobs_are_read_with_their_clocks() -> None:
    table = {"select": "tag:nightly", "cron": "0 2 * * *", "timezone": "Europe/Berlin", "partitions": "last:2"}
    (job,) = read_settings({"jobs": {"nightly": {**table, "stale": False}}}).jobs
    assert (job.name, job.partitions, job.stale) == ("nightly", "last:2", False)
    assert str(job.policy) == "on_cron(0 2 * * * Europe/Berlin)"


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"automation": {"max_run": 2}}, "[automation] has no 'max_run'"),
        ({"automation": {"max_runs": 0}}, "max_runs of [automation] is a number above 0, not 0"),
        ({"automation": {"max_runs": "4"}}, "is a number above 0, not '4'"),
        ({"automation": {"batch": "soon"}}, "batch of [automation]"),
        ({"automation": {"slack": False}}, "slack of [automation]: False is no span of time"),
        ({"automation": 3}, "[automation] is a table"),
        ({"jobs": {"nightly": {"cron": "@daily"}}}, "[jobs.nightly] has no select"),
        ({"jobs": {"nightly": {"select": "a"}}}, "[jobs.nightly] has no cron"),
        ({"jobs": {"nightly": {"select": "a", "cron": "61 * * * *"}}}, "[jobs.nightly]:"),
        ({"jobs": {"nightly": {"select": "a", "cron": "@daily", "timezone": "Mars"}}}, "[jobs.nightly]:"),
        ({"jobs": {"nightly": {"select": "a", "cron": "@daily", "stale": "yes"}}}, "stale of [jobs.nightly] is true"),
        ({"jobs": {"nightly": 3}}, "[jobs] is made of tables"),
    ],
)
def test_what_cannot_be_is_an_error_that_names_the_place(tables: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError) as error:
        read_settings(tables, "assetry.toml")
    assert told in error.value.message
    assert error.value.where == "assetry.toml"


def test_a_near_name_is_offered() -> None:
    with pytest.raises(OptionError) as error:
        read_settings({"automation": {"max_run": 2}})
    assert "max_runs" in error.value.near


def test_a_near_time_zone_is_offered_with_an_example_of_its_own() -> None:
    with pytest.raises(OptionError) as error:
        read_settings({"jobs": {"nightly": {"select": "a", "cron": "@daily", "timezone": "Europe/Berlinn"}}})
    assert error.value.near[0] == "Europe/Berlin"
    assert (error.value.option, error.value.hint) == ("timezone", 'For example timezone = "Europe/Berlin".')


@pytest.mark.parametrize(("name", "value"), [("max_runs", 0), ("holds_after", "five"), ("surge", -1)])
def test_what_is_no_number_has_an_example(name: str, value: Any) -> None:
    with pytest.raises(OptionError) as error:
        read_settings({"automation": {name: value}})
    assert str(error.value.hint).startswith(f"For example {name} = ")
