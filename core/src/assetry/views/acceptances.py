"""What people accepted, as it is told: what one said at once of one asset stands together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assetry.types.keys import AssetKey
from assetry.types.records import Acceptance


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said at once of an asset, or of some of its partitions.

    `code_version` is the code that it was really made with, where that is another one than it counts as made with.
    """

    key: AssetKey
    at: datetime
    by: str
    why: str
    undone: bool
    causes: tuple[str, ...]
    partitions: tuple[str, ...]
    code_version: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "key": str(self.key),
            "at": self.at.astimezone(UTC).isoformat(),
            "by": self.by,
            "why": self.why,
            "causes": list(self.causes),
            "partitions": list(self.partitions),
            "made_with": self.code_version,
            "undone": self.undone,
        }


def said(acceptances: Iterable[Acceptance]) -> list[Said]:
    """Return what people said, in the order in which they did.

    >>> from assetry.types.records import Materialization
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> days = [Materialization(key=AssetKey("a"), partition=p, at=at, run="r", data_version="1") for p in ("1", "2")]
    >>> found = said(Acceptance(at=at, by="ana", why="A comment.", before=each, after=each) for each in days)
    >>> [(each.by, each.partitions) for each in found]
    [('ana', ('1', '2'))]
    """
    groups: dict[tuple[Any, ...], list[Acceptance]] = {}
    for each in acceptances:
        groups.setdefault((each.key, each.at, each.by, each.why, each.undone), []).append(each)
    return [_said(together) for together in groups.values()]


def _said(together: list[Acceptance]) -> Said:
    first = together[0]
    real = first.after.accepted.code_version if first.after.accepted is not None else None
    return Said(
        *(first.key, first.at, first.by, first.why, first.undone),
        causes=tuple(dict.fromkeys(cause for each in together for cause in each.causes)),
        partitions=tuple(each.partition for each in together if each.partition is not None),
        code_version=real if real != first.after.code_version else None,
    )
