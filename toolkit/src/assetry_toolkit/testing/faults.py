"""Faults to inject, and the requests that were seen."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour of the fake server.

    * `status` and `body` (JSON, or text) are answered instead of the truth, with `headers`; without a status the
      request is carried out and its answer is changed only by `patch`, which is merged into the JSON.
    * `drop`: the connection is broken off without an answer; with `cut` in the middle of it.
    * `carried_out`: the request is carried out all the same before.
    * `delay`: seconds that pass before anything is answered.

    >>> Fault(status=503).status
    503
    """

    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: bool = False
    carried_out: bool = False
    delay: float = 0.0
    patch: Mapping[str, Any] | None = None


#: A login page in front of the service.
LOGIN_PAGE = Fault(status=200, body="<!doctype html><title>Log in</title>", headers={"Content-Type": "text/html"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that arrived: `at` is in seconds of the server's clock.

    `path` is what follows `base`, the one of the server's base paths that it began with; "" when it began with none.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str]
    at: float
    base: str = ""

    def header(self, name: str) -> str:
        """Return a header, however its name is written; "" when there is none.

        >>> Seen("GET", "/jobs", {}, None, {"Content-type": "text/html"}, 0.0).header("Content-Type")
        'text/html'
        """
        return next((value for each, value in self.headers.items() if each.lower() == name.lower()), "")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Refusal(Exception):
    """An answer that is an error: its HTTP status, its body, and headers.

    >>> Refusal(404, {"message": "There is no job 7"}).status
    404
    """

    def __init__(self, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.headers = headers or {}
        self.status = status
        self.body = body


class Faults:
    """The faults that are still to happen, by request."""

    def __init__(self) -> None:
        self._waiting: list[tuple[re.Pattern[str], list[Fault]]] = []
        self._lock = threading.Lock()

    def add(self, request: str, faults: list[Fault]) -> None:
        """Let the next requests that match the pattern (``POST /jobs``) meet these faults, one each."""
        with self._lock:
            self._waiting.append((re.compile(request), list(faults)))

    def clear(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._lock:
            self._waiting.clear()

    def next(self, request: str) -> Fault | None:
        """Return the fault that a request meets, None when all is well."""
        with self._lock:
            for pattern, faults in self._waiting:
                if faults and pattern.fullmatch(request):
                    return faults.pop(0)
        return None
