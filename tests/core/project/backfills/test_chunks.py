"""What comes next of a long list of work: whole pieces, from one end, of the right size, and in the end all of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.project.backfills.chunks import MOST, ChunkRequest, next_chunk
from assetry.types.assets import Asset, Dep
from assetry.types.keys import AssetKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-05", end_date="2026-02-02")
HOURS = HourlyPartitionsDefinition("2026-01-05-00:00", end_date="2026-01-12-00:00")
WEEKS = WeeklyPartitionsDefinition("2026-01-05", end_date="2026-02-02")
KEYS = StaticPartitionsDefinition([f"k{n}" for n in range(7)])
Wants = dict[AssetKey, Parts | None]


def asset(key: str, *deps: str | Dep, days: object = DAYS) -> Asset:
    return Asset(key=key, kind="x", deps=deps, partitions_def=days)  # type: ignore[arg-type]


def all_of(graph: AssetGraph) -> Wants:
    return {each.key: each.partitions_def.existing(NOW) if each.partitions_def else None for each in graph}


def chunk(graph: AssetGraph, left: Wants, off: Wants | None = None, **more: object) -> dict[str, list[str]]:
    found = next_chunk(graph, left, off or {}, Numbering(graph, {}, NOW), ChunkRequest(**more))  # type: ignore[arg-type]
    return {
        str(key): ["whole"] if parts is None else list(graph[key].partitions_def.keys_of(parts))  # type: ignore[union-attr]
        for key, parts in found.items()
    }


def seconds(graph: AssetGraph, each: float) -> dict[AssetKey, float]:
    return dict.fromkeys(graph.keys, each)


CHAIN = AssetGraph.of([asset("a"), asset("b", "a"), asset("c", "b")])


def test_as_long_as_nothing_is_known_it_is_the_least_that_there_is() -> None:
    assert chunk(CHAIN, all_of(CHAIN)) == {key: ["2026-01-05"] for key in "abc"}


def test_it_goes_through_all_assets_before_it_goes_on_in_time() -> None:
    found = chunk(CHAIN, all_of(CHAIN), seconds=seconds(CHAIN, 50))
    assert found == {key: ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"] for key in "abc"}


def test_several_slots_make_it_larger() -> None:
    found = chunk(CHAIN, all_of(CHAIN), seconds=seconds(CHAIN, 50), slots=3)
    assert {key: len(days) for key, days in found.items()} == dict.fromkeys("abc", 12)


def test_what_takes_longer_than_a_chunk_is_made_all_the_same() -> None:
    assert chunk(CHAIN, all_of(CHAIN), seconds=seconds(CHAIN, 5000)) == {key: ["2026-01-05"] for key in "abc"}


def test_the_newest_first() -> None:
    found = chunk(CHAIN, all_of(CHAIN), seconds=seconds(CHAIN, 100), newest_first=True)
    assert found == {key: ["2026-01-31", "2026-02-01"] for key in "abc"}


def test_at_most_so_many_partitions_of_an_asset() -> None:
    assert {
        key: len(days) for key, days in chunk(CHAIN, all_of(CHAIN), seconds=seconds(CHAIN, 0.01), most=5).items()
    } == (dict.fromkeys("abc", 5))


def test_what_is_made_from_something_that_cannot_be_made_waits_with_it() -> None:
    day = DAYS.parts_of(["2026-01-05"])
    found = chunk(CHAIN, all_of(CHAIN), {AssetKey("b"): day}, seconds=seconds(CHAIN, 60))
    assert found["a"][0] == "2026-01-05"
    assert found["b"][0] == found["c"][0] == "2026-01-06"
    everything = {AssetKey(key): DAYS.existing(NOW) for key in "abc"}
    assert chunk(CHAIN, all_of(CHAIN), everything) == {}


def test_what_is_known_of_some_is_taken_for_the_others() -> None:
    found = chunk(CHAIN, all_of(CHAIN), seconds={AssetKey("a"): 100.0})
    assert {key: len(days) for key, days in found.items()} == dict.fromkeys("abc", 2)


def test_days_of_hours_and_what_is_made_of_all() -> None:
    graph = AssetGraph.of(
        [asset("h", days=HOURS), asset("d", "h"), asset("w", "d", days=WEEKS), asset("sum", "w", days=None)]
    )
    left = {**all_of(graph), AssetKey("d"): DAYS.existing(NOW).first(7), AssetKey("w"): WEEKS.existing(NOW).first(1)}
    found = chunk(graph, left, seconds=seconds(graph, 5))
    assert found["d"] == ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"]
    assert 4 * 24 <= len(found["h"]) < 5 * 24
    assert "w" not in found
    assert "sum" not in found
    last = chunk(graph, left, seconds=seconds(graph, 1))
    assert {key: len(parts) for key, parts in last.items()} == {"h": 168, "d": 7, "w": 1, "sum": 1}


def test_keys_without_time_are_taken_some_at_a_time() -> None:
    graph = AssetGraph.of([asset("a", days=KEYS), asset("b", "a", days=KEYS), asset("sum", "b", days=None)])
    assert chunk(graph, all_of(graph)) == {"a": ["k0"], "b": ["k0"]}
    assert chunk(graph, all_of(graph), seconds=seconds(graph, 100)) == {"a": ["k0", "k1"], "b": ["k0", "k1"]}
    assert len(chunk(graph, all_of(graph), seconds=seconds(graph, 1))) == 3


def test_one_that_reads_its_own_past_is_made_in_order() -> None:
    graph = AssetGraph.of([asset("a"), asset("b", "a", Dep(AssetKey("b"), TimeWindowPartitionMapping(-1, -1)))])
    left = all_of(graph)
    first = DAYS.parts_of(["2026-01-05"])
    found = chunk(graph, left, {AssetKey("b"): first}, seconds=seconds(graph, 60))
    assert "b" not in found, "the second day is made from the first"
    assert chunk(graph, left, seconds=seconds(graph, 100))["b"] == ["2026-01-05", "2026-01-06", "2026-01-07"]


def test_a_chunk_has_an_end_however_quick_everything_is() -> None:
    minutes = HourlyPartitionsDefinition("2020-01-01-00:00", end_date="2026-01-01-00:00")
    graph = AssetGraph.of([asset("h", days=minutes)])
    left: Wants = {AssetKey("h"): minutes.existing(NOW)}
    found = next_chunk(graph, left, {}, Numbering(graph, {}, NOW), ChunkRequest(seconds={AssetKey("h"): 1e-6}))
    assert MOST - 24 < len(found[AssetKey("h")] or ()) <= MOST


def test_nothing_left_is_nothing() -> None:
    assert chunk(CHAIN, {}) == {}


@st.composite
def works(draw: st.DrawFn) -> tuple[AssetGraph, Wants, Wants, dict[str, object]]:
    assets: list[Asset] = []
    for n in range(draw(st.integers(1, 5))):
        grid = draw(st.sampled_from([None, DAYS, WEEKS, KEYS]))
        above = draw(st.lists(st.sampled_from(assets), max_size=2, unique_by=lambda each: each.key)) if assets else []
        deps = [Dep(each.key, "all" if (each.partitions_def is KEYS) != (grid is KEYS) else "same") for each in above]
        if grid is DAYS and draw(st.booleans()):
            deps.append(Dep(AssetKey(f"a{n}"), TimeWindowPartitionMapping(-1, -1)))
        assets.append(asset(f"a{n}", *deps, days=grid))
    graph = AssetGraph.of(assets)
    left = {
        each.key: None if each.partitions_def is None else _some(draw, each.partitions_def.existing(NOW))
        for each in draw(st.lists(st.sampled_from(assets), min_size=1, unique_by=lambda each: each.key))
    }
    left = {key: parts for key, parts in left.items() if parts is None or parts}
    off = {
        key: parts if parts is None else _some(draw, parts)
        for key, parts in left.items()
        if draw(st.integers(0, 3)) == 0
    }
    off = {key: parts for key, parts in off.items() if parts is None or parts}
    how: dict[str, object] = {
        "seconds": {key: draw(st.sampled_from([0.5, 40.0, 900.0])) for key in left if draw(st.booleans())},
        "newest_first": draw(st.booleans()),
        "most": draw(st.sampled_from([None, 1, 3])),
        "slots": draw(st.integers(1, 4)),
    }
    return graph, left, off, how


def _some(draw: st.DrawFn, parts: Parts) -> Parts:
    return Parts.at(draw(st.lists(st.sampled_from(list(parts)), min_size=1, unique=True)))


def places(wants: Iterable[tuple[AssetKey, Parts | None]]) -> set[tuple[AssetKey, tuple[str, int]]]:
    return {(key, part) for key, parts in wants for part in (parts or WHOLE)}


@settings(max_examples=examples(30))
@given(works())
def test_one_after_the_other_they_make_all_that_can_be_made_each_once_and_inputs_first(
    work: tuple[AssetGraph, Wants, Wants, dict[str, object]],
) -> None:
    graph, left, off, how = work
    numbering = Numbering(graph, {}, NOW)
    wanted, gone = places(left.items()), places(off.items())
    made: set[tuple[AssetKey, tuple[str, int]]] = set()
    for _ in range(len(wanted) + 1):
        rest: Wants = {}
        for key, parts in left.items():
            open_ = (parts or WHOLE) - Parts.at(part for each, part in made if each == key)
            if open_:
                rest[key] = None if parts is None else open_
        found = next_chunk(graph, rest, {k: p for k, p in off.items() if k in rest}, numbering, ChunkRequest(**how))  # type: ignore[arg-type]
        if not found:
            break
        now = places(found.items())
        assert not now & made
        assert now <= wanted - gone
        for key, part in now:
            for dep in graph[key].deps:
                linked = numbering.links(key, dep.key)
                read = numbering.up(key, dep.key, Parts.at([part])) if linked else WHOLE
                assert all((dep.key, each) in made | now or (dep.key, each) not in wanted for each in read)
        made |= now
    blocked, grows = set(gone), True
    while grows:
        grows = False
        for key, part in wanted - blocked:
            for dep in graph[key].deps:
                linked = numbering.links(key, dep.key)
                read = numbering.up(key, dep.key, Parts.at([part])) if linked else WHOLE
                if any((dep.key, each) in blocked for each in read):
                    blocked.add((key, part))
                    grows = True
                    break
    assert made == wanted - blocked


@pytest.mark.parametrize("newest", [False, True])
def test_a_day_that_the_clocks_change_is_no_trouble(newest: bool) -> None:
    days = DailyPartitionsDefinition("2024-10-20", timezone="Europe/Berlin", end_date="2024-11-03")
    graph = AssetGraph.of([asset("a", days=days)])
    left: Wants = {AssetKey("a"): days.existing(NOW)}
    made = NOTHING
    while left:
        found = next_chunk(
            graph,
            left,
            {},
            Numbering(graph, {}, NOW),
            ChunkRequest(seconds={AssetKey("a"): 250.0}, newest_first=newest),
        )
        parts = found[AssetKey("a")]
        assert parts is not None
        assert len(parts) == 2
        made |= parts
        rest = days.existing(NOW) - made
        left = {AssetKey("a"): rest} if rest else {}
    assert made == days.existing(NOW)
