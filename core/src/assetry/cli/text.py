"""Words and tables for terminals: how counts, times, lists and rows are written, and colours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import click

from assetry.types.warnings import AssetWarning
from assetry.views.terminal import plain

#: So long may a message be that is told in one line of several.
LONG = 500
#: What our own colours begin with until they are shown: no tool and no plugin can know it.
_MARK = f"\x1b{os.urandom(8).hex()}["
_OURS = re.compile(f"{re.escape(_MARK)}([0-9;]*m)")


def styled(text: str, fg: str | None = None, *, bold: bool | None = None, dim: bool | None = None) -> str:
    """Return a text in a colour, as `click.style` does; it has it once it is `shown`.

    >>> shown(f"{styled('failed', fg='red')} {click.style('by a tool', fg='green')}")
    '\\x1b[31mfailed\\x1b[0m by a tool'
    """
    before = click.style("", fg=fg, bold=bold, dim=dim, reset=False)
    return before.replace("\x1b[", _MARK) + text + f"{_MARK}0m" if before else text


def shown(text: str) -> str:
    r"""Return a text as a terminal is given it: in our own colours, and without anything else that would command it.

    >>> shown("\x1b]0;title\x07\x1b[2Jmade")
    'made'
    """
    pieces = _OURS.split(text)
    return "".join(f"\x1b[{piece}" if i % 2 else plain(piece) for i, piece in enumerate(pieces))


def counted(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> counted(1, "asset"), counted(12000, "asset")
    ('1 asset', '12,000 assets')
    """
    plural = noun if count == 1 else (f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s")
    return f"{count:,} {plural}"


def warning_lines(warnings: Iterable[AssetWarning], most: int | None = None) -> Iterable[str]:
    """Yield warnings of assets as lines; beyond `most` only their number.

    >>> from assetry.types.keys import AssetKey
    >>> some = [AssetWarning(AssetKey(name), "is deprecated since 2026-01-01") for name in ("a", "b", "c")]
    >>> [click.unstyle(shown(line)) for line in warning_lines(some, 1)]
    [' warning  a is deprecated since 2026-01-01.', '2 more such warnings: `assetry check`.']
    """
    known = list(warnings)
    shown = known if most is None or len(known) <= most + 1 else known[:most]
    yield from (f"{styled(' warning', fg='yellow')}  {each}" for each in shown)
    if len(shown) < len(known):
        yield f"{len(known) - len(shown):,} more such warnings: `assetry check`."


def listed(names: Iterable[object], most: int | None = 3) -> str:
    """Return names as a sentence has them; beyond `most` only their number is told.

    >>> listed(["a", "b", "c", "d"], most=2), listed(["a", "b"]), listed("a")
    ('a, b and 2 more', 'a and b', 'a')
    """
    known = [str(name) for name in names]
    if most is not None and len(known) > most + 1:
        return f"{', '.join(known[:most])} and {len(known) - most:,} more"
    return f"{', '.join(known[:-1])} and {known[-1]}" if len(known) > 1 else "".join(known)


def cut(text: str, width: int = LONG) -> str:
    """Return the first line of a text, shortened to `width` characters; without it as messages are.

    >>> cut("One row per order.", 10), cut("short", 10)
    ('One row p…', 'short')
    """
    line = plain(text).strip().split("\n", 1)[0]
    return line if len(line) <= width else f"{line[: max(width - 1, 0)].rstrip()}…"


def aligned(rows: Iterable[Sequence[str]], indent: str = "", gap: str = "  ") -> list[str]:
    """Return rows of cells as lines with aligned columns.

    >>> aligned([("a", "1"), ("bcd", "2")])
    ['a    1', 'bcd  2']
    """
    table = [tuple(row) for row in rows]
    if not table:
        return []
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    form = gap.join(f"{{:<{width}}}" for width in widths)
    return [(indent + form.format(*row)).rstrip() for row in table]


def duration(seconds: float) -> str:
    """Return a duration as short as it stays meaningful.

    >>> duration(0.0123), duration(4.26), duration(75), duration(7260)
    ('12 ms', '4.3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def elapsed(seconds: float) -> str:
    """Return a time that is still running, in whole seconds.

    >>> elapsed(0.9), elapsed(65)
    ('0 s', '1 min 5 s')
    """
    return f"{int(seconds)} s" if seconds < 60 else duration(seconds)


def ago(at: datetime, now: datetime) -> str:
    """Return how long ago a moment is, in its largest unit.

    >>> from datetime import timedelta
    >>> now = datetime(2026, 1, 31)
    >>> ago(now - timedelta(hours=3, minutes=20), now), ago(now, now)
    ('3 h ago', 'just now')
    """
    seconds = int((now - at).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return "just now"


def moment(at: datetime) -> str:
    """Return a moment in the reader's own time zone, to the second."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def clock(at: datetime) -> str:
    """Return the time of day in the reader's own time zone."""
    return f"{at.astimezone():%H:%M:%S}"


STATE_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "red",
    "running": "blue",
}
