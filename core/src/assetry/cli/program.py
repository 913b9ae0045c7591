"""The program: its table of commands, its errors, its exit codes."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from assetry.cli.command import EVERY_OUTPUT, refine, shared_options
from assetry.cli.discovery import plugins_with_commands, project_adds_commands
from assetry.cli.output import note_line, open_standard_streams
from assetry.cli.overview import COMMANDS, OTHER_WORDS, overview
from assetry.cli.session import Session, silence
from assetry.cli.text import styled
from assetry.errors import AssetryError, UsageError, error_words, near_names
from assetry.hooks.masks import Mask

INTERRUPTED = 130
#: What is wrong with a stream that takes nothing more.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class Program(click.Group):
    """The command line of assetry: its own commands, by the table, and those that plugins add."""

    def __init__(self) -> None:
        version = click.Option(
            ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
        )
        super().__init__(
            "assetry",
            params=[*shared_options(EVERY_OUTPUT, selects=True), version],
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        self._asked_plugins = False
        self._problem: AssetryError | None = None
        self._mask = Mask()

    # -- commands ------------------------------------------------------------------------------------------------

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of plugins included."""
        self._ask_plugins(ctx)
        return [*COMMANDS, *(name for name in sorted(self.commands) if name not in COMMANDS)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command; plugins are asked only for a name that is not in the table."""
        if name in COMMANDS:
            command: click.Command = import_module(f"assetry.cli.{COMMANDS[name].home}.{name}").command
            return command
        self._ask_plugins(ctx)
        return self.commands.get(name)

    def _ask_plugins(self, ctx: click.Context) -> None:
        if self._asked_plugins:
            return
        self._asked_plugins = True
        from assetry.cli.plugin_commands import commands_of_plugins, new_problems  # takes a third of a start

        try:
            session = _session(ctx)
            with session.out.guarded():
                plugins = session.project.plugins
                before = plugins.problems
                found = commands_of_plugins(plugins)
            for name, command in found.items():
                self.add_command(command, name)
            for problem in new_problems(plugins, before):
                session.warn(problem)
        except AssetryError as error:
            self._problem = error  # a project that cannot be read must not take --help along

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name; say what was probably meant when there is none."""
        command = self.get_command(ctx, args[0])
        if command is None:
            if self._problem is not None and args[0] not in OTHER_WORDS and not near_names(args[0], COMMANDS):
                raise self._problem  # it may be a command of a plugin, which is not known then
            raise _no_command(args, self.list_commands(ctx))
        return args[0], command, args[1:]

    def invoke(self, ctx: click.Context) -> None:
        """Call the command; its exit code travels as `click.exceptions.Exit`, not as what it returns."""
        session = _session(ctx)
        try:
            super().invoke(ctx)
        finally:
            # What goes wrong is told when the project is closed.
            self._mask = session.mask

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the overview; plugins are loaded for it only where nothing else can tell what they add."""
        _session(ctx)  # enters the folder that -C names
        if not project_adds_commands():
            formatter.write(overview(plugins_with_commands()) + "\n")
            return
        self._ask_plugins(ctx)
        if self._problem is not None:
            print_error(self._problem, ctx.color)
        more = [
            (name, command.get_short_help_str(60))
            for name, command in sorted(self.commands.items())
            if name not in COMMANDS and not command.hidden
        ]
        formatter.write(overview(more) + "\n")

    # -- the whole of a call -------------------------------------------------------------------------------------

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:
        """Run a command line and exit with its code."""
        given = list(sys.argv[1:] if args is None else args)
        open_standard_streams()
        _tolerate_every_character()
        asked = {**extra, "prog_name": "assetry", "standalone_mode": False}
        sys.exit(_guarded(lambda: super(Program, self).main(given, **asked), given, self._cover))

    def _cover(self, text: str) -> str:
        """Take the secrets out that the call has handed out."""
        return self._mask(text)


def _no_command(args: Sequence[str], known: Sequence[str]) -> UsageError:
    """Return the error for a word that is not a command; words of other tools are answered with ours."""
    word = args[0]
    ours = OTHER_WORDS.get(word)
    if ours is None:
        return UsageError(f"There is no command {word!r}.", near=near_names(word, known), hint="See `assetry --help`.")
    written = shlex.join(["assetry", ours, *args[1:]])
    does = COMMANDS[ours].does if ours != "materialize" else "It makes what is selected, and runs the checks on it."
    if word.startswith("test"):
        does = "Checks run with the assets they are on; `assetry show KEY` tells how each came out."
    return UsageError(f"There is no command {word!r}; here it is `{written}`.", hint=does)


def _session(ctx: click.Context) -> Session:
    """Return the session of a call, made of the options before the command's name."""
    if ctx.obj is None:
        session = ctx.obj = Session()
        ctx.call_on_close(session.close)
        refine(session, ctx.params)
        if os.environ.get("NO_COLOR"):
            session.color = False
        ctx.color = session.color
    found: Session = ctx.obj
    return found


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"assetry {version('assetry')}")
        ctx.exit()


