"""The inbox: everything arrives once and in order; who says too much waits, and nobody waits for a run that is over."""

from __future__ import annotations

import threading
from queue import Empty

import pytest
from assetry.run.inbox import Inbox
from assetry.types.events import Handle, Log

from tests.beside import until

WAIT = 30


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


def yielding(inbox: Inbox, *events: object) -> threading.Thread:
    """Let another thread yield events, one after the other; return it."""

    def tool() -> None:
        for event in events:
            inbox.put("1", event)

    thread = threading.Thread(target=tool, daemon=True)
    thread.start()
    return thread


def test_a_token_is_waited_for_until_it_is_written() -> None:
    inbox = Inbox()
    inbox.written()  # before it has come
    thread = yielding(inbox, Handle("job-7"), Log("on"))
    assert inbox.get(WAIT)[2] == Handle("job-7")
    with pytest.raises(Empty):
        inbox.get(timeout=0.3)
    inbox.written()
    assert inbox.get(WAIT)[2] == Log("on")
    thread.join(WAIT)
    assert not thread.is_alive()


def test_a_token_that_is_still_to_be_read_goes_with_no_earlier_write() -> None:
    inbox = Inbox()
    thread = yielding(inbox, Log("first"), Handle("job-7"), Log("on"))
    assert inbox.get(WAIT)[2] == Log("first")
    inbox.written()
    assert inbox.get(WAIT)[2] == Handle("job-7")
    with pytest.raises(Empty):
        inbox.get(timeout=0.3)
    inbox.written()
    thread.join(WAIT)
    assert not thread.is_alive()


def test_one_and_the_same_token_is_waited_for_by_each_who_yields_it() -> None:
    inbox, handle = Inbox(), Handle("job-7")
    one, other = yielding(inbox, handle), yielding(inbox, handle)
    for _ in range(2):
        assert inbox.get(WAIT)[2] == handle
    one.join(0.2)
    assert [one.is_alive(), other.is_alive()] == [True, True]
    inbox.written()
    one.join(WAIT)
    other.join(WAIT)
    assert [one.is_alive(), other.is_alive()] == [False, False]


def test_a_token_waits_for_room_and_then_for_the_write() -> None:
    inbox = Inbox(room=1)
    inbox.put("1", 0)
    thread = yielding(inbox, Handle("job-7"))
    assert inbox.get(WAIT)[2] == 0
    assert inbox.get(WAIT)[2] == Handle("job-7")
    inbox.written()
    thread.join(WAIT)
    assert not thread.is_alive()


def test_the_reader_waits_for_no_write_of_its_own() -> None:
    inbox = Inbox()
    inbox.put("1", Handle("job-7"))
    assert inbox.get_nowait()[2] == Handle("job-7")


@pytest.mark.parametrize("read", [False, True])
def test_no_token_is_waited_for_once_nothing_is_written_any_more(read: bool) -> None:
    inbox = Inbox()
    thread = yielding(inbox, Handle("job-7"), Handle("job-8"))
    if read:
        inbox.get(WAIT)
    inbox.leave_open()
    thread.join(WAIT)
    assert not thread.is_alive()
