"""A command as the whole of an invocation: its lines become events, and how it ends is judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from assetry.plugin import Event, Handle, Log, RunContext, RunError

from assetry_toolkit.commands.command import Command, RunningCommand
from assetry_toolkit.commands.journal import JournaledCommand
from assetry_toolkit.commands.output import ending


def run_command(
    command: Command,
    context: RunContext,
    read: Callable[[str], Iterable[Event]],
    *,
    good: Collection[int] = (0,),
    journal: Path | None = None,
    mask: Callable[[str], str] = str,
) -> Iterator[Event]:
    """Run a command to its end, or until the run is cancelled, and yield what `read` makes of each line of its output.

    What it writes to its standard error is logged, after `mask`, such as `assetry_toolkit.secrets.Mask`, has gone over
    it. With a `journal`, a folder, it yields a `Handle` first, and the command outlives this process: when
    `context.resume` names a command that goes on, or has ended since, that one is read, from its first line on; so
    `read` leaves out assets that the invocation does not have. One that has nothing more to say is started anew.

    Raises `RunError` when it cannot be started or its exit code is not `good`; its last words are the hint then.
    However it ends, also by an error or because the generator was closed, nothing of the command is left.

        def assetry_invoke(invocation, context):
            def read(line):
                yield Materialized(f"mill/{line}")

            yield from run_command(Command(("mill", "make", "orders")), context, read, journal=Path(".assetry/mill"))
    """
    with _opened(command, context, journal) as running:
        if isinstance(running, JournaledCommand):
            yield Handle(running.token)
        for line in running.lines(lambda: context.cancelled):
            if line.stream == "err":
                yield Log(mask(line.text))
            else:
                yield from read(line.text)
        if running.returncode is None and context.cancelled:
            return
        well = running.returncode in good
        if isinstance(running, JournaledCommand):
            # A run that is killed now may not have recorded the last events: what ended well is read again then, and
            # not run again. The run itself forgets the token of a command that ended well; of one that did not, it
            # keeps it.
            running.mark_read() if well else running.settle()
        if not well:
            raise _error(command, running, mask)


def _opened(command: Command, context: RunContext, journal: Path | None) -> RunningCommand | JournaledCommand:
    if journal is None:
        return command.start()
    found = JournaledCommand.find(context.resume) if context.resume else None
    return found or JournaledCommand.prepare(command, journal)


def _error(command: Command, running: RunningCommand | JournaledCommand, mask: Callable[[str], str]) -> RunError:
    if running.returncode is not None:
        how = f"{command.called} {ending(running.returncode)}."
    elif isinstance(running, JournaledCommand) and running.stopped:
        how = f"{command.called} was stopped by another process, or because its journal was deleted."
    else:
        how = f"It is not known how {command.called} ended: the process that kept its journal was killed."
    last = "\n".join(running.errors)
    hint = "See `assetry logs`, then run `assetry retry`."
    return RunError(how, hint=f"It wrote:\n{mask(last)}" if last.strip() else hint)
