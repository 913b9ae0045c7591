"""How we prove who we are: a token of an application, a given token, a user name, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assetry.plugin import DefinitionError

from assetry_airbyte.clock import Clock
from assetry_airbyte.hosted.errors import AirbyteError
from assetry_airbyte.hosted.live_objects import take
from assetry_airbyte.hosted.settings import Options, Reference

#: Seconds that a token lives when the server does not say: what self-managed servers had when they were silent.
SHORT = 180.0
#: The environment variables that are looked at for Airbyte Cloud when the options name none.
CLIENT_ID, CLIENT_SECRET = "AIRBYTE_CLIENT_ID", "AIRBYTE_CLIENT_SECRET"

Secret = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Say how to authenticate, by reference; `kind` is ``application``, ``token``, ``basic`` or ``none``."""

    kind: str
    user: Reference | None = None
    secret: Reference | None = None

    @classmethod
    def of(cls, options: Options) -> Credentials:
        """Return what the options say; for Airbyte Cloud without any, an application named by the environment."""
        where = f"integration {options.name!r}"
        if options.token is not None:
            return cls("token", secret=options.token)
        if options.client_id is not None or options.client_secret is not None:
            user, secret = options.client_id or {"env": CLIENT_ID}, options.client_secret or {"env": CLIENT_SECRET}
            return cls("application", user, secret)
        if options.username is not None or options.password is not None:
            if options.username is None or options.password is None:
                raise DefinitionError("Basic authentication needs username and password.", where=where)
            return cls("basic", options.username, options.password)
        if options.address.web == "https://cloud.airbyte.com":
            return cls("application", {"env": CLIENT_ID}, {"env": CLIENT_SECRET})
        return cls("none")

    def identity(self) -> tuple[str, ...]:
        """Return what tells these credentials apart from others, without any secret in it."""
        return (self.kind, _written(self.user), _written(self.secret))


def _written(reference: Reference | None) -> str:
    return ":".join(next(iter(reference.items()))) if isinstance(reference, Mapping) else str(reference)


def resolve(reference: Reference | None, secret: Secret) -> str:
    """Return the value that a reference means; `secret` is asked for environment variables.

    >>> resolve({"env": "TOKEN"}, {"TOKEN": "t"}.__getitem__), resolve("user", str)
    ('t', 'user')
    """
    if isinstance(reference, Mapping):
        return secret(reference["env"]) if "env" in reference else str(take(reference))
    return reference or ""


class Authority:
    """Give requests their ``Authorization`` header, asking for a token only when one is needed.

    `ask` fetches a token: it is called with user and secret and returns the answer's JSON. All threads share one
    token, and only one of them asks for it.
    """

    def __init__(
        self, credentials: Credentials, secret: Secret, clock: Clock, ask: Callable[[str, str], Mapping[str, Any]]
    ) -> None:
        self._credentials = credentials
        self._secret = secret
        self._clock = clock
        self._ask = ask
        self._lock = threading.Lock()
        self._header: str | None = None
        self._renew_at = 0.0

    @property
    def kind(self) -> str:
        """Return the kind of authentication, for errors."""
        return self._credentials.kind

    @property
    def renewable(self) -> bool:
        """Tell whether another token can be had after one was refused."""
        return self.kind == "application"

    def header(self) -> str | None:
        """Return the header's value, None without authentication; raise what `ask` raises."""
        if self.kind == "none":
            return None
        with self._lock:
            if self._header is None or (self.renewable and self._clock.monotonic() >= self._renew_at):
                self._header = self._new_header()
            return self._header

    def drop(self, header: str | None) -> None:
        """Forget a token that was refused, unless another thread has replaced it already."""
        with self._lock:
            if self._header == header:
                self._header = None

    def _new_header(self) -> str:
        user, secret = resolve(self._credentials.user, self._secret), resolve(self._credentials.secret, self._secret)
        if self.kind == "token":
            return f"Bearer {secret}"
        if self.kind == "basic":
            from base64 import b64encode

            return f"Basic {b64encode(f'{user}:{secret}'.encode()).decode()}"
        # By our own monotonic clock since we asked: what the server's clock says of the end does not matter.
        asked = self._clock.monotonic()
        answer = self._ask(user, secret)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise AirbyteError("Airbyte handed out no token.", hint="Look at the application's settings in Airbyte.")
        self._renew_at = asked + lifetime(answer.get("expires_in"))
        return f"Bearer {token}"


def lifetime(expires_in: Any) -> float:
    """Return for how many seconds a token is used, before its end; `expires_in` may be anything.

    >>> lifetime(900), lifetime("180"), lifetime(None), lifetime(20)
    (720.0, 120.0, 120.0, 10.0)
    """
    try:
        seconds = float(expires_in)
    except (TypeError, ValueError):
        seconds = SHORT
    seconds = seconds if seconds > 0 else SHORT
    return max(min(0.8 * seconds, seconds - 60), 0.5 * seconds)
