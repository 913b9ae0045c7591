"""Meltano as a project calls it: in its environment, with the variables and secrets that the options give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError
from assetry_toolkit.commands import Command, path_beside
from assetry_toolkit.secrets import Mask, apart_from, resolved
from assetry_toolkit.singer.log_words import hint_of_missing
from assetry_toolkit.singer.pairs import Pair

from assetry_meltano.project.project import MeltanoProject

#: How Meltano writes its log, whatever files and variables of the project say.
LOGGING = str(Path(__file__).parents[1] / "logging.json")
_INSTALL = 'Try: pip install meltano (or uv tool install meltano); or name it: meltano_executable = "…".'
#: By which words Meltano's log in JSON is read.
_LOG_WORDS = """
"event" "level" "stdio": "stderr" "name" "timestamp" "metric_info" "type": "counter" "metric" "record_count" "value"
"tags" "stream" "endpoint" "database" "schema" "table" "sync_duration" "status": "succeeded" "success": true false null
"err" "exit_codes": {"extractors", "loaders", "mappers"} "exception" info debug warning error critical Beginning sync of
Block run completed Running job with name and run ID Another pipeline is already running METRIC: could not be found
"""


class Program:
    """The program of a project; `secret` reads the secrets that its options name."""

    def __init__(self, project: MeltanoProject, secret: Callable[[str], str]) -> None:
        self._project = project
        self._env, secrets = resolved(dict(project.options.env), secret)
        variables = {**project.variables, **self._env}
        #: What takes secrets, settings that are sensitive among them, out of what is shown.
        self.mask = Mask(secrets | project.secrets(variables))

    def hidden(self, names: str) -> Mask:
        """Return what is hidden in the log that is kept: nothing that may be a part of its words or of some `names`."""
        return apart_from(self.mask, f"{_LOG_WORDS} {names} {self._project.environment}")

    def command(self, *words: str, variables: Mapping[str, str] | None = None, **how: Any) -> Command:
        """Return a call with some words, more `variables`, and options of `Command`. Raises `IntegrationError`."""
        options = self._project.options
        program = options.program("meltano", options.meltano_executable, _INSTALL)
        return Command(
            [program, f"--environment={self._project.environment}", "--log-config", LOGGING, *words],
            folder=options.folder,
            environment={"PATH": path_beside(program), **self._env, **(variables or {})},
            **how,
        )


def absent(project: MeltanoProject, pair: Pair) -> str | None:
    """Return which programs of a pair are not there, with the command; by a look at files, without running Meltano."""
    options, plugins = project.options, project.plugins_of(pair)
    try:
        path = path_beside(options.program("meltano", options.meltano_executable, _INSTALL))
    except IntegrationError as error:
        return " ".join(filter(None, (error.message, error.hint)))
    at = options.folder, project.installed, path
    told = (each.absent(kind, *at, _install(each.name, kind[:-1])) for kind, each in plugins)
    return "; ".join(filter(None, told)) or None


def _install(plugin: str, kind: str) -> str:
    return f"in the Meltano project: meltano install --plugin-type {kind} {plugin}, or for all plugins: meltano install"


def install_hint(plugin: str, kind: str, said: str) -> str | None:
    """Return the next step where Meltano has said that a plugin is not installed."""
    # In an environment of Meltano's own it is there as soon as it is installed.
    return hint_of_missing(f"{kind} {plugin}", plugin, said, "meltano.yml", "/venv/bin/", _install(plugin, kind))
