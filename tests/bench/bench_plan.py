"""Measure planning alone, in CPU seconds: ten thousand assets in shapes from kind to cruel.

    python tests/bench/bench_plan.py

`plan` is `make_plan` from graph to values with three checks on every model; `collapse` is the search alone. The last
shapes interleave tools at random, far beyond any real project: they show that the effort stays bounded.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence

from assetry.graph.graph import AssetGraph
from assetry.plan.collapse import Collapse, Family, collapse
from assetry.plan.planner import make_plan
from assetry.types.assets import Asset, Check, Integration
from assetry.types.invocations import InvocationGroup

SIZE = 10_000
PYTHON = Integration("python", "python")


def layered(size: int, kinds: int, python: float) -> list[tuple[int | None, list[int]]]:
    """Return the tool of each asset and what it is made from: tool after tool, as projects are."""
    rng = random.Random(7)
    tools = [None if rng.random() < python else node * kinds // size for node in range(size)]
    return [
        (tool, sorted({rng.randrange(max(0, n - 400), n) for _ in range(2)}) if n else []) for n, tool in _each(tools)
    ]


def interleaved(size: int, kinds: int, python: float, window: int = 200) -> list[tuple[int | None, list[int]]]:
    """Return the tool of each asset and what it is made from, tools at random."""
    rng = random.Random(1)
    tools = [None if rng.random() < python else rng.randrange(kinds) for _ in range(size)]
    return [
        (tool, sorted({rng.randrange(max(0, n - window), n) for _ in range(rng.randint(0, 2))}) if n else [])
        for n, tool in _each(tools)
    ]


def chain(size: int, word: Sequence[int | None]) -> list[tuple[int | None, list[int]]]:
    """Return one long chain whose tools repeat `word`."""
    return [(word[n % len(word)], [n - 1] if n else []) for n in range(size)]


def _each(tools: Sequence[int | None]) -> Iterator[tuple[int, int | None]]:
    return iter(enumerate(tools))


def graph_of(shape: Sequence[tuple[int | None, list[int]]]) -> AssetGraph:
    """Return the graph of a shape, with three checks on every model."""
    projects = [Integration(f"project{n}", "dbt") for n in range(1 + max(tool or 0 for tool, _ in shape))]
    checks = (Check("unique_id"), Check("not_null_id"), Check("accepted_values_status", "warn"))
    return AssetGraph.of(
        Asset(
            key=f"layer/a{n:05}",
            kind="python" if tool is None else "dbt",
            deps=[f"layer/a{each:05}" for each in parents],
            integration=PYTHON if tool is None else projects[tool],
            checks=() if tool is None else checks,
        )
        for n, (tool, parents) in enumerate(shape)
    )


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of the best of three."""
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        work()
        best = min(best, time.process_time() - before)
    return best


def measure_plan(name: str, shape: Sequence[tuple[int | None, list[int]]]) -> None:
    """Print what `make_plan` takes for a shape."""
    graph = graph_of(shape)
    groups = {
        asset.key: InvocationGroup(f"dbt:{asset.integration.name}")
        for asset in graph.assets
        if asset.kind == "dbt" and asset.integration
    }
    plan = make_plan(graph, dict.fromkeys(graph.keys), groups)
    took = seconds(lambda: make_plan(graph, dict.fromkeys(graph.keys), groups))
    print(f"plan      {name:34} {took:6.3f} s  {plan.count:5} invocations, at least {plan.lower_bound}")


def measure_collapse(name: str, shape: Sequence[tuple[int | None, list[int]]]) -> None:
    """Print what `collapse` takes for a shape."""
    upstream, groups = [parents for _, parents in shape], [tool for tool, _ in shape]
    families = [Family()] * (1 + max(tool or 0 for tool in groups))
    found: list[Collapse] = []
    took = seconds(lambda: found.append(collapse(upstream, groups, families)))
    print(
        f"collapse  {name:34} {took:6.3f} s  {found[0].count:5} invocations, at least {found[0].lower_bound}"
        f"  ({found[0].expansions} states, {found[0].work} looks)"
    )


def main() -> None:
    """Print CPU seconds for all shapes."""
    for kinds in (3, 1, 30):
        measure_plan(f"{kinds} groups, 5 % Python", layered(SIZE, kinds, 0.05))
    measure_plan("chain dbt, Python, …", chain(SIZE, (0, None)))
    for kinds in (1, 3, 30):
        measure_collapse(f"{kinds} groups, 5 % Python", layered(SIZE, kinds, 0.05))
    measure_collapse("chain a, Python, b, Python, …", chain(SIZE, (0, None, 1, None)))
    for kinds in (2, 3, 5, 30):
        measure_collapse(f"{kinds} groups interleaved, 5 % Python", interleaved(SIZE, kinds, 0.05))
    measure_collapse("3 groups interleaved, 50 % Python", interleaved(SIZE, 3, 0.5))


if __name__ == "__main__":
    main()
