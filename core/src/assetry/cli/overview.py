"""The overview that ``assetry --help`` shows, and the table of commands that it is made of.

It imports neither click nor plugins nor commands: a person who looks something up should not wait.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple


class Entry(NamedTuple):
    """One command: the package of its module, where it stands in the overview, what it takes and does."""

    home: str
    part: str
    takes: str
    does: str


#: Every command of assetry itself; the module `assetry.cli.<home>.<name>` holds it as `command`.
COMMANDS: Mapping[str, Entry] = {
    "init": Entry("definitions", "Definitions", "[FOLDER]", "Set up a project."),
    "list": Entry("definitions", "Definitions", "", "List the assets."),
    "show": Entry("definitions", "Definitions", "KEY", "Show one asset in full."),
    "partitions": Entry("definitions", "Definitions", "[KEY]", "List partitions; add and drop keys of dynamic ones."),
    "graph": Entry("definitions", "Definitions", "", "Draw the graph: text, dot, json or svg."),
    "impact": Entry("definitions", "Definitions", "KEY", "Tell what a change of an asset touches."),
    "diff": Entry("definitions", "Definitions", "", "Compare definitions with a commit, a run or a file."),
    "check": Entry("definitions", "Definitions", "", "Load and validate everything."),
    "plan": Entry("runs", "Runs", "", "Show what would run, and why."),
    "materialize": Entry("runs", "Runs", "", "Run it; --stale: only what is out of date."),
    "status": Entry("runs", "Runs", "", "Tell what is fresh, stale, failed, and why."),
    "retry": Entry("runs", "Runs", "[RUN]", "Run what is left of a run."),
    "accept": Entry("runs", "Runs", "SELECTION", "Let what was made count as up to date."),
    "backfill": Entry("backfills", "Runs", "[NAME]", "Make many partitions, piece by piece."),
    "backfills": Entry("backfills", "Runs", "[ID]", "List the backfills and how they stand."),
    "observe": Entry("runs", "Runs", "", "Look at what happened outside; run nothing."),
    "record": Entry("runs", "Runs", "FILE", "Record a run that was started elsewhere."),
    "runs": Entry("runs", "Runs", "", "List the runs."),
    "logs": Entry("runs", "Runs", "[RUN]", "Show the events of a run."),
    "queue": Entry("runs", "Runs", "", "Show what runs and what waits, and for whom."),
    "cancel": Entry("runs", "Runs", "ID", "Stop a run or a backfill, also one that waits."),
    "bump": Entry("runs", "Runs", "ID", "Put what waits first."),
    "prune": Entry("runs", "Surroundings", "[KEY]", "List and delete what nothing defines any more."),
    "plugins": Entry("definitions", "Surroundings", "", "List what is loaded, from where, and what is broken."),
}

#: What other tools call a command, and what it is called here.
OTHER_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("build", "run", "seed", "snapshot", "make", "execute", "sync", "refresh"), "materialize"),
    **dict.fromkeys(("test", "tests"), "materialize"),
    **dict.fromkeys(("ls", "assets"), "list"),
    **dict.fromkeys(("describe", "info", "get"), "show"),
    **dict.fromkeys(("dag", "lineage"), "graph"),
    **dict.fromkeys(("parse", "validate", "lint", "debug"), "check"),
    **dict.fromkeys(("compile", "preview"), "plan"),
    **dict.fromkeys(("freshness", "source"), "observe"),
    **dict.fromkeys(("history",), "runs"),
    **dict.fromkeys(("log", "events"), "logs"),
    **dict.fromkeys(("stop", "kill"), "cancel"),
    **dict.fromkeys(("new", "scaffold"), "init"),
}

#: The options that every command takes, before or after its name.
OPTIONS: Mapping[str, str] = {
    "-C DIR": "Work in DIR.",
    "-s, --select SELECTION": "Choose assets as in dbt: +orders, tag:daily.",
    "--exclude SELECTION": "Leave assets out.",
    "--selector NAME": "Choose what a selector of a tool means.",
    "--output FORMAT": "text, json or ndjson; graph: text, json, dot or svg.",
    "-q, --quiet": "Say less.",
    "-v, --verbose": "Say more; show tracebacks.",
    "--no-color": "Do without colours.",
    "--version": "Show the version.",
    "-h, --help": "Show this page, or `assetry plan --help`.",
}

_OPENING = """\
Usage: assetry [OPTIONS] COMMAND [ARGS]…

One asset graph over dbt and Python, made with the fewest tool runs.
"""


def overview(more: Iterable[tuple[str, str]] = ()) -> str:
    """Return the overview; `more` are the names and short helps of the commands that plugins add.

    >>> print(overview([("lint", "Look for smells.")]).splitlines()[0])
    Usage: assetry [OPTIONS] COMMAND [ARGS]…
    """
    lines = [_OPENING]
    for part in dict.fromkeys(entry.part for entry in COMMANDS.values()):
        rows = [(f"{name} {entry.takes}", entry.does) for name, entry in COMMANDS.items() if entry.part == part]
        lines += _section(part, rows, 17)
    lines += _section("From plugins", more, 17)
    lines += _section("Options, before or after the command", OPTIONS.items(), 24)
    return "\n".join(lines).rstrip()


def _section(title: str, rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    lines = [f"  {name:<{width}} {text}".rstrip() for name, text in rows]
    return [f"{title}:", *lines, ""] if lines else []


def print_overview(given: list[str]) -> None:
    """Print the overview and exit, unless the project's own plugin has commands to add to it: then return.

    Installed plugins are named with what they call themselves; their commands are loaded when one is called.

    Without any argument the overview is the answer to a question that was not finished: stderr, exit code 2.
    """
    from assetry.cli.discovery import plugins_with_commands, project_adds_commands

    if project_adds_commands():
        return
    text = overview(plugins_with_commands())
    stream = sys.stdout if given else sys.stderr
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        os._exit(0)  # the reader is gone; an orderly exit would flush once more, and complain
    except OSError as error:
        with suppress(OSError):
            print(f"error: The result could not be written: {error.strerror}.", file=sys.stderr)
        os._exit(1 if given else 2)
    except UnicodeEncodeError:
        stream.buffer.write(text.encode(stream.encoding, "replace") + b"\n")
    sys.exit(0 if given else 2)
