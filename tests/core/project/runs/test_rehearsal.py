"""A rehearsal begins with what records tell, and what is made in it is made in it alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from assetry import DailyPartitionsDefinition, DynamicPartitionsDefinition, Project, Rehearsal, asset
from assetry.plugin import AssetKey, ConflictError
from assetry.testing import Clock

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


def shop() -> Project:
    @asset(partitions_def=DynamicPartitionsDefinition("file"))
    def files() -> int:
        return 1

    @asset(partitions_def=DailyPartitionsDefinition("2026-01-01"))
    def days() -> int:
        return 1

    @asset
    def broken() -> int:
        raise ValueError("no")

    return Project(assets=[files, days, broken], store="sqlite::memory:", io="memory:")


def test_all_is_in_it_as_records_tell() -> None:
    with Clock(MONDAY) as clock, shop() as project:
        project.add_partitions("files", ["a", "b", "c"])
        project.drop_partitions("files", ["b"])
        project.materialize(["files"], partition="a")
        project.materialize(["days"], partition="2026-01-01..2026-01-03")
        project.materialize(["broken"])
        rehearsal = Rehearsal(project, clock.now)
        assert rehearsal.project.judge(clock.now).statuses == project.judge(clock.now).statuses
        assert rehearsal.project.store.durations() == project.store.durations()
        later = clock.now + timedelta(days=2)
        rehearsal.now = later
        assert rehearsal.project.status() == project.status(now=later)


def test_what_is_made_in_it_is_made_by_its_clock_and_in_it_alone() -> None:
    with Clock(MONDAY), shop() as project:
        rehearsal = Rehearsal(project, MONDAY)
        plan = rehearsal.project.plan("days", partition="all")
        run = rehearsal.begin(plan)
        with pytest.raises(ConflictError, match="rehearsed-1"):
            rehearsal.begin(plan)
        [planned] = plan.invocations
        run.start(planned)
        assert rehearsal.project.status_of("days").status == "running"
        rehearsal.now += timedelta(minutes=5)
        run.make(planned)
        run.finish()
        made = rehearsal.project.status_of("days")
        assert (made.status, made.last_materialized) == ("fresh", MONDAY + timedelta(minutes=5))
        assert project.status_of("days").status == "never"
        assert project.store.runs() == []
        rehearsal.see(AssetKey("broken"), "2")
        assert rehearsal.project.status_of("broken").last_materialized == rehearsal.now


def test_what_invocations_use_of_pools_is_had_by_so_many_at_a_time() -> None:
    @asset(pool="warehouse", weight=2)
    def large() -> int:
        return 1

    @asset(pool="warehouse")
    def small() -> int:
        return 1

    @asset(pool="warehouse")
    def other() -> int:
        return 1

    assets, pools = [large, small, other], {"warehouse": 2}
    with Project(assets=assets, store="sqlite::memory:", io="memory:", pools=pools) as project:
        rehearsal = Rehearsal(project, MONDAY)
        first, second = (rehearsal.begin(rehearsal.project.plan(each)) for each in ("small", ["large", "other"]))
        (a,), both = (each.plan.invocations for each in (first, second))
        b, c = sorted(both, key=lambda each: each.invocation.assets[0].key)
        assert (first.start(a), second.start(b), second.start(c)) == (True, False, False), "what waits has its turn"
        first.make(a)
        assert (second.start(c), second.start(b)) == (False, True)
        second.make(b)
        assert second.start(c)
        assert rehearsal.project.status_of("other").status == "running"
        assert project.store.slots() == ()
