"""How assets are, where their data is to be newer than a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import FreshnessPolicy, Project, asset

NEVER = timedelta(microseconds=1)


@pytest.fixture
def project() -> Any:
    @asset
    def raw() -> int:
        return 1

    @asset
    def other() -> int:
        return 2

    @asset
    def report(raw: int) -> int:
        return raw

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=timedelta(hours=1)))
    def board(report: int, other: int) -> int:
        return report + other

    with Project(assets=[raw, other, report, board], store="sqlite::memory:", io="memory:") as found:
        found.materialize().checked()
        yield found


def due(project: Project, **newer_than: datetime) -> list[str]:
    keys = {project.graph.find(key): at for key, at in newer_than.items()}
    return [str(each.key) for each in project.judge(newer_than=keys).statuses if each.status != "fresh"]


def test_what_has_to_be_made_anew_for_newer_data_is_out_of_date(project: Project) -> None:
    now = datetime.now(UTC)
    assert due(project) == []
    assert due(project, report=now) == ["raw", "report", "board"]
    assert sorted(due(project, report=now, other=now)) == ["board", "other", "raw", "report"]
    made = project.status_of("raw").last_materialized
    assert made is not None
    assert due(project, report=made - timedelta(minutes=1)) == []
    (reason,) = project.judge(newer_than={project.graph.find("report"): now}).statuses[0].reasons
    assert reason.code == "overdue"
    assert reason.text.startswith("data of `report` is to be as of ")


def test_a_freshness_tells_how_new_data_is_to_be_at_its_deadline(project: Project) -> None:
    fresh = project.status_of("board").freshness
    assert fresh is not None
    assert (fresh.state, fresh.since) == ("met", fresh.data_time + NEVER)  # type: ignore[operator]
    assert fresh.deadline == fresh.data_time + timedelta(hours=1)  # type: ignore[operator]
    assert fresh.way >= timedelta(0)


def test_what_is_due_of_wants_is_planned_and_made_and_nothing_else(project: Project) -> None:
    keys = {name: project.graph.find(name) for name in ("raw", "other", "report", "board")}
    assert not project.plan_due(dict.fromkeys(keys.values())).wants
    newer = {keys["report"]: datetime.now(UTC)}
    plan = project.plan_due({keys["raw"]: None, keys["other"]: None}, newer_than=newer)
    assert list(plan.wants) == ["raw"]
    assert project.run(plan).ok
    assert list(project.plan_due(dict.fromkeys(keys.values())).wants) == []  # it came out as before
    assert due(project, report=newer[keys["report"]]) == []


def test_a_plan_says_what_stays_out_of_date_because_of_what_is_not_selected() -> None:
    @asset
    def raw() -> int:
        return 1

    @asset
    def report(raw: int) -> int:
        return raw

    with Project(assets=[raw, report], store="sqlite::memory:", io="memory:") as found:
        told = "Still out of date afterwards, since `raw` is, which is not selected: report; -s +report makes it, too"
        assert told in found.plan("report", stale=True).notes
        assert told not in found.plan("report").notes
        assert not [each for each in found.plan("+report", stale=True).notes if each.startswith("Still")]
