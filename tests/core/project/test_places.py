"""What is told of places: a source that reads another file than its producer writes, a table in a place not known."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry.errors import ValueStoreError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import load_plugins
from assetry.hooks.specs import hookimpl
from assetry.io.memory import MemoryIO
from assetry.io.values import ValueRouter
from assetry.project.places import asset_warnings
from assetry.project.project import Project
from assetry.types.assets import Asset, Dep, Integration, Relation
from assetry.types.keys import AssetKey


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


# -- tables in a place that is not known -------------------------------------------------------------------------------

CRM, SHOP = Integration("crm", "mill"), Integration("shop", "mill")


class Warehouse(MemoryIO):
    def relation(self, asset: Asset) -> Relation | None:
        return asset.relation


def told(read: Asset, *, named: bool = True, kept: bool = True, default: Callable[[], Any] = MemoryIO) -> list[str]:
    """Return what is warned of an asset that takes the value of `read`; only SHOP names the place of its tables."""
    deps = [Dep(AssetKey("crm/orders"), name="orders" if named else None)]
    graph = AssetGraph.of([read, Asset(key="best", kind="python", deps=deps, kept=kept)])
    values = ValueRouter(lambda _: default(), "x:", io_url=lambda own: "shop:" if own == SHOP else None)
    everything = asset_warnings(graph, load_plugins({}, (), allowed=[]), lambda: values)
    assert asset_warnings(graph, load_plugins({}, (), allowed=[]), lambda: values, ["crm/orders"]) == ()
    return [str(each) for each in everything]


def orders(own: Integration = CRM, **more: Any) -> Asset:
    return Asset(**{"key": "crm/orders", "kind": "mill", "integration": own, "relation": ("d", "s", "orders"), **more})


def test_a_value_of_a_table_in_a_place_that_nothing_names_is_warned_of_with_the_next_step() -> None:
    assert told(orders()) == [
        "best reads crm/orders, whose table d.s.orders is in a place that is not known. Name that place with `io` in "
        "assetry.toml: of integration 'crm', where it takes one, or of the project."
    ]
    assert len(told(orders(executable=False))) == 1


def test_a_table_whose_place_is_known_or_whose_value_is_not_taken_is_no_trouble() -> None:
    assert told(orders(SHOP)) == []  # its integration names it
    assert told(orders(io="duckdb:x")) == []
    assert told(orders(), default=Warehouse) == []  # it may be where the project has its own tables
    assert told(orders(kept=True)) == []  # its tool hands its value over
    assert told(orders(relation=None)) == []
    assert told(orders(integration=None)) == []
    assert told(orders(), named=False) == []
    assert told(orders(), kept=False) == []


def test_a_place_that_cannot_be_told_is_no_trouble_before_it_is_needed() -> None:
    def broken() -> Any:
        raise ValueStoreError("no such plugin")

    assert told(orders(), default=broken) == []


@pytest.mark.parametrize(
    ("url", "told"),
    [("postgre://lake/raw", "'postgre' URLs"), ("garbage", "'garbage' URLs"), ("memory:", None), (None, None)],
)
def test_the_place_that_an_integration_names_is_opened_by_something(
    tmp_path: Path, url: str | None, told: str | None
) -> None:
    reader = Integration("reader", "mill", {} if url is None else {"io": url})
    with Project(integrations=[reader], plugins=[Mill({"reader": url} if url else {})], root=tmp_path) as project:
        problems = project.place_problems()
        assert len(problems) == (told is not None)
        for problem in problems:
            assert problem.message.startswith("`io` of integration 'reader': ")
            assert told is not None
            assert told in problem.message


def test_an_io_that_names_a_file_which_is_not_there_is_warned_of_with_its_line(tmp_path: Path) -> None:
    there = tmp_path / "there.duckdb"
    there.touch()
    lines = [f'[integrations.{name}]\nkind = "mill"\nio = "x"\n' for name in ("writer", "second")]
    (tmp_path / "assetry.toml").write_text("".join(lines))
    mill = Mill({"writer": f"duckdb:{tmp_path}/nowhere.duckdb?threads=1", "second": f"duckdb:{there}"})
    with Project.load(tmp_path, plugins=[mill]) as project:
        (warned,) = asset_warnings(project.graph, project.plugins, lambda: project.values, None, project.settings)
    assert warned.key == "writer/orders"
    assert f"{tmp_path}/nowhere.duckdb" in warned.text
    assert "assetry.toml:3)" in warned.text
    assert "there is no such file" in warned.text
