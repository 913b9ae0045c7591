"""How often what failed is tried again, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from assetry.errors import DefinitionError


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
