"""Live objects of this process: those that a person hands over in Python, and those that invocations share.

Definitions are plain JSON, so of an HTTP client or an SDK object they hold only a reference, ``{"given": "1"}``. It is
known in the process that made it and nowhere else; for runs on other machines secrets are given by environment
variables instead.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from assetry.plugin import IntegrationError

_KEPT: dict[str, Any] = {}
_NUMBERS = itertools.count(1)
_LOCK = threading.Lock()

T = TypeVar("T")


def keep(thing: Any) -> dict[str, str]:
    """Return a reference to a live object of this process; the same one for the same object.

    >>> thing = object()
    >>> take(keep(thing)) is thing, keep(thing) == keep(thing)
    (True, True)
    """
    with _LOCK:
        for reference, kept in _KEPT.items():
            if kept is thing or (isinstance(thing, str) and kept == thing):
                return {"given": reference}
        reference = str(next(_NUMBERS))
        _KEPT[reference] = thing
        return {"given": reference}


def take(reference: Mapping[str, str]) -> Any:
    """Return what a reference means; raise `IntegrationError` when it was made in another process."""
    try:
        return _KEPT[reference["given"]]
    except KeyError:
        raise IntegrationError(
            "An object that was handed over in Python (an SDK object, an HTTP client) is not known in this process.",
            hint='Give plain values in its place, and secrets by their environment variable: {"env": "NAME"}.',
        ) from None


@dataclass(slots=True)
class _Lent(Generic[T]):
    thing: T
    users: int = 0


class Shared(Generic[T]):
    """The things of one sort that invocations of this process share, such as the client of each account.

    >>> clients = Shared[list[str]](close=lambda client: client.append("closed"))
    >>> with clients.lend("account", lambda: ["made"]) as one, clients.lend("account", lambda: ["another"]) as two:
    ...     one is two
    True
    >>> one
    ['made', 'closed']
    """

    def __init__(self, close: Callable[[T], object]) -> None:
        self._close = close
        self._lent: dict[Hashable, _Lent[T]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def lend(self, key: Hashable, make: Callable[[], T]) -> Iterator[T]:
        """Give what is kept under `key` while this lasts; `make` is called when nothing is."""
        with self._lock:
            if key not in self._lent:
                self._lent[key] = _Lent(make())
            lent = self._lent[key]
            lent.users += 1
        try:
            yield lent.thing
        finally:
            with self._lock:
                lent.users -= 1
                last = not lent.users
                if last:
                    del self._lent[key]
            if last:
                self._close(lent.thing)
