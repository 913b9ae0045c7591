"""Values as files below a folder."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pickle
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote, unquote

from assetry.errors import ValueStoreError, error_words
from assetry.io.content import bytes_version, columns_of, content_version, nothing_kept
from assetry.io.declared import table_of
from assetry.io.frames import is_frame
from assetry.io.merge import all_partitions, rows_by_partition, save_whole
from assetry.io.parts import MOST_OPEN, replace_all, sweep
from assetry.io.places import advice, unkept
from assetry.io.private_files import private_folder
from assetry.types.assets import Asset, Relation
from assetry.types.keys import AssetKey
from assetry.types.protocols import Rows, Saved

#: How the names of a table's file, and of any other value's, end.
_SUFFIXES = (".parquet", ".pkl")


class FileIO:
    """Values as files below a folder: Arrow tables as Parquet, anything else as pickle.

    ``shop/orders`` is kept as ``shop/orders.parquet``, its partition ``2024-01-01`` as
    ``shop/orders=partitions/2024-01-01.parquet``. A new value takes the old one's place at once, when it is whole and
    on the disk. Read without a partition, a partitioned table is all of its partitions one below the other. A whole
    value takes the place of all partitions, and a partition that of a whole value.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> files = FileIO(Path(folder.name))
    >>> _ = files.save(Asset(key="answer", kind="python"), 42)
    >>> files.load(Asset(key="answer", kind="python"))
    42
    >>> folder.cleanup()
    """

    form: Literal["arrow", "any"] = "any"
    #: Looking what is there costs next to nothing, so that it is done whenever it matters.
    at_hand = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._swept: set[Path] = set()

    def relation(self, asset: Asset) -> Relation | None:  # noqa: ARG002 - files are not tables of a warehouse
        """Return None: files are in no warehouse."""
        return None

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        """Return the value; raise `ValueStoreError` when there is none or it cannot be read."""
        path = self._existing(asset.key, partition)
        parts = self._partitions(asset.key) if partition is None else []
        if parts and (path is None or path.stat().st_mtime_ns < max(each.stat().st_mtime_ns for each in parts)):
            return all_partitions(asset, {unquote(each.stem): _read(each, asset.key) for each in parts})
        if path is not None:
            return _read(path, asset.key)
        raise nothing_kept(asset, partition, f"in {self.folder}")

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> Any:
        """Return the values of some partitions as one; see `IOManager`. Raises as `load` does."""
        return all_partitions(asset, {key: self.load(asset, key) for key in keys})

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep a value; the old one stays until the new one is whole. Raises `ValueStoreError`, keeping the old one."""
        base = self._base(asset.key, partition)
        self._sweep(base.parent)
        if is_frame(value):
            table = table_of(asset, value, categories=True)
            _replace(asset.key, {_with(base, ".parquet"): partial(_write_table, table, asset)})
            stale = _with(base, ".pkl")
            saved = Saved(content_version(table), columns_of(table), {"rows": table.num_rows})
        else:
            data = _pickled(value, asset.key)
            _replace(asset.key, {_with(base, ".pkl"): lambda file: file.write(data)})
            stale = _with(base, ".parquet")
            saved = Saved(bytes_version(data), None, {"type": type(value).__qualname__, "bytes": len(data)})
        self._forget(stale, *(self._partitions(asset.key) if partition is None else self._files(asset.key, None)))
        return saved

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        """Keep a table that has the rows of some partitions; see `IOManager`.

        Each partition is a file. None takes the old one's place before those of 100 partitions are whole.
        """
        parts = list(rows_by_partition(value, column, keys).items())
        for start in range(0, len(parts), MOST_OPEN):
            some = parts[start : start + MOST_OPEN]
            bases = [self._base(asset.key, key) for key, _ in some]
            self._sweep(bases[0].parent)
            tables = zip(bases, (table for _, table in some), strict=True)
            writing = {_with(base, ".parquet"): partial(_write_table, table, asset) for base, table in tables}
            _replace(asset.key, writing)
            self._forget(*(_with(base, ".pkl") for base in bases), *self._files(asset.key, None))
        return [Saved(content_version(each), columns_of(each), {"rows": each.num_rows}) for _, each in parts]

    def save_rows(self, asset: Asset, rows: Rows) -> Saved:
        """Keep rows as they come; what is there is read for those that join it. See `assetry.types.protocols.Rows`."""
        if rows.mode != "replace" or rows.keys:
            return save_whole(self, asset, rows)
        base, reader = self._base(asset.key, None), rows.open()
        self._sweep(base.parent)
        count = 0

        def write(file: BinaryIO) -> None:
            nonlocal count
            import pyarrow.parquet as pq

            with pq.ParquetWriter(file, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    count += batch.num_rows

        _replace(asset.key, {_with(base, ".parquet"): write})
        self._forget(_with(base, ".pkl"), *self._partitions(asset.key))
        return Saved(None, columns_of(reader), {"rows": count, "changed": count})

    def delete(self, asset: Asset, partition: str | None = None) -> None:
        """Remove the files of an asset, or of one partition of it; raise `ValueStoreError` when they cannot be."""
        parts = self._partitions(asset.key) if partition is None else []
        try:
            self._forget(*self._files(asset.key, partition), *parts)
        except OSError as error:
            raise ValueStoreError(
                f"The value of {str(asset.key)!r} cannot be removed: {error.strerror}.",
                where=str(self._base(asset.key, partition)),
                hint="Make the file and its folder yours to write.",
            ) from error
        for folder in dict.fromkeys((self._base(asset.key, "x").parent, self._base(asset.key, None).parent)):
            # One that others have something in stays.
            with contextlib.suppress(OSError):
                if folder != self.folder:
                    folder.rmdir()

    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool | None]:
        """Return for each asset, or partition of it, whether its file is there; None where its folder cannot be listed.

        Each folder is listed once.
        """
        listed: dict[tuple[str, ...], set[str] | None] = {}

        def names(folders: tuple[str, ...]) -> set[str] | None:
            if folders not in listed:
                listed[folders] = _names(self.folder.joinpath(*folders))
            return listed[folders]

        found: list[bool | None] = []
        for asset, partition in places:
            folders, name = _place(asset.key, partition)
            there = names(folders)
            if there is None or any(f"{name}{suffix}" in there for suffix in _SUFFIXES):
                found.append(None if there is None else True)
            elif partition is None and f"{name}=partitions" in there:
                parts = names((*folders, f"{name}=partitions"))
                found.append(None if parts is None else any(each.endswith(_SUFFIXES) for each in parts))
            else:
                found.append(False)
        return found

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _base(self, key: AssetKey, partition: str | None) -> Path:
        folders, name = _place(key, partition)
        return self.folder.joinpath(*folders, name)

    def _existing(self, key: AssetKey, partition: str | None) -> Path | None:
        found = [path for path in self._files(key, partition) if path.exists()]
        # Both are there only when a save was killed between the new value and the removal of the old one.
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _files(self, key: AssetKey, partition: str | None) -> list[Path]:
        base = self._base(key, partition)
        return [_with(base, suffix) for suffix in _SUFFIXES]

    def _sweep(self, folder: Path) -> None:
        """Remove, before the first save into a folder, what killed saves have left there."""
        if folder not in self._swept:
            self._swept.add(folder)
            sweep(folder)
            if folder.is_dir():
                private_folder(folder)  # as it may be there with more rights than it should have

    def _forget(self, *paths: Path) -> None:
        """Remove what another value has taken the place of."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _partitions(self, key: AssetKey) -> list[Path]:
        folder = self._base(key, "x").parent
        return sorted(path for path in folder.glob("*") if path.suffix in _SUFFIXES)


def _names(folder: Path) -> set[str] | None:
    """Return what is in a folder, nothing when it is not there; None when that cannot be told."""
    try:
        return {each.name for each in os.scandir(folder)}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError:
        return None


def _place(key: AssetKey, partition: str | None) -> tuple[tuple[str, ...], str]:
    """Return the folders in which a value is kept, and its file's name without the ending."""
    *folders, name = (_quoted(part) for part in key.parts)
    if partition is None:
        return tuple(folders), name
    # No quoted part has a '=', so this folder is never that of a key.
    return (*folders, f"{name}=partitions"), _quoted(partition)


