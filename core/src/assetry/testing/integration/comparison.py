"""Definitions and events compared, and named as messages name them. Pure."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from assetry.types.assets import Asset, AssetCheck
from assetry.types.events import TERMINAL
from assetry.types.invocations import InvocationGroup

#: So many characters of a value are shown.
_SHOWN = 80


def assets_in(definitions: Iterable[Asset | AssetCheck]) -> list[Asset]:
    """Return what is an asset among definitions."""
    return [each for each in definitions if isinstance(each, Asset)]


def named(definition: Asset | AssetCheck) -> str:
    """Return what an asset or check is called in messages."""
    return str(definition.key) if isinstance(definition, Asset) else f"check {definition.check.name}"


def is_end(event: Any) -> bool:
    """Tell whether an event is the end of an asset's turn."""
    return isinstance(event, TERMINAL)


def pickled(value: Any) -> Any:
    """Return what comes back from a pickle."""
    return pickle.loads(pickle.dumps(value))


def repeated(values: Iterable[Any]) -> list[Any]:
    """Return the values that occur more than once.

    >>> repeated([1, 2, 1])
    [1]
    """
    return [value for value, count in Counter(values).items() if count > 1]


def differing(first: Sequence[Asset | AssetCheck], second: Sequence[Asset | AssetCheck]) -> str:
    """Say where two lists of definitions begin to differ: which asset or check, and what of it."""
    for one, two in zip(first, second, strict=False):
        names = one._fields if isinstance(one, AssetCheck) else [field.name for field in fields(one)]
        for name in names:
            mine, other = getattr(one, name), getattr(two, name, None)
            if mine != other:
                return f"the {name} of {named(one)}, {short(mine)} and {short(other)}"
    return f"their number, {len(first)} and {len(second)}"


def first_difference(here: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]) -> str:
    """Say where two lists of definitions, told as JSON, begin to differ: which asset, and what of it.

    >>> first_difference([{"key": "a", "spec": 1}], [{"key": "a", "spec": 2}])
    'the spec of a, 1 and 2'
    """
    for one, two in zip(here, there, strict=False):
        for name in dict.fromkeys((*one, *two)):
            if one.get(name) != two.get(name):
                who = one.get("key") if name != "key" else f"asset {one['key']}"
                return f"the {name} of {who}, {short(one.get(name))} and {short(two.get(name))}"
    return f"their number, {len(here)} and {len(there)}"


def short(value: Any) -> str:
    """Return how a value is shown in a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"


def group_words(one: InvocationGroup | None, two: InvocationGroup | None) -> tuple[str, str]:
    """Return how two groups are told apart: by their keys when those differ.

    >>> group_words(InvocationGroup("a"), None)
    ("'a'", 'None')
    """
    if isinstance(one, InvocationGroup) and isinstance(two, InvocationGroup) and one.key == two.key:
        return repr(one), repr(two)
    return repr(getattr(one, "key", one)), repr(getattr(two, "key", two))
