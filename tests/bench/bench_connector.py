"""What loading costs beyond the connector itself: a local Airbyte connector into DuckDB, in records per CPU second.

The connector runs once alone, into nowhere, and once under assetry; both are whole processes with their children. So
the difference holds all that is ours: starting Python, the plan, the protocol, Arrow, DuckDB, the records of the run.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.measure import child_cpu, row

ROWS = 1_000_000
ROUNDS = 3
#: Records for each CPU second of ours.
AIM = 200_000

CONNECTOR = r"""
import json, sys
verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
text, moment = {"type": "string"}, {"type": "string", "format": "date-time"}
properties = {"id": {"type": "integer"}, "customer": text, "amount": {"type": "number"}, "paid": {"type": "boolean"},
              "created_at": moment, "country": text}
if verb == "check":
    print(json.dumps({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}))
elif verb == "discover":
    streams = [{"name": "orders", "json_schema": {"type": "object", "properties": properties}}]
    print(json.dumps({"type": "CATALOG", "catalog": {"streams": streams}}))
else:
    line = (
        '{"type": "RECORD", "record": {"stream": "orders", "emitted_at": 1767225600000, "data": {"id": %d, "customer": '
        '"customer %d", "amount": %d.5, "paid": true, "created_at": "2026-01-01T00:00:00Z", "country": "NO"}}}\n'
    )
    for i in range(json.load(open(options["--config"]))["rows"]):
        sys.stdout.write(line % (i, i % 1000, i % 500))
"""

RUN = """
from assetry import Integration, Project
shop = Integration("shop", "airbyte", {"command": ["python", "source.py"], "config": {"rows": ROWS}}, ".")
with Project(integrations=[shop], store="sqlite::memory:", io="duckdb:shop.duckdb") as project:
    assert project.materialize().ok
"""


def alone(folder: Path) -> float:
    """Return the CPU seconds of the connector by itself."""
    (folder / "config.json").write_text(json.dumps({"rows": ROWS}))
    quiet = "import subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)"
    return child_cpu(
        [sys.executable, "-c", quiet, sys.executable, "source.py", "read", "--config", "config.json"], cwd=folder
    )


def loaded(folder: Path) -> float:
    """Return the CPU seconds of a run that loads what the connector says into DuckDB."""
    return child_cpu([sys.executable, "-c", RUN.replace("ROWS", str(ROWS))], cwd=folder)


def main() -> None:
    """Print what a million records cost."""
    folder = Path(tempfile.mkdtemp(prefix="assetry-bench-"))
    try:
        (folder / "source.py").write_text(CONNECTOR)
        # The first run asks the connector what it offers; interleaved, because a machine is not equally busy all along.
        rounds = [(alone(folder), loaded(folder)) for _ in range(ROUNDS + 1)][1:]
    finally:
        shutil.rmtree(folder)
    own = min(own for own, _ in rounds)
    ours = min(both for _, both in rounds) - own
    row("a million records: the connector by itself", f"{own:.2f} s", "")
    row("a million records: all that is ours", f"{ours:.2f} s", "")
    row("records for each CPU second of ours", f"{ROWS / ours:,.0f}", f">= {AIM:,}", ROWS / ours >= AIM)


if __name__ == "__main__":
    main()
