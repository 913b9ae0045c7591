"""DataFrames: any of them to Arrow, and Arrow to the one that is asked for. Arrow is the road in between.

What goes over that road, and what does not:

* A pandas index is dropped unless it has a name; a named one becomes columns. Column names become text.
* Categories arrive as what they name, an all-empty column as text.
* To pandas, decimals arrive as numbers (whole ones as integers), dates as `datetime64`. To have them exactly, ask
  for a `pyarrow.Table`.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from assetry.errors import ValueStoreError

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
    """Return which kind of table a value is; None when it is no table.

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


def to_arrow(value: Any, name: str = "the value") -> pa.Table:
    """Return a table of any kind as `pyarrow.Table`; `name` is the asset's, for errors.

    Raises `ValueStoreError`, naming the column, for what Arrow cannot hold.

    >>> import pyarrow
    >>> to_arrow(pyarrow.table({"a": [None, None]})).schema.field("a").type
    DataType(string)
    """
    pa = _arrow(name)
    kind = frame_name(value)
    if kind == "pandas.DataFrame":
        table = _from_pandas(pa, value, name)
    elif kind == "polars.LazyFrame":
        table = value.collect().to_arrow()
    elif kind == "pyarrow.Table":
        table = value
    elif kind == "pyarrow.RecordBatch":
        table = pa.Table.from_batches([value])
    elif kind == "pyarrow.RecordBatchReader":
        table = value.read_all()
    elif kind is not None:
        table = pa.table(value)
    else:
        raise ValueStoreError(f"{name}: {type(value).__name__} is no table.", hint=f"Tables are {_choices()}.")
    return _tidy(pa, table, name)


