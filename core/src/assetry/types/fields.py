"""Whether the fields of a value hold what they are declared to hold; asked of values that plugins hand over. Pure."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin

#: Tells how a value differs from what is declared, after the name of its field; None when it does not.
_Test = Callable[[Any], str | None]


def misfit(value: Any) -> str | None:
    """Return what is wrong with the first field of `value` that holds something else than it is declared to hold.

    `value` is a dataclass or a named tuple; what its tuples and mappings hold is looked at, too, one step deep.

    >>> from assetry.types.assets import Asset, Column
    >>> misfit(Asset(key="a", kind="acme", columns=[Column("id", "int"), ("x", "int")]))
    'columns[1] is a tuple instead of a Column'
    >>> misfit(Column("id", 3)), misfit(Column("id"))
    ('type is an int instead of a str', None)
    """
    return _record(type(value)).misfit(value)


def outer_misfit(value: Any) -> str | None:
    """Return what `misfit` does, but without a look into what the items of tuples and mappings hold themselves.

    That is a tenth of the work, for the tens of thousands of assets that every command loads.

    >>> from assetry.types.assets import Asset, Column
    >>> outer_misfit(Asset(key="a", kind="acme", columns=[("x", "int")]))
    'columns[0] is a tuple instead of a Column'
    """
    return _record(type(value)).outer_misfit(value)


class _Record:
    """The fields of one class.

    Tens of thousands of values have the types of their fields in common with few others, so a set of types that was
    found right once is not looked at again, and only what is not empty is looked into.
    """

    def __init__(self, kind: Any) -> None:
        hints = typing.get_type_hints(kind)
        self._names = [field.name for field in fields(kind)] if is_dataclass(kind) else list(kind._fields)
        self._values: Callable[[Any], tuple[Any, ...]] = attrgetter(*self._names)
        self._outer = [_outer(hints[name]) for name in self._names]
        inner = ((i, _inner(hints[name])) for i, name in enumerate(self._names))
        self._inner = [(i, test) for i, test in inner if test is not None]
        #: The classes that the items of a tuple are mostly of.
        items = ((i, _item(hints[name])) for i, name in enumerate(self._names))
        self._items = [(i, {kind}) for i, kind in items if kind is not None]
        self._right: set[tuple[type[Any], ...]] = set()

    def outer_misfit(self, value: Any) -> str | None:
        values = self._values(value)
        wrong = self._fields_misfit(values)
        if wrong is not None:
            return wrong
        for i, kinds in self._items:
            if values[i] and set(map(type, values[i])) != kinds:
                return self.misfit(value)
        return None

    def misfit(self, value: Any) -> str | None:
        values = self._values(value)
        wrong = self._fields_misfit(values)
        if wrong is not None:
            return wrong
        for i, test in self._inner:
            wrong = test(values[i]) if values[i] else None
            if wrong is not None:
                return f"{self._names[i]}{wrong}"
        return None

    def right(self, rows: Iterable[tuple[Any, ...]]) -> bool:
        """Tell whether the fields of all `rows` have types that were found right before."""
        return {tuple(map(type, row)) for row in rows} <= self._right

    def _fields_misfit(self, values: tuple[Any, ...]) -> str | None:
        kinds = tuple(map(type, values))
        if kinds not in self._right:
            for name, wanted, each in zip(self._names, self._outer, values, strict=True):
                if not isinstance(each, wanted) or (type(each) is bool and bool not in wanted and object not in wanted):
                    return f"{name} is {described(type(each))} instead of {described(wanted[0])}"
            self._right.add(kinds)
        return None


_record: Callable[[Any], _Record] = cache(_Record)


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _outer(hint: Any) -> tuple[type[Any], ...]:
    """Return the classes of which a value may be, the one to name first."""
    found: list[type[Any]] = []
    for each in _options(hint):
        origin = get_origin(each)
        if origin is Literal:
            found += {type(word): None for word in get_args(each)}
        elif each is float:
            found += (float, int)
        else:
            kind = origin or each
            found.append(kind if isinstance(kind, type) and kind is not Any else object)
    return tuple(found)


def _item(hint: Any) -> type[Any] | None:
    """Return the class of a tuple's items; None for what is no such tuple."""
    args = get_args(hint)
    return args[0] if get_origin(hint) is tuple and args[1:] == (Ellipsis,) and isinstance(args[0], type) else None


def _inner(hint: Any) -> _Test | None:
    """Return the test of what a value of a type holds; None when that has nothing, or nothing of a certain type."""
    tests = [test for each in _options(hint) if (test := _inner_of(get_origin(each) or each, get_args(each)))]
    return tests[0] if len(tests) == 1 else None


def _inner_of(kind: Any, args: tuple[Any, ...]) -> _Test | None:
    if kind is tuple and len(args) == 2 and args[1] is Ellipsis:
        return _test_of_items(args[0])
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return _test_of_mapping(args[1] if args else Any)
    if hasattr(kind, "_fields"):
        return lambda value: None if (wrong := misfit(value)) is None else f".{wrong}"
    return None


def _test_of_items(hint: Any) -> _Test:
    wanted = _outer(hint)
    record = _record(hint) if hasattr(hint, "_fields") else None

    def test(value: Any) -> str | None:
        if set(map(type, value)) == {hint} and (record is None or record.right(value)):
            return None
        for number, each in enumerate(value):
            if not isinstance(each, wanted):
                return f"[{number}] is {described(type(each))} instead of {described(wanted[0])}"
            wrong = record.misfit(each) if record else None
            if wrong is not None:
                return f"[{number}].{wrong}"
        return None

    return test


def _test_of_mapping(hint: Any) -> _Test:
    wanted = _outer(hint)

    def test(value: Any) -> str | None:
        for name, each in value.items():
            if not isinstance(name, str):
                return f" has {described(type(name))} among its names, which are of str"
            if not isinstance(each, wanted):
                return f"[{name!r}] is {described(type(each))} instead of {described(wanted[0])}"
        return None

    return test


def described(kind: type[Any]) -> str:
    """Return a type for people.

    >>> described(str), described(int), described(type(None)), described(dict)
    ('a str', 'an int', 'None', 'a dict')
    """
    if kind is type(None):
        return "None"
    article = "an" if kind.__name__[0].lower() in "aeiou" else "a"
    return f"{article} {kind.__name__}"
