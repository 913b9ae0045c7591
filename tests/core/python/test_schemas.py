"""What ``schema=`` takes: every form of it is the same columns, and a part of the code version."""

from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pandera.polars as pandera_polars
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import DefinitionError
from assetry.project.project import Project
from assetry.python.decorators import asset, multi_asset
from assetry.python.keywords import read_schema
from assetry.python.schemas import Schema
from assetry.types.assets import Asset, Column


class Orders(pandera.DataFrameModel):
    """One row per order."""

    id: int = pandera.Field(ge=0, description="The number.")
    amount: float
    at: pd.Timestamp

    class Config:
        strict = True


class PolarsOrders(pandera_polars.DataFrameModel):
    id: int
    amount: float
    at: pl.Datetime

    class Config:
        strict = True


ARROW = pa.schema([pa.field("id", pa.int64(), metadata={"description": "The number."}), ("amount", pa.float64()), ("at", pa.timestamp("us"))])  # fmt: skip # noqa: E501
POLARS = pl.Schema({"id": pl.Int64, "amount": pl.Float64(), "at": pl.Datetime("us")})

SAME = [
    {"id": "int64", "amount": "float64", "at": "timestamp without time zone"},
    {"id": np.int64, "amount": np.dtype("float64"), "at": np.dtype("datetime64[ns]")},
    {"id": pd.Int64Dtype(), "amount": pd.Float64Dtype(), "at": pa.timestamp("ns")},
    {"id": pl.Int64, "amount": pl.Float64, "at": pl.Datetime("us")},
    [Column("id", "int64"), Column("amount", "float64"), Column("at", "timestamp without time zone")],
    ARROW,
    POLARS,
    Orders,
    Orders.to_schema(),
    PolarsOrders,
]


@pytest.mark.parametrize("given", SAME, ids=lambda given: str(type(given).__module__))
def test_every_form_names_the_same_columns(given: Any) -> None:
    found = read_schema(given).columns
    assert [each[:2] for each in found] == [
        ("id", "int64"), ("amount", "float64"), ("at", "timestamp without time zone"),
    ]  # fmt: skip


def test_what_a_schema_says_of_further_columns() -> None:
    assert [read_schema(given).are for given in SAME] == [None] * 5 + ["all"] * 5
    assert read_schema(["id"]) == Schema((Column("id"),))


def test_descriptions_come_along() -> None:
    assert [read_schema(given).columns[0].description for given in (ARROW, Orders)] == ["The number."] * 2


def test_what_pandera_only_allows_is_no_column_that_is_needed() -> None:
    schema = pandera.DataFrameSchema(
        {
            "id": pandera.Column(int),
            "note": pandera.Column(str, required=False),
            "x_.*": pandera.Column(float, regex=True),
            "any": pandera.Column(None),
        },
        index=pandera.MultiIndex([pandera.Index(str, name="day"), pandera.Index(int)]),
        strict=True,
    )
    found = read_schema(schema)
    assert [(each.name, each.type) for each in found.columns] == [
        ("day", "text"),
        ("id", "int64"),
        ("any", None),
    ]
    assert found.are == "needed"  # which others there may be, pandera alone can tell


def test_what_is_no_schema_of_a_table_is_refused_with_its_place() -> None:
    with pytest.raises(DefinitionError, match="pandera's SeriesSchema") as caught:

        @asset(schema=pandera.SeriesSchema(int))
        def orders() -> Any: ...

    assert "test_schemas.py:" in str(caught.value.where)


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"schema": ["id"], "extra_columns": "acept"}, "did you mean 'accept'"),
        ({"extra_columns": "refuse"}, "of an asset without a schema"),
        ({"schema": Orders, "extra_columns": "refuse"}, "pandera, which says itself"),
        ({"schema": {"id": object()}}, "a schema of pandera, pyarrow or polars, or a mapping"),
        ({"schema": pd.Series([1])}, "not 1"),
    ],
)
def test_what_has_no_meaning_is_refused(keywords: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError) as caught:

        @asset(**keywords)
        def orders() -> Any: ...

    assert told in str(caught.value)
    assert "test_schemas.py:" in str(caught.value.where)


def test_each_output_has_its_own() -> None:
    @multi_asset(assets=[{"key": "one", "schema": Orders}, {"key": "two", "schema": ["id"]}, "three"])
    def several() -> Any: ...

    assert [each.columns_are for each in several.assets] == ["all", "needed", "needed"]
    assert {str(key): each for key, each in several.validators.items()} == {"one": Orders}


