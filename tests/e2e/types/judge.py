"""What becomes of a column in a place: the same, the same values as another type, or refused; all else is wrong."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from assetry.errors import ValueStoreError
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset

from tests.e2e.types.subjects import SUBJECTS

PAGE = Path(__file__).parents[3] / "docs" / "types.md"
#: How the numbers are shown that no fraction is.
NAN, MINUS_ZERO = ("number", "NaN"), ("number", "-0.0")
FORMS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "Arrow": pa.Table}
PLACES = ("Parquet", "DuckDB", "PostgreSQL", "memory")


class ChangedError(AssertionError):
    """A value that came back as another one, or an error that does not help."""


def outcome(values: ValueRouter, library: str, dtype: str) -> str:
    """Return ``same``, the type as which the same values come back, or ``refused``."""
    asset = Asset(key=f"types/{library.lower()}", kind="python", source="assets.py:1", kept=True)
    frame = SUBJECTS[library][dtype]()
    try:
        values.save(asset, frame)
        back = values.load(asset, FORMS[library])
    except ValueStoreError as error:
        lacking = [each for each in (str(asset.key), "'x'") if each not in error.message]
        if lacking or not error.hint:
            raise ChangedError(f"{library} {dtype}: {error!r} does not say {lacking or 'what to do'}") from error
        return "refused"
    before, after = cells(frame), cells(back)
    if before != after:
        raise ChangedError(f"{library} {dtype}: {before} comes back as {after}")
    return "same" if kind(frame) == kind(back) else kind(back)


def kind(frame: Any) -> str:
    if isinstance(frame, pa.Table):
        # How the inside of a list is called differs from writer to writer, and is no part of the type.
        inside = re.sub(r"<(element|l|): ", "<item: ", str(frame.schema.field("x").type))
        return re.sub(r" \('\w+'\)", "", inside)
    dtype = str(frame.dtypes.iloc[0] if isinstance(frame, pd.DataFrame) else frame.schema["x"])
    return dtype.replace("time_unit=", "").replace("time_zone=", "").replace(", None)", ")").replace("'", "")


def cells(frame: Any, *, nan_is_missing: bool = False) -> list[Any]:
    """Return the values of the column in a form in which equal ones are equal, whatever their types.

    To pandas, and where it was asked before, NaN is a missing value; to the other libraries it is one of its own.
    """
    found = _cells(frame)
    return _without_nan(found) if nan_is_missing or isinstance(frame, pd.DataFrame) else found


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    return None if value == NAN else value


def _cells(frame: Any) -> list[Any]:
    if isinstance(frame, pa.Table):
        column = frame["x"]
        if pa.types.is_timestamp(column.type) or pa.types.is_duration(column.type) or pa.types.is_time(column.type):
            return list(_counts(column))  # Python's own times have no nanoseconds
        return [plain(each) for each in column.to_pylist()]
    if isinstance(frame, pl.DataFrame):
        series = frame["x"]
        if series.dtype.is_temporal() and series.dtype != pl.Date:
            return list(_counts(pa.chunked_array([series.to_arrow()])))
        return [plain(each) for each in series.to_list()]
    return [plain(each) for each in frame["x"].tolist()]


def _counts(column: Any) -> Iterable[Any]:
    """Yield times and spans as nanoseconds, exactly."""
    factor = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.type.unit]
    name = "moment" if getattr(column.type, "tz", None) else re.split(r"[\[\d]", str(column.type))[0]
    whole = column.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(column.type) else column.cast(pa.int64())
    zone = (None,) if name == "time" else ()
    return (None if each is None else (name, each * factor, *zone) for each in whole.to_pylist())


def plain(value: Any) -> Any:
    """Return one value in a form in which equal ones are equal; the kinds that stay apart are named."""
    if isinstance(value, list) and value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
        return {key: plain(each) for key, each in value}  # a map, as pandas shows it
    if isinstance(value, (set, frozenset)):
        return ("set", sorted(map(repr, value)))
    if isinstance(value, (list, tuple, np.ndarray)) and not hasattr(value, "months"):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return ("bool", bool(value))
    if isinstance(value, (int, float, Decimal, np.integer, np.floating)) and not isinstance(value, np.timedelta64):
        if isinstance(value, Decimal) and value.is_nan():
            return ("Decimal", "NaN")  # that is no missing value, to pandas neither
        if math.isnan(value):
            return NAN
        if value == 0 and isinstance(value, (float, np.floating)) and math.copysign(1, value) < 0:
            return MINUS_ZERO
        return Fraction(
            value if isinstance(value, (int, Decimal)) else value.item() if hasattr(value, "item") else value
        )
    if isinstance(value, (pd.Timestamp, np.datetime64, datetime, date)):
        at = pd.Timestamp(value)
        return ("timestamp" if at.tz is None else "moment", _nanoseconds(at))
    if isinstance(value, (pd.Timedelta, np.timedelta64, timedelta)):
        span = pd.Timedelta(value)
        return ("duration", (span.days * 86400 + span.seconds) * 10**9 + span.microseconds * 1000 + span.nanoseconds)
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytearray):
        return bytes(value)
    if hasattr(value, "months"):
        return (value.months, value.days, getattr(value, "nanoseconds", 0))
    if isinstance(value, time):
        seconds = (value.hour * 60 + value.minute) * 60 + value.second
        return ("time", seconds * 10**9 + value.microsecond * 1000, value.tzinfo)
    return value


def _nanoseconds(at: pd.Timestamp) -> int:
    start = pd.Timestamp(0, tz=at.tz)
    span = at.to_pydatetime(warn=False) - start.to_pydatetime()
    return (span.days * 86400 + span.seconds) * 10**9 + span.microseconds * 1000 + at.nanosecond


# -- the page ----------------------------------------------------------------------------------------------------


def table(library: str, found: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table of a library, given the outcomes by dtype and place."""
    lines = [f"| {library} | {' | '.join(PLACES)} |", "|---" * (len(PLACES) + 1) + "|"]
    for dtype, outcomes in found.items():
        shown = [each if each in ("same", "refused") else f"`{each}`" for each in (outcomes[at] for at in PLACES)]
        lines.append(f"| `{dtype}` | {' | '.join(shown)} |")
    return "\n".join(lines)


def written(page: str, library: str, text: str) -> str:
    """Return a page with the table of a library in its place."""
    start, end = f"<!-- types of {library} -->\n", "\n<!-- end -->"
    before, _, rest = page.partition(start)
    return f"{before}{start}{text}{end}{rest.partition(end)[2]}"
