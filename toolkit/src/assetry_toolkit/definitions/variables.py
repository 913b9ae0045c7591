"""Variables that settings of a tool's project name: those of its folder and of this process, and putting them in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: A variable in a setting, with what takes its meaning from it before it.
_VARIABLE = re.compile(r"(\\)?\$(?:\{(\w+)\}|([A-Z][A-Z0-9_]*))")


def folder_variables(folder: Path) -> dict[str, str]:
    """Return the variables of the file `.env` in a folder and, over them, of this process.

    python-dotenv is needed, on which an integration that reads such files depends.

    >>> folder_variables(Path("nowhere")) == dict(os.environ)
    True
    """
    if not (folder / ".env").exists():
        return dict(os.environ)
    from dotenv import dotenv_values

    return {**{name: value or "" for name, value in dotenv_values(folder / ".env").items()}, **os.environ}


def expand(text: str, variables: Mapping[str, str]) -> str | None:
    r"""Return a setting with variables put in, as ``${name}`` or ``$NAME``; None when it names one that is not set.

    >>> expand("${HOME}/x.duckdb", {"HOME": "/me"}), expand("raw_$NOPE", {}), expand("5\\$US", {})
    ('/me/x.duckdb', None, '5$US')
    """
    named = [braced or plain for escape, braced, plain in _VARIABLE.findall(text) if not escape]
    if not variables.keys() >= set(named):
        return None
    return _VARIABLE.sub(lambda found: found[0][1:] if found[1] else variables[found[2] or found[3]], text)


def with_variables(variables: Mapping[str, str], said: Mapping[Any, Any]) -> dict[str, str]:
    """Return variables with those over them that a project sets, in which these are put in; "" for what is not set.

    >>> with_variables({"HOME": "/me"}, {"DATA": "$HOME/data", "DAYS": 7, "WHO": "$NOPE"})
    {'HOME': '/me', 'DATA': '/me/data', 'DAYS': '7', 'WHO': ''}
    """
    return {**variables, **{str(name): expand(str(value), variables) or "" for name, value in said.items()}}
