"""No value is lost on its way from JSON through Arrow, whatever a schema promised of it."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from assetry_airbyte.local import spool
from assetry_airbyte.local.columns import JSON, TEXT, WRITTEN, array, kind_of
from assetry_airbyte.local.spool import Spool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["2026-01-31", "2026-01-31T10:00:00", "2026-01-31T10:00:00+02:00", "10:00:00", "2026-02-31"])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
kinds = st.sampled_from(sorted(WRITTEN))


def same(given: Any, kept: Any, kind: str) -> bool:
    """Tell whether a cell holds what was given."""
    if given is None or kept is None:
        return given is None and kept is None
    if kind == JSON:
        return bool(json.loads(kept) == given)
    if kind == TEXT:
        # A column that became text late holds what came before in the words of the warehouse.
        return kept == given or _as_json(kept) == given or _as_moment(kept) == _as_moment(str(given))
    if isinstance(kept, datetime):
        moment = datetime.fromisoformat(given)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return kept.replace(tzinfo=kept.tzinfo or UTC) == zoned
    if isinstance(kept, date):
        return kept == datetime.fromisoformat(given).date() and datetime.fromisoformat(given).time() == time()
    if isinstance(kept, time):
        return kept == time.fromisoformat(given)
    return bool(kept == given) and isinstance(kept, bool) == isinstance(given, bool)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_moment(text: str) -> Any:
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            found = read(text.replace(".000000", ""))
        except ValueError:
            continue
        return found if isinstance(found, time) or found.tzinfo else found.replace(tzinfo=UTC)
    return text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    declared=st.dictionaries(st.sampled_from("abc"), kinds),
    rows=st.lists(st.dictionaries(st.sampled_from("abcd"), values), max_size=12),
    batch=st.integers(1, 5),
)
def test_every_value_of_every_row_comes_through(
    declared: dict[str, str], rows: list[dict[str, Any]], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "BATCH", batch)
        spooled = Spool(Path(folder), declared)
        for row in rows:
            spooled.rows.append(row)
            spooled.flush()
        spooled.finish()
        table = spooled.open().read_all()
        again = spooled.open().read_all()
        version = spooled.version()
    assert table == again
    assert table.num_rows == len(rows) == spooled.count
    assert len(version) == 32
    for row, kept in zip(rows, table.to_pylist(), strict=True):
        for name in {*row, *kept}:
            assert same(row.get(name), kept.get(name), spooled.kinds[name]), (name, row, kept, spooled.kinds)


@given(kind=kinds, cells=st.lists(values, max_size=5))
def test_an_array_holds_all_values_or_there_is_none(kind: str, cells: list[Any]) -> None:
    found = array(kind, cells)
    if found is not None:
        assert len(found) == len(cells)
        assert all(same(*pair, kind) for pair in zip(cells, found.to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "text"),
        ({"type": ["null", "integer"]}, "integer"),
        ({"type": "number", "airbyte_type": "integer"}, "integer"),
        ({"type": "string", "airbyte_type": "big_integer"}, "text"),
        ({"type": "string", "format": "time", "airbyte_type": "time_with_timezone"}, "text"),
        ({"type": ["object", "string"]}, "json"),
        ({"oneOf": [{"type": "null"}, {"type": "string", "format": "date"}]}, "date"),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, "json"),
        ({"$ref": "WellKnownTypes.json#/definitions/TimestampWithoutTimezone"}, "timestamp"),
        ({}, "json"),
        (True, "json"),
        ({"type": "array", "items": {"type": "string"}}, "json"),
    ],
)
def test_kinds_of_schemas(schema: Any, kind: str) -> None:
    assert kind_of(schema) == kind


def test_not_a_number_is_a_number() -> None:
    found = array("number", [math.nan, math.inf, 1])
    assert found is not None
    assert found.type == pa.float64()
