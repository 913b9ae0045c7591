"""JSON both ways for the frozen values of assetry.

One codec, driven by the fields and type hints of the dataclasses themselves, so that a value has no
serialisation code of its own and every new field travels at once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any, TypeVar, Union, get_args, get_origin

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """Return `value` as plain JSON data: dicts, lists, strings, numbers, booleans and None.

    Fields that hold their default are left out. Times become ISO 8601, durations seconds.

    >>> from assetry.types.assets import Column
    >>> to_json(Column("id", "integer"))
    {'name': 'id', 'type': 'integer'}
    """
    if value is None or isinstance(value, (str, bool, int, float)):
        # A key is a str; plain str() of it drops the subclass, which encoders may refuse.
        return str(value) if isinstance(value, str) and type(value) is not str else value
    if is_dataclass(value) and not isinstance(value, type):
        return _dataclass_to_json(value)
    names: tuple[str, ...] | None = getattr(value, "_fields", None)
    if names is not None:
        defaults = value._field_defaults
        return {
            name: to_json(item)
            for name, item in zip(names, value, strict=True)
            if name not in defaults or item != defaults[name]
        }
    if isinstance(value, Mapping):
        return {str(name): item if type(item) in _PLAIN else to_json(item) for name, item in value.items()}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (Sequence, set, frozenset)):
        return [item if type(item) in _PLAIN else to_json(item) for item in value]
    raise TypeError(f"{type(value).__name__} is not JSON data: {value!r}")


#: How deep data may be nested that somebody made; beyond that it most likely refers to itself.
_DEEPEST = 100


def plain(value: Any, depth: int = 0) -> Any:
    """Return any value as JSON data of its own: names and what JSON does not have become text.

    Raises `ValueError` when it refers to itself or is nested too deep, and what its own text raises.

    >>> plain({1: (2, object), "nested": {"at": datetime(2026, 1, 31)}})
    {'1': [2, "<class 'object'>"], 'nested': {'at': '2026-01-31T00:00:00'}}
    """
    if value is None or type(value) in _PLAIN:
        # Python writes no longer numbers out, and few programs would read them.
        return hex(value) if type(value) is int and value.bit_length() > LONGEST_INT else value
    if depth > _DEEPEST:
        raise ValueError(f"it refers to itself, or is nested more than {_DEEPEST} deep")
    if isinstance(value, Mapping):
        return {str(name): plain(item, depth + 1) for name, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    number = getattr(value, "item", None)
    if callable(number) and getattr(value, "ndim", None) == 0:
        return plain(number(), depth + 1)
    try:
        return to_json(value)
    except TypeError:
        return str(value)


_PLAIN = frozenset((str, int, float, bool))
#: The bits of a whole number beyond which no float reaches, and metadata have it as text.
LONGEST_INT = 1000


def is_unicode(text: str) -> bool:
    r"""Tell whether `text` is whole characters; what was decoded leniently may have halves.

    >>> is_unicode("é"), is_unicode("caf\udce9")
    (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _dataclass_to_json(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    tag = getattr(type(value), "json_tag", None)
    if tag:
        out[tag[0]] = tag[1]
    renames = getattr(type(value), "json_names", {})
    for field in fields(value):
        if not field.compare:
            continue  # no part of the value
        item = getattr(value, field.name)
        if field.default is not MISSING and item == field.default:
            continue
        if field.default_factory is not MISSING and item == field.default_factory():
            continue
        out[renames.get(field.name, field.name)] = to_json(item)
    return out


def from_json(kind: type[T], data: Any) -> T:
    """Return the value of class `kind` that `data` describes; unknown names in `data` are ignored.

    >>> from assetry.types.assets import Column
    >>> from_json(Column, {"name": "id", "type": "integer", "new": 1})
    Column(name='id', type='integer', description='', tags=())
    """
    read: Callable[[Any], T] = _reader(kind)  # type: ignore[arg-type]
    return read(data)


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """Build, once, the function that reads JSON data as `kind`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union_reader(args)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            item = _reader(args[0])
            return lambda data: tuple(item(each) for each in data)
        items = [_reader(each) for each in args]
        return lambda data: tuple(read(each) for read, each in zip(items, data, strict=True))
    if origin in (frozenset, set):
        item = _reader(args[0])
        return lambda data: frozenset(item(each) for each in data)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping) and args:
        name, item = _reader(args[0]), _reader(args[1])
        return lambda data: {name(key): item(each) for key, each in data.items()}
    if isinstance(kind, type):
        if is_dataclass(kind) or hasattr(kind, "_fields"):
            return _record_reader(kind)
        if issubclass(kind, (datetime, date)):
            return kind.fromisoformat
        if issubclass(kind, timedelta):
            return lambda data: timedelta(seconds=data)
        if issubclass(kind, str) and kind is not str:
            return kind
    return lambda data: data


def _record_reader(kind: Any) -> Callable[[Any], Any]:
    variants = {} if "json_tag" in vars(kind) else dict(_tagged(kind))
    if variants:
        return lambda data: _reader(_variant(variants, data))(data)
    renames = getattr(kind, "json_names", {})
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else kind._fields

    @cache
    def readers() -> list[tuple[str, str, Callable[[Any], Any]]]:
        # Made at the first reading, since a field may be of the very class.
        hints = typing.get_type_hints(kind)
        return [(name, renames.get(name, name), _reader(hints[name])) for name in names]

    def read(data: Any) -> Any:
        return kind(**{name: reader(data[key]) for name, key, reader in readers() if key in data})

    return read


def _tagged(kind: Any) -> Iterator[tuple[Any, Any]]:
    # Variants may stand in modules that were not imported yet.
    for module in vars(kind).get("json_modules", ()):
        import_module(module)
    for each in kind.__subclasses__():
        if "json_tag" in vars(each):
            yield each.json_tag, each
        yield from _tagged(each)


def _variant(variants: Mapping[Any, Any], data: Mapping[str, Any]) -> Any:
    for (field, tag), kind in variants.items():
        if data.get(field) == tag:
            return kind
    raise TypeError(f"unknown kind of value: {data!r}")


def _union_reader(args: tuple[Any, ...]) -> Callable[[Any], Any]:
    wanted = [each for each in args if each is not type(None)]
    tagged = {each.json_tag: each for each in wanted if getattr(each, "json_tag", None)}
    if tagged:
        return lambda data: None if data is None else _reader(_variant(tagged, data))(data)
    records = [each for each in wanted if isinstance(each, type) and is_dataclass(each)]
    if len(records) == 1 and len(wanted) > 1:
        # Of a text or a value, the value is the one that is written as a mapping.
        read_record = _reader(records[0])
        return lambda data: read_record(data) if isinstance(data, Mapping) else data
    read = _reader(wanted[0]) if len(wanted) == 1 else (lambda data: data)
    return lambda data: None if data is None else read(data)
