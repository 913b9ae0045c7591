"""What a run has left: by asset and partition, judged by the last attempt of anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.run.retry import LeftJob, RunOrder, forget_ended, jobs_left, jobs_of, undone
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset
from assetry.types.events import Event, Handle, InvocationFinished, InvocationStarted, JobOver
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, Outcome, RunInfo

START = datetime(2026, 1, 2, tzinfo=UTC)
DAYS = ("2026-01-01", "2026-01-02")
GRAPH = AssetGraph.of(
    [
        Asset(key="a", kind="x"),
        Asset(key="b", kind="x", deps=["a"]),
        Asset(key="daily", kind="x", partitions_def=DailyPartitionsDefinition(start_date="2026-01-01")),
    ]
)


def run(*keys: str, **options: object) -> RunInfo:
    return RunInfo(id="r1", state="failed", started=START, assets=tuple(map(AssetKey, keys)), options=options)


def tried(key: str, outcome: Outcome, partition: str | None = None, run: str = "r1", minute: int = 0) -> Attempt:
    at = START + timedelta(minutes=minute)
    return Attempt(key=AssetKey(key), partition=partition, run=run, at=at, outcome=outcome)


def left(info: RunInfo, *attempts: Attempt) -> dict[AssetKey, tuple[str, ...]]:
    found = undone(info, GRAPH, {(each.key, each.partition): each for each in attempts})
    return {key: () if parts is None else found.definitions[key].keys_of(parts) for key, parts in found.wants.items()}


@pytest.mark.parametrize("outcome", ["failed", "check_failed", "skipped", "running"])
def test_only_what_was_made_is_done(outcome: Outcome) -> None:
    assert left(run("b", "a"), tried("a", "materialized"), tried("b", outcome)) == {"b": ()}
    assert left(run("a")) == {"a": ()}, "never tried"


def test_what_was_made_before_a_killed_run_is_left_by_it() -> None:
    assert left(run("a"), tried("a", "materialized", run="r0", minute=-1)) == {"a": ()}, "it was to be made anew"
    assert left(run("a"), tried("a", "materialized", run="r2", minute=1)) == {}, "somebody has made it since"


@pytest.mark.parametrize("minute", [-60, 0, 60], ids=["set back", "true", "set ahead"])
def test_what_came_before_a_run_and_after_it_is_told_apart_whatever_the_clock_says(minute: int) -> None:
    info = run("a", "daily", partition=[DAYS[0]])
    order = RunOrder.of([replace(info, id="r2"), info, replace(info, id="r0")])
    for other, undone_then in (("r0", ["a", "daily"]), ("r2", [])):
        made = [tried("a", "materialized", run=other, minute=minute)]
        made.append(tried("daily", "materialized", DAYS[0], run=other, minute=minute))
        found = undone(info, GRAPH, {(each.key, each.partition): each for each in made}, None, order)
        assert list(found.wants) == undone_then, other


def test_a_check_that_failed_before_a_partition_was_made_says_nothing_of_it_though_the_clock_was_set_back() -> None:
    info = run("daily", partition=[DAYS[0]])
    order = RunOrder.of([replace(info, id="r3"), replace(info, id="r2"), info])
    failed, made = tried("daily", "check_failed", run="r2"), tried("daily", "materialized", DAYS[0], "r3", minute=-5)
    attempts = {(each.key, each.partition): each for each in (failed, made)}
    assert not undone(info, GRAPH, attempts, None, order).wants
    attempts[made.key, DAYS[0]] = replace(made, run="r1", at=START + timedelta(minutes=9))
    assert list(undone(info, GRAPH, attempts, None, order).wants) == ["daily"]


def test_it_is_in_graph_order_and_within_the_run() -> None:
    assert list(left(run("b", "gone", "a"))) == ["a", "b"]


def test_of_partitions_those_that_were_not_made() -> None:
    info = run("daily", "a", partition=list(DAYS))
    assert left(info, tried("daily", "materialized", DAYS[0]), tried("a", "materialized")) == {"daily": (DAYS[1],)}
    assert left(info, *(tried("daily", "materialized", day) for day in DAYS), tried("a", "materialized")) == {}


def test_of_each_asset_those_that_the_run_wanted_of_it() -> None:
    info = run("daily", "a", wants={"daily": [["2026-01-02", "2026-01-04"]]})
    made = tried("daily", "materialized", "2026-01-03")
    assert left(info, made, tried("daily", "materialized", "2026-01-09"), tried("a", "materialized")) == {
        "daily": ("2026-01-02", "2026-01-04")
    }


def test_what_is_no_partition_any_more_is_told() -> None:
    info = run("daily", wants={"daily": [["2025-12-30", "2025-12-31"], ["2026-01-01", "2026-01-01"]]})
    found = undone(info, GRAPH, {})
    assert found.gone == {"daily": ["2025-12-30..2025-12-31"]}
    assert left(info) == {"daily": ("2026-01-01",)}


def test_a_failed_check_leaves_what_was_made_before_it() -> None:
    info = run("daily", partition=[DAYS[0]])
    made = tried("daily", "materialized", DAYS[0], minute=1)
    assert left(info, made, tried("daily", "check_failed")) == {"daily": (DAYS[0],)}
    later = tried("daily", "materialized", DAYS[0], run="r2", minute=1)
    assert left(info, later, tried("daily", "check_failed")) == {}, "made anew since"


def test_jobs_are_handed_on_by_group() -> None:
    started = [
        EventRecord(at=START, run="r1", invocation=id_, event=InvocationStarted("x", (AssetKey(f"a{id_}"),), group))
        for id_, group in (("1", "x:one"), ("2", None), ("3", "x:two"))
    ]
    events = [*started, EventRecord(at=START, run="r1", invocation="1", event=Handle("7"))]
    assert jobs_of({"1": "7", "2": "8"}, events) == {"x:one": LeftJob("7", frozenset({AssetKey("a1")}))}


def test_a_table_that_was_made_anew_is_not_made_anew_again() -> None:
    daily = DailyPartitionsDefinition("2026-01-01")
    graph = AssetGraph.of(
        [
            Asset(key="daily", kind="x", partitions_def=daily, incremental=True),
            Asset(key="other", kind="x", incremental=True),
            Asset(key="plain", kind="x"),
        ]
    )
    ranges = {"daily": [(DAYS[0], DAYS[1])]}

    def again(*keys: str, made: tuple[str, ...]) -> tuple[dict[str, int], bool]:
        info = run(*keys, wants=ranges, full_refresh=True)
        attempts = {(AssetKey("daily"), day): tried("daily", "materialized", day) for day in made}
        found, anew = undone(info, graph, attempts).refreshed(graph)
        return {str(key): len(parts) if parts else 0 for key, parts in found.wants.items()}, anew

    assert again("daily", "plain", made=DAYS[:1]) == ({"daily": 1, "plain": 0}, False)
    assert again("daily", made=()) == ({"daily": 2}, True)
    assert again("daily", "other", made=DAYS[:1]) == ({"daily": 2, "other": 0}, True), "one flag for both"
    assert again("plain", made=()) == ({"plain": 0}, True)


# -- jobs of which a later run has seen the end -----------------------------------------------------------------------


class History:
    """Runs that were killed or have ended, each a retry of the one before, with jobs of one tool."""

    def __init__(self) -> None:
        self.store = SQLiteStore(":memory:")
        self.runs: list[RunInfo] = []

    def run(self, *told: tuple[str, Event], ended: bool = False) -> str:
        """Record a run, with events by invocation; return its id."""
        number = len(self.runs) + 1
        options = {"retry_of": self.runs[-1].id} if self.runs else {}
        at = START + timedelta(hours=number)
        info = RunInfo(id=f"r{number}", state="running", started=at, assets=(AssetKey("a"),), options=options)
        self.runs.append(info)
        self.store.begin(info)
        for invocation, event in told:
            self.store.append([EventRecord(at=at, run=info.id, invocation=invocation, event=event)], (), ())
        self.store.finish(info.id, "succeeded" if ended else "interrupted", at)
        return info.id

    def forget(self, of: int = 0) -> list[dict[str, str]]:
        """Forget what has ended, as a retry of one of the runs does; return the tokens that are left of each run."""
        jobs = jobs_left(self.runs[of], self.store)
        forget_ended(self.runs[of], self.store, START)
        assert jobs_left(self.runs[of], self.store) == jobs, "what a retry takes up is the same as before"
        return [dict(self.store.handles(each.id)) for each in self.runs]


def began(group: str = "mill") -> Event:
    return InvocationStarted("mill", (AssetKey("a"),), group)


def test_a_killed_run_keeps_its_job_until_a_retry_has_seen_the_end_of_it() -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("job-7")))
    assert history.forget() == [{"1": "job-7"}]
    history.run(("1", began()), ("1", Handle("job-7")))
    assert history.forget() == [{"1": "job-7"}, {"1": "job-7"}], "it was killed as well"
    history.run(("2", began()), ("2", Handle("job-7")), ("2", InvocationFinished("succeeded", 1.0)), ended=True)
    assert history.forget(2) == [{}, {}, {}]
    (*_, last) = history.store.events("r1")
    assert (last.invocation, last.event) == ("1", JobOver("job-7"))
    told = len(list(history.store.events("r1")))
    assert history.forget() == [{}, {}, {}]
    assert len(list(history.store.events("r1"))) == told, "it is told once"


@pytest.mark.parametrize("of", [0, 1])
def test_the_job_of_a_failed_run_whose_end_its_retry_has_seen_is_forgotten(of: int) -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("job-7")), ("1", InvocationFinished("failed", 1.0, "lost")))
    history.run(("1", began()), ("1", Handle("job-7")), ("1", JobOver("job-7")), ended=True)
    assert history.forget(of) == [{}, {}]


def test_a_job_that_was_given_up_again_is_kept() -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("job-7")))
    history.run(("1", began()), ("1", Handle("job-7")), ("1", InvocationFinished("failed", 1.0, "lost")), ended=True)
    assert history.forget() == [{"1": "job-7"}, {"1": "job-7"}]


def test_a_job_that_no_retry_took_up_is_kept() -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("job-7")), ("2", began()), ("2", Handle("job-8")))
    history.run(("1", began("press")), ("1", InvocationFinished("succeeded", 1.0)), ended=True)
    assert history.forget() == [{"1": "job-7", "2": "job-8"}, {}]
    history.run(("1", began()), ("1", Handle("job-8")), ("1", InvocationFinished("succeeded", 1.0)), ended=True)
    assert dict(history.store.handles("r1")) == {"1": "job-7", "2": "job-8"}
    history.store.append([], (), ())
    forget_ended(history.runs[0], history.store, START)
    assert dict(history.store.handles("r1")) == {"1": "job-7"}, "of the other nothing is known"


def test_a_job_whose_place_another_one_took_is_forgotten_and_that_is_kept() -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("job-7")))
    history.run(("1", began()), ("1", Handle("job-7")), ("1", Handle("job-8")))
    assert history.forget() == [{}, {"1": "job-8"}]


def test_jobs_of_one_number_in_two_tools_are_two() -> None:
    history = History()
    history.run(("1", began()), ("1", Handle("7")), ("2", began("press")), ("2", Handle("7")))
    history.run(("1", began()), ("1", Handle("7")), ("1", InvocationFinished("succeeded", 1.0)), ended=True)
    assert history.forget() == [{"2": "7"}, {}]
