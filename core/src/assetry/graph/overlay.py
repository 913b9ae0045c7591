"""Values of very many assets of which a few become other ones, while those of before stay as they are. Pure.

To copy all of them for a few costs more than what is done with these few: each copy is walked by Python's garbage
collector, too, and so is all that it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")

#: Once more than one in so many is another one, all are copied.
_FEW = 16
_GONE: Final[Any] = object()


class ByNumber(Protocol[V]):
    """A value of each asset of a graph, by its number: a list, or an overlay of one."""

    def __getitem__(self, number: int, /) -> V: ...

    def __setitem__(self, number: int, value: V, /) -> None: ...


def with_others(values: tuple[V, ...], others: Mapping[int, V]) -> tuple[V, ...]:
    """Return values with others in the place of some, by number; the very same ones where there are none.

    >>> with_others(("a", "b"), {1: "c"})
    ('a', 'c')
    """
    if not others:
        return values
    found = [*values]
    for number, value in others.items():
        found[number] = value
    return tuple(found)


class NumberedOverlay(Generic[V]):
    """Values by number over those of a list, or of an overlay of one, which nothing changes any more.

    >>> before = ["a", "b"]
    >>> now = NumberedOverlay(before)
    >>> now[1] = "c"
    >>> before, [now[0], now[1]]
    (['a', 'b'], ['a', 'c'])
    """

    __slots__ = ("_below", "_own")

    def __init__(self, before: ByNumber[V]) -> None:
        self._below: list[V]
        self._own: dict[int, V] = {}
        if not isinstance(before, NumberedOverlay):
            assert isinstance(before, list), "a list, or an overlay of one"
            self._below = before
        elif len(before._own) * _FEW <= len(before._below):
            self._below, self._own = before._below, before._own.copy()
        else:
            self._below = before._below.copy()
            for number, value in before._own.items():
                self._below[number] = value

    def __getitem__(self, number: int, /) -> V:
        own = self._own
        return own[number] if number in own else self._below[number]

    def __setitem__(self, number: int, value: V, /) -> None:
        self._own[number] = value


class Overlay(MutableMapping[K, V]):
    """Values by key over those of a dictionary, or of an overlay of one, of which nothing becomes another one any more.

    >>> before = {"a": 1, "b": 2}
    >>> now = Overlay(before, {"c": 4})
    >>> now["b"] = 3
    >>> del now["a"]
    >>> before, dict(now), "a" in now
    ({'a': 1, 'b': 2}, {'b': 3, 'c': 4}, False)
    """

    __slots__ = ("_below", "_own")

    def __init__(self, before: Mapping[K, V], new: Mapping[K, V] = MappingProxyType({})) -> None:
        self._below: dict[K, V]
        self._own: dict[K, V] = {}
        if not isinstance(before, Overlay):
            assert isinstance(before, dict), "a dictionary, or an overlay of one"
            self._below = before
        elif len(before._own) * _FEW <= len(before._below):
            self._below, self._own = before._below, before._own.copy()
        else:
            self._below = dict(before)
        self._own.update(new)

    def __getitem__(self, key: K) -> V:
        found = self._own[key] if key in self._own else self._below[key]
        if found is _GONE:
            raise KeyError(key)
        return found

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of a key, or `default` where there is none."""
        found = self._own[key] if key in self._own else self._below.get(key, default)
        return default if found is _GONE else found

    def __contains__(self, key: object) -> bool:
        return self._own[key] is not _GONE if key in self._own else key in self._below  # type: ignore[index]

    def __setitem__(self, key: K, value: V) -> None:
        self._own[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._own[key] = _GONE

    def pop(self, key: K, default: Any = None) -> Any:
        """Take a key away, and return its value; it stays away also where it comes to be below only later."""
        found = self.get(key, default)
        self._own[key] = _GONE
        return found

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._below if self._own.get(key) is not _GONE)
        yield from (key for key, value in self._own.items() if key not in self._below and value is not _GONE)

    def __len__(self) -> int:
        return sum(1 for _ in self)
