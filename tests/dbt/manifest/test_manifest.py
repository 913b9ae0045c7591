"""Tests of `assetry_dbt.manifest.manifest`: every schema version is read, nothing else passes for a manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError
from assetry_dbt.manifest.manifest import decode_manifest, read_manifest

#: Real manifests of schema 1 to 12, where a checkout has them beside it.
COLLECTED = sorted((Path(__file__).resolve().parents[4] / "shared" / "manifests").glob("*.json"))


@pytest.fixture(scope="module")
def parsed(nasty_project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    return found


def decoded(manifest: object) -> Any:
    return decode_manifest(json.dumps(manifest).encode())


def test_reads_what_dbt_writes(nasty_project: Path) -> None:
    manifest = read_manifest(nasty_project / "target" / "manifest.json")
    assert manifest.project == "shop"
    node = (manifest.nodes or {})["model.shop.stg_b"]
    assert node.upstream == ["seed.shop.country"]
    assert node.macros == ["macro.shop.cents"]
    assert node.config["materialized"] == "view"
    assert "cents" in node.code


def test_equal_configs_are_shared(nasty_project: Path) -> None:
    nodes = read_manifest(nasty_project / "target" / "manifest.json").nodes or {}
    assert nodes["model.shop.stg_b"].config is nodes["model.shop.stg_c"].config
    assert nodes["model.shop.m1"].config is not nodes["model.shop.stg_c"].config


def test_every_field_but_the_identity_may_be_null(parsed: dict[str, Any]) -> None:
    kept = {"unique_id", "name", "resource_type", "package_name", "source_name"}
    sections = ("nodes", "sources", "exposures", "unit_tests")
    bare = {
        section: {
            unique_id: {name: value if name in kept else None for name, value in item.items()}
            for unique_id, item in parsed[section].items()
        }
        for section in sections
    }
    manifest = decoded({**dict.fromkeys(parsed), **bare})
    assert len(manifest.nodes) == len(parsed["nodes"])
    assert next(iter(manifest.nodes.values())).config == {}


def test_missing_and_unknown_fields_are_fine(parsed: dict[str, Any]) -> None:
    node = {"unique_id": "model.shop.a", "name": "a", "resource_type": "model", "brand_new": {"deep": [1]}}
    manifest = decoded({"nodes": {"model.shop.a": node}, "hologram": 7})
    assert manifest.nodes["model.shop.a"].upstream == []
    assert manifest.project is None


@pytest.mark.parametrize("version", [4, 9, 12, 20, 31])
def test_the_schema_version_does_not_matter(parsed: dict[str, Any], version: int) -> None:
    schema = f"https://schemas.getdbt.com/dbt/manifest/v{version}.json"
    manifest = decoded({**parsed, "metadata": {**parsed["metadata"], "dbt_schema_version": schema}})
    assert len(manifest.nodes) == len(parsed["nodes"])


def test_raw_sql_of_old_schemas_is_the_code() -> None:
    node = {"unique_id": "model.s.a", "name": "a", "resource_type": "model", "raw_sql": "select 1"}
    assert decoded({"nodes": {"model.s.a": node}}).nodes["model.s.a"].code == "select 1"


@pytest.mark.skipif(not COLLECTED, reason="no collected manifests beside this checkout")
@pytest.mark.parametrize("path", COLLECTED, ids=lambda path: path.stem)
def test_reads_collected_manifests(path: Path) -> None:
    manifest = read_manifest(path)
    plain = json.loads(path.read_bytes())
    assert len(manifest.nodes or {}) == len(plain["nodes"])
    for unique_id, node in (manifest.nodes or {}).items():
        assert node.upstream == (plain["nodes"][unique_id].get("depends_on", {}).get("nodes") or [])
        assert node.config == plain["nodes"][unique_id]["config"]


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(IntegrationError, match="no dbt manifest") as caught:
        read_manifest(tmp_path / "manifest.json")
    assert "dbt parse" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(IntegrationError, match="cannot be read"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_named_so(parsed: dict[str, Any], share: float) -> None:
    data = json.dumps(parsed).encode()
    with pytest.raises(IntegrationError, match="not whole"):
        decode_manifest(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[1, 2]", "not a dbt manifest"),
        (b'{"a": 1}', "not a dbt manifest"),
        (b'{"nodes": {"x": {"name": 1}}}', "x has no unique_id"),
        (b"\x80\x81", "not whole"),
        (
            b'{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"}}',
            "but dbt's run-results",
        ),
    ],
)
def test_something_else_is_no_manifest(content: bytes, words: str) -> None:
    with pytest.raises(IntegrationError, match=words):
        decode_manifest(content)
