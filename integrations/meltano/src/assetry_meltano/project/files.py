"""The files of a Meltano project, read as Meltano reads them: meltano.yml, what it includes, locks and .env."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError
from assetry_toolkit.files import read_json
from assetry_toolkit.yaml_files import read_yaml

from assetry_meltano.project.shapes import included

#: A variable in a setting, as `meltano.core.utils.ENV_VAR_PATTERN` of Meltano 4.4 has it.
_VARIABLE = re.compile(r"(\\)?\$(?:\{(\w+)\}|([A-Z][A-Z0-9_]*))")


def read_project(folder: Path) -> tuple[dict[str, Any], dict[Path, str]]:
    """Return meltano.yml with all that it includes, and the text of each file, to find lines in.

    Lists, such as those of plugins of one type, are put together.
    """
    main = folder / "meltano.yml"
    if not main.is_file():
        hint = "Point project_dir at the folder of a Meltano project."
        raise IntegrationError("meltano.yml is not here.", where=str(folder), hint=hint)
    whole = read_yaml(main, strict=True)
    files = list(dict.fromkeys([main, *filter(Path.is_file, included(whole, main))]))
    for path in files[1:]:
        whole = _merged(whole, read_yaml(path, strict=True))
    return whole, {path: path.read_text(errors="replace") for path in files}


def _merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{name: _merged(one[name], each) if name in one else each for name, each in other.items()}}
    return [*one, *other] if isinstance(one, list) and isinstance(other, list) else other


def read_lock(folder: Path, kind: str, name: str, variant: str | None) -> dict[str, Any]:
    """Return the definition of a plugin that `meltano add` has kept; empty where there is none."""
    wanted = f"{escape(name)}--{escape(str(variant)) if variant else '*'}.lock"
    files = sorted((folder / "plugins" / kind).glob(wanted))
    return next(filter(None, map(read_json, files)), {})


def outer_environment(folder: Path) -> dict[str, str]:
    """Return the variables of `.env` and, over them, of this process."""
    from dotenv import dotenv_values  # as Meltano does

    return {**{name: value or "" for name, value in dotenv_values(folder / ".env").items()}, **os.environ}


def expand(text: str, variables: Mapping[str, str]) -> str | None:
    r"""Return a setting with variables put in; None when it names one that is not set.

    >>> expand("${HOME}/x.duckdb", {"HOME": "/me"}), expand("raw_$NOPE", {}), expand("5\\$US", {})
    ('/me/x.duckdb', None, '5$US')
    """
    named = [braced or plain for escape, braced, plain in _VARIABLE.findall(text) if not escape]
    if not variables.keys() >= set(named):
        return None
    return _VARIABLE.sub(lambda found: found[0][1:] if found[1] else variables[found[2] or found[3]], text)
