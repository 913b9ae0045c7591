"""How a backfill stands, as it is told of what was made and tried."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering
from assetry.status.backfill import BackfillAsset, Standing, size
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Materialization, Outcome
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")
GRAPH = AssetGraph.of(
    Asset(key=key, kind="x", deps=deps, partitions_def=days)
    for key, deps, days in (("a", [], DAYS), ("b", ["a"], DAYS), ("c", ["b"], None))
)
A, B, C = map(AssetKey, "abc")
ALL = DAYS.existing(NOW)


def standing(retries: int = 0, **wants: Parts | None) -> Standing:
    found = {AssetKey(key): parts for key, parts in wants.items()} or {A: ALL, B: ALL, C: None}
    return Standing(found, Numbering(GRAPH, {}, NOW), retries)


def day(*numbers: int) -> list[str]:
    return [f"2026-01-0{number}" for number in numbers]


def made(key: AssetKey, *numbers: int, run: str = "r") -> list[Materialization]:
    names: list[str | None] = [*day(*numbers)] or [None]
    return [Materialization(key=key, partition=each, at=NOW, run=run, data_version="1") for each in names]


def attempt(
    key: AssetKey,
    number: int | None,
    outcome: Outcome,
    message: str | None = None,
    because: AssetKey | None = None,
) -> Attempt:
    name = None if number is None else day(number)[0]
    return Attempt(key=key, partition=name, run="r", at=NOW, outcome=outcome, message=message, because=because)


def left(of: Standing) -> dict[str, list[str] | None]:
    return {str(key): None if parts is None else list(DAYS.keys_of(parts)) for key, parts in of.left.items()}


def counts(of: Standing) -> tuple[int, ...]:
    told = of.told(GRAPH)
    return tuple(told[each] for each in ("wanted", "done", "failed", "blocked", "left"))


def test_at_first_all_of_it_is_left() -> None:
    of = standing()
    assert left(of) == {"a": day(1, 2, 3, 4), "b": day(1, 2, 3, 4), "c": None}
    assert counts(of) == (9, 0, 0, 0, 9)


def test_what_was_made_by_any_run_is_done() -> None:
    of = standing()
    of.made([*made(A, 1, 2), *made(A, 2, run="other"), *made(C)])
    assert left(of) == {"a": day(3, 4), "b": day(1, 2, 3, 4)}
    assert of.assets() == (
        BackfillAsset(key=A, wanted=4, done=2, left=2),
        BackfillAsset(key=B, wanted=4, left=4),
        BackfillAsset(key=C, wanted=1, done=1),
    )


def test_what_is_not_wanted_does_not_count() -> None:
    of = standing(a=DAYS.parts_of(day(1)))
    of.made([*made(A, 1, 2), *made(B, 1), *made(C)])
    assert counts(of) == (1, 1, 0, 0, 0)


def test_what_is_made_as_a_whole_counts_for_all_partitions() -> None:
    of = standing(a=DAYS.parts_of(day(1, 3)))
    of.made(made(A))
    assert of.left == {}


def test_what_need_not_be_made_is_done() -> None:
    of = standing()
    of.tried("r", [attempt(A, 1, "unchanged")])
    assert left(of)["a"] == day(2, 3, 4)


def test_a_failure_keeps_back_only_what_is_made_from_it() -> None:
    of = standing()
    of.tried("r", [attempt(A, 2, "failed", "no data\nof that day")])
    assert counts(of) == (9, 0, 1, 2, 6), "b of that day waits for it, and c, which reads all days"
    assert of.sentences() == ("a [2026-01-02]: no data",)


def test_a_failure_counts_once_it_has_failed_more_often_than_it_is_tried_again() -> None:
    of = standing(retries=2)
    for failures in range(3):
        assert of.failures == 0, f"after {failures} tries"
        of.tried(f"r{failures}", [attempt(A, 1, "failed", "no")])
    assert of.failures == 1


def test_what_has_failed_and_was_made_later_is_done() -> None:
    of = standing()
    of.tried("r", [attempt(A, 1, "failed", "no")])
    of.made(made(A, 1, run="other"))
    assert counts(of)[:4] == (9, 1, 0, 0)
    assert of.sentences() == ()


def test_what_was_left_out_because_of_a_failure_of_its_run_is_no_failure() -> None:
    of = standing()
    of.tried("r", [attempt(A, 1, "failed", "no"), attempt(B, 1, "skipped", "`a` failed", A)])
    assert (of.failures, counts(of)[3]) == (1, 2)


def test_what_was_left_out_for_any_other_reason_has_failed_itself() -> None:
    # Otherwise it would be tried again for ever.
    of = standing()
    of.tried("r", [attempt(B, 1, "skipped", "`a` was never made", A)])
    assert of.sentences() == ("b [2026-01-01]: `a` was never made",)


def test_a_check_that_fails_takes_back_what_that_run_has_made_and_nothing_else() -> None:
    of = standing(a=ALL)
    of.tried("r", [attempt(A, 1, "check_failed", "too few rows"), attempt(A, 2, "materialized")])
    of.made([*made(A, 1), *made(A, 3)])
    assert left(of) == {"a": day(1, 4)}
    assert of.sentences() == ("a [2026-01-01]: too few rows",)
    of.made(made(A, 1, run="other"))
    assert left(of) == {"a": day(4)}, "made by another run, it holds"


def test_a_check_of_a_whole_asset_says_something_of_what_its_run_has_made_alone() -> None:
    of = standing(a=ALL)
    of.made(made(A, 4, run="other"))
    of.tried("r", [attempt(A, 1, "materialized"), attempt(A, None, "check_failed", "not unique")])
    of.made(made(A, 1))
    assert left(of) == {"a": day(1, 2, 3)}
    assert of.sentences() == ("a [2026-01-01]: not unique",)


def test_one_without_partitions_that_fails_is_one_failure() -> None:
    of = standing(c=None)
    of.tried("r", [attempt(C, None, "failed", "no")])
    assert counts(of) == (1, 0, 1, 0, 0)
    assert of.sentences() == ("c: no",)


def test_of_what_a_run_says_nothing_it_was_a_try() -> None:
    of = standing()
    of.nothing_said({A: DAYS.parts_of(day(1, 2)), C: None}, "run r did not say")
    assert of.failures == 3
    assert of.sentences(2) == ("a [2026-01-01]: run r did not say", "a [2026-01-02]: run r did not say")


def test_size_counts_one_without_partitions_as_one() -> None:
    assert size({A: ALL, C: None}) == 5


OUTCOMES: tuple[Outcome, ...] = ("materialized", "unchanged", "failed", "check_failed", "skipped", "cancelled")
TRY = st.tuples(st.sampled_from([A, B]), st.integers(1, 4), st.sampled_from(OUTCOMES))
MADE = st.tuples(st.sampled_from([A, B]), st.integers(1, 4), st.sampled_from(["r0", "r1", "other"]))


@given(st.lists(st.lists(TRY, max_size=6), max_size=3), st.lists(MADE, max_size=8), st.integers(0, 1))
def test_all_that_is_wanted_is_done_or_failed_or_blocked_or_left_and_the_last_word_of_it_counts(
    runs: list[list[tuple[AssetKey, int, Outcome]]], others: list[tuple[AssetKey, int, str]], retries: int
) -> None:
    of = standing(retries, a=ALL, b=ALL)
    tries: dict[tuple[AssetKey, int], list[tuple[str, Outcome]]] = {}
    for number, run in enumerate(runs):
        unique = {(key, day_): outcome for key, day_, outcome in run}
        of.tried(f"r{number}", [attempt(*place, outcome) for place, outcome in unique.items()])
        for place, outcome in unique.items():
            tries.setdefault(place, []).append((f"r{number}", outcome))
    of.made(each for key, number, run_id in others for each in made(key, number, run=run_id))

    def bad(outcome: Outcome) -> bool:
        return outcome in ("failed", "check_failed", "skipped")

    def done(place: tuple[AssetKey, int]) -> bool:
        own = tries.get(place, [])
        spoilt = {run_id for run_id, outcome in own if bad(outcome)}
        last = [outcome for _, outcome in own if outcome != "cancelled"][-1:]
        by_others = any((key, number) == place and run_id not in spoilt for key, number, run_id in others)
        return by_others or (last != [] and not bad(last[0]))

    places = [(key, number) for key in (A, B) for number in range(1, 5)]
    open_ = [place for place in places if not done(place)]
    assert {(key, name) for key, parts in of.left.items() for name in DAYS.keys_of(parts or ALL)} == {
        (key, day(number)[0]) for key, number in open_
    }
    often = [place for place in open_ if sum(bad(outcome) for _, outcome in tries.get(place, [])) > retries]
    assert of.failures == len(often)
    wanted, ok, failed, blocked, rest = counts(of)
    assert wanted == ok + failed + blocked + rest == 8
    below = [(B, number) for key, number in often if key == A]
    assert blocked == len([place for place in below if place in open_ and place not in often])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_it_does_not_matter_who_made_it_first(order: Iterable[int]) -> None:
    of, records = standing(a=ALL), [made(A, 1, run="x"), made(A, 1, 2, run="y")]
    for each in order:
        of.made(records[each])
    assert left(of) == {"a": day(3, 4)}
