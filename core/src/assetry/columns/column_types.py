"""Types of columns in one vocabulary, whoever writes them: pandas, polars, Arrow, DuckDB, PostgreSQL, dbt, Python …

| word | what others write |
|---|---|
| `boolean` | bool |
| `integer`; where its size is known `tinyint`, `int16` … `int128`, `uint8` … `uint128` | int, bigint, Int64, long |
| `decimal`, `decimal(10,2)` | numeric, number, decimal128 |
| `float`; `float16`, `float32`, `float64` | real, double precision, Float64 |
| `text` | varchar, string, Utf8, enum, Categorical |
| `binary` | bytea, blob, bytes |
| `date`, `time` | date32, time64 |
| `timestamp`, `timestamp with time zone`, `timestamp without time zone` | datetime64, Datetime, timestamptz |
| `interval` | duration, timedelta64 |
| `uuid`, `json` | jsonb, variant |
| `list<…>`, `struct<…>`, `map<…>` | integer[], Array, row |

`int8` is one byte to pandas and Arrow and eight to PostgreSQL, so it is an integer of any size. The unit of a time is
in none of the words: places of values have units of their own. What is not understood has no type here, and is not
compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple


class ColumnType(NamedTuple):
    """A type of a column: its `kind`, and what is known of it besides.

    `bits` and `signed` are of integers and floats, `digits` (in all, and after the point) of decimals, `zoned` of
    timestamps. `inner` are the types within a list (one), a map (key and value) or a struct, with the names of its
    fields; None among them is a type that is not understood, and an empty `inner` says nothing.

    >>> str(ColumnType("decimal", digits=(10, 2))), str(ColumnType("integer", 64))
    ('decimal(10,2)', 'int64')
    """

    kind: str
    bits: int | None = None
    signed: bool = True
    digits: tuple[int, int] | None = None
    zoned: bool | None = None
    inner: tuple[tuple[str, ColumnType | None], ...] = ()

    def __str__(self) -> str:
        if self.inner:
            return f"{self.kind}<{', '.join(_written_field(name, each) for name, each in self.inner)}>"
        if self.kind == "integer" and (self.bits, self.signed) == (8, True):
            return "tinyint"  # `int8` would be read as one of any size
        if self.kind == "integer" and not (self.signed and self.bits is None):
            return f"{'' if self.signed else 'u'}int{self.bits or 'eger'}"
        if self.kind == "integer" and self.bits is not None:
            return f"int{self.bits}"
        if self.kind == "float" and self.bits is not None:
            return f"float{self.bits}"
        if self.digits is not None:
            return f"decimal({self.digits[0]},{self.digits[1]})"
        if self.zoned is not None:
            return f"timestamp {'with' if self.zoned else 'without'} time zone"
        return self.kind


def _written_field(name: str, kind: ColumnType | None) -> str:
    written = UNKNOWN if kind is None else str(kind)
    if not name:
        return written
    return f"{name}: {written}" if _PLAIN_NAME.fullmatch(name) else f'"{name.replace(chr(34), chr(34) * 2)}": {written}'


#: The word for a type within another one that is not understood.
UNKNOWN = "unknown"
_PLAIN_NAME = re.compile(r"\w+")

#: What a name alone means, in small letters, its words parted by one space.
_NAMES: Mapping[str, ColumnType] = {
    name: kind
    for kind, names in (
        (ColumnType("boolean"), "boolean, bool, logical, arrow.bool8"),
        (ColumnType("integer"), "integer, int, int8, signed, serial, autoincrement"),
        (ColumnType("integer", 8), "tinyint, byteint, byte, int1"),
        (ColumnType("integer", 16), "int16, smallint, int2, short, smallserial"),
        (ColumnType("integer", 24), "int24, mediumint, int3"),
        (ColumnType("integer", 32), "int32, int4, serial4"),
        (ColumnType("integer", 64), "int64, bigint, long, bigserial, serial8"),
        (ColumnType("integer", 128), "int128, hugeint"),
        (ColumnType("integer", None, False), "uinteger, unsigned"),
        (ColumnType("integer", 8, False), "uint8, utinyint"),
        (ColumnType("integer", 16, False), "uint16, usmallint"),
        (ColumnType("integer", 24, False), "uint24"),
        (ColumnType("integer", 32, False), "uint32"),
        (ColumnType("integer", 64, False), "uint64, ubigint"),
        (ColumnType("integer", 128, False), "uint128, uhugeint"),
        (
            ColumnType("decimal"),
            "decimal, numeric, number, money, smallmoney, dec, bignumeric, bigdecimal, decimal32, decimal64, "
            "decimal128, decimal256, decfloat",
        ),
        (ColumnType("float"), "float, real, float4, float8"),
        (ColumnType("float", 16), "float16, halffloat, half"),
        (ColumnType("float", 32), "float32"),
        (ColumnType("float", 64), "float64, double, double precision"),
        (
            ColumnType("text"),
            "text, varchar, char, character, string, str, nvarchar, nchar, bpchar, varchar2, nvarchar2, clob, nclob, "
            "tinytext, mediumtext, longtext, ntext, large_string, string_view, utf8, largeutf8, citext, name, enum, "
            "categorical, fixedstring, character varying, char varying, national character, long varchar, "
            "national character varying, character large object",
        ),
        (
            ColumnType("binary"),
            "binary, varbinary, blob, bytea, bytes, large_binary, binary_view, fixed_size_binary, tinyblob, "
            "mediumblob, longblob, image, raw, binary varying, binary large object",
        ),
        (ColumnType("date"), "date, date32, date64"),
        (ColumnType("time"), "time, time32, time64, timetz, time without time zone, time with time zone"),
        (
            ColumnType("timestamp"),
            "timestamp, datetime, datetime64, datetime2, smalldatetime",
        ),
        (
            ColumnType("timestamp", zoned=True),
            "timestamp with time zone, timestamptz, timestamp_tz, timestamp_ltz, datetimeoffset, "
            "timestamp with local time zone",
        ),
        (
            ColumnType("timestamp", zoned=False),
            "timestamp without time zone, timestamp_ntz, timestampntz, timestamp_s, timestamp_ms, timestamp_ns",
        ),
        (
            ColumnType("interval"),
            "interval, duration, timedelta, timedelta64, month_day_nano_interval, interval day to second",
        ),
        (ColumnType("uuid"), "uuid, uniqueidentifier, guid, arrow.uuid"),
        (ColumnType("json"), "json, jsonb, variant, super, arrow.json"),
        (ColumnType("list"), "list, array, large_list, list_view, large_list_view, fixed_size_list"),
        (ColumnType("struct"), "struct, row"),
        (ColumnType("map"), "map"),
    )
    for name in names.split(", ")
}
#: Names that are near what somebody may have meant.
KNOWN_NAMES = tuple(_NAMES)

_UNITS = frozenset({"s", "ms", "us", "ns"})
#: An array as SQL writes it, ``integer[3]``; the bytes of Arrow are none.
_ARRAY = re.compile(r"(?s)(?!fixed_size_binary\b)(.+?)\s*\[\s*\d*\s*\]")
#: A name, what stands in its brackets, and the words after them: ``timestamp(6) with time zone``.
_SHAPE = re.compile(r"(?s)([^(\[<]*)(?:([(\[<])(.*)[)\]>])?([^()\[\]<>]*)")
#: A field of a struct: ``a: int64``, ``a INTEGER``, ``"a b" INTEGER``, ``'a': Int64``.
_FIELD = re.compile(r"""(?s)\s*(?:"((?:[^"]|"")*)"|'([^']*)'|([^\s:]+))\s*[:\s]\s*(.+)""")
_ITEM = re.compile(r"(?s)\s*\w+: (.+)")
_WRAPPERS = frozenset({"nullable", "lowcardinality", "extension"})


