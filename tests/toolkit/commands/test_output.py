"""What of a command's output is shown."""

from __future__ import annotations

import pytest
from assetry_toolkit.commands import LastWords, LogLimit, plain


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b]52;c;cHduZWQ=\x07made", "made"),
        ("\x1b]0;title\x1b\\made", "made"),
        ("\x1bPq\x1b\\made", "made"),
        ("\x1b[1;31mred\x1b[0m\x1b[2J\x1b[?25l", "red"),
        ("\x1bcreset\x1b(B", "reset"),
        ("\x1b]52;no end", "52;no end"),
        ("a\x9d52;c;x\x9b2J\x08\x00\x7f\r", "a52;c;x2J"),
        ("a\tb\nü€", "a\tb\nü€"),
    ],
)
def test_only_what_commands_a_terminal_is_left_out(text: str, left: str) -> None:
    assert plain(text) == left
    words = LastWords()
    words.take(text)
    assert (str(words), [each.message for each in LogLimit(1, "it").take(text)]) == (left, [left])
