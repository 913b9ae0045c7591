"""Partitions: an asset in parts, each with a key of its own.

    PartitionsDefinition
    ├── TimeWindowPartitionsDefinition     a part per window of time (see `assetry.types.time_partitions`)
    │   ├── HourlyPartitionsDefinition
    │   ├── DailyPartitionsDefinition
    │   ├── WeeklyPartitionsDefinition
    │   └── MonthlyPartitionsDefinition
    ├── StaticPartitionsDefinition         keys that the definition lists
    ├── DynamicPartitionsDefinition        keys that come into being when they are first materialized
    └── MultiPartitionsDefinition          one part per combination

All are frozen values without a clock: what depends on the time takes `now`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations, product
from typing import TYPE_CHECKING, ClassVar

from assetry.errors import DefinitionError, UsageError, near_names

#: Between the parts of a key of several dimensions.
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class PartitionsDefinition:
    """The base of partition definitions."""

    #: Where all kinds of it are defined, for who reads one from JSON.
    json_modules: ClassVar = ("assetry.types.partitions", "assetry.types.time_partitions")

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the keys that should exist at `now`, in order.

        `known` are the keys that were materialized before; dynamic partitions consist of them. A `now` without a
        time zone is UTC.
        """
        raise NotImplementedError

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:
        """Return how many keys should exist at `now`."""
        return len(self.keys(now, known))

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError`, with near names, when `key` is not a partition; with `now`, when it is yet to come."""
        raise NotImplementedError

    def window(self, key: str) -> tuple[datetime, datetime] | None:
        """Return the time that a partition covers: its start, and its end, which is outside; None without time."""
        self.validate(key)
        return None


@dataclass(frozen=True, slots=True)
class StaticPartitionsDefinition(PartitionsDefinition):
    """Partitions by keys that are listed here. Raises `DefinitionError` for a key twice, or none at all.

    >>> StaticPartitionsDefinition(["eu", "us"]).keys(datetime(2024, 1, 1))
    ('eu', 'us')
    """

    json_tag: ClassVar = ("partitions", "static")
    partition_keys: tuple[str, ...]
    if TYPE_CHECKING:

        def __init__(self, partition_keys: Iterable[str]) -> None: ...

    def __post_init__(self) -> None:
        if isinstance(self.partition_keys, str):
            raise DefinitionError(
                f"partition_keys={self.partition_keys!r} is one text, not a list of keys.",
                hint=f"Write [{self.partition_keys!r}].",
            )
        object.__setattr__(self, "partition_keys", tuple(self.partition_keys))
        if not self.partition_keys:
            raise DefinitionError(
                "A static partitions definition needs a key.", hint='For example StaticPartitionsDefinition(["eu"]).'
            )
        seen: set[str] = set()
        for key in self.partition_keys:
            if not _is_key(key):
                raise DefinitionError(f"{key!r} cannot be a partition key.", hint=_KEY_HINT)
            if key in seen:
                raise DefinitionError(f"The partition key {key!r} is listed twice.", hint="Remove one.")
            seen.add(key)

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the listed keys."""
        return self.partition_keys

    def validate(self, key: str, now: datetime | None = None) -> None:  # noqa: ARG002
        """Raise `UsageError`, with near names, when `key` is not listed."""
        if key not in self.partition_keys:
            raise UsageError(
                f"No partition {key!r}.",
                near=near_names(key, self.partition_keys),
                hint=f"There are {len(self.partition_keys)}: {_some(self.partition_keys)}.",
            )


@dataclass(frozen=True, slots=True)
class DynamicPartitionsDefinition(PartitionsDefinition):
    """Partitions by keys that are not known beforehand: a partition exists once it was materialized.

    `name` says what a key is: ``customer``, ``file``.

    >>> DynamicPartitionsDefinition("file").keys(datetime(2024, 1, 1), known=["b.csv", "a.csv", "b.csv"])
    ('b.csv', 'a.csv')
    """

    json_tag: ClassVar = ("partitions", "dynamic")
    name: str = "partition"

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the keys that are known."""
        return tuple(dict.fromkeys(known))

    def validate(self, key: str, now: datetime | None = None) -> None:  # noqa: ARG002
        """Raise `UsageError` when `key` cannot be a key at all."""
        if not _is_key(key):
            raise UsageError(f"{key!r} cannot be the key of a {self.name}.", hint=_KEY_HINT)


@dataclass(frozen=True, slots=True)
class MultiPartitionsDefinition(PartitionsDefinition):
    """Partitions in several dimensions: one per combination.

    A key is the keys of all dimensions, in the order of the dimensions' names, with ``|`` between them.
    Raises `DefinitionError` for fewer than two dimensions, or one that has several itself.

    >>> from assetry.types.time_partitions import DailyPartitionsDefinition
    >>> both = MultiPartitionsDefinition({"region": StaticPartitionsDefinition(["eu", "us"]),
    ...                                   "date": DailyPartitionsDefinition("2024-01-01")})
    >>> both.keys(datetime(2024, 1, 2))
    ('2024-01-01|eu', '2024-01-01|us')
    >>> both.parts("2024-01-01|eu")
    {'date': '2024-01-01', 'region': 'eu'}
    """

    json_tag: ClassVar = ("partitions", "multi")
    partitions_defs: Mapping[str, PartitionsDefinition]

    def __post_init__(self) -> None:
        dimensions = dict(sorted(self.partitions_defs.items()))
        object.__setattr__(self, "partitions_defs", dimensions)
        if len(dimensions) < 2:
            raise DefinitionError(
                "A multi partitions definition needs at least two dimensions.",
                hint='For example {"date": DailyPartitionsDefinition(…), "region": StaticPartitionsDefinition(…)}.',
            )
        for name, dimension in dimensions.items():
            if isinstance(dimension, MultiPartitionsDefinition):
                raise DefinitionError(
                    f"Dimension {name!r} has dimensions itself.", hint="Put all dimensions into one definition."
                )
            unusable = [key for key in getattr(dimension, "partition_keys", ()) if SEPARATOR in key]
            if unusable or SEPARATOR in getattr(dimension, "fmt", ""):
                raise DefinitionError(
                    f"Keys of dimension {name!r} hold {SEPARATOR!r}: {_some(unusable) or dimension.fmt!r}.",  # type: ignore[attr-defined]
                    hint=f"{SEPARATOR!r} stands between the parts of a key; write them without it.",
                )

    def __hash__(self) -> int:
        return hash(tuple(self.partitions_defs.items()))

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:
        """Return all combinations of the dimensions' keys."""
        return tuple(SEPARATOR.join(parts) for parts in product(*self._dimensions(now, known)))

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:
        """Return how many combinations there are, without making them."""
        parts = self._known(known)
        total = 1
        for dimension, each in zip(self.partitions_defs.values(), parts, strict=True):
            total *= dimension.count(now, each)
        return total

    def parts(self, key: str) -> dict[str, str]:
        """Return the dimensions' keys that `key` is made of, by dimension; raise `UsageError` for another number."""
        parts = key.split(SEPARATOR)
        if len(parts) != len(self.partitions_defs):
            shape = SEPARATOR.join(f"<{name}>" for name in self.partitions_defs)
            raise UsageError(
                f"{key!r} is not a partition of {len(self.partitions_defs)} parts.", hint=f"Write {shape}."
            )
        return dict(zip(self.partitions_defs, parts, strict=True))

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError` when a part of `key` is not a partition of its dimension."""
        for name, part in self.parts(key).items():
            try:
                self.partitions_defs[name].validate(part, now)
            except UsageError as error:
                raise UsageError(
                    f"{key!r} is not a partition: its part {name!r}: {error.message}",
                    near=self._reordered(key) or self._corrected(key, name, error.near),
                    hint=error.hint,
                ) from None

    def window(self, key: str) -> tuple[datetime, datetime] | None:
        """Return the window of the one dimension that is time; None when there is none, or more than one."""
        parts = self.parts(key)
        self.validate(key)
        windows = [dimension.window(parts[name]) for name, dimension in self.partitions_defs.items()]
        found = [window for window in windows if window is not None]
        return found[0] if len(found) == 1 else None

    def _known(self, known: Iterable[str]) -> list[list[str]]:
        split = [parts for key in known if len(parts := key.split(SEPARATOR)) == len(self.partitions_defs)]
        return [list(dict.fromkeys(each)) for each in zip(*split, strict=True)] or [[] for _ in self.partitions_defs]

    def _dimensions(self, now: datetime, known: Iterable[str]) -> list[tuple[str, ...]]:
        parts = zip(self.partitions_defs.values(), self._known(known), strict=True)
        return [dimension.keys(now, each) for dimension, each in parts]

    def _corrected(self, key: str, name: str, near: Iterable[str]) -> list[str]:
        return [SEPARATOR.join((self.parts(key) | {name: part}).values()) for part in near]

    def _reordered(self, key: str) -> list[str]:
        """Return `key` with its parts in the order that fits, when there is one."""
        for parts in permutations(key.split(SEPARATOR)):
            try:
                for dimension, part in zip(self.partitions_defs.values(), parts, strict=True):
                    dimension.validate(part)
            except UsageError:
                continue
            return [SEPARATOR.join(parts)]
        return []


_KEY_HINT = "A key is a non-empty line of text without blanks at its ends."


def _is_key(key: object) -> bool:
    return isinstance(key, str) and bool(key) and key.isprintable() and key == key.strip()


def _some(keys: Iterable[str], most: int = 5) -> str:
    listed = list(keys)
    return ", ".join(map(repr, listed[:most])) + (", …" if len(listed) > most else "")
