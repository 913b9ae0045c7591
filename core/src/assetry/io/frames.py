"""DataFrames: any of them to Arrow, and Arrow to the one that is asked for. Arrow is the road in between.

A value comes over that road as it is or is refused, by the name of its column. Types may be others: categories arrive
as what they name, an all-empty column as text (`plain_type`); what pandas makes of Arrow's stands in `pandas_frames`.
`docs/types.md` has them all.
"""

from __future__ import annotations

import sys
import types
import typing
from typing import TYPE_CHECKING, Any, NamedTuple

from assetry.errors import ValueStoreError
from assetry.io.pandas_frames import arrow_to_pandas, check_names, pandas_to_arrow
from assetry.io.widening import cast_column, with_leaves
from assetry.types.codec import LONGEST_INT

if TYPE_CHECKING:
    import pyarrow as pa

#: What a table may be asked for as, by (library, class).
FORMS = {
    ("pandas", "DataFrame"): "pandas.DataFrame",
    ("polars", "DataFrame"): "polars.DataFrame",
    ("polars", "LazyFrame"): "polars.LazyFrame",
    ("pyarrow", "Table"): "pyarrow.Table",
    ("pyarrow", "RecordBatchReader"): "pyarrow.RecordBatchReader",
    ("pyarrow", "RecordBatch"): "pyarrow.RecordBatch",
}
_SHORT = {"pd": "pandas", "pl": "polars", "pa": "pyarrow"}
#: How many rows of a table are shown.
PREVIEW_ROWS = 5


def frame_type(form: Any) -> str | None:
    """Return which kind of table a type is, ``pandas.DataFrame``; None when it is none.

    Text that could not be resolved is understood when it is written as everybody writes it.

    >>> import pyarrow
    >>> frame_type(pyarrow.Table), frame_type("pd.DataFrame"), frame_type(dict)
    ('pyarrow.Table', 'pandas.DataFrame', None)
    """
    if isinstance(form, str):
        library, _, name = form.partition("[")[0].strip().rpartition(".")
        return FORMS.get((_SHORT.get(library, library), name))
    origin = typing.get_origin(form)
    if origin is not None and not isinstance(origin, type):
        return None
    cls = origin or form
    if not isinstance(cls, type):
        return None
    for base in cls.__mro__:
        known = FORMS.get((base.__module__.partition(".")[0], base.__name__))
        if known is not None:
            return known
    return None


def frame_name(value: Any) -> str | None:
    """Return which kind of table a value is; None when it is not a table.

    Anything that offers the Arrow stream interface and is not a single column is one.

    >>> frame_name([1, 2]) is None
    True
    """
    known = frame_type(type(value))
    if known is not None:
        return known
    if hasattr(type(value), "__arrow_c_stream__") and type(value).__name__ not in ("Series", "ChunkedArray"):
        return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    return None


def is_frame(value: Any) -> bool:
    """Tell whether a value is a table.

    >>> is_frame({"a": [1]})
    False
    """
    return frame_name(value) is not None


def to_arrow(value: Any, name: str = "the value", *, categories: bool = False) -> pa.Table:
    """Return a table of any kind as `pyarrow.Table`; `name` is the asset's, for errors.

    `categories`: those of a column stay; otherwise they are what they name, as everything reads it. Raises
    `ValueStoreError`, naming the column, for what Arrow cannot hold.

    >>> import pyarrow
    >>> to_arrow(pyarrow.table({"a": [None, None]})).schema.field("a").type
    DataType(string)
    """
    pa = _arrow(name)
    kind = frame_name(value)
    if kind == "pandas.DataFrame":
        table = pandas_to_arrow(value, name)
    elif kind in ("polars.LazyFrame", "polars.DataFrame"):
        table = _polars_to_arrow(pa, value.collect() if kind == "polars.LazyFrame" else value, name)
    elif kind == "pyarrow.Table":
        table = value
    elif kind == "pyarrow.RecordBatch":
        table = pa.Table.from_batches([value])
    elif kind == "pyarrow.RecordBatchReader":
        table = value.read_all()
    elif kind is not None:
        table = pa.table(value)
    else:
        raise ValueStoreError(f"{name}: {type(value).__name__} is not a table.", hint=f"Tables are {_choices()}.")
    return _plain(pa, table, name, categories)


def _arrow(name: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ValueStoreError(f"{name} is a table, and tables need pyarrow.", hint="Try: pip install pyarrow") from None
    return pyarrow


def _plain(pa: Any, table: Any, name: str, categories: bool) -> Any:
    """Return the table with types that every place of values knows, each value as it was; see `plain_type`."""
    check_names(table.column_names, name)
    fields = [_plain_field(pa, field, categories) for field in table.schema]
    if all(new.type.equals(old.type) for new, old in zip(fields, table.schema, strict=True)):
        return table
    columns = []
    for column, field in zip(table.columns, fields, strict=True):
        try:
            columns.append(_plain_column(pa, column, field.type))
        except pa.ArrowException as error:
            raise ValueStoreError(
                f"{name}: column {field.name!r} is {column.type} and cannot be kept: {error}.",
                hint="Give it a type that is less special, such as text.",
            ) from None
    return pa.table(columns, schema=pa.schema(fields, table.schema.metadata))


def _plain_field(pa: Any, field: Any, categories: bool) -> Any:
    kind = plain_type(field.type)
    if categories and pa.types.is_dictionary(field.type) and not _is_special(pa, kind):
        # What polars says of an enum stands in the field's metadata.
        return field.with_type(pa.dictionary(field.type.index_type, kind, field.type.ordered))
    return field if kind.equals(field.type) else field.with_type(kind).remove_metadata()


def _is_special(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType))


