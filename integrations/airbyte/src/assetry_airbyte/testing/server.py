"""The fake server: tokens, and which of its two APIs is asked."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import Any

from assetry_toolkit.testing import Seen

from assetry_airbyte.testing.world import Problem, World


class FakeAirbyte(World):
    """An Airbyte, from `start_server` to `stop_server`, or as a context; see `assetry_toolkit.testing.FakeServer`.

    * `auth`: ``application`` (the client id and secret below), ``token``, ``basic`` or ``none``.
    * `now`: the clock that jobs and tokens live by; hand over the client's own to let no real time pass.
    * `token_seconds`: how long a token lives.

    >>> with FakeAirbyte() as airbyte:
    ...     connection = airbyte.add_connection("Shop", ["users"])
    ...     airbyte.url.startswith("http://127.0.0.1:")
    True
    """

    base_paths = ("/api/public/v1", "/api/v1")
    error_type = "application/problem+json"
    client_secret = "s3cret-of-the-application"
    token = "static-token"
    username, password = "operator", "s3cret-of-operator"

    def __init__(self, *, auth: str = "application", now: Callable[[], float] | None = None) -> None:
        super().__init__(now)
        self.auth = auth
        # One of its own: the official SDK shares tokens between servers that have an application in common.
        self.client_id = f"application-{secrets.token_hex(4)}"
        self.token_seconds: float | None = 900.0
        #: How many requests were refused for want of a valid Authorization header.
        self.refused = 0
        self.accepts_form_only = self.accepts_json_only = False
        self._tokens: dict[str, float] = {}

    @property
    def url(self) -> str:
        """Return the base URL of the public API."""
        return f"{self.host}/api/public/v1"

    def revoke_tokens(self) -> None:
        """Let every token that was handed out be refused from now on."""
        self._tokens.clear()

    def answer(self, seen: Seen) -> Any:
        """Answer a request to either API."""
        if seen.path == "/applications/token" and seen.base:
            return self._token(seen)
        if not seen.base:
            raise Problem(404, "not-found", "There is nothing here")
        if not self._admits(seen.header("Authorization")):
            self.refused += 1
            raise Problem(401, "unauthorized", "Unauthorized")
        return self.internal_answer(seen.path, seen.body) if seen.base == "/api/v1" else self.public_answer(seen)

    def _token(self, seen: Seen) -> Any:
        kind = seen.header("Content-Type").partition(";")[0]
        if self.accepts_form_only and kind == "application/json":
            raise Problem(415, "unsupported-media-type", "Unsupported Media Type")
        if self.accepts_json_only and kind != "application/json":
            raise Problem(401, "unauthorized", "Unauthorized")
        given = seen.body or {}
        if given.get("client_id") != self.client_id or given.get("client_secret") != self.client_secret:
            raise Problem(401, "unauthorized", "Invalid client id or secret")
        token = secrets.token_hex(8)
        lifetime = self.token_seconds
        self._tokens[token] = self.now() + (180.0 if lifetime is None else lifetime)
        told: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if lifetime is not None:
            told["expires_in"] = lifetime
        return told

    def _admits(self, header: str) -> bool:
        """Tell whether an Authorization header is accepted."""
        kind, _, value = header.partition(" ")
        if self.auth == "none":
            return True
        if self.auth == "basic":
            return kind == "Basic" and base64.b64decode(value).decode() == f"{self.username}:{self.password}"
        if self.auth == "token":
            return kind == "Bearer" and value == self.token
        return kind == "Bearer" and self._tokens.get(value, -1.0) > self.now()
