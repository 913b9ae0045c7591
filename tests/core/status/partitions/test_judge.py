"""The status of partitions against an oracle: any history, judged as brute force does."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.errors import DefinitionError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.strands import Strand
from assetry.status.comparison import MOST_ROOTS
from assetry.status.freshness.read_times import ReadTimes
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.partitions.sets import PartitionSets
from assetry.status.staleness import Judgement, Status, judge, stale_keys
from assetry.status.versions import Versions
from assetry.store.partitions.cache import PartitionCache
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Attempt, Look, Materialization
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.status.partitions.oracle import Happened, Oracle
from tests.judged import statuses

#: How many histories are tried; `make campaign` tries many more.
EXAMPLES = int(os.environ.get("ASSETRY_HISTORIES", "120"))
BERLIN = "Europe/Berlin"
SETS = [each.name for each in fields(PartitionSets)]
#: The night in which the clocks of Berlin go back: that day has 25 hours; and the one in which they go forward.
NIGHTS = {"autumn": "2024-10-26", "spring": "2024-03-30"}
LETTERS = StaticPartitionsDefinition(["a", "b", "c"])
FILES = DynamicPartitionsDefinition("file")


def grids(night: str) -> list[Any]:
    start = NIGHTS[night]
    days = DailyPartitionsDefinition(start, timezone=BERLIN)
    return [
        None,
        HourlyPartitionsDefinition(start, timezone=BERLIN),
        days,
        replace(days, end_offset=1),
        DailyPartitionsDefinition(start, late=timedelta(hours=5)),
        replace(days, lookback=1, end_offset=1),
        WeeklyPartitionsDefinition(start, timezone=BERLIN, end_offset=1),
        LETTERS,
        FILES,
        MultiPartitionsDefinition({"date": days, "letter": StaticPartitionsDefinition(["a", "b"])}),
    ]


@dataclass
class World:
    """Definitions that change, what happened to them, and the records that assetry keeps of that."""

    assets: dict[str, Asset]
    now: datetime
    log: list[Happened] = field(default_factory=list)
    latest: dict[Any, Materialization] = field(default_factory=dict)
    attempts: dict[Any, Attempt] = field(default_factory=dict)
    looks: dict[Any, Look] = field(default_factory=dict)
    #: The partitions that assets had before they were given up.
    given_up: dict[str, Any] = field(default_factory=dict)
    run: int = 0
    #: Whether assets that others are made from change their shape, too.
    wild: bool = False
    #: Whether records say how far their data reaches.
    dated: bool = True
    #: Where records are written as they come, besides.
    store: SQLiteStore | None = None

    @property
    def graph(self) -> AssetGraph:
        return AssetGraph.of(self.assets.values())

    @property
    def oracle(self) -> Oracle:
        return Oracle(self.graph, list(self.log), self.now)

    def tick(self, **time: float) -> None:
        self.now += timedelta(**time or {"minutes": 1})

    def partition(self, key: str, number: int) -> str | None:
        """Return one of the partitions that exist, or may come into being."""
        definition = self.assets[key].partitions_def
        keys = ("x", "y", "z") if definition == FILES else self.oracle.existing(key)
        if not keys:
            raise LookupError
        return keys[number % len(keys)]

    @property
    def judgement(self) -> Judgement:
        return judge(self.graph, self.latest, self.attempts, now=self.now, looks=self.looks)

    def make(self, key: str, partition: str | None, content: str, took: float = 0, refreshed: bool = False) -> None:
        asset, oracle, began = self.assets[key], self.oracle, self.now
        versions = Versions(self.graph, self.latest)
        told, wanted = self._reached(key, partition, content, refreshed) if self.dated else ({}, {})
        self.tick(minutes=1 + took)
        self.run += 1
        read = oracle.reading(key, partition) if asset.executable else {}
        happened = Happened(self.now, key, partition, "materialized", content, asset.code_version, read, began)
        self.log.append(replace(happened, **wanted))
        self.latest[AssetKey(key), partition] = Materialization(
            key=AssetKey(key),
            partition=partition,
            at=self.now,
            run=f"r{self.run}",
            data_version=content,
            code_version=asset.code_version,
            inputs=versions.inputs(asset, partition, began) if asset.executable else {},
            seconds=(self.now - began).total_seconds(),
            **told,
        )
        if self.store is not None:
            self.store.append([], [self.latest[AssetKey(key), partition]])
        self.tried(key, partition, "materialized")

    def _reached(self, key: str, partition: str | None, content: str, refreshed: bool) -> tuple[Any, Any]:
        """Return what a record and the log say of how far data reaches that is made now."""
        asset, oracle = self.assets[key], self.oracle
        times = ReadTimes(self.graph, self.latest, Versions(self.graph, self.latest), self.judgement.data_times)
        told = {"as_of": times.as_of(asset, partition, self.now), "appended": times.appended(asset)}
        wanted = {str(name): (oracle.level(name).at, oracle.epoch(name)) for name in told["appended"]}
        assert told["as_of"] == oracle.read_as_of(key, partition, self.now), key
        assert [each.as_of for each in told["appended"].values()] == [at for at, _ in wanted.values()]
        version = f"{content} of {self.run}"
        refreshed = refreshed and asset.executable
        told["epoch"] = (
            times.epoch(asset, asset.code_version, version, None, anew=refreshed)
            if asset.executable
            else times.seen_epoch(asset, None)
        )
        epoch = oracle.next_epoch(key, partition, refreshed)
        return told, {"as_of": told["as_of"], "appended": wanted, "epoch": epoch}

    def tried(self, key: str, partition: str | None, outcome: str) -> None:
        if outcome != "materialized":
            self.log.append(Happened(self.now, key, partition, outcome))
        self.attempts[AssetKey(key), partition] = Attempt(
            key=AssetKey(key),
            partition=partition,
            run=f"r{self.run}",
            at=self.now,
            outcome=outcome,  # type: ignore[arg-type]
        )
        if self.store is not None:
            self.store.append([], [], [self.attempts[AssetKey(key), partition]])

    def look(self, key: str, minutes: int) -> None:
        """See that an asset is as it was recorded, and that its data reaches to so many minutes ago."""
        made = self.latest.get((AssetKey(key), None))
        if made is not None:
            as_of = self.now - timedelta(minutes=minutes)
            self.log.append(Happened(self.now, key, None, "looked", made.data_version, as_of=as_of))
            look = Look(key=AssetKey(key), at=self.now, data_version=made.data_version, as_of=as_of)
            self.looks[AssetKey(key), None] = look
            if self.store is not None:
                self.store.append([], [], [], [look])

    def change(self, key: str, **given: Any) -> None:
        """Change a definition, unless the graph would not be one any more."""
        before = self.assets[key]
        try:
            self.assets[key] = replace(before, **given)
            _ = self.graph
        except DefinitionError:
            self.assets[key] = before

    def play(self, step: str, which: int, number: int) -> None:
        self.tick()
        key = list(self.assets)[which % len(self.assets)]
        asset = self.assets[key]
        try:
            partition = self.partition(key, number)
        except LookupError:
            partition = "none"
        if step == "later":
            self.tick(hours=number % 40)
        elif partition == "none":
            pass
        elif step == "look":
            self.look(key, number)
        elif step in ("make", "same", "refresh"):
            made = self.latest.get((AssetKey(key), partition))
            same = step == "same" and made is not None
            content = made.data_version if made and same else f"v{len(self.log)}"
            self.make(key, partition, content, number % 3 * 45, refreshed=step == "refresh")
        elif not asset.executable:
            pass
        elif step in ("failed", "cancelled"):
            self.run += 1
            self.tried(key, partition, step)
        elif step == "check":
            if (AssetKey(key), partition) in self.latest:
                self.run += 1
                self.tried(key, partition, "check_failed")
        elif step == "code":
            self.change(key, code_version=f"c{len(self.log)}")
        elif step == "back":
            self.change(key, code_version="1")
        elif step == "start" and hasattr(asset.partitions_def, "start_date"):
            moved = asset.partitions_def.start_date + timedelta(days=1 if number % 2 else -1)
            self.change(key, partitions_def=replace(asset.partitions_def, start_date=moved))
        elif step == "shape":
            self.reshape(key)

    def reshape(self, key: str) -> None:
        """Give the partitions of an asset up that nothing is made from, or take them up again."""
        definition = self.assets[key].partitions_def
        if not self.wild and any(dep.key == key for each in self.assets.values() for dep in each.deps):
            return
        if definition is not None:
            self.given_up[key] = definition
            self.change(key, partitions_def=None)
        elif key in self.given_up:
            self.change(key, partitions_def=self.given_up.pop(key))


policies = st.sampled_from(
    [
        *(None, None, None),
        FreshnessPolicy(maximum_lag=timedelta(hours=2)),
        FreshnessPolicy(maximum_lag=timedelta(hours=20)),
        FreshnessPolicy(maximum_lag=timedelta(hours=1), cron="0 9 * * *"),
    ]
)


@st.composite
def worlds(draw: st.DrawFn, most: int = 7) -> World:
    night = draw(st.sampled_from(sorted(NIGHTS)))
    definitions = grids(night)
    assets: dict[str, Asset] = {}
    for n in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(["table", "table", "table", "kept", "view", "source"]))
        own = None if kind in ("view", "source") else draw(st.sampled_from(definitions))
        asset = Asset(
            key=f"k{n}",
            kind="x",
            code_version=None if kind == "source" else "1",
            partitions_def=own,
            executable=kind != "source",
            computed_on_read=kind == "view",
            kept=kind == "kept",
            grows=draw(st.sampled_from(["replace", "append", "append", "never"])) if own is None else "replace",
            incremental=own is None and kind == "table" and draw(st.booleans()),
            freshness_policy=draw(policies),
        )
        assets[asset.key] = asset
        deps: list[Dep] = []
        above = draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n and kind != "source" else []
        for m in above:
            upstream = assets[f"k{m}"].partitions_def
            words = ["same", "all"]
            if (
                upstream is not None
                and kind != "view"
                and not isinstance(upstream, (DynamicPartitionsDefinition, MultiPartitionsDefinition))
            ):
                words.append("last")
            deps.append(Dep(AssetKey(f"k{m}"), draw(st.sampled_from(words))))
        if hasattr(own, "start_date") and draw(st.integers(0, 3)) == 0:
            deps.append(Dep(asset.key, TimeWindowPartitionMapping(-1, -1)))
        for dep in deps:
            before = assets[asset.key]
            assets[asset.key] = replace(before, deps=(*before.deps, dep))
            try:
                AssetGraph.of(assets.values())
            except DefinitionError:
                assets[asset.key] = before
    start = datetime.fromisoformat(NIGHTS[night]).replace(tzinfo=UTC) + timedelta(hours=draw(st.integers(20, 60)))
    return World(assets, start)


@st.composite
def growing(draw: st.DrawFn) -> World:
    """Return a world in which days and hours are made of what grows, and others of these."""
    night = draw(st.sampled_from(sorted(NIGHTS)))
    timed = [each for each in grids(night) if each is not None and each.typical_length is not None]
    assets: list[Asset] = []

    def add(*deps: Dep, **given: Any) -> None:
        made = Asset(key=f"k{len(assets)}", kind="x", deps=deps, **{"code_version": "1", **given})
        assets.append(made)

    add(executable=draw(st.booleans()), grows="append", incremental=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 2))):
        above = Dep(assets[draw(st.integers(0, len(assets) - 1))].key)
        view, grows = draw(st.booleans()), draw(st.sampled_from(["append", "append", "replace"]))
        add(above, computed_on_read=view, grows=grows, incremental=not view and draw(st.booleans()))
    inputs = len(assets)
    for _ in range(draw(st.integers(1, 2))):
        read = draw(st.lists(st.integers(0, inputs - 1), min_size=1, max_size=2, unique=True))
        words = st.sampled_from(["same", "same", "same", "all"])
        deps = [Dep(assets[number].key, draw(words)) for number in read]
        own = draw(st.sampled_from(timed))
        if hasattr(own, "start_date") and draw(st.integers(0, 3)) == 0:
            deps.append(Dep(AssetKey(f"k{len(assets)}"), TimeWindowPartitionMapping(-1, -1)))
        add(*deps, partitions_def=own)
    for number in range(inputs, len(assets)):
        own = draw(st.sampled_from([None, assets[number].partitions_def]))
        more = draw(st.sampled_from([(), (Dep(assets[0].key),)]))
        add(Dep(assets[number].key), *more, partitions_def=own, freshness_policy=draw(policies))
    start = datetime.fromisoformat(NIGHTS[night]).replace(tzinfo=UTC) + timedelta(hours=draw(st.integers(20, 60)))
    return World({str(each.key): each for each in assets}, start)


STEPS = ["make"] * 6 + [
    "same",
    "failed",
    "cancelled",
    "check",
    "code",
    "back",
    "start",
    "shape",
    "later",
    "look",
    "refresh",
]
steps = st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 200))
histories = st.lists(steps, max_size=40)


def judged(world: World) -> None:
    """Compare what is judged with what brute force says, of every asset and every partition."""
    before, judgement = world.oracle, world.judgement
    oracle = replace(before, demanded=before.demands())
    for status in judgement.statuses:
        key = str(status.key)
        assert (status.freshness is not None) == (before.wanted_since(key) is not None), key
        assert status.freshness is None or status.freshness.state == before.freshness(key), key
        assert status.status == oracle.word(key), key
        assert judgement.data_times[status.key] == before.level(key).at, key
        sets = status.partitions
        if sets is None:
            assert world.assets[key].partitions_def is None
            continue
        found = {name: set(sets.definition.keys_of(sets.sets(name))) for name in oracle.sets(key) if name != "orphan"}
        wanted = oracle.sets(key)
        orphan = {*sets.definition.keys_of(sets.orphan), *sets.unknown}
        assert {**found, "orphan": orphan} == wanted, key
        because: dict[str, set[Any]] = {}
        for reason in status.reasons:
            keys = set(sets.definition.keys_of(reason.parts))
            assert keys <= set(oracle.existing(key)), reason
            if not reason.is_of(status.key):
                because.setdefault(str(reason.asset), set()).update(keys)
        assert sets.waiting <= (sets.stale | sets.missing)
        told = set().union(*(sets.definition.keys_of(reason.parts) for reason in status.reasons))
        assert told >= wanted["stale"] | wanted["missing"] | wanted["failed"], key
        assert not told & wanted["fresh"], key
        roots: dict[str, set[Any]] = {}
        made = wanted["made"] if not world.assets[key].computed_on_read else set()
        for part in made:
            for root in oracle.roots(key, part):
                roots.setdefault(root, set()).add(part)
        # Of what is wrong in itself, it need not be told that the one before is, too.
        itself = {part for part in made if oracle.failed(key, part) or oracle.own(key, part)}
        for each in (roots, because):
            if key in each:
                each[key] -= itself
        roots, because = ({root: parts for root, parts in each.items() if parts} for each in (roots, because))
        views = {name for name, asset in world.assets.items() if asset.computed_on_read}
        if not views & {*roots, *because}:  # new content behind a view is named by what the view shows
            assert because == roots, key


@settings(max_examples=EXAMPLES, deadline=None)
@given(worlds() | growing(), histories)
def test_any_history_is_judged_as_brute_force_does(world: World, history: Any) -> None:
    for step in history:
        world.play(*step)
    judged(world)


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(worlds() | growing(), histories, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_any_history_is_judged_alike_from_a_file_and_what_is_kept_beside_it(
    tmp_path_factory: pytest.TempPathFactory, world: World, history: Any, looks: set[int], losses: set[int]
) -> None:
    """Whenever it is looked at, and whenever what is kept beside the records is lost."""
    folder = tmp_path_factory.mktemp("store")
    world.store, world.wild = SQLiteStore(folder / "state.db"), True
    cache = PartitionCache(folder / "cache" / "partitions.db")
    for number, step in enumerate((*history, ("later", 0, 1))):
        world.play(*step)
        if number in losses:
            shutil.rmtree(folder / "cache", ignore_errors=True)
        if number in looks or number == len(history):
            in_memory = world.judgement.statuses
            parted = [asset.key for asset in world.graph.assets if asset.partitions_def is not None]
            whole = world.store.latest(set(world.graph.keys).difference(parted))
            tried = world.store.attempts(made=False)
            with cache.read(parted, world.store, lambda *_: {}) as recorded:
                found = statuses(
                    *(world.graph, whole, tried), now=world.now, recorded=recorded, looks=world.store.looks()
                )
                assert by_keys(found) == by_keys(in_memory)
    world.store.close()


def by_keys(found: Iterable[Status]) -> list[Any]:
    """Return statuses with partitions by their keys: keys that come into being are numbered as they are met."""
    told: list[Any] = []
    for each in found:
        sets = each.partitions
        if sets is None:
            told.append(each)
            continue
        numbered = {name: parts for name in SETS if isinstance(parts := getattr(sets, name), Parts)}
        told.append(replace(each, reasons=(), partitions=replace(sets, **dict.fromkeys(numbered, NOTHING))))
        told.append({name: set(sets.definition.keys_of(parts)) for name, parts in numbered.items()})
        told.append([(*reason[:3], set(sets.definition.keys_of(reason.parts)), reason.hint) for reason in each.reasons])
    return told


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(worlds(5) | growing(), histories)
def test_making_all_that_is_due_leaves_nothing_due(world: World, history: Any) -> None:
    for step in history:
        world.play(*step)
    found = {each.key: each for each in world.judgement.statuses}
    due = stale_keys(found.values())
    for key in world.graph.keys:
        sets = found[key].partitions
        parts = (None,) if sets is None else sets.definition.keys_of(sets.due)
        for part in parts if key in due else ():
            world.make(str(key), part, f"m{len(world.log)}", took=-1)  # at once: no window ends meanwhile
    assert stale_keys(world.judgement.statuses) == ()


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(worlds(4) | growing(), st.lists(steps, max_size=3))
def test_what_happens_once_all_is_made_is_judged_as_brute_force_does(world: World, history: Any) -> None:
    for key in map(str, world.graph.keys):
        for part in world.oracle.existing(key):
            world.make(key, part, f"m{len(world.log)}", took=-1)
    for step in history:
        world.play(*step)
    judged(world)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(worlds() | growing(), histories)
def test_whatever_changes_its_shape_every_partition_is_in_one_set(world: World, history: Any) -> None:
    world.wild = True
    for step in history:
        world.play(*step)
    for status in world.judgement.statuses:
        sets = status.partitions
        assert all(reason.text for reason in status.reasons)
        if sets is not None:
            apart = [sets.fresh, sets.stale, sets.missing, sets.failed]
            assert sum(map(len, apart)) == len(sets.existing)
            assert apart[0] | apart[1] | apart[2] | apart[3] == sets.existing
            assert sets.fresh | sets.stale <= sets.made


# -- what a reason says ----------------------------------------------------------------------------------------------

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)


def table(key: str, *deps: str, **given: Any) -> Asset:
    return Asset(key=key, kind="x", deps=deps, code_version="1", **given)


def why(world: World, key: str) -> list[str]:
    found = statuses(world.graph, world.latest, world.attempts, now=world.now)
    return [reason.text for each in found if each.key == key for reason in each.reasons]


def made_days() -> World:
    assets = [
        table("events", partitions_def=DAYS),
        table("daily", "events", partitions_def=DAYS),
        table("all", "daily"),
    ]
    world = World({str(each.key): each for each in assets}, NOON)
    for key in ("events", "daily"):
        for day in DAYS.keys(NOON):
            world.make(key, day, f"{key}{day}")
    world.make("all", None, "all")
    return world


def test_a_root_names_only_what_it_reaches_with_the_time_of_what_was_read() -> None:
    world = made_days()
    assert all(why(world, key) == [] for key in world.assets)
    world.tick(hours=1)
    for day in ("2026-01-03", "2026-01-04", "2026-01-05"):
        world.make("events", day, f"again{day}")
    again = world.now
    world.tick(hours=1)
    world.make("events", "2026-01-20", "events2026-01-20")  # the same content, later
    text = f"3 of 31 partitions: `events` was made anew at {again:%Y-%m-%d %H:%M:%S} UTC (2026-01-03..2026-01-05)"
    assert why(world, "daily") == [text]
    world.tried("daily", "2026-01-09", "failed")
    assert why(world, "all")[1] == "`daily` failed: the last attempt failed: partition 2026-01-09"


def test_what_is_missing_reaches_through_what_is_out_of_date_of_the_same_asset() -> None:
    before = Dep(AssetKey("running"), TimeWindowPartitionMapping(-1, -1))
    assets = [
        table("config"),
        table("running", "config", before, partitions_def=DAYS),
        table("report", "running", partitions_def=DAYS),
    ]
    world = World({str(each.key): each for each in assets}, NOON)
    world.make("config", None, "1")
    world.make("running", "2026-01-02", "r")
    world.make("report", "2026-01-03", "x")
    world.make("config", None, "2")
    # The third day of `running` waits for its first, which was never made, and for its second, whose input is new.
    found = {each.key: each for each in statuses(world.graph, world.latest, world.attempts, now=world.now)}
    reasons = {each.asset for each in found[AssetKey("report")].reasons if each.parts & DAYS.parts_of(["2026-01-03"])}
    assert reasons == {"config", "running"}


class Columns:
    """The records of a world as columns, made anew whenever they are asked for; `kept` is how many were, at most."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.kept = 0

    def partitions(self, asset: Asset) -> RecordedPartitions:
        assert asset.partitions_def is not None
        strands = [each for each in gc.get_objects() if isinstance(each, Strand) and len(each)]
        self.kept = max(self.kept, len(strands))
        made = (each for (key, _), each in self.world.latest.items() if key == asset.key)
        return RecordedPartitions.of(asset.partitions_def, made)

    def rows(self, key: AssetKey) -> Any:
        pytest.fail(f"all records of {key} were read")

    def seen(self, *_: Any) -> Any:
        return {}

    def judged(self) -> Any:
        whole = {place: each for place, each in self.world.latest.items() if place[1] is None}
        return statuses(self.world.graph, whole, self.world.attempts, now=self.world.now, recorded=self)


