"""Commands: a program in a process group of its own, read as it speaks, and stopped with all that it started.

For the whole of an invocation `run_command` is enough. Below it:

    with Command(("mill", "make", "orders")).start() as running:
        for line in running.lines(lambda: context.cancelled):
            yield Log(line.text)
    if running.returncode is None:
        return  # the run was cancelled, and the mill is gone
    if running.returncode:
        raise RunError(f"The mill {ending(running.returncode)}.", hint="\\n".join(running.errors))

No thread and no process is left, however it ends: by itself, because the run was cancelled, because the generator that
reads it was closed, or because this very process was killed. A command that is to go on when this process is killed,
and to be found again, is a `JournaledCommand`.
"""

from assetry.plugin import plain

from assetry_toolkit.commands.command import POLL, Command, Finished, RunningCommand
from assetry_toolkit.commands.invocation import run_command
from assetry_toolkit.commands.journal import KEPT, KEPT_DAYS, JournaledCommand
from assetry_toolkit.commands.output import KEPT_LINES, Block, LastWords, Line, LogLimit, ending
from assetry_toolkit.commands.program import find_program, needed_program, path_beside
from assetry_toolkit.commands.reports import json_events

__all__ = [
    "KEPT",
    "KEPT_DAYS",
    "KEPT_LINES",
    "POLL",
    "Block",
    "Command",
    "Finished",
    "JournaledCommand",
    "LastWords",
    "Line",
    "LogLimit",
    "RunningCommand",
    "ending",
    "find_program",
    "json_events",
    "needed_program",
    "path_beside",
    "plain",
    "run_command",
]
