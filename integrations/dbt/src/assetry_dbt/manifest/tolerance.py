"""Values of another type than they should have: as much of them as can be understood.

dbt and tools that write manifests put odd values in places that do not matter for the graph: null among the macros of
a test whose package is not installed, a number where there is usually a text. Only a manifest that does not fit its
types comes here, because looking at each value costs ten times as much as reading them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.inspect import (
    BoolType,
    DictType,
    ListType,
    NoneType,
    StrType,
    StructType,
    Type,
    UnionType,
    VarTupleType,
    type_info,
)

#: Fields without which the graph would be another: what is odd in them is left out only when it is null.
_NEEDED = frozenset({"unique_id", "depends_on", "nodes"})
#: Stands for a value that cannot be understood.
_NOTHING: Any = object()


class NotUnderstoodError(ValueError):
    """A part of a manifest without which the graph would be another; the text names it."""


def fitted(value: Any, wanted: Any) -> Any:
    """Return `value`, decoded JSON, so that it can be read as the type `wanted`.

    A number in the place of a text becomes that text; null in a list, and what cannot be understood, is left out.
    Raises `NotUnderstoodError` for an item without a name, and for one whose dependencies cannot be told.

    >>> fitted({"a": ["x", None, 3], "b": None}, dict[str, list[str]])
    {'a': ['x', '3']}
    """
    return _fitted(value, type_info(wanted), "the manifest")


def _fitted(value: Any, wanted: Type, where: str) -> Any:
    if isinstance(wanted, UnionType):
        if value is None:
            return None
        found = (_fitted(value, each, where) for each in wanted.types if not isinstance(each, NoneType))
        return next((each for each in found if each is not _NOTHING), _NOTHING)
    if isinstance(wanted, StrType):
        return _text(value)
    if isinstance(wanted, (ListType, VarTupleType)):
        if not isinstance(value, list):
            return _NOTHING
        return [each for each in (_fitted(each, wanted.item_type, where) for each in value) if each is not _NOTHING]
    if isinstance(wanted, DictType):
        return _table(value, wanted.value_type)
    if isinstance(wanted, StructType):
        return _struct(value, wanted, where) if isinstance(value, Mapping) else _NOTHING
    return value if isinstance(value, bool) or not isinstance(wanted, BoolType) else _NOTHING


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else _NOTHING


def _table(value: Any, wanted: Type) -> Any:
    if not isinstance(value, Mapping):
        return _NOTHING
    items = isinstance(wanted, StructType) and any(field.name == "unique_id" for field in wanted.fields)
    found = {}
    for name, each in value.items():
        mended = _fitted(each, wanted, name)
        if mended is not _NOTHING:
            found[name] = mended
        elif items and each is not None:
            raise NotUnderstoodError(f"{name} is no table of fields")
    return found


def _struct(value: Mapping[str, Any], wanted: StructType, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in wanted.fields:
        name = field.encode_name
        if name not in value:
            given, mended = None, _NOTHING
        else:
            given = value[name]
            mended = _fitted(given, field.type, where)
        if mended is not _NOTHING:
            found[name] = mended
        elif field.required or (name in _NEEDED and given is not None):
            raise NotUnderstoodError(f"{where} has no {name} that can be understood")
        if name in _NEEDED and isinstance(given, list) and len(mended) < sum(each is not None for each in given):
            raise NotUnderstoodError(f"{where} has {name} that cannot be understood")
    return found
