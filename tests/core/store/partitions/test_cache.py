"""The file beside the records: whatever becomes of it, what it says is what the records say."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry.partitions.definitions import DynamicPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.recorded import with_known
from assetry.run.partition_keys import PartitionKeys
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.store.partitions.cache import CachedPartitions, PartitionCache
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset, Column
from assetry.types.keys import AssetKey
from assetry.types.records import Acceptance, Accepted, Materialization, RunInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

START = datetime(2026, 1, 10, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
FILES = DynamicPartitionsDefinition("file")
ASSETS = {
    "days": Asset(key="days", kind="x", partitions_def=DAYS),
    "files": Asset(key="files", kind="x", partitions_def=FILES),
    "both": Asset(key="both", kind="x", partitions_def=MultiPartitionsDefinition({"day": DAYS, "file": FILES})),
}
KEYS = {
    "days": ["2026-01-02", "2026-01-03", "no day", None],
    "files": ["a", "b"],
    "both": ["2026-01-02|a", "2026-01-03|b"],
}


class World:
    """A store, its cache, and what both are compared with."""

    def __init__(self, folder: Path, name: str = "state.db") -> None:
        self.store = SQLiteStore(folder / name)
        self.path = folder / ".assetry" / "cache" / "partitions.db"
        self.asked: list[AssetKey] = []
        self.at = START
        self.store.begin(RunInfo(id=f"run-{name}", state="running", started=START))
        self.run = f"run-{name}"

    def make(self, asset: str, partition: str | None, version: str = "1", **given: Any) -> None:
        self.at += timedelta(minutes=given.pop("minutes", 1))
        made = Materialization(
            key=ASSETS[asset].key, partition=partition, at=self.at, run=self.run, data_version=version, **given
        )
        self.store.append([], [made])

    def read(self, *names: str) -> dict[str, RecordedPartitions]:
        names = names or tuple(ASSETS)
        keys = [ASSETS[name].key for name in names]
        with PartitionCache(self.path).read(keys, self.store, lambda *_: {}) as cached:
            counting = cached.rows

            def rows(key: AssetKey) -> Any:
                self.asked.append(key)
                return counting(key)

            cached.rows = rows  # type: ignore[method-assign]
            return {name: cached.partitions(ASSETS[name]) for name in names}

    def accept(self, asset: str, number: int) -> None:
        """Let a record count as another one, if there is any."""
        made = list(self.store.latest([ASSETS[asset].key]).values())[number : number + 1]
        for each in made:
            accepted = Accepted(each.code_version, each.columns and (Column("other"),))
            after = replace(each, code_version="2", inputs={AssetKey("up"): "w"}, accepted=accepted)
            self.store.accept([Acceptance(at=START, by="ana", why="x", before=each, after=after)])

    def change(self, asset: str, *, add: list[str], drop: list[str]) -> None:
        """Add and drop keys, as somebody does who knows what there is."""
        keys = PartitionKeys(self.store)
        keys.add(ASSETS[asset], add)
        keys.drop(ASSETS[asset], [key for key in drop if keys.table(ASSETS[asset]).number(key) is not None])

    def check(self, *names: str) -> None:
        for name, found in self.read(*names).items():
            definition = ASSETS[name].partitions_def
            assert definition is not None
            table = self.store.partition_keys().get(ASSETS[name].key)
            all_records = RecordedPartitions.of(
                with_known(definition, table), self.store.latest([ASSETS[name].key]).values()
            )
            assert facts(found) == facts(all_records)


def facts(recorded: RecordedPartitions) -> Any:
    cells = {
        recorded.definition.key(number, strand): (trace, recorded.strand(strand).cell(number)[:1])
        for trace, strand, first, stop in recorded.spans()
        for number in range(first, stop)
    }
    early = {recorded.definition.key(n, strand): at for (strand, n), at in recorded.early.items()}
    there = set(recorded.definition.keys_of(recorded.definition.existing(START)))
    return (
        cells,
        early,
        there,
        recorded.last,
        recorded.whole,
        recorded.version,
        dict(recorded.unknown),
        recorded.reached,
    )


@given(data=st.data())
@settings(max_examples=examples(40), deadline=None)
def test_it_says_what_the_records_say_whatever_happens(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    world = World(tmp_path_factory.mktemp("cache"))
    for step in data.draw(
        st.lists(
            st.sampled_from(["make", "make", "make", "read", "some", "lose", "spoil", "change", "accept", "forget"])
        )
    ):
        if step == "make":
            name = data.draw(st.sampled_from(list(ASSETS)))
            world.make(
                name,
                data.draw(st.sampled_from(KEYS[name])),
                data.draw(st.sampled_from("12")),
                minutes=data.draw(st.sampled_from([1, 1, -5])),
                code_version=data.draw(st.sampled_from([None, "1"])),
                columns=data.draw(st.sampled_from([None, (Column("id", "int", tags=("pii",)),)])),
                inputs=data.draw(st.sampled_from([{}, {AssetKey("up"): "v"}])),
                metadata=data.draw(st.sampled_from([{}, {"io": "project"}])),
            )
        elif step == "accept":
            world.accept(data.draw(st.sampled_from(list(ASSETS))), data.draw(st.integers(0, 3)))
        elif step == "forget":
            name = data.draw(st.sampled_from(list(ASSETS)))
            some = data.draw(st.sampled_from([None, KEYS[name][:1], KEYS[name]]))
            world.store.forget(ASSETS[name].key, some)
        elif step == "read":
            world.check()
        elif step == "some":  # another target may have other assets
            world.check(data.draw(st.sampled_from(list(ASSETS))))
        elif step == "change":
            name = data.draw(st.sampled_from(["files", "both"]))
            given = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=2)
            world.change(name, add=data.draw(given), drop=data.draw(given))
        elif step == "lose":
            for path in world.path.parent.glob("*"):
                path.unlink()
        elif world.path.exists():
            for path in world.path.parent.glob("*"):
                path.write_bytes(b"spoiled")
    world.check()
    world.store.close()


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    for day in ("2026-01-02", "2026-01-03"):
        world.make("days", day)
    world.check()
    world.asked.clear()  # at first all is read, asset by asset
    world.make("days", "2026-01-04")
    world.make("files", "a")
    world.check()
    world.check()
    assert world.asked == []


def test_another_definition_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)
    world.make("days", "2026-01-02")
    world.check()
    world.asked.clear()
    other = DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin", late=timedelta(days=30))
    monkeypatch.setitem(ASSETS, "days", Asset(key="days", kind="x", partitions_def=other))
    world.check()
    assert world.asked == ["days"]
    assert world.read("days")["days"].early


def test_a_store_that_was_replaced_is_another_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.make("days", "2026-01-02", "1")
    world.check()
    other = World(tmp_path, "other.db")
    other.make("days", "2026-01-05", "2")
    other.check()
    world.check()


def test_what_two_commands_write_at_once_is_right(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.make("days", "2026-01-02")
    world.check()
    keys = [ASSETS["days"].key]
    world.make("days", "2026-01-03")
    with PartitionCache(world.path).read(keys, world.store, lambda *_: {}) as slow:
        slow.partitions(ASSETS["days"])
        world.make("days", "2026-01-04")
        world.check("days")  # it writes down more than the slow one knows
    world.check("days")


def test_a_file_that_another_command_writes_is_not_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.make("days", "2026-01-02")
    world.check()
    world.make("days", "2026-01-03")
    with sqlite3.connect(world.path, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        world.check()
        db.execute("ROLLBACK")
    db.close()
    world.check()


@pytest.mark.parametrize("first", [1, 3])
def test_what_is_damaged_behind_its_head_is_made_again_once(tmp_path: Path, first: int) -> None:
    world = World(tmp_path)
    for day in ("2026-01-02", "2026-01-03"):
        world.make("days", day)
    world.check()
    with sqlite3.connect(world.path) as db:
        db.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
        (size,) = db.execute("PRAGMA page_size").fetchone()
    db.close()
    data = world.path.read_bytes()
    world.path.write_bytes(data[: first * size] + b"\xff" * (len(data) - first * size))
    world.check()
    world.check()
    world.asked.clear()
    world.check()
    assert world.asked == []


def test_without_a_file_the_records_are_read() -> None:
    store = SQLiteStore(":memory:")
    with PartitionCache(None).read([ASSETS["days"].key], store, lambda *_: {}) as cached:
        assert isinstance(cached, CachedPartitions)
        assert not cached.partitions(ASSETS["days"]).made


def test_what_is_added_and_dropped_takes_no_reading_of_all_records(tmp_path: Path) -> None:
    world = World(tmp_path)
    for key in ("a", "b"):
        world.make("files", key)
    world.check()
    world.asked.clear()
    world.change("files", add=["c"], drop=["a"])
    world.make("files", "d")
    world.check()
    definition = world.read("files")["files"].definition
    assert [definition.key(number) for number in range(4)] == ["a", "b", "c", "d"]
    assert definition.keys_of(definition.existing(START)) == ("b", "c", "d")
    assert world.asked == []
