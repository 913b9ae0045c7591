"""The right to change the records of assets while no run makes them."""

from __future__ import annotations

from collections.abc import Sequence

from assetry.errors import ConflictError
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store


def claim_all(store: Store, run_id: str, keys: Sequence[AssetKey]) -> None:
    """Claim assets for a run that changes their records; raise `ConflictError` while another one makes any of them."""
    held = store.claim(run_id, keys)
    if held:
        key = next(each for each in keys if each in held)
        raise ConflictError(
            f"Run {held[key]} is building {key}.",
            hint=f"Wait for it (`assetry logs -f {held[key]}` ends with it), then try again.",
        )
