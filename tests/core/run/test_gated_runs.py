"""Whole runs of projects by chance, by a tool that does not exist: each ends, and nothing is called for too early."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from assetry import Asset, Integration, Project
from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.plugin import Invocation, InvocationGroup, RunContext, hookimpl
from assetry.testing import FakeTool
from assetry.types.events import TERMINAL, Checked, Event, Failed, Materialized, Started
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.core.run.tracking.worlds import GROUPS, Place, Wants, World, plan_of, projects
from tests.examples import examples


class Mill:
    """A plugin over the fake tool; what it is called for too early is noted."""

    def __init__(self, tool: FakeTool, world: World, failing: set[str]) -> None:
        self.tool, self.world, self.failing = tool, world, failing
        self.lock = threading.Lock()
        self.made: set[Place] = set()
        self.early: list[str] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind in GROUPS else None

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        return GROUPS[asset.kind]

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        places = {
            f"{asset.key}@{part}": (asset.key, part)
            for asset in invocation.assets
            for part in invocation.partitions_of(asset) or (None,)
        }
        with self.lock:
            self.look(invocation, set(places.values()))
        for step in self.tool.run(tuple(places)) if places else ():
            key, part = places[step.name]
            if step.what == "started":
                yield Started(key, part)
            elif step.what == "made":
                with self.lock:
                    self.made.add((key, part))
                yield Materialized(key, part)
            else:
                yield Failed(key, step.message, partition=part)
        for ref in invocation.checks:
            yield Checked(ref.key, ref.check, f"{ref.key}.{ref.check}" not in self.failing)

    def look(self, invocation: Invocation, own: set[Place]) -> None:
        for key, part in own:
            missing = self.world.read(key, part) - self.made - own
            self.early += [f"{key} [{part}] before {place}" for place in missing]
        for ref in invocation.checks:
            for key in self.world.looked_at(ref):
                if self.world.looks_at_each(ref) and (key == ref.key or self.world.are_called_together(key, ref.key)):
                    continue
                missing = {(key, part) for part in self.world.parts(key)} - self.made - own
                self.early += [f"{ref} before {place}" for place in missing]


@settings(max_examples=examples(25), deadline=None)
@given(projects(), st.data(), st.booleans())
def test_every_run_ends_with_one_end_for_each_wanted_partition(
    project: tuple[AssetGraph, Wants], data: st.DataObject, failing: bool
) -> None:
    graph, wants = project
    try:
        plan = plan_of(graph, wants)
    except CycleError:
        return
    world = World(graph, plan, wants)
    note(world.told())
    places = [(key, part) for key in wants for part in world.parts(key)]
    checks = [f"{ref.key}.{ref.check}" for ref in world.checks]
    with TemporaryDirectory() as folder:
        tool = FakeTool(Path(folder) / "tool", name=str)
        failed = set(data.draw(st.lists(st.sampled_from(checks), max_size=2))) if failing and checks else set()
        mill = Mill(tool, world, failed)
        if failing and places:
            tool.break_asset("@".join(map(str, data.draw(st.sampled_from(places)))))
        with Project(graph.assets, plugins=[mill], root=folder, store="sqlite::memory:", io="memory:") as opened:
            result = opened.run(plan)
            events = list(each_told(opened.graph, (each.event for each in opened.store.events(result.run.id))))
    ends = Counter((each.key, each.partition) for each in events if isinstance(each, TERMINAL))
    assert ends == Counter(places)
    assert not mill.early
    if not failing:
        assert result.ok or not plan.invocations
