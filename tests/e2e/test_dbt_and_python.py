"""The main job, on real dbt and DuckDB: one graph, the fewest invocations, a stream, the truth afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assetry import Project
from assetry.errors import DuplicateKeyError
from assetry.plan.plan import Plan
from assetry.testing import ProjectFolder
from assetry.types.events import InvocationFinished, Materialized, Skipped, Started
from assetry.types.records import EventRecord

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
WAIT = 120


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def dbt_project(name: str, models: dict[str, str], sources: str = "", path: str = "shop.duckdb") -> dict[str, str]:
    """Return the files of a dbt project on DuckDB."""
    return {
        "dbt_project.yml": f"name: {name}\nprofile: {name}\nmodels:\n  {name}:\n    +materialized: table\n",
        "profiles.yml": f"{name}: {{target: dev, outputs: {{dev: {{type: duckdb, path: '{path}', threads: 2}}}}}}\n",
        **({"models/sources.yml": sources} if sources else {}),
        **{f"models/{model}.sql": sql for model, sql in models.items()},
    }


def below(folder: str, files: dict[str, str]) -> dict[str, str]:
    return {f"{folder}/{name}": text for name, text in files.items()}


def source(*tables: str, name: str = "py") -> str:
    listed = "".join(f"      - name: {table}\n" for table in tables)
    return f"sources:\n  - name: {name}\n    schema: main\n    tables:\n{listed}"


PYTHON = """
import pandas as pd
from assetry import asset

@asset
def p(a: pd.DataFrame) -> pd.DataFrame:
    return a.assign(y=2)
