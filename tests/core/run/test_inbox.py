"""The inbox: everything arrives once and in order; who says too much waits, and nobody waits for a run that is over."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty

import pytest
from assetry.run.inbox import Inbox

WAIT = 30


def until(said: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not said():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def writing(inbox: Inbox, count: int) -> tuple[threading.Thread, list[int]]:
    """Start a thread that puts numbers in; return it and what it has put so far."""
    done: list[int] = []

    def write() -> None:
        for number in range(count):
            inbox.put("1", number)
            done.append(number)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return thread, done


def test_a_writer_waits_for_room_and_nothing_is_lost() -> None:
    inbox = Inbox(room=3)
    thread, done = writing(inbox, 50)
    until(lambda: len(done) == 3)
    thread.join(0.3)
    assert len(done) == 3, "there is room for three"
    assert [inbox.get(WAIT)[2] for _ in range(50)] == list(range(50))
    thread.join(WAIT)
    assert not thread.is_alive()
    with pytest.raises(Empty):
        inbox.get_nowait()


def test_the_reader_never_waits_for_itself_nor_does_a_signal() -> None:
    inbox = Inbox(room=1)
    for number in range(3):
        inbox.put("1", number)
    inbox.wake("cancel")
    assert [inbox.get_nowait()[1:] for _ in range(4)] == [("1", 0), ("1", 1), ("1", 2), ("cancel", None)]


def test_nobody_waits_for_a_run_that_reads_no_more() -> None:
    inbox = Inbox(room=1)
    thread, done = writing(inbox, 20)
    until(lambda: len(done) == 1)
    inbox.leave_open()
    thread.join(WAIT)
    assert not thread.is_alive()