def test_records_are_not_looked_through_for_what_columns_tell() -> None:
    world = made_days()
    for day in DAYS.keys(NOON):
        world.make("events", day, f"new {day}")
    assert Columns(world).judged() == statuses(world.graph, world.latest, world.attempts, now=world.now)


def test_columns_are_kept_until_all_is_judged_that_reads_them_and_no_longer() -> None:
    chain = [table(f"k{n}", *([f"k{n - 1}"] if n else []), partitions_def=DAYS) for n in range(9)]
    view = replace(table("view", "k0"), computed_on_read=True)
    assets = [*chain, view, table("report", "view")]
    world = World({str(each.key): each for each in assets}, NOON)
    for key in map(str, world.graph.keys):
        for day in DAYS.keys(NOON) if world.assets[key].partitions_def else [None]:
            world.make(key, day, f"{key}{day}")
    columns = Columns(world)
    gc.collect()
    assert {each.status for each in columns.judged()} == {"fresh"}
    assert columns.kept <= 3


def test_a_missing_partition_is_told_below_with_a_code_of_its_own() -> None:
    world = made_days()
    del world.latest["events", "2026-01-07"]
    (status,) = (s for s in statuses(world.graph, world.latest, world.attempts, now=NOON) if s.key == "daily")
    (reason,) = status.reasons
    assert (reason.code, reason.asset) == ("missing_partitions", "events")
    assert reason.text == "1 of 31 partitions: `events` has partitions that were never made (2026-01-07)"