def _plain_column(pa: Any, column: Any, kind: Any) -> Any:
    if column.type.equals(kind):
        return column
    if pa.types.is_dictionary(kind):
        named = [(each.indices, each.dictionary.cast(kind.value_type)) for each in column.chunks]
        chunks = [pa.DictionaryArray.from_arrays(*each, ordered=kind.ordered) for each in named]
        return pa.chunked_array(chunks, kind)
    if "list_view" in str(column.type):
        # Arrow's own cast leaves an offset behind that others stumble over.
        return pa.chunked_array([pa.array(each.to_pylist(), kind) for each in column.chunks], kind)
    if pa.types.is_run_end_encoded(column.type):
        return pa.chunked_array([pa.compute.run_end_decode(each).cast(kind) for each in column.chunks], kind)
    if isinstance(column.type, pa.BaseExtensionType):
        return pa.chunked_array([each.storage.cast(kind) for each in column.chunks], kind)
    return cast_column(column, kind)


def plain_type(kind: Any) -> Any:
    """Return the type, one that every place knows, under which the values of a type are handed on.

    Categories become what they name, views and runs the plain form, nothing text, `date64` days, and decimals without
    a fraction do not count in hundreds.

    >>> import pyarrow as pa
    >>> plain_type(pa.dictionary(pa.int8(), pa.string())), plain_type(pa.list_(pa.null()))
    (DataType(string), ListType(list<item: string>))
    """
    import pyarrow as pa

    is_ = pa.types

    def plain(kind: Any) -> Any:
        if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
            return plain_type(kind.value_type)
        if is_.is_decimal(kind) and kind.scale < 0:
            digits = kind.precision - kind.scale
            return pa.decimal128(digits, 0) if digits <= 38 else pa.decimal256(digits, 0)
        known = {
            "null": pa.string,
            "date64[ms]": pa.date32,
            "string_view": pa.large_string,
            "binary_view": pa.large_binary,
            "arrow.bool8": pa.bool_,
            "arrow.json": pa.string,
        }.get(getattr(kind, "extension_name", str(kind)))
        return kind if known is None else known()

    return with_leaves(kind, plain)


def _polars_to_arrow(pa: Any, frame: Any, name: str) -> Any:
    """Return a polars frame as Arrow in the types that other libraries read."""
    import polars

    for column, kind in frame.schema.items():
        if "Object" in str(kind):  # polars hands on the addresses of the objects
            raise ValueStoreError(
                f"{name}: column {column!r} is a polars {kind} and cannot be kept: its values are Python objects.",
                hint=f"Give it one type: frame.with_columns(pl.col({column!r}).map_elements(str, pl.String)).",
            )
    level = getattr(polars, "CompatLevel", None)
    options = {} if level is None else {"compat_level": level.oldest()}
    try:
        return frame.to_arrow(**options)
    except (pa.ArrowException, polars.exceptions.PolarsError) as error:
        for column, kind in frame.schema.items():
            try:
                frame.select(column).to_arrow(**options)
            except (pa.ArrowException, polars.exceptions.PolarsError):
                raise ValueStoreError(
                    f"{name}: column {column!r} is a polars {kind} and cannot be kept: Arrow has no such type.",
                    hint=f"Cast it, for example frame.with_columns(pl.col({column!r}).cast(pl.String)).",
                ) from None
        raise ValueStoreError(f"{name} cannot be turned into an Arrow table: {error}.") from None


def from_arrow(table: pa.Table, form: Any = None, name: str = "the value") -> Any:
    """Return an Arrow table as the type that is asked for; None is pandas when it is installed, else Arrow.

    Raises `ValueStoreError` for a type that is not a table, and for one whose library is not installed.

    >>> import pyarrow
    >>> from_arrow(pyarrow.table({"a": [1]}), "pd.DataFrame").shape
    (1, 1)
    """
    wanted = _wanted(form, name)
    if wanted == "pyarrow.Table":
        return table
    if wanted == "pyarrow.RecordBatchReader":
        return table.to_reader()
    if wanted == "pyarrow.RecordBatch":
        whole = table.combine_chunks().to_batches()
        return whole[0] if whole else _arrow(name).RecordBatch.from_pylist([], schema=table.schema)
    try:
        if wanted == "pandas.DataFrame":
            return arrow_to_pandas(table, name)
        frame = _arrow_to_polars(table, name)
    except ImportError:
        library = wanted.partition(".")[0]
        raise ValueStoreError(
            f"{name} is asked for as {wanted}, and {library} is not installed.", hint=f"Try: pip install {library}"
        ) from None
    return frame.lazy() if wanted == "polars.LazyFrame" else frame


