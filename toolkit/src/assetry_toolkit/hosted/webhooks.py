"""Webhooks: those that are signed by who sends them, each taken once, and turned into a look at what it speaks of."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from assetry.plugin import EventRecord, Log, RunError

from assetry_toolkit.clock import at_most

if TYPE_CHECKING:
    from assetry import Project

#: So many events are remembered.
REMEMBERED = 10_000
#: For how many seconds a webhook waits for an answer of the service: its sender has given up soon after.
PATIENCE = 5.0

E = TypeVar("E", bound=Hashable)


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Tell whether a signature is right: the hex HMAC-SHA256 of the very bytes that came, in any case.

    >>> import hashlib, hmac
    >>> signature = hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()
    >>> is_signed(b"{}", signature.upper(), "s3cret"), is_signed(b"{ }", signature, "s3cret")
    (True, False)
    """
    right = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(right.encode(), (signature or "").strip().lower().encode())


class SignedInbox(Generic[E]):
    """Takes webhooks; `read` makes an event of a body, or None of what means nothing to us. Safe for several threads.

    >>> SignedInbox("s3cret", lambda body: body).take(b"{}", "00")
    (401, None)
    """

    def __init__(self, secret: str, read: Callable[[bytes], E | None]) -> None:
        self._secret = secret
        self._read = read
        self._seen: dict[E, None] = {}
        self._lock = threading.Lock()

    def take(self, body: bytes, signature: str | None) -> tuple[int, E | None]:
        """Return the HTTP status to answer with, and the event when it is new; `forget` one that was not dealt with.

        The answer is 200 also to what means nothing to us: senders repeat what is answered otherwise, and give up.
        """
        if not is_signed(body, signature, self._secret):
            return 401, None
        event = self._read(body)
        with self._lock:
            if event is None or event in self._seen:
                return 200, None
            self._seen[event] = None
            while len(self._seen) > REMEMBERED:
                del self._seen[next(iter(self._seen))]
        return 200, event

    def forget(self, event: E) -> None:
        """Take an event when it comes again, since nothing came of it this time.

        >>> body, signature = b"{}", hmac.new(b"s3cret", b"{}", hashlib.sha256).hexdigest()
        >>> inbox = SignedInbox("s3cret", lambda body: body)
        >>> inbox.take(body, signature), inbox.take(body, signature)
        ((200, b'{}'), (200, None))
        >>> inbox.forget(b"{}")
        >>> inbox.take(body, signature)
        (200, b'{}')
        """
        with self._lock:
            self._seen.pop(event, None)

    def handle(self, body: bytes, signature: str | None, work: Callable[[E], object]) -> int:
        """Call `work` with the event when it is new, and return the HTTP status to answer with.

        An error of `work` is raised again, and the event forgotten: let it be answered with 500, and it is sent again.

        >>> SignedInbox("s3cret", lambda body: body).handle(b"{}", "00", print)
        401
        """
        status, event = self.take(body, signature)
        if event is not None:
            try:
                work(event)
            except BaseException:
                self.forget(event)
                raise
        return status


def observe_connection(project: Project, kind: str, connection: str, seconds: float = PATIENCE) -> list[str]:
    """Look at a connection and record what became of it, as ``assetry observe`` does; return the keys of its assets.

    So a webhook need only say that it is worth looking: one that is forged, late or repeated can do no harm. `kind` is
    that of the assets, and `connection` stands in their spec. For each answer is waited for so many `seconds` at most,
    whatever the options say: who has sent a webhook waits as long.

    Raises `RunError` when the service could not be asked: nothing was observed, then.
    """
    mine = (each for each in project.graph if each.kind == kind and each.spec.get("connection") == connection)
    keys = [str(each.key) for each in mine]
    problems: list[str] = []

    def note(record: EventRecord) -> None:
        # A place that could not be asked (no invocation) leaves what the service said as it is.
        if isinstance(record.event, Log) and record.event.level == "error" and record.invocation is not None:
            problems.append(record.event.message)

    if keys:
        with at_most(seconds):
            project.observe([f"key:{key}" for key in keys], on_event=note)
    if problems:
        raise RunError(
            f"Nothing was observed of connection {connection}: {' '.join(problems)}",
            hint="Answer the webhook with 500, and it is sent again; or look yourself: `assetry observe`.",
        )
    return keys
