"""Slack, Teams and webhooks: one POST for each message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from assetry_toolkit.auth import bearer
from assetry_toolkit.clock import Clock
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.retries import Tries, repeated
from assetry_toolkit.secrets import Mask, resolve, resolved

from assetry_notify.messages import Message
from assetry_notify.targets import Target

#: How often one delivery is tried before it is left to a later time, and for how many seconds it waits in all.
TRIES = Tries(3, safe=True, seconds=60.0)
#: The longest line of a chat, in characters, and of a message in all: Slack's section has 3,000, Teams takes 28 KB.
_LINE, _ALL = 1_000, 12_000
_NAMES = {"slack": "Slack", "teams": "Teams", "webhook": "The webhook"}


class Hook:
    """An address that takes messages by POST, and answers with a status.

    It is sent again after an answer that may be better next time: that one message comes twice is better than that it
    does not come, and a webhook knows it by the header ``Idempotency-Key``.
    """

    def __init__(self, target: Target, secret: Callable[[str], str], clock: Clock) -> None:
        self._target = target
        self._secret = secret
        self._clock = clock

    def send(self, message: Message) -> None:
        """Send a message; raise `ServiceError` when it was not taken, and `UsageError` for a secret that is not set."""
        given = self._target.given
        url = resolve(given["url"], self._secret)
        headers, secrets = resolved(given.get("headers", {}), self._secret)
        mask = Mask(secrets | _secrets_in(url, is_secret=not isinstance(given["url"], str)))
        hint = f"It is the url of [notify.{self._target.name}]."
        api = Api(
            name=_NAMES[self._target.kind],
            base=url,
            headers=headers,
            ca_bundle=given.get("ca_bundle"),
            address_hint=hint,
        )
        token = given.get("token")
        auth = None if token is None else bearer(lambda: resolve(token, self._secret))
        request = Request(
            "POST",
            json=_BODIES[self._target.kind](message),
            headers={"Idempotency-Key": message.id},
            timeout=self._target.timeout,
        )
        with Http(api, auth, clock=self._clock, mask=mask) as http:
            repeated(lambda: http.response(request), self._clock, tries=TRIES)


def _secrets_in(url: str, *, is_secret: bool) -> frozenset[str]:
    """Return what must not be told of a URL: all of one that is a secret, else the password in it."""
    try:
        parts = urlsplit(url)
        password = parts.password
    except ValueError:
        return frozenset({url})
    if not is_secret:
        return frozenset({password} if password else ())
    return frozenset(filter(None, (url, parts.path.strip("/"), parts.query, password)))


def slack_body(message: Message) -> dict[str, Any]:
    """Return a message as Slack's incoming webhooks take it.

    >>> slack_body(Message("1", "a<b", "2026-01-01T00:00:00+00:00", ()))["text"]
    'a&lt;b: a test'
    """
    title = _escaped(message.title)
    lines = [f"*{title}*", *(_escaped(each[:_LINE]) for each in message.lines)]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": each}} for each in lines]
    return {"text": title, "blocks": blocks}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams_body(message: Message) -> dict[str, Any]:
    """Return a message as a workflow of Teams takes it that waits for a webhook: an adaptive card.

    >>> teams_body(Message("1", "shop", "2026-01-01T00:00:00+00:00", ()))["attachments"][0]["content"]["type"]
    'AdaptiveCard'
    """
    text = "\n\n".join(each[:_LINE] for each in message.lines)[:_ALL]
    body: list[Mapping[str, Any]] = [
        {"type": "TextBlock", "text": message.title, "weight": "Bolder", "size": "Medium", "wrap": True},
        {"type": "TextBlock", "text": text, "wrap": True},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


_BODIES: Mapping[str, Callable[[Message], Mapping[str, Any]]] = {
    "slack": slack_body,
    "teams": teams_body,
    "webhook": Message.to_json,
}
