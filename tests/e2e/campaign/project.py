"""The project of the campaign: every table tells by which call it was made, and which calls it has read.

A connector and dbt in a DuckDB file, dbt in PostgreSQL, and Python between them, some of it by days. All else follows
from the marks: what a status calls fresh must have read what is there now, and what a record tells must be there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.airbyte.local.scripted import KEYED, stream
from tests.airbyte.local.scripted import Bench as Connector

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04")
#: How many rows of `visits` the connector reads each time.
STEP = 5

#: What each asset is made from, `*` after what it reads only the same day of.
READS = {
    "visits": (),
    "pages": (),
    "traffic": ("visits", "pages"),
    "events": (),
    "daily": ("events*",),
    "batches": ("events*",),
    "scores": ("traffic",),
    "summary": ("scores", "batches"),
    "report": ("summary", "daily"),
}
#: Those that are made by days, and those that are functions, which note each of their calls.
BY_DAY = ("events", "daily", "batches")
FUNCTIONS = ("events", "daily", "scores", "report")
#: As which key each is known, where that is not its name.
KEYS = {"visits": "site/visits", "pages": "site/pages", "traffic": "one/traffic"}
KEYS |= {each: f"two/{each}" for each in ("batches", "summary")}

SETTINGS = """
io = "duckdb:shop.duckdb"

[integrations.site]
kind = "airbyte"
command = "source-shop"
schema = "web"

[integrations.one]
kind = "dbt"
project_dir = "one"

[integrations.two]
kind = "dbt"
project_dir = "two"
"""

PYTHON = """
import os
import secrets
import time
from pathlib import Path

import pandas as pd
from assetry import AssetContext, DailyPartitionsDefinition, asset

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05")
SERVER = "POSTGRES"


def made(name, day=None, **reads):
    '''Return a row that tells by which call it was made, and what that has read; note when it began and ended.'''
    mark = f"{name}-{secrets.token_hex(4)}"

    def note(word):
        line = f"{word} {name} {day or '-'} {mark} {os.getpid()} {time.monotonic()}\\n"
        file = os.open("CALLS", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)

    note("begin")
    time.sleep(0.02)
    note("end")
    row = {"made": [mark], **{f"read_{each}": [text] for each, text in reads.items()}}
    return pd.DataFrame({**row, **({"ts": [pd.Timestamp(day)]} if day else {})})


def marks(frame):
    return ",".join(sorted(frame["made"]))


@asset(partitions_def=DAYS, io_manager=SERVER)
def events(context: AssetContext) -> pd.DataFrame:
    return made("events", context.partition)


@asset(partitions_def=DAYS)
def daily(context: AssetContext, events: pd.DataFrame) -> pd.DataFrame:
    return made("daily", context.partition, events=marks(events))


@asset(io_manager=SERVER)
def scores(traffic: pd.DataFrame) -> pd.DataFrame:
    return made("scores", traffic=marks(traffic))


@asset
def report(summary: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    return made("report", summary=marks(summary), daily=marks(daily))
"""

ONE = {
    "traffic": """
select '{{ invocation_id }}' as made,
    (select cast(max(id) as varchar) from {{ source('web', 'visits') }}) as read_visits,
    (select max(mark) from {{ source('web', 'pages') }}) as read_pages
"""
}
TWO = {
    "batches": """
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='day',
   unique_key='ts', begin='2026-01-01', meta={'assetry': {'partitions': {'end': '2026-01-05'}}}) }}
select '{{ invocation_id }}-' || to_char(ts, 'DD') as made, made as read_events, ts
from {{ source('raw', 'events') }}
""",
    "summary": """
select '{{ invocation_id }}' as made, (select made from {{ source('raw', 'scores') }}) as read_scores,
    string_agg(made, ',' order by made collate "C") as read_batches
from {{ ref('batches') }}
""",
}

#: The connector: one stream that is read whole, and one that goes on from its state.
CONNECTOR = f"""
def read():
    import secrets
    for name in chosen:
        status(name, "STARTED")
        time.sleep(0.02)
        if name == "pages":
            mark = "pages-" + secrets.token_hex(4)
            for number in range(3):
                record(name, page=number, mark=mark)
        else:
            begun = start_of(name)
            for number in range(begun + 1, begun + 1 + {STEP}):
                record(name, id=number, at=number)
            time.sleep(0.02)
            state(name, at=begun + {STEP})
        status(name, "COMPLETE")
"""
INTEGER, TEXT = {"type": "integer"}, {"type": "string"}
STREAMS = [
    stream("pages", {"page": INTEGER, "mark": TEXT}),
    stream("visits", {"id": INTEGER, "at": INTEGER}, **KEYED),
]


def write_project(root: Path, host: Path, database: str, notes: Path) -> None:
    """Write the project; its PostgreSQL listens in the folder `host`, and in `notes` is told what is called."""
    root.mkdir(parents=True, exist_ok=True)
    Connector(notes, root / "source-shop", STREAMS).write(CONNECTOR)
    duck = "{type: duckdb, path: ../shop.duckdb, threads: 1}"
    server = f"{{type: postgres, host: {host}, user: postgres, pass: '', port: 5432, dbname: {database}, "
    server += "schema: public, threads: 2}"
    events = {"name": "events", "config": {"event_time": "ts"}}
    web = {"name": "web", "tables": [{"name": "visits"}, {"name": "pages"}]}
    raw = {"name": "raw", "schema": "public", "tables": [events, {"name": "scores"}]}
    for name, text in {
        "assetry.toml": SETTINGS,
        "assets.py": PYTHON.replace("POSTGRES", f"postgresql://postgres@/{database}?host={host}").replace(
            "CALLS", str(notes / "CALLS")
        ),
        **dbt_project("one", duck, web, ONE),
        **dbt_project("two", server, raw, TWO),
    }.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def dbt_project(name: str, output: str, source: object, models: Mapping[str, str]) -> dict[str, str]:
    return {
        f"{name}/dbt_project.yml": f"name: {name}\nprofile: {name}\nflags: {{send_anonymous_usage_stats: false}}\n"
        f"models:\n  {name}:\n    +materialized: table\n",
        f"{name}/profiles.yml": f"{name}: {{target: dev, outputs: {{dev: {output}}}}}\n",
        f"{name}/models/sources.yml": json.dumps({"sources": [source]}),
        **{f"{name}/models/{model}.sql": sql for model, sql in models.items()},
    }
