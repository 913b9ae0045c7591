"""What Meltano's log comes to: the events of a run, and how each stream came out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from assetry.plugin import Asset, Event, Failed, Log, Progress, Started
from assetry_toolkit.hosted.pulling import counted
from assetry_toolkit.secrets import Mask

from assetry_meltano.project.project import Pair
from assetry_meltano.running.log import Line, read_line

#: Lines of a run that are told though they are neither warnings nor errors; of those after that only the number is.
TOLD_LINES = 500
#: Lines of a plugin that stand in a failure.
_TAIL = 6
#: The count of rows of a table that is not there.
ABSENT = -1


@dataclass(slots=True)
class Target:
    """One stream on its way: `rows` were extracted and `loaded` taken, as far as that is said."""

    asset: Asset
    rows: int | None = None
    loaded: int | None = None
    before: int | None = None
    seen: bool = False
    well: bool = True

    @property
    def stream(self) -> str | None:
        """Return the stream's id; None for an asset that stands for all streams of its pair."""
        stream: str | None = self.asset.spec["stream"]
        return stream

    @property
    def told_rows(self) -> str:
        """Return how many rows were extracted, for people."""
        return f"{counted(self.rows or 0, 'row')} of {self.stream}"


@dataclass(slots=True)
class Load:
    """One pair in a run: `well` is None as long as it has no end, `locked` while another run has its state."""

    pair: Pair
    targets: Sequence[Target]
    well: bool | None = None
    locked: bool = False
    why: str = ""
    #: Under which name its state is kept, as Meltano has said it.
    state_id: str | None = None
    speaks: bool = False
    said: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))

    def is_of(self, state_id: str) -> bool:
        """Tell whether a state is that of this pair, in whichever environment."""
        return f"{self.pair.extractor}-to-{self.pair.loader}" in state_id.split(":")

    @property
    def is_file(self) -> bool:
        """Tell whether the loader writes into a file that nothing else can use meanwhile."""
        return any(target.asset.io is not None for target in self.targets)

    @property
    def filter(self) -> list[str] | None:
        """Return the streams to read, when these are not all of them."""
        streams = [target.stream for target in self.targets if target.stream is not None]
        return streams if streams and len(streams) < self.targets[0].asset.spec["of"] else None


class Reading:
    """The output of one `meltano run`, in which one pair comes after the other; `now` is the one that is under way.

    A pair is known by the name of its state, so what is said of a pair that is not asked for is passed over. Of a run
    that an earlier process has started (`taken_up`) some streams may be made already.
    """

    def __init__(self, loads: Sequence[Load], mask: Mask, taken_up: bool = False) -> None:
        self.loads, self._mask = loads, mask
        self.now: Load | None = None
        #: What was said before a pair began, and None as soon as one has: why none can, if so.
        self.before: Load | None = Load(Pair("", ""), ())
        self._lines = 0
        #: Streams that were not asked for, as far as that was told; None where that need not be.
        self._strange: set[str] | None = None if taken_up else set()

    def take(self, text: str) -> Iterator[Event]:
        """Take a line; yield what follows."""
        line = read_line(text)
        # Only what is shown: a password may be a part of a plugin's name.
        line = line._replace(text=self._mask(line.text))
        if line.what in ("job", "locked"):
            self.before = None
            self.now = next((load for load in self.loads if load.is_of(line.name)), None)
            if self.now is not None:
                self.now.state_id, self.now.why = line.name, line.text
        elif line.what == "block" and self.now is not None:
            load, self.now = self.now, None
            load.locked = not line.value and line.text == load.why
            load.well, load.why = None if load.locked else line.value, line.text
        elif line.what in ("began", "rows", "ended") and self.now is not None:
            yield from self._counted(line, self.now)
        elif line.what != "block":
            yield from self._said(line)

    def broken_off(self, why: str) -> None:
        """Give an end to the pair that was under way, or to all where Meltano has not begun with any.

        After a pair that failed the rest has not been begun with: that is for another run.
        """
        begun = self._strange is None or any(load.locked or load.well is not None for load in self.loads)
        for load in (self.now,) if self.now is not None else () if begun and self.before is None else self.loads:
            load.well, load.why = False, why
            if self.before is not None:
                load.said, load.errors = self.before.said, self.before.errors

    def end(self) -> Iterator[Event]:
        """Take the end; yield what was kept back."""
        if self._lines > TOLD_LINES:
            yield Log(f"{self._lines - TOLD_LINES} more lines of Meltano's log are left out.", "info")

    def _said(self, line: Line) -> Iterator[Event]:
        if not line.text.strip():
            return
        # Of Meltano itself only what keeps it from beginning: how a pair ended is told with the pair.
        load = self.before or (self.now if line.plugin else None)
        if load is not None:
            load.said.append(line.text)
            if line.level == "error":
                load.errors.append(line.text)
        self._lines += line.level != "warning"
        if self._lines <= TOLD_LINES or line.level in ("warning", "error"):
            yield Log(f"{line.plugin}: {line.text}" if line.plugin else line.text, line.level)

    def _counted(self, line: Line, load: Load) -> Iterator[Event]:
        # An asset without a stream stands for all of them.
        names = ((each, (each.stream, each.asset.spec.get("name"))) for each in load.targets)
        target = next((each for each, known in names if each.stream is None or line.name in known), None)
        if line.plugin == load.pair.loader and target is not None and line.what == "rows":
            target.loaded = (target.loaded or 0) + line.value
        if line.plugin != load.pair.extractor:
            return
        load.speaks = True
        if target is None:
            if self._strange is not None and line.name not in self._strange:
                self._strange.add(line.name)
                told = f"{line.plugin} reads stream {line.name!r}, which was not asked for."
                yield Log(self._mask(told), "warning")
            return
        if not target.seen:
            target.seen = True
            yield Started(target.asset.key)
        if line.what == "rows":
            target.rows = (target.rows or 0) + line.value
            yield Progress(target.asset.key, target.rows)
        elif line.what == "ended":
            target.well = target.well and line.value


