"""The SQLite store keeps the promises of all stores."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from assetry.testing import StoreConformance, StoreUnderTest


class TestSQLite(StoreConformance):
    def subject(self, folder: Path) -> StoreUnderTest:
        numbers = count()
        return StoreUnderTest("assetry.store.sqlite", new_url=lambda: f"sqlite:{folder}/state-{next(numbers)}.db")


class TestSQLiteInMemory(StoreConformance):
    subject = StoreUnderTest(
        "assetry.store.sqlite", new_url=lambda: "sqlite::memory:", refuses={"durable": "memory ends with the process"}
    )
