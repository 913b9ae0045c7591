"""Commands that plugins add, as commands of the program: those that are wrong are told as their plugin's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from assetry.cli.command import EVERY_OUTPUT, OUTPUTS, Verb, shared_options
from assetry.cli.overview import COMMANDS
from assetry.cli.session import Session
from assetry.errors import PLUGIN_FAULT, AssetryError, DefinitionError, PluginError, error_words
from assetry.hooks.commands import Commands, ForeignCommand
from assetry.hooks.declarations import commands_of
from assetry.hooks.inspection import place_of
from assetry.hooks.secrets import answering
from assetry.types.commands import Command, CommandParameter

if TYPE_CHECKING:
    from assetry.hooks.manager import Plugins

#: What the parameters of a function are called here, before their own name: those of every command have names, too.
_PREFIX = "given_"
_RESERVED = frozenset(
    ("-h", "--help", *(name for each in shared_options(EVERY_OUTPUT, selects=True) for name in each.opts))
)
_NEXT = "`assetry plugins` shows what is wrong with each plugin."


def commands_of_plugins(plugins: Plugins) -> dict[str, click.Command]:
    """Ask every plugin for its commands; return them by name, and report what is wrong to `plugins`."""
    asked: dict[str, Commands] = {}
    plugins.add_commands(lambda name: asked.setdefault(name, Commands()))
    labels = {info.name: info.label for info in plugins.infos}
    found: dict[str, click.Command] = {}
    owners: dict[str, str] = {}
    for plugin, added in asked.items():
        problems = list(added.problems)
        for name, command in _made(added, labels[plugin], problems):
            if name in COMMANDS:
                problems.append(f"`{name}` is a command of assetry itself; give yours another name")
            elif name in owners:
                problems.append(f"`{name}` is there already, from {labels[owners[name]]}; rename one of them")
            else:
                found[name], owners[name] = command, plugin
        problems += _undeclared(added, plugins.plugin(plugin))
        plugins.tell(plugin, [f"assetry_add_commands: {each}" for each in problems], added.warnings)
    return found


def _undeclared(added: Commands, plugin: Any) -> Iterator[str]:
    """Yield where what a plugin declares for `assetry --help` is not what it adds."""
    try:
        declared = commands_of(plugin)
    except DefinitionError as error:
        yield error.message
        return
    names = [*(each.name for each in added.groups), *(each.name for each in added.commands)]
    if declared and set(declared) != set(names):
        yield f"ASSETRY_COMMANDS has {', '.join(declared)}, and there are {', '.join(names)}: declare these"


def _made(added: Commands, label: str, problems: list[str]) -> Iterator[tuple[str, click.Command]]:
    for group in added.groups:
        commands: dict[str, click.Command] = {
            each.name: _verb(each, f"{group.name} ", label, problems) for each in group.commands
        }
        settings = {"help_option_names": ["-h", "--help"]}
        yield group.name, click.Group(group.name, commands, help=group.help, context_settings=settings)
    for each in added.commands:
        yield each.name, _verb(each, "", label, problems)
    for foreign in added.foreign:
        made = _foreign(foreign, problems)
        if made is not None:
            yield foreign.name or made.name or "", made


def _foreign(given: ForeignCommand, problems: list[str]) -> click.Command | None:
    made = given.made
    if not isinstance(made, click.Command) and callable(made):
        make: Callable[[Any], click.Command] = click.command(given.name, **given.options)
        made = make(made)
    if isinstance(made, click.Command) and (given.name or made.name):
        return made
    problems.append(f"commands.add_command was given {type(given.made).__name__}, which is no command")
    return None


def _verb(command: Command, before: str, label: str, problems: list[str]) -> Verb:
    """Return a command of the program that calls a plugin's function."""
    path = f"assetry {before}{command.name}"
    for each in command.parameters:
        if each.flag in _RESERVED and command.problem is None:
            told = f"has `{each.name}`, and every command takes {each.flag} already (`context` has what was given)"
            problems.append(f"`{before}{command.name}` {told}" + (f" ({command.where})" if command.where else ""))
            command = replace(command, parameters=(), problem=told)
    options = [_option(each) for each in command.parameters]
    selects = command.selects
    made = Verb(command.name, _work(command, path, label), options, outputs=OUTPUTS, selects=selects, loads=selects)
    if command.problem is not None:
        # What is typed after its name is not what is wrong.
        made.context_settings.update(ignore_unknown_options=True, allow_extra_args=True)
        made.hidden = True
    return made


