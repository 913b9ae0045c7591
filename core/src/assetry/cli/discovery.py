"""Tell, without importing any plugin, which of them add commands.

Listing installed packages with importlib and importing their plugins costs more than all the rest of ``assetry
--help``. Whether a plugin's file mentions the hook at all is a matter of a few file reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

HOOK = b"assetry_add_commands"


def plugins_with_commands() -> tuple[str, ...]:
    """Return the names of the installed plugins that add commands; one whose file cannot be found counts too."""
    limit = os.environ.get("ASSETRY_PLUGINS")
    allowed = None if limit is None else {name.strip() for name in limit.split(",")}
    found = {name for name, module in _entry_points() if (allowed is None or name in allowed) and _may_add(module)}
    return tuple(sorted(found))


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


def _may_add(module: str) -> bool:
    path = module.replace(".", "/")
    for folder in sys.path:
        for file in (f"{folder or '.'}/{path}.py", f"{folder or '.'}/{path}/__init__.py"):
            text = _text(file)
            if text is not None:
                return HOOK in text
    return True


def _text(file: str) -> bytes | None:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - as above
            return stream.read()
    except OSError:
        return None
