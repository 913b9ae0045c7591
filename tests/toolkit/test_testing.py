"""The fake server does what it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.testing import LOGIN_PAGE, FakeClock, FakeServer, Fault, Refusal, Seen


class Mill(FakeServer):
    base_paths = ("/api/v2", "/api")
    error_type = "application/problem+json"

    def __init__(self, now: Any = None) -> None:
        super().__init__(now)
        self.made = 0

    def answer(self, seen: Seen) -> Any:
        if str(seen) == "POST /things":
            self.made += 1
            return {"made": self.made, "body": seen.body}
        if str(seen) == "GET /things":
            return {"things": self.made, "base": seen.base, "query": dict(seen.query)}
        raise Refusal(404, {"message": f"There is no {seen}"})


@pytest.fixture
def mill() -> Iterator[Mill]:
    with Mill() as running:
        yield running


def test_what_arrives_is_noted_without_its_base(mill: Mill) -> None:
    assert httpx.get(f"{mill.host}/api/v2/things?a=1").json() == {"things": 0, "base": "/api/v2", "query": {"a": "1"}}
    (seen,) = mill.requests("GET /things")
    assert (seen.base, seen.path, seen.header("ACCEPT")) == ("/api/v2", "/things", "*/*")


def test_bodies_are_read_as_what_they_are(mill: Mill) -> None:
    url = f"{mill.host}/api/things"
    bodies = [httpx.post(url, json={"a": 1}), httpx.post(url, data={"a": "1"}), httpx.post(url, content="no json")]
    assert [each.json()["body"] for each in bodies] == [{"a": 1}, {"a": "1"}, "no json"]


def test_errors_have_their_content_type(mill: Mill) -> None:
    answer = httpx.get(f"{mill.host}/api/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_faults_happen_once_each_and_in_order(mill: Mill) -> None:
    url = f"{mill.host}/api/things"
    mill.fail("POST /things", Fault(status=503), Fault(drop=True), Fault(drop=True, carried_out=True), Fault(cut=True))
    assert httpx.post(url).status_code == 503
    assert mill.made == 0
    for made in (0, 1, 2):
        with pytest.raises((httpx.TransportError, json.JSONDecodeError)):
            httpx.post(url).json()
        assert mill.made == made
    assert httpx.post(url).json()["made"] == 3


def test_a_fault_can_change_an_answer_or_be_a_page(mill: Mill) -> None:
    url = f"{mill.host}/api/things"
    mill.fail("GET .*", Fault(patch={"things": 9, "base": ...}), LOGIN_PAGE)
    assert httpx.get(url).json() == {"things": 9, "query": {}}
    assert httpx.get(url).headers["content-type"] == "text/html"
    mill.fail("GET .*", Fault(status=500), times=5)
    mill.faults.clear()
    assert httpx.get(url).status_code == 200


def test_its_calendar_follows_its_clock_and_its_skew() -> None:
    clock = FakeClock()
    with Mill(clock.monotonic) as mill, Http(Api(name="Mill", base=f"{mill.host}/api"), clock=clock) as http:
        assert http.server_time is None
        clock.pass_time(90)
        mill.skew = 2.0
        http.ask(Request("GET", "things"))
        clock.pass_time(30)
        assert str(http.server_time) == "2026-01-01 02:02:00+00:00"
