from __future__ import annotations

import json
import tomllib
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder


def test_what_it_makes_runs(folder: Folder) -> None:
    result = folder.call("init")
    assert result.stdout.split() == ["made", "assetry.toml", "made", "assets.py"]
    assert "assetry materialize" in result.stderr
    assert folder.call("check").stdout.endswith("ok: 2 assets, 0 checks in 1 integration\n")
    folder.call("materialize", "-q")
    assert folder.json("status")["counts"] == {"fresh": 2}


def test_it_makes_the_named_folder(folder: Folder) -> None:
    data = folder.json("init", "a/b")
    assert data["made"] == ["assetry.toml", "assets.py"]
    assert (folder.root / "a" / "b" / "assets.py").is_file()
    assert tomllib.loads((folder.root / "a" / "b" / "assetry.toml").read_text()) == {"modules": ["assets"]}


def test_it_overwrites_nothing(folder: Folder) -> None:
    folder.write("assets.py", "from assetry import asset\n\n@asset\ndef mine(): return 1\n")
    assert folder.json("init") == {
        "version": 1,
        "root": str(folder.root),
        "made": ["assetry.toml"],
        "kept": ["assets.py"],
        "next": ["assetry check", "assetry plan", "assetry materialize", "assetry status"],
    }
    assert "mine" in (folder.root / "assets.py").read_text()
    folder.write("assetry.toml", '# mine\nmodules = ["assets"]\n')
    assert folder.call("init").stdout.split() == ["kept", "assetry.toml", "kept", "assets.py"]
    assert (folder.root / "assetry.toml").read_text().startswith("# mine")


def test_a_project_of_a_known_tool_becomes_an_integration_and_is_read(folder: Folder) -> None:
    folder.write("acme/acme.yml", "tables: []\n")
    folder.write("assetry_plugins.py", ACME)
    assert folder.json("init")["made"] == ["assetry.toml", "assets.py"]
    table = tomllib.loads((folder.root / "assetry.toml").read_text())["integrations"]["my.acme"]
    assert table == {"kind": "acme", "project_dir": "acme", "token": {"env": "ACME_TOKEN"}, "tables": ["orders"]}
    text = (folder.root / "assets.py").read_text()
    assert "def orders_size(orders: pd.DataFrame) -> pd.DataFrame:" in text
    folder.call("materialize", "-q")
    assert folder.json("status")["counts"] == {"fresh": 2}
    assert "ACME_TOKEN" not in folder.call("list").stdout


# -- editors -----------------------------------------------------------------------------------------------------------


def test_the_first_line_names_the_schema_by_which_editors_check_the_file(folder: Folder) -> None:
    folder.call("init")
    line = (folder.root / "assetry.toml").read_text().splitlines()[0]
    directive, place = line.split()
    assert directive == "#:schema"
    assert json.loads((folder.root / place).read_text())["properties"]["modules"]["type"] == "array"


def test_a_file_that_was_there_is_not_touched_and_the_line_is_told(folder: Folder) -> None:
    folder.write("assetry.toml", "modules = []\n")
    said = folder.call("init").stderr
    assert "make this the first line of assetry.toml:\n  #:schema ./.assetry/assetry.schema.json" in said
    assert (folder.root / "assetry.toml").read_text() == "modules = []\n"
    assert (folder.root / ".assetry/assetry.schema.json").is_file()
    folder.write("assetry.toml", "#:schema ./.assetry/assetry.schema.json\nmodules = []\n")
    assert "#:schema" not in folder.call("init").stderr


def test_of_pyproject_toml_editors_have_a_schema_already(folder: Folder) -> None:
    folder.write("pyproject.toml", "[tool.assetry]\nmodules = []\n")
    assert "schema" not in folder.call("init").stderr
    assert not (folder.root / ".assetry").exists()


# -- plugins -----------------------------------------------------------------------------------------------------------

PLUGIN = [
    "README.md",
    "pyproject.toml",
    "src/assetry_big_query/__init__.py",
    "src/assetry_big_query/plugin.py",
    "tests/test_conformance.py",
]


def test_a_plugin_gets_a_package_of_its_own(folder: Folder) -> None:
    data = folder.json("init", "--plugin", "big-query")
    assert data["made"] == PLUGIN
    assert data["next"][0] == "cd assetry-big-query"
    root = folder.root / "assetry-big-query"
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["name"] == "assetry-big-query"
    assert project["project"]["entry-points"]["assetry"] == {"big_query": "assetry_big_query.plugin"}
    fence = f">={ours(0)},<{ours(1)}"
    needed = [f"assetry{fence}", f"assetry-toolkit{fence}"]
    assert project["project"]["dependencies"] == needed, "the fence that the kit asks for"
    assert "class TestBigQuery(IntegrationConformance)" in (root / "tests" / "test_conformance.py").read_text()
    assert not any(word in (root / path).read_text() for path in PLUGIN for word in ("NAME", "DIST", "TITLE", "FENCE"))


def test_a_plugin_goes_where_it_is_told_and_overwrites_nothing(folder: Folder) -> None:
    folder.write("here/README.md", "mine")
    data = folder.json("init", "--plugin", "big_query", "here")
    assert data["kept"] == ["README.md"]
    assert data["made"] == PLUGIN[1:]
    assert (folder.root / "here" / "README.md").read_text() == "mine"


@pytest.mark.parametrize("name", ["Acme", "1st", "a b", "class", "", "a__b"])
def test_a_plugin_needs_a_name_that_a_module_can_have(folder: Folder, name: str) -> None:
    result = folder.call("init", "--plugin", name, code=2)
    assert "A plugin cannot be called" in result.stderr
    assert "assetry init --plugin acme" in result.stderr
    assert not list(folder.root.glob("assetry-*"))


def ours(more: int) -> str:
    major, minor = version("assetry").split(".")[:2]
    return f"{major}.{int(minor) + more}"


ACME = """
import pandas as pd
from pathlib import Path
from assetry.plugin import Asset, Integration, Materialized, Started, hookimpl


@hookimpl
def assetry_discover(root):
    if (Path(root) / "acme" / "acme.yml").exists():
        options = {"project_dir": str(Path(root) / "acme"), "token": {"env": "ACME_TOKEN"}, "tables": ["orders"]}
        return [Integration("my.acme", "acme", options, root)]


@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "acme":
        return None
    return [Asset(key=f"shop/{table}", kind="acme", integration=integration, relation=("db", "main", table))
            for table in integration.options["tables"]]


@hookimpl
def assetry_io_url(integration):
    return "parquet:" + str(Path(integration.root) / "tables") if integration.kind == "acme" else None


@hookimpl
def assetry_invoke(invocation, context):
    for asset in invocation.assets:
        yield Started(asset.key)
        saved = context.save(asset.key, pd.DataFrame({"id": [1, 2]}))
        yield Materialized(asset.key, data_version=saved.data_version)
"""
