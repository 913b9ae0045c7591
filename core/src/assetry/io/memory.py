"""Values kept in this process, for tests and notebooks."""

from __future__ import annotations

import pickle
from typing import Any, Literal

from assetry.io.content import all_partitions, bytes_version, columns_of, content_version, nothing_kept
from assetry.io.frames import is_frame, to_arrow
from assetry.types.assets import Asset, Relation
from assetry.types.keys import AssetKey
from assetry.types.protocols import Saved


class MemoryIO:
    """Values kept in this process, as the objects they are; for tests and notebooks.

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
            return all_partitions({str(name): kept[name] for name in sorted(kept, key=str)})
        raise nothing_kept(asset, partition, "in memory")

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep the object itself."""
        self._values.setdefault(asset.key, {})[partition] = value
        if not is_frame(value):
            try:
                return Saved(bytes_version(pickle.dumps(value, protocol=5)), None, {"type": type(value).__qualname__})
            except Exception:  # what cannot be pickled can still be kept here; it only counts as new each time
                return Saved(None, None, {"type": type(value).__qualname__})
        table = to_arrow(value, f"asset {str(asset.key)!r}")
        return Saved(content_version(table), columns_of(table), {"rows": table.num_rows})

    def close(self) -> None:
        """Do nothing: the values stay for as long as the process."""