def failure(load: Load, target: Target, hint: str | None, accept_silence: bool) -> Failed | None:
    """Return why a stream did not come out well as far as the log tells; None when it did.

    * A pair that failed fails each of its streams: what was read before may be loaded in part.
    * A stream that was asked for and not read is no success, whatever the exit code: a choice that matches nothing ends
      well. Of an extractor that never tells what it reads only the exit code is known; that is taken where all of its
      streams were asked for, or with `accept_silence`.
    """
    key, tap = target.asset.key, load.pair.extractor
    if not load.well:
        said = "\n".join(load.errors or load.said)
        read = f" after {target.rows:,} rows of {target.stream}" if target.rows else ""
        return Failed(key, f"{load.pair}: {load.why or 'it broke off'}{read}.", hint or (said or None), retryable=True)
    if not target.well:
        return Failed(key, f"{tap} says that it failed to read {target.stream}.", "\n".join(load.errors) or None)
    silent = not load.speaks and (load.filter is None or accept_silence)
    if target.seen or silent or target.stream is None:
        return _miscounted(load, target)
    if load.speaks:
        advice = f"Its streams may be others by now: `assetry meltano pull`, or look what `meltano select {tap}` says."
        return Failed(key, f"{target.stream} was asked for, and {tap} did not read it.", advice)
    advice = 'Its log has no METRIC lines. Choose all its streams, or take Meltano\'s word: results = "exit code".'
    return Failed(key, f"Nothing tells that {tap} has read {target.stream}, which was chosen from its streams.", advice)


def _miscounted(load: Load, target: Target) -> Failed | None:
    """Return that a loader took fewer rows than were extracted, where it says so itself."""
    if target.asset.spec.get("mapped") or target.loaded is None or target.loaded >= (target.rows or 0):
        return None
    return lost(load, target, f"{load.pair.loader} took {target.loaded:,} of them")


def lost(load: Load, target: Target, told: str) -> Failed:
    """Return that rows of a stream were lost on the way."""
    known = ""
    if load.pair.loader.startswith("target-duckdb"):
        known = "target-duckdb 0.8.0 is known to lose the first row of each batch: use another loader. "
    hint = (
        f"{known}The state goes on behind these rows, so read them anew: assetry materialize -s {target.asset.key} "
        '--full-refresh. If the extractor repeats rows, record_count = "warn" takes what comes.'
    )
    return Failed(target.asset.key, f"{load.pair.extractor} extracted {target.told_rows}, and {told}.", hint)


def missing(load: Load, target: Target, rows: int | None) -> Failed | None:
    """Return that a table has fewer rows than it must have after a load; None when it may be right, or is not known.

    Rows with the same key become one, so with keys the table has at least as many as were extracted only if none was
    repeated, which is the rule. Without keys rows are added, or take the place of all.
    """
    spec = target.asset.spec
    if rows is None or not target.rows or spec.get("mapped") or spec.get("method") == "LOG_BASED":
        return None
    if rows == ABSENT:
        told = f"{load.pair.extractor} extracted {target.told_rows}, and there is no table {target.asset.relation}."
        place = f"[integrations.{target.asset.key.parts[0]}.loaders.{load.pair.loader}]"
        return Failed(target.asset.key, told, f"Say where it is: schema, table or join = false in {place}.")
    least = target.rows
    if not spec.get("keys") and target.before is not None and rows != target.rows:
        least += max(target.before, 0)
    if rows >= least:
        return None
    had = f", after {target.before:,} before," if target.before else ""
    return lost(load, target, f"the table {target.asset.relation}{had} has {rows:,}")
