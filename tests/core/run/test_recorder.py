"""The recorder: events become attempts, materializations with their traces, and counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.errors import StoreError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.run.recorder import Before, Recorder
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset, Check
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    InvocationFinished,
    InvocationStarted,
    Log,
    Materialized,
    Observed,
    RunStarted,
    Skipped,
    Started,
)
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord, RunInfo

START = datetime(2026, 1, 2, tzinfo=UTC)
GRAPH = AssetGraph.of(
    [
        Asset(key="raw", kind="x", executable=False),
        Asset(key="a", kind="x", deps=["raw"], code_version="c1", code_parts={"sql": "1"}),
        Asset(key="v", kind="x", deps=["a"], computed_on_read=True, code_version="view"),
        Asset(key="b", kind="x", deps=["v", "a"], checks=[Check("both", also=(AssetKey("a"), AssetKey("raw")))]),
    ]
)
Book = tuple[Recorder, SQLiteStore]


@pytest.fixture
def book() -> Iterator[Book]:
    store = SQLiteStore(":memory:")
    store.begin(RunInfo(id="r", state="running", started=START))
    yield Recorder("r", GRAPH, Before(store.latest())), store
    store.close()


def note(recorder: Recorder, *events: Event, invocation: str | None = "1") -> None:
    for second, event in enumerate(events):
        recorder.note(START + timedelta(seconds=second), event, invocation)


def outcome(recorder: Recorder, key: str, partition: str | None = None) -> str:
    return recorder.outcomes[AssetKey(key), partition].outcome


def test_a_materialization_has_the_versions_that_were_read(book: Book) -> None:
    recorder, store = book
    note(recorder, Observed("raw", data_version="7"), Started("a"), Materialized("a", data_version="1"))
    recorder.write(store)
    made = store.latest()[AssetKey("a"), None]
    assert made.inputs == {"raw": "7"}
    assert (made.data_version, made.code_version, made.code_parts) == ("1", "c1", {"sql": "1"})
    assert made.seconds == 1.0
    assert made.run == "r"


def test_what_was_made_from_other_code_than_planned_says_so(book: Book) -> None:
    recorder, store = book
    other = {"sql": "2"}
    note(recorder, Materialized("a", code_version="c2", code_parts=other), Materialized("v", code_version="other"))
    records = recorder.write(store)
    assert records[0].event == Materialized("a", None, "r.1", code_version="c2", code_parts=other)
    made = store.latest()
    assert (made[AssetKey("a"), None].code_version, made[AssetKey("a"), None].code_parts) == ("c2", other)
    assert made[AssetKey("v"), None].code_version == "other"


def test_a_view_hands_on_what_it_reads(book: Book) -> None:
    recorder, store = book
    note(recorder, Materialized("a", data_version="1"), Materialized("v", data_version="x"), Materialized("b"))
    recorder.write(store)
    first = store.latest()[AssetKey("b"), None].inputs
    note(recorder, Materialized("a", data_version="2"), Materialized("b"))
    recorder.write(store)
    second = store.latest()[AssetKey("b"), None].inputs
    assert first["a"] != second["a"]
    assert first["v"] != second["v"], "the view was not made anew, but shows something else"


def test_content_without_a_version_is_new_every_time(book: Book) -> None:
    recorder, store = book
    note(recorder, Materialized("a"), Materialized("b"))
    records = recorder.write(store)
    versions = [record.event.data_version for record in records]  # type: ignore[attr-defined]
    assert len(set(versions)) == 2
    assert all(each.startswith("r.") for each in versions)


def test_what_was_only_seen_is_recorded_when_it_has_a_version(book: Book) -> None:
    recorder, store = book
    note(recorder, Observed("raw"), Log("hello"))
    recorder.write(store)
    assert store.latest() == {}
    note(recorder, Observed("raw", data_version="8"))
    recorder.write(store)
    assert store.latest()[AssetKey("raw"), None].data_version == "8"
    assert recorder.outcomes == {}, "nobody tried to make it"


def reached(store: SQLiteStore, key: str, partition: str | None = None) -> int:
    """Return how many seconds after the start the data of an asset reaches."""
    as_of = store.latest()[AssetKey(key), partition].as_of
    assert as_of is not None
    return int((as_of - START).total_seconds())


def test_data_reaches_to_when_its_making_began_or_as_far_as_its_tool_says(book: Book) -> None:
    recorder, store = book
    keys = tuple(map(AssetKey, ("a", "b")))
    note(recorder, RunStarted(2, 1), InvocationStarted("x", keys), Log("…"), Started("a"), Materialized("a"))
    note(recorder, Log("…"), Log("…"), Materialized("b"))
    recorder.write(store)
    assert (reached(store, "a"), reached(store, "b")) == (3, 1), "b did not say when it began: not before all did"
    told = {"data_time": (START - timedelta(seconds=5)).isoformat()}
    note(recorder, Materialized("a", metadata=told))
    recorder.write(store)
    assert reached(store, "a") == -5


def test_what_is_made_from_others_reaches_as_far_as_these_do(book: Book) -> None:
    recorder, store = book
    told = {"data_time": (START - timedelta(seconds=7)).isoformat()}
    note(recorder, Observed("raw", data_version="1", metadata=told), Started("a"), Materialized("a"), Materialized("b"))
    recorder.write(store)
    assert [reached(store, key) for key in ("raw", "a", "b")] == [-7, -7, -7]
    times = {AssetKey("raw"): START - timedelta(seconds=2), AssetKey("a"): None}
    again = Recorder("r", GRAPH, Before(store.latest(), data_times=times))
    note(again, Started("b"), Materialized("b"), Started("a"), Materialized("a"))
    again.write(store)
    assert [reached(store, key) for key in ("a", "b")] == [-2, 0], "of `a` nothing was known, through its view neither"


def test_what_need_not_be_made_reaches_as_far_as_what_it_would_be_made_from(book: Book) -> None:
    recorder, store = book
    told = {"data_time": (START - timedelta(seconds=7)).isoformat()}
    note(recorder, Observed("raw", data_version="1", metadata=told), Materialized("a"))
    told = {"data_time": (START - timedelta(seconds=1)).isoformat()}
    note(
        recorder, Observed("raw", data_version="2", metadata=told), Skipped("a", "…", unchanged=True), Materialized("b")
    )
    recorder.write(store)
    assert reached(store, "b") == -1


def test_a_look_at_what_is_as_it_was_is_kept_with_what_its_data_reaches(book: Book) -> None:
    recorder, store = book
    told = {"data_time": (START - timedelta(seconds=7)).isoformat()}
    note(recorder, Observed("raw", data_version="1", metadata=told))
    recorder.write(store)
    assert store.looks() == {}
    note(recorder, Log("…"), Observed("raw", data_version="1"), Observed("raw"))
    recorder.write(store)
    look = store.looks()[AssetKey("raw"), None]
    assert (look.at, look.as_of, look.data_version) == (START + timedelta(seconds=1), START + timedelta(seconds=1), "1")
    assert reached(store, "raw") == -7, "that it was seen again makes no record of what was made"


GROWING = AssetGraph.of(
    [
        Asset(key="sync", kind="x", grows="append", incremental=True, code_version="1"),
        Asset(key="rows", kind="x", grows="append", deps=["sync"], code_version="1"),
        Asset(key="day", kind="x", deps=["rows"], partitions_def=DailyPartitionsDefinition("2026-01-01")),
    ]
)


def test_what_grows_begins_an_epoch_when_what_was_there_is_made_anew() -> None:
    store = SQLiteStore(":memory:")
    store.begin(RunInfo(id="r", state="running", started=START))

    def epochs(refreshed: bool = False, **told: Any) -> tuple[Any, ...]:
        recorder = Recorder(
            f"r{len(store.latest())}{len(list(store.events('r')))}", GROWING, Before(store.latest()), refreshed
        )
        store.append([EventRecord(at=START, run="r", event=Log("one more"))])
        note(recorder, Materialized("sync", metadata=told), Materialized("rows"), Materialized("day", "2026-01-01"))
        recorder.write(store)
        made = store.latest()
        rows, read = made[AssetKey("rows"), None], made[AssetKey("day"), "2026-01-01"].appended[AssetKey("rows")]
        assert (read.as_of, read.epoch) == (rows.as_of, rows.epoch)
        return made[AssetKey("sync"), None].epoch, rows.epoch

    first = epochs()
    assert (epochs(), first[0]) == (first, None)
    anew = epochs(refreshed=True)
    assert anew[0] is not None
    assert anew[1] != first[1], "what each run makes as a whole is made anew with what it is made from"
    assert epochs() == anew, "it goes on in the epoch that began then"
    told = epochs(epoch="job 7")
    assert told[0] == "job 7", "a tool may know of it better"
    assert told[1] not in (None, first[1], anew[1])
    store.close()


def test_attempts_follow_the_events(book: Book) -> None:
    recorder, store = book
    note(recorder, Started("a"))
    recorder.write(store)
    assert store.attempts()[AssetKey("a"), None].outcome == "running"
    note(recorder, Failed("a", "no"), Skipped("b", "a failed", AssetKey("a")))
    recorder.write(store)
    attempts = store.attempts()
    assert (attempts[AssetKey("a"), None].outcome, attempts[AssetKey("a"), None].message) == ("failed", "no")
    assert (attempts[AssetKey("b"), None].outcome, attempts[AssetKey("b"), None].because) == ("skipped", "a")
    assert recorder.failed
    assert recorder.counts == {"failed": 1, "skipped": 1}


@pytest.mark.parametrize("first", [True, False])
def test_a_failed_check_is_not_washed_away_by_its_asset(book: Book, first: bool) -> None:
    recorder, _ = book
    check, made = Checked("a", "ok", False, message="2 rows"), Materialized("a")
    note(recorder, *((check, made) if first else (made, check)), Skipped("a", "its check failed"))
    assert outcome(recorder, "a") == "check_failed"
    assert recorder.outcomes[AssetKey("a"), None].message == "check ok failed: 2 rows"
    assert recorder.failed


def test_a_failed_check_stands_on_every_asset_that_is_made_here_and_it_reads(book: Book) -> None:
    recorder, store = book
    note(recorder, Materialized("a"), Materialized("b"), Checked("b", "both", False, message="2 rows"))
    assert outcome(recorder, "a") == outcome(recorder, "b") == "check_failed"
    recorder.write(store)
    attempt = store.attempts()[AssetKey("a"), None]
    assert (attempt.message, attempt.because) == ("check both of b failed: 2 rows", "b")
    assert (AssetKey("raw"), None) not in store.attempts()
    assert recorder.counts["checks_failed"] == 1


def test_a_warning_fails_nothing(book: Book) -> None:
    recorder, _ = book
    note(recorder, Materialized("a"), Checked("a", "soft", False, "warn"), Checked("a", "ok", True))
    assert outcome(recorder, "a") == "materialized"
    assert not recorder.failed
    assert recorder.counts == {"materialized": 1, "checks_warned": 1, "checks_passed": 1}


def test_what_was_taken_back_has_failed(book: Book) -> None:
    recorder, _ = book
    note(recorder, Materialized("a"), Failed("a", "not all of it"))
    assert outcome(recorder, "a") == "failed"
    assert +recorder.counts == {"failed": 1}


@pytest.mark.parametrize(("state", "fails"), [("failed", True), ("cancelled", False)])
def test_a_broken_invocation_fails_the_run_though_all_was_made(book: Book, state: str, fails: bool) -> None:
    recorder, _ = book
    note(recorder, Materialized("a"), InvocationFinished(state, 1.0, "a hook failed"))
    assert (recorder.failed, recorder.problems) == (fails, ["a hook failed"] if fails else [])


class TestPartitions:
    def test_each_has_an_attempt_of_its_own(self, book: Book) -> None:
        recorder, store = book
        note(recorder, Started("a", "p"), Materialized("a", "p"), Started("a", "q"), Failed("a", "no", partition="q"))
        note(recorder, Skipped("b", "a failed", AssetKey("a"), "q"))
        recorder.write(store)
        found = {place: attempt.outcome for place, attempt in store.attempts().items()}
        assert found == {("a", "p"): "materialized", ("a", "q"): "failed", ("b", "q"): "skipped"}
        assert store.latest()[AssetKey("a"), "p"].seconds == 1.0

    @pytest.mark.parametrize(
        ("end", "found"), [(Materialized("a", "p"), "materialized"), (Failed("a", "no", partition="p"), "failed")]
    )
    def test_what_was_started_as_a_whole_is_not_left_running(self, book: Book, end: Event, found: str) -> None:
        recorder, _ = book
        note(recorder, Started("a"), end)
        assert outcome(recorder, "a") == outcome(recorder, "a", "p") == found


class Full:
    """A store that is full for a while."""

    def __init__(self, store: SQLiteStore) -> None:
        self.store = store
        self.full = True

    def append(self, *records: Any, lease: Any = None) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.store.append(*records, lease=lease)


def test_what_could_not_be_written_is_written_the_next_time(book: Book) -> None:
    recorder, store = book
    full: Any = Full(store)
    note(recorder, RunStarted(1, 1), Materialized("a"))
    with pytest.raises(StoreError):
        recorder.write(full)
    full.full = False
    note(recorder, Materialized("b"))
    assert [record.event.name for record in recorder.write(full)] == ["run_started", "materialized", "materialized"]
    assert set(store.latest()) == {("a", None), ("b", None)}
    assert recorder.write(full) == []
    assert len(list(store.events("r"))) == 3


def test_without_started_the_time_counts_from_the_first_line_or_from_an_invocation_of_the_asset_alone(
    book: Book,
) -> None:
    recorder, store = book
    note(recorder, InvocationStarted("x", (AssetKey("a"),)), Log("hello", key=AssetKey("a")), Materialized("a"))
    together = InvocationStarted("x", (AssetKey("b"), AssetKey("v")))
    note(recorder, together, Log("hello", key=AssetKey("b")), Log("more", key=AssetKey("b")), Materialized("b"))
    note(recorder, Materialized("v"))
    recorder.write(store)
    seconds = {key: made.seconds for (key, _), made in store.latest().items()}
    assert seconds == {"a": 2.0, "b": 2.0, "v": None}


def test_a_failed_check_stands_on_the_partition_that_it_looked_at() -> None:
    numbers = StaticPartitionsDefinition(["1", "2"])
    check = Check("both", also=(AssetKey("other"), AssetKey("whole")))
    graph = AssetGraph.of(
        [
            Asset(key="a", kind="x", partitions_def=numbers, checks=[check]),
            Asset(key="other", kind="x", partitions_def=numbers),
            Asset(key="whole", kind="x"),
        ]
    )
    recorder = Recorder("r", graph, Before({}))
    note(recorder, Materialized("a", "1"), Checked("a", "both", False, partition="1"), Materialized("a", "2"))
    assert [outcome(recorder, "a", part) for part in ("1", "2")] == ["check_failed", "materialized"]
    assert [outcome(recorder, "other", "1"), outcome(recorder, "whole")] == ["check_failed", "check_failed"]
    assert (AssetKey("a"), None) not in recorder.outcomes
