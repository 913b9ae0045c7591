"""What it costs to lease what is to be made: CPU of one transaction on disk, beside others who hold as much.

python tests/bench/bench_leases.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from assetry.store.sqlite import SQLiteStore
from assetry.types.keys import AssetKey
from assetry.types.leases import LeasedParts

from tests.bench.measure import best, row

RANGES = 1000


def ranges(offset: int) -> LeasedParts:
    """Return a thousand ranges of one asset that do not meet those of another offset."""
    return LeasedParts("days", {"": tuple((10 * n + offset, 10 * n + offset + 1) for n in range(RANGES))})


def leasing(wanted: dict[AssetKey, LeasedParts | None], held: dict[AssetKey, LeasedParts | None]) -> float:
    """Return the CPU seconds of a lease in a store in which another run holds something."""
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder) / "state.db")
        store.lease("other", held)
        before = time.process_time()
        lease = store.lease("ours", wanted).lease
        taken = time.process_time() - before
        assert lease is not None
        store.close()
        return taken


def main() -> None:
    """Print the figures."""
    one = AssetKey("a")
    many = [AssetKey(f"shop/asset_{n:04}") for n in range(RANGES)]
    shapes = {
        f"lease {RANGES:,} ranges of one asset, beside as many": ({one: ranges(0)}, {one: ranges(5)}),
        f"lease a range of {RANGES:,} assets, beside as many": (
            dict.fromkeys(many, LeasedParts("days", {"": ((0, 1),)})),
            dict.fromkeys(many, LeasedParts("days", {"": ((5, 6),)})),
        ),
    }
    for name, (wanted, held) in shapes.items():
        taken = best(lambda w=wanted, h=held: leasing(w, h), 5)  # type: ignore[misc]
        row(name, f"{taken * 1e3:.1f} ms", "at most 5 ms", taken <= 5e-3)


if __name__ == "__main__":
    main()
