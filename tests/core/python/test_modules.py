"""Modules of several projects in one process: each project gets its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from assetry.errors import DefinitionError
from assetry.python.modules import import_modules


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Give two folders that both have a module of one name; `sys.modules` and its finders are as before afterwards."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "stock", raising=False)
    roots = tmp_path / "one", tmp_path / "two"
    for root in roots:
        root.mkdir()
        (root / "stock.py").write_text(f"NAME = {root.name!r}\n")
    return roots


def test_two_roots_with_a_module_of_one_name(roots: tuple[Path, Path]) -> None:
    names = [import_modules(["stock"], str(root))[0].NAME for root in (*roots, *roots)]
    assert names == ["one", "two", "one", "two"]


def test_a_module_of_an_earlier_root_that_came_back(roots: tuple[Path, Path], tmp_path: Path) -> None:
    (stale,) = import_modules(["stock"], str(roots[0]))
    import_modules(["json"], str(tmp_path / "elsewhere"))
    sys.modules["stock"] = stale  # as fixtures and notebooks do that restore what was imported before
    assert import_modules(["stock"], str(roots[1]))[0].NAME == "two"


def test_a_folder_is_not_taken_for_the_module_of_an_earlier_root_that_came_back(
    roots: tuple[Path, Path], tmp_path: Path
) -> None:
    import_modules(["stock"], str(roots[0]))
    path = list(sys.path)
    folder = tmp_path / "three" / "stock"
    folder.mkdir(parents=True)
    (folder / "orders.py").write_text("NAME = 'three'\n")
    import_modules(["stock"], str(roots[1]))
    sys.path[:] = path  # as fixtures and notebooks do
    found = import_modules(["stock"], str(tmp_path / "three"))
    assert [getattr(each, "NAME", None) for each in found] == [None, "three"]


def test_a_module_that_imports_pandera_moves_no_moment_of_others(tmp_path: Path) -> None:
    (tmp_path / "shop_assets.py").write_text("import pandera.pandas\n")
    code = """
from datetime import datetime, timedelta, timezone
import pyarrow
from assetry.python.modules import import_modules
import_modules(["shop_assets"], ".")
moment = datetime(2026, 3, 29, 1, tzinfo=timezone(timedelta(hours=2)))
print(pyarrow.array([moment]).cast(pyarrow.int64())[0].as_py() // 3_600_000_000 % 24)
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYARROW_IGNORE_TIMEZONE"}
    hours = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
        for env in (environment, {**environment, "PYARROW_IGNORE_TIMEZONE": "1"})
    ]
    # What somebody has set themselves stays.
    assert [each.stdout for each in hours] == ["23\n", "1\n"]


@pytest.mark.parametrize(
    ("where", "told"), [(None, "build.py:3"), ("integration 'shop'", "build.py:3"), ("x.yml:7",) * 2]
)
def test_what_a_builder_refuses_is_told_with_the_line_that_calls_it(
    tmp_path: Path, where: str | None, told: str
) -> None:
    text = f"from assetry.errors import DefinitionError\n\nraise DefinitionError('No such table.', where={where!r})\n"
    (tmp_path / "build.py").write_text(text)
    with pytest.raises(DefinitionError) as caught:
        import_modules(["build"], str(tmp_path))
    assert str(caught.value.where).endswith(told)
