"""What a place of tables can keep: names of columns, and types as which types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assetry.errors import ValueStoreError
from assetry.io.content import type_name
from assetry.io.widening import Widening, cast_column, widening
from assetry.types.assets import Asset

if TYPE_CHECKING:
    import pyarrow as pa

#: What is to be done about a type that a place does not have: by the predicate of `pyarrow.types`, first that fits.
_ADVICE = (
    (("is_struct", "is_map", "is_union"), "Keep it as JSON text: frame[{0!r}] = frame[{0!r}].map(json.dumps)."),
    (("is_nested",), "Keep it as JSON text, or as rows of a table of their own."),
    (("is_timestamp", "is_time"), "Round it, for example to microseconds: frame[{0!r}].dt.round('us')."),
    (("is_duration",), "Round it to microseconds: frame[{0!r}].dt.round('us')."),
    (("is_decimal",), "Round it, or keep it as text: frame[{0!r}].astype(str)."),
)


@dataclass(frozen=True, slots=True)
class TablePlace:
    """A kind of place that keeps tables: what it calls itself, its types, and the names that columns may have.

    `kept_as` returns, for an Arrow type, the one with which the place gives it back, None when it has none. Columns'
    names have at most `longest_name` bytes; where `folds_case`, two that differ only by case are one; `reserved` are
    names that it keeps for itself. An empty name, and one with a NUL, no database has.

    >>> import pyarrow as pa
    >>> shelf = TablePlace("the shelf", lambda kind: pa.int64() if pa.types.is_integer(kind) else None)
    >>> shelf.fit(pa.table({"n": pa.array([1], pa.int8())}), Asset(key="orders", kind="python")).schema.field("n").type
    DataType(int64)
    """

    name: str
    kept_as: Callable[[pa.DataType], pa.DataType | None]
    longest_name: int | None = None
    folds_case: bool = False
    reserved: frozenset[str] = frozenset()

    def fit(self, table: pa.Table, asset: Asset) -> pa.Table:
        """Return a table with the types of the place; raise `ValueStoreError` that names a column it cannot keep."""
        schema = self.schema(table.schema, asset)
        self._check_intervals(table, asset)
        if schema.equals(table.schema):
            return table
        import pyarrow as pa

        return pa.table(
            [self._cast(column, field, asset) for column, field in zip(table.columns, schema, strict=True)],
            schema=schema,
        )

    def fit_rows(self, reader: pa.RecordBatchReader, asset: Asset) -> pa.RecordBatchReader:
        """Return rows that come batch by batch as `fit` returns a table."""
        import pyarrow as pa

        schema = self.schema(reader.schema, asset)
        if schema.equals(reader.schema):
            return reader

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in reader:
                columns = [
                    self._cast(column, field, asset) for column, field in zip(batch.columns, schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def schema(self, schema: pa.Schema, asset: Asset) -> pa.Schema:
        """Return the columns as the place has them; raise `ValueStoreError` that names one it cannot have."""
        import pyarrow as pa

        self.check_names(schema.names, asset)
        fields = []
        for field in schema:
            kind = self.kept_as(field.type)
            if kind is None:
                raise unkept(asset, field.name, field.type, self.name, "it has no such type", advice(field))
            fields.append(pa.field(field.name, kind))
        return pa.schema(fields)

    def grown(
        self, asset: Asset, there: pa.Schema, coming: pa.Schema, free: Collection[str] = (), empty: Collection[str] = ()
    ) -> Widening:
        """Return what the columns of a table become when an asset's rows join it.

        `free` are columns of the table without a value, `empty` those of the rows. Raises `ValueStoreError` that names
        a column for which no type keeps the values of both.
        """
        return widening(there, coming, lambda *what: self.no_common_type(asset, *what), free, empty)

    def no_common_type(self, asset: Asset, column: str, old: pa.DataType, new: pa.DataType) -> ValueStoreError:
        """Return the error that rows cannot join a table, for a column is `old` there and `new` in them."""
        error = no_common_type(asset, column, old, new, f"its table in {self.name}", "the rows that come")
        error.hint = (
            f"Give it the type that it has there; if it is to be {type_name(new)} from now on, drop the table and make "
            "all that was in it anew."
        )
        return error

    def _cast(self, column: Any, field: pa.Field, asset: Asset) -> Any:
        import pyarrow as pa

        if isinstance(column, pa.Array):
            return column if column.type.equals(field.type) else self._cast(
                pa.chunked_array([column]), field, asset
            ).combine_chunks()  # fmt: skip
        try:
            return cast_column(column, field.type)
        except pa.ArrowException as error:
            why = f"it is kept there as {type_name(field.type)}, which would change it ({error})"
            raise unkept(asset, field.name, column.type, self.name, why, advice(field.with_type(column.type))) from None

    def check_names(self, names: Sequence[str], asset: Asset) -> None:
        """Raise `ValueStoreError` that names a column whose name the place does not keep as it is."""
        what = f"asset {str(asset.key)!r}"
        if not names:
            raise ValueStoreError(
                f"{what} has no columns, and a table in {self.name} needs one.",
                where=asset.source,
                hint="Return a table that has its columns even when it has no rows.",
            )
        seen: dict[str, str] = {}
        for name in names:
            why = self._wrong(name)
            folded = self.folded(name)
            if why is None and folded in seen:
                why = f"does not differ enough from {seen[folded]!r}: to {self.name} upper and lower case are the same"
            if why is not None:
                raise ValueStoreError(
                    f"{what}: column {name!r} cannot be kept in {self.name}: its name {why}.",
                    where=asset.source,
                    hint=f"Rename it, for example frame.rename(columns={{{name!r}: …}}).",
                )
            seen[folded] = name

    def _check_intervals(self, table: pa.Table, asset: Asset) -> None:
        """Refuse intervals of months, days and nanoseconds that are finer than those of databases: microseconds."""
        import pyarrow as pa

        for field, column in zip(table.schema, table.columns, strict=True):
            if pa.types.is_interval(field.type) and any(
                each and each.nanoseconds % 1000 for each in column.to_pylist()
            ):
                raise unkept(asset, field.name, field.type, self.name, "it has nanoseconds", advice(field))

    def folded(self, name: str) -> str:
        """Return what the place tells names apart by."""
        # As databases do it: only the letters of ASCII have a case to them.
        return "".join(each.lower() if each.isascii() else each for each in name) if self.folds_case else name

    def _wrong(self, name: str) -> str | None:
        if not name:
            return "is empty"
        if "\0" in name:
            return "has a NUL in it"
        if self.longest_name is not None and len(name.encode()) > self.longest_name:
            return f"has {len(name.encode())} bytes, and only {self.longest_name} are kept"
        return f"is one that {self.name} keeps for itself" if self.folded(name) in self.reserved else None


def unkept(asset: Asset, column: str, kind: Any, place: str, why: str, hint: str) -> ValueStoreError:
    """Return the error that a column of an asset cannot be kept somewhere."""
    name = type_name(kind)
    article = "an" if name[0] in "aeio" else "a"
    return ValueStoreError(
        f"asset {str(asset.key)!r}: column {column!r} is {article} {name} and cannot be kept in {place}: {why}.",
        where=asset.source,
        hint=hint,
    )


def no_common_type(
    asset: Asset, column: str, old: pa.DataType, new: pa.DataType, there: str, coming: str
) -> ValueStoreError:
    """Return the error that a column is of two types, `old` in one table and `new` in another, that no type unites."""
    return ValueStoreError(
        f"asset {str(asset.key)!r}: column {column!r} is {type_name(old)} in {there} and {type_name(new)} in {coming}, "
        "and no type keeps all values of both.",
        where=asset.source,
        hint=f"Give it one type in both; if it is to be {type_name(new)} from now on, make the others anew.",
    )


def advice(field: pa.Field) -> str:
    """Return what can be done about a column of a type that a place does not have.

    >>> import pyarrow as pa
    >>> advice(pa.field("tags", pa.list_(pa.list_(pa.int64()))))
    'Keep it as JSON text, or as rows of a table of their own.'
    """
    import pyarrow as pa

    for predicates, text in _ADVICE:
        if any(getattr(pa.types, each)(field.type) for each in predicates):
            return text.format(field.name)
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return f"Take out what it does not take, for example frame[{field.name!r}].str.replace('\\0', '')."
    return f"Keep it as text: frame[{field.name!r}] = frame[{field.name!r}].astype(str)."
