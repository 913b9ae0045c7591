"""What of a command's output is shown."""

from __future__ import annotations

from assetry_toolkit.commands import LastWords, LogLimit


def test_only_what_commands_a_terminal_is_left_out() -> None:
    text = "\x1b]52;c;cHduZWQ=\x07\x1b[1;31mred\x1b[0m"
    words = LastWords()
    words.take(text)
    assert (str(words), [each.message for each in LogLimit(1, "it").take(text)]) == ("red", ["red"])
