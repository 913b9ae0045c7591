"""pandas to Arrow and back, with no value changed on the way.

* An index is dropped unless it has a name; a named one becomes columns. Column names become text.
* What pandas would give as floating point, and so change, comes otherwise: whole numbers with missing ones as `Int64`
  and its like, decimals as `decimal.Decimal` (those without a fraction as whole numbers).
* Dates come as `datetime64`.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assetry.errors import ValueStoreError

if TYPE_CHECKING:
    import pyarrow as pa

#: Kinds of Python values that one column may have beside each other, by the class that they are of.
_KINDS = {
    **dict.fromkeys(("int", "float", "Decimal", "integer", "floating"), "number"),
    **dict.fromkeys(("bool", "bool_"), "bool"),
    **dict.fromkeys(("list", "tuple", "ndarray"), "list"),
    **dict.fromkeys(("timedelta", "timedelta64"), "timedelta"),
    **dict.fromkeys(("bytes", "bytearray"), "bytes"),
    **dict.fromkeys(("set", "dict_values"), "set"),
    **{each: each for each in ("str", "date", "datetime", "time", "dict", "datetime64")},
}
#: Values that are missing ones, by class.
_MISSING = frozenset({"NoneType", "NaTType", "NAType"})


def pandas_to_arrow(frame: Any, name: str) -> pa.Table:
    """Return a pandas frame as `pyarrow.Table`; raise `ValueStoreError` that names a column which Arrow cannot hold."""
    import pyarrow as pa

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
    check_names(list(map(str, frame.columns)), name)
    if not all(isinstance(column, str) for column in frame.columns):
        frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise _bad_column(pa, frame, name) from None
    for i, field in enumerate(table.schema):
        # Text is text: only what Arrow has made something else of may have been changed by that.
        text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        dtype = frame.dtypes.iloc[i]
        values = frame.iloc[:, i] if dtype.name == "object" else getattr(dtype, "categories", None)
        if values is not None and values.dtype.name == "object" and not text:
            why = changed(values.to_numpy().tolist())
            if why is not None:
                raise _unkept(name, field.name, why)
    return table


def check_names(names: Sequence[str], name: str) -> None:
    """Raise `ValueStoreError` when two columns have one name."""
    twice = sorted({each for each in names if names.count(each) > 1}) if len(set(names)) < len(names) else ()
    if twice:
        raise ValueStoreError(
            f"{name} has two columns of one name: {', '.join(map(repr, twice))}.", hint="Rename one of them."
        )


def _unkept(name: str, column: str, why: str) -> ValueStoreError:
    return ValueStoreError(
        f"{name}: column {column!r} cannot be kept: it {why}.",
        hint=f"Give it one type, for example frame[{column!r}].astype(str).",
    )


def _bad_column(pa: Any, frame: Any, name: str) -> ValueStoreError:
    for i, column in enumerate(frame.columns):
        try:
            pa.Array.from_pandas(frame.iloc[:, i])
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            values = (
                frame.iloc[:, i].dropna().head(10_000) if frame.dtypes.iloc[i].name in ("object", "category") else ()
            )
            kinds = sorted({type(each).__name__ for each in values})
            why = f"mixes {' and '.join(kinds)}" if len(kinds) > 1 else f"is {frame.dtypes.iloc[i]} ({error})"
            return _unkept(name, column, why)
    return ValueStoreError(f"{name} cannot be turned into an Arrow table.", hint="Return a pyarrow.Table.")


# -- what Arrow changes when it reads Python values -------------------------------------------------------------------


def changed(values: Sequence[Any]) -> str | None:
    """Return, in words, what Arrow would change of Python values in one column; None when nothing.

    >>> import datetime
    >>> changed([datetime.date(2024, 1, 1), None, datetime.datetime(2024, 1, 1, 13)])
    'mixes date and datetime'
    >>> changed([{"a": 1}, {"b": 2}])
    'has dicts of different keys'
    """
    types = set(map(type, values))
    classes = {each for each in types if each.__name__ not in _MISSING}
    kinds = {each: _kind(each) for each in classes}
    if (
        float in classes
        and len(set(kinds.values())) > 1
        and all(each != each for each in values if type(each) is float)
    ):
        del kinds[float]  # NaN is a missing value among others than numbers
    found = set(kinds.values())
    if len(found) > 1:
        return f"mixes {' and '.join(sorted(each.__name__ for each in kinds))}"
    if not found:
        return None
    look = _CHANGES.get(found.pop())
    if look is None:
        return None
    return look(values if len(kinds) == len(types) else [each for each in values if type(each) in kinds])


def _kind(cls: type) -> str:
    return next((_KINDS[base.__name__] for base in cls.__mro__ if base.__name__ in _KINDS), cls.__name__)


def _changed_times(values: Sequence[Any]) -> str | None:
    if len({each.tzinfo is None for each in values}) > 1:
        return "mixes times with a zone and times without one"
    return _finer(values)


def _finer(values: Sequence[Any]) -> str | None:
    # Only pandas' own values have nanoseconds, and Arrow reads them as those of Python.
    own = {each for each in set(map(type, values)) if each.__name__ in ("Timestamp", "Timedelta")}
    if own and any(getattr(each, "nanosecond", 0) or getattr(each, "nanoseconds", 0) for each in values):
        return "has nanoseconds in Python objects (pandas.to_datetime or to_timedelta make a column of them)"
    return None


def _changed_hours(values: Sequence[Any]) -> str | None:
    return "has times of day with a zone" if any(each.tzinfo is not None for each in values) else None


def _changed_dicts(values: Sequence[Any]) -> str | None:
    if len(set(map(frozenset, set(map(tuple, values))))) > 1:
        return "has dicts of different keys"
    for key in values[0]:
        why = changed(list(map(operator.itemgetter(key), values)))
        if why is not None:
            return f"{why} under {key!r}"
    return None


def _changed_numbers(values: Sequence[Any]) -> str | None:
    if any(each.__name__ == "Decimal" for each in set(map(type, values))) and any(
        each.is_nan() for each in values if type(each).__name__ == "Decimal"
    ):
        return "has Decimal('NaN'), which would come back as None (give None for a missing value)"
    return None


def _changed_sets(_: Sequence[Any]) -> str:
    return "has sets, which would come back as lists (make them lists: map(sorted), map(list))"


def _changed_lists(values: Sequence[Any]) -> str | None:
    if any(hasattr(each, "_fields") for each in set(map(type, values))):
        return "has named tuples, which would come back without their names (make them dicts: each._asdict())"
    if all(getattr(getattr(each, "dtype", None), "kind", "O") != "O" for each in values):
        return None if len({each.dtype.kind for each in values} - set("iuf")) <= 1 else "has lists of different types"
    why = changed(list(itertools.chain.from_iterable(values)))
    return None if why is None else f"{why} in its lists"


_CHANGES = {
    "number": _changed_numbers,
    "set": _changed_sets,
    "datetime": _changed_times,
    "timedelta": _finer,
    "time": _changed_hours,
    "dict": _changed_dicts,
    "list": _changed_lists,
}


# -- back to pandas ---------------------------------------------------------------------------------------------------


def arrow_to_pandas(table: pa.Table, name: str) -> Any:
    """Return an Arrow table as a pandas frame; raise `ValueStoreError` that names a column which pandas cannot hold."""
    import pandas
    import pyarrow as pa

    arrows = _arrow_dtypes(table)
    apart = {}
    try:
        for i, (field, column) in enumerate(zip(table.schema, table.columns, strict=True)):
            special = _special(pandas, pa, field, column, field.name in arrows)
            if special is not None:
                apart[i] = special
        plain = _without(table, [table.column_names[i] for i in apart]) if apart else table
        # Whole numbers with missing ones, inside of lists and the like, stay whole numbers.
        frame = plain.to_pandas(date_as_object=False, integer_object_nulls=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        raise _unreadable(pa, table, name) from None
    for i, values in apart.items():
        frame.insert(i, table.column_names[i], pandas.Series(values, index=frame.index))
    return frame


def _without(table: Any, names: Sequence[str]) -> Any:
    """Return a table without columns, and without what is said of their dtypes, which pandas would look at all."""
    import json

    said = table.schema.pandas_metadata
    if said is not None:
        said["columns"] = [each for each in said["columns"] if each["field_name"] not in names]
        table = table.replace_schema_metadata({**table.schema.metadata, b"pandas": json.dumps(said).encode()})
    return table.drop_columns(names)


def _arrow_dtypes(table: Any) -> set[str]:
    """Return the columns that had one of Arrow's types in pandas, too."""
    said = (table.schema.pandas_metadata or {}).get("columns", ())
    return {str(each["field_name"]) for each in said if str(each["numpy_type"]).endswith("[pyarrow]")
            and not str(each["numpy_type"]).startswith("string")}  # fmt: skip


