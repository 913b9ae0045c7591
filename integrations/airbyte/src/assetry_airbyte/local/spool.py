"""The rows of one stream on their way: from messages to Arrow batches in a file, from there into the table.

A table is written once its stream is complete, so what comes before that waits in a file: memory stays flat, the
warehouse is held only while it is written, and a stream that breaks off leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetry.plugin import ContentVersion

from assetry_airbyte.local.columns import JSON, TEXT, array, arrow_schema, kind_of_value, recast, wider

if TYPE_CHECKING:
    import pyarrow as pa

#: Rows that make a batch: as many as a processor's cache holds while they are turned into columns.
BATCH = 4096
#: Column with the time of the sync, where it is wanted.
EXTRACTED_AT = "_airbyte_extracted_at"
#: Column of a stream that has none.
NO_COLUMNS = "_airbyte_data"


class Spool:
    """The rows of one stream, taken once and given back as often as is asked.

    `kinds` are the columns of the schema; a field that it does not know becomes a column, and a value that does not
    fit into its column makes it a wider one. `surprises` tells of both, in words.
    """

    def __init__(self, folder: Path, kinds: Mapping[str, str], extracted_at: datetime | None = None) -> None:
        self._folder = folder
        self._extracted_at = extracted_at
        self.kinds = dict(kinds)
        self.surprises: list[str] = []
        #: Rows that are not written yet; the one who adds rows calls `flush` before there are too many.
        self.rows: list[dict[str, Any]] = []
        self._written = 0
        #: The files so far, with the columns that each of them has.
        self._segments: list[tuple[Path, dict[str, str]]] = []
        self._writer: Any = None
        self._version: ContentVersion | None = None

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return self._written + len(self.rows)

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
                self.surprises.append(f"{name!r} is not in its schema; the table has it as {self.kinds[name]}")
        self._need_a_column()

    def _need_a_column(self) -> None:
        """Give a stream without any column one, as no table can do without."""
        if not self.kinds:
            self.kinds[NO_COLUMNS] = JSON

    def _array(self, name: str, values: list[Any]) -> pa.Array:
        kind = self.kinds[name]
        found = array(kind, values)
        while found is None:
            kind, narrow = wider(kind, values), kind
            self.surprises.append(f"{name!r} is not of type {narrow} in every row; the table has it as {kind}")
            self.kinds[name] = kind
            found = array(kind, values)
        return found

    def _write(self, arrays: list[pa.Array]) -> None:
        import pyarrow as pa

        batch = pa.record_batch(arrays, schema=arrow_schema(self.kinds))
        if not self._segments or self._segments[-1][1] != self.kinds:
            self._begin(batch.schema)
        self._writer.write_batch(batch)
        if self._version is not None:
            self._version.update(batch)

    def _begin(self, schema: pa.Schema) -> None:
        import pyarrow as pa

        self._end()
        # Rows of two forms: their version is that of the table which they become in the end.
        self._version = None if self._segments else ContentVersion(schema)
        path = self._folder / f"{len(self._segments)}.arrow"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = pa.ipc.new_stream(str(path), schema)
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
            version = ContentVersion(arrow_schema(self.kinds))
            for batch in self._batches():
                version.update(batch)
        return version.hexdigest()

    def open(self) -> pa.RecordBatchReader:
        """Return a reader over all rows, in the columns that they have in the end."""
        import pyarrow as pa

        schema = arrow_schema(self.kinds)
        if self._extracted_at is None:
            return pa.RecordBatchReader.from_batches(schema, self._batches())
        kind = pa.timestamp("us", "UTC")
        stamp = pa.scalar(self._extracted_at, kind)
        return pa.RecordBatchReader.from_batches(
            schema.append(pa.field(EXTRACTED_AT, kind)),
            (
                pa.record_batch(
                    [*batch.columns, pa.repeat(stamp, batch.num_rows)], names=[*batch.schema.names, EXTRACTED_AT]
                )
                for batch in self._batches()
            ),
        )

    def _batches(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = arrow_schema(self.kinds)
        for path, kinds in self._segments:
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as reader:
                for batch in reader:
                    if kinds == self.kinds:
                        yield batch
                        continue
                    columns = [
                        recast(batch.column(name), kind) if name in kinds else pa.nulls(batch.num_rows, field.type)
                        for (name, kind), field in zip(self.kinds.items(), schema, strict=True)
                    ]
                    yield pa.record_batch(columns, schema=schema)

    def discard(self) -> None:
        """Let go of the rows."""
        self._end()
        self.rows.clear()
        for path, _ in self._segments:
            path.unlink(missing_ok=True)
        self._segments = []
