"""dbt as a subprocess that logs JSON lines: the engine for every dbt, of any environment and version."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from assetry_toolkit.commands import Command, ending, find_program

from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.reports import TOLD, Ended, Message, NodeStarted, Report, read_finished, read_told

#: Seconds that dbt has, after an interrupt, to cancel its queries and end by itself.
GRACE = 8.0
#: Lines kept of what dbt wrote outside its log: a usage error, a traceback.
KEPT_LINES = 40

#: Settings by which dbt is quiet, offline and leaves nothing behind. As variables, not as options: a dbt that does not
#: know one ignores it.
ENVIRONMENT: Mapping[str, str] = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DBT_LOG_LEVEL_FILE": "none",
    "DBT_LOG_CACHE_EVENTS": "false",
    "DBT_USE_COLORS": "false",
    "DBT_FAIL_FAST": "false",
    "DBT_WRITE_JSON": "true",
    "PYTHONUNBUFFERED": "1",
}

# Most lines are SQL of no interest here; they are dropped before they are decoded.
_OF_INTEREST = re.compile(
    rb'"(?:NodeStart|NodeFinished|MainEncounteredError|CommandCompleted|PrintEvent|JinjaLogInfo'
    rb'|LogHookEndLine|LogStartBatch|LogBatchResult|CatchableExceptionOnRun|GenericExceptionOnRun|InternalErrorOnRun)"'
    rb'|"level": ?"(?:warn|warning|error)"'
)
#: Lines that repeat what the outcome of a node says.
REPEATED = frozenset(
    {
        "LogModelResult",
        "LogTestResult",
        "LogSeedResult",
        "LogSnapshotResult",
        "LogFunctionResult",
        "LogNodeResult",
        "LogSkipBecauseError",
        "SkippingDetails",
        "RunResultErrorNoMessage",
        "RunResultFailure",
        "RunResultWarning",
        "RunResultWarningMessage",
        "EndOfRunSummary",
        "StatsLine",
        "CheckNodeTestFailure",
        "MainStackTrace",
        "Formatting",
    }
)
SPOKEN = frozenset({"PrintEvent", "JinjaLogInfo"})


def find_dbt(given: str | None) -> tuple[str, ...] | None:
    """Return the command that runs dbt: `given`, the one beside this Python, the one on PATH; None without any.

    >>> find_dbt("/nowhere/dbt") is None
    True
    """
    found = find_program("dbt", given)
    return (found,) if found else None


class CliEngine:
    """A dbt command; see `assetry_dbt.running.engine.Engine`."""

    def __init__(self, project: DbtProject, command: Sequence[str]) -> None:
        self._project = project
        self._command = tuple(command)

    def run(self, args: Sequence[str], cancelled: Callable[[], bool]) -> Generator[Report, None, None]:
        """Run ``dbt ARGS`` in the project's folder, yielding its reports as they happen, `Ended` last."""
        log = LogReader()
        with self._asked(args).start() as running:
            for line in running.lines(cancelled):
                yield from log.read(line.data)
        if running.returncode is not None:
            yield log.end(running.returncode)

    def _asked(self, args: Sequence[str]) -> Command:
        return Command(
            (*self._command, *args, "--log-format", "json", "--log-level", "debug"),
            folder=self._project.project_dir,
            environment=_environment(self._project),
            merged=True,
            # An interrupt, never SIGTERM: at that dbt leaves its queries running in the warehouse.
            ask=signal.SIGINT,
            grace=GRACE,
        )


def _environment(project: DbtProject) -> dict[str, str]:
    # Without a log file dbt still makes its folder; inside target it is not a new one.
    given = {**ENVIRONMENT, "DBT_LOG_PATH": str(project.target_path)}
    # dbt 1.11 reads the longer name first, where somebody set it.
    longer = {name.replace("DBT_", "DBT_ENGINE_", 1): value for name, value in given.items() if name[:4] == "DBT_"}
    return {**given, **{name: value for name, value in longer.items() if name in os.environ}}


class LogReader:
    """The lines of one dbt's output; what is not JSON is passed on as it is, and remembered for an error.

    >>> reader = LogReader()
    >>> list(reader.read(b'{"data": {"node_info": {"unique_id": "model.s.a"}}, "info": {"name": "NodeStart"}}'))
    [NodeStarted(unique_id='model.s.a')]
    >>> reader.end(0)
    Ended(success=True, error=None, invocation_id=None)
    """

    def __init__(self) -> None:
        self._outside: deque[str] = deque(maxlen=KEPT_LINES)
        self._error: str | None = None
        self._success: bool | None = None
        self._invocation_id: str | None = None

    def read(self, line: bytes) -> Iterator[Report]:
        """Yield the reports that one line holds."""
        if line.startswith(b"{") and line.rstrip().endswith(b"}"):
            if not _OF_INTEREST.search(line):
                return
            try:
                entry = json.loads(line)
                info, data = entry["info"], entry.get("data") or {}
            except (ValueError, KeyError, TypeError):
                pass
            else:
                yield from self._entry(info, data)
                return
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            self._outside.append(text)
            yield Message(text)

    def _entry(self, info: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Report]:
        name, level = info.get("name"), str(info.get("level") or "info")
        self._invocation_id = info.get("invocation_id") or self._invocation_id
        node = data.get("node_info") or {}
        if name == "NodeStart":
            yield NodeStarted(str(node.get("unique_id")))
        elif name == "NodeFinished":
            yield read_finished(node, data.get("run_result") or {})
        elif name == "MainEncounteredError":
            self._error = str(data.get("exc") or info.get("msg") or "")
        elif name == "CommandCompleted":
            self._success = bool(data.get("success"))
        elif name in TOLD:
            told = read_told(name, data)
            if told is not None:
                yield told
        elif name in SPOKEN or (level in ("warn", "warning", "error") and name not in REPEATED):
            yield Message(str(info.get("msg") or ""), level, node.get("unique_id") or None)

    def end(self, returncode: int) -> Ended:
        """Return the last report: dbt ended with `returncode`."""
        error = self._error
        if error is None and (returncode not in (0, 1) or (returncode == 1 and self._success is None)):
            # A usage error or a crash: dbt said it outside its log.
            error = "\n".join(self._outside) or f"It {ending(returncode)}, without a message."
        return Ended(returncode == 0 and error is None, error, self._invocation_id)
