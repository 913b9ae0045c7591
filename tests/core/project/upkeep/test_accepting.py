"""Differences that a person accepts, in a project: nothing is made anew, nothing is hidden, and it is told for ever."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from assetry import Project
from assetry.errors import ConflictError, UsageError
from assetry.project.upkeep.accepting import Accepting
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from conftest import Repository


def words(project: Project) -> dict[str, str]:
    return {str(each.key): each.status for each in project.status()}


def accepted(found: Accepting) -> dict[str, list[str | None]]:
    told: dict[str, list[str | None]] = {}
    for each in found.accepted:
        told.setdefault(str(each.key), []).append(each.partition)
    return told


@pytest.fixture
def changed(repository: Repository) -> Repository:
    """A project that was made, and the code of two of its assets changed since, one of them with partitions."""
    repository.load().materialize(partition="all")
    repository.change("shop_assets.py", "    return 1", "    return 1 + 0")
    repository.change("shop_assets.py", "    return raw", "    return raw + 0")
    return repository


def test_what_is_accepted_is_up_to_date_and_what_is_below_with_it(changed: Repository) -> None:
    project = changed.load()
    assert words(project) == {"raw": "stale", "daily": "stale", "total": "stale"}
    would = project.accept("raw", dry_run=True)
    assert (would.dry_run, accepted(would)) == (True, {"raw": [None]})
    assert words(project)["raw"] == "stale"
    found = project.accept("raw", why="Adds nothing.", by="ana")
    assert accepted(found) == {"raw": [None]}
    assert words(project) == {"raw": "fresh", "daily": "stale", "total": "stale"}
    assert len(accepted(project.accept("daily", why="So does this.", partition="..2026-01-07"))["daily"]) == 7
    daily = project.status_of("daily").partitions
    assert daily is not None
    assert daily.text("stale") == "2026-01-08..2026-01-10"
    project.accept("daily", why="All of it.")
    assert words(project) == {"raw": "fresh", "daily": "fresh", "total": "fresh"}
    assert not project.plan(stale=True).invocations
    assert not project.diff().any
    # Another process sees it, too.
    assert words(changed.load()) == {"raw": "fresh", "daily": "fresh", "total": "fresh"}


def test_it_counts_until_the_next_change_and_is_kept_for_ever(changed: Repository) -> None:
    project = changed.load()
    project.accept("raw", why="Adds nothing.", by="ana")
    changed.change("shop_assets.py", "    return 1 + 0", "    return 2")
    project = changed.load()
    assert words(project)["raw"] == "stale"
    project.materialize("raw")
    assert words(project)["raw"] == "fresh"
    (said,) = project.store.acceptances([AssetKey("raw")])
    assert (said.by, said.why, said.causes, said.undone) == ("ana", "Adds nothing.", ("code_changed",), False)
    nothing = project.accept("raw", undo=True)
    assert (accepted(nothing), dict(nothing.left)) == ({}, {"raw": "nothing of it counts as accepted"})


def test_what_was_accepted_is_taken_back(changed: Repository) -> None:
    project = changed.load()
    before = project.store.latest()
    project.accept(["raw", "daily"], why="Adds nothing.", cause="code_changed")
    assert len(accepted(project.accept("daily", undo=True, partition="last:3"))["daily"]) == 3
    assert words(project) == {"raw": "fresh", "daily": "stale", "total": "stale"}
    project.accept(["raw", "daily"], undo=True, why="I was wrong.")
    assert project.store.latest() == before
    assert [each.undone for each in project.store.acceptances([AssetKey("raw")])] == [False, True]


def test_new_content_above_is_accepted_by_itself(repository: Repository) -> None:
    project = repository.load()
    project.materialize(partition="all")
    repository.change("shop_assets.py", "    return 1", "    return 2")
    project = repository.load()
    project.materialize("raw")
    assert words(project) == {"raw": "fresh", "daily": "stale", "total": "stale"}
    none = project.accept("daily", why="No.", cause="code_changed")
    assert accepted(none) == {}
    assert "`raw` was made anew" in none.left[AssetKey("daily")]
    project.accept("daily", why="It does not matter.", cause="upstream_changed")
    assert words(project) == {"raw": "fresh", "daily": "fresh", "total": "fresh"}


def test_what_failed_or_is_missing_stays_so(repository: Repository) -> None:
    project = repository.load()
    project.materialize(["raw", "daily"], partition="..2026-01-04")
    repository.change("shop_assets.py", "    return raw", "    raise ValueError('no')")
    project = repository.load()
    project.materialize("daily", partition="2026-01-02")
    found = project.accept("daily+", why="Does not matter.")
    assert set(accepted(found)) == {"daily"}
    daily = project.status_of("daily").partitions
    assert daily is not None
    assert (daily.text("failed"), daily.text("missing")) == ("2026-01-02", "2026-01-05..2026-01-10")
    assert daily.text("fresh") == "2026-01-01, 2026-01-03..2026-01-04"
    assert found.left[AssetKey("total")].startswith("never materialized")
    assert "the last attempt failed" in found.still[AssetKey("daily")]


def made_unreal(project: Project, key: str, partition: str | None = None) -> None:
    """Record that an asset was made once more, and that its tool says that it is not the real thing."""
    made = project.store.latest([AssetKey(key)])[AssetKey(key), partition]
    parts = {**made.code_parts, "built as a sample": "1"}
    later = made.at + timedelta(seconds=1)
    project.store.append([], [replace(made, at=later, data_version="sample", code_version="sampled", code_parts=parts)])


@pytest.mark.parametrize("cause", [(), "code_changed"])
def test_what_is_not_the_real_thing_is_never_accepted(changed: Repository, cause: Any) -> None:
    project = changed.load()
    made_unreal(project, "raw")
    before = project.store.latest()
    told = "it was built as a sample; `assetry materialize --stale -s raw` makes the real one"
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="'raw' cannot be accepted: it was built as a sample") as caught:
            project.accept("raw", why="Only comments.", cause=cause, dry_run=dry_run)
        assert caught.value.hint == "`assetry materialize --stale -s raw` makes the real one."
    assert project.store.latest() == before
    # The code of what reads it is another matter than what it would read.
    found = project.accept("*", why="Only comments.", cause=cause)
    assert set(accepted(found)) == {"daily"}
    assert found.left[AssetKey("raw")] == told
    assert project.store.latest([AssetKey("raw")])[AssetKey("raw"), None] == before[AssetKey("raw"), None]
    project = changed.load()
    assert words(project) == {"raw": "stale", "daily": "stale", "total": "stale"}
    project.materialize("raw", stale=True)
    assert words(project)["raw"] == "fresh"


def test_neither_is_new_content_of_it_in_what_reads_it(repository: Repository) -> None:
    project = repository.load()
    project.materialize(partition="all")
    made_unreal(project, "raw")
    before = project.store.latest()
    with pytest.raises(UsageError, match="'daily' cannot be accepted: `raw`, which it reads, was built as a") as caught:
        project.accept("daily", why="Only comments.", partition="2026-01-03")
    assert caught.value.hint == "`assetry materialize --stale -s raw` makes the real one."
    with pytest.raises(UsageError, match="'raw' cannot be accepted, nor 1 more"):
        project.accept(["raw", "daily"], why="Only comments.")
    assert project.store.latest() == before
    assert accepted(project.accept("daily", why="Only comments.", cause="code_changed")) == {}


def test_partitions_that_are_not_the_real_thing_are_left_out(changed: Repository) -> None:
    project = changed.load()
    made_unreal(project, "daily", "2026-01-02")
    told = "it was built as a sample; `assetry materialize --stale -s daily` makes the real one"
    with pytest.raises(UsageError, match="'daily' cannot be accepted: it was built as a sample"):
        project.accept("daily", why="Only comments.", partition="2026-01-02")
    found = project.accept("daily", why="Only comments.", partition="..2026-01-03")
    assert accepted(found) == {"daily": ["2026-01-01", "2026-01-03"]}
    assert found.still[AssetKey("daily")] == told
    found = project.accept(["daily", "total"], why="Only comments.", dry_run=True)
    assert len(accepted(found)["daily"]) == 7
    assert found.left[AssetKey("total")].startswith("`daily`, which it reads, was built as a sample; ")


def test_a_wrong_question_is_answered(changed: Repository) -> None:
    project = changed.load()
    with pytest.raises(UsageError, match="Nobody will know why"):
        project.accept("raw", why="  ")
    with pytest.raises(UsageError, match="is no cause that can be accepted") as caught:
        project.accept("raw", why="x", cause="code_chaged")
    assert "code_changed" in caught.value.near
    with pytest.raises(UsageError, match="What failed or is missing has to be made"):
        project.accept("raw", why="x", cause="last_failed")
    with pytest.raises(UsageError, match="nothing that is selected has partitions"):
        project.accept("raw", why="x", partition="2026-01-01")
    with pytest.raises(UsageError):
        project.accept("daily", why="x", partition="2026-02-01")
    assert words(project)["raw"] == "stale"


def test_what_a_run_is_making_is_not_accepted_meanwhile(changed: Repository) -> None:
    project, other = changed.load(), changed.load()
    plan = project.plan("raw")
    begun, goes_on = threading.Event(), threading.Event()

    def hold(record: Any) -> None:
        begun.set()
        goes_on.wait(60)

    run = threading.Thread(target=lambda: project.run(plan, on_event=hold))
    run.start()
    try:
        assert begun.wait(60)
        with pytest.raises(ConflictError, match="is building raw"):
            other.accept("raw", why="x")
    finally:
        goes_on.set()
        run.join()
    found = other.accept("raw", why="x")
    assert (accepted(found), found.left[AssetKey("raw")]) == ({}, "it is up to date")
    assert other.store.leases() == ()
