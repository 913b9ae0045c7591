"""The rows of one stream on their way: from messages to Arrow batches in a file, from there into the table.

A table is written once its stream is complete, so what comes before that waits in a file: memory stays flat, the
warehouse is held only while it is written, and a stream that breaks off leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetry.plugin import ContentVersion, private_file

from assetry_airbyte.local.column_names import EXTRACTED_AT, named
from assetry_airbyte.local.columns import JSON, TEXT, array, arrow_schema, kind_of_value, recast, wider

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows that make a batch: as many as a processor's cache holds while they are turned into columns.
BATCH = 4096
#: Column of a stream that has none.
NO_COLUMNS = "_airbyte_data"


@dataclass(frozen=True, slots=True)
class Form:
    """What a stream's rows are to become: the `kinds` of its fields, its primary `keys`, and what is known from before.

    `names` are the columns that fields have had so far; `extracted_at` is the time of the sync, where rows get it.
    """

    kinds: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    extracted_at: datetime | None = None


class Spool:
    """The rows of one stream, taken once and given back as often as is asked.

    `kinds` are the fields of the schema; one that it does not know becomes a column, and a value that does not fit
    into its column makes it a wider one. `surprises` tells of that, and of what is changed on the way, in words.
    """

    def __init__(self, folder: Path, form: Form) -> None:
        self._folder = folder
        self._form = form
        self.kinds = dict(form.kinds)
        #: The column of each field, those of earlier syncs among them.
        self.names = named(self.kinds, form.names)
        self.surprises: dict[str, None] = {}
        #: Rows without any part of their primary key, and those that have only some of it.
        self.keyless = self.partly_keyed = 0
        #: Rows that are not written yet; the one who adds rows calls `flush` before there are too many.
        self.rows: list[dict[str, Any]] = []
        self._written = 0
        #: The files so far, with the fields that each of them has.
        self._segments: list[tuple[Path, dict[str, str]]] = []
        self._writer: Any = None
        self._version: ContentVersion | None = None

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return self._written + len(self.rows)

    def widened(self) -> bool:
        """Tell whether a field became wider than it was thought to be."""
        return any(self.kinds[name] != kind for name, kind in self._form.kinds.items())

    def flush(self) -> None:
        """Write the rows that are in memory."""
        for start in range(0, len(self.rows), BATCH):
            self._write(self._arrays(self.rows[start : start + BATCH]))
        self._written += len(self.rows)
        self.rows.clear()

    def _arrays(self, rows: list[dict[str, Any]]) -> list[Any]:
        if self.kinds and min(map(len, rows)) == max(map(len, rows)) == len(self.kinds):
            # The usual case, at the speed of C: every row has every column, and no other.
            with suppress(KeyError):
                return [self._array(name, list(map(itemgetter(name), rows))) for name in self.kinds]
        self._meet(rows)
        return [self._array(name, [row.get(name) for row in rows]) for name in tuple(self.kinds)]

    def _meet(self, rows: list[dict[str, Any]]) -> None:
        """Make columns of the fields that no schema speaks of."""
        for name in dict.fromkeys(name for row in rows if not row.keys() <= self.kinds.keys() for name in row):
            if name not in self.kinds:
                kinds = {kind_of_value(row[name]) for row in rows if row.get(name) is not None}
                self.kinds[name] = kinds.pop() if len(kinds) == 1 else TEXT
                self._tell(name, f"is not in its schema; the table has it as {self.kinds[name]}")
        self.names = named(self.kinds, self.names)
        self._need_a_column()

    def _need_a_column(self) -> None:
        """Give a stream without any column one, as no table can do without."""
        if not self.kinds:
            self.kinds[NO_COLUMNS] = JSON
            self.names = named(self.kinds, self.names)

    def _tell(self, name: str, what: str) -> None:
        self.surprises[f"{name!r} {what}"] = None

    def _array(self, name: str, values: list[Any]) -> pa.Array:
        kind = self.kinds[name]
        found = array(kind, values, lambda what: self._tell(name, what))
        while found is None:
            kind, narrow = self._wider(name, kind, values), kind
            self._tell(name, f"has values that {narrow} cannot hold as they are; the table has it as {kind}")
            self.kinds[name] = kind
            found = array(kind, values, lambda what: self._tell(name, what))
        return found

    def _wider(self, name: str, kind: str, values: list[Any]) -> str:
        """Return a kind for values that do not fit into a column, and for those that it has already."""
        found = wider(kind, values)
        self._end()  # so that what is written can be read; the next rows have another form anyway
        for path, kinds in self._segments if found != TEXT else ():
            if name in kinds and any(
                recast(batch.column(self.names[name]), found) is None for batch in _batches_in(path)
            ):
                return TEXT
        return found

    def _write(self, arrays: list[pa.Array]) -> None:
        import pyarrow as pa

        batch = pa.record_batch(arrays, schema=self._schema())
        if self._writer is None or self._segments[-1][1] != self.kinds:
            self._begin(batch.schema)
        self._writer.write_batch(batch)
        if self._form.keys:
            self._count_keyless(batch)
        if self._version is not None:
            self._version.update(batch)

    def _count_keyless(self, batch: pa.RecordBatch) -> None:
        keys = [batch.column(self.names[key]) for key in self._form.keys if key in self.kinds]
        absent = len(keys) < len(self._form.keys)  # a part that none of the rows has
        if not absent and not any(key.null_count for key in keys):
            return
        lacking = [key.is_null().to_pylist() for key in keys]
        rows = list(zip(*lacking, strict=True)) if lacking else [()] * batch.num_rows
        none = sum(map(all, rows))
        self.keyless += none
        self.partly_keyed += (len(rows) if absent else sum(map(any, rows))) - none

    def _begin(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._end()
        # Rows of two forms: their version is that of the table which they become in the end.
        self._version = None if self._segments else ContentVersion(schema)
        path = self._folder / f"{len(self._segments)}.arrow"
        self._writer = pa.ipc.new_stream(str(private_file(path)), schema)
        self._segments.append((path, dict(self.kinds)))

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def finish(self) -> None:
        """Close the file: all rows are there."""
        self.flush()
        self._need_a_column()
        self._end()

    def version(self) -> str:
        """Return the hash of the rows, without the time of the sync."""
        version = self._version
        if version is None:
            version = ContentVersion(self._schema())
            for batch in self._batches():
                version.update(batch)
        return version.hexdigest()

    def open(self) -> pa.RecordBatchReader:
        """Return a reader over all rows, in the columns that they have in the end."""
        import pyarrow as pa

        schema = self._schema()
        if self._form.extracted_at is None:
            return pa.RecordBatchReader.from_batches(schema, self._batches())
        kind = pa.timestamp("us", "UTC")
        stamp = pa.scalar(self._form.extracted_at, kind)
        schema = schema.append(pa.field(EXTRACTED_AT, kind))
        return pa.RecordBatchReader.from_batches(
            schema,
            (
                pa.record_batch([*batch.columns, pa.repeat(stamp, batch.num_rows)], schema=schema)
                for batch in self._batches()
            ),
        )

    def _schema(self) -> pa.Schema:
        return arrow_schema({self.names[field]: kind for field, kind in self.kinds.items()})

    def _batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = self._schema()
        for path, kinds in self._segments:
            for batch in _batches_in(path):
                if kinds == self.kinds:
                    yield batch
                    continue
                columns = [
                    recast(batch.column(self.names[name]), kind)
                    if name in kinds
                    else pa.nulls(batch.num_rows, each.type)
                    for (name, kind), each in zip(self.kinds.items(), schema, strict=True)
                ]
                yield pa.record_batch(columns, schema=schema)

    def discard(self) -> None:
        """Let go of the rows."""
        self._end()
        self.rows.clear()
        for path, _ in self._segments:
            path.unlink(missing_ok=True)
        self._segments = []


def _batches_in(path: Path) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
        yield from reader
