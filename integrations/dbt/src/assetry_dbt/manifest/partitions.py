"""Partitions of models: those that dbt's microbatch makes batch by batch, and those that `meta` declares, with vars.

A microbatch model has a partition for each batch: `begin` and `batch_size` say which, in UTC, as dbt counts them. The
batch that is not over yet is one of them, because dbt builds it, too; it is due again when it is over, and for as long
after that as `lookback` says. For other models `meta: {assetry: {partitions: …}}` names a grid, and the vars by which
the model's SQL is told of a window, or of keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from assetry.plugin import AssetryError, DefinitionError, PartitionsDefinition, from_json, near_names

from assetry_dbt.manifest.manifest import Manifest, Node
from assetry_dbt.manifest.written import assetry_meta

#: By dbt's `batch_size`: how the grid is called in `meta`.
BATCHES: Mapping[str, str] = {"hour": "hourly", "day": "daily", "month": "monthly", "year": "yearly"}
#: The kinds of partitions that `meta` may name.
KINDS = ("hourly", "daily", "weekly", "monthly", "yearly", "cron", "static")
#: What a var may be told: the start and the end of a window, its end outside, one key, or a list of keys.
VARS = ("start", "end", "key", "keys")
#: Names in `meta` that are shorter than those of the definitions.
_SHORT: Mapping[str, str] = {"start": "start_date", "end": "end_date", "keys": "partition_keys"}
_UNITS: Mapping[str, str] = {"hourly": "hours", "daily": "days", "monthly": "months", "yearly": "years"}
#: The macro that a project may write to make microbatch models in its own way, and where dbt's own ones are.
_MACRO = "get_incremental_microbatch_sql"
_DBTS_OWN = frozenset({"dbt", "dbt_postgres", "dbt_spark"})


class ModelPartitions(NamedTuple):
    """The partitions of a model, and how dbt is told of them: `spec` is what stands in the asset's own `spec`.

    ``{"batches": "day"}`` for microbatch, ``{"vars": {"start": "from_date"}}`` where vars tell. `column` tells rows of
    one partition from those of another.
    """

    definition: PartitionsDefinition
    spec: Mapping[str, Any]
    column: str | None = None


def makes_batches(manifest: Manifest, settings: Mapping[str, Any]) -> bool:
    """Tell whether dbt makes microbatch models batch by batch; not so where the project has a strategy of its own.

    `settings` are dbt_project.yml.

    >>> makes_batches(Manifest(), {})
    True
    """
    flags = settings.get("flags")
    if isinstance(flags, Mapping) and flags.get("require_batched_execution_for_custom_microbatch_strategy"):
        return True
    adapter = (manifest.metadata and manifest.metadata.adapter_type) or ""
    owners = {each.split(".")[1] for each in manifest.macros or () if each.endswith(f".{_MACRO}")}
    return not owners - {*_DBTS_OWN, f"dbt_{adapter}"}


def is_microbatch(node: Node) -> bool:
    """Tell whether a node is a microbatch model."""
    config = node.config
    return config.get("materialized") == "incremental" and config.get("incremental_strategy") == "microbatch"


def partitions_of(node: Node, batched: bool) -> ModelPartitions | None:
    """Return the partitions of a model; None where it has none. `batched`: dbt makes microbatch batch by batch.

    A microbatch model that is made anew in every run (`full_refresh: true`) has none.

    Raises `DefinitionError`, with model, file and near names, for what `meta` says wrongly.
    """
    declared = _declared(node)
    config = node.config
    if batched and is_microbatch(node) and config.get("full_refresh") is not True:
        found = _of_microbatch(node, config, declared)
        if found is not None:
            return found
    return None if declared is None else _of_vars(node, declared)


def reads_partitions(node: Node, nodes: Mapping[str, Node], batched: bool) -> bool:
    """Tell whether anything that a model is made from, near or far, has partitions; see `partitions_of`."""
    waiting, seen = list(node.upstream), set(node.upstream)
    while waiting:
        above = nodes.get(waiting.pop())
        if above is None:
            continue
        if above.resource_type == "model" and partitions_of(above, batched) is not None:
            return True
        more = [each for each in above.upstream if each not in seen]
        seen.update(more)
        waiting += more
    return False


def _declared(node: Node) -> Mapping[str, Any] | None:
    """Return what `meta` says of partitions."""
    found = assetry_meta(node.config, node.meta, "partitions")
    if found is None or isinstance(found, Mapping):
        return found
    raise _wrong(node, f"are {found!r}", hint="For example partitions: {type: daily, start: 2024-01-01, …}.")


def _of_microbatch(node: Node, config: Mapping[str, Any], declared: Mapping[str, Any] | None) -> ModelPartitions | None:
    size = str(config.get("batch_size") or "")
    begin = _truncated(config.get("begin"), size)
    if begin is None:
        return None
    lookback = config.get("lookback")
    usual: dict[str, Any] = {"partitions": BATCHES[size], "start_date": begin, "end_offset": 1}
    # dbt's own default is 1; a list of yml that says nothing is no zero.
    usual["lookback"] = lookback if isinstance(lookback, int) and lookback >= 0 else 1
    definition = _definition(tuple(usual.items()))
    column = _text(config.get("event_time"))
    if declared is None:
        return ModelPartitions(definition, {"batches": size}, column)
    if "vars" in declared:
        raise _wrong(
            node,
            "have vars, and it is a microbatch model",
            hint="Leave vars out: dbt tells a microbatch model of its batch by itself.",
        )
    given = _read(node, {"type": BATCHES[size], **declared})
    own = _made(node, {**usual, **given})
    if given["partitions"] not in _UNITS or own.grid != definition.grid:
        kind, zone = given["partitions"], getattr(own, "timezone", None)
        raise _wrong(
            node,
            f"are {kind}{f' in {zone}' if zone else ''}; dbt's microbatch counts {_UNITS[BATCHES[size]]} in UTC",
            hint="Leave `type`, `timezone` and offsets out: begin and batch_size say which there are.",
        )
    return ModelPartitions(own, {"batches": size}, _text(declared.get("column")) or column)


def _truncated(begin: Any, size: str) -> str | None:
    """Return when the first batch starts; None where dbt is not told.

    dbt reads `begin` by its clock, whatever offset from UTC it carries.

    >>> _truncated("2024-05-17T10:30:00+02:00", "month"), _truncated(None, "day")
    ('2024-05-01T00:00:00', None)
    """
    if size not in BATCHES or not begin:
        return None
    try:
        moment = datetime.fromisoformat(str(begin).replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None  # dbt says itself what is wrong with it
    start = moment.replace(minute=0, second=0, microsecond=0)
    if size != "hour":
        start = start.replace(hour=0)
    if size in ("month", "year"):
        start = start.replace(day=1)
    return (start.replace(month=1) if size == "year" else start).isoformat()


def _of_vars(node: Node, declared: Mapping[str, Any]) -> ModelPartitions:
    if is_microbatch(node):
        raise _wrong(
            node,
            "are declared, and dbt makes this microbatch model in some other way than batch by batch",
            hint="Remove them, or full_refresh: true from its config.",
        )
    definition = _made(node, _read(node, declared))
    names = declared.get("vars")
    if not isinstance(names, Mapping) or not names:
        raise _wrong(
            node,
            f"have no vars ({names!r})" if "vars" in declared else "have no vars",
            hint="Name those by which its SQL is told, for example vars: {start: from_date, end: to_date}.",
        )
    timed = definition.typical_length is not None
    known = VARS if timed else VARS[2:]
    for word, name in names.items():
        if word not in known:
            raise _wrong(
                node,
                f"have the var {word!r}, which means nothing{'' if timed or word not in VARS else ' without time'}",
                near=near_names(str(word), known),
                hint=f"There are {', '.join(known)}, each with the name of a var: {known[0]}: my_var.",
            )
        if not isinstance(name, str) or not name:
            raise _wrong(node, f"have {name!r} as the name of the var for {word}", hint="A name is a text.")
    twice = [name for name in names.values() if list(names.values()).count(name) > 1]
    if twice:
        raise _wrong(node, f"use the var {twice[0]!r} for two things", hint="Give each a var of its own.")
    column = _text(declared.get("column")) or (_text(node.config.get("event_time")) if timed else None)
    return ModelPartitions(definition, {"vars": dict(names)}, column)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _read(node: Node, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a declaration with the names of definitions; each name checked."""
    kind = declared.get("type")
    if kind not in KINDS:
        told = f"are of the type {kind!r}" if "type" in declared else "have no type"
        near = near_names(str(kind), KINDS) if "type" in declared else ()
        raise _wrong(node, told, near=near, hint=f"There are {', '.join(KINDS)}.")
    allowed = _names(kind)
    found: dict[str, Any] = {"partitions": kind}
    for name, value in declared.items():
        if name in ("type", "vars", "column"):
            continue
        full = _SHORT.get(name, name)
        if full not in allowed:
            shown = [short for short, long in _SHORT.items() if long in allowed]
            shown += [each for each in allowed if each not in _SHORT.values()]
            raise _wrong(
                node,
                f"have {name!r}, which {kind} ones do not know",
                near=near_names(str(name), (*shown, *allowed, "vars", "column")),
                hint=f"They know {', '.join((*shown, 'vars', 'column'))}.",
            )
        if full == "partition_keys" and not isinstance(value, list):
            raise _wrong(node, f"have {value!r} as keys, which is no list", hint=f"Write keys: [{value}].")
        found[full] = value
    return found


