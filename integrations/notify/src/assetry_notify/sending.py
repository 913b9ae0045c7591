"""Sending: what is new since the last time goes to all targets, and what could not be sent before."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from assetry.plugin import AssetryError, plain
from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import ServiceError

from assetry_notify.messages import Message
from assetry_notify.notices import news
from assetry_notify.outbox import Outbox, State, Waiting
from assetry_notify.problems import Held, Situation, situation
from assetry_notify.targets import Target, read_table

if TYPE_CHECKING:
    from assetry import Project

LOG = logging.getLogger("assetry.notify")


@dataclass(slots=True)
class Sent:
    """What came of telling: messages by target that were sent, that wait for another time, and why.

    `doubts` are what is to be known of what was sent, as of a recipient that the server did not take.

    >>> Sent().ok
    True
    """

    sent: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    errors: dict[str, AssetryError] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Tell whether all was sent that there was to be sent."""
        return not self.errors


def send(
    project: Project,
    held: Iterable[Held] | None = None,
    *,
    now: datetime | None = None,
    urgent: bool = False,
    clock: Clock | None = None,
) -> Sent:
    """Tell every target of a project what is new since it was told the last time, and return what came of it.

    What was told is kept in the project's store, so that any number of processes may call this, at any time: a daemon,
    ``assetry notify send`` by cron, or the end of a run. `held` is what a scheduler holds now, all of it; without it
    the project's plugins are asked (`Project.next`), and where none knows, what was told to be held stays so. What
    cannot be sent is kept, and tried again by a later call, after a pause that grows; `urgent` makes none. Raises
    `OptionError` for tables that cannot be meant.

    >>> from assetry import Project
    >>> with Project(store="sqlite::memory:", io="memory:") as project:
    ...     send(project).ok
    True
    """
    moment = now or datetime.now(UTC)
    targets = read_table(project.settings.tables).targets
    if not targets:
        return Sent()
    found = situation(project, moment, held)
    result = Sent()
    for target in targets:
        try:
            _note(project, target, found, moment)
        except AssetryError as error:  # a selection that is wrong keeps no other target from being told
            result.errors[target.name] = error
    return deliver(project, targets, moment, urgent=urgent, clock=clock, result=result)


def _note(project: Project, target: Target, found: Situation, now: datetime) -> None:
    """Put what a target is to be told into its outbox."""
    limited = target.select or target.exclude
    chosen = set(map(str, project.select(target.select or None, target.exclude or None))) if limited else None

    def noted(state: State) -> tuple[State, None]:
        told = news(target, state.known, now, found, chosen)
        after = State(told.known, state.waiting, state.left_out)
        if not told.items:
            return after, None
        name = project.settings.name or project.root.name
        return after.with_message(Message.of(uuid.uuid4().hex, name, now, told.items)), None

    Outbox(project.store, target.name).change(noted)


def deliver(
    project: Project,
    targets: Iterable[Target],
    now: datetime,
    *,
    urgent: bool = False,
    clock: Clock | None = None,
    result: Sent | None = None,
) -> Sent:
    """Send what waits, to all targets at once: one that does not answer keeps no other waiting."""
    result = result or Sent()
    work = [partial(_deliver, project, each, now, urgent, clock or Clock(), result) for each in targets]
    threads = [threading.Thread(target=each, daemon=True) for each in work[1:]]
    for thread in threads:
        thread.start()
    for each in work[:1]:
        each()
    for thread in threads:
        thread.join()
    return result


def _deliver(project: Project, target: Target, now: datetime, urgent: bool, clock: Clock, result: Sent) -> None:
    outbox = Outbox(project.store, target.name)
    for each in outbox.take(now, all_=urgent):
        error = _try(project, target, each.message, clock, result)
        if error is not None:
            wish = error.retry_after if isinstance(error, ServiceError) else None
            outbox.failed(each.message.id, _said(error), now, wish or 0.0)
            result.errors[target.name] = error
            break
        outbox.sent(each.message.id)
        result.sent[target.name] = result.sent.get(target.name, 0) + 1
    waiting = outbox.state.waiting
    if waiting:
        result.waiting[target.name] = len(waiting)


def _try(project: Project, target: Target, message: Message, clock: Clock, result: Sent) -> AssetryError | None:
    """Send one message; return what went wrong."""
    try:
        doubt = transport(project, target, clock)(message)
    except AssetryError as error:
        return error
    except Exception as error:  # a thread of its own: what is not told here is told nowhere
        LOG.exception("Telling %s broke.", target.name)
        return AssetryError(f"Telling {target.name} broke: {type(error).__name__}.")
    if doubt:
        result.doubts[target.name] = doubt
    return None


def transport(project: Project, target: Target, clock: Clock) -> Callable[[Message], str | None]:
    """Return what sends a message to a target, and says what is to be known of it; it raises what went wrong."""
    if target.kind == "email":
        from assetry_notify.delivery.mail import Mail

        return Mail(target, project.plugins.secret, clock).send
    if target.kind == "command":
        from assetry_notify.delivery.command import Program

        return Program(target, str(project.root)).send
    from assetry_notify.delivery.hooks import Hook

    return Hook(target, project.plugins.secret, clock).send


def waiting(project: Project, target: Target) -> tuple[Waiting, ...]:
    """Return what waits to be sent to a target."""
    return Outbox(project.store, target.name).state.waiting


def _said(error: AssetryError) -> str:
    return " ".join(plain(each) for each in (error.message, error.hint) if each)