def _special(pandas: Any, pa: Any, field: Any, column: Any, arrow: bool) -> Any:
    """Return the values of a column that pandas would otherwise change, as it keeps them; None for all others."""
    kind = field.type
    if arrow:
        return pandas.ArrowDtype(kind).__from_arrow__(column)
    if pa.types.is_decimal(kind) and kind.scale <= 0:
        for whole in (pa.int64(), pa.uint64()):
            try:
                column = column.cast(whole)
            except pa.ArrowException:
                continue
            kind = whole
            if not column.null_count:
                return column.to_numpy()
            break
    if pa.types.is_integer(kind) and column.null_count:
        dtype = getattr(pandas, str(kind).replace("int", "Int").replace("uI", "UI") + "Dtype")()
        return dtype.__from_arrow__(column)
    if pa.types.is_nested(kind) and _loses_times(pa, kind):
        values = pandas.Series(column.to_pylist(), dtype=object)
        return values.array
    return None


def _loses_times(pa: Any, kind: Any, *, in_dict: bool = False) -> bool:
    """Tell whether pandas would change times in a type: arrays have no zone, and dicts give nanoseconds as counts."""
    is_ = pa.types
    if is_.is_timestamp(kind) and kind.tz is not None:
        return True
    if is_.is_timestamp(kind) or is_.is_duration(kind):
        return in_dict and kind.unit == "ns"
    # The inside of a map is a struct of its key and its item.
    return any(_loses_times(pa, kind.field(i).type, in_dict=is_.is_struct(kind)) for i in range(kind.num_fields))


def _unreadable(pa: Any, table: Any, name: str) -> ValueStoreError:
    for field in table.schema:
        try:
            table.select([field.name]).to_pandas(date_as_object=False, integer_object_nulls=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError) as error:
            return ValueStoreError(
                f"{name}: column {field.name!r} is {field.type}, which pandas does not hold ({error}).",
                hint="Ask for it as pyarrow.Table.",
            )
    return ValueStoreError(f"{name} cannot be had as pandas.DataFrame.", hint="Ask for it as pyarrow.Table.")
