"""The program as a shell that completes a command line needs it: quick to make, and with offers for what is typed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from assetry.cli.command import EVERY_OUTPUT, SELECTS, option_name, shared_options, spread
from assetry.cli.completion.offers import OFFERS, Known, Offer
from assetry.cli.discovery import plugins_with_commands
from assetry.cli.overview import COMMANDS
from assetry.cli.plugin_commands import parameter_name
from assetry.cli.program import Program

#: The argument of each command that has one, so that its module, which imports what it works with, can wait.
ARGUMENTS = {
    **{"show": "key", "impact": "keys", "partitions": "words", "prune": "keys", "plugins": "names", "init": "folder"},
    **{"accept": "selections", "backfill": "name", "backfills": "id", "cancel": "id", "bump": "id", "record": "file"},
    **dict.fromkeys(("retry", "logs"), "run"),
}
#: Those of which there may be several.
_MANY = frozenset(("keys", "words", "names", "selections"))
#: What a parameter is where files are meant.
_FILES = {"directory": "dir", "folder": "dir", "file": "file"}
#: Of a word that is not complete: no blank may follow.
PART = "part"


class CompletingProgram(Program):
    """The program whose command line is being typed: `words` are those before the one at which it stands, `typed`."""

    def __init__(self, words: Sequence[str], typed: str) -> None:
        super().__init__()
        self._options = {option_name(word) for word in (*words, typed) if word.startswith("-") and word != "-"}
        self._known = Known(Path())
        self._fit(self)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command; one of assetry's own without importing it, as long as no option of its own is there."""
        shared = {name for each in shared_options((), selects=True) for name in each.opts} - {"--output"}
        if name in COMMANDS and self._options <= shared:
            command: click.Command | None = QuickVerb(name)
        else:
            command = super().get_command(ctx, name)
        if command is not None:
            self._fit(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, without importing one of them, or the options of all."""
        of_plugins = ((name, told) for name, told in plugins_with_commands() if name not in COMMANDS)
        known = [*((name, entry.does) for name, entry in COMMANDS.items()), *of_plugins]
        found = [CompletionItem(name, help=told) for name, told in known if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def _fit(self, command: click.Command) -> None:
        """Give the parameters of a command, and of those below it, what they are completed with."""
        for each in command.params:
            name = parameter_name(each.name or "")
            offers = OFFERS.get(f"{command.name}.{name}") or OFFERS.get(name)
            if offers is not None:
                _set_completion(each, partial(self._offered, offers))
            elif name in _FILES:
                _set_completion(each, partial(_files, _FILES[name]))
        if isinstance(command, click.Group) and command is not self:
            for sub in command.commands.values():
                self._fit(sub)

    def _offered(
        self, offers: Callable[[Known, str], Iterable[Offer]], _: click.Context, typed: str
    ) -> list[CompletionItem]:
        found = offers(self._known, typed)
        return [CompletionItem(each.word, "plain" if each.whole else PART, each.help) for each in found]


class QuickVerb(click.Command):
    """A command of assetry's own, with the options that all have and its argument: no more is needed of it here."""

    def __init__(self, name: str) -> None:
        own: list[click.Parameter] = []
        if argument := ARGUMENTS.get(name):
            own.append(click.Argument([argument], nargs=-1 if argument in _MANY else 1, required=False))
        super().__init__(name, params=[*own, *shared_options(EVERY_OUTPUT, selects=True)])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; ``--select a b`` takes both."""
        return super().parse_args(ctx, spread(args))


def completions(words: Sequence[str], typed: str) -> list[CompletionItem]:
    """Return what `typed` may become after these words; the process stands in the folder that -C names from now on."""
    args = _select_again(_enter_folder(words))
    program = CompletingProgram(args, typed)
    return _Words(program, {}, "assetry", "_ASSETRY_COMPLETE").get_completions(args, typed)


class _Words(click.shell_completion.ShellComplete):
    """Click's way from words to completions, without a shell."""

    name = "words"


def _enter_folder(words: Sequence[str]) -> list[str]:
    """Work in the folders that -C names, as a command does; return the other words."""
    left, given = [], list(words)
    while given:
        word = given.pop(0)
        if not word.startswith("-C") or (word == "-C" and not given):
            left.append(word)
            continue
        folder = word[2:] or given.pop(0)
        os.chdir(Path(folder).expanduser())
    return left


def _select_again(words: Sequence[str]) -> list[str]:
    """Return the words with the option of a selection once more at the end, where a further value of it may follow.

    >>> _select_again(["list", "-s", "orders"]), _select_again(["list", "-s", "orders", "--stale"])
    (['list', '-s', 'orders', '-s'], ['list', '-s', 'orders', '--stale'])
    """
    last = max((i for i, word in enumerate(words) if word.startswith("-")), default=None)
    if last is None or last == len(words) - 1 or words[last] not in SELECTS:
        return list(words)
    return [*words, words[last]]


def _set_completion(parameter: click.Parameter, offered: Callable[[click.Context, str], list[CompletionItem]]) -> None:
    # The parameters are this process's own, which ends with the answer.
    parameter.shell_complete = offered  # type: ignore[assignment]


def _files(kind: str, _: click.Context, typed: str) -> list[CompletionItem]:
    return [CompletionItem(typed, kind)]
