"""Who gets slots of pools: never more than there are, in turn, and everybody in the end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from assetry.store.leases.grants import PATIENCE, granted
from assetry.types.leases import Slot
from hypothesis import given
from hypothesis import strategies as st

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def slot(pool: str, who: str, weight: int = 1, limit: int = 1, minutes: float = 0, **more: object) -> Slot:
    given = {"held": False, "priority": 0, **more}
    return Slot(pool, who, "1", weight, limit, since=NOON + timedelta(minutes=minutes), **given)  # type: ignore[arg-type]


def who_gets(slots: list[Slot], *asking: str, minutes: float = 5) -> set[str]:
    found = granted(slots, {(who, "1") for who in asking}, NOON + timedelta(minutes=minutes))
    return {run for run, _ in found}


def test_the_first_gets_it_and_the_next_waits() -> None:
    slots = [slot("p", "second", minutes=2), slot("p", "first", minutes=1)]
    assert who_gets(slots, "first", "second") == {"first"}


def test_what_the_first_has_not_taken_yet_is_kept_for_it() -> None:
    slots = [slot("p", "second", minutes=2), slot("p", "first", minutes=1)]
    assert who_gets(slots, "second") == set()


def test_what_is_held_is_not_given_away() -> None:
    assert who_gets([slot("p", "a", held=True), slot("p", "b")], "b") == set()
    assert who_gets([slot("p", "a", held=True, limit=2), slot("p", "b", limit=2)], "b") == {"b"}


def test_a_person_comes_before_what_fills_up_history() -> None:
    slots = [slot("p", "history", priority=50), slot("p", "person", minutes=1)]
    assert who_gets(slots, "history", "person") == {"person"}


def test_one_who_needs_much_is_not_starved_by_those_who_need_less() -> None:
    slots = [slot("p", "small", held=True, limit=4), slot("p", "large", 4, 4), slot("p", "next", 1, 4, minutes=1)]
    assert who_gets(slots, "large", "next") == set()


def test_of_other_pools_that_it_needs_those_behind_may_use_what_is_free() -> None:
    both = [slot("full", "holds", held=True), slot("full", "both"), slot("free", "both")]
    assert who_gets([*both, slot("free", "next", minutes=1)], "both", "next") == {"next"}


def test_not_once_it_has_waited_for_long() -> None:
    both = [slot("full", "holds", held=True), slot("full", "both"), slot("free", "both")]
    found = who_gets([*both, slot("free", "next", minutes=1)], "both", "next", minutes=PATIENCE.total_seconds() / 60)
    assert found == set()


def test_a_weight_beyond_the_limit_takes_all_of_the_pool() -> None:
    assert who_gets([slot("p", "a", weight=9, limit=2)], "a") == {"a"}
    assert who_gets([slot("p", "b", held=True, limit=2), slot("p", "a", weight=9, limit=2)], "a") == set()


def test_history_gets_a_quarter_once_it_has_waited_for_long() -> None:
    """However much fresh work comes: one slot in four is its own."""
    fresh = [slot("p", f"fresh{n}", limit=8, held=True) for n in range(7)]
    waiting = [slot("p", "history", limit=8, priority=50), slot("p", "person", limit=8, minutes=1)]
    assert who_gets([*fresh, *waiting], "history", "person", minutes=9) == {"person"}
    assert who_gets([*fresh, *waiting], "history", "person", minutes=10) == {"history"}
    history = [slot("p", f"history{n}", limit=8, priority=50, held=True) for n in range(2)]
    assert who_gets([*fresh[:5], *history, *waiting], "history", "person", minutes=10) == {"person"}


slots_of = st.builds(
    lambda run, ticket, weight, limit, priority, minutes, held, pools: [
        Slot(pool, run, str(ticket), weight, limit[pool], priority, NOON + timedelta(minutes=minutes), held)
        for pool in pools
    ],
    st.sampled_from("abcd"),
    st.integers(0, 5),
    st.integers(1, 3),
    st.just({"x": 1, "y": 2, "z": 4}),
    st.sampled_from([0, 10, 20, 50]),
    st.integers(0, 300),
    st.booleans(),
    st.sets(st.sampled_from("xyz"), min_size=1).map(sorted),
)


@given(st.lists(slots_of, max_size=12), st.integers(0, 400))
def test_no_more_is_given_than_there_is_and_the_first_is_not_passed_over(found: list[list[Slot]], minutes: int) -> None:
    requests = list({(each[0].run, each[0].ticket): each for each in found}.values())
    used: Counter[str] = Counter()
    slots: list[Slot] = []
    for own in requests:
        room = all(used[each.pool] + each.weight <= each.limit for each in own)
        for each in own:
            held = each.held and room
            used[each.pool] += each.weight if held else 0
            slots.append(each._replace(held=held))
    waiting = {(each.run, each.ticket): own for own in requests for each in own if not (own[0].held and each in slots)}
    waiting = {who: own for who, own in waiting.items() if any(s[1:3] == who and not s.held for s in slots)}
    now = NOON + timedelta(minutes=minutes)
    asking = set(waiting)
    given_now = granted(slots, asking, now)
    assert given_now <= asking
    after = used.copy()
    for who in given_now:
        for each in waiting[who]:
            after[each.pool] += min(each.weight, each.limit)
    limits = {"x": 1, "y": 2, "z": 4}
    assert all(after[pool] <= limit or after[pool] == used[pool] for pool, limit in limits.items())
    # One who alone waits for pools with room gets them: nothing is kept for nobody.
    for who in asking - given_now:
        own = waiting[who]
        others = {each.pool for each in slots if not each.held and (each.run, each.ticket) != who}
        free = all(used[each.pool] + min(each.weight, each.limit) <= each.limit for each in own)
        assert not free or others & {each.pool for each in own}


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from([0, 20, 50]), st.sets(st.sampled_from("xy"), min_size=1)),
        max_size=8,
    )
)
def test_everybody_comes_to_the_end(jobs: list[tuple[int, int, set[str]]]) -> None:
    """Each holds its slots for a turn; what is new comes before nobody for ever."""
    limits = {"x": 2, "y": 3}
    waiting = {
        (f"r{n}", "1"): [
            Slot(pool, f"r{n}", "1", weight, limits[pool], priority, NOON + timedelta(seconds=n), False)
            for pool in sorted(pools)
        ]
        for n, (weight, priority, pools) in enumerate(jobs)
    }
    now, turns = NOON, 0
    while waiting:
        slots = [each for own in waiting.values() for each in own]
        done = granted(slots, set(waiting), now)
        assert done, "nobody can go on, and nobody holds anything"
        for who in done:
            del waiting[who]
        now += timedelta(minutes=1)
        turns += 1
    assert turns <= len(jobs)
