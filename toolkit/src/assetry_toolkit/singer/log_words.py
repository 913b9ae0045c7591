"""The last words of a log in JSON, as structlog writes it: what those are told who ask why a command failed."""

from __future__ import annotations

import re

from assetry_toolkit.commands import LastWords
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.loads import LAST_WORDS
from assetry_toolkit.singer.logs import read_log
from assetry_toolkit.yaml_files import entries


def last_words(log: str) -> str:
    """Return the plain words in which a log in JSON tells of errors: a plugin's own if it has some, else the runner's.

    Lines with ``stdio`` are a plugin's.

    >>> last_words('{"event": "Could not", "level": "error", "exception": [{"exc_value": "No such file"}]}')
    'Could not: No such file'
    """
    own, others = LastWords(LAST_WORDS), LastWords(LAST_WORDS)
    for text in log.splitlines():
        line = json_object(text)
        event = str(line.get("event", ""))
        raised = [str(each["exc_value"]) for each in entries(line.get("exception")) if each.get("exc_value")]
        if "stdio" in line:
            own.take(event, read_log(event).level)
        elif not (line or text.startswith(("│", "╭", "╰"))) or line.get("level") in ("error", "critical"):
            more = ": ".join([event or text, *(each for each in raised if each not in event)])
            others.take(more.strip(), "error" if line else "info")
    # A runner such as Meltano repeats what a plugin has written before it ended.
    ended = str(own) and str(own).splitlines()[-1] in str(others)
    return str(own) if own.errors or ended else str(others) or str(own)


def hint_of_missing(what: str, plugin: str, said: str, file: str, own: str, install: str) -> str | None:
    """Return the next step where a runner has said that the program of a plugin is not there; None where it has not.

    `what` is the plugin as people call it, `file` that which defines it, and `install` says how it is installed, in an
    environment whose paths have `own` in them.

    >>> said = "'./lake.py' could not be found: lake"
    >>> hint_of_missing("loader lake", "lake", said, "mill.yml", "/bin/", "mill get lake")
    'There is no program ./lake.py: put it there, or correct `executable` of loader lake in mill.yml.'
    """
    signs = (("could not be found", plugin), ("Could not find catalog", "No such file"))
    if not any(one in said and other in said for one, other in signs):
        return None
    if (path := re.search(r"'([^'\s]*/[^'\s]*)'", said)) and own not in path[1]:
        return f"There is no program {path[1]}: put it there, or correct `executable` of {what} in {file}."
    return f"{install[0].upper()}{install[1:]} (one that has no `pip_url` but an `executable` has to be on PATH)."