@lru_cache(maxsize=4096)
def column_type(text: str | None) -> ColumnType | None:
    """Return the type that a text means; None where it is not understood.

    >>> [str(column_type(each)) for each in ("BIGINT", "character varying(8)", "timestamp[us, tz=UTC]", "INTEGER[]")]
    ['int64', 'text', 'timestamp with time zone', 'list<integer>']
    >>> column_type("geography") is None
    True
    """
    whole = (text or "").strip()
    for library in ("[pyarrow]", "[python]"):
        whole = whole.removesuffix(library)
    array = _ARRAY.fullmatch(whole)
    if array is not None:
        inner = column_type(array[1])
        # Arrow says of a list how long it is, too.
        return inner if array[1].startswith("fixed_size_list") else ColumnType("list", inner=(("", inner),))
    if whole == "Int8":
        return ColumnType("integer", 8)  # with a capital it is pandas' or polars'
    shape = _SHAPE.fullmatch(whole)
    if shape is None:
        return None
    name = " ".join(shape[1].lower().split())
    phrase = " ".join(f"{name} {shape[4].lower()}".split())
    if name.startswith("_") and name[1:] in _NAMES:
        return ColumnType("list", inner=(("", _NAMES[name[1:]]),))
    if name in _WRAPPERS or name == "dictionary":
        parts = _parts(shape[3] or "")
        return column_type(parts[0].removeprefix("values=")) if parts else None
    if phrase.endswith(" unsigned"):
        found = column_type(phrase.removesuffix(" unsigned"))
        return found._replace(signed=False) if found is not None and found.kind == "integer" else found
    known = _NAMES.get(phrase) or _NAMES.get(name)
    return known if known is None or shape[3] is None else _with_arguments(known, shape[2], shape[3])


