"""Partitions through dbt, Python and a warehouse: what changed is made again, no more, by the fewest dbt runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.errors import UsageError
from assetry.plan.plan import Plan
from assetry.types.events import Materialized
from assetry.types.records import EventRecord

from tests.core.run.tracking.told import each_told
from tests.postgres_server import postgres

pytestmark = pytest.mark.slow

Loader = Callable[..., Project]


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """Return the folder of the socket that a PostgreSQL listens on."""
    with postgres() as running:
        yield running.folder


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Loader]:
    """Write files, and load the project that they are; what was loaded before is let go."""
    opened: list[Project] = []

    def loaded(files: Mapping[str, str] | None = None) -> Project:
        for name, text in (files or {}).items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        while opened:
            opened.pop().close()
        opened.append(Project.load(tmp_path / "project"))
        return opened[-1]

    yield loaded
    for project in opened:
        project.close()


DUCKDB = "{type: duckdb, path: w.duckdb, threads: 4}"


def dbt(output: str = DUCKDB, schema: str = "main", **models: str) -> dict[str, str]:
    """Return the files of a dbt project `shop` that reads `web.events`."""
    return {
        "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
        "profiles.yml": f"shop: {{target: dev, outputs: {{dev: {output}}}}}\n",
        "models/sources.yml": "sources:\n"
        f"  - {{name: web, schema: {schema}, tables: [{{name: events, config: {{event_time: ts}}}}]}}\n",
        **{f"models/{name}.sql": sql for name, sql in models.items()},
    }


def made(project: Project, *args: Any, **ask: Any) -> tuple[dict[str, list[str]], int]:
    """Materialize; return the partitions that were made of each asset, and how many times dbt was run."""
    records: list[EventRecord] = []
    result = project.materialize(*args, on_event=records.append, **ask)
    found: dict[str, list[str]] = {}
    for event in each_told(project.graph, (each.event for each in records)):
        if isinstance(event, Materialized):
            found.setdefault(event.key.name, []).append(str(event.partition or ""))
    runs = {each.invocation for each in records if getattr(each.event, "kind", None) == "dbt"}
    assert result.ok or ask.get("bad"), result
    return {name: sorted(parts) for name, parts in found.items()}, len(runs)


def stale(project: Project) -> dict[str, str]:
    """Return what is due of each asset, as text."""
    found = {each.key.name: each for each in project.status()}
    return {
        name: each.partitions.due.text(each.partitions.definition) if each.partitions else ""
        for name, each in found.items()
        if (each.partitions.due if each.partitions else each.status == "stale")
    }


# -- hours, days and weeks, over the days on which the clocks change ---------------------------------------------------

ASSETS = """
from pathlib import Path
import pandas as pd
from assetry import AssetContext, HourlyPartitionsDefinition, WeeklyPartitionsDefinition, asset

@asset(partitions_def=HourlyPartitionsDefinition("{start}", "{end}"))
def events(context: AssetContext) -> pd.DataFrame:
    value = int(Path(__file__).with_name("value").read_text())
    return pd.DataFrame({{"ts": [pd.to_datetime(context.partition, format="%Y-%m-%d-%H:%M")], "v": [value]}})

@asset(partitions_def=WeeklyPartitionsDefinition("{week}", "{after}", day_offset=1))
def report(daily: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({{"days": [len(daily)], "total": [int(daily["total"].sum())]}})

@asset(partitions_def=WeeklyPartitionsDefinition("{week}", "{after}", timezone="Europe/Berlin", day_offset=1))
def berlin(daily: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({{"days": [len(daily)]}})

@asset
def everything(daily: pd.DataFrame) -> int:
    return int(daily["total"].sum())
"""
DAILY = """
{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='day', {key}
   begin='{start}', meta={{'assetry': {{'partitions': {{'end': '{end}'}}}}}}) }}}}
