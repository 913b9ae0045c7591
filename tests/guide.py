"""The plugins that docs/write-an-integration.md shows: of a mill that is a command, and of one behind a service."""

from __future__ import annotations

import re
from pathlib import Path

#: The option that a mill which is a command has, and that of a mill behind a service.
_COMMAND = re.compile(r'"command": TEXTS\.needed\([^)]*\),')
_FOLDER = re.compile(r'`("folder": TEXT\.needed\([^)]*\))` takes that of the command')

PAGE = Path(__file__).parents[1] / "docs" / "write-an-integration.md"


def command_plugin() -> str:
    """Return the plugin that the page begins with."""
    return _blocks()[0]


def service_plugin() -> str:
    """Return what the page tells to make of it for a service: its jobs take the place of the command."""
    start, jobs = _blocks()
    before, of_command = _cut(start, "@hookimpl\ndef assetry_invocation_command")
    _, after = _cut(of_command, "def _event(")
    command = _COMMAND.search(before)
    folder = _FOLDER.search(PAGE.read_text())
    assert command is not None
    assert folder is not None, "the page says what takes the place of the command among the options"
    return (before + after).replace(command[0], f"{folder[1]},").replace("    TEXTS,\n", "    TEXT,\n") + jobs


def _blocks() -> list[str]:
    found = re.findall(
        r"^```python title=src/assetry_mill/plugin.py\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(found) == 2
    return found


def _cut(text: str, at: str) -> tuple[str, str]:
    assert text.count(at) == 1, f"the page has {at!r} no more"
    place = text.index(at)
    return text[:place], text[place:]
