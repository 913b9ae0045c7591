"""Options of integrations that commands take: ``--target prod`` for this call, whatever the project file says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOption:
    """An option of a kind of integration that commands take, and `Project.plan` and `materialize` as a keyword.

    `name` is the option's name as in the project file, `kind` the kind of integration, `help` a line for people.
    `read` makes the option's value of what was given (a text on the command line, anything in Python) and of what the
    project file says, None when it says nothing; it raises `UsageError` for what it cannot read. Without it the value
    is what was given.

    >>> CommandOption(kind="mill", name="grain_size", help="How coarse.").flag
    '--grain-size'
    """

    kind: str
    name: str
    help: str
    metavar: str = "TEXT"
    short: str | None = None
    read: Callable[[Any, Any], Any] | None = None

    @property
    def flag(self) -> str:
        """Return how the option is written on the command line."""
        return flag_of(self.name)


def flag_of(name: str) -> str:
    """Return how an option of this name is written on the command line.

    >>> flag_of("profiles_dir")
    '--profiles-dir'
    """
    return f"--{name.replace('_', '-')}"
