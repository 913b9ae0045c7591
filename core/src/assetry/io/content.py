"""What an IO manager tells of what it keeps: columns, the version of the content, and that there is nothing."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from assetry.errors import NothingKeptError
from assetry.types.assets import Asset, Column

if TYPE_CHECKING:
    import pyarrow as pa


def nothing_kept(asset: Asset, partition: str | None, place: str) -> NothingKeptError:
    """Return the error that says that an asset has no value yet at a place.

    >>> print(nothing_kept(Asset(key="shop/orders", kind="dbt"), None, "in DuckDB file shop.duckdb"))
    There is no value of 'shop/orders' in DuckDB file shop.duckdb.
      Materialize it first: `assetry materialize -s shop/orders`.
    """
    what = f"{str(asset.key)!r}" if partition is None else f"partition {partition!r} of {str(asset.key)!r}"
    thing = "table" if asset.relation is not None and not asset.kept else "value"
    return NothingKeptError(
        f"There is no {thing} of {what} {place}.",
        where=asset.source,
        hint=f"Materialize it first: `assetry materialize -s {quote(asset.key.selection)}`."
        if asset.executable
        else "Load it first.",
    )


def type_name(kind: Any) -> str:
    """Return an Arrow type in plain words: ``string``, ``int64``, ``timestamp[us, tz=UTC]``; for categories, theirs.

    >>> import pyarrow
    >>> type_name(pyarrow.large_string()), type_name(pyarrow.float64())
    ('string', 'float64')
    """
    text = str(getattr(kind, "value_type", kind)) if str(kind).startswith("dictionary<") else str(kind)
    plain = {"double": "float64", "float": "float32", "halffloat": "float16", "large_string": "string",
             "string_view": "string", "large_binary": "binary", "binary_view": "binary"}  # fmt: skip
    return plain.get(text, text)


def columns_of(table: pa.Table | pa.RecordBatchReader) -> tuple[Column, ...]:
    """Return the columns of an Arrow table, or of rows that come as a stream.

    >>> import pyarrow
    >>> columns_of(pyarrow.table({"id": [1]}))
    (Column(name='id', type='int64', description='', tags=()),)
    """
    return tuple(Column(field.name, type_name(field.type)) for field in table.schema)


def content_version(table: pa.Table) -> str:
    """Return a hash of a table's names, types and cells: equal in every process, however the table is chunked.

    >>> import pyarrow
    >>> one, two = pyarrow.table({"a": [1, 2, 3]}), pyarrow.table({"a": [0, 1, 2, 3]}).slice(1)
    >>> content_version(one) == content_version(two)
    True
    """
    version = ContentVersion(table.schema)
    for digest, column in zip(version.columns, table.columns, strict=True):
        for chunk in column.chunks:
            digest.update(chunk)
    version.rows = table.num_rows
    return version.hexdigest()


class ContentVersion:
    """The hash of rows that come batch by batch: what `content_version` returns of the table that they make up.

    >>> import pyarrow
    >>> table = pyarrow.table({"a": [1, 2, 3]})
    >>> version = ContentVersion(table.schema)
    >>> for batch in table.to_batches(max_chunksize=2):
    ...     version.update(batch)
    >>> version.hexdigest() == content_version(table)
    True
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.rows = 0
        self.columns = [_Digest(field.type) for field in schema]

    def update(self, batch: pa.RecordBatch) -> None:
        """Take the next rows, which have the very columns of the schema."""
        self.rows += batch.num_rows
        for digest, column in zip(self.columns, batch.columns, strict=True):
            digest.update(column)

    def hexdigest(self) -> str:
        """Return the hash of all rows so far."""
        import hashlib

        whole = hashlib.blake2b(f"{self.rows}".encode(), digest_size=16)
        for field, digest in zip(self.schema, self.columns, strict=True):
            whole.update(f"\0{field.name}\0{type_name(field.type)}\0".encode())
            whole.update(digest.digest())
        return whole.hexdigest()


