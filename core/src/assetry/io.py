"""Where values are kept: files, memory, and the choice between them and the warehouse."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote, unquote

from assetry.assets import Asset, Integration, Relation
from assetry.contents import columns_of, content_version, nothing_kept
from assetry.errors import ValueStoreError
from assetry.frames import frame_type, from_arrow, is_frame, to_arrow
from assetry.hookspecs import hookimpl
from assetry.keys import AssetKey
from assetry.protocols import IOManager, Rows, Saved
from assetry.tables import save_whole

#: Where a value was kept, as a materialization's metadata says it under ``io``.
PROJECT, FILES, NOWHERE = "project", "files", "none"


@hookimpl
def assetry_open_io(url: str) -> IOManager | None:
    """Open ``parquet:DIR`` (tables as Parquet, anything else as pickle) or ``memory:``."""
    scheme, _, rest = url.partition(":")
    if scheme == "parquet":
        return FileIO(Path(rest.removeprefix("//") or "."))
    return MemoryIO() if scheme == "memory" else None


class FileIO:
    """Keep values as files below a folder: Arrow tables as Parquet, anything else as pickle.

    ``shop/orders`` is kept as ``shop/orders.parquet``, its partition ``2024-01-01`` as
    ``shop/orders=partitions/2024-01-01.parquet``. A new value takes the old one's place at once, when it is whole and
    on the disk. Read without a partition, a partitioned table is all of its partitions one below the other.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> files = FileIO(Path(folder.name))
    >>> _ = files.save(Asset(key="answer", kind="python"), 42)
    >>> files.load(Asset(key="answer", kind="python"))
    42
    >>> folder.cleanup()
    """

    form: Literal["arrow", "any"] = "any"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def relation(self, asset: Asset) -> Relation | None:  # noqa: ARG002 - files are no tables of a warehouse
        """Return None: files are in no warehouse."""
        return None

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        """Return the value; raise `ValueStoreError` when there is none or it cannot be read."""
        path = self._existing(asset.key, partition)
        if path is not None:
            return _read(path, asset.key)
        if partition is None:
            parts = self._partitions(asset.key)
            if parts:
                return _joined({unquote(path.stem): _read(path, asset.key) for path in parts})
        raise nothing_kept(asset, partition, f"in {self.folder}")

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep a value; the old one stays until the new one is whole. Raises `ValueStoreError`, keeping the old one."""
        base = self._base(asset.key, partition)
        if is_frame(value):
            table = to_arrow(value, f"asset {str(asset.key)!r}")
            _replace(_with(base, ".parquet"), asset.key, lambda file: _write_parquet(table, file))
            stale = _with(base, ".pkl")
            saved = Saved(content_version(table), columns_of(table), {"rows": table.num_rows})
        else:
            data = _pickled(value, asset.key)
            _replace(_with(base, ".pkl"), asset.key, lambda file: file.write(data))
            stale = _with(base, ".parquet")
            saved = Saved(_digest(data), None, {"type": type(value).__qualname__, "bytes": len(data)})
        with contextlib.suppress(FileNotFoundError):
            stale.unlink()
        return saved

    def save_rows(self, asset: Asset, rows: Rows) -> Saved:
        """Keep rows as they come; what is there is read for those that join it. See `assetry.protocols.Rows`."""
        if rows.mode != "replace" or rows.keys:
            return save_whole(self, asset, rows)
        base, reader = self._base(asset.key, None), rows.open()
        count = 0

        def write(file: BinaryIO) -> None:
            nonlocal count
            import pyarrow.parquet as pq

            with pq.ParquetWriter(file, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
                    count += batch.num_rows

        _replace(_with(base, ".parquet"), asset.key, write)
        with contextlib.suppress(FileNotFoundError):
            _with(base, ".pkl").unlink()
        return Saved(None, columns_of(reader.schema.empty_table()), {"rows": count, "changed": count})

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _base(self, key: AssetKey, partition: str | None) -> Path:
        *folders, name = (_quoted(part) for part in key.parts)
        if partition is not None:
            # No quoted part has a '=', so this folder is never that of a key.
            folders.append(f"{name}=partitions")
            name = _quoted(partition)
        return self.folder.joinpath(*folders, name)

    def _existing(self, key: AssetKey, partition: str | None) -> Path | None:
        base = self._base(key, partition)
        found = [path for path in (_with(base, ".parquet"), _with(base, ".pkl")) if path.exists()]
        # Both are there only when a save was killed between the new value and the removal of the old one.
        return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)

    def _partitions(self, key: AssetKey) -> list[Path]:
        folder = self._base(key, "x").parent
        return sorted(path for path in folder.glob("*") if path.suffix in (".parquet", ".pkl"))


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
            f"The value of {str(key)!r} cannot be read: {type(error).__name__}: {error}.",
            where=str(path),
            hint="Materialize it again.",
        ) from error


