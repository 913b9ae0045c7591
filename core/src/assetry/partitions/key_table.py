"""Numbers of keys that no arithmetic can number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from assetry.errors import UsageError
from assetry.partitions.parts import Parts


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Keys by number: the one at position `n` has the number `n`, for ever; also once it is dropped.

    Records keep it for each asset whose keys are listed or come into being, so that a key that is put in between, or
    taken away, renumbers no other.

    >>> table = KeyTable(("eu", "us")).extended(["us", "asia"])
    >>> table.number("asia"), table.key(0), table.without(["eu"]).living
    (2, 'eu', ('us', 'asia'))
    """

    keys: tuple[str, ...] = ()
    dropped: frozenset[int] = frozenset()
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_numbers", {key: number for number, key in enumerate(self.keys)})

    def number(self, key: str) -> int | None:
        """Return the number of a key, dropped or not; None when it never had one.

        >>> KeyTable(("eu",)).number("us") is None
        True
        """
        return self._numbers.get(key)

    def key(self, number: int) -> str | None:
        """Return the key of a number; None when there is none.

        >>> KeyTable(("eu",)).key(1) is None
        True
        """
        return self.keys[number] if 0 <= number < len(self.keys) else None

    def key_of(self, number: int) -> str:
        """Return the key of a number, dropped or not; raise `UsageError` when there is none.

        >>> KeyTable(("eu",)).key_of(0)
        'eu'
        """
        key = self.key(number)
        if key is None:
            raise UsageError(f"No partition has the number {number}: there are {len(self.keys)}.")
        return key

    @property
    def living(self) -> tuple[str, ...]:
        """Return the keys that were not dropped, in the order of their numbers.

        >>> KeyTable(("eu", "us"), frozenset([0])).living
        ('us',)
        """
        return tuple(key for number, key in enumerate(self.keys) if number not in self.dropped)

    @property
    def gone(self) -> frozenset[str]:
        """Return the keys that were dropped.

        >>> KeyTable(("eu", "us"), frozenset([0])).gone
        frozenset({'eu'})
        """
        return frozenset(self.keys[number] for number in self.dropped)

    @property
    def parts(self) -> Parts:
        """Return the numbers of the keys that were not dropped.

        >>> KeyTable(("eu", "us"), frozenset([0])).parts
        Parts({'': [(1, 2)]})
        """
        return Parts.range(0, len(self.keys)) - Parts.of(self.dropped)

    def numbered(self, keys: Iterable[str]) -> KeyTable:
        """Return the table with numbers for those of `keys` that have none; one that was dropped stays so.

        >>> KeyTable(("eu",), frozenset([0])).numbered(["eu", "us"]).living
        ('us',)
        """
        fresh = tuple(key for key in dict.fromkeys(keys) if key not in self._numbers)
        return KeyTable((*self.keys, *fresh), self.dropped) if fresh else self

    def extended(self, keys: Sequence[str]) -> KeyTable:
        """Return the table with numbers for those of `keys` that have none; one that was dropped is there again.

        >>> KeyTable(("eu",), frozenset([0])).extended(["eu"]).living
        ('eu',)
        """
        table = self.numbered(keys)
        back = {number for key in keys if (number := table.number(key)) in table.dropped} if self.dropped else None
        return KeyTable(table.keys, table.dropped - back) if back else table

    def without(self, keys: Iterable[str]) -> KeyTable:
        """Return the table with keys dropped: they keep their numbers, and are no partitions any more.

        >>> KeyTable(("eu",)).without(["eu"]).number("eu")
        0
        """
        gone = {number for key in keys if (number := self.number(key)) is not None}
        return KeyTable(self.keys, self.dropped | gone)

    def joined(self, other: KeyTable) -> KeyTable | None:
        """Return the table with the keys that `other` has besides; None where the two number a key differently.

        What was dropped is what this one says.

        >>> table = KeyTable(("eu", "us"), frozenset([0]))
        >>> table.joined(KeyTable(("eu", "us", "asia"))).living, table.joined(KeyTable(("us", "eu")))
        (('us', 'asia'), None)
        """
        shared = min(len(self.keys), len(other.keys))
        if self.keys[:shared] != other.keys[:shared]:
            return None
        return self if shared == len(other.keys) else KeyTable(other.keys, self.dropped)
