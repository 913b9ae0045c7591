"""What would happen in days to come is what happens then, and nothing of the project changes by asking."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import DailyPartitionsDefinition, FreshnessPolicy, HourlyPartitionsDefinition, Project, asset
from assetry.automation import eager, on_cron
from assetry.plugin import Asset, Observed
from assetry.testing import Clock, ProjectFolder
from assetry_automation import Simulation, simulate
from assetry_automation.decision.memory import Memory
from assetry_automation.looking import look
from assetry_automation.simulation.pictures import svg, text_picture, told

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def shop(*assets: Any) -> Project:
    return Project(assets=assets, store="sqlite::memory:", io="memory:")


def teams() -> list[Any]:
    """Return two teams on one core asset: one wants data of the hour, the other one of half a day."""

    @asset
    def raw() -> int:
        return 1

    @asset
    def core(raw: int) -> int:
        return raw

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
    def hourly(core: int) -> int:
        return core

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=12 * HOUR))
    def halfdaily(core: int) -> int:
        return core

    return [raw, core, hourly, halfdaily]


def times(found: Simulation, key: str) -> list[datetime]:
    return [each.began for each in found.invocations if key in each.keys]


def test_two_teams_share_what_both_need_and_no_deadline_is_missed() -> None:
    with shop(*teams()) as project:
        found = simulate(project, MONDAY, MONDAY + 2 * DAY, assumed=2 * MINUTE)
        assert not found.missed
        hourly, halfdaily = times(found, "hourly"), times(found, "halfdaily")
        assert 48 <= len(hourly) <= 48 * 1.2, "hardly more often than each hour"
        assert len(times(found, "core")) == len(hourly), "nothing is made for the other team alone"
        assert 4 <= len(halfdaily) < 10
        assert len(found.invocations) < found.crons.invocations
        assert project.store.runs() == []
        assert not project.store.latest()
        assert not project.store.documents("automation"), "nothing of it is remembered"


def test_deadlines_that_cannot_be_met_are_told_with_when_they_were() -> None:
    with shop(*teams()) as project:
        found = simulate(project, MONDAY, MONDAY + DAY, assumed=30 * MINUTE)
        assert {str(each.key) for each in found.missed} == {"hourly"}
        first = found.missed[0]
        assert first.met is not None
        assert first.met > first.deadline
        assert any("missed: hourly" in line for line in told(found))


def test_what_is_simulated_is_what_happens() -> None:
    """The real thing, by a clock that each function lets go on for as long as it takes."""
    with Clock(MONDAY, stopped=True) as clock:
        began: list[tuple[str, datetime]] = []

        def made(name: str, deps: list[str], **options: Any) -> Any:
            @asset(key=name, deps=deps, **options)
            def each() -> str:
                began.append((name, clock.now))
                return str(clock.advance(3 * MINUTE))

            return each

        fresh = FreshnessPolicy(maximum_lag=2 * HOUR)
        chain = [made("raw", []), made("mart", ["raw"]), made("dash", ["mart"], freshness_policy=fresh)]
        with shop(*chain) as project:
            found = simulate(project, MONDAY, MONDAY + DAY, assumed=3 * MINUTE)
            memory = Memory()
            while clock.now <= MONDAY + DAY:
                decision = look(project, memory, clock.now)
                memory = decision.memory
                if decision.wave is not None:
                    memory = decision.started
                    project.run(project.plan_due(decision.wave.wants, newer_than=decision.wave.newer_than))
                else:
                    assert decision.wake is not None
                    clock.set(decision.wake)
            assert [(str(each.keys[0]), each.began) for each in found.invocations] == began


def test_a_day_on_hours_is_made_once_and_a_job_and_a_clock_when_they_tick() -> None:
    hours, days = HourlyPartitionsDefinition("2026-01-04-00:00"), DailyPartitionsDefinition("2026-01-04")

    @asset(partitions_def=hours, automation=eager())
    def hour() -> int:
        return 1

    @asset(partitions_def=days, deps=["hour"], automation=eager())
    def day() -> int:
        return 1

    @asset(automation=on_cron("0 6 * * *"))
    def report() -> int:
        return 1

    @asset
    def extra() -> int:
        return 1

    with shop(hour, day, report, extra) as project:
        tables = {"jobs": {"nightly": {"select": "extra", "cron": "30 2 * * *", "stale": False}}}
        project.settings = replace(project.settings, tables=tables)
        found = simulate(project, MONDAY, MONDAY + 3 * DAY, assumed=timedelta(seconds=5))
        made = Counter({str(each.keys[0]): 0 for each in found.invocations})
        for each in found.invocations:
            made[str(each.keys[0])] += max(each.partitions, 1)
        assert made["hour"] == 3 * 24, "each hour once, of those that ended since there was a policy"
        assert made["day"] == 2, "each day once that has all of its hours"
        assert times(found, "report") == [MONDAY + n * DAY + 6 * HOUR for n in range(3)]
        assert times(found, "extra") == [MONDAY + n * DAY + 150 * MINUTE for n in range(3)]
        assert found.crons.starts == 6
        assert "extra" in "\n".join(text_picture(found))


def test_no_more_is_made_of_a_pool_at_a_time_than_it_has_room_for() -> None:
    def of_warehouse(name: str) -> Any:
        @asset(key=name, pool="warehouse", automation=on_cron("0 6 * * *"))
        def made() -> int:
            return 1

        return made

    assets, pools = [*map(of_warehouse, "abc")], {"warehouse": 2}
    with Project(assets=assets, store="sqlite::memory:", io="memory:", pools=pools) as project:
        found = simulate(project, MONDAY, MONDAY + DAY, assumed=10 * MINUTE)
    six = MONDAY + 6 * HOUR
    assert [each.began for each in found.invocations] == [six, six, six + 10 * MINUTE]


def test_new_data_comes_at_the_pace_of_the_records_or_as_it_is_told() -> None:
    source = Asset(key="landed", kind="file", executable=False)

    @asset(deps=["landed"], automation=eager())
    def below() -> int:
        return 1

    with shop(source, below) as project:
        found = simulate(project, MONDAY, MONDAY + DAY, arrivals=6 * HOUR)
        first, *later = times(found, "below")
        assert first == MONDAY
        assert later == [MONDAY + n * 6 * HOUR for n in (1, 2, 3, 4)]
        assert any("landed has new data each 6 h" in line for line in told(found))
        assert len(times(simulate(project, MONDAY, MONDAY + DAY), "below")) == 1, "no record tells of any"


def test_what_was_seen_of_several_partitions_in_one_look_came_once() -> None:
    source = Asset(key="landed", kind="file", executable=False, partitions_def=DailyPartitionsDefinition("2026-01-01"))
    with shop(source) as project, Clock(MONDAY) as clock:
        for version in ("v1", "v2", "v3"):
            days = [Observed("landed", f"2026-01-0{day}", version) for day in (1, 2, 3)]
            project.record_observed(days)
            clock.advance(4 * HOUR)
        looks = list[datetime]()
        found = simulate(project, MONDAY + DAY, MONDAY + 2 * DAY, on_look=looks.append)
        assert len(looks) < 20
        (comes,) = found.assumptions.arrivals.values()
        assert abs(comes - 4 * HOUR) < MINUTE


ASSETS = """
from datetime import timedelta
from assetry import FreshnessPolicy, asset

