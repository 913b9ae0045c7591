"""Tell, without importing any plugin, which of them add commands.

Listing installed packages with importlib and importing their plugins costs more than all the rest of ``assetry
--help``. Whether a plugin's file mentions the hook at all is a matter of a few file reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

HOOK = b"assetry_add_commands"
#: The attribute of a plugin's module with the commands that it adds beside groups; its text is read, not what it makes.
NAMES = b"ASSETRY_COMMANDS"
#: What is told of a plugin's commands before they are loaded.
GROUP = "Commands of this plugin."


def plugins_with_commands() -> tuple[tuple[str, str], ...]:
    """Return what installed plugins add, by name, with what is told of it: commands that one names, else its group.

    By custom the commands of a plugin are one group of its name. A plugin whose file cannot be found counts, too.
    """
    limit = os.environ.get("ASSETRY_PLUGINS")
    allowed = None if limit is None else {name.strip() for name in limit.split(",")}
    found = {}
    for plugin, module in _entry_points():
        text = _module_text(module) if allowed is None or plugin in allowed else b""
        if text is None:
            found[plugin] = GROUP
        elif HOOK in text:
            names = _named(text)
            found |= dict.fromkeys(names, f"A command of {plugin}.") if names else {plugin: GROUP}
    return tuple(sorted(found.items()))


def _named(text: bytes) -> tuple[str, ...]:
    """Return the names that a module declares.

    >>> _named(b'ASSETRY_COMMANDS = ("daemon", "run-job")')
    ('daemon', 'run-job')
    """
    _, _, after = text.partition(NAMES)
    inside = after.partition(b"(")[2].partition(b")")[0].decode("utf-8", "replace").replace("'", '"')
    return tuple(inside.split('"')[1::2])


def project_adds_commands(folder: str = ".") -> bool:
    """Tell whether the project's own plugin in `folder` adds commands; under which names only loading it can tell."""
    return HOOK in (_text(os.path.join(folder, "assetry_plugins.py")) or b"")  # noqa: PTH118 - pathlib is slow to import


def _entry_points() -> Iterator[tuple[str, str]]:
    """Yield name and module of the entry points of assetry plugins, read from the installed packages' own lists."""
    for folder in dict.fromkeys(sys.path):
        try:
            entries = list(os.scandir(folder or "."))
        except OSError:
            continue
        for entry in entries:
            if entry.name.endswith((".dist-info", ".egg-info")):
                yield from _parsed(_text(f"{entry.path}/entry_points.txt") or b"")


def _parsed(text: bytes) -> Iterator[tuple[str, str]]:
    _, found, section = text.partition(b"[assetry]")
    if not found:
        return
    for line in section.decode("utf-8", "replace").splitlines()[1:]:
        if line.startswith("["):
            return
        name, equals, value = line.partition("=")
        if equals:
            yield name.strip(), value.partition(":")[0].strip()


def _module_text(module: str) -> bytes | None:
    path = module.replace(".", "/")
    for folder in sys.path:
        for file in (f"{folder or '.'}/{path}.py", f"{folder or '.'}/{path}/__init__.py"):
            text = _text(file)
            if text is not None:
                return text
    return None


def _text(file: str) -> bytes | None:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - as above
            return stream.read()
    except OSError:
        return None
