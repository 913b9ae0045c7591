"""How a run is watched: lines on stderr, JSON lines on stdout, or a live picture where stderr is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from assetry.cli.lines import event_line, waiting_text
from assetry.cli.output import note_line
from assetry.cli.picture import Picture
from assetry.cli.runs.logs import is_for_people
from assetry.cli.session import Session
from assetry.cli.text import counted, elapsed, listed
from assetry.types.events import (
    TERMINAL,
    Checked,
    Event,
    Failed,
    InvocationFinished,
    InvocationStarted,
    Log,
    Materialized,
    RunStarted,
    Skipped,
    Started,
    Waiting,
)
from assetry.types.events import (
    Progress as Progressed,
)
from assetry.types.records import EventRecord
from assetry.views.json import json_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


@dataclass(slots=True)
class Doing:
    """What is being made since an event: how many have no end yet, and how far it is."""

    begun: Started
    left: int
    share: str = ""


@dataclass(slots=True)
class Track:
    """One invocation under way, as it is shown."""

    label: str
    total: int
    began: float
    done: int = 0
    #: What is being made, by what it is called.
    active: dict[str, Doing] = field(default_factory=dict)

    def begin(self, event: Started) -> None:
        """Note what is being made."""
        self.active[event.place] = Doing(event, event.count)

    def end(self, event: Materialized | Failed | Skipped) -> None:
        """Note an end: of what was begun, or of some of a range that was."""
        self.done += event.count
        ranges = (each.begun for each in self.active.values() if each.begun.through is not None)
        of_it = next((each.place for each in ranges if each.key == event.key), None)
        place = event.place if event.place in self.active else of_it
        if place is not None:
            self.active[place].left -= event.count
            if self.active[place].left <= 0:
                del self.active[place]


class Problem(NamedTuple):
    """What broke an invocation, and the next step."""

    label: str
    message: str
    hint: str | None


@dataclass(slots=True)
class View:
    """What is known of a run from its events so far."""

    total: int = 0
    #: What is counted: assets, or partitions where some have these.
    what: str = "asset"
    done: int = 0
    problems: list[Problem] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    #: How many did not have to be made.
    unchanged: int = 0
    checks: list[Checked] = field(default_factory=list)
    tracks: dict[str | None, Track] = field(default_factory=dict)
    #: By invocation that has not begun: what it waits for.
    waiting: dict[str | None, Waiting] = field(default_factory=dict)
    passed: int = 0
    began: float = field(default_factory=time.monotonic)

    def take(self, record: EventRecord) -> None:
        """Take one event."""
        event = record.event
        if isinstance(event, RunStarted):
            self.total = event.partitions or event.assets
            self.what = "partition" if event.partitions else "asset"
        elif isinstance(event, Waiting):
            self.waiting[record.invocation] = event
        elif isinstance(event, InvocationStarted):
            self.waiting.pop(record.invocation, None)
            label = event.kind if len(event.assets) > 1 else f"{event.kind} {listed(event.assets)}"
            self.tracks[record.invocation] = Track(label, event.partitions or len(event.assets), time.monotonic())
        elif isinstance(event, InvocationFinished):
            self._take_end(self.tracks.pop(record.invocation, None), event)
        elif isinstance(event, Checked):
            self.passed += event.passed
            self.checks.append(event)
        else:
            self._take_of_asset(record.invocation, event)

    def _take_end(self, track: Track | None, event: InvocationFinished) -> None:
        # Assets that had begun have failed with the same words.
        told = any(each.message == event.broken for each in self.failures)
        if event.broken is not None and not told:
            self.problems.append(Problem(track.label if track else "a tool", event.broken, event.hint))

    def _take_of_asset(self, invocation: str | None, event: Event) -> None:
        track = self.tracks.get(invocation)
        if isinstance(event, TERMINAL):
            self.done += event.count
            if track is not None:
                track.end(event)
        if isinstance(event, Failed):
            self.failures.append(event)
        elif isinstance(event, Skipped) and event.unchanged:
            self.unchanged += event.count
        elif isinstance(event, Skipped):
            self.skipped.append(event)
        elif isinstance(event, Started) and track is not None:
            track.begin(event)
        elif isinstance(event, Progressed) and track is not None and event.key in track.active:
            track.active[event.key].share = f" {event.done / event.total:.0%}" if event.total else f" {event.done:g}"


class Progress:
    """A run followed without showing anything; the base of the ways of showing it."""

    def __init__(self) -> None:
        self.view = View()

    def take(self, record: EventRecord) -> None:
        """Take one event."""
        self.view.take(record)
        self.show(record)

    def show(self, record: EventRecord) -> None:
        """Show one event."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class LineProgress(Progress):
    """Progress as one line per event on stderr."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._told: dict[tuple[str | None, str], str] = {}

    def show(self, record: EventRecord) -> None:
        """Write the event's line, unless only debugging has use for it."""
        if self._session.verbose or is_for_people(record.event):
            note_line(event_line(self._shortened(record)), self._session.color)

    def _shortened(self, record: EventRecord) -> EventRecord:
        """Return a record without what a line has told already: what breaks an invocation fails each of its assets."""
        event = record.event
        if isinstance(event, (Failed, InvocationFinished)) and event.message:
            first = self._told.setdefault((record.invocation, event.message), getattr(event, "place", ""))
            if isinstance(event, InvocationFinished) and first:
                return replace(record, event=replace(event, message=None))
            if isinstance(event, Failed) and first != event.place:
                return replace(record, event=replace(event, message=f"as {first}"))
        return record


