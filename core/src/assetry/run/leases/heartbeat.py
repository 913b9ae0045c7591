"""Signs of life of a run: its lease, renewed until the run ends, or until the lease is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from assetry.errors import LeaseLostError, StoreError
from assetry.types.leases import Lease, lease_lost
from assetry.types.protocols import Store

#: Seconds between two signs of life, and between two tries of one that cannot be given.
INTERVAL, AGAIN = 10.0, 1.0


class Heartbeat:
    """Signs of life for a run, on a thread of its own, from entering to leaving.

    A renewal that fails is tried again until the lease has expired: only then, or when the store says that the run no
    longer has it, `lost` is called, from that thread and once. A lease that no other process can see needs none.

    >>> from assetry.store.sqlite import SQLiteStore
    >>> with Heartbeat(SQLiteStore(":memory:"), Lease("r", 1), print) as heart:
    ...     heart.lease.token
    1
    """

    def __init__(self, store: Store, lease: Lease, lost: Callable[[LeaseLostError], None]) -> None:
        self.lease = lease
        self._store = store
        self._lost = lost
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        if self.lease.seconds is not None:
            threading.Thread(
                target=self._work, args=(self.lease.seconds,), name="assetry-heartbeat", daemon=True
            ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _work(self, seconds: float) -> None:
        # By a clock that nobody sets. It counts from before the store was asked: its answer may have taken a while.
        expires, pause = time.monotonic() + seconds, INTERVAL
        while not self._stop.wait(min(pause, seconds / 3)):
            asked = time.monotonic()
            try:
                self.lease = self._store.renew(self.lease)
            except LeaseLostError as error:
                self._lose(error)
                return
            except StoreError as error:
                pause = AGAIN
                if time.monotonic() >= expires:
                    said = f": for {seconds:.0f} s it could give no sign of life. {error.message.rstrip('.')}"
                    self._lose(lease_lost(self.lease.run, said))
                    return
            else:
                expires, pause = asked + seconds, INTERVAL

    def _lose(self, error: LeaseLostError) -> None:
        if not self._stop.is_set():
            self._lost(error)
