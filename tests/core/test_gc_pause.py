"""The pause of the garbage collector, within which there may be another."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from assetry import gc_pause
from assetry.plugin import paused_gc


@pytest.fixture
def thawed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in which nothing is frozen: other tests run commands, which freeze what they have loaded."""
    monkeypatch.setattr(gc_pause._frozen, "found", False)
    gc.unfreeze()
    yield
    gc.unfreeze()


def made(count: int) -> list[list[int]]:
    with paused_gc():
        return [[] for _ in range(count)]


def counts_as_old(one: object) -> bool:
    return any(each is one for each in gc.get_objects(generation=2))


def test_the_garbage_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    with paused_gc():
        assert not gc.isenabled()
        with paused_gc():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.usefixtures("thawed")
def test_much_that_was_made_counts_as_old_and_little_does_not() -> None:
    assert counts_as_old(made(gc_pause._MANY + 1000))
    gc.collect(1)
    assert not counts_as_old(made(10))


@pytest.mark.usefixtures("thawed")
def test_what_others_have_frozen_stays_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    gc.freeze()
    much = made(gc_pause._MANY + 1000)
    assert gc.get_freeze_count() > 0
    assert not counts_as_old(much)
    monkeypatch.setattr(gc, "get_freeze_count", lambda: asked.append(1))
    made(gc_pause._MANY + 1000)
    assert not asked, "it walks through all that is frozen to ask again"