def _guarded(work: Callable[[], Any], given: Sequence[str], cover: Callable[[str], str] = str) -> int:
    """Do the work; return its exit code, whatever happens. `cover` takes secrets out of what is told."""
    color = False if "--no-color" in given or os.environ.get("NO_COLOR") else None
    try:
        code = work()
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except AssetryError as error:
        if _verbose(given):
            _traceback(error, cover)
        print_error(error, color, cover)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # a group of commands was named, and none of them
        return error.exit_code
    except click.ClickException as error:
        print_error(_as_usage_error(error, given), color, cover)
        return error.exit_code
    except BrokenPipeError:
        return 0  # the reader of a help has seen enough
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            print_error(AssetryError(f"The result could not be written: {error.strerror}."), color, cover)
            return 1
        return _bug(error, color, cover)
    finally:
        silence()
    return code if isinstance(code, int) else 0


def _verbose(given: Sequence[str]) -> bool:
    return any(arg == "--verbose" or (arg.startswith("-v") and set(arg[1:]) <= set("vq")) for arg in given)


def _as_usage_error(error: click.ClickException, given: Sequence[str]) -> AssetryError:
    """Return an error of click about what was given as one of ours, so that all read alike."""
    ctx = getattr(error, "ctx", None)
    near = tuple(getattr(error, "possibilities", None) or ())[:1]  # the rest of them is far off
    message = error.message if near else error.format_message()
    hint = f"See `{ctx.command_path} --help`." if ctx is not None else None
    if ctx is not None and "unexpected extra argument" in message and getattr(ctx.command, "selects", False):
        hint = f"Choose assets with -s: `{ctx.command_path} -s {shlex.join(_extra(message, given))}`."
    return UsageError(message, near=near, hint=hint)


def _extra(message: str, given: Sequence[str]) -> list[str]:
    """Return the arguments that click's message names as too many, each as it was given, blanks and all.

    >>> _extra("Got unexpected extra arguments (my table b)", ["list", "my table", "b"])
    ['my table', 'b']
    """
    left, found = message.partition("(")[2].removesuffix(".").removesuffix(")"), []
    for word in given:
        if word and f"{left} ".startswith(f"{word} "):
            left = left[len(word) + 1 :]
            found.append(word)
    return found + left.split()


def print_error(error: AssetryError, color: bool | None = None, cover: Callable[[str], str] = str) -> None:
    """Write an error to stderr as one block: what, where, the near miss, the next step."""
    note_line(f"{styled('error:', fg='red', bold=True)} {error}", color, cover)


def _traceback(error: BaseException, cover: Callable[[str], str]) -> None:
    import traceback

    note_line("".join(traceback.format_exception(error)).rstrip(), cover=cover)


def _bug(error: Exception, color: bool | None, cover: Callable[[str], str]) -> int:
    _traceback(error, cover)
    said = f"This is a bug in assetry: {error_words(error)}"
    hint = "Please report it, with the lines above and the command you gave."
    print_error(AssetryError(said, hint=hint), color, cover)
    return 1


def _tolerate_every_character() -> None:
    """Write "?" for what the terminal cannot show, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure") and (stream.encoding or "").lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")
