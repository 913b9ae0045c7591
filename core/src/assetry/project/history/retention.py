"""How long a project keeps its history, as its file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from assetry.errors import UsageError
from assetry.types.options import OptionType, OptionTypes
from assetry.types.records import KeptHistory

#: Days of each unit of an age.
_UNITS = {"d": 1, "w": 7, "y": 365}
FOREVER = "forever"
_HINT = f"Write days, weeks or years, as 90d, 12w or 2y, or {FOREVER}."
_AGE = re.compile(r"(\d{1,5})([dwy])")
#: What people write for the same.
_LOOSE = re.compile(r"\s*(\d{1,5})\s*-?\s*(d|w|y)?(?:ays?|eeks?|ears?)?\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long history is kept, by what it is of; None is for ever.

    >>> Retention().events, Retention().runs
    (datetime.timedelta(days=90), None)
    """

    events: timedelta | None = timedelta(days=90)
    runs: timedelta | None = None
    attempts: timedelta | None = None
    materializations: timedelta | None = None

    def until(self, now: datetime) -> KeptHistory:
        """Return what is to be kept at a moment.

        >>> Retention(runs=timedelta(weeks=1)).until(datetime(2026, 1, 8)).runs
        datetime.datetime(2026, 1, 1, 0, 0)
        """
        return KeptHistory(
            events=_before(now, self.events),
            runs=_before(now, self.runs),
            attempts=_before(now, self.attempts),
            materializations=_before(now, self.materializations),
        )


def read_age(text: object) -> timedelta | None:
    """Return the age that a text means, None for ``forever``; raise `UsageError`, with what was probably meant.

    >>> read_age("12w"), read_age("2y"), read_age("forever")
    (datetime.timedelta(days=84), datetime.timedelta(days=730), None)
    """
    if text == FOREVER:
        return None
    found = _AGE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise UsageError(f"{text!r} is no age.", near=_near(str(text)), hint=_HINT)
    return timedelta(days=int(found[1]) * _UNITS[found[2]])


def _is_age(text: object) -> bool:
    return text == FOREVER or (isinstance(text, str) and _AGE.fullmatch(text) is not None)


_KEPT = OptionType(
    "an age",
    _is_age,
    read_age,
    hint=_HINT,
    json_schema={"type": "string", "pattern": rf"^({_AGE.pattern}|{FOREVER})$"},
)
#: What history consists of, as `[retention]` names it.
AGES: OptionTypes = {
    "events": _KEPT.about("How long the events of runs are kept.", default="90d"),
    "runs": _KEPT.about("How long runs are kept in the list of them.", default=FOREVER),
    "attempts": _KEPT.about("How long it is kept how tries at assets came out.", default=FOREVER),
    "materializations": _KEPT.about("How long records are kept of what was made anew since.", default=FOREVER),
}
KINDS = tuple(AGES)


def _near(text: str) -> tuple[str, ...]:
    found = _LOOSE.fullmatch(text)
    if found is not None:
        return (f"{found[1]}{(found[2] or 'd').lower()}",)
    squeezed = re.sub(r"[^a-z]", "", text.lower())
    return (FOREVER,) if squeezed in ("forever", "ever", "never", "none", "always") else ()


def age_text(age: timedelta | None) -> str:
    """Return an age as `read_age` reads it, in the largest unit that fits.

    >>> age_text(timedelta(days=84)), age_text(timedelta(days=90)), age_text(None)
    ('12w', '90d', 'forever')
    """
    if age is None:
        return FOREVER
    unit = next((unit for unit, days in sorted(_UNITS.items(), key=lambda each: -each[1]) if not age.days % days), "d")
    return f"{age.days // _UNITS[unit]}{unit}" if age.days else "0d"


def _before(now: datetime, age: timedelta | None) -> datetime | None:
    try:
        return None if age is None else now - age
    except OverflowError:  # longer than there is time
        return datetime.min.replace(tzinfo=now.tzinfo)
