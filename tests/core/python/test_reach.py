"""The code version of an asset function covers what it reaches in the project, and nothing else."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from assetry.python.modules import import_modules

BASE = {
    "assets.py": """
        import json
        import helper
        import pack.deep
        from assetry import asset
        from constants import RATE as rate, TABLE
        from helper import double, Shape
        from wild import *

        LOCAL = [1,
                 2]

        @asset
        def by_module():
            return helper.single(1)

        @asset
        def by_name():
            return double(2)

        @asset
        def by_constant() -> Shape:
            return rate

        @asset
        def by_table():
            return TABLE["a"]

        @asset
        def by_class():
            return Shape(1).area()

        @asset
        def by_import_inside():
            from pack.inner import treble as t
            return t(3)

        @asset
        def by_submodule():
            return pack.deep.deepest()

        @asset
        def by_star():
            return starred()

        @asset
        def by_default(context, top=LOCAL):
            '''Words.'''
            return json.dumps(top)

        @asset
        def by_value():
            return [getattr(helper, name) for name in ("single",)]

        @asset
        @helper.twice(2)
        def decorated():
            return 1

        @asset(deps=[by_name], tags=["a"])
        def by_nothing(double):
            rate = 1
            return [rate for TABLE in double]

        def factory(number):
            @asset(key=f"made_{number}")
            def made():
                return double(number)
            return made

        one = factory(1)
        """,
    "helper.py": """
        import functools

        def single(x):
            return x

        @functools.lru_cache
        def double(x):
            '''Double it.'''
            return 2 * unit(x)

        def unit(x):  # one
            return x

        class Shape:
            def __init__(self, side): self.side = side
            def area(self): return unit(self.side)

        def twice(times):
            def decorate(function):
                @functools.wraps(function)
                def wrapped():
                    return [function() for _ in range(times)]
                return wrapped
            return decorate
        """,
    "constants.py": """
        RATE = 1_000
        TABLE = {'a': 1}
        TABLE['b'] = 2
        if RATE:
            TABLE.update(c=3)
        UNUSED = 1
        """,
    "pack/__init__.py": "",
    "pack/inner.py": "from . import deep\n\ndef treble(x):\n    return 3 * deep.deepest() * x\n",
    "pack/deep.py": "def deepest():\n    return 1\n",
    "wild.py": "def starred():\n    return 1\n",
}


def parts(root: Path, **changes: str) -> dict[str, Mapping[str, str]]:
    """Return the code parts of every asset of the project with changed files."""
    root.mkdir(exist_ok=True)
    for name, text in {**BASE, **{name.replace("__", "/") + ".py": text for name, text in changes.items()}}.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(textwrap.dedent(text))
    (module,) = import_modules(["assets"], str(root))
    functions = [each for each in vars(module).values() if type(each).__name__ == "AssetFunction"]
    return {str(asset.key): asset.code_parts for each in functions for asset in each.assets}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Mapping[str, str]]:
    return parts(tmp_path_factory.mktemp("before") / "project")


def edited(name: str, old: str, new: str) -> str:
    assert old in BASE[name]
    return BASE[name].replace(old, new)


CHANGES: list[tuple[str, str, str, dict[str, set[str]]]] = [
    ("helper.py", "def single(x):\n            return x", "def single(x):\n            return -x",
     {"by_module": {"function helper.single"}, "by_value": {"module helper"}}),
    ("helper.py", "2 * unit(x)", "3 * unit(x)",
     {"by_name": {"function helper.double"}, "made_1": {"function helper.double"}, "by_value": {"module helper"}}),
    ("helper.py", "def unit(x):  # one\n            return x", "def unit(x):\n            return x + 0",
     {"by_name": {"function helper.unit"}, "made_1": {"function helper.unit"}, "by_class": {"function helper.unit"},
      "by_value": {"module helper"}}),
    ("helper.py", "unit(self.side)", "self.side",
     {"by_class": {"class helper.Shape", "function helper.unit"}, "by_value": {"module helper"}}),
    ("helper.py", "[function() for _ in range(times)]", "[function(), *range(times)]",
     {"decorated": {"function wrapped"}, "by_value": {"module helper"}}),
    ("constants.py", "1_000", "2_000", {"by_constant": {"constant constants.RATE"}}),
    ("constants.py", "TABLE['b'] = 2", "TABLE['b'] = 4", {"by_table": {"constant constants.TABLE"}}),
    ("constants.py", "c=3", "c=4", {"by_table": {"constant constants.TABLE"}}),
    ("constants.py", "UNUSED = 1", "UNUSED = 2", {}),
    ("pack/deep.py", "return 1", "return 2",
     {"by_import_inside": {"function pack.deep.deepest"}, "by_submodule": {"function pack.deep.deepest"}}),
    ("pack/inner.py", "3 *", "4 *", {"by_import_inside": {"function pack.inner.treble"}}),
    ("wild.py", "return 1", "return 2", {"by_star": {"function wild.starred"}}),
    ("assets.py", "[1,\n                 2]", "[1, 3]", {"by_default": {"constant LOCAL"}}),
    ("assets.py", "@helper.twice(2)", "@helper.twice(3)", {"decorated": {"settings"}}),
    ("assets.py", "def decorated():\n            return 1", "def decorated():\n            return 2",
     {"decorated": {"body"}}),
    ("assets.py", "factory(1)", "factory(2)", {"made_1": {"gone"}}),
    ("assets.py", "return double(number)", "return number",
     {"made_1": {"body", "function helper.double", "function helper.unit"}}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "expected"), CHANGES, ids=[each[2][:24] for each in CHANGES])
def test_what_is_reached_counts_and_is_named(
    tmp_path: Path, before: dict[str, Mapping[str, str]], file: str, old: str, new: str, expected: dict[str, set[str]]
) -> None:
    name = file.removesuffix(".py").replace("/", "__")
    now = parts(tmp_path / "project", **{name: edited(file, old, new)})
    found = {
        key: {"gone"} if key not in now else {
            part for part in {*was, *now[key]} if was.get(part) != now[key].get(part)
        }
        for key, was in before.items()
    }  # fmt: skip
    assert {key: changed for key, changed in found.items() if changed} == expected


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("helper.py", "def unit(x):  # one\n", "# other words\n        def unit(  x ):\n"),
        ("helper.py", "'''Double it.'''", "'''Other words.'''"),
        ("helper.py", "import functools", "import functools, os"),
        ("constants.py", "1_000", "1000"),
        ("assets.py", "'''Words.'''", "'''Other words.'''"),
        ("assets.py", '@asset(deps=[by_name], tags=["a"])', '@asset(tags=["b"])'),
        ("assets.py", "-> Shape:", "-> Shape :"),
    ],
)
def test_words_and_layout_are_no_change(
    tmp_path: Path, before: dict[str, Mapping[str, str]], file: str, old: str, new: str
) -> None:
    name = file.removesuffix(".py").replace("/", "__")
    assert parts(tmp_path / "project", **{name: edited(file, old, new)}) == before


def test_another_process_says_the_same(tmp_path: Path) -> None:
    many = "\n".join(f"def f{n}():\n    return {n}\n" for n in range(40))
    calls = " + ".join(f"many.f{n}()" for n in range(40))
    (tmp_path / "many.py").write_text(many)
    (tmp_path / "a.py").write_text(f"import many\nfrom assetry import asset\n\n@asset\ndef a():\n    return {calls}\n")
    code = "import a; print(a.a.asset.code_version)"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


def test_where_the_project_lies_is_no_change(tmp_path: Path, before: dict[str, Mapping[str, str]]) -> None:
    assert parts(tmp_path / "elsewhere") == before


def test_what_is_not_the_projects_is_not_followed(before: dict[str, Mapping[str, str]]) -> None:
    assert set(before["by_nothing"]) == {"body"}
    assert set(before["by_default"]) == {"body", "constant LOCAL"}
    named = {part for found in before.values() for part in found}
    assert not [part for part in named if "json" in part or "functools" in part or "asset" in part]


def test_many_are_told_by_their_modules(tmp_path: Path) -> None:
    many = "\n".join(f"def f{n}():\n    return {n}\n" for n in range(40))
    calls = " + ".join(f"many.f{n}()" for n in range(40))
    text = f"import many\nfrom assetry import asset\n\n@asset\ndef all_of_them():\n    return {calls}\n"
    was = parts(tmp_path / "project", assets=text, many=many)["all_of_them"]
    now = parts(tmp_path / "project", assets=text, many=many.replace("return 7\n", "return 8\n"))["all_of_them"]
    assert set(was) == {"body", "module many"}
    assert {part for part in was if was[part] != now[part]} == {"module many"}


def test_the_text_of_functions_that_a_loop_makes_is_written_out_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[ast.AST] = []
    unparse = ast.unparse
    monkeypatch.setattr(ast, "unparse", lambda node: written.append(node) or unparse(node))
    text = """
        from assetry import asset

        def made(number):
            @asset(key=f"made_{number}")
            def one():
                return number
            return one

        for n in range(9):
            globals()[f"made_{n}"] = made(n)
        """
    found = parts(tmp_path / "project", assets=text)
    assert len(written) == 1
    assert len({each["body"] for each in found.values()}) == 1
    assert len({each["settings"] for each in found.values()}) == 9


def test_what_nobody_can_write_out_is_told_by_its_compiled_code(tmp_path: Path) -> None:
    terms = " + ".join(["x"] * 1500)
    text = f"from assetry import asset\n\n@asset\ndef long():\n    x = 1\n    return {terms}\n"
    was = parts(tmp_path / "project", assets=text)["long"]
    now = parts(tmp_path / "project", assets=text.replace("x = 1", "x = 2"))["long"]
    assert set(was) == set(now) == {"body"}
    assert was != now
