"""Early cutoff on real tools: what comes out as before runs nothing below it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from assetry import Project
from assetry.cli.program import Program
from assetry.types.events import InvocationStarted, Skipped
from assetry.types.records import EventRecord
from click.testing import CliRunner

from tests.core.run.tracking.told import each_told
from tests.e2e.test_dbt_and_python import dbt_project, source, write

ASSETS = """
import pandas as pd
from assetry import DailyPartitionsDefinition, asset

RATES = {rates}

@asset
def rates() -> pd.DataFrame:
    return pd.DataFrame({{"currency": list(RATES), "rate": list(RATES.values())}})

@asset
def usual(rates: pd.DataFrame) -> pd.DataFrame:
    return rates[rates["currency"] == "EUR"]

@asset
def report(usual: pd.DataFrame) -> pd.DataFrame:
    return usual.assign(doubled=usual["rate"] * 2)
"""

DAYS = """
import pandas as pd
from assetry import DailyPartitionsDefinition, asset

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")
ODD = {odd!r}

@asset(partitions_def=DAYS)
def events(context) -> pd.DataFrame:
    day = context.partition
    return pd.DataFrame({{"day": [day], "clicks": [7 if day == ODD else 1]}})

@asset(partitions_def=DAYS)
def daily(events: pd.DataFrame) -> pd.DataFrame:
    return events.assign(more=events["clicks"] + 1)
"""

TOML = 'io = "duckdb:shop.duckdb"\n'


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Project]]:
    opened: list[Project] = []

    def loaded(files: dict[str, str]) -> Project:
        for each in opened:
            each.close()
        opened.append(Project.load(write(tmp_path / "project", files)))
        return opened[-1]

    yield loaded
    for each in opened:
        each.close()


def ran(events: list[EventRecord], kind: str | None = None) -> list[str]:
    found = [each.event for each in events if isinstance(each.event, InvocationStarted)]
    return [str(key) for each in found if kind in (None, each.kind) for key in each.assets]


def cut(project: Project, events: list[EventRecord]) -> list[str]:
    told = each_told(project.graph, (each.event for each in events))
    found = [event for event in told if isinstance(event, Skipped) and event.unchanged]
    return [each.key if each.partition is None else f"{each.key}@{each.partition}" for each in found]


def test_a_middle_asset_that_comes_out_as_before_runs_nothing_below_it(
    load: Callable[[dict[str, str]], Project],
) -> None:
    first = load({"assetry.toml": TOML, "assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.9})})
    assert first.materialize().ok
    events: list[EventRecord] = []
    project = load({"assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.8})})
    assert project.materialize(stale=True, on_event=events.append).ok
    assert ran(events) == ["rates", "usual"]
    assert cut(project, events) == ["report"]
    assert {each.status for each in project.status()} == {"fresh"}


def test_dbt_is_not_called_when_what_python_made_for_it_is_as_before(
    load: Callable[[dict[str, str]], Project],
) -> None:
    models = {"prices": "select * from {{ source('py', 'usual') }}", "totals": "select * from {{ ref('prices') }}"}
    files = dbt_project("shop", models, sources=source("usual"))
    first = load({**files, "assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.9})})
    assert first.materialize().ok
    events: list[EventRecord] = []
    project = load({"assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.8})})
    plan = project.plan(stale=True)
    assert plan.count == 1
    assert project.run(plan, on_event=events.append).ok
    assert ran(events, "dbt") == []
    assert sorted(cut(project, events)) == ["report", "shop/prices", "shop/totals"]
    assert not project.plan(stale=True).invocations
    changed = load({"assets.py": ASSETS.format(rates={"EUR": 1.5})})
    events.clear()
    assert changed.materialize(stale=True, on_event=events.append).ok
    assert sorted(ran(events, "dbt")) == ["shop/prices", "shop/totals"]


def test_one_day_of_ten_that_changes_makes_just_what_reads_it(load: Callable[[dict[str, str]], Project]) -> None:
    first = load({"assetry.toml": TOML, "assets.py": DAYS.format(odd="")})
    assert first.materialize(partition="all").ok
    events: list[EventRecord] = []
    project = load({"assets.py": DAYS.format(odd="2026-01-04")})
    result = project.materialize(stale=True, on_event=events.append)
    assert result.ok
    assert len(cut(project, events)) == 9
    assert "daily@2026-01-04" not in cut(project, events)
    assert result.counts["materialized"] == 11
    assert {each.status for each in project.status()} == {"fresh"}


def test_the_command_line_tells_of_it(load: Callable[[dict[str, str]], Project], tmp_path: Path) -> None:
    load({"assetry.toml": TOML, "assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.9})}).materialize()
    load({"assets.py": ASSETS.format(rates={"EUR": 1.0, "USD": 0.8})}).close()

    def said(*arguments: str) -> str:
        found = CliRunner().invoke(Program(), ["-C", str(tmp_path / "project"), *arguments])
        assert found.exit_code == 0, found.output
        return found.stdout

    assert "(cut if usual comes out as before)" in said("plan", "--stale")
    planned = json.loads(said("plan", "--stale", "--output", "json"))["invocations"]
    assert [each["may_be_cut"] for each in planned] == [[], ["usual"], ["report"]]
    assert planned[2]["cut_by"] == {"report": ["usual"]}
    lines = [json.loads(line) for line in said("materialize", "--stale", "--output", "ndjson").splitlines()]
    (skipped,) = [line for line in lines if line["event"] == "skipped"]
    assert skipped["asset"] == "report"
    assert skipped["unchanged"] is True
    assert skipped["because"] == "unchanged: `usual` came out as before"
    assert lines[-1]["counts"] == {"materialized": 2, "unchanged": 1}
    assert "up to date" in said("plan", "--stale")
