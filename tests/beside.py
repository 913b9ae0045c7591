"""Work on a thread of its own, for tests that look on while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from assetry.testing import eventually

T = TypeVar("T")


def until(said: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until something holds, with a deadline."""
    assert eventually(said, seconds), "it did not happen"


class InThread(Generic[T]):
    """Work that began on a thread of its own, and what came of it."""

    def __init__(self, work: Callable[[], T], seconds: float = 30) -> None:
        self._work = work
        self._seconds = seconds
        self.result: T | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:
            self.error = error

    def join(self) -> T:
        """Wait for its end, and return what it returned; raise what it raised."""
        self.thread.join(self._seconds)
        assert not self.thread.is_alive(), "it hangs"
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result
