"""What is pasted from a dbt shell means the same here: the real `dbt ls` is asked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.errors import SelectionError
from assetry.graph.graph import AssetGraph
from assetry.selection.selection import selection
from assetry.types.assets import Integration
from assetry.types.keys import AssetKey
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.manifest import read_manifest

from tests.quick_dbt import quick_dbt


def select(*given: Any, **named: Any) -> tuple[AssetKey, ...]:
    return selection(*given, **named).keys


pytestmark = pytest.mark.slow

PROJECT: dict[str, str] = {
    "dbt_project.yml": """
name: shop
profile: shop
model-paths: [models, more_models]
models:
  shop:
    staging: {+tags: [nightly]}
    marts: {+materialized: table, +group: finance}
seeds:
  shop: {+tags: [static], +quote_columns: false, +column_types: {id: varchar}}
""",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n",
    "models/staging/stg_orders.sql": "select 1 as id from {{ source('raw', 'orders') }}",
    "models/staging/stg_customers.sql": "select 1 as id from {{ source('raw', 'customers') }}",
    "models/staging/stg_events.sql": "select 1 as id from {{ source('web', 'page.views') }}",
    "models/staging/nested/staging.sql": "select * from {{ ref('stg_orders') }}",
    "models/staging/nested/deep/orders_deep.sql": "select * from {{ ref('staging') }}",
    "models/staging/_staging.yml": """
sources:
  - name: raw
    config: {tags: [landing], meta: {owner: ingest, pii: true}}
    tables:
      - {name: orders, columns: [{name: id, tags: [pii], data_tests: [not_null]}]}
      - {name: customers}
  - name: web
    tables: [{name: page.views}]
  - name: orders
    tables: [{name: stg_orders}]
models:
  - name: stg_orders
    columns:
      - name: id
        tags: [pii]
        data_tests:
          - unique
          - relationships: {arguments: {to: "ref('stg_customers')", field: id}}
  - name: stg_customers
    columns: [{name: id, data_tests: [not_null: {config: {tags: [strict], severity: warn}}]}]
""",
    "models/marts/orders.sql": "select * from {{ ref('stg_orders') }} join {{ ref('country') }} using (id)",
    "models/marts/customers.sql": "select * from {{ ref('stg_customers') }}, {{ ref('ext', 'ext_mart') }}",
    "models/marts/dotted.name.sql": "select * from {{ ref('orders') }}",
    "models/marts/finance/marts.sql": "select * from {{ ref('orders') }} join {{ ref('customers') }} using (id)",
    "models/marts/dim/dim_v1.sql": "select 1 as id",
    "models/marts/dim/dim_v2.sql": "select * from {{ ref('orders') }}",
    "models/marts/dim/dim_v3.sql": "select * from {{ ref('dim', v=2) }}",
    "models/marts/use_dim.sql": "select * from {{ ref('dim') }}",
    "models/marts/marts.yml": """
groups: [{name: finance, owner: {email: finance@example.com}}]
models:
  - name: orders
    access: public
    config:
      tags: [nightly, core]
      team: data
      meta:
        owner: finance
        pii: true
        labels: [gold, 7, true]
        deep: {er: {x: y}}
        none:
        priority: 1
        cron: 0 * * * *
        wild: "[a]*"
    data_tests:
      - dbt_less: {arguments: {other: "ref('island')"}}
  - name: customers
    config:
      contract: {enforced: true}
      meta: {owner: crm, pii: false, labels: [silver, finance], deep: y}
    columns: [{name: id, data_type: integer}]
  - name: dim
    latest_version: 2
    versions: [{v: 1}, {v: 2}, {v: 3}]
  - name: island
    description: Stands alone, but for a test.
    config:
      full_refresh: true
      persist_docs: {relation: true, columns: false}
      docs: {show: false, node_color: "#fff"}
      grants: {select: [reporter, analyst]}
      alias: finance
  - name: use_dim
    access: private
    config: {materialized: incremental, on_schema_change: fail, unique_key: [id, at], meta: {cron: 0 1 2 3 4}}
