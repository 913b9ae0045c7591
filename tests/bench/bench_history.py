"""What whole commands cost after a long history: a status of 10,000 assets, and 5,000 models of which nothing is stale.

python -m tests.bench.bench_history
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from assetry import Project
from assetry.plan.plan import Plan
from assetry.run.recorder import Before, Recorder
from assetry.run.result import defined
from assetry.run.tracking.tracker import Tracker
from assetry.store.sqlite import SQLiteStore
from assetry.types.events import Checked, Event, Materialized, Started
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo

from tests.bench.bench_cli import PLUGIN, SETTINGS
from tests.bench.bench_manifest import write_manifest
from tests.bench.measure import assetry, best, child_cpu, row

NOW = datetime(2026, 1, 2, tzinfo=UTC)
#: How many runs of all assets there were. Of one asset each is two events, or one in the short history.
SHORT, LONG = 1, 50
MODELS, ASSETS = 5000, 10_000
#: How many runs there were, of how many assets each.
RUNS, EACH = 5000, 100


def told(plan: Plan, starts: bool) -> Iterator[tuple[str, Event]]:
    """Yield what the tools tell of a plan, all of which comes out well, each with its invocation."""
    for planned in plan.invocations:
        for asset in planned.invocation.assets:
            if starts:
                yield planned.invocation.id, Started(asset.key)
            yield planned.invocation.id, Materialized(asset.key, metadata={"rows": 3})
            for check in asset.checks:
                yield planned.invocation.id, Checked(asset.key, check.name, True)


def fill(folder: Path, runs: int) -> int:
    """Record runs of all assets of a project, all of which come out well; return how many events that is."""
    with Project.load(folder) as project:
        store, graph, plan = project.store, project.graph, project.plan()
        definitions = defined(graph, store)
        for number in range(runs):
            run, at = f"20260102-{number:06}-abcdef", NOW + timedelta(hours=number)
            info = RunInfo(id=run, state="running", started=at, assets=graph.keys)
            lease = store.begin(replace(info, definitions=definitions))
            tracker = Tracker(plan, graph)
            recorder = Recorder(run, graph, Before(store.latest()), origin=project.values.origin, lease=lease)
            for planned in plan.invocations:
                tracker.launch(planned.invocation.id)
            for place, (invocation, event) in enumerate(told(plan, runs > SHORT)):
                recorder.note(at + timedelta(milliseconds=place), event, invocation)
            recorder.write(store)
            store.finish(run, "succeeded", at + timedelta(minutes=5), lease=lease)
    return count(folder, "events")


def count(folder: Path, table: str) -> int:
    """Return how many rows a table of a project's records has."""
    db = sqlite3.connect(folder / ".assetry" / "state.db")
    found: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    db.close()
    return found


def cpu(folder: Path, *arguments: str) -> float:
    """Return the CPU seconds of a whole command that ends well, the least of several."""
    return best(lambda: child_cpu(assetry("-C", str(folder), *arguments)), 5)


def mill(folder: Path) -> Path:
    """Write a project of 10,000 assets of three tools and Python, each made from two earlier ones."""
    folder.mkdir()
    (folder / "assetry_plugins.py").write_text(PLUGIN)
    (folder / "assetry.toml").write_text(SETTINGS)
    return folder


def statuses(root: Path) -> None:
    """Measure the status of many assets, after a short history and a long one."""
    found = []
    for name, runs in (("short", SHORT), ("long", LONG)):
        folder = mill(root / name)
        events = fill(folder, runs)
        # It fails unless all is fresh.
        found.append(cpu(folder, "status", "--exit-code"))
        kept = found[-1] <= 1
        row(f"assetry status, {ASSETS:,} assets, {events:,} events", f"{found[-1]:.2f} s", "at most 1 s", kept)
        as_json = cpu(folder, "status", "--output", "json")
        row("  as JSON", f"{as_json:.2f} s", "at most 1 s", as_json <= 1)
    ratio = found[1] / found[0]
    row("the longer history beside the shorter one", f"{ratio:.2f} x", "at most 1.1 x", ratio <= 1.1)


def nothing_to_do(root: Path) -> None:
    """Measure a run of what is stale of a large dbt project, of which nothing is."""
    folder = root / "shop"
    folder.mkdir()
    write_manifest(folder / "manifest.json", MODELS)
    (folder / "assetry.toml").write_text('[integrations.shop]\nkind = "dbt"\nmanifest = "manifest.json"\n')
    fill(folder, 1)
    runs = count(folder, "runs")
    found, listed = cpu(folder, "materialize", "--stale"), cpu(folder, "list")
    row(f"assetry materialize --stale, {MODELS:,} models, none stale", f"{found:.2f} s", "at most 1 s", found <= 1)
    row("  beside assetry list of them, which reads no records", f"{found / listed:.2f} x", "")
    assert count(folder, "runs") == runs, "nothing was run"
    found = cpu(folder, "status", "--exit-code")
    row(f"assetry status, {MODELS:,} models and {3 * MODELS:,} tests", f"{found:.2f} s", "at most 1 s", found <= 1)


def many_runs(root: Path) -> None:
    """Measure what runs and waits after many runs, of which a few are of one backfill."""
    store, keys = SQLiteStore(root / "state.db"), tuple(AssetKey(f"mill/a{n:05}") for n in range(EACH))
    for number in range(RUNS):
        options = {"backfill": "b"} if number % 1000 == 0 else {"select": ["tag:nightly"]}
        info = RunInfo(id=f"r{number:06}", state="running", started=NOW, assets=keys, options=options)
        store.finish(info.id, "succeeded", NOW, lease=store.begin(info))
    for name, work, most in (
        ("all runs", store.runs, None),
        ("runs under way", partial(store.runs, running=True), 1),
        ("runs of a backfill", partial(store.runs, backfill="b"), 20),
    ):
        found = 1000 * least(work)
        aim = "" if most is None else f"at most {most} ms"
        kept = None if most is None else found <= most
        row(f"{name}, after {RUNS:,} of {EACH} assets", f"{found:.2f} ms", aim, kept)
    store.close()


def least(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of a call in this process, the least of several."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return best(once, 5)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        many_runs(Path(folder))
        nothing_to_do(Path(folder))
        statuses(Path(folder))


if __name__ == "__main__":
    main()