def _joined(values: dict[str, Any]) -> Any:
    if not all(is_frame(value) for value in values.values()):
        return values
    import pyarrow as pa

    return pa.concat_tables(values.values(), promote_options="permissive")


def _write_parquet(table: Any, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file)


def _pickled(value: Any, key: AssetKey) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise ValueStoreError(
            f"The value of {str(key)!r}, a {type(value).__qualname__}, cannot be pickled: {error}.",
            hint="Return plain data or a table; keep connections, files and local functions inside the function.",
        ) from error


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _replace(path: Path, key: AssetKey, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file beside its place and move it there when it is whole and on the disk."""
    # The thread's number keeps two writers of one process apart, the process's number those of two.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with _opened(beside) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)  # noqa: PTH105 - the one that says that it replaces
        _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, Exception):
            raise _cannot_write(error, path, key) from error
        raise


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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


class MemoryIO:
    """Keep values in this process, as the objects they are; for tests and notebooks.

    >>> memory = MemoryIO()
    >>> _ = memory.save(Asset(key="answer", kind="python"), [42])
    >>> memory.load(Asset(key="answer", kind="python"))
    [42]
    """

    form: Literal["arrow", "any"] = "any"

    def __init__(self) -> None:
        self._values: dict[AssetKey, dict[str | None, Any]] = {}

    def relation(self, asset: Asset) -> Relation | None:  # noqa: ARG002 - memory is no warehouse
        """Return None: nothing is in a warehouse."""
        return None

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        """Return the very object that was kept; raise `ValueStoreError` when there is none."""
        kept = self._values.get(asset.key, {})
        if partition in kept:
            return kept[partition]
        if partition is None and kept:
            return _joined({str(name): kept[name] for name in sorted(kept, key=str)})
        raise nothing_kept(asset, partition, "in memory")

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep the object itself."""
        self._values.setdefault(asset.key, {})[partition] = value
        if not is_frame(value):
            try:
                return Saved(_digest(pickle.dumps(value, protocol=5)), None, {"type": type(value).__qualname__})
            except Exception:  # what cannot be pickled can still be kept here; it only counts as new each time
                return Saved(None, None, {"type": type(value).__qualname__})
        table = to_arrow(value, f"asset {str(asset.key)!r}")
        return Saved(content_version(table), columns_of(table), {"rows": table.num_rows})

    def close(self) -> None:
        """Do nothing: the values stay for as long as the process."""


class Values:
    """Keep and find the values of a project's assets; what `RunContext.load` and `.save` use.

    * An asset with an `io` URL of its own is kept there, and an asset of another integration is found where that
      integration's tables are (`io_url`), else in the project's place.
    * A table of a Python asset is kept in the project's place, `default`; any other Python object too, unless that
      place keeps tables only: then it goes to `files`.
    * Where a value went stands in its metadata under ``io`` (``project``, ``files`` or ``none``), which
      `last_metadata` returns in a later process; without a record both places are tried.

    `open_io` opens an IO manager, once per URL. `describe` adds facts about a value to what is recorded of it.
    All methods may be called from several threads; after `close` it may be used again.

    >>> values = Values(assetry_open_io, "memory:")
    >>> dict(values.save(Asset(key="answer", kind="python"), 42).metadata)
    {'type': 'int', 'io': 'project'}
    >>> values.load(Asset(key="answer", kind="python"))
    42
    """

    def __init__(
        self,
        open_io: Callable[[str], IOManager | None],
        default: str,
        *,
        files: str = "parquet:.assetry/data",
        io_url: Callable[[Integration], str | None] = lambda _: None,
        last_metadata: Callable[[AssetKey, str | None], Mapping[str, Any] | None] = lambda _key, _partition: None,
        describe: Callable[[Any], Mapping[str, Any] | None] = lambda _: None,
    ) -> None:
        self.default = default
        self.files = files
        self._open_io = open_io
        self._io_url = io_url
        self._last_metadata = last_metadata
        self._describe = describe
        self._managers: dict[str, IOManager] = {}
        self._urls: dict[Integration, str | None] = {}
        self._places: dict[tuple[AssetKey, str | None], str] = {}
        self._lock = threading.RLock()

    def relation(self, asset: Asset) -> Relation | None:
        """Return the table that holds an asset, or would; None when it is in no warehouse."""
        if asset.relation is not None and not asset.kept:
            return asset.relation
        return self._manager(self._url(asset)).relation(asset)

    def place(self, asset: Asset) -> str:
        """Return where the tables of an asset are kept, as a URL without a query and so without a secret of its own."""
        return self._url(asset).partition("?")[0]

    def load(self, asset: Asset, form: Any = None, partition: str | None = None) -> Any:
        """Return the value of an asset as `form`: a table type, another class, or None for the default.

        Raises `ValueStoreError` when there is none, or when it cannot be had as that.
        """
        value = self._load(asset, partition)
        name = f"asset {str(asset.key)!r}"
        if is_frame(value):
            return from_arrow(to_arrow(value, name), form, name)
        wanted = frame_type(form)
        if wanted is not None:
            raise ValueStoreError(
                f"{name} is asked for as {wanted}, but its value is a {type(value).__qualname__}.",
                where=asset.source,
                hint="Correct the annotation, or what the asset's function returns.",
            )
        return value

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep the value of an asset and say what was kept, with where under ``io`` in the metadata."""
        if isinstance(value, Rows):
            manager = self._manager(self._url(asset))
            own = getattr(manager, "save_rows", None)
            saved: Saved = own(asset, value) if own is not None else save_whole(manager, asset, value)
            return Saved(saved.data_version, saved.columns, {**saved.metadata, "io": PROJECT})
        facts = dict(self._describe(value) or {})
        url, place = self._url(asset), PROJECT
        manager = self._manager(url)
        if is_frame(value):
            if manager.form == "arrow":
                value = to_arrow(value, f"asset {str(asset.key)!r}")
        elif manager.form == "arrow":
            if asset.io is not None:
                raise ValueStoreError(
                    f"Asset {str(asset.key)!r} is a {type(value).__qualname__}, and its io_manager keeps tables only.",
                    where=asset.source,
                    hint="Return a table, or leave io_manager out.",
                )
            manager, place = self._manager(self.files), FILES
        saved = manager.save(asset, value, partition)
        with self._lock:
            self._places[asset.key, partition] = place
        return Saved(saved.data_version, saved.columns, {**facts, **saved.metadata, "io": place})

    def close(self) -> None:
        """Close every IO manager that was opened."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
            self._urls.clear()
        for manager in managers:
            manager.close()

    def _url(self, asset: Asset) -> str:
        """Return where the tables of an asset are."""
        if asset.io is not None:
            return asset.io
        integration = asset.integration
        if integration is None or integration.kind == "python":
            return self.default
        with self._lock:
            if integration not in self._urls:
                self._urls[integration] = self._io_url(integration)
            return self._urls[integration] or self.default

    def _manager(self, url: str) -> IOManager:
        with self._lock:
            manager = self._managers.get(url)
            if manager is None:
                manager = self._open_io(url)
                if manager is None:
                    raise ValueStoreError(f"No plugin keeps values at {url.partition(':')[0]!r} URLs.")
                self._managers[url] = manager
            return manager

    def _load(self, asset: Asset, partition: str | None) -> Any:
        if asset.io is not None or asset.kind != "python":
            return self._manager(self._url(asset)).load(asset, partition)
        first: ValueStoreError | None = None
        for url in self._candidates(asset, partition):
            try:
                return self._manager(url).load(asset, partition)
            except ValueStoreError as error:
                first = first or error
        raise first or ValueStoreError(
            f"Asset {str(asset.key)!r} returned nothing when it was made, so there is no value of it.",
            where=asset.source,
            hint=f"Depend on it without taking its value: deps=[{str(asset.key)!r}].",
        )

    def _candidates(self, asset: Asset, partition: str | None) -> Iterator[str]:
        place = self._places.get((asset.key, partition))
        if place is None:
            place = (self._last_metadata(asset.key, partition) or {}).get("io")
        if place == NOWHERE:
            return
        if place != FILES:
            yield self._url(asset)
        if place != PROJECT and self.files != self._url(asset):
            yield self.files
