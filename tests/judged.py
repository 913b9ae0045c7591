"""How assets are, for tests that ask nothing else of a judgement."""

from __future__ import annotations

from typing import Any

from assetry.status.staleness import Status, judge


def statuses(*given: Any, **more: Any) -> tuple[Status, ...]:
    """Return how every asset of a graph is, in graph order, as `judge` finds it."""
    return judge(*given, **more).statuses