class _Digest:
    """The hash of a column that comes chunk by chunk: which cells are empty, and the bytes of the others.

    Each of the two is one stream over all chunks, so that it does not matter where a chunk ends; what lies in the
    buffers outside of the chunk, or below an empty cell, is never looked at.
    """

    def __init__(self, kind: Any) -> None:
        import hashlib

        import pyarrow as pa

        self.pa = pa
        self.rows = 0
        self.empty, self.sizes, self.bytes = (hashlib.blake2b(digest_size=16) for _ in range(3))
        self.children: list[_Digest] = []
        has = pa.types
        if has.is_dictionary(kind):
            self.children = [_Digest(kind.value_type)]
            self.feed = self._categories
        elif has.is_struct(kind):
            self.children = [_Digest(kind.field(i).type) for i in range(kind.num_fields)]
            self.feed = self._struct
        elif has.is_list(kind) or has.is_large_list(kind) or has.is_fixed_size_list(kind):
            self.children = [_Digest(kind.value_type)]
            self.feed = self._list
        elif has.is_boolean(kind):
            self.feed = self._boolean
        elif _is_text(has, kind):
            self.feed = self._text
        elif has.is_primitive(kind) or has.is_decimal(kind) or has.is_fixed_size_binary(kind):
            self.feed = self._fixed
        else:
            self.feed = self._any

    def digest(self) -> bytes:
        if self.feed == self._categories:
            return self.children[0].digest()  # what they name, and nothing else
        parts = [self.empty.digest(), self.sizes.digest(), self.bytes.digest()]
        return b"".join(parts + [child.digest() for child in self.children])

    def update(self, array: Any) -> None:
        import pyarrow.compute as pc

        if array.null_count:
            where = pc.indices_nonzero(array.is_null()).cast(self.pa.int64())
            self._take(self.empty, pc.add(where, self.rows))
        self.rows += len(array)
        self.feed(array)

    def _take(self, into: Any, array: Any) -> None:
        """Hash the values of an array of fixed width without empty cells."""
        width = array.type.bit_width // 8
        buffer = array.buffers()[1]
        if buffer is not None and len(array):
            into.update(memoryview(buffer)[array.offset * width : (array.offset + len(array)) * width])

    def _categories(self, array: Any) -> None:
        self.children[0].update(array.dictionary.take(array.indices))

    def _fixed(self, array: Any) -> None:
        self._take(self.bytes, array.drop_null() if array.null_count else array)

    def _boolean(self, array: Any) -> None:
        self._take(self.bytes, array.drop_null().cast(self.pa.uint8()))

    def _text(self, array: Any) -> None:
        import pyarrow.compute as pc

        # Through large_binary, so that text is the same however its offsets are stored.
        plain = array.drop_null().cast(self.pa.large_binary())
        self._take(self.sizes, pc.binary_length(plain))
        _, offsets, data = plain.buffers()
        if data is not None and len(plain):
            ends = memoryview(offsets).cast("q")
            self.bytes.update(memoryview(data)[ends[plain.offset] : ends[plain.offset + len(plain)]])

    def _list(self, array: Any) -> None:
        import pyarrow.compute as pc

        # Arrow cannot take all cells out of lists of a type that another library has made.
        full = array.slice(0, 0) if array.null_count == len(array) else array.drop_null()
        self._take(self.sizes, pc.list_value_length(full).cast(self.pa.int64()))
        self.children[0].update(full.flatten())

    def _struct(self, array: Any) -> None:
        for child, values in zip(self.children, array.flatten(), strict=True):
            child.update(values)

    def _any(self, array: Any) -> None:
        # Maps, unions and extension types: rare, so by their Python values.
        for value in array.to_pylist():
            self.bytes.update(repr(value).encode("utf-8", "surrogatepass") + b"\0")


def _is_text(has: Any, kind: Any) -> bool:
    return any(check(kind) for check in (has.is_string, has.is_large_string, has.is_binary, has.is_large_binary))


def bytes_version(data: bytes) -> str:
    """Return the version of a value that is kept as these bytes."""
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()
