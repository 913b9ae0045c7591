import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from assetry.errors import LeaseLostError, StoreError, StoreVersionError, UsageError
from assetry.store.migrations import MIGRATIONS
from assetry.store.sqlite import SQLiteStore, assetry_open_store
from assetry.types.events import Checked, Failed, Handle, InvocationFinished, Log, Materialized, Started
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease, LeasedParts
from assetry.types.protocols import Store
from assetry.types.records import Attempt, EventRecord, Materialization, RunInfo
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def at(minutes):
    return START + timedelta(minutes=minutes)


def info(run_id="r1", **given):
    return RunInfo(id=run_id, state="running", started=given.pop("started", START), process=os.getpid(), **given)


def made(key, version="1", run="r1", **given):
    return Materialization(key=AssetKey(key), at=given.pop("at", START), run=run, data_version=version, **given)


def tried(key, outcome, run="r1", **given):
    return Attempt(key=AssetKey(key), at=given.pop("at", START), run=run, outcome=outcome, **given)


def record(event, run="r1", invocation="1"):
    return EventRecord(at=START, run=run, event=event, invocation=invocation)


def whole(*keys):
    return dict.fromkeys(map(AssetKey, keys))


spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)).map(lambda each: (each[0], sum(each))), max_size=4)
leased = st.builds(
    LeasedParts,
    st.sampled_from(["days", "days", "hours"]),
    st.dictionaries(st.sampled_from(["", "eu", "us"]), spans.map(tuple), max_size=3),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".assetry" / "state.db"


@pytest.fixture(params=["file", "memory"])
def store(request, path):
    store = SQLiteStore(path if request.param == "file" else ":memory:")
    yield store
    store.close()


class TestUrl:
    def test_a_path_is_taken_from_the_working_directory(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert assetry_open_store("sqlite:state/x.db").path == tmp_path / "state" / "x.db"
        assert assetry_open_store(f"sqlite:{tmp_path}/y.db").path == tmp_path / "y.db"

    def test_memory_has_no_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        store = assetry_open_store("sqlite::memory:")
        store.begin(info())
        assert [run.id for run in store.runs()] == ["r1"]
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("url", ["sqlite", "sqlite:", "sqlite://", "sqlite:///state.db"])
    def test_a_url_without_a_path_says_how_to_write_one(self, url):
        with pytest.raises(UsageError, match=r"sqlite:\.assetry/state\.db"):
            assetry_open_store(url)

    def test_it_is_a_store(self, store):
        assert isinstance(store, Store)


class TestFolder:
    def test_looking_makes_nothing(self, path):
        store = SQLiteStore(path)
        assert store.runs() == []
        assert store.run("r1") is None
        assert list(store.events("r1")) == []
        assert store.latest() == store.attempts() == store.latest_checks() == store.handles("r1") == {}
        assert not path.parent.exists()

    def test_the_first_record_makes_a_folder_that_git_ignores(self, path):
        SQLiteStore(path).begin(info())
        assert (path.parent / ".gitignore").read_text() == "*\n"

    def test_another_folder_gets_no_gitignore(self, tmp_path):
        SQLiteStore(tmp_path / "records" / "x.db").begin(info())
        assert not (tmp_path / "records" / ".gitignore").exists()

    def test_a_gitignore_of_the_user_stays(self, path):
        path.parent.mkdir()
        (path.parent / ".gitignore").write_text("data/\n")
        SQLiteStore(path).begin(info())
        assert (path.parent / ".gitignore").read_text() == "data/\n"

    def test_close_leaves_one_file_and_the_store_can_be_used_again(self, path):
        store = SQLiteStore(path)
        store.begin(info())
        store.close()
        assert sorted(each.name for each in path.parent.iterdir()) == [".gitignore", "state.db"]
        assert [run.id for run in store.runs()] == ["r1"]


class TestRuns:
    def test_a_run_comes_back_whole(self, store):
        run = info(assets=(AssetKey("a"), AssetKey("b/c")), options={"select": "+a", "full_refresh": True}, host="h")
        store.begin(run)
        assert store.runs() == [run]
        assert store.run("r1") == run

    def test_newest_first(self, store):
        for name in ("r1", "r3", "r2"):
            store.begin(info(name))
        assert [run.id for run in store.runs()] == ["r2", "r3", "r1"]
        assert [run.id for run in store.runs(limit=2)] == ["r2", "r3"]

    def test_finish_says_how_and_when(self, store):
        store.begin(info())
        store.finish("r1", "failed", at(1))
        assert (store.run("r1").state, store.run("r1").finished) == ("failed", at(1))

    def test_nothing_is_being_made_after_the_end(self, store):
        store.begin(info())
        store.append([], attempts=[tried("a", "running"), tried("b", "materialized")])
        store.finish("r1", "cancelled", at(1))
        a, b = store.run_attempts("r1").values()
        assert (a.outcome, b.outcome) == ("failed", "materialized")
        assert "cancelled" in a.message

    def test_a_unique_beginning_is_enough(self, store):
        for name in ("20260101-abc", "20260101-abd", "2"):
            store.begin(info(name))
        assert store.run("20260101-abc").id == "20260101-abc"
        assert store.run("20260101-abd"[:12]).id == "20260101-abd"
        assert store.run("2").id == "2"
        assert store.run("") is store.run("x") is store.run("%") is None

    def test_an_ambiguous_beginning_lists_the_candidates(self, store):
        for name in ("20260101-abc", "20260101-abd"):
            store.begin(info(name))
        with pytest.raises(UsageError, match="'20260101-abd' or '20260101-abc'"):
            store.run("20260101-a")

    def test_a_run_that_goes_on_is_running_again(self, store):
        store.begin(info())
        store.finish("r1", "interrupted", at(1))
        store.begin(info(started=at(2)))
        assert [(run.state, run.started, run.finished) for run in store.runs()] == [("running", at(2), None)]


class TestRecords:
    def test_events_come_back_in_order_of_their_run(self, store):
        first = [record(Started("a")), record(Log("x", key="a"), invocation=None)]
        second = [record(Materialized("a", metadata={"rows": 3}))]
        store.append(first)
        store.append([record(Started("z"), run="r2")])
        store.append(second)
        assert list(store.events("r1")) == first + second

    def test_a_long_log_is_read_in_pages_while_it_grows(self, store):
        store.append([record(Log(str(n))) for n in range(2500)])
        reader = store.events("r1")
        assert next(reader).event.message == "0"
        store.append([record(Log("2500"))])
        assert [each.event.message for each in reader] == [str(n) for n in range(1, 2501)]

    def test_undecodable_text_of_a_tool_is_kept(self, store):
        store.append(
            [record(Log("caf\udce9\0")), record(Checked("a", "c\udce9", True))],
            [made("a", "v\udce9")],
            [tried("a", "failed", message="caf\udce9")],
        )
        assert next(iter(store.events("r1"))).event.message == "caf\udce9\0"
        assert next(iter(store.attempts().values())).message == "caf\\udce9"

    def test_latest_is_the_last_of_each_asset_and_partition(self, store):
        store.append([], [made("a", "1"), made("a", "2"), made("b", partition="p"), made("b", partition="q")])
        store.append([], [made("b", "2", partition="p", run="r2")])
        latest = {key: each.data_version for key, each in store.latest().items()}
        assert latest == {("a", None): "2", ("b", "p"): "2", ("b", "q"): "1"}
        assert set(store.latest([AssetKey("b"), AssetKey("x")])) == {("b", "p"), ("b", "q")}
        assert store.latest([]) == {}

    def test_history_is_kept(self, path):
        store = SQLiteStore(path)
        store.append([], [made("a", "1")])
        store.append([], [made("a", "2")])
        assert sqlite3.connect(path).execute("SELECT data_version FROM materializations").fetchall() == [("1",), ("2",)]

    def test_attempts_are_the_last_of_each_asset_and_of_each_run(self, store):
        store.append([], attempts=[tried("a", "running"), tried("b", "skipped", because=AssetKey("a"))])
        store.append([], attempts=[tried("a", "failed", message="m")])
        store.append([], attempts=[tried("a", "materialized", run="r2")])
        assert {key: each.outcome for key, each in store.attempts().items()} == {
            ("a", None): "materialized",
            ("b", None): "skipped",
        }
        assert {key: each.outcome for key, each in store.run_attempts("r1").items()} == {
            ("a", None): "failed",
            ("b", None): "skipped",
        }
        assert set(store.attempts([AssetKey("b")])) == {("b", None)}

    @pytest.mark.parametrize("before", ["failed", "check_failed", "cancelled", "gone", "materialized", "unchanged"])
    def test_what_was_only_skipped_since_is_as_it_was_unless_it_was_well(self, store, before):
        for run, outcome in (("r1", before), ("r2", "skipped"), ("r3", "skipped")):
            store.begin(info(run))
            store.append([], [], [tried("a", outcome, run), tried("a", outcome, run, partition="x")])
        known = {(each.outcome, each.run) for each in store.attempts().values()}
        assert known == {("skipped", "r3") if before in ("materialized", "unchanged") else (before, "r1")}
        assert {each.outcome for each in store.run_attempts("r3").values()} == {"skipped"}

    def test_what_failed_and_is_then_skipped_in_one_run_was_skipped(self, store):
        store.begin(info())
        store.append([], [], [tried("a", "failed")])
        store.append([], [], [tried("a", "skipped")])
        assert [each.outcome for each in store.attempts().values()] == ["skipped"]

    def test_checks_are_the_last_of_each(self, store):
        store.append([record(Checked("a", "c", False)), record(Checked("a", "d", True))])
        store.append([record(Checked("a", "c", True, message="ok"), run="r2")])
        checks = store.latest_checks([AssetKey("a")])
        assert {key: (each.run, each.event.passed) for key, each in checks.items()} == {
            ("a", "c", None): ("r2", True),
            ("a", "d", None): ("r1", True),
        }
        assert checks["a", "c", None].event == Checked("a", "c", True, message="ok")

    def test_handles_of_invocations_without_an_end(self, store):
        store.append([record(Handle("t1")), record(Handle("t2"), invocation="2"), record(Handle("u"), run="r2")])
        store.append([record(Handle("t3")), record(InvocationFinished("succeeded", 1.0), invocation="2")])
        assert store.handles("r1") == {"1": "t3"}

    def test_a_batch_that_cannot_be_written_leaves_no_trace(self, store):
        store.append([record(Started("a"))])
        with pytest.raises(StoreError):
            store.append([record(Started("b"))], [made("b", version=None)])
        assert len(list(store.events("r1"))) == 1
        store.append([record(Started("c"))])
        assert len(list(store.events("r1"))) == 2

    def test_threads_share_one_store(self, store):
        def write(n):
            for m in range(20):
                store.append([record(Log(f"{n}.{m}"))], [made(f"t{n}", str(m))])
                store.latest([AssetKey(f"t{n}")])

        threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        messages = [each.event.message for each in store.events("r1")]
        assert sorted(messages) == sorted(f"{n}.{m}" for n in range(4) for m in range(20))
        assert {each.data_version for each in store.latest().values()} == {"19"}


class TestLeases:
    def test_what_another_run_holds_is_named_and_nothing_is_leased(self, store):
        store.begin(info("r1"))
        store.begin(info("r2"))
        assert store.lease("r1", whole("a", "b")).lease
        assert store.lease("r2", whole("b", "c")) == (None, (HeldLease("b", "r1"),))
        assert store.lease("r1", whole("c")).lease

    def test_a_run_may_lease_again_and_then_writes_with_the_new_one(self, store):
        first = store.lease("r1", whole("a")).lease
        second = store.lease("r1", whole("a", "b")).lease
        assert second.token > first.token
        with pytest.raises(LeaseLostError, match="another process goes on with it"):
            store.begin(info(), first)
        assert store.begin(info(), second) == second

    def test_a_run_that_leases_again_is_the_newest_and_goes_on(self, store):
        for id_ in ("r1", "r2"):
            store.begin(info(id_))
        store.lease("r1", {})
        assert [run.id for run in store.runs()] == ["r2", "r1"]
        store.lease("r1", whole("a"))
        assert [(run.id, run.state) for run in store.runs()] == [("r1", "running"), ("r2", "running")]

    def test_the_end_releases(self, store):
        store.lease("r1", whole("a"))
        store.finish("r1", "succeeded", at(1))
        assert store.lease("r2", whole("a")).lease

    def test_a_run_may_lease_before_it_begins(self, store):
        store.lease("r1", whole("a"))
        assert [(run.id, run.state) for run in store.runs()] == [("r1", "running")]
        assert store.lease("r2", whole("a")).held == (HeldLease("a", "r1"),)
        assert [run.id for run in store.runs()] == ["r1"]
        run = info(options={"x": 1})
        store.begin(run)
        assert store.runs() == [run]

    def test_partitions_come_back_as_they_were_leased(self, store):
        days = LeasedParts("daily", {"": ((0, 3), (5, 8)), "eu": ((1, 2),)})
        store.lease("r1", {AssetKey("a"): days, AssetKey("b"): None})
        assert store.leases() == (HeldLease("a", "r1", days), HeldLease("b", "r1"))

    def test_a_revision_grows_with_what_is_made_and_leased(self, store):
        tokens = [store.begin(info()).token, store.lease("r1", whole("a")).lease.token]
        store.append([], [made("a", "1")])
        tokens.append(store.begin(info("r2")).token)
        assert tokens == [1, 2, 4]

    @given(leased, leased)
    def test_leases_meet_where_any_partition_is_in_both(self, one, other):
        """Against sets: of another grid, and of the whole, everything meets."""
        both = {(strand, n) for strand, spans in one.ranges.items() for span in spans for n in range(*span)} & {
            (strand, n) for strand, spans in other.ranges.items() for span in spans for n in range(*span)
        }
        meets = bool(both) or one.grid != other.grid
        store = SQLiteStore(":memory:")
        store.lease("r1", {AssetKey("a"): one})
        assert bool(store.lease("r2", {AssetKey("a"): other}).held) == meets == one.meets(other)
        assert one.meets(None)


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


#: The process of a run on a machine that cannot be looked at.
FAR = {"process": 1, "host": "other.example.com"}


def far(run_id="r1"):
    return RunInfo(id=run_id, state="running", started=START, **FAR)


@pytest.fixture
def clock():
    return Clock()


class TestExpiry:
    def test_a_run_on_an_unseen_machine_is_taken_for_gone_when_its_lease_has_expired(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.begin(far())
        assert (lease.expires, lease.seconds) == (START + timedelta(seconds=60), 60)
        clock.now += timedelta(seconds=59)
        assert [run.state for run in store.runs()] == ["running"]
        clock.now += timedelta(seconds=2)
        assert store.lease("r2", whole("a")).lease
        assert [run.state for run in store.runs()] == ["running", "interrupted"]

    def test_what_it_still_writes_is_refused_and_says_what_to_look_at(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.begin(far())
        clock.now += timedelta(minutes=5)
        assert store.runs()[0].state == "interrupted"
        with pytest.raises(LeaseLostError) as caught:
            store.append([record(Started("a"))], [made("a")], lease=lease)
        assert caught.value.exit_code == 1
        assert "it had given no sign of life for 60 s. What it made after that was not recorded." in str(caught.value)
        assert "`assetry retry r1`" in caught.value.hint
        assert (list(store.events("r1")), store.latest()) == ([], {})

    def test_a_renewed_lease_expires_later(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.begin(far())
        for _ in range(5):
            clock.now += timedelta(seconds=40)
            lease = store.renew(lease)
        assert lease.expires == START + timedelta(seconds=260)
        assert [run.state for run in store.runs()] == ["running"]

    def test_one_that_has_expired_unseen_is_renewed(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.begin(far())
        clock.now += timedelta(hours=1)
        store.renew(lease)
        assert [run.state for run in store.runs()] == ["running"]

    def test_a_clock_that_jumps_takes_nothing_from_a_process_that_is_seen_to_live(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.begin(info())
        for jump in (timedelta(days=400), -timedelta(days=900)):
            clock.now += jump
            assert store.lease("r2", whole("a")).lease
            assert {run.state for run in store.runs()} == {"running"}
            store.append([record(Started("a"))], lease=lease)
            store.finish("r2", "succeeded", clock.now)

    def test_a_clock_that_jumps_forward_takes_a_lease_and_never_gives_it_to_two(self, path, clock):
        """The run is alive, and its clock is right: it learns at its next word that it lost the lease."""
        theirs, ours = SQLiteStore(path), SQLiteStore(path, clock=lambda: datetime.now(UTC) + timedelta(minutes=10))
        old = theirs.begin(far())
        new = ours.lease("r2", whole("a")).lease
        assert new.token > old.token
        for write in (lambda: theirs.renew(old), lambda: theirs.finish("r1", "succeeded", START, lease=old)):
            with pytest.raises(LeaseLostError, match="its process was taken for gone"):
                write()
        ours.append([record(Started("a"), "r2")], lease=new)

    def test_a_run_that_is_taken_for_gone_before_it_begins_does_not_begin(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        lease = store.lease("r1", whole("a")).lease
        with sqlite3.connect(path) as db:
            db.execute("""UPDATE runs SET owner = '{"pid":1,"host":"other/x"}'""")
        clock.now += timedelta(minutes=2)
        assert store.lease("r2", whole("a")).lease
        with pytest.raises(LeaseLostError, match="before it had begun"):
            store.begin(info(), lease)

    def test_in_memory_nothing_expires(self, clock):
        store = SQLiteStore(":memory:", clock=clock)
        assert store.begin(info()).seconds is None


def until(condition):
    """Wait for a condition for a minute at most; return whether it came true."""
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


CHILD = """
    import os, sys
    from datetime import UTC, datetime
    from assetry.types.events import Handle, Log, Started
    from assetry.types.keys import AssetKey
    from assetry.types.records import Attempt, EventRecord, Materialization, RunInfo
    from assetry.store.sqlite import SQLiteStore

    path, run = sys.argv[1:3]
    now = datetime.now(UTC)
    def say(text):
        print(text, flush=True)
    def event(event):
        return EventRecord(at=now, run=run, event=event, invocation="1")
    store = SQLiteStore(path)
"""


@pytest.fixture
def start(path, tmp_path):
    """Start a child process with a store; what it says can be read from its `stdout`."""
    children = []

    def start(code, run="r1", path=path):
        script = textwrap.dedent(CHILD) + textwrap.dedent(code)
        child = subprocess.Popen(
            [sys.executable, "-c", script, path, run],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


RUNNING = """
    store.begin(RunInfo(id=run, state="running", started=now, process=os.getpid(), assets=("a", "b")))
    store.lease(run, {AssetKey("a"): None})
    store.append([event(Started("a")), event(Handle("token"))],
                 attempts=[Attempt(key=AssetKey("a"), run=run, at=now, outcome="running")])
    say("running")
    input()
    store.close()
"""


def waiting(run_id, minutes=0, **given):
    return RunInfo(id=run_id, state="queued", started=at(minutes), process=os.getpid(), **given)


class TestQueue:
    def test_the_longest_waiting_of_the_first_class_comes_first(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        for n, priority in enumerate((50, 20, 0, 0)):
            store.enqueue(waiting(f"r{n}", n, priority=priority), whole("a"))
        clock.now = at(10)
        assert [each.run.id for each in store.queue()] == ["r2", "r3", "r1", "r0"]

    def test_each_hour_is_worth_a_class(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        store.enqueue(waiting("old", priority=50), whole("a"))
        store.enqueue(waiting("new", 30, priority=20), whole("a"))
        clock.now = at(59)
        assert [each.run.id for each in store.queue()] == ["new", "old"]
        clock.now = at(61)
        assert [each.run.id for each in store.queue()] == ["old", "new"]

    def test_a_clock_that_goes_back_changes_no_class(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        for n in (0, 1):
            store.enqueue(waiting(f"r{n}", n, priority=20), whole("a"))
        clock.now = at(-500)
        assert [each.run.id for each in store.queue()] == ["r0", "r1"]

    def test_partitions_that_are_wanted_come_back(self, store):
        days = LeasedParts("daily", {"": ((0, 3),)})
        store.enqueue(waiting("r", options={"select": ["a"]}), {AssetKey("a"): days, AssetKey("b"): None})
        (found,) = store.queue()
        assert (dict(found.wanted), found.run.options) == ({"a": days, "b": None}, {"select": ["a"]})

    def test_it_may_want_something_else_and_keeps_its_turn(self, store):
        store.enqueue(waiting("r1"), whole("a"))
        store.enqueue(waiting("r2", 1), whole("a"))
        store.enqueue(waiting("r1"), whole("b"))
        assert [(each.run.id, set(each.wanted)) for each in store.queue()] == [("r1", {"b"}), ("r2", {"a"})]

    def test_one_that_is_gone_leaves_nothing(self, path, clock):
        store = SQLiteStore(path, clock=clock)
        store.enqueue(RunInfo(id="r1", state="queued", started=START, **FAR), whole("a"))
        clock.now += timedelta(minutes=2)
        assert (store.queue(), store.run("r1"), store.runs()) == ((), None, [])

    def test_what_waits_first_is_leased_first(self, store):
        store.begin(info("r1"))
        store.lease("r1", whole("a", "b"))
        store.enqueue(waiting("r2"), whole("a"))
        store.enqueue(waiting("r3", 1), whole("a", "b"))
        store.finish("r1", "succeeded", at(2))
        assert store.lease("r3", whole("a", "b")) == (None, (HeldLease("a", "r2"),))
        assert store.lease("r3", whole("b")).lease, "nobody waits for that"
        assert store.lease("new", whole("a")).lease, "who does not wait takes what is free"

    def test_one_that_has_waited_is_newer_than_those_that_began_meanwhile(self, store):
        store.enqueue(waiting("r1"), whole("a"))
        store.begin(info("r2"), store.lease("r2", whole("a")).lease)
        store.finish("r2", "failed", at(1))
        assert store.lease("r1", whole("a")).lease
        assert [each.id for each in store.runs()] == ["r1", "r2"]


class TestProcesses:
    def test_a_living_run_is_left_alone(self, start, path):
        child = start(RUNNING)
        assert child.stdout.readline() == "running\n"
        store = SQLiteStore(path)
        assert [run.state for run in store.runs()] == ["running"]
        assert store.lease("r2", whole("a")).held == (HeldLease("a", "r1"),)

    def test_a_killed_run_took_until_its_last_sign_of_life(self, start, path):
        child = start(RUNNING)
        assert child.stdout.readline() == "running\n"
        child.kill()
        child.wait()
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            (expires,) = db.execute("SELECT expires FROM runs").fetchone()
            later = datetime.fromisoformat(expires) + timedelta(seconds=36)  # as if it had been renewed then
            db.execute("UPDATE runs SET expires = ?", (later.isoformat(),))
        store = SQLiteStore(path)
        run = store.run("r1")
        assert 36 <= (run.finished - run.started).total_seconds() < 40

    @pytest.mark.parametrize("look", ["runs", "run", "attempts", "run_attempts", "lease"])
    def test_a_killed_run_is_interrupted_for_whoever_looks(self, start, path, look):
        child = start(RUNNING)
        assert child.stdout.readline() == "running\n"
        child.kill()
        child.wait()
        store = SQLiteStore(path)
        if look == "runs":
            assert store.runs()[0].state == "interrupted"
        elif look == "run":
            assert store.run("r1").state == "interrupted"
        elif look == "lease":
            assert store.lease("r2", whole("a")).lease
        else:
            tried = store.attempts() if look == "attempts" else store.run_attempts("r1")
            assert (tried["a", None].outcome, "interrupted" in tried["a", None].message) == ("failed", True)
        db = sqlite3.connect(path)
        assert db.execute("SELECT state FROM runs WHERE id = 'r1'").fetchone() == ("interrupted",)
        assert db.execute("SELECT outcome FROM attempts").fetchall() == [("failed",)]
        assert db.execute("SELECT run FROM leases").fetchall() == ([("r2",)] if look == "lease" else [])
        assert next(store.events("r1")).at <= store.run("r1").finished <= datetime.now(UTC)
        assert store.handles("r1") == {"1": "token"}

    def test_a_run_that_is_killed_before_it_has_begun_is_forgotten(self, start, path):
        child = start("""
            store.lease(run, {AssetKey("a"): None})
            say("leased")
            input()
        """)
        assert child.stdout.readline() == "leased\n"
        store = SQLiteStore(path)
        assert [(run.id, run.options) for run in store.runs()] == [("r1", {})]
        child.kill()
        child.wait()
        assert (store.runs(), store.leases()) == ([], ())

    def test_kill_9_at_any_moment_loses_nothing_that_was_reported(self, start, path):
        for round_ in range(3):
            child = start(
                """
                store.begin(RunInfo(id=run, state="running", started=now, process=os.getpid()))
                for n in range(10**9):
                    store.append([event(Log(f"{n}.{m}")) for m in range(5)],
                                 [Materialization(key=AssetKey("a"), at=now, run=run, data_version=f"{run}.{n}")])
                    say(n)
                """,
                run=f"r{round_}",
            )
            reported = 0
            while reported < 20 * (round_ + 1):
                reported = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            reported = max([reported, *(int(line) for line in child.stdout.read().splitlines())])
            child.wait()
            store = SQLiteStore(path)
            messages = [each.event.message for each in store.events(f"r{round_}")]
            assert len(messages) % 5 == 0, "a batch was written in part"
            assert len(messages) // 5 - 1 in (reported, reported + 1)
            assert store.latest()["a", None].data_version == f"r{round_}.{len(messages) // 5 - 1}"
            assert {run.state for run in store.runs()} == {"interrupted"}
            assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
            store.close()

    def test_processes_that_start_and_write_at_once_corrupt_nothing(self, start, path):
        children = [
            start(
                """
                say("ready")
                input()
                store.begin(RunInfo(id=run, state="running", started=now, process=os.getpid()))
                for n in range(30):
                    store.append([event(Log(str(n)))],
                                 [Materialization(key=AssetKey("a"), at=now, run=run, data_version=f"{run}.{n}")])
                store.finish(run, "succeeded", now)
                store.close()
                """,
                run=f"r{n}",
            )
            for n in range(3)
        ]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("\n")
            child.stdin.flush()
        assert [child.wait() for child in children] == [0, 0, 0]
        store = SQLiteStore(path)
        for n in range(3):
            assert [each.event.message for each in store.events(f"r{n}")] == [str(m) for m in range(30)]
        assert {run.state for run in store.runs()} == {"succeeded"}
        db = sqlite3.connect(path)
        assert db.execute("SELECT count(*) FROM materializations").fetchone() == (90,)
        last = db.execute("SELECT data_version FROM materializations ORDER BY id DESC").fetchone()[0]
        assert store.latest()["a", None].data_version == last
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_one_of_two_that_lease_wins(self, start, path):
        taker = """
            say("ready")
            for line in sys.stdin:
                say(len(store.lease(run, dict.fromkeys(AssetKey(f"{c}{line.strip()}") for c in "ab")).held))
        """
        children = [start(taker, run="r1"), start(taker, run="r2")]
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for n in range(20):
            for child in children:
                child.stdin.write(f"{n}\n")
                child.stdin.flush()
            assert sorted(int(child.stdout.readline()) for child in children) == [0, 2]

    def test_a_forked_child_opens_its_own_connection(self, path):
        store = SQLiteStore(path)
        store.begin(info())
        pid = os.fork()
        if not pid:
            try:
                store.append([record(Log("child"))])
                store.close()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        store.append([record(Log("parent"))])
        assert [each.event.message for each in store.events("r1")] == ["child", "parent"]


class TestTroubles:
    def refused(self, path, kind=StoreError, **given):
        with pytest.raises(kind) as caught:
            SQLiteStore(path, **given).begin(info())
        assert str(path) in caught.value.message
        assert caught.value.hint
        return caught.value

    def test_a_file_that_is_no_database_is_left_as_it_is(self, path):
        path.parent.mkdir()
        path.write_text("precious" * 1000)
        error = self.refused(path)
        assert "not a SQLite database" in error.message
        assert "mv " in error.hint
        assert path.read_text() == "precious" * 1000
        assert sorted(each.name for each in path.parent.iterdir()) == [".gitignore", "state.db"]

    def test_a_damaged_file_is_left_as_it_is(self, path):
        store = SQLiteStore(path)
        store.append([record(Log("x" * 200)) for _ in range(500)])
        store.close()
        whole = path.read_bytes()
        damaged = whole[: -20 * 4096] + b"\xff" * (20 * 4096)  # the events, and not what the tables are
        path.write_bytes(damaged)
        store = SQLiteStore(path)
        with pytest.raises(StoreError, match="damaged") as caught:
            list(store.events("r1"))
        assert "begins a new history" in " ".join(caught.value.hint.split())
        store.close()
        assert path.read_bytes() == damaged

    def test_a_newer_store_names_both_versions(self, path):
        SQLiteStore(path).begin(info())
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        error = self.refused(path, StoreVersionError)
        assert "99" in error.message
        assert f"up to {len(MIGRATIONS)}." in error.message
        assert "Upgrade" in error.hint

    def test_a_database_of_another_program_is_not_touched(self, path):
        path.parent.mkdir()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE runs (x)")
        db.close()
        before = path.read_bytes()
        assert "another program" in self.refused(path).message
        assert path.read_bytes() == before

    def test_a_folder_in_its_place(self, path):
        path.mkdir(parents=True)
        assert "cannot be opened" in self.refused(path).message

    def test_a_file_where_its_folder_should_be(self, path):
        path.parent.write_text("")
        with pytest.raises(StoreError, match="cannot be made") as caught:
            SQLiteStore(path).begin(info())
        assert str(path.parent) in caught.value.message

    def test_a_lock_that_does_not_end(self, path):
        SQLiteStore(path).begin(info())
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        assert "locked by another program" in self.refused(path, patience=0.01).message
        other.rollback()
        SQLiteStore(path, patience=0.01).begin(info())

    def test_a_writer_waits_for_its_turn(self, start, path):
        SQLiteStore(path).begin(info())
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        child = start("say('waiting'); store.append([event(Log('x'))]); say('written')")
        assert child.stdout.readline() == "waiting\n"
        other.rollback()
        assert child.stdout.readline() == "written\n"

    def test_a_full_disk_keeps_what_was_there(self, start, path):
        child = start(
            """
            import resource, signal
            from assetry.errors import StoreError
            store.append([event(Log("before"))])
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            size = os.path.getsize(path + "-wal")
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20_000, size + 20_000))
            try:
                store.append([event(Log("x" * 1000)) for n in range(100)])
            except StoreError as error:
                say(" ".join(str(error).split()))
            store.append([event(Log("small"))])
            """
        )
        assert "is the disk full" not in (said := child.stdout.readline())
        assert "disk" in said
        assert "assetry retry" in said
        assert child.wait() == 0
        assert [each.event.message for each in SQLiteStore(path).events("r1")] == ["before", "small"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
    @pytest.mark.parametrize("closed", [True, False], ids=["closed", "killed"])
    def test_who_may_only_read_can_look(self, start, closed):
        """A store of somebody else, cleanly closed or left behind by a killed process."""
        with tempfile.TemporaryDirectory() as folder:
            # Not in pytest's own folder, which is closed to everybody else.
            Path(folder).chmod(0o755)
            path = Path(folder) / "state.db"
            child = start(RUNNING, path=path)
            assert child.stdout.readline() == "running\n"
            if closed:
                child.stdin.write("\n")
                child.stdin.flush()
            else:
                child.kill()
            child.wait()
            assert path.with_name("state.db-wal").exists() is not closed
            reader = os.fork()
            if not reader:
                os._exit(self.look_as_nobody(path))
            assert os.waitpid(reader, 0)[1] == 0

    def look_as_nobody(self, path):
        try:
            os.setgid(65534)
            os.setuid(65534)
            store = SQLiteStore(path)
            assert [run.id for run in store.runs()] == ["r1"]
            with pytest.raises(StoreError, match="may not be written"):
                store.begin(info("r2"))
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            return 1
        return 0


def test_failed_events_are_not_lost_among_the_kinds(store):
    store.append([record(Failed("a", "broke", hint="mend it", retryable=True))])
    assert next(store.events("r1")).event == Failed("a", "broke", "mend it", True)


def test_the_trace_is_compact(path):
    store = SQLiteStore(path)
    store.append([], [made("a", inputs={AssetKey("b"): "1"})])
    (trace,) = sqlite3.connect(path).execute("SELECT trace FROM materializations").fetchone()
    assert trace == '{"inputs":{"b":"1"}}'
    assert json.loads(trace) == {"inputs": {"b": "1"}}


class TestRemoved:
    """The file, or its folder, is removed while the store has it open."""

    def test_a_run_whose_records_are_gone_cannot_go_on(self, path):
        store = SQLiteStore(path)
        lease = store.begin(info())
        shutil.rmtree(path.parent)
        with pytest.raises(StoreError, match=r"The records of run r1 are gone: .*state.db was removed or replaced"):
            store.append([record(Started("a"))], lease=lease)
        with pytest.raises(StoreError, match="The records of run r1 are gone"):
            store.finish("r1", "succeeded", START, lease=lease)
        store.close()

    def test_so_it_is_when_another_has_made_a_new_file(self, path):
        store = SQLiteStore(path)
        lease = store.begin(info())
        shutil.rmtree(path.parent)
        with contextlib.closing(SQLiteStore(path)) as other:
            other.begin(info("r2"))
            with pytest.raises(StoreError, match="The records of run r1 are gone"):
                store.append([record(Started("a"))], lease=lease)
            assert [run.id for run in other.runs()] == ["r2"]
            assert [run.id for run in store.runs()] == ["r2"]
        store.close()

    def test_a_new_run_begins_a_new_history(self, path):
        store = SQLiteStore(path)
        store.append([], [made("a")])
        shutil.rmtree(path.parent)
        assert store.latest() == {}
        store.begin(info("r2"))
        store.append([record(Started("a"), "r2")])
        store.finish("r2", "succeeded", START)
        assert [run.state for run in store.runs()] == ["succeeded"]
        store.close()
