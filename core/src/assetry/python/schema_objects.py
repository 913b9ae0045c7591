"""Schemas and types that are objects of a library, as columns in words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assetry.columns.column_types import column_type
from assetry.errors import DefinitionError
from assetry.io.declared import type_of
from assetry.python.schemas import Schema
from assetry.types.assets import Column

#: What `int8` is where it is an object; as a word it may be another type.
_BYTE = {"int8": "tinyint"}
#: What of a pandera schema, of a column of it, and of a check changes what is refused, or how a value is changed.
_RULES = (
    *("dtype", "nullable", "unique", "coerce", "required", "regex", "default", "strict", "ordered"),
    *("add_missing_columns", "drop_invalid_rows", "unique_column_names", "report_duplicates"),
)
_OF_CHECKS = ("name", "statistics", "element_wise", "ignore_na", "raise_warning", "groupby", "groups")


def read_object(given: Any, library: str | None) -> Schema:
    """Return what a schema of a library means, or a mapping from names to types of one.

    >>> import pyarrow
    >>> read_object({"id": pyarrow.int8(), "at": "date"}, None).columns[0].type
    'tinyint'

    Raises `DefinitionError` for an object of pandera that is no schema of a table.
    """
    if library == "pandera":
        return _of_pandera(given)
    if library == "pyarrow":
        return Schema(tuple(Column(field.name, type_text(field.type), _described(field)) for field in given), "all")
    columns = (Column(name, type_text(kind)) for name, kind in given.items())
    return Schema(tuple(columns), "all" if library == "polars" else None)


def _described(field: Any) -> str:
    """Return what an Arrow field says of itself under `description`."""
    told: bytes = (field.metadata or {}).get(b"description", b"")
    return told.decode("utf-8", "replace")


def type_text(given: Any) -> str | None:
    """Return a type of a column as a word: a text as it is, all others by the vocabulary as far as that has them.

    >>> import pyarrow
    >>> type_text("Bigint"), type_text(pyarrow.large_string()), type_text(None)
    ('Bigint', 'text', None)
    """
    if given is None or isinstance(given, str):
        return given
    if type(given).__module__.startswith("pyarrow"):
        known = type_of(given)
    else:
        name = given.__name__ if isinstance(given, type) else str(given)
        known = column_type(_BYTE.get(name, name))
    return str(given) if known is None else str(known)


# -- pandera -----------------------------------------------------------------------------------------------------------


def _of_pandera(given: Any) -> Schema:
    """Return the columns of a pandera model or schema: those that it requires by name, named indexes among them."""
    schema = given.to_schema() if hasattr(given, "to_schema") else given
    if not isinstance(getattr(schema, "columns", None), Mapping):
        name = given.__name__ if isinstance(given, type) else type(given).__name__
        raise DefinitionError(
            f"schema=… is pandera's {name}, which is no schema of a table.",
            hint="Give a DataFrameModel or a DataFrameSchema.",
        )
    named = [*_indexes(schema), *schema.columns.items()]
    known = [(name, each) for name, each in named if each.required and not each.regex]
    columns = tuple(
        Column(str(name), None if each.dtype is None else type_text(each.dtype), each.description or "")
        for name, each in known
    )
    # What may be there, or has a name that only a pattern tells, pandera alone can judge.
    closed = schema.strict in (True, "filter") and len(known) == len(named)
    parts = [("", schema), *((str(name), each) for name, each in named)]
    functions = dict.fromkeys(each for _, part in parts for each in _functions(part))
    rules = "\n".join(_rules(name, part) for name, part in parts)
    return Schema(columns, "all" if closed else "needed", given, rules, tuple(functions))


@dataclass(frozen=True, slots=True)
class _Index:
    """An index of a pandera schema as a column, which it becomes when it is kept."""

    of: Any
    required: bool = True
    regex: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.of, name)


def _indexes(schema: Any) -> Iterator[tuple[str, Any]]:
    index = getattr(schema, "index", None)
    for each in getattr(index, "indexes", None) or ([] if index is None else [index]):
        if each.name is not None:
            yield each.name, _Index(each)


def _rules(name: str, part: Any) -> str:
    told = [f"{rule}={getattr(part, rule, None)!s}" for rule in _RULES]
    for check in _checks(part):
        told.append(str([(word, _plain(getattr(check, word, None))) for word in _OF_CHECKS]))
    return f"{name}: {', '.join(told)}"


def _checks(part: Any) -> Iterator[Any]:
    """Yield the checks and parsers of a part of a schema."""
    yield from part.checks or ()
    yield from getattr(part, "parsers", None) or ()


def _plain(value: Any) -> Any:
    """Return what a check was made with as text that is the same in every process."""
    if isinstance(value, Mapping):
        return [(str(name), _plain(each)) for name, each in value.items()]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return "function" if callable(value) else str(value)


def _functions(part: Any) -> Iterator[Callable[..., Any]]:
    """Yield the functions of a project that a part of a schema calls; pandera's own checks are told by their values."""
    for check in _checks(part):
        for name in ("_check_fn", "_parser_fn"):
            yield from _within(getattr(check, name, None))


def _within(function: Any) -> Iterator[Callable[..., Any]]:
    """Yield a function, or those that a function of pandera itself was made around."""
    function = inspect.unwrap(function) if callable(function) else None
    if not inspect.isfunction(function):
        return
    if not (function.__module__ or "").startswith("pandera."):
        yield function
        return
    for held in inspect.getclosurevars(function).nonlocals.values():
        for inner in (getattr(held, "check_fn", None), getattr(held, "parser_fn", None), held):
            yield from _within(inner)
