"""Tests of `assetry_dbt.manifest.tolerance`: an odd value costs no more than the field that it stands in."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, AssetKey, DefinitionError, Integration, IntegrationError
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.manifest import decode_manifest
from assetry_dbt.selecting.index import items_of

SECTIONS = ("nodes", "sources", "exposures", "unit_tests", "macros", "groups")
#: Without these a node is not what it is; what is odd in them is refused.
IDENTITY = {"unique_id", "name", "resource_type", "package_name", "source_name", "version", "depends_on", "config"}
#: These are the table's name, or decide what is a node, a test or a view.
MEANT = {"database", "schema", "alias", "identifier", "attached_node", "test_metadata", "model"}
ODD: tuple[Any, ...] = (None, 7, 1.5, True, "", "odd", [], [None, 3], {}, {"odd": None})


@pytest.fixture(scope="module")
def parsed(nasty_project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    found["macros"] = {name: each for name, each in found["macros"].items() if ".shop." in name}
    return {section: found[section] for section in (*SECTIONS, "metadata")}


def load(manifest: dict[str, Any]) -> list[Asset]:
    read = decode_manifest(json.dumps(manifest).encode())
    place = Placement(Integration("shop", "dbt"), "shop", "dev")
    assert items_of(read)
    return assets_of(read, place, CodeVersions(read))


def shape(assets: list[Asset]) -> dict[AssetKey, tuple[set[AssetKey], int]]:
    return {asset.key: ({dep.key for dep in asset.deps}, len(asset.checks)) for asset in assets}


def changed(manifest: dict[str, Any], section: str, field: str, value: Any) -> dict[str, Any]:
    """Return the manifest with `value` in one field of all that have it, of one section."""
    items = {name: {**item, field: value} if field in item else item for name, item in manifest[section].items()}
    return {**manifest, section: items}


def fields(manifest: dict[str, Any], section: str) -> list[str]:
    return sorted({field for item in manifest[section].values() for field in item})


@pytest.mark.parametrize("section", SECTIONS)
def test_an_odd_value_in_a_field_that_is_not_needed_changes_no_graph(parsed: dict[str, Any], section: str) -> None:
    whole = shape(load(parsed))
    for field in fields(parsed, section):
        if field in IDENTITY | MEANT:
            continue
        for value in ODD:
            assert shape(load(changed(parsed, section, field, value))) == whole, (field, value)


@pytest.mark.parametrize("section", SECTIONS)
def test_an_odd_value_anywhere_is_read_or_refused(parsed: dict[str, Any], section: str) -> None:
    for field in fields(parsed, section):
        for value in ODD if field in IDENTITY | MEANT else ():
            with suppress(IntegrationError, DefinitionError):
                assert load(changed(parsed, section, field, value))


@pytest.mark.parametrize("name", ["enabled", "materialized", "meta", "tags", "group", "severity"])
def test_an_odd_value_in_a_config_is_read(parsed: dict[str, Any], name: str) -> None:
    for value in ODD:
        items = {key: {**node, "config": {**node["config"], name: value}} for key, node in parsed["nodes"].items()}
        assert load({**parsed, "nodes": items})


def test_null_among_dependencies_is_nothing_and_what_is_no_name_is_refused(parsed: dict[str, Any]) -> None:
    def reading(upstream: Any) -> dict[str, Any]:
        node = {**parsed["nodes"]["model.shop.m1"], "depends_on": upstream}
        return {**parsed, "nodes": {**parsed["nodes"], "model.shop.m1": node}}

    found = load(reading({"nodes": ["model.shop.stg_a", None], "macros": [None, "macro.shop.cents", 5]}))
    marts = next(asset for asset in found if asset.key == "shop/m1")
    assert [dep.key for dep in marts.deps] == ["shop/stg_a"]
    for odd in ({"nodes": [["model.shop.stg_a"]]}, {"nodes": {"a": 1}}, "model.shop.stg_a"):
        with pytest.raises(IntegrationError, match=r"has (no )?(nodes|depends_on) that can"):
            load(reading(odd))


def test_a_node_that_is_no_table_is_refused_and_null_is_none(parsed: dict[str, Any]) -> None:
    assert load({**parsed, "nodes": {**parsed["nodes"], "model.shop.odd": None}})
    with pytest.raises(IntegrationError, match=r"model\.shop\.odd is no table"):
        load({**parsed, "nodes": {**parsed["nodes"], "model.shop.odd": "odd"}})


def test_a_number_where_text_is_usual_is_told_as_it_is(parsed: dict[str, Any]) -> None:
    found = load(changed(parsed, "nodes", "description", 5))
    assert next(asset for asset in found if asset.key == "shop/m1").description == "5"
