"""The output of a runner of taps and targets, as far as it is alike for all of them: what becomes of its loads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from assetry.plugin import Event, Level, Log

from assetry_toolkit.commands import LastWords, LogLimit, plain
from assetry_toolkit.secrets import Mask
from assetry_toolkit.singer.loads import LAST_WORDS, TapLoad
from assetry_toolkit.singer.logs import Said, is_banner

L = TypeVar("L", bound=TapLoad)

#: Lines of a command that are told though they are neither warnings nor errors; of those after that only the number is.
TOLD_LINES = 500


class LoadReading(ABC, Generic[L]):
    """The output of one command in which one load comes after the other; `now` is the one that is under way.

    A subclass reads the lines: `begin` and `over` say where a load is, `plugin_said` and `said` what it says. Of a
    command that an earlier process has started (`taken_up`) some streams may be made already. No more than `most` lines
    are told that are neither warnings nor errors; `log` is what they are of. `mask` goes over all that is shown.
    """

    def __init__(
        self, loads: Sequence[L], mask: Mask, log: str, *, most: int = TOLD_LINES, taken_up: bool = False
    ) -> None:
        self.loads, self.taken_up = loads, taken_up
        self.now: L | None = None
        self._mask, self._limit = mask, LogLimit(most, log)
        #: What was said before a load began, and None as soon as one has: why none can, if so.
        self._before: LastWords | None = LastWords(LAST_WORDS)

    @abstractmethod
    def take(self, text: str) -> Iterator[Event]:
        """Take a line; yield what follows."""

    def end(self) -> Iterator[Event]:
        """Take the end of the output; yield what was kept back."""
        return self._limit.end()

    def begin(self, load: L | None) -> None:
        """Take it that a load has begun; None for one that was not asked for."""
        self._before, self.now = None, load

    def over(self, well: bool, why: str = "", remedy: str | None = None, faults: Sequence[str] = ()) -> None:
        """Take it that the load that was under way has its end; see `TapLoad` for that."""
        if self.now is not None:
            self.now.well, self.now.why, self.now.remedy = well, self._mask(plain(why)), remedy
            self.now.faults = faults
        self.now = None

    def broken_off(self, why: str) -> None:
        """Give an end to the load that was under way, or to all where the runner has not begun with any.

        After a load that failed the rest has not been begun with: that is for another command.
        """
        begun = self.taken_up or any(load.locked or load.well is not None for load in self.loads)
        for load in (self.now,) if self.now is not None else () if begun and self._before is None else self.loads:
            load.well, load.why, load.words = False, why, self._before or load.words

    def said(self, text: str, level: Level = "info") -> Iterator[Event]:
        """Take what the runner itself says: after the first load has begun it is told, and is no one's last word."""
        yield from self._told(text, level, self._before)

    def plugin_said(self, plugin: str, said: Said, text: str) -> Iterator[Event]:
        """Take what a tap or target of the load under way says, as `read_log` has read it."""
        load = self.now
        if load is None or said.what == "said":
            yield from self._told(text, said.level, self._before or (load.words if load else None), f"{plugin}: ")
            return
        for event in load.take(plugin, said):
            if not isinstance(event, Log):
                yield event
            elif not self.taken_up:  # else it may have been asked for when the command was started
                yield replace(event, message=self._mask(event.message))

    def _told(self, text: str, level: Level, words: LastWords | None, by: str = "") -> Iterator[Event]:
        if not text.strip():
            return
        # Only what is shown is masked: a secret may be a part of a plugin's name.
        text = self._mask(plain(text))
        if words is not None and not (by and is_banner(text)):
            words.take(text, level)
        yield from self._limit.take(by + text, level)