def _arrow_to_polars(table: Any, name: str) -> Any:
    import polars
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        kind, column = field.type, table.column(i)
        try:
            if pa.types.is_decimal256(kind):
                table = table.set_column(i, field.name, column.cast(pa.decimal128(38, kind.scale)))
            elif getattr(kind, "extension_name", "") == "arrow.uuid":
                texts = [None if each is None else str(each) for each in column.to_pylist()]
                table = table.set_column(i, field.name, pa.array(texts, pa.string()))
            elif not _in_polars(pa, kind):
                raise pa.ArrowInvalid("it has no such type")
            elif not (named := with_leaves(kind, _zone_with_a_name)).equals(kind):
                table = table.set_column(i, field.name, column.cast(named))
        except pa.ArrowException as error:
            raise ValueStoreError(
                f"{name}: column {field.name!r} is {kind}, which polars does not hold: {error}.",
                hint="Ask for it as pyarrow.Table.",
            ) from None
    return polars.from_arrow(table)


def _zone_with_a_name(kind: Any) -> Any:
    """Return a type of moments with a zone that polars knows: not one that is an offset."""
    import pyarrow as pa

    offset = pa.types.is_timestamp(kind) and (kind.tz or "").startswith(("+", "-"))
    return pa.timestamp(kind.unit, "UTC") if offset else kind


def _in_polars(pa: Any, kind: Any) -> bool:
    """Tell whether polars has a type; it panics at one that it lacks."""
    is_ = pa.types
    if is_.is_interval(kind) or is_.is_union(kind) or is_.is_decimal256(kind) or isinstance(kind, pa.BaseExtensionType):
        return False
    return all(_in_polars(pa, kind.field(i).type) for i in range(kind.num_fields))


def _wanted(form: Any, name: str) -> str:
    found = frame_type(form)
    if found is not None:
        return found
    if typing.get_origin(form) in (typing.Union, types.UnionType, typing.Annotated):
        for option in typing.get_args(form):
            found = frame_type(option)
            if found is not None:
                return found
    if form is None or form is Any or form is object or isinstance(form, typing.TypeVar):
        import importlib.util

        there = "pandas" in sys.modules or importlib.util.find_spec("pandas") is not None
        return "pandas.DataFrame" if there else "pyarrow.Table"
    written = form.__qualname__ if isinstance(form, type) else str(form)
    raise ValueStoreError(
        f"{name} is a table, and cannot be had as {written}.", hint=f"Annotate the parameter as {_choices()}."
    )


def _choices() -> str:
    *most, last = FORMS.values()
    return f"{', '.join(most)} or {last}"


def describe(value: Any) -> dict[str, Any] | None:
    """Return ``rows``, ``columns`` and a ``preview`` of a table as plain JSON; None when it is none.

    >>> import pyarrow
    >>> describe(pyarrow.table({"id": [1, 2]}))["preview"]
    [{'id': 1}, {'id': 2}]
    """
    found = first_rows(value, PREVIEW_ROWS)
    if found is None:
        return None
    head = [dict(zip(found.columns, each, strict=True)) for each in found.rows]
    return {"rows": found.total, "columns": len(found.columns), "preview": head}


class FirstRows(NamedTuple):
    """The first rows of a table as plain JSON, the names of its columns, and how many rows it has in all."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int


def first_rows(value: Any, most: int) -> FirstRows | None:
    """Return at most so many first rows of a table that is in memory; None for what is none, and for a stream.

    >>> import pyarrow
    >>> first_rows(pyarrow.table({"id": [1, 2]}), 1)
    FirstRows(columns=('id',), rows=((1,),), total=2)
    """
    kind = frame_name(value)
    if kind not in ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch"):
        return None
    names = tuple(map(str, value.columns if kind in ("pandas.DataFrame", "polars.DataFrame") else value.schema.names))
    if kind == "pandas.DataFrame":
        head = list(value.head(most).itertuples(index=False, name=None))
    elif kind == "polars.DataFrame":
        head = value.head(most).rows()
    else:
        # By column, for two may have one name; without any there is nothing to show of a row.
        head = list(zip(*(each.to_pylist() for each in value.slice(0, most).columns), strict=True))
    total = value.num_rows if kind == "pyarrow.RecordBatch" else len(value)
    return FirstRows(names, tuple(tuple(map(_json, row)) for row in head), total)


def _json(value: Any) -> Any:
    """Return a cell as JSON: numbers and booleans as they are, nothing as None, all else as text, long text cut."""
    if value is None or isinstance(value, (bool, int)):
        return value if value is None or value.bit_length() <= LONGEST_INT else hex(value)[:199] + "…"
    if isinstance(value, float):
        return (
            float(value) if value == value and abs(value) != float("inf") else (None if value != value else str(value))
        )
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return _json(value.item())
    text = str(value)
    if text in ("NaT", "<NA>"):
        return None
    return text if len(text) <= 200 else text[:199] + "…"
