"""Meltano as a project calls it: in its environment, with the variables and secrets that the options give."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assetry_toolkit.commands import Command, needed_program
from assetry_toolkit.secrets import Mask, resolved

from assetry_meltano.options import Options
from assetry_meltano.project.project import MeltanoProject


class Program:
    """The program of a project; `secret` reads the secrets that its options name."""

    def __init__(self, options: Options, project: MeltanoProject, secret: Callable[[str], str]) -> None:
        self._options, self._project = options, project
        self._env, secrets = resolved(dict(options.env), secret)
        variables = {**project.variables, **self._env}
        plugins = (*project.extractors.values(), *project.loaders.values())
        #: What takes secrets, settings that are sensitive among them, out of what is shown.
        self.mask = Mask(secrets.union(*(plugin.secrets(variables) for plugin in plugins)))

    def command(self, *words: str, variables: Mapping[str, str] | None = None, **how: Any) -> Command:
        """Return a call with some words, more `variables`, and options of `Command`. Raises `IntegrationError`."""
        program = meltano(self._options)
        # As if its environment was activated: plugins, and the Python, are found beside it.
        path = os.pathsep.join((str(Path(program).parent), os.environ.get("PATH", os.defpath)))
        return Command(
            [program, *self._project.environment_words, *words],
            folder=self._project.folder,
            environment={"PATH": path, **self._env, **(variables or {})},
            **how,
        )


def meltano(options: Options) -> str:
    """Return the program: the one that is named, that of this environment, or the one on PATH.

    Raises `IntegrationError` when there is none.
    """
    hint = 'Try: pip install meltano (or uv tool install meltano); or name it: meltano_executable = "…".'
    given = options.meltano_executable
    return needed_program("meltano", given, root=options.root, integration=options.name, hint=hint)


def install_hint(plugin: str, kind: str, said: str) -> str | None:
    """Return the next step where Meltano has said that a plugin is not installed."""
    missing = "could not be found" in said and plugin in said
    return f"In the Meltano project: meltano install --plugin-type {kind} {plugin}" if missing else None