class JsonProgress(Progress):
    """Progress as one JSON object per event on stdout, written at once."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def show(self, record: EventRecord) -> None:
        """Write the event; when the reader is gone the run goes on unseen."""
        self._session.emit_line(json_line(record))


class LiveProgress(Progress):
    """Progress on a terminal: the invocations under way, below the lines of what has ended."""

    def __init__(self, session: Session, console: Console | None = None) -> None:
        super().__init__()
        self._session = session
        self._picture = Picture(session, lambda: picture_lines(self.view), console, times_a_second=8)

    def __enter__(self) -> Self:
        self._picture.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._picture.__exit__()

    def show(self, record: EventRecord) -> None:
        """Write what has ended above the picture."""
        if self._session.verbose or _has_ended(record.event):
            self._picture.stay(record)

    def picture(self) -> Text:
        """Return what is under way: a line per invocation, and one for the whole run."""
        return self._picture.text()


_MOST_TRACKS = 12


def picture_lines(view: View, now: float | None = None) -> Iterable[str]:
    """Yield the lines of the picture: a line per invocation under way, and one for the whole run."""
    now = time.monotonic() if now is None else now
    tracks = list(view.tracks.values())
    for track in tracks[:_MOST_TRACKS]:
        active = listed((f"{place}{each.share}" for place, each in track.active.items()), 2)
        share = f" {track.done}/{track.total}" if track.total > 1 else ""
        doing = f"  {active}" if active and active not in track.label else ""
        yield f"▸ {elapsed(now - track.began):>9}  {track.label}{share}{doing}"
    # Those that wait for the same are told once.
    for told in dict.fromkeys(map(waiting_text, view.waiting.values())):
        yield f"  {'':>9}  {told}"
    if len(tracks) > _MOST_TRACKS:
        yield f"  … and {counted(len(tracks) - _MOST_TRACKS, 'invocation')} more"
    bad = [each for each in view.checks if not each.passed]
    parts = [f"{view.done}/{counted(view.total, view.what)}"]
    parts += [f"{counted(len(view.problems), 'invocation')} broken"] if view.problems else []
    parts += [f"{view.unchanged} unchanged"] if view.unchanged else []
    parts += [f"{sum(each.count for each in view.failures)} failed"] if view.failures else []
    parts += [f"{sum(each.count for each in view.skipped)} skipped"] if view.skipped else []
    parts += [f"{counted(view.passed, 'check')} passed"] if view.passed else []
    parts += [f"{counted(len(bad), 'check')} did not pass"] if bad else []
    yield f"  {elapsed(now - view.began):>9}  {' · '.join(parts)}"


def _has_ended(event: Event) -> bool:
    if isinstance(event, Checked):
        return not event.passed
    if isinstance(event, Log):
        return event.level in ("warning", "error")
    return isinstance(event, (Materialized, Failed, Skipped, Waiting)) or event.name == "observed"


def progress_for(session: Session) -> Progress:
    """Return the way of showing a run that fits where the output goes."""
    if session.output == "ndjson":
        return JsonProgress(session)
    if session.quiet:
        return Progress()
    return LiveProgress(session) if sys.stderr.isatty() else LineProgress(session)
