"""The scripts of a folder: each ``NAME.sql`` is a query, and its result is the table NAME."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: A line ``-- depends: a, b``, ``-- check NAME: query`` or ``-- description: text``.
_HEADER = re.compile(r"^--\s*(depends|check|description)\b\s*(\w*)\s*:\s*(.+?)\s*$", re.MULTILINE)
_COMMENT = re.compile(r"--.*?$|/\*.*?\*/", re.MULTILINE | re.DOTALL)
_READ = re.compile(r'\b(?:from|join)\s+"?(\w+)', re.IGNORECASE)


@dataclass(frozen=True)
class Script:
    """One script. `reads` are the names after FROM and JOIN, `depends` what its header adds."""

    name: str
    query: str
    description: str = ""
    reads: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    checks: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Return what changes exactly when the logic does: comments and checks are not part of it."""
        return hashlib.sha256(" ".join(self.query.split()).encode()).hexdigest()[:16]


def read_script(file: Path) -> Script:
    """Read one script."""
    text = file.read_text(encoding="utf-8")
    headers = _HEADER.findall(text)
    query = _COMMENT.sub("", text).strip().rstrip(";")
    return Script(
        name=file.stem,
        query=query,
        description=" ".join(said for word, _, said in headers if word == "description"),
        reads=tuple(dict.fromkeys(_READ.findall(query))),
        depends=tuple(name for word, _, said in headers if word == "depends" for name in re.split(r"[,\s]+", said)),
        checks={name: said.rstrip(";") for word, name, said in headers if word == "check"},
    )


def read_scripts(folder: Path) -> dict[str, Script]:
    """Read all scripts of a folder, by name; each knows then which of the others it reads."""
    return {file.stem: read_script(file) for file in sorted(folder.glob("*.sql"))}


def upstream(script: Script, scripts: Mapping[str, Script]) -> list[str]:
    """Return the scripts that a script is made from."""
    return [name for name in dict.fromkeys((*script.reads, *script.depends)) if name in scripts and name != script.name]
