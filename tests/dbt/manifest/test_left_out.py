"""Tests that dbt leaves out are told, by the names that mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Integration
from assetry_dbt import loading
from assetry_dbt.loading import load
from assetry_dbt.manifest.left_out import LeftOut, left_out_tests
from assetry_dbt.manifest.manifest import decode_manifest

Found = Callable[..., list[LeftOut]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """Return what is left out of a manifest with models `orders` and `lines`, a source, and one test."""

    def look(
        refs: Any = (), sources: Any = (), *, enabled: bool = False, disabled: tuple[str, ...] = ()
    ) -> list[LeftOut]:
        nodes = {
            f"model.shop.{name}": {"unique_id": f"model.shop.{name}", "name": name, "resource_type": "model"}
            for name in ("orders", "lines")
        }
        test = {
            "unique_id": "test.shop.t",
            "name": "t",
            "resource_type": "test",
            "original_file_path": "tests/t.sql",
            "config": {"enabled": enabled},
            "refs": refs,
            "sources": sources,
        }
        source = {"unique_id": "source.shop.raw.events", "name": "events", "source_name": "raw"}
        path = tmp_path / "manifest.json"
        path.write_text(
            json.dumps(
                {
                    "nodes": {**nodes, "test.shop.t": test},
                    "sources": {"source.shop.raw.events": source},
                    "disabled": {each: [{}] for each in disabled},
                }
            )
        )
        return left_out_tests(decode_manifest(path.read_bytes()), path)

    return look


@pytest.mark.parametrize(
    "refs", [[{"name": "order", "package": None, "version": None}], [["order"]], [["shop", "order"]]]
)
def test_a_model_that_is_not_there(found: Found, refs: Any) -> None:
    assert found(refs) == [LeftOut("t", "tests/t.sql", ("order",), ("orders",))]


def test_only_what_is_missing_is_named(found: Found) -> None:
    (left_out,) = found([{"name": "orders"}], [["raw", "event"]])
    assert left_out.missing == ("raw.event",)
    assert "raw.events" in left_out.near


@pytest.mark.parametrize("disabled", ["model.shop.off", "model.shop.off.v2", "seed.shop.off"])
def test_what_reads_what_is_disabled_is_left_out_on_purpose(found: Found, disabled: str) -> None:
    assert found([{"name": "off"}, {"name": "orders"}], disabled=(disabled,)) == []
    assert found([{"name": "off"}, {"name": "orders"}], disabled=("test.shop.off",)) != []


def test_a_test_that_is_switched_off_or_runs_is_not_told(found: Found) -> None:
    assert found([{"name": "orders"}]) == []
    assert found([{"name": "order"}], enabled=True) == []


@pytest.mark.slow
def test_loading_warns_of_what_the_real_dbt_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "dbt_project.yml": "{name: shop, profile: shop}",
        "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb}}}",
        "models/orders.sql": "select 1 as id",
        "models/off.sql": "{{ config(enabled=false) }} select 1 as id",
        "tests/spelt_wrong.sql": "select * from {{ ref('odrers') }}",
        "tests/switched_off.sql": "select * from {{ ref('off') }}",
        "models/s.yml": """\
models:
  - name: orders
    columns: [{name: id, data_tests: [{relationships: {name: far, arguments: {to: "source('raw', 'x')", field: id}}}]}]
""",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    heard: list[str] = []
    monkeypatch.setattr(loading._log, "warning", lambda text, *given: heard.append(text % given))
    load(Integration("shop", "dbt", {}, str(tmp_path)))
    assert sorted(heard) == [
        "dbt project 'shop': a test is left out by dbt: far (models/s.yml) reads 'raw.x', which is not there.",
        "dbt project 'shop': a test is left out by dbt: spelt_wrong (tests/spelt_wrong.sql) reads 'odrers', "
        "which is not there; did you mean 'orders'?",
    ]
