"""However many wait, one asks for all; when it has what it wants, another does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import islice

import pytest
from assetry_toolkit.clock import never
from assetry_toolkit.errors import Refused, Unavailable
from assetry_toolkit.polling import JobId, Look, Poller, Turn, one_by_one
from assetry_toolkit.testing import FakeClock


class Yard:
    """Jobs that end after so many turns, and how they were asked about."""

    def __init__(self, **ends: int) -> None:
        self.ends: dict[JobId, int] = {**ends}
        self.asked: list[tuple[JobId, ...]] = []
        self.asking = 0
        self.leaders: list[str] = []

    def turn(self, ids: Sequence[JobId]) -> Turn[str]:
        self.asking += 1
        assert self.asking == 1, "one thread at a time asks"
        self.asked.append(tuple(ids))
        self.leaders.append(threading.current_thread().name)
        found = {id_: Look("running" if self.ends[id_] > len(self.asked) else "done") for id_ in ids}
        self.asking -= 1
        return Turn(found)


def follow(poller: Poller[str], id_: str) -> list[str]:
    seen = []
    for look in poller.watch(id_, never):
        assert look.job is not None
        seen.append(look.job)
        if look.job == "done":
            return seen
    raise AssertionError("it was not called off")


def together(poller: Poller[str], *ids: str) -> dict[str, list[str] | BaseException]:
    """Follow jobs, each in a thread of its name; return what each has seen."""
    seen: dict[str, list[str] | BaseException] = {}

    def run(id_: str) -> None:
        try:
            seen[id_] = follow(poller, id_)
        except ZeroDivisionError as error:
            seen[id_] = error

    threads = [threading.Thread(target=run, args=(id_,), name=id_) for id_ in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return seen


def test_many_are_followed_by_one_question_a_turn_and_the_lead_is_handed_over() -> None:
    yard = Yard()

    def turn(ids: Sequence[JobId]) -> Turn[str]:
        if not yard.ends and len(ids) < 3:
            return Turn({id_: Look("running") for id_ in ids})  # not all of them are there
        if not yard.ends:  # the job of the leader ends first
            leader = threading.current_thread().name
            yard.ends = {id_: 5 if id_ == leader else 9 + ids.index(id_) for id_ in ids}
        return yard.turn(ids)

    seen = together(Poller(turn, FakeClock()), "a", "b", "c")
    assert all(isinstance(each, list) and each[-1] == "done" for each in seen.values())
    assert len(yard.asked) == max(yard.ends.values())  # as many turns as the longest needs
    assert len(yard.asked[0]) == 3
    assert len(set(yard.leaders)) > 1


def test_a_leader_that_breaks_hands_over_to_another() -> None:
    yard = Yard(a=5, b=5)
    broken: list[str] = []

    def turn(ids: Sequence[JobId]) -> Turn[str]:
        if not broken and len(ids) < 2:
            return Turn({id_: Look("running") for id_ in ids})
        if not broken:
            broken.append(threading.current_thread().name)
            raise ZeroDivisionError
        return yard.turn(ids)

    seen = together(Poller(turn, FakeClock()), "a", "b")
    [bad], [good] = broken, {"a", "b"} - set(broken)
    assert isinstance(seen[bad], ZeroDivisionError)
    assert seen[good][-1] == "done"  # type: ignore[index]


def test_the_pauses_grow_and_are_short_again_for_a_newcomer() -> None:
    yard, clock = Yard(a=9, b=11), FakeClock()
    poller = Poller(yard.turn, clock)
    follow(poller, "a")
    assert clock.slept == [1.0, 1.0, 1.0, 2.0, 5.0, 10.0, 15.0, 15.0, 15.0]
    follow(poller, "b")
    assert clock.slept[9:] == [1.0, 1.0]


def test_a_pause_of_the_users_own_and_one_for_each_request() -> None:
    clock = FakeClock()
    follow(Poller(Yard(a=3).turn, clock, every=4.0), "a")
    assert clock.slept == [4.0] * 3
    yard, clock = Yard(a=3), FakeClock()
    poller = Poller(lambda ids: Turn(yard.turn(ids).looks, requests=7), clock)
    follow(poller, "a")
    assert clock.slept == [1.0, 7.0, 7.0]  # no more than a request a second
    yard, clock = Yard(a=3), FakeClock()
    follow(Poller(yard.turn, clock, pace=14.4), "a")
    assert clock.slept == [14.4] * 3  # an account that has few


def test_while_there_is_no_answer_the_pauses_are_those_of_retries() -> None:
    clock, errors = FakeClock(), [Unavailable("busy", status=429, retry_after=30.0), Unavailable("busy")]

    def ask(ids: Sequence[JobId]) -> Turn[str]:
        return Turn({id_: Look(None, errors.pop(0)) if errors else Look("done") for id_ in ids})

    looks = list(islice(Poller(ask, clock).watch("a", never), 3))
    assert [look.job for look in looks] == [None, None, "done"]
    assert clock.slept == [1.0, 30.5, 2.0]


def test_one_by_one_goes_on_after_a_refusal_and_stops_where_nothing_answers() -> None:
    asked: list[JobId] = []

    def ask(id_: JobId) -> str:
        asked.append(id_)
        if id_ == 2:
            raise Refused("no such job")
        if id_ == 4:
            raise Unavailable("busy")
        return "running"

    turn = one_by_one([1, 2, 3, 4, 5], ask)
    assert asked == [1, 2, 3, 4]
    assert turn.requests == 4
    assert [turn.looks[each].job for each in (1, 2, 3, 4)] == ["running", None, "running", None]
    assert 5 not in turn.looks


@pytest.mark.parametrize("waits", [False, True])
def test_a_wait_can_be_called_off_by_the_leader_and_by_who_follows(waits: bool) -> None:
    yard = Yard(a=10**6, b=10**6)
    poller = Poller(yard.turn, FakeClock())
    off = threading.Event()
    other = threading.Event()
    thread = None
    if waits:
        thread = threading.Thread(target=lambda: [None for _ in poller.watch("b", other.is_set)])
        thread.start()
    looks = poller.watch("a", off.is_set)
    next(looks)
    off.set()
    assert list(looks) == []
    other.set()
    if thread is not None:
        thread.join(30)
        assert not thread.is_alive()


def test_a_question_that_fails_is_a_look_at_each_job_and_ends_nothing() -> None:
    answers = [Unavailable("Nothing listens there."), Refused("Not you."), None]

    def ask(ids: Sequence[JobId]) -> Turn[str]:
        error = answers.pop(0)
        if error is not None:
            raise error
        return Turn({id_: Look("done") for id_ in ids})

    looks = list(islice(Poller(ask, FakeClock()).watch("a", never), 3))
    assert [str(look.error or look.job) for look in looks] == ["Nothing listens there.", "Not you.", "done"]


def test_looks_can_be_made_of_a_type() -> None:
    assert (Look[int](1).job, Turn[int]({7: Look(1)}).requests) == (1, 1)
