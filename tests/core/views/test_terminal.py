"""What of a tool's text a terminal is shown, and how our own colours are told from a tool's."""

from __future__ import annotations

import json

import pytest
from assetry.cli.text import shown, styled
from assetry.views.json import json_text
from assetry.views.terminal import plain
from click import style, unstyle
from hypothesis import given
from hypothesis import strategies as st

CONTROLS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))} - {"\n", "\t"}
TEXTS = st.lists(st.sampled_from([*sorted(CONTROLS), "\x1b", "\x1b]", "\x1b[", "8;;", "m", "0", "ü", "\n"])).map(
    "".join
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b]52;c;cHduZWQ=\x07made", "made"),
        ("\x1b]0;title\x1b\\made", "made"),
        ("\x1b]8;;http://x\x07a\x1b]8;;\x07", "a"),
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


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_is_left_that_commands_a_terminal_but_colours_of_our_own(before: str, within: str, after: str) -> None:
    assert not CONTROLS & set(plain(before))
    made = shown(f"{before}{styled(within, fg='red', bold=True)}{after}")
    assert made == f"{plain(before)}{style(plain(within), fg='red', bold=True)}{plain(after)}"
    assert not CONTROLS & set(unstyle(made))


def test_a_tool_cannot_give_its_text_our_colours() -> None:
    assert shown(styled("a", fg="red")) != shown("\x1b[31ma\x1b[0m") == "a"
    assert shown(styled(f"a{styled('b', dim=True)}", bold=True)) == "\x1b[1ma\x1b[2mb\x1b[0m\x1b[0m"


@given(TEXTS)
def test_json_holds_every_character_and_commands_nothing(text: str) -> None:
    for written in (json_text({text: text}), json_text({text: text}, unicode=False)):
        assert not CONTROLS & set(written)
        assert json.loads(written) == {text: text}
