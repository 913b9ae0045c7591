"""Waiting for what processes do: asked again and again, for as long as a busy machine may take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 90.0


def until(found: Callable[[], Any], what: str) -> Any:
    """Return the first answer that is something; fail when there is none in time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        answer = found()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE} s")
