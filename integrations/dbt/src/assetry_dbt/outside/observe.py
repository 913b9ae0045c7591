"""Look at what is in the warehouse: how far the data of sources reaches, and which tables are gone.

The first is told by one `dbt source freshness`. The second is asked of dbt only for a warehouse that assetry itself
cannot reach: one `dbt show` lists each schema once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, Event, Invocation, Log, Observed, RunContext

from assetry_dbt.loading import loaded
from assetry_dbt.manifest.policies import LASTING
from assetry_dbt.outside.told import told_by
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.errors import fault, tidy
from assetry_dbt.warehouse import warehouse_url


def observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Yield an `Observed` for each source with `freshness:` that dbt could read, and for tables that dbt looked for.

    A source older than its `freshness:` allows was read all the same. Raises `RunError` when dbt itself broke.
    """
    project = DbtProject.of(invocation.integration)
    sources = [asset for asset in invocation.assets if has_freshness(asset)]
    if sources:
        everything = sum(map(has_freshness, loaded(invocation.integration).assets)) == len(sources)
        yield from freshness(project, sources, everything, lambda: context.cancelled)
    tables = [asset for asset in invocation.assets if asset.relation is not None and asset.lasting]
    if tables and warehouse_url(project.read_profile(), project.project_dir) is None:
        yield from presence(project, tables, lambda: context.cancelled)


def freshness(
    project: DbtProject, sources: Sequence[Asset], everything: bool, cancelled: Callable[[], bool]
) -> Iterator[Event]:
    """Yield how far the data of sources reaches; `everything` says that these are all that dbt looks at."""
    names = ["source:*"] if everything else [_selector(asset) for asset in sources]
    told = told_by(project, ("source", "freshness", *project.arguments(), "--select", *names), cancelled)
    if told.ended is None:
        return
    if told.ended.error is not None:
        raise fault(project, "source freshness", told.ended.error)
    results = read_results(project.target_path, told.ended.invocation_id)
    for asset in sources:
        result = results.get(asset.spec["unique_id"], {})
        reaches = result.get("max_loaded_at")
        if reaches:
            facts = {"data_time": str(reaches), "freshness": result.get("status")}
            yield Observed(asset.key, data_version=str(reaches), metadata=facts)
        else:
            why = tidy(told.failures.get(asset.spec["unique_id"]) or "it gives no time for it.")
            yield Log(f"dbt could not look at the source: {why}", "warning", asset.key)


def presence(project: DbtProject, tables: Sequence[Asset], cancelled: Callable[[], bool]) -> Iterator[Event]:
    """Yield for each table whether it is there."""
    args = ("show", *project.arguments(), "--inline", _LISTING, "--limit", "1")
    told = told_by(project, args, cancelled)
    if told.ended is None:
        return
    listed = told.after(_MARK)
    if listed is None:
        raise fault(project, "show", told.ended.error or "It did not say which tables are there.")
    gone = set(json.loads(listed))
    for asset in tables:
        there = asset.spec["unique_id"] not in gone
        yield Observed(asset.key, metadata={} if there else {"relation": str(asset.relation)}, gone=not there)


#: What stands before the list of what is gone, in the line that dbt is made to say.
_MARK = "assetry: gone: "
_LASTING = ", ".join(f"'{each}'" for each in sorted(LASTING))
#: Jinja that asks dbt's adapter for all tables of the project, which lists each schema once.
_LISTING = f"""\
{{% if execute %}}{{% set gone = [] %}}
{{% for node in (graph.nodes.values() | list) + (graph.sources.values() | list) %}}
{{% if node.resource_type == 'source' or node.config.materialized in ({_LASTING}) %}}
{{% if adapter.get_relation(node.database, node.schema, node.identifier or node.alias) is none %}}
{{% do gone.append(node.unique_id) %}}{{% endif %}}{{% endif %}}{{% endfor %}}
{{{{ log('{_MARK}' ~ tojson(gone), info=true) }}}}{{% endif %}}
select 1 as one"""


def has_freshness(asset: Asset) -> bool:
    """Tell whether an asset is a source that dbt looks at."""
    policy = asset.freshness_policy  # what only `meta` asks, dbt does not look at
    return (
        asset.resource_type == "source" and not asset.executable and policy is not None and policy.max_age is not None
    )


def _selector(asset: Asset) -> str:
    names: Sequence[str] = asset.facets["source"][-1]
    return f"source:{'.'.join(names)}"


def read_results(target_path: Path, invocation_id: str | None) -> Mapping[str, Mapping[str, Any]]:
    """Return what dbt wrote to sources.json, by unique id; what it could not look at is not in it.

    Empty when the file is missing, cannot be read, or is of another invocation.
    """
    try:
        data = json.loads((target_path / "sources.json").read_bytes())
        if data["metadata"]["invocation_id"] != invocation_id:
            return {}
        return {str(each["unique_id"]): each for each in data["results"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
