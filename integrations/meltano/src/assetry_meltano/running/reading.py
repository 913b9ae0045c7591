"""What Meltano's log comes to, in JSON as `logging.json` beside this makes it be written: the events of a run."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Asset, Event, Level, Log, Progress, Started
from assetry_toolkit.commands import LogLimit
from assetry_toolkit.extract_load.singer import Said, read_log
from assetry_toolkit.secrets import Mask

from assetry_meltano.project.project import Pair

#: Lines of a run that are told though they are neither warnings nor errors; of those after that only the number is.
TOLD_LINES = 500
#: Lines of a plugin that stand in a failure.
_TAIL = 6
#: How Meltano begins with a pair, or does not because another run has the lock of its state.
_BEGIN = re.compile(r"(?:Running job with name|Another) '([^']+)' (?:pipeline is already running|and run ID '([^']+)')")


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


@dataclass(slots=True)
class Load:
    """One pair in a run: `well` is None as long as it has no end, `locked` while another run has its state."""

    pair: Pair
    targets: Sequence[Target]
    well: bool | None = None
    locked: bool = False
    why: str = ""
    #: Under which name its state is kept, and the run that it was last in, as Meltano has said it.
    state_id: str = ""
    run: str = ""
    #: Until when its lock is waited for.
    patience: float | None = None
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

    def target(self, stream: str) -> Target | None:
        """Return the stream that a name means; an asset without a stream stands for all of them."""
        names = ((each, (each.stream, each.asset.spec.get("name"))) for each in self.targets)
        return next((each for each, known in names if each.stream is None or stream in known), None)


class Reading:
    """The output of one `meltano run`, in which one pair comes after the other; `now` is the one that is under way.

    A pair is known by the name of its state, so what is said of a pair that is not asked for is passed over. Of a run
    that an earlier process has started (`taken_up`) some streams may be made already.
    """

    def __init__(self, loads: Sequence[Load], mask: Mask, taken_up: bool = False) -> None:
        self.loads, self._mask, self._taken_up = loads, mask, taken_up
        self.now: Load | None = None
        #: What was said before a pair began, and None as soon as one has: why none can, if so.
        self.before: Load | None = Load(Pair(), ())
        self._limit = LogLimit(TOLD_LINES, "Meltano's log")
        #: Streams that were not asked for, as far as that was told.
        self._strange: set[str] = set()

    def take(self, text: str) -> Iterator[Event]:
        """Take a line; yield what follows."""
        line: Any = None
        with suppress(ValueError):
            line = json.loads(text)
        if not isinstance(line, dict):
            yield from self._said(text, read_log(text).level)
            return
        event, level = str(line.get("event", "")), str(line.get("level", "info"))
        plugin = str(line["name"]) if "stdio" in line else None
        said = read_log(event, line.get("metric_info"), level)
        if plugin is not None and self.now is not None and said.what != "said":
            yield from self._counted(said, self.now, plugin)
        elif plugin is not None:
            yield from self._said(event, said.level, plugin)
        elif job := _BEGIN.search(event):
            self.before, self.now = None, next((load for load in self.loads if load.is_of(job[1])), None)
            if self.now is not None:
                self.now.state_id, self.now.run, self.now.why = job[1], job[2] or "", event
        elif event == "Block run completed":
            self._ended(bool(line.get("success")), str(line.get("err") or ""), line.get("exit_codes") or {})
        else:
            # What Meltano tells of its own doings is for those who look for something.
            yield from self._said(event, "debug" if said.level == "info" else said.level)

    def broken_off(self, why: str) -> None:
        """Give an end to the pair that was under way, or to all where Meltano has not begun with any.

        After a pair that failed the rest has not been begun with: that is for another run.
        """
        begun = self._taken_up or any(load.locked or load.well is not None for load in self.loads)
        for load in (self.now,) if self.now is not None else () if begun and self.before is None else self.loads:
            load.well, load.why = False, why
            if self.before is not None:
                load.said, load.errors = self.before.said, self.before.errors

    def end(self) -> Iterator[Event]:
        """Take the end; yield what was kept back."""
        return self._limit.end()

    def _ended(self, well: bool, why: str, exit_codes: dict[str, Any]) -> None:
        if self.now is None:
            return
        load, self.now = self.now, None
        load.locked = not well and not exit_codes and why == load.why
        codes = ", ".join(map(str, exit_codes.values()))
        load.well, load.why = None if load.locked else well, self._mask(f"{why} (exit code {codes})" if codes else why)

    def _said(self, text: str, level: Level, plugin: str | None = None) -> Iterator[Event]:
        # Only what is shown is masked: a password may be a part of a plugin's name.
        text = self._mask(text)
        # Of Meltano itself only what keeps it from beginning: how a pair ended is told with the pair.
        load = self.before or (self.now if plugin else None)
        if load is not None and text.strip():
            load.said.append(text)
            if level == "error":
                load.errors.append(text)
        yield from self._limit.take(f"{plugin}: {text}" if plugin and text.strip() else text, level)

    def _counted(self, said: Said, load: Load, plugin: str) -> Iterator[Event]:
        target = load.target(said.stream)
        if plugin == load.pair.loader and target is not None and said.what == "rows":
            target.loaded = (target.loaded or 0) + said.value
        if plugin != load.pair.extractor:
            return
        load.speaks = True
        if target is None:
            if not self._taken_up and said.stream not in self._strange:
                self._strange.add(said.stream)
                yield Log(self._mask(f"{plugin} reads stream {said.stream!r}, which was not asked for."), "warning")
            return
        if not target.seen:
            target.seen = True
            yield Started(target.asset.key)
        if said.what == "rows":
            target.rows = (target.rows or 0) + said.value
            yield Progress(target.asset.key, target.rows)
        elif said.what == "ended":
            target.well = target.well and bool(said.value)
