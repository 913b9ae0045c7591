"""No value is lost on its way from JSON through Arrow, whatever a schema promised of it."""

from __future__ import annotations

import math
import re
import tempfile
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from assetry_airbyte.local import spool
from assetry_airbyte.local.column_names import named
from assetry_airbyte.local.columns import JSON, TEXT, WRITTEN, array, kind_of
from assetry_airbyte.local.json_text import number as json_number
from assetry_airbyte.local.json_text import read, written
from assetry_airbyte.local.protocol import read_messages
from assetry_airbyte.local.spool import Form, Spool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["2026-01-31", "2026-01-31T10:00:00", "2026-01-31T10:00:00+02:00", "10:00:00", "2026-02-31"])
    | st.sampled_from(["2026-01-31T10:00:00.123456789", "2026-01-31T10:00:00.123456000Z", "10:00:00+02:00"])
    | st.sampled_from(["10:00:00.123456789", 2**53 + 1, Decimal("12345678901234567891.5"), "\ud800"])
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
        return bool(read(kept) == given)
    if kind == TEXT:
        # A column that became text late holds what came before in the words of the warehouse.
        plain = given.encode("utf-8", "replace").decode() if isinstance(given, str) else given
        return kept == plain or _as_json(kept) == given or _as_moment(kept) == _as_moment(str(given))
    if isinstance(kept, (datetime, time)) and re.search(r"\.\d{6}0*[1-9]", given):
        return False
    if isinstance(kept, datetime):
        moment = datetime.fromisoformat(given)
        if kept.tzinfo is None:
            return kept == moment if moment.tzinfo is None else False
        return kept == (moment if moment.tzinfo else moment.replace(tzinfo=UTC))  # which is told
    if isinstance(kept, date):
        return kept == datetime.fromisoformat(given).date() and datetime.fromisoformat(given).time() == time()
    if isinstance(kept, time):
        return kept == time.fromisoformat(given)
    return bool(kept == given) and isinstance(kept, bool) == isinstance(given, bool)


