"""Policies: what is asked of an asset beyond being made, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from assetry.errors import DefinitionError, near_names


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """How old an asset may grow before it is overdue.

    `max_age` is counted from its last materialization. Raises `DefinitionError` when it is not positive.

    >>> FreshnessPolicy(timedelta(hours=6)).max_age
    datetime.timedelta(seconds=21600)
    """

    max_age: timedelta

    def __post_init__(self) -> None:
        if not isinstance(self.max_age, timedelta) or self.max_age <= timedelta(0):
            raise DefinitionError(
                "FreshnessPolicy(max_age=…) takes a positive timedelta.", hint="For example timedelta(hours=6)."
            )


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed Python asset is tried again within its run.

    `attempts` counts the tries after the first; `delay` is the wait before the first of them, in seconds, and
    `factor` multiplies it for each further one. Raises `DefinitionError` for negative numbers.

    >>> [RetryPolicy(3, delay=1, factor=2).wait(n) for n in (1, 2, 3)]
    [1, 2, 4]
    """

    attempts: int = 1
    delay: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 0 or self.delay < 0 or self.factor < 0:
            raise DefinitionError("RetryPolicy takes no negative numbers.", hint="For example RetryPolicy(3, delay=5).")

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait before retry number `attempt`, counted from 1."""
        return self.delay * self.factor ** (attempt - 1)


@dataclass(frozen=True, slots=True)
class AutomationPolicy:
    """When an asset should be brought up to date without being asked.

    `when` is ``stale`` (as soon as it is out of date), ``overdue`` (when its freshness policy asks for it) or
    ``never``. Raises `DefinitionError` for another word.

    >>> AutomationPolicy("stale").when
    'stale'
    """

    when: str = "stale"
    words: ClassVar[tuple[str, ...]] = ("stale", "overdue", "never")

    def __post_init__(self) -> None:
        if self.when not in self.words:
            raise DefinitionError(
                f"automation={self.when!r}: unknown word.",
                near=near_names(str(self.when), self.words),
                hint=f"There are {', '.join(self.words)}.",
            )