def _arrow(name: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ValueStoreError(f"{name} is a table, and tables need pyarrow.", hint="Try: pip install pyarrow") from None
    return pyarrow


def _from_pandas(pa: Any, frame: Any, name: str) -> Any:
    if frame.columns.nlevels > 1:
        raise ValueStoreError(
            f"{name}: its columns have {frame.columns.nlevels} levels.",
            hint="Flatten them: frame.columns = ['_'.join(map(str, each)) for each in frame.columns].",
        )
    named = [level for level, each in enumerate(frame.index.names) if each is not None]
    if named:
        try:
            frame = frame.reset_index(level=named)
        except ValueError as error:  # a column of that name is there already
            raise ValueStoreError(
                f"{name}: its index cannot become columns: {error}.",
                hint="Drop the index (frame.reset_index(drop=True)), or rename it.",
            ) from None
    _check_names(list(map(str, frame.columns)), name)
    if not all(isinstance(column, str) for column in frame.columns):
        frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise _bad_column(pa, frame, name) from None


def _bad_column(pa: Any, frame: Any, name: str) -> ValueStoreError:
    for column in frame.columns:
        try:
            pa.Array.from_pandas(frame[column])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            kinds = sorted({type(each).__name__ for each in frame[column].dropna().head(10_000)})
            mixed = f" mixes {' and '.join(kinds)}" if len(kinds) > 1 else f" ({error})"
            return ValueStoreError(
                f"{name}: column {column!r} cannot be kept: it{mixed}."
                if len(kinds) > 1
                else f"{name}: column {column!r} cannot be kept{mixed}.",
                hint=f"Give it one type, for example frame[{column!r}].astype(str).",
            )
    return ValueStoreError(f"{name} cannot be turned into an Arrow table.", hint="Return a pyarrow.Table.")


def _check_names(names: Sequence[str], name: str) -> None:
    twice = sorted({each for each in names if names.count(each) > 1}) if len(set(names)) < len(names) else ()
    if twice:
        raise ValueStoreError(
            f"{name} has two columns of one name: {', '.join(map(repr, twice))}.", hint="Rename one of them."
        )


def _tidy(pa: Any, table: Any, name: str) -> Any:
    """Return the table with types that every place of values knows: categories and views as plain, nothing as text."""
    _check_names(table.column_names, name)
    fields = [field.with_type(_plain(pa, field.type)) for field in table.schema]
    if all(new.type == old.type for new, old in zip(fields, table.schema, strict=True)):
        return table
    return table.cast(pa.schema(fields, table.schema.metadata))


def _plain(pa: Any, kind: Any) -> Any:
    if pa.types.is_dictionary(kind):
        return _plain(pa, kind.value_type)
    if pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_large_string(kind) or kind == pa.string_view():
        return pa.large_string()
    if kind == pa.binary_view():
        return pa.large_binary()
    return kind


def from_arrow(table: pa.Table, form: Any = None, name: str = "the value") -> Any:
    """Return an Arrow table as the type that is asked for; None is pandas when it is installed, else Arrow.

    Raises `ValueStoreError` for a type that is no table, and for one whose library is not installed.

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
            return _to_pandas(table)
        import polars
    except ImportError:
        library = wanted.partition(".")[0]
        raise ValueStoreError(
            f"{name} is asked for as {wanted}, and {library} is not installed.", hint=f"Try: pip install {library}"
        ) from None
    frame = polars.from_arrow(table)
    return frame.lazy() if wanted == "polars.LazyFrame" else frame


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


def _to_pandas(table: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    fields = []
    for i, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            whole = field.type.scale <= 0 and _fits_int64(pa, pc, table.column(i))
            fields.append(field.with_type(pa.int64() if whole else pa.float64()))
        else:
            fields.append(field)
    schema = pa.schema(fields, table.schema.metadata)
    return (table if schema == table.schema else table.cast(schema)).to_pandas(date_as_object=False)


def _fits_int64(pa: Any, pc: Any, column: Any) -> bool:
    try:
        pc.cast(column, pa.int64())
    except pa.ArrowException:
        return False
    return True


def columns_missing(value: Any, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of `names` a frame lacks, and the names it has.

    >>> import pyarrow
    >>> columns_missing(pyarrow.table({"id": [1]}), ["id", "name"])
    (['name'], ['id'])
    """
    there = [str(name) for name in _names_of(value)]
    return [name for name in names if name not in there], there


def _names_of(value: Any) -> Sequence[Any]:
    kind = frame_name(value)
    if kind == "pandas.DataFrame":
        return [*(each for each in value.index.names if each is not None), *value.columns]
    if kind == "polars.LazyFrame":
        return list(value.collect_schema().names())
    schema = getattr(value, "schema", None)
    names: Iterable[Any] = getattr(schema, "names", None) or getattr(value, "columns", None) or ()
    return list(names)


def describe(value: Any) -> dict[str, Any] | None:
    """Return ``rows``, ``columns`` and a ``preview`` of a table as plain JSON; None when it is none.

    >>> import pyarrow
    >>> describe(pyarrow.table({"id": [1, 2]}))["preview"]
    [{'id': 1}, {'id': 2}]
    """
    kind = frame_name(value)
    if kind not in ("pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch"):
        return None
    names = list(map(str, value.columns if kind in ("pandas.DataFrame", "polars.DataFrame") else value.schema.names))
    rows = len(value) if kind != "pyarrow.RecordBatch" else value.num_rows
    if kind == "pandas.DataFrame":
        head = [
            dict(zip(names, each, strict=True)) for each in value.head(PREVIEW_ROWS).itertuples(index=False, name=None)
        ]
    elif kind == "polars.DataFrame":
        head = value.head(PREVIEW_ROWS).to_dicts()
    else:
        head = value.slice(0, PREVIEW_ROWS).to_pylist()
    facts: dict[str, Any] = {"rows": rows, "columns": len(names)}
    facts["preview"] = [{str(name): _json(each) for name, each in row.items()} for row in head]
    return facts


def _json(value: Any) -> Any:
    """Return a cell as JSON: numbers and booleans as they are, nothing as None, all else as text, long text cut."""
    if value is None or isinstance(value, (bool, int)):
        return value
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
