"""What the keywords of the decorators take, and what is said of a value that it does not take."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from assetry.errors import DefinitionError, near_names
from assetry.partitions.definitions import PartitionsDefinition
from assetry.python.schemas import EXTRA_COLUMNS, Schema, is_word, library_of, strange_parts
from assetry.types.assets import Column
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy, read_policy


class _Rule(NamedTuple):
    """What a keyword takes, in words and by example, and the parts of a value that do not fit."""

    takes: str
    example: str
    strange: Callable[[Any], Iterable[Any]]


def _texts(given: Any) -> Iterator[Any]:
    """Yield what is not a text: of one text, a list of them, or a mapping from text to text."""
    if isinstance(given, str):
        return
    if isinstance(given, Mapping):
        yield from (name for name in given if not isinstance(name, str))
        yield from (each for each in given.values() if not (each is None or isinstance(each, str)))
    elif isinstance(given, Iterable):
        yield from (each for each in given if not isinstance(each, str))
    else:
        yield given


def _names(given: Any) -> Iterator[Any]:
    """Yield the names of a mapping that are not texts; or what is not a mapping."""
    yield from (name for name in given if not isinstance(name, str)) if isinstance(given, Mapping) else (given,)


def _other_than(*kinds: type[Any]) -> Callable[[Any], Iterable[Any]]:
    """Return what yields a value that is of none of `kinds`; True and False do not count as numbers."""
    return lambda given: () if isinstance(given, kinds) and type(given) is not bool else (given,)


_TEXT = _other_than(str)
#: How a function is called for its partitions.
PARTITION_MODES = ("one", "range")

_RULES: Mapping[str, _Rule] = {
    "key": _Rule("a text or its parts", "'shop/orders'", _texts),
    "description": _Rule("a text", "'One row per order.'", _TEXT),
    "group": _Rule("a text", "'finance'", _TEXT),
    "owners": _Rule("texts", "['data@example.com']", _texts),
    "tags": _Rule("texts", "['daily']", _texts),
    "metadata": _Rule("a mapping from text to values", "{'dashboard': 'https://…'}", _names),
    "schema": _Rule(
        "names of columns, a schema of pandera, pyarrow or polars, or a mapping from name to type as the warehouse "
        "writes it",
        "{'id': 'bigint'}",
        strange_parts,
    ),
    "extra_columns": _Rule("a word", "'accept'", _TEXT),
    "compute_kind": _Rule("a text", "'pandas'", _TEXT),
    "code_version": _Rule("a text", "'2'", _other_than(str, int)),
    "partitions_def": _Rule("partitions", "DailyPartitionsDefinition('2026-01-01')", _other_than(PartitionsDefinition)),
    "partitions": _Rule("a text", "'range'", _TEXT),
    "max_partitions": _Rule("a number", "30", _other_than(int)),
    "partition_column": _Rule("the name of a column", "'day'", _TEXT),
    "freshness_policy": _Rule(
        "a timedelta or a FreshnessPolicy", "timedelta(hours=6)", _other_than(FreshnessPolicy, timedelta)
    ),
    "automation": _Rule("a word or an AutomationPolicy", "'stale'", _other_than(AutomationPolicy, str)),
    "grows": _Rule("a word", "'append'", _TEXT),
    "io_manager": _Rule("the URL of a place", "'parquet:data'", _TEXT),
    "retry_policy": _Rule("a number of tries or a RetryPolicy", "3", _other_than(RetryPolicy, int)),
    "pool": _Rule("the name of a pool", "'warehouse'", _TEXT),
    "weight": _Rule("a number of slots", "2", _other_than(int)),
    "severity": _Rule("a text", "'warn'", _TEXT),
    "name": _Rule("a text", "'has_orders'", _TEXT),
}


#: What is meant where the function that makes a policy is given, and not what it returns.
_POLICIES = frozenset(f"{word}()" for word in AutomationPolicy.words)


def checked_keywords(decorator: str, given: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """Return the keywords that were given to a decorator; one that is None was not given.

    Raises `DefinitionError` for a keyword that does not exist, and for a value of another type than it takes.

    >>> checked_keywords("asset", {"group": "finance", "tags": None}, ("group", "tags"), "sales.py:3")
    {'group': 'finance'}
    """
    known = tuple(known)
    for name, value in given.items():
        if name not in known:
            raise DefinitionError(
                f"@{decorator} has no keyword {name!r}.",
                where=where,
                near=near_names(name, known),
                hint=f"It takes {', '.join(known)}.",
            )
        rule = _RULES.get(name)
        for strange in rule.strange(value) if rule and value is not None else ():
            told = f"{name}=… of @{decorator} takes {rule.takes}, not {_shown(strange)}." if rule else ""
            called = f"{getattr(strange, '__name__', '')}()"
            near = (called,) if name == "automation" and called in _POLICIES else ()
            hint = f"For example {name}={rule.example}." if rule else None
            raise DefinitionError(told, where=where, near=near, hint=hint)
    return {name: value for name, value in given.items() if value is not None}


def partition_spec(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the spec of an asset says of its partitions: how its function is called for them, and tells them.

    Raises `DefinitionError` for what has no meaning together.

    >>> partition_spec({"partitions": "one"}), partition_spec({"key": "sales"})
    ({}, {})
    """
    mode, most = given.get("partitions", "one"), given.get("max_partitions")
    ranged, column = mode == "range", given.get("partition_column")
    if mode not in PARTITION_MODES:
        raise DefinitionError(
            f"partitions={mode!r}: neither 'one' nor 'range'.",
            near=near_names(mode, PARTITION_MODES),
            hint="'one' calls the function for each partition, 'range' once for many. Which partitions there are says "
            "partitions_def=….",
        )
    named = [name for name, each in (("partitions='range'", ranged), ("partition_column", column)) if each]
    if named and "partitions_def" not in given:
        raise DefinitionError(
            f"{named[0]} is for an asset with partitions, and this one has none.",
            hint="For example partitions_def=DailyPartitionsDefinition('2026-01-01').",
        )
    if most is not None and not ranged:
        raise DefinitionError(
            f"max_partitions={most} is for a function that is called for a range of partitions.",
            hint="Add partitions='range', or leave it out.",
        )
    if most is not None and most < 1:
        raise DefinitionError(f"max_partitions={most} is less than one.", hint="For example max_partitions=30.")
    if column == "":
        raise DefinitionError("partition_column is empty.", hint="For example partition_column='day'.")
    said = {"partitions": "range" if ranged else None, "max_partitions": most, "partition_column": column}
    return {name: each for name, each in said.items() if each is not None}


