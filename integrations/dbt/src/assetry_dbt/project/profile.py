"""The profile of a dbt project: which warehouse it builds in.

Read by ourselves (YAML, and the Jinja of `assetry_dbt.project.jinja`), so that a plan, a group key or a
warehouse URL costs no import of dbt and works for a dbt of another environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, near_names
from assetry_toolkit.yaml_files import read_yaml

from assetry_dbt.project.flags import from_environment
from assetry_dbt.project.jinja import MissingEnvironmentError, RenderError, render


class UnknownJinjaError(IntegrationError):
    """A setting holds Jinja that only dbt itself can read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One target of a profile: `output` is its rendered settings, secrets included; never show it.

    `file` is the profiles.yml it stands in.
    """

    name: str
    target: str
    file: Path
    output: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Profile(name={self.name!r}, target={self.target!r}, file={str(self.file)!r})"

    def __hash__(self) -> int:
        return hash((self.name, self.target, self.file))

    @property
    def adapter(self) -> str:
        """Return the kind of warehouse: ``duckdb``, ``postgres`` …"""
        return str(self.output.get("type", ""))


def find_profiles_dir(given: str | Path | None, project_dir: Path, root: Path) -> Path | None:
    """Return the folder whose profiles.yml counts, or None when there is none.

    dbt's order: what was given, DBT_PROFILES_DIR, the folder one stands in, ``~/.dbt``. The folder one stands in is
    taken to be the project's, then `root`, so that the answer does not depend on where a command was typed.
    """
    named = given or from_environment("PROFILES_DIR")
    if named:
        return Path(os.path.normpath(root / Path(named).expanduser()))
    for folder in (project_dir, root, Path.home() / ".dbt"):
        if (folder / "profiles.yml").is_file():
            return folder
    return None


def read_profile(
    profiles_dir: Path | None,
    name: str,
    target: str | None,
    variables: Mapping[str, Any] | None = None,
) -> Profile:
    """Return the target `target` (None: the profile's own choice) of the profile `name`.

    Raises `IntegrationError` when the file, the profile or the target is missing, or when an environment variable is
    not set; near names are given.
    """
    if profiles_dir is None or not (profiles_dir / "profiles.yml").is_file():
        raise IntegrationError(
            f"There is no profiles.yml for the dbt profile {name!r}.",
            where=str(profiles_dir) if profiles_dir else None,
            hint='Put one beside dbt_project.yml or into ~/.dbt, or name its folder: profiles_dir = "…".',
        )
    file = profiles_dir / "profiles.yml"
    profiles = {key: value for key, value in read_yaml(file).items() if key != "config"}
    if name not in profiles:
        raise IntegrationError(
            f"There is no profile {name!r}.",
            where=str(file),
            near=near_names(name, map(str, profiles)),
            hint="The name comes from `profile:` in dbt_project.yml, or from the option `profile`.",
        )
    profile = profiles[name]
    outputs = profile.get("outputs") if isinstance(profile, dict) else None
    if not isinstance(outputs, dict):
        raise IntegrationError(f"The profile {name!r} has no `outputs`.", where=str(file))
    chosen = choose_target(profile, target, file, variables)
    if chosen not in outputs or not isinstance(outputs[chosen], dict):
        raise IntegrationError(
            f"The profile {name!r} has no target {chosen!r}.",
            where=str(file),
            near=near_names(chosen, map(str, outputs)) or tuple(map(str, outputs))[:3],
            hint="Choose another with the option `target`.",
        )
    return Profile(name, chosen, file, _render(outputs[chosen], file, variables))


def choose_target(
    profile: Mapping[str, Any], target: str | None, file: Path, variables: Mapping[str, Any] | None = None
) -> str:
    """Return the target's name: the one given, DBT_TARGET, the profile's own, or ``default``, as dbt chooses."""
    given = target or from_environment("TARGET")
    return given or str(_render(profile.get("target") or "default", file, variables))


def _render(value: Any, file: Path, variables: Mapping[str, Any] | None) -> Any:
    """Render `value`; a password that is not Jinja stays as it is, as it does in dbt."""
    if isinstance(value, dict):
        return {name: _render_entry(name, item, file, variables) for name, item in value.items()}
    return _render_entry("", value, file, variables)


def _render_entry(name: Any, value: Any, file: Path, variables: Mapping[str, Any] | None) -> Any:
    try:
        return render(value, variables)
    except MissingEnvironmentError as error:
        raise IntegrationError(
            f"{file.name} needs the environment variable {error.name}, which is not set.",
            where=f"{file}: {name}" if name else str(file),
            hint=f"Set {error.name}, or give env_var() a default.",
        ) from None
    except RenderError as error:
        if name in ("password", "pass"):
            return value
        where = f"{file}: {name}" if name else str(file)
        raise UnknownJinjaError(f"{file.name} holds {error}.", where=where) from None
