"""Tests of `assetry_dbt.plugin` and of the package's public function: the hooks, as the core calls them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from assetry.cli import main
from assetry.plugin import Asset, CheckRef, Integration, IntegrationError, Invocation
from assetry_dbt import load_assets_from_dbt_project, plugin


def transform(folder: Path, **options: Any) -> Integration:
    return Integration("transform", "dbt", {"project_dir": folder.name, **options}, root=str(folder.parent))


def load(integration: Integration) -> list[Asset]:
    return list(plugin.assetry_load_assets(integration))


def test_all_of_a_project_is_one_group(nasty_project: Path) -> None:
    assets = load(transform(nasty_project))
    groups = {plugin.assetry_invocation_group(asset) for asset in assets}
    assert {group and group.key for group in groups} == {"dbt:transform@dev"}
    group = groups.pop()
    assert group is not None
    assert group.ordered
    assert group.limit == 1


def test_without_a_profile_the_group_has_no_target(nasty_project: Path, tmp_path: Path) -> None:
    shutil.copy(nasty_project / "target" / "manifest.json", tmp_path / "manifest.json")
    integration = Integration("shop", "dbt", {"manifest": "manifest.json"}, root=str(tmp_path))
    group = plugin.assetry_invocation_group(load(integration)[0])
    assert group is not None
    assert group.key == "dbt:shop"


def test_a_given_manifest_is_read_without_any_dbt(nasty_project: Path, tmp_path: Path) -> None:
    shutil.copy(nasty_project / "target" / "manifest.json", tmp_path / "m.json")
    options = {"manifest": "m.json", "dbt_executable": "/nowhere/dbt", "project_dir": "nowhere"}
    assets = load(Integration("any", "dbt", options, root=str(tmp_path)))
    assert {"shop/orders", "pkg/orders"} <= {str(asset.key) for asset in assets}
    assert not next(asset for asset in assets if asset.key == "shop/orders").fallback
    assert [path.name for path in tmp_path.iterdir()] == ["m.json"]


def test_hook_assetry_load_file_reads_a_manifest_of_the_project_and_nothing_else(
    nasty_project: Path, tmp_path: Path
) -> None:
    integration = transform(nasty_project)
    manifest = nasty_project / "target" / "manifest.json"
    found = plugin.assetry_load_file(str(manifest), integration)
    assert found is not None
    now = {asset.key: asset.code_version for asset in load(integration)}
    assert {asset.key: asset.code_version for asset in found} == now
    data = json.loads(manifest.read_text())
    other = {**data, "metadata": {**data["metadata"], "project_name": "another"}}
    results = {"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"}, "results": []}
    for text in (json.dumps(other), json.dumps(results), "", "not JSON"):
        (tmp_path / "file.json").write_text(text)
        assert plugin.assetry_load_file(str(tmp_path / "file.json"), integration) is None
    broken = f'{{"metadata": {json.dumps(data["metadata"])}, "nodes": '
    (tmp_path / "file.json").write_text(broken)
    with pytest.raises(IntegrationError):
        plugin.assetry_load_file(str(tmp_path / "file.json"), integration)


def test_hook_assetry_local_files_are_packages_the_profile_and_a_given_manifest(nasty_project: Path) -> None:
    found = plugin.assetry_local_files(transform(nasty_project, manifest="built.json"))
    names = [Path(each).name for each in found]
    assert names == ["dbt_packages", "profiles.yml", "built.json"]
    assert Path(found[0]) == nasty_project / "dbt_packages"


def test_no_dbt_and_no_manifest(nasty_project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(nasty_project, copy, ignore=shutil.ignore_patterns("target", "dbt_packages"))
    (copy / "packages.yml").unlink()
    with pytest.raises(IntegrationError, match="no dbt at"):
        load(transform(copy, dbt_executable="/nowhere/dbt"))


def invocation(integration: Integration, assets: list[Asset], full_refresh: bool = False) -> Invocation:
    group = plugin.assetry_invocation_group(assets[0])
    checks = tuple(CheckRef(asset.key, check.name) for asset in assets for check in asset.checks if not check.also)
    return Invocation(
        id="1",
        group=group,
        integration=integration,
        assets=tuple(asset for asset in assets if asset.executable),
        checks=checks,
        full_refresh=full_refresh,
    )


def test_the_command_is_short(nasty_project: Path) -> None:
    integration = transform(nasty_project)
    marts = [asset for asset in load(integration) if str(asset.source).startswith("models/core/")]
    command = plugin.assetry_invocation_command(invocation(integration, marts))
    assert command == "dbt build --select 'fqn:shop.core.*' --indirect-selection eager"


def test_the_command_carries_options(nasty_project: Path) -> None:
    integration = transform(nasty_project, vars={"cutoff": 3}, target="dev", manifest="target/manifest.json")
    manifest = str(nasty_project / "target" / "manifest.json")
    integration = Integration("transform", "dbt", {**integration.options, "manifest": manifest}, root=integration.root)
    assets = load(integration)
    whole = invocation(integration, assets, full_refresh=True)
    every = tuple(CheckRef(asset.key, check.name) for asset in assets for check in asset.checks)
    command = plugin.assetry_invocation_command(
        Invocation(
            id="1", group=whole.group, integration=integration, assets=whole.assets, checks=every, full_refresh=True
        )
    )
    assert command == "dbt build --target dev --vars '{\"cutoff\": 3}' --full-refresh"


def test_the_warehouse_is_the_profiles(nasty_project: Path) -> None:
    assert plugin.assetry_io_url(transform(nasty_project)) == f"duckdb:{nasty_project}/shop.duckdb?schema=main"
    assert plugin.assetry_io_url(transform(nasty_project, target="prod")) == (
        f"duckdb:{nasty_project}/prod.duckdb?schema=prod"
    )


def test_the_function_names_the_integration_after_the_project(nasty_project: Path) -> None:
    assets = load_assets_from_dbt_project(nasty_project)
    assert assets[0].integration is not None
    assert assets[0].integration.name == "shop"
    named = load_assets_from_dbt_project(nasty_project, name="mine")
    assert named[0].integration is not None
    assert named[0].integration.name == "mine"


def test_the_function_looks_beside_its_caller(nasty_project: Path) -> None:
    caller = nasty_project.parent / "assets.py"
    code = compile(f"found = load({nasty_project.name!r})", str(caller), "exec")
    names: dict[str, Any] = {"load": load_assets_from_dbt_project, "__file__": str(caller)}
    exec(code, names)
    assert {"shop/orders"} <= {str(asset.key) for asset in names["found"]}


def test_assets_survive_json(nasty_project: Path) -> None:
    from assetry.plugin import from_json, to_json

    for asset in load(transform(nasty_project)):
        again = from_json(Asset, json.loads(json.dumps(to_json(asset))))
        assert (again.key, again.deps, again.checks, again.columns) == (
            asset.key,
            asset.deps,
            asset.checks,
            asset.columns,
        )


@pytest.mark.slow
def test_select_and_exclude_are_dbts_own(nasty_project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(nasty_project, copy, symlinks=True)
    integration = transform(copy, select="+m1", exclude=["stg_c", "a_and_b"])
    assets = {str(asset.key): asset for asset in load(integration)}
    built = {key for key, asset in assets.items() if asset.executable}
    assert built == {"shop/m1", "shop/orders", "shop/stg_a", "shop/stg_b", "shop/country", "shop/ver/v1"}
    assert not assets["shop/stg_c"].executable  # read by ver v1, but made elsewhere
    assert "a_and_b" not in {check.name for asset in assets.values() for check in asset.checks}
    every = tuple(CheckRef(asset.key, check.name) for asset in assets.values() for check in asset.checks)
    group = plugin.assetry_invocation_group(assets["shop/m1"])
    chosen = tuple(asset for asset in assets.values() if asset.executable)
    whole = Invocation(id="1", group=group, integration=integration, assets=chosen, checks=every)
    assert plugin.assetry_invocation_command(whole) == "dbt build --select +m1 --exclude stg_c a_and_b"
    # The second time dbt is not asked: the answer stands beside the manifest.
    again = load(transform(copy, select="+m1", exclude=["stg_c", "a_and_b"], dbt_executable="/nowhere/dbt"))
    assert {str(asset.key) for asset in again} == set(assets)


@pytest.mark.slow
def test_a_selection_that_leaves_nothing(nasty_project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shop"
    shutil.copytree(nasty_project, copy, symlinks=True)
    with pytest.raises(IntegrationError, match="leave nothing"):
        load(transform(copy, select="nosuchmodel"))


def test_a_test_of_a_package_that_is_not_installed_is_named_with_the_next_step(
    nasty_project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    test = next(each for each in manifest["nodes"].values() if "test_metadata" in each)
    test["depends_on"]["macros"].append(None)
    test["test_metadata"]["namespace"] = "dbt_utils"
    for source in manifest["sources"].values():
        source.update(config={}, meta={})
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    (tmp_path / "assetry.toml").write_text('[integrations.m]\nkind = "dbt"\nmanifest = "m.json"\n')
    with pytest.raises(SystemExit):
        main(["-C", str(tmp_path), "list"])
    said = capsys.readouterr()
    assert "shop/orders" in said.out
    assert f"warning: dbt project 'm': the test {test['name']} is of the package 'dbt_utils'" in said.err
    assert "dbt deps --project-dir" in said.err


def test_a_manifest_alone_is_listed_and_planned_and_told_once_that_it_cannot_be_run(
    nasty_project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    manifest["sources"] = {}
    seeds = {name: each for name, each in manifest["nodes"].items() if each["resource_type"] == "seed"}
    manifest["nodes"] = seeds
    manifest["unit_tests"] = manifest["exposures"] = {}
    (tmp_path / "m.json").write_text(json.dumps(manifest))
    (tmp_path / "assetry.toml").write_text('[integrations.m]\nkind = "dbt"\nmanifest = "m.json"\n')
    for words, code, told in (("list", 0, 0), ("graph", 0, 0), ("plan", 0, 0), ("materialize", 1, 1)):
        with pytest.raises(SystemExit) as ended:
            main(["-C", str(tmp_path), words])
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code
        assert said.out.count("has a manifest and no dbt project: nothing of it can be run") == told, said.out
    assert "Point its option project_dir" in said.out
