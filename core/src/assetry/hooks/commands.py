"""What `assetry_add_commands` is given: the commands that one plugin adds, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from assetry.types.commands import Command

_Function = TypeVar("_Function", bound=Callable[..., Any])
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")

OLD = (
    "assetry_add_commands adds an object of click ({}), which will be gone: write "
    'commands.group("NAME", "…") and a plain function below @NAME.command("…")'
)


class ForeignCommand(NamedTuple):
    """A command in the form of the library that the command line is made with: an object of it, or what makes one."""

    name: str | None
    made: Any
    options: Mapping[str, Any]


class CommandGroup:
    """A group of commands of a plugin, as in ``assetry mill pull``. Made by `Commands.group`.

    >>> mill = Commands().group("mill", "Look at the mill.")
    >>> pull = mill.command("pull")(lambda context, *names: context.say(str(names)))
    >>> [each.name for each in mill.commands]
    ['pull']
    """

    def __init__(self, name: str, help: str, commands: Commands) -> None:
        self.name = name
        self.help = help
        self.commands: list[Command] = []
        self._of = commands

    def command(self, name: str | None = None, *, selects: bool = False) -> Callable[[_Function], _Function]:
        """Make a plain function a command of the group, called as the function when no `name` is given.

        Its first parameter is given the `CommandContext`; further ones are arguments, those after ``*`` options. They
        may be `int`, `float`, `bool` (an option only), `str`, `Path` and `Literal` of texts, a list or a tuple of any
        number of them, or one of them or None. The docstring's first paragraph is the help of the command, its
        ``:param name:`` lines that of the parameters. The function returns None or an exit code, and stays as it is.
        One that `selects` takes ``--select`` and ``--exclude``, for `CommandContext.chosen`.
        """
        return self._of.decorator(self.commands, name, selects, f"{self.name} ")


class Commands:
    """The commands that one plugin adds to the command line.

    >>> commands = Commands()
    >>> mill = commands.group("mill", "Look at the mill.")
    >>> commands.group("mill", "Again.") is mill
    True
    """

    def __init__(self) -> None:
        self.groups: list[CommandGroup] = []
        self.commands: list[Command] = []
        #: Those of plugins that use the command line's own library.
        self.foreign: list[ForeignCommand] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def group(self, name: str, help: str) -> CommandGroup:
        """Return the group of a name, made when it is asked for first; `help` is a line for people."""
        for each in self.groups:
            if each.name == name:
                return each
        made = CommandGroup(name, help, self)
        if self._may_be(name):
            self.groups.append(made)
        return made

    def command(
        self, name: str | None = None, *, selects: bool = False, **options: Any
    ) -> Callable[[_Function], _Function]:
        """Make a plain function a command beside the groups, as `CommandGroup.command` does.

        For a command that stands for the whole of your package; else add a group, named as your entry point.
        """

        def add(function: _Function) -> _Function:
            if options or _is_foreign(function):
                self.add_command(function, name, **options)
                return function
            return self.decorator(self.commands, name, selects, "")(function)

        return add

    def add_command(self, command: Any, name: str | None = None, **options: Any) -> None:
        """Add an object of click. To go: it warns, and a later release has only `group` and `command`."""
        self.foreign.append(ForeignCommand(name, command, options))
        called = name or getattr(command, "name", None) or getattr(command, "__name__", None) or "without a name"
        self.warnings.append(OLD.format(called))

    def decorator(
        self, commands: list[Command], name: str | None, selects: bool, before: str
    ) -> Callable[[_Function], _Function]:
        """Return what makes a function one of some commands, and notes what is wrong with it."""

        def add(function: _Function) -> _Function:
            called = name or getattr(function, "__name__", "").strip("_").replace("_", "-")
            made = Command.of(called, function, selects=selects)
            at = f" ({made.where})" if made.where else ""
            if made.problem is not None:
                self.problems.append(f"`{before}{called}` {made.problem}{at}")
            if called in (each.name for each in commands):
                self.problems.append(f"`{before}{called}` is added twice; the first one counts{at}")
            elif self._may_be(called):
                commands.append(made)
            return function

        return add

    def _may_be(self, name: Any) -> bool:
        if isinstance(name, str) and _NAME.fullmatch(name):
            return True
        self.problems.append(f"{name!r} cannot be the name of a command: it takes a-z, 0-9 and - only")
        return False


def _is_foreign(function: Any) -> bool:
    """Tell whether a function is called by click, with what click has read."""
    module = type(function).__module__
    names = getattr(function, "__globals__", {})
    return (
        hasattr(function, "__click_params__")
        or module.partition(".")[0] == "click"
        or str(names.get("__name__", "")).partition(".")[0] == "click"
    )
