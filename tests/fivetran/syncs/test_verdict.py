"""What became of a sync, against a world in which it is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assetry_fivetran.api.responses import NEVER, Mark, Standing, standing_of
from assetry_fivetran.syncs.verdict import judge
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sync:
    begin: int
    end: int
    good: bool | None  # None: cancelled, which leaves no trace


def moment(at: int) -> datetime:
    return START + timedelta(seconds=at)


def at(syncs: list[Sync], now: int) -> Standing:
    """Return how a connection with these syncs stands at a moment."""
    ended = [each for each in syncs if each.end <= now]
    good = [each.end for each in ended if each.good is True]
    bad = [each.end for each in ended if each.good is False]
    running = any(each.begin <= now < each.end for each in syncs)
    mark = Mark(moment(max(good)) if good else NEVER, moment(max(bad)) if bad else NEVER)
    return Standing("c", "crm", mark, state="syncing" if running else "scheduled")


@st.composite
def histories(draw: st.DrawFn) -> list[Sync]:
    syncs, now = [], 0
    for _ in range(draw(st.integers(0, 6))):
        begin = now + draw(st.integers(1, 4))
        end = begin + draw(st.integers(1, 4))
        syncs.append(Sync(begin, end, draw(st.sampled_from([True, False, None]))))
        now = end
    return syncs


@given(histories(), st.integers(0, 30), st.lists(st.integers(1, 8), max_size=12))
def test_a_verdict_is_what_really_became_of_syncs_that_began_since(
    syncs: list[Sync], asked: int, pauses: list[int]
) -> None:
    # We ask when nothing is under way; a sync that runs is waited for first.
    while at(syncs, asked).syncing:
        asked += 1
    before, now, seen_running = at(syncs, asked).mark, asked, False
    for pause in pauses:
        now += pause
        standing = at(syncs, now)
        seen_running = seen_running or standing.syncing
        verdict = judge(before, standing, seen_running=seen_running)
        since = [each for each in syncs if each.begin > asked and each.end <= now and each.good is not None]
        last = since[-1].good if since else None
        if verdict == "succeeded":
            assert last is True  # one that began since has succeeded, and none failed after it
        elif verdict == "failed":
            assert last is False
            assert not standing.syncing
        elif verdict == "running":
            assert standing.syncing
            assert last is not True
        else:
            assert verdict == ("ended" if seen_running else "waiting")
            assert last is None


@given(histories(), st.integers(0, 30))
def test_a_sync_that_was_under_way_never_counts_as_one_that_began_since(syncs: list[Sync], asked: int) -> None:
    running = [each for each in syncs if each.begin <= asked < each.end]
    if running:
        after = at(syncs, running[0].end).mark
        assert judge(after, at(syncs, running[0].end), seen_running=False) in ("waiting", "running")


def test_moments_are_compared_as_moments_and_not_as_text() -> None:
    one = standing_of({"id": "c", "succeeded_at": "2026-01-01T00:00:00.5Z"})
    same = standing_of({"id": "c", "succeeded_at": "2026-01-01T02:00:00.500000+02:00"})
    later = standing_of({"id": "c", "succeeded_at": "2026-01-01T00:00:00.500001+00:00"})
    assert judge(one.mark, same, seen_running=False) == "waiting"
    assert judge(one.mark, later, seen_running=False) == "succeeded"


def test_a_first_sync_that_fails_is_a_failure_and_no_success_of_before() -> None:
    assert judge(Mark(), Standing("c", "crm", Mark(failed=START)), seen_running=True) == "failed"