def _quoted(part: str) -> str:
    """Return a key's part as a file name: nothing that leads out of the folder, or that some file system forbids."""
    text = quote(part, safe=" +,@()")
    return text.replace(".", "%2E") if text.strip(".") == "" else text


def _with(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def _read(path: Path, key: AssetKey) -> Any:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            return pq.read_table(path, partitioning=None, memory_map=False)
        with path.open("rb") as file:
            return pickle.load(file)
    except Exception as error:  # unpickling runs code of the user's, which may raise anything
        raise ValueStoreError(
            f"The value of {str(key)!r} cannot be read: {error_words(error)}.",
            where=str(path),
            hint="Materialize it again.",
        ) from error


def _write_table(table: Any, asset: Asset, file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(table, file)
    except pa.ArrowException:
        for field in table.schema:
            try:
                pq.write_table(table.select([field.name]).slice(0, 0), io.BytesIO())
            except pa.ArrowException as error:
                raise unkept(asset, field.name, field.type, "Parquet files", str(error), advice(field)) from None
        raise


def _pickled(value: Any, key: AssetKey) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise ValueStoreError(
            f"The value of {str(key)!r}, a {type(value).__qualname__}, cannot be pickled: {error}.",
            hint="Return plain data or a table; keep connections, files and local functions inside the function.",
        ) from error


def _replace(key: AssetKey, files: Mapping[Path, Callable[[BinaryIO], Any]]) -> None:
    try:
        replace_all(files)
    except ValueStoreError:
        raise
    except Exception as error:
        raise _cannot_write(error, next(iter(files)), key) from error


def _cannot_write(error: Exception, path: Path, key: AssetKey) -> ValueStoreError:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ValueStoreError(
            f"The value of {str(key)!r} cannot be kept: there is no room for it on the disk.",
            where=str(path),
            hint="Free some space, then run `assetry retry`; the value from before is still there.",
        )
    return ValueStoreError(
        f"The value of {str(key)!r} cannot be kept: {error}.",
        where=str(path),
        hint="The value from before, if there was one, is still there.",
    )
