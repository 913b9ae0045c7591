"""What a run of Meltano costs beyond `meltano run` itself: 2,000 rows into DuckDB, in CPU seconds; and a start-up.

Both are whole processes with their children, interleaved. So the difference holds all that is ours: starting Python,
the plan, Meltano's log, counting the rows, the records of the run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.measure import assetry, child_cpu, row
from tests.meltano.scripted import Bench

ROUNDS = 5
AIM = 0.3


def meltano(folder: Path) -> float:
    """Return the CPU seconds of `meltano run` by itself."""
    program = str(Path(sys.executable).with_name("meltano"))
    path = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    return child_cpu([program, "run", "tap-a", "target-shop"], cwd=folder, env=path)


def materialized(folder: Path) -> float:
    """Return the CPU seconds of `assetry materialize`, Meltano's among them."""
    return child_cpu(assetry("materialize", "--quiet"), cwd=folder)


def main() -> None:
    """Print what 2,000 rows cost."""
    folder = Path(tempfile.mkdtemp(prefix="assetry-bench-"))
    try:
        Bench(folder, {"tap-a": {"streams": {"users": {"rows": 1000}, "orders": {"rows": 1000}}}}, "target-shop")
        rounds = [(meltano(folder), materialized(folder)) for _ in range(ROUNDS + 1)][1:]
        start = min(child_cpu(assetry("list", "--quiet"), cwd=folder) for _ in range(ROUNDS))
    finally:
        shutil.rmtree(folder)
    own = min(own for own, _ in rounds)
    ours = min(both for _, both in rounds) - own
    row("2,000 rows: `meltano run` by itself", f"{own:.2f} s", "")
    row("2,000 rows: all that is ours", f"{ours:.2f} s", f"<= {AIM:g} s", ours <= AIM)
    row("`assetry list` of a Meltano project, from the snapshot", f"{start:.2f} s", "")


if __name__ == "__main__":
    main()
