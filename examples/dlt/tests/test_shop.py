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
RESOURCES = ("shop_api/customers", "shop_api/orders", "shop_api/visits")
#: A resource that comes to this line waits until the file is gone.
WAIT = "while Path('wait').exists(): Path('waits').touch(); time.sleep(0.02)"


@pytest.fixture
def shop(project: Callable[[Mapping[str, str]], ProjectFolder]) -> ProjectFolder:
    return project({str(file.relative_to(SHOP)): file.read_text() for file in FILES})


@pytest.fixture
def source(project: Callable[[Mapping[str, str]], ProjectFolder]) -> ProjectFolder:
    """Return the project without what is below dlt."""
    names = ("shop_source.py", ".dlt/config.toml")
    toml = (SHOP / "assetry.toml").read_text().partition("[integrations.transform]")[0].replace('"shop_assets"', "")
    return project({"assetry.toml": toml, **{name: (SHOP / name).read_text() for name in names}})


def test_one_load_feeds_dbt_and_python_with_no_mapping(shop: ProjectFolder) -> None:
    plan = shop.run("plan", "--output", "json").data
    assert (plan["count"], plan["lower_bound"], plan["minimal"]) == (2, 2, True)
    first = plan["invocations"][0]
    assert first["command"].startswith("python -m assetry_dlt.runner load shop_source:shop customers orders visits")
    outcome = shop.materialize().assert_ok().assert_materialized(*RESOURCES, "shop/revenue_by_country", "best_country")
    outcome.assert_checked("shop_api/customers", "source_unique_raw_customers_id")
    made = {each["asset"]: each for each in outcome.events if each["event"] == "materialized"}
    assert made["shop_api/orders"]["metadata"] == {"rows": 40, "tables": ["orders", "orders__lines"]}
    assert ["id", "BIGINT"] in [[each["name"], each["type"]] for each in made["shop_api/customers"]["columns"]]
    assert statuses(shop) == {"fresh": 5}
    best = shop.load().load_value("best_country").to_dict("records")
    assert best == [{"country": "nl", "euros": pytest.approx(54.0)}]


def test_a_second_run_adds_only_what_is_new_and_makes_nothing_stale(source: ProjectFolder) -> None:
    source.materialize().assert_ok()
    source.materialize("-s", "shop_api/customers", "shop_api/visits").assert_ok()
    assert counts(source) == {"customers": 20, "orders": 40, "visits": 60, "loads": 2}
    assert statuses(source) == {"fresh": 3}, "the same rows came out"
    change(source, "assetry.toml", "customers = 20", "customers = 21")
    source.run("status").assert_said("its config changed")
    source.materialize("-s", "kind:dlt").assert_ok()
    assert counts(source) == {"customers": 21, "orders": 42, "visits": 63, "loads": 3}
    source.materialize("-s", "shop_api/visits", "--full-refresh").assert_ok()
    assert counts(source) == {"customers": 21, "orders": 42, "visits": 63, "loads": 4}


def test_one_resource_is_loaded_and_the_others_left_alone(source: ProjectFolder) -> None:
    outcome = source.materialize("-s", "shop_api/orders").assert_ok().assert_only_materialized("shop_api/orders")
    assert outcome.launches == 1
    assert counts(source) == {"orders": 40, "loads": 1}


def test_a_resource_that_fails_fails_the_load_and_nothing_is_loaded(shop: ProjectFolder) -> None:
    change(shop, "shop_source.py", "lines = [", 'raise ValueError("There is no such page.")\n            lines = [')
    outcome = shop.materialize().assert_code(1)
    outcome.assert_failed("shop_api/orders", r"ValueError at shop_source.py:\d+: There is no such page.")
    outcome.assert_skipped("shop_api/customers", because="orders failed, and dlt loads all or none")
    outcome.assert_skipped("shop_api/visits", "shop/revenue_by_country", "best_country")
    assert counts(shop) == {}
    shop.write("shop_source.py", (SHOP / "shop_source.py").read_text())
    shop.retry().assert_ok().assert_materialized(*RESOURCES, "best_country")
    assert counts(shop) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}


def test_a_table_that_cannot_take_the_rows_fails_its_resource(source: ProjectFolder) -> None:
    source.materialize("-s", "kind:dlt").assert_ok()
    change(source, "shop_source.py", '"replace")', '"replace", schema_contract="freeze")')
    change(source, "shop_source.py", '"lines": lines}', '"lines": lines, "new": number}')
    outcome = source.materialize("-s", "kind:dlt").assert_code(1)
    outcome.assert_failed("shop_api/orders", "(?s)Column: `new`.*freeze")
    outcome.assert_skipped("shop_api/customers", "shop_api/visits")
    change(source, "shop_source.py", ', "new": number', "")
    source.retry().assert_ok().assert_materialized(*RESOURCES)
    assert counts(source) == {"customers": 20, "orders": 40, "visits": 60, "loads": 2}


@pytest.mark.parametrize("corrected", ["the table", "the source"])
def test_a_load_that_fails_in_the_middle_says_so_and_is_finished_or_given_up(
    source: ProjectFolder, corrected: str
) -> None:
    source.materialize("-s", "kind:dlt").assert_ok()
    sql(source, "ALTER TABLE raw.visits ALTER customer_id TYPE TINYINT")
    change(source, "assetry.toml", "customers = 20", "customers = 200")
    outcome = source.materialize("-s", "kind:dlt").assert_code(1)
    outcome.assert_failed(
        "shop_api/visits", "(?s)could not load it.*out of range.*next run begins with this load.*Some"
    )
    outcome.assert_skipped("shop_api/customers", "shop_api/orders")
    assert counts(source)["loads"] == 1
    if corrected == "the table":
        sql(source, "ALTER TABLE raw.visits ALTER customer_id TYPE BIGINT")
    else:
        change(source, "shop_source.py", '"customer_id": number % customers}', '"customer_id": number % 100}')
    source.retry().assert_ok().assert_materialized(*RESOURCES)
    assert counts(source) == {"customers": 200, "orders": 400, "visits": 600, "loads": 2}