def _work(command: Command, path: str, label: str) -> Callable[..., int | None]:
    """Return what is called for a command: its faults are the plugin's, and its code is a number."""

    def work(session: Session, **given: Any) -> int | None:
        if command.problem is not None:
            raise PluginError(f"{label}: `{path}` {command.problem}.", where=command.where, hint=_NEXT)
        try:
            # What the function reads by `read_secret` is asked for, and masked, as `session.secret` does.
            values = {name.removeprefix(_PREFIX): value for name, value in given.items()}
            code = answering(session.secret, command.call, session, values)
        except (AssetryError, BrokenPipeError, click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            raise _fault(f"{label}: `{path}` raised {error_words(error)}", place_of(error)) from error
        if code is None or (isinstance(code, int) and not isinstance(code, bool)):
            return _exit_code(code)
        returned = f"returned a {type(code).__name__} instead of None or an exit code"
        raise _fault(f"{label}: `{path}` {returned}", command.where)

    work.__doc__ = _help(command)
    return work


def _exit_code(code: int | None) -> int | None:
    """Return a code that the system passes on as it is; of 256 it would pass on 0."""
    return code if code is None or 0 <= code < 256 else code % 256 or 1


def _fault(message: str, where: str | None) -> PluginError:
    error = PluginError(message, where=where, hint=PLUGIN_FAULT)
    error.exit_code = 1  # the definitions have nothing to do with it
    return error


def _help(command: Command) -> str:
    """Return the help of a command: its own, and that of its arguments, which have no place of their own."""
    rows = [(_metavar(each), each.help) for each in command.parameters if each.flag is None and each.help]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {text}" for name, text in rows]
    return "\n".join([command.help, *(["", "\b", "Arguments:", *lines] if lines else [])])


def parameter_name(name: str) -> str:
    """Return what the function of a plugin's command calls a parameter, given by its name on the command line.

    >>> parameter_name(f"{_PREFIX}keys"), parameter_name("select")
    ('keys', 'select')
    """
    return name.removeprefix(_PREFIX)


def _metavar(parameter: CommandParameter) -> str:
    name = parameter.name.strip("_").upper()
    many, needed = parameter.gather is not None, parameter.required
    return f"{name if needed else f'[{name}]'}{'...' if many else ''}"


def _option(parameter: CommandParameter) -> click.Parameter:
    name, many = f"{_PREFIX}{parameter.name}", parameter.gather is not None
    asked: dict[str, Any] = {"type": _type(parameter), "required": parameter.required}
    if parameter.default is not None:
        asked["default"] = parameter.default
    if parameter.flag is None:
        return click.Argument([name], nargs=-1 if many else 1, metavar=_metavar(parameter), **asked)
    if parameter.sort == "bool":
        asked = {"is_flag": True, "required": parameter.required, "default": parameter.default}
        return click.Option(
            [name, "/".join(parameter.flags)], help=parameter.help, show_default=bool(parameter.default), **asked
        )
    shown = parameter.default is not None
    return click.Option([name, parameter.flag], multiple=many, help=parameter.help, show_default=shown, **asked)


def _type(parameter: CommandParameter) -> click.ParamType[Any]:
    if parameter.choices:
        return click.Choice(parameter.choices)
    if parameter.sort == "Path":
        from pathlib import Path

        return click.Path(path_type=Path)
    simple: Mapping[str, click.ParamType[Any]] = {"int": click.INT, "float": click.FLOAT, "bool": click.BOOL}
    return simple.get(parameter.sort, click.STRING)


def new_problems(plugins: Plugins, before: Iterable[object]) -> Iterator[str]:
    """Yield a sentence for each problem that was not among those before."""
    known = set(before)
    yield from (f"plugin {each.plugin}: {each.message}" for each in plugins.problems if each not in known)
