"""The work of judging grows as the graph does, whatever its shape: counted in calls, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from assetry import Asset, Project
from assetry.graph.graph import AssetGraph
from assetry.status.comparison import MOST_ROOTS
from assetry.status.staleness import Status
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Materialization

from tests.judged import statuses

NOW = datetime(2026, 1, 2, tzinfo=UTC)
THEN = datetime(2026, 1, 1, tzinfo=UTC)

Shape = Callable[[int, int], list[int]]
SHAPES: dict[str, Shape] = {
    "chain": lambda i, size: [i - 1] if i else [],
    "star": lambda i, size: [0] if i else [],
    "fan": lambda i, size: list(range(size - 1)) if i == size - 1 else [],
    "ladder": lambda i, size: [j for j in (i - 1, i - 2) if j >= 0],
    "layers": lambda i, size: [i // 10 * 10 - j for j in range(1, 11)] if i >= 10 else [],
}


def assets(shape: str, size: int, views: bool = False) -> Iterable[Asset]:
    deps = SHAPES[shape]
    for i in range(size):
        above = [f"a{j}" for j in deps(i, size)]
        yield Asset(key=f"a{i}", kind="x", deps=above, code_version="2", computed_on_read=views and i > 0)


def judged(graph: AssetGraph, how: str) -> tuple[Status, ...]:
    latest: dict[tuple[AssetKey, str | None], Materialization] = {}
    attempts: dict[tuple[AssetKey, str | None], Attempt] = {}
    for asset in graph.assets:
        if how in ("fresh", "changed"):
            latest[asset.key, None] = Materialization(
                key=asset.key,
                at=THEN,
                run="r",
                data_version="1",
                code_version="1" if how == "changed" else "2",
                inputs={dep.key: "1" for dep in asset.deps},
            )
        elif how == "failed":
            attempts[asset.key, None] = Attempt(key=asset.key, at=THEN, run="r", outcome="failed", message="no")
    return statuses(graph, latest, attempts, now=NOW)


def calls_of(work: Callable[[], Any]) -> int:
    """Return how many functions, those of C as well, a piece of work calls."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("views", [False, True], ids=["tables", "views"])
@pytest.mark.parametrize("how", ["never", "fresh", "changed", "failed"])
@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_assets_are_twice_the_work(shape: str, how: str, views: bool) -> None:
    counts = []
    for size in (200, 400):
        graph = AssetGraph.of(assets(shape, size, views))
        found = judged(graph, how)
        assert len(found) == size
        # No asset names more than some of what is above it.
        assert max(len(each.reasons) for each in found) <= MOST_ROOTS + 1
        counts.append(calls_of(lambda graph=graph: judged(graph, how)))
    assert counts[1] <= 2.2 * counts[0]


def test_a_chain_far_longer_than_the_stack_is_judged_selected_and_planned() -> None:
    size = 20_000
    project = Project(assets=list(assets("chain", size)))
    last, middle = f"a{size - 1}", f"a{size // 2}"
    found = project.status()
    assert {each.status for each in found} == {"never"}
    assert all([reason.code for reason in each.reasons] == ["never_materialized"] for each in found)
    for text, count in ((f"+{last}", size), ("a0+", size), (f"@{middle}", size), (f"{middle}+", size // 2)):
        assert len(project.select(text)) == count
    assert project.status_of(last).status == "never"
    assert len(project.select("state:never")) == size
