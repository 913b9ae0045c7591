"""Constants count with the value that they hold, where their text does not say it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from assetry.python.modules import import_modules

FILES = {
    "shop.py": """
        import functools, importlib, json, os
        from pathlib import Path
        from assetry import asset
        from lib.kinds import Order, RATE, TABLE, area, norm
        from lib import handlers, settings
        from lib.limits import BOX, KEYS, LIMIT
        import lib.change

        SQL = (Path(__file__).parent / "q.sql").read_text()
        DERIVED = SQL.upper()
        HERE = Path(__file__).resolve().parent
        match os.name:
            case "nothing":
                SEP = 1
            case _:
                SEP = 2

        @asset
        def by_text(): return SQL

        @asset
        def by_derived(): return DERIVED

        @asset
        def by_json(): return settings.RATES["x"]

        @asset
        def by_frame(): return settings.FRAME

        @asset
        def by_object(): return settings.CONF.rate

        @asset
        def by_class(): return settings.Config.rates

        @asset
        def by_environment(): return settings.STAGE

        @asset
        def by_change_elsewhere(): return BOX["x"]

        @asset
        def by_set_elsewhere(): return LIMIT

        @asset
        def by_deleted(): return sorted(KEYS)

        @asset
        def by_match(): return SEP

        @asset
        def by_registry(): return handlers.REGISTRY["double"](2)

        @asset
        def by_dispatch(): return area(2)

        @asset
        def by_docstring(): return norm.__doc__

        @asset
        def by_query(frame): return frame.query("price > @RATE and rate > 0")

        @asset
        def by_sql(): return f"select * from TABLE where {1}"

        @asset
        def by_name(): return importlib.import_module("lib.dynamic").value()

        @asset
        def by_annotation(): return Order.parse({})

        @asset
        def by_nothing(frame):
            '''RATE and TABLE.'''
            return frame["by_sql"], "settings"

        @asset
        def by_clock(): return settings.NOW, settings.RUN, settings.EVERYTHING

        @asset
        def by_secret(): return settings.PASSWORD

        @asset
        def by_folder(): return HERE, settings.DATA, settings.DATABASE
        """,
    "q.sql": "select 1",
    "rates.json": '{"x": 1}',
    "lib/__init__.py": "",
    "lib/settings.py": """
        import dataclasses, datetime, json, os, uuid
        from pathlib import Path
        import pandas as pd

        @dataclasses.dataclass
        class Conf:
            rate: int

        TEXT = (Path(__file__).parents[1] / "rates.json").read_text()
        RATES = json.loads(TEXT)
        CONF = Conf(RATES["x"])
        FRAME = pd.DataFrame(RATES, index=[0])

        class Config:
            rates = json.loads(TEXT)

        STAGE = os.environ.get("SHOP_STAGE", "dev")
        PASSWORD = os.environ.get("SHOP_PASSWORD")
        NOW = datetime.datetime.now().isoformat()
        RUN = uuid.uuid4().hex
        EVERYTHING = {**os.environ}
        DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
        DATABASE = f"sqlite:///{Path(__file__).parents[1]}/shop.db"
        """,
    "lib/limits.py": "BOX = {'x': 1}\nKEYS = {'a': 1, 'b': 2}\nif True:\n    del KEYS['a']\nLIMIT = 3\n",
    "lib/change.py": "from lib import limits\nfrom lib.limits import BOX\nBOX['x'] = 5\nlimits.LIMIT = 4\n",
    "lib/dynamic.py": "def value():\n    return 1\n",
    "lib/kinds.py": """
        import functools
        from typing import Annotated

        RATE = 7
        TABLE = [8]

        @functools.singledispatch
        def area(x):
            raise TypeError

        @area.register
        def _(x: int):
            return x * 9

        @functools.cache
        def unrelated():
            return functools

        def norm(v):
            '''Ten times.'''
            return v * 10

        Price = Annotated[int, norm]

        class Line:
            price: "Price"

        class Order:
            lines: list[Line]
        """,
    "lib/handlers.py": """
        REGISTRY = {}

        def register(name):
            def add(function):
                REGISTRY[name] = function
                return function
            return add

        @register("double")
        def double(x):
            return x * factor()

        def factor():
            return 2
        """,
}


def write(root: Path, changes: dict[str, tuple[str, str]]) -> None:
    for name, text in FILES.items():
        old, new = changes.get(name, ("", ""))
        assert old in text
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(textwrap.dedent(text.replace(old, new) if old else text))


def versions(root: Path, **changes: tuple[str, str]) -> dict[str, Any]:
    """Return the code parts of every asset of the project with changed files."""
    write(root, changes)
    (module,) = import_modules(["shop"], str(root))
    functions = [each for each in vars(module).values() if type(each).__name__ == "AssetFunction"]
    return {str(asset.key): dict(asset.code_parts) for each in functions for asset in each.assets}


def changed(was: dict[str, Any], now: dict[str, Any]) -> dict[str, set[str]]:
    found = {key: {part for part in was[key] if was[key][part] != now[key].get(part)} for key in was}
    return {key: parts for key, parts in found.items() if parts}


@pytest.fixture
def before(tmp_path: Path) -> dict[str, Any]:
    return versions(tmp_path / "before")


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("q.sql", "1", "2", {"by_text": {"constant SQL"}, "by_derived": {"constant SQL", "constant DERIVED"}}),
        ("rates.json", "1", "2", {
            "by_json": {"constant lib.settings.RATES", "constant lib.settings.TEXT"},
            "by_frame": {f"constant lib.settings.{name}" for name in ("FRAME", "RATES", "TEXT")},
            "by_object": {f"constant lib.settings.{name}" for name in ("CONF", "RATES", "TEXT")},
            "by_class": {"class lib.settings.Config", "constant lib.settings.TEXT"},
        }),
        ("lib/change.py", "BOX['x'] = 5", "BOX['x'] = 6", {"by_change_elsewhere": {"constant lib.limits.BOX"}}),
        ("lib/change.py", "= 4", "= 5", {"by_set_elsewhere": {"constant lib.limits.LIMIT"}}),
        ("lib/limits.py", "KEYS['a']", "KEYS['b']", {"by_deleted": {"constant lib.limits.KEYS"}}),
        ("shop.py", "SEP = 2", "SEP = 3", {"by_match": {"constant SEP"}}),
        ("lib/kinds.py", "= 7", "= 6", {"by_query": {"constant lib.kinds.RATE"}}),
        ("lib/kinds.py", "[8]", "[6]", {"by_sql": {"constant lib.kinds.TABLE"}}),
        ("lib/kinds.py", "x * 9", "x * 6", {"by_dispatch": {"function lib.kinds.area"}}),
        ("lib/kinds.py", "return functools", "return 6", {}),
        ("lib/kinds.py", "v * 10", "v * 6", {
            "by_annotation": {"function lib.kinds.norm"},
            "by_docstring": {"function lib.kinds.norm", "text lib.kinds.norm.__doc__"},
        }),
        ("lib/kinds.py", "Ten", "Six", {"by_docstring": {"text lib.kinds.norm.__doc__"}}),
        ("lib/dynamic.py", "return 1", "return 2", {"by_name": {"module lib.dynamic"}}),
        ("shop.py", "return SQL", "return SQL + ''", {"by_text": {"body"}}),
        ("lib/handlers.py", "x * factor()", "-x * factor()", {"by_registry": {"function lib.handlers.double"}}),
        ("lib/handlers.py", "return 2", "return 3", {"by_registry": {"function lib.handlers.factor"}}),
    ],
)  # fmt: skip
def test_what_a_constant_holds_counts(
    tmp_path: Path, before: dict[str, Any], file: str, old: str, new: str, expected: dict[str, set[str]]
) -> None:
    assert changed(before, versions(tmp_path / "after", **{file: (old, new)})) == expected


def test_the_environment_counts_where_it_is_asked_for_and_no_secret(
    tmp_path: Path, before: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_STAGE", "prod")
    monkeypatch.setenv("SHOP_PASSWORD", "hush")
    assert changed(before, versions(tmp_path / "after")) == {"by_environment": {"constant lib.settings.STAGE"}}


def test_where_and_when_it_is_loaded_is_no_change(tmp_path: Path, before: dict[str, Any]) -> None:
    assert versions(tmp_path / "else" / "where") == before
    code = "import shop; print({k: dict(v.asset.code_parts) for k, v in vars(shop).items() if hasattr(v, 'assets')})"
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "else" / "where",
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == str(before)
