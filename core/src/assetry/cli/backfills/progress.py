"""How a backfill is watched: a live table where stderr is a terminal, lines elsewhere, JSON lines on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

from assetry.cli.backfills.backfills import counts_text, end_text
from assetry.cli.lines import event_line, waiting_text
from assetry.cli.output import note_line
from assetry.cli.picture import Picture
from assetry.cli.session import Session
from assetry.cli.text import aligned, elapsed
from assetry.status.backfill import Backfill
from assetry.types.events import Checked, Failed, InvocationFinished, InvocationStarted, Waiting
from assetry.types.records import EventRecord
from assetry.views.backfill import backfill_to_json
from assetry.views.json import json_line, json_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: Seconds between two lines where there is no terminal.
PAUSE = 10.0
_MOST_ASSETS = 12


class BackfillProgress:
    """A backfill followed without showing anything; the base of the ways of showing it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.backfill: Backfill | None = None
        self.waiting: dict[tuple[str, str | None], Waiting] = {}
        self.began = time.monotonic()
        self._first_done: int | None = None

    def hear(self, record: EventRecord) -> None:
        """Take an event of one of its runs."""
        place = (record.run, record.invocation)
        if isinstance(record.event, Waiting):
            self.waiting[place] = record.event
        elif isinstance(record.event, (InvocationStarted, InvocationFinished)):
            self.waiting.pop(place, None)
        self.show(record)

    def take(self, backfill: Backfill) -> None:
        """Take how it stands."""
        self.backfill = backfill
        if self._first_done is None:
            self._first_done = backfill.done
        self.tell()

    @property
    def rate(self) -> str:
        """Return how fast it goes, for people."""
        seconds = time.monotonic() - self.began
        made = 0 if self.backfill is None else self.backfill.done - (self._first_done or 0)
        return f"{60 * made / seconds:,.1f} a minute" if made and seconds >= 1 else ""

    def show(self, record: EventRecord) -> None:
        """Show an event."""

    def tell(self) -> None:
        """Show how it stands."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class LineProgress(BackfillProgress):
    """Lines on stderr: what fails or waits, and now and then how it stands."""

    _told: str = ""
    _told_at = float("-inf")

    def show(self, record: EventRecord) -> None:
        """Write the line of an event that is no success, all of them with -v."""
        if self._session.verbose or is_trouble(record):
            note_line(event_line(record), self._session.color)

    def tell(self) -> None:
        """Write how it stands, unless that was written just now."""
        now = time.monotonic()
        if self.backfill is not None and now - self._told_at >= PAUSE:
            told = ", ".join(filter(None, (counts_text(self.backfill), self.rate, end_text(self.backfill))))
            if told != self._told:
                note_line(f"backfill {self.backfill.id}: {told}", self._session.color)
                self._told, self._told_at = told, now


class JsonProgress(BackfillProgress):
    """JSON lines on stdout: the events of its runs, and how it stands."""

    def show(self, record: EventRecord) -> None:
        """Write the event."""
        self._session.emit_line(json_line(record))

    def tell(self) -> None:
        """Write how it stands."""
        if self.backfill is not None:
            self._session.emit_line(json_text({"version": 1, "event": "backfill", **backfill_to_json(self.backfill)}))


class LiveProgress(BackfillProgress):
    """A table on a terminal, below the lines of what failed."""

    def __init__(self, session: Session, console: Console | None = None) -> None:
        super().__init__(session)
        self._picture = Picture(session, lambda: table_lines(self), console, times_a_second=4)

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._picture.__exit__()

    def show(self, record: EventRecord) -> None:
        """Write what failed above the table."""
        if self._session.verbose or is_trouble(record):
            self._picture.stay(record)

    def picture(self) -> Text:
        """Return the table."""
        return self._picture.text()


def is_trouble(record: EventRecord) -> bool:
    """Tell whether an event is of something that failed, or waits."""
    event = record.event
    broken = isinstance(event, InvocationFinished) and event.broken is not None
    return broken or isinstance(event, (Failed, Waiting)) or (isinstance(event, Checked) and event.stops)


def table_lines(progress: BackfillProgress, now: float | None = None) -> Iterable[str]:
    """Yield the lines of the table: how far each asset is, then all of it, how fast, and until when."""
    found = progress.backfill
    if found is None:
        yield "  reading what there is …"
        return
    rows = [
        (
            str(each.key),
            _bar(each.done, each.failed, each.wanted),
            f"{each.done:,}/{each.wanted:,}",
            f"{each.failed:,} failed" if each.failed else "",
            f"{each.left:,} left" if each.left else "",
        )
        for each in found.assets[:_MOST_ASSETS]
    ]
    yield from aligned(rows, indent="  ")
    if len(found.assets) > _MOST_ASSETS:
        yield f"  … and {len(found.assets) - _MOST_ASSETS:,} assets more"
    for told in dict.fromkeys(map(waiting_text, progress.waiting.values())):
        yield f"  {told}"
    took = elapsed((time.monotonic() if now is None else now) - progress.began)
    running = f"{found.running:,} under way" if found.running else ""
    yield f"  {took:>9}  {' · '.join(filter(None, (counts_text(found), running, progress.rate, end_text(found))))}"


def _bar(done: int, failed: int, wanted: int, width: int = 20) -> str:
    """Return a bar of what is done and what failed.

    >>> _bar(5, 1, 10, 10)
    '█████×····'
    """
    full, bad = width * done // max(wanted, 1), -(-width * failed // max(wanted, 1))
    return f"{'█' * full}{'×' * min(bad, width - full)}".ljust(width, "·")


def progress_of(session: Session) -> BackfillProgress:
    """Return the way of showing a backfill that fits where the output goes."""
    if session.output == "ndjson":
        return JsonProgress(session)
    if session.quiet or not session.text:
        return BackfillProgress(session) if session.quiet else LineProgress(session)
    return LiveProgress(session) if sys.stderr.isatty() else LineProgress(session)
