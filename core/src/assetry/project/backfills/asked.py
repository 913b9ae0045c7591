"""What is asked of a backfill, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from assetry.errors import UsageError, near_names
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import numbered
from assetry.plan.numbering import Numbering
from assetry.status.backfill import BackfillAsset
from assetry.types.keys import AssetKey
from assetry.types.records import BackfillRecord

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition
    from assetry.plan.scope import Wants

Only = Literal["all", "missing", "stale"]
ONLY: tuple[Only, ...] = ("all", "missing", "stale")
#: How often a partition that failed is tried again in later chunks.
RETRIES = 1
#: How many ranges that are gone are named.
_TOLD = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillAsk:
    """What is asked of a backfill.

    * `only`: all partitions that are asked for, those that are ``missing``, or those that are ``stale`` or missing.
    * `at_once`: how many invocations run side by side; `max_partitions`: how many partitions of an asset a chunk has.
    * `newest_first`: begin with the newest ones. `why`: a reason, for people.
    * `retries`: how often what failed is tried again; `stop_after`: after so many failed partitions it stops.

    Raises `UsageError` for what has no meaning.

    >>> BackfillAsk(only="missing").retries
    1
    """

    only: Only = "all"
    at_once: int | None = None
    max_partitions: int | None = None
    newest_first: bool = False
    why: str | None = None
    retries: int = RETRIES
    stop_after: int | None = None

    @classmethod
    def of(
        cls, keywords: Mapping[str, Any], options: Callable[[], Iterable[str]] = tuple
    ) -> tuple[Self, dict[str, Any]]:
        """Return what keywords ask for, and those that are options of integrations: `options` returns their names.

        Raises `UsageError`, with near names, for a keyword that does not exist.

        >>> BackfillAsk.of({"at_once": 4})[0].at_once
        4
        """
        known = [each.name for each in fields(cls)]
        others = {name: value for name, value in keywords.items() if name not in known}
        allowed = dict.fromkeys(options()) if others else {}
        for word in others:
            if word not in allowed:
                near = near_names(word, [*known, *allowed])
                raise UsageError(f"There is no keyword {word!r}.", near=near, hint=f"There are {', '.join(known)}.")
        return cls(**{name: value for name, value in keywords.items() if name in known}), others

    def __post_init__(self) -> None:
        if self.only not in ONLY:
            near = near_names(str(self.only), ONLY) or ONLY
            raise UsageError(f"only={self.only!r}: unknown.", near=near, hint=f"There are {', '.join(ONLY)}.")
        for name in ("at_once", "max_partitions", "stop_after"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name}={value} is less than one.", hint="Leave it out for no limit.")
        if self.retries < 0:
            raise UsageError(f"retries={self.retries} is less than none.", hint="With 0 nothing is tried again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOrder:
    """A backfill as it was asked for: the JSON of its record.

    `wants` are the ranges of keys of each asset, None for one without partitions; `grids` say what keys mean, see
    `grids_of`. `options` are those of integrations.
    `revision` is that of the records when it began, and `codes` are the code versions of then. `resumed` are the runs
    before it was resumed: what they have failed at is tried again. It goes on with `limit` alone, as what had failed,
    where that is given and until that is made, and where it `was` cancelled it is so again then. `counts`, `assets`,
    `failures` and the ranges that were `given_up` say what it came to.
    """

    ask: BackfillAsk
    wants: Mapping[str, list[list[str]] | None] = field(default_factory=dict)
    grids: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    by: str = ""
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    partition: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    revision: str | None = None
    codes: Mapping[str, str | None] = field(default_factory=dict)
    priority: int = 50
    resumed: tuple[str, ...] = ()
    limit: Mapping[str, list[list[str]] | None] | None = None
    was: str | None = None
    counts: Mapping[str, int] | None = None
    assets: tuple[BackfillAsset, ...] = ()
    failures: tuple[str, ...] = ()
    given_up: Mapping[str, list[list[str]] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, record: BackfillRecord) -> Self:
        """Return what a record keeps."""
        from assetry.types.codec import from_json

        return from_json(cls, record.body)

    def on(self, record: BackfillRecord, **changes: Any) -> BackfillRecord:
        """Return a record with this as what it keeps."""
        from assetry.types.codec import to_json

        return replace(record, body=to_json(self), **changes)


def wants_to_json(wants: Wants, numbering: Numbering) -> dict[str, list[list[str]] | None]:
    """Return what is wanted as JSON: ranges of keys, so that it can be read with other definitions."""
    told: dict[str, list[list[str]] | None] = {}
    for key, parts in wants.items():
        definition = numbering.definition(key)
        told[str(key)] = None if parts is None or definition is None else parts.to_json(definition)
    return told


def grids_of(wants: Wants, numbering: Numbering) -> dict[str, str]:
    """Return what the keys of partitions mean, by asset: with another grid the same key is another piece of time."""
    found = ((key, numbering.definition(key)) for key in wants)
    return {str(key): _grid(definition) for key, definition in found if definition is not None}


def _grid(definition: PartitionsDefinition) -> str:
    return "keys" if definition.typical_length is None else str(definition.grid)


class Readable(NamedTuple):
    """What was wanted as it can be made today.

    `gone` says, by asset, what of it cannot be made any more. `definitions` are those that the numbers of `wants` are
    of.
    """

    wants: dict[AssetKey, Parts | None]
    gone: dict[str, str]
    definitions: dict[AssetKey, PartitionsDefinition]


def wants_from_json(
    told: Mapping[str, list[list[str]] | None],
    grids: Mapping[str, str],
    graph: AssetGraph,
    definitions: Mapping[AssetKey, PartitionsDefinition],
) -> Readable:
    """Return what was wanted as it can be made today, and what cannot any more."""
    found = Readable({}, {}, dict(definitions))
    for text, ranges in told.items():
        if text not in graph or not graph[text].executable:
            found.gone[text] = "all of it is left out: nothing here makes it any more"
            continue
        key = graph[text].key
        definition = definitions.get(key) or graph[key].partitions_def
        if (ranges is None) != (definition is None):
            words = "it has partitions now" if ranges is None else "it has no partitions any more"
            found.gone[text] = f"all of it is left out: {words}"
        elif ranges is None or definition is None:
            found.wants[key] = None
        elif grids.get(text) not in (None, _grid(definition)):
            found.gone[text] = "all of it is left out: it has other partitions now"
        else:
            found.definitions[key], parts, lost = _parts(ranges, definition)
            if lost:
                more = " …" if len(lost) > _TOLD else ""
                found.gone[text] = f"{', '.join(lost[:_TOLD])}{more} is no partition any more, and left out"
            if parts:
                found.wants[key] = parts
    return found


def _parts(
    ranges: Sequence[Sequence[str]], definition: PartitionsDefinition
) -> tuple[PartitionsDefinition, Parts, Sequence[str]]:
    """Return which partitions of ranges there may be today, by which definition, and of which ranges some are gone."""
    known = numbered(definition, dict.fromkeys(key for each in ranges for key in each))
    parts, lost = NOTHING, []
    for first, last in ranges:
        (strand, number), (other, end) = known.places.get(first, ("", 0)), known.places.get(last, ("", -1))
        asked = Parts({strand: [(number, end + 1)]}) if strand == other and end >= number else NOTHING
        possible = known.definition.possible(asked)
        parts |= possible
        if not asked or asked - possible:
            lost.append(first if first == last else f"{first}..{last}")
    return known.definition, parts, lost
