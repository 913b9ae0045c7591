"""Definitions and what exists, where they differ: what a person types, and is told, on real dbt and DuckDB.

Four ways to differ: never made; made from something that is newer now; made with other columns than are promised; made,
and not defined any more. Each is seen in ``assetry status``, and ends with nothing that differs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assetry.testing import Outcome, ProjectFolder

pytestmark = pytest.mark.slow

PYTHON = """
import pandas as pd
from assetry import asset

TYPES = {types}

@asset(owners=["team:web"])
def events() -> pd.DataFrame:
    return pd.DataFrame({{"visitor": range(len(TYPES)), "type": TYPES}})
"""
FORECAST = """
@asset(owners=["ann@example.com"])
def forecast(logins: pd.DataFrame) -> pd.DataFrame:
    return logins.assign(expected=2 * logins["visitor"])
"""
DECLARED = """
version: 2
sources: [{{name: py, schema: main, tables: [{{name: events}}]}}]
models:
  - name: logins
    config: {{meta: {{owner: bob@example.com}}, contract: {{enforced: true}}}}
    columns: [{columns}]
exposures:
  - {{name: board, type: dashboard, owner: {{name: Carla, email: carla@example.com}}, depends_on: [ref('logins')]}}
"""
VISITOR, TYPE = "{name: visitor, data_type: bigint, data_tests: [unique]}", "{name: type, data_type: varchar}"
LOGINS = "select visitor{} from {{{{ source('py', 'events') }}}} where type = 'login'\n"
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n",
    "models/logins.sql": LOGINS.format(""),
    "models/regions.sql": "select 'eu' as region\n",
    "models/shown.sql": "{{ config(materialized='view') }}select region from {{ ref('regions') }}\n",
    "models/declared.yml": DECLARED.format(columns=VISITOR),
    "assets.py": PYTHON.format(types=["view", "login"]) + FORECAST,
    "readme.md": "A shop.\n",
    ".gitignore": ".assetry/\ntarget/\nlogs/\n*.duckdb*\n__pycache__/\n",
}


class Shop(ProjectFolder):
    """The project, as somebody has it in front of them."""

    def says(self, *arguments: str, code: int = 0) -> list[str]:
        """Call ``assetry``; return the lines of what it tells, the space between words as one."""
        outcome = self.run(*arguments).assert_code(code)
        lines = (outcome.out + outcome.err.replace(f" -C {self.root}", "")).splitlines()
        return [" ".join(line.split()) for line in lines if line.strip()]

    def makes(self, *arguments: str) -> Outcome:
        return self.materialize(*arguments).assert_ok()

    def tables(self) -> set[str]:
        return {name for (name,) in self.sql("select table_name from information_schema.tables")}

    def sql(self, text: str) -> list[Any]:
        with duckdb.connect(str(self.root / "shop.duckdb")) as base:
            return base.execute(text).fetchall()

    def git(self, *arguments: str) -> None:
        who = {f"GIT_{role}_{part}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *arguments], cwd=self.root, env={**os.environ, **who, **quiet}, check=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all of the project was made."""
    shop = Shop(tmp_path_factory.mktemp("made") / "shop", FILES)
    shop.makes()
    return shop.root


@pytest.fixture
def own(tmp_path: Path) -> Shop:
    """The project, all of it made where it is: a copy's records tell of tables in the place that it is a copy of."""
    shop = Shop(tmp_path, FILES)
    shop.makes()
    return shop


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Iterator[Shop]:
    """The project, all of it made, in a folder of its own."""
    shop = Shop(Path(shutil.copytree(made, tmp_path / "shop")), {})
    yield shop
    shop.close()


def assert_nothing_differs(shop: Shop) -> None:
    """See that nothing is told to differ, and nothing would be made."""
    (counts, *rest) = shop.says("status", "--exit-code")
    assert rest == []
    assert "stale" not in counts
    assert "never" not in counts
    assert shop.run("plan", "--stale", "--exit-code").code == 0
    assert shop.makes("--stale").launches == 0


# -- the four differences --------------------------------------------------------------------------------------------


def test_defined_and_never_made(tmp_path: Path) -> None:
    shop = Shop(tmp_path, FILES)
    counts, *told = shop.says("status", "--exit-code", code=4)
    assert counts == "6 assets: 5 never made from 2 roots, 1 external"
    assert told == [
        "never shop/regions and events: never materialized",
        "3 below them were never made; ask team:web",
        "`assetry materialize --stale` brings it up to date; `assetry plan --stale` shows how.",
    ]
    assert "1 dbt invocation; no plan has fewer" in shop.says("plan", "--stale")[-1]
    assert shop.makes("--stale").assert_materialized("events", "logins", "regions", "shown", "forecast").launches == 1
    assert_nothing_differs(shop)

    shop.write("models/totals.sql", "select count(*) as n from {{ ref('logins') }}")
    assert "never shop/totals: never materialized" in shop.says("status")
    shop.makes("--stale").assert_only_materialized("totals")
    assert_nothing_differs(shop)


