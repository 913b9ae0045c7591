"""``assetry sense``, and what ``assetry daemon --once`` asks and tells of sensors and observed integrations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from assetry import Project
from assetry.plugin import CommandContext, Next, UsageError, near_names

from assetry_automation.decision.senses import Sense, Sensed, asked_at, due
from assetry_automation.kept import daemon_of, keep_senses, known_senses
from assetry_automation.sensing.rounds import Asked, ask_all
from assetry_automation.sensing.senses import senses_of


def ask_now(context: CommandContext, names: list[str] | None = None) -> int:
    """Ask sensors, and integrations with observe = "…", now what others have made, and record it.

    :param names: sensors and integrations; all when none is named.
    """
    project = context.project
    senses = {each.name: each for each in senses_of(project).all}
    for name in names or ():
        if name not in senses:
            known = f"Known: {', '.join(senses)}." if senses else 'Write one: @sensor(every="1m").'
            raise UsageError(f"There is no sensor {name!r}.", near=near_names(name, senses), hint=known)
    asked = _ask(context, project, [senses[name] for name in names or senses])
    if not asked:
        context.note("There is nothing to ask: no sensor, and no integration with observe.")
    if not context.text:
        context.emit({"senses": told_senses(asked)}, rows="senses")
    return 1 if any(each.problem for each in asked) else 0


def ask_due(context: CommandContext, project: Project, now: datetime) -> list[Asked]:
    """Ask what is due; a daemon that runs does so itself."""
    senses = senses_of(project).all
    sign = daemon_of(project.store) if senses else None
    if not senses or (sign is not None and sign.lives(now)):
        return []
    return _ask(context, project, due(senses, known_senses(project.store), now))


def _ask(context: CommandContext, project: Project, senses: Sequence[Sense]) -> list[Asked]:
    found = []
    for asked in ask_all(project.root, senses):
        found.append(asked)
        last = known_senses(project.store).get(asked.sense.name) or Sensed(at=datetime.now(UTC))
        after = last.again(datetime.now(UTC), asked.problem, asked.saw.keys)
        keep_senses(project.store, {asked.sense.name: after}, [each.name for each in senses_of(project).all])
        if context.text:
            context.say(f"{'failed' if asked.problem else 'asked'}   {asked.sense.name}: {_words(asked)}")
    return found


def _words(asked: Asked) -> str:
    if asked.problem is not None:
        return asked.problem
    return asked.saw.told or (f"{asked.saw.new:,} new" if asked.saw.new else "nothing new")


def told_senses(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    """Return how it went to ask senses, as JSON."""
    return [
        {"name": each.sense.name, "of": each.sense.of, "ok": each.problem is None, **each.saw._asdict()}
        | ({"told": each.problem} if each.problem is not None else {})
        for each in asked
    ]


def senses_next(context: CommandContext, now: datetime) -> Iterator[tuple[Sense, Next]]:
    """Yield when sensors and observed integrations are asked next, and why not before."""
    known = known_senses(context.project.store)
    for each in senses_of(context.project).all:
        last = known.get(each.name)
        at = asked_at(each, last, now)
        if last is not None and last.failures:
            yield each, Next("backing_off", last.told, at=at)
        else:
            yield each, Next("at", "what others have made is asked for then", at=at)
