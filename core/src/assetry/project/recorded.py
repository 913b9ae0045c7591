"""What records say of the values of assets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from assetry.types.keys import AssetKey
from assetry.types.protocols import Store


class RecordedValues:
    """What records say of values: where each went, and whether it was made; those that are `lasting` outlive us."""

    def __init__(self, store: Callable[[], Store], lasting: bool) -> None:
        self._store = store
        self._lasting = lasting
        #: The partitions that are known to be made: none of them is ever unmade.
        self._made: dict[AssetKey, frozenset[str | None]] = {}

    def metadata(self, key: AssetKey, partition: str | None) -> Mapping[str, Any]:
        """Return the metadata of the last record of an asset, or of a partition; nothing without one."""
        made = self._store().latest([key]).get((key, partition))
        return made.metadata if made is not None else {}

    def was_made(self, key: AssetKey, partition: str) -> bool:
        """Tell whether a partition was made, by itself or with the whole, as far as records can tell."""
        if partition not in self._made.get(key, ()):
            self._made[key] = frozenset(part for _, part in self._store().latest([key]))
        made = self._made[key]
        if made == {None} or (not made and not self._lasting):
            return True  # a tool tells no partitions apart; or what an earlier process made was not recorded
        return partition in made