def test_partitions_that_are_none_any_more_are_never_out_of_date() -> None:
    world = made_days()
    world.change("daily", partitions_def=replace(DAYS, start_date=datetime(2026, 1, 10)), code_version="2")
    (status,) = (s for s in statuses(world.graph, world.latest, world.attempts, now=NOON) if s.key == "daily")
    assert status.partitions is not None
    assert status.partitions.text("orphan") == "2026-01-01..2026-01-09"
    assert status.partitions.text("stale") == "2026-01-10..2026-01-31"


def test_records_of_another_grid_say_nothing() -> None:
    world = made_days()
    world.change("daily", partitions_def=HourlyPartitionsDefinition("2026-01-01", end_date="2026-01-02"))
    (status,) = (s for s in statuses(world.graph, world.latest, world.attempts, now=NOON) if s.key == "daily")
    assert status.partitions is not None
    assert (status.status, len(status.partitions.missing)) == ("never", 24)
    assert (len(status.partitions.unknown), status.partitions.counts["orphan"]) == (31, 31)


def test_more_roots_than_are_kept_apart_lose_no_partition() -> None:
    count = MOST_ROOTS + 12
    letters = StaticPartitionsDefinition([f"p{n}" for n in range(count)])
    many = [table(f"a{n}", partitions_def=letters) for n in range(count)]
    assets = [*many, table("b", *(each.key for each in many), partitions_def=letters)]
    assets.append(table("c", "b", partitions_def=letters))
    world = World({str(each.key): each for each in assets}, NOON, dated=False)
    for key in world.assets:
        for part in letters.partition_keys:
            world.make(key, part, f"{key}{part}")
    for n in range(count):
        world.tried(f"a{n}", f"p{n}", "failed")
    found = {str(each.key): each for each in statuses(world.graph, world.latest, world.attempts, now=NOON)}
    for key in ("b", "c"):
        sets = found[key].partitions
        assert sets is not None
        assert sets.stale == sets.existing
        assert len(found[key].reasons) == MOST_ROOTS
        assert found[key].reasons[-1].text.endswith("; more above it is out of date")


