"""Programs: where the one is that a project means."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from assetry.plugin import IntegrationError, near_names


def find_program(name: str, given: str | None = None, *, root: Path | str = ".") -> str | None:
    """Return the file of a program: the one that is `given`, else that of this very environment, else the one on PATH.

    `given` is a name on PATH, or a path that starts from `root`. None when there is none.

    >>> find_program("python") is not None, find_program("mill", "/nowhere/mill")
    (True, None)
    """
    if given:
        on_path = None if os.sep in given else shutil.which(given)
        return on_path or shutil.which(str(Path(root, Path(given).expanduser()).absolute()))
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def path_beside(program: str) -> str:
    """Return PATH as if the environment of a program was activated: what is beside it is found first.

    >>> path_beside("/opt/mill/bin/mill").partition(os.pathsep)[0]
    '/opt/mill/bin'
    """
    return os.pathsep.join((str(Path(program).parent), os.environ.get("PATH", os.defpath)))


def needed_program(
    name: str,
    given: str | None = None,
    *,
    root: Path | str = ".",
    integration: str,
    hint: str | None = None,
    option: str | None = None,
) -> str:
    """Return the file of a program as `find_program` does; raise `IntegrationError` when there is none.

    `option` is the one that names what is `given`.

    >>> needed_program("mill", integration="shop", hint="Try: pip install mill.")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: Integration 'shop' needs mill, which is neither in this environment nor on PATH.
      Try: pip install mill.
    """
    found = find_program(name, given, root=root)
    if found is None:
        places = "which is not there" if given else "which is neither in this environment nor on PATH"
        said = {"where": f"integration {integration!r}", "option": option} if given and option else {}
        if said and (usual := find_program(name)):
            hint = f"Correct {option}, or leave it out for {usual}."
        message = f"Integration {integration!r} needs {given or name}, {places}."
        raise IntegrationError(message, near=near_names(given or "", [name]) if given else (), hint=hint, **said)
    return found
