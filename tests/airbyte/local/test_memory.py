"""However many rows a stream has, the memory that they take on their way is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONNECTOR = """
import json, sys
verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
properties = {"id": {"type": "integer"}, "name": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}
if verb == "check":
    print(json.dumps({"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}))
elif verb == "discover":
    streams = [{"name": "big", "json_schema": {"type": "object", "properties": properties}}]
    print(json.dumps({"type": "CATALOG", "catalog": {"streams": streams}}))
else:
    line = '{"type": "RECORD", "record": {"stream": "big", "data": {"id": %d, "name": "name %d", \
"at": "2026-01-31T10:00:00Z"}}}\\n'
    for i in range(json.load(open(options["--config"]))["rows"]):
        sys.stdout.write(line % (i, i))
"""

RUN = """
import resource, sys
from assetry import Integration, Project
rows = int(sys.argv[1])
big = Integration("big", "airbyte", {"command": ["python", "source.py"], "config": {"rows": rows}}, ".")
with Project(integrations=[big], store="sqlite::memory:", io="parquet:data") as project:
    result = project.materialize()
assert result.ok, result.outcomes
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(folder: Path, rows: int, io: str) -> int:
    """Return the peak memory of a run in MiB."""
    code = RUN.replace("parquet:data", io)
    done = subprocess.run(
        [sys.executable, "-c", code, str(rows)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    # On a slow machine DuckDB shows how far it is.
    return int(done.stdout.split()[-1])


def test_a_million_rows_take_no_more_than_a_few(tmp_path: Path) -> None:
    (tmp_path / "source.py").write_text(CONNECTOR)
    few = peak(tmp_path, 50_000, "duckdb:shop.duckdb")
    many = peak(tmp_path, 1_000_000, "duckdb:shop.duckdb")
    # As JSON the million is 130 MiB, as Python objects ten times that; what grows is what DuckDB holds ready to write.
    assert many - few < 250
