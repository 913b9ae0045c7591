"""Every dtype of pandas, polars and Arrow through every place: docs/types.md, proven; `make types` writes it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.plugin import assetry_open_io
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset
from assetry_duckdb.plugin import assetry_open_io as open_duckdb
from assetry_postgres.plugin import assetry_open_io as open_postgres

from tests.e2e.types.judge import FORMS, PAGE, PLACES, ChangedError, cells, kind, outcome, table, written
from tests.e2e.types.subjects import SUBJECTS
from tests.postgres_server import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def places() -> Iterator[Mapping[str, ValueRouter]]:
    opens = {"duckdb": open_duckdb, "postgresql": open_postgres, "postgres": open_postgres}

    def opened(url: str) -> Any:
        return opens.get(url.partition(":")[0], assetry_open_io)(url)

    with tempfile.TemporaryDirectory() as folder, postgres() as running:
        urls = {
            "Parquet": f"parquet:{folder}/data",
            "DuckDB": "duckdb::memory:",
            "PostgreSQL": running.url,
            "memory": "memory:",
        }
        yield {name: ValueRouter(opened, urls[name]) for name in PLACES}


@pytest.mark.parametrize("library", SUBJECTS)
def test_every_type_comes_back_or_is_refused_and_the_page_says_which(
    places: Mapping[str, ValueRouter], library: str
) -> None:
    changed, found = [], {}
    for dtype in SUBJECTS[library]:
        found[dtype] = {}
        for place, values in places.items():
            try:
                found[dtype][place] = outcome(values, library, dtype)
            except ChangedError as error:
                changed.append(f"{place}: {error}")
    assert changed == []
    page = PAGE.read_text()
    new = written(page, library, table(library, found))
    if os.environ.get("ASSETRY_WRITE_TYPES"):
        PAGE.write_text(new)
    assert PAGE.read_text() == new, "docs/types.md says otherwise: look at what has changed, then run `make types`"


@pytest.mark.parametrize("library", SUBJECTS)
def test_what_one_library_gives_another_gets_as_it_is_or_not_at_all(library: str) -> None:
    values = ValueRouter(assetry_open_io, "memory:")
    asset = Asset(key="types/given", kind="python", kept=True)
    for dtype, make in SUBJECTS[library].items():
        try:
            values.save(asset, make())
        except ValueStoreError:
            continue
        for other, form in FORMS.items():
            try:
                back = values.load(asset, form)
            except ValueStoreError as error:
                helpful = "column 'x'" in error.message and error.hint
                back = None
            if back is None:
                assert helpful, f"{library} {dtype} as {other}"
                continue
            # Arrow keeps pandas' own types, and shows them only as what they are made of.
            if not kind(back).startswith("extension<pandas."):
                missing = "pandas" in (library, other)
                assert cells(back, nan_is_missing=missing) == cells(make(), nan_is_missing=missing), (
                    f"{library} {dtype} as {other}"
                )


# -- it would notice ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([2**53 + 1], [float(2**53)]),
        ([True], [1]),
        ([None], [""]),
        (["1"], [1]),
        ([pd.Timestamp(1)], [pd.Timestamp(0)]),
        ([pd.Timestamp(0)], [pd.Timestamp(0, tz="UTC")]),
        ([[1, None]], [[1, 0]]),
        ([pd.Timedelta(1)], [pd.Timedelta(0)]),
    ],
)
def test_a_value_that_has_changed_is_seen(one: list[Any], other: list[Any]) -> None:
    first, second = (pd.DataFrame({"x": pd.Series(each, dtype="object")}) for each in (one, other))
    assert cells(first) != cells(second)
    assert cells(first) == cells(first.copy())


@pytest.mark.parametrize(
    ("one", "other"), [(float("nan"), None), (-0.0, 0.0), ([float("nan")], [None]), ([-0.0], [0.0])]
)
def test_nan_and_minus_zero_are_values_of_their_own(one: Any, other: Any) -> None:
    kind = pa.list_(pa.float64()) if isinstance(one, list) else pa.float64()
    first, second = (pa.table({"x": pa.array([each], kind)}) for each in (one, other))
    assert cells(first) != cells(second)
    assert cells(first) == cells(first)
    assert cells(pl.from_arrow(first)) != cells(pl.from_arrow(second))
    if -0.0 in (one, one[0] if isinstance(one, list) else one):
        assert cells(first.to_pandas()) != cells(second.to_pandas())


def test_decimal_nan_and_sets_are_not_what_they_would_become() -> None:
    for one, other in ((Decimal("NaN"), None), ({1}, [1])):
        first, second = (pd.DataFrame({"x": pd.Series([each], dtype="object")}) for each in (one, other))
        assert cells(first) != cells(second)


def test_a_place_that_changes_values_is_seen(tmp_path: Path) -> None:
    class Careless(ValueRouter):
        def load(self, *given: Any) -> Any:
            return super().load(*given).astype("float64").rename(columns=str)

    with pytest.raises(ChangedError, match="int64"):
        outcome(Careless(assetry_open_io, "memory:"), "pandas", "int64")


def test_nanoseconds_are_looked_at_in_every_library() -> None:
    one, other = (pa.table({"x": pa.array([n], pa.int64()).cast(pa.timestamp("ns"))}) for n in (0, 1))
    assert cells(one) != cells(other)