select date_trunc('day', ts) as day, count(*) as n, sum(v) as total from {{{{ source('web', 'events') }}}} group by 1
"""
SPRING = {"start": "2025-03-29", "end": "2025-04-01", "week": "2025-03-24", "after": "2025-04-07"}
AUTUMN = {"start": "2025-10-25", "end": "2025-10-28", "week": "2025-10-20", "after": "2025-11-03"}


@pytest.mark.parametrize(("season", "warehouse"), [("spring", "duckdb"), ("autumn", "duckdb"), ("autumn", "postgres")])
def test_an_hour_that_is_made_again_makes_one_day_and_one_week_again(
    load: Loader, request: pytest.FixtureRequest, season: str, warehouse: str
) -> None:
    days, output, key, schema = SPRING if season == "spring" else AUTUMN, DUCKDB, "", "main"
    if warehouse == "postgres":
        host, schema, key = request.getfixturevalue("server"), "hours", "unique_key='day',"
        output = f"{{type: postgres, host: {host}, user: postgres, pass: '', port: 5432, dbname: postgres, "
        output += "schema: hours, threads: 4}"
    total = "select sum(n) as n, sum(total) as total from {{ ref('daily') }}"
    files = dbt(output, schema, daily=DAILY.format(key=key, **days), total=total)
    project = load({**files, "assets.py": ASSETS.format(**days), "value": "1"})

    first = project.plan(stale=True)
    assert (first.count, first.minimal) == (1, True)
    found, runs = made(project, stale=True)
    first_day, clocks, third = sorted(found["daily"])
    assert runs == 1, "the model below has no partitions, and goes along"
    assert len(found["events"]) == 72
    assert found["report"] == found["berlin"] == [days["week"], third]
    assert stale(project) == {}
    assert rows(project, "daily") == [(24, 24)] * 3
    assert rows(project, "total") == [(72, 72)]
    assert rows(project, "report", days["week"]) == [(2, 48)]
    assert project.load_value("everything") == 72

    Path(project.settings.root, "value").write_text("100")
    made(project, "events", partition=f"{first_day}-05:00")
    below = {"total": "", "everything": ""}
    assert stale(project) == {"daily": first_day, "report": days["week"], "berlin": days["week"], **below}
    plan = project.plan(stale=True)
    assert plan.count == 1
    assert windows(plan) == [(f"{first_day} 00:00:00+00:00", f"{clocks} 00:00:00+00:00")]
    found, runs = made(project, stale=True)
    again = {"daily": [first_day], "report": [days["week"]], "berlin": [days["week"]], "total": [""]}
    assert found == {**again, "everything": [""]}
    assert runs == 1
    assert stale(project) == {}
    assert rows(project, "daily") == [(24, 123), (24, 24), (24, 24)]
    assert rows(project, "report", days["week"]) == [(2, 147)]

    # The day on which the clocks change in Berlin ends there on another one in UTC: it is of two weeks.
    made(project, "events", partition=f"{clocks}-05:00")
    assert stale(project) == {
        "daily": clocks, "report": days["week"], "berlin": f"{days['week']}..{third}", **below
    }  # fmt: skip


def rows(project: Project, name: str, partition: str | None = None) -> list[tuple[Any, ...]]:
    """Return the numbers of a table."""
    frame = project.load_value(name, partition=partition)
    frame = frame.sort_values(frame.columns[0]).select_dtypes("number")
    return [tuple(int(each) for each in row) for row in frame.itertuples(index=False)]


def windows(plan: Plan) -> list[tuple[str, ...]]:
    return [
        tuple(map(str, each.invocation.window or ()))
        for each in plan.invocations
        if each.invocation.group is not None and each.invocation.group.counted
    ]


# -- batches that fail, tables that are made anew ----------------------------------------------------------------------

EVENTS = "{{ config(event_time='ts') }}\nselect timestamp '2025-01-01' + interval (i) day as ts from range(5) t(i)"
BATCHED = """
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='day',
   begin='2025-01-01', meta={'assetry': {'partitions': {'end': '2025-01-06'}}}) }}
select ts, cast(case when day(ts) in (BAD) then 'boom' else '1' end as int) as v from {{ ref('days') }}
"""
COPY = """
import pandas as pd
from assetry import AssetContext, DailyPartitionsDefinition, asset

@asset(partitions_def=DailyPartitionsDefinition("2025-01-01", "2025-01-06"))
def copy(daily: pd.DataFrame) -> pd.DataFrame:
    assert len(daily) == 1
    return daily

@asset
def whole(daily: pd.DataFrame) -> int:
    return len(daily)