def _with_arguments(kind: ColumnType, opening: str, given: str) -> ColumnType | None:
    """Return a type with what its brackets say of it."""
    if kind.kind in ("list", "map"):
        parts = [_item(each) for each in _parts(given)][: 1 if kind.kind == "list" else 2]
        return kind._replace(inner=tuple(("", column_type(each)) for each in parts))
    if kind.kind == "struct":
        fields = [_FIELD.fullmatch(each) for each in _parts(given.strip().removeprefix("{").removesuffix("}"))]
        if None in fields:
            return kind
        return kind._replace(inner=tuple(_read_field(each) for each in fields if each is not None))
    if kind.kind == "timestamp":
        return _moment(kind, _parts(given))
    if kind.kind == "interval" and opening == "[":
        # Of pandas' two, one is a length of time, and the other lies between two values.
        return kind if given.strip() in _UNITS else None
    if kind.kind == "decimal" and (digits := [int(each) for each in re.findall(r"-?\d+", given)]):
        return kind._replace(digits=(digits[0], digits[1] if len(digits) > 1 else 0))
    return kind


def _item(text: str) -> str:
    named = _ITEM.fullmatch(text)
    return named[1] if named else text


def _read_field(field: re.Match[str]) -> tuple[str, ColumnType | None]:
    name = field[1].replace('""', '"') if field[1] is not None else field[2] if field[2] is not None else field[3]
    return name, column_type(field[4])


def _moment(kind: ColumnType, parts: list[str]) -> ColumnType:
    said = [re.sub(r"^\s*(?:time_unit|time_zone|tz)\s*=", "", each).strip(" '\"") for each in parts]
    unit = any(each in _UNITS for each in said)
    zone = any(each and each not in _UNITS and each != "None" and not each.isdecimal() for each in said)
    return kind._replace(zoned=zone) if unit or zone else kind


def _parts(text: str) -> list[str]:
    """Return what commas part, but for those within brackets and quotes."""
    parts = [""]
    depth, quote = 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([<{":
            depth += 1
        elif sign in ")]>}":
            depth -= 1
        elif sign == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += sign
    return [each for each in parts if each.strip()]
