"""The example project, run as its user would: what one load makes, what fails, what survives a kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from assetry.testing import ProjectFolder, eventually

SHOP = Path(__file__).parents[1] / "shop"
WORK = (".assetry", "target", "logs", "__pycache__")
FILES = [
    each for each in SHOP.rglob("*") if each.is_file() and each.suffix != ".duckdb" and not {*WORK} & {*each.parts}
]
SOURCE = "ingest/shop_source.py"
RESOURCES = ("raw/customers", "raw/orders", "raw/visits")
#: A resource that comes to this line says which process it is in, and waits until the file is gone.
WAIT = "while Path('wait').exists(): Path('waits').write_text(str(os.getpid())); time.sleep(0.02)"


@pytest.fixture
def shop(project: Callable[[Mapping[str, str]], ProjectFolder]) -> ProjectFolder:
    return project({str(file.relative_to(SHOP)): file.read_text() for file in FILES})


@pytest.fixture
def source(project: Callable[[Mapping[str, str]], ProjectFolder]) -> ProjectFolder:
    """Return the project without what is below dlt."""
    names = (SOURCE, "ingest/.dlt/config.toml")
    toml = (SHOP / "assetry.toml").read_text().partition("[integrations.transform]")[0].replace('"shop_assets"', "")
    return project({"assetry.toml": toml, **{name: (SHOP / name).read_text() for name in names}})


def test_one_load_feeds_dbt_and_python_with_no_mapping(shop: ProjectFolder) -> None:
    plan = shop.run("plan", "--output", "json").data
    assert (plan["count"], plan["lower_bound"], plan["minimal"]) == (2, 2, True)
    outcome = shop.materialize().assert_ok().assert_materialized(*RESOURCES, "shop/revenue_by_country", "best_country")
    outcome.assert_checked("raw/customers", "source_unique_raw_customers_id")
    assert outcome.ends["raw/orders"]["metadata"] == {"rows": 40}
    assert statuses(shop) == {"fresh": 5}
    best = shop.load().load_value("best_country").to_dict("records")
    assert best == [{"country": "nl", "euros": pytest.approx(54.0)}]


def test_a_part_is_loaded_and_then_only_what_is_new_or_all_anew(source: ProjectFolder) -> None:
    source.materialize("-s", "raw/visits").assert_ok().assert_only_materialized("raw/visits")
    change(source, "assetry.toml", "customers = 20", "customers = 21")
    outcome = source.materialize().assert_ok().assert_materialized(*RESOURCES)
    assert (outcome.launches, outcome.ends["raw/visits"]["metadata"]["rows"]) == (1, 3)
    assert counts(source) == {"customers": 21, "orders": 42, "visits": 63, "loads": 2}
    change(source, "assetry.toml", "customers = 21", "customers = 7")
    source.materialize("-s", "raw/visits", "--full-refresh").assert_ok()
    assert counts(source) == {"customers": 21, "orders": 42, "visits": 21, "loads": 3}


def test_a_resource_that_fails_fails_the_load_and_nothing_is_loaded(
    source: ProjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a secret that is needed to run and not to list, and that nothing shows."""
    change(source, "assetry.toml", "customers = 20", 'customers = 20, token = { env = "SHOP_TOKEN" }')
    change(source, SOURCE, "customers: int = 10", "customers: int = 10, token: str = dlt.secrets.value")
    change(source, SOURCE, "lines = [", 'raise ValueError(f"401 for {token}")\n            lines = [')
    monkeypatch.setenv("SHOP_TOKEN", "t0p-secret")
    outcome = source.materialize().assert_code(1).assert_failed("raw/orders", r"401 for \*\*\*")
    outcome.assert_skipped("raw/customers", "raw/visits", because="orders failed, and dlt loads all or none")
    assert "t0p-secret" not in json.dumps(outcome.events)
    assert counts(source) == {}
    change(source, SOURCE, 'raise ValueError(f"401 for {token}")\n            lines = [', "lines = [")
    source.retry().assert_ok().assert_materialized(*RESOURCES)
    assert counts(source) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}


