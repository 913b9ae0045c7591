"""Tests of `assetry_dbt.project.project`: options, folders and names of a dbt project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import DefinitionError, Integration, IntegrationError
from assetry_dbt.project.project import DbtProject

PROJECT = "name: shop\nprofile: shop\ntarget-path: \"{{ env_var('SHOP_OUT', 'out') }}\"\nvars: {a: 1}\n"
PROFILES = "shop: {target: dev, outputs: {dev: {type: duckdb, path: x.duckdb}, prod: {type: duckdb, path: y.duckdb}}}"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DBT_TARGET", "DBT_PROFILES_DIR", "DBT_TARGET_PATH", "DBT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "transform"
    folder.mkdir()
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILES)
    return tmp_path


def project(root: Path, **options: Any) -> DbtProject:
    return DbtProject.of(Integration("transform", "dbt", {"project_dir": "transform", **options}, root=str(root)))


def test_folders_are_absolute_and_start_at_the_root(root: Path) -> None:
    found = project(root)
    assert found.name == "shop"
    assert found.project_dir == root / "transform"
    assert found.profiles_dir == root / "transform"
    assert found.manifest_path == root / "transform" / "out" / "manifest.json"


@pytest.mark.parametrize(
    ("selectors", "has"),
    [
        (None, False),
        ("", False),
        ("selectors: [{name: most, definition: a}]", False),
        ("selectors: [{name: some, definition: a}, {name: most, default: true, definition: a}]", True),
        ("selectors: [{name: most, default: \"{{ target.name == 'dev' }}\", definition: a}]", True),
    ],
)
def test_a_default_selector_is_seen(root: Path, selectors: str | None, has: bool) -> None:
    if selectors is not None:
        (root / "transform" / "selectors.yml").write_text(selectors)
    assert project(root).has_default_selector() is has


def test_the_target_path_may_come_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_OUT", "elsewhere")
    assert project(root).target_path == root / "transform" / "elsewhere"
    monkeypatch.setenv("DBT_TARGET_PATH", "/tmp/made")
    assert project(root).target_path == Path("/tmp/made")


def test_a_given_manifest_needs_no_project(tmp_path: Path) -> None:
    found = DbtProject.of(Integration("shop", "dbt", {"manifest": "ci/manifest.json"}, root=str(tmp_path)))
    assert found.manifest_path == tmp_path / "ci" / "manifest.json"
    assert found.name == "shop"
    assert found.target_name() is None


def test_a_missing_project_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntegrationError, match=r"no dbt_project.yml") as caught:
        project(tmp_path)
    assert str(tmp_path / "transform") in str(caught.value)
    assert "project_dir of integration 'transform'" in str(caught.value)


def test_an_unknown_option_is_told_with_the_near_one(root: Path) -> None:
    with pytest.raises(DefinitionError, match="no option 'profile_dir'") as caught:
        project(root, profile_dir="x")
    assert "did you mean 'profiles_dir'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("threads", "4"), ("threads", True), ("vars", "a: 1"), ("target", 1), ("select", 3)]
)
def test_an_option_of_the_wrong_type(root: Path, name: str, value: object) -> None:
    with pytest.raises(DefinitionError, match=f"Option '{name}'"):
        project(root, **{name: value})


def test_an_unknown_engine(root: Path) -> None:
    with pytest.raises(DefinitionError, match="'in-process' or 'subprocess'"):
        raise_text(root)


def raise_text(root: Path) -> None:
    try:
        project(root, engine="fast")
    except DefinitionError as error:
        raise DefinitionError(str(error)) from None


def test_the_target_is_what_dbt_will_use(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project(root).target_name() == "dev"
    assert project(root, target="prod").target_name() == "prod"
    monkeypatch.setenv("DBT_TARGET", "prod")
    assert project(root).target_name() == "prod"
    assert project(root, profile="absent", target="qa").target_name() == "qa"


def test_a_project_without_a_profile(root: Path) -> None:
    (root / "transform" / "dbt_project.yml").write_text("name: shop\n")
    with pytest.raises(IntegrationError, match="names no profile"):
        project(root).read_profile()


def test_the_arguments_of_every_command(root: Path) -> None:
    found = project(root, target="prod", vars={"a": 2})
    where = str(root / "transform")
    assert found.arguments() == (
        "--project-dir", where, "--profiles-dir", where, "--target", "prod", "--vars", '{"a": 2}',
    )  # fmt: skip


def test_the_command_is_what_one_would_type(root: Path) -> None:
    assert project(root).command(("--select", "fqn:shop.a.*")) == "dbt build --select 'fqn:shop.a.*'"
    found = project(root, target="prod", dbt_executable="envs/dbt").command((), full_refresh=True)
    assert found == f"{root}/envs/dbt build --target prod --full-refresh"


def test_selection_options_are_lists(root: Path) -> None:
    assert project(root, select="a b").select == ("a b",)
    assert project(root, exclude=["a", "b"]).exclude == ("a", "b")


def test_a_broken_project_file_is_named(root: Path) -> None:
    (root / "transform" / "dbt_project.yml").write_text("name: [\n")
    with pytest.raises(IntegrationError, match=r"dbt_project.yml is not valid YAML"):
        project(root)


def test_fields_of_the_target_hold_no_secret(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("{name: shop, profile: shop}")
    (tmp_path / "profiles.yml").write_text(
        "shop: {outputs: {default: {type: duckdb, path: a.duckdb, password: hunter2, motherduck_token: hunter2,"
        " attach: [{path: 'postgres:host=h password=hunter2', alias: pg}, {path: 'postgres://u:hunter2@h/d'}],"
        " secrets: [{type: s3, secret: hunter2}], settings: {TimeZone: UTC, s3_secret_access_key: hunter2}}}}"
    )
    project = DbtProject.of(Integration("shop", "dbt", {"project_dir": str(tmp_path), "threads": 7}))
    fields = project.target_fields()
    assert "hunter2" not in str(fields)
    assert (fields["threads"], fields["settings"]) == (7, {"TimeZone": "UTC"})
    assert project.module_folders({"module_paths": ["lib"]})[:2] == (tmp_path, tmp_path / "lib")
