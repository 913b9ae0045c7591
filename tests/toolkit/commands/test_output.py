"""What of a command's output is shown."""

from __future__ import annotations

from assetry_toolkit.commands import LastWords, LogLimit


def test_only_what_commands_a_terminal_is_left_out() -> None:
    text = "\x1b]52;c;cHduZWQ=\x07\x1b[1;31mred\x1b[0m"
    words = LastWords()
    words.take(text)
    assert (str(words), [each.message for each in LogLimit(1, "it").take(text)]) == ("red", ["red"])


def words_of(text: str, most: int = 6) -> LastWords:
    words = LastWords(most)
    for line in text.splitlines():
        words.take(line, "error" if line.startswith("CRITICAL") else "info")
    return words


#: As Python writes it, with the marks below a call that it has since 3.11.
RAISED = """\
INFO begun
Traceback (most recent call last):
  File "/shop/tap.py", line 60, in <module>
    go()
    ^^^^
  File "/shop/r.py", line 9, in go
    deeper(x,
           y)
  File "/shop/r.py", line 4, in deeper
    raise ValueError(text)
    ~~~~~^^^
ValueError: the shop
is closed
"""
LAST_FRAME = ['  File "/shop/r.py", line 4, in deeper', "    raise ValueError(text)"]


def test_of_a_traceback_the_last_frame_is_told_and_what_was_raised() -> None:
    words = words_of(RAISED)
    assert str(words).splitlines() == words.errors.splitlines() == [*LAST_FRAME, "ValueError: the shop", "is closed"]
    assert words.last == "is closed"


def test_what_follows_a_traceback_in_the_log_is_no_part_of_what_was_raised() -> None:
    words = words_of(RAISED + "2026-11-26 09:00 INFO going on\nat last")
    assert words.errors.splitlines()[-1] == "is closed"
    assert words.last == "at last"


def test_of_errors_that_led_to_others_each_is_told() -> None:
    both = RAISED + "\nDuring handling of the above exception, another exception occurred:\n\n" + RAISED[11:]
    words = words_of(both.replace("ValueError: the shop", "KeyError: 'key'", 1), most=20)
    assert [each for each in words.errors.splitlines() if each[0] != " "] == [
        *("KeyError: 'key'", "is closed", "ValueError: the shop", "is closed")
    ]


def test_what_was_said_before_it_was_raised_is_told_once() -> None:
    """As taps made with singer-python log it."""
    text = 'CRITICAL no shop here\nTraceback (most recent call last):\n  File "t.py", line 1, in go\n'
    assert str(words_of(f"{text}OSError: no shop here\n")) == "CRITICAL no shop here"
    assert str(words_of(f"{text}OSError: no key\n")).splitlines() == [
        *("CRITICAL no shop here", '  File "t.py", line 1, in go', "OSError: no key")
    ]
    assert str(words_of(f"{text}SystemExit\n")).splitlines()[-1] == "SystemExit"


def test_a_traceback_that_is_cut_off_is_told_as_far_as_it_goes() -> None:
    words = words_of("\n".join(RAISED.splitlines()[:7]))
    assert str(words).splitlines() == ["INFO begun", '  File "/shop/r.py", line 9, in go', "    deeper(x,"]
    assert words.last == "deeper(x,"
    assert LastWords().last == ""
