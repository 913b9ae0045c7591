"""A local connector's data through assetry and through PyAirbyte: the same rows, types that tell more, less CPU.

    uv venv faker && uv pip install --python faker/bin/python airbyte-source-faker==7.2.1
    uv venv pyairbyte && uv pip install --python pyairbyte/bin/python airbyte==0.71.3
    python -m tests.bench.pyairbyte faker/bin/source-faker pyairbyte/bin/python

The connector is run once, and what it said is played back to both, so that both load the very same records and pay for
nothing but loading them. It stands beside `make bench`, because these two want half a gigabyte and other dependencies.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from tests.bench.measure import child_cpu, row

AIM = 5
ROUNDS = 3
#: Types that PyAirbyte gives a column, and ours where it is another one; it drops the zone, and rounds to nine places.
OTHER_TYPES = {
    "DECIMAL(38,9)": "DOUBLE",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
    "JSON": "VARCHAR",
}
#: How a column of a type of ours is written to be compared with PyAirbyte's.
AS_THEIRS = {
    "DOUBLE": "CAST({} AS DECIMAL(38, 9))",
    "TIMESTAMP WITH TIME ZONE": "{} AT TIME ZONE 'UTC'",
}

PLAYER = """#!/bin/sh
here=$(dirname "$0")
case "$1" in
  spec) echo '{"type": "SPEC", "spec": {"connectionSpecification": {"type": "object", "properties": {}}}}' ;;
  check) echo '{"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}' ;;
  discover) cat "$here/catalog.jsonl" ;;
  read) exec cat "$here/records.jsonl" ;;
esac
"""
THEIRS = """
import sys
import airbyte
source = airbyte.get_source("source-faker", config={}, local_executable=sys.argv[1] + "/source-player", streams="*")
source.check()
source.read(cache=airbyte.caches.DuckDBCache(db_path="theirs.duckdb", schema_name="raw"))
"""
OURS = """
from assetry import Integration, Project
faker = Integration("faker", "airbyte", {"command": "source-player", "schema": "raw"}, ".")
with Project(integrations=[faker], store="sqlite::memory:", io="duckdb:ours.duckdb") as project:
    assert project.materialize().ok
"""


def record(connector: str, folder: Path, count: int) -> int:
    """Run the connector once, write down what it says, and return the number of its records."""
    config = folder / "config.json"
    config.write_text(json.dumps({"count": count, "seed": 7, "parallelism": 1}))
    found = subprocess.run([connector, "discover", "--config", str(config)], capture_output=True, text=True, check=True)
    line = next(each for each in found.stdout.splitlines() if '"CATALOG"' in each)
    (folder / "catalog.jsonl").write_text(line + "\n")
    catalog = folder / "configured.json"
    streams = [
        {"stream": each, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        for each in json.loads(line)["catalog"]["streams"]
    ]
    catalog.write_text(json.dumps({"streams": streams}))
    with (folder / "records.jsonl").open("wb") as file:
        subprocess.run([connector, "read", "--config", config, "--catalog", catalog], stdout=file, check=True)
    player = folder / "source-player"
    player.write_text(PLAYER)
    player.chmod(0o755)
    with (folder / "records.jsonl").open("rb") as file:
        return sum(b'"RECORD"' in each for each in file)


def load(command: list[str], folder: Path, database: str) -> float:
    """Load all that the connector said into a new database; return the CPU seconds."""
    (folder / database).unlink(missing_ok=True)
    (folder / ".assetry/airbyte/faker/state.json").unlink(missing_ok=True)
    offline = {"AIRBYTE_OFFLINE_MODE": "1", "DO_NOT_TRACK": "1"}
    return child_cpu([*command, str(folder)], cwd=folder, env=offline)


def compare(folder: Path) -> tuple[list[str], int]:
    """Return in what the two databases differ beyond what is known of types, and how many rows are the same in both."""
    differences, same = [], 0
    with duckdb.connect() as base:
        for name in ("theirs", "ours"):
            base.execute(f"ATTACH '{folder}/{name}.duckdb' AS {name} (READ_ONLY)")
        tables = base.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'ours' AND schema_name = 'raw' ORDER BY 1"
        ).fetchall()
        for (table,) in tables:
            theirs, ours = _columns(base, "theirs", table), _columns(base, "ours", table)
            for column in sorted({*theirs, *ours}):
                pair = theirs.get(column), ours.get(column)
                if pair[0] != pair[1] and OTHER_TYPES.get(str(pair[0])) != pair[1]:
                    differences.append(f"{table}.{column}: {pair[0]} there, {pair[1]} here")
            read = ", ".join(f"CAST({each} AS VARCHAR)" if theirs[each] == "JSON" else each for each in ours)
            mine = ", ".join(AS_THEIRS.get(kind, "{}").format(each) for each, kind in ours.items())
            their_rows, our_rows = f"SELECT {read} FROM theirs.raw.{table}", f"SELECT {mine} FROM ours.raw.{table}"
            for one, other, where in ((their_rows, our_rows, "there"), (our_rows, their_rows, "here")):
                only = base.execute(f"SELECT count(*) FROM (({one}) EXCEPT ALL ({other}))").fetchall()[0][0]
                if only:
                    differences.append(f"{table}: {only} rows are only {where}")
            same += base.execute(f"SELECT count(*) FROM (({their_rows}) INTERSECT ALL ({our_rows}))").fetchall()[0][0]
    return differences, same


def _columns(base: Any, database: str, table: str) -> dict[str, str]:
    """Return the columns of a table that are the source's own, with their types."""
    found = base.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = ? AND schema_name = 'raw' "
        "AND table_name = ? AND column_name NOT LIKE '\\_airbyte%' ESCAPE '\\' ORDER BY column_index",
        [database, table],
    ).fetchall()
    return dict(found)


def main() -> int:
    """Load the same records with both; print what differs and what they cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("connector", type=lambda path: str(Path(path).absolute()), help="the source-faker executable")
    parser.add_argument("python", type=lambda path: str(Path(path).absolute()), help="a Python that has PyAirbyte")
    parser.add_argument("--count", type=int, default=50_000, help="of users, and of purchases")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="assetry-bench-") as name:
        folder = Path(name)
        records = record(asked.connector, folder, asked.count)
        theirs, ours = [asked.python, "-c", THEIRS], [sys.executable, "-c", OURS]
        # Interleaved, because a machine is not equally busy all along; the first round only warms up.
        rounds = [
            (load(theirs, folder, "theirs.duckdb"), load(ours, folder, "ours.duckdb")) for _ in range(ROUNDS + 1)
        ][1:]
        differences, same = compare(folder)
    for difference in differences:
        row(difference, "", "", False)
    row("rows that are the same in both", f"{same:,} of {records:,}", "all", same == records and not differences)
    rates = [records / min(each) for each in zip(*rounds, strict=True)]
    for name, rate in zip(("PyAirbyte", "assetry"), rates, strict=True):
        row(f"{name}: records for each CPU second, whole process", f"{rate:,.0f}", "")
    ratio = rates[1] / rates[0]
    row("assetry over PyAirbyte", f"{ratio:.1f} x", f">= {AIM} x", ratio >= AIM)
    return 0 if same == records and not differences and ratio >= AIM else 1


if __name__ == "__main__":
    sys.exit(main())
