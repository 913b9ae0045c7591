"""Conformance of a store: what is written is there, once, in order, for every process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from assetry.testing.child import LONGEST, ChildError, elsewhere
from assetry.testing.loading import declared_refusals, load, module_of
from assetry.testing.plugin import Kit, PluginConformance, portable
from assetry.testing.subjects import STORE_CAPABILITIES, StoreUnderTest, refusals
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.assets import Column
from assetry.types.events import Event
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import Attempt, ClaimedParts, EventRecord, Materialization, Outcome, RunInfo

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
A, B = AssetKey("shop/a"), AssetKey("shop/b")

#: One of each event, with everything it can hold.
EVENTS: tuple[Event, ...] = (
    ev.RunStarted(2, 1),
    ev.InvocationStarted("acme", (A, B), "acme:mill", "acme make a b"),
    ev.Handle("job-7", "https://example.com/jobs/7"),
    ev.JobOver("job-7"),
    ev.Started(A, "2024-01-01"),
    ev.Progress(A, 1.5, 3),
    ev.Log("a 'line' with ünïcödé\nand another", "warning", A),
    ev.Observed(A, "2024-01-01", "v0", (Column("id", "integer"),), {"rows": 1}),
    ev.Materialized(A, "2024-01-01", "v1", (Column("id", "integer", "the key", ("pii",)),), {"rows": 3, "deep": [{}]}),
    ev.Checked(A, "has_rows", False, "warn", "none", {"seen": 0}, partition="2024-01-01"),
    ev.Failed(B, "no column id", "Add it.", True),
    ev.Skipped(B, "shop/a failed", A),
    ev.InvocationFinished("failed", 1.25, "acme ended with 70"),
    ev.RunFinished("failed", 2.5, {"materialized": 1, "failed": 1}),
)


class StoreConformance(PluginConformance):
    """Checks to inherit; fill in `subject`: a `StoreUnderTest`, or a method that makes one in an empty folder.

    >>> class TestSQLite(StoreConformance):
    ...     def subject(self, folder):
    ...         new_url = lambda: f"sqlite:{folder}/{os.urandom(4).hex()}.db"
    ...         return StoreUnderTest("assetry.store.sqlite", new_url=new_url)
    """

    capabilities: ClassVar[Mapping[str, str]] = STORE_CAPABILITIES

    @pytest.fixture
    def url(self, filled: StoreUnderTest) -> str:
        """Return the URL of a new store."""
        return filled.new_url()

    @pytest.fixture
    def store(self, loaded: Any, url: str) -> Iterator[Store]:
        """Return a new, empty store."""
        store: Store = loaded.open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def another(self, loaded: Any, filled: StoreUnderTest) -> Iterator[Store]:
        """Return another new, empty store."""
        store: Store = loaded.open_store(filled.new_url())
        yield store
        store.close()

    @pytest.fixture
    def durable(self, filled: StoreUnderTest) -> bool:
        """Tell whether records outlive the process."""
        return "durable" not in refusals(filled, STORE_CAPABILITIES, declared_refusals(filled.plugin))

    # -- runs and events ---------------------------------------------------------------------------------------------

    def test_be_a_store_that_begins_empty(self, store: Store) -> None:
        assert isinstance(store, Store), f"{type(store).__name__} lacks methods of Store"
        found = (store.runs(), dict(store.latest()), dict(store.attempts()), dict(store.claims()), store.run("x"))
        assert found == ([], {}, {}, {}, None), f"a new store holds {found}"

    def test_give_back_every_event_as_it_was(self, store: Store) -> None:
        store.begin(run("r"))
        store.append([record(event) for event in EVENTS[:5]])
        store.append([record(event) for event in EVENTS[5:]])
        found = list(store.events("r"))
        assert [each.event for each in found] == list(EVENTS), "events come back changed, or in another order"
        assert found == [record(event) for event in EVENTS], "records come back changed: time, run and invocation count"
        assert [each.event for each in store.events("r", skip=5)] == list(EVENTS[5:]), (
            "skip does not leave out the first"
        )
        assert list(store.events("other")) == [], "a run that was never begun has events"

    def test_list_runs_newest_first(self, store: Store) -> None:
        for number in range(3):
            store.begin(run(f"run-{number}", started=START + timedelta(minutes=number), options={"select": ["a+"]}))
            store.finish(f"run-{number}", "succeeded", START + timedelta(minutes=number, seconds=30))
        listed = [each.id for each in store.runs()]
        assert listed == ["run-2", "run-1", "run-0"], f"three runs are listed as {listed}: give the newest first"
        assert [each.id for each in store.runs(2)] == ["run-2", "run-1"], "runs(2) gives the two newest"
        found = store.runs(1)[0]
        assert found.state == "succeeded", f"a finished run is {found.state!r}"
        assert found.finished == START + timedelta(minutes=2, seconds=30), f"it finished at {found.finished}"
        assert found.options == {"select": ["a+"]}, f"its options are {found.options}"
        assert found.assets == (A, B), f"its assets are {found.assets}"

    def test_find_a_run_by_the_beginning_of_its_id(self, store: Store) -> None:
        store.begin(run("20260101-a"))
        store.begin(run("20260102-b"))
        found = store.run("20260102")
        assert found is not None, "a unique beginning of an id must be enough"
        assert found.id == "20260102-b", f"run('20260102') is {found.id}, which does not begin so"
        exact = store.run("20260101-a")
        assert exact is not None, "a run is not found by its whole id"
        assert exact.id == "20260101-a", f"run('20260101-a') is {exact.id}"

    # -- what follows from events ------------------------------------------------------------------------------------

    def test_remember_the_last_materialization_of_each_partition(self, store: Store) -> None:
        store.begin(run("r"))
        first, second = made(A, "v1", 0), made(A, "v2", 1)
        part, other = made(A, "p1", 2, partition="x"), made(B, "w1", 3)
        store.append([], [first, part])
        store.append([], [second, other])
        latest = store.latest()
        assert dict(latest) == {(A, None): second, (A, "x"): part, (B, None): other}, (
            f"the latest materializations are {dict(latest)}"
        )
        assert set(store.latest([B])) == {(B, None)}, "latest(keys) gives other keys as well"
        assert dict(store.latest([])) == {}, "latest of no keys gives something"
        found = store.latest([A], ["x", "y"]), store.latest([A, B], [None]), store.latest([A], [])
        assert [set(each) for each in found] == [{(A, "x")}, {(A, None), (B, None)}, set()], (
            f"latest(keys, partitions) gives {found}: just those of them that were made, None for a whole asset"
        )

    @needs("test_be_a_store_that_begins_empty")
    def test_remember_the_last_attempt_of_each_asset(self, store: Store) -> None:
        store.begin(run("r1"))
        store.append([], [], [tried(A, "failed", "r1", 0, message="no", because=A), tried(B, "skipped", "r1", 0)])
        store.begin(run("r2"))
        store.append([], [], [tried(A, "materialized", "r2", 1)])
        found = {key: attempt.outcome for (key, _), attempt in store.attempts().items()}
        assert found == {A: "materialized", B: "skipped"}, f"the last attempts are {found}"
        earlier = store.run_attempts("r1")
        assert earlier[A, None] == tried(A, "failed", "r1", 0, message="no", because=A), f"in r1: {earlier}"

    @needs("test_remember_the_last_attempt_of_each_asset")
    def test_leave_out_the_attempts_that_came_out_well_when_asked_to(self, store: Store) -> None:
        store.begin(run("r1"))
        store.append([], [], [tried(A, "failed", "r1", 0), tried(B, "skipped", "r1", 0)])
        store.begin(run("r2"))
        store.append([], [], [tried(A, "materialized", "r2", 1)])
        found = {key: attempt.outcome for (key, _), attempt in store.attempts(made=False).items()}
        assert found == {B: "skipped"}, f"the last attempts without those that came out as materialized are {found}"

    @needs("test_remember_the_last_materialization_of_each_partition")
    def test_tell_what_was_made_since_a_revision(self, store: Store) -> None:
        nothing = store.changes([A, B])
        assert nothing is not None, "changes() without a revision tells of all there is"
        assert dict(nothing.latest) == {}, f"a new store tells of {nothing.latest}"
        store.begin(run("r"))
        first, part, other = made(A, "v1", 0), made(A, "p1", 1, partition="x"), made(B, "w1", 2)
        store.append([], [first, part, other])
        since = store.changes([A, B])
        assert since is not None, "changes() without a revision tells of all there is"
        assert dict(since.latest) == dict(store.latest()), "changes() without a revision is not all there is"
        same = store.changes([A, B], since.revision)
        assert same is not None, "a store does not know the revision that it just told"
        assert same.revision == since.revision, "the revision changes although nothing was recorded"
        second = made(A, "p2", 3, partition="x")
        store.append([], [second])
        store.append([], [made(B, "w2", 4)])
        found = store.changes([A], since.revision)
        assert found is not None, "a store does not know the revision that it told before it was written to"
        assert found.latest.get((A, "x")) == second, f"what was made since is missing: {dict(found.latest)}"
        assert set(found.latest) <= {(A, None), (A, "x")}, "changes(keys) gives other keys as well"
        assert found.revision != since.revision, "the revision stays though something was recorded"
        assert store.changes([A, B], found.revision) is not None, "a store does not know the revision that it told"

    def test_know_no_revision_of_another_store(self, store: Store, another: Store) -> None:
        for each, version in ((store, "v1"), (another, "w1")):
            each.begin(run(f"r-{version}"))
            each.append([], [replace(made(A, version, 0), run=f"r-{version}")])
        told = another.changes([A])
        assert told is not None, "changes() without a revision tells of all there is"
        assert store.changes([A], told.revision) is None, (
            "a revision of another store is taken for one's own: what was made here would be missed"
        )

    def test_remember_the_last_outcome_of_each_check(self, store: Store) -> None:
        store.begin(run("r"))
        store.append(
            [record(ev.Checked(A, "x", False)), record(ev.Checked(A, "y", True)), record(ev.Checked(A, "x", True))]
        )
        found = {name: each.event.passed for name, each in store.latest_checks().items()}  # type: ignore[attr-defined]
        assert found == {(A, "x", None): True, (A, "y", None): True}, f"the last outcomes are {found}"
        assert dict(store.latest_checks([B])) == {}, "latest_checks(keys) gives other keys as well"

    def test_remember_the_last_outcome_of_a_check_for_each_partition(self, store: Store) -> None:
        store.begin(run("r"))
        seen = [(None, True), ("1", False), ("2", False), ("2", True)]
        store.append([record(ev.Checked(A, "x", passed, partition=part)) for part, passed in seen])
        found = {name: each.event.passed for name, each in store.latest_checks().items()}  # type: ignore[attr-defined]
        wanted = {(A, "x", None): True, (A, "x", "1"): False, (A, "x", "2"): True}
        assert found == wanted, f"one check of several partitions came out as {found}: keep the last outcome of each"

    def test_keep_the_tokens_of_jobs_that_have_not_ended(self, store: Store) -> None:
        store.begin(run("r"))
        store.append([record(ev.Handle("one"), "1"), record(ev.Handle("two"), "2"), record(ev.Handle("newer"), "1")])
        store.append([record(ev.InvocationFinished("succeeded", 1.0), "2")])
        assert dict(store.handles("r")) == {"1": "newer"}, "give the last token of each invocation that has no end"

    @needs("test_keep_the_tokens_of_jobs_that_have_not_ended")
    def test_keep_tokens_until_their_jobs_are_over(self, store: Store) -> None:
        store.begin(run("r"))
        store.begin(run("other"))
        store.append([record(ev.Handle(f"job-{id_}"), id_) for id_ in "12345"])
        store.append([record(ev.Handle("theirs"), "1", "other")])
        store.append([record(ev.JobOver("job-1"), "1")])
        store.append([record(ev.JobOver("job-2"), "2"), record(ev.Handle("second"), "2")])
        store.append([record(ev.InvocationFinished("failed", 1.0, "the line is dead"), "3")])
        store.append([record(ev.InvocationFinished("cancelled", 1.0), "4")])
        store.append([record(ev.JobOver("job-5"), "5"), record(ev.InvocationFinished("failed", 1.0, "gone"), "5")])
        store.append([record(ev.Handle("short"), "6"), record(ev.InvocationFinished("succeeded", 1.0), "6")])
        assert dict(store.handles("r")) == {"2": "second", "3": "job-3"}, (
            "keep the tokens that assetry.plugin.job_tokens leaves: JobOver, and an end without a message, forget one"
        )
        assert dict(store.handles("other")) == {"1": "theirs"}, "tokens belong to a run"

    # -- who may build what ------------------------------------------------------------------------------------------

    def test_let_one_run_claim_an_asset(self, store: Store) -> None:
        assert dict(store.claim("r1", [A])) == {}, "a free asset cannot be claimed"
        store.begin(run("r1"))
        held = store.claim("r2", [A, B])
        assert dict(held) == {A: "r1"}, f"an asset that a living run holds is given away: {dict(held)}"
        assert B not in store.claims(), "when one asset is held, none may be claimed"
        store.finish("r1", "succeeded", START)
        assert dict(store.claim("r2", [A, B])) == {}, "finish must release the claims of a run"

    def test_let_only_one_of_many_threads_claim(self, store: Store) -> None:
        for number in range(8):
            store.begin(run(f"r{number}"))
        together = threading.Barrier(8)

        def claim(number: int) -> dict[AssetKey, str]:
            together.wait(LONGEST)
            return dict(store.claim(f"r{number}", [A]))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(claim, range(8)))
        winners = [number for number, held in enumerate(answers) if not held]
        assert len(winners) == 1, f"{len(winners)} of 8 threads claimed one asset: compare and set in one transaction"

    @needs("test_let_one_run_claim_an_asset", "test_let_only_one_of_many_threads_claim")
    def test_let_two_runs_claim_other_partitions_of_one_asset(self, store: Store) -> None:
        january, february, both = (ClaimedParts("days", {"": (span,)}) for span in ((0, 31), (31, 59), (30, 32)))
        assert dict(store.claim("r1", [A], {A: january})) == {}, "free partitions cannot be claimed"
        store.begin(run("r1"))
        assert dict(store.claim("r2", [A, B], {A: february})) == {}, "another run cannot have other partitions"
        store.begin(run("r2"))
        assert set(store.claim("r3", [A], {A: both})) == {A}, "partitions that a living run holds are given away"
        assert set(store.claim("r3", [A])) == {A}, "all of an asset is given away while runs hold partitions of it"
        hours = ClaimedParts("hours", {"": ((2000, 2001),)})
        assert set(store.claim("r3", [A], {A: hours})) == {A}, "partitions of two grids cannot be told apart"
        assert store.claims().get(A) in ("r1", "r2"), "claims() does not tell of partitions that are held"
        store.finish("r1", "succeeded", START)
        assert dict(store.claim("r3", [A], {A: january})) == {}, "finish must release the claims of a run"

    def test_append_from_several_threads(self, store: Store) -> None:
        store.begin(run("r"))
        together = threading.Barrier(4)

        def append(thread: int) -> None:
            for turn in range(10):
                together.wait(LONGEST)  # at the same moment, also on a busy machine
                store.append([record(ev.Log(str(10 * thread + turn)))])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(append, range(4)))
        found = {each.event.message for each in store.events("r")}  # type: ignore[attr-defined]
        assert found == {str(number) for number in range(40)}, (
            f"of 40 events that four threads appended {len(found)} are there"
        )

    def test_work_after_close(self, store: Store, durable: bool) -> None:
        store.begin(run("r"))
        store.close()
        store.close()
        if durable:
            assert [each.id for each in store.runs()] == ["r"], "close lets go of files; the next call opens them again"

    # -- other processes ---------------------------------------------------------------------------------------------

    @needs("test_work_after_close")
    def test_be_there_for_another_process(
        self, store: Store, url: str, durable: bool, filled: StoreUnderTest, assetry_kit: Kit
    ) -> None:
        if not durable:
            return
        store.begin(run("r"))
        store.append([record(event) for event in EVENTS], [made(A, "v1", 0)])
        given = (portable(filled.plugin), url)
        try:
            found = elsewhere(read, *given, folder=assetry_kit.folder, modules=[module_of(filled.plugin)])
        except ChildError as error:
            raise AssertionError(f"another process cannot read the store: {error}") from error
        assert found == (["r"], list(EVENTS), ["v1"]), "another process reads something else"

    @needs("test_be_there_for_another_process")
    def test_release_what_a_killed_process_held(
        self, store: Store, url: str, durable: bool, filled: StoreUnderTest
    ) -> None:
        if not durable:
            return
        code = (
            "import sys; from assetry.testing.store import hold; hold(sys.argv[1], sys.argv[2]); "
            "print('held', flush=True); sys.stdin.read()"
        )
        plugin = module_of(filled.plugin)
        path = os.pathsep.join(each for each in sys.path if each)
        command = [sys.executable, "-c", code, plugin, url]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n", "another process cannot claim"
            assert dict(store.claim("mine", [A])) == {A: "theirs"}, "what another living process claimed is given away"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        assert dict(store.claim("mine", [A])) == {}, "a killed process still holds its claims: look whether it is alive"
        found = store.run("theirs")
        assert found is not None, "the run of a killed process is gone: what it had recorded must stay"
        assert found.state == "interrupted", f"the run of a killed process is {found.state!r}: record it as interrupted"
        attempt = store.attempts([A]).get((A, None))
        outcome = attempt.outcome if attempt is not None else "not told"
        assert outcome == "failed", f"what a killed process was making is {outcome}: record the attempt as failed"


def hold(plugin: str, url: str) -> None:
    """Begin a run that makes `A`, and hold it."""
    store = load(plugin).open_store(url)
    store.claim("theirs", [A])
    store.begin(run("theirs"))
    store.append([record(ev.Started(A), run_id="theirs")], [], [tried(A, "running", "theirs", 0)])
    hold.store = store  # type: ignore[attr-defined]  # or its connection ends with this call


def read(plugin: Any, url: str) -> tuple[list[str], list[Event], list[str]]:
    """Read a store in this process."""
    store = load(plugin).open_store(url)
    runs = [each.id for each in store.runs()]
    return runs, [each.event for each in store.events("r")], [each.data_version for each in store.latest().values()]


def run(id_: str, started: datetime = START, options: Mapping[str, Any] | None = None) -> RunInfo:
    """Return a run of this process."""
    return RunInfo(
        id=id_, state="running", started=started, assets=(A, B), options=options or {}, process=os.getpid(), host=""
    )


def record(event: Event, invocation: str = "1", run_id: str = "r") -> EventRecord:
    """Return the record of an event."""
    return EventRecord(at=START, run=run_id, event=event, invocation=invocation)


def made(key: AssetKey, version: str, minutes: int, partition: str | None = None) -> Materialization:
    """Return a materialization with everything it can hold."""
    return Materialization(
        key=key,
        partition=partition,
        at=START + timedelta(minutes=minutes),
        run="r",
        data_version=version,
        code_version="c1",
        code_parts={"body": "b1"},
        inputs={B: "w0"} if key == A else {},
        columns=(Column("id", "integer"),),
        metadata={"rows": 3},
        seconds=0.5,
    )


def tried(
    key: AssetKey,
    outcome: Outcome,
    run_id: str,
    minutes: int,
    message: str | None = None,
    because: AssetKey | None = None,
) -> Attempt:
    """Return an attempt."""
    at = START + timedelta(minutes=minutes)
    return Attempt(key=key, run=run_id, at=at, outcome=outcome, message=message, because=because)