def texts_of(given: Iterable[str] | Mapping[str, str]) -> tuple[str, ...]:
    """Return texts as a tuple: one text alone is itself, a mapping gives ``name:value``.

    >>> texts_of("daily"), texts_of({"team": "core", "small": ""})
    (('daily',), ('team:core', 'small'))
    """
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Mapping):
        return tuple(f"{name}:{value}" if value else name for name, value in given.items())
    return tuple(given)


def policies_of(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policies of an asset as values, where keywords may have them in short, and the pool that it uses.

    >>> policies_of({"retry_policy": 2})["retry_policy"].attempts
    2
    """
    freshness = keywords.get("freshness_policy")
    retry = keywords.get("retry_policy")
    automation = keywords.get("automation")
    return {
        "freshness_policy": FreshnessPolicy(freshness) if isinstance(freshness, timedelta) else freshness,
        "retry_policy": RetryPolicy(retry) if isinstance(retry, int) else retry,
        "automation": read_policy(automation) if automation is not None else None,
        **pool_share(keywords),
    }


def read_schema(given: Any) -> Schema:
    """Return what ``schema=`` means; raise `DefinitionError` for an object of pandera that is no schema of a table.

    >>> [each.type for each in read_schema({"id": "bigint", "note": None}).columns]
    ['bigint', None]
    >>> import pyarrow
    >>> schema = read_schema(pyarrow.schema([("id", pyarrow.int64())]))
    >>> schema.columns[0], schema.are
    (Column(name='id', type='int64', description='', tags=()), 'all')
    """
    library = library_of(given)
    if library is not None or (isinstance(given, Mapping) and not all(map(is_word, given.values()))):
        # What is said by objects of a library takes more to be understood than most schemas.
        from assetry.python.schema_objects import read_object

        return read_object(given, library)
    if isinstance(given, Mapping):
        return Schema(tuple(Column(name, kind) for name, kind in given.items()))
    return Schema(tuple(each if isinstance(each, Column) else Column(each) for each in given))


def schema_spec(schema: Schema, word: str | None) -> dict[str, Any]:
    """Return what the spec of an asset says of further columns: what it says itself, whatever the project does.

    Raises `DefinitionError` for a word that does not exist, and for one where there is nothing to say.

    >>> from assetry.types.assets import Column
    >>> schema_spec(Schema((Column("id"),)), "refuse"), schema_spec(Schema(), None)
    ({'extra_columns': 'refuse'}, {})
    """
    if word is None:
        return {} if schema.validator is None else {"extra_columns": "schema"}
    if word not in EXTRA_COLUMNS:
        raise DefinitionError(
            f"extra_columns={word!r}: neither 'accept' nor 'refuse'.", near=near_names(word, EXTRA_COLUMNS)
        )
    if schema.validator is not None:
        raise DefinitionError(
            f"extra_columns={word!r} beside a schema of pandera, which says itself what is done about further columns.",
            hint="Say it there: strict = True refuses them, strict = False takes them.",
        )
    if not schema.columns:
        raise DefinitionError(
            f"extra_columns={word!r} of an asset without a schema, of which no column is a further one.",
            hint="For example schema={'id': 'bigint'}.",
        )
    return {"extra_columns": word}


def pool_share(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pool that an asset uses, and how many of its slots; nothing for one that uses none.

    Raises `DefinitionError` for a weight that is none, and for one without a pool.

    >>> pool_share({"pool": "warehouse"}), pool_share({})
    ({'pool': 'warehouse', 'weight': 1}, {})
    """
    pool, weight = given.get("pool"), given.get("weight", 1)
    if "weight" in given and not pool:
        raise DefinitionError(f"weight={weight} is of a pool, and none is named.", hint="For example pool='warehouse'.")
    if weight < 1:
        raise DefinitionError(f"weight={weight} is less than one slot.", hint="For example weight=2.")
    if pool == "":
        raise DefinitionError("pool is empty.", hint="For example pool='warehouse'.")
    return {"pool": pool, "weight": weight} if pool else {}


def check_outputs(outputs: Iterable[Mapping[str, Any]], shared: Mapping[str, Any], where: str) -> None:
    """Raise `DefinitionError` for an output without a key, or that says of itself what is of the whole function."""
    definitions = []
    for output in outputs:
        if "key" not in output:
            raise DefinitionError(f"An output of @multi_asset has no key: {dict(output)!r}.", where=where)
        for name in ("partitions", "max_partitions"):
            if name in output:
                raise DefinitionError(
                    f"{name}=… of output {output['key']!r} is how the function is called, and it is called for all.",
                    where=where,
                    hint=f"Say it once: @multi_asset(assets=[…], {name}={output[name]!r}).",
                )
        definitions.append(output.get("partitions_def", shared.get("partitions_def")))
    if shared.get("partitions") == "range" and any(each != definitions[0] for each in definitions):
        raise DefinitionError(
            "Outputs of a function that is called for ranges have other partitions each.",
            where=where,
            hint="Give them one partitions_def, @multi_asset(assets=[…], partitions_def=…), or make them apart.",
        )


def _shown(value: Any) -> str:
    """Return a value as an error names it: by its type, and itself where that is short and can hold no secret."""
    if isinstance(value, type):
        return f"the type {value.__name__}"
    kind = type(value).__name__
    return f"{value!r} ({kind})" if isinstance(value, (int, float)) or (kind == "str" and len(value) < 40) else kind


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Add the place of a definition to an error that values raise without knowing it."""
    try:
        yield
    except DefinitionError as error:
        if error.where is None:
            raise type(error)(error.message, where=where, near=error.near, hint=error.hint) from None
        raise


@functools.cache
def parameter_key(name: str) -> AssetKey:
    """Return the key that the name of a parameter means by itself.

    >>> parameter_key("orders")
    AssetKey('orders')
    """
    return AssetKey(name)
