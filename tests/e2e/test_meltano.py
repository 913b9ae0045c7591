"""The whole road in one folder: meltano.yml, DuckDB, a dbt source, a dbt model and a pandas function."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.meltano.scripted import copy_example

pytestmark = pytest.mark.slow


def test_the_example_from_nothing_to_pandas_and_on_to_the_next_day(tmp_path: Path) -> None:
    shop = copy_example(tmp_path / "shop")
    plan = json.loads(shop.run("--output", "json", "plan").assert_ok().out)
    assert (plan["count"], plan["lower_bound"]) == (2, 2)
    assert [each["kind"] for each in plan["invocations"]] == ["meltano", "dbt", "python"]
    first = shop.materialize(process=True).assert_ok()
    first.assert_only_materialized("customers", "orders", "revenue", "best_countries")
    assert first.launches == 2
    orders = "select count(*), sum(amount) from raw.orders"
    assert ask(shop.root, orders) == ask(shop.root, "select sum(orders), sum(revenue) from analytics.revenue")
    assert ask(shop.root, orders)[0] == 42 * 48
    shop.run("show", "meltano/tap-shop/orders").assert_ok().assert_said("shop.raw.orders")
    shop.materialize("--stale", process=True).assert_ok()
    # The next day: the extractor goes on where it ended, and what is made from it follows.
    yml = shop.root / "meltano.yml"
    yml.write_text(yml.read_text().replace("days: 42", "days: 43"))
    after = shop.materialize("--stale", process=True).assert_ok()
    after.assert_only_materialized("customers", "orders", "revenue", "best_countries")
    facts = after.ends["meltano/tap-shop/orders"]["metadata"]
    assert (facts["rows_extracted"], facts["rows"]) == (48, 43 * 48)


def ask(root: Path, query: str) -> tuple[float, ...]:
    with duckdb.connect(str(root / "shop.duckdb"), read_only=True) as connection:
        found = connection.execute(query).fetchone()
    assert found is not None
    return tuple(map(float, found))
