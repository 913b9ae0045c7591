"""What a store gives back: runs, their events, and what follows from these."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from assetry.partitions.key_table import KeyTable
from assetry.testing.store.samples import EVENTS, START, A, B, looked, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.protocols import Store


class RecordChecks:
    """Checks of what is written, and read again."""

    # -- runs and events ---------------------------------------------------------------------------------------------

    def test_be_a_store_that_begins_empty(self, store: Store) -> None:
        assert isinstance(store, Store), f"{type(store).__name__} lacks methods of Store"
        found = (store.runs(), dict(store.latest()), dict(store.attempts()), store.leases(), store.run("x"))
        assert found == ([], {}, {}, (), None), f"a new store holds {found}"

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

    @needs("test_list_runs_newest_first")
    def test_list_the_runs_that_are_asked_for_alone(self, store: Store) -> None:
        options: dict[str, dict[str, Any]] = {
            "one": {"backfill": "b"},
            "two": {"backfill": "b", "vars": {"rate": float("nan")}},
            "three": {"backfill": "bb"},
            "four": {"why": "b"},
        }
        for number, (id_, each) in enumerate(options.items()):
            store.begin(run(id_, started=START + timedelta(minutes=number), options=each))
        store.finish("one", "failed", START)
        store.finish("four", "succeeded", START)
        store.begin(run("five"))
        store.finish("five", "interrupted", START)

        def listed(*asked: int, **only: Any) -> list[str]:
            return [each.id for each in store.runs(*asked, **only)]

        assert listed(running=True) == ["three", "two"], f"of five runs two are running, not {listed(running=True)}"
        assert listed(backfill="b") == ["two", "one"], f"two runs are of backfill b, not {listed(backfill='b')}"
        assert listed(running=True, backfill="b") == ["two"], "both that are asked for have to hold"
        assert listed(1, backfill="b") == ["two"], "runs(1, backfill=…) gives the newest of these"
        assert listed(interrupted=True) == ["five"], f"one run was interrupted, not {listed(interrupted=True)}"
        assert listed(backfill="none") == [], "no run is of a backfill that there is not"

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
    def test_keep_the_failure_of_what_was_only_skipped_since(self, store: Store) -> None:
        store.begin(run("r1"))
        store.append([], [], [tried(A, "failed", "r1", 0), tried(B, "cancelled", "r1", 0)])
        store.begin(run("r2"))
        store.append([], [], [tried(A, "skipped", "r2", 1), tried(B, "skipped", "r2", 1)])
        found = {key: attempt.outcome for (key, _), attempt in store.attempts().items()}
        assert found == {A: "failed", B: "cancelled"}, (
            f"the last attempts are {found}: a skip is no attempt that would take the place of an earlier one"
        )
        skipped = {key: attempt.outcome for (key, _), attempt in store.run_attempts("r2").items()}
        assert skipped == {A: "skipped", B: "skipped"}, f"the attempts of the run that skipped are {skipped}"
        store.append([], [], [tried(A, "materialized", "r2", 2)])
        last = store.attempts([A])[A, None].outcome
        assert last == "materialized", f"the last attempt is {last}, but it was made since"

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
        everything = store.changes(None, since.revision)
        assert everything is not None, "a store does not know the revision that it told before it was written to"
        assert {(A, "x"), (B, None)} <= set(everything.latest), "changes(None, since) leaves out what was made since"
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
        odd = {"passed": True, "rows": float("nan")}
        store.append([record(ev.Checked(A, "z", False, "warn", metadata=odd)), record(ev.Checked(B, "x", False))])
        store.append([record(ev.Checked(B, "y", True, metadata={"passed": False, "rows": float("nan")}))])
        failed = list(store.latest_checks(failed=True)), list(store.latest_checks([A], failed=True))
        assert sorted(failed[0]) == [(A, "z", None), (B, "x", None)], f"the checks that failed are {failed[0]}"
        assert failed[1] == [(A, "z", None)], "latest_checks(keys, failed=True) gives other keys as well"

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

    # -- looks, and how long it took ----------------------------------------------------------------------------------

    @needs("test_remember_the_last_materialization_of_each_partition")
    def test_remember_the_last_look_at_each_partition(self, store: Store) -> None:
        assert dict(store.looks()) == {}, f"a new store knows the looks {dict(store.looks())}"
        store.begin(run("r"))
        whole, part, other = looked(A, "v1", 1), looked(A, "p1", 2, partition="x"), looked(B, "w1", 3)
        store.append([], [made(A, "v1", 0)], [], [looked(A, "v0", 0), part])
        store.append([], [], [], [whole, other])
        found = dict(store.looks())
        assert found == {(A, None): whole, (A, "x"): part, (B, None): other}, f"the last looks are {found}"
        assert set(store.looks([B])) == {(B, None)}, "looks(keys) gives other keys as well"
        assert store.latest()[A, None] == made(A, "v1", 0), "a look is no materialization, and changes none"

    @needs("test_remember_the_last_materialization_of_each_partition")
    def test_remember_how_long_assets_took(self, store: Store) -> None:
        assert dict(store.durations()) == {}, f"a new store knows the durations {dict(store.durations())}"
        store.begin(run("r"))
        parts = [replace(made(A, "v", n, partition=str(n)), seconds=float(n)) for n in range(70)]
        store.append([], [replace(made(B, "w", 0), seconds=None), *parts])
        store.append([], [replace(made(A, "v2", 99), seconds=100.25)])
        found = store.durations()
        assert set(found) == {A}, f"durations are there of {set(found)}: what has none in its record has none"
        wanted = [*(float(n) for n in range(21, 70)), 100.25]
        assert list(found[A])[-50:] == wanted, f"A took {list(found[A])}: oldest first, at least the last 50"
        assert dict(store.durations([B])) == {}, "durations(keys) gives other keys as well"

    # -- keys of partitions ------------------------------------------------------------------------------------------

    def test_number_the_keys_of_partitions_once_and_for_ever(self, store: Store) -> None:
        assert dict(store.partition_keys()) == {}, f"a new store knows {dict(store.partition_keys())}"
        store.change_partition_keys(A, known=["made"], add=["one", "two"])
        store.change_partition_keys(B, add=["x"])
        store.change_partition_keys(A, known=["one", "made"], add=["two", "three"])
        found = store.partition_keys([A])
        assert set(found) == {A}, "partition_keys(keys) gives other keys as well"
        assert found[A] == KeyTable(("made", "one", "two", "three")), (
            f"keys that were made known are {found[A]}: each has the number of its turn"
        )
        store.change_partition_keys(A, drop=["one", "never"])
        store.change_partition_keys(A, known=["one", "four"])
        gone = KeyTable(("made", "one", "two", "three", "never", "four"), frozenset([1, 4]))
        assert store.partition_keys()[A] == gone, f"after a drop they are {store.partition_keys()[A]}, not {gone}"
        store.change_partition_keys(A, add=["one"])
        back = replace(gone, dropped=frozenset([4]))
        assert store.partition_keys()[A] == back, "what is added again is there again, under the number that it had"
        assert store.partition_keys()[B] == KeyTable(("x",)), "keys belong to an asset"
