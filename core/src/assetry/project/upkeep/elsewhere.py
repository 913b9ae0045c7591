"""The definitions of a project as it is in another folder, loaded by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assetry.errors import DefinitionError
from assetry.python.modules import is_below
from assetry.types.options import flag_of


def loaded_elsewhere(folder: Path, options: Mapping[str, Any], paths: Iterable[Path] = ()) -> Any:
    """Return what ``assetry graph --output json`` says of the project in a folder.

    It has modules of its own, and takes those of `paths` before any that are installed; `options` are those of
    integrations. Raises `DefinitionError`, with what was said, when the definitions fail to load there.
    """
    words = [word for name, value in options.items() for word in (flag_of(name), _written(value))]
    found = os.pathsep.join([*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryFile() as out:
        # -P: what is in the folder that this is called from is not to be found.
        done = subprocess.run(
            [sys.executable, "-P", "-m", "assetry", "-C", str(folder), "graph", "--output", "json", *words],
            env={**os.environ, "PYTHONPATH": found, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
        out.seek(0)
        text = out.read()
    said = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        raise DefinitionError(_last_error(said) or f"It ended with {done.returncode}.", hint="Load it there yourself.")
    try:
        return json.loads(text)
    except ValueError:
        raise DefinitionError(f"Nothing can be read of it: {said}") from None


def further_paths(top: Path, tree: Path, root: Path, without: Iterable[str]) -> list[Path]:
    """Return where the code of a repository, that this process has imported, is found among other files of it.

    An installed package may lead to the files of now (an editable one): there, it has to lead to the others. What is
    below `root` is found there anyway; `without` are packages that are no part of the project.
    """
    left = {"assetry", *(name.replace("-", "_") for name in without)}
    found: dict[Path, None] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name.partition(".")[0] in left or not is_below(os.path.realpath(file), str(top)):
            continue
        place = Path(os.path.realpath(file))
        base = place.parents[name.count(".") + (place.stem == "__init__")]
        if base != root and base.is_relative_to(top):
            found[tree / base.relative_to(top)] = None
    return [path for path in found if path.is_dir()]


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _last_error(said: str) -> str:
    """Return the error that a call of the command line ended with, without its first word."""
    return said.rpartition("error: ")[2].strip()
