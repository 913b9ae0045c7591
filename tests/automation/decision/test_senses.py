"""When what sees outside is asked: at its interval, later after a failure, and never for what the clock was set by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from assetry_automation.decision.senses import Sense, Sensed, asked_at, due, first_due, is_news

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def sense(every: timedelta = MINUTE, name: str = "landed") -> Sense:
    return Sense(name=name, of="sensor", every=every, timeout=MINUTE)


def test_what_was_never_asked_is_due_and_then_at_each_interval() -> None:
    assert due([sense()], {}, NOW) == [sense()]
    known = {"landed": Sensed(at=NOW)}
    assert due([sense()], known, NOW + 59 * SECOND) == []
    assert due([sense()], known, NOW + MINUTE) == [sense()]
    assert first_due([sense()], known, NOW) == NOW + MINUTE
    assert first_due([], {}, NOW) is None


def test_intervals_that_were_missed_are_one() -> None:
    known = {"landed": Sensed(at=NOW)}
    later = NOW + 5 * HOUR
    assert due([sense()], known, later) == [sense()]
    assert due([sense()], {"landed": known["landed"].again(later, None)}, later) == []


def test_the_one_that_waits_longest_is_first() -> None:
    known = {"b": Sensed(at=NOW - HOUR), "a": Sensed(at=NOW - 2 * MINUTE)}
    assert [each.name for each in due([sense(name="a"), sense(name="b")], known, NOW)] == ["b", "a"]


@pytest.mark.parametrize("every", [10 * SECOND, MINUTE, 6 * HOUR])
def test_failures_in_a_row_wait_longer_each_time_and_an_hour_or_the_interval_at_most(every: timedelta) -> None:
    last, waits = Sensed(at=NOW), []
    for _ in range(12):
        last = last.again(NOW, "no route")
        waits.append(asked_at(sense(every), last, NOW) - NOW)
    assert 48 * SECOND <= waits[0] <= 72 * SECOND
    assert all(before < after for before, after in pairwise(waits[:6]))
    assert max(waits) <= 1.2 * max(HOUR, every)
    fine = last.again(NOW, None, ["raw/files"])
    assert (fine.failures, fine.told, asked_at(sense(every), fine, NOW)) == (0, "", NOW + every)


def test_a_clock_that_was_set_back_stalls_nothing_and_asks_nothing_twice() -> None:
    known = {"landed": Sensed(at=NOW)}
    back = NOW - 5 * HOUR
    assert due([sense()], known, back) == [sense()], "it does not wait until the clock is where it was"
    known = {"landed": known["landed"].again(back, None)}
    assert due([sense()], known, back + 30 * SECOND) == []
    assert due([sense()], known, back + MINUTE) == [sense()]


def test_what_is_kept_is_what_others_have_to_know() -> None:
    fine = Sensed(at=NOW, keys=("raw/files",))
    assert is_news(None, fine)
    assert not is_news(fine, fine.again(NOW + MINUTE, None, ["raw/files"]))
    assert is_news(fine, fine.again(NOW + MINUTE, None, ["raw/feed"]))
    assert is_news(fine, fine.again(NOW + MINUTE, "no route"))
    assert is_news(fine, fine.again(NOW + 10 * MINUTE, None))
    assert is_news(fine, fine.again(NOW - MINUTE, None)), "by a clock that was set back"
