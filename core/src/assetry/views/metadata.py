"""What was told of an asset over time: its numbers, as they went from one materialization to the next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeGuard

from assetry.types.records import Materialization


class Number(NamedTuple):
    """A number that was told when an asset, or a partition of it, was made."""

    at: datetime
    run: str
    partition: str | None
    value: int | float


def numbers(history: Iterable[Materialization]) -> Mapping[str, tuple[Number, ...]]:
    """Return the numbers among the metadata of records, by name, oldest first; `history` has the newest first.

    >>> from assetry.types.keys import AssetKey
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> made = [Materialization(key=AssetKey("a"), at=at, run=run, data_version="v", metadata={"rows": rows, "by": "a"})
    ...     for run, rows in (("r2", 5), ("r1", 3))]
    >>> {name: [each.value for each in told] for name, told in numbers(made).items()}
    {'rows': [3, 5]}
    """
    found: dict[str, list[Number]] = {}
    for made in reversed(list(history)):
        for name, value in made.metadata.items():
            if is_number(value):
                found.setdefault(name, []).append(Number(made.at, made.run, made.partition, value))
    return {name: tuple(each) for name, each in found.items()}


def numbers_to_json(told: Mapping[str, Sequence[Number]]) -> dict[str, Any]:
    """Return numbers by name as JSON data, oldest first.

    >>> numbers_to_json({"rows": [Number(datetime(2026, 1, 31, tzinfo=UTC), "r1", None, 3)]})
    {'rows': [{'at': '2026-01-31T00:00:00+00:00', 'run': 'r1', 'partition': None, 'value': 3}]}
    """
    return {
        name: [{**each._asdict(), "at": each.at.astimezone(UTC).isoformat()} for each in series]
        for name, series in told.items()
    }


def number_text(value: int | float, before: object = None) -> str:
    """Return a number for people, with its difference to the one before where there is one.

    >>> number_text(1234, 1200), number_text(0.25, 0.5), number_text(3, 3), number_text(2.5), number_text(3, "many")
    ('1,234 (+34)', '0.25 (-0.25)', '3 (as before)', '2.5', '3')
    """
    if not is_number(before) or not math.isfinite(value) or not math.isfinite(before):
        return _text(value)
    difference = value - before
    return f"{_text(value)} ({_text(difference, '+') if difference else 'as before'})"


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number; a boolean is none.

    >>> is_number(1.5), is_number(True), is_number("7")
    (True, False, False)
    """
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: int | float, sign: str = "") -> str:
    return format(value, f"{sign},") if isinstance(value, int) else format(value, f"{sign},.6g")
