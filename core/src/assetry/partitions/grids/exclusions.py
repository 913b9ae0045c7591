"""Windows that are no partitions: holidays, weekends, what a calendar says."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Protocol

from assetry.errors import DefinitionError
from assetry.partitions.grids.moments import Moment, localize, period, wall_clock
from assetry.partitions.parts import NOTHING, Parts

#: What to exclude: dates, moments and cron texts, or a function that returns them.
Exclusions = Iterable[Moment] | Callable[[], Iterable[Moment]]

#: Windows looked at together, and remembered.
_BLOCK = 256


class Windows(Hashable, Protocol):
    """What is asked of a definition to find the windows that it excludes."""

    @property
    def exclude(self) -> Exclusions:
        """Return what is excluded."""
        ...

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        ...

    def first_from(self, moment: datetime) -> int:
        """Return the number of the first window that starts at a moment or later."""
        ...

    def zone(self) -> tzinfo:
        """Return the time zone."""
        ...


def written_exclusions(exclude: Exclusions, zone: tzinfo) -> tuple[str, ...]:
    """Return exclusions as sorted texts: ``2026``, ``2026-12``, ``2026-12-25``, ``2026-12-25T09:00`` or a cron text.

    Raises `DefinitionError` for what is none of these.

    >>> from datetime import UTC
    >>> written_exclusions([date(2026, 12, 25), "2026-05", "0 0 * * SUN"], UTC)
    ('0 0 * * SUN', '2026-05', '2026-12-25')
    """
    given = exclude() if callable(exclude) else exclude
    if isinstance(given, (str, date)):
        raise DefinitionError(f"exclude={given!r} is not a list.", hint=f"Write exclude=[{given!r}].")
    return tuple(sorted({_written(each, zone) for each in given}))


def _written(value: object, zone: tzinfo) -> str:
    if isinstance(value, datetime):
        return wall_clock(value, zone, "exclude").strftime("%Y-%m-%dT%H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        if _is_cron(value):
            from assetry.partitions.grids.ticks import checked

            return checked(value)
        if period(value) is not None:
            return value
    raise DefinitionError(
        f"exclude has {value!r}, which is no time.",
        hint="Write days as 2026-12-25, months as 2026-12, and what repeats as cron text: '0 0 * * SAT,SUN'.",
    )


def excluded_windows(definition: Windows, first: int, stop: int) -> Parts:
    """Return which of the windows from `first` up to `stop` are excluded."""
    out = _at_times(definition).within(first, stop)
    if any(map(_is_cron, _texts(definition))):
        for block in range(first // _BLOCK, (stop - 1) // _BLOCK + 1):
            out |= _at_ticks(definition, block)
        out = out.within(first, stop)
    return out


def _texts(definition: Windows) -> tuple[str, ...]:
    assert isinstance(definition.exclude, tuple), "exclusions are written when the definition is made"
    return definition.exclude


def _is_cron(text: str) -> bool:
    return text.startswith("@") or len(text.split()) > 2


@lru_cache(maxsize=256)
def _at_times(definition: Windows) -> Parts:
    zone = definition.zone()
    out = NOTHING
    for text in _texts(definition):
        found = None if _is_cron(text) else period(text)
        if found is not None:
            first, stop = (definition.first_from(localize(wall, zone)) for wall in found)
            out |= Parts.range(first, stop)
    return out


@lru_cache(maxsize=4096)
def _at_ticks(definition: Windows, block: int) -> Parts:
    from assetry.partitions.grids.ticks import ticks_on

    crons = [text for text in _texts(definition) if _is_cron(text)]
    numbers = range(block * _BLOCK, (block + 1) * _BLOCK)
    walls = {number: definition.wall(number) for number in numbers}
    return Parts.of(number for number, wall in walls.items() if any(ticks_on(text, wall) for text in crons))
