"""A connector as a command: which one it is, and the questions that it answers with one message."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import IntegrationError, near_names
from assetry_toolkit.commands import KEPT_LINES, Block, Command, ending
from assetry_toolkit.files import Workplace
from assetry_toolkit.secrets import Mask

from assetry_airbyte.local.options import Source
from assetry_airbyte.local.protocol import Garbage, Message, read_complaint, read_messages, section, text

#: Seconds that a connector has, after it was asked to end, before it is killed.
GRACE = 5.0
#: Bytes of one line: beyond that it is not a message of any connector.
LONGEST_LINE = 1 << 28


def command_of(source: Source, words: Sequence[str]) -> Command:
    """Return the command that runs a connector with these words, in the project's folder."""
    return Command(words, folder=source.root, grace=GRACE, longest=LONGEST_LINE)


def find_command(source: Source) -> tuple[str, ...]:
    """Return the command line of a connector: an executable of its own environment, on PATH, or a path.

    Raises `IntegrationError` when there is none.
    """
    words = source.command
    if source.requirement:
        from assetry_airbyte.local.environments import executable

        words = (str(executable(source)), *words[1:])
    name = words[0]
    if name in ("python", "python3") and len(words) > 1:
        return (sys.executable, *words[1:])  # the very Python of the project
    path = source.root / name
    found = shutil.which(str(path) if path.is_file() else name)
    if found is not None:
        return (found, *words[1:])
    if path.is_file():
        raise IntegrationError(
            f"The connector {name} of {source.name!r} is not executable.",
            where=str(path),
            hint=f'Make it so (chmod +x {name}), or write the program before it: command = ["python", "{name}"].',
        )
    raise IntegrationError(
        f"The connector {name!r} of {source.name!r} is neither on PATH nor a file.",
        near=near_names(name, _beside(source.root)),
        hint=f'Install it (uv tool install airbyte-{name}), or write requirement = "airbyte-{name}".',
    )


def _beside(root: Path) -> list[str]:
    folders = [root, *(Path(each) for each in os.get_exec_path())]
    names: set[str] = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            names.update(each.name for each in folder.iterdir() if each.name.startswith("source"))
    return sorted(names)


class Question(NamedTuple):
    """A question to a connector that is one message to answer: ``spec``, ``check`` or ``discover``."""

    verb: str
    type: str
    config: Any = None


def ask(source: Source, question: Question, mask: Mask) -> Mapping[str, Any]:
    """Put a question to a connector; return what stands under the answer's type.

    Raises `IntegrationError` with the connector's own words when it does not answer.
    """
    words = find_command(source)
    talk = _Talk(question)
    with Workplace(source.folder) as place:
        given = []
        if question.config is not None:
            given = ["--config", str(place.write("config.json", json.dumps(question.config)))]
        with command_of(source, [*words, question.verb, *given]).start() as running:
            for block in running.blocks():
                talk.take(block)
    answer = talk.answer
    if answer is not None and not talk.complaints:
        return answer
    said = talk.complaints[0] if talk.complaints else ""
    ended = f"It {ending(running.returncode or 0)} and gave no answer."
    tail = "\n".join(running.errors or talk.garbage) if not said else ""
    raise IntegrationError(
        mask(f"Connector {source.name!r} cannot {question.verb}: " + (said or ended)),
        hint=mask(f"It wrote:\n{tail}") if tail else "Correct its config, or its command.",
    )


class _Talk:
    """What a connector says to one question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.answer: Mapping[str, Any] | None = None
        self.complaints: list[str] = []
        self.garbage: deque[str] = deque(maxlen=KEPT_LINES)

    def take(self, block: Block) -> None:
        for message in read_messages(block.data, digits=False) if block.stream == "out" else ():
            if isinstance(message, Garbage):
                self.garbage.append(message.text[:500])
            else:
                self._take(message)

    def _take(self, message: Message) -> None:
        if message.type == self._question.type:
            found = {"CATALOG": message.catalog, "SPEC": message.spec, "CONNECTION_STATUS": message.connectionStatus}
            self.answer = section(found.get(message.type))
        elif message.type == "TRACE" and section(message.trace).get("type") == "ERROR":
            self.complaints.append(read_complaint(message.trace).text)


def specification(source: Source) -> Mapping[str, Any]:
    """Return what a connector says of its configuration; nothing when it does not say."""
    try:
        return section(ask(source, Question("spec", "SPEC"), Mask()), "connectionSpecification")
    except IntegrationError:
        return {}


def discover(source: Source, config: Any, mask: Mask) -> Mapping[str, Any]:
    """Return what a connector offers, after it has found its configuration good."""
    status = ask(source, Question("check", "CONNECTION_STATUS", config), mask)
    if status.get("status") != "SUCCEEDED":
        said = text(status.get("message")).strip() or "it gives no reason"
        raise IntegrationError(
            mask(f"Connector {source.name!r} cannot connect: {said}"), hint="Correct its config; nothing was read."
        )
    return ask(source, Question("discover", "CATALOG", config), mask)