"""


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    opened: list[Project] = []

    def loaded(files: dict[str, str], folder: str = "project") -> Project:
        project = Project.load(write(tmp_path / folder, files))
        opened.append(project)
        return project

    yield loaded
    for project in opened:
        project.close()


def dbt_invocations(plan: Plan) -> list[list[str]]:
    return [
        [str(asset.key) for asset in planned.invocation.assets]
        for planned in plan.invocations
        if planned.invocation.integration.kind == "dbt"
    ]


def outcomes(result: Any) -> dict[str, str]:
    return {str(key): attempt.outcome for (key, _), attempt in result.outcomes.items()}


# -- the least number of invocations -------------------------------------------------------------------------------


def test_dbt_python_dbt_takes_two_invocations_and_an_unrelated_root_keeps_it_at_two(
    load: Callable[..., Project],
) -> None:
    models = {"a": "select 1 as id", "c": "select 1 as id", "b": "select * from {{ source('py', 'p') }}"}
    files = {**dbt_project("shop", models, source("p")), "assets.py": PYTHON}
    plan = load(files, "one").plan()
    assert (plan.count, plan.lower_bound, plan.minimal) == (2, 2, True)
    assert dbt_invocations(plan)[1] == ["shop/b"]
    assert "`p` (python) stands between `a` and `b`" in plan.splits[0].because

    root = "\n@asset\ndef r() -> pd.DataFrame:\n    return pd.DataFrame({'k': [1]})\n"
    models["x"] = "select * from {{ source('py', 'r') }}"
    more = {**dbt_project("shop", models, source("p", "r")), "assets.py": PYTHON + root}
    plan = load(more, "two").plan()
    assert (plan.count, plan.lower_bound) == (2, 2)


def test_a_cycle_of_tools_in_one_project_leaves_the_other_at_one(load: Callable[..., Project]) -> None:
    one = dbt_project("one", {"a": "select 1 as id", "b": "select * from {{ source('py', 'p') }}"}, source("p"))
    other = dbt_project("other", {"m": "select 1 as id", "n": "select * from {{ ref('m') }}"}, path="other.duckdb")
    plan = load({**below("one", one), **below("other", other), "assets.py": PYTHON}).plan()
    groups = [planned.invocation.group.key for planned in plan.invocations if planned.invocation.group]
    assert sorted(groups) == ["dbt:one@dev", "dbt:one@dev", "dbt:other@dev"]
    assert (plan.count, plan.lower_bound) == (3, 3)


def test_two_projects_that_read_each_others_tables(load: Callable[..., Project], tmp_path: Path) -> None:
    """The word A B A comes out of the plan by itself, and runs."""
    path = str(tmp_path / "both.duckdb")
    one = dbt_project(
        "one",
        {"first": "select 1 as id", "last": "select * from {{ source('other', 'middle') }}"},
        source("middle", name="other"),
        path,
    )
    other = dbt_project(
        "other", {"middle": "select * from {{ source('one', 'first') }}"}, source("first", name="one"), path
    )
    project = load({**below("one", one), **below("other", other)})
    plan = project.plan()
    assert dbt_invocations(plan) == [["one/first"], ["other/middle"], ["one/last"]]
    assert (plan.count, plan.lower_bound) == (3, 3)
    result = project.run(plan)
    assert set(outcomes(result).values()) == {"materialized"}


# -- the stream ----------------------------------------------------------------------------------------------------


@pytest.fixture
def broken(load: Callable[..., Project]) -> Project:
    """A project in which `a` is fine and its sibling `d` fails."""
    models = {
        "a": "select 1 as id",
        "d": "select cast('x' as integer) as id from {{ ref('a') }}",
        "below_d": "select * from {{ ref('d') }}",
        "slow": "select count(*) as n from range(3000) x, range(3000) y, range(9) z where x.range + y.range > z.range",
    }
    tests = "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [not_null, unique]\n"
    return load({**dbt_project("shop", models), "models/tests.yml": tests, "assets.py": PYTHON})


def test_a_failure_stops_only_what_is_below_it_and_retry_runs_what_is_left(broken: Project) -> None:
    records: list[EventRecord] = []
    result = broken.materialize(on_event=records.append)
    assert result.run.state == "failed"
    assert outcomes(result) == {
        "shop/a": "materialized",
        "shop/slow": "materialized",
        "p": "materialized",
        "shop/d": "failed",
        "shop/below_d": "skipped",
    }
    skipped = next(record.event for record in records if isinstance(record.event, Skipped))
    assert (skipped.key, skipped.because) == ("shop/below_d", "shop/d failed")
    failed = next(attempt for (key, _), attempt in result.outcomes.items() if key == "shop/d")
    assert "Could not convert string 'x' to INT32" in str(failed.message)
    words = {status.key: status.status for status in broken.status()}
    assert words["shop/d"] == "failed"
    assert words["p"] == "fresh"

    (broken.root / "models" / "d.sql").write_text("select 7 as id from {{ ref('a') }}")
    fixed = Project.load(broken.root)
    plan = fixed.plan_retry(fixed.find_run())
    assert dbt_invocations(plan) == [["shop/d", "shop/below_d"]]
    assert plan.count == 1
    assert fixed.retry().ok
    assert {status.status for status in fixed.status()} == {"fresh"}
    fixed.close()


def test_python_below_an_early_model_starts_while_dbt_still_runs(broken: Project) -> None:
    records: list[EventRecord] = []
    broken.materialize(on_event=records.append)
    order = [
        (type(record.event).__name__, str(getattr(record.event, "key", "")))
        for record in records
        if isinstance(record.event, (Started, Materialized, InvocationFinished))
    ]
    made = order.index(("Materialized", "p"))
    assert order.index(("Materialized", "shop/a")) < order.index(("Started", "p")) < made
    assert made < order.index(("Materialized", "shop/slow"))


def test_a_failed_check_stops_what_is_outside_too(load: Callable[..., Project]) -> None:
    tests = "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [unique]\n"
    models = {"a": "select 1 as id union all select 1", "c": "select * from {{ ref('a') }}"}
    project = load({**dbt_project("shop", models), "models/tests.yml": tests, "assets.py": PYTHON})
    result = project.materialize()
    assert outcomes(result) == {"shop/a": "check_failed", "shop/c": "skipped", "p": "skipped"}
    skips = {str(key): attempt.message for (key, _), attempt in result.outcomes.items()}
    assert skips["p"] == "check unique_a_id of shop/a failed"
    assert (result.run.state, result.counts["checks_failed"]) == ("failed", 1)


def test_a_warning_stops_nothing(load: Callable[..., Project]) -> None:
    tests = (
        "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests:\n"
        "          - unique: {config: {severity: warn}}\n"
    )
    models = {"a": "select 1 as id union all select 1"}
    project = load({**dbt_project("shop", models), "models/tests.yml": tests, "assets.py": PYTHON})
    result = project.materialize()
    assert result.ok
    assert result.counts["checks_warned"] == 1


# -- as a person would ---------------------------------------------------------------------------------------------


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assetry", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT,
    )


def answer(folder: Path, *arguments: str) -> Any:
    """Return what a command that makes nothing answers as JSON, asked in this process."""
    return ProjectFolder(folder, {}).run(*arguments, "--output", "json").assert_ok().data


def files_of(folder: Path) -> set[str]:
    """Return the files of a folder, without those that assetry and dbt may leave."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {
        name for name in found if ".assetry/" not in name and "/target/" not in f"/{name}" and ".duckdb" not in name
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "shop"
    ignored = shutil.ignore_patterns("target", ".assetry", "*.duckdb*", "__pycache__", "logs")
    shutil.copytree(EXAMPLES / "shop", folder, ignore=ignored)
    return folder


