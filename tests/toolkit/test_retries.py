"""Pauses before something is tried again, whatever a server says."""

from __future__ import annotations

import pytest
from assetry_toolkit.errors import ServiceError, Unavailable
from assetry_toolkit.retries import LONGEST, LONGEST_WISH, Tries, pause_after, repeated, retry_after
from assetry_toolkit.testing import FakeClock
from hypothesis import given
from hypothesis import strategies as st

ERRORS = st.builds(
    ServiceError,
    st.just("Try later."),
    status=st.none() | st.sampled_from([429, 503]),
    retry_after=st.none() | st.floats(0, 1e9),
)


@given(ERRORS, st.integers(0, 5000))
def test_a_pause_is_never_none_and_never_longer_than_its_limit(error: ServiceError, attempt: int) -> None:
    pause = pause_after(error, attempt, FakeClock())
    assert 0 < pause <= (LONGEST if error.retry_after is None else LONGEST_WISH + 0.5)
    assert pause_after(error, attempt + 1, FakeClock()) >= pause


@given(st.text() | st.sampled_from(["nan", "-1", "inf", "1e400", "Wed, 99 Jan 2025 00:00:30 GMT"]), st.text())
def test_any_header_is_read_or_passed_over(wish: str, date: str) -> None:
    found = retry_after({"retry-after": wish, "date": date})
    assert found is None or 0 <= found < float("inf")


def test_what_is_not_safe_is_tried_again_only_when_nothing_was_carried_out() -> None:
    errors = [Unavailable("limited").before_execution(), Unavailable("lost")]

    def work() -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    clock = FakeClock()
    with pytest.raises(Unavailable, match="lost"):
        repeated(work, clock, tries=Tries(safe=False))
    assert clock.slept == [1.0]
    assert repeated(work, clock, tries=Tries(safe=False)) == "done"


def test_a_pause_for_which_there_is_no_time_is_not_made() -> None:
    clock, told = FakeClock(), list[float]()

    def work() -> str:
        raise Unavailable("Not now.", retry_after=40.0)

    with pytest.raises(Unavailable):
        repeated(work, clock, tries=Tries(seconds=100.0), waiting=lambda _, seconds: told.append(seconds))
    assert len(told) == len(clock.slept) == 2
