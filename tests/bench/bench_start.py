"""How soon a Python asset starts after the dbt model it reads: from the model's last check to the asset's start."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from assetry import Project
from assetry.types.events import Checked, InvocationFinished, Started
from assetry.types.records import EventRecord

from tests.bench.measure import row

MODELS = {
    "a": "select 1 as id",
    "slow": "select count(*) as n from range(4000) x, range(4000) y, range(9) z where x.range + y.range > z.range",
}
PYTHON = """
import pandas as pd
from assetry import asset

@asset
def p(a: pd.DataFrame) -> pd.DataFrame:
    return a
"""


def write_project(root: Path) -> None:
    """Write a project with an early model, a slow one, and a Python asset below the early one."""
    (root / "models").mkdir()
    (root / "dbt_project.yml").write_text("name: shop\nprofile: shop\nmodels:\n  +materialized: table\n")
    (root / "profiles.yml").write_text(
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 2}}}\n"
    )
    for name, sql in MODELS.items():
        (root / "models" / f"{name}.sql").write_text(sql)
    (root / "models" / "tests.yml").write_text(
        "models:\n  - name: a\n    columns:\n      - name: id\n        data_tests: [not_null]\n"
    )
    (root / "assets.py").write_text(PYTHON)


def main() -> None:
    """Print the figures."""
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder))
        waits = []
        for _ in range(3):
            records: list[EventRecord] = []
            with Project.load(folder) as project:
                assert project.materialize(on_event=records.append).ok
            ready = next(each.at for each in records if isinstance(each.event, Checked))
            started = next(each.at for each in records if isinstance(each.event, Started) and each.event.key == "p")
            ended = next(each.at for each in reversed(records) if isinstance(each.event, InvocationFinished))
            assert started < ended, "dbt had ended before"
            waits.append((started - ready).total_seconds())
    least = min(waits)
    row(
        "Python starts after its model's last check, dbt still running", f"{least * 1000:.0f} ms", "100 ms", least < 0.1
    )


if __name__ == "__main__":
    main()
