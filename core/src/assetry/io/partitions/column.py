"""Which partition each row of a table belongs to, as one of its columns tells: a day, a moment, or a key."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from assetry.errors import UsageError, ValueStoreError, near_names
from assetry.io.frames import is_frame, to_arrow
from assetry.io.merge import rows_by_place
from assetry.partitions.definitions import PartitionsDefinition, some
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.recorded import time_of
from assetry.types.assets import Asset

if TYPE_CHECKING:
    import pyarrow as pa

_DAY, _SOON = timedelta(days=1), timedelta(microseconds=1)
#: A row that belongs to none of the partitions.
_OUTSIDE = -1


def places_of_rows(asset: Asset, table: pa.Table, column: str, keys: Sequence[str]) -> pa.Array:
    """Return for each row of a table which of `keys` it belongs to, as a number of its place there.

    `column` holds days, moments (without a zone: as the clocks of the partitions' zone show them), or texts that are
    keys. Raises `ValueStoreError` that says how many rows belong to which other partitions; that names near columns
    when there is no such column; and for a row without a value, or with one that tells no partition.

    >>> import pyarrow as pa
    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> made = Asset(key="sales", kind="python", partitions_def=DailyPartitionsDefinition("2026-01-01"))
    >>> table = pa.table({"day": [date(2026, 1, 2), date(2026, 1, 1)]})
    >>> places_of_rows(made, table, "day", ["2026-01-01", "2026-01-02"]).to_pylist()
    [1, 0]
    """
    return _Column(asset, table, column, keys).places()


def split(asset: Asset, table: pa.Table, keys: Sequence[str], column: str | None) -> dict[str, pa.Table]:
    """Return the rows of each of some partitions of an asset, as `column` tells them apart.

    Raises as `places_of_rows` does, and where no column is named.
    """
    if column is None:
        raise ValueStoreError(
            f"asset {str(asset.key)!r}: a table for {len(keys)} partition{'s' if len(keys) > 1 else ''} at once, and "
            "nothing says which row belongs to which.",
            where=asset.source,
            near=[name for name in table.column_names if table.schema.field(name).type in _times()],
            hint='Name the column that does: partition_column="…". Or return a dict with a table for each key.',
        )
    return rows_by_place(table, places_of_rows(asset, table, column, keys), keys)


def _times() -> list[Any]:
    import pyarrow as pa

    return [pa.date32(), pa.date64(), *(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns"))]


def by_key(asset: Asset, value: Any, keys: Sequence[str], column: str | None = None) -> dict[str, Any]:
    """Return the values of some partitions, given as a dict by key, in the order of the keys.

    Raises `ValueStoreError` for anything else, for a partition that is not in it and for a key that is none of them;
    and where `column` tells of a row in a table that it is of another.
    """
    name = f"asset {str(asset.key)!r}"
    if not isinstance(value, Mapping):
        raise ValueStoreError(
            f"{name}: a {type(value).__qualname__} for {len(keys)} partition{'s' if len(keys) > 1 else ''} at once.",
            where=asset.source,
            hint="Return a table, or a dict with a value for each of `context.partitions`.",
        )
    strange = [str(key) for key in value if key not in keys]
    lacking = [key for key in keys if key not in value]
    if strange or lacking:
        told = [f"lacks {some(lacking)}"] if lacking else []
        told += [f"has {some(strange)}, which {'is' if len(strange) == 1 else 'are'} not being made"] if strange else []
        raise ValueStoreError(
            f"{name}: what it gives by partition {' and '.join(told)}.",
            where=asset.source,
            near=near_names(strange[0], keys) if strange else (),
            hint="Return a dict with a value for each of `context.partitions`, and nothing else. Nothing was kept.",
        )
    for key in keys if column is not None else ():
        if is_frame(value[key]):
            places_of_rows(asset, to_arrow(value[key], name), str(column), [key])
    return {key: value[key] for key in keys}


class _Column:
    """One column, whose values tell partitions."""

    def __init__(self, asset: Asset, table: pa.Table, column: str, keys: Sequence[str]) -> None:
        assert asset.partitions_def is not None, "only what has partitions is split into them"
        self.asset, self.name, self.keys = asset, column, list(keys)
        self.definition: PartitionsDefinition = asset.partitions_def
        self.windows = time_of(self.definition)
        if column not in table.column_names:
            there = some(table.column_names) or "none"
            raise self._error(
                f"its table has no column {column!r}, which is to tell the partition of each row",
                near=near_names(column, table.column_names),
                hint=f"It has {there}. Correct partition_column, or what the asset returns.",
            )
        self.values = table.column(column)
        self.by_text = {key: at for at, key in enumerate(self.keys)}
        self._take_time()

    def _take_time(self) -> None:
        """Note the windows of the partitions, by their starts, and their keys without the other dimensions."""
        #: Start, end and place of each window, in UTC, oldest first.
        self.spans: list[tuple[datetime, datetime, int]] = []
        if self.windows is None:
            return
        multi = self.definition if isinstance(self.definition, MultiPartitionsDefinition) else None
        for at, key in enumerate(self.keys):
            own = key if multi is None or multi.time is None else multi.parts(key)[multi.time]
            self.by_text.setdefault(own, at)
            if self.by_text[own] != at:
                both = f"{self.keys[self.by_text[own]]!r} and {key!r}"
                raise self._error(
                    f"partitions {both} are of one time, and column {self.name!r} cannot tell them apart",
                    hint="Save those of one at a time.",
                )
            start, end = self.windows.window(own)
            self.spans.append((start.astimezone(UTC), end.astimezone(UTC), at))
        self.spans.sort()
        self._starts = [start for start, _, _ in self.spans]

    # -- values to places ------------------------------------------------------------------------------------------

    def places(self) -> pa.Array:
        """Return the place of each row among the keys; raise `ValueStoreError` when one has none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = self.values
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if values.null_count:
            raise self._error(
                f"{_rows(values.null_count)} of {values.length():,} {_have(values.null_count)} no value in column "
                f"{self.name!r}, which is to tell the partition of each row",
                hint="Leave such rows out, or fill the column.",
            )
        if not len(values):  # no rows tell no type
            return pa.array([], pa.int32())
        values, place = self._read(values)
        distinct = pc.unique(values)
        found = [place(value) for value in self._listed(distinct)]
        which = pc.index_in(values, value_set=distinct)
        places = pa.array(found, pa.int32()).take(which.combine_chunks())
        if _OUTSIDE in found:
            raise self._outside(values, distinct, found)
        return places

    def _read(self, values: Any) -> tuple[Any, Callable[[Any], int]]:
        """Return values that are as few as need be, and what finds the place of one."""
        import pyarrow as pa

        kind = values.type
        if pa.types.is_date(kind):
            return values.cast(pa.date32()), self._of_day
        if pa.types.is_timestamp(kind) and self.windows is not None:
            return self._floored(values), self._of_wall if kind.tz is None else self._of_utc
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view":
            return values.cast(pa.large_string()), self._of_text
        takes = "dates, timestamps or texts that are keys" if self.windows is not None else "texts that are keys"
        raise self._error(
            f"column {self.name!r}, which is to tell the partition of each row, is {kind}, and does not tell it",
            hint=f"Give it {takes}, such as {self.keys[0]!r}.",
        )

    def _floored(self, values: Any) -> Any:
        """Return moments without what tells no windows apart; those that have a zone in UTC, all of them bare."""
        import pyarrow as pa
        import pyarrow.compute as pc

        bare = values.cast(pa.timestamp(values.type.unit))
        whole = all(not each.second and not each.microsecond for span in self.spans for each in span[:2])
        return pc.floor_temporal(bare, unit="minute" if whole else "second").cast(pa.timestamp("s"))

    def _listed(self, values: Any) -> list[Any]:
        try:
            return list(values.to_pylist())
        except (ValueError, OverflowError) as error:  # a year that Python's calendar does not reach
            raise self._error(f"column {self.name!r} has a value that is no date: {error}") from None

    def _of_text(self, text: str) -> int:
        at = self.by_text.get(text)
        if at is None:
            at = _OUTSIDE
            try:
                (self.definition if self.windows is None else self.windows).validate(text)
            except UsageError as error:
                try:
                    self.definition.validate(text)
                except UsageError:
                    raise self._error(
                        f"column {self.name!r} has {text!r}, which is not the key of a partition",
                        near=error.near or near_names(text, self.keys),
                        hint=f"A key looks like {self.keys[0]!r}.",
                    ) from None
        return at

    def _of_day(self, day: date) -> int:
        at = self.by_text.get(day.isoformat())
        if at is not None:
            return at
        if self.windows is None:
            return self._of_text(day.isoformat())
        try:
            start = datetime(day.year, day.month, day.day)
            first, last = (self._utc(each) for each in (start, start + _DAY - _SOON))
            begin, stop = self.windows.span(first, last + _SOON)
        except OverflowError:
            return _OUTSIDE
        if stop - begin > 1:
            raise self._error(
                f"column {self.name!r} has the day {day.isoformat()}, in which there are {stop - begin} partitions",
                hint=f"Give it timestamps, or texts such as {self.keys[0]!r}.",
            )
        return self._of_moment(first)

    def _of_utc(self, bare: datetime) -> int:
        return self._of_moment(bare.replace(tzinfo=UTC))

    def _of_wall(self, wall: datetime) -> int:
        """Return the place of a time without a zone; where clocks change, it may be of two moments."""
        assert self.windows is not None, "only time has a clock"
        try:
            first, second = self._utc(wall), self._utc(wall.replace(fold=1))
        except OverflowError:
            return _OUTSIDE
        at = self._of_moment(first)
        if first != second and self._of_moment(second) != at:
            raise self._error(
                f"column {self.name!r} has {wall.isoformat(' ')}, which is not one moment in {self.windows.timezone}: "
                "the clocks change then",
                hint="Give it timestamps with their zone.",
            )
        return at

    def _utc(self, wall: datetime) -> datetime:
        assert self.windows is not None, "only time has a clock"
        return wall.replace(tzinfo=self.windows.zone()).astimezone(UTC)

    def _of_moment(self, moment: datetime) -> int:
        at = bisect_right(self._starts, moment) - 1
        if at < 0 or moment >= self.spans[at][1]:
            return _OUTSIDE
        return self.spans[at][2]

    # -- what is wrong ---------------------------------------------------------------------------------------------

    def _outside(self, values: Any, distinct: Any, found: Sequence[int]) -> ValueStoreError:
        import pyarrow.compute as pc

        counts: Counter[str] = Counter()
        rows = {each["values"]: each["counts"] for each in pc.value_counts(values).to_pylist()}
        for value, at in zip(distinct.to_pylist(), found, strict=True):
            if at == _OUTSIDE:
                counts[self._named(value, zoned=getattr(self.values.type, "tz", None) is not None)] += rows[value]
        told = ", ".join(f"{key} ({_rows(counts[key])})" for key in sorted(counts)[:5])
        more = f" and {len(counts) - 5:,} more" if len(counts) > 5 else ""
        total = sum(counts.values())
        span = repr(self.keys[0]) if len(self.keys) == 1 else f"{self.keys[0]!r} to {self.keys[-1]!r}"
        return self._error(
            f"{_rows(total)} of {len(values):,} {'is' if total == 1 else 'are'} outside of what is being made, {span}; "
            f"by column {self.name!r} of {told}{more}",
            hint="Return rows of these partitions only; `context.partitions` and `context.window` tell which. "
            "Nothing was kept.",
        )

    def _named(self, value: Any, *, zoned: bool) -> str:
        """Return the partition that a value tells, for people; the value itself where there is none."""
        if isinstance(value, str) or self.windows is None:
            return repr(str(value))
        try:
            moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
            moment = moment.replace(tzinfo=UTC) if zoned else self._utc(moment)
            return repr(self.windows.key(self.windows.span(moment, moment + _SOON)[0]))
        except (OverflowError, ValueError):
            return str(value)

    def _error(self, what: str, near: Sequence[str] = (), hint: str | None = None) -> ValueStoreError:
        return ValueStoreError(f"asset {str(self.asset.key)!r}: {what}.", where=self.asset.source, near=near, hint=hint)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"
