"""The tracker: whatever tools report, in whatever order, every asset ends once and nothing starts too early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.plan import Plan
from assetry.plan.planner import make_plan
from assetry.run.tracking.tracked import Interruption, Launch
from assetry.run.tracking.tracker import Tracker
from assetry.types.assets import Asset, Check, Integration
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    Handle,
    Log,
    Materialized,
    Observed,
    Progress,
    Skipped,
    Started,
)
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.examples import examples

TOOLS = {name: Integration(name, "tool") for name in ("t", "u", "w", "all")}
PYTHON = Integration("python", "python")
DAYS = DailyPartitionsDefinition(start_date="2026-01-01")


def tool(key: str, *deps: str, name: str = "t", **more: Any) -> Asset:
    return Asset(key=key, kind="tool", deps=deps, integration=TOOLS[name], **more)


def python(key: str, *deps: str, **more: Any) -> Asset:
    return Asset(key=key, kind="python", deps=deps, integration=PYTHON, **more)


def groups_of(graph: AssetGraph, whole: Sequence[str] = ("w",)) -> dict[AssetKey, InvocationGroup | None]:
    return {
        asset.key: None
        if asset.kind == "python" or asset.integration is None
        else InvocationGroup(
            f"tool:{asset.integration.name}",
            whole=asset.integration.name in whole,
            atomic=asset.integration.name == "all",
            partitions="range",
        )
        for asset in graph.assets
        if asset.executable
    }


def wants_of(graph: AssetGraph, keys: Iterable[str], partitions: Sequence[str]) -> dict[AssetKey, Parts | None]:
    wants: dict[AssetKey, Parts | None] = {}
    for key in keys:
        definition = graph[key].partitions_def
        wants[graph[key].key] = None if definition is None else definition.parts_of(partitions)
    return wants


class Bench:
    """A tracker with its plan; ids are found by an asset of the invocation."""

    def __init__(self, *assets: Asset, select: Sequence[str] | None = None, partitions: tuple[str, ...] = ()) -> None:
        self.graph = AssetGraph.of(assets)
        keys = self.graph.keys if select is None else [AssetKey(each) for each in select]
        self.plan = make_plan(self.graph, wants_of(self.graph, keys, partitions), groups_of(self.graph))
        self.tracker = Tracker(self.plan, self.graph)
        self.home = {
            asset.key: planned.id
            for planned in self.plan.invocations
            for asset in (*planned.invocation.assets, *planned.invocation.also)
        }

    def ready(self) -> list[str]:
        return [planned.id for planned in self.tracker.ready()]

    def launch(self, key: str) -> Launch:
        return self.tracker.launch(self.home[AssetKey(key)])

    def take(self, key: str, *events: Event) -> list[Event]:
        """Let the invocation of `key` report events; return what is to be recorded."""
        return [out for event in events for out in self.tracker.take(self.home[AssetKey(key)], event)]

    def end(self, key: str, problem: Interruption | None = None) -> list[Event]:
        return self.tracker.end(self.home[AssetKey(key)], problem)

    def can_start(self, key: str) -> bool:
        return self.home[AssetKey(key)] in self.ready()


# -- streaming -----------------------------------------------------------------------------------------------------


def test_an_asset_outside_starts_when_its_input_is_made_not_when_the_invocation_ends() -> None:
    bench = Bench(tool("a"), tool("b"), python("p", "a"))
    bench.launch("a")
    assert not bench.can_start("p")
    bench.take("a", Started("a"), Materialized("a"))
    assert bench.can_start("p")
    assert not bench.tracker.done


def test_a_failed_sibling_stops_only_its_own_descendants_and_they_name_it() -> None:
    bench = Bench(tool("a"), tool("d"), python("p", "a"), python("q", "d"), python("r", "q"))
    bench.launch("a")
    bench.take("a", Failed("d", "no"), Materialized("a"))
    assert bench.launch("p").invocation is not None
    assert bench.launch("q") == Launch(None, (Skipped("q", "d failed", AssetKey("d")),))
    assert bench.launch("r") == Launch(None, (Skipped("r", "d failed", AssetKey("d")),))
    bench.take("p", Materialized("p"))
    assert bench.end("p") == bench.end("a") == []
    assert bench.tracker.done


def test_what_is_left_of_an_invocation_starts_without_what_cannot_be_made() -> None:
    bench = Bench(python("p"), python("q"), tool("a", "p"), tool("b", "q"), tool("c", "a"))
    for key, event in (("p", Failed("p", "no")), ("q", Materialized("q"))):
        bench.launch(key)
        bench.take(key, event)
        bench.end(key)
    launch = bench.launch("a")
    assert launch.invocation is not None
    assert [asset.key for asset in launch.invocation.assets] == ["b"]
    assert [(each.key, each.because) for each in launch.events if isinstance(each, Skipped)] == [
        ("a", "p failed"),
        ("c", "p failed"),
    ]


def test_a_view_that_is_not_part_of_the_plan_hands_on_what_it_reads() -> None:
    bench = Bench(tool("a"), tool("v", "a", computed_on_read=True), python("p", "v"), select=["a", "p"])
    assert not bench.can_start("p")
    bench.launch("a")
    bench.take("a", Materialized("a"))
    assert bench.can_start("p")


# -- checks --------------------------------------------------------------------------------------------------------


def test_a_gating_check_holds_back_those_outside_until_it_has_passed() -> None:
    bench = Bench(tool("a", checks=[Check("ok")]), python("p", "a"))
    bench.launch("a")
    bench.take("a", Materialized("a"))
    assert not bench.can_start("p")
    bench.take("a", Checked("a", "ok", True))
    assert bench.can_start("p")


def test_a_failed_check_skips_what_is_downstream_and_names_the_check() -> None:
    bench = Bench(tool("a", checks=[Check("ok")]), python("p", "a"))
    bench.launch("a")
    bench.take("a", Materialized("a"), Checked("a", "ok", False))
    assert bench.launch("p").events == (Skipped("p", "check ok of a failed", AssetKey("a")),)


def test_a_failed_check_of_a_severity_that_does_not_exist_stops_what_is_downstream() -> None:
    bench = Bench(tool("a", checks=[Check("ok")]), python("p", "a"))
    bench.launch("a")
    bench.take("a", Materialized("a"), Checked("a", "ok", False, "fatal"))  # type: ignore[arg-type]
    assert bench.launch("p").events == (Skipped("p", "check ok of a failed", AssetKey("a")),)


def test_a_check_that_only_warns_stops_nobody() -> None:
    bench = Bench(tool("a", checks=[Check("ok", severity="warn")]), python("p", "a"))
    bench.launch("a")
    bench.take("a", Materialized("a"))
    assert bench.can_start("p")
    bench.take("a", Checked("a", "ok", False, "warn"))
    assert bench.launch("p").events == ()


def test_an_asset_that_fails_after_a_check_of_it_stops_others_by_its_own_failure() -> None:
    unit = Check("unit", also=[AssetKey("c")])
    bench = Bench(tool("c"), tool("d", "c", checks=[unit]))
    bench.launch("c")
    bench.take("c", Checked("d", "unit", False), Failed("c", "no"))
    assert bench.end("c") == [Skipped("d", "c failed", AssetKey("c"))]


def test_a_check_of_an_asset_that_failed_is_void_and_owed_by_nobody() -> None:
    bench = Bench(tool("a", checks=[Check("ok")]), tool("b"), python("p", "b"))
    bench.launch("a")
    bench.take("a", Failed("a", "no"), Materialized("b"))
    assert bench.end("a") == []


def test_a_check_that_the_tool_forgot_counts_as_failed() -> None:
    bench = Bench(tool("a", checks=[Check("ok"), Check("soft", severity="warn")]), python("p", "a"))
    bench.launch("a")
    bench.take("a", Materialized("a"))
    owed = bench.end("a")
    assert [(each.check, each.passed, each.severity) for each in owed if isinstance(each, Checked)] == [
        ("ok", False, "error"),
        ("soft", False, "warn"),
    ]
    assert bench.launch("p").events == (Skipped("p", "check ok of a was not run", AssetKey("a")),)


def test_two_steps_that_check_one_asset_do_not_wait_for_each_other() -> None:
    checks = [Check(name, integration="python", counted=False) for name in ("one", "two")]
    bench = Bench(tool("a", checks=checks), python("p", "a"), python("other"))
    bench.launch("a")
    bench.take("a", Materialized("a"))
    steps = [planned.id for planned in bench.tracker.ready() if planned.invocation.checks]
    assert len(steps) == 2
    assert not bench.can_start("p")
    for step, name in zip(steps, ("one", "two"), strict=True):
        bench.tracker.launch(step)
        assert bench.tracker.take(step, Checked("a", name, True))
        bench.tracker.end(step)
    assert bench.can_start("p")


def test_an_invocation_does_not_wait_for_outside_checks_on_what_it_makes_itself() -> None:
    checked = tool("a", checks=[Check("seen", integration="python", counted=False)])
    bench = Bench(checked, tool("b", "a"), python("p", "a"))
    assert bench.home[AssetKey("a")] == bench.home[AssetKey("b")]
    assert bench.launch("a").invocation is not None


def test_a_check_on_several_partitions_lets_go_when_the_last_has_passed() -> None:
    days = ("2026-01-01", "2026-01-02")
    bench = Bench(python("a", partitions_def=DAYS, checks=[Check("ok")]), python("p", "a"), partitions=days)
    bench.launch("a")
    for day in days:
        assert not bench.can_start("p")
        bench.take("a", Materialized("a", day))
        assert not bench.can_start("p")
        bench.take("a", Checked("a", "ok", True, partition=day))
    assert bench.can_start("p")
    assert bench.end("a") == []


def test_a_check_fails_an_asset_by_any_of_its_partitions() -> None:
    days = ("2026-01-01", "2026-01-02")
    bench = Bench(python("a", partitions_def=DAYS, checks=[Check("ok")]), python("p", "a"), partitions=days)
    bench.launch("a")
    for day, passed in zip(days, (False, True), strict=True):
        bench.take("a", Materialized("a", day), Checked("a", "ok", passed, partition=day))
    assert isinstance(bench.launch("p").events[0], Skipped)


# -- tools that lie, forget and die --------------------------------------------------------------------------------


def test_a_second_end_a_foreign_key_and_an_unknown_one_become_words_in_the_log() -> None:
    bench = Bench(tool("a"), python("p"))
    bench.launch("a")
    assert bench.take("a", Started("a"), Started("a")) == [Started("a")]
    assert bench.take("a", Materialized("a")) == [Materialized("a")]
    for event, key in ((Materialized("a"), "a"), (Materialized("p"), "p"), (Started("p"), "p")):
        (said,) = bench.take("a", event)
        assert isinstance(said, Log)
        assert (said.level, said.key) == ("warning", key)
    (said,) = bench.take("a", Materialized("nowhere"))
    assert isinstance(said, Log)
    assert said.key is None
    assert bench.take("a", Started("a")) == [], "what has ended is not begun again"
    assert bench.can_start("p"), "what a foreign tool says of it makes nothing"


def test_a_failure_after_the_end_takes_back_what_was_made_and_stops_what_has_not_begun() -> None:
    bench = Bench(tool("a", checks=[Check("ok")]), tool("b"), python("p", "a"), python("q", "a", "b"))
    bench.launch("a")
    bench.take("a", Materialized("a"), Checked("a", "ok", True))
    assert bench.launch("p").invocation is not None, "it has begun before anybody could know"
    assert bench.take("a", Failed("a", "after all")) == [Failed("a", "after all")]
    (again,) = bench.take("a", Failed("a", "once more"))
    assert isinstance(again, Log)
    bench.take("a", Materialized("b"))
    assert bench.launch("q") == Launch(None, (Skipped("q", "a failed", AssetKey("a")),))


def test_what_is_taken_back_of_partitions_is_taken_back_of_each() -> None:
    days = ("2026-01-01", "2026-01-02")
    bench = Bench(python("a", partitions_def=DAYS), partitions=days)
    bench.launch("a")
    bench.take("a", Materialized("a"))
    assert bench.take("a", Failed("a", "no")) == [Failed("a", "no", partition=days[0], through=days[1])]


def test_what_a_tool_says_besides_is_passed_on() -> None:
    bench = Bench(tool("a"), Asset(key="raw", kind="x", executable=False))
    bench.launch("a")
    said = (Log("hello"), Handle("7"), Started("a"), Progress("a", 1, 2), Observed("raw", data_version="1"))
    assert tuple(bench.take("a", *said)) == said


def test_an_alias_is_recorded_under_the_real_key() -> None:
    source = Asset(
        key="shop/raw/events", kind="tool", executable=False, resource_type="source", joins=AssetKey("events")
    )
    bench = Bench(python("events"), source, tool("a", "shop/raw/events"))
    assert bench.graph["shop/raw/events"].key == "events"
    bench.launch("events")
    bench.take("events", Materialized("events"))
    bench.end("events")
    bench.launch("a")
    assert bench.take("a", Observed("shop/raw/events", data_version="1")) == [Observed("events", data_version="1")]


def test_a_tool_that_ends_without_a_word_owes_a_failure_of_each() -> None:
    bench = Bench(tool("a"), tool("b", "a"), python("p", "b"))
    bench.launch("a")
    bench.take("a", Materialized("a"))
    (owed,) = bench.end("a")
    assert isinstance(owed, Failed)
    assert (owed.key, owed.message) == ("b", "tool ended without saying what became of b.")
    assert bench.launch("p").events == (Skipped("p", "b failed", AssetKey("b")),)


def test_a_break_is_laid_on_what_had_started_and_skips_the_rest() -> None:
    bench = Bench(tool("a"), tool("b"), tool("c", "a"), tool("d"), python("p", "d"))
    bench.launch("a")
    bench.take("a", Started("b"), Materialized("b"), Started("a"))
    owed = bench.end("a", Interruption("tool raised ValueError: no", "Try again."))
    assert owed == [
        Failed("a", "tool raised ValueError: no", "Try again.", retryable=True),
        Skipped("c", "a failed", AssetKey("a")),
        Skipped("d", "the tool invocation broke before it began"),
    ]
    because = "d was skipped: the tool invocation broke before it began"
    assert bench.launch("p").events == (Skipped("p", because, AssetKey("d")),)


def test_a_break_before_anything_had_started_is_everybodys() -> None:
    bench = Bench(tool("a"), tool("b"))
    bench.launch("a")
    assert [type(each) for each in bench.end("a", Interruption("no such profile"))] == [Failed, Failed]


def test_a_tools_own_skip_keeps_its_words_and_gets_its_root() -> None:
    bench = Bench(tool("a"), tool("b", "a"), python("p", "b"))
    bench.launch("a")
    assert bench.take("a", Failed("a", "no"), Skipped("b", "upstream of mine")) == [
        Failed("a", "no"),
        Skipped("b", "upstream of mine", AssetKey("a")),
    ]
    assert bench.launch("p").events == (Skipped("p", "a failed", AssetKey("a")),)


def test_abandon_ends_what_has_not_begun_and_leaves_what_runs() -> None:
    bench = Bench(tool("a"), tool("b", "a"), python("p", "a"), python("q", "p"))
    bench.launch("a")
    bench.take("a", Started("a"))
    assert bench.tracker.abandon("stopped") == [Skipped("p", "stopped"), Skipped("q", "stopped")]
    assert not bench.tracker.done
    owed = bench.end("a", Interruption("The run was cancelled.", rest="stopped"))
    assert owed == [Skipped("a", "stopped while it was being made", cancelled=True), Skipped("b", "stopped")]
    assert bench.tracker.done
    assert bench.ready() == []


# -- partitions ----------------------------------------------------------------------------------------------------


class TestPartitions:
    DAYS = ("2026-01-01", "2026-01-02")

    @pytest.fixture
    def bench(self) -> Bench:
        bench = Bench(python("a", partitions_def=DAYS), python("p", "a"), partitions=self.DAYS)
        bench.launch("a")
        return bench

    def test_each_has_its_end_and_the_asset_is_made_with_the_last(self, bench: Bench) -> None:
        for day in self.DAYS:
            assert not bench.can_start("p")
            said = [Started("a", day), Materialized("a", day)]
            assert bench.take("a", *said) == said
        assert bench.can_start("p")
        assert bench.end("a") == []

    def test_an_end_without_a_partition_is_that_of_all_that_are_left(self, bench: Bench) -> None:
        bench.take("a", Materialized("a", self.DAYS[0]))
        assert bench.take("a", Materialized("a")) == [Materialized("a", self.DAYS[1])]

    def test_one_that_failed_spoils_the_asset_and_the_others_go_on(self, bench: Bench) -> None:
        bench.take("a", Failed("a", "no", partition=self.DAYS[0]))
        assert bench.take("a", Materialized("a", self.DAYS[1])) == [Materialized("a", self.DAYS[1])]
        assert bench.launch("p").events == (Skipped("p", f"a [{self.DAYS[0]}] failed", AssetKey("a")),)

    def test_twice_the_same_and_one_not_asked_for_are_only_logged(self, bench: Bench) -> None:
        bench.take("a", Materialized("a", self.DAYS[0]))
        for day in (self.DAYS[0], "2027-01-01"):
            assert [type(each) for each in bench.take("a", Materialized("a", day))] == [Log]
        assert not bench.can_start("p")

    def test_the_forgotten_ones_are_owed_one_by_one(self, bench: Bench) -> None:
        owed = each_told(bench.graph, bench.end("a"))
        assert [(type(each), each.partition) for each in owed if isinstance(each, Failed)] == [
            (Failed, day) for day in self.DAYS
        ]


# -- whole groups --------------------------------------------------------------------------------------------------


class TestWhole:
    @pytest.fixture
    def bench(self) -> Bench:
        """`x` and `y` are one sync; `x` and what needs `y` are asked for, `y` comes along and needs `p`."""
        return Bench(
            python("p"),
            tool("x", name="w"),
            tool("y", "p", name="w"),
            python("q", "y"),
            select=["p", "x", "q"],
        )

    def test_it_waits_for_what_its_companions_need(self, bench: Bench) -> None:
        assert not bench.can_start("x")
        bench.launch("p")
        bench.take("p", Materialized("p"))
        assert bench.can_start("x")

    def test_who_reads_a_companion_waits_for_it(self, bench: Bench) -> None:
        bench.launch("p")
        bench.take("p", Materialized("p"))
        bench.launch("x")
        bench.take("x", Materialized("x"))
        assert not bench.can_start("q")
        assert bench.take("x", Materialized("y")) == [Materialized("y")]
        assert bench.can_start("q")

    def test_a_companion_that_failed_stops_who_reads_it(self, bench: Bench) -> None:
        bench.launch("p")
        bench.take("p", Materialized("p"))
        bench.launch("x")
        bench.take("x", Materialized("x"), Failed("y", "no"))
        assert bench.launch("q").events == (Skipped("q", "y failed", AssetKey("y")),)

    def test_a_companion_that_nothing_was_said_of_holds_nobody_up(self, bench: Bench) -> None:
        bench.launch("p")
        bench.take("p", Materialized("p"))
        bench.launch("x")
        bench.take("x", Materialized("x"))
        assert bench.end("x") == []
        assert bench.launch("q").invocation is not None

    def test_all_of_it_is_skipped_when_part_of_it_cannot_be_made(self, bench: Bench) -> None:
        bench.launch("p")
        bench.take("p", Failed("p", "no"))
        assert bench.launch("x") == Launch(None, (Skipped("x", "p failed", AssetKey("p")),))
        assert bench.launch("q") == Launch(None, (Skipped("q", "p failed", AssetKey("p")),))


# -- any plan, any order of events ---------------------------------------------------------------------------------

NAMES = tuple("abcdefgh")


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    count = draw(st.integers(1, len(NAMES)))
    assets = []
    for i in range(count):
        deps = draw(st.lists(st.sampled_from(NAMES[:i]), unique=True, max_size=3)) if i else []
        maker = draw(st.sampled_from(["t", "t", "u", "w", "python", "source", "view"]))
        checks = [
            Check(
                f"c{n}",
                severity=draw(st.sampled_from(["error", "warn"])),
                also=draw(st.lists(st.sampled_from(NAMES[:i]), unique=True, max_size=1)) if i else (),
                integration=runner,
                counted=runner != "python",
            )
            for n in range(draw(st.integers(0, 2)))
            for runner in [draw(st.sampled_from([None, None, "python", "t"]))]
        ]
        if maker == "python":
            parted = draw(st.booleans())
            assets.append(python(NAMES[i], *deps, checks=checks, partitions_def=DAYS if parted else None))
        elif maker == "source":
            assets.append(Asset(key=NAMES[i], kind="tool", executable=False, checks=checks, integration=TOOLS["t"]))
        elif maker == "view":
            assets.append(tool(NAMES[i], *deps, checks=checks, computed_on_read=True))
        else:
            assets.append(tool(NAMES[i], *deps, name=maker, checks=checks))
    return AssetGraph.of(assets)


@dataclass
class Simulation:
    """Carry out a plan in any order, with tools that do what they like; note what must hold."""

    graph: AssetGraph
    plan: Plan
    random: Random
    misbehave: bool
    tracker: Tracker = field(init=False)
    events: list[Event] = field(default_factory=list)
    running: dict[str, Iterator[Event]] = field(default_factory=dict)
    checks_done: dict[CheckRef, bool] = field(default_factory=dict)
    home: dict[AssetKey, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    spoken: set[AssetKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tracker = Tracker(self.plan, self.graph)
        for planned in self.plan.invocations:
            self.home.update(dict.fromkeys((asset.key for asset in planned.invocation.assets), planned.id))

    def run(self, abandon_after: int = 10_000) -> None:
        for step in range(5000):
            if self.tracker.done:
                return
            if step == abandon_after:
                self.record(self.tracker.abandon("stopped"))
                for id_ in tuple(self.running):
                    self.finish(id_, Interruption("cancelled", rest="stopped"))
                continue
            ready = [f"start {planned.id}" for planned in self.tracker.ready()]
            assert ready or self.running, "nothing runs and nothing can start, yet the tracker is not done"
            choice = self.random.choice([*ready, *self.running])
            if choice in self.running:
                self.step(choice)
            else:
                self.launch(choice.removeprefix("start "))
        raise AssertionError("it does not come to an end")

    def launch(self, id_: str) -> None:
        planned = next(each for each in self.plan.invocations if each.id == id_)
        launch = self.tracker.launch(id_, self.random.choice([None, 1, 2]))
        self.record(list(launch.events))
        if launch.invocation is None:
            return
        made = {(event.key, event.partition) for event in self.events if isinstance(event, Materialized)}
        for asset in launch.invocation.assets:
            for key in self.inputs(asset):
                if self.home.get(key, id_) != id_:
                    for part in self.read(asset, key, launch.invocation):
                        assert (key, part) in made, f"{asset.key} starts before {key} [{part}] is made"
                if key not in self.members(id_):
                    self.assert_gates(id_, key)
        assert set(launch.invocation.checks) <= set(planned.invocation.checks)
        assets = [asset.key for asset in launch.invocation.assets]
        self.running[launch.id] = self.script(launch.id, assets, launch.invocation.checks, launch.invocation.partitions)

    def read(self, asset: Asset, key: AssetKey, invocation: Invocation) -> Iterable[str | None]:
        """Return which partitions of `key` an invocation reads for an asset; all have the same ones."""
        planned = next(each.invocation for each in self.plan.invocations if each.id == self.home[key])
        every = planned.partitions_of(self.graph[key]) or (None,)
        both = asset.partitions_def is not None and self.graph[key].partitions_def is not None
        if not both or key in self.plan.through.get(asset.key, ()):
            return every
        return set(every) & set(invocation.partitions)

    def members(self, id_: str) -> set[AssetKey]:
        invocation = next(each.invocation for each in self.plan.invocations if each.id == id_)
        return {asset.key for asset in (*invocation.assets, *invocation.also)}

    def assert_gates(self, id_: str, key: AssetKey) -> None:
        if self.graph[key].partitions_def is not None:
            return  # each partition is held back by its own verdict: see test_parts
        for ref in self.plan.gates.get(key, ()):
            where = next((p.id for p in self.plan.invocations if ref in p.invocation.checks), None)
            if where not in (None, id_) and not self.is_void(ref):
                assert self.checks_done.get(ref), f"{id_} starts before {ref} of {key} has passed"

    def is_void(self, ref: CheckRef) -> bool:
        """Tell whether a check has nothing to judge: something that only came along for it was not made."""
        along = {asset.key for each in self.plan.invocations for asset in each.invocation.also}
        made = {event.key for event in self.events if isinstance(event, Materialized)}
        check = next(each for each in self.graph[ref.key].checks if each.name == ref.check)
        return any(key in along and key not in made for key in (ref.key, *check.also))

    def inputs(self, asset: Asset) -> tuple[AssetKey, ...]:
        return (*(self.graph[dep.key].key for dep in asset.deps), *self.plan.through.get(asset.key, ()))

    def script(
        self, id_: str, assets: list[AssetKey], checks: Sequence[CheckRef], partitions: tuple[str, ...]
    ) -> Iterator[Event]:
        """Do as tools do: make assets in order, leave out what is below a failure, report checks sometime."""
        bad: set[AssetKey] = set()
        left = list(checks)
        for key in assets:
            asset = self.graph[key]
            if self.random.random() < 0.8:
                yield Started(key)
            if self.misbehave and self.random.random() < 0.3:
                stray = self.random.choice([*self.graph.keys, AssetKey("nowhere")])
                if stray not in assets or stray in self.spoken:
                    yield self.random.choice([Materialized(stray), Failed(stray, "?"), Started(stray)])
            parts = partitions if asset.partitions_def is not None and self.random.random() < 0.7 else (None,)
            for part in parts or (None,):
                if bad & set(self.inputs(asset)):
                    bad.add(key)
                    if self.random.random() < 0.5:
                        self.spoken.add(key)
                        yield Skipped(key, "the tool left it out", partition=part)
                elif (fate := self.random.random()) < 0.65:
                    self.spoken.add(key)
                    yield Materialized(key, part)
                elif fate < 0.9:
                    bad.add(key)
                    self.spoken.add(key)
                    yield Failed(key, "no", partition=part)
                else:
                    bad.add(key)  # forgotten
            while left and self.random.random() < 0.5:
                yield self.checked(left.pop(0))
            if self.misbehave and self.random.random() < 0.1:
                self.broken.add(id_)
                return
        for ref in left:
            if self.random.random() < 0.8:
                yield self.checked(ref)

    def checked(self, ref: CheckRef) -> Checked:
        severity = next(each.severity for each in self.graph[ref.key].checks if each.name == ref.check)
        return Checked(ref.key, ref.check, self.random.random() < 0.7, severity)

    def step(self, id_: str) -> None:
        event = next(self.running[id_], None)
        if event is None:
            self.finish(id_, Interruption("boom") if id_ in self.broken else None)
        else:
            self.record(self.tracker.take(id_, event))

    def finish(self, id_: str, problem: Interruption | None) -> None:
        del self.running[id_]
        self.record(self.tracker.end(id_, problem))

    def record(self, told: list[Event]) -> None:
        events = list(each_told(self.graph, told))
        self.events += events
        for event in events:
            if isinstance(event, Checked):
                passed = event.passed or event.severity == "warn"
                ref = CheckRef(event.key, event.check)
                self.checks_done[ref] = passed and self.checks_done.get(ref, True)
        gone = {each.key for each in self.events if isinstance(each, (Failed, Skipped))}
        for planned in self.plan.invocations:
            for ref in planned.invocation.checks:
                also = next(each.also for each in self.graph[ref.key].checks if each.name == ref.check)
                if {ref.key, *(self.graph[key].key for key in also)} & gone:
                    self.checks_done.setdefault(ref, True)  # void: there is nothing to look at


def places_of(plan: Plan, graph: AssetGraph) -> Mapping[tuple[AssetKey, str | None], int]:
    return Counter(
        (asset.key, part)
        for planned in plan.invocations
        for asset in planned.invocation.assets
        for part in (asset.partitions_def is not None and planned.invocation.partitions) or (None,)
    )


def ends_of(events: Sequence[Event]) -> Counter[tuple[AssetKey, str | None]]:
    """Count the ends of each place; what was made and then taken back has one."""
    made: set[tuple[AssetKey, str | None]] = set()
    ends: Counter[tuple[AssetKey, str | None]] = Counter()
    for event in events:
        if isinstance(event, (Materialized, Failed, Skipped)):
            place = (event.key, event.partition)
            ends[place] += not (isinstance(event, Failed) and place in made)
            made = made | {place} if isinstance(event, Materialized) else made - {place}
    return ends


def planned(graph: AssetGraph, random: Random) -> Plan | None:
    keys = [key for key in graph.keys if random.random() < 0.8]
    days = tuple(["2026-01-01", "2026-01-02"][: random.randint(1, 2)])
    try:
        return make_plan(graph, wants_of(graph, keys, days), groups_of(graph))
    except CycleError:
        return None  # a whole group that waits for itself has no plan


@settings(max_examples=examples(40))
@given(graphs(), st.integers(0, 2**32), st.booleans())
def test_whatever_tools_do_every_asset_ends_once_and_nothing_starts_early(
    graph: AssetGraph, seed: int, misbehave: bool
) -> None:
    random = Random(seed)
    plan = planned(graph, random)
    if plan is None:
        return
    simulation = Simulation(graph, plan, random, misbehave)
    simulation.run()
    asked = {asset.key for each in plan.invocations for asset in each.invocation.assets}
    ends = Counter({place: n for place, n in ends_of(simulation.events).items() if place[0] in asked})
    assert ends == places_of(plan, graph)


def _failed_checks(graph: AssetGraph, key: AssetKey) -> list[str]:
    return [f"check {check.name} of {key} {end}" for check in graph[key].checks for end in ("failed", "was not run")]


@settings(max_examples=examples(40))
@given(graphs(), st.integers(0, 2**32))
def test_only_what_is_below_a_fault_is_skipped_and_it_names_the_root(graph: AssetGraph, seed: int) -> None:
    random = Random(seed)
    plan = planned(graph, random)
    if plan is None:
        return
    simulation = Simulation(graph, plan, random, misbehave=False)
    simulation.run()
    skipped = [event for event in simulation.events if isinstance(event, Skipped)]
    own = {event.key for event in skipped if event.root is None}
    # A check that a tool runs before its asset, as dbt does unit tests, may fail, and the tool leave the asset out.
    words = {event.key: event.because for event in skipped if event.root is None}
    assert all(text in ("the tool left it out", *_failed_checks(graph, key)) for key, text in words.items())
    own |= {event.key for event in simulation.events if isinstance(event, Failed)}
    roots = {key: {key} for key in own}
    for ref, passed in simulation.checks_done.items():
        if not passed:
            also = next(each.also for each in graph[ref.key].checks if each.name == ref.check)
            roots.setdefault(ref.key, set()).update((ref.key, *(graph[key].key for key in also)))
    mates = {
        asset.key: {mate.key for mate in (*each.invocation.assets, *each.invocation.also)}
        for each in plan.invocations
        if each.invocation.group is not None and each.invocation.group.whole
        for asset in (*each.invocation.assets, *each.invocation.also)
    }
    for event in skipped:
        if event.root is not None:
            near = mates.get(event.key, {event.key})
            for _ in graph.keys:
                above = {graph.keys[i] for i in graph.ancestors([graph.index(key) for key in near])}
                near = near | above | {mate for key in above for mate in mates.get(key, ())}
            assert roots[event.root] & near, event


@settings(max_examples=examples(40))
@given(graphs(), st.integers(0, 2**32))
def test_what_touches_no_failure_is_made(graph: AssetGraph, seed: int) -> None:
    """With tools that fail now and then but forget nothing, whatever has good inputs is tried."""
    random = Random(seed)
    plan = planned(graph, random)
    if plan is None:
        return
    simulation = Simulation(graph, plan, random, misbehave=False)
    simulation.run()
    bad = {event.key for event in simulation.events if isinstance(event, (Failed, Skipped))}
    # What was only to come along is left out without an event, and stops those below it as well.
    made = {event.key for event in simulation.events if isinstance(event, Materialized)}
    bad |= {asset.key for each in plan.invocations for asset in each.invocation.also} - made
    spoilt = {key for key, refs in plan.gates.items() for ref in refs if not simulation.checks_done.get(ref, True)}
    for event in simulation.events:
        if not isinstance(event, Skipped):
            continue
        group = next(each for each in plan.invocations if each.id == simulation.home[event.key])
        mates = [graph[event.key]]
        if group.invocation.group is not None and group.invocation.group.whole:
            mates = [*group.invocation.assets, *group.invocation.also]
        assert any(key in bad or key in spoilt for mate in mates for key in simulation.inputs(mate)), event


@settings(max_examples=examples(40))
@given(graphs(), st.integers(0, 2**32), st.integers(0, 12))
def test_a_run_that_is_abandoned_at_any_moment_ends_everything_once(graph: AssetGraph, seed: int, step: int) -> None:
    random = Random(seed)
    plan = planned(graph, random)
    if plan is None:
        return
    simulation = Simulation(graph, plan, random, misbehave=True)
    simulation.run(abandon_after=step)
    asked = {asset.key for each in plan.invocations for asset in each.invocation.assets}
    ends = Counter({place: n for place, n in ends_of(simulation.events).items() if place[0] in asked})
    assert ends == places_of(plan, graph)
    assert simulation.tracker.done
    assert not list(simulation.tracker.ready())


# -- all or nothing ------------------------------------------------------------------------------------------------

NOTHING = "and tool makes all of an invocation or nothing"


def atomic(key: str, *deps: str, **more: Any) -> Asset:
    return tool(key, *deps, name="all", **more)


class TestAtomic:
    """What an atomic invocation reports as made counts when it has ended well, and not before."""

    def test_it_counts_at_the_end_and_releases_what_is_below_then(self) -> None:
        bench = Bench(atomic("a"), atomic("b"), python("p", "a"))
        bench.launch("a")
        assert bench.take("a", Started("a"), Materialized("a"), Materialized("b")) == [Started("a")]
        assert not bench.can_start("p")
        assert bench.end("a") == [Materialized("a"), Materialized("b")]
        assert bench.can_start("p")
        assert not bench.tracker.done

    def test_a_failure_takes_the_others_along_and_names_the_root(self) -> None:
        bench = Bench(atomic("a"), atomic("b"), atomic("c"), python("p", "a"))
        bench.launch("a")
        assert bench.take("a", Materialized("a"), Failed("b", "no room")) == [Failed("b", "no room")]
        root = AssetKey("b")
        assert bench.end("a") == [
            Skipped("a", f"b failed, {NOTHING}", root),
            Skipped("c", f"b failed, {NOTHING}", root),
        ]
        assert bench.launch("p") == Launch(None, (Skipped("p", "b failed", root),))
        assert bench.tracker.done

    def test_one_that_fails_after_it_was_reported_as_made_takes_all_back(self) -> None:
        bench = Bench(atomic("a"), atomic("b"))
        bench.launch("a")
        said = bench.take("a", Materialized("a"), Materialized("b"), Failed("a", "constraint"))
        assert said == [Failed("a", "constraint")]
        assert bench.end("a") == [Skipped("b", f"a failed, {NOTHING}", AssetKey("a"))]

    def test_a_break_at_the_commit_fails_all_that_was_reported(self) -> None:
        bench = Bench(atomic("a"), atomic("b"), python("p", "b"))
        bench.launch("a")
        bench.take("a", Materialized("a"), Materialized("b"))
        lost = Interruption("the commit failed", "Try again.")
        failed = {"hint": "Try again.", "retryable": True}
        assert bench.end("a", lost) == [Failed(key, "the commit failed", **failed) for key in ("a", "b")]
        assert bench.launch("p").events == (Skipped("p", "b failed", AssetKey("b")),)

    def test_a_break_fails_what_was_being_made_and_skips_the_rest_for_it(self) -> None:
        bench = Bench(atomic("a"), atomic("b"), atomic("c"))
        bench.launch("a")
        bench.take("a", Started("a"), Materialized("a"), Started("b"))
        assert bench.end("a", Interruption("it broke")) == [
            Failed("b", "it broke", retryable=True),
            Skipped("a", f"b failed, {NOTHING}", AssetKey("b")),
            Skipped("c", f"b failed, {NOTHING}", AssetKey("b")),
        ]

    def test_one_without_an_end_takes_the_others_along(self) -> None:
        bench = Bench(atomic("a"), atomic("b"))
        bench.launch("a")
        bench.take("a", Materialized("a"))
        failed, skipped = bench.end("a")
        assert isinstance(failed, Failed)
        assert failed.key == "b"
        assert skipped == Skipped("a", f"b failed, {NOTHING}", AssetKey("b"))

    def test_one_that_the_tool_skips_takes_the_others_along(self) -> None:
        bench = Bench(atomic("a"), atomic("b"))
        bench.launch("a")
        bench.take("a", Materialized("a"), Skipped("b", "no rights"))
        assert bench.end("a") == [Skipped("a", f"b was skipped: no rights, {NOTHING}", AssetKey("b"))]

    def test_a_cancelled_run_leaves_all_of_it_unmade(self) -> None:
        bench = Bench(atomic("a"), atomic("b"))
        bench.launch("a")
        bench.take("a", Materialized("a"))
        ended = bench.end("a", Interruption("The run was cancelled.", rest="the run was cancelled"))
        assert [type(event) for event in ended] == [Skipped, Skipped]
        assert [event.cancelled for event in ended if isinstance(event, Skipped)] == [True, False]

    def test_checks_that_pass_count_with_their_assets_and_others_are_told_at_once(self) -> None:
        good, bad = Check("good"), Check("bad")
        bench = Bench(atomic("a", checks=[good, bad]), atomic("b"), python("p", "a"))
        bench.launch("a")
        told = bench.take("a", Materialized("a"), Checked("a", "good", True), Checked("a", "bad", False))
        assert told == [Checked("a", "bad", False)]
        assert bench.end("a") == [
            Failed("b", "tool ended without saying what became of b.", hint=HINT),
            *skipped_for_b(),
        ]
        assert bench.launch("p").invocation is None

    def test_checks_that_pass_are_told_when_all_is_made(self) -> None:
        bench = Bench(atomic("a", checks=[Check("good")]), python("p", "a"))
        bench.launch("a")
        assert bench.take("a", Checked("a", "good", True), Materialized("a")) == []
        assert bench.end("a") == [Checked("a", "good", True), Materialized("a")]
        assert bench.can_start("p")

    def test_all_partitions_or_none(self) -> None:
        days = ("2026-01-01", "2026-01-02")
        for missing in (False, True):
            bench = Bench(atomic("a", partitions_def=DAYS), partitions=days)
            bench.launch("a")
            bench.take("a", *[Materialized("a", day) for day in days[: 1 if missing else 2]])
            ended = each_told(bench.graph, bench.end("a"))
            assert [type(event) for event in ended] == ([Failed] if missing else [Materialized]) * 2

    def test_a_second_call_counts_by_itself(self) -> None:
        bench = Bench(atomic("a"), atomic("b"), atomic("c"))
        bench.launch("a")
        bench.take("a", Materialized("a"), Failed("b", "no"))
        again = bench.tracker.again(bench.home[AssetKey("a")]).invocation
        assert again is not None
        assert [each.key for each in again.assets] == ["a", "c"]
        bench.take("a", Materialized("a"), Materialized("c"))
        assert bench.end("a") == [Materialized("a"), Materialized("c")]


HINT = "Look at the log of the run; this may be a fault of the integration."


def skipped_for_b() -> list[Event]:
    return [Skipped("a", f"b failed, {NOTHING}", AssetKey("b"))]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([Started, Materialized, Progress])), min_size=4)
    | st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([Started, Materialized, Failed, Skipped, Progress]))),
    st.sampled_from([None, None, Interruption("it broke"), Interruption("cancelled", rest="the run was cancelled")]),
)
def test_of_an_atomic_invocation_all_are_made_or_none_whatever_is_reported(
    said: list[tuple[str, Any]], problem: Interruption | None
) -> None:
    more: Mapping[Any, tuple[Any, ...]] = {Failed: ("no",), Skipped: ("no",), Progress: (1,)}
    bench = Bench(atomic("a"), atomic("b", "a"), atomic("c"), python("p", "c"))
    bench.launch("a")
    recorded = bench.take("a", *[kind(key, *more.get(kind, ())) for key, kind in said]) + bench.end("a", problem)
    ends = [event for event in recorded if isinstance(event, (Materialized, Failed, Skipped))]
    assert sorted(event.key for event in ends) == ["a", "b", "c"], "one end each"
    made = {event.key for event in ends if isinstance(event, Materialized)}
    spoilt = problem is not None or any(kind in (Failed, Skipped) for _, kind in said)
    reported = {key for key, kind in said if kind is Materialized}
    assert made == (set() if spoilt or reported != {"a", "b", "c"} else {"a", "b", "c"})
    assert (bench.launch("p").invocation is not None) == bool(made)


# -- tools that do not say when an asset begins --------------------------------------------------------------------


class TestWithoutStarted:
    """`Started` is optional: an asset has begun with the first thing that is said of it."""

    broke = Interruption("it broke", "Mend it.")

    def failed(self, bench: Bench, problem: Interruption | None = None) -> dict[str, type[Event]]:
        return {event.key: type(event) for event in bench.end("a", problem or self.broke)}  # type: ignore[attr-defined]

    def test_progress_starts_an_asset(self) -> None:
        bench = Bench(tool("a"), tool("b"))
        bench.launch("a")
        assert bench.take("a", Progress("a", 1), Started("a"), Progress("a", 2)) == [
            *(Started("a"), Progress("a", 1)),
            Progress("a", 2),
        ]

    def test_a_break_is_that_of_what_something_was_said_of(self) -> None:
        for said in (Progress("a", 1), Log("at it", key="a")):
            bench = Bench(tool("a"), tool("b"))
            bench.launch("a")
            bench.take("a", said)
            assert self.failed(bench) == {"a": Failed, "b": Skipped}

    def test_a_break_is_that_of_all_that_is_left_when_nothing_was_said_of_it(self) -> None:
        bench = Bench(tool("a"), tool("b"), tool("c"))
        bench.launch("a")
        bench.take("a", Materialized("a"))
        assert self.failed(bench) == {"b": Failed, "c": Failed}

    def test_of_a_tool_that_says_it_a_line_about_an_asset_starts_nothing(self) -> None:
        bench = Bench(tool("a"), tool("b"))
        bench.launch("a")
        bench.take("a", Log("b has no description", key="b"), Started("a"))
        assert self.failed(bench) == {"a": Failed, "b": Skipped}

    def test_what_a_cancelled_run_may_have_begun_counts_as_begun(self) -> None:
        cancelled = Interruption("cancelled", rest="the run was cancelled")
        bench = Bench(tool("a"), tool("b"))
        bench.launch("a")
        bench.take("a", Materialized("a"))
        assert bench.end("a", cancelled) == [
            Skipped("b", "the run was cancelled while it was being made", cancelled=True)
        ]
        bench = Bench(tool("a"))
        bench.launch("a")
        assert bench.end("a", cancelled) == [Skipped("a", "the run was cancelled")]
