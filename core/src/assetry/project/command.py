"""What a command that a plugin adds is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from assetry.project.project import Project
    from assetry.types.keys import AssetKey


class CommandContext(Protocol):
    """What was asked of a call of the command line, and the ways to answer.

    A command of a plugin receives it as its first argument::

        @mill.command("pull")
        def pull(context: CommandContext, names: list[str]) -> None: ...

    `select` and `exclude` are the selections that were given, before the command's name or after it, `output` is
    ``text``, ``json`` or ``ndjson``. `project` is the project of the folder; its definitions are loaded when they are
    first used. What else prints goes to stderr, so that JSON stays JSON.
    """

    select: tuple[str, ...]
    exclude: tuple[str, ...]
    output: str
    quiet: bool
    verbose: int

    @property
    def project(self) -> Project:
        """Return the project of the folder."""

    @property
    def text(self) -> bool:
        """Tell whether people read the result."""

    def secret(self, name: str) -> str:
        """Return the secret `name`, as in a run; raise `UsageError` when it is not set.

        It is masked in notes, warnings and errors from now on.
        """

    def chosen(self) -> tuple[AssetKey, ...]:
        """Return the selected keys in the graph's order; warn of parts of the selection that match nothing."""

    def say(self, text: str = "") -> None:
        """Write a line of the result to stdout."""

    def note(self, text: str) -> None:
        """Write a line about the result to stderr, unless asked to be quiet."""

    def warn(self, text: str) -> None:
        """Write a warning to stderr, unless asked to be quiet."""

    def emit(self, document: Mapping[str, Any], rows: str | None = None) -> None:
        """Write a result as JSON; as NDJSON one line for each of `document[rows]`. The version is added."""
