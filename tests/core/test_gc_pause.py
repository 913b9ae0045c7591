"""The pause of the garbage collector, within which there may be another."""

from __future__ import annotations

import gc

from assetry.plugin import paused_gc


def test_the_garbage_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    with paused_gc():
        assert not gc.isenabled()
        with paused_gc():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
