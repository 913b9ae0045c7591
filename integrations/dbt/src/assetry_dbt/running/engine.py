"""Which dbt runs a project: the one importable here, in this process, or a dbt command as a subprocess.

Both engines give the same reports (`assetry_dbt.running.reports`) for the same arguments.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from assetry.plugin import IntegrationError

from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.errors import fault, missing
from assetry_dbt.running.reports import Ended, Report


class Engine(Protocol):
    """What runs dbt commands and reports what they say."""

    def run(self, args: Sequence[str], cancelled: Callable[[], bool]) -> Generator[Report, None, None]:
        """Run ``dbt ARGS`` and yield its reports as they happen, `Ended` last.

        Ends without `Ended` soon after `cancelled` answers True; that, and closing the generator, stops dbt.
        """


def choose(project: DbtProject) -> Engine:
    """Return the engine for `project`: what its option `engine` says, else in-process where that is possible.

    A dbt of this environment is in-process from 1.5 up to before 2.0 (whose Python interface has no callbacks);
    `dbt_executable` asks for a subprocess. Raises `IntegrationError` when there is no dbt at all.
    """
    from assetry_dbt.running.engine_cli import CliEngine, find_dbt

    if _wants_in_process(project):
        if in_process_version():
            from assetry_dbt.running.engine_inprocess import InProcessEngine

            return InProcessEngine(project)
        if project.engine is not None:
            raise IntegrationError(
                f"{project.name!r} asks for dbt in this process, but no dbt 1.x can be imported here.",
                where=str(project.project_dir),
                hint="Install dbt-core and the adapter beside assetry, or set engine to 'subprocess'.",
            )
    command = find_dbt(project.dbt_executable)
    if command is None:
        raise missing(project, _adapter(project))
    return CliEngine(project, command)


def _wants_in_process(project: DbtProject) -> bool:
    return project.engine == "in-process" or (project.engine is None and not project.dbt_executable)


def runs_in_process(project: DbtProject) -> bool:
    """Tell whether dbt will run in this process, and so share what it has open with it."""
    return _wants_in_process(project) and in_process_version() is not None


def in_process_version() -> str | None:
    """Return the version of the dbt that can be run in this process, or None."""
    from importlib import util
    from importlib.metadata import PackageNotFoundError, version

    loaded = "dbt.cli.main" in sys.modules
    if not loaded and util.find_spec("dbt") is None:
        return None
    try:
        found = version("dbt-core")
    except PackageNotFoundError:
        return None
    major, _, rest = found.partition(".")
    minor = rest.partition(".")[0]
    return found if major == "1" and minor.isdecimal() and int(minor) >= 5 else None


def parse(project: DbtProject) -> None:
    """Make dbt read `project` and write manifest.json into its target folder.

    In-process, what was read is used again by the next build, so that both cost about as much as the build alone.
    Raises `IntegrationError` with dbt's own message when the project cannot be read.
    """
    for report in choose(project).run(("parse", *project.arguments()), lambda: False):
        if isinstance(report, Ended) and not report.success:
            raise fault(project, "parse", report.error or "")


def _adapter(project: DbtProject) -> str | None:
    try:
        return project.read_profile().adapter
    except IntegrationError:
        return None
