"""What broke dbt, as an error for people: dbt's own message once, who is to blame, and the next step.

Pure, but for the search of the project's files where dbt does not say which one it means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from assetry.plugin import AssetryError, IntegrationError, RunError, near_names, plain

if TYPE_CHECKING:
    from assetry_dbt.project.project import DbtProject

_LOCKED = re.compile(
    r'Could not set lock on file "(?P<file>[^"]+)": Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)'
)
_CONFIGURED = re.compile(r"Can't open a connection to same database file with a different configuration")
_ADAPTER = re.compile(r"(?:Could not find adapter type |No module named 'dbt\.adapters\.)(?P<adapter>\w+)")
_ENV_VAR = re.compile(r"Env var required but not provided: '(?P<name>\w+)'")
_DEPS = re.compile(r"[Rr]un [\"'`]?dbt deps")
_PROFILE = re.compile(r"profiles?\.yml|Could not find profile|does not have a target named|Credentials in profile")
_VERSION = re.compile(r"require-dbt-version|requires? one of")
_PARSING = re.compile(r"^\s*(?:Parsing|Compilation|Dependency|Schema|YAML|Validation|Duplicate|Ambiguous)\b.*", re.M)
_CONNECTION = re.compile(r"could not connect|connection (?:refused|to server)|timeout expired|password auth", re.I)


def fault(project: DbtProject, command: str, message: str) -> AssetryError:
    """Return the error for a `dbt <command>` on `project` that broke with `message`, which is dbt's own.

    An `IntegrationError` when the project cannot be read, a `RunError` when it cannot be run.

    >>> from pathlib import Path
    >>> from assetry_dbt.project.project import DbtProject
    >>> shop = DbtProject(name="shop", project_dir=Path("/shop"), target_path=Path("/shop/target"))
    >>> print(fault(shop, "build", "Could not find adapter type duckdb!"))
    dbt cannot reach the warehouse of 'shop': it has no adapter 'duckdb'.
      at /shop
      Install it beside dbt: pip install dbt-duckdb
    """
    text = tidy(message)
    for pattern, make in _KNOWN:
        found = pattern.search(text)
        if found:
            return make(Break(project, command, text, found))
    kind = IntegrationError if command == "parse" else RunError
    return kind(f"dbt {command} of {project.name!r} broke: {text}", where=str(project.project_dir))


def tidy(message: str) -> str:
    """Return dbt's message without the frame it prints around it, tracebacks and colours.

    >>> tidy("Encountered an error:\\nRuntime Error\\n  No such file")
    'Runtime Error\\n  No such file'
    """
    text = plain(message).strip()
    text = re.sub(r"^Encountered an error:\s*", "", text)
    if text.startswith("Traceback (most recent call last)"):
        # What is left of a crash: the exception itself, which follows the last indented line.
        text = re.split(r"\n(?=\S)", text)[-1]
    return text or "dbt gave no message."


def missing(project: DbtProject, adapter: str | None) -> IntegrationError:
    """Return the error for a dbt that is not installed; `adapter` is the profile's, if it can be read."""
    if project.dbt_executable:
        return IntegrationError(
            f"There is no dbt at {project.dbt_executable!r}.",
            where=str(project.project_dir),
            hint="Set dbt_executable to a dbt, or leave it out to use the one of this environment.",
        )
    return IntegrationError(
        f"dbt is not installed, and {project.name!r} is a dbt project.",
        where=str(project.project_dir),
        hint=f"Install it: pip install dbt-core dbt-{adapter or '<adapter>'}",
    )


class Break(NamedTuple):
    """An invocation that broke: the project, dbt's command, its message, and the part that says why."""

    project: DbtProject
    command: str
    text: str
    found: re.Match[str]

    @property
    def where(self) -> str:
        """Return the place to name."""
        return str(self.project.project_dir)


def _locked(broke: Break) -> AssetryError:
    file, program, pid = broke.found["file"], broke.found["program"], broke.found["pid"]
    return RunError(
        f"{file} is in use by another process: {program} (PID {pid}).",
        where=broke.where,
        hint=f"DuckDB lets one process at a time write. Close it there, or wait for PID {pid} to end; then try again.",
    )


def _configured(broke: Break) -> AssetryError:
    return RunError(
        f"The DuckDB file of {broke.project.name!r} is open in this process with other settings than dbt's.",
        where=broke.where,
        hint="Close that connection, or open it as dbt does: not read-only, with the profile's config_options.",
    )


def _adapter(broke: Break) -> AssetryError:
    name = broke.found["adapter"]
    return IntegrationError(
        f"dbt cannot reach the warehouse of {broke.project.name!r}: it has no adapter {name!r}.",
        where=broke.where,
        hint=f"Install it beside dbt: pip install dbt-{name}",
    )


def _env_var(broke: Break) -> AssetryError:
    from assetry_dbt.project.files import place_of_env_var

    name = broke.found["name"]
    return IntegrationError(
        f"dbt project {broke.project.name!r} needs the environment variable {name}, which is not set.",
        where=place_of_env_var(broke.project, name) or broke.where,
        near=near_names(name, os.environ),
        hint=f"Set {name}, or give it a default: env_var('{name}', '…').",
    )


def _says(kind: type[AssetryError], hint: str) -> Callable[[Break], AssetryError]:
    def make(broke: Break) -> AssetryError:
        message = f"dbt {broke.command} of {broke.project.name!r} broke: {broke.text}"
        return kind(message, where=broke.where, hint=hint.format(dir=broke.where))

    return make


_KNOWN: tuple[tuple[re.Pattern[str], Callable[[Break], AssetryError]], ...] = (
    (_LOCKED, _locked),
    (_CONFIGURED, _configured),
    (_ADAPTER, _adapter),
    (_ENV_VAR, _env_var),
    (_DEPS, _says(IntegrationError, "Install the project's packages: dbt deps --project-dir {dir}")),
    (_PROFILE, _says(IntegrationError, "Look at the profile: profiles.yml, and the options profile and target.")),
    (_VERSION, _says(IntegrationError, "Install a dbt that the project's require-dbt-version allows.")),
    (_PARSING, _says(IntegrationError, "Correct the file that dbt names, then try again.")),
    (_CONNECTION, _says(RunError, "Check that the warehouse is up, and what the profile says of it.")),
)
