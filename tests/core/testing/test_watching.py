"""What does not return is waited for only so long, and it is said where it stands."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from assetry.testing import eventually
from assetry.testing.watching import Lines, Stopped, Unanswered, Watch, Worker, place_of_error


def test_what_work_raises_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(SystemExit):
        Worker(lambda: exit(3)).answer(30)


def test_an_endless_loop_is_told_with_its_place_and_ended() -> None:
    ended = threading.Event()

    def spin() -> None:
        try:
            while True:
                pass
        except Stopped:
            ended.set()

    with pytest.raises(Unanswered, match=r"test_watching\.py:\d+"):
        Worker(spin).answer(0.05)
    assert ended.wait(30)


def test_a_place_is_the_authors_own_line() -> None:
    with pytest.raises(ValueError, match="invalid literal") as raised:
        time.strptime("x", "%d") if False else int("x")
    assert "test_watching.py:" in place_of_error(raised.value)


def test_the_moment_of_a_stream_is_told() -> None:
    release = threading.Event()

    def stream():  # type: ignore[no-untyped-def]
        yield 1
        release.wait(30)
        yield 2

    watch = Watch(stream, lambda event: "close" if event == 2 else "on")
    assert eventually(lambda: watch.moment == "after 1 events", 30)
    release.set()
    assert watch.wait(30)
    assert watch.moment == "when it was closed"


def test_lines_are_what_is_logged_at_any_level_or_printed() -> None:
    level = logging.getLogger().level
    with Lines() as lines:
        logging.getLogger("some.library").debug("a %s", "detail")
        print("a word")
    logging.getLogger("some.library").error("later")
    assert [text for text in lines.texts if text.strip()] == ["a detail", "a word"]
    assert logging.getLogger().level == level
