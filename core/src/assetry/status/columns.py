"""Columns: does what is there hold what the definition promises?

Warehouses spell types in many ways and give others than were asked for (an `integer` becomes `NUMBER(38,0)`), so
only families that no warehouse confuses are told apart. A false alarm would make an asset stale for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from assetry.types.assets import Column

_FAMILIES = {
    "number": "int integer bigint smallint tinyint mediumint hugeint int2 int4 int8 int16 int32 int64 int128"
    " uint8 uint16 uint32 uint64 utinyint usmallint uinteger ubigint number numeric decimal bignumeric bigdecimal"
    " decimal128 decimal256 float float4 float8 float16 float32 float64 halffloat double real money byteint",
    "text": "text varchar char character string nvarchar nchar bpchar varchar2 nvarchar2 clob tinytext mediumtext"
    " longtext large_string utf8 largeutf8 citext",
    "time": "date date32 date64 timestamp timestamptz timestamp_ntz timestamp_ltz timestamp_tz timestampntz datetime"
    " datetime2 datetime64 datetimeoffset smalldatetime",
}
_FAMILY = {name: family for family, names in _FAMILIES.items() for name in names.split()}


def differences(declared: Iterable[Column], real: Sequence[Column]) -> Iterator[str]:
    """Yield, in words, what the declared columns promise and the real ones do not hold; further columns are allowed.

    >>> list(differences([Column("id", "integer"), Column("name")], [Column("ID", "VARCHAR(10)")]))
    ['column `id` is VARCHAR(10), declared as integer', 'column `name` is declared but not there']
    """
    there = {column.name.casefold(): column for column in real}
    for column in declared:
        found = there.get(column.name.casefold())
        if found is None:
            yield f"column `{column.name}` is declared but not there"
        elif column.type and found.type and column.type != found.type:
            wanted, given = family(column.type), family(found.type)
            if wanted and given and wanted != given:
                yield f"column `{column.name}` is {found.type}, declared as {column.type}"


def family(type_: str) -> str | None:
    """Return ``number``, ``text`` or ``time`` for a type that is surely one of them, else None.

    >>> family("DECIMAL(10, 2)"), family("character varying(8)"), family("timestamp[us, tz=UTC]"), family("INTEGER[]")
    ('number', 'text', 'time', None)
    """
    text = type_.strip().casefold()
    name = text
    for end in "([< ":
        name = name.partition(end)[0]
    found = _FAMILY.get(name)
    # Square brackets make a list of anything but Arrow's times, which have their unit in them.
    return None if ("[" in text and found != "time") or text.endswith("[]") else found
