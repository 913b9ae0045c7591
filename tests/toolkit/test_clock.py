"""Waiting, by a clock that no change of the calendar disturbs, and that can be called off."""

from __future__ import annotations

import threading

from assetry_toolkit.clock import Clock, never


def test_a_wait_takes_its_time() -> None:
    clock = Clock()
    began = clock.monotonic()
    assert clock.sleep(0.15, never)
    assert clock.monotonic() - began >= 0.15


def test_a_wait_is_over_when_it_is_called_off() -> None:
    off = threading.Event()
    threading.Timer(0.05, off.set).start()
    assert not Clock().sleep(600, off.is_set)


def test_pauses_differ_a_little() -> None:
    pauses = {Clock().jitter(10.0) for _ in range(20)}
    assert len(pauses) > 1
    assert all(9.0 <= pause <= 11.0 for pause in pauses)