def test_the_shop_runs_as_its_readme_says(shop: Path) -> None:
    before = files_of(shop)
    plan = answer(shop, "plan")
    assert plan["minimal"]
    assert plan["count"] == plan["lower_bound"]
    kinds = [each["kind"] for each in plan["invocations"]]
    assert (kinds.count("airbyte"), kinds.count("dbt"), plan["count"]) == (1, 2, 3)
    done = command(shop, "materialize", "--output", "ndjson")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["version"] for event in events} == {1}
    assert events[-1]["event"] == "run_finished"
    assert {"at", "run", "invocation", "asset", "event"} <= set(next(e for e in events if e["event"] == "materialized"))
    status = answer(shop, "status")
    assert set(status["counts"]) == {"fresh", "external"}
    nothing = command(shop, "materialize", "--stale")
    assert nothing.returncode == 0
    assert command(shop, "plan", "--stale", "--exit-code").returncode == 0
    assert files_of(shop) == before


def test_python_only_runs_as_its_readme_says(tmp_path: Path) -> None:
    folder = tmp_path / "python_only"
    shutil.copytree(EXAMPLES / "python_only", folder, ignore=shutil.ignore_patterns(".assetry", "__pycache__"))
    assert command(folder, "materialize").returncode == 0
    status = answer(folder, "status")
    assert status["counts"] == {"fresh": 3}


HELD = """
import pandas as pd, pathlib, time
from assetry import asset

@asset
def p(a: pd.DataFrame) -> pd.DataFrame:
    pathlib.Path("p.started").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return a
"""


