"""Backfills carried out: what is made, in which order, how often, and what goes on after which end."""

from __future__ import annotations

import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assetry import (
    AssetContext,
    Backfill,
    DailyPartitionsDefinition,
    Dep,
    DynamicPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    WeeklyPartitionsDefinition,
    asset,
)
from assetry.errors import ConflictError, StoreError, UsageError
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.store.database import Database
from assetry.store.leases.processes import hostname
from assetry.types.leases import PRIORITIES, LeasedParts
from assetry.types.records import RunInfo

from tests.beside import InThread
from tests.beside import until as until_within

WAIT = 60
DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-07")
FEWER = DailyPartitionsDefinition("2026-01-03", end_date="2026-01-07")
ALL = [f"2026-01-0{day}" for day in range(1, 7)]


until = partial(until_within, seconds=WAIT)


def in_thread(work: Callable[[], Backfill]) -> InThread[Backfill]:
    return InThread(work, seconds=WAIT)


@dataclass
class Workshop:
    """What the assets of a test do: what was made in which order, what waits for a sign, and what fails how often."""

    root: Path
    made: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    broken: Counter[str] = field(default_factory=Counter)
    days: TimeWindowPartitionsDefinition = DAYS
    code: str = "1"
    projects: list[Project] = field(default_factory=list)
    #: How many were made at the same time, at most.
    most: int = 0
    _now: set[str] = field(default_factory=set)

    def work(self, name: str) -> int:
        self.begun.append(name)
        self._now.add(name)
        self.most = max(self.most, len(self._now))
        try:
            until(lambda: name not in self.held)
            if self.broken[name] > 0:
                self.broken[name] -= 1
                raise ValueError(f"no {name} today")
            self.made.append(name)
            return len(self.begun)  # another one each time
        finally:
            self._now.discard(name)

    def function(self, name: str, *deps: str | Dep, days: bool) -> Any:
        if days:

            @asset(key=name, deps=deps, partitions_def=self.days, code_version=self.code)
            def daily(context: AssetContext) -> int:
                return self.work(f"{name} {context.partition}")

            return daily

        @asset(key=name, deps=deps, code_version=self.code)
        def whole() -> int:
            return self.work(name)

        return whole

    def project(self, slots: int = 4, **graph: str) -> Project:
        """Return a project with these assets, each with what it is made from: with `*` it has days, `<` is its past."""
        assets = []
        for name, text in (graph or {"a": "*", "b": "a *"}).items():
            words = text.split()
            past = [Dep(name, partition_mapping=TimeWindowPartitionMapping(-1, -1))] if "<" in words else []
            deps = [word for word in words if word not in "*<"]
            assets.append(self.function(name, *deps, *past, days="*" in words))
        found = Project(assets, root=self.root, executor=f"threads:{slots}")
        self.projects.append(found)
        return found

    def begins(self, *names: str) -> None:
        until(lambda: set(self.begun) >= set(names))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.held.clear()
    for each in workshop.projects:
        each.close()


def counts(found: Backfill) -> tuple[int, ...]:
    return found.wanted, found.done, found.failed, found.blocked, found.left


def names(*keys: str, days: list[str] = ALL) -> list[str]:
    return [f"{key} {day}" for day in days for key in keys]


# -- what is made, and in which order --------------------------------------------------------------------------------


def test_all_that_is_asked_for_is_made_once(shop: Workshop) -> None:
    found = shop.project().backfill("*", "all")
    assert (found.state, found.ok, counts(found)) == ("done", True, (12, 12, 0, 0, 0))
    assert sorted(shop.made) == sorted(names("a", "b"))


def test_it_goes_through_all_assets_before_it_goes_on_in_time(shop: Workshop) -> None:
    shop.project().backfill("*", "all", max_partitions=1)
    assert shop.made == names("a", "b")


def test_the_newest_come_first_where_that_is_asked_for(shop: Workshop) -> None:
    shop.project().backfill("*", "all", max_partitions=1, newest_first=True)
    assert shop.made == names("a", "b", days=ALL[::-1])


