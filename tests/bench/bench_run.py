"""What a run costs by itself: a thousand trivial Python assets, records in SQLite on disk."""

from __future__ import annotations

import sys
import tempfile
import time

from assetry import Project, asset

from tests.bench.measure import best, row

COUNT = 1000


def materialize(shape: str, folder: str) -> None:
    """Materialize `COUNT` assets in this process and print the CPU seconds that the run took."""

    def trivial(number: int) -> object:
        deps = [f"a{number - 1}"] if shape == "chain" and number else []

        @asset(key=f"a{number}", deps=deps)
        def made() -> None:
            return None

        return made

    with Project([trivial(number) for number in range(COUNT)], settings=folder) as project:
        _ = project.graph
        plan = project.plan()
        before = time.process_time()
        result = project.run(plan)
        print(time.process_time() - before)
        assert result.ok, result.counts


def measured(shape: str) -> float:
    """Return the CPU seconds of one run in a process of its own."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.bench_run", shape, folder], capture_output=True, text=True, check=True
        )
        return float(done.stdout)


def main() -> None:
    """Print the figures."""
    for shape in ("wide", "chain"):
        seconds = best(lambda shape=shape: measured(shape), 3)  # type: ignore[misc]
        each = seconds / COUNT * 1000
        row(f"{COUNT} trivial Python assets, {shape}", f"{each:.2f} ms an asset", "at most 1 ms", each <= 1)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        materialize(sys.argv[1], sys.argv[2])
    else:
        main()