def _as_json(text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        return text


def _as_moment(text: str) -> Any:
    for as_moment in (datetime.fromisoformat, time.fromisoformat):
        try:
            found = as_moment(text.replace(".000000", ""))
        except ValueError:
            continue
        return found if isinstance(found, time) or found.tzinfo else found.replace(tzinfo=UTC)
    return text


@settings(max_examples=examples(75), suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        spooled = Spool(Path(folder), Form(declared))
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


def spooled(folder: Path, kinds: dict[str, str], *rows: dict[str, Any], **form: Any) -> Spool:
    """Return rows, each in a batch of its own."""
    made = Spool(folder, Form(kinds, **form))
    for row in rows:
        made.rows.append(row)
        made.flush()
    made.finish()
    return made


@pytest.mark.parametrize(
    ("kind", "cells", "becomes", "kept"),
    [
        ("timestamp", ["2026-01-31T10:00:00.123456789"], "text", ["2026-01-31T10:00:00.123456789"]),
        ("timestamp", ["2026-01-31T10:00:00.123456000"], "timestamp", [datetime(2026, 1, 31, 10, 0, 0, 123456)]),
        ("timestamp", ["2026-01-31T10:00:00+02:00"], "timestamptz", [datetime(2026, 1, 31, 8, tzinfo=UTC)]),
        # What came before without a zone does not get one by the others.
        (
            *("timestamp", ["2026-01-31T10:00:00", "2026-01-31T10:00:00+02:00"]),
            *("text", ["2026-01-31 10:00:00.000000", "2026-01-31T10:00:00+02:00"]),
        ),
        ("timestamp", [None, "2026-01-31T10:00:00Z"], "timestamptz", [None, datetime(2026, 1, 31, 10, tzinfo=UTC)]),
        ("timestamptz", ["2026-01-31T10:00:00.0000001Z"], "text", ["2026-01-31T10:00:00.0000001Z"]),
        ("time", ["10:00:00+02:00"], "text", ["10:00:00+02:00"]),
        ("time", ["10:00:00.1234567"], "text", ["10:00:00.1234567"]),
        # Integers that came before, and that floating point does not hold.
        ("integer", [2**53 + 1, 0.5], "text", ["9007199254740993", "0.5"]),
        ("integer", [2**53, 0.5], "number", [2.0**53, 0.5]),
        ("number", [1.5, Decimal("12345678901234567891.5")], "text", ["1.5", "12345678901234567891.5"]),
        ("text", [math.nan, Decimal("1E+400")], "text", ["nan", "1E+400"]),
        ("json", [{"n": Decimal("0.12345678901234567890123")}], "json", ['{"n":0.12345678901234567890123}']),
    ],
)
def test_what_a_kind_cannot_hold_makes_it_wider(
    tmp_path: Path, kind: str, cells: list[Any], becomes: str, kept: list[Any]
) -> None:
    made = spooled(tmp_path, {"c": kind}, *({"c": cell} for cell in cells))
    assert (made.kinds["c"], made.open().read_all()["c"].to_pylist()) == (becomes, kept)
    told = f"'c' has values that {kind} cannot hold as they are; the table has it as {becomes}"
    assert list(made.surprises) == ([told] if kind != becomes else [])


def test_times_that_are_taken_for_utc_are_told(tmp_path: Path) -> None:
    made = spooled(tmp_path, {"c": "timestamptz"}, {"c": "2026-01-31T10:00:00"}, {"c": "2026-01-31T10:00:00.000000"})
    assert made.open().read_all()["c"].to_pylist() == [datetime(2026, 1, 31, 10, tzinfo=UTC)] * 2
    assert list(made.surprises) == ["'c' has times without a zone; they are taken for UTC"]


@given(number=st.decimals(allow_nan=False, allow_infinity=False), nested=st.booleans())
def test_every_digit_of_a_number_comes_through(number: Decimal, nested: bool) -> None:
    text = f"[{number}]" if nested else str(number)
    line = b'{"type": "RECORD", "record": {"stream": "t", "data": {"n": ' + text.encode() + b"}}}\n"
    [message] = read_messages(line)
    assert message.record is not None
    value = message.record.data["n"][0] if nested else message.record.data["n"]
    assert Decimal(written(value).decode()) == number
    found = array("number", [value])
    if found is not None:
        # As precise as the number was written, and for no other number.
        [kept] = found.to_pylist()
        exponent = int(number.normalize(Context(prec=500)).as_tuple().exponent)
        assert abs(Decimal(kept) - number) <= Decimal((0, (5,), exponent - 1))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(16, 60))
def test_floating_point_stays_that_however_it_is_printed(number: float, digits: int) -> None:
    for printed in (repr(number), f"{number:.{digits}e}"):
        found = array("number", [json_number(printed)])
        assert found is not None
        assert found.to_pylist() == [number]


def test_names_of_columns_stay_whatever_comes_later(tmp_path: Path) -> None:
    first = spooled(tmp_path / "1", {"id": "integer"}, {"id": 1, "Id": 2, "": 3, "n" * 70: 4, "ctid": 5})
    names = first.names
    assert names["id"] == "id"
    assert len({name.casefold() for name in names.values()}) == 5
    assert all(0 < len(name.encode()) <= 63 for name in names.values())
    assert first.open().read_all().column_names == list(names.values())
    # Another order, and more: what had a column has the same one.
    second = spooled(tmp_path / "2", {"ID": "integer", "Id": "integer"}, {"id": 1}, names=names)
    assert {name: second.names[name] for name in names} == names
    assert second.names["ID"].casefold() not in {name.casefold() for name in names.values()}


@given(st.lists(st.text(), max_size=8, unique=True), st.lists(st.text(), max_size=8, unique=True))
def test_names_of_columns_are_distinct_and_short(before: list[str], after: list[str]) -> None:
    known = named(before)
    names = named(after, known)
    assert {field: names[field] for field in before} == known
    assert set(names) == {*before, *after}
    assert len({name.casefold() for name in names.values()}) == len(names)
    assert all(name and "\0" not in name and len(name.encode()) <= 63 for name in names.values())


def test_rows_without_their_key_are_counted(tmp_path: Path) -> None:
    rows = [{"a": 1, "b": 1}, {"a": 1}, {"a": None, "b": None}, {}]
    made = spooled(tmp_path, {"a": "integer", "b": "integer"}, *rows, keys=("a", "b"))
    assert (made.keyless, made.partly_keyed) == (2, 1)
    assert spooled(tmp_path / "none", {}, {"x": 1}, {"x": 2}, keys=("a",)).keyless == 2


def test_moments_are_kept_where_arrow_is_told_to_ignore_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYARROW_IGNORE_TIMEZONE", "1")
    kept = array("timestamptz", ["2026-03-29T01:00:00+02:00", "20260329T010000+0200"])
    assert kept is not None
    assert set(kept.cast(pa.int64()).to_pylist()) == {1_774_738_800_000_000}
