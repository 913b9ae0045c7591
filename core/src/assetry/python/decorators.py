"""Define assets and checks as Python functions: `@asset`, `@multi_asset`, `@asset_check`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from assetry.errors import AmbiguousNameError, DefinitionError, near_names
from assetry.partitions.definitions import PartitionsDefinition
from assetry.python.code import code_version, parameters, place, spec_of, takes_partition, written_place
from assetry.python.decorated import Decorated
from assetry.python.keywords import (
    check_outputs,
    checked_keywords,
    parameter_key,
    partition_spec,
    placed,
    policies_of,
    read_schema,
    schema_spec,
    texts_of,
)
from assetry.python.schemas import EXTRA_COLUMNS, Schema
from assetry.types.assets import PARTITION, SEVERITIES, Asset, AssetCheck, Check, Column, Dep, Grows, Severity
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy

P = ParamSpec("P")
R = TypeVar("R")
Key = AssetKey | str | Sequence[str]


class AssetKeywords(TypedDict, total=False):
    """The keywords of `@asset`.

    * `key`: the asset's key; the function's name when not given.
    * `deps`: further upstream assets whose values the function does not take (keys, `Dep`, asset functions); or a
      mapping from a parameter to the key of the asset it takes. A listed key whose last part is a parameter's name is
      what that parameter takes.
    * `description`: the docstring when not given. `group`, `owners`, `tags`, `metadata`: facts for people.
    * `schema`: the columns: names, a mapping from name to type (``{"id": "bigint", "at": "timestamp"}``, or types of
      numpy, pandas, Arrow, polars), `Column` values, a `pyarrow.Schema`, a `polars.Schema`, or a model or schema of
      pandera. Names and types of a table are checked before it is kept; one that differs is not, and the asset fails
      with what differs, column by column. Of pandera all its checks are run, and what it makes of the table is kept.
    * `extra_columns`: what is done about columns that the schema does not have: ``accept`` them or ``refuse`` the
      table. When not given, ``[schema] extra_columns`` of the project file says it, and else the schema: one of pyarrow
      or polars names all columns, names and mappings those that are needed. Pandera says it by its ``strict``.
    * `compute_kind`: a word such as ``pandas``, shown in `metadata`; `code_version` replaces the hash of the source.
    * `partitions_def`, `freshness_policy` (or a timedelta), `automation` (or its word), `retry_policy` (or a number).
    * `partitions`: ``one`` partition a call, or a ``range``: the function is called once for neighbouring partitions,
      at most `max_partitions` of them, and given all that these are made from; `context.partitions` are their keys.
    * `partition_column`: the column that tells the partition of each row of the table that is returned, by a date, a
      timestamp (without a zone: in that of the partitions) or a key. Rows of other partitions are an error, and then
      nothing is kept. A range needs it to return a table; else it returns a dict with a value for each key.
    * `grows`: ``append`` when rows are only added to it, ``never`` when it changes with its code alone; see `Asset`.
    * `io_manager`: URL of where the value is kept. `pool`: one of the project's `[pools]`; a call takes `weight` slots.
    """

    key: Key
    deps: Iterable[Dep | Key | AssetFunction[Any, Any]] | Mapping[str, Key | AssetFunction[Any, Any]]
    description: str
    group: str
    owners: Iterable[str]
    tags: Iterable[str] | Mapping[str, str]
    metadata: Mapping[str, Any]
    schema: Iterable[Column | str] | Mapping[str, Any] | Any
    extra_columns: Literal["accept", "refuse"]
    compute_kind: str
    code_version: str
    partitions_def: PartitionsDefinition
    partitions: Literal["one", "range"]
    max_partitions: int
    partition_column: str
    freshness_policy: FreshnessPolicy | timedelta
    automation: AutomationPolicy | str
    grows: Grows
    io_manager: str
    retry_policy: RetryPolicy | int
    pool: str
    weight: int


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How a check came out; what an `@asset_check` function may return instead of a boolean.

    >>> CheckResult(False, "3 orders without a customer", {"orders": 3}).passed
    False
    """

    passed: bool
    message: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class AssetFunction(Decorated, Generic[P, R]):
    """A function that makes assets or checks one; call it with plain values as the function it was.

    `assets` are what it makes and `checks` what it checks; `function` is the undecorated function. `multiple` tells
    whether it returns several outputs, `can_subset` whether it can make some of them only. `validators` are schemas
    of pandera, by the assets whose values are to pass them.

    >>> @asset
    ... def doubled(numbers: list[int]) -> list[int]:
    ...     '''Twice each number.'''
    ...     return [2 * number for number in numbers]
    >>> doubled([1, 2]), doubled.asset.description, doubled.asset.deps[0].key
    ([2, 4], 'Twice each number.', AssetKey('numbers'))
    """

    def __init__(
        self,
        function: Callable[P, R],
        assets: tuple[Asset, ...] = (),
        checks: tuple[AssetCheck, ...] = (),
        *,
        multiple: bool = False,
        can_subset: bool = False,
        validators: Mapping[AssetKey, Any] | None = None,
    ) -> None:
        super().__init__(function)
        self.function: Callable[P, R] = function
        self.assets = assets
        self.checks = checks
        self.multiple = multiple
        self.can_subset = can_subset
        self.validators = validators or {}

    @property
    def named(self) -> Sequence[str]:
        """Return what people call its assets and checks."""
        checks = (f"check {each.check.name}" for each in self.checks)
        return list(map(repr, (*(str(each.key) for each in self.assets), *checks)))

    @property
    def asset(self) -> Asset:
        """Return the one asset it makes; raise `DefinitionError` when it makes none or several."""
        if len(self.assets) == 1:
            return self.assets[0]
        raise DefinitionError(
            f"{self.function.__qualname__}() makes {len(self.assets)} assets, not one.",
            where=place(self.function),
            hint="Use `.assets`.",
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, with plain values."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<asset function {self.function.__module__}.{self.function.__qualname__}>"

    def __reduce__(self) -> str:
        # By name, as functions are: the module's attribute of that name is this object, not the bare function.
        return self.function.__qualname__


@overload
def asset(function: Callable[P, R], /) -> AssetFunction[P, R]: ...
@overload
def asset(**keywords: Unpack[AssetKeywords]) -> Callable[[Callable[P, R]], AssetFunction[P, R]]: ...
def asset(function: Callable[..., Any] | None = None, /, **keywords: Any) -> Any:
    """Make an asset of a function: bare, or with the keywords of `AssetKeywords`.

    Its key is the function's name. Each parameter without a default is an upstream asset: the one with that exact
    key, else the one asset whose last key part is the parameter's name. A parameter with a default is not an asset,
    and one named `context` receives the `AssetContext`. Of an asset with partitions, one named `partition` receives the
    key of the partition that is to be made, unless an asset is called so. Annotations say which type a table arrives
    as. What the function returns is the asset's value, or an `Output` of it; without one it keeps its data itself.
    `async def` works.

    The code version is made of the function's source, of the functions, classes, constants and modules of the project
    that it reaches, in whichever file, and of the values it takes from a function around it: objects by what they are
    made of, tables by their content, and what cannot be written out, such as an open connection, by the modules that
    make it. A constant counts with the value it has when the asset is defined, also when that is read from a file or
    from `os.environ`; not when it is a secret by its name, or comes from the clock or from chance. The part that
    changed is named. Comments, docstrings, layout and what is installed do not count. Give `code_version` where the
    result depends on more.

    Raises `DefinitionError` for an unknown keyword and for a function that takes ``*args`` or ``**kwargs``.

    >>> @asset(deps=["shop/orders"], tags=["daily"])
    ... def forecast(daily_usage_stats):
    ...     return daily_usage_stats
    >>> [str(dep.key) for dep in forecast.asset.deps]
    ['daily_usage_stats', 'shop/orders']
    """
    given = checked_keywords("asset", keywords, AssetKeywords.__annotations__, _caller())

    def decorate(function: Callable[..., Any]) -> AssetFunction[..., Any]:
        _check_function("asset", function)
        if inspect.isgeneratorfunction(function):
            raise DefinitionError(
                f"@asset function {function.__name__}() yields.",
                where=place(function),
                hint="Return the whole value; to make several assets one after the other, use @multi_asset.",
            )
        return _function_of(function, [_asset(function, spec_of(function), cast(AssetKeywords, given))])

    return decorate if function is None else decorate(function)


def multi_asset(
    *, assets: Iterable[Key | AssetKeywords], can_subset: bool = False, **keywords: Unpack[AssetKeywords]
) -> Callable[[Callable[P, R]], AssetFunction[P, R]]:
    """Make several assets of one function.

    `assets` are keys, or dicts with the keywords of `@asset` (then `key` is needed); `keywords` hold for all of them.
    The function returns a dict from key (or last key part) to value, a tuple in the order of `assets`, or yields
    ``(key, value)`` pairs, each of which is kept at once. With `can_subset` it may be run for some of them:
    ``context.keys`` says which.

    Raises `DefinitionError` for an unknown keyword or a value of a wrong type, no assets, or one without a key.

    >>> @multi_asset(assets=["train", {"key": "test", "tags": ["small"]}])
    ... def split(orders):
    ...     return {"train": orders[1:], "test": orders[:1]}
    >>> [str(each.key) for each in split.assets]
    ['train', 'test']
    """
    caller = _caller()
    shared = checked_keywords("multi_asset", keywords, AssetKeywords.__annotations__, caller)
    listed = assets if isinstance(assets, Iterable) and not isinstance(assets, str) else [assets]
    written = [each if isinstance(each, Mapping) else {"key": each} for each in listed]
    outputs = [checked_keywords("multi_asset", each, AssetKeywords.__annotations__, caller) for each in written]
    if not outputs or "key" in keywords:
        raise DefinitionError(
            "@multi_asset needs assets=[…], a key for each output.", where=caller, hint='assets=["train", "test"]'
        )
    check_outputs(outputs, shared, caller)

    def decorate(function: Callable[P, R]) -> AssetFunction[P, R]:
        _check_function("multi_asset", function)
        made = []
        for output in outputs:
            both = cast(AssetKeywords, {**shared, **output})
            if "deps" in output and "deps" in shared:
                both["deps"] = [*_keyed(shared["deps"]), *_keyed(output["deps"])]
            spec = spec_of(function) | {"output": str(AssetKey(both["key"])), "can_subset": can_subset}
            if "<locals>" in function.__qualname__:
                # A factory makes many functions of one name; what they make tells them apart.
                spec["outputs"] = [str(AssetKey(each["key"])) for each in outputs]
            made.append(_asset(function, spec, both))
        return _function_of(function, made, multiple=True, can_subset=can_subset)

    return decorate


def asset_check(
    *,
    asset: Key | AssetFunction[Any, Any],
    also: Iterable[Key | AssetFunction[Any, Any]] = (),
    severity: Severity = "error",
    name: str | None = None,
    description: str | None = None,
) -> Callable[[Callable[P, R]], AssetFunction[P, R]]:
    """Make a check on an asset of a function.

    The first parameter, whatever its name, receives the asset's value; further ones those of `also`, in that order;
    one named `context` the `AssetContext`, and one more that is named `partition` the key of the partition that is
    looked at, None for all of the asset. The function returns a boolean or a `CheckResult`, or asserts: an
    AssertionError is a failure with its message, and None a pass unless another value is annotated. With
    severity ``error`` a failure stops what is downstream. The asset may be of any integration.

    Raises `DefinitionError` for another severity and for parameters that do not fit.

    >>> @asset_check(asset="shop/orders", severity="warn")
    ... def has_orders(orders):
    ...     assert len(orders), "no orders"
    >>> has_orders.checks[0].check.severity
    'warn'
    """
    caller = _caller()
    named = {"severity": severity, "name": name, "description": description}
    checked_keywords("asset_check", named, named, caller)
    if severity not in SEVERITIES:
        raise DefinitionError(
            f"severity={severity!r}: neither 'error' nor 'warn'.", where=caller, near=near_names(severity, SEVERITIES)
        )
    with placed(caller):
        others = also if isinstance(also, Iterable) and not isinstance(also, str) else (also,)
        keys = tuple(key for each in (asset, *others) for key in _keys(each))

    def decorate(function: Callable[P, R]) -> AssetFunction[P, R]:
        _check_function("asset_check", function)
        names = parameters(function)
        if len(names) - takes_partition(function, len(keys)) != len(keys):
            raise DefinitionError(
                f"Check {function.__name__}() takes {len(names)} values, but is about {len(keys)} assets.",
                where=place(function),
                hint="The first parameter receives the asset's value, further ones those of also=[…]; one named "
                "`partition` the key of the partition that is looked at.",
            )
        named = name or function.__name__
        check = Check(
            named,
            severity,
            keys[1:],
            inspect.cleandoc(function.__doc__ or "") if description is None else description,
            spec_of(function) | {"asset": str(keys[0]), "check": named},
            place(function),
            counted=False,
        )
        return AssetFunction(function, checks=(AssetCheck(keys[0], check),))

    return decorate


def _caller() -> str:
    """Return the place of the user's code that called this module."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return written_place(frame.f_code.co_filename, frame.f_lineno)


def _check_function(decorator: str, function: Any) -> None:
    if isinstance(function, AssetFunction):
        raise DefinitionError(
            f"{function!r} is decorated twice.", where=place(function.function), hint=f"Remove one @{decorator}."
        )
    if not inspect.isfunction(function):
        raise DefinitionError(
            f"@{decorator} is for functions, not for {type(function).__name__}: {function!r}.",
            where=_caller(),
            hint=f"Keywords are written by name: @{decorator}(key=…).",
        )
    inner = function.__qualname__.rpartition("<locals>.")[2]
    if "." in inner and next(iter(inspect.signature(function).parameters), None) in ("self", "cls"):
        raise DefinitionError(
            f"@{decorator} is for functions, and {inner}() is a method.",
            where=place(function),
            hint="Move it to the top of its module, without self.",
        )
    if inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"@{decorator} function {function.__name__}() is an asynchronous generator.",
            where=place(function),
            hint="Collect what it yields and return it.",
        )


def _asset(function: Callable[..., Any], spec: dict[str, Any], keywords: AssetKeywords) -> tuple[Asset, Any]:
    """Return the asset of a function, and the schema of pandera that its values are to pass, or None."""
    where = place(function)
    with placed(where):
        schema = read_schema(keywords.get("schema", ()))
        return _made(function, spec, keywords, schema, where), schema.validator


def _function_of(function: Callable[P, R], made: Sequence[tuple[Asset, Any]], **more: Any) -> AssetFunction[P, R]:
    validators = {asset.key: validator for asset, validator in made if validator is not None}
    return AssetFunction(function, tuple(asset for asset, _ in made), validators=validators, **more)


def _made(
    function: Callable[..., Any], spec: dict[str, Any], keywords: AssetKeywords, schema: Schema, where: str
) -> Asset:
    deps = _deps(function, keywords, where)
    extra = keywords.get("extra_columns")
    spec |= partition_spec(keywords) | schema_spec(schema, extra)
    spec["args"] = {dep.name: str(dep.key) for dep in deps if dep.name is not None}
    version, parts = code_version(
        function, schema.columns, keywords.get("code_version"), rules=schema.rules, called=schema.functions
    )
    metadata = dict(keywords.get("metadata", {}))
    if "compute_kind" in keywords:
        metadata["compute_kind"] = keywords["compute_kind"]
    return Asset(
        key=keywords.get("key", function.__name__),
        kind="python",
        deps=deps,
        spec=spec,
        description=keywords.get("description", inspect.cleandoc(function.__doc__ or "")),
        group=keywords.get("group"),
        owners=texts_of(keywords.get("owners", ())),
        tags=texts_of(keywords.get("tags", ())),
        metadata=metadata,
        columns=schema.columns,
        columns_are=schema.are or "needed" if extra is None else EXTRA_COLUMNS[extra],
        source=where,
        code_version=version,
        code_parts=parts,
        partitions_def=keywords.get("partitions_def"),
        io=keywords.get("io_manager"),
        grows=keywords.get("grows", "replace"),
        kept=True,
        **policies_of(keywords),
    )


def _keys(given: Any) -> tuple[AssetKey, ...]:
    """Return the keys that something written in the place of one means."""
    if isinstance(given, AssetFunction):
        return tuple(each.key for each in given.assets)
    if isinstance(given, Asset):
        return (given.key,)
    parts = (given,) if isinstance(given, str) else given
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise DefinitionError(
            f"{type(given).__name__} {getattr(given, '__name__', given)!r} is neither an asset nor the key of one.",
            hint="Name it by its key, such as 'shop/orders', or by a function decorated with @asset.",
        )
    return (AssetKey(given),)


def _keyed(given: Any) -> list[Dep]:
    """Return written dependencies as `Dep` values; those of a mapping carry the parameter's name."""
    if isinstance(given, Mapping):
        return [Dep(key, name=name, short=True) for name, each in given.items() for key in _keys(each)]
    if isinstance(given, (str, Dep, AssetFunction, Asset)) or not isinstance(given, Iterable):
        given = [given]
    found: list[Dep] = []
    for each in given:
        found += [each._replace(short=True)] if isinstance(each, Dep) else [Dep(key, short=True) for key in _keys(each)]
    return found


def _deps(function: Callable[..., Any], keywords: AssetKeywords, where: str) -> tuple[Dep, ...]:
    """Return what the function depends on: first its parameters, in order, then what is only waited for."""
    names = parameters(function)
    listed = _keyed(keywords.get("deps", ()))
    by_one = "partitions_def" in keywords and keywords.get("partitions") != "range"
    for dep in listed:
        if dep.name is not None and dep.name not in names:
            raise DefinitionError(
                f"deps={{…}} of {function.__name__}() names parameter {dep.name!r}, which it does not have.",
                where=where,
                near=near_names(dep.name, names),
                hint="To wait for an asset without taking its value, list it: deps=[…].",
            )
    taken: list[Dep] = []
    for name in names:
        fits = [dep for dep in listed if dep.name == name]
        fits = fits or [dep for dep in listed if dep.name is None and name in (dep.key, dep.key.name)]
        if len(fits) > 1:
            raise AmbiguousNameError(
                f"Parameter {name!r} of {function.__name__}() fits {' and '.join(repr(str(d.key)) for d in fits)}.",
                where=where,
                hint=f"Say which: deps={{{name!r}: {str(fits[0].key)!r}}}.",
            )
        for dep in fits:
            listed.remove(dep)
        own = Dep(parameter_key(name), name=name, short=True, optional=by_one and name == PARTITION)
        taken.append(fits[0]._replace(name=name) if fits else own)
    return tuple(taken + listed)
