"""DuckDB files keep the promises of all IO managers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assetry.testing import IOManagerConformance, IOUnderTest


def too_wide() -> Any:
    import pyarrow as pa

    return pa.table({"n": pa.array([1], pa.decimal256(60, 2))})


class TestDuckDB(IOManagerConformance):
    def subject(self, folder: Path) -> IOUnderTest:
        url = f"duckdb:{folder}/shop.duckdb?schema=raw"
        return IOUnderTest("assetry_duckdb.plugin", url=url, unkeepable=too_wide())
