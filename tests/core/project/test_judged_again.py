"""What is judged by the records of a store that changes: a judgement that goes on from another is a whole one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import Asset, FreshnessPolicy, Project, StaticPartitionsDefinition, asset
from assetry.plugin import AssetKey, UsageError
from assetry.status.staleness import Judgement
from assetry.store.sqlite import SQLiteStore
from assetry.types.events import Observed
from assetry.types.records import KeptHistory, Materialization
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

HOUR = timedelta(hours=1)
NAMES = ("files", "raw", "mid", "late", "parts", "total")


def shop(failing: set[str]) -> Project:
    """Return a project whose assets fail while they are among those `failing`."""

    def made(name: str) -> int:
        if name in failing:
            raise RuntimeError("no")
        return len(failing)

    @asset
    def raw() -> int:
        return made("raw")

    @asset(deps=["files"])
    def mid(raw: int) -> int:
        return made("mid")

    @asset(freshness_policy=FreshnessPolicy(maximum_lag=HOUR))
    def late(mid: int) -> int:
        return made("late")

    @asset(partitions_def=StaticPartitionsDefinition(["x", "y"]), deps=["mid"])
    def parts() -> int:
        return made("parts")

    @asset(deps=["parts"], freshness_policy=FreshnessPolicy(max_age=HOUR))
    def total() -> int:
        return made("total")

    files = Asset(key="files", kind="x", executable=False)
    return Project(assets=[files, raw, mid, late, parts, total], store="sqlite::memory:", io="memory:")


class Looks:
    """Looks at a project, each of which goes on from the one before."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.project = shop(self.failing)
        self.before: Judgement | None = None
        self.newer_than: dict[AssetKey, datetime] = {}
        self.later = timedelta(0)
        self.number = 0

    def look(self) -> Judgement:
        now = datetime.now(UTC) + self.later
        anew = self.project.judge(now, newer_than=self.newer_than)
        self.before = self.project.judge(now, newer_than=self.newer_than, before=self.before)
        assert self.before.statuses == anew.statuses
        assert dict(self.before.data_times) == dict(anew.data_times)
        return anew

    def make(self, name: str) -> None:
        if name != "files":
            self.project.materialize(name, **({"partition": "all"} if name == "parts" else {}))  # type: ignore[arg-type]

    def make_stale(self, _: str) -> None:
        self.project.materialize(stale=True)

    def fail(self, name: str) -> None:
        self.failing ^= {name}

    def see(self, _: str) -> None:
        self.number += 1
        self.project.record_observed([Observed(AssetKey("files"), data_version=f"v{self.number // 2}")])

    def forget(self, name: str) -> None:
        self.project.store.forget(self.project.graph.find(name))

    def prune(self, _: str) -> None:
        old = datetime.now(UTC)
        self.project.store.prune(KeptHistory(runs=old, events=old, attempts=old, materializations=old))

    def accept(self, name: str) -> None:
        with suppress(UsageError):  # it was never made
            self.project.accept(name, why="It is the same.")

    def ask(self, name: str) -> None:
        key = self.project.graph.find(name)
        if self.newer_than.pop(key, None) is None:
            self.newer_than[key] = datetime.now(UTC)

    def wait(self, name: str) -> None:
        self.later = HOUR * (NAMES.index(name) - 2)

    def reload(self, _: str) -> None:
        self.project.__dict__.pop("graph", None)


WHAT = ("make", "make", "make_stale", "fail", "see", "forget", "prune", "accept", "ask", "wait", "reload")
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.sampled_from(NAMES)), min_size=1, max_size=3)


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_what_goes_on_is_what_begins_anew(turns: list[list[tuple[str, str]]]) -> None:
    looks = Looks()
    with looks.project:
        looks.look()
        for steps in turns:
            for what, name in steps:
                getattr(looks, what)(name)
            looks.look()


@pytest.fixture
def project() -> Iterator[Project]:
    with shop(set()) as found:
        found.materialize(partition="all")
        yield found


class Asked(SQLiteStore):
    """A store that notes of which assets it was asked for records."""

    asked: list[Any]

    def latest(self, keys: Any = None, partitions: Any = None) -> Any:
        self.asked.append(keys if keys is None else sorted(map(str, keys)))
        return super().latest(keys, partitions)


def test_records_are_read_once_and_later_those_that_are_new() -> None:
    @asset
    def raw() -> int:
        return 1

    @asset
    def report(raw: int) -> int:
        return raw

    with Project(assets=[raw, report], io="memory:") as project:
        store = project.__dict__["store"] = Asked(":memory:")
        store.asked = []
        project.materialize()
        store.asked = []
        before = project.judge()
        assert store.asked[-1] is None
        project.materialize("raw")
        store.asked = []
        after = project.judge(before=before)
        assert store.asked == []
        assert after.statuses == project.judge(after.now).statuses


def test_a_judgement_of_another_store_or_of_other_definitions_is_not_gone_on_from(project: Project) -> None:
    before = project.judge()
    other = project.with_records("sqlite::memory:")
    assert {each.status for each in other.judge(before=before).statuses if each.key.name != "files"} == {"never"}
    project.__dict__.pop("graph")
    assert not before.is_of(project.graph)
    assert project.judge(before.now, before=before).statuses == before.statuses


def test_records_of_partitions_from_when_an_asset_had_some_are_judged_with_those_of_the_whole(project: Project) -> None:
    store, at = project.store, datetime.now(UTC)
    told = {"key": AssetKey("raw"), "run": "r", "data_version": "1"}
    before = project.judge(at)
    for number, part in enumerate(("a", None, "a", "b", None)):
        store.append([], [Materialization(partition=part, at=at + timedelta(minutes=number), **told)])
        before = project.judge(at + HOUR, before=before)
        assert before.statuses == project.judge(at + HOUR).statuses