@cache
def _names(kind: str) -> tuple[str, ...]:
    """Return what the definition of a kind may be given."""
    import assetry

    known = {
        "hourly": assetry.HourlyPartitionsDefinition,
        "daily": assetry.DailyPartitionsDefinition,
        "weekly": assetry.WeeklyPartitionsDefinition,
        "monthly": assetry.MonthlyPartitionsDefinition,
        "yearly": assetry.YearlyPartitionsDefinition,
        "cron": assetry.CronPartitionsDefinition,
        "static": assetry.StaticPartitionsDefinition,
    }
    return tuple(field.name for field in fields(known[kind]) if field.compare)


def _made(node: Node, given: Mapping[str, Any]) -> PartitionsDefinition:
    """Return the definition; raise `DefinitionError`, with model and file, for a value that it cannot have."""
    try:
        return from_json(PartitionsDefinition, _plain(given))
    except AssetryError as error:
        raise _wrong(node, f"cannot be: {error.message}", near=error.near, hint=error.hint) from None
    except TypeError as error:
        missing = [short for short, long in _SHORT.items() if f"'{long}'" in str(error)]
        if missing or "'cron'" in str(error):
            name = missing[0] if missing else "cron"
            raise _wrong(node, f"have no {name!r}", hint=f"For example {name}: {_EXAMPLES[name]}.") from None
        raise _wrong(node, f"have a value of a wrong type: {error}", hint=_VALUES) from None
    except ValueError as error:
        raise _wrong(node, f"have a value that cannot be read: {error}", hint=_VALUES) from None


_VALUES = "Moments are texts such as 2024-01-31, durations (late, length) are seconds, counts whole numbers."
_EXAMPLES: Mapping[str, str] = {"start": "2024-01-01", "end": "2025-01-01", "keys": "[eu, us]", "cron": '"0 9 * * MON"'}


def _plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as definitions take them from JSON: one text in the place of a list is a list of it."""
    return {
        name: [value] if name == "exclude" and isinstance(value, str) else value
        for name, value in given.items()
        if value is not None
    }


@lru_cache(maxsize=256)
def _definition(given: tuple[tuple[str, Any], ...]) -> PartitionsDefinition:
    return from_json(PartitionsDefinition, dict(given))


def _wrong(node: Node, what: str, near: Any = (), hint: str | None = None) -> DefinitionError:
    return DefinitionError(
        f"The partitions of the model {node.name!r} {what}.", where=node.original_file_path, near=near, hint=hint
    )
