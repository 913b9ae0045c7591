"""Projects of a tool: the folders that hold them, and where a relative folder starts that is given in Python."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from assetry.plugin import Integration, IntegrationError

from assetry_toolkit.options import IntegrationOptions


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


def needed_folder(options: IntegrationOptions, folder: Path, file: str, option: str = "project_dir") -> Path:
    """Return the `folder` of a project, which an option names; raise `IntegrationError` where it has no such file.

    >>> needed_folder(IntegrationOptions(name="shop"), Path("nowhere"), "mill.yml")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: There is no folder 'nowhere'.
      at integration 'shop'
      Let project_dir name the folder of mill.yml.
    """
    if (folder / file).is_file():
        return folder
    root = Path(options.root).resolve()
    told = str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
    found = [str(each.relative_to(root)) for each in project_folders(root, file)]
    hint = f"Let {option} name the folder of {file}."
    if found == ["."]:
        hint = f"{file} is in the project's own folder: leave {option} out, or set it to '.'."
    raise IntegrationError(
        f"There is no {file} in the folder {told!r}." if folder.is_dir() else f"There is no folder {told!r}.",
        near=[each for each in found if each != "."][:3],
        hint=hint,
        **options.at(option),
    )


def root_of(folder: Path | str, caller: str | None) -> Path:
    """Return where a relative folder starts: at the caller's file, if it has that folder beside it, else here.

    `caller` is what a function finds in ``sys._getframe(1).f_globals.get("__file__")``.

    >>> root_of("nowhere", __file__) == Path.cwd(), root_of(".", __file__) == Path(__file__).resolve().parent
    (True, True)
    """
    beside = Path(caller).resolve().parent if caller else None
    return beside if beside is not None and (beside / folder).is_dir() else Path.cwd()
