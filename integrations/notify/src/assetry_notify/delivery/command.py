"""Commands: a program of the user's that is given the message."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess

from assetry_toolkit.errors import Refused, Unavailable

from assetry_notify.messages import Message
from assetry_notify.targets import Target


class Program:
    """A program that is given a message as JSON on its standard input, and its text in ``ASSETRY_NOTIFY_TEXT``.

    It works in the project's folder. With exit code 0 the message has arrived; with any other it is tried again later.
    """

    def __init__(self, target: Target, folder: str) -> None:
        command = target.given["command"]
        self._words = shlex.split(command[0]) if len(command) == 1 else list(command)
        self._folder = folder
        self._timeout = target.timeout
        self._name = target.name

    def send(self, message: Message) -> None:
        """Run the program; raise `Refused`, or `Unavailable` where it did not end in time."""
        hint = f"It is the command of [notify.{self._name}]."
        text = "\n".join((message.title, *message.lines))
        try:
            child = subprocess.Popen(
                self._words,
                cwd=self._folder,
                env={**os.environ, "ASSETRY_NOTIFY_TEXT": text},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Refused(
                f"{self._words[0] if self._words else 'The command'} cannot be run: {error}.", hint=hint
            ) from None
        try:
            _, said = child.communicate(json.dumps(message.to_json()).encode(), timeout=self._timeout)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"{self._words[0]} did not end within {self._timeout:g} seconds.", hint=hint) from None
        finally:
            _stop(child)
        if child.returncode:
            lines = said.decode(errors="replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            told = f"{self._words[0]} ended with {child.returncode}"
            raise Refused(f"{told}: {last[:300]}" if last else f"{told}.", hint=hint)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End a program, and all that it has started."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stderr is not None:
        child.stderr.close()
