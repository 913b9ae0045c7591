"""Facets: what integrations say of assets and checks, by the names that selections ask for; how that is compared.

The rules are those of `assetry.types.assets.Asset`: ``name:value`` knows wildcards and dotted names, and what a dotted
path leads to (``config.meta.team:core``) is compared as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from assetry.selection.patterns import matcher

Facets = Mapping[str, Any]

_FLAGS = {"true": True, "false": False}


def facet_test(method: str, value: str) -> Callable[[Facets], bool]:
    """Return the test of facets against what the criterion ``method:value`` asks for.

    >>> facets = {"package": "shop", "source": [["raw"], ["raw", "orders"]], "config": {"meta": {"team": "core"}}}
    >>> asked = [("package", "sh*"), ("source", "r*.orders"), ("source", "*.raw"), ("config.meta.team", "core")]
    >>> [facet_test(*each)(facets) for each in asked]
    [True, True, False, True]
    """
    path, whole = method.split("."), f"{method}:{value}"
    fits = _name_test(value) if len(path) == 1 else _setting_test(value)
    return lambda facets: fits(_held(facets, path)) or facets.get(whole) is True


def _held(facets: Facets, path: Sequence[str]) -> Any:
    """Return what stands at a path; None when there is nothing."""
    held: Any = facets
    for step in path:
        held = held.get(step) if isinstance(held, Mapping) else None
    return held


def _setting_test(value: str) -> Callable[[Any], bool]:
    """Return the test of a setting, or of each member of one that is a list."""
    flag = _FLAGS.get(value.lower())
    return lambda held: any(each == value or (each is flag and flag is not None) for each in _members(held))


def _name_test(value: str) -> Callable[[Any], bool]:
    """Return the test of a text, a dotted name, or each of several."""
    matches, parts = matcher(value), [matcher(part) for part in value.split(".")]
    flag = _FLAGS.get(value.lower())

    def fits(each: Any) -> bool:
        if isinstance(each, str):
            return matches(each)
        if isinstance(each, (list, tuple)):
            return len(each) == len(parts) and all(part(str(own)) for part, own in zip(parts, each, strict=True))
        return each is flag and flag is not None

    return lambda held: any(map(fits, _members(held)))


def _members(held: Any) -> Sequence[Any]:
    return held if isinstance(held, (list, tuple)) else (held,)


def facet_values(facets: Facets, method: str) -> Iterator[str]:
    """Yield the values by which ``method:value`` finds these facets, as they are written.

    >>> list(facet_values({"source": [["raw"], ["raw", "orders"]], "config": {"enabled": True}}, "source"))
    ['raw', 'raw.orders']
    """
    path = method.split(".")
    for each in _members(_held(facets, path)):
        if isinstance(each, bool):
            yield str(each).lower()
        elif isinstance(each, str):
            yield each
        elif isinstance(each, (list, tuple)) and len(path) == 1:
            yield ".".join(map(str, each))


def facet_methods(facets: Facets) -> Iterator[str]:
    """Yield the methods, dotted where there are mappings, that have something to find these facets by.

    >>> list(facet_methods({"package": "shop", "package:this": True, "config": {"meta": {"team": "core"}, "tags": []}}))
    ['package', 'config.meta.team']
    """
    for name, held in facets.items():
        if ":" not in name:
            yield from _methods(name, held)


def _methods(name: str, held: Any) -> Iterator[str]:
    if isinstance(held, Mapping):
        for step, inner in held.items():
            yield from _methods(f"{name}.{step}", inner)
    elif any(isinstance(each, (str, bool, list, tuple)) for each in _members(held)):
        yield name
