"""How the partitions of an asset are, as sets of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assetry.errors import UsageError, near_names
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts

#: The sets, in the order in which people are told of them.
SET_NAMES = ("existing", "made", "fresh", "stale", "missing", "failed", "waiting", "running", "orphan")
#: Those that the text of partitions has words for.
_WORDS = ("missing", "stale", "failed")


@dataclass(frozen=True, slots=True)
class PartitionSets:
    """The partitions of an asset by how they are.

    Each of `existing` is in just one of these:

    * `fresh`: made, and up to date;
    * `stale`: made, and out of date;
    * `missing`: never made, and no try at it failed;
    * `failed`: the last try at it failed, or a check of it did, whether it was made before or not.

    `made` are all with a record, `running` those that are being made, whatever else they are. `waiting` are those stale
    or missing that are to be made once what they are made from reaches the end of their time: not now. `waits_for` says
    for people what that is. `orphan` have a
    record and are no partitions any more; `unknown` are recorded keys that have no number in `definition`, as those of
    another grid. `whole` tells that it was made as a whole, before it had partitions. `definition` has the keys that
    records know, so that it says what each number means.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> letters = StaticPartitionsDefinition(["a", "b", "c"])
    >>> a, rest = letters.parts_of("a"), letters.parts_of("bc")
    >>> found = PartitionSets(letters, letters.parts_of("abc"), made=a, fresh=a, missing=rest)
    >>> found.text("missing"), len(found.due), found.counts["made"]
    ('b, c', 2, 1)
    """

    definition: PartitionsDefinition
    existing: Parts = NOTHING
    made: Parts = NOTHING
    fresh: Parts = NOTHING
    stale: Parts = NOTHING
    missing: Parts = NOTHING
    failed: Parts = NOTHING
    waiting: Parts = NOTHING
    waits_for: str = ""
    running: Parts = NOTHING
    orphan: Parts = NOTHING
    unknown: tuple[str, ...] = ()
    whole: bool = False

    @property
    def due(self) -> Parts:
        """Return what bringing the asset up to date would make: what is stale, missing or failed, and need not wait."""
        found = self.stale | self.missing | self.failed
        return found - self.waiting if self.waiting else found

    def sets(self, name: str) -> Parts:
        """Return a set by its name; raise `UsageError`, with near names, for another.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> PartitionSets(StaticPartitionsDefinition(["a"])).sets("stale")
        Parts({})
        """
        if name not in SET_NAMES:
            raise UsageError(
                f"There is no set of partitions {name!r}.",
                near=near_names(name, SET_NAMES),
                hint=f"There are {', '.join(SET_NAMES)}.",
            )
        found: Parts = getattr(self, name)
        return found

    @property
    def words(self) -> Mapping[str, Parts]:
        """Return the sets that have a word in the text of partitions, as `read_parts` takes them."""
        return {name: self.sets(name) for name in _WORDS}

    def text(self, name: str) -> str:
        """Return a set as people write it."""
        listed = [self.sets(name).text(self.definition), *(self.unknown if name == "orphan" else ())]
        return ", ".join(each for each in listed if each)

    @property
    def summary(self) -> str:
        """Return how many partitions are how, for people.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> letters = StaticPartitionsDefinition(["a", "b"])
        >>> PartitionSets(letters, letters.parts_of("ab"), missing=letters.parts_of("ab")).summary
        '0 of 2 made; 2 missing'
        """
        counts = self.counts
        told = [f"{counts[name]:,} {name}" for name in SET_NAMES[2:] if counts[name]]
        return f"{counts['made']:,} of {counts['total']:,} made{'; ' if told else ''}{', '.join(told)}"

    @property
    def counts(self) -> dict[str, int]:
        """Return how many partitions each set has; `existing` is called ``total``."""
        sizes = {"total" if name == "existing" else name: len(self.sets(name)) for name in SET_NAMES}
        return {**sizes, "orphan": sizes["orphan"] + len(self.unknown)}
