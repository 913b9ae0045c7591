"""Who asks: the header that proves it, from credentials that were given or from tokens that are handed out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from assetry.plugin import UsageError

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import MissingSecret
from assetry_toolkit.secrets import Mask

#: Seconds that a token lives when the server does not say.
SHORT = 180.0

T = TypeVar("T")


class Auth(Protocol):
    """What proves who asks. Safe for several threads, which share one."""

    #: What errors call it, such as "the token"; and whether another header can be had after one was refused.
    named: str
    renewable: bool

    def header(self) -> str:
        """Return the value of the header ``Authorization``; raise what asking for one does."""

    def drop(self, header: str) -> None:
        """Forget a header that was refused."""

    def mask(self) -> Mask:
        """Return what takes its secrets out of errors."""


class _Held:
    """A header that is kept until it is refused, and what is secret in it."""

    def __init__(self, named: str) -> None:
        self.named = named
        self._lock = threading.Lock()
        self._header: str | None = None
        self._mask = Mask()

    def drop(self, header: str) -> None:
        """Forget a header that was refused, unless another thread has replaced it already."""
        with self._lock:
            if self._header == header:
                self._header = None

    def mask(self) -> Mask:
        """Return what takes the secrets out; no lock is taken, since getting a header may fail."""
        return self._mask


class Given(_Held):
    """Credentials that the user was given; `read` returns the header and what is secret in it, when it is needed first.

    See `bearer` and `basic`.
    """

    renewable = False

    def __init__(self, named: str, read: Callable[[], tuple[str, ...]]) -> None:
        super().__init__(named)
        self._read = read

    def header(self) -> str:
        """Return the header; one that was refused is read anew."""
        with self._lock:
            if self._header is None:
                self._header, *secrets = _given(self._read)
                self._mask = Mask(frozenset(secrets))
            return self._header


def _given(read: Callable[[], T]) -> T:
    """Return what `read` does; raise `MissingSecret` where a secret of it is not set."""
    try:
        return read()
    except UsageError as error:
        raise MissingSecret(error.message, near=error.near, hint=error.hint) from error


def bearer(secret: Callable[[], str], *, scheme: str = "Bearer", named: str = "the token") -> Given:
    """Return credentials that are a token; some services have a word of their own for it (``scheme="Token"``).

    >>> bearer(lambda: "t0ken").header()
    'Bearer t0ken'
    """

    def read() -> tuple[str, str]:
        token = secret()
        return f"{scheme} {token}", token

    return Given(named, read)


def basic(
    user: Callable[[], str],
    secret: Callable[[], str],
    *,
    named: str = "username and password",
    secret_user: bool = False,
) -> Given:
    """Return credentials that are a user name and a password, or a key and its secret (RFC 7617).

    `secret_user` says that the first is to be kept out of errors, too.

    >>> basic(lambda: "bob", lambda: "s3cret").header()
    'Basic Ym9iOnMzY3JldA=='
    """

    def read() -> tuple[str, ...]:
        from base64 import b64encode

        name, password = user(), secret()
        header = f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"
        return (header, password, name) if secret_user else (header, password)

    return Given(named, read)


@dataclass(frozen=True, slots=True)
class Token:
    """A token that a service has handed out, and the seconds that it lives: anything, as the service says it."""

    text: str = field(repr=False)
    expires_in: Any = None

    @property
    def lifetime(self) -> float:
        """Return for how many seconds it is used, which ends before its life does.

        >>> [Token("t", each).lifetime for each in (900, "180", None, 20)]
        [720.0, 120.0, 120.0, 10.0]
        """
        try:
            seconds = float(self.expires_in)
        except (TypeError, ValueError):
            seconds = SHORT
        seconds = seconds if 0 < seconds < float("inf") else SHORT
        return max(min(0.8 * seconds, seconds - 60), 0.5 * seconds)


class Renewed(_Held):
    """Tokens that a service hands out for a while: asked for when one is needed, and replaced before its end.

    `secret` is what a token is got for, and `fetch` asks for one with it, by a request that is not signed. All threads
    share a token, and only one of them asks.

    >>> Renewed(lambda: "s3cret", lambda secret: Token("t0ken", expires_in=900)).header()
    'Bearer t0ken'
    """

    renewable = True

    def __init__(
        self,
        secret: Callable[[], str],
        fetch: Callable[[str], Token],
        *,
        clock: Clock | None = None,
        named: str = "the credentials",
    ) -> None:
        super().__init__(named)
        self._secret = secret
        self._fetch = fetch
        self._clock = clock or Clock()
        self._renew_at = 0.0

    def header(self) -> str:
        """Return a header with a token, fetched if there is none that lives."""
        with self._lock:
            if self._header is None or self._clock.monotonic() >= self._renew_at:
                self._header = self._new_header()
            return self._header

    def _new_header(self) -> str:
        # By our own monotonic clock since we asked: what the server's clock says of the end does not matter.
        asked = self._clock.monotonic()
        secret = _given(self._secret)
        self._mask = Mask(frozenset({secret}))
        token = self._fetch(secret)
        self._mask = Mask(frozenset({secret, token.text}))
        self._renew_at = asked + token.lifetime
        return f"Bearer {token.text}"
