"""The real dbt, asked hundreds of things in one process, without what it finds out anew each time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def quick_dbt() -> Iterator[None]:
    """Spare dbt the looks at the stack and at all importable modules that it takes at each call.

    The first is to say, in a warning, which adapter has a flag; the second finds plugins of dbt, and there are none.
    """
    with pytest.MonkeyPatch.context() as patch:
        flag = "dbt_common.behavior_flags.BehaviorFlagRendered._default_source"
        patch.setattr(flag, staticmethod(lambda: "an adapter"))
        patch.setattr("dbt.plugins.manager.PluginManager.get_prefixed_modules", classmethod(lambda _: {}))
        yield
