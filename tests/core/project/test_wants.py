"""What is wanted of assets with partitions: those named, those due, else the last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from assetry import (
    AssetContext,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    asset,
)
from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING
from assetry.partitions.text import read_parts
from assetry.project.ask import Ask
from assetry.project.wants import wanted
from assetry.status.partitions.sets import PartitionSets
from assetry.status.reasons import Reason
from assetry.status.staleness import Status
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey


@asset(partitions_def=DailyPartitionsDefinition("2026-01-01", "2026-03-01"))
def days(context: AssetContext) -> str | None:
    return context.partition


@asset(partitions_def=MonthlyPartitionsDefinition("2026-01-01", "2026-03-01"), deps=["days"])
def months(context: AssetContext) -> str | None:
    return context.partition


@asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
def regions(context: AssetContext) -> str | None:
    return context.partition


@asset(partitions_def=DynamicPartitionsDefinition("file"))
def files(context: AssetContext) -> str | None:
    return context.partition


@asset
def plain() -> int:
    return 1


def parts(project: Project, select: str, **ask: Any) -> dict[str, tuple[str, ...]]:
    plan = project.plan(select, **ask)
    return {str(made.key): each.invocation.partitions for each in plan.invocations for made in each.invocation.assets}


@pytest.fixture
def project() -> Any:
    with Project([days, months, regions, files, plain], store="sqlite::memory:", io="memory:") as made:
        yield made


def test_a_range_of_time_means_the_windows_of_each_grid(project: Project) -> None:
    found = parts(project, "days months", partition="2026-01-30..2026-02-02")
    assert found["days"] == ("2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02")
    assert found["months"] == ("2026-01-01", "2026-02-01")


def test_keys_of_two_kinds_go_each_to_what_has_them(project: Project) -> None:
    found = parts(project, "days regions plain", partition=["2026-01-05", "eu"])
    assert found == {"days": ("2026-01-05",), "regions": ("eu",), "plain": ()}
    assert parts(project, "days regions", partition="2026-01-05, eu")["regions"] == ("eu",)


def test_what_gets_none_is_named_with_what_was_meant(project: Project) -> None:
    with pytest.raises(UsageError, match="names no partition of `regions`"):
        project.plan("days regions", partition="2026-01-05")
    with pytest.raises(UsageError) as caught:
        project.plan("days", partition="2026-1-5")
    assert "2026-01-05" in caught.value.near
    with pytest.raises(UsageError, match="nothing that is selected has partitions"):
        project.plan("plain", partition="last")


def test_a_key_that_comes_into_being_is_made_and_known_from_then_on(project: Project) -> None:
    with pytest.raises(UsageError, match="no partition yet"):
        project.plan("files")
    assert "files has no partition yet" in project.plan("files plain").notes[0]
    assert project.materialize("files", partition="a.csv").ok
    assert parts(project, "files") == {"files": ("a.csv",)}
    assert project.materialize("files regions", partition=["b.csv", "eu"]).ok
    assert parts(project, "files", partition="all") == {"files": ("a.csv", "b.csv")}, "eu is one of the regions"


def test_stale_makes_what_is_missing_and_no_more(project: Project) -> None:
    project.materialize("regions plain", partition="us")
    assert parts(project, "regions plain", stale=True) == {"regions": ("eu",)}
    assert parts(project, "regions", partition="missing") == {"regions": ("eu",)}
    assert parts(project, "regions", partition="us", stale=True) == {}
    project.materialize("regions", stale=True)
    assert project.plan("regions plain", stale=True).invocations == ()


def test_a_run_keeps_what_it_wants_and_a_retry_the_rest_of_it() -> None:
    bad = {"2026-01-02"}
    made: list[tuple[str, str | None]] = []

    @asset(partitions_def=DailyPartitionsDefinition("2026-01-01", "2026-01-05"))
    def one(context: AssetContext) -> str | None:
        if context.partition in bad:
            raise ValueError("a bad day")
        made.append(("one", context.partition))
        return context.partition

    @asset(partitions_def=DailyPartitionsDefinition("2026-01-01", "2026-01-05"))
    def two(context: AssetContext, one: str) -> str:
        made.append(("two", context.partition))
        return one

    with Project([one, two], store="sqlite::memory:", io="memory:") as project:
        result = project.materialize(partition="2026-01-01..2026-01-03")
        assert result.run.options["wants"] == {key: [["2026-01-01", "2026-01-03"]] for key in ("one", "two")}
        assert {part for (key, part), each in result.outcomes.items() if each.outcome == "skipped"} == bad
        bad.clear()
        made.clear()
        assert project.retry().ok
        assert made == [("one", "2026-01-02"), ("two", "2026-01-02")]


def test_what_a_full_refresh_does_not_make_anew_is_told() -> None:
    assets = [Asset(key=f"a{i}", kind="x", refreshable=i == 7, executable=i != 6) for i in range(8)]
    with Project(assets, store="sqlite::memory:", io="memory:") as project:
        told = "Not made anew by a full refresh: a0, a1, a2, a3, a4 and 1 more"
        assert project.plan(full_refresh=True).notes == (told,)
        assert project.plan("a6 a7", full_refresh=True).notes == project.plan().notes == ()


# -- what is made where nothing is asked for -----------------------------------------------------------------------

NOW = datetime(2026, 1, 11, 12, tzinfo=UTC)
BACK = DailyPartitionsDefinition("2026-01-01", lookback=2, end_offset=1)


def status(definition: Any, made: str = "", whole: bool = False, gone: str = "") -> Status:
    existing = definition.existing(NOW)
    there = read_parts(made, definition, NOW) if made else NOTHING
    lost = read_parts(gone, definition, NOW) if gone else NOTHING
    sets = PartitionSets(
        definition, existing, there, fresh=there - lost, stale=lost, missing=existing - there, whole=whole
    )
    reasons = (Reason("gone", AssetKey("a"), "its table is gone", lost),) if gone else ()
    return Status(AssetKey("a"), "stale", reasons, partitions=sets)


def asked(found: Status, *, incremental: bool = True, refreshable: bool = True, **ask: Any) -> tuple[str, str]:
    """Return what is wanted of one asset, and the note of it."""
    assert found.partitions is not None
    definition = found.partitions.definition
    made = Asset(
        key="a", kind="x", partitions_def=definition, incremental=incremental, refreshable=refreshable
    )  # fmt: skip
    result = wanted(AssetGraph.of([made]), [made.key], Ask(**ask), [found], NOW)
    parts = result.wants.get(made.key)
    return definition.text_of(parts) if parts else "", "".join(result.notes)


def test_lookback_says_how_many_are_made_when_none_are_asked_for() -> None:
    parts, note = asked(status(BACK, "all"))
    assert parts == "2026-01-09..2026-01-11"
    assert "a 2026-01-09..2026-01-11 (its lookback is 2)" in note
    assert asked(status(DailyPartitionsDefinition("2026-01-01"), "all"))[0] == "2026-01-10"
    assert asked(status(BACK, "all"), incremental=False)[0] == "2026-01-09..2026-01-11"


def test_what_a_tool_adds_to_is_made_from_the_beginning_the_first_time() -> None:
    parts, note = asked(status(BACK))
    assert parts == "2026-01-01..2026-01-11"
    assert "(it was never made)" in note
    assert asked(status(BACK), incremental=False)[0] == "2026-01-09..2026-01-11", "of others it is the last ones"
    assert asked(status(BACK, whole=True))[0] == "2026-01-09..2026-01-11", "its table is there"


def test_partitions_that_are_gone_with_their_table_are_made_again() -> None:
    found = status(BACK, "2026-01-03..", gone="2026-01-03..")
    parts, note = asked(found)
    assert parts == "2026-01-03..2026-01-11"
    assert "(its table is gone)" in note
    assert asked(found, stale=True)[0] == "2026-01-01..2026-01-11"
    with pytest.raises(UsageError, match=r"The table is gone of a, and .* new one: 2026-01-03, 2026-01-05\.\."):
        asked(found, partition="2026-01-04")
    assert asked(found, partition="2026-01-04", incremental=False)[0] == "2026-01-04"


def test_a_full_refresh_makes_all_partitions_or_none() -> None:
    found = status(BACK, "2026-01-02..")
    assert asked(found, full_refresh=True)[0] == "2026-01-01..2026-01-11"
    assert asked(found, full_refresh=True, stale=True)[0] == "2026-01-01..2026-01-11"
    assert asked(status(BACK, "all"), full_refresh=True, stale=True)[0] == ""
    assert asked(found, full_refresh=True, partition="all")[0] == "2026-01-01..2026-01-11"
    with pytest.raises(UsageError, match=r"A full refresh makes the table of a anew, .* new one: 2026-01-01\.\."):
        asked(found, full_refresh=True, partition="last")
    assert asked(found, full_refresh=True, partition="last", refreshable=False)[0] == "2026-01-11"
    with pytest.raises(UsageError, match="has 87,684 partitions"):
        asked(status(HourlyPartitionsDefinition("2016-01-11")), full_refresh=True)
    assert asked(found, full_refresh=True, incremental=False, partition="last")[0] == "2026-01-11"
