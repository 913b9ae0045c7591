"""What an asset function was given by a factory counts, whatever it is, and is the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from assetry.python.modules import import_modules
from assetry.python.written import UntoldError, Writer

MODULE = """
import datetime as dt, enum, functools, logging, math, operator, re, threading, zoneinfo
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
from assetry import asset
from made import *

def times(k, v): return k * v

def factory(given):
    @asset(key="made")
    def made():
        return given
    return made

def twice(n):
    def decorate(function):
        @functools.wraps(function)
        def wrapped(): return [function()] * n
        return wrapped
    return decorate

HERE = Path(__file__).parent
made = factory({})
"""
MADE = """
import enum, threading
from dataclasses import dataclass
from typing import NamedTuple
from pydantic import BaseModel

@dataclass
class Conf:
    name: str
    rate: int = 1

class Row(NamedTuple):
    rate: int

class Model:
    def __init__(self, k): self.k, self.names, self.me = k, {"a", "b", "c"}, self
    def fit(self, v): return v * self.k

class Size(enum.Enum):
    SMALL = 1
    LARGE = 2

class Checked(BaseModel):
    rate: int

class Open:
    def __init__(self, k): self.k, self.lock = k, threading.Lock()
"""
#: Two values that another edit gives the same factory.
PAIRS = [
    ("Conf('x', 1)", "Conf('x', 2)"),
    ("Row(1)", "Row(2)"),
    ("Model(1)", "Model(2)"),
    ("Model(1).fit", "Model(2).fit"),
    ("Checked(rate=1)", "Checked(rate=2)"),
    ("Open(1)", "Open(2)"),
    ("Size.SMALL", "Size.LARGE"),
    ("dt.date(2024, 1, 1)", "dt.date(2024, 1, 2)"),
    ("dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc)", "dt.datetime(2024, 1, 1)"),
    ("dt.timedelta(1)", "dt.timedelta(2)"),
    ("zoneinfo.ZoneInfo('UTC')", "zoneinfo.ZoneInfo('Europe/Paris')"),
    ("Decimal('1')", "Decimal('1.0')"),
    ("re.compile('a')", "re.compile('a', re.I)"),
    ("Path('a')", "Path('b')"),
    ("range(3)", "range(4)"),
    ("functools.partial(times, 3)", "functools.partial(times, 4)"),
    ("functools.partial(lambda v: v, 3)", "functools.partial(lambda v: -v, 3)"),
    ("[lambda v: v]", "[lambda v: -v]"),
    ("math.sin", "math.cos"),
    ("operator.itemgetter(1)", "operator.itemgetter(2)"),
    ("[{'a': Conf('x', 1)}]", "[{'a': Conf('x', 2)}]"),
    ("np.array([1, 2])", "np.array([1, 3])"),
    ("np.array([1, 2])", "np.array([[1], [2]])"),
    ("np.array(['a', None])", "np.array(['b', None])"),
    ("np.float64(1)", "np.float64(2)"),
    ("pd.DataFrame({'a': [1]})", "pd.DataFrame({'a': [2]})"),
    ("pd.DataFrame({'a': [1]}, index=['x'])", "pd.DataFrame({'a': [1]}, index=['y'])"),
    ("pd.Series([1], name='a')", "pd.Series([1], name='b')"),
    ("pd.Series([1])", "pd.Series([2])"),
    ("pd.MultiIndex.from_tuples([(1, 'a')])", "pd.MultiIndex.from_tuples([(1, 'b')])"),
    ("pd.Timestamp('2024')", "pd.Timestamp('2025')"),
    ("pl.DataFrame({'a': [1]})", "pl.DataFrame({'a': [2]})"),
    ("pl.Series([1])", "pl.Series([2])"),
    ("pl.LazyFrame({'a': [1]})", "pl.LazyFrame({'a': [2]})"),
    ("pl.col('a') + 1", "pl.col('a') + 2"),
    ("pa.table({'a': [1]})", "pa.table({'a': [2]})"),
    ("threading.Lock()", "threading.RLock()"),
]


def version(root: Path, given: str, made: str = MADE) -> str:
    root.mkdir(parents=True, exist_ok=True)
    (root / "made.py").write_text(made)
    (root / "shop.py").write_text(MODULE.replace("factory({})", f"factory({given})"))
    (module,) = import_modules(["shop"], str(root))
    return str(module.made.asset.code_version)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_another_value_is_another_version_and_the_same_none(tmp_path: Path, one: str, other: str) -> None:
    first = version(tmp_path / "a", one)
    assert version(tmp_path / "elsewhere" / "b", one) == first
    assert version(tmp_path / "c", other) != first


@pytest.mark.parametrize(
    ("given", "old", "new"),
    [
        ("Model(1)", "return v * self.k", "return v + self.k"),
        ("Model(1).fit", "return v * self.k", "return v + self.k"),
        ("[Model]", "return v * self.k", "return v + self.k"),
        ("Open(1)", "self.k, self.lock = k", "self.k, self.lock = -k"),
        ("Conf('x')", "rate: int = 1", "rate: int = 2"),
    ],
)
def test_the_class_of_a_value_counts(tmp_path: Path, given: str, old: str, new: str) -> None:
    assert old in MADE
    assert version(tmp_path / "a", given) != version(tmp_path / "b", given, MADE.replace(old, new))


def test_decorators_of_one_name_count_each(tmp_path: Path) -> None:
    def decorated(root: Path, outer: int) -> str:
        root.mkdir()
        text = f"made = asset(key='made')(twice({outer})(twice(3)(lambda: 1)))\n"
        (root / "made.py").write_text(MADE)
        (root / "shop.py").write_text(MODULE + text)
        (module,) = import_modules(["shop"], str(root))
        return str(module.made.asset.code_version)

    assert decorated(tmp_path / "a", 2) != decorated(tmp_path / "b", 4)


def test_where_the_project_lies_is_no_change(tmp_path: Path) -> None:
    given = "[HERE / 'q.sql', str(HERE), HERE.parent / 'data', f'file:{HERE}/x']"
    assert version(tmp_path / "a" / "p", given) == version(tmp_path / "b" / "p", given)
    assert version(tmp_path / "c" / "p", given.replace("q.sql", "p.sql")) != version(tmp_path / "d" / "p", given)


def test_another_process_says_the_same(tmp_path: Path) -> None:
    here = version(tmp_path, f"[{', '.join(dict.fromkeys(each for pair in PAIRS for each in pair))}]")
    there = subprocess.run(
        [sys.executable, "-c", "import shop\nprint(shop.made.asset.code_version)"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert there.strip() == here


def test_what_cannot_be_written_says_so() -> None:
    for value in ((each for each in ""), [threading.Lock()]):
        with pytest.raises(UntoldError):
            Writer("/").text(value)


def test_plain_data_only_never_asks_an_object() -> None:
    class Sly:
        def __reduce_ex__(self, protocol: object) -> str:
            raise AssertionError("asked")

    assert Writer("/", plain=True).text({"a": [1, Sly()]}).startswith("{'a': list(1, a test_")
