"""What Meltano's log comes to, in JSON as `logging.json` of this package makes it be written: the events of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assetry.plugin import Asset, Event, Level, Log
from assetry_toolkit.commands import LastWords, LogLimit, plain
from assetry_toolkit.files import json_object
from assetry_toolkit.secrets import Mask
from assetry_toolkit.singer.loads import Advice, StreamLoad, TapLoad
from assetry_toolkit.singer.logs import Said, read_log

from assetry_meltano.project.program import TAIL
from assetry_meltano.project.project import Pair

#: Lines of a run that are told though they are neither warnings nor errors; of those after that only the number is.
TOLD_LINES = 500
_UNREAD = "Its streams may be others by now: `assetry meltano pull`, or look what `meltano select {}` says."
#: How Meltano begins with a pair, or does not because another run has the lock of its state.
_BEGIN = re.compile(r"(?:Running job with name|Another) '([^']+)' (?:pipeline is already running|and run ID '([^']+)')")


@dataclass(slots=True, kw_only=True)
class Load(TapLoad):
    """One pair in a run: `well` is None as long as it has no end, `locked` while another run has its state.

    `state_id` is the name under which its state is kept, and `run` the run that it was last in, as Meltano has said it.
    """

    pair: Pair
    well: bool | None = None
    locked: bool = False
    why: str = ""
    state_id: str = ""
    run: str = ""
    #: Until when its lock is waited for.
    patience: float | None = None
    words: LastWords = field(default_factory=lambda: LastWords(TAIL))

    @classmethod
    def of(cls, pair: Pair, assets: Sequence[Asset]) -> Load:
        """Return the load of some streams of a pair."""
        spec, tap, name = assets[0].spec, pair.extractor, assets[0].key.parts[0]
        place = f"[integrations.{name}.loaders.{pair.loader}]"
        advice = Advice(
            unread=_UNREAD.format(tap),
            silent=', or take Meltano\'s word: results = "exit code"',
            lost='If the extractor repeats rows, record_count = "warn" takes what comes.',
            nowhere=f"Say where it is: schema, table or join = false in {place}.",
        )
        streams = [StreamLoad(asset) for asset in assets]
        return cls(tap, pair.loader, streams, offered=spec["of"], mapped=spec["mapped"], advice=advice, pair=pair)

    @property
    def is_file(self) -> bool:
        """Tell whether the loader writes into a file that nothing else can use meanwhile."""
        return any(stream.asset.io is not None for stream in self.streams)


class Reading:
    """The output of one `meltano run`, in which one pair comes after the other; `now` is the one that is under way.

    A pair is known by the name of its state, so what is said of a pair that is not asked for is passed over. Of a run
    that an earlier process has started (`taken_up`) some streams may be made already.
    """

    def __init__(self, loads: Sequence[Load], mask: Mask, taken_up: bool = False) -> None:
        self.loads, self._mask, self.taken_up = loads, mask, taken_up
        self.now: Load | None = None
        #: What was said before a pair began, and None as soon as one has: why none can, if so.
        self._before: LastWords | None = LastWords(TAIL)
        self._limit = LogLimit(TOLD_LINES, "Meltano's log")

    def take(self, text: str) -> Iterator[Event]:
        """Take a line; yield what follows."""
        line = json_object(text)
        if not line:
            yield from self._said(text, read_log(text).level)
            return
        event, plugin = str(line.get("event", "")), str(line["name"]) if "stdio" in line else None
        said = read_log(event, line.get("metric_info"), str(line.get("level", "info")))
        if plugin is not None and self.now is not None and said.what != "said":
            yield from self._counted(plugin, said, self.now)
        elif plugin is not None:
            yield from self._said(event, said.level, plugin)
        elif begun := _BEGIN.search(event):
            self._begin(begun[1], begun[2] or "", event)
        elif event == "Block run completed":
            self._end(bool(line.get("success")), plain(str(line.get("err") or "")), line.get("exit_codes") or {})
        else:
            # What Meltano tells of its own doings is for those who look for something.
            yield from self._said(event, "debug" if said.level == "info" else said.level)

    def broken_off(self, why: str) -> None:
        """Give an end to the pair that was under way, or to all where Meltano has not begun with any.

        After a pair that failed the rest has not been begun with: that is for another run.
        """
        begun = self.taken_up or any(load.locked or load.well is not None for load in self.loads)
        for load in (self.now,) if self.now is not None else () if begun and self._before is None else self.loads:
            load.well, load.why, load.words = False, why, self._before or load.words

    def end(self) -> Iterator[Event]:
        """Take the end; yield what was kept back."""
        return self._limit.end()

    def _begin(self, state_id: str, run: str, event: str) -> None:
        """Begin with the pair of a state, in whichever environment."""
        self._before, parts = None, state_id.split(":")
        self.now = next((load for load in self.loads if f"{load.tap}-to-{load.target}" in parts), None)
        if self.now is not None:
            self.now.state_id, self.now.run, self.now.why = state_id, run, plain(event)

    def _end(self, well: bool, why: str, exit_codes: dict[str, Any]) -> None:
        if self.now is None:
            return
        load, self.now = self.now, None
        load.locked = not well and not exit_codes and why == load.why
        codes = ", ".join(map(str, exit_codes.values()))
        load.well, load.why = None if load.locked else well, self._mask(f"{why} (exit code {codes})" if codes else why)

    def _said(self, text: str, level: Level, plugin: str | None = None) -> Iterator[Event]:
        if not text.strip():
            return
        # Only what is shown is masked: a password may be a part of a plugin's name.
        text = self._mask(plain(text))
        # Of Meltano itself only what keeps it from beginning: how a pair ended is told with the pair.
        words = self._before or (self.now.words if plugin and self.now is not None else None)
        if words is not None:
            words.take(text, level)
        yield from self._limit.take(f"{plugin}: {text}" if plugin else text, level)

    def _counted(self, plugin: str, said: Said, load: Load) -> Iterator[Event]:
        for event in load.take(plugin, said):
            if not isinstance(event, Log):
                yield event
            elif not self.taken_up:  # else it may have been asked for when it was started
                yield replace(event, message=self._mask(event.message))
