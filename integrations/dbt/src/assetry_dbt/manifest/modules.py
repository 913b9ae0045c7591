"""The modules of a project that its Python models import, found in its folders and read; none is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from assetry_dbt.manifest.text import python_text


def imported_modules(code: str, folders: tuple[Path, ...]) -> dict[str, str]:
    """Return what the modules say that `code` imports, and those that they import, by name.

    Only what lies in `folders` is found: what is installed is no part of the project.
    """
    found: dict[str, str] = {}
    waiting = list(_imports(code, ""))
    while waiting:
        name = waiting.pop()
        file = None if name in found else _file(name, folders)
        if file is None:
            continue
        text = _read(file)
        found[name] = python_text(text).plain
        waiting += _imports(text, name if file.name == "__init__.py" else name.rpartition(".")[0])
    return found


def _imports(code: str, package: str) -> Iterator[str]:
    """Yield the names of all that may be modules; `package` is where relative imports start."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield from _with_parents(each.name)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join(filter(None, (*parts, node.module)))
            yield from _with_parents(module)
            yield from (f"{module}.{each.name}" for each in node.names if module)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


def _file(name: str, folders: tuple[Path, ...]) -> Path | None:
    if not name or "*" in name:
        return None
    for folder in folders:
        base = folder.joinpath(*name.split("."))
        for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file.is_file():
                return file
    return None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
