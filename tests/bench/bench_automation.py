"""What a look of the daemon costs: 10,000 assets that all have a policy, of which nothing, some or all is to be made.

python -m tests.bench.bench_automation
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assetry import Project
from assetry.automation import eager
from assetry.graph.graph import AssetGraph
from assetry.plugin import numbering_of
from assetry.types.records import Materialization
from assetry_automation.decision.demands import demands
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import decide
from assetry_automation.decision.ways import Ways
from assetry_automation.decision.world import World
from assetry_automation.kept import change_memory
from assetry_automation.looking import Look, look, remembered, standing_of

from tests.bench.bench_history import ASSETS, fill, mill
from tests.bench.measure import assetry, best, child_peak, row

#: So many of the assets a run has just made.
TOUCHED = 100


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = mill(Path(folder) / "mill")
        fill(root, 1)
        peak = child_peak(assetry("-C", str(root), "daemon", "--dry-run"))
        row("assetry daemon --dry-run, at most in memory", f"{peak:.0f} MB", "at most 150 MB", peak <= 150)
        with Project.load(root) as project:
            project.__dict__["graph"] = AssetGraph.of(
                [replace(each, automation=eager()) for each in project.graph.assets]
            )
            project.store.changes(())
            known = milliseconds(lambda _: project.store.changes(()))
            row(f"is there anything new, {ASSETS:,} assets", f"{known:.2f} ms", "at most 1 ms", known <= 1)
            seconds = milliseconds(lambda _: looked(project)) / 1000
            row("a look at all, with its records", f"{seconds:.2f} s", "")
            alone = milliseconds(decided(project)) / 1000
            row("  of which the decision", f"{alone:.2f} s", "at most 0.1 s", alone <= 0.1)
            before = remembered(project, datetime.now(UTC), lambda decision: decision.memory)
            again = milliseconds(lambda _: look_again(project, before))
            row("a look that goes on from the last one, nothing made", f"{again:.1f} ms", "")
            made_anew(project, TOUCHED)
            again = milliseconds(lambda each: look_again(project, each), lambda: at_first(project, before))
            row(f"  {TOUCHED} of them made", f"{again:.1f} ms", "at most 5 ms", again <= 5)
            wave = look_again(project, before).decision.wave
            assert wave is not None, "what is made from them is to be made"
            assert before.judged is not None, "it was judged"
            alone = milliseconds(lambda _: project.judge(before=before.judged))
            row(f"  of which judging, {len(wave.wants)} are to be made after it", f"{alone:.1f} ms", "")
            stale(project)
            alone = milliseconds(decided(project)) / 1000
            row("  the decision where all is to be made", f"{alone:.2f} s", "at most 0.1 s", alone <= 0.1)


def looked(project: Project) -> None:
    assert look(project, Memory(), datetime.now(UTC)).wave is None, "nothing is to be made"


def decided(project: Project) -> Callable[[object], object]:
    """Return what decides, with all that is given it."""
    now, standing = datetime.now(UTC), standing_of(project)
    judged = project.judge(now)
    statuses = {each.key: each for each in judged.statuses}
    numbering = numbering_of(project.graph, judged.statuses, now)
    ways, policies = Ways(standing.settings.slack), standing.policies

    def work(_: object) -> object:
        # Made anew each time: it keeps what it has found.
        world = World(now=now, standing=standing, statuses=statuses, numbering=numbering)
        return decide(world, demands(judged.statuses, policies, ways, {}, {}, now), Memory())

    return work


def look_again(project: Project, before: Look) -> Look:
    """Look as the daemon does: what it remembers is read, and kept where it is another one."""
    return remembered(project, datetime.now(UTC), lambda decision: decision.memory, before=before)


def at_first(project: Project, before: Look) -> Look:
    """Return a look of before, after which nothing was remembered but what it did: so the daemon has it."""
    memory = before.decision.memory
    return replace(before, kept=change_memory(project.store, lambda _: memory, before.kept))


def made_anew(project: Project, count: int) -> None:
    """Record that some of the last assets were made by a run, with new content, and that of what they are made from."""
    keys = project.graph.keys[-2 * count : -count]
    made, at, new = project.store.latest(), datetime.now(UTC), set(keys)
    read = {(key, None): replace(made[key, None], data_version="new", at=at) for key in keys}
    inputs = {key: {dep: "new" if dep in new else v for dep, v in made[key, None].inputs.items()} for key in keys}
    project.store.append([], [replace(each, inputs=inputs[key]) for (key, _), each in read.items()])


def stale(project: Project) -> None:
    """Record new content of all that nothing here is made from."""
    keys = [key for i, key in enumerate(project.graph.keys) if not project.graph.upstream[i]]
    made = project.store.latest(keys)
    at = datetime.now(UTC)
    new: list[Materialization] = [replace(each, data_version="new", at=at) for each in made.values()]
    project.store.append([], new)


def milliseconds(work: Callable[[Any], object], given: Callable[[], object] = lambda: None) -> float:
    """Return the CPU milliseconds of a piece of work on what is `given` to it each time, the least of several."""

    def once() -> float:
        on = given()
        began = time.process_time()
        work(on)
        return time.process_time() - began

    return 1000 * best(once, 5)


if __name__ == "__main__":
    main()
