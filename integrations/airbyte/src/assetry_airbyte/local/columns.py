"""The columns of a stream: from its JSON schema to Arrow, without losing a value that the schema does not foresee.

A column's *kind* is what its table holds. Objects, arrays and values of several types are JSON text, the same in every
warehouse. A value that its kind cannot hold as it is (of another type, of more digits, with a zone where there is none)
turns the column into a wider kind, in the end into text: connectors do not always keep to their schemas, and a row must
not be lost or changed, nor a sync fail, because of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assetry_airbyte.local.json_text import floating, written

if TYPE_CHECKING:
    import pyarrow as pa

TEXT, INTEGER, NUMBER, BOOLEAN, DATE, TIME, TIMESTAMP, TIMESTAMPTZ, JSON = (
    *("text", "integer", "number", "boolean", "date", "time", "timestamp", "timestamptz", "json"),
)

#: How a kind is written in a definition; names of families that every warehouse knows.
WRITTEN: Mapping[str, str] = {
    TEXT: "text",
    INTEGER: "bigint",
    NUMBER: "double",
    BOOLEAN: "boolean",
    DATE: "date",
    TIME: "time",
    TIMESTAMP: "timestamp",
    TIMESTAMPTZ: "timestamptz",
    JSON: "text",
}
_BY_AIRBYTE_TYPE = {
    "integer": INTEGER,
    "timestamp_with_timezone": TIMESTAMPTZ,
    "timestamp_without_timezone": TIMESTAMP,
    "time_without_timezone": TIME,
    "time_with_timezone": TEXT,
    "big_integer": TEXT,
    "big_number": TEXT,
}
#: Digits of a second beyond the sixth, which no column of times holds.
_NANOSECONDS = re.compile(r"[.,]\d{6}0*[1-9]")
_BY_FORMAT = {"date": DATE, "date-time": TIMESTAMPTZ, "time": TIME}
_BY_TYPE = {"string": TEXT, "integer": INTEGER, "number": NUMBER, "boolean": BOOLEAN}
#: The types that a newer form of the protocol refers to by name.
_BY_REFERENCE = {
    "String": TEXT,
    "BinaryData": TEXT,
    "Date": DATE,
    "TimestampWithTimezone": TIMESTAMPTZ,
    "TimestampWithoutTimezone": TIMESTAMP,
    "TimeWithTimezone": TEXT,
    "TimeWithoutTimezone": TIME,
    "Number": NUMBER,
    "Integer": INTEGER,
    "Boolean": BOOLEAN,
}


def kind_of(schema: Any) -> str:
    """Return the kind of column for the JSON schema of a property.

    >>> kind_of({"type": ["null", "string"], "format": "date-time", "airbyte_type": "timestamp_without_timezone"})
    'timestamp'
    >>> kind_of({"type": ["string", "integer"]}), kind_of({"oneOf": [{"type": "integer"}, {"type": "number"}]})
    ('json', 'number')
    """
    if not isinstance(schema, dict):
        return JSON
    if "$ref" in schema:
        return _BY_REFERENCE.get(str(schema["$ref"]).rsplit("/", 1)[-1], JSON)
    options = schema.get("oneOf") or schema.get("anyOf")
    if isinstance(options, list):
        return _one_of({kind_of(each) for each in options if section_type(each) != ["null"]})
    types = [each for each in section_type(schema) if each != "null"]
    if len(types) != 1:
        return _one_of({_BY_TYPE.get(each, JSON) for each in types})
    if types[0] in ("string", "number", "integer"):
        known = _BY_AIRBYTE_TYPE.get(str(schema.get("airbyte_type")))
        if known is not None:
            return known
    if types[0] == "string":
        return _BY_FORMAT.get(str(schema.get("format")), TEXT)
    return _BY_TYPE.get(types[0], JSON)


def section_type(schema: Any) -> list[str]:
    """Return the types that a schema names, as a list."""
    given = schema.get("type") if isinstance(schema, dict) else None
    return [str(each) for each in given] if isinstance(given, list) else [str(given)] if given else []


def _one_of(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return kinds.pop()
    return NUMBER if kinds == {INTEGER, NUMBER} else JSON


def kind_of_value(value: Any) -> str:
    """Return the kind of column for a value that no schema speaks of.

    >>> kind_of_value(True), kind_of_value(1), kind_of_value({"a": 1})
    ('boolean', 'integer', 'json')
    """
    # bool before int, which it is one of.
    for type_, kind in ((bool, BOOLEAN), (int, INTEGER), (float, NUMBER), (Decimal, NUMBER), (str, TEXT)):
        if isinstance(value, type_):
            return kind
    return JSON


def wider(kind: str, values: Sequence[Any]) -> str:
    """Return the kind that `values` make of a column which they do not fit into.

    >>> wider("integer", [1, 2.5]), wider("integer", ["many"]), wider("timestamptz", ["soon"])
    ('number', 'text', 'text')
    >>> wider("timestamp", ["2026-01-31T10:00:00+02:00"])
    'timestamptz'
    """
    if kind == INTEGER and all(_is_number(value) for value in values):
        return NUMBER
    if kind == TIMESTAMP and array(TIMESTAMPTZ, values, _refuse) is not None:
        return TIMESTAMPTZ
    return TEXT


def _is_number(value: Any) -> bool:
    # Beyond 2^53 a float would not hold an integer exactly.
    return value is None or type(value) is float or (type(value) is int and abs(value) <= 2**53)


def _refuse(remark: str) -> None:
    raise ValueError(remark)


def arrow_type(kind: str) -> Any:
    """Return the Arrow type of a kind.

    >>> arrow_type("timestamptz")
    TimestampType(timestamp[us, tz=UTC])
    """
    import pyarrow as pa

    return {
        TEXT: pa.string(),
        INTEGER: pa.int64(),
        NUMBER: pa.float64(),
        BOOLEAN: pa.bool_(),
        DATE: pa.date32(),
        TIME: pa.time64("us"),
        TIMESTAMP: pa.timestamp("us"),
        TIMESTAMPTZ: pa.timestamp("us", "UTC"),
        JSON: pa.string(),
    }[kind]


def arrow_schema(kinds: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of columns."""
    import pyarrow as pa

    return pa.schema([pa.field(name, arrow_type(kind)) for name, kind in kinds.items()])


