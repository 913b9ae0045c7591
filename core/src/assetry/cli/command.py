"""What makes a function a command: the options that all commands share, and how a selection is read."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from assetry.cli.session import Session, silence
from assetry.errors import AssetryError, UsageError, near_names
from assetry.types.keys import selection_value

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from assetry.types.options import CommandOption

OUTPUTS = ("text", "json", "ndjson")
EVERY_OUTPUT = (*OUTPUTS, "dot", "svg")
SELECTS = ("-s", "--select", "--exclude")

Work = Callable[..., int | None]


def shared_options(outputs: Sequence[str], selects: bool) -> list[click.Parameter]:
    """Return the options that stand before or after every command's name."""
    options: list[click.Parameter] = [
        click.Option(["-C", "directory"], metavar="DIR", is_eager=True, help="Work in DIR."),  # --help is eager, too
        click.Option(["--output"], type=click.Choice(outputs), help="Form of the result; text is for people."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Say less."),
        click.Option(["-v", "--verbose"], count=True, help="Say more; show tracebacks."),
        click.Option(["--no-color"], is_flag=True, help="Do without colours."),
    ]
    if selects:
        options[:0] = [
            click.Option(
                ["-s", "--select"],
                multiple=True,
                metavar="SELECTION",
                help="Choose assets, as in dbt: +orders, tag:daily, state:stale. Several are a union.",
            ),
            click.Option(["--exclude"], multiple=True, metavar="SELECTION", help="Leave assets out."),
            click.Option(["--selector"], multiple=True, metavar="NAME", help="Choose what a selector of a tool means."),
        ]
    return options


class Verb(click.Command):
    """One command: a function that takes the session and its own options, and returns the exit code."""

    def __init__(
        self,
        name: str,
        work: Work,
        options: Iterable[click.Parameter],
        *,
        outputs: Sequence[str],
        selects: bool,
        loads: bool,
    ):
        super().__init__(
            name,
            help=inspect.getdoc(work),
            params=[*options, *shared_options(outputs, selects)],
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self.work = work
        self.outputs = outputs
        self.selects = selects
        self.loads = loads

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; ``--select a b`` takes both, as dbt does.

        Plugins are asked for their options only where one is given that is not ours.
        """
        if self.selects:
            args = spread(args)
        if self.loads and any(option_name(arg) not in self._own_names() for arg in args if arg.startswith("-")):
            ctx.meta[_FURTHER] = _options_of_integrations(ctx, _folder(args), self._own_names())
        return super().parse_args(ctx, args)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options and arguments, those of integrations among them where they were asked for."""
        return [*super().get_params(ctx), *ctx.meta.get(_FURTHER, ())]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of integrations among them."""
        if self.loads:
            with suppress(AssetryError):  # a project that cannot be read must not take --help along
                ctx.meta.setdefault(_FURTHER, _options_of_integrations(ctx, None, self._own_names()))
        super().format_options(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return the options that begin so, those of integrations among them."""
        if self.loads and incomplete.startswith("-"):
            with suppress(AssetryError):
                ctx.meta.setdefault(_FURTHER, _options_of_integrations(ctx, None, self._own_names()))
        return super().shell_complete(ctx, incomplete)

    def _own_names(self) -> set[str]:
        return {"-h", "--help", "-", "--", *(name for each in self.params for name in each.opts)}

    def invoke(self, ctx: click.Context) -> None:
        """Call the function with the session; exit with the code that it returns."""
        session: Session = ctx.obj or Session()
        refine(session, ctx.params)
        self._fit(session, ctx.command_path)
        further = {name: value for name, value in ctx.params.items() if name.startswith(_PREFIX)}
        given = {name.removeprefix(_PREFIX): value for name, value in further.items() if value is not None}
        session.options.update(given)
        own = {name: value for name, value in ctx.params.items() if name not in _SHARED and name not in further}
        try:
            with session.out.guarded():
                code = self.work(session, **own) or 0
        except AssetryError as error:
            session.locate(error)
            raise
        except BrokenPipeError:
            silence()
            code = 0  # the reader has seen enough
        if session.out.failure is not None:
            raise AssetryError(
                f"The result could not be written: {session.out.failure.strerror}.",
                hint="What was done is recorded: see `assetry runs`, `assetry status`.",
            )
        ctx.exit(code)

    def _fit(self, session: Session, path: str) -> None:
        """Raise when what was asked before the command's name does not fit the command."""
        if session.output not in self.outputs:
            raise UsageError(
                f"`{path}` has no --output {session.output}.",
                near=near_names(session.output, self.outputs),
                hint=f"It has {', '.join(self.outputs)}.",
            )
        if (session.select or session.exclude) and not self.selects:
            raise UsageError(f"`{path}` takes no selection.", hint=f"See `{path} --help`.")


#: Under this name a call keeps the options of integrations.
_FURTHER = "assetry.options_of_integrations"
#: What their parameters are called, before their own name.
_PREFIX = "of_integrations_"


def _options_of_integrations(ctx: click.Context, folder: str | None, taken: Collection[str]) -> list[click.Option]:
    """Return the options that plugins name, without those whose names are taken; one option for all of one name."""
    from assetry.hooks.manager import load_plugins
    from assetry.project.definitions import local_plugins
    from assetry.project.settings import read_settings

    found: dict[str, list[CommandOption]] = {}
    session = ctx.obj or Session()
    with session.out.guarded():
        plugins = load_plugins({}, local_plugins(read_settings(folder or ".").root))
        options = plugins.command_options()
    for option in options:
        if option.flag not in taken:
            found.setdefault(option.flag, []).append(option)
    made = []
    for flag, same in found.items():
        first = same[0]
        short = [first.short] if first.short and first.short not in taken else []
        told = f"{first.help} ({', '.join(each.kind for each in same)})"
        # A switch that is not given says nothing, and leaves what the project file says.
        how: dict[str, Any] = {"is_flag": True, "default": None} if first.switch else {"metavar": first.metavar}
        made.append(click.Option([f"{_PREFIX}{first.name}", *short, flag], help=told, **how))
    return made


def option_name(arg: str) -> str:
    """Return the option that an argument names: ``--target`` of ``--target=prod``, ``-t`` of ``-tprod``."""
    return arg.partition("=")[0] if arg.startswith("--") else arg[:2]


def _folder(args: Sequence[str]) -> str | None:
    """Return the folder that -C names among the arguments of a command, which are not read yet."""
    for arg, value in zip(args, [*args[1:], ""], strict=True):
        if arg.startswith("-C"):
            return arg[2:] or value
    return None


_SHARED = frozenset(("directory", "select", "exclude", "selector", "output", "quiet", "verbose", "no_color"))


def refine(session: Session, given: dict[str, Any]) -> None:
    """Take over what was given before or after a command's name."""
    session.select += tuple(given.get("select") or ())
    session.select += tuple(f"selector:{selection_value(name)}" for name in given.get("selector") or ())
    session.exclude += tuple(given.get("exclude") or ())
    session.output = given.get("output") or session.output
    session.quiet = bool(given.get("quiet")) or session.quiet
    session.verbose += given.get("verbose") or 0
    session.color = False if given.get("no_color") else session.color
    if given.get("directory"):
        session.enter(given["directory"])


def spread(args: Sequence[str]) -> list[str]:
    """Repeat an option of selection before each of its further values, so that dbt's own manner works.

    >>> spread(["--select", "a", "b", "--exclude", "c", "--stale"])
    ['--select', 'a', '--select', 'b', '--exclude', 'c', '--stale']
    """
    spread_out: list[str] = []
    option, values = None, 0
    for arg in args:
        if arg in SELECTS:
            option, values = arg, 0
        elif option is not None and (values == 0 or not arg.startswith("-")):
            spread_out += [option] if values else []
            values += 1
        else:
            option = None
        spread_out.append(arg)
    return spread_out


def verb(
    name: str,
    *options: click.Parameter,
    outputs: Sequence[str] = OUTPUTS,
    selects: bool = False,
    loads: bool = False,
) -> Callable[[Work], Verb]:
    """Make a function a command: ``command = verb("list", selects=True)(list_assets)``.

    One that `selects`, or `loads` the definitions otherwise, takes the options of integrations.
    """
    return lambda work: Verb(name, work, options, outputs=outputs, selects=selects, loads=loads or selects)


def run_argument(required: bool = False) -> click.Argument:
    """Return the argument RUN: the id of a run, or a unique beginning of it."""
    return click.Argument(["run"], required=required, metavar="RUN" if required else "[RUN]")


__all__ = [
    "EVERY_OUTPUT",
    "OUTPUTS",
    "Verb",
    "option_name",
    "refine",
    "run_argument",
    "shared_options",
    "spread",
    "verb",
]