def test_a_killed_run_is_taken_up_again_where_dlt_is(source: ProjectFolder) -> None:
    change(source, SOURCE, "import dlt\n", "import os\nimport time\nfrom pathlib import Path\n\nimport dlt\n")
    change(source, SOURCE, 'yield {"number"', f'{WAIT}\n            yield {{"number"')
    waits = source.write("ingest/wait", "").with_name("waits")
    log = source.root / "log"
    command = [sys.executable, "-m", "assetry", "-C", str(source.root), "materialize", "--output", "ndjson"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as run:
        assert eventually(lambda: waits.exists() and waits.read_text(), 60), log.read_text()
        run.send_signal(signal.SIGKILL)
    os.kill(int(waits.read_text()), 0)  # raises when it has gone with assetry
    (source.root / "ingest" / "wait").unlink()
    source.retry().assert_ok().assert_materialized(*RESOURCES)
    assert counts(source) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}
    assert statuses(source) == {"fresh": 3}


def test_what_a_killed_dlt_had_extracted_is_loaded_once(source: ProjectFolder) -> None:
    change(source, SOURCE, "import dlt\n", "import os\nimport signal\n\nimport dlt\nfrom dlt.load.load import Load\n")
    died = "Load.start_new_jobs = lambda *_: os.kill(os.getpid(), signal.SIGKILL)"
    source.write(SOURCE, f"{(source.root / SOURCE).read_text()}\n{died}\n")
    source.materialize().assert_code(1)
    change(source, SOURCE, died, "")
    source.retry().assert_ok().assert_materialized(*RESOURCES)
    assert counts(source) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}


def test_its_resources_are_read_again_only_when_something_has_changed(source: ProjectFolder) -> None:
    source.write("ingest/prices.py", "CENTS = 100\n")
    change(source, SOURCE, "import dlt\n", "import dlt\nfrom prices import CENTS\n")
    change(source, SOURCE, "100 * (each", "CENTS * (each")
    source.materialize().assert_ok()
    assert asks_dlt(source) is False
    source.write("ingest/prices.py", "CENTS = 100  # for each\n")
    assert asks_dlt(source) is True
    assert statuses(source) == {"fresh": 3}, "a comment changes no logic"
    source.write("ingest/prices.py", "CENTS = 101\n")
    assert statuses(source) == {"stale": 3}, "a module that the source imports is a part of it"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("customers = 20", "costumers = 20", "(?s)dlt ended with exit code 1: TypeError: .*costumers"),
        ("source =", "sauce =", "did you mean 'source'"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_a_line(source: ProjectFolder, old: str, new: str, said: str) -> None:
    change(source, "assetry.toml", old, new)
    source.run("list").assert_code(3).assert_said(said)


def change(shop: ProjectFolder, file: str, old: str, new: str) -> None:
    text = (shop.root / file).read_text()
    assert old in text
    shop.write(file, text.replace(old, new))


def statuses(shop: ProjectFolder) -> Any:
    return shop.run("status", "--output", "json").data["counts"]


def asks_dlt(shop: ProjectFolder) -> bool:
    """Tell whether loading the definitions runs dlt."""
    return "assetry_load_assets → dlt" in shop.run("list", process=True, env={"ASSETRY_TRACE": "1"}).err


COUNTS = """
import duckdb, json

def one(query):
    return db.execute(query).fetchall()[0][0]

tables = ("customers", "orders", "visits")
with duckdb.connect("shop.duckdb") as db:
    there = db.execute("FROM duckdb_tables() SELECT table_name WHERE schema_name = 'raw'").fetchall()
    found = {name: one(f"SELECT count(*) FROM raw.{name}") for name in tables if (name,) in there}
    loads = {"loads": one("SELECT count(*) FROM raw._dlt_loads WHERE status = 0")} if found else {}
print(json.dumps({**found, **loads}))
"""


def counts(shop: ProjectFolder) -> dict[str, int]:
    """Return how many rows the tables have, and how often dlt has loaded, asked in a process of its own."""
    command = [sys.executable, "-c", COUNTS]
    done = subprocess.run(command, cwd=shop.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
