"""What IO managers keep, deleted where the record says that it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry.errors import ValueStoreError
from assetry.io.files import FileIO
from assetry.io.memory import MemoryIO
from assetry.io.values import ValueRouter
from assetry.project.upkeep.kept import delete_kept
from assetry.types.assets import Asset, Relation
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization, Origin

SALES = Asset(key="sales", kind="python", kept=True)


def made(origin: Origin | None) -> Materialization:
    return Materialization(key=AssetKey("sales"), at=datetime.now(UTC), run="r", data_version="1", origin=origin)


def routed(opened: Any, files: str = "files:") -> ValueRouter:
    return ValueRouter(
        opened, files, files=files, last_metadata=lambda *_: {}, was_made=lambda *_: True, describe=lambda _: {}
    )


@pytest.fixture
def router(tmp_path: Path) -> ValueRouter:
    return routed({"tables:": MemoryIO(), "files:": FileIO(tmp_path)}.get)


@pytest.mark.parametrize("place", ["tables:", "files:"])
def test_it_is_deleted_where_it_was_kept(router: ValueRouter, place: str) -> None:
    for each in ("tables:", "files:"):
        router.manager(each).save(SALES, 1)
    assert delete_kept(router, made(Origin("python", io=place, kept=True)), None, ["tables:"]) == place
    there = [router.manager(each).exists([(SALES, None)]) for each in ("tables:", "files:")]  # type: ignore[attr-defined]
    assert there == [[place != "tables:"], [place != "files:"]]


def test_what_cannot_be_deleted_says_what_to_do(router: ValueRouter) -> None:
    def error(origin: Origin | None, partition: str | None = None) -> str:
        with pytest.raises(ValueStoreError, match=r"kept|knows") as told:
            delete_kept(router, made(origin), partition, ["tables:"])
        assert "--records-only" in str(told.value.hint)
        return str(told.value.message)

    assert "Nothing tells where 'sales' was kept" in error(None)
    assert "Nothing tells where 'sales' was kept" in error(Origin("python", kept=True))
    gone = Origin("python", io="postgresql://db.example.com/shop", kept=True)
    assert "which nothing of this project leads to now" in error(gone)
    rows = Origin("dbt", "shop", Relation(None, None, "sales"), "tables:")
    assert "its tool knows" in error(rows, "2026-01-01")


def test_a_place_is_found_again_by_its_url_of_now() -> None:
    asked: list[str] = []

    class Place(MemoryIO):
        def delete(self, asset: Asset, partition: str | None = None) -> None:
            asked.append(f"{asset.key} {asset.relation} {partition}")

    urls: list[str] = []

    def opened(url: str) -> Any:
        urls.append(url)
        return Place()

    router = routed(opened, "parquet:/d")
    origin = Origin("python", None, Relation("shop", "raw", "sales"), "postgresql://db.example.com/shop", kept=True)
    known = "postgresql://bob:secret@db.example.com/shop?schema=other"
    assert delete_kept(router, made(origin), "2026-01-01", [known]) == (
        "shop.raw.sales in postgresql://db.example.com/shop"
    )
    assert (urls, asked) == ([known], ["sales shop.raw.sales 2026-01-01"])
    # One that needs no password is opened by what the record says.
    origin = Origin("python", None, Relation("shop", "raw", "sales"), "duckdb:/srv/my shop.duckdb", kept=True)
    delete_kept(router, made(origin), None, [known])
    assert urls[1:] == ["duckdb:/srv/my%20shop.duckdb"]
