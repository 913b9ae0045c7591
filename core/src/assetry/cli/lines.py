"""Events of a run, one line each: as JSON for programs, as words for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from assetry.cli.text import STATE_COLOURS, clock, counted, duration, listed, styled
from assetry.types import events as ev
from assetry.types.events import Event
from assetry.types.records import EventRecord
from assetry.views.waiting import waiting_words


def event_line(record: EventRecord) -> str:
    """Return an event as one line for people: when, what, which asset, and the facts worth a line."""
    word, colour, text = _told(record.event)
    return f"{styled(clock(record.at), dim=True)}  {styled(f'{word:<12}', fg=colour)}  {text}".rstrip()


def further_lines(event: Event) -> Iterable[str]:
    """Yield what an event says beyond its line: the rest of a long message, the next step."""
    first, text = True, ""
    if isinstance(event, (ev.Failed, ev.InvocationFinished)) or (isinstance(event, ev.Checked) and not event.passed):
        text = event.message or ""
    elif isinstance(event, ev.Skipped):
        text = event.because
    for line in text.splitlines():
        if line.strip():
            if not first:
                yield f"{'':<10}{line.rstrip()}"
            first = False
    hint = getattr(event, "hint", None)
    if hint:
        yield from (f"{'':<10}{line.rstrip()}" for line in str(hint).splitlines())


def _told(event: Event) -> tuple[str, str | None, str]:
    """Return the word for an event, its colour, and the rest of its line."""
    if isinstance(event, ev.Observed) and event.gone:
        return "gone", "yellow", event.place
    if isinstance(event, (ev.Materialized, ev.Observed)):
        return event.name, "green", f"{event.place}{_facts(event.metadata)}"
    if isinstance(event, ev.Checked):
        return _checked(event)
    if isinstance(event, ev.Failed):
        return "failed", "red", f"{event.place}: {_first(event.message)}"
    if isinstance(event, ev.Skipped):
        return _skipped(event)
    if isinstance(event, ev.Started):
        return "started", None, event.place
    if isinstance(event, ev.Deleted):
        return "deleted", "yellow", f"{event.place}: {event.what or 'only its record'}"
    if isinstance(event, ev.Log):
        return event.level, "yellow" if event.level in ("warning", "error") else None, _log(event)
    return _told_of_runs(event)


def _told_of_runs(event: Event) -> tuple[str, str | None, str]:
    if isinstance(event, ev.RunStarted):
        return "run", None, f"{counted(event.assets, 'asset')} in {counted(event.invocations, 'invocation')}"
    if isinstance(event, ev.InvocationStarted):
        what = event.command or f"{event.kind}: {listed(event.assets)}"
        return "invoke", "blue", what
    if isinstance(event, ev.InvocationFinished):
        told = f"{event.state} after {duration(event.seconds)}"
        return (
            "returned",
            STATE_COLOURS.get(event.state),
            told + (f": {_first(event.message)}" if event.message else ""),
        )
    if isinstance(event, ev.RunFinished):
        return "run", STATE_COLOURS.get(event.state), f"{event.state} after {duration(event.seconds)}"
    if isinstance(event, ev.Progress):
        total = "" if event.total is None else f" of {event.total:g}"
        return "progress", None, f"{event.key}: {event.done:g}{total}"
    if isinstance(event, ev.Handle):
        return "job", None, " ".join(part for part in (event.token, event.url) if part)
    if isinstance(event, ev.Waiting):
        return "waiting", "yellow", waiting_text(event)
    if isinstance(event, ev.JobOver):
        return "job", "yellow", f"{event.token} is over"
    return event.name, None, str(getattr(event, "key", ""))


def waiting_text(event: ev.Waiting) -> str:
    """Return for what an invocation waits, for whom, and since when they have it."""
    words = waiting_words(event.pool, event.runs, held=event.held)
    return f"{words} since {clock(datetime.fromisoformat(event.since))}"


def _skipped(event: ev.Skipped) -> tuple[str, str | None, str]:
    if event.unchanged:
        return "unchanged", "green", f"{event.place}: {_first(event.because.removeprefix('unchanged: '))}"
    return "cancelled" if event.cancelled else "skipped", "yellow", f"{event.place}: {_first(event.because)}"


def _checked(event: ev.Checked) -> tuple[str, str | None, str]:
    told = f"{event.check} of {event.key}" + (
        f": {_first(event.message)}" if event.message and not event.passed else ""
    )
    if event.passed:
        return "passed", "green", told
    return event.outcome, "red" if event.outcome == "failed" else "yellow", f"check {told}"


def _log(event: ev.Log) -> str:
    return f"{event.key}: {event.message}" if event.key else event.message


def _first(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] + (" …" if len(lines) > 1 else "") if lines else ""


def _facts(metadata: Any) -> str:
    rows = metadata.get("rows")
    return f"  ({counted(rows, 'row')})" if isinstance(rows, int) and not isinstance(rows, bool) else ""
