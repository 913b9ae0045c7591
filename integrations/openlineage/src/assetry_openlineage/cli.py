"""``assetry openlineage``: send what waits, and see what does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.plugin import Commands, UsageError

if TYPE_CHECKING:
    from assetry.plugin import CommandContext

    from assetry_openlineage.options import Options


def add_commands(commands: Commands) -> None:
    """Add `assetry openlineage`."""
    group = commands.group("openlineage", "Tell of runs and tables by OpenLineage.")
    group.command("send")(_send)
    group.command("status")(_status)


def _send(context: CommandContext) -> int:
    """Send the lineage of runs that the service did not take when they ran."""
    from assetry_openlineage.sending import Sender, send_left

    project = context.project
    sender = Sender(_options(context), context.secret)
    try:
        sent = send_left(project.root, sender)
    finally:
        sender.close()
    for run, error in sent.errors.items():
        context.warn(f"{run}: {error}")
    if context.text:
        runs = f"; {sent.waiting} run{'' if sent.waiting == 1 else 's'} wait" if sent.waiting else ""
        context.say(f"{sent.events} event{'' if sent.events == 1 else 's'} sent{runs}")
    else:
        context.emit({"sent": sent.events, "waiting": sent.waiting, "errors": dict(sent.errors)})
    return 1 if sent.errors else 0


def _status(context: CommandContext) -> int:
    """Show the runs whose lineage waits to be sent, and why; exit code 1 when there are any."""
    from assetry_openlineage.spool import spools

    _options(context)
    rows = []
    for spool in spools(context.project.root):
        row = {"run": spool.run, "sent": spool.sent, "over": spool.is_over, "error": spool.error}
        rows.append(row)
        if context.text:
            context.say(f"{spool.run}: {spool.sent} events sent{f'; {spool.error}' if spool.error else ''}")
    if not context.text:
        context.emit({"runs": rows}, "runs")
    elif not rows:
        context.say("Nothing waits to be sent.")
    return 1 if any(row["over"] for row in rows) else 0


def _options(context: CommandContext) -> Options:
    """Return what the project file says; the command line tells the line that is at fault."""
    from assetry_openlineage.options import NAME, read_options

    settings = context.project.settings
    if NAME not in settings.tables:
        raise UsageError(
            "The project file does not say where lineage is to be sent.",
            hint='Write [openlineage] and url = "http://…".',
        )
    return read_options(settings.tables, str(context.project.root))
