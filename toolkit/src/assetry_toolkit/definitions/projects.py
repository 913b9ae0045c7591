"""Projects of a tool: the folders that hold them, and where a relative folder starts that is given in Python."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from assetry.plugin import Integration


def project_folders(root: Path, file: str, aside: Collection[str] = ()) -> list[Path]:
    """Return `root` if it has a file, such as ``mill.yml``; else the folders one level below that have it.

    Hidden folders are passed over, and those with a name in `aside`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("one", "two", ".three"):
    ...         Path(folder, name).mkdir()
    ...         Path(folder, name, "mill.yml").touch()
    ...     [each.name for each in project_folders(Path(folder), "mill.yml", aside=("two",))]
    ['one']
    """
    if (root / file).is_file():
        return [root]
    below = sorted(root.iterdir()) if root.is_dir() else []
    ours = [each for each in below if each.name not in aside and not each.name.startswith(".")]
    return [each for each in ours if (each / file).is_file()]


def projects_found(root: str, file: str, kind: str) -> list[Integration]:
    """Return an integration of a kind for each project that `project_folders` finds, with its `project_dir`.

    The only one is named after the kind, one of several after its folder.

    >>> projects_found("nowhere", "mill.yml", "mill")
    []
    """
    found = project_folders(Path(root), file)
    return [
        Integration(kind if len(found) == 1 else each.name, kind, {"project_dir": str(each.relative_to(root))}, root)
        for each in found
    ]


def root_of(folder: Path | str, caller: str | None) -> Path:
    """Return where a relative folder starts: at the caller's file, if it has that folder beside it, else here.

    `caller` is what a function finds in ``sys._getframe(1).f_globals.get("__file__")``.

    >>> root_of("nowhere", __file__) == Path.cwd(), root_of(".", __file__) == Path(__file__).resolve().parent
    (True, True)
    """
    beside = Path(caller).resolve().parent if caller else None
    return beside if beside is not None and (beside / folder).is_dir() else Path.cwd()
