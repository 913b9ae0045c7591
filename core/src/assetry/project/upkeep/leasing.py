"""The right to change the records of assets while no run makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from assetry.errors import ConflictError, LeaseLostError
from assetry.run.leases.heartbeat import Heartbeat
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.protocols import Store


def lease_all(store: Store, run_id: str, keys: Sequence[AssetKey]) -> Lease:
    """Lease assets to a run that changes their records; raise `ConflictError` while another one makes any of them."""
    lease, held = store.lease(run_id, dict.fromkeys(keys))
    if lease is None:
        raise ConflictError(
            f"Run {held[0].run} is building {held[0].key}.",
            hint=f"Wait for it (`assetry logs -f {held[0].run}` ends with it), then try again.",
        )
    return lease


@contextmanager
def renewed(store: Store, lease: Lease) -> Iterator[None]:
    """Keep a lease while this lasts; what is written once it is lost is refused, and the error says what to do then."""
    try:
        with Heartbeat(store, lease, lambda _: None):
            yield
    except LeaseLostError as error:
        raise LeaseLostError(error.message, hint="Run the command again: it does what is left to be done.") from error
