"""Two files may have tables of the same names: a source that reads another file than its producer writes is told."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from assetry.hooks.specs import hookimpl
from assetry.project.project import Project
from assetry.types.assets import Asset, Integration


class Mill:
    """A tool whose integrations name files as places of their tables."""

    def __init__(self, places: dict[str, str]) -> None:
        self.places = places

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "mill":
            return None
        made = integration.name == "writer"
        key = f"{integration.name}/orders"
        relation = ("shop", "raw", "orders")
        return [Asset(key=key, kind="mill", integration=integration, relation=relation, executable=made)]

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str | None:
        return self.places.get(integration.name)


@pytest.mark.parametrize(
    ("reader", "writer", "told"),
    [
        ("duckdb:/a/shop.duckdb", "duckdb:/b/shop.duckdb", True),
        ("duckdb:/a/shop.duckdb", "duckdb:/a/x/../shop.duckdb?threads=1", False),
        ("duckdb:/a/shop.duckdb", None, False),
        # A server may have several names.
        ("postgresql://localhost/shop", "postgresql://127.0.0.1/shop", False),
    ],
)
def test_a_source_in_another_file_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reader: str, writer: str | None, told: bool
) -> None:
    places = {"reader": reader} | ({} if writer is None else {"writer": writer})
    both = [Integration("reader", "mill"), Integration("writer", "mill")]
    with (
        caplog.at_level(logging.WARNING, "assetry"),
        Project(integrations=both, plugins=[Mill(places)], root=tmp_path, io="memory:") as project,
    ):
        assert project.graph["reader/orders"].key == "writer/orders"
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == told, said
    if told:
        assert "reader reads /a/shop.duckdb, and writer/orders is written to /b/shop.duckdb" in said[0]
