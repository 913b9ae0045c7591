"""What is to be known of an asset beside whether it is fresh, as its tool knows it."""

from __future__ import annotations

from typing import NamedTuple

from assetry.types.keys import AssetKey


class AssetWarning(NamedTuple):
    """A warning about an asset: that it will be gone, or that somebody reads it who should not.

    `text` goes on after the asset's key, `hint` is the next step.

    >>> print(AssetWarning(AssetKey("shop/orders"), "is deprecated since 2026-01-01", "Read shop/orders/v2."))
    shop/orders is deprecated since 2026-01-01. Read shop/orders/v2.
    """

    key: AssetKey
    text: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.key} {self.text}.{f' {self.hint}' if self.hint else ''}"
