"""Environments of connectors: each requirement in one of its own, made by uv when it is first needed."""

from __future__ import annotations

import os
import re
import shutil
from hashlib import blake2b
from pathlib import Path

from assetry.plugin import IntegrationError, near_names
from assetry_toolkit.commands import Command
from assetry_toolkit.files import locked

from assetry_airbyte.local.options import Source

#: Executables that come with what a connector is made of.
_FOREIGN = ("source-declarative-manifest",)


def executable(source: Source) -> Path:
    """Return the executable of a connector's requirement, installed if it is not there yet.

    Raises `IntegrationError` when there is no uv, when it cannot install, or when no executable is to be found.
    """
    folder = environment(source)
    if not (folder / ".ready").is_file():
        with locked(folder.with_name(f"{folder.name}.lock")):
            if not (folder / ".ready").is_file():
                install(source, folder)
    offered = sorted(each.name for each in (folder / "bin").iterdir() if os.access(each, os.X_OK))
    wanted = source.command[0] if source.command else _expected(source.requirement or "")
    if wanted in offered:
        return folder / "bin" / wanted
    sources = [name for name in offered if name.startswith("source-") and name not in _FOREIGN]
    if len(sources) == 1 and not source.command:
        return folder / "bin" / sources[0]
    raise IntegrationError(
        f"{source.requirement!r} has no executable {wanted!r}.",
        near=near_names(wanted, offered),
        hint='Name it: command = "…".',
    )


def environment(source: Source) -> Path:
    """Return the folder of a requirement's environment.

    >>> environment(Source(name="s", root=Path("/work"), requirement="airbyte-source-faker==7.2.1")).parts[:-1]
    ('/', 'work', '.assetry', 'airbyte', 'venvs')
    """
    wanted = f"{source.requirement}\n{source.python or ''}"
    digest = blake2b(wanted.encode(), digest_size=4).hexdigest()
    return source.root / ".assetry" / "airbyte" / "venvs" / f"{_distribution(source.requirement or '')}-{digest}"


def _distribution(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return found[0] if found else "connector"


def _expected(requirement: str) -> str:
    return _distribution(requirement).lower().replace("_", "-").removeprefix("airbyte-")


def install(source: Source, folder: Path) -> None:
    """Make the environment of a requirement with uv; one that was left half made is made anew."""
    uv = shutil.which("uv")
    if uv is None:
        name = _expected(str(source.requirement))
        raise IntegrationError(
            f"Connector {source.name!r} is to be installed ({source.requirement}), and uv is not on PATH.",
            hint=f'Install uv (pip install uv); or install the connector, and name it: command = "{name}".',
        )
    shutil.rmtree(folder, ignore_errors=True)
    python = ["--python", source.python] if source.python else []
    try:
        _run(source, [uv, "venv", "--quiet", "--no-project", *python, str(folder)])
        _run(
            source,
            [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), str(source.requirement)],
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # Scripts name their interpreter by its path, so the folder cannot be moved; the mark says that it is whole.
    (folder / ".ready").touch()


def _run(source: Source, command: list[str]) -> None:
    done = Command(command).finish()
    if done.returncode:
        raise IntegrationError(
            f"{source.requirement!r} cannot be installed: {done.err.strip() or done.out.strip()}",
            hint='Correct the requirement; python = "3.11" chooses another Python for it.',
        )
