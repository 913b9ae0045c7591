"""Early cutoff: what comes out as before leaves alone what is made from it, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import assetry
import pytest
from assetry import Asset, AssetKey, Check, DailyPartitionsDefinition, Integration, Project, asset_check
from assetry.cli.lines import event_line
from assetry.graph.graph import AssetGraph
from assetry.plugin import Invocation, InvocationGroup, RunContext, hookimpl
from assetry.run.intake import taken
from assetry.run.result import RunResult
from assetry.run.retry import LeftJob
from assetry.status.versions import Versions
from assetry.types.events import Checked, Event, Failed, InvocationStarted, Log, Materialized, Skipped
from assetry.types.records import EventRecord, Materialization
from assetry.views.json import event_to_json, plan_to_json, result_to_json
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.examples import examples

MILLS = {name: Integration(name, "mill") for name in ("m", "n", "whole", "range", "mixed", "one", "free", "solo")}
DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")


@dataclass
class Mill:
    """A tool that tells of each asset's content as a version: what is told for it, and what it is made from."""

    #: By asset, or asset and partition: what its own content is; None for a version that is not known.
    content: dict[str, str | None] = field(default_factory=dict)
    #: Whether what an asset reads is part of its content.
    passes: dict[str, bool] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    unchecked: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    calls: list[list[str]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    resumed: list[str | None] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        name = asset.integration.name if asset.integration else ""
        if name == "solo":
            return None
        ways: Mapping[str, dict[str, Any]] = {
            "whole": {"whole": True},
            "range": {"partitions": "range"},
            "mixed": {"partitions": "range", "mixed": True},
            "free": {"counted": False},
        }
        return InvocationGroup(f"mill:{name}", limit=4, **ways.get(name, {}))

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        self.calls.append([str(asset.key) for asset in (*invocation.assets, *invocation.also)])
        self.resumed.append(context.resume)
        for asset in (*invocation.assets, *invocation.also):
            keys = invocation.own_partitions.get(asset.key, invocation.partitions) if asset.partitions_def else (None,)
            for partition in keys:
                yield self._end(asset, partition)
        for ref in invocation.checks:
            self.checked.append(f"{ref.key}.{ref.check}")
            yield Checked(ref.key, ref.check, ref.check not in self.failing)

    def _end(self, asset: Asset, partition: str | None) -> Event:
        name = asset.key if partition is None else f"{asset.key}@{partition}"
        self.made.append(name)
        if name in self.failing:
            return Failed(asset.key, "no", partition=partition)
        content = self.content.get(name, self.content.get(asset.key, "0"))
        if content is None:
            return Materialized(asset.key, partition)
        read = [self.versions.get(dep.key, "") for dep in asset.deps] if self.passes.get(asset.key, True) else []
        version = self.versions[asset.key] = ".".join([content, *read])
        return Materialized(asset.key, partition, data_version=version)


def ground(key: str, *deps: Any, tool: str = "m", **more: Any) -> Asset:
    return Asset(key=key, kind="mill", deps=deps, integration=MILLS[tool], **more)


@dataclass
class Bench:
    """A project whose tools are mills; its definitions may change between runs."""

    root: Path
    mill: Mill = field(default_factory=Mill)
    projects: list[Project] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)

    def project(self, *assets: Asset) -> Project:
        found = Project(
            assets=assets,
            plugins=[self.mill],
            root=self.root,
            store=f"sqlite:{self.root / 'state.db'}",
            executor="threads:4",
        )
        self.projects.append(found)
        return found

    def run(self, project: Project, select: Any = None, **ask: Any) -> RunResult:
        self.mill.made, self.mill.calls, self.mill.checked, self.events = [], [], [], []
        return project.materialize(select, on_event=self.events.append, **ask)

    def cut(self) -> dict[str, str]:
        """Return what was cut in the last run, with the reason."""
        told = each_told(self.projects[-1].graph, [each.event for each in self.events])
        found = [event for event in told if isinstance(event, Skipped) and event.unchanged]
        return {each.key if each.partition is None else f"{each.key}@{each.partition}": each.because for each in found}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    yield found
    for each in found.projects:
        each.close()