def test_what_reads_its_own_past_goes_from_the_oldest_on_whatever_is_asked_for(shop: Workshop) -> None:
    found = shop.project(a="* <").backfill("*", "all", newest_first=True)
    assert found.ok
    assert shop.made == names("a")


def test_one_without_partitions_is_made_once_when_all_that_it_is_made_from_is(shop: Workshop) -> None:
    found = shop.project(a="*", c="a").backfill("*", "all", max_partitions=2)
    assert counts(found) == (7, 7, 0, 0, 0)
    assert shop.made[-1] == "c"
    assert shop.made.count("c") == 1


def test_no_more_are_made_side_by_side_than_was_asked_for(shop: Workshop) -> None:
    graph = dict.fromkeys("abcdef", "*")
    shop.project(6, **graph).backfill("*", "2026-01-01", at_once=2)
    assert shop.most <= 2
    assert len(shop.made) == 6


def test_what_is_there_already_is_left_where_only_what_is_missing_is_asked_for(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("a", partition=ALL[:2])
    shop.made.clear()
    found = project.backfill("*", "all", only="missing")
    assert counts(found) == (10, 10, 0, 0, 0)
    assert Counter(shop.made) == Counter(names("a", "b")) - Counter(names("a", days=ALL[:2]))


def test_what_is_up_to_date_is_left_where_only_what_is_stale_is_asked_for(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("*", partition=ALL)
    project.materialize("a", partition=ALL[:2])
    shop.made.clear()
    found = project.backfill("*", "all", only="stale")
    assert found.ok
    assert sorted(shop.made) == sorted(names("b", days=ALL[:2]))


def test_where_nothing_is_stale_nothing_is_made_and_a_key_that_there_is_not_is_still_a_mistake(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("*", partition=ALL)
    shop.made.clear()
    found = project.backfill("*", "all", only="stale")
    assert (found.state, found.wanted, shop.made) == ("done", 0, [])
    with pytest.raises(UsageError, match="2026-13-01"):
        project.backfill("*", "2026-13-01", only="stale")


def test_all_of_it_is_made_again_where_nothing_else_is_said(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("*", partition=ALL)
    assert project.backfill("*", "all").done == 12
    assert Counter(shop.made) == Counter(2 * names("a", "b"))


def test_nothing_is_made_where_nothing_is_missing(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("*", partition=ALL)
    shop.made.clear()
    found = project.backfill("*", "all", only="missing")
    assert (found.state, found.wanted) == ("done", 0)
    assert shop.made == []


def test_without_partitions_it_is_said_how_they_are_asked_for(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="Which partitions") as caught:
        shop.project().backfill("*", ())
    assert "-p all" in str(caught.value.hint)


# -- what is needed above --------------------------------------------------------------------------------------------


def test_what_it_is_made_from_has_to_be_there_or_to_be_made_too(shop: Workshop) -> None:
    project = shop.project()
    project.materialize("a", partition=ALL[:2])
    shop.made.clear()
    with pytest.raises(UsageError, match=r"b is made from a, which was never made for 2026-01-03") as caught:
        project.backfill("b", "2026-01-01..2026-01-03")
    assert (shop.made, project.backfills()) == ([], ()), "nothing was begun"
    assert "-s a" in str(caught.value.hint)
    assert "-s '+b'" in str(caught.value.hint)
    assert project.backfill("+b", "2026-01-01..2026-01-03", only="missing").ok
    assert project.backfill(["b", "a"], "2026-01-04", only="missing").ok
    assert sorted(shop.made) == sorted([*names("b", days=ALL[:4]), *names("a", days=ALL[2:4])])


def test_what_the_past_that_it_reads_was_never_made_for_is_asked_for(shop: Workshop) -> None:
    project = shop.project(a="* <")
    with pytest.raises(UsageError, match=r"a is made from a, which was never made for 2026-01-03"):
        project.backfill("a", "2026-01-04..2026-01-05")
    assert project.backfill("a", "2026-01-01..2026-01-05").ok


# -- what fails ------------------------------------------------------------------------------------------------------


def test_a_failure_stops_only_what_is_made_from_it(shop: Workshop) -> None:
    shop.broken["a 2026-01-03"] = 9
    found = shop.project(a="*", b="a *", c="b").backfill("*", "all", retries=0)
    assert (found.state, counts(found)) == ("failed", (13, 10, 1, 2, 0))
    assert found.failures == ("a [2026-01-03]: ValueError: no a 2026-01-03 today",)
    assert set(names("a", "b")) - set(shop.made) == {"a 2026-01-03", "b 2026-01-03"}


def test_what_fails_is_tried_again_as_often_as_was_asked_for(shop: Workshop) -> None:
    shop.broken.update({"a 2026-01-02": 2, "b 2026-01-05": 3})
    found = shop.project().backfill("*", "all", retries=2)
    assert (found.state, counts(found)) == ("failed", (12, 11, 1, 0, 0))
    assert shop.begun.count("a 2026-01-02") == 3
    assert shop.begun.count("b 2026-01-05") == 3
    assert Counter(shop.made).most_common(1)[0][1] == 1, "what was made is left"


def test_it_stops_after_so_many_failures(shop: Workshop) -> None:
    shop.broken.update(dict.fromkeys(names("a"), 9))
    found = shop.project().backfill("*", "all", retries=0, stop_after=2, max_partitions=1)
    assert (found.state, found.failed) == ("failed", 2)
    assert shop.begun == names("a", days=ALL[:2])


def test_what_has_failed_is_tried_again_when_it_goes_on_and_with_it_what_waits_for_it(shop: Workshop) -> None:
    shop.broken["a 2026-01-03"] = 1
    project = shop.project()
    first = project.backfill("*", "all", retries=0)
    assert counts(first) == (12, 10, 1, 1, 0)
    found = project.resume_backfill(first.id)
    assert (found.id, found.state, counts(found)) == (first.id, "done", (12, 12, 0, 0, 0))
    assert Counter(shop.made).most_common(1)[0][1] == 1
    with pytest.raises(UsageError, match="is done: nothing is left"):
        project.resume_backfill(first.id)


def test_only_what_has_failed_goes_on_where_that_is_asked_for(shop: Workshop) -> None:
    shop.broken.update({"a 2026-01-01": 1, "a 2026-01-02": 1})
    project = shop.project()
    first = project.backfill("*", "all", retries=0, stop_after=1, max_partitions=1)
    assert counts(first)[2:] == (1, 1, 10)
    found = project.resume_backfill(failed=True)
    assert sorted(shop.made) == ["a 2026-01-01", "b 2026-01-01"]
    assert (found.state, counts(found)) == ("queued", (12, 2, 0, 0, 10)), "nothing of it has failed, and it is wanted"
    assert (found.only_failed, [each.id for each in project.queue()]) == (False, [first.id])
    assert counts(project.resume_backfill(first.id)) == (12, 2, 1, 1, 8), "it still stops after one"
    project.cancel_backfill(project.backfill("a", "2026-01-01", start=False).id)
    with pytest.raises(UsageError, match=r"Nothing of backfill .* has failed"):
        project.resume_backfill(failed=True)


def test_what_others_make_of_one_that_has_failed_counts_and_when_nothing_is_left_it_is_done(shop: Workshop) -> None:
    shop.broken.update({"a 2026-01-01": 1, "a 2026-01-02": 1})
    project = shop.project()
    first = project.backfill("*", "all", name="history", retries=0)
    assert (first.state, counts(first)) == ("failed", (12, 8, 2, 2, 0))
    project.materialize("*", partition=ALL[:1])
    found = project.find_backfill(first.id)
    assert (found.state, counts(found)) == ("failed", (12, 10, 1, 1, 0))
    assert found.failures == ("a [2026-01-02]: ValueError: no a 2026-01-02 today",)
    project.materialize("*", partition=ALL[1:2])
    found = project.find_backfill(first.id)
    assert (found.state, counts(found), found.failures) == ("done", (12, 12, 0, 0, 0), ())
    newer = project.backfill("a", ALL[0], name="history", start=False)
    assert project.find_backfill("history").id == newer.id, "its name is free, as of each that is done"
    with pytest.raises(UsageError, match="is done: nothing is left"):
        project.resume_backfill(first.id)


def test_where_some_of_what_has_failed_cannot_be_made_any_more_it_has_failed_still(shop: Workshop) -> None:
    shop.broken["a 2026-01-01"] = 1
    first = shop.project().backfill("a", "all", retries=0)
    shop.days = FEWER
    found = shop.project().find_backfill(first.id)
    assert (found.state, counts(found)) == ("failed", (4, 4, 0, 0, 0))
    assert "is no partition any more" in found.notes[0]


def test_what_has_failed_is_told_also_when_what_its_runs_said_is_pruned(shop: Workshop, monkeypatch: Any) -> None:
    shop.broken["a 2026-01-01"] = 1
    project = shop.project()
    first = project.backfill("*", "all")
    shop.broken["a 2026-01-01"] = 9
    first = project.backfill("*", "all")
    monkeypatch.setattr(type(project.store), "run_attempts", lambda *_: {})
    found = project.find_backfill(first.id)
    assert (found.state, counts(found), found.failures) == ("failed", (12, 10, 1, 1, 0), first.failures)
    shop.broken.clear()
    assert project.resume_backfill(first.id, failed=True).ok


def test_what_had_failed_is_gone_on_with_where_that_was_interrupted(shop: Workshop) -> None:
    shop.broken.update({"a 2026-01-01": 1, "a 2026-01-02": 1})
    project = shop.project()
    first = project.backfill("*", "all", retries=0, stop_after=2, max_partitions=1)
    again = project.resume_backfill(first.id, failed=True, start=False)
    assert (again.state, again.only_failed, again.eta) == ("queued", True, None)
    found = project.resume_backfill(first.id, failed=True)
    assert (found.state, found.only_failed, counts(found)) == ("queued", False, (12, 4, 0, 0, 8))


def test_one_that_was_called_off_is_so_again_once_what_had_failed_is_made(shop: Workshop) -> None:
    shop.broken["a 2026-01-01"] = 1
    project = shop.project()
    first = project.backfill(
        "*",
        "all",
        retries=0,
        max_partitions=1,
        on_progress=lambda each: each.failed and project.cancel_backfill(each.id),
    )
    assert (first.state, counts(first)) == ("cancelled", (12, 2, 1, 1, 8))
    found = project.resume_backfill(first.id, failed=True)
    assert (found.state, found.only_failed, counts(found)) == ("cancelled", False, (12, 4, 0, 0, 8))


def test_one_that_another_process_carries_out_is_left_as_it_is(shop: Workshop) -> None:
    project = shop.project()
    first = project.backfill("*", "all", start=False)
    there = RunInfo(id=first.id, state="queued", started=datetime.now(UTC), process=os.getppid(), host=hostname())
    project.store.enqueue(there, {})
    told, before = project.find_backfill(), project.store.backfills()
    assert (told.state, told.left) == ("running", 12)
    project.materialize("*", partition=ALL[:1])  # by now it is known how long they take
    assert (project.find_backfill().eta is None) is False
    with pytest.raises(ConflictError, match=f"is carried out by process {os.getppid()} on"):
        project.resume_backfill()
    assert project.store.backfills() == before


# -- interrupted, called off, killed ---------------------------------------------------------------------------------


def test_whichever_write_fails_it_goes_on_later_and_loses_nothing(shop: Workshop, monkeypatch: Any) -> None:
    """Also in the process that could not write the end of a run: what that has leased is free all the same."""
    failed, write = 0, Database.write
    for calls in range(60):
        shop.root = shop.root / "next"
        shop.root.mkdir()
        left = itertools.count(calls, -1)

        def breaks(database: Database, left: Iterator[int] = left) -> Any:
            if next(left) <= 0:
                raise StoreError("The disk is full.")
            return write(database)

        shop.made.clear()
        project = shop.project()
        monkeypatch.setattr(Database, "write", breaks)
        try:
            assert project.backfill("*", ALL[:2], max_partitions=1).ok
        except StoreError:
            failed += 1
        else:
            break
        finally:
            monkeypatch.undo()
        after = shop.project()
        if after.backfills():
            found = after.resume_backfill() if after.find_backfill().state != "done" else after.find_backfill()
            assert (found.state, counts(found)) == ("done", (4, 4, 0, 0, 0)), f"after {calls} writes"
            assert set(shop.made) == set(names("a", "b", days=ALL[:2]))
    else:
        pytest.fail("it never came to its end")
    assert failed > 5


def test_one_that_is_called_off_makes_nothing_more_and_goes_on_when_it_is_resumed(shop: Workshop) -> None:
    shop.held.add("a 2026-01-02")
    project, other = shop.project(), shop.project()
    beside = in_thread(lambda: project.backfill("*", "all", max_partitions=1))
    shop.begins("a 2026-01-02")
    id_ = other.cancel_backfill("b")
    shop.held.clear()
    found = beside.join()
    assert (found.id, found.state) == (id_, "cancelled")
    assert shop.made == names("a", "b", days=ALL[:2]), "the chunk that was under way is made"
    told = other.find_backfill(id_)
    assert (told.state, counts(told)) == ("cancelled", (12, 4, 0, 0, 8)), "what was under way then counts"
    assert [(each.key, each.done) for each in told.assets] == [("a", 2), ("b", 2)]
    assert other.resume_backfill(id_).done == 12
    assert Counter(shop.made) == Counter(names("a", "b"))


def test_one_that_was_only_recorded_is_carried_out_later_with_what_was_made_meanwhile_as_done(shop: Workshop) -> None:
    project = shop.project()
    queued = project.backfill("*", "all", name="history", why="a new column", start=False)
    assert (queued.state, queued.left, queued.eta, queued.why, str(queued)) == (
        "queued",
        12,
        None,
        "a new column",
        f"history ({queued.id})",
    )
    project.materialize("*", partition=ALL[:2])
    assert project.find_backfill("history").done == 4
    shop.made.clear()
    found = project.resume_backfill("history")
    assert (found.state, found.done) == ("done", 12)
    assert sorted(shop.made) == sorted(names("a", "b", days=ALL[2:]))


# -- others ----------------------------------------------------------------------------------------------------------


def test_backfills_of_the_same_make_each_partition_once(shop: Workshop) -> None:
    many = [shop.project() for _ in range(3)]
    beside = [in_thread(lambda each=each: each.backfill("*", "all", only="missing", max_partitions=2)) for each in many]
    assert all(each.join().ok for each in beside)
    assert Counter(shop.made) == Counter(names("a", "b"))


def test_what_others_make_between_the_last_look_and_the_next_chunk_is_not_made_again(shop: Workshop) -> None:
    project, other, seen = shop.project(), shop.project(), list[Backfill]()

    def between(backfill: Backfill) -> None:
        if not seen:
            other.materialize("*", partition=ALL[0])
        seen.append(backfill)

    assert project.backfill("*", "all", on_progress=between, max_partitions=1).done == 12
    assert Counter(shop.made) == Counter(names("a", "b"))


def test_what_another_run_is_making_is_waited_for_and_not_made_again(shop: Workshop) -> None:
    shop.held.update(names("a", days=ALL[:2]))
    run = shop.project()
    thread = threading.Thread(target=lambda: run.materialize("a", partition=ALL[:2]), daemon=True)
    thread.start()
    shop.begins(*names("a", days=ALL[:2]))
    seen: list[Backfill] = []
    beside = in_thread(lambda: shop.project().backfill("*", "all", on_progress=seen.append, max_partitions=1))
    until(lambda: len([each for each in shop.made if each[:2] == "b "]) == 4)
    until(lambda: bool(seen) and seen[-1].running == 2)
    shop.held.clear()
    assert beside.join().done == 12
    assert Counter(shop.made) == Counter(names("a", "b")), "a of these two days is made by the run alone"
    thread.join(WAIT)


def test_a_run_that_waits_for_what_is_made_now_comes_before_what_is_made_next(shop: Workshop) -> None:
    project = shop.project()
    store = project.store
    parts = LeasedParts(*_grid(project, "a", ALL))
    waiting = RunInfo(id="waits", state="queued", started=datetime.now(UTC))
    store.enqueue(waiting, {project.graph["a"].key: parts})
    beside = in_thread(lambda: shop.project().backfill("*", "all"))
    until(lambda: any(each.run.id != "waits" for each in store.queue()))
    lease = store.lease("waits", {project.graph["a"].key: parts}).lease
    assert lease is not None
    assert shop.begun == [], "it lets the run go first"
    store.begin(waiting, lease)
    store.finish("waits", "succeeded", datetime.now(UTC), lease=lease)
    assert beside.join().ok


def _grid(project: Project, key: str, days: list[str]) -> tuple[str, Any]:
    from assetry.run.leases.lease import leased_parts

    definition = project.graph[key].partitions_def
    assert definition is not None
    found = leased_parts(definition, definition.parts_of(days))
    return found.grid, found.ranges


# -- definitions that have changed -----------------------------------------------------------------------------------


def test_what_is_no_partition_any_more_is_left_out_and_told(shop: Workshop) -> None:
    queued = shop.project().backfill("*", "all", start=False)
    shop.days = FEWER
    found = shop.project().resume_backfill(queued.id)
    assert (found.state, found.wanted) == ("done", 8)
    queued = shop.project().backfill("*", "all", start=False)
    shop.days = DailyPartitionsDefinition("2026-01-05", end_date="2026-01-07")
    told = shop.project().find_backfill(queued.id)
    assert told.wanted == 4
    assert told.notes[0] == "a: 2026-01-03..2026-01-06 is no partition any more, and left out"


def test_keys_that_mean_something_else_now_are_left_out_and_told(shop: Workshop) -> None:
    queued = shop.project().backfill("*", ["2026-01-05..2026-01-06"], start=False)
    shop.days = WeeklyPartitionsDefinition("2025-12-29", end_date="2026-02-02", day_offset=1)
    told = shop.project().find_backfill(queued.id)
    assert told.wanted == 0, "the 5th is a day of it, and a week now"
    assert told.notes[0] == "a: all of it is left out: it has other partitions now"


def test_listed_keys_that_are_gone_do_not_take_others_with_them(tmp_path: Path) -> None:
    def project(*regions: str) -> Project:
        @asset(partitions_def=StaticPartitionsDefinition(list(regions)))
        def sales(context: AssetContext) -> str:
            return context.partition

        return Project([sales], root=tmp_path)

    queued = project("eu", "us", "asia").backfill("*", "all", start=False)
    found = project("asia", "eu", "africa")
    told = found.find_backfill(queued.id)
    assert (told.wanted, told.notes) == (2, ("sales: us is no partition any more, and left out",))
    assert found.resume_backfill(queued.id).ok
    assert [found.load_value("sales", partition=each) for each in ("asia", "eu")] == ["asia", "eu"]


def test_keys_that_come_into_being_are_made(tmp_path: Path) -> None:
    @asset(partitions_def=DynamicPartitionsDefinition("file"))
    def rows(context: AssetContext) -> str:
        return context.partition

    project = Project([rows], root=tmp_path)
    queued = project.backfill("*", ["x.csv", "y.csv"], start=False)
    assert project.resume_backfill(queued.id).done == 2
    assert project.load_value("rows", partition="y.csv") == "y.csv"


def test_one_of_an_asset_that_is_gone_is_told(shop: Workshop) -> None:
    queued = shop.project(a="*", b="*").backfill("*", "all", start=False)
    told = shop.project(a="*").find_backfill(queued.id)
    assert (told.wanted, told.notes) == (6, ("b: all of it is left out: nothing here makes it any more",))
    whole = shop.project(a="").find_backfill(queued.id)
    assert "it has no partitions any more" in whole.notes[0]


def test_a_new_version_of_the_code_goes_on_and_is_told(shop: Workshop) -> None:
    queued = shop.project().backfill("*", "all", start=False)
    shop.code = "2"
    project = shop.project()
    assert "the code of a and 1 more has changed since it began" in project.find_backfill(queued.id).notes[0]
    assert project.resume_backfill(queued.id).ok


# -- found, and told -------------------------------------------------------------------------------------------------


def test_it_is_found_by_its_id_the_beginning_of_it_or_its_name(shop: Workshop) -> None:
    project = shop.project()
    one = project.backfill("a", ALL[0], name="one", start=False)
    two = project.backfill("a", ALL[1], name="two", start=False)
    assert [each.id for each in project.backfills()] == [two.id, one.id]
    assert {project.find_backfill(each).id for each in (one.id, "one", one.id[:-1])} == {one.id}
    assert project.find_backfill().id == two.id
    with pytest.raises(UsageError, match="Several backfills begin with 'b'"):
        project.find_backfill("b")
    with pytest.raises(UsageError, match="no backfill 'twoo'") as caught:
        project.find_backfill("twoo")
    assert "two" in caught.value.near


@pytest.mark.parametrize("state", ["open", "cancelled", "failed"])
def test_the_name_of_one_that_is_not_done_is_refused(shop: Workshop, state: str) -> None:
    project = shop.project()
    shop.broken[f"a {ALL[0]}"] = 9
    older = project.backfill("a", ALL[0], name="history", start=state == "failed")
    if state == "cancelled":
        project.cancel_backfill("history")
    with pytest.raises(UsageError, match=f"There is a backfill 'history' already, {older.id}") as caught:
        project.backfill("a", ALL[1], name="history", start=False)
    assert f"--resume {older.id}" in str(caught.value.hint)
    assert [each.id for each in project.backfills()] == [older.id]
    shop.broken.clear()
    assert project.resume_backfill("history").state == "done"
    newer = project.backfill("a", ALL[1], name="history", start=False)
    assert project.find_backfill("history").id == newer.id


def test_a_name_of_several_that_are_not_done_is_refused_with_their_ids(shop: Workshop) -> None:
    """As they may be of before names were looked at."""
    project = shop.project()
    ids = [project.backfill("a", ALL[0], name=name, start=False).id for name in ("one", "two")]
    for record in project.store.backfills():
        project.store.change_backfill(replace(record, body={**record.body, "name": "same"}), "open")
    with pytest.raises(UsageError, match="Several backfills have the name 'same'") as caught:
        project.resume_backfill("same")
    assert sorted(caught.value.near) == sorted(ids)
    assert project.resume_backfill(ids[0]).state == "done"
    assert project.find_backfill("same").id == ids[1], "of those of a name it is the one that is not done"


def test_while_there_is_none_it_is_said_how_one_is_started(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="There is no backfill yet") as caught:
        shop.project().resume_backfill()
    assert "assetry backfill" in str(caught.value.hint)


def test_progress_is_told_with_what_the_chunk_under_way_has_made(shop: Workshop) -> None:
    shop.held.add("b 2026-01-01")
    seen: list[Backfill] = []
    beside = in_thread(lambda: shop.project().backfill("*", "all", on_progress=seen.append, max_partitions=1))
    until(lambda: bool(seen) and counts(seen[-1]) == (12, 0, 0, 0, 12))
    shop.begins("b 2026-01-01")
    shop.held.clear()
    assert beside.join().ok
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert all(each.done + each.left == 12 for each in seen)
    assert {each.id for each in seen} == {seen[0].id}


def test_its_runs_are_told_to_be_of_it_and_are_of_the_last_class(shop: Workshop) -> None:
    project = shop.project()
    records: list[Any] = []
    found = project.backfill("*", "all", on_event=records.append)
    runs = project.store.runs()
    assert {run.options["backfill"] for run in runs} == {found.id}
    assert {run.priority for run in runs} == {PRIORITIES["backfill"]}
    assert {each.run for each in records} == {run.id for run in runs}
    assert project.store.queue() == ()


def test_one_that_is_put_first_is_of_the_first_class_and_so_are_its_runs(shop: Workshop) -> None:
    shop.held.add("a 2026-01-02")
    project, other = shop.project(), shop.project()
    beside = in_thread(lambda: project.backfill("*", "all", name="history", max_partitions=1))
    shop.begins("a 2026-01-02")
    other.bump("history")
    assert {each.priority for each in other.queue()} == {0}
    shop.held.clear()
    found = beside.join()
    assert {run.priority for run in other.store.runs() if run.started > found.at} >= {0, 50}
    with pytest.raises(UsageError, match="has ended"):
        other.bump("history")


def test_in_the_queue_its_run_is_told_to_be_of_it_with_the_partitions(shop: Workshop) -> None:
    project = shop.project()
    shop.held.add("a 2026-01-01")
    beside = in_thread(lambda: project.backfill("*", ALL[:3], name="history", max_partitions=1))
    shop.begins("a 2026-01-01")
    run, whole = sorted(shop.project().queue(), key=lambda item: item.kind, reverse=True)
    shop.held.clear()
    assert (run.kind, run.backfill, run.name) == ("run", whole.id, "history")
    assert (whole.kind, whole.backfill, whole.name) == ("backfill", None, "history")
    assert {str(key): ranges for key, ranges in run.partitions.items()} == {key: [[ALL[0], ALL[0]]] for key in "ab"}
    assert {str(key): ranges for key, ranges in whole.partitions.items()} == {key: [[ALL[0], ALL[2]]] for key in "ab"}
    assert beside.join().ok


def test_in_the_queue_it_waits_while_nothing_carries_it_out(shop: Workshop) -> None:
    project = shop.project()
    queued = project.backfill("*", "all", start=False)
    (item,) = project.queue()
    assert (item.id, item.kind, item.state, item.word) == (queued.id, "backfill", "waiting", "backfill")
    project.cancel_backfill(queued.id)
    assert project.queue() == ()


def test_what_it_would_do_is_told_without_doing_anything(shop: Workshop) -> None:
    project = shop.project()
    planned = project.plan_backfill("*", "all")
    assert (planned.partitions, planned.seconds) == (12, None)
    assert (shop.made, project.backfills()) == ([], ())
    project.materialize("*", partition=ALL)
    assert project.plan_backfill("*", "all").seconds is not None
    assert project.plan_backfill("*", "all", only="missing").partitions == 0


@pytest.mark.parametrize(
    ("keywords", "said", "near"),
    [
        ({"onlly": "missing"}, "no keyword 'onlly'", "only"),
        ({"only": "mising"}, "only='mising': unknown", "missing"),
        ({"at_once": 0}, "at_once=0 is less than one", None),
        ({"retries": -1}, "retries=-1 is less than none", None),
    ],
)
def test_what_has_no_meaning_is_refused(shop: Workshop, keywords: Any, said: str, near: str | None) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        shop.project().backfill("*", "all", **keywords)
    assert near is None or near in caught.value.near
    assert shop.made == []
    assert isinstance(caught.value, UsageError)
    assert not isinstance(caught.value, ConflictError)
