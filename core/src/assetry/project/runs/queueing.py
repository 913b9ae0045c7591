"""Waiting in the queue until others have made what they have leased."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from assetry.errors import AssetryError
from assetry.run.leases.heartbeat import Heartbeat
from assetry.types.leases import HeldLease, WantedLeases, meeting
from assetry.types.protocols import Store
from assetry.types.records import RunInfo

#: Seconds between two looks at what others hold: at first, and at most.
FIRST, MOST = 0.1, 1.0


class Queued:
    """A run that waits to begin, in the queue of a store for as long as it does."""

    def __init__(self, store: Store, info: RunInfo, note: Callable[[str], None]) -> None:
        self.info = info
        self._store = store
        self._note = note
        self._told: tuple[str, ...] = ()

    def wait(
        self,
        wanted: WantedLeases,
        for_runs: frozenset[str] | None = None,
        called_off: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Wait until no other run, or none of these, has leased any of `wanted`; return False when it was cancelled.

        That is by Ctrl-C, by `assetry cancel`, which takes it out of the queue, or when it is `called_off`.
        """
        with suppress(KeyboardInterrupt), self._in_line(wanted):
            pause = FIRST
            while held := self._held(wanted, for_runs):
                self._tell(wanted, held)
                time.sleep(pause)
                pause = min(2 * pause, MOST)
                if called_off() or all(each.run.id != self.info.id for each in self._store.queue()):
                    return False
            return True
        return False

    def leave(self) -> None:
        """Wait no longer, when nothing came of it."""
        with suppress(AssetryError):  # it has been taken out, or has begun
            if any(each.run.id == self.info.id for each in self._store.queue()):
                self._store.finish(self.info.id, "cancelled", datetime.now(UTC))

    @contextmanager
    def _in_line(self, wanted: WantedLeases) -> Iterator[None]:
        # That it is no longer there is seen at the next look.
        with Heartbeat(self._store, self._store.enqueue(self.info, wanted), lambda _: None):
            yield

    def _held(self, wanted: WantedLeases, for_runs: frozenset[str] | None) -> tuple[HeldLease, ...]:
        held = (each for each in self._store.leases() if each.run != self.info.id)
        return meeting(wanted, (each for each in held if for_runs is None or each.run in for_runs))

    def _tell(self, wanted: WantedLeases, held: tuple[HeldLease, ...]) -> None:
        """Say for whom it waits, when these are others than before."""
        runs = tuple(sorted({each.run for each in held}))
        if runs != self._told:
            self._told = runs
            theirs = {each.key for each in held}
            keys = [key for key in wanted if key in theirs]
            what = f"{keys[0]} and {len(keys) - 1} more" if len(keys) > 1 else keys[0]
            who = f"run {runs[0]}" if len(runs) == 1 else f"runs {', '.join(runs)}"
            self._note(f"Waits for {who}, which {'is' if len(runs) == 1 else 'are'} building {what}.")
