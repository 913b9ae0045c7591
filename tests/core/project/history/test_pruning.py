"""After pruning all answers are what they were, for whatever is kept."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry import AssetContext, DynamicPartitionsDefinition, Project, StaticPartitionsDefinition, asset, asset_check
from assetry.errors import UsageError
from assetry.project.history.retention import KINDS, Retention
from assetry.types.events import Handle, InvocationFinished, InvocationStarted
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord, RunInfo
from assetry.views.json import plan_to_json, status_to_json

FAILING: set[str] = set()


def breaks(name: str) -> None:
    if name in FAILING:
        raise ValueError(f"no {name} today")


@asset
def orders() -> int:
    breaks("orders")
    return 1


@asset
def total(orders: int) -> int:
    breaks("total")
    return orders


@asset_check(asset=total)
def is_right(total: int) -> bool:
    return "check" not in FAILING


@asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
def regions(context: AssetContext, orders: int) -> str:
    breaks(str(context.partition))
    return str(context.partition)


@asset(partitions_def=DynamicPartitionsDefinition("file"))
def files(context: AssetContext) -> str:
    breaks(str(context.partition))
    return str(context.partition)


ASSETS = [orders, total, is_right, regions, files]


@contextmanager
def project(store: Path, retention: Retention | None = None) -> Iterator[Project]:
    with Project(ASSETS, root=store.parent, store=f"sqlite:{store}", io="memory:") as found:
        if retention is not None:
            found.settings = replace(found.settings, retention=retention)
        yield found


def live(found: Project, chance: random.Random) -> None:
    """Let something happen."""
    FAILING.clear()
    FAILING.update(name for name in ("orders", "total", "eu", "us", "a", "check") if chance.random() < 0.25)
    what = chance.randrange(5)
    if what == 0 and found.store.runs():
        found.retry(chance.choice([None, chance.choice(found.store.runs()).id]))
    elif what == 1:
        found.materialize("files", partition=chance.choice(["a", "b", '"c"']))
    elif what == 2:
        found.materialize("regions", partition=chance.choice(["all", "eu", "us"]))
    else:
        found.materialize(chance.choice(["orders+", "total", "orders", "regions"]), partition="all") if (
            chance.random() < 0.5
        ) else found.materialize(chance.choice(["orders", "total", "orders total"]))


def answers(found: Project, runs: list[str], now: datetime) -> Any:
    def plan(**given: Any) -> Any:
        try:
            told = plan_to_json(found.plan(**given))
        except UsageError as error:
            return error.message
        return told

    def retry(run: str) -> Any:
        info = found.find_run(run)
        return found.undone(info), found.problems_of(info), plan_to_json(found.plan_retry(info))

    return (
        status_to_json(found.status(now=now)),
        plan(stale=True),
        plan(select="regions", partition="missing, failed"),
        {run: retry(run) for run in runs},
        {run: replace(found.find_run(run), pruned={}) for run in runs},
        dict(found.latest_checks()),
    )


def test_random_histories_give_the_same_answers(tmp_path: Path) -> None:
    for seed in range(25):
        chance = random.Random(seed)
        path = tmp_path / f"{seed}" / "state.db"
        path.parent.mkdir()
        with project(path) as found:
            for _ in range(chance.randrange(1, 7)):
                try:
                    live(found, chance)
                except UsageError:
                    continue
        if not path.exists():
            continue
        other = tmp_path / f"{seed}-pruned" / "state.db"
        shutil.copytree(path.parent, other.parent)
        ages = {name: timedelta(0) if chance.random() < 0.7 else None for name in KINDS}
        with project(path) as plain, project(other, Retention(**ages)) as pruned:
            now = datetime.now(UTC)
            told = pruned.prune_history(dry_run=True)
            assert pruned.prune_history().removed == told.removed
            left = [run.id for run in pruned.store.runs()]
            assert told.kept.whole <= set(left)
            assert answers(pruned, left, now) == answers(plain, left, now)
            assert pruned.find_run() == plain.find_run()
            FAILING.clear()
            # Both go on alike.
            for each in (plain, pruned):
                each.materialize("orders total regions", partition="all")
            made = [{key: one.data_version for key, one in each.store.latest().items()} for each in (plain, pruned)]
            assert made[0] == made[1]


def old(project: Project, id_: str, state: Any, **options: Any) -> RunInfo:
    """Record a run of long ago."""
    at = datetime.now(UTC) - timedelta(days=100 - len(project.store.runs()))
    run = RunInfo(id=id_, state="running", started=at, assets=(AssetKey("orders"),), options=options)
    project.store.begin(run)
    event = InvocationStarted("python", (AssetKey("orders"),), f"group-{id_[0]}")
    project.store.append([EventRecord(at=at, run=id_, event=event, invocation="1")])
    project.store.finish(id_, state, at)
    return run


def test_of_runs_that_want_the_same_the_last_is_kept(tmp_path: Path) -> None:
    retention = Retention(runs=timedelta(days=1))
    with project(tmp_path / "state.db", retention) as found:
        for id_, options in (("a", {}), ("b", {"full_refresh": True}), ("c", {}), ("d", {"observe": True})):
            old(found, id_, "failed" if id_ != "d" else "succeeded", **options)
        assert found.prune_history().kept.whole == {"b", "c"}
        assert [run.id for run in found.store.runs()] == ["c", "b"]


def test_a_job_stays_with_all_runs_that_know_of_it(tmp_path: Path) -> None:
    with project(tmp_path / "state.db", Retention(runs=timedelta(days=1))) as found:
        found.materialize("orders")
        old(found, "first", "interrupted")
        handle = EventRecord(at=datetime.now(UTC), run="first", event=Handle("job-7"), invocation="1")
        found.store.append([handle])
        old(found, "second", "succeeded", retry_of="first")
        old(found, "third", "succeeded")
        found.materialize("orders")
        assert found.prune_history().kept.whole == {"first", "second"}
        assert {"first", "second"} < {run.id for run in found.store.runs()}
        assert "third" not in {run.id for run in found.store.runs()}


def test_a_job_of_which_a_retry_has_seen_the_end_keeps_no_run(tmp_path: Path) -> None:
    with project(tmp_path / "state.db", Retention(runs=timedelta(days=1))) as found:
        found.materialize("orders")
        at, begun = datetime.now(UTC), InvocationStarted("mill", (AssetKey("orders"),), "mill")
        for name, options in (("first", {}), ("second", {"retry_of": "first"})):
            old(found, name, "interrupted" if name == "first" else "succeeded", **options)
            told = [begun, Handle("job-7"), *([] if name == "first" else [InvocationFinished("succeeded", 1.0)])]
            found.store.append([EventRecord(at=at, run=name, event=each, invocation="1") for each in told])
        found.materialize("orders")
        assert found.prune_history().kept.whole == set()
        assert not {"first", "second"} & {run.id for run in found.store.runs()}


def test_nothing_is_looked_for_where_all_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with project(tmp_path / "state.db", Retention(events=None)) as found:
        found.materialize("orders")
        monkeypatch.setattr(type(found.store), "runs", None)
        assert not any(found.prune_history().removed)