"""
FIVE = [f"2025-01-0{day}" for day in range(1, 6)]


def batches(bad: str = "0", **more: str) -> dict[str, str]:
    models = {
        "days": EVENTS,
        "daily": BATCHED.replace("BAD", bad),
        "sums": "select sum(v) as v from {{ ref('daily') }}",
    }
    schema = {"models/schema.yml": "models: [{name: daily, columns: [{name: ts, data_tests: [not_null]}]}]\n"}
    return {**dbt(**{**models, **more}), "assets.py": COPY, **schema}


def test_a_batch_that_failed_is_all_that_is_made_again(load: Loader) -> None:
    project = load(batches(bad="3, 5"))
    result = project.materialize()
    outcomes = {(key.name, part): each.outcome for (key, part), each in result.outcomes.items()}
    good = [FIVE[0], FIVE[1], FIVE[3]]
    assert {part for (name, part), word in outcomes.items() if name == "daily" and word == "materialized"} == {*good}
    assert {part for (name, part), word in outcomes.items() if name == "daily" and word == "failed"} == {
        FIVE[2], FIVE[4]
    }  # fmt: skip
    assert outcomes["copy", FIVE[4]] == "skipped", "it is the last one of `copy`, which is made where none is asked for"
    assert outcomes["sums", None] == outcomes["whole", None] == "skipped"
    assert {each.key.name: each.status for each in project.status()}["daily"] == "failed"

    project = load(batches())
    plan = project.plan_retry(project.find_run())
    assert windows(plan) == [
        ("2025-01-03 00:00:00+00:00", "2025-01-04 00:00:00+00:00"),
        ("2025-01-05 00:00:00+00:00", "2025-01-06 00:00:00+00:00"),
    ]
    records: list[EventRecord] = []
    again = project.retry(on_event=records.append)
    assert again.ok
    found = sorted((e.event.key.name, e.event.partition) for e in records if isinstance(e.event, Materialized))
    assert found == [
        ("copy", FIVE[4]), ("daily", FIVE[2]), ("daily", FIVE[4]), ("sums", None), ("whole", None)
    ]  # fmt: skip
    assert rows(project, "sums") == [(5,)]
    checks = [e.event for e in records if e.event.name == "checked"]
    assert checks, "the test of the model runs now"
    # The others were made by other code.
    others = {"daily": f"{FIVE[0]}..{FIVE[1]}, {FIVE[3]}", "copy": f"{FIVE[0]}..{FIVE[3]}"}
    assert stale(project) == {**others, "sums": "", "whole": ""}


def test_a_table_that_is_made_anew_has_all_of_its_partitions_or_is_not_made(load: Loader) -> None:
    project = load(batches())
    assert made(project, "days daily")[0] == {"days": [""], "daily": FIVE}, "the first time from the beginning"
    assert made(project, "daily")[0] == {"daily": FIVE[3:]}, "then the last one, and its lookback"
    assert made(project, "daily", partition=FIVE[1])[0] == {"daily": [FIVE[1]]}
    assert rows(project, "daily") == [(1,)] * 5

    with pytest.raises(UsageError, match=r"these partitions would not be in the new one: 2025-01-01\.\.2025-01-03"):
        project.materialize("daily", partition=f"{FIVE[3]}..", full_refresh=True)
    assert rows(project, "daily") == [(1,)] * 5
    assert made(project, "daily", full_refresh=True) == ({"daily": FIVE}, 1)
    assert rows(project, "daily") == [(1,)] * 5

    drop(project, "daily")
    project.observe()
    assert stale(project)["daily"] == f"{FIVE[0]}..{FIVE[4]}"
    with pytest.raises(UsageError, match="The table is gone"):
        project.materialize("daily", partition=FIVE[1])
    assert made(project, "daily")[0] == {"daily": FIVE}


def drop(project: Project, table: str) -> None:
    import duckdb
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()
    with duckdb.connect(str(project.settings.root / "w.duckdb")) as connection:
        connection.execute(f"drop table {table}")


WHOLE = "{{ config(materialized='incremental', event_time='ts') }}\nselect ts, 1 as v from {{ ref('days') }}"


def test_a_model_becomes_microbatch_and_stops_being_it(load: Loader) -> None:
    project = load(batches(daily=WHOLE))
    assert made(project, "days daily sums whole")[0] == {"days": [""], "daily": [""], "sums": [""], "whole": [""]}

    project = load(batches())
    (status,) = project.status("daily")
    assert status.status == "never"
    assert "what was made of it as a whole says nothing of its partitions" in status.reasons[0].text
    assert rows(project, "daily") == [(1,)] * 5, "nothing is lost"
    assert project.load_value("whole") == 5
    assert made(project, "daily")[0] == {"daily": FIVE[3:]}, "its table is there, so dbt makes the last ones"
    assert stale(project)["daily"] == f"{FIVE[0]}..{FIVE[2]}"
    assert made(project, "days daily sums whole", stale=True) == (
        {"daily": FIVE[:3], "sums": [""], "whole": [""]}, 1
    )  # fmt: skip
    assert rows(project, "daily") == [(1,)] * 5
    assert project.load_value("whole") == 5

    project = load(batches(daily=WHOLE))
    found = {each.key.name: each for each in project.status()}
    assert found["daily"].status == "never"
    assert "partitions" in found["daily"].reasons[0].text
    assert rows(project, "daily") == [(1,)] * 5
    assert project.load_value("whole") == 5


# -- windows that vars tell --------------------------------------------------------------------------------------------

WINDOWED = """
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='ts', meta={'assetry':
   {'partitions': {'type': 'GRID', 'start': 'BEGIN', 'end': 'END', 'column': 'ts', 'vars': {'start': 'START',
   'end': 'STOP'}}}}) }}
