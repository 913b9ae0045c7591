"""Tests of `assetry_dbt.manifest.assets`: what becomes an asset, what a check, and where each stands."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, AssetKey, DefinitionError, Integration, Relation
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.manifest import Manifest, decode_manifest, project_name, read_manifest

COLLECTED = sorted((Path(__file__).resolve().parents[4] / "shared" / "manifests").glob("*.json"))
INTEGRATION = Integration("transform", "dbt", {})


def translated(manifest: Manifest, project: str = "shop") -> dict[str, Asset]:
    placement = Placement(INTEGRATION, project, "dev")
    found = assets_of(manifest, placement, CodeVersions(manifest))
    by_key = {str(asset.key): asset for asset in found}
    assert len(by_key) == len(found)
    return by_key


@pytest.fixture(scope="module")
def plain(nasty_project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    return found


@pytest.fixture(scope="module")
def assets(nasty_project: Path) -> dict[str, Asset]:
    return translated(read_manifest(nasty_project / "target" / "manifest.json"))


def changed(plain: dict[str, Any], section: str, unique_id: str, **fields: Any) -> dict[str, Asset]:
    """Return the assets of the project with some fields of one node changed."""
    items = {**plain[section], unique_id: {**plain[section][unique_id], **fields}}
    return translated(decode_manifest(json.dumps({**plain, section: items}).encode()))


def deps(asset: Asset) -> list[str]:
    return sorted(str(dep.key) for dep in asset.deps)


def test_keys_and_kinds(assets: dict[str, Asset]) -> None:
    kinds = Counter(asset.resource_type for asset in assets.values() if not asset.inlined)
    assert kinds == {"model": 18, "seed": 4, "snapshot": 1, "source": 2, "exposure": 1, "test": 1}
    assert {"shop/orders", "pkg/orders", "shop/ver/v1", "shop/ver/v2", "shop/raw/events"} <= set(assets)
    assert "shop/off" not in assets
    assert "shop/look" not in assets
    assert all(asset.kind == "dbt" and asset.integration == INTEGRATION for asset in assets.values())


def test_a_model_in_full(assets: dict[str, Asset]) -> None:
    asset = assets["shop/stg_a"]
    assert asset.description == "Events, cleaned."
    assert asset.group == "finance"
    assert asset.owners == ("a@example.com", "finance@example.com")
    assert sorted(asset.tags) == ["core", "nightly"]
    assert [tuple(column[:3]) for column in asset.columns] == [("id", "integer", "The key.")]
    assert asset.relation == Relation("shop", "main", "stg_a")
    assert asset.source == "models/staging/stg_a.sql"
    assert asset.fqn == ("shop", "staging", "stg_a")
    assert asset.spec["unique_id"] == "model.shop.stg_a"
    assert asset.metadata["materialized"] == "view"
    assert asset.metadata["patch"] == "models/staging/schema.yml"
    assert asset.executable
    assert not asset.fallback


def test_versions(assets: dict[str, Asset]) -> None:
    first = assets["shop/ver/v1"]
    assert (first.version, first.relation) == ("1", Relation("shop", "main", "ver_v1"))
    assert assets["shop/m1"].deps[1].key == first.key


def test_a_source_carries_the_tables_own_name(assets: dict[str, Asset]) -> None:
    source = assets["shop/raw/events"]
    assert source.relation == Relation("shop", "main", "events_2024")
    assert not source.executable
    assert source.description == "What happened."
    assert source.joins == AssetKey("website_events")
    assert source.owners == ("data@example.com",)
    assert assets["shop/raw/clicks"].joins is None


def test_ephemeral_models_are_transparent(assets: dict[str, Asset]) -> None:
    inlined = {"shop/e1", "shop/e2", "shop/loner"}
    assert {key for key, asset in assets.items() if asset.inlined and asset.resource_type == "model"} == inlined
    assert deps(assets["shop/uses"]) == ["shop/stg_a", "shop/stg_b"]


def test_what_dbt_reads_by_its_own_time_grows_and_a_seed_does_not(
    plain: dict[str, Any], assets: dict[str, Asset]
) -> None:
    seed = next(asset for asset in assets.values() if asset.resource_type == "seed")
    assert (seed.grows, assets["shop/m2"].grows, assets["shop/raw/events"].grows) == ("never", "replace", "replace")

    def grows(section: str, unique_id: str, key: str, **config: Any) -> str:
        before = plain[section][unique_id]
        return changed(plain, section, unique_id, config={**before["config"], **config})[key].grows

    model, source = ("nodes", "model.shop.m2", "shop/m2"), ("sources", "source.shop.raw.clicks", "shop/raw/clicks")
    for each in (model, source):
        assert grows(*each, event_time="at") == "append"
        assert grows(*each, meta={"assetry": {"grows": "append"}}) == "append"
        assert grows(*each, event_time="at", meta={"assetry": {"grows": "replace"}}) == "replace"
    m2 = plain["nodes"]["model.shop.m2"]
    above = next(each for each in m2["depends_on"]["nodes"] if each.startswith("model."))
    parted = {"meta": {"assetry": {"partitions": {"type": "daily", "start": "2026-01-01", "vars": {"start": "a"}}}}}
    nodes = {
        **plain["nodes"],
        above: {**plain["nodes"][above], "config": {**plain["nodes"][above]["config"], **parted}},
        m2["unique_id"]: {**m2, "config": {**m2["config"], "event_time": "at"}},
    }
    found = translated(decode_manifest(json.dumps({**plain, "nodes": nodes}).encode()))
    assert found["shop/m2"].grows == "replace", "a partition that is made again may be of any time"
    with pytest.raises(DefinitionError, match=r"of model.shop.m2 is 'apend'") as caught:
        grows(*model, meta={"assetry": {"grows": "apend"}})
    assert (caught.value.near, caught.value.where) == (
        ("append",),
        plain["nodes"]["model.shop.m2"]["original_file_path"],
    )


def test_exposures_end_the_graph(assets: dict[str, Asset]) -> None:
    exposure = assets["shop/exposure/dashboard"]
    assert exposure.consumer
    assert not exposure.executable
    assert deps(exposure) == ["shop/m1", "shop/raw/events", "shop/stg_a", "shop/stg_b"]
    assert exposure.owners == ("finance@example.com",)
    assert exposure.metadata["url"] == "https://bi.example.com/1"


def test_an_exposure_gives_way_to_a_source(plain: dict[str, Any]) -> None:
    taken = changed(plain, "sources", "source.shop.raw.clicks", source_name="exposure", name="dashboard")
    assert taken["shop/exposure/dashboard"].resource_type == "source"
    assert taken["shop/exposures/dashboard"].resource_type == "exposure"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"materialized": "table"}, (False, True)),
        ({"materialized": "incremental"}, (True, True)),
        ({"materialized": "incremental", "full_refresh": False}, (True, False)),
        ({"materialized": "incremental", "full_refresh": True}, (False, True)),
    ],
)
def test_what_keeps_its_rows_is_incremental(
    plain: dict[str, Any], config: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    before = plain["nodes"]["model.shop.m2"]["config"]
    found = changed(plain, "nodes", "model.shop.m2", config={**before, **config})["shop/m2"]
    assert (found.incremental, found.refreshable) == expected


def test_a_snapshot_keeps_its_rows_whatever_is_asked(assets: dict[str, Asset]) -> None:
    assert (assets["shop/snap"].incremental, assets["shop/snap"].refreshable) == (True, False)


def test_views_are_computed_on_read(assets: dict[str, Asset]) -> None:
    assert assets["shop/stg_a"].computed_on_read
    assert not assets["shop/m1"].computed_on_read
    assert not assets["shop/country"].computed_on_read
    assert not assets["shop/raw/events"].computed_on_read


def test_nodes_of_packages_are_fallbacks(assets: dict[str, Asset]) -> None:
    assert assets["pkg/orders"].fallback
    assert assets["pkg/orders"].source == "dbt_packages/pkg/models/orders.sql"


def test_contracts_are_told(assets: dict[str, Asset]) -> None:
    assert assets["shop/typed"].metadata["contract"] == "enforced"
    assert "contract" in assets["shop/typed"].code_parts
    assert "contract" not in assets["shop/m1"].metadata


def test_every_enabled_test_appears_once(assets: dict[str, Asset], plain: dict[str, Any]) -> None:
    appearing = Counter(check.spec["unique_id"] for asset in assets.values() for check in asset.checks)
    expected = {unique_id for unique_id, node in plain["nodes"].items() if node["resource_type"] == "test"}
    assert appearing == Counter(expected | set(plain["unit_tests"]))


def checks(asset: Asset) -> dict[str, tuple[str, list[str]]]:
    return {check.name: (check.severity, [str(key) for key in check.also]) for check in asset.checks}


def test_where_tests_stand(assets: dict[str, Asset]) -> None:
    assert checks(assets["shop/stg_a"]) == {
        "not_null_stg_a_id": ("error", []),
        "same_name": ("error", []),
        "relationships_stg_a_id__id__ref_stg_b_": ("warn", ["shop/stg_b"]),
        "a_and_b": ("error", ["shop/stg_b"]),
    }
    assert "prices_are_cents" in checks(assets["shop/stg_b"])
    assert checks(assets["shop/m2"])["relationships_m2_id__id__ref_m1_"] == ("error", ["shop/m1"])
    assert checks(assets["shop/raw/events"]) == {"source_not_null_raw_events_id": ("error", [])}


def test_a_test_stands_on_what_it_reads(assets: dict[str, Asset], plain: dict[str, Any]) -> None:
    # dbt attaches this test of the package to the package's model, and has it read the project's of the same name.
    node = next(node for node in plain["nodes"].values() if node["name"] == "not_null_orders_id")
    assert (node["attached_node"], node["depends_on"]["nodes"]) == ("model.pkg.orders", ["model.shop.orders"])
    assert checks(assets["shop/orders"])["not_null_orders_id"] == ("error", [])


def test_tests_of_ephemeral_models_stand_on_what_they_read(assets: dict[str, Asset]) -> None:
    found = {name: also for each in ("stg_a", "stg_b") for name, (_, also) in checks(assets[f"shop/{each}"]).items()}
    assert found["not_null_e2_id"] in (["shop/stg_a"], ["shop/stg_b"])


def test_tests_that_read_nothing_have_a_place_of_their_own(assets: dict[str, Asset]) -> None:
    loose = assets["shop/tests"]
    assert set(checks(loose)) == {"loose", "not_null_loner_id"}
    assert not loose.executable


def test_checks_carry_what_dbt_calls_them(assets: dict[str, Asset]) -> None:
    check = next(check for check in assets["shop/orders"].checks if check.name == "orders")
    assert check.spec == {"unique_id": "test.shop.orders"}
    assert check.fqn == ("shop", "orders")
    assert check.source == "tests/orders.sql"


def test_relationships_without_an_attached_node(plain: dict[str, Any]) -> None:
    unique_id = next(each for each in plain["nodes"] if "relationships_stg_a" in each)
    assert "relationships_stg_a_id__id__ref_stg_b_" in checks(
        changed(plain, "nodes", unique_id, attached_node=None)["shop/stg_a"]
    )


def test_equal_test_names_on_one_asset_are_told_apart(plain: dict[str, Any]) -> None:
    unique_id = next(each for each in plain["nodes"] if "not_null_m1_id" in each)
    found = checks(changed(plain, "nodes", unique_id, name="unique_m1_id")["shop/m1"])
    assert len(found) == 2
    assert all(name.startswith("unique_m1_id") for name in found)


def test_severity_in_any_case(plain: dict[str, Any]) -> None:
    unique_id = next(each for each in plain["nodes"] if "not_null_m1_id" in each)
    config = plain["nodes"][unique_id]["config"]
    for written, severity in (("WARN", "warn"), ("warn", "warn"), ("ERROR", "error"), (None, "error")):
        found = changed(plain, "nodes", unique_id, config={**config, "severity": written})
        assert checks(found["shop/m1"])["not_null_m1_id"][0] == severity


def test_disabled_tests_are_absent(plain: dict[str, Any]) -> None:
    unique_id = next(each for each in plain["nodes"] if "not_null_m1_id" in each)
    config = {**plain["nodes"][unique_id]["config"], "enabled": False}
    assert "not_null_m1_id" not in checks(changed(plain, "nodes", unique_id, config=config)["shop/m1"])


def test_meta_renames_a_model(plain: dict[str, Any]) -> None:
    node = plain["nodes"]["model.shop.m1"]
    config = {**node["config"], "meta": {"assetry": {"key": "reports/first"}}}
    found = changed(plain, "nodes", "model.shop.m1", config=config)
    assert "shop/m1" not in found
    assert "reports/first" in deps(found["shop/m2"])


def test_a_meta_key_that_is_none_is_an_error(plain: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="not an asset key") as caught:
        changed(plain, "sources", "source.shop.raw.clicks", meta={"assetry": {"key": "a//b"}})
    assert "schema.yml" in str(caught.value)


def with_meta(plain: dict[str, Any], **meta: Any) -> dict[str, Any]:
    config = {**plain["nodes"]["model.shop.m1"]["config"], "meta": {"assetry": meta}}
    return changed(plain, "nodes", "model.shop.m1", config=config)


def test_meta_names_the_pool_that_a_model_uses(plain: dict[str, Any]) -> None:
    found = with_meta(plain, pool="warehouse", weight=2)
    assert (found["shop/m1"].pool, found["shop/m1"].weight) == ("warehouse", 2)
    assert (found["shop/m2"].pool, found["shop/m2"].weight) == (None, 1)
    before = with_meta(plain)["shop/m1"]
    assert before.code_version == found["shop/m1"].code_version, "it is no change of what the model says"


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"pool": 3}, "is not the name of a pool"),
        ({"pool": "warehouse", "weight": "2"}, "is not a whole number above 0"),
        ({"pool": "warehouse", "weight": True}, "is not a whole number above 0"),
        ({"weight": 2}, "is of a pool, and none is named"),
    ],
)
def test_a_pool_that_cannot_be_one_is_an_error_of_its_file(plain: dict[str, Any], meta: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as caught:
        with_meta(plain, **meta)
    assert "m1.sql" in str(caught.value)


def test_a_table_name_that_no_key_can_hold(plain: dict[str, Any]) -> None:
    found = changed(plain, "sources", "source.shop.raw.clicks", name="sheet/tab\n1")
    key = next(key for key in found if key.startswith("shop/raw/sheet"))
    assert key == "shop/raw/sheet_tab_1"


def test_group_owner_without_address_is_a_name(plain: dict[str, Any]) -> None:
    group = next(iter(plain["groups"]))
    found = changed(plain, "groups", group, owner={"name": "Finance", "email": None})
    assert found["shop/stg_a"].owners == ("a@example.com", "Finance")


@pytest.mark.parametrize(
    ("owner", "expected"),
    [
        ("me@example.com", ("me@example.com",)),
        (["a", "b"], ("a", "b")),
        ({"name": "A", "email": "a@example.com"}, ("a@example.com",)),
        ({"name": "A"}, ("A",)),
        (None, ()),
    ],
)
def test_owners_in_meta(plain: dict[str, Any], owner: object, expected: tuple[str, ...]) -> None:
    config = {**plain["nodes"]["model.shop.m1"]["config"], "meta": {"owner": owner}}
    assert changed(plain, "nodes", "model.shop.m1", config=config)["shop/m1"].owners == expected


def test_functions_are_assets(plain: dict[str, Any]) -> None:
    function = {
        **plain["nodes"]["model.shop.m1"],
        "unique_id": "function.shop.half",
        "name": "half",
        "resource_type": "function",
        "depends_on": {"nodes": ["model.shop.typed"]},
    }
    found = translated(decode_manifest(json.dumps({**plain, "functions": {"function.shop.half": function}}).encode()))
    assert found["shop/half"].executable
    assert found["shop/half"].relation is None
    assert deps(found["shop/half"]) == ["shop/typed"]


@pytest.mark.skipif(not COLLECTED, reason="no collected manifests beside this checkout")
@pytest.mark.parametrize("path", COLLECTED, ids=lambda path: path.stem)
def test_collected_manifests_are_whole(path: Path) -> None:
    manifest = read_manifest(path)
    plain = json.loads(path.read_bytes())
    found = translated(manifest, project_name(manifest, "?"))
    tests = [
        unique_id
        for unique_id, node in plain["nodes"].items()
        if node["resource_type"] == "test" and node["config"].get("enabled", True)
    ] + list(plain.get("unit_tests") or {})
    assert Counter(check.spec["unique_id"] for asset in found.values() for check in asset.checks) == Counter(tests)
    assert {str(dep.key) for asset in found.values() for dep in asset.deps} <= set(found)
    assert not any(asset.fallback for asset in found.values() if asset.key.startswith("jaffle_shop/"))
    for asset in found.values():
        names = [check.name for check in asset.checks]
        assert len(names) == len(set(names))
