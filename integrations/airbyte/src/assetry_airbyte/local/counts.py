"""Records counted: as many as the connector says that it sent have to have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assetry_airbyte.local.protocol import section


@dataclass(slots=True)
class Count:
    """What a connector said of how many records it sent, and how many came; both since the first state that tells.

    >>> count = Count()
    >>> count.take({"sourceStats": {"recordCount": 5.0}}, 2)
    >>> count.take({}, 10)  # says nothing, so what came with it is not compared
    >>> count.take({"sourceStats": {"recordCount": 1.0}}, 11)
    >>> count.said, count.came, count.lacking
    (6, 3, 3)
    """

    said: int = 0
    came: int = 0
    #: How many had come at the last state.
    before: int = 0

    def take(self, state: Any, rows: int) -> None:
        """Take a state, which tells the records since the one before it; `rows` have come so far."""
        told = section(state, "sourceStats").get("recordCount")
        if isinstance(told, (int, float)) and not isinstance(told, bool):
            self.said += round(told)
            self.came += rows - self.before
        self.before = rows

    @property
    def lacking(self) -> int:
        """Return how many records did not come; less than 0 for such as came and were not counted."""
        return self.said - self.came

    def __str__(self) -> str:
        """Return the comparison in words."""
        return f"the connector counted {self.said} records, and {self.came} came"
