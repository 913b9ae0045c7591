"""The executor of this process keeps the promises of all executors."""

from __future__ import annotations

import pytest
from assetry.testing import ExecutorConformance, ExecutorUnderTest


@pytest.fixture(autouse=True)
def _little_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt soon what does not look whether it was cancelled."""
    monkeypatch.setattr("assetry.run.threads.GRACE", 0.1)


class TestThreads(ExecutorConformance):
    subject = ExecutorUnderTest("assetry.run.threads", url="threads:3")


class TestInline(ExecutorConformance):
    subject = ExecutorUnderTest("assetry.run.threads", url="inline", refuses={"parallel": "one after the other"})
