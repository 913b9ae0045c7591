"""Whether a JSON schema, as far as an option's type needs one, takes a value: what editors are told, tried here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assetry.types.options import OptionType

_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "array": lambda value: isinstance(value, (list, tuple)),
    "object": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}
#: Values of all sorts that a project file may have, by which what editors are told is tried.
_VALUES: tuple[Any, ...] = (
    *("", "x", "a b", "5m", "1h 30M", "90d", "forever", "0", "auto", "@daily", "0 2 * * *", "duckdb:a.duckdb"),
    *(0, 1, -1, 2, 100, 8080, 2.5, -0.5, True, False),
    *([], ["x"], ["x", "y"], [1], [{"a": 1}], {}, {"a": 1}, {"a": {"b": 1}}, {"a": ["x"]}),
    *({"env": "X"}, {"secret": "X"}, {"env": 1}, {"env": "X", "more": 1}),
)


def refused_by_editors(option: OptionType) -> Iterable[Any]:
    """Yield values that an option takes, and its schema does not.

    >>> from assetry.types.options import FLAG, OptionType
    >>> list(refused_by_editors(FLAG))
    []
    >>> list(refused_by_editors(OptionType("text", FLAG.fits, json_schema={"type": "string"})))
    [True, False]
    """
    for value in (*_VALUES, *option.choices, *filter(None, [option.default])):
        try:
            fits = option.fits(value)
        except Exception:  # a test that trips over a value refuses it
            continue
        if fits and not option.choices and not takes(option.json_schema, value):
            yield value


def takes(schema: Any, value: Any) -> bool:
    """Tell whether a schema takes a value; a keyword that is not known here refuses nothing.

    >>> takes({"type": ["string", "array"], "items": {"type": "string"}}, ["a", 1])
    False
    >>> takes({"anyOf": [{"minimum": 1}, {"const": -1}]}, -1)
    True
    """
    if not isinstance(schema, Mapping):
        return schema is not False
    return all(_KEYWORDS[word](said, value, schema) for word, said in schema.items() if word in _KEYWORDS)


def _typed(types: Any, value: Any) -> bool:
    names = [types] if isinstance(types, str) else types
    return any(name not in _TYPES or _TYPES[name](value) for name in names)


def _properties(schema: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    return all(takes(known.get(name, rest), each) for name, each in value.items()) and all(
        name in value for name in schema.get("required", ())
    )


def _of(type_: str, test: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Mapping[str, Any]], bool]:
    """Return a test that asks values of one type only, as JSON Schema does."""
    return lambda said, value, _: not _TYPES[type_](value) or test(said, value)


_IS_RIGHT = lambda _, value, schema: not _TYPES["object"](value) or _properties(schema, value)  # noqa: E731
_KEYWORDS: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], bool]] = {
    "type": lambda said, value, _: _typed(said, value),
    "enum": lambda said, value, _: value in said,
    "const": lambda said, value, _: value == said,
    "anyOf": lambda said, value, _: any(takes(each, value) for each in said),
    "allOf": lambda said, value, _: all(takes(each, value) for each in said),
    "minimum": _of("number", lambda said, value: bool(value >= said)),
    "maximum": _of("number", lambda said, value: bool(value <= said)),
    "minLength": _of("string", lambda said, value: len(value) >= said),
    "maxLength": _of("string", lambda said, value: len(value) <= said),
    "pattern": _of("string", lambda said, value: re.search(said, value) is not None),
    "items": _of("array", lambda said, value: all(takes(said, each) for each in value)),
    "minItems": _of("array", lambda said, value: len(value) >= said),
    "maxItems": _of("array", lambda said, value: len(value) <= said),
    "minProperties": _of("object", lambda said, value: len(value) >= said),
    "maxProperties": _of("object", lambda said, value: len(value) <= said),
    **dict.fromkeys(("properties", "additionalProperties", "required"), _IS_RIGHT),
}