unit_tests:
  - name: dims_are_used
    model: use_dim
    given: [{input: ref('dim'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
""",
    "models/shop/inner.sql": "select * from {{ ref('customers') }}",
    "models/ext/staging.with.dots.sql": "select * from {{ ref('inner') }}",
    "models/orders/island.sql": "select 1 as id",
    "models/exposures.yml": """
exposures:
  - name: weekly
    type: dashboard
    owner: {email: data@example.com}
    tags: [report]
    depends_on: ["ref('orders')", "ref('customers')"]
  - name: from_source
    type: notebook
    owner: {email: data@example.com}
    depends_on: ["source('raw', 'orders')"]
""",
    "more_models/between/eph_first.sql": """
{{ config(materialized='ephemeral', tags=['between'], group='finance') }}
select * from {{ ref('stg_orders') }} join {{ source('raw', 'customers') }} using (id)
""",
    "more_models/between/eph_second.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('eph_first') }}",
    "more_models/between/after.sql": "select * from {{ ref('eph_second') }} join {{ ref('orders') }} using (id)",
    "more_models/between/both_ways.sql": "select * from {{ ref('eph_first') }} join {{ ref('stg_orders') }} using (id)",
    "more_models/between/after_both.sql": "select * from {{ ref('both_ways') }}",
    "more_models/between/loner.sql": "{{ config(materialized='ephemeral') }} select 1 as id",
    "more_models/between/between.yml": """
models:
  - name: eph_first
    columns: [{name: id, data_tests: [not_null]}]
  - name: days
    time_spine: {standard_granularity_column: day}
    columns: [{name: day, granularity: day}]
semantic_models:
  - name: sem_after
    model: ref('after')
    defaults: {agg_time_dimension: at}
    entities: [{name: id, type: primary}]
    dimensions: [{name: at, type: time, type_params: {time_granularity: day}}]
    measures: [{name: total, agg: sum, expr: id}]
metrics:
  - {name: revenue, label: Revenue, type: simple, type_params: {measure: total}, config: {tags: [money]}}
  - {name: twice, label: Twice, type: derived, type_params: {expr: revenue * 2, metrics: [{name: revenue}]}}
saved_queries:
  - {name: weekly_revenue, query_params: {metrics: [revenue]}}
exposures:
  - {name: figures, type: dashboard, owner: {email: data@example.com}, depends_on: ["metric('twice')"]}
""",
    "more_models/between/days.sql": "{{ config(materialized='table') }} select current_date as day",
    "more_models/staging/second_staging.sql": "select * from {{ ref('orders_deep') }}",
    "macros/dbt_less.sql": "{% test dbt_less(model, other) %} select 1 from {{ model }}, {{ other }} {% endtest %}",
    "tests/assert_orders.sql": "{{ config(tags=['strict']) }} select 1 from {{ ref('orders') }} where false",
    "seeds/country.csv": "id,name\n1,a\n",
    "snapshots/orders_history.sql": """
{% snapshot orders_history %}
{{ config(unique_key='id', strategy='check', check_cols='all') }}
select * from {{ ref('orders') }}
{% endsnapshot %}
""",
    "dbt_packages/tools/dbt_project.yml": "name: tools\n",
    "dbt_packages/tools/models/tool.sql": "select 1 as id",
    "dbt_packages/tools/models/tools.yml": "models: [{name: tool, data_tests: [dbt_less: {arguments: {other: 1}}]}]",
    "dbt_packages/ext/dbt_project.yml": "name: ext\n",
    "dbt_packages/ext/models/staging/ext_stg.sql": "select * from {{ source('crm', 'leads') }}",
    "dbt_packages/ext/models/marts/ext_mart.sql": "select * from {{ ref('ext_stg') }}",
    "dbt_packages/ext/models/only_here/shop.sql": "{{ config(alias='ext_shop') }} select 1 as id",
    "dbt_packages/ext/models/sources.yml": """
sources:
  - {name: crm, tables: [{name: leads}]}
  - {name: raw, tables: [{name: x}]}
""",
}

SELECTORS = [
    # Bare names: a model, a folder, a package, all of one name, a source that is not meant, a seed, a snapshot.
    "orders", "staging", "shop", "ext", "marts", "nested", "deep", "country", "orders_history", "weekly", "raw",
    "inner", "models", "crm", "finance", "island", "nothing_at_all",
    # Dotted names, and names that hold dots.
    "shop.staging", "shop.staging.nested", "staging.nested", "staging.stg_orders", "shop.orders", "nested.deep",
    "marts.orders", "ext.marts", "ext.staging", "dotted.name", "dotted", "name", "marts.dotted", "marts.dotted.name",
    "shop.marts.dotted.name", "staging.with.dots", "staging.with", "with.dots", "shop.shop", "shop.shop.inner",
    "shop.staging.nested.deep.orders_deep", "orders.island", "shop.weekly",
    # Versions.
    "dim", "dim.v1", "dim_v1", "dim.v2", "v2", "dim.v4", "shop.marts.dim", "marts.dim.dim.v1", "other.dim.v3",
    "marts.dim.dim", "dim.dim.v1", "dim.dim_v1", "version:latest", "version:old", "version:prerelease", "version:none",
    # Wildcards.
    "*", "stg_*", "*orders", "shop.*", "shop.staging.*", "*.staging.*", "shop.marts.*.*", "*.v1", "dim*", "v*",
    "st?ging", "shop.[sm]*", "*_orders", "staging*", "shop.*.stg_*", "dotted*", "*.name", "[!s]*", "ext.*.ext_*",
    # Operators.
    "+orders", "orders+", "1+orders", "2+orders", "0+orders", "orders+1", "orders+2", "+orders+", "2+orders+1",
    "1+marts+1", "@orders", "@stg_orders", "@country", "@source:raw.orders", "@ext_stg", "@island", "@weekly",
    "+weekly", "1+exposure:weekly", "3+exposure:*", "tag:nightly+1", "+tag:core", "+package:shop",
    "1+package:ext", "+shop.marts", "1+marts.*", "1+staging", "+dbt_less*", "@tag:landing", "@+stg_orders",
    "2+staging+2", "1+island", "+*", "ext+", "+assert_orders", "1+assert_orders", "+not_null_stg_customers_id",
    "@assert_orders",
    # Methods.
    "tag:nightly", "tag:night*", "tag:core", "tag:report", "tag:landing", "tag:pii", "+tag:pii", "+tag:strict",
    "1+tag:strict", "tag:static", "source:raw", "source:raw.orders", "source:raw+", "source:raw.orders+1", "source:*",
    "source:shop.raw.customers", "source:ext.*.*", "source:r*.*s", "source:orders", "source:ext.raw", "source:x",
    "exposure:weekly", "exposure:*", "exposure:shop.weekly", "exposure:ext.*", "exposure:*s*", "package:shop",
    "package:ext", "package:*", "package:e?t", "fqn:orders", "fqn:shop.staging", "fqn:*", "resource_type:seed",
    "resource_type:source", "resource_type:exposure", "resource_type:snapshot", "resource_type:model", "group:finance",
    "group:*", "group:f*+", "access:public", "access:protected", "config.materialized:table",
    "config.materialized:view", "config.materialized:seed", "config.tags:nightly", "config.group:finance",
    "file:orders.sql", "file:orders", "file:*.csv", "file:stg_*", "file:_staging.yml", "orders.sql", "country.csv",
    "stg_*.sql", "Orders.SQL", "+file:assert_orders.sql",
    # Of which package, which source, which exposure.
    "package:this", "package:t*", "package:th*", "package:tools", "package:this,resource_type:model", "+package:tools",
    "+package:this", "source:web.page*", "source:web.page.views", "source:*.page*", "source:ext.raw.x", "source:*.*.*",
    "source:[rw]*", "exposure:shop.*", "exposure:w*", "exposure:*.from*", "exposure:shop", "access:private",
    "access:nothing_at_all", "access:protected,resource_type:model",
    # Configurations: texts, flags, lists, what is nested, of sources, seeds and snapshots; and what is none of these.
    "config.meta.owner:finance", "config.meta.owner:crm", "config.meta.owner:ingest", "config.meta.owner:fin*",
    "config.meta.owner:*", "config.meta.pii:true", "config.meta.pii:TRUE", "config.meta.pii:false",
    "config.meta.pii:yes", "config.meta.labels:gold", "config.meta.labels:finance", "config.meta.labels:7",
    "config.meta.labels:true", "config.meta.labels:false", "config.meta.deep.er.x:y", "config.meta.deep:y",
    "config.meta.deep.er:y", "config.meta.deep.er.x.z:y", "config.meta.nothing.at.all:y", "config.meta.priority:1",
    "config.meta.none:None", "config.meta.none:null", "config.meta:finance", "config.meta.wild:[a]*",
    "config.meta.wild:[a]", "config.enabled:true", "config.enabled:false", "config.materialized:incremental",
    "config.materialized:t*", "config.materialized:Table", "config.contract.enforced:true",
    "config.contract.enforced:false", "config.contract:true", "config.persist_docs.relation:true",
    "config.persist_docs.columns:false", "config.docs.show:false", "config.docs.node_color:#fff",
    "config.grants.select:reporter", "config.grants.select:rep*", "config.full_refresh:true",
    "config.on_schema_change:fail", "config.unique_key:at", "config.unique_key:id", "config.strategy:check",
    "config.check_cols:all", "config.quote_columns:false", "config.column_types.id:varchar", "config.access:public",
    "config.access:private", "config.tags:landing", "config.tags:static", "config.alias:finance", "config.team:data",
    "config.nothing:at_all", "config:table", "config.tags:night*", "+config.meta.owner:finance,config.meta.pii:true",
    "1+config.contract.enforced:true+1", "@config.meta.labels:silver",
    # Tests are not assets, but what they read is.
    "+test_name:not_null", "+test_name:dbt_less", "1+test_name:uni*", "+test_type:singular", "+test_type:generic",
    "+test_type:data", "+test_type:schema", "+test_type:unit", "+unit_test:*", "1+unit_test:shop.dims*",
    "+resource_type:test", "1+resource_type:unit_test", "@test_name:relationships", "test_name:not_null", "unit_test:*",
    "+config.severity:warn", "+config.severity:WARN", "1+config.severity:Error", "+config.materialized:test",
    "+config.tags:strict", "+config.enabled:true", "+dims_are_used", "+shop.marts.dims_are_used", "1+shop.staging",
    # Through what is no table: ephemeral models, semantic models, metrics, saved queries.
    "eph_first+", "+eph_first", "@eph_first",  "2+eph_second", "eph_first+1",
    "eph_second+1",  "stg_orders+1", "stg_orders+2",  "2+after", "3+after",
    "1+both_ways", "between",  "tag:between+",  "path:more_models/between", "loner",
    "loner+",  "@loner", "eph_*+",  "source:raw.customers+2", "group:finance+1",
    "config.materialized:ephemeral", "config.materialized:ephemeral+1",
    "eph_first,tag:between",  "eph_first+,eph_second+", "1+not_null_eph_first_id",
    "metric:revenue", "+metric:revenue", "2+metric:revenue",  "metric:*+",
     "metric:revenue+2", "semantic_model:sem_after+", "1+semantic_model:*",
    "2+saved_query:weekly_revenue",  "4+exposure:figures",  "revenue",
    "+revenue",  "+resource_type:metric", "+resource_type:semantic_model", "+tag:money",
     "after+2",  "@metric:revenue", "@figures",
    # Paths.
    "path:models/staging", "path:models/staging/", "path:models/staging/stg_orders.sql", "path:models/staging/*.sql",
    "path:models/*", "path:models/*/*.sql", "path:models/**/*.sql", "path:models/**", "path:**/orders.sql",
    "path:models", "path:models/marts/marts.yml", "path:models/staging/_staging.yml", "path:models/exposures.yml",
    "path:seeds", "path:snapshots", "path:tests", "+path:tests", "path:more_models", "path:*/staging", "models/staging",
    "models/marts/*", "models/staging/nested+", "./models/staging", "path:models/only_here", "path:models/mar?s",
    "path:models/[ms]*/orders.sql", "path:models/sources.yml", "path:nowhere", "path:staging", "path:*",
    # Sets.
    "orders customers", "orders,tag:nightly", "tag:nightly,config.materialized:table", "+orders,+customers",
    "orders+,customers+", "tag:nightly,marts island", "staging,nothing_at_all", "nothing_at_all orders",
    "stg_orders+,path:models/marts,tag:core", "+orders,1+customers staging.nested,tag:nightly",
]  # fmt: skip

EXCLUSIONS = [
    ("*", "staging"), ("+orders", "orders"), ("+weekly", "tag:nightly"), ("shop", "orders+ ext"),
    ("tag:nightly", "stg_orders,tag:nightly"), ("@stg_orders", "exposure:* source:*"), ("orders", "nothing_at_all"),
    (None, "config.meta.owner:finance"), (None, "package:this"), ("package:this", "config.enabled:true"),
    ("*", "config.meta.nothing:at_all"), (None, "exposure:nothing_at_all"), ("package:*", "source:* exposure:w*"),
    ("orders", "orders"), (None, "tag:nightly"), (None, "eph_first"), (None, "eph_first+"), ("between", "1+eph_second"),
    ("stg_orders+", "eph_first+1"), (None, "marts+"), ("source:raw+", "+orders customers+"),
]  # fmt: skip

#: What dbt selects, and no asset is made of.
NO_ASSETS = (
    *("test.", "unit_test."),
    *("model.shop.eph_first", "model.shop.eph_second", "model.shop.loner"),
)

Ask = Callable[[str | None, str | None], set[str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ask]]:
    from dbt.cli.main import dbtRunner

    folder = tmp_path_factory.mktemp("shop")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    common = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--quiet"]
    nothing_written = ["--no-write-json", "--log-level-file", "none"]
    before = Path.cwd()
    # dbt finds paths from the project's folder, and writes its logs into the working directory.
    os.chdir(folder)
    try:
        parsed = dbtRunner().invoke(["parse", *common])
        assert parsed.success, parsed.exception
        runner = dbtRunner(manifest=parsed.result)

        def ask(selector: str | None, exclude: str | None) -> set[str]:
            arguments = ["ls", *common, *nothing_written, "--output", "json", "--output-keys", "unique_id"]
            arguments += ["--select", selector] if selector is not None else []
            arguments += ["--exclude", exclude] if exclude is not None else []
            listed = runner.invoke(arguments)
            assert listed.success, listed.exception
            found = {json.loads(line)["unique_id"] for line in listed.result or ()}
            return {each for each in found if not each.startswith(NO_ASSETS)}

        with quick_dbt():
            yield folder, ask
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def graph(project: tuple[Path, Ask]) -> AssetGraph:
    manifest = read_manifest(project[0] / "target" / "manifest.json")
    placement = Placement(Integration("shop", "dbt"), "shop", "dev", "dbt_packages")
    return AssetGraph.of(assets_of(manifest, placement, CodeVersions(manifest)))


def _ours(graph: AssetGraph, selector: str | None, exclude: str | None) -> set[str]:
    try:
        return {graph[key].metadata["unique_id"] for key in select(graph, selector, exclude)}
    except SelectionError:
        return set()


@pytest.mark.parametrize("selector", SELECTORS)
def test_a_selector_means_what_dbt_means(project: tuple[Path, Ask], graph: AssetGraph, selector: str) -> None:
    assert _ours(graph, selector, None) == project[1](selector, None)


def test_a_source_is_found_by_its_bare_name_where_dbt_finds_nothing(
    project: tuple[Path, Ask], graph: AssetGraph
) -> None:
    assert project[1]("page.views", None) == set()
    assert _ours(graph, "page.views", None) == {"source.shop.web.page.views"}


@pytest.mark.parametrize(("selector", "exclude"), EXCLUSIONS)
def test_an_exclusion_means_what_dbt_means(
    project: tuple[Path, Ask], graph: AssetGraph, selector: str | None, exclude: str
) -> None:
    assert _ours(graph, selector, exclude) == project[1](selector, exclude)
