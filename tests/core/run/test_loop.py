"""A run: streamed, recorded before it is told, stopped when it must, true whatever tools and stores do."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import assetry
import pytest
from assetry import Asset, AssetKey, Check, DailyPartitionsDefinition, Integration, Project, asset
from assetry.errors import (
    ConflictError,
    JobOverError,
    LeaseLostError,
    RunError,
    RunFailedError,
    StoreError,
    UsageError,
)
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.plugin import Invocation, InvocationGroup, RunContext, hookimpl
from assetry.run.result import RunResult
from assetry.run.retry import LeftJob
from assetry.run.threads import ThreadExecutor
from assetry.run.tracking.tracker import Tracker
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    Handle,
    InvocationFinished,
    InvocationStarted,
    JobOver,
    Log,
    Materialized,
    Observed,
    RunFinished,
    Skipped,
    Started,
)
from assetry.types.leases import HeldLease
from assetry.types.policies import RetryPolicy
from assetry.types.records import EventRecord

from tests.beside import InThread, until

WAIT = 30
MILL = Integration("mill", "mill")

Script = Callable[[Invocation, RunContext], Iterator[Event]]


def signalled(event: threading.Event) -> None:
    assert event.wait(WAIT), "it did not happen"


def all_made(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    for each in invocation.assets:
        yield Started(each.key)
        yield Materialized(each.key)
    for ref in invocation.checks:
        yield Checked(ref.key, ref.check, True)


class Mill:
    """A plugin whose tool does what a script says."""

    def __init__(
        self, script: Script = all_made, *, holds: tuple[str, ...] = (), opens: tuple[str, ...] = (), limit: int = 1
    ) -> None:
        self.script = script
        self.group = InvocationGroup("mill:m", holds=holds, opens=opens, limit=limit)
        self.groups: dict[str, InvocationGroup] = {}
        self.places: dict[str, str] = {}
        self.invocations: list[Invocation] = []
        self.resumed: list[str | None] = []
        self.closed = threading.Event()

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return self.groups.get(asset.key, self.group)

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str | None:
        return self.places.get(integration.name)

    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> str:
        return f"mill {' '.join(asset.key for asset in invocation.assets)}"

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        self.invocations.append(invocation)
        self.resumed.append(context.resume)
        try:
            yield from self.script(invocation, context)
        finally:
            self.closed.set()


def ground(key: str, *deps: str, **more: Any) -> Asset:
    return Asset(key=key, kind="mill", deps=deps, integration=MILL, **more)


def function(name: str, *deps: str, body: Callable[[], object] = lambda: None, **more: Any) -> Any:
    @asset(key=name, deps=deps, **more)
    def made() -> object:
        return body()

    return made


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    """Make projects in one folder; closed at the end."""
    made: list[Project] = []

    def make(*assets: Any, plugins: Sequence[Any] = (), **more: Any) -> Project:
        found = Project(assets, plugins=plugins, root=tmp_path, **{"io": "memory:", "executor": "threads:8", **more})
        made.append(found)
        return found

    yield make
    for each in made:
        each.close()


def outcomes(result: RunResult) -> dict[str, str]:
    return {str(key): attempt.outcome for (key, part), attempt in result.outcomes.items() if part is None}


def events_of(project: Project, result: RunResult, kind: type[Event]) -> list[Any]:
    return [record.event for record in project.store.events(result.run.id) if isinstance(record.event, kind)]


# -- streaming -----------------------------------------------------------------------------------------------------


def test_a_python_asset_runs_while_the_stream_above_it_is_still_open(project: Any) -> None:
    below_a_ran = threading.Event()

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Materialized("a")
        signalled(below_a_ran)  # a barrier between the two would never let this go on
        yield Materialized("b")

    mill = Mill(script)
    found = project(ground("a"), ground("b"), function("p", "a", body=below_a_ran.set), plugins=[mill])
    result = found.materialize()
    assert result.ok
    assert len(mill.invocations) == 1


def test_a_failed_sibling_stops_only_its_own_descendants(project: Any) -> None:
    below_a_ran = threading.Event()

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Failed("d", "no such column")
        yield Materialized("a")
        signalled(below_a_ran)

    never = threading.Event()
    found = project(
        ground("a"),
        ground("d"),
        function("p", "a", body=below_a_ran.set),
        function("q", "d", body=never.set),
        function("r", "q", body=never.set),
        plugins=[Mill(script)],
    )
    result = found.materialize()
    assert outcomes(result) == {
        "a": "materialized", "d": "failed", "p": "materialized", "q": "skipped", "r": "skipped"
    }  # fmt: skip
    assert not never.is_set()
    assert result.run.state == "failed"
    assert {each.key: each.because for each in events_of(found, result, Skipped)} == dict.fromkeys("qr", "d failed")
    assert {attempt.because for attempt in result.outcomes.values() if attempt.outcome == "skipped"} == {"d"}


def test_retry_runs_exactly_what_is_left_in_one_invocation(project: Any) -> None:
    broken = [True]

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for each in invocation.assets:
            if each.key == "d" and broken:
                yield Failed("d", "no")
            elif not (each.key == "e" and broken):
                yield Materialized(each.key)

    mill = Mill(script)
    ran: list[str] = []
    found = project(
        ground("a"), ground("d"), ground("e", "d"),
        function("p", "a", body=lambda: ran.append("p")),
        function("q", "e", body=lambda: ran.append("q")),
        plugins=[mill],
    )  # fmt: skip
    first = found.materialize()
    assert found.undone(first.run) == ("d", "e", "q")
    broken.clear()
    second = found.retry()
    assert second.ok
    assert [[str(each.key) for each in invocation.assets] for invocation in mill.invocations] == [
        ["a", "d", "e"],
        ["d", "e"],
    ]
    assert ran == ["p", "q"]
    assert found.undone(first.run) == ()


# -- tools that break, forget and lie ------------------------------------------------------------------------------


def test_a_stream_that_raises_half_way_keeps_what_was_finished(project: Any) -> None:
    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Started("a")
        yield Materialized("a")
        yield Started("b")
        raise ValueError("the pipe burst")

    found = project(
        ground("a"), ground("b"), ground("c"), function("p", "a"), function("q", "b"), plugins=[Mill(script)]
    )
    result = found.materialize()
    assert outcomes(result) == {
        "a": "materialized", "b": "failed", "c": "skipped", "p": "materialized", "q": "skipped"
    }  # fmt: skip
    (failed,) = events_of(found, result, Failed)
    assert failed.message.endswith(" raised ValueError: the pipe burst")
    assert failed.retryable
    ended = next(each for each in events_of(found, result, InvocationFinished) if each.state == "failed")
    assert ended.message == failed.message


def test_a_tool_that_breaks_after_all_was_made_fails_the_run_and_is_told_first(project: Any) -> None:
    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield from all_made(invocation, context)
        raise RunError("The grants could not be set.", hint="Ask for the right.")

    found = project(ground("a"), function("p", "a"), plugins=[Mill(script)])
    result = found.materialize()
    assert outcomes(result) == {"a": "materialized", "p": "materialized"}
    assert (result.run.state, result.problems) == ("failed", ("The grants could not be set.",))
    ended = next(each for each in events_of(found, result, InvocationFinished) if each.state == "failed")
    assert (ended.message, ended.hint) == ("The grants could not be set.", "Ask for the right.")
    with pytest.raises(RunFailedError, match=r"failed\.\n  The grants could not be set\."):
        result.checked()
    assert found.problems_of(result.run) == result.problems
    assert not found.undone(result.run)


def test_an_error_of_ours_keeps_its_words_and_its_hint(project: Any) -> None:
    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        raise UsageError("There is no profile.", hint="Write one.")
        yield

    found = project(ground("a"), plugins=[Mill(script)])
    (failed,) = events_of(found, found.materialize(), Failed)
    assert (failed.message, failed.hint) == ("There is no profile.", "Write one.")


@pytest.mark.parametrize("stray", [None, {"key": "a"}, "materialized"])
def test_what_is_no_event_is_a_word_in_the_log_and_not_the_end(project: Any, stray: object) -> None:
    def script(invocation: Invocation, context: RunContext) -> Iterator[Any]:
        yield stray
        yield Materialized("a")

    found = project(ground("a"), plugins=[Mill(script)])
    result = found.materialize()
    assert result.ok
    assert [each.level for each in events_of(found, result, Log)] == ["warning"]


def test_forgotten_doubled_and_foreign_reports(project: Any) -> None:
    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Materialized("a")
        yield Skipped("a", "on second thought")
        yield Materialized("p")
        yield Materialized("nowhere")

    ran = threading.Event()
    found = project(ground("a"), ground("b"), function("p", "b", body=ran.set), plugins=[Mill(script)])
    result = found.materialize()
    assert outcomes(result) == {"a": "materialized", "b": "failed", "p": "skipped"}
    assert not ran.is_set()
    assert len(events_of(found, result, Log)) == 3
    (failed,) = events_of(found, result, Failed)
    assert failed.message == "mill ended without saying what became of b."


def test_an_asset_that_no_plugin_can_make_fails_alone(project: Any) -> None:
    found = project(function("p"), Asset(key="mystery", kind="mystery"))
    result = found.materialize()
    assert outcomes(result) == {"p": "materialized", "mystery": "failed"}
    assert "No plugin loads 'mystery'" in (result.outcomes[AssetKey("mystery"), None].message or "")


# -- records -------------------------------------------------------------------------------------------------------


def test_what_is_told_is_recorded_already(project: Any) -> None:
    found = project(ground("a"), function("p", "a"), plugins=[Mill()])
    told: list[EventRecord] = []

    def look(record: EventRecord) -> None:
        told.append(record)
        with Project(settings=found.root) as other:  # through a connection of its own, as another process would
            assert list(other.store.events(record.run))[: len(told)] == told

    result = found.materialize(on_event=look)
    assert told == list(found.store.events(result.run.id))
    names = [record.event.name for record in told]
    assert (names[0], names[-1]) == ("run_started", "run_finished")
    assert Counter_of(names)["materialized"] == 2
    started = next(record.event for record in told if isinstance(record.event, InvocationStarted))
    assert (started.kind, started.group, started.command, started.assets) == ("mill", "mill:m", "mill a", ("a",))


def Counter_of(names: Sequence[str]) -> dict[str, int]:  # noqa: N802
    return {name: names.count(name) for name in names}


def test_an_intent_is_recorded_before_the_deed(project: Any) -> None:
    seen: list[list[str]] = []

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        seen.append([record.event.name for record in found.store.events(context.run_id)])
        yield Materialized("a")

    found = project(ground("a"), plugins=[Mill(script)])
    found.materialize()
    assert seen == [["run_started", "invocation_started"]]


def test_what_a_function_makes_is_known_to_be_under_way_before_it_is_called(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'state.db'}"
    days = StaticPartitionsDefinition(["eu", "us"])
    seen: list[set[tuple[str, str | None, str]]] = []

    def look() -> None:
        with Project(store=store) as other:
            (run,) = other.store.runs(running=True)
            tried = other.store.run_attempts(run.id).values()
            seen.append({(str(each.key), each.partition, each.outcome) for each in tried})

    @asset
    def raw() -> int:
        look()
        return 1

    @asset(partitions_def=days)
    def orders(partition: str) -> str:
        look()
        return partition

    with Project(assets=[raw, orders], store=store, io="memory:") as project:
        assert project.materialize("raw").ok
        assert project.materialize("orders", partition="all").ok
        assert seen[0] == {("raw", None, "running")}
        assert {("orders", "eu"), ("orders", "us")} <= {place[:2] for place in seen[1]}
        assert {each.outcome for each in project.store.attempts().values()} == {"materialized"}


def test_a_flood_of_events_is_written_in_portions(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.loop.BATCH", 10)

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for number in range(100):
            yield Log(str(number))
        yield Materialized("a")

    found = project(ground("a"), plugins=[Mill(script)])
    sizes: list[int] = []
    append = type(found.store).append

    def measured(store: Any, events: Sequence[EventRecord], *rest: Any, lease: Any) -> None:
        sizes.append(len(events))
        append(store, events, *rest, lease=lease)

    monkeypatch.setattr(type(found.store), "append", measured)
    result = found.materialize()
    assert [each.message for each in events_of(found, result, Log)] == [str(number) for number in range(100)]
    assert max(sizes) <= 15


# -- retries -------------------------------------------------------------------------------------------------------


def test_a_retry_policy_tries_again(project: Any) -> None:
    tries: list[int] = []

    def flaky() -> int:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError("not yet")
        return 7

    found = project(function("p", body=flaky, retry_policy=RetryPolicy(3, delay=0.0)))
    assert found.materialize().ok
    assert len(tries) == 3


# -- what may run beside what --------------------------------------------------------------------------------------


class TestHolds:
    PLACE = "parquet:/tmp/nowhere-held"

    def beside(self, project: Any, tmp_path: Path, io: str) -> tuple[Project, threading.Event, threading.Event]:
        may_end, ran = threading.Event(), threading.Event()

        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Materialized("a")
            signalled(may_end)
            yield Materialized("b")

        held = f"parquet:{tmp_path / 'held'}"
        mill = Mill(script, holds=(held,))
        found = project(ground("a"), ground("b"), function("p", "a", body=ran.set, io_manager=io), plugins=[mill])
        return found, may_end, ran

    def test_who_is_kept_in_the_held_place_waits_for_the_end_of_the_invocation(
        self, project: Any, tmp_path: Path
    ) -> None:
        found, may_end, ran = self.beside(project, tmp_path, f"parquet:{tmp_path / 'held'}")
        made: list[str] = []

        def look(record: EventRecord) -> None:
            if isinstance(record.event, Materialized):
                made.append(record.event.key)
                if record.event.key == "a":
                    may_end.set()

        assert found.materialize(on_event=look).ok
        assert made == ["a", "b", "p"]
        assert ran.is_set()

    def test_who_is_kept_elsewhere_does_not(self, project: Any, tmp_path: Path) -> None:
        found, may_end, ran = self.beside(project, tmp_path, f"parquet:{tmp_path / 'elsewhere'}")
        run = InThread(found.materialize)
        signalled(ran)
        may_end.set()
        assert run.join().ok

    def test_who_waited_for_what_was_left_out_is_looked_at_again(self, project: Any, tmp_path: Path) -> None:
        def broken() -> object:
            raise ValueError("no rows")

        held = f"parquet:{tmp_path / 'held'}"
        mill = Mill(holds=(held,))
        p, q = (function(name, dep, io_manager=held) for name, dep in (("p", "a"), ("q", "b")))
        a, b = function("a", body=broken, io_manager=held), function("b", "a", io_manager=held)
        found = project(a, b, p, q, ground("x", "a"), ground("y", "b"), plugins=[mill])
        run = InThread(found.materialize)
        result = run.join()
        assert outcomes(result) == {"a": "failed", **dict.fromkeys("bpqxy", "skipped")}

    def test_another_tool_that_works_there_waits(self, project: Any, tmp_path: Path) -> None:
        held = f"parquet:{tmp_path / 'held'}"
        other = Integration("other", "mill")
        mill = Mill()
        mill.groups = {"a": InvocationGroup("mill:a", holds=(held,)), "b": InvocationGroup("mill:b")}
        mill.places = {"other": held}
        found = project(ground("a"), Asset(key="b", kind="mill", integration=other), plugins=[mill])
        result = found.materialize()
        told = [record.event for record in found.store.events(result.run.id)]
        steps = [type(each) for each in told if isinstance(each, (InvocationStarted, InvocationFinished))]
        assert steps == [InvocationStarted, InvocationFinished] * 2, "one after the other"

    def test_a_job_that_an_earlier_run_left_behind_comes_first_where_it_may_hold_the_place(
        self, project: Any, tmp_path: Path
    ) -> None:
        held = f"parquet:{tmp_path / 'held'}"
        mill = Mill(holds=(held,))
        found = project(function("a", io_manager=held), ground("b"), plugins=[mill])
        plan = found.plan()
        for resume, first in (({}, "a"), ({"mill:m": LeftJob("job")}, "b")):
            result = found.run(plan, resume=resume)
            assert events_of(found, result, InvocationStarted)[0].assets == (first,)

    @pytest.mark.parametrize(
        ("of", "launched", "resumed"),
        [("b", ["b", "a"], ["job", None]), ("a", ["a", "b"], ["job", None]), ("gone", ["a", "b"], ["job", None])],
    )
    def test_a_job_goes_to_the_invocation_of_its_group_that_makes_what_it_was_asked_for(
        self, project: Any, of: str, launched: list[str], resumed: list[str | None]
    ) -> None:
        """Else the job would go on beside another one that makes the same."""
        mill = Mill()
        mill.group = InvocationGroup("mill:m", choice=("tap", "target", "stream"))
        specs = {name: {"tap": "t", "target": name, "stream": name} for name in "ab"}
        found = project(*(ground(name, spec=spec) for name, spec in specs.items()), plugins=[mill])
        found.run(found.plan(), resume={"mill:m": LeftJob("job", frozenset({AssetKey(of)}))})
        assert [each.assets[0].key for each in mill.invocations] == launched
        assert mill.resumed == resumed

    def test_a_place_that_cannot_be_found_is_no_reason_to_end_the_run(
        self, project: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = project(ground("a"), function("p", "a"), plugins=[Mill(holds=("x:y",))])

        def place(_: Asset) -> str:
            raise UsageError("no profile")

        monkeypatch.setattr(found.values, "place", place)
        assert found.materialize().ok


def test_no_more_of_a_group_at_a_time_than_its_limit(project: Any) -> None:
    under_way: list[str] = []
    most: list[int] = []

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        under_way.append(invocation.id)
        most.append(len(under_way))
        for _ in range(50):
            yield Log("at it")
        under_way.remove(invocation.id)
        yield from all_made(invocation, context)

    mill = Mill(script)
    # Each its own way through Python, so that the plan needs three invocations of the group.
    found = project(
        ground("a"), function("p", "a"), ground("b", "p"), function("q", "b"), ground("c", "q"), plugins=[mill]
    )
    assert found.materialize().ok
    assert len(mill.invocations) == 3
    assert max(most) == 1


# -- outside jobs --------------------------------------------------------------------------------------------------


def test_a_token_is_on_the_disk_before_its_tool_goes_on(project: Any) -> None:
    seen: list[list[str]] = []

    def starts(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for job in ("job-7", "job-8"):
            yield Handle(job)
            stored = (record.event for record in found.store.events(context.run_id))
            seen.append([each.token for each in stored if isinstance(each, Handle)])
        yield Materialized("a")

    found = project(ground("a"), plugins=[Mill(starts)])
    assert found.materialize().ok
    assert seen == [["job-7"], ["job-7", "job-8"]]


@pytest.mark.parametrize("executor", ["inline", "threads:1"])
def test_tokens_of_many_tools_on_one_thread_hold_nothing_up(project: Any, executor: str) -> None:
    def starts(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Handle("job-7")
        yield from all_made(invocation, context)

    names = [f"a{number}" for number in range(5)]
    mill = Mill(starts)
    mill.groups = {name: InvocationGroup(f"mill:{name}") for name in names}
    found = project(*map(ground, names), plugins=[mill], executor=executor)
    assert InThread(found.materialize).join().ok


def test_a_job_that_was_left_behind_is_handed_to_the_retry_once(project: Any) -> None:
    def dies(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Handle("job-7")
        raise ConnectionError("the line is dead")

    mill = Mill(dies)
    found = project(ground("a"), function("p", "a"), ground("b", "p"), plugins=[mill])
    first = found.materialize()
    assert dict(found.store.handles(first.run.id)) == {"1": "job-7"}
    mill.script = all_made
    second = found.retry()
    assert second.ok
    assert mill.resumed == [None, "job-7", None], "the second invocation of the group is another job"
    assert [each.token for each in events_of(found, second, Handle)] == ["job-7"]
    assert dict(found.store.handles(second.run.id)) == {}


def test_a_retry_that_is_killed_before_its_tool_speaks_hands_the_job_on(project: Any) -> None:
    def dies(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        if context.resume is None:
            yield Handle("job-7")
        raise ConnectionError("the line is dead")

    mill = Mill(dies)
    found = project(ground("a"), plugins=[mill])
    for _ in range(3):
        found.retry() if mill.resumed else found.materialize()
    assert mill.resumed == [None, "job-7", "job-7"]


def test_a_job_that_ended_is_not_handed_over(project: Any) -> None:
    def fails(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Handle("job-7")
        yield Failed("a", "the sync failed")

    mill = Mill(fails)
    found = project(ground("a"), plugins=[mill])
    found.materialize()
    found.retry()
    assert mill.resumed == [None, None]


class TestJobsThatAreOver:
    """A job of an earlier run that will report nothing more costs no run, and is handed over no second time."""

    def left_behind(self, project: Any, mill: Mill, *assets: Any) -> Project:
        """Return a project whose first run has left a job behind."""

        def dies(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            raise ConnectionError("the line is dead")

        mill.script = dies
        found: Project = project(*assets, plugins=[mill])
        found.materialize()
        return found

    def test_what_is_left_is_started_anew_in_the_same_invocation(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"), ground("b", "a"), ground("c"))

        def follows(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            if context.resume is not None:
                yield Started("a")
                yield Materialized("a")
                raise JobOverError("Job 7 was cancelled in the mill.")
            yield Handle("job-8")
            yield from all_made(invocation, context)

        mill.script = follows
        result = found.retry()
        assert result.ok
        assert mill.resumed[1:] == ["job-7", None]
        assert {asset.key for asset in mill.invocations[-1].assets} == {"b", "c"}, "what has no end yet"
        assert {each.id for each in mill.invocations[1:]} == {"1"}
        assert (
            len(events_of(found, result, InvocationStarted)) == len(events_of(found, result, InvocationFinished)) == 1
        )
        assert [each.token for each in events_of(found, result, JobOver)] == ["job-7"]
        (said,) = (each.message for each in events_of(found, result, Log))
        assert said == "Job 7 was cancelled in the mill. What is left is started anew."
        assert dict(found.store.handles(result.run.id)) == {}
        assert found.retry().outcomes == {}

    def test_what_is_below_a_failure_of_the_first_call_is_not_started(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"), ground("b", "a"), ground("c"))

        def follows(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            if context.resume is not None:
                yield Failed("a", "no")
                raise JobOverError("Job 7 is gone.")
            yield from all_made(invocation, context)

        mill.script = follows
        result = found.retry()
        assert outcomes(result) == {"a": "failed", "b": "skipped", "c": "materialized"}
        assert [asset.key for asset in mill.invocations[-1].assets] == ["c"]

    def test_a_second_one_breaks_the_invocation_and_the_next_retry_starts_anew(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))

        def over(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            if context.resume is None:
                yield Handle("job-8")
            raise JobOverError("The job is gone.", hint="Look at the mill.")

        mill.script = over
        result = found.retry()
        assert mill.resumed == [None, "job-7", None]
        assert result.problems == ("The job is gone.",)
        assert outcomes(result) == {"a": "failed"}
        assert [each.token for each in events_of(found, result, JobOver)] == ["job-7", "job-8"]
        mill.script = all_made
        assert found.retry().ok
        assert mill.resumed[3:] == [None]

    def test_without_a_job_of_an_earlier_run_it_breaks_and_the_token_is_forgotten(self, project: Any) -> None:
        def over(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            yield Started("a")
            raise JobOverError("Job 7 was deleted.")

        mill = Mill(over)
        found = project(ground("a"), plugins=[mill])
        result = found.materialize()
        assert not result.ok
        assert result.problems == ("Job 7 was deleted.",)
        assert dict(found.store.handles(result.run.id)) == {}
        mill.script = all_made
        assert found.retry().ok
        assert mill.resumed == [None, None]

    def test_when_nothing_is_left_it_is_told_and_no_second_call_is_made(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))

        def over(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Materialized("a")
            raise JobOverError("Job 7 died.")

        mill.script = over
        result = found.retry()
        assert (result.problems, outcomes(result)) == (("Job 7 died.",), {"a": "materialized"})
        assert mill.resumed == [None, "job-7"]

    def test_a_run_that_is_cancelled_meanwhile_starts_nothing_anew(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))

        def over(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Started("a")
            until(lambda: context.cancelled)
            raise JobOverError("Job 7 is gone.")

        mill.script = over
        result = found.retry(on_event=interrupt_on(Started))
        assert result.run.state == "cancelled"
        assert mill.resumed == [None, "job-7"]
        assert dict(found.store.handles(result.run.id)) == {}

    def test_a_cancel_that_comes_between_the_two_calls_ends_the_invocation(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))

        def over(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            if context.resume is not None:
                os.kill(os.getpid(), signal.SIGINT)
                raise JobOverError("Job 7 is gone.")
            until(lambda: context.cancelled)
            yield from ()

        mill.script = over
        result = found.retry()
        assert result.run.state == "cancelled"
        assert outcomes(result)["a"] in ("cancelled", "skipped")
        assert dict(found.store.handles(result.run.id)) == {}

    def test_a_job_that_is_left_running_on_purpose_is_handed_over(self, project: Any) -> None:
        def leaves(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            yield Started("a")
            until(lambda: context.cancelled)
            raise RunError("Job 7 was left running.")

        mill = Mill(leaves)
        found = project(ground("a"), plugins=[mill])
        result = found.materialize(on_event=interrupt_on(Started))
        assert dict(found.store.handles(result.run.id)) == {"1": "job-7"}
        mill.script = all_made
        assert found.retry().ok
        assert mill.resumed == [None, "job-7"]

    def test_a_retry_after_a_cancelled_run_starts_what_is_left(self, project: Any) -> None:
        def waits(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            yield Started("a")
            until(lambda: context.cancelled)

        mill = Mill(waits)
        found = project(ground("a"), plugins=[mill])
        found.materialize(on_event=interrupt_on(Started))
        mill.script = all_made
        assert found.retry().ok
        assert mill.resumed == [None, None]

    def test_the_run_before_is_retried_again_without_the_job_that_its_retry_has_seen_to_the_end(
        self, project: Any
    ) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))
        (first,) = found.store.runs()

        def fails(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Failed("a", "the sync failed")

        mill.script = fails
        found.retry()
        mill.script = all_made
        assert found.retry(first.id).ok
        assert mill.resumed == [None, "job-7", None]

    def test_a_job_that_a_retry_did_not_come_to_is_handed_to_the_next_one(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))
        mill.script = all_made
        execute = found.store.begin

        def dies(*run: Any) -> None:
            execute(*run)
            raise StoreError("the disk is full")

        found.__dict__["store"] = Delegate(found.store, begin=dies)
        with pytest.raises(StoreError):
            found.retry()
        found.__dict__["store"] = found.store._target  # type: ignore[attr-defined]
        assert len(found.store.runs()) == 2
        assert found.retry().ok
        assert mill.resumed == [None, "job-7"]

    def test_a_job_that_its_tool_was_not_asked_about_before_the_run_was_cancelled_goes_on(self, project: Any) -> None:
        mill = Mill()
        found = self.left_behind(project, mill, ground("a"))

        def silent(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            until(lambda: context.cancelled)
            yield from ()

        mill.script = silent
        result = found.retry(on_event=interrupt_on(InvocationStarted))
        assert result.run.state == "cancelled"
        assert dict(found.store.handles(result.run.id)) == {"1": "job-7"}


def test_what_an_atomic_tool_takes_back_is_neither_recorded_nor_told_nor_built_upon(project: Any) -> None:
    def rolls_back(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Started("a")
        yield Materialized("a", data_version="new")
        yield Failed("b", "constraint")

    mill = Mill(rolls_back)
    mill.group = InvocationGroup("mill:m", atomic=True)
    told: list[EventRecord] = []
    found = project(ground("a"), ground("b"), function("p", "a"), plugins=[mill])
    result = found.materialize(on_event=told.append)
    assert outcomes(result) == {"a": "skipped", "b": "failed", "p": "skipped"}
    assert result.counts == {"failed": 1, "skipped": 2}
    assert found.store.latest() == {}
    assert not [each for each in told if isinstance(each.event, Materialized)]
    mill.script = all_made
    assert outcomes(found.retry()) == {"a": "materialized", "b": "materialized", "p": "materialized"}


# -- other runs ----------------------------------------------------------------------------------------------------


def test_two_runs_never_make_one_asset_at_once(project: Any) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        signalled(may_end)

    first = project(function("p", body=work), function("q"))
    run = InThread(lambda: first.materialize("p"))
    signalled(begun)
    second = project(function("p"), function("q"))
    with pytest.raises(ConflictError, match=r"is building p\.") as caught:
        second.materialize()
    assert "assetry cancel" in str(caught.value)
    assert second.materialize("q").ok, "what nobody holds can be made"
    assert [info.state for info in second.store.runs()] == ["succeeded", "running"], "a refused run leaves no trace"
    may_end.set()
    assert run.join().ok
    assert second.materialize("p").ok


# -- a lease that is lost ------------------------------------------------------------------------------------------


def taken_for_gone(found: Project) -> str:
    """Let the store take the run that goes on for gone; return its id."""
    (info,) = [each for each in found.store.runs() if each.state == "running"]
    found.store.finish(info.id, "interrupted", info.started)
    return info.id


def test_a_run_that_was_taken_for_gone_stops_its_tools_and_records_nothing_more(project: Any) -> None:
    """It learns so at its next record."""
    begun, may_go_on = threading.Event(), threading.Event()

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Started("a")
        begun.set()
        signalled(may_go_on)
        yield Materialized("a")
        until(lambda: context.cancelled)

    mill = Mill(script)
    found = project(ground("a"), ground("b"), plugins=[mill])
    run = InThread(found.materialize)
    signalled(begun)
    until(lambda: (AssetKey("a"), None) in found.store.attempts())
    run_id = taken_for_gone(found)
    told = len(list(found.store.events(run_id)))
    again = found.store.lease("other", {AssetKey("a"): None, AssetKey("b"): None})
    assert again.lease is not None
    may_go_on.set()
    with pytest.raises(LeaseLostError, match=f"Run {run_id} lost its lease: it has ended|: its process was taken"):
        run.join()
    assert mill.closed.is_set(), "its tool has stopped before it is told"
    assert len(list(found.store.events(run_id))) == told
    assert found.store.latest() == {}
    assert found.store.leases() == (HeldLease(AssetKey("a"), "other"), HeldLease(AssetKey("b"), "other"))


def test_a_quiet_run_learns_it_by_its_heartbeat(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.leases.heartbeat.INTERVAL", 0.01)
    begun = threading.Event()

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Started("a")
        begun.set()
        until(lambda: context.cancelled)

    mill = Mill(script)
    found = project(ground("a"), plugins=[mill])
    run = InThread(found.materialize)
    signalled(begun)
    until(lambda: (AssetKey("a"), None) in found.store.attempts())
    taken_for_gone(found)
    with pytest.raises(LeaseLostError):
        run.join()
    assert mill.closed.is_set()


def test_a_store_that_cannot_be_reached_for_a_moment_does_not_end_a_run(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assetry.run.leases.heartbeat.INTERVAL", 0.005)
    monkeypatch.setattr("assetry.run.leases.heartbeat.AGAIN", 0.005)
    left = [5]

    def renew(lease: Any) -> Any:
        left[0] -= 1
        if left[0] > 0:
            raise StoreError("state.db is locked.")
        return lease

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        until(lambda: left[0] < -5)
        yield Materialized("a")

    found = project(ground("a"), plugins=[Mill(script)])
    found.__dict__["store"] = Delegate(found.store, renew=renew)
    assert InThread(found.materialize).join().ok


def test_an_observation_that_was_taken_for_gone_records_nothing_more(project: Any) -> None:
    class Looks(Mill):
        @hookimpl
        def assetry_observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
            taken_for_gone(found)
            yield Observed("a", data_version="7")

    found = project(ground("a", executable=False), plugins=[Looks()])
    with pytest.raises(LeaseLostError):
        found.observe()
    assert found.store.latest() == {}


# -- a broken store ------------------------------------------------------------------------------------------------


class FullStore:
    """A store whose disk is full from some append on."""

    def __init__(self, store: Any, after: int, until: int = 10**9) -> None:
        self._store = store
        self._left = (after, until)
        self._count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def append(self, *records: Any, lease: Any = None) -> None:
        self._count += 1
        if self._left[0] < self._count <= self._left[1]:
            raise StoreError("state.db cannot grow: the disk is full.", hint="Make room, then run `assetry retry`.")
        self._store.append(*records, lease=lease)


def waits_for_the_end(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    yield Started("a")
    yield Materialized("a")
    while not context.cancelled:
        yield Log("at it")
        time.sleep(0.01)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_full_disk_stops_the_tools_and_is_told(project: Any, after: int) -> None:
    mill = Mill(waits_for_the_end)
    found = project(ground("a"), ground("b"), plugins=[mill])
    real = found.store
    found.__dict__["store"] = FullStore(real, after)
    with pytest.raises(StoreError, match="the disk is full"):
        InThread(found.materialize).join()
    if mill.invocations:
        assert mill.closed.is_set(), "the tool must have stopped before the error is told"
    (info,) = real.runs()
    assert info.state == "interrupted"
    assert not real.leases()
    found.__dict__["store"] = real
    assert "b" in found.undone(info)


def test_a_tool_whose_token_cannot_be_written_does_not_go_on(project: Any) -> None:
    gone_on: list[str] = []

    def starts(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Handle("job-7")
        gone_on.append("job-7")
        yield Materialized("a")

    mill = Mill(starts)
    found = project(ground("a"), plugins=[mill])
    found.__dict__["store"] = FullStore(found.store, 1)
    with pytest.raises(StoreError, match="the disk is full"):
        InThread(found.materialize).join()
    assert mill.closed.is_set()
    assert gone_on == []


def test_what_could_not_be_written_for_a_moment_is_written_in_the_end(project: Any) -> None:
    found = project(ground("a"), ground("b"), plugins=[Mill(waits_for_the_end)])
    real = found.store
    found.__dict__["store"] = FullStore(real, 1, 2)
    with pytest.raises(StoreError):
        InThread(found.materialize).join()
    (info,) = real.runs()
    kept = [record.event.name for record in real.events(info.id)]
    assert kept[:2] == ["run_started", "invocation_started"]
    assert "materialized" in kept, "what the tool had done is not lost"
    assert kept[-1] == "run_finished"
    assert real.attempts()[AssetKey("a"), None].outcome == "materialized"
    assert real.attempts()[AssetKey("b"), None].outcome in ("failed", "skipped")


def test_an_error_in_on_event_ends_the_run_and_loses_no_record(project: Any) -> None:
    mill = Mill(waits_for_the_end)
    found = project(ground("a"), ground("b"), plugins=[mill])

    def look(record: EventRecord) -> None:
        if isinstance(record.event, Materialized):
            raise BrokenPipeError("nobody reads any more")

    with pytest.raises(BrokenPipeError):
        found.materialize(on_event=look)
    assert mill.closed.is_set()
    (info,) = found.store.runs()
    assert info.state == "interrupted"
    assert found.undone(info) == ("b",)
    assert isinstance(list(found.store.events(info.id))[-1].event, RunFinished)


def test_an_executor_that_cannot_start_a_task_fails_it_and_not_the_run(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = ThreadExecutor.start

    def refuse(self: Any, task: Any, emit: Any) -> Any:
        if task.invocation.assets[0].key == "a":
            raise RuntimeError("can't start new thread")
        return start(self, task, emit)

    monkeypatch.setattr(ThreadExecutor, "start", refuse)
    result = project(ground("a"), function("p"), plugins=[Mill()]).materialize()
    assert outcomes(result) == {"a": "failed", "p": "materialized"}


def test_a_run_that_cannot_go_on_says_so_instead_of_hanging(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(function("p"))
    monkeypatch.setattr(Tracker, "ready", lambda self: ())
    with pytest.raises(RunError, match="cannot go on"):
        InThread(found.materialize).join()
    assert found.store.runs()[0].state == "interrupted"


# -- listeners -----------------------------------------------------------------------------------------------------


class Listener:
    def __init__(self, hear: Callable[[EventRecord], None]) -> None:
        self.hear = hear

    @hookimpl
    def assetry_event(self, event: EventRecord, run: Any) -> None:
        self.hear(event)


def test_listeners_hear_everything_in_order_to_the_last_event(project: Any) -> None:
    heard: list[EventRecord] = []
    found = project(function("p"), function("q", "p"), plugins=[Listener(heard.append)])
    result = found.materialize()
    assert heard == list(found.store.events(result.run.id))


def test_a_failing_listener_disturbs_nobody_and_is_reported(project: Any) -> None:
    def fail(record: EventRecord) -> None:
        raise ValueError("no network")

    heard: list[EventRecord] = []
    found = project(function("p"), plugins=[Listener(fail), Listener(heard.append)])
    assert found.materialize().ok
    assert len(heard) == len(list(found.store.events(found.store.runs()[0].id)))
    assert any("no network" in problem.message for problem in found.plugins.problems)


def test_a_slow_listener_holds_nothing_up(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.listeners.PATIENCE", 0.05)
    may_go_on, made = threading.Event(), threading.Event()
    found = project(function("p", body=made.set), plugins=[Listener(lambda _: signalled(may_go_on))])
    assert InThread(found.materialize).join().ok
    assert made.is_set()
    may_go_on.set()


# -- cancelling ----------------------------------------------------------------------------------------------------


def interrupt_on(wanted: type[Event], times: int = 1) -> Callable[[EventRecord], None]:
    """Return an `on_event` that interrupts this process at the first event of a kind."""
    left = [times]

    def look(record: EventRecord) -> None:
        if isinstance(record.event, wanted) and left[0]:
            while left[0]:
                left[0] -= 1
                os.kill(os.getpid(), signal.SIGINT)

    return look


class TestCancel:
    def test_once_stops_the_tools_and_records_how_everything_is(self, project: Any) -> None:
        mill = Mill(waits_for_the_end)
        found = project(ground("a"), ground("b"), function("p", "b"), function("q", "p"), plugins=[mill])
        before = signal.getsignal(signal.SIGINT)
        result = found.materialize(on_event=interrupt_on(Materialized))
        assert signal.getsignal(signal.SIGINT) is before
        assert result.run.state == "cancelled"
        assert mill.closed.is_set()
        assert outcomes(result) == {"a": "materialized", "b": "skipped", "p": "skipped", "q": "skipped"}
        assert {each.because for each in events_of(found, result, Skipped)} == {"the run was cancelled"}
        assert [each.state for each in events_of(found, result, InvocationFinished)] == ["cancelled"]
        assert found.store.runs()[0].state == "cancelled"
        assert found.undone(result.run) == ("b", "p", "q")
        assert not found.store.leases()

    def test_what_had_begun_is_cancelled_and_not_failed(self, project: Any) -> None:
        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Started("a")
            until(lambda: context.cancelled)

        found = project(ground("a"), plugins=[Mill(script)])
        result = found.materialize(on_event=interrupt_on(Started))
        assert outcomes(result) == {"a": "cancelled"}
        assert result.outcomes[AssetKey("a"), None].message == "the run was cancelled while it was being made"
        assert result.counts == {"cancelled": 1}
        (status,) = found.status()
        text = f"never materialized; cancelled in run {result.run.id}: the run was cancelled while it was being made"
        assert (status.status, status.reasons[0].text) == ("never", text)
        assert found.undone(result.run) == ("a",)

    def test_a_check_that_was_not_run_any_more_has_not_failed_and_its_asset_is_not_fresh(self, project: Any) -> None:
        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Materialized("a")
            until(lambda: context.cancelled)

        found = project(ground("a", checks=[Check("unique")]), plugins=[Mill(script)])
        result = found.materialize(on_event=interrupt_on(Materialized))
        (checked,) = events_of(found, result, Checked)
        assert (checked.passed, checked.outcome) == (False, "cancelled")
        assert outcomes(result) == {"a": "cancelled"}
        assert result.counts == {"materialized": 1, "checks_cancelled": 1}
        (status,) = found.status()
        assert (status.status, status.reasons[0].code) == ("stale", "last_cancelled")
        assert found.undone(result.run) == ("a",)

    def test_what_was_made_before_and_is_cancelled_is_not_fresh(self, project: Any) -> None:
        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Started("a")
            if len(mill.invocations) == 1:
                yield Materialized("a")
            else:
                until(lambda: context.cancelled)

        mill = Mill(script)
        found = project(ground("a"), plugins=[mill])
        assert found.materialize().ok
        result = found.materialize(on_event=interrupt_on(Started))
        (status,) = found.status()
        text = f"its last attempt was cancelled, in run {result.run.id}"
        assert (status.status, status.reasons[0].text) == ("stale", text)

    def test_a_python_function_is_interrupted(self, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assetry.run.threads.GRACE", 0.05)

        def forever() -> None:
            while True:
                time.sleep(0.01)

        found = project(function("p", body=forever))
        result = found.materialize(on_event=interrupt_on(Started))
        assert result.run.state == "cancelled"
        assert outcomes(result) == {"p": "cancelled"}

    def test_a_python_function_that_stops_by_itself_when_it_is_asked_to_has_not_failed(self, project: Any) -> None:
        def patient(context: assetry.AssetContext) -> None:
            until(lambda: context.cancelled)
            raise TimeoutError("asked to stop")

        found = project(assetry.asset(key="p")(patient))
        result = found.materialize(on_event=interrupt_on(Started))
        assert outcomes(result) == {"p": "cancelled"}
        message = result.outcomes[AssetKey("p"), None].message
        assert message == "the run was cancelled; it ended with TimeoutError: asked to stop"

    def test_a_tool_that_is_stopping_is_not_interrupted(self, project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assetry.run.threads.GRACE", 0.01)
        stopped: list[bool] = []

        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Started("a")
            until(lambda: context.cancelled)
            for _ in range(50):
                time.sleep(0.01)  # it takes its time to stop: that must not be cut short
            stopped.append(True)

        result = project(ground("a"), plugins=[Mill(script)]).materialize(on_event=interrupt_on(Started))
        assert result.run.state == "cancelled"
        assert stopped

    def test_twice_does_not_wait_for_what_does_not_stop(self, project: Any) -> None:
        may_end = threading.Event()

        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            yield Started("a")
            may_end.wait(WAIT)

        mill = Mill(script)
        found = project(ground("a"), ground("b"), function("p", "a"), plugins=[mill])
        result = found.materialize(on_event=interrupt_on(Started, times=2))
        assert not mill.closed.is_set()
        assert result.run.state == "cancelled"
        assert outcomes(result) == {"a": "cancelled", "b": "skipped", "p": "skipped"}
        assert dict(found.store.handles(result.run.id)) == {"1": "job-7"}, "who knows whether that job has ended"
        may_end.set()

    def test_a_job_that_was_seen_to_stop_is_not_kept(self, project: Any) -> None:
        def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
            yield Handle("job-7")
            yield Started("a")
            until(lambda: context.cancelled)

        found = project(ground("a"), plugins=[Mill(script)])
        result = found.materialize(on_event=interrupt_on(Started))
        assert dict(found.store.handles(result.run.id)) == {}

    def test_before_anything_was_launched(self, project: Any) -> None:
        mill = Mill()
        found = project(ground("a"), plugins=[mill])
        store = found.store
        begin = store.begin

        def begins(*run: Any) -> None:
            begin(*run)
            os.kill(os.getpid(), signal.SIGTERM)

        found.__dict__["store"] = Delegate(store, begin=begins)
        result = found.materialize()
        assert result.run.state == "cancelled"
        assert mill.invocations == []
        assert outcomes(result) == {"a": "skipped"}

    def test_retry_runs_what_was_cancelled(self, project: Any) -> None:
        mill = Mill(waits_for_the_end)
        found = project(ground("a"), ground("b"), function("p", "b"), plugins=[mill])
        found.materialize(on_event=interrupt_on(Materialized))
        mill.script = all_made
        result = found.retry()
        assert result.ok
        assert set(outcomes(result)) == {"b", "p"}

    def test_after_everything_is_made_it_changes_nothing(self, project: Any) -> None:
        found = project(function("p"))
        result = found.materialize(on_event=interrupt_on(InvocationFinished))
        assert result.run.state == "succeeded"


class Delegate:
    def __init__(self, target: Any, **overrides: Any) -> None:
        self._target = target
        self.__dict__.update(overrides)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


# -- versions ------------------------------------------------------------------------------------------------------


def test_an_input_whose_content_did_not_change_makes_nothing_stale(project: Any) -> None:
    content = ["1"]
    ran: list[str] = []

    def script(invocation: Invocation, context: RunContext) -> Iterator[Event]:
        yield Materialized("a", data_version=content[0])

    found = project(ground("a"), function("p", "a", body=lambda: ran.append("p")), plugins=[Mill(script)])
    found.materialize()
    found.materialize("a")
    assert {status.status for status in found.status()} == {"fresh"}
    assert found.plan(stale=True).invocations == ()
    content[0] = "2"
    found.materialize("a")
    assert {str(status.key): status.status for status in found.status()} == {"a": "fresh", "p": "stale"}
    assert found.materialize(stale=True).ok
    assert ran == ["p", "p"]


def test_a_tool_that_cannot_tell_versions_makes_new_content_every_time(project: Any) -> None:
    found = project(ground("a"), function("p", "a"), plugins=[Mill()])
    found.materialize()
    found.materialize("a")
    assert found.status_of("p").status == "stale"


def test_full_refresh_reaches_the_invocation(project: Any) -> None:
    mill = Mill()
    found = project(ground("a"), plugins=[mill])
    found.materialize(full_refresh=True)
    found.materialize()
    assert [invocation.full_refresh for invocation in mill.invocations] == [True, False]


# -- partitions ----------------------------------------------------------------------------------------------------

DAYS = DailyPartitionsDefinition(start_date="2026-01-01")


class TestPartitions:
    def daily(self, bad: Sequence[str] = ()) -> Any:
        @asset(partitions_def=DAYS)
        def daily(context) -> str:  # type: ignore[no-untyped-def]
            if context.partition in bad:
                raise ValueError("a bad day")
            return f"of {context.partition}"

        return daily

    def test_the_function_is_told_which_and_records_are_by_partition(self, project: Any) -> None:
        found = project(self.daily())
        result = found.materialize(partition="2026-01-02")
        assert result.ok
        assert list(result.outcomes) == [(AssetKey("daily"), "2026-01-02")]
        assert found.load_value("daily", partition="2026-01-02") == "of 2026-01-02"
        assert list(found.store.latest()) == [(AssetKey("daily"), "2026-01-02")]
        assert {(key, part) for key, part in found.store.attempts()} == {("daily", "2026-01-02")}

    def test_each_of_several_has_its_own_end(self, project: Any) -> None:
        days = ["2026-01-01", "2026-01-02", "2026-01-03"]
        bad = ["2026-01-02"]
        found = project(self.daily(bad), function("p", "daily"))
        result = found.materialize(partition=days)
        assert {part: attempt.outcome for (key, part), attempt in result.outcomes.items() if key == "daily"} == dict(
            zip(days, ["materialized", "failed", "materialized"], strict=True)
        )
        assert outcomes(result) == {"p": "skipped"}
        assert found.undone(result.run) == ("daily", "p")
        bad.clear()
        again = found.retry()
        assert again.ok
        assert [part for key, part in again.outcomes if key == "daily"] == ["2026-01-02"], "only what is left"
        assert found.undone(result.run) == ()

    def test_the_last_is_made_where_none_is_named(self, project: Any) -> None:
        letters = StaticPartitionsDefinition(["a", "b"])

        @asset(partitions_def=letters)
        def parts(context) -> str:  # type: ignore[no-untyped-def]
            return str(context.partition)

        found = project(parts, function("p"))
        result = found.materialize()
        assert list(result.outcomes) in ([("parts", "b"), ("p", None)], [("p", None), ("parts", "b")])
        assert "the last partition is made: parts b" in found.plan().notes[0]

    def test_a_partition_must_exist(self, project: Any) -> None:
        found = project(self.daily(), function("p"))
        with pytest.raises(UsageError, match="2025-12-31"):
            found.materialize("daily", partition="2025-12-31")
        with pytest.raises(UsageError, match="nothing that is selected has partitions"):
            found.materialize("p", partition="2026-01-01")
        assert found.store.runs() == []

    def test_a_cancelled_run_ends_every_partition(self, project: Any) -> None:
        @asset(partitions_def=DAYS)
        def slow(context) -> None:  # type: ignore[no-untyped-def]
            until(lambda: context.cancelled)

        found = project(slow, function("p", "slow"))
        result = found.materialize(partition=["2026-01-01", "2026-01-02"], on_event=interrupt_on(Started))
        assert result.run.state == "cancelled"
        assert {attempt.outcome for attempt in result.outcomes.values()} <= {"cancelled", "skipped", "materialized"}
        assert {part for key, part in result.outcomes if key == "slow"} == {"2026-01-01", "2026-01-02"}


def test_checks_of_a_python_asset_gate_what_is_below(project: Any) -> None:
    from assetry import asset_check

    one = function("one", body=lambda: 1)

    @asset_check(asset="one")
    def positive(one: int) -> bool:
        return one > 1

    found = project(one, positive, function("p", "one"))
    result = found.materialize()
    assert outcomes(result) == {"one": "check_failed", "p": "skipped"}
    assert result.keys("check_failed") == ("one",)
    assert result.counts["checks_failed"] == 1


def test_materialize_without_a_project() -> None:
    result = assetry.materialize([function("p")], project={"store": "sqlite::memory:", "io": "memory:"})
    assert result.ok
