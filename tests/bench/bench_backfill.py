"""What it costs that several processes carry out overlapping backfills: wall time against one, with the same slots.

python tests/bench/bench_backfill.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench.measure import environment, row

#: One process with all slots, or each of several with its share of them.
ASSETS, DAYS, PROCESSES, SLOTS = 100, 365, 4, 4
#: How long a partition takes; a machine that does nothing else meanwhile is not what is measured.
SECONDS = 0.002
#: Assets in chains of ten, each made by ranges. What they make is written down, so that it can be counted.
PROJECT = f"""
import os, time
from assetry import AssetContext, DailyPartitionsDefinition, asset

DAYS = DailyPartitionsDefinition("2025-01-01", end_date="2026-01-01")

def made(name, context):
    time.sleep({SECONDS} * len(context.partitions))
    text = "".join(f"{{name}} {{each}}\\n" for each in context.partitions)
    file = os.open("made", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    os.write(file, text.encode())
    os.close(file)

def one(number):
    deps = [f"a{{number - 1:03}}"] if number % 10 else []
    @asset(key=f"a{{number:03}}", deps=deps, partitions_def=DAYS, partitions="range")
    def made_here(context: AssetContext) -> None:
        made(f"a{{number:03}}", context)
    return made_here

ASSETS = [one(number) for number in range({ASSETS})]
"""


def carried_out(processes: int) -> tuple[float, Counter[str]]:
    """Return the wall seconds in which so many processes have made everything, and how often each was made."""
    with tempfile.TemporaryDirectory() as folder:
        slots = SLOTS // processes
        (Path(folder) / "assetry.toml").write_text(f'modules = ["assets"]\nexecutor = "threads:{slots}"\n')
        (Path(folder) / "assets.py").write_text(PROJECT)
        command = [sys.executable, "-m", "assetry", "backfill", "-q", "-s", "*", "-p", "all", "--only", "missing"]
        before = time.monotonic()
        running = [
            subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE) for _ in range(processes)
        ]
        for each in running:
            out, _ = each.communicate()
            if each.returncode:
                raise RuntimeError(f"a backfill ended with {each.returncode}:\n{out.decode()}")
        return time.monotonic() - before, Counter((Path(folder) / "made").read_text().splitlines())


def main() -> None:
    """Print the figures."""
    alone, once = carried_out(1)
    together, made = carried_out(PROCESSES)
    size, ratio = ASSETS * DAYS, together / alone
    row(f"{size:,} partitions, {PROCESSES} processes, {SLOTS} slots", f"{together:.1f} s", f"{alone:.1f} s alone", True)
    row("against one process", f"{ratio:.2f}", "at most 1.3", ratio <= 1.3)
    twice = sum(count - 1 for count in made.values())
    right = len(made) == len(once) == size and not twice and once.total() == size
    row("made twice, or not at all", f"{twice + size - len(made)}", "0", right)


if __name__ == "__main__":
    main()
