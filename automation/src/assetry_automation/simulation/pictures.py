"""What a simulation found, for people: as text, as JSON, and as a picture on a terminal or in a file. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from assetry_automation.simulation.simulation import Missed, Simulated, Simulation

#: So many rows, and lines of what starts, are shown on a terminal; all of them are in the JSON.
ROWS, LINES = 24, 60
_COLUMNS, _LABEL = 72, 30
_ROW, _LEFT, _WIDE, _TOP = 20, 260, 960, 40
#: How far apart the marks of a time axis may be.
_STEPS = tuple(timedelta(hours=each) for each in (1, 2, 3, 6, 12, 24, 48, 168, 336, 672))
_MOST_MARKS = 16
Rows = Mapping[str, tuple[list[Simulated], list[Missed]]]


def rows_of(simulation: Simulation) -> Rows:
    """Return what is drawn: by group or asset what ran, and by asset which deadlines were missed."""
    found: dict[str, tuple[list[Simulated], list[Missed]]] = {}
    rows = {key: each.row for each in simulation.invocations for key in each.keys}
    for each in simulation.invocations:
        found.setdefault(each.row, ([], []))[0].append(each)
    for missed in simulation.missed:
        found.setdefault(rows.get(missed.key, str(missed.key)), ([], []))[1].append(missed)
    return found


# -- words -------------------------------------------------------------------------------------------------------------


def told(simulation: Simulation) -> Iterator[str]:
    """Yield what would start and why, which deadlines would be missed, how much that is, and what was assumed."""
    for each in simulation.invocations[:LINES]:
        yield f"{_clock(each.began)}  {_span(each.ended - each.began):>8}  {_made(each)}  ({each.because})"
    if len(simulation.invocations) > LINES:
        yield f"… and {len(simulation.invocations) - LINES:,} more: --output json has all of them"
    yield ""
    yield from text_picture(simulation)
    yield ""
    for missed in simulation.missed:
        when = "and was not met" if missed.met is None else f"and was met at {_clock(missed.met)}"
        yield f"missed: {missed.key} was to have newer data by {_clock(missed.deadline)}, {when}"
    if not simulation.missed:
        yield "No deadline is missed."
    yield from _counts(simulation)
    yield from assumed(simulation)


def _counts(simulation: Simulation) -> Iterator[str]:
    count, crons = len(simulation.invocations), simulation.crons
    tools = sum(each.tool for each in simulation.invocations)
    yield f"{_invocations(count, tools)}: {simulation.per_week(count):,.0f} a week"
    if crons.schedules:
        week = simulation.per_week(crons.invocations)
        what = f"{crons.schedules} cron schedule{'s' * (crons.schedules != 1)} for data as new"
        yield f"{what}: {_invocations(crons.invocations, crons.tools)}: {week:,.0f} a week"


def _invocations(count: int, tools: int) -> str:
    """Return a count of invocations; how many are of tools is told where some are.

    >>> [_invocations(3, tools) for tools in (0, 2, 3)]
    ['3 invocations', '3 invocations, 2 of them of tools', '3 invocations of tools']
    """
    told = "1 invocation" if count == 1 else f"{count:,} invocations"
    if not tools:
        return told
    return f"{told} of tools" if tools == count else f"{told}, {tools:,} of them of tools"


def assumed(simulation: Simulation) -> Iterator[str]:
    """Yield what was taken for granted."""
    given = simulation.assumptions
    yield "Assumed: nothing fails, all that is made has new content, and no other run takes of its pools."
    unknown = sorted({str(key) for each in simulation.invocations for key in each.keys if key not in given.took})
    if unknown:
        yield f"Assumed: {_named(unknown)} take{'s' * (len(unknown) == 1)} {_span(given.assumed)}, as no record tells."
    for key, span in sorted(given.arrivals.items()):
        yield f"Assumed: {key} has new data each {_span(span)}, and is looked at then."


def to_json(simulation: Simulation) -> dict[str, Any]:
    """Return all that a simulation found, as JSON."""
    given, crons = simulation.assumptions, simulation.crons
    return {
        "since": simulation.since.isoformat(),
        "until": simulation.until.isoformat(),
        "invocations": [
            {
                "run": each.run,
                "group": each.row if each.tool else None,
                "began": each.began.isoformat(),
                "ended": each.ended.isoformat(),
                "assets": [str(key) for key in each.keys],
                "partitions": each.partitions,
                "because": each.because,
            }
            for each in simulation.invocations
        ],
        "missed": [
            {
                "key": str(each.key),
                "deadline": each.deadline.isoformat(),
                "met": None if each.met is None else each.met.isoformat(),
            }
            for each in simulation.missed
        ],
        "per_week": simulation.per_week(len(simulation.invocations)),
        "crons": {**crons._asdict(), "per_week": simulation.per_week(crons.invocations)},
        "assumed": {
            "seconds": given.assumed.total_seconds(),
            "known": {str(key): each.total_seconds() for key, each in given.took.items()},
            "arrivals": {str(key): each.total_seconds() for key, each in given.arrivals.items()},
        },
    }


def _made(each: Simulated) -> str:
    names = [str(key) for key in each.keys]
    parts = f" [{each.partitions:,} partition{'s' * (each.partitions != 1)}]" if each.partitions else ""
    return (f"{each.row}: " if each.tool else "") + _named(names) + parts


def _named(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3:,} more"


def _clock(moment: datetime) -> str:
    return f"{moment:%a %Y-%m-%d %H:%M}"


def _span(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


# -- on a terminal -----------------------------------------------------------------------------------------------------


def text_picture(simulation: Simulation) -> Iterator[str]:
    """Yield a picture of signs: a row for each group or asset, in the time from left to right."""
    rows = rows_of(simulation)
    whole = simulation.until - simulation.since

    def column(moment: datetime) -> int:
        return min(int((moment - simulation.since) / whole * _COLUMNS), _COLUMNS - 1)

    for name, (ran, missed) in [*rows.items()][:ROWS]:
        signs = ["·"] * _COLUMNS
        for each in ran:
            first, last = column(each.began), column(min(each.ended, simulation.until))
            signs[first : last + 1] = "█" * (last + 1 - first)
        for late in missed:
            signs[max(column(late.deadline), 0)] = "!"
        label = name if len(name) <= _LABEL else f"…{name[1 - _LABEL :]}"
        yield f"{label:<{_LABEL}} {''.join(signs)} {len(ran):,}"
    if len(rows) > ROWS:
        yield f"… and {len(rows) - ROWS:,} more: --picture FILE.svg has all of them"
    ends = f"{simulation.since:%a %H:%M}", f"{simulation.until:%a %H:%M}"
    yield f"{'':<{_LABEL}} {ends[0]}{ends[1]:>{_COLUMNS - len(ends[0])}}"


# -- as SVG ------------------------------------------------------------------------------------------------------------


def svg(simulation: Simulation) -> str:
    """Return a picture as a whole SVG document: the time from left to right, a row for each group or asset."""
    rows = rows_of(simulation)
    high = _TOP + _ROW * max(len(rows), 1) + 24
    wide = _LEFT + _WIDE + 24
    count, missed = len(simulation.invocations), len(simulation.missed)
    told = (
        f"{count:,} invocations and {missed:,} missed deadlines in {len(rows):,} rows, in the time from left to right."
    )
    title = f"{_clock(simulation.since)} to {_clock(simulation.until)}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
            'role="img" aria-labelledby="simulation-title simulation-desc">',
            f'<title id="simulation-title">{escape(title)}</title>',
            f'<desc id="simulation-desc">{told}</desc>',
            f"<style>{_STYLE}</style>",
            '<rect class="ground" width="100%" height="100%"/>',
            *_axis(simulation, high),
            *(line for i, (name, row) in enumerate(rows.items()) for line in _row(simulation, i, name, *row)),
            "</svg>",
            "",
        )
    )


def _x(simulation: Simulation, moment: datetime) -> float:
    share = (moment - simulation.since) / (simulation.until - simulation.since)
    return _LEFT + _WIDE * min(max(share, 0.0), 1.0)


def _axis(simulation: Simulation, high: int) -> Iterator[str]:
    whole = simulation.until - simulation.since
    step = next((each for each in _STEPS if whole / each <= _MOST_MARKS), _STEPS[-1])
    midnight = simulation.since.replace(hour=0, minute=0, second=0, microsecond=0)
    mark = midnight + step * -(-(simulation.since - midnight) // step)
    while mark <= simulation.until:
        x, text = _x(simulation, mark), f"{mark:%a %d}" if mark.hour == 0 else f"{mark:%H:%M}"
        yield f'<path class="line" d="M{x:.1f} {_TOP - 8}V{high - 16}"/>'
        yield f'<text class="name" x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle">{text}</text>'
        mark += step


def _row(
    simulation: Simulation, i: int, name: str, ran: Sequence[Simulated], missed: Sequence[Missed]
) -> Iterator[str]:
    y = _TOP + _ROW * i
    label = name if len(name) <= 34 else f"…{name[-33:]}"
    yield f'<text class="name" x="{_LEFT - 10}" y="{y + 13}" text-anchor="end">{escape(label)}</text>'
    for each in ran:
        x, end = _x(simulation, each.began), _x(simulation, each.ended)
        words = f"{_clock(each.began)}, {_span(each.ended - each.began)}: {_made(each)} ({each.because})"
        bar = f'x="{x:.1f}" y="{y + 3}" width="{max(end - x, 1.5):.1f}" height="{_ROW - 7}" rx="1.5"'
        yield f'<rect class="run{" tool" * each.tool}" {bar}><title>{escape(words)}</title></rect>'
    for late in missed:
        x = _x(simulation, late.deadline)
        words = f"{late.key} was to have newer data by {_clock(late.deadline)}"
        mark = f"M{x - 5:.1f} {y + 1}h10l-5 9z"
        yield f'<path class="missed" d="{mark}"><title>{escape(words)}</title></path>'


def _theme(ground: str, line: str, name: str, run: str, tool: str, missed: str) -> str:
    font = "font:12px ui-monospace,Menlo,Consolas,monospace"
    return (
        f".ground{{fill:{ground}}}.line{{stroke:{line};fill:none}}.name{{fill:{name};{font}}}"
        f".run{{fill:{run}}}.tool{{fill:{tool}}}.missed{{fill:{missed}}}"
    )


_DARK = _theme("#0d1117", "#3d444d", "#e6edf3", "#6cb0f5", "#ff8a65", "#ff6b6b")
_STYLE = (
    _theme("#ffffff", "#d0d7de", "#1f2328", "#2563a8", "#c2410c", "#b3261e")
    + f"@media (prefers-color-scheme:dark){{{_DARK}}}"
)