def test_made_from_something_that_is_newer_now(shop: Shop) -> None:
    shop.write("assets.py", PYTHON.format(types=["view", "login", "login"]) + FORECAST)
    assert shop.says("status")[1:3] == [
        "stale events: its constant TYPES changed",
        "2 below it are stale; ask team:web",
    ]
    shop.makes("-s", "events")
    counts, cause, below, _ = shop.says("status", "--exit-code", code=4)
    assert counts == "6 assets: 3 fresh, 2 stale from 1 root, 1 external"
    assert cause.startswith("stale `events` was made anew at ")
    assert below == "2 below it are stale; ask team:web"
    plan = shop.says("plan", "--stale")
    assert any("makes shop/logins" in line for line in plan)
    assert any("python forecast" in line and "after 1" in line for line in plan)
    shop.makes("--stale").assert_only_materialized("logins", "forecast")
    assert shop.sql("select visitor, expected from forecast order by 1") == [(1, 2), (2, 4)]
    assert_nothing_differs(shop)


def test_made_with_other_columns_than_are_promised(shop: Shop) -> None:
    shop.write("models/declared.yml", DECLARED.format(columns=f"{VISITOR}, {TYPE}"))
    _, cause, below, _ = shop.says("status", "--exit-code", code=4)
    assert cause == "stale shop/logins: its contract changed; `type` is declared but not there"
    assert below == "1 below it is stale; ask bob@example.com"
    assert "type varchar declared but not there" in shop.says("show", "logins")

    # What is promised is held against what the tool really makes: the good table stays until it is kept.
    failed = shop.materialize("--stale").assert_code(1).assert_failed("logins", "type.*missing in definition")
    failed.assert_skipped("forecast", because="shop/logins failed")
    assert shop.sql("select * from logins") == [(1,)]
    assert any(line.startswith("failed shop/logins: the last attempt failed:") for line in shop.says("status"))

    shop.write("models/logins.sql", LOGINS.format(", type"))
    shop.makes("--stale").assert_only_materialized("logins", "forecast")
    assert not any("declared but not there" in line for line in shop.says("show", "logins"))
    assert_nothing_differs(shop)


def test_columns_that_a_python_asset_promises(shop: Shop) -> None:
    promised = FORECAST.replace("])", '], schema={"visitor": "bigint", "expected": "varchar"})')
    shop.write("assets.py", PYTHON.format(types=["view", "login"]) + promised)
    assert any("`expected`: declared" in line for line in shop.says("status", "--exit-code", code=4))
    shop.materialize("--stale").assert_code(1).assert_failed("forecast", "`expected`: declared text")
    assert shop.sql("select * from forecast") == [(1, 2)], "nothing of it was kept"
    shop.write("assets.py", PYTHON.format(types=["view", "login"]) + promised.replace("varchar", "bigint"))
    shop.makes("--stale").assert_only_materialized("forecast")
    assert_nothing_differs(shop)


def test_made_and_not_defined_any_more(own: Shop) -> None:
    (own.root / "models/regions.sql").unlink()
    (own.root / "models/shown.sql").unlink()
    own.write("assets.py", PYTHON.format(types=["view", "login"]))
    counts, orphans = own.says("status")
    assert counts == "3 assets: 2 fresh, 1 external"
    assert orphans == "Nothing defines forecast, shop/regions and shop/shown any more: see `assetry prune`."
    assert "error: Nothing defines 'forecast' any more." in own.says("show", "forecast", code=2)

    there = {"events", "forecast", "logins", "regions", "shown"}
    title, *rows, note = own.says("prune")
    assert title == "Nothing defines it any more:"
    assert [row.split(" made ")[0] for row in rows] == [
        "forecast shop.main.forecast 1 row",
        "shop/regions shop.main.regions",
        "shop/shown shop.main.shown",
    ]
    assert note == "`assetry prune --delete` deletes what was made of them, and their records."
    assert "error: Nothing is deleted without a yes." in own.says("prune", "--delete", code=2)
    own.says("prune", "--delete", "--yes", "--dry-run")
    assert own.tables() == there, "who looks deletes nothing"

    assert "shop/regions: shop/shown, a view, was made from it and is still there" in " ".join(
        own.says("prune", "regions", "--delete", "--yes", code=1)
    )
    told = own.says("prune", "--delete", "--yes")
    assert told[:4] == [
        "Deleted:",
        "forecast shop.main.forecast in duckdb:shop.duckdb",
        "shop/shown view shop.main.shown",
        "shop/regions table shop.main.regions",
    ]
    assert own.tables() == {"events", "logins"}
    assert own.says("prune") == ["Everything that is recorded is defined."]
    assert own.says("runs")[1].endswith("prune forecast shop/regions shop/shown")
    assert_nothing_differs(own)


def test_a_copy_of_the_project_tells_that_the_tables_are_elsewhere(shop: Shop, made: Path) -> None:
    (shop.root / "models/shown.sql").unlink()
    assert any(f"shop/shown shop.main.shown in duckdb:{made}/shop.duckdb" in line for line in shop.says("prune"))