@asset
def raw() -> int:
    raise AssertionError("nothing is run")

@asset(freshness_policy=FreshnessPolicy(maximum_lag=timedelta(hours=3)))
def dash(raw: int) -> int:
    return raw
"""


def test_the_command_tells_draws_and_answers_in_json(project: Callable[..., ProjectFolder]) -> None:
    folder = project({"assetry.toml": "", "assets.py": ASSETS})
    period = "2026-01-05..+1d"
    out = folder.run("daemon", "--simulate", period, "--assume", "5m", "--picture", str(folder.root / "week.svg"))
    assert out.code == 0, out.err
    assert "Mon 2026-01-05 00:00     5 min  raw  (never materialized)" in out.out
    assert "No deadline is missed." in out.out
    assert "1 cron schedule for data as new" in out.out
    root = ET.parse(folder.root / "week.svg").getroot()
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") == "run"]
    told = folder.run("daemon", "--simulate", period, "--assume", "5m", "--output", "json").data
    assert len(bars) == len(told["invocations"])
    assert told["invocations"][0]["assets"] == ["raw"]
    assert told["missed"] == []
    assert told["crons"]["schedules"] == 1
    late = folder.run("daemon", "--simulate", period, "--assume", "2h")
    assert late.code == 1
    assert "missed: dash was to have newer data by" in late.out
    assert not folder.run("runs", "--output", "json").data["runs"]


@pytest.mark.parametrize(
    ("period", "told"),
    [("soon", "no period"), ("2026-01-05..soon", "no moment"), ("now..2020-01-01", "ends before it begins")],
)
def test_a_period_that_is_none_is_told(project: Callable[..., ProjectFolder], period: str, told: str) -> None:
    folder = project({"assetry.toml": "", "assets.py": ASSETS})
    out = folder.run("daemon", "--simulate", period)
    assert out.code == 2
    assert told in out.err
    assert "now..+7d" in out.err


def test_a_picture_tells_of_missed_deadlines() -> None:
    with shop(*teams()) as project:
        found = simulate(project, MONDAY, MONDAY + DAY, assumed=30 * MINUTE)
        root = ET.fromstring(svg(found))
        marks = [each for each in root.iter("{http://www.w3.org/2000/svg}path") if each.get("class") == "missed"]
        assert len(marks) == len(found.missed) > 0
        assert any("!" in line for line in text_picture(found))
