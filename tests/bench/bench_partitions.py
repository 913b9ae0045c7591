"""Measure partitions in CPU seconds: whole commands beside an empty project, and judging beside comparing memory.

python tests/bench/bench_partitions.py
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from assetry import Asset, DailyPartitionsDefinition, HourlyPartitionsDefinition, Project
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import Parts
from assetry.partitions.strands import Cell, Strand, version_digest
from assetry.plan.plan import PlanRequest
from assetry.plan.planner import make_plan
from assetry.run.intake import taken
from assetry.run.recorder import Before, Recorder
from assetry.run.tracking.tracker import Tracker
from assetry.status.partitions.recorded import RecordedPartitions, Trace
from assetry.store.partitions import cache as partition_cache
from assetry.store.sqlite import SQLiteStore
from assetry.types.events import Event, Materialized, Started
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization, RunInfo

from tests.bench.measure import best, child_cpu, child_peak, python, row
from tests.judged import statuses

DAYS = DailyPartitionsDefinition("2023-01-01", end_date="2026-01-01")
NOW = datetime(2026, 2, 1, tzinfo=UTC)
#: What is asked for of Dagster's own figures: see the table of the design.
ASSETS, MANY, LONG, RANGE = 100, 10_000, 1_000_000, 1000
ASSETRY = [sys.executable, "-m", "assetry"]

EMPTY = "from assetry import asset\n\n@asset\ndef one() -> int:\n    return 1\n"
DAILY = """
from assetry import DailyPartitionsDefinition, asset

DAYS = DailyPartitionsDefinition("2023-01-01", end_date="2026-01-01")

