"""A manifest that no longer tells the truth is noticed, and one that does is kept."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Integration, IntegrationError
from assetry_dbt.loading import load
from assetry_dbt.project.files import files_of
from assetry_dbt.project.manifest_stamp import ensure_manifest, kept_stamp, outdated, read_stamp, write_stamp
from assetry_dbt.project.project import DbtProject

from tests.dbt.built import as_built


@pytest.fixture
def folder(nasty_project: Path, tmp_path: Path) -> Path:
    """Return a copy of the project as the user's own dbt left it: files first, then the manifest."""
    copy = tmp_path / "shop"
    shutil.copytree(nasty_project, copy, symlinks=True, ignore=shutil.ignore_patterns("assetry.json", "dbt_packages"))
    shutil.copytree(nasty_project / "pkg", copy / "dbt_packages" / "pkg")
    as_built(copy)
    long_ago = 1_700_000_000
    for path in [copy, *copy.rglob("*")]:
        os.utime(path, (long_ago, long_ago))
    os.utime(copy / "target" / "manifest.json", (long_ago + 60, long_ago + 60))
    return copy


def project(folder: Path, **options: Any) -> DbtProject:
    return DbtProject.of(Integration("shop", "dbt", {"project_dir": str(folder), **options}))


def why(folder: Path, **options: Any) -> str | None:
    found = project(folder, **options)
    return outdated(found, files_of(found))


def stamp(folder: Path, **options: Any) -> None:
    found = project(folder, **options)
    write_stamp(found, files_of(found))


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda folder: (folder / "models/orders.sql").write_text("select 2 as id"),
    "added": lambda folder: (folder / "models/new.sql").write_text("select 1"),
    "deleted": lambda folder: (folder / "models/orders.sql").unlink(),
    "renamed": lambda folder: (folder / "models/orders.sql").rename(folder / "models/other.sql"),
    "moved in": lambda folder: shutil.move(folder / "seeds/unused.csv", folder / "models/core/unused.sql"),
    "settings": lambda folder: (folder / "dbt_project.yml").touch(),
    "profile": lambda folder: (folder / "profiles.yml").touch(),
    "package": lambda folder: (folder / "dbt_packages/pkg/models/orders.sql").touch(),
    "macro": lambda folder: (folder / "macros/cents.sql").touch(),
    "docs": lambda folder: (folder / "models/staging/words.md").write_text("{% docs a %}b{% enddocs %}"),
    "manifest deleted": lambda folder: (folder / "target/manifest.json").unlink(),
}


@pytest.mark.parametrize("stamped", [False, True], ids=["made by the user", "made by assetry"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed(folder: Path, change: Callable[[Path], object], stamped: bool) -> None:
    if stamped:
        stamp(folder)
    assert why(folder) is None
    change(folder)
    assert why(folder) is not None


def test_an_older_file_put_back_is_noticed(folder: Path) -> None:
    stamp(folder)
    path = folder / "models/orders.sql"
    os.utime(path, (1_600_000_000, 1_600_000_000))
    assert why(folder) == "files changed"


def test_an_older_file_copied_over_one_is_noticed(folder: Path) -> None:
    assert why(folder) is None
    older = folder / "older.sql"
    older.write_text("select 2 as id")
    os.utime(older, (1_600_000_000, 1_600_000_000))
    shutil.copy2(older, folder / "models/orders.sql")
    assert why(folder) == "models/orders.sql is newer"


def test_what_changed_while_the_users_dbt_ran_is_noticed(folder: Path) -> None:
    manifest = folder / "target/manifest.json"
    plain = json.loads(manifest.read_bytes())
    plain["metadata"]["invocation_started_at"] = "2023-11-14T22:13:15Z"  # five seconds before the files' times
    manifest.write_text(json.dumps(plain))
    assert why(folder) is not None


@pytest.mark.parametrize("name", ["target/run_results.json", "models/notes.txt", "shop.duckdb", "models/.hidden.sql"])
def test_other_files_change_nothing_once_stamped(folder: Path, name: str) -> None:
    stamp(folder)
    (folder / name).write_text("anything")
    assert why(folder) is None


def test_other_options_need_another_manifest(folder: Path) -> None:
    for options in ({"target": "prod"}, {"vars": {"cutoff": 1}}, {"profile": "shop"}):
        assert why(folder, **options) is not None
    stamp(folder, target="prod")
    assert why(folder, target="prod") is None
    assert why(folder) == "options or profile changed"
    assert why(folder, target="prod", vars={"cutoff": 1}) is not None


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        ({}, True),
        ({"target": None}, True),
        ({"target": "dev"}, True),
        ({"target": "prod"}, False),
        ({"vars": {"cutoff": 1}}, False),
        ({"profile": "other"}, False),
        ({"invocation": "another"}, False),
    ],
)
def test_what_the_users_dbt_was_given_counts(folder: Path, arguments: dict[str, Any], known: bool) -> None:
    as_built(folder, **arguments)
    assert (why(folder) is None) == known
    stamp(folder)
    assert why(folder) is None


@pytest.mark.parametrize("text", [None, "", "[]", '{"metadata": 1, "args": {}}', '{"metadata": {}, "args": {}}'])
def test_a_manifest_without_results_may_be_of_any_target(folder: Path, text: str | None) -> None:
    results = folder / "target/run_results.json"
    results.unlink() if text is None else results.write_text(text)
    assert why(folder) == "it may have been made for another target, or with other vars"


