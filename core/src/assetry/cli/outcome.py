"""How a run went: what is told at its end, and the exit code; `materialize` and `retry` share it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from assetry.cli.progress import Progress, View, progress_for
from assetry.cli.session import Session
from assetry.cli.text import STATE_COLOURS, counted, duration, listed, styled
from assetry.python.prints import without_echo
from assetry.run.result import RunResult
from assetry.types.events import Checked, Failed, Skipped
from assetry.types.records import WELL, EventRecord
from assetry.views.json import result_to_json

CODES = {"succeeded": 0, "failed": 1, "cancelled": 130, "interrupted": 130}

#: How many lines of a long message are shown, at its beginning and at its end.
_FIRST, _LAST = 8, 4

Carry = Callable[[Callable[[EventRecord], None]], RunResult]


def carry_out(session: Session, run: Carry) -> int:
    """Run something, show how it goes, tell how it went; return the exit code."""
    gc.freeze()  # the definitions stay to the end: there is nothing in them to look for
    gc.enable()
    with progress_for(session) as progress, without_echo():
        result = run(progress.take)
    if session.text and not result.outcomes and not result.counts:
        session.say(_nothing_made(result))
    elif session.text:
        view = progress.view
        session.say("\n".join(_summary(result, progress, session)))
        if result.run.state != "succeeded" and result.recorded:
            session.note(_next(result, mended=_has_hint(view)))
    elif session.output == "json":
        attempts, checks = result.outcomes.values(), progress.view.checks
        session.emit(result_to_json(result.run, result.counts, attempts, checks, result.problems))
    return CODES[result.run.state]


def _nothing_made(result: RunResult) -> str:
    """Return why a run that was planned made nothing."""
    if result.run.state == "cancelled":
        return f"{styled('cancelled', fg=STATE_COLOURS['cancelled'], bold=True)} before it had begun."
    return "Nothing is left to run: another run has made it meanwhile."


def _has_hint(view: View) -> bool:
    return any(each.hint for each in view.failures) or any(each.hint for each in view.problems)


def _next(result: RunResult, mended: bool) -> str:
    """Return what to do next; `mended` tells that a next step stands with what failed, without which it fails again."""
    logs = f"`assetry logs {result.run.id}` shows all that happened."
    left = any(each.outcome not in WELL for each in result.outcomes.values())
    first = "Once that is mended, " if mended else ""
    # Without its id a retry leaves what is of a backfill to that.
    command = f"assetry retry {result.run.id}" if result.run.backfill else "assetry retry"
    return f"{first}`{command}` runs what is left; {logs}" if left else logs


def _summary(result: RunResult, progress: Progress, session: Session) -> Iterable[str]:
    view = progress.view
    for problem in view.problems:
        yield from _failed(problem.label, problem.message, None, problem.hint, session)
    yield from _failures(view.failures, session)
    for check in view.checks:
        if not check.passed:
            yield from _check(check, session)
    yield from _skipped(view.skipped)
    yield _totals(result)


def _failed(what: str, message: str, place: str | None, hint: str | None, session: Session) -> Iterable[str]:
    yield f"{styled('failed', fg='red', bold=True)}  {what}"
    yield from _indented(_cut(message, session))
    if place:
        yield f"    at {place}"
    if hint:
        yield from _indented(session.standing.hint(hint))
    yield ""


def _failures(failures: Iterable[Failed], session: Session) -> Iterable[str]:
    """Yield each failure once, with all assets that have it: what breaks a whole invocation is the same for each.

    Of some that differ by their message alone the place and the next step are told once, below the last of them.
    """
    alike: dict[tuple[str, str | None, str | None], list[Failed]] = {}
    for failure in failures:
        alike.setdefault((failure.message, failure.hint, failure.where), []).append(failure)
    told: dict[tuple[str | None, str | None, str], list[tuple[str, str]]] = {}
    for (message, hint, where), same in alike.items():
        names = [each.place for each in same]
        place = _place(same[0], session) if where or len(same) == 1 else None
        told.setdefault((hint, place, "" if hint else message), []).append((listed(names, 5), message))
    for (hint, place, _), each in told.items():
        *others, (what, message) = each
        for other in others:
            yield from [*_failed(*other, None, None, session)][:-1]
        yield from _failed(what, message, place, hint, session)


def _place(failure: Failed, session: Session) -> str | None:
    """Return where what is at fault stands, as far as the message does not say it: often it does, and more exactly."""
    known, key = session.project.graph, failure.key
    asset = known[key] if key in known else None  # noqa: SIM401 - a graph is no mapping
    where = failure.where or (asset.source if asset is not None else None)
    told = where is None or where.partition(":")[0] in failure.message
    return None if told else session.place(where, asset)


def _check(check: Checked, session: Session) -> Iterable[str]:
    graph = session.project.graph
    colour = "red" if check.outcome == "failed" else "yellow"
    yield f"{styled(f'check {check.outcome}', fg=colour, bold=True)}  {check.check} of {check.key}"
    if check.message:
        yield from _indented(_cut(check.message, session))
    known = graph[check.key].checks if check.key in graph else ()
    source = next((each.source for each in known if each.name == check.check and each.source), None)
    if source and source not in (check.message or ""):
        yield f"    at {session.place(source, graph[check.key])}"
    yield ""


def _skipped(skipped: Iterable[Skipped]) -> Iterable[str]:
    by_cause: dict[tuple[str, str], dict[str, list[str]]] = {}
    for each in skipped:
        parts = by_cause.setdefault(("cancelled" if each.cancelled else "skipped", each.because), {})
        parts.setdefault(each.key, []).extend([each.parts] if each.parts is not None else ())
    for (word, because), parts in by_cause.items():
        named = [f"{key} [{listed(own, 3)}]" if own else key for key, own in parts.items()]
        yield f"{styled(word, fg='yellow')}  {listed(named, 5)}: {because}"
    if by_cause:
        yield ""


def _cut(message: str, session: Session) -> str:
    """Return the first and last lines of a long message: what is wrong, and where; with -v all of it."""
    lines = message.strip().splitlines()
    left = len(lines) - _FIRST - _LAST
    if session.verbose or left <= 1:
        return message
    return "\n".join((*lines[:_FIRST], f"… {left:,} more lines, which `assetry logs` has", *lines[-_LAST:]))


def _indented(text: str) -> Iterable[str]:
    return (f"    {line}".rstrip() for line in text.strip().splitlines())


def _totals(result: RunResult) -> str:
    run, counts = result.run, result.counts
    took = duration(((run.finished or datetime.now(run.started.tzinfo)) - run.started).total_seconds())
    # What a tool could not leave out was made as well, and not asked for.
    asked, made = set(run.assets), ((key, each.outcome == "materialized") for (key, _), each in result.outcomes.items())
    along = sum(is_made and key not in asked for key, is_made in made)
    counts = {**counts, "materialized": counts.get("materialized", 0) - along}
    assets = [f"{counts[name]:,} {word}" for name, word in _ASSETS.items() if counts.get(name)]
    checks = [f"{counts[name]:,} {word}" for name, word in _CHECKS.items() if counts.get(name)]
    told = [f"{counted(len(run.assets), 'asset')}: {', '.join(assets) or 'none made'}"]
    told += [f"{along:,} more came along"] if along else []
    told += [f"with {listed([f'run {run}' for run in result.joined])}"] if result.joined else []
    total = sum(counts.get(name, 0) for name in _CHECKS)
    told += [f"{counted(total, 'check')}: {', '.join(checks)}"] if checks else []
    state = styled(run.state, fg=STATE_COLOURS.get(run.state), bold=True)
    return f"{state} after {took}; {'; '.join(told)}"


_ASSETS: Mapping[str, str] = {
    "materialized": "made",
    "joined": "made by others",
    "unchanged": "unchanged",
    "failed": "failed",
    "cancelled": "cancelled",
    "skipped": "skipped",
}
_CHECKS: Mapping[str, str] = {f"checks_{word}": word for word in ("passed", "failed", "warned", "cancelled")}
