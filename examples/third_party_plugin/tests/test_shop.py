"""The example project, run as its user would: what one process makes, what fails, what survives."""

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
FILES = [SHOP / "assetry.toml", SHOP / "shop_assets.py", *(SHOP / "sql").glob("*.sql")]
SCRIPTS = ("raw_orders", "orders", "order_sizes", "revenue_by_country")


@pytest.fixture
def shop(project: Callable[[Mapping[str, str]], ProjectFolder]) -> ProjectFolder:
    return project({str(file.relative_to(SHOP)): file.read_text() for file in FILES})


def test_all_scripts_are_one_process_between_python_and_python(shop: ProjectFolder) -> None:
    assert statuses(shop) == {"never": 6}
    outcome = shop.materialize().assert_ok().assert_materialized(*SCRIPTS, "countries", "best_country")
    outcome.assert_checked("orders", "unique_id").assert_checked("revenue_by_country", "not_negative")
    assert outcome.launches == 1
    assert statuses(shop) == {"fresh": 6}
    assert shop.load().load_value("best_country").to_dict("records") == [{"country": "Germany", "revenue": 1.6}]


def test_a_part_is_made_and_the_rest_left_alone(shop: ProjectFolder) -> None:
    shop.materialize("-s", "+orders").assert_ok().assert_only_materialized("raw_orders", "orders")


def test_a_failure_takes_only_what_is_made_from_it(shop: ProjectFolder) -> None:
    shop.write("sql/order_sizes.sql", "SELECT nonsense FROM orders")
    outcome = shop.materialize().assert_code(1).assert_materialized("orders", "revenue_by_country", "best_country")
    outcome.assert_failed("order_sizes", "(?s)nonsense.*Correct order_sizes.sql")
    shop.write("sql/order_sizes.sql", "SELECT count(*) AS orders FROM orders")
    shop.retry().assert_ok().assert_only_materialized("order_sizes")


def test_a_failed_check_stops_what_is_below(shop: ProjectFolder) -> None:
    text = (SHOP / "sql" / "orders.sql").read_text()
    shop.write("sql/orders.sql", text.replace("FROM raw_orders", "FROM raw_orders, range(2)"))
    outcome = shop.materialize().assert_code(1).assert_checked("orders", "unique_id", passed=False)
    outcome.assert_skipped("order_sizes", "revenue_by_country", "best_country")


def test_only_what_changed_makes_stale(shop: ProjectFolder) -> None:
    shop.materialize().assert_ok()
    file = shop.root / "sql" / "raw_orders.sql"
    file.write_text(f"-- description: As it came in.\n{file.read_text()}")
    assert statuses(shop) == {"fresh": 6}, "a comment changes no logic"
    file.write_text(f"{file.read_text()} WHERE true")
    assert statuses(shop) == {"stale": 5, "fresh": 1}
    shop.materialize("-s", "raw_orders").assert_ok()
    assert statuses(shop) == {"fresh": 6}, "the same rows came out, so nothing below is stale"


def test_a_script_that_cannot_be_found_says_where_it_was_looked_for(shop: ProjectFolder) -> None:
    shop.write("assetry.toml", '[integrations.shop]\nkind = "sqlfolder"\nfolder = "nowhere"\n')
    shop.run("list").assert_code(3).assert_said("nowhere, which is not a folder", 'folder = "…"')
    shop.write("assetry.toml", '[integrations.shop]\nkind = "sqlfolder"\nfodler = "sql"\n')
    shop.run("list").assert_code(3).assert_said("did you mean 'folder'")


def test_a_runner_that_breaks_says_its_last_words(shop: ProjectFolder) -> None:
    (shop.root / "shop.duckdb").write_text("This is not a database.")
    outcome = shop.materialize("-s", "raw_orders").assert_code(1)
    outcome.assert_failed("raw_orders", "(?s)The SQL runner ended with exit code 1.*not a valid DuckDB")


def test_its_query_is_shown_beside_an_asset(shop: ProjectFolder) -> None:
    shop.run("show", "orders").assert_ok().assert_said("WHERE country IS NOT NULL")


def test_a_killed_run_is_taken_up_again_where_its_process_is(shop: ProjectFolder) -> None:
    pipe = shop.root / "pipe"
    os.mkfifo(pipe)
    waits = f"read_csv('{pipe}', header = false, auto_detect = false, columns = {{'go': 'INT'}})"
    shop.write("sql/order_sizes.sql", f"SELECT count(*) AS orders FROM orders, {waits}")
    command = [sys.executable, "-m", "assetry", "-C", str(shop.root), "materialize", "--output", "ndjson"]
    log = shop.root / "log"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as run:
        assert eventually(lambda: '"started"' in told(log, "order_sizes"), 60), log.read_text()
        run.send_signal(signal.SIGKILL)
    handle = json.loads(told(log, '"handle"'))["token"]
    process = json.loads(told(Path(handle, "out"), '"begun"'))["process"]
    os.kill(process, 0)  # raises when it has gone with assetry
    pipe.write_text("1\n")
    (shop.root / "written").write_text("1\n")
    (shop.root / "written").replace(pipe)  # a reader that comes now does not wait
    outcome = shop.retry().assert_ok().assert_materialized("order_sizes", "revenue_by_country", "best_country")
    assert {event["token"] for event in outcome.events if event["event"] == "handle"} == {handle}
    assert len(list(Path(handle).parent.iterdir())) == 1, "no second process was started"
    assert statuses(shop) == {"fresh": 6}


def told(log: Path, what: str) -> str:
    """Return the last line of a log that has something in it."""
    return next((line for line in reversed(log.read_text().splitlines()) if what in line), "")


def statuses(shop: ProjectFolder) -> Any:
    return shop.run("status", "--output", "json").data["counts"]