#: What is told of values that a column holds in another form than they came in.
TAKEN_FOR_UTC = "has times without a zone; they are taken for UTC"
HALVES = "has half of a character, which no table holds; it is kept as '?'"


def array(kind: str, values: Sequence[Any], remark: Callable[[str], object] = len) -> pa.Array | None:
    """Return values as an Arrow array of a kind; None when it cannot hold one of them as it is.

    `remark` is told what is changed after all, where no kind would hold it better.

    >>> array("date", ["2026-01-31", None]).to_pylist()
    [datetime.date(2026, 1, 31), None]
    >>> array("integer", [1, "two"]) is None, array("timestamp", ["2026-01-31T10:00:00.123456789"]) is None
    (True, True)
    """
    import pyarrow as pa

    try:
        if kind == JSON:
            return pa.array([None if value is None else written(value) for value in values], pa.string())
        if kind == TEXT:
            return _text(pa, values, remark)
        if kind in (DATE, TIME, TIMESTAMP, TIMESTAMPTZ):
            return _time(pa, kind, pa.array(values, pa.string()), values, remark)
        if kind == NUMBER and any(type(value) is Decimal for value in values):
            values = [_floating(value) if type(value) is Decimal else value for value in values]
        # Arrow's own judgement first: told the type, it would cut 2.5 to an integer. It refuses what is mixed.
        found = pa.array(values)
        if pa.types.is_boolean(found.type) != (kind == BOOLEAN) and not pa.types.is_null(found.type):
            return None
        return found.cast(arrow_type(kind)) if _is_numeric(pa, found.type) else None
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None


def _is_numeric(pa: Any, type_: Any) -> bool:
    has = pa.types
    return bool(has.is_integer(type_) or has.is_floating(type_) or has.is_boolean(type_) or has.is_null(type_))


def _floating(exact: Decimal) -> float:
    found = floating(exact)
    if found is None:
        raise ValueError(exact)
    return found


def _text(pa: Any, values: Sequence[Any], remark: Callable[[str], object]) -> Any:
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowException, TypeError, ValueError):
        return pa.array([None if value is None else _worded(value, remark) for value in values], pa.string())


def _worded(value: Any, remark: Callable[[str], object]) -> str:
    if not isinstance(value, str):
        # NaN as a word: JSON has none, and would say null.
        return str(value) if isinstance(value, (float, Decimal)) else written(value).decode()
    plain = value.encode("utf-8", "replace").decode()
    if plain != value:
        remark(HALVES)
    return plain


def _time(pa: Any, kind: str, texts: Any, values: Sequence[str | None], remark: Callable[[str], object]) -> Any:
    """Return texts as dates or times: all at once by Arrow's reader, else one by one by Python's."""
    type_ = arrow_type(kind)
    if kind == TIME:
        return pa.array([None if each is None else _time_of_day(each) for each in values], type_)
    # A date may be written as its midnight.
    for step in (texts.type, pa.timestamp("us")):
        try:
            read = texts.cast(step)
            found = read.cast(type_)
        except pa.ArrowInvalid:
            continue
        if kind == TIMESTAMPTZ and step != texts.type:
            remark(TAKEN_FOR_UTC)
        # A date that is written with an hour would lose it.
        return found if kind != DATE or step == texts.type or found.cast(step) == read else None
    if kind == DATE:
        return None
    return pa.array([None if each is None else _moment(each, kind, remark) for each in values], type_)


def _time_of_day(text: str) -> time:
    found = time.fromisoformat(text)
    if found.tzinfo is not None or _NANOSECONDS.search(text):
        raise ValueError(text)
    return found


def _moment(text: str, kind: str, remark: Callable[[str], object]) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    if _NANOSECONDS.search(text) or (kind == TIMESTAMP and moment.tzinfo is not None):
        raise ValueError(text)
    if kind == TIMESTAMPTZ and moment.tzinfo is None:
        remark(TAKEN_FOR_UTC)
        moment = moment.replace(tzinfo=UTC)
    # In UTC, for Arrow may have been told to look at no zone: pandera does so, for the whole process.
    return moment if moment.tzinfo is None else moment.astimezone(UTC)


def recast(column: pa.Array, kind: str) -> pa.Array | None:
    """Return a column that was built as a narrower kind as a wider one; None where that would change a value."""
    import pyarrow as pa

    type_ = arrow_type(kind)
    if pa.types.is_timestamp(type_) and column.null_count < len(column) and column.type != type_:
        return None  # times without a zone do not get one because others have it
    try:
        return column.cast(type_)
    except pa.ArrowInvalid:
        return None