def test_a_table_that_somebody_dropped(shop: Shop) -> None:
    shop.sql("drop table logins")
    assert shop.says("status") == ["6 assets: 5 fresh, 1 external"], "a status asks no tool"
    assert shop.says("observe", "-q")[-1].endswith("1 gone")
    _, cause, below, _ = shop.says("status", "--exit-code", code=4)
    assert cause == "stale shop/logins: its table shop.main.logins is gone"
    assert below == "1 below it is stale; ask bob@example.com"
    shop.makes("--stale").assert_materialized("logins")
    assert "logins" in shop.tables()
    assert_nothing_differs(shop)


# -- the deleter of the project --------------------------------------------------------------------------------------

ATTIC = """
import duckdb
from assetry.plugin import hookimpl

@hookimpl
def assetry_delete(record):
    if record.origin.kind != "python":
        return None
    with duckdb.connect("shop.duckdb") as base:
        base.execute("create schema if not exists attic")
        base.execute(f"create table attic.{record.key.name} as select * from main.{record.key.name}")
        base.execute(f"drop table main.{record.key.name}")
    return f"attic.{record.key.name}, where it was moved to"
"""


def test_the_projects_own_deleter_takes_the_place_of_ours(own: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.root)
    own.write("assetry_plugins.py", ATTIC)
    own.write("assets.py", PYTHON.format(types=["view", "login"]))
    (own.root / "models/shown.sql").unlink()
    told = own.says("prune", "--delete", "--yes")
    assert "forecast attic.forecast, where it was moved to" in told
    assert "shop/shown view shop.main.shown" in told
    assert own.sql("select expected from attic.forecast") == [(2,)]
    assert_nothing_differs(own)


# -- whom to ask -----------------------------------------------------------------------------------------------------


def test_whom_to_ask_is_the_owner_of_the_root(shop: Shop) -> None:
    shop.write("assets.py", PYTHON.format(types=["view", "login", "login"]) + FORECAST)
    shown = shop.says("show", "forecast")
    assert "owners ann@example.com" in shown
    assert "ask team:web" in shown
    told = shop.says("status", "-s", "forecast")
    assert "1 below it is stale; ask team:web" in told
    assert told[-1].startswith("`assetry materialize --stale -s +forecast` brings it up to date, with what it is made")
    (root,) = shop.run("status", "-s", "forecast", "--output", "json").data["roots"]
    assert (root["assets"], root["owners"]) == (["events"], ["team:web"])
    shop.makes("--stale", "-s", "+forecast").assert_only_materialized("events", "logins", "forecast")
    assert shop.says("status", "-s", "forecast") == ["1 asset: 1 fresh"]


def test_whom_to_ask_of_what_failed(shop: Shop) -> None:
    shop.write("models/logins.sql", "select no_such_column as visitor from {{ source('py', 'events') }}\n")
    shop.materialize("--stale").assert_code(1)
    told = shop.says("status")
    assert "1 below it is stale; ask bob@example.com" in told
    assert "ask bob@example.com" in shop.says("show", "forecast")
    assert "ask bob@example.com" in shop.says("show", "logins")


# -- what a push touches ---------------------------------------------------------------------------------------------


def test_what_a_push_touches(shop: Shop) -> None:
    shop.git("init", "-q", "-b", "main")
    shop.git("add", ".")
    shop.git("commit", "-qm", "The shop")
    shop.git("checkout", "-qb", "mine")
    shop.write("readme.md", "A shop, and what it sells.\n")
    shop.git("commit", "-qam", "Say more")
    (told,) = shop.says("diff", "--since", "main", "-q", "--exit-code")
    assert told.endswith("no asset is defined otherwise")

    before = shop.says("impact", "events", "-v")
    assert before[:2] == ["events python asset, owned by team:web", before[1]]
    assert before[1] == "A change of it touches 3 assets: 1 directly, up to 2 steps away"
    assert "shop/exposure/board exposure carla@example.com" in before

    shop.write("assets.py", PYTHON.format(types=["view", "login", "login"]) + FORECAST)
    (shop.root / "models/shown.sql").unlink()
    shop.write("models/totals.sql", "select count(*) as n from {{ ref('regions') }}")
    shop.git("add", ".")
    shop.git("commit", "-qm", "Count")
    told = shop.says("diff", "--since", "main...", "-q", "-v", "--exit-code", code=4)
    assert told[0].endswith(": 1 added, 1 removed, 1 changed; 3 more assets touched")
    assert told[1:4] == [
        "added shop/totals dbt model",
        "removed shop/shown dbt model",
        "changed events its constant TYPES changed",
    ]
    assert "owners ann@example.com 1, bob@example.com 1, carla@example.com 1" in told
    assert "shop/exposure/board exposure carla@example.com" in told
    assert told[-1].startswith("To make: 4 assets; about ")
    found = shop.run("diff", "--since", "main", "--output", "json").assert_ok().data
    assert sorted(found["to_make"]["assets"]) == ["events", "forecast", "shop/logins", "shop/totals"]
    made = shop.makes("--stale")
    made.assert_only_materialized("events", "forecast", "logins", "totals")
    assert shop.says("diff", "-q")[0].startswith("Since what was last materialized: ")