def words(project: Project) -> dict[str, str]:
    return {str(each.key): each.status for each in project.status()}


def chain(code: str = "1") -> list[Asset]:
    return [
        ground("a", code_version=code),
        ground("b", "a", tool="n", code_version="1"),
        ground("c", "b", code_version="1"),
    ]


# -- what is cut -----------------------------------------------------------------------------------------------------


def test_what_comes_out_as_before_leaves_alone_all_below_it(bench: Bench) -> None:
    assert bench.run(bench.project(*chain())).ok
    project = bench.project(*chain("2"))
    result = bench.run(project, stale=True)
    assert result.ok
    assert result.run.state == "succeeded"
    assert bench.mill.made == ["a"]
    assert bench.cut() == {
        "b": "unchanged: `a` came out as before",
        "c": "unchanged: `b` came out as before",
    }
    assert dict(result.counts) == {"materialized": 1, "unchanged": 2}
    assert [each.outcome for each in result.outcomes.values()] == ["materialized", "unchanged", "unchanged"]
    assert words(project) == {"a": "fresh", "b": "fresh", "c": "fresh"}
    assert not project.plan(stale=True).invocations
    assert not project.undone(result.run)


def test_what_came_out_otherwise_is_told_all_the_way_down(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.mill.content["a"] = "1"
    project = bench.project(*chain("2"))
    assert bench.run(project, stale=True).ok
    assert bench.mill.made == ["a", "b", "c"]
    assert bench.cut() == {}


def test_a_middle_asset_that_comes_out_as_before_stops_the_change_there(bench: Bench) -> None:
    bench.mill.passes["b"] = False
    bench.run(bench.project(*chain()))
    bench.mill.content["a"] = "1"
    project = bench.project(*chain("2"))
    assert bench.run(project, stale=True).ok
    assert bench.mill.made == ["a", "b"]
    assert bench.cut() == {"c": "unchanged: `b` came out as before"}
    assert set(words(project).values()) == {"fresh"}


def test_a_forced_run_makes_what_it_was_told(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.run(bench.project(*chain("2")))
    assert bench.mill.made == ["a", "b", "c"]


def test_a_version_that_is_not_known_cuts_nothing(bench: Bench) -> None:
    bench.mill.content["a"] = None
    bench.run(bench.project(*chain()))
    bench.run(bench.project(*chain("2")), stale=True)
    assert bench.mill.made == ["a", "b"]
    assert list(bench.cut()) == ["c"], "that of `b` is known"


def test_an_asset_that_is_out_of_date_in_itself_is_made(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    changed = [*chain("2")[:2], ground("c", "b", code_version="2")]
    bench.run(bench.project(*changed), stale=True)
    assert bench.mill.made == ["a", "c"]


def test_an_asset_that_failed_is_made(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.mill.failing = {"b"}
    bench.run(bench.project(*chain()), "b")
    bench.mill.failing = set()
    bench.run(bench.project(*chain("2")), stale=True)
    assert bench.mill.made == ["a", "b"]
    assert list(bench.cut()) == ["c"]


def test_what_reads_something_that_stays_out_of_date_is_made(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.run(bench.project(*chain("2")), "b c", stale=True)
    assert bench.mill.made == ["b", "c"]
    bench.run(bench.project(*chain("3")), "a c", stale=True)
    assert bench.mill.made == ["a", "c"]


def test_what_is_below_a_failure_is_skipped_and_not_unchanged(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.mill.failing = {"a"}
    result = bench.run(bench.project(*chain("2")), stale=True)
    assert [each.outcome for each in result.outcomes.values()] == ["failed", "skipped", "skipped"]


def test_a_view_hands_on_that_nothing_changed(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        view = ground("v", "a", tool="n", code_version="1", computed_on_read=True)
        return [ground("a", code_version=code), view, ground("c", "v", tool="one", code_version="1")]

    bench.run(bench.project(*assets("1")))
    project = bench.project(*assets("2"))
    bench.run(project, stale=True)
    assert bench.mill.made == ["a"]
    assert bench.cut() == {"c": "unchanged: `a` came out as before"}
    assert set(words(project).values()) == {"fresh"}


# -- with what stands beside -----------------------------------------------------------------------------------------


def test_only_the_rest_of_an_invocation_is_called_for(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        return [
            ground("a", code_version=code),
            ground("p", tool="n", code_version=code),
            ground("b", "a", tool="free", code_version="1"),
            ground("q", "p", tool="free", code_version="1"),
            ground("c", "b", code_version="1"),
            ground("d", "q", code_version="1"),
        ]

    bench.run(bench.project(*assets("1")))
    bench.mill.content["p"] = "1"
    result = bench.run(bench.project(*assets("2")), stale=True)
    assert result.ok
    assert sorted(bench.mill.made) == ["a", "d", "p", "q"]
    assert sorted(bench.cut()) == ["b", "c"]


def test_nothing_is_cut_between_members_of_one_running_invocation(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        return [ground("a", code_version=code), ground("b", "a", code_version="1")]

    bench.run(bench.project(*assets("1")))
    bench.run(bench.project(*assets("2")), stale=True)
    assert bench.mill.made == ["a", "b"]
    assert len(bench.mill.calls) == 1


def test_checks_of_what_is_cut_are_not_run_and_hold_back_nothing(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        a = ground("a", code_version=code)
        checked = ground("b", "a", tool="n", code_version="1", checks=[Check("good"), Check("meets", also=["a"])])
        return [a, checked, ground("c", "b", code_version=code)]

    bench.run(bench.project(*assets("1")))
    project = bench.project(*assets("2"))
    result = bench.run(project, stale=True)
    assert result.ok
    assert bench.mill.made == ["a", "c"]
    assert bench.mill.checked == ["b.meets"], "it reads what was made, and is run"


def test_a_check_that_stands_in_between_is_waited_for(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        return [ground("a", code_version=code, checks=[Check("good")]), *chain()[1:]]

    bench.run(bench.project(*assets("1")))
    bench.mill.failing = {"good"}
    project = bench.project(*assets("2"))
    result = bench.run(project, stale=True)
    assert result.run.state == "failed"
    assert bench.cut() == {}
    assert words(project)["b"] == "stale"


def test_a_tool_that_leaves_nothing_out_is_cut_as_a_whole_or_not_at_all(bench: Bench) -> None:
    def assets(code: str, other: str) -> list[Asset]:
        return [
            ground("a", code_version=code),
            ground("x", "a", tool="whole", code_version="1"),
            ground("y", tool="whole", code_version=other),
            ground("z", tool="whole", code_version="1"),
            ground("c", "x", tool="n", code_version="1"),
        ]

    bench.run(bench.project(*assets("1", "1")))
    project = bench.project(*assets("2", "1"))
    bench.run(project, stale=True)
    assert bench.mill.made == ["a"]
    assert sorted(bench.cut()) == ["c", "x"]
    assert set(words(project).values()) == {"fresh"}
    bench.run(bench.project(*assets("3", "2")), stale=True)
    assert sorted(bench.mill.made) == ["a", "x", "y", "z"]
    assert sorted(bench.cut()) == ["c"]


def test_a_job_that_was_left_behind_is_taken_up_again_before_anything_of_its_group_is_cut(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    project = bench.project(*chain("2"))
    plan = project.plan(stale=True)
    bench.mill.made, bench.mill.resumed = [], []
    result = project.run(plan, resume={"mill:n": LeftJob("job-7")})
    assert result.ok
    assert bench.mill.made == ["a", "b"]
    assert bench.mill.resumed == [None, "job-7"]


def test_a_retry_of_such_a_run_leaves_what_was_cut_and_cuts_the_rest(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        return [*chain(code), ground("x", "c", tool="n", code_version=code), ground("y", "x", "c", code_version="1")]

    bench.run(bench.project(*assets("1")))
    bench.mill.failing = {"x"}
    project = bench.project(*assets("2"))
    result = bench.run(project, stale=True)
    assert result.run.state == "failed"
    assert [str(key) for key in project.undone(result.run)] == ["x", "y"]
    bench.mill.failing, bench.mill.made = set(), []
    assert project.retry().ok
    assert bench.mill.made == ["x"]
    assert set(words(project).values()) == {"fresh"}


# -- partitions ------------------------------------------------------------------------------------------------------


def days(code: str, tool: str, **more: Any) -> list[Asset]:
    return [
        ground("a", code_version=code, partitions_def=DAYS),
        ground("b", "a", tool=tool, code_version="1", partitions_def=DAYS),
        ground("c", "b", tool="n", code_version="1", partitions_def=DAYS, **more),
    ]


@pytest.mark.parametrize("tool", ["one", "range", "free"])
def test_one_day_of_ten_that_changes_is_all_that_is_made_below(bench: Bench, tool: str) -> None:
    bench.mill.passes = dict.fromkeys("abc", False)
    bench.run(bench.project(*days("1", tool)), partition="all")
    bench.mill.content |= {"a@2026-01-04": "1", "b@2026-01-04": "1"}
    project = bench.project(*days("2", tool))
    result = bench.run(project, stale=True)
    assert result.ok
    below = sorted(each for each in bench.mill.made if not each.startswith("a@"))
    assert below == ["b@2026-01-04", "c@2026-01-04"]
    assert len(bench.cut()) == 18
    assert result.counts["unchanged"] == 18
    assert set(words(project).values()) == {"fresh"}
    assert not project.undone(result.run)


def test_a_tool_that_takes_ranges_is_called_as_often_as_was_planned(bench: Bench) -> None:
    bench.mill.passes = dict.fromkeys("abc", False)
    bench.run(bench.project(*days("1", "range")), partition="all")
    bench.mill.content |= {"a@2026-01-04": "1", "a@2026-01-07": "1"}
    project = bench.project(*days("2", "range"))
    assert bench.run(project, stale=True).ok
    below = sorted(each for each in bench.mill.made if each.startswith("b@"))
    assert below == [f"b@2026-01-0{day}" for day in range(4, 8)]
    assert [each for each in bench.mill.calls if each == ["b"]] == [["b"]]
    assert not [each for each in bench.mill.made if each.startswith("c@")]
    assert set(words(project).values()) == {"fresh"}


def test_an_asset_without_partitions_reads_them_together(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        return [ground("a", tool="one", code_version=code, partitions_def=DAYS), ground("all", "a", code_version="1")]

    bench.run(bench.project(*assets("1")), partition="all")
    project = bench.project(*assets("2"))
    bench.run(project, stale=True)
    assert list(bench.cut()) == ["all"]
    bench.mill.content["a@2026-01-04"] = "1"
    bench.run(bench.project(*assets("3")), stale=True)
    assert bench.cut() == {}
    assert bench.mill.made[-1] == "all"


@given(
    st.sampled_from(["one", "range", "free"]),
    st.sets(st.integers(1, 10)),
    st.sets(st.integers(1, 10)),
)
@settings(max_examples=examples(25), deadline=None)
def test_each_day_is_made_that_reads_a_day_which_changed(tool: str, above: set[int], middle: set[int]) -> None:
    mill = Mill(passes=dict.fromkeys("abc", False))
    with Project(days("1", tool), plugins=[mill], store="sqlite::memory:", io="memory:") as first:
        assert first.materialize(partition="all").ok
        mill.content = {f"a@2026-01-{day:02}": "1" for day in above} | {f"b@2026-01-{day:02}": "1" for day in middle}
        mill.made = []
        second = Project(days("2", tool), plugins=[mill], io="memory:")
        second.__dict__["store"] = first.store
        result = second.materialize(stale=True)
        assert result.ok
        assert {each.status for each in second.status()} == {"fresh"}
        assert not second.undone(result.run)
    if tool == "range" and above:
        above = set(range(min(above), max(above) + 1))  # a tool that takes ranges is called once
    assert [each for each in mill.made if each[0] == "b"] == [f"b@2026-01-{day:02}" for day in sorted(above)]
    assert sorted(each for each in mill.made if each[0] == "c") == [
        f"c@2026-01-{day:02}" for day in sorted(above & middle)
    ]
    assert len(mill.made) == len(set(mill.made)) == 30 - result.counts.get("unchanged", 0)


def mixed(code: str) -> list[Asset]:
    """Return assets of which one invocation makes partitions of `b`, and `u`, `v` and `w`, which have none."""
    return [
        ground("a", tool="one", code_version=code, partitions_def=DAYS),
        ground("p", tool="n", code_version=code),
        ground("b", "a", tool="mixed", code_version="1", partitions_def=DAYS),
        ground("u", "p", tool="mixed", code_version="1"),
        ground("v", "b", tool="mixed", code_version="1"),
        ground("w", "u", "v", tool="mixed", code_version="1"),
    ]


@given(st.sets(st.integers(1, 10), max_size=3), st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_what_has_no_partitions_is_cut_or_made_for_itself_beside_partitions_that_are(
    changed: set[int], other: bool
) -> None:
    mill = Mill(passes=dict.fromkeys("abpuvw", False))
    with Project(mixed("1"), plugins=[mill], store="sqlite::memory:", io="memory:") as first:
        assert first.materialize(partition="all").ok
        mill.content = {f"a@2026-01-{day:02}": "1" for day in changed} | ({"p": "1"} if other else {})
        mill.made, mill.calls = [], []
        second = Project(mixed("2"), plugins=[mill], io="memory:")
        second.__dict__["store"] = first.store
        result = second.materialize(stale=True)
        assert result.ok
        assert {each.status for each in second.status()} == {"fresh"}
    below = [each for each in mill.made if each[0] not in "ap"]
    days = range(min(changed), max(changed) + 1) if changed else ()
    # What stands in one running invocation with what it is made from is made with it.
    beside = [*(["u"] if other else []), *(["v"] if changed else []), *(["w"] if changed or other else [])]
    assert sorted(below) == sorted([*(f"b@2026-01-{day:02}" for day in days), *beside])
    assert sum(not {"a", "p"} & set(each) for each in mill.calls) == bool(below)


@pytest.mark.parametrize("grid", [None, DAYS])
def test_a_check_of_a_function_that_was_cut_looks_at_what_came_out_otherwise_beside_it(
    grid: Any, tmp_path: Path
) -> None:
    seen: list[tuple[Any, str]] = []

    def run(code: str) -> RunResult:
        parted: dict[str, Any] = {"partitions_def": grid} if grid else {}

        @assetry.asset(code_version=code)
        def x() -> str:
            return code

        @assetry.asset(code_version=code, **parted)
        def a() -> int:
            return 1

        @assetry.asset(code_version="1", **parted)
        def b(a: int) -> int:
            return a

        @asset_check(asset=b, also=[x])
        def fits(b: Any, x: str) -> None:
            seen.append((b, x))

        functions = [x, a, b, fits]
        with Project(functions, root=tmp_path, store=f"sqlite:{tmp_path / 'state.db'}") as project:
            asked: Any = {"stale": True} if code == "2" else {"partition": "2026-01-01..2026-01-10"} if grid else {}
            result = project.materialize(**asked)
            assert result.ok, result.problems
            assert {each.status for each in project.status()} == {"fresh"}
            return result

    run("1")
    seen.clear()
    assert run("2").counts["unchanged"] == (10 if grid else 1)
    assert seen == [({f"2026-01-{day:02}": 1 for day in range(1, 11)} if grid else 1, "2")]


# -- told as such ----------------------------------------------------------------------------------------------------


def test_a_run_tells_of_it_as_json_and_keeps_it(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    project = bench.project(*chain("2"))
    result = bench.run(project, stale=True)
    line = next(event_to_json(each) for each in project.store.events(result.run.id) if each.event.name == "skipped")
    assert line["unchanged"] is True
    assert (line["asset"], line["because"]) == ("b", "unchanged: `a` came out as before")
    told = result_to_json(result.run, result.counts, result.outcomes.values(), [])
    assert told["counts"] == {"materialized": 1, "unchanged": 2}
    assert [each["outcome"] for each in told["assets"]] == ["materialized", "unchanged", "unchanged"]
    assert [each.event.assets for each in bench.events if isinstance(each.event, InvocationStarted)] == [("a",)]
    assert "unchanged" in next(event_line(each) for each in bench.events if isinstance(each.event, Skipped))


def test_a_tool_cannot_say_that_something_is_unchanged(bench: Bench) -> None:
    event = taken(Skipped("a", "I feel like it", unchanged=True), "Mill")
    assert isinstance(event, Skipped)
    assert not event.unchanged


def test_nothing_is_recorded_as_made_that_was_not(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    before = bench.project(*chain()).store.latest()
    project = bench.project(*chain("2"))
    bench.run(project, stale=True)
    after = project.store.latest()
    assert {key for key, made in after.items() if made != before[key]} == {(AssetKey("a"), None)}
    assert project.store.attempts(made=False) == {}


# -- the plan tells of it --------------------------------------------------------------------------------------------


def marks(project: Project, select: Any = None) -> dict[str, list[str]]:
    found = {}
    for each in plan_to_json(project.plan(select, stale=True))["invocations"]:
        assert each["may_be_cut"] == list(each["cut_by"])
        found |= each["cut_by"]
    return found


def test_a_plan_tells_what_may_be_cut_and_by_whom(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    project = bench.project(*chain("2"))
    assert marks(project) == {"b": ["a"], "c": ["b"]}
    assert marks(project, "b c") == {}, "a stays out of date"
    assert all(not each["may_be_cut"] for each in plan_to_json(project.plan())["invocations"])
    bench.mill.content["a"] = "1"
    bench.run(project, "a")
    assert marks(project) == {"c": ["b"]}, "it is certain that b is made: a has new content already"


def test_a_plan_does_not_tell_that_of_what_a_running_invocation_makes_with_its_input(bench: Bench) -> None:
    def assets(code: str) -> list[Asset]:
        a, b = ground("a", code_version=code), ground("b", "a", code_version="1")
        return [a, b, ground("c", "b", tool="n", code_version="1")]

    bench.run(bench.project(*assets("1")))
    assert marks(bench.project(*assets("2"))) == {"c": ["b"]}


# -- against brute force ---------------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[tuple[str, list[str], bool, bool]], dict[str, tuple[bool, int]]]:
    """Return assets (key, inputs, whether a view, whether what it reads is part of its content), and what changes."""
    assets: list[tuple[str, list[str], bool, bool]] = []
    for number in range(draw(st.integers(2, 7))):
        deps = [each[0] for each in assets if draw(st.booleans())]
        assets.append((f"x{number}", deps, bool(deps) and draw(st.integers(0, 4)) == 0, draw(st.booleans())))
    changes = {key: (draw(st.integers(0, 2)) == 0, draw(st.integers(0, 2))) for key, *_ in assets}
    return assets, changes


@given(histories())
@settings(max_examples=examples(30), deadline=None)
def test_what_is_cut_is_what_a_full_run_would_have_found_equal(
    history: tuple[list[tuple[str, list[str], bool, bool]], dict[str, tuple[bool, int]]],
) -> None:
    shape, changes = history

    def project(mill: Mill, second: bool) -> list[Asset]:
        mill.passes = {key: passes for key, _, _, passes in shape}
        if second:
            mill.content = {key: ["0", "1", None][content] for key, (_, content) in changes.items()}
        return [
            ground(
                key,
                *deps,
                tool="solo",
                computed_on_read=view,
                code_version="2" if second and changes[key][0] else "1",
            )
            for key, deps, view, _ in shape
        ]

    def ran(cut: bool) -> tuple[set[str], Mapping[Any, Materialization], Mapping[Any, Materialization], set[str]]:
        mill = Mill()
        with Project(project(mill, False), plugins=[mill], store="sqlite::memory:", io="memory:") as first:
            assert first.materialize().ok
            before = dict(first.store.latest())
            second = Project(project(mill, True), plugins=[mill], io="memory:")
            second.__dict__["store"] = first.store
            plan = second.plan(stale=True)
            possible = {str(key) for key in plan.cutoff}
            result = second.run(plan if cut else replace(plan, cutoff={}))
            assert result.ok
            left = {str(key) for key in result.keys("unchanged")}
            assert {each.status for each in second.status()} <= {"fresh"}, "of what was cut, too"
            return left, before, dict(first.store.latest()), possible

    found, _, _, possible = ran(True)
    none, before, after, _ = ran(False)
    assert not none
    graph = AssetGraph.of(project(Mill(), True))
    versions = Versions(graph, before)
    expected: set[str] = set()
    passes = {key: each for key, _, _, each in shape}
    told = {str(asset.key): before[asset.key, None].data_version for asset in graph.assets}
    # What was made anew comes first, so that versions are those of a run in which what is equal was left.
    for asset in graph.assets:
        read = versions.inputs(asset)
        old, new = before[asset.key, None], after[asset.key, None]
        if str(asset.key) in possible and read and all(old.inputs[key] == read[key] != "" for key in read):
            expected.add(str(asset.key))
            continue
        version, content = new.data_version, changes[asset.key][1]
        if new.run != old.run and content < 2:
            # In the full run it may have read what is left here.
            above = [told[dep.key] for dep in asset.deps] if passes[asset.key] else []
            version = told[asset.key] = ".".join([str(content), *above])
        versions.note(asset, None, version)
    assert found == expected


# -- collapsed again -------------------------------------------------------------------------------------------------


def two_ways(code: str, other: str) -> list[Asset]:
    """Return assets of which `c` is in another invocation of its tool than `b`, for what stands in between."""
    return [
        ground("a", tool="n", code_version=code),
        ground("b", "a", code_version="1"),
        ground("q", "b", tool="solo", code_version="1"),
        ground("c", "q", code_version=other),
        ground("slow", tool="one", code_version=other),
        ground("d", "slow", code_version="1"),
    ]


def test_what_is_left_is_collapsed_again_when_nothing_stands_between_it_any_more(bench: Bench) -> None:
    bench.run(bench.project(*two_ways("1", "1")))
    bench.mill.content["slow"] = "1"
    project = bench.project(*two_ways("2", "2"))
    plan = project.plan(stale=True)
    assert [str(a.key) for each in plan.invocations for a in each.invocation.assets if a.integration == MILLS["m"]] == [
        "b",
        "d",
        "c",
    ]
    result = bench.run(project, stale=True)
    assert result.ok
    assert sorted(bench.cut()) == ["b", "q"]
    calls = [each for each in bench.mill.calls if not {"a", "slow"} & set(each)]
    assert calls == [["c", "d"]]
    told = [each.event.message for each in bench.events if isinstance(each.event, Log)]
    assert told == ["What is left is collapsed anew, into 1 invocation."]
    ids = {each.invocation for each in bench.events if isinstance(each.event, InvocationStarted)}
    assert ids == {"1", "2", str(len(plan.invocations) + 1)}
    assert set(words(project).values()) == {"fresh"}


def test_what_is_to_be_built_anew_is_not_compared(bench: Bench) -> None:
    bench.run(bench.project(*chain()))
    bench.run(bench.project(*chain("2")), stale=True, full_refresh=True)
    assert bench.mill.made == ["a", "b", "c"]