def test_a_killed_run_is_taken_up_again_where_dlt_is(shop: ProjectFolder) -> None:
    waiting(shop)
    log = shop.root / "log"
    command = [sys.executable, "-m", "assetry", "-C", str(shop.root), "materialize", "--output", "ndjson"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as run:
        assert eventually((shop.root / "waits").exists, 60), log.read_text()
        run.send_signal(signal.SIGKILL)
    handle = next(json.loads(line)["token"] for line in log.read_text().splitlines() if '"handle"' in line)
    begun = json.loads(Path(handle, "out").read_text().splitlines()[0])
    os.kill(begun["process"], 0)  # raises when it has gone with assetry
    (shop.root / "wait").unlink()
    outcome = shop.retry().assert_ok().assert_materialized(*RESOURCES, "best_country")
    assert {event["token"] for event in outcome.events if event["event"] == "handle"} == {handle}
    assert counts(shop) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}
    assert statuses(shop) == {"fresh": 5}


def test_a_load_that_was_left_half_done_is_finished_and_not_repeated(shop: ProjectFolder) -> None:
    waiting(shop)
    with subprocess.Popen([sys.executable, "-m", "assetry", "-C", str(shop.root), "materialize", "-q"]) as run:
        assert eventually((shop.root / "waits").exists, 60)
        opened = "import duckdb, sys; open_ = duckdb.connect('shop.duckdb'); print(flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", opened], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=shop.root
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            (shop.root / "wait").unlink()  # all is extracted, and cannot be loaded: the file is somebody else's
            run.wait()
            other.communicate(b"")
    assert run.returncode == 1
    assert counts(shop) == {}
    change(shop, "assetry.toml", "[integrations.shop_api]", "# A comment.\n[integrations.shop_api]")
    shop.retry().assert_ok().assert_said("Loaded what a run of .* had left: customers orders visits")
    assert counts(shop) == {"customers": 20, "orders": 40, "visits": 60, "loads": 1}


def test_its_resources_are_read_again_only_when_something_has_changed(source: ProjectFolder) -> None:
    source.write("prices.py", "CENTS = 100\n")
    change(source, "shop_source.py", "import dlt\n", "import dlt\n\nfrom prices import CENTS\n")
    change(source, "shop_source.py", "100 * (each", "CENTS * (each")
    source.materialize().assert_ok()
    assert asks_dlt(source) is False
    source.write("prices.py", "CENTS = 100  # for each\n")
    assert asks_dlt(source) is True
    assert statuses(source) == {"fresh": 3}, "a comment changes no logic"
    source.write("prices.py", "CENTS = 101\n")
    assert statuses(source) == {"stale": 3}, "a module that the source imports is a part of it"


def test_a_secret_is_needed_to_run_and_not_to_list(source: ProjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    change(source, "assetry.toml", "customers = 20", 'customers = 20, token = { env = "SHOP_TOKEN" }')
    change(source, "shop_source.py", "customers: int = 10", "customers: int = 10, token: str = dlt.secrets.value")
    change(source, "shop_source.py", "lines = [", 'raise ValueError(f"401 for {token}")\n            lines = [')
    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    source.run("list").assert_ok()
    source.materialize("-s", "shop_api/orders").assert_code(1).assert_failed(
        "shop_api/orders", "secret SHOP_TOKEN is not"
    )
    monkeypatch.setenv("SHOP_TOKEN", "t0p-secret")
    outcome = source.materialize("-s", "shop_api/orders").assert_code(1)
    outcome.assert_failed("shop_api/orders", r"401 for \*\*\*")
    assert "t0p-secret" not in json.dumps(outcome.events)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("shop_source:shop", "shop_source:shap", "shop_source:shap raised AttributeError.*no attribute 'shap'"),
        ("shop_source:shop", "shop_source:COUNTRIES", "is no dlt source, but a tuple"),
        ("customers = 20", "costumers = 20", "(?s)shop_source:shop raised .*costumers"),
        ('dataset = "raw"', 'dataset = "shop"', "cannot tell dataset shop from the file"),
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


def waiting(shop: ProjectFolder) -> None:
    """Let the source wait in its last resource."""
    (shop.root / "wait").touch()
    change(shop, "shop_source.py", "import dlt\n", "import time\nfrom pathlib import Path\n\nimport dlt\n")
    change(shop, "shop_source.py", 'yield {"number"', f'{WAIT}\n            yield {{"number"')


def statuses(shop: ProjectFolder) -> Any:
    return shop.run("status", "--output", "json").data["counts"]


def asks_dlt(shop: ProjectFolder) -> bool:
    """Tell whether loading the definitions runs dlt."""
    return "assetry_load_assets → dlt" in shop.run("list", process=True, env={"ASSETRY_TRACE": "1"}).err


def sql(shop: ProjectFolder, statement: str) -> None:
    """Change the tables behind dlt's back, in a process of its own."""
    script = f"import duckdb; duckdb.connect('shop.duckdb').execute({statement!r})"
    subprocess.run([sys.executable, "-c", script], cwd=shop.root, check=True)


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
