"""Run iterations of the campaign: ``python -m tests.e2e.campaign 1-200`` prints how many, and the violations."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.e2e.campaign.iteration import Iteration
from tests.e2e.campaign.scenarios import Scenario
from tests.e2e.campaign.world import world

#: Worlds side by side.
WORKERS = 2
#: The folder in which what is left of an iteration with violations is kept, where that is asked for.
KEEP = "ASSETRY_CAMPAIGN_KEEP"


def main(seeds: range) -> int:
    """Run iterations, tell of each, and return how many violations there are."""
    told, began = multiprocessing.Queue(), time.monotonic()
    workers = [
        multiprocessing.Process(target=work, args=(seeds[number::WORKERS], told))
        for number in range(min(WORKERS, len(seeds)))
    ]
    for each in workers:
        each.start()
    counts = Counter[str]()
    for _ in seeds:
        scenario, seconds, violations, more = told.get()
        print(f"seed {scenario.seed}: {seconds:.1f} s, {len(violations)} violations", flush=True)
        if violations:
            print(scenario, *violations, sep="\n", flush=True)
        counts.update({"iterations": 1, "violations": len(violations), **more})
    for each in workers:
        each.join()
    print(f"{time.monotonic() - began:.0f} s:", ", ".join(f"{count} {what}" for what, count in counts.items()))
    return counts["violations"]


def work(seeds: range, told: Any) -> None:
    """Run iterations in a world of one's own."""
    with tempfile.TemporaryDirectory(prefix="campaign") as folder, world(Path(folder) / "world") as here:
        for seed in seeds:
            began, iteration = time.monotonic(), Iteration(here, Scenario.drawn(seed))
            try:
                violations = iteration.run()
            except Exception as error:  # a look that could not be had is one, too
                violations = [*iteration.violations, f"breaks: {type(error).__name__}: {error}"]
            told.put((iteration.scenario, time.monotonic() - began, violations, dict(iteration.counts)))
            if violations and KEEP in os.environ:
                shutil.copytree(folder, Path(os.environ[KEEP]) / str(seed), dirs_exist_ok=True)
            for child in iteration.children:
                child.out.unlink(missing_ok=True)
                child.err.unlink(missing_ok=True)


if __name__ == "__main__":
    first, _, last = sys.argv[1].partition("-")
    sys.exit(main(range(int(first), int(last or first) + 1)) > 0)
