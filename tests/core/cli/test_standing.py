"""Places and next steps are those of the person who called, whatever folder is worked in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from assetry.cli.program import Program
from assetry.cli.standing import Standing
from assetry.types.assets import Integration
from click.testing import CliRunner

if TYPE_CHECKING:
    from conftest import Folder


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("shop/assets.py", "shop/transform/models/orders.sql", "shop/docs/index.md", "home/notes.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path


def test_a_file_of_the_folder_that_is_worked_in_is_named_from_where_one_stands(tree: Path) -> None:
    assert Standing(str(tree / "shop")).place("assets.py:3") == "assets.py:3"
    assert Standing(str(tree), "shop").place("assets.py:3") == "shop/assets.py:3"
    assert Standing(str(tree / "home"), "../shop").place("assets.py:3") == "../shop/assets.py:3"
    assert Standing(str(tree)).place(f"{tree}/shop/assets.py:3") == "shop/assets.py:3"
    assert Standing(str(tree)).place("assets.py:3 and nowhere.py:4") == "shop/assets.py:3 and nowhere.py:4"


def test_files_of_a_tool_are_looked_for_in_its_folders(tree: Path) -> None:
    transform = Integration("transform", "dbt", {"project_dir": "transform", "threads": 3}, str(tree / "shop"))
    assert Standing(str(tree / "shop")).place("models/orders.sql", [transform]) == "transform/models/orders.sql"
    assert Standing(str(tree / "shop")).place("models/orders.sql") == "models/orders.sql"
    os.chdir(tree / "shop" / "transform" / "models")
    assert Standing(str(Path.cwd())).place("models/orders.sql", [transform]) == "orders.sql"


def test_show_and_failures_name_files_that_can_be_opened(failing: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(failing.root.parent)
    name = failing.root.name
    shown = CliRunner().invoke(Program(), ["show", "total", "-C", name]).stdout
    assert f"source  {name}/shop_assets.py:" in shown
    failed = CliRunner().invoke(Program(), ["-C", name, "materialize", "-q"])
    assert f"Correct the function, then run `assetry retry -C {name}`." in failed.stdout
    unknown = CliRunner().invoke(Program(), ["-C", name, "show", "ttal"])
    assert f"See `assetry list -C {name}`." in unknown.stderr


def test_from_a_folder_below_paths_select_as_from_the_project_s_own(
    shop: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.root / "docs").mkdir()
    monkeypatch.chdir(shop.root / "docs")
    listed = CliRunner().invoke(Program(), ["list", "-q", "-s", "path:shop_assets.py"])
    assert listed.stdout.split() == ["orders", "shop/total", "report"], listed.stderr
    assert "../shop_assets.py:" in CliRunner().invoke(Program(), ["show", "total"]).stdout


def test_a_command_with_a_backtick_in_quotes_is_one_command() -> None:
    told = Standing("/home", "shop").hint("See `assetry show 'a`b'` or `assetry list`.")
    assert told == "See `assetry show 'a`b' -C shop` or `assetry list -C shop`."
