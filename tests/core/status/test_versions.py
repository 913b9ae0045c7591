from datetime import UTC, datetime

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, HourlyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.status.partitions.sums import UNKNOWN
from assetry.status.versions import Versions
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization
from hypothesis import given
from hypothesis import strategies as st

PARTS = StaticPartitionsDefinition(["1", "2"])


def table(key, *deps, **given):
    given.setdefault("code_version", "1")
    return Asset(key=key, kind="test", deps=deps, **given)


def view(key, *deps, **given):
    return table(key, *deps, computed_on_read=True, **given)


def record(asset, version, partition=None):
    return Materialization(
        key=asset.key,
        partition=partition,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        run="r1",
        data_version=version,
        code_version=asset.code_version,
    )


def made(graph, **versions):
    return {(AssetKey(key), None): record(graph[key], version) for key, version in versions.items()}


def test_a_part_made_anew_changes_what_only_its_own_consumers_read():
    hours, days = HourlyPartitionsDefinition("2026-01-01"), DailyPartitionsDefinition("2026-01-01")
    before = Dep(AssetKey("total"), TimeWindowPartitionMapping(-1, -1))
    graph = AssetGraph.of(
        [table("events", partitions_def=hours), table("total", "events", before, partitions_def=days)]
    )
    versions = Versions(graph, {})
    for key in hours.keys(datetime(2026, 1, 4)):
        versions.note(graph["events"], key, "1")
    days_read = {day: versions.inputs(graph["total"], day) for day in ("2026-01-01", "2026-01-02")}
    assert days_read["2026-01-01"][AssetKey("total")] == UNKNOWN
    versions.note(graph["events"], "2026-01-02-07:00", "2")
    versions.note(graph["total"], "2026-01-01", "1")
    now_read = {day: versions.inputs(graph["total"], day) for day in days_read}
    assert now_read["2026-01-01"] == days_read["2026-01-01"]
    assert all(now_read["2026-01-02"][key] != days_read["2026-01-02"][key] for key in ("events", "total"))
    # What is no partition any more reads nothing that is known.
    assert versions.inputs(graph["total"], "2025-12-31")[AssetKey("events")] == UNKNOWN


def test_a_part_that_was_never_made_is_not_known_whatever_else_was_made():
    graph = AssetGraph.of([table("up", partitions_def=PARTS), table("down", "up", partitions_def=PARTS)])
    versions = Versions(graph, {})
    versions.note(graph["up"], "1", "v1")
    assert versions.inputs(graph["down"], "1") == {AssetKey("up"): "v1"}
    assert versions.inputs(graph["down"], "2") == {AssetKey("up"): UNKNOWN}


def test_nothing_is_known_of_what_was_never_made():
    graph = AssetGraph.of([table("a"), view("v", "a")])
    assert Versions(graph, {}).of(AssetKey("a")) is None
    assert Versions(graph, made(graph, a="1")).of(AssetKey("v")) is None
    assert Versions(graph, {}).inputs(graph["v"]) == {"a": UNKNOWN}


def test_a_view_changes_with_its_code_and_with_what_it_reads_and_with_nothing_else():
    graph = AssetGraph.of([table("a"), view("v", "a"), view("w", "v")])
    other = AssetGraph.of([table("a"), view("v", "a", code_version="2"), view("w", "v")])
    w = AssetKey("w")
    before = Versions(graph, made(graph, a="1", v="x", w="y")).of(w)
    assert Versions(graph, made(graph, a="1", v="new", w="new")).of(w) == before
    assert Versions(graph, made(graph, a="2", v="x", w="y")).of(w) != before
    assert Versions(other, made(other, a="1", v="x", w="y")).of(w) != before
    # What counts is the code that it was made with, not what the definition says by now.
    assert Versions(other, made(graph, a="1", v="x", w="y")).of(w) == before


def test_a_partition_reads_the_same_partition_and_all_else_as_a_whole():
    graph = AssetGraph.of(
        [
            table("u", partitions_def=PARTS),
            table("plain"),
            table("d", "u", "plain", partitions_def=PARTS),
            table("last", Dep(AssetKey("u"), "all"), partitions_def=PARTS),
        ]
    )
    latest = {(AssetKey("u"), part): record(graph["u"], f"u{part}", part) for part in ("1", "2")}
    versions = Versions(graph, {**latest, **made(graph, plain="p")})
    whole = versions.of(AssetKey("u"))
    assert versions.inputs(graph["d"], "1") == {"u": "u1", "plain": "p"}
    assert versions.inputs(graph["d"]) == {"u": whole, "plain": "p"}
    assert versions.inputs(graph["last"], "1") == {"u": whole}
    assert versions.inputs(graph["d"], "3")["u"] == UNKNOWN
    versions.note(graph["u"], "1", "new")
    assert versions.of(AssetKey("u")) != whole


def test_records_from_when_it_had_partitions_do_not_speak_for_it():
    graph = AssetGraph.of([table("a")])
    latest = {(AssetKey("a"), "1"): record(graph["a"], "old", "1"), **made(graph, a="now")}
    assert Versions(graph, latest).of(AssetKey("a")) == "now"


def test_a_long_chain_of_views():
    views = [view(f"v{n}", f"v{n - 1}" if n else "t") for n in range(3000)]
    graph = AssetGraph.of([table("t"), *views])
    versions = Versions(graph, {})
    for asset in graph.assets:
        versions.note(asset, None, "1")
    before = versions.of(AssetKey("v2999"))
    versions.note(graph["t"], None, "2")
    assert versions.of(AssetKey("v2999")) != before


@st.composite
def graphs(draw):
    assets = []
    for n in range(draw(st.integers(1, 8))):
        deps = draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else []
        make = draw(st.sampled_from([table, view]))
        parts = PARTS if make is table and draw(st.booleans()) else None
        assets.append(make(f"k{n}", *(f"k{m}" for m in deps), partitions_def=parts))
    return AssetGraph.of(assets)


@given(
    graphs(),
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["1", "2"]), st.integers(0, 3), st.integers(0, 7))),
)
def test_what_a_run_learns_is_what_the_next_one_finds(graph, history):
    """However it is asked in between, so that nothing that was put together once is kept for too long."""
    learning, latest = Versions(graph, {}), {}
    for number, part, version, asked in history:
        asset = graph.assets[number % len(graph)]
        partition = part if asset.partitions_def else None
        learning.note(asset, partition, str(version))
        latest[asset.key, partition] = record(asset, str(version), partition)
        key = graph.keys[asked % len(graph)]
        assert learning.of(key) == Versions(graph, latest).of(key)
    found = Versions(graph, latest)
    for asset in graph.assets:
        for partition in (None, "1", "2"):
            assert learning.of(asset.key, partition) == found.of(asset.key, partition)
            assert learning.inputs(asset, partition) == found.inputs(asset, partition)