def daily(i):
    @asset(key=f"a{i}", partitions_def=DAYS, deps=[f"a{j}" for j in {i // 2 - 1, i - 1} if 0 <= j < i])
    def made() -> int:
        return 1
    return made

ALL = [daily(i) for i in range(100)]
"""
#: Without a value, and with one that is kept in a file.
TRIVIAL = """
from assetry import HourlyPartitionsDefinition, asset

@asset(partitions_def=HourlyPartitionsDefinition("2025-01-01", end_date="2026-02-21-16:00", fmt="%Y-%m-%d-%H:%M"))
def one() -> {kind}:
    return {value}
"""


def cpu(work: Callable[[], Any], times: int = 3) -> float:
    """Return the CPU seconds of a call in this process, the least of several."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return best(once, times)


def project(folder: Path, text: str, io: str = "memory:") -> Path:
    """Write a project, and return its folder."""
    folder.mkdir()
    (folder / "assetry.toml").write_text(f'io = "{io}"\n')
    (folder / "assets.py").write_text(text)
    return folder


def fill(folder: Path) -> None:
    """Record every partition of a project's assets as made from what is above it."""
    with Project.load(folder) as loaded:
        loaded.store.begin(RunInfo(id="r", state="running", started=NOW))
        for asset in loaded.graph.assets:
            assert asset.partitions_def is not None
            made = [
                Materialization(
                    key=asset.key, partition=day, at=NOW, run="r", data_version=f"{asset.key}{day}",
                    code_version=asset.code_version, code_parts=asset.code_parts,
                    inputs={dep.key: f"{dep.key}{day}" for dep in asset.deps},
                )
                for day in asset.partitions_def.keys(NOW)
            ]  # fmt: skip
            loaded.store.append([], made)
        loaded.store.finish("r", "succeeded", NOW)


class Made:
    """Records of assets that all have the same days, as they stand in a file."""

    def __init__(self, first: int, days: int, inputs: int) -> None:
        cells = {
            first + n: Cell(version_digest(str(n)), (version_digest(str(n)),) * inputs, 1, version_digest("r"), 1)
            for n in range(days)
        }
        self.body = Strand().changed(cells).to_bytes()

    def partitions(self, asset: Asset) -> RecordedPartitions:
        """Return what is recorded of the partitions of an asset."""
        assert asset.partitions_def is not None
        trace = Trace(asset.code_version, (), None, tuple((dep.key, False) for dep in asset.deps))
        return RecordedPartitions(asset.partitions_def, {"": Strand.from_bytes(self.body)}, (trace,))

    def rows(self, key: AssetKey) -> list[Materialization]:
        """Return no records."""
        return []

    def seen(self, asset: Asset, recorded: RecordedPartitions) -> Mapping[str | None, bool]:
        """Return that nothing was looked at."""
        return {}


def judged(assets: list[Asset], made: Made) -> float:
    """Return what it takes to judge assets all of whose partitions are fresh."""
    graph = AssetGraph.of(assets)

    def judge() -> None:
        found = statuses(graph, {}, {}, now=NOW, recorded=made)
        assert {each.status for each in found} == {"fresh"}

    return cpu(judge)


def commands(folder: Path) -> None:
    """Measure whole commands."""
    empty, daily = project(folder / "empty", EMPTY), project(folder / "daily", DAILY)

    def status(of: Path) -> Callable[[], float]:
        return lambda: child_cpu([*ASSETRY, "status", "--output", "json"], cwd=of)

    floor = best(status(empty), 3)
    row("status of a project with one asset", f"{floor:.2f} s", "")
    missing = cpu(lambda: Project.load(daily).plan(partition="missing"))
    row(f"load and plan {ASSETS} assets x 1,096 missing days", f"{missing:.3f} s", "<= 0.1 s", missing <= 0.1)
    fill(daily)
    found = best(status(daily), 3)
    row(f"status of {ASSETS} assets x 1,096 days", f"{found:.2f} s", "<= 0.3 s, whole process", found <= 0.3)
    row("  beside that of one asset", f"{found / floor:.2f} x", "")
    hours = len(HourlyPartitionsDefinition("2025-01-01", end_date="2026-02-21-16:00").keys(datetime(2027, 1, 1)))
    for kind, value, told, most in (("None", "None", "", 0.5), ("int", "1", "with its value on disk, ", 1.0)):
        trivial = project(folder / f"trivial_{kind}", TRIVIAL.format(kind=kind, value=value))
        run = child_cpu([*ASSETRY, "materialize", "-p", "all", "--quiet"], cwd=trivial) - floor
        run *= 1000 / hours
        row(f"run {hours:,} trivial Python partitions, {told}each", f"{run:.2f} ms", f"<= {most} ms", run <= most)
    with Project.load(daily) as loaded:
        one = [
            Materialization(key=AssetKey("a1"), partition="2025-12-31", at=NOW, run="r", data_version="x"),
        ]
        each = cpu(lambda: [loaded.store.append([], one) for _ in range(200)])
        each *= 1000 / 200
        row(f"record one more of {ASSETS * 1096:,} partitions", f"{each:.3f} ms", "<= 0.2 ms", each <= 0.2)


def keep(folder: Path) -> None:
    """Fill the file beside the records of a project as if it had read them, and all partitions of its assets were made.

    Records of so many would take an hour to write.
    """
    with Project.load(folder) as loaded:
        assets = loaded.graph.assets
        days = DAYS.keys(NOW)
        loaded.store.begin(RunInfo(id="r", state="running", started=NOW))
        loaded.store.append([], [_made(assets[0], days[-1])])
        loaded.store.finish("r", "succeeded", NOW)
        loaded.status()
    (path,) = (folder / ".assetry" / "cache").glob("partitions*.db")
    db = sqlite3.connect(path)
    db.execute("DELETE FROM assets")
    db.execute("DELETE FROM strands")
    recorded: dict[int, RecordedPartitions] = {}
    for asset in assets:
        read = {dep.key: "v" for dep in asset.deps}
        if len(read) not in recorded:
            rows = [_made(asset, day) for day in days]
            recorded[len(read)] = RecordedPartitions.of(DAYS, rows)
        like = recorded[len(read)]
        made = _made(asset, days[-1])
        inputs = tuple((key, False) for key in sorted(read))
        parts = tuple(sorted(asset.code_parts.items()))
        trace = like.traces[0]._replace(code_version=asset.code_version, code_parts=parts, inputs=inputs)
        head = partition_cache._head(replace(like, traces=(trace,), last=made))
        row = (str(asset.key), partition_cache._print(DAYS), json.dumps(head))
        db.execute("INSERT INTO assets VALUES (?,?,?)", row)
        db.execute("INSERT INTO strands VALUES (?,?,?)", (str(asset.key), "", like.strands[""].to_bytes()))
    db.commit()
    db.close()


def _made(asset: Asset, day: str) -> Materialization:
    return Materialization(
        key=asset.key, partition=day, at=NOW, run="r", data_version=day, code_version=asset.code_version,
        code_parts=asset.code_parts, inputs={dep.key: day for dep in asset.deps}, seconds=1.0,
    )  # fmt: skip


def large(folder: Path) -> None:
    """Measure the status of a large project, all of whose partitions are fresh."""
    many = project(folder / "many", DAILY.replace("range(100)", f"range({MANY})"))
    keep(many)
    command = [*ASSETRY, "status", "--exit-code"]  # it fails unless all is fresh
    found = best(lambda: child_cpu(command, cwd=many), 3)
    row(f"status of {MANY:,} assets x 1,096 days", f"{found:.2f} s", "<= 3 s, whole process", found <= 3)
    peak = child_peak(command, cwd=many)
    row("  memory at most", f"{peak:.0f} MB", "<= 300 MB", peak <= 300)
    code = f"from assetry import Project; assert len(Project.load({str(many)!r}).graph) == {MANY}"
    found = best(lambda: child_cpu(python(code)), 3)
    row("  of which Python takes to load the definitions", f"{found:.2f} s", "")
    with Project.load(many) as loaded:
        assert len(loaded.graph) == MANY
        found = cpu(loaded.status)
    row("status of them in a process that has the definitions", f"{found:.2f} s", "<= 1 s", found <= 1)


def told(folder: Path, events: list[Event]) -> float:
    """Return what it takes to take events of a range of partitions, and to record them on the disk."""
    days = Parts.range(DAYS.number("2023-01-01"), DAYS.number("2023-01-01") + RANGE)
    made = Asset(key="a", kind="x", code_version="1", partitions_def=DAYS, deps=["raw"])
    graph = AssetGraph.of([made, Asset(key="raw", kind="x", executable=False)])
    group = InvocationGroup("x", partitions="range")
    plan = make_plan(graph, {made.key: days}, {made.key: group}, PlanRequest(now=NOW))

    def once() -> float:
        store = SQLiteStore(folder / f"{time.monotonic_ns()}.db")
        store.begin(RunInfo(id="r", state="running", started=NOW))
        tracker, recorder = Tracker(plan, graph), Recorder("r", graph, Before(store.latest()))
        launch = tracker.launch(plan.invocations[0].id)
        began = time.process_time()
        for event in events:
            for each in tracker.take(launch.id, taken(event, "x")):
                recorder.note(NOW, each, launch.id)
        recorder.write(store)
        spent = time.process_time() - began
        assert len(store.latest()) == RANGE
        store.close()
        return spent

    return best(once, 5)


def ranges(folder: Path) -> None:
    """Measure a range that is told in one event, beside all of its partitions told one by one."""
    days = DAYS.keys(NOW)[:RANGE]
    facts: dict[str, Any] = {"data_version": "v1", "metadata": {"status": "success", "rows": 3}}
    each = told(
        folder, [kind(day) for day in days for kind in (partial(Started, "a"), partial(Materialized, "a", **facts))]
    )
    where: dict[str, Any] = {"partition": days[0], "through": days[-1]}
    one = told(folder, [Started("a", **where), Materialized("a", **where, **facts)])
    row(f"record {RANGE:,} partitions one by one", f"{1000 * each:.1f} ms", "")
    row("record the same as one range", f"{1000 * one:.1f} ms", "")
    row("  beside one by one", f"{one / each:.2f} x", "<= 0.5 x", one / each <= 0.5)


def main() -> None:
    """Print what partitions cost."""
    with tempfile.TemporaryDirectory() as folder:
        ranges(Path(folder))
        commands(Path(folder))
        large(Path(folder))
    first = DAYS.number("2023-01-01")
    made = Made(first, 1096, 2)
    assets = []
    for i in range(MANY):
        deps = [f"a{j}" for j in {i // 2 - 1, i - 1} if 0 <= j < i]
        assets.append(Asset(key=f"a{i}", kind="x", code_version="1", partitions_def=DAYS, deps=deps))
    found = judged(assets, made)
    row(f"judge {MANY:,} assets x 1,096 days", f"{found:.2f} s", "<= 3 s", found <= 3)
    row("  a partition", f"{1e6 * found / MANY / 1096:.3f} µs", "Dagster: 14,000 µs")
    hours = HourlyPartitionsDefinition("1910-01-01", end_date="2024-01-31-00:00")
    long = Made(hours.number("1910-01-01-00:00"), len(hours.existing(NOW)), 1)
    pair = [Asset(key="a", kind="x", code_version="1", partitions_def=hours)]
    pair.append(Asset(key="b", kind="x", code_version="1", partitions_def=hours, deps=["a"]))
    found = judged(pair, long)
    row(f"judge an asset x {LONG:,} hours, and its input", f"{found:.3f} s", "<= 0.05 s", found <= 0.05)


if __name__ == "__main__":
    main()
