"""What cannot be made because what it reads is lost: just that, and it names the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from assetry import (
    AssetContext,
    AssetKey,
    DailyPartitionsDefinition,
    Dep,
    Project,
    TimeWindowPartitionMapping,
    asset,
    asset_check,
    multi_asset,
)
from assetry.python.calls.losses import Losses
from assetry.python.calls.portion import Portion
from assetry.types.assets import Asset, Integration
from assetry.types.events import Skipped
from assetry.types.invocations import Invocation
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")


def day(number: int) -> str:
    return f"2026-01-{number:02}"


def before(key: str, days: int, name: str | None = None) -> Dep:
    return Dep(AssetKey(key), TimeWindowPartitionMapping(-days, -days), name)


class Bench:
    def __init__(self, root: Any) -> None:
        self.root = root
        self.opened: list[Project] = []
        self.calls: list[tuple[int, ...]] = []

    def run(self, *functions: Any, days: list[int]) -> dict[str, tuple[str, str | None, str | None]]:
        """Make days of all; return of each asset and day how it ended, why, and what is at the root."""
        project = Project(functions, io="memory:", store="sqlite::memory:", settings=self.root, executor="threads:2")
        self.opened.append(project)
        result = project.materialize(partition=[day(number) for number in days])
        return {
            f"{key}{int(str(part)[-2:])}": (each.outcome, each.message, each.because)
            for (key, part), each in result.outcomes.items()
        }

    def call(self, context: AssetContext, failing: int = 0) -> dict[str, Any]:
        numbers = tuple(int(part[-2:]) for part in context.partitions)
        self.calls.append(numbers)
        if failing in numbers:
            raise RuntimeError("no")
        value = dict.fromkeys(context.partitions, 1) if context.partition is None else 1
        return {str(key): value for key in context.keys}


@pytest.fixture
def bench(tmp_path: Any) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    for each in found.opened:
        each.close()


def words(outcomes: dict[str, tuple[str, str | None, str | None]], *keys: str) -> list[str]:
    return [outcomes[key][0] for key in keys]


def test_only_what_reads_a_failed_partition_is_skipped_and_names_it(bench: Bench) -> None:
    @multi_asset(assets=["a", {"key": "b", "deps": [before("a", 7)]}], partitions_def=DAYS)
    def both(context: AssetContext) -> dict[str, Any]:
        return bench.call(context, failing=2)

    @asset(partitions_def=DAYS, deps=["b"])
    def below() -> None:
        return None

    found = bench.run(both, below, days=[*range(1, 11), 16, 20])
    assert {key for key, each in found.items() if each[0] == "failed"} == {"a2", "b2"}
    lost = {"below2", *(f"{key}{number}" for key in ("a", "b", "below") for number in (9, 16))}
    assert {key for key, each in found.items() if each[0] == "skipped"} == lost
    assert found["b9"][1:] == ("a [2026-01-02] failed", "a")
    assert found["a16"][1:] == ("a [2026-01-02] failed", "a")
    assert found["below9"][1:] == ("b [2026-01-09] was skipped: a [2026-01-02] failed", "a")
    assert [numbers[0] for numbers in bench.calls] == [*range(1, 9), 10, 20]


def test_what_reads_only_an_asset_that_was_made_goes_on(bench: Bench) -> None:
    @multi_asset(assets=["a", {"key": "b", "deps": [before("a", 1)]}], partitions_def=DAYS)
    def both(context: AssetContext) -> Iterator[tuple[str, int]]:
        yield "a", 1
        if context.partition == day(1):
            raise RuntimeError("no")
        yield "b", 1

    found = bench.run(both, days=[1, 2, 3])
    assert words(found, "a1", "b1", "a2", "b2", "a3", "b3") == ["materialized", "failed", *["materialized"] * 4]


def test_a_gap_stands_between_what_failed_and_what_comes_later(bench: Bench) -> None:
    @multi_asset(assets=["a", {"key": "b", "deps": [before("a", 1)]}], partitions_def=DAYS)
    def both(context: AssetContext) -> dict[str, Any]:
        return bench.call(context, failing=1)

    found = bench.run(both, days=[1, 2, 5, 6])
    assert words(found, "a1", "a2", "b2", "a5", "b5", "b6") == ["failed", "skipped", "skipped", *["materialized"] * 3]


def test_of_a_range_what_reads_nothing_lost_is_still_made(bench: Bench) -> None:
    @asset(partitions_def=DAYS, partitions="range", max_partitions=3, deps=[before("a", 7)])
    def a(context: AssetContext) -> dict[str, Any]:
        made: dict[str, Any] = bench.call(context, failing=2)["a"]
        return made

    found = bench.run(a, days=list(range(1, 16)))
    assert [key for key, each in found.items() if each[0] == "failed"] == ["a1", "a2", "a3"]
    assert [key for key, each in found.items() if each[0] == "skipped"] == ["a8", "a9", "a10", "a15"]
    assert bench.calls == [(1, 2, 3), (4, 5, 6), (7,), (11, 12), (13, 14)]


def test_what_stands_beside_in_a_function_of_some_of_its_assets_is_made(bench: Bench) -> None:
    @multi_asset(
        assets=[{"key": "a", "deps": [before("a", 1)]}, "c"],
        partitions_def=DAYS,
        partitions="range",
        max_partitions=2,
        can_subset=True,
    )
    def both(context: AssetContext) -> Iterator[tuple[str, Any]]:
        for key in context.keys:
            bad = key == "a" and day(1) in context.partitions
            yield key, 1 if bad else dict.fromkeys(context.partitions, 1)

    found = bench.run(both, days=[1, 2, 3, 4])
    assert words(found, "a1", "a2", "a3", "a4") == ["failed", "failed", "skipped", "skipped"]
    assert words(found, "c1", "c2", "c3", "c4") == ["materialized"] * 4
    assert found["a3"][1:] == ("a [2026-01-01..2026-01-02] failed", "a")


def test_a_check_that_failed_holds_back_the_day_after(bench: Bench) -> None:
    @multi_asset(assets=["a", {"key": "b", "deps": [before("a", 1)]}], partitions_def=DAYS)
    def both(context: AssetContext) -> dict[str, Any]:
        return bench.call(context)

    @asset_check(asset="a")
    def good(value: int, context: AssetContext) -> bool:
        return context.partition != day(2)

    found = bench.run(both, good, days=[1, 2, 3, 6])
    assert words(found, "a1", "a2", "b2", "a3", "b3", "a6") == [
        "materialized", "check_failed", "materialized", "skipped", "skipped", "materialized",
    ]  # fmt: skip
    assert found["b3"][1:] == ("check good of a failed", "a")


def test_what_reads_the_day_after_comes_after_it(bench: Bench) -> None:
    @multi_asset(assets=["a", {"key": "b", "deps": [before("a", -1)]}], partitions_def=DAYS)
    def both(context: AssetContext) -> dict[str, Any]:
        return bench.call(context, failing=3)

    found = bench.run(both, days=[1, 2, 3, 4, 8, 9])
    assert bench.calls == [(4,), (3,), (9,), (8,)]
    assert words(found, "a4", "b3", "b2", "a1", "b8") == [
        "materialized",
        "failed",
        "skipped",
        "skipped",
        "materialized",
    ]


# -- against every partition looked at by itself -------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc"), st.integers(1, 4)), max_size=4),
    st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True), min_size=1, max_size=6),
    st.sets(st.tuples(st.sampled_from("abc"), st.integers(1, 12)), max_size=4),
    st.booleans(),
)
@settings(max_examples=examples(150), deadline=None)
def test_what_is_lost_is_what_reads_something_lost(
    links: list[tuple[str, str, int]], portions: list[list[int]], failing: set[tuple[str, int]], subset: bool
) -> None:
    assets = []
    for key in "abc":
        deps = [before(upper, back) for lower, upper, back in links if lower == key and upper <= key]
        spec = {"output": key, "can_subset": subset}
        assets.append(Asset(key=key, kind="python", deps=deps, spec=spec, partitions_def=DAYS))
    tool = Integration("python", "python")
    losses = Losses(Invocation(id="1", group=None, integration=tool, assets=tuple(assets)))
    lost: set[tuple[str, int]] = set()
    seen: set[int] = set()
    for chosen in portions:
        numbers = [number for number in sorted(chosen) if number not in seen]
        seen |= set(numbers)
        before_it = set(lost)
        for number in numbers:
            for key in "abc":
                read = [(upper, number - back) for lower, upper, back in links if lower == key and upper <= key]
                if not lost.isdisjoint(read):
                    lost |= {(each, number) for each in ("abc" if not subset else key)}
        told: dict[tuple[str, int], Skipped] = {}
        made: set[tuple[str, int]] = set()
        pieces = list(losses.apart(Portion(tuple(map(day, numbers)), ranged=True))) if numbers else []
        for piece, keys in pieces:
            made |= {(str(key), int(part[-2:])) for key in keys for part in piece.partitions}
            for event in losses.skipped(piece, keys):
                assert isinstance(event, Skipped)
                first, last = (piece.partitions.index(str(each or event.partition)) for each in (None, event.through))
                told |= {(str(event.key), int(part[-2:])): event for part in piece.partitions[first : last + 1]}
        assert set(told) == lost - before_it
        assert made | set(told) == {(key, number) for key in "abc" for number in numbers}
        assert made.isdisjoint(told)
        for event in told.values():
            assert any(event.because == f"{key} [{day(number)}] failed" for key, number in failing)
        for key, number in sorted(failing & made):
            losses.note(key, day(number), "failed")
            lost.add((key, number))
