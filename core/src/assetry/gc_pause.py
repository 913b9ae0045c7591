"""A pause of Python's garbage collector while very many values are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: From how many new objects on it pays to keep the collector from looking at them once more.
_MANY = 20_000


class _Frozen:
    """Whether something in this process is frozen, by `gc.freeze`; what was found so once counts as frozen for good."""

    found = False

    def is_any(self) -> bool:
        """Tell it; to ask the collector walks through all that is frozen, so that it is asked until something is."""
        self.found = self.found or gc.get_freeze_count() > 0
        return self.found


_frozen = _Frozen()


@contextmanager
def paused_gc() -> Iterator[None]:
    """Keep the garbage collector from running while very many values are made, none of which becomes garbage.

    It would walk all of them again and again, which takes as long as making them. Afterwards they count as old, so that
    it does not walk all of them at once; but not in a process that has frozen something.

    >>> with paused_gc():
    ...     gc.isenabled()
    False
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if gc.get_count()[0] >= _MANY and not _frozen.is_any():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
