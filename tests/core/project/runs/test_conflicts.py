"""Two runs that want the same: nothing is made twice, and who is to wait or to join does."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from assetry import AssetContext, DailyPartitionsDefinition, Project, asset
from assetry.errors import ConflictError, UsageError
from assetry.run.result import RunResult
from assetry.types.events import Failed, Log, Materialized, RunFinished, Skipped
from assetry.types.records import EventRecord

from tests.beside import InThread, until

WAIT = 30
DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")


@dataclass
class Workshop:
    """What the assets of a test do: what was made how often, what waits for a sign, and what fails."""

    root: Path
    made: Counter[str] = field(default_factory=Counter)
    begun: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    version: int = 1
    projects: list[Project] = field(default_factory=list)

    def work(self, name: str) -> int:
        self.begun.add(name)
        until(lambda: name not in self.held)
        if name in self.broken:
            raise ValueError(f"no {name} today")
        self.made[name] += 1
        return self.version

    def function(self, name: str, *deps: str, days: bool = False) -> Any:
        if days:

            @asset(key=name, deps=deps, partitions_def=DAYS, code_version="1")
            def daily(context: AssetContext) -> int:
                return self.work(f"{name} {context.partition}")

            return daily

        @asset(key=name, deps=deps, code_version="1")
        def whole() -> int:
            return self.work(name)

        return whole

    def project(self, **graph: str) -> Project:
        """Return a project with these assets, each with what it is made from; with `*` it has days."""
        assets = [
            self.function(name, *(each for each in deps.split() if each != "*"), days="*" in deps.split())
            for name, deps in graph.items()
        ]
        found = Project(assets, root=self.root, executor="threads:8")
        self.projects.append(found)
        return found

    def begins(self, *names: str) -> None:
        until(lambda: self.begun >= set(names))


class Other(InThread[RunResult]):
    """A run on a thread of its own, by a project of its own, and what it said."""

    def __init__(self, work: Callable[..., RunResult]) -> None:
        self.notes: list[str] = []
        self.records: list[EventRecord] = []
        super().__init__(lambda: work(on_note=self.notes.append, on_event=self.records.append))

    def waits(self) -> None:
        until(lambda: bool(self.notes) or self.error is not None)
        assert self.error is None, self.error


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    yield workshop
    workshop.held.clear()
    for each in workshop.projects:
        each.close()


CHAIN = {"a": "", "b": "a", "c": "b", "x": ""}


def outcomes(result: RunResult) -> dict[str, str]:
    return {
        str(key) if part is None else f"{key} {part}": each.outcome for (key, part), each in result.outcomes.items()
    }


def beside(shop: Workshop, select: str, *held: str, graph: dict[str, str] = CHAIN, **keywords: Any) -> Other:
    """Start a run of a selection, and wait until it has come to what is held."""
    shop.held.update(held)
    shop.begun.difference_update(held)
    project = shop.project(**graph)
    other = Other(lambda **how: project.materialize(select, **how, **keywords))
    shop.begins(*held)
    return other


def joining(project: Project) -> Other:
    """Start a run of all that joins others, and wait until it waits for one."""
    other = Other(lambda **how: project.materialize(on_conflict="join", **how))
    other.waits()
    return other


# -- planned anew ----------------------------------------------------------------------------------------------------


def test_what_another_has_made_since_it_was_planned_is_not_made_again(shop: Workshop) -> None:
    first, second = shop.project(**CHAIN), shop.project(**CHAIN)
    plan = second.plan(stale=True)
    assert first.materialize("a b", stale=True).ok
    notes: list[str] = []
    result = second.materialize(stale=True, plan=plan, on_note=notes.append)
    assert outcomes(result) == {"c": "materialized", "x": "materialized"}
    assert shop.made == dict.fromkeys("abcx", 1)
    assert notes == ["Another run has made some of it meanwhile: what is left is planned anew."]
    assert [run.state for run in first.store.runs()] == ["succeeded"] * 2


def test_when_another_has_made_all_of_it_nothing_is_run(shop: Workshop) -> None:
    first, second = shop.project(**CHAIN), shop.project(**CHAIN)
    plan = second.plan(stale=True)
    first.materialize()
    result = second.materialize(stale=True, plan=plan)
    assert (result.ok, outcomes(result)) == (True, {})
    assert shop.made == dict.fromkeys("abcx", 1)


def test_of_partitions_those_count_that_are_asked_for(shop: Workshop) -> None:
    graph = {"d": "*", "e": "d *"}
    first, second = shop.project(**graph), shop.project(**graph)
    plan = second.plan(partition="2026-01-01..2026-01-02", stale=True)
    first.materialize(partition="2026-01-03")
    notes: list[str] = []
    second.materialize(partition="2026-01-01..2026-01-02", stale=True, plan=plan, on_note=notes.append)
    assert notes == []
    plan = second.plan(partition="missing")
    first.materialize("d", partition="2026-01-04")
    result = second.materialize(partition="missing", plan=plan, on_note=notes.append)
    assert len(notes) == 1
    assert outcomes(result) == {"e 2026-01-04": "materialized"}
    assert set(shop.made.values()) == {1}


def test_what_was_asked_for_by_name_is_made_though_another_has_just_made_it(shop: Workshop) -> None:
    first, second = shop.project(**CHAIN), shop.project(**CHAIN)
    plan = second.plan("a")
    first.materialize("a")
    assert outcomes(second.materialize("a", plan=plan)) == {"a": "materialized"}
    assert shop.made["a"] == 2


def test_a_plan_that_is_given_as_it_is_is_carried_out_as_it_is(shop: Workshop) -> None:
    project = shop.project(**CHAIN)
    plan = project.plan("a", stale=True)
    assert project.run(plan).ok
    assert project.run(plan).ok
    assert shop.made["a"] == 2


def test_many_at_once_make_everything_once(shop: Workshop) -> None:
    graph = {f"a{n}": f"a{n // 2}" if n else "" for n in range(30)}
    projects = [shop.project(**graph) for _ in range(4)]
    plans = [each.plan(stale=True) for each in projects]
    together = threading.Barrier(4)

    def materialize(project: Project, plan: Any, how: dict[str, Any]) -> RunResult:
        together.wait(WAIT)
        return project.materialize(stale=True, plan=plan, on_conflict="wait", **how)

    others = [Other(lambda p=p, n=n, **how: materialize(p, n, how)) for p, n in zip(projects, plans, strict=True)]
    assert all(each.join().ok for each in others)
    assert shop.made == dict.fromkeys(graph, 1)


# -- waiting ---------------------------------------------------------------------------------------------------------


def test_by_default_it_fails_and_says_what_can_be_done(shop: Workshop) -> None:
    first = beside(shop, "a", "a")
    with pytest.raises(ConflictError, match=r"is building a\.") as caught:
        shop.project(**CHAIN).materialize()
    assert caught.value.exit_code == 5
    assert "--on-conflict wait" in caught.value.hint
    shop.held.clear()
    assert first.join().ok


def test_a_word_that_means_nothing_is_refused(shop: Workshop) -> None:
    with pytest.raises(UsageError, match=r"on_conflict='joyn': unknown\.\n  did you mean 'join'"):
        shop.project(**CHAIN).materialize(on_conflict="joyn")  # type: ignore[arg-type]


def test_who_waits_makes_what_is_left_then(shop: Workshop) -> None:
    first = beside(shop, "a b", "b")
    second = shop.project(**CHAIN)
    other = Other(lambda **how: second.materialize(stale=True, on_conflict="wait", **how))
    other.waits()
    (queued,) = second.store.queue()
    assert (queued.run.state, set(queued.wanted)) == ("queued", set("bcx"))
    assert queued.run.id not in [run.id for run in second.store.runs()]
    shop.held.clear()
    assert first.join().ok
    result = other.join()
    assert outcomes(result) == {"c": "materialized", "x": "materialized"}
    assert result.run.id == queued.run.id, "it goes on under the id that it waited by"
    assert shop.made == dict.fromkeys("abcx", 1)
    first_run = second.store.runs()[1].id
    assert other.notes == [f"Waits for run {first_run}, which is building b."]
    assert second.store.queue() == ()


def test_who_waits_for_what_was_asked_for_by_name_makes_it_after_the_other(shop: Workshop) -> None:
    first = beside(shop, "a", "a")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize("a", on_conflict="wait", **how))
    other.waits()
    shop.held.clear()
    first.join()
    assert other.join().ok
    assert shop.made["a"] == 2


def test_what_is_being_made_is_not_taken_for_up_to_date(shop: Workshop) -> None:
    first = beside(shop, "a b c x", "c")
    with pytest.raises(ConflictError):
        shop.project(**CHAIN).materialize(stale=True)
    shop.held.clear()
    first.join()
    assert outcomes(shop.project(**CHAIN).materialize(stale=True)) == {}
    assert shop.made == dict.fromkeys("abcx", 1)


def test_other_partitions_are_not_waited_for(shop: Workshop) -> None:
    graph = {"d": "*"}
    first = beside(shop, "d", "d 2026-01-01", graph=graph, partition="2026-01-01")
    second = shop.project(**graph)
    assert second.materialize(partition="2026-01-02..2026-01-03").ok
    other = Other(lambda **how: second.materialize(partition="missing", on_conflict="wait", **how))
    other.waits()
    shop.held.clear()
    first.join()
    assert outcomes(other.join()) == {"d 2026-01-04": "materialized"}
    assert set(shop.made.values()) == {1}


def test_when_nothing_is_left_after_waiting_it_ends_well(shop: Workshop) -> None:
    first = beside(shop, "a b c x", "c")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize(stale=True, on_conflict="wait", **how))
    other.waits()
    shop.held.clear()
    first.join()
    assert (other.join().ok, project.store.queue(), len(project.store.runs())) == (True, (), 1)


def test_who_waits_can_be_called_off(shop: Workshop) -> None:
    first = beside(shop, "a", "a")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize(on_conflict="wait", **how))
    other.waits()
    (queued,) = project.store.queue()
    project.store.finish(queued.run.id, "cancelled", queued.run.started)
    result = other.join()
    assert (result.run.state, result.ok, outcomes(result)) == ("cancelled", False, {})
    shop.held.clear()
    assert first.join().ok
    assert [run.state for run in project.store.runs()] == ["succeeded"]


def test_those_who_wait_come_in_turn(shop: Workshop) -> None:
    """The third waits for the second, though the first has ended, and though it looks first."""
    first = beside(shop, "a", "a")
    waiting = []
    for select in ("a b", "a c"):
        project = shop.project(**CHAIN)
        waiting.append(Other(lambda p=project, s=select, **how: p.materialize(s, on_conflict="wait", **how)))
        waiting[-1].waits()
    store = shop.projects[0].store
    assert [set(each.wanted) for each in store.queue()] == [{"a", "b"}, {"a", "c"}]
    shop.held.add("b")
    shop.held.discard("a")
    first.join()
    shop.begins("b")
    assert "c" not in shop.begun
    shop.held.clear()
    assert all(each.join().ok for each in waiting)
    runs = store.runs()
    assert [set(run.assets) for run in runs] == [{"a", "c"}, {"a", "b"}, {"a"}]


def test_a_retry_waits_too(shop: Workshop) -> None:
    shop.broken.add("b")
    project = shop.project(**CHAIN)
    failed = project.materialize("a b c")
    shop.broken.clear()
    shop.begun.clear()
    first = beside(shop, "b", "b")
    other = Other(lambda **how: project.retry(failed.run.id, on_conflict="wait", **how))
    other.waits()
    shop.held.clear()
    first.join()
    assert outcomes(other.join()) == {"c": "materialized"}
    assert shop.made == {"a": 1, "b": 1, "c": 1}


# -- joining ---------------------------------------------------------------------------------------------------------


def test_who_joins_makes_the_rest_at_once_and_then_what_is_made_from_theirs(shop: Workshop) -> None:
    first = beside(shop, "a b", "b")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize(on_conflict="join", **how))
    shop.begins("x")
    other.waits()
    assert "c" not in shop.begun
    shop.held.clear()
    their_run = first.join().run.id
    result = other.join()
    assert result.ok
    assert outcomes(result) == dict.fromkeys("abcx", "materialized")
    assert result.joined == (their_run,)
    assert result.outcomes["b", None].run == their_run
    assert shop.made == dict.fromkeys("abcx", 1)
    told = [(each.event.key, each.run == their_run) for each in other.records if isinstance(each.event, Materialized)]
    assert sorted(told) == [("a", True), ("b", True), ("c", False), ("x", False)]
    assert {each.status for each in project.status()} == {"fresh"}


def test_when_theirs_fails_what_is_made_from_it_is_not_made(shop: Workshop) -> None:
    shop.broken.add("b")
    first = beside(shop, "a b", "b")
    project = shop.project(**CHAIN)
    other = joining(project)
    shop.held.clear()
    their_run = first.join().run.id
    result = other.join()
    assert result.run.state == "failed"
    assert outcomes(result) == {"a": "materialized", "b": "failed", "c": "skipped", "x": "materialized"}
    assert "no b today" in (result.outcomes["b", None].message or "")
    assert result.outcomes["c", None].message == f"b was not made in run {their_run}"
    assert shop.made == {"a": 1, "x": 1}
    kinds = [type(each.event) for each in other.records if isinstance(each.event, (Failed, Skipped))]
    assert kinds == [Failed, Skipped]


def test_what_they_make_from_something_that_is_made_here_anew_is_made_again_after_them(shop: Workshop) -> None:
    """Theirs was begun with the old `a`, and would be out of date."""
    shop.project(**CHAIN).materialize()
    shop.version = 2
    first = beside(shop, "b", "b")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize("a b c", on_conflict="join", **how))
    until(lambda: shop.made["a"] == 2)
    shop.held.clear()
    first.join()
    result = other.join()
    assert outcomes(result) == dict.fromkeys("abc", "materialized")
    assert shop.made == {"a": 2, "b": 3, "c": 2, "x": 1}
    assert {each.status for each in project.status()} == {"fresh"}


def test_when_ones_own_fails_what_is_made_from_both_is_not_made(shop: Workshop) -> None:
    graph = {"mine": "", "theirs": "", "both": "mine theirs"}
    shop.broken.add("mine")
    first = beside(shop, "theirs", "theirs", graph=graph)
    project = shop.project(**graph)
    other = joining(project)
    shop.held.clear()
    first.join()
    result = other.join()
    assert outcomes(result) == {"mine": "failed", "theirs": "materialized", "both": "skipped"}
    assert "both" not in shop.begun


def test_of_partitions_only_those_are_waited_for_that_are_made_from_theirs(shop: Workshop) -> None:
    graph = {"d": "*", "e": "d *", "sum": "e"}
    first = beside(shop, "d", "d 2026-01-02", graph=graph, partition="2026-01-02")
    project = shop.project(**graph)
    other = Other(lambda **how: project.materialize(partition="all", on_conflict="join", **how))
    other.waits()
    assert "e 2026-01-04" in shop.begun
    assert not {"e 2026-01-02", "sum"} & shop.begun
    shop.held.clear()
    first.join()
    result = other.join()
    assert result.ok
    assert len(result.outcomes) == 9
    assert set(shop.made.values()) == {1}
    assert {each.status for each in project.status()} == {"fresh"}


def test_what_they_tell_of_a_range_of_partitions_is_told_of_those_that_are_wanted(shop: Workshop) -> None:
    @asset(key="d", partitions_def=DAYS, partitions="range", code_version="1")
    def ranged(context: AssetContext) -> dict[str, int]:
        return dict.fromkeys(context.partitions, shop.work(f"d {context.partitions[0]}"))

    shop.projects += [Project([ranged], root=shop.root) for _ in range(2)]
    mine, theirs = shop.projects
    shop.held.add("d 2026-01-01")
    first = Other(lambda **how: theirs.materialize(partition="2026-01-01..2026-01-03", **how))
    shop.begins("d 2026-01-01")
    other = Other(lambda **how: mine.materialize(partition="2026-01-02..2026-01-04", on_conflict="join", **how))
    other.waits()
    shop.held.clear()
    first.join()
    told = [each.event for each in first.records if isinstance(each.event, Materialized)]
    assert [(each.partition, each.through) for each in told] == [("2026-01-01", "2026-01-03")]
    assert other.join().ok
    assert shop.made == {"d 2026-01-01": 1, "d 2026-01-04": 1}
    made = {each.event.partition for each in other.records if isinstance(each.event, Materialized)}
    assert made == {"2026-01-02", "2026-01-03", "2026-01-04"}


def test_two_that_join_each_other_do_not_wait_in_a_circle(shop: Workshop) -> None:
    """Each makes first what the other needs; with one tool run for both of its own, each would wait for the other."""
    graph = {"a": "", "x": "", "b": "a", "z": "x", "c": "b z"}
    first = beside(shop, "x", "x", graph=graph)
    second = beside(shop, "a", "a", graph=graph)
    others = []
    for select in ("a z x c b", "b x a z c"):
        project = shop.project(**graph)
        others.append(Other(lambda p=project, s=select, **how: p.materialize(s, on_conflict="join", stale=True, **how)))
        others[-1].waits()
    shop.held.clear()
    assert all(each.join().ok for each in (first, second, *others))
    assert shop.made == dict.fromkeys(graph, 1)


def test_when_all_of_it_is_theirs_it_is_as_good_as_theirs(shop: Workshop) -> None:
    first = beside(shop, "a b", "b")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize("b", on_conflict="join", **how))
    other.waits()
    shop.held.clear()
    first.join()
    result = other.join()
    assert (result.ok, outcomes(result), result.counts) == (True, {"b": "materialized"}, {"joined": 1})
    assert shop.made == {"a": 1, "b": 1}


def test_their_run_that_is_killed_has_not_made_it(shop: Workshop) -> None:
    store = shop.project(**CHAIN).store
    lease = store.lease("theirs", {shop.projects[0].graph.keys[0]: None}).lease
    assert lease is not None
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize("a b x", on_conflict="join", **how))
    other.waits()
    store.finish("theirs", "interrupted", project.plan("x").now)
    result = other.join()
    assert outcomes(result) == {"x": "materialized", "a": "failed", "b": "skipped"}
    assert result.outcomes["a", None].message == "run theirs was to make it, and did not"


# -- the record of one that joins --------------------------------------------------------------------------------------


def record_of(project: Project, run: str) -> list[str]:
    """Return what is recorded of a run, without lines of logs."""
    lines = []
    for each in project.store.events(run):
        event: Any = each.event
        if isinstance(event, (Materialized, Failed, Skipped)):
            lines.append(f"{event.name} {event.key}" + (f" [{event.partition}]" if event.partition else ""))
        elif isinstance(event, RunFinished):
            lines.append(f"run {event.state} {dict(event.counts)}")
    return lines


def test_the_record_of_who_joins_tells_of_what_the_other_did_not_make(shop: Workshop) -> None:
    shop.broken.add("a")
    graph = {"a": "", "b": "a", "x": ""}
    first = beside(shop, "a", "a", graph=graph)
    project = shop.project(**graph)
    other = joining(project)
    shop.begins("x")
    assert [(run.state, len(run.assets)) for run in project.store.runs()] == [("running", 3), ("running", 1)]
    shop.held.clear()
    theirs = first.join().run.id
    result = other.join()
    mine = project.store.run(result.run.id)
    assert mine is not None
    assert (mine.state, mine.assets, mine.finished) == ("failed", result.run.assets, result.run.finished)
    assert [run.id for run in project.store.runs()] == [mine.id, theirs]
    finished = f"run failed {dict(result.counts)}"
    assert record_of(project, mine.id) == ["materialized x", "failed a", "skipped b", finished]
    (skipped,) = (each.event for each in project.store.events(mine.id) if isinstance(each.event, Skipped))
    assert (skipped.root, skipped.because) == ("a", f"a was not made in run {theirs}")
    notes = [each.event.message for each in project.store.events(mine.id) if isinstance(each.event, Log)]
    assert notes == [f"Waits for run {theirs}, which is building a."]
    assert isinstance(other.records[-1].event, RunFinished)
    assert sum(isinstance(each.event, RunFinished) for each in other.records) == 1
    assert {str(each.key): each.status for each in project.status()} == {"a": "failed", "b": "never", "x": "fresh"}


def test_a_retry_of_who_joined_makes_what_was_skipped_too(shop: Workshop) -> None:
    shop.broken.add("a")
    graph = {"a": "", "b": "a", "x": ""}
    first = beside(shop, "a", "a", graph=graph)
    project = shop.project(**graph)
    other = joining(project)
    shop.held.clear()
    first.join()
    failed = other.join().run.id
    shop.broken.clear()
    result = project.retry()
    assert (result.run.options["retry_of"], outcomes(result)) == (failed, dict.fromkeys("ab", "materialized"))
    assert "joined" not in result.run.options
    assert outcomes(project.retry(failed)) == {}


@pytest.mark.parametrize("broken", [False, True])
def test_a_retry_does_not_make_again_what_the_other_made_of_partitions(shop: Workshop, broken: bool) -> None:
    graph = {"d": "*", "e": "d *"}
    shop.broken.update({"d 2026-01-02"} if broken else {"e 2026-01-02"})
    first = beside(shop, "d", "d 2026-01-01", graph=graph, partition="2026-01-01..2026-01-02")
    project = shop.project(**graph)
    other = Other(lambda **how: project.materialize(partition="all", on_conflict="join", **how))
    other.waits()
    shop.held.clear()
    first.join()
    failed = other.join()
    assert failed.run.state == "failed"
    shop.broken.clear()
    result = project.retry()
    parts = ["d 2026-01-02", "e 2026-01-02"] if broken else ["e 2026-01-02"]
    assert outcomes(result) == dict.fromkeys(parts, "materialized")
    assert set(shop.made.values()) == {1}
    assert {each.status for each in project.status()} == {"fresh"}


def test_one_that_joins_again_and_again_is_one_run(shop: Workshop) -> None:
    """While the first is waited for, another one takes what is made from that."""
    first = beside(shop, "a", "a")
    project = shop.project(**CHAIN)
    other = joining(project)
    second = beside(shop, "b", "b")
    shop.held.remove("a")
    first.join()
    until(lambda: len(other.notes) == 2)
    shop.held.clear()
    theirs = second.join().run.id
    result = other.join()
    assert result.ok
    assert outcomes(result) == dict.fromkeys("abcx", "materialized")
    assert result.joined[-1] == theirs
    runs = project.store.runs()
    assert [run.state for run in runs] == ["succeeded"] * 3
    assert runs[0].id == result.run.id, "what it makes last is the newest"
    assert record_of(project, result.run.id) == ["materialized x", "materialized c", f"run succeeded {result.counts}"]
    assert shop.made == dict.fromkeys("abcx", 1)


def test_who_joins_and_is_called_off_is_recorded_as_cancelled(shop: Workshop) -> None:
    first = beside(shop, "a", "a")
    project = shop.project(**CHAIN)
    other = Other(lambda **how: project.materialize("a b", on_conflict="join", **how))
    other.waits()
    (queued,) = project.store.queue()
    assert project.queue()[-1].run == project.store.runs()[0].id
    project.store.finish(queued.run.id, "cancelled", queued.run.started)
    assert other.join().run.state == "cancelled"
    assert [run.state for run in project.store.runs()] == ["cancelled", "running"]
    shop.held.clear()
    assert first.join().ok
    assert outcomes(project.retry()) == {"b": "materialized"}


def test_when_the_caller_of_who_joins_breaks_it_is_recorded_as_interrupted(shop: Workshop) -> None:
    first = beside(shop, "a", "a")
    project = shop.project(**CHAIN)

    def breaks(note: str) -> None:
        raise RuntimeError(note)

    with pytest.raises(RuntimeError, match="Waits for run"):
        project.materialize("a b x", on_conflict="join", on_note=breaks)
    shop.held.clear()
    assert first.join().ok
    assert [run.state for run in project.store.runs()] == ["interrupted", "succeeded"]
    assert project.store.queue() == ()
    assert record_of(project, project.store.runs()[0].id)[-1].startswith("run interrupted")
