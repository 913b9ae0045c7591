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


def test_what_was_made_counts_as_old_and_what_was_frozen_stays_frozen() -> None:
    with paused_gc():
        made = [[] for _ in range(3)]  # type: ignore[var-annotated]
    assert any(each is made for each in gc.get_objects(generation=2))
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with paused_gc():
            pass
        assert gc.get_freeze_count() >= frozen
    finally:
        gc.unfreeze()