def test_a_first_failure_of_a_key_that_comes_into_being_is_failed_not_forgotten() -> None:
    world = World({"files": table("files", partitions_def=FILES)}, NOON)
    (status,) = statuses(world.graph, {}, {}, now=NOON)
    assert (status.status, stale_keys([status])) == ("never", ())
    world.tried("files", "x", "failed")
    (status,) = statuses(world.graph, {}, world.attempts, now=NOON)
    assert status.partitions is not None
    assert (status.status, status.partitions.text("failed")) == ("failed", "x")
    assert stale_keys([status]) == ("files",)


def test_strands_that_come_into_being_are_each_assets_own_where_the_definition_is_shared() -> None:
    both = MultiPartitionsDefinition({"day": DAYS, "file": FILES})
    world = World({key: table(key, partitions_def=both) for key in ("a", "b")}, NOON)
    for key, files in (("a", "x"), ("b", "yz")):
        for file in files:
            world.make(key, f"2026-01-01|{file}", file)
    counts = {each.key: each.partitions for each in statuses(world.graph, world.latest, {}, now=NOON)}
    assert [len(counts[AssetKey(key)].existing) for key in ("a", "b")] == [31, 62]  # type: ignore[union-attr]


def test_what_is_seen_as_a_whole_of_a_source_with_partitions_is_news_below() -> None:
    source = replace(table("raw", partitions_def=DAYS), executable=False, code_version=None)
    world = World({"raw": source, "daily": table("daily", "raw", partitions_def=DAYS)}, NOON)
    world.make("raw", None, "v1")
    world.make("daily", "2026-01-02", "x")
    world.tick(hours=1)
    world.make("raw", None, "v2")
    told = [text for text in why(world, "daily") if "raw" in text]
    assert told == [
        f"1 of 31 partitions: `raw` changed outside; seen at {world.now:%Y-%m-%d %H:%M:%S} UTC (2026-01-02)"
    ]


def test_the_newest_partition_is_what_is_overdue() -> None:
    world = made_days()
    world.change("daily", freshness_policy=FreshnessPolicy(timedelta(hours=1)))
    world.tick(hours=9)
    (status,) = (s for s in statuses(world.graph, world.latest, world.attempts, now=world.now) if s.key == "daily")
    assert status.partitions is not None
    assert [reason.code for reason in status.reasons] == ["overdue"]
    assert status.partitions.text("stale") == "2026-01-31"
