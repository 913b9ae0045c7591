"""Tables and views of models that are gone, dropped by dbt's own adapter: with its login, in its warehouse."""

from __future__ import annotations

import json
from collections.abc import Sequence

from assetry.plugin import Integration, IntegrationError, Materialization, Relation, RunContext

from assetry_dbt.outside.told import told_by
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.errors import fault

#: What stands before the answer, in the line that dbt is made to say.
_MARK = "assetry: deletion: "


def delete(
    record: Materialization, integration: Integration, partitions: Sequence[str] | None, context: RunContext
) -> str | None:
    """Drop the table or view of a record, and return what it was; None for a record of no table.

    Raises `IntegrationError` for partitions, and when a view stands on it; `RunError` when dbt breaks.
    """
    relation = None if record.origin is None else record.origin.relation
    if relation is None:
        return None
    if partitions is not None:
        raise IntegrationError(
            f"Which rows of {relation} are those of a partition, only the model knew.",
            hint="Delete them yourself, then `assetry prune --delete --records-only` forgets them.",
        )
    project = DbtProject.of(integration)
    args = ("show", *project.arguments(), "--inline", drop_text(relation), "--limit", "1")
    told = told_by(project, args, lambda: context.cancelled)
    answer = told.after(_MARK)
    if answer is None or told.ended is None or told.ended.error is not None:
        said = "It was cancelled." if told.ended is None else told.ended.error
        raise fault(project, "show", said or f"It did not say whether {relation} was dropped.")
    found = json.loads(answer)
    if found.get("views"):
        raise IntegrationError(
            f"{relation} is not dropped: {', '.join(found['views'])} may stand on it.",
            hint="Drop that first, if nothing needs it any more.",
        )
    return f"{found['type']} {relation}" if found.get("type") else f"{relation}, which was not there"


def drop_text(relation: Relation) -> str:
    """Return Jinja that drops a table or view, if it is there, and nothing that stands on it."""
    given = [json.dumps(part) if part is not None else "none" for part in (*relation, _MARK)]
    return f"{{% set database, schema, name, mark = {', '.join(given)} %}}{_DROP}"


#: dbt's own `drop_relation` takes along what stands on a table. DuckDB drops a table whatever stands on it, so that it
#: is asked before; of the other warehouses, those that know refuse.
_DROP = """\
{% if execute %}
{% set found = adapter.get_relation(database or target.database, schema or target.schema, name) %}
{% set kind = (found.type or 'table') | string | replace('_', ' ') if found is not none else none %}
{% set views = [] %}
{% if found is not none and adapter.type() == 'duckdb' %}
{% set word = "'\\\\b' || regexp_escape(lower('" ~ found.identifier | replace("'", "''") ~ "')) || '\\\\b'" %}
{% for view in run_query("select database_name, schema_name, view_name from duckdb_views()
    where not internal and regexp_matches(lower(sql), " ~ word ~ ")") %}
{% if view[1] != found.schema or view[2] != found.identifier %}{% do views.append(view | join('.')) %}{% endif %}
{% endfor %}
{% endif %}
{% if found is not none and not views %}
{% call statement('assetry_drop', auto_begin=true) %}drop {{ kind }} {{ found }}{% endcall %}
{% do adapter.commit() %}
{% endif %}
{{ log(mark ~ tojson({'type': kind, 'views': views}), info=true) }}
{% endif %}
select 1 as one"""
