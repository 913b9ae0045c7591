"""What is left of a run: of which invocation no call was made yet, and what has no end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from assetry.plan.numbering import Numbering
from assetry.plan.plan import PlannedInvocation
from assetry.plan.replan import Remainder
from assetry.run.tracking.seats import Seat, calls_left
from assetry.run.tracking.tracked import Tracked
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.parts import Parts


def remainders(
    invocations: Iterable[PlannedInvocation],
    tracked: Mapping[str, Tracked],
    seats: Mapping[str, Seat],
    numbering: Numbering,
) -> dict[str, Remainder]:
    """Return what is left of the invocations that were not called yet, or for some of their partitions only, by id."""
    found: dict[str, Remainder] = {}
    for planned in invocations:
        seat = seats.get(planned.id)
        if seat is None:
            call = tracked[planned.id]
            if not call.running and not call.ended:
                found[planned.id] = Remainder(dict.fromkeys(call.unfinished), tuple(call.unchecked))
        elif seat.open or (not seat.calls and not seat.ended):
            found[planned.id] = _of_seat(planned, seat, numbering)
    return found


def _of_seat(planned: PlannedInvocation, seat: Seat, numbering: Numbering) -> Remainder:
    assets: dict[AssetKey, Parts | None] = {}
    for asset in planned.invocation.assets:
        if asset.key in seat.whole:
            assets[asset.key] = None
        elif asset.key in seat.idle:
            assets[asset.key] = seat.idle[asset.key]
    return Remainder(assets, tuple(_checks_of(seat)), calls_left(seat, numbering) if seat.calls else 1)


def _checks_of(seat: Seat) -> Iterator[CheckRef]:
    """Yield the checks that an invocation has yet to run."""
    for ref in seat.planned.invocation.checks:
        if ref in seat.checks or (ref in seat.judging and ref.key in seat.idle):
            yield ref


def still_open(tracked: Iterable[Tracked], seats: Iterable[Seat]) -> set[AssetKey | CheckRef]:
    """Return the assets, and the checks, that have not come to an end in one of some invocations and calls."""
    found: set[AssetKey | CheckRef] = set()
    for call in tracked:
        if not call.ended:
            found.update(call.unfinished, call.along, call.unchecked)
    for seat in seats:
        if not seat.ended:
            found.update(seat.idle, seat.whole, _checks_of(seat))
    return found
