"""``assetry notify``: tell now, try a target, and see what waits."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry.plugin import Commands, UsageError, near_names

if TYPE_CHECKING:
    from assetry.plugin import CommandContext

    from assetry_notify.targets import Target


def add_commands(commands: Commands) -> None:
    """Add `assetry notify`."""
    group = commands.group("notify", "Tell people what failed, is overdue, is held, or has recovered.")
    group.command("send")(_send)
    group.command("test")(_test)
    group.command("status")(_status)


def _send(context: CommandContext) -> int:
    """Tell what is new since the last time, and what could not be sent before: for cron, where no daemon runs."""
    from assetry_notify.sending import send
    from assetry_notify.telling import note_trouble, trouble_in

    _targets(context)
    sent = send(context.project, urgent=True)
    note_trouble(context.project, trouble_in(sent))
    rows = []
    for target in _targets(context):
        error = sent.errors.get(target.name)
        row = {
            "target": target.name,
            "sent": sent.sent.get(target.name, 0),
            "waiting": sent.waiting.get(target.name, 0),
        }
        rows.append({**row, "error": error and error.message, "doubt": sent.doubts.get(target.name)})
        if context.text:
            _say(context, target.name, sent.sent.get(target.name, 0), sent.waiting.get(target.name, 0))
        if error is not None:
            context.warn(f"{target.name}: {error}")
        if target.name in sent.doubts:
            context.warn(f"{target.name}: {sent.doubts[target.name]}")
    if not context.text:
        context.emit({"targets": rows}, "targets")
    return 0 if sent.ok else 1


def _say(context: CommandContext, name: str, sent: int, waiting: int) -> None:
    told = f"{sent} message{'' if sent == 1 else 's'} sent" if sent else "nothing new"
    context.say(f"{name}: {told}{f', {waiting} to be sent later' if waiting else ''}")


def _test(context: CommandContext, name: str) -> None:
    """Send a target a message that says it is a test, at once; nothing is kept of it.

    :param name: the target, as in [notify.NAME].
    """
    from assetry_toolkit.clock import Clock

    from assetry_notify.messages import Message
    from assetry_notify.sending import transport

    targets = {each.name: each for each in _targets(context)}
    if name not in targets:
        hint = f"There are: {', '.join(targets)}."
        raise UsageError(f"There is no target [notify.{name}].", near=near_names(name, targets), hint=hint)
    project = context.project
    message = Message(uuid.uuid4().hex, project.settings.name or project.root.name, datetime.now(UTC).isoformat(), ())
    doubt = transport(project, targets[name], Clock())(message)
    if doubt:
        context.warn(doubt)
    if context.text:
        context.say(f"{name}: the test was taken.")
    else:
        context.emit({"targets": [{"target": name, "sent": 1, "doubt": doubt}]}, "targets")


def _status(context: CommandContext) -> int:
    """Show what each target knows to be wrong, and what waits to be sent to it and why; exit code 1 when any does."""
    from assetry_notify.outbox import SPACE, Outbox
    from assetry_notify.telling import TROUBLE

    rows, store = [], context.project.store
    trouble = store.documents(SPACE).get(TROUBLE)
    if trouble is not None:
        context.warn(f"At {trouble.value['at']} nothing could be told: {trouble.value['text']}")
    for target in _targets(context):
        state = Outbox(store, target.name).state
        told = [each.problem for each in state.known.values() if each.told is not None]
        error = next((each.error for each in state.waiting if each.error), None)
        rows.append(
            {
                "target": target.name,
                "kind": target.kind,
                "events": list(target.events),
                "open": [each.to_json() for each in told],
                "waiting": [each.message.to_json() for each in state.waiting],
                "left_out": state.left_out,
                "error": error,
            }
        )
        if context.text:
            context.say(
                f"{target.name} ({target.kind}): {len(told)} told and not over, {len(state.waiting)} to be sent"
            )
            for each in told:
                context.say(f"  {each.event}: {each.root}")
        if error:
            context.warn(f"{target.name}: {error}")
        if state.left_out:
            context.warn(f"{target.name}: {state.left_out} messages were left out, because too many waited.")
    if not context.text:
        context.emit({"targets": rows, "trouble": trouble and trouble.value}, "targets")
    return 1 if trouble is not None or any(row["waiting"] for row in rows) else 0


def _targets(context: CommandContext) -> tuple[Target, ...]:
    """Return the targets of the project; the command line tells the line of the project file that is at fault."""
    from assetry_notify.targets import read_table

    settings = context.project.settings
    targets = read_table(settings.tables).targets
    if not targets:
        raise UsageError(
            "The project file names nobody to tell.",
            where=str(settings.file) if settings.file else None,
            hint='Write [notify.ops] with kind = "slack" and url = { env = "SLACK_URL" }; the README has the others.',
        )
    return targets
