"""Under the clock of a test days pass when it says so, and what really waits waits as ever."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from assetry import FreshnessPolicy, Project, asset
from assetry.plugin import UsageError
from assetry.testing import Clock, eventually

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def made_at(project: Project) -> datetime:
    [status] = project.status()
    assert status.last_materialized is not None
    return status.last_materialized


def test_days_pass_when_it_says_so_and_what_was_made_gets_old() -> None:
    @asset(freshness_policy=FreshnessPolicy(timedelta(hours=30)))
    def orders() -> int:
        return 1

    with Clock(MONDAY) as clock, Project(assets=[orders], store="sqlite::memory:", io="memory:") as project:
        project.materialize()
        assert MONDAY <= made_at(project) < MONDAY + timedelta(minutes=10)
        clock.advance(timedelta(days=1))
        assert [each.status for each in project.status()] == ["fresh"]
        clock.advance(timedelta(days=1))
        assert [each.status for each in project.status()] == ["stale"]
        clock.set(MONDAY + timedelta(hours=1))
        assert [each.status for each in project.status()] == ["fresh"]


def test_it_goes_on_as_time_does_unless_it_is_stopped() -> None:
    with Clock(MONDAY):
        began = datetime.now(UTC)
        assert eventually(lambda: datetime.now(UTC) > began, 30)
    with Clock(MONDAY, stopped=True) as clock:
        began = time.monotonic()
        assert eventually(lambda: time.monotonic() > began, 30)
        assert clock.now == datetime.now(UTC) == MONDAY
        assert clock.advance(timedelta(microseconds=1)) == MONDAY + timedelta(microseconds=1)


def test_waiting_takes_as_long_as_ever_whatever_it_shows() -> None:
    with Clock(MONDAY) as clock:
        waited = threading.Event()
        thread = threading.Thread(target=lambda: waited.set() if not threading.Event().wait(0.01) else None)
        thread.start()
        began = time.monotonic()
        clock.set(MONDAY - timedelta(days=3650))
        assert waited.wait(30), "a wait does not end later because the clock went back"
        thread.join()
        assert time.monotonic() - began < 3600, "and what counts its seconds does not see that days have passed"


def test_a_run_goes_on_whose_lease_has_long_passed_by_the_clock() -> None:
    with Clock(MONDAY) as clock:

        @asset
        def slow() -> int:
            clock.advance(timedelta(days=2))
            return 1

        with Project(assets=[slow], store="sqlite::memory:", io="memory:") as project:
            assert project.materialize().ok
            assert made_at(project) >= MONDAY + timedelta(days=2)


def test_the_true_time_is_back_at_the_end_and_zones_stay_as_they_are() -> None:
    true, zone = datetime.now(UTC), time.tzname
    with Clock(datetime(2001, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))):
        assert datetime.now(UTC).isoformat().startswith("2001-01-01T00:00:00")
        assert time.gmtime().tm_year == 2001
        assert time.tzname == zone
    assert datetime.now(UTC) >= true


def test_what_it_cannot_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no time zone"):
        Clock(datetime(2026, 1, 5))
    clock = Clock(MONDAY)
    assert clock.advance(timedelta(hours=1)) == MONDAY + timedelta(hours=1), "it can be set before it goes"
    with clock, pytest.raises(UsageError, match="goes already"), clock:
        raise AssertionError("one clock does not go twice")
    monkeypatch.setitem(sys.modules, "time_machine", None)
    with pytest.raises(UsageError, match="time-machine") as raised, Clock(MONDAY):
        raise AssertionError("it does not go without its package")
    assert raised.value.hint == "pip install 'assetry[testing]'"
