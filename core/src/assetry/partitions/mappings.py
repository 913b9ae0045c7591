"""Which partitions of what is upstream a partition is made from, as a definition says it.

A dependency carries one of the words ``same``, ``all`` and ``last``, or one of these values::

    PartitionMapping
    ├── TimeWindowPartitionMapping     the partition's window, moved or widened
    ├── StaticPartitionMapping         what is listed for each key
    └── MultiPartitionMapping          dimension by dimension

What they mean between two definitions says `assetry.partitions.links`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from assetry.errors import DefinitionError, near_names

Word = Literal["same", "all", "last"]

#: The mappings that are words.
MAPPING_WORDS: tuple[Word, ...] = ("same", "all", "last")

_UNITS = ("own", "upstream")


@dataclass(frozen=True, slots=True)
class PartitionMapping:
    """The base of partition mappings that are more than a word."""

    #: Where all kinds of it are defined, for who reads one from JSON.
    json_modules: ClassVar = ("assetry.partitions.mappings",)

    @property
    def backwards(self) -> bool:
        """Return whether it leads from each partition to earlier ones only, so that an asset may read itself."""
        return False


#: What a dependency may say.
AnyMapping = str | PartitionMapping


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionMapping(PartitionMapping):
    """The window of a partition, from `start` to `end` windows away, both inside; upstream all that overlaps it.

    `unit` says whose windows are counted: the ``own`` ones, or those ``upstream``. Windows before the start of what is
    upstream are not needed. Raises `DefinitionError` when `end` comes before `start`.

    The day and the day before it is `TimeWindowPartitionMapping()`; the day before alone, which an asset may read of
    itself, `TimeWindowPartitionMapping(-1, -1)`; an hour before the day and the day
    `TimeWindowPartitionMapping(-1, 0, unit="upstream")`, where hours are upstream.

    >>> TimeWindowPartitionMapping(-1, -1).backwards
    True
    """

    json_tag: ClassVar = ("mapping", "time_window")
    start: int = -1
    end: int = 0
    unit: Literal["own", "upstream"] = "own"

    def __post_init__(self) -> None:
        if self.unit not in _UNITS:
            raise DefinitionError(
                f"TimeWindowPartitionMapping(unit={self.unit!r}) does not exist.",
                near=near_names(str(self.unit), _UNITS),
                hint="There are 'own' and 'upstream'.",
            )
        for name in ("start", "end"):
            if type(getattr(self, name)) is not int:
                raise DefinitionError(
                    f"TimeWindowPartitionMapping({name}={getattr(self, name)!r}) is not a number of windows.",
                    hint="-1 is the window before, 0 the one itself.",
                )
        if self.start > self.end:
            raise DefinitionError(
                f"TimeWindowPartitionMapping({self.start}, {self.end}) runs backwards.",
                near=(f"TimeWindowPartitionMapping({self.end}, {self.start})",),
            )

    @property
    def backwards(self) -> bool:
        """Return whether all windows come before the partition's own."""
        return self.end < 0


@dataclass(frozen=True, slots=True)
class StaticPartitionMapping(PartitionMapping):
    """The keys upstream that each key is made from: a text or a list for each; an empty list for none.

    >>> StaticPartitionMapping({"eu": ["de", "fr"], "us": "us"}).partition_keys
    {'eu': ('de', 'fr'), 'us': ('us',)}
    """

    json_tag: ClassVar = ("mapping", "static")
    partition_keys: Mapping[str, str | Iterable[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.partition_keys, Mapping):
            raise DefinitionError(
                f"StaticPartitionMapping({self.partition_keys!r}) is not a dict.",
                hint='Write {"eu": ["de", "fr"]}: what each key of the asset is made from.',
            )
        listed = {key: (each,) if isinstance(each, str) else tuple(each) for key, each in self.partition_keys.items()}
        object.__setattr__(self, "partition_keys", listed)

    def __hash__(self) -> int:
        return hash(tuple(self.keys.items()))

    @property
    def keys(self) -> Mapping[str, tuple[str, ...]]:
        """Return the lists by key."""
        return self.partition_keys  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class MultiPartitionMapping(PartitionMapping):
    """A mapping for each dimension, by its name; those that are not named are ``same``.

    A dimension that what is upstream does not have is nothing to it; of one that only it has, all is read. `upstream`
    has the names of dimensions that are called something else there.

    >>> MultiPartitionMapping({"date": TimeWindowPartitionMapping(-1, -1)}).backwards
    True
    """

    json_tag: ClassVar = ("mapping", "multi")
    dimensions: Mapping[str, AnyMapping] = field(default_factory=dict)
    upstream: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, mapping in self.dimensions.items():
            if isinstance(mapping, MultiPartitionMapping):
                raise DefinitionError(
                    f"Dimension {name!r} is mapped by dimensions itself.", hint="Name all dimensions in one mapping."
                )
            check_mapping(mapping, f"Dimension {name!r} has the partition mapping")
        object.__setattr__(self, "dimensions", dict(self.dimensions))
        object.__setattr__(self, "upstream", dict(self.upstream))

    def __hash__(self) -> int:
        return hash((tuple(self.dimensions.items()), tuple(self.upstream.items())))

    @property
    def backwards(self) -> bool:
        """Return whether one dimension leads to earlier windows only."""
        return any(isinstance(each, PartitionMapping) and each.backwards for each in self.dimensions.values())


def check_mapping(mapping: object, what: str, where: str | None = None) -> None:
    """Raise `DefinitionError`, with near names, when `mapping` is no word that exists and no value; `what` has it.

    >>> check_mapping("same", "The dependency has the partition_mapping")
    """
    if isinstance(mapping, PartitionMapping) or mapping in MAPPING_WORDS:
        return
    if isinstance(mapping, type) and issubclass(mapping, PartitionMapping):
        near: tuple[str, ...] = (f"{mapping.__name__}(…)",)
    else:
        near = near_names(mapping, MAPPING_WORDS) if isinstance(mapping, str) else ()
    raise DefinitionError(
        f"{what} {mapping!r}, which does not exist.",
        where=where,
        near=near,
        hint=f"There are {', '.join(MAPPING_WORDS)}, and the values TimeWindowPartitionMapping, "
        "StaticPartitionMapping and MultiPartitionMapping.",
    )
