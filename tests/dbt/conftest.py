"""A small dbt project with everything that makes names and dependencies hard, parsed once by the real dbt."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

FILES = {
    "dbt_project.yml": """
        name: shop
        version: "1.0"
        profile: shop
        models:
          pkg: {+schema: pkg}
        seeds:
          +quote_columns: false
        vars:
          cutoff: 10
          shop: {own: 1}
        flags: {send_anonymous_usage_stats: false}
    """,
    "profiles.yml": """
        shop:
          target: dev
          outputs:
            dev: {type: duckdb, path: shop.duckdb, threads: 2}
            prod: {type: duckdb, path: prod.duckdb, schema: prod}
    """,
    "packages.yml": "packages: [{local: pkg}]",
    "pkg/dbt_project.yml": "{name: pkg, version: '1.0', profile: shop}",
    "pkg/models/orders.sql": "select 1 as id",
    "pkg/models/shop/thing.sql": "select id from {{ ref('pkg', 'orders') }}",
    "pkg/models/shop/orders/items.sql": "select id from {{ ref('thing') }}",
    "pkg/models/ver/ver_v1.sql": "select 1 as id",
    "pkg/models/ver/schema.yml": """
        models:
          - name: ver
            latest_version: 1
            versions: [{v: 1}]
    """,
    "pkg/models/schema.yml": "models: [{name: orders, columns: [{name: id, data_tests: [not_null]}]}]",
    "models/staging/stg_a.sql": "select id from {{ source('raw', 'events') }} where id < {{ var('cutoff') }}",
    "models/staging/stg_b.sql": "select id, {{ cents('id') }} as price from {{ ref('country') }}",
    "models/staging/stg_c.sql": "select id from {{ source('raw', 'clicks') }}",
    "models/staging/schema.yml": """
        sources:
          - name: raw
            schema: main
            tables:
              - name: events
                identifier: events_2024
                description: What happened.
                config: {meta: {assetry: {key: website_events}, owner: data@example.com}}
                columns: [{name: id, data_tests: [not_null]}]
              - name: clicks
                data_tests:
                  - unique: {arguments: {column_name: id}}
        models:
          - name: stg_a
            description: Events, cleaned.
            config: {group: finance, tags: [nightly, core], meta: {owner: [a@example.com]}}
            columns:
              - name: id
                data_type: integer
                description: The key.
                data_tests:
                  - not_null
                  - unique: {name: same_name}
                  - relationships: {arguments: {to: "ref('stg_b')", field: id}, config: {severity: warn}}
          - name: stg_b
            columns:
              - name: id
                data_tests:
                  - unique: {name: same_name}
        unit_tests:
          - name: prices_are_cents
            model: stg_b
            given: [{input: "ref('country')", rows: [{id: 100}]}]
            expect: {rows: [{price: 1}]}
    """,
    "models/groups.yml": "groups: [{name: finance, owner: {name: Finance, email: finance@example.com}}]",
    "models/orders.sql": "select a.id from {{ ref('stg_a') }} a join {{ ref('stg_b') }} b using (id)",
    "models/orders/items.sql": "select id from {{ ref('orders') }}",
    "models/orders/lines.sql": "select id from {{ ref('shop', 'items') }}",
    "models/core/ver_v1.sql": "select id from {{ ref('stg_c') }}",
    "models/core/ver_v2.sql": "select id from {{ ref('stg_c') }}",
    "models/core/typed.sql": "{{ config(materialized='table') }} select 1 as id",
    "models/core/schema.yml": """
        models:
          - name: ver
            latest_version: 2
            columns: [{name: id, data_tests: [not_null]}]
            versions: [{v: 1}, {v: 2}]
          - name: typed
            config: {contract: {enforced: true}}
            columns: [{name: id, data_type: integer}]
    """,
    "models/eph/e1.sql": "{{ config(materialized='ephemeral') }} select id from {{ ref('stg_a') }}",
    "models/eph/e2.sql": """
        {{ config(materialized='ephemeral') }}
        select id from {{ ref('e1') }} join {{ ref('stg_b') }} using (id)
    """,
    "models/eph/loner.sql": "{{ config(materialized='ephemeral') }} select 1 as id",
    "models/eph/uses.sql": "select e.id from {{ ref('e2') }} e cross join {{ ref('loner') }} l",
    "models/eph/schema.yml": """
        models:
          - name: e2
            columns: [{name: id, data_tests: [not_null]}]
          - name: loner
            columns: [{name: id, data_tests: [not_null]}]
    """,
    "models/off.sql": "{{ config(enabled=false) }} select 1 as id",
    "models/marts/m1.sql": """
        {{ config(materialized='table') }}
        select id from {{ ref('shop', 'orders') }} join {{ ref('shop', 'ver', v=1) }} using (id)
    """,
    "models/marts/m2.sql": """
        {{ config(materialized='incremental', unique_key='id') }}
        select id from {{ ref('m1') }} join {{ ref('uses') }} using (id)
    """,
    "models/marts/m.dotted.sql": "select id from {{ ref('m1') }}",
    "models/marts/shop.sql": "select id from {{ ref('snap') }}",
    "models/marts/schema.yml": """
        models:
          - name: m1
            columns: [{name: id, data_tests: [not_null, unique]}]
          - name: m2
            columns:
              - name: id
                data_tests:
                  - relationships: {arguments: {to: "ref('m1')", field: id}}
        exposures:
          - name: dashboard
            label: The dashboard
            type: dashboard
            url: https://bi.example.com/1
            owner: {name: Finance, email: finance@example.com}
            depends_on: ["ref('m1')", "ref('e2')", "source('raw', 'events')"]
    """,
    "macros/cents.sql": "{% macro cents(column) %}({{ column }} / {{ hundred() }}){% endmacro %}",
    "macros/hundred.sql": "{% macro hundred() %}100{% endmacro %}",
    "seeds/country.csv": "id\n1\n2\n",
    "seeds/unused.csv": "id\n1\n",
    "seeds/old stuff/more.csv": "id\n1\n",
    "seeds/old stuff/most.csv": "id\n1\n",
    "snapshots/snap.sql": """
        {% snapshot snap %}
        {{ config(target_schema='main', unique_key='id', strategy='check', check_cols='all') }}
        select * from {{ ref('country') }}
        {% endsnapshot %}
    """,
    "analyses/look.sql": "select * from {{ ref('m1') }}",
    "tests/orders.sql": "select * from {{ ref('shop', 'orders') }} where id < 0",
    "tests/a_and_b.sql": "select * from {{ ref('stg_a') }} join {{ ref('stg_b') }} using (id) where false",
    "tests/nested/raw_and_mart.sql": "select 1 from {{ source('raw', 'clicks') }}, {{ ref('m2') }} where false",
    "tests/nested/loose.sql": "select 1 where false",
}


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write `files`, by relative path, into `folder`, and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
    return folder


def run_dbt(*args: str) -> None:
    """Run dbt in this process; fail the test with its message when it fails."""
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner().invoke(["--quiet", *args])
    assert outcome.success, outcome.exception


@pytest.fixture(scope="session")
def nasty_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the project, its packages installed and its manifest made."""
    folder = write_files(tmp_path_factory.mktemp("nasty"), FILES)
    where = ("--project-dir", str(folder), "--profiles-dir", str(folder))
    logs = ("--log-path", str(folder / "target"))
    run_dbt(*logs, "deps", *where)
    run_dbt(*logs, "parse", *where)
    return folder
