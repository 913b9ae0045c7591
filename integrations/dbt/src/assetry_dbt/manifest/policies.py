"""What `freshness:` and `meta` ask of how new data is, and of when a model is made without being asked, as policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from assetry.plugin import AutomationPolicy, DefinitionError, FreshnessPolicy, near_names, read_policy

from assetry_dbt.manifest.manifest import Exposure, Link, Node, Source
from assetry_dbt.manifest.written import assetry_meta

Item = Node | Source | Exposure | Link
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
#: What `meta: {assetry: {freshness: …}}` may say; the first two are lengths of time.
_ASKED = ("max_age", "maximum_lag", "cron", "timezone")
_EXAMPLE = "For example freshness: {maximum_lag: {count: 6, period: hour}}."

#: What dbt makes of these materializations is there until somebody removes it; of others nobody knows but their macro.
LASTING = frozenset({"table", "view", "incremental", "seed", "snapshot", "materialized_view", "dynamic_table"})


def freshness_policy(item: Item) -> FreshnessPolicy | None:
    """Return what is asked of how new data is: by `freshness:` of a source the lesser of its limits, and by `meta`.

    Raises `DefinitionError`, with file and near names, for what `meta` says wrongly.

    >>> day, hours = {"count": 1, "period": "day"}, {"count": 6, "period": "hour"}
    >>> freshness_policy(Source("source.a.b.c", "c", freshness={"warn_after": hours, "error_after": day})).max_age
    datetime.timedelta(seconds=21600)
    >>> meta = {"assetry": {"freshness": {"maximum_lag": hours}}}
    >>> str(freshness_policy(Source("source.a.b.c", "c", config={"meta": meta})).maximum_lag)
    '6:00:00'
    >>> freshness_policy(Source("source.a.b.c", "c", freshness={"warn_after": {"count": None}})) is None
    True
    """
    given = item.freshness if isinstance(item, Source) else None
    limits = list(_limits(given)) if isinstance(given, Mapping) else []
    asked = dict(_asked(item))
    if limits:
        asked["max_age"] = min(limits)
    try:
        return FreshnessPolicy(**asked) if asked else None
    except DefinitionError as error:
        raise _wrong(item, f"is not possible: {error.message}", hint=error.hint) from None


def _limits(freshness: Mapping[str, Any]) -> Iterator[timedelta]:
    for name in ("warn_after", "error_after"):
        found = _length(freshness.get(name))
        if found is not None:
            yield found


def _length(limit: Any) -> timedelta | None:
    """Return a length of time as dbt writes it; None for anything else."""
    if not isinstance(limit, Mapping):
        return None
    count, seconds = limit.get("count"), _SECONDS.get(str(limit.get("period")))
    positive = isinstance(count, int) and not isinstance(count, bool) and count > 0
    return timedelta(seconds=count * seconds) if positive and seconds else None  # type: ignore[operator]


def _asked(item: Item) -> Iterator[tuple[str, Any]]:
    said = assetry_meta(item.config, item.meta, "freshness")
    if said is None:
        return
    if not isinstance(said, Mapping) or not said:
        raise _wrong(item, f"is {said!r}")
    for name, value in said.items():
        if name not in _ASKED:
            known = f"There are {', '.join(_ASKED)}. {_EXAMPLE}"
            raise _wrong(item, f"has {name!r}, which does not exist", near_names(str(name), _ASKED), known)
        if name == "max_age" and isinstance(item, Source):
            own = "Say it by `freshness:` of the source (warn_after, error_after), which dbt looks at itself."
            raise _wrong(item, "has max_age, which dbt says in another way", hint=own)
        if name not in _ASKED[:2]:
            yield name, value
            continue
        length = _length(value)
        if length is None:
            raise _wrong(item, f"has {value!r} as its {name}", hint=f"Lengths are written as dbt does. {_EXAMPLE}")
        yield name, length


def _wrong(item: Item, what: str, near: Sequence[str] = (), hint: str | None = _EXAMPLE) -> DefinitionError:
    return DefinitionError(
        f"`meta: {{assetry: {{freshness: …}}}}` of {item.unique_id} {what}.",
        where=item.original_file_path,
        near=near,
        hint=hint,
    )


def automation_policy(node: Node) -> AutomationPolicy | None:
    """Return when a node is made without being asked: what `meta: {assetry: {automation: …}}` says, else `build_after`.

    That is dbt's own word for it (1.10): made again when so long has passed, and ``updates_on`` any or all that it is
    made from is new. Raises `DefinitionError`, with the file, for what `meta` says wrongly.

    >>> after = {"build_after": {"count": 4, "period": "hour", "updates_on": "all"}}
    >>> print(automation_policy(Node("model.a.b", "b", resource_type="model", config={"freshness": after})))
    eager(every 4:00:00)
    """
    said = assetry_meta(node.config, node.meta, "automation")
    if said is not None:
        try:
            return read_policy(said, node.original_file_path)
        except DefinitionError as error:
            text = f"`meta: {{assetry: {{automation: …}}}}` of {node.unique_id}: {error.message}"
            raise DefinitionError(text, where=error.where, near=error.near, hint=error.hint) from None
    given = node.config.get("freshness")
    after: Any = given.get("build_after") if isinstance(given, Mapping) else None
    every = _length(after)
    if every is None:
        return None
    return AutomationPolicy("eager", every=every, waits_for="all" if after.get("updates_on") == "all" else "any")
