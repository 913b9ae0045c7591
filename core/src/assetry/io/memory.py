"""Values kept in this process, for tests and notebooks."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from assetry.io.content import bytes_version, columns_of, content_version, nothing_kept
from assetry.io.declared import table_of
from assetry.io.frames import is_frame
from assetry.io.merge import all_partitions, rows_by_partition
from assetry.types.assets import Asset, Relation
from assetry.types.keys import AssetKey
from assetry.types.protocols import Saved


class MemoryIO:
    """Values kept in this process, for tests and notebooks: tables as Arrow, anything else as copies.

    So a function may change a value that it made or was given, and no other function sees it. What cannot be pickled
    is kept and given as the object that it is.

    >>> memory = MemoryIO()
    >>> _ = memory.save(Asset(key="answer", kind="python"), [42])
    >>> memory.load(Asset(key="answer", kind="python"))
    [42]
    """

    form: Literal["arrow", "any"] = "any"

    def __init__(self) -> None:
        self._values: dict[AssetKey, dict[str | None, Any]] = {}
        self._lock = threading.Lock()

    def relation(self, asset: Asset) -> Relation | None:  # noqa: ARG002 - memory is not a warehouse
        """Return None: nothing is in a warehouse."""
        return None

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        """Return what was kept; raise `ValueStoreError` when there is none."""
        kept = self._values.get(asset.key, {})
        if partition in kept:
            return _copy(kept[partition])
        if partition is None and kept:
            return all_partitions(asset, {str(name): _copy(kept[name]) for name in sorted(kept, key=str)})
        raise nothing_kept(asset, partition, "in memory")

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> Any:
        """Return what was kept of some partitions, as it was at one moment; see `IOManager`."""
        kept = self._values.get(asset.key, {})
        for key in keys:
            if key not in kept:
                raise nothing_kept(asset, key, "in memory")
        return all_partitions(asset, {key: _copy(kept[key]) for key in keys})

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep a value; a whole takes the place of all partitions, and a partition that of a whole."""
        if is_frame(value):
            # Streams and lazy frames give their rows once, or other ones later; and Arrow shares its cells with pandas.
            value = table_of(asset, value.copy() if hasattr(value, "iloc") else value, categories=True)
            saved = Saved(content_version(value), columns_of(value), {"rows": value.num_rows})
        else:
            pickled = _pickled(value)
            version = None if pickled is None else bytes_version(pickled[0])
            saved = Saved(version, None, {"type": type(value).__qualname__})
            value = value if pickled is None else pickled[1]
        self._put(asset, {partition: value})
        return saved

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        """Keep a table that has the rows of some partitions, all at once; see `IOManager`."""
        # Arrow shares its cells with pandas, whose user may change them.
        parts = rows_by_partition(pickle.loads(pickle.dumps(value, protocol=5)), column, keys)
        self._put(asset, dict(parts.items()))
        return [Saved(content_version(each), columns_of(each), {"rows": each.num_rows}) for each in parts.values()]

    def _put(self, asset: Asset, values: Mapping[str | None, Any]) -> None:
        """Keep values by partition; what others read meanwhile is never changed, it is left for something new."""
        with self._lock:
            kept = self._values.get(asset.key, {}) if None not in values else {}
            self._values[asset.key] = {**{name: each for name, each in kept.items() if name is not None}, **values}

    def delete(self, asset: Asset, partition: str | None = None) -> None:
        """Forget what was kept of an asset, or of one partition of it."""
        with self._lock:
            kept = {} if partition is None else self._values.get(asset.key, {})
            self._values[asset.key] = {name: each for name, each in kept.items() if name != partition}

    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool]:
        """Return for each asset, or partition of it, whether it was kept by this process."""
        kept = [(self._values.get(asset.key, {}), partition) for asset, partition in places]
        return [partition in values or (partition is None and bool(values)) for values, partition in kept]

    def close(self) -> None:
        """Do nothing: the values stay for as long as the process."""


def _copy(value: Any) -> Any:
    pickled = None if is_frame(value) else _pickled(value)
    return value if pickled is None else pickled[1]


def _pickled(value: Any) -> tuple[bytes, Any] | None:
    """Return a value as bytes, and the copy that they make; None for what cannot be pickled and read back."""
    try:
        data = pickle.dumps(value, protocol=5)
        return data, pickle.loads(data)
    except Exception:  # it can still be kept here, and counts as new each time
        return None
