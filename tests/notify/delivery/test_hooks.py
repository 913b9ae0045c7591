"""Slack, Teams and webhooks: what they are sent, and what is made of their answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from assetry_notify.delivery.hooks import Hook
from assetry_notify.messages import Message
from assetry_notify.targets import Target
from assetry_toolkit.errors import AuthError, Refused, Unavailable, WrongAddress
from assetry_toolkit.testing import FakeClock

from tests.toolkit.loopback import Answer, Service, serving

ITEM = {
    "event": "failed",
    "root": "a<b",
    "text": "x & y",
    "at": "2026-01-01T00:00:00+00:00",
    "run": None,
    "assets": ["a<b"],
    "skipped": [],
    "owners": [],
    "manner": "new",
}
MESSAGE = Message("m1", "shop", "2026-01-01T00:00:00+00:00", (ITEM,))


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda _: Answer(200, "ok")) as found:
        yield found


def send(kind: str, given: Mapping[str, Any], secrets: Mapping[str, str] | None = None, timeout: float = 30.0) -> None:
    target = Target("ops", kind, timeout=timeout, given=given)
    Hook(target, (secrets or {}).__getitem__, FakeClock()).send(MESSAGE)


def test_slack_is_sent_blocks_with_its_signs_escaped(service: Service) -> None:
    send("slack", {"url": {"env": "URL"}}, {"URL": f"{service.url}/services/T0"})
    body = service.asked[0].json
    assert body["text"] == "shop: 1 failed"
    line = body["blocks"][1]["text"]
    assert line["type"] == "mrkdwn"
    assert line["text"].startswith("`a&lt;b` failed: x &amp; y")


def test_teams_is_sent_an_adaptive_card(service: Service) -> None:
    send("teams", {"url": {"env": "URL"}}, {"URL": service.url})
    (card,) = service.asked[0].json["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["body"][0]["text"] == "shop: 1 failed"


def test_a_webhook_is_sent_all_that_is_known_with_its_headers(service: Service) -> None:
    given = {"url": service.url, "token": {"env": "TOKEN"}, "headers": {"X-Team": "data", "X-Key": {"env": "KEY"}}}
    send("webhook", given, {"TOKEN": "t0ken", "KEY": "k3y"})
    (asked,) = service.asked
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert (headers["authorization"], headers["x-team"], headers["x-key"]) == ("Bearer t0ken", "data", "k3y")
    assert (headers["idempotency-key"], asked.json["items"]) == ("m1", [ITEM])


@pytest.mark.parametrize(
    ("answer", "kind", "times"),
    [
        (Answer(500), Unavailable, 3),
        (Answer(429, headers={"Retry-After": "1"}), Unavailable, 3),
        (Answer(drop=True), Unavailable, 3),
        (Answer(400, {"error": "invalid_payload"}), Refused, 1),
        (Answer(401), AuthError, 1),
        (Answer(302, headers={"Location": "https://login"}), WrongAddress, 1),
    ],
)
def test_only_what_may_be_better_next_time_is_tried_again(
    service: Service, answer: Answer, kind: type[Exception], times: int
) -> None:
    service.answers = [answer] * 5
    with pytest.raises(kind):
        send("webhook", {"url": service.url, "token": {"env": "TOKEN"}}, {"TOKEN": "t0ken"})
    assert len(service.asked) == times


def test_one_that_does_not_answer_is_given_up_after_its_timeout() -> None:
    may_answer = threading.Event()

    def never(_: Any) -> Answer:
        may_answer.wait(60)
        return Answer(200)

    with serving(never) as service:
        try:
            with pytest.raises(Unavailable, match="did not answer in time"):
                send("webhook", {"url": service.url}, timeout=0.2)
        finally:
            may_answer.set()