select ts, 1 as v from {{ ref('days') }}
where ts >= '{{ var("START", "1970-01-01") }}' and ts < '{{ var("STOP", "2100-01-01") }}'
"""
REGIONAL = """
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='region', meta={'assetry':
   {'partitions': {'type': 'static', 'keys': ['eu', 'us', 'asia'], 'column': 'region',
   'vars': {'keys': 'regions'}}}}) }}
select region from (values ('eu'), ('us'), ('asia')) t(region)
{% if var('regions', none) %} where region in ('{{ var('regions') | join("','") }}') {% endif %}
"""


def windowed(grid: str, begin: str, end: str, start: str, stop: str) -> str:
    told = {"GRID": grid, "BEGIN": begin, "END": end, "START": start, "STOP": stop}
    text = WINDOWED
    for word, value in told.items():
        text = text.replace(f"'{word}'", f"'{value}'").replace(f'"{word}"', f'"{value}"')
    return text


def test_vars_tell_models_of_their_windows(load: Loader) -> None:
    project = load(
        {
            **dbt(
                days=EVENTS,
                one=windowed("daily", "2025-01-01", "2025-01-06", "from_date", "to_date"),
                two=windowed("daily", "2025-01-01", "2025-01-06", "from_date", "to_date"),
                weekly=windowed("weekly", "2024-12-29", "2025-01-19", "week_start", "week_end"),
                regional=REGIONAL,
                sums="select count(*) as n from {{ ref('one') }}",
            ),
            "models/sources.yml": "",
        }
    )
    made(project, "days")
    plan = project.commands(project.plan("one two weekly regional sums", partition=["2025-01-02..2025-01-03", "eu,us"]))
    commands = {
        tuple(sorted(asset.key.name for asset in each.invocation.assets)): each.command or ""
        for each in plan.invocations
    }
    assert commands.keys() == {("one", "two"), ("weekly",), ("regional",), ("sums",)}
    told = """--vars '{"from_date": "2025-01-02", "to_date": "2025-01-04"}'"""
    assert told in commands["one", "two"]
    assert """--vars '{"regions": ["eu", "us"]}'""" in commands["regional",]
    assert plan.count == 4
    project.run(plan)
    assert rows(project, "sums") == [(2,)]
    assert len(project.load_value("regional", partition="us")) == 1
    assert made(project, "one two", partition="all")[0] == {"one": FIVE, "two": FIVE}
    assert rows(project, "one") == [(1,)] * 5
    assert len(project.load_value("one", partition=FIVE[2])) == 1
    assert stale(project) == {"weekly": "2025-01-05..2025-01-12", "sums": "", "regional": "asia"}
    # What dbt wrote for these windows is beside what tells of the project: nothing has to be read anew.
    assert (project.settings.root / "target" / "vars" / "run_results.json").exists()
    assert load().plan("one", stale=True).invocations == ()
