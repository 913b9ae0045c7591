"""What grows by appending: which partitions its new rows concern, and which wait for more of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.status.freshness.growth import appending
from assetry.status.staleness import stale_keys
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey

from tests.core.status.partitions.test_judge import World, judged, table

MIDNIGHT = datetime(2026, 2, 3, tzinfo=UTC)
OPEN_DAYS = DailyPartitionsDefinition("2026-01-31")


def growing_days(*more: Asset, grows: str = "append", **given: Any) -> World:
    """Return a world in which a sync grows, and each day is made of its rows of that day."""
    sync = table("sync", grows=grows, incremental=True)
    assets = [sync, replace(table("daily", "sync", partitions_def=OPEN_DAYS), **given), *more]
    world = World({str(each.key): each for each in assets}, MIDNIGHT - timedelta(minutes=30))
    world.make("sync", None, "v1")  # as of 23:30
    for day in ("2026-01-31", "2026-02-01"):
        world.make("daily", day, day)
    return world


def parts_of(world: World, key: str) -> dict[str, str]:
    judged(world)
    (found,) = (each.partitions for each in world.judgement.statuses if each.key == key)
    assert found is not None
    return {name: found.text(name) for name in ("fresh", "stale", "missing", "waiting") if found.sets(name)}


def test_a_sync_that_appends_leaves_the_days_alone_that_it_had_reached_the_end_of() -> None:
    for grows, word in (("append", "fresh"), ("replace", "stale")):
        world = growing_days(grows=grows)
        world.make("sync", None, "v2")
        assert parts_of(world, "daily") == {word: "2026-01-31..2026-02-01"}


def test_a_day_waits_for_a_sync_that_began_when_it_was_over() -> None:
    world = growing_days()
    world.now = MIDNIGHT + timedelta(minutes=5)
    days = {"fresh": "2026-01-31..2026-02-01", "missing": "2026-02-02"}
    assert parts_of(world, "daily") == {**days, "waiting": "2026-02-02"}
    assert stale_keys(world.judgement.statuses) == ()
    world.make("sync", None, "v2")
    assert parts_of(world, "daily") == days
    assert stale_keys(world.judgement.statuses) == ("daily",)
    world.make("daily", "2026-02-02", "d")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-02"}


def test_a_day_that_was_made_too_early_is_due_again_when_the_sync_has_passed_its_end() -> None:
    world = growing_days()
    world.now = MIDNIGHT + timedelta(minutes=5)
    world.make("daily", "2026-02-02", "too early")  # from the sync of 23:30: rows of half an hour are missing
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-02"}
    world.make("sync", None, "v2")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-01", "stale": "2026-02-02"}


def test_a_sync_that_moved_nothing_says_that_nothing_is_missing() -> None:
    world = growing_days()
    world.now = MIDNIGHT + timedelta(minutes=5)
    world.make("daily", "2026-02-02", "too early, as it seems")
    world.make("sync", None, "v1")  # of 00:06, and as before
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-02"}
    assert world.judgement.data_times[AssetKey("daily")] == MIDNIGHT + timedelta(minutes=6)


def test_what_is_made_from_a_day_that_waits_waits_with_it_or_is_as_it_would_be() -> None:
    monthly = table("monthly", "daily")
    copied = table("copied", "daily", partitions_def=OPEN_DAYS)
    world = growing_days(monthly, copied)
    world.make("monthly", None, "m")
    for day in ("2026-01-31", "2026-02-01"):
        world.make("copied", day, day)
    world.now = MIDNIGHT + timedelta(minutes=5)
    assert parts_of(world, "copied")["waiting"] == "2026-02-02"
    assert stale_keys(world.judgement.statuses) == ()
    world.make("daily", "2026-02-02", "too early")
    for key, part in (("copied", "2026-02-02"), ("monthly", None)):
        world.make(key, part, "x")
    world.look("sync", 1)
    assert stale_keys(world.judgement.statuses) == ()


def test_a_day_out_of_date_by_rows_that_came_waits_for_the_rest_and_nothing_is_out_of_date_from_it() -> None:
    copied = table("copied", "daily", partitions_def=OPEN_DAYS)
    world = growing_days(copied)
    world.now = MIDNIGHT - timedelta(minutes=20)
    world.change("daily", partitions_def=replace(OPEN_DAYS, end_offset=1))
    world.make("daily", "2026-02-02", "half a day")
    world.change("daily", partitions_def=OPEN_DAYS)
    world.make("sync", None, "v2")  # as of 23:41
    world.now = MIDNIGHT + timedelta(minutes=5)
    for day in ("2026-01-31", "2026-02-01", "2026-02-02"):
        world.make("copied", day, day)
    assert parts_of(world, "daily") == {
        "fresh": "2026-01-31..2026-02-01",
        "stale": "2026-02-02",
        "waiting": "2026-02-02",
    }
    assert parts_of(world, "copied") == {"fresh": "2026-01-31..2026-02-02"}


def test_a_full_refresh_makes_every_day_out_of_date() -> None:
    world = growing_days()
    world.make("sync", None, "v2", refreshed=True)
    assert parts_of(world, "daily") == {"stale": "2026-01-31..2026-02-01"}
    world.make("daily", "2026-01-31", "again")
    world.make("sync", None, "v3")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31", "stale": "2026-02-01"}


def test_what_comes_from_partitions_of_which_none_was_made_yet_will_be_new_whatever_went_wrong() -> None:
    chain = [Dep(AssetKey("balance"), TimeWindowPartitionMapping(-1, -1))]
    balance = replace(table("balance", partitions_def=OPEN_DAYS), deps=chain)
    world = growing_days(balance)
    world.change("sync", deps=[Dep(AssetKey("balance"))], incremental=False)
    del world.latest[AssetKey("sync"), None]
    world.log = [each for each in world.log if each.key != "sync"]
    world.tried("balance", "2026-01-31", "failed")
    assert parts_of(world, "daily") == {"stale": "2026-01-31..2026-02-01"}


def test_who_reads_all_of_what_grows_is_out_of_date_with_every_row() -> None:
    world = growing_days()
    world.change("daily", deps=[Dep(AssetKey("sync"), "all")])
    world.make("sync", None, "v2")
    assert parts_of(world, "daily") == {"stale": "2026-01-31..2026-02-01"}


def test_late_rows_are_waited_for_and_a_slow_table_beside_them_holds_nothing_up() -> None:
    late = replace(OPEN_DAYS, late=timedelta(hours=2))
    world = growing_days(table("names"), partitions_def=late, deps=(Dep(AssetKey("sync")), Dep(AssetKey("names"))))
    world.make("names", None, "n")
    world.now = MIDNIGHT + timedelta(hours=1)
    world.make("sync", None, "v2")
    for day in ("2026-01-31", "2026-02-01", "2026-02-02"):
        world.make("daily", day, f"{day}b")
    world.make("sync", None, "v3")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-01", "stale": "2026-02-02"}
    world.now = MIDNIGHT + timedelta(hours=2, minutes=1)
    world.make("sync", None, "v4")
    world.make("daily", "2026-02-02", "c")
    world.make("sync", None, "v5")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-02"}


def test_a_view_grows_where_all_that_it_reads_does() -> None:
    raw, other = table("raw", grows="append"), table("other")
    views = [
        replace(table(key, *deps), computed_on_read=True, grows=grows)
        for key, deps, grows in (
            ("inherits", ("raw",), "replace"),
            ("of_both", ("raw", "other"), "replace"),
            ("says_so", ("raw", "other"), "append"),
            ("of_a_view", ("inherits", "says_so"), "replace"),
            ("of_nothing", (), "replace"),
        )
    ]
    graph = AssetGraph.of([raw, other, *views, table("copy", "raw")])
    assert appending(graph) == {"raw", "inherits", "says_so", "of_a_view"}


def test_a_view_whose_code_changes_makes_every_day_out_of_date() -> None:
    view = replace(table("view", "sync"), computed_on_read=True)
    world = growing_days(view, deps=(Dep(AssetKey("view")),))
    world.make("view", None, "w")
    for day in ("2026-01-31", "2026-02-01"):
        world.make("daily", day, f"{day}b")
    world.make("sync", None, "v2")
    assert parts_of(world, "daily") == {"fresh": "2026-01-31..2026-02-01"}
    world.change("view", code_version="2")
    assert parts_of(world, "daily") == {"stale": "2026-01-31..2026-02-01"}
    world.make("view", None, "w2")
    assert parts_of(world, "daily") == {"stale": "2026-01-31..2026-02-01"}


def test_a_view_that_was_never_made_shows_what_was_made_anew_behind_it() -> None:
    kept = table("kept", grows="append", incremental=False)
    view = replace(table("view", "kept"), computed_on_read=True, grows="append")
    assets = [kept, view, table("daily", "view", partitions_def=OPEN_DAYS)]
    world = World({str(each.key): each for each in assets}, MIDNIGHT - timedelta(minutes=30))
    world.make("daily", "2026-01-31", "d")  # of a table that was there before there were records
    world.make("kept", None, "v1")
    assert parts_of(world, "daily")["stale"] == "2026-01-31"
    world.make("view", None, "w")
    assert parts_of(world, "daily")["stale"] == "2026-01-31"
    world.make("daily", "2026-01-31", "d")
    assert "stale" not in parts_of(world, "daily")
