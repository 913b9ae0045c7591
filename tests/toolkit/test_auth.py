"""Tokens that are handed out for a while: one of many threads asks, and before the end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from assetry_toolkit.auth import Renewed, Token, basic
from assetry_toolkit.errors import Unavailable
from assetry_toolkit.testing import FakeClock
from hypothesis import given
from hypothesis import strategies as st


class Office:
    """What hands out tokens, and counts them; it can be held while it does."""

    def __init__(self, expires_in: Any = 60) -> None:
        self.handed = 0
        self.expires_in = expires_in
        self.open = threading.Event()
        self.open.set()

    def fetch(self, secret: str) -> Token:
        assert secret == "s3cret"
        self.open.wait(30)
        self.handed += 1
        return Token(f"token-{self.handed}", self.expires_in)


def renewed(office: Office, clock: FakeClock | None = None) -> Renewed:
    return Renewed(lambda: "s3cret", office.fetch, clock=clock or FakeClock())


def test_a_token_is_used_for_the_most_of_its_life_and_replaced_before_its_end() -> None:
    office, clock = Office(expires_in=900), FakeClock()
    auth = renewed(office, clock)
    for seconds in (0, 700, 19.9):
        clock.pass_time(seconds)
        assert auth.header() == "Bearer token-1"
    clock.pass_time(0.1)
    assert auth.header() == "Bearer token-2"


@given(st.one_of(st.floats(), st.integers(), st.text(max_size=8), st.none(), st.lists(st.integers(), max_size=1)))
def test_whatever_a_service_says_of_its_life_a_token_is_used_for_a_while_within_it(expires_in: Any) -> None:
    lifetime = Token("t", expires_in).lifetime
    assert 0 < lifetime < float("inf")
    try:
        told = float(expires_in)
    except (TypeError, ValueError):
        return
    if 0 < told < float("inf"):
        assert lifetime < told or told < 1e-300


def test_many_threads_ask_for_one_token() -> None:
    office = Office()
    office.open.clear()
    auth = renewed(office)
    begin = threading.Barrier(8)

    def ask() -> str:
        begin.wait(30)
        return auth.header()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask) for _ in range(8)]
        office.open.set()
        assert {each.result(30) for each in asked} == {"Bearer token-1"}


def test_a_refused_token_is_replaced_once_for_all_that_were_refused_with_it() -> None:
    office = Office()
    auth = renewed(office)
    old = auth.header()
    for _ in range(3):
        auth.drop(old)  # each of three threads was refused with the same one
        assert auth.header() == "Bearer token-2"


def test_when_none_is_to_be_had_that_is_told_and_the_next_asks_again() -> None:
    office = Office()
    refused = [Unavailable("closed")]

    def fetch(secret: str) -> Token:
        if refused:
            raise refused.pop()
        return office.fetch(secret)

    auth = Renewed(lambda: "s3cret", fetch)
    with pytest.raises(Unavailable, match="closed"):
        auth.header()
    assert auth.header() == "Bearer token-1"
    assert auth.mask()("s3cret for token-1") == "*** for ***"


def test_a_key_is_kept_out_of_errors_too_where_it_is_secret() -> None:
    plain, secret = (basic(lambda: "k3y-7", lambda: "s3cret", secret_user=each) for each in (False, True))
    for each in (plain, secret):
        each.header()
    assert (plain.mask()("k3y-7:s3cret"), secret.mask()("k3y-7:s3cret")) == ("k3y-7:***", "***:***")
