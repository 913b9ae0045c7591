"""The shapes that meltano.yml has to have: where something else stands, the error names the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from assetry.plugin import IntegrationError

#: What of a plugin's entry is read, and what it has to be where it is given.
_OF_PLUGIN: Mapping[str, type] = {"config": dict, "env": dict, "settings": list, "capabilities": list}
_WORDS = {"dict": ("mapping", "{name: value}"), "list": ("list", "[…]")}


def refuse_shape(value: Any, kind: type, name: str, where: str) -> None:
    """Raise `IntegrationError` unless a value is a mapping or a list, whichever it has to be, or is not given.

    >>> refuse_shape(["A=1"], dict, "env", "meltano.yml:3")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: env is no mapping: ['A=1'].
      at meltano.yml:3
      Write env: {name: value}.
    """
    if value is not None and not isinstance(value, kind):
        what, example = _WORDS[kind.__name__]
        shown = "" if isinstance(value, str) else f": {value!r}"
        raise IntegrationError(f"{name} is no {what}{shown}.", where=where, hint=f"Write {name}: {example}.")


def refuse_plugin(name: str, entry: Mapping[str, Any], where: str) -> None:
    """Raise `IntegrationError` for an entry of a plugin that is not what Meltano can read."""
    for word, kind in _OF_PLUGIN.items():
        refuse_shape(entry.get(word), kind, word, where)
    for word in (name, str(entry.get("inherit_from") or "")):
        if "/" in word:
            hint = "Meltano keeps a folder for each plugin by its name."
            raise IntegrationError(f"{word!r} is no name of a plugin.", where=where, hint=hint)


def included(whole: Mapping[str, Any], main: Path) -> list[Path]:
    """Return the files that `include_paths` names. Raises `IntegrationError` for what is no pattern of files."""
    said = whole.get("include_paths")
    refuse_shape(said, list, "include_paths", line_of("include_paths", main))
    found: list[Path] = []
    for each in said or ():
        pattern = PurePosixPath(each) if isinstance(each, str) else PurePosixPath()
        try:
            if pattern.is_absolute() or not pattern.parts:
                raise ValueError
            found += sorted(main.parent.glob(each))
        except (ValueError, IndexError, NotImplementedError):
            raise IntegrationError(
                f"include_paths: {each!r} is no pattern of files below this folder.",
                where=line_of("include_paths", main),
                hint="For example include_paths: [subconfigs/*.yml].",
            ) from None
    return found


def line_of(word: str, file: Path) -> str:
    """Return where a word first stands as a name in a YAML file, as ``file:line``; the file where that is not known."""
    text = file.read_text(errors="replace")
    found = re.search(rf"""(?m)^[\s{{]*["']?{re.escape(word)}["']?\s*:""", text)
    return f"{file}:{text.count(chr(10), 0, found.end()) + 1}" if found else str(file)