def loaded(tmp_path: Path, extra: str | None = None) -> dict[str, str]:
    (tmp_path / "shop_assets.py").write_text(
        textwrap.dedent("""
        import pyarrow as pa
        import pandera.pandas as pandera
        from assetry import asset

        class Loose(pandera.DataFrameModel):
            id: int

        @asset(schema=["id"])
        def names(): ...
        @asset(schema=pa.schema([("id", pa.int64())]))
        def arrow(): ...
        @asset(schema=["id"], extra_columns="refuse")
        def closed(): ...
        @asset(schema=pa.schema([("id", pa.int64())]), extra_columns="accept")
        def opened(): ...
        @asset(schema=Loose)
        def loose(): ...
        """)
    )
    said = f'[schema]\nextra_columns = "{extra}"\n' if extra else ""
    (tmp_path / "assetry.toml").write_text(f'modules = ["shop_assets"]\n{said}')
    return {str(each.key): each.columns_are for each in Project.load(tmp_path).graph.assets}


def test_the_project_says_what_no_asset_says_itself(tmp_path: Path) -> None:
    own = {"closed": "all", "opened": "needed", "loose": "needed"}
    assert loaded(tmp_path) == {"names": "needed", "arrow": "all", **own}
    assert loaded(tmp_path, "accept") == {"names": "needed", "arrow": "needed", **own}
    assert loaded(tmp_path, "refuse") == {"names": "all", "arrow": "all", **own}


RULES = """
import pandera.pandas as pandera
from assetry import asset

LIMIT = 3

def is_even(series):
    return series % 2 == 0

class Model(pandera.DataFrameModel):
    id: int = pandera.Field(ge=0)

    @pandera.check("id")
    def small(cls, series):
        return series < LIMIT

    @pandera.parser("id")
    def half(cls, series):
        return series

schema = pandera.DataFrameSchema({"id": pandera.Column(int, pandera.Check(is_even))})

@asset(schema=Model)
def one(): ...

@asset(schema=schema)
def two(): ...
"""
CHANGES = [
    ("ge=0", "ge=1", {"one"}),
    ("ge=0", "ge=0, nullable=True", {"one"}),
    ("ge=0", "ge=0, unique=True", {"one"}),
    ("series < LIMIT", "series <= LIMIT", {"one"}),
    ("LIMIT = 3", "LIMIT = 4", {"one"}),
    ("return series\n", "return series // 2\n", {"one"}),
    ("% 2 == 0", "% 3 == 0", {"two"}),
    ("pandera.Check(is_even)", "pandera.Check(is_even, raise_warning=True)", {"two"}),
    ("Column(int,", "Column(float,", {"two"}),
    ("return series < LIMIT", "# a comment\n        return series < LIMIT", set()),
]


def versions(tmp_path: Path, source: str) -> dict[str, Asset]:
    (tmp_path / "ruled.py").write_text(source)
    importlib.invalidate_caches()
    sys.modules.pop("ruled", None)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(tmp_path))
    try:
        module = importlib.import_module("ruled")
    finally:
        sys.path.remove(str(tmp_path))
        sys.dont_write_bytecode = before
    return {name: getattr(module, name).asset for name in ("one", "two")}


@pytest.mark.parametrize(("old", "new", "changed"), CHANGES)
def test_what_a_schema_asks_for_is_a_part_of_the_code(tmp_path: Path, old: str, new: str, changed: set[str]) -> None:
    assert old in RULES
    before, after = versions(tmp_path, RULES), versions(tmp_path, RULES.replace(old, new, 1))
    found = {name for name, made in before.items() if made.code_version != after[name].code_version}
    assert found == changed


def test_the_part_that_changed_is_named(tmp_path: Path) -> None:
    before, after = (versions(tmp_path, text)["one"] for text in (RULES, RULES.replace("< LIMIT", "<= LIMIT")))
    assert {part for part, hashed in before.code_parts.items() if after.code_parts[part] != hashed} == {
        "function small"
    }


def test_nothing_is_imported_for_a_schema_that_is_written_by_hand() -> None:
    code = (
        "import sys; from assetry import asset\n"
        "asset(schema={'id': 'bigint'})(lambda: 1)\n"
        "print([*{'pandas', 'polars', 'pyarrow', 'pandera', 'numpy'} & {*sys.modules}])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
