"""Ctrl-C and SIGTERM, counted while a run lasts: the first cancels it, the next ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """How often a run was interrupted; `wake` is called each time, as a signal's handler may."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.count = 0
        self._wake = wake

    @contextmanager
    def listening(self, wanted: bool) -> Iterator[None]:
        """Count Ctrl-C and SIGTERM instead of ending the process while this lasts, where that is `wanted`."""
        if not wanted or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                # None: it was not Python that had set it.
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        # Only a count and a wake-up: a signal may arrive in the middle of a transaction.
        self.count += 1
        self._wake()
