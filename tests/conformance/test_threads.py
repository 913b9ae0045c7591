"""The executor of this process keeps the promises of all executors."""

from __future__ import annotations

from assetry.testing import ExecutorConformance, ExecutorUnderTest


class TestThreads(ExecutorConformance):
    subject = ExecutorUnderTest("assetry.run.threads", url="threads:3")


class TestInline(ExecutorConformance):
    subject = ExecutorUnderTest("assetry.run.threads", url="inline", refuses={"parallel": "one after the other"})
