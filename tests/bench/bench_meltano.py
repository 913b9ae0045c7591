"""What a run of Meltano costs beyond Meltano itself: 2,000 rows into DuckDB, in CPU seconds; and a start-up.

What Meltano takes with its plugins is measured within the very run whose whole is measured: the difference of two
runs of several seconds each would say more of the machine. So what is left holds all that is ours: starting Python, the
plan, Meltano's log, counting the rows, the records of the run.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench.measure import assetry, child_cpu, row
from tests.meltano.scripted import Bench

ROUNDS = 5
AIM = 0.3
PROJECT = '[integrations.elt]\nkind = "meltano"\nmeltano_executable = "./timed"\n'
#: Calls Meltano, and writes which CPU times that took: user and system, in minutes and seconds.
TIMED = """\
#!/bin/bash
PATH="{folder}:$PATH" "{folder}/meltano" "$@"
ended=$?
times > "$(dirname "$0")/times"
exit $ended
"""


def prepare(folder: Path) -> None:
    """Write a project whose Meltano is measured."""
    Bench(folder, {"tap-a": {"streams": {"users": {"rows": 1000}, "orders": {"rows": 1000}}}}, "target-shop")
    (folder / "assetry.toml").write_text(PROJECT, encoding="utf-8")
    timed = folder / "timed"
    timed.write_text(TIMED.format(folder=Path(sys.executable).parent), encoding="utf-8")
    timed.chmod(0o755)


def materialized(folder: Path) -> tuple[float, float]:
    """Return the CPU seconds of Meltano in an `assetry materialize`, and of all else."""
    both = child_cpu(assetry("materialize", "--quiet"), cwd=folder)
    children = (folder / "times").read_text(encoding="utf-8").splitlines()[-1]
    own = sum(60 * int(minutes) + float(seconds) for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", children))
    return own, both - own


def main() -> None:
    """Print what 2,000 rows cost."""
    folder = Path(tempfile.mkdtemp(prefix="assetry-bench-"))
    try:
        prepare(folder)
        rounds = [materialized(folder) for _ in range(ROUNDS + 1)][1:]
        start = min(child_cpu(assetry("list", "--quiet"), cwd=folder) for _ in range(ROUNDS))
    finally:
        shutil.rmtree(folder)
    own, ours = (min(each) for each in zip(*rounds, strict=True))
    row("2,000 rows: Meltano and its plugins in `assetry materialize`", f"{own:.2f} s", "")
    row("2,000 rows: all that is ours", f"{ours:.2f} s", f"<= {AIM:g} s", ours <= AIM)
    row("`assetry list` of a Meltano project, from the snapshot", f"{start:.2f} s", "")


if __name__ == "__main__":
    main()
