"""What an invocation waits for, in words."""

from __future__ import annotations

from collections.abc import Sequence

from assetry.types.leases import BETWEEN_RUNS


def waiting_words(pool: str, runs: Sequence[str], *, held: bool = True) -> str:
    """Return for which pool something waits, and for which runs: those that hold its slots, or that come first.

    >>> waiting_words("warehouse", ["r1"]), waiting_words("group:mill:m", ["r1"])
    ('waits for a slot of pool warehouse, held by run r1', 'waits for a slot of mill:m, held by run r1')
    >>> waiting_words("duckdb:/shop.db", ["r1", "r2"], held=False)
    'waits for duckdb:/shop.db, behind runs r1, r2'
    >>> waiting_words("between:duckdb:/shop.db", ["r1"])
    'waits for duckdb:/shop.db, held by run r1'
    """
    pool = pool.removeprefix(BETWEEN_RUNS)
    group = pool.removeprefix("group:")
    what = pool if ":" in pool else f"a slot of pool {pool}"
    who = f"run {runs[0]}" if len(runs) == 1 else f"runs {', '.join(runs)}"
    return f"waits for {what if group == pool else f'a slot of {group}'}, {'held by' if held else 'behind'} {who}"