def test_where_the_profile_builds_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "shop: {target: dev, outputs: {dev: {type: duckdb, path: s.duckdb, schema: \"{{ env_var('S', 'a') }}\"}}}"
    (folder / "profiles.yml").write_text(text)
    stamp(folder)
    assert why(folder) is None
    monkeypatch.setenv("S", "b")
    assert why(folder) == "options or profile changed"


def test_the_environment_that_files_read_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = folder / "models/orders.sql"
    model.write_text("{{ config(alias=env_var ('NAME_OF_IT', 'a')) }} select 1 as id")
    os.utime(model, (1_700_000_000, 1_700_000_000))
    os.utime(folder / "target" / "manifest.json", (1_700_000_060, 1_700_000_060))
    assert why(folder) == "it may have been made with other environment variables"
    stamp(folder)
    assert why(folder) is None
    monkeypatch.setenv("NAME_OF_IT", "b")
    assert why(folder) == "environment variables changed"
    monkeypatch.setenv("ANOTHER", "b")
    monkeypatch.delenv("NAME_OF_IT")
    assert why(folder) is None
    monkeypatch.setenv("NAME_OF_IT", "hunter2")
    stamp(folder)
    assert "hunter2" not in (folder / "target" / "assetry.json").read_text()


def test_a_manifest_that_the_user_made_is_searched_once(folder: Path) -> None:
    ensure_manifest(project(folder))
    assert read_stamp(project(folder))["env_vars"] == []


def test_a_build_keeps_a_true_manifest_true(folder: Path) -> None:
    stamp(folder, target="prod")
    with kept_stamp(project(folder, target="prod")):
        (folder / "target/manifest.json").touch()  # as every `dbt build` does
    assert why(folder, target="prod") is None


def test_a_change_during_a_build_is_noticed(folder: Path) -> None:
    stamp(folder, target="prod")
    with kept_stamp(project(folder, target="prod")):
        (folder / "models/orders.sql").write_text("select 3 as id")
        (folder / "target/manifest.json").touch()
    assert why(folder, target="prod") is not None


def test_an_unreadable_stamp_is_none(folder: Path) -> None:
    for content in ("", "[]", "{"):
        (folder / "target" / "assetry.json").write_text(content)
        assert read_stamp(project(folder)) == {}
        assert why(folder) is None


def test_no_secret_is_in_the_stamp(folder: Path) -> None:
    text = "shop: {target: dev, outputs: {dev: {type: postgres, host: h, user: u, password: hunter2, schema: s}}}"
    (folder / "profiles.yml").write_text(text)
    stamp(folder)
    assert "hunter2" not in (folder / "target" / "assetry.json").read_text()


def test_a_given_manifest_is_left_alone(folder: Path) -> None:
    (folder / "target/manifest.json").unlink()
    ensure_manifest(project(folder, manifest=str(folder / "nowhere.json")))
    assert not (folder / "target/manifest.json").exists()


def test_packages_that_are_not_installed(folder: Path) -> None:
    shutil.rmtree(folder / "dbt_packages")
    (folder / "target/manifest.json").unlink()
    with pytest.raises(IntegrationError, match="not installed") as caught:
        ensure_manifest(project(folder))
    assert "dbt deps" in str(caught.value)


def test_a_profile_that_is_not_there(folder: Path) -> None:
    with pytest.raises(IntegrationError, match="no target 'prud'") as caught:
        ensure_manifest(project(folder, target="prud"))
    assert "did you mean 'prod'" in str(caught.value)
    with pytest.raises(IntegrationError, match="no profile 'sop'"):
        ensure_manifest(project(folder, profile="sop"))
    (folder / "profiles.yml").unlink()
    with pytest.raises(IntegrationError, match=r"no profiles\.yml"):
        ensure_manifest(project(folder, target="prod"))


def test_dbt_makes_the_manifest_anew(folder: Path) -> None:
    (folder / "models/orders.sql").write_text("select 1 as id, 2 as brand_new")
    ensure_manifest(project(folder))
    manifest = folder / "target/manifest.json"
    assert "brand_new" in json.loads(manifest.read_bytes())["nodes"]["model.shop.orders"]["raw_code"]
    assert why(folder) is None
    made = manifest.stat().st_mtime_ns
    ensure_manifest(project(folder))
    assert manifest.stat().st_mtime_ns == made


def test_what_dbt_cannot_parse_is_told_in_its_words(folder: Path) -> None:
    (folder / "models/orders.sql").write_text("select * from {{ ref('nowhere') }}")
    with pytest.raises(IntegrationError) as caught:
        ensure_manifest(project(folder))
    assert str(caught.value).count("nowhere") == 1
    assert "orders" in str(caught.value)


def test_a_manifest_that_dbt_was_killed_over_is_made_anew(folder: Path) -> None:
    integration = Integration("shop", "dbt", {"project_dir": str(folder)})
    whole = [asset.key for asset in load(integration).assets]
    manifest = folder / "target" / "manifest.json"
    made = manifest.stat()
    manifest.write_bytes(manifest.read_bytes()[:-1000])
    os.utime(manifest, ns=(made.st_atime_ns, made.st_mtime_ns))
    assert [asset.key for asset in load(integration).assets] == whole


def test_what_dbt_makes_is_not_read_through_a_package_that_is_a_link_to_the_project_around(folder: Path) -> None:
    # As `packages: [{local: ..}]` of a package's own tests: dbt deps makes a link.
    (folder / "dbt_packages" / "around").symlink_to(folder.parent)
    read = {each.path for each in files_of(project(folder))}
    assert any(path.endswith("around") for path in read)
    (folder / "target" / "compiled").mkdir()
    (folder / "target" / "compiled" / "orders.sql").write_text("select 1 as id")
    assert {each.path for each in files_of(project(folder))} == read
