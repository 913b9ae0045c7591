"""Measure status in CPU seconds: of a chain of 50,000 assets never made beside planning it, and of twice as many.

python tests/bench/bench_status.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from assetry import Asset, Project
from assetry.graph.graph import AssetGraph
from assetry.plugin import InvocationGroup, hookimpl
from assetry.types.assets import Check, Integration
from assetry.types.events import Checked
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord
from assetry.views.drawing import drawing_of, tree

from tests.bench.measure import best, row
from tests.judged import statuses

SIZE = 50_000
CHECKED = 15_000
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Mill:
    """The plugin of the chain: one invocation makes it all."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
        """Return nothing; the chain is given as it is."""
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_invocation_group(self) -> InvocationGroup:
        """Return the one group."""
        return InvocationGroup("mill")


def chain(size: int, checks: bool = False) -> list[Asset]:
    """Return a chain of assets that an integration makes."""
    tool = Integration("mill", "mill")
    each = [Check("ok", "warn")] if checks else []
    return [
        Asset(key=f"a{i}", kind="mill", deps=[f"a{i - 1}"] if i else [], integration=tool, checks=each)
        for i in range(size)
    ]


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of a call in this process, the least of several."""

    def once() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return best(once, 3)


def judging(size: int) -> float:
    """Return what judging a chain takes of which nothing was ever made."""
    graph = AssetGraph.of(chain(size))
    return cpu(lambda: statuses(graph, {}, {}, now=NOW))


def outcomes(size: int) -> float:
    """Return what reading the last outcomes of the checks of all assets takes."""
    project = Project(assets=chain(size, checks=True), store="sqlite::memory:")
    keys = [AssetKey(f"a{i}") for i in range(size)]
    records = [
        EventRecord(run="r", at=NOW, invocation=None, event=Checked(key, "ok", False, "warn", "odd")) for key in keys
    ]
    project.store.append(records)
    assert len(project.latest_checks(keys)) == size
    return cpu(lambda: project.latest_checks(keys))


def main() -> None:
    """Measure, and print."""
    once, twice = judging(SIZE), judging(2 * SIZE)
    project = Project(assets=chain(SIZE), plugins=[Mill()], store="sqlite::memory:")
    status, plan = cpu(project.status), cpu(project.plan)
    row(
        "status of a chain of 50,000 never made",
        f"{status:.2f} s, {status / plan:.2f} of the plan",
        "≤ 1",
        status <= plan,
    )
    row("judging 100,000 beside 50,000", f"{twice / once:.2f}", "≤ 2.5", twice <= 2.5 * once)
    once, twice = outcomes(CHECKED), outcomes(2 * CHECKED)
    row("outcomes of 15,000 checks", f"{once:.2f} s; of 30,000 {twice / once:.2f} of it", "≤ 2.5", twice <= 2.5 * once)
    drawn = [cpu(lambda size=size: tree(drawing_of(AssetGraph.of(chain(size))))) for size in (SIZE // 2, SIZE)]
    row("tree of a chain of 50,000 beside 25,000", f"{drawn[1] / drawn[0]:.2f}", "≤ 2.5", drawn[1] <= 2.5 * drawn[0])


if __name__ == "__main__":
    main()
