"""How many examples a property is tried with: few in `make test`, many times as many in a campaign."""

from __future__ import annotations

import os


def examples(count: int) -> int:
    """Return the number of examples for a property that `make test` tries with `count`.

    ``ASSETRY_EXAMPLES`` says how many times as many it shall be.
    """
    return count * int(os.environ.get("ASSETRY_EXAMPLES", "1"))
