"""Meltano as a project calls it: in its environment, with the variables and secrets that the options give."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assetry_toolkit.commands import Command
from assetry_toolkit.secrets import Mask, resolved

from assetry_meltano.project.project import MeltanoProject
from assetry_meltano.settings import Options


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
        program = self._options.meltano()
        folder = str(Path(program).parent)
        # Where it is of this very environment, as if that was activated: plugins, and the Python, are found beside it.
        beside = folder == str(Path(sys.executable).parent)
        path = {"PATH": os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))} if beside else {}
        return Command(
            [program, *environment_words(self._project), *words],
            folder=self._project.folder,
            environment={**path, **self._env, **(variables or {})},
            **how,
        )


def environment_words(project: MeltanoProject) -> tuple[str, ...]:
    """Return the words that choose the environment."""
    return (f"--environment={project.environment}",) if project.environment else ("--no-environment",)


def install_hint(plugin: str, kind: str, said: str) -> str | None:
    """Return the next step where Meltano has said that a plugin is not installed."""
    missing = "could not be found" in said and plugin in said
    return f"In the Meltano project: meltano install --plugin-type {kind} {plugin}" if missing else None
