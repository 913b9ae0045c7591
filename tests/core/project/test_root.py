"""From a folder of a project, that project is found; from a folder beside it, only within one repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.project.root import project_root
from assetry.types.assets import Integration


def discover(root: str) -> list[Integration]:
    """Find a mill by its file, in the folder or one level below."""
    found = [file.parent for file in (*Path(root).glob("mill.toml"), *Path(root).glob("*/mill.toml"))]
    return [Integration("mill", "mill", {"folder": str(each.relative_to(root)), "size": 3}) for each in found]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("shop/models/deep", "shop/docs", "notes"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    return tmp_path


def root_of(tree: Path, start: str) -> str:
    return str(project_root(tree / start, discover).relative_to(tree))


def test_a_folder_of_a_project_belongs_to_it(tree: Path) -> None:
    (tree / "shop" / "mill.toml").touch()
    (tree / ".git").rmdir()
    assert root_of(tree, "shop/models/deep") == root_of(tree, "shop/docs") == root_of(tree, "shop") == "shop"


def test_a_folder_beside_a_project_belongs_to_it_only_within_one_repository(tree: Path) -> None:
    (tree / "shop" / "mill.toml").touch()
    assert root_of(tree, "notes") == "."
    (tree / ".git").rmdir()
    assert root_of(tree, "notes") == "notes"
    (tree / ".assetry").mkdir()
    assert root_of(tree, "notes") == "."


def test_nothing_beyond_the_repository_counts(tree: Path) -> None:
    (tree / "mill.toml").touch()
    (tree / "shop" / ".git").mkdir()
    assert root_of(tree, "shop/models") == "shop/models"
    assert root_of(tree, "notes") == "."


def test_python_assets_of_the_repository_are_found_from_below(tree: Path) -> None:
    (tree / "assets.py").touch()
    assert root_of(tree, "shop/models") == "."
    (tree / "shop" / "assets.py").touch()
    assert root_of(tree, "shop/models") == "."
    assert root_of(tree, "shop") == "shop"
