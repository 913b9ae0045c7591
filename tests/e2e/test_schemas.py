"""Schemas from end to end: what is kept never differs from them afterwards, and contracts of dbt are schemas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from assetry import Project
from assetry.columns.column_types import ColumnType
from assetry.columns.differences import differences
from assetry.errors import ValueStoreError
from assetry.io.content import columns_of
from assetry.io.declared import table_of
from assetry.types.assets import Asset, Column
from assetry.types.events import Materialized
from assetry_duckdb.sql import table_columns
from assetry_duckdb.types import to_duckdb
from assetry_postgres.types import sql_type, to_postgres
from hypothesis import given

from tests.core.io.test_declared import CELLS, WORDS


def as_kept(table: pa.Table, asset: Asset) -> list[list[Column]]:
    """Return the columns of a table as each place would name them: files, DuckDB, PostgreSQL."""
    with duckdb.connect() as connection:
        connection.register("kept", to_duckdb(table, asset))
        in_duckdb = list(table_columns(connection, "kept"))
    in_postgres = [Column(each.name, sql_type(each.type)) for each in to_postgres(table, asset).schema]
    return [list(columns_of(table)), in_duckdb, in_postgres]


@given(CELLS, WORDS)
def test_what_is_kept_does_not_differ_from_its_schema_afterwards(cells: pa.Array, word: ColumnType) -> None:
    """Else it would be out of date for ever: made anew by every run, and kept as it is each time."""
    asset = Asset(key="orders", kind="python", columns=[Column("a", str(word))], columns_are="all", kept=True)
    try:
        table = table_of(asset, pa.table({"a": cells}))
    except ValueStoreError:
        return
    for columns in as_kept(table, asset):
        assert list(differences(asset.columns, columns, asset.columns_are)) == []


FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "models/typed.sql": "select 1 as id, 'x' as name",
    "models/told.sql": "select 1 as id, 'x' as name",
    "models/schema.yml": """\
models:
  - name: typed
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: integer}, {name: name, data_type: varchar}]
  - name: told
    columns: [{name: id, data_type: varchar}, {name: nmae}]
""",
}


def project(root: Path, **changes: str) -> Project:
    for name, text in {**FILES, **changes}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Project.load(root)


def made(shop: Project) -> dict[str, Any]:
    result = shop.materialize()
    assert result.ok, result
    events = [each.event for each in shop.store.events(result.run.id)]
    return {
        each.key.name: None if each.columns is None else [column[:2] for column in each.columns]
        for each in events
        if isinstance(each, Materialized)
    }


def reasons(shop: Project) -> dict[str, list[tuple[str, str]]]:
    return {each.key.name: [(reason.code, reason.text) for reason in each.reasons] for each in shop.status()}


@pytest.mark.slow
def test_tables_of_dbt_are_recorded_with_their_columns_and_a_contract_is_a_schema(tmp_path: Path) -> None:
    with project(tmp_path) as shop:
        columns = [("id", "INTEGER"), ("name", "VARCHAR")]
        assert made(shop) == {"typed": columns, "told": columns}
        # What only describes, wrongly, is no reason to make anything anew.
        assert reasons(shop) == {"typed": [], "told": []}
        assert [shop.graph[f"shop/{name}"].columns_are for name in ("typed", "told")] == ["all", "described"]
    changed = FILES["models/schema.yml"].replace("data_type: integer", "data_type: varchar").replace(
        ", {name: name, data_type: varchar}", ""
    )  # fmt: skip
    with project(tmp_path, **{"models/schema.yml": changed}) as shop:
        found = reasons(shop)
        assert found["told"] == []
        assert [text for code, text in found["typed"] if code == "columns_differ"] == [
            "`id`: declared text (varchar), got integer",
            "`name` is not declared",
        ]
        assert "code_changed" in [code for code, _ in found["typed"]]


@pytest.mark.slow
def test_a_file_that_another_process_keeps_to_itself_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text('[integrations.shop]\nkind = "dbt"\nengine = "subprocess"\n')
    with project(tmp_path) as shop:
        assert made(shop) == {"typed": None, "told": None}
        assert {status.status for status in shop.status()} == {"fresh"}


def test_what_is_refused_is_told_by_all_commands(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text(
        "import pandas as pd\nfrom assetry import asset\n\n\n"
        "@asset(schema={'id': 'bigint', 'amount': 'integer'}, extra_columns='refuse', code_version='1')\n"
        "def orders():\n    return pd.DataFrame({'id': [1], 'amount': [1]})\n"
    )
    with Project.load(tmp_path) as shop:
        assert shop.materialize().ok
    text = (tmp_path / "assets.py").read_text().replace("'amount': 'integer'", "'amount': 'text', 'total': 'text'")
    (tmp_path / "assets.py").write_text(text)
    with Project.load(tmp_path) as shop:
        told = ["`amount`: declared text, got integer (int64)", "`total` is declared but not there"]
        assert [text for _, text in reasons(shop)["orders"]] == told
        result = shop.materialize(stale=True)
        ((_, attempt),) = result.outcomes.items()
        assert not result.ok
        assert "; ".join(told) in str(attempt.message)
        assert "assets.py:5" in str(attempt.message)
        assert shop.load_value("orders").to_dict("list") == {"id": [1], "amount": [1]}