def test_kill_in_mid_run_leaves_the_truth(tmp_path: Path) -> None:
    models = {"a": "select 1 as id", "b": "select * from {{ source('py', 'p') }}"}
    folder = write(tmp_path / "shop", {**dbt_project("shop", models, source("p")), "assets.py": HELD})
    run = subprocess.Popen(
        [sys.executable, "-m", "assetry", "-C", str(folder), "materialize"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + WAIT
    while not (folder / "p.started").exists():
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(WAIT)

    status = answer(folder, "status")
    words = {asset["key"]: asset["status"] for asset in status["assets"]}
    assert words == {"shop/a": "fresh", "p": "failed", "shop/b": "never"}
    (run_info,) = answer(folder, "runs")["runs"]
    assert run_info["state"] == "interrupted"

    (folder / "go").touch()
    done = command(folder, "retry", "--output", "ndjson")
    assert done.returncode == 0, done.stderr
    made = [event["asset"] for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "materialized"]
    assert made == ["p", "shop/b"]
    status = answer(folder, "status")
    assert status["counts"] == {"fresh": 3}


def test_sample_data_that_a_project_reads_as_a_source_comes_first(load: Callable[..., Project]) -> None:
    sources = """
sources:
  - name: shop
    schema: raw
    tables:
      - name: items
        columns: [{name: id, data_tests: [unique, not_null]}]
seeds: [{name: items, columns: [{name: id, data_tests: [unique]}]}]
"""
    files = dbt_project("p", {"stg": "select id from {{ source('shop', 'items') }}"}, sources) | {
        "models/total.sql": "select count(*) as n from {{ ref('stg') }}",
        "seeds/items.csv": "id\n1\n2\n",
        "macros/schema.sql": "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}",
        "assets.py": PYTHON.replace("(a:", "(items:").replace("return a.", "return items."),
    }
    files["dbt_project.yml"] += "seeds: {+schema: raw}\n"
    project = load(files)
    plan = project.plan()
    assert dbt_invocations(plan) == [["p/items"], ["p/stg", "p/total"]]
    assert plan.minimal
    result = project.materialize()
    assert (result.run.state, result.counts["checks_passed"]) == ("succeeded", 3)
    assert {each.status for each in project.status()} == {"fresh"}
    assert project.plan(stale=True).count == 0


def tables(file: Path) -> set[tuple[str, str]]:
    with duckdb.connect(str(file)) as base:
        return set(base.execute("select table_schema, table_name from information_schema.tables").fetchall())


def test_two_projects_that_install_one_package_build_it_each_for_itself(
    load: Callable[..., Project], tmp_path: Path
) -> None:
    files: dict[str, str] = {}
    for name in ("a", "b"):
        own = dbt_project(name, {f"{name}_mart": "select * from {{ ref('log') }}"})
        own["dbt_project.yml"] += "  pk: {+materialized: table}\n"
        own["profiles.yml"] = own["profiles.yml"].replace("path: 'shop.duckdb'", f"path: ../w.duckdb, schema: {name}")
        own["dbt_packages/pk/dbt_project.yml"] = "name: pk\n"
        own["dbt_packages/pk/models/log.sql"] = "select 1 as id\n"
        own["dbt_packages/pk/models/pk.yml"] = "models: [{name: log, columns: [{name: id, data_tests: [unique]}]}]\n"
        files |= below(name, own)
    project = load(files)
    result = project.materialize()
    assert (result.run.state, result.counts["checks_passed"]) == ("succeeded", 2)
    made = {"pk/log", "a/a_mart", "b/pk/log", "b/b_mart"}
    assert {str(each.key): each.status for each in project.status()} == dict.fromkeys(made, "fresh")
    there = tables(tmp_path / "project" / "w.duckdb")
    assert there == {("a", "log"), ("b", "log"), ("a", "a_mart"), ("b", "b_mart")}
    assert project.plan(stale=True).count == 0


def test_one_project_for_two_tenants_is_refused_with_an_option_that_parts_them(
    load: Callable[..., Project], tmp_path: Path
) -> None:
    tenants = {"m": "select '{{ target.name }}' as tenant", "n": "select * from {{ ref('m') }}"}
    own = below("p", dbt_project("s", tenants, "models: [{name: m, columns: [{name: tenant, data_tests: [unique]}]}]"))
    outputs = ", ".join(f"{name}: {{type: duckdb, path: ../w.duckdb, schema: {name}}}" for name in ("eu", "us"))
    own["p/profiles.yml"] = f"s: {{target: eu, outputs: {{{outputs}}}}}\n"
    table = '[integrations.{0}]\nkind = "dbt"\nproject_dir = "p"\ntarget = "{0}"\n'
    both = [table.format(name) for name in ("eu", "us")]
    with pytest.raises(DuplicateKeyError) as caught:
        load({**own, "assetry.toml": "".join(both)}).graph  # noqa: B018
    option = re.findall(r"key_prefix = \"us\"", str(caught.value))
    project = load({**own, "assetry.toml": f"{both[0]}{both[1]}{option[0]}\n"})
    result = project.materialize()
    assert (result.run.state, result.counts["checks_passed"]) == ("succeeded", 2)
    assert {str(each.key) for each in project.status()} == {"s/m", "s/n", "us/s/m", "us/s/n"}
    assert tables(tmp_path / "project" / "w.duckdb") == {(who, name) for who in ("eu", "us") for name in ("m", "n")}
    assert project.plan(stale=True).count == 0
    # Each has a manifest of its own, so that none is read anew because of the other.
    assert (tmp_path / "project/p/target/us/manifest.json").exists()
