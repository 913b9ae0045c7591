"""The real dbt, asked hundreds of things in one process, without a look that takes longer than the answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def quick_dbt() -> Iterator[None]:
    """Spare dbt the look through the stack by which it says, in a warning, which adapter has a flag."""
    with pytest.MonkeyPatch.context() as patch:
        flag = "dbt_common.behavior_flags.BehaviorFlagRendered._default_source"
        patch.setattr(flag, staticmethod(lambda: "an adapter"))
        yield
