"""A judgement that goes on from an earlier one is the one that begins with nothing, whatever has happened between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.graph import overlay
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.status import comparison, roots, staleness
from assetry.status.staleness import Judgement, _Judge, judge
from assetry.status.versions import Versions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Attempt, Look, Materialization
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
POLICIES = [
    None,
    None,
    FreshnessPolicy(max_age=HOUR),
    FreshnessPolicy(maximum_lag=HOUR),
    FreshnessPolicy(maximum_lag=HOUR, cron="0 */3 * * *"),
]
GRIDS = [StaticPartitionsDefinition(["x", "y"]), DailyPartitionsDefinition("2026-01-02")]
KINDS = ("table", "table", "table", "incremental", "view", "append", "never", "source", "dashboard")


@pytest.fixture(autouse=True, scope="module")
def _few_roots() -> Iterator[None]:
    """Let an asset name few roots, so that small graphs have assets below more."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (roots, comparison):
            patched.setattr(module, "MOST_ROOTS", 2)
        # Of a small graph a few are most of it: let them not be copied at each step.
        patched.setattr(overlay, "_FEW", 2)
        yield


class Anew(_Judge):
    """A judge that goes on from nothing, and is given all records there are."""

    story: Story

    def __init__(
        self, graph: Any, given: Any, latest: Any, recorded: Any, demands: Any = None, before: Any = None
    ) -> None:
        super().__init__(graph, given, self.story.latest, recorded, demands)


@dataclass
class Story:
    """Definitions, what has happened, and which assets it has happened to since it was judged last."""

    graph: AssetGraph
    now: datetime = START
    latest: dict[Any, Materialization] = field(default_factory=dict)
    attempts: dict[Any, Attempt] = field(default_factory=dict)
    running: dict[AssetKey, str] = field(default_factory=dict)
    seen: dict[Any, bool] = field(default_factory=dict)
    looks: dict[Any, Look] = field(default_factory=dict)
    newer_than: dict[AssetKey, datetime] = field(default_factory=dict)
    new: set[AssetKey] = field(default_factory=set)
    run: int = 0

    def happen(self, step: tuple[str, int, int]) -> None:
        """Let something happen to the asset of a number, one way or another."""
        what, number, way = step
        asset = self.graph.assets[number % len(self.graph)]
        self.run += 1
        parts = [None] if asset.partitions_def is None else [*asset.partitions_def.keys(START)][:2]
        part = None if way == 7 else parts[way % len(parts)]
        getattr(self, what)(asset, part, way)

    def made(self, asset: Asset, part: str | None, way: int) -> None:
        told = {"epoch": f"e{way % 2}"} if way > 5 else {}
        self.latest[asset.key, part] = Materialization(
            key=asset.key,
            partition=part,
            at=self.now,
            run=f"r{self.run}",
            data_version=f"v{way % 3}",
            code_version=asset.code_version if way else "older",
            code_parts=asset.code_parts,
            inputs=Versions(self.graph, self.latest).inputs(asset, part) if way != 1 else {},
            as_of=self.now - HOUR if way == 2 else None,
            **told,
        )
        self.attempts.pop((asset.key, part), None)
        self.new.add(asset.key)

    def all_above(self, asset: Asset, _part: str | None, way: int) -> None:
        i = self.graph.index(asset.key)
        for j in sorted({i, *self.graph.ancestors([i])}):
            upper = self.graph.assets[j]
            for part in (None,) if upper.partitions_def is None else upper.partitions_def.keys(START):
                self.made(upper, part, 3 + way % 3)

    def tried(self, asset: Asset, part: str | None, way: int) -> None:
        outcome: Any = ("failed", "cancelled", "gone", "skipped", "check_failed", "running", "unchanged", "failed")[way]
        at = self.now - MINUTE * (way % 2)
        self.attempts[asset.key, part] = Attempt(
            key=asset.key, partition=part, run=f"r{self.run - way % 2}", at=at, outcome=outcome, message=f"m{way}"
        )

    def ran(self, asset: Asset, _part: str | None, way: int) -> None:
        if self.running.pop(asset.key, None) is None:
            self.running[asset.key] = f"r{self.run - way % 3}"

    def looked(self, asset: Asset, part: str | None, way: int) -> None:
        if way < 4:
            self.seen[asset.key, part] = not self.seen.get((asset.key, part), True)
        else:
            self.looks[asset.key, part] = Look(
                key=asset.key, partition=part, at=self.now, data_version=f"v{way % 3}", as_of=self.now
            )

    def passed(self, _asset: Asset, _part: str | None, way: int) -> None:
        self.now += (-MINUTE, MINUTE, 31 * MINUTE, HOUR, 2 * HOUR, 25 * HOUR, -HOUR, HOUR + MINUTE)[way]

    def asked(self, asset: Asset, _part: str | None, way: int) -> None:
        if self.newer_than.pop(asset.key, None) is None:
            self.newer_than[asset.key] = self.now - way * 20 * MINUTE

    def judged(self, before: Judgement | None) -> Judgement:
        parted = {asset.key for asset in self.graph.assets if asset.partitions_def is not None}
        told = self.latest
        if before is not None:
            told = {place: made for place, made in told.items() if place[0] in self.new or place[0] in parted}
        return judge(
            self.graph,
            told,
            dict(self.attempts),
            running=dict(self.running),
            now=self.now,
            seen=dict(self.seen),
            looks=dict(self.looks),
            durations={key: [60.0] for key in self.graph.keys},
            newer_than=dict(self.newer_than),
            before=before,
        )


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    assets: list[Asset] = []
    grid = draw(st.sampled_from(GRIDS))
    for number in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(KINDS))
        above = [each.key for each in assets[-4:]]
        deps = draw(st.lists(st.sampled_from(above), unique=True, min_size=1, max_size=3)) if above else []
        more: dict[str, Any] = {
            "incremental": {"incremental": True, "grows": "append"},
            "view": {"computed_on_read": True},
            "append": {"grows": "append"},
            "never": {"grows": "never"},
            "source": {
                "executable": False,
                "code_version": None,
                "grows": draw(st.sampled_from(["append", "replace"])),
            },
            "dashboard": {"executable": False, "consumer": True},
        }.get(kind, {})
        if kind in ("table", "source"):
            more["partitions_def"] = draw(st.sampled_from([None, None, None, grid]))
        if kind == "source":
            deps = []
        policy = draw(st.sampled_from(POLICIES)) if kind != "view" else None
        own = {"key": f"a{number}", "deps": deps, "code_version": "1", "freshness_policy": policy}
        assets.append(Asset(kind="x", **{**own, **more}))
    return AssetGraph.of(assets)


WHAT = ("made", "made", "all_above", "tried", "ran", "looked", "passed", "asked")
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 8), st.integers(0, 7)), min_size=1, max_size=4)


def same(story: Story, before: Judgement | None) -> Judgement:
    """Judge both ways, and return what goes on."""
    going_on = story.judged(before)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(staleness, "_Judge", Anew)
        patched.setattr(Anew, "story", story, raising=False)
        anew = story.judged(None)
    for here, there in zip(going_on.statuses, anew.statuses, strict=True):
        assert here == there
    assert dict(going_on.data_times) == dict(anew.data_times)
    story.new.clear()
    return going_on


@settings(max_examples=examples(400))
@given(graphs(), st.booleans(), st.lists(STEPS, min_size=1, max_size=8))
def test_what_goes_on_is_what_begins_anew(
    graph: AssetGraph, made: bool, turns: list[list[tuple[str, int, int]]]
) -> None:
    story = Story(graph)
    for number in range(len(graph)) if made else ():
        story.happen(("made", number, 3))
    before = same(story, None)
    for steps in turns:
        for step in steps:
            story.happen(step)
        before = same(story, before)


@settings(max_examples=examples(100))
@given(graphs(), STEPS, STEPS)
def test_a_judgement_stays_as_it_is_when_another_goes_on_from_it(graph: AssetGraph, first: Any, then: Any) -> None:
    story = Story(graph)
    for step in first:
        story.happen(step)
    one = story.judged(None)
    kept, times = one.statuses, dict(one.data_times)
    story.new.clear()
    for step in then:
        story.happen(step)
    two = story.judged(one)
    assert (one.statuses, dict(one.data_times)) == (kept, times)
    again = story.judged(one)  # two may go on from one
    assert (again.statuses, dict(again.data_times)) == (two.statuses, dict(two.data_times))


def chain(size: int, policy: FreshnessPolicy | None = None) -> Story:
    story = Story(
        AssetGraph.of(
            Asset(key=f"a{i}", kind="x", code_version="1", deps=[f"a{i - 1}"] if i else [], freshness_policy=policy)
            for i in range(size)
        )
    )
    for asset in story.graph.assets:
        story.made(asset, None, 3)
    return story


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the assets that are judged, as they are."""
    found: list[str] = []
    one = _Judge._judge

    def noted(self: _Judge, i: int, asset: Asset) -> Any:
        found.append(str(asset.key))
        return one(self, i, asset)

    monkeypatch.setattr(_Judge, "_judge", noted)
    return found


def names(numbers: Iterable[int]) -> list[str]:
    return [f"a{i}" for i in numbers]


def test_only_what_is_touched_is_judged_and_what_that_reaches(judged: list[str]) -> None:
    story = chain(20)
    before = story.judged(None)
    assert judged == names(range(20))
    judged.clear()
    story.new.clear()
    before = story.judged(before)
    assert judged == []
    story.now += MINUTE
    story.made(story.graph.assets[5], None, 3)  # with the same content: what reads it learns that it is the same
    before = story.judged(before)
    assert judged == ["a5", "a6"]
    judged.clear()
    story.new.clear()
    story.made(story.graph.assets[17], None, 4)
    before = story.judged(before)
    assert judged == ["a17", "a18", "a19"]


def test_what_becomes_too_old_is_judged_when_it_does(judged: list[str]) -> None:
    story = chain(3, FreshnessPolicy(max_age=HOUR))
    before = story.judged(None)
    story.new.clear()
    judged.clear()
    story.now += HOUR
    before = story.judged(before)
    assert judged == []
    story.now += MINUTE
    before = story.judged(before)
    assert judged == names(range(3))
    assert {each.status for each in before.statuses} == {"stale"}


def test_a_judgement_of_other_definitions_is_not_gone_on_from() -> None:
    story = chain(3)
    before = story.judged(None)
    other = replace(story, graph=AssetGraph.of(replace(each, code_version="2") for each in story.graph.assets))
    assert not before.is_of(other.graph)
    assert {each.status for each in other.judged(None).statuses} == {"stale"}


def table(key: str, *deps: str, **given: Any) -> Asset:
    return Asset(**{"key": key, "kind": "x", "code_version": "1", "deps": deps, **given})


class TestWhatIsHandedOn:
    """What is hard to come by: that one thing alone is handed on anew."""

    def story(self, *assets: Asset) -> Story:
        return Story(AssetGraph.of(assets))

    def make(self, story: Story, key: str, way: int = 3) -> None:
        asset = story.graph[key]
        for part in (None,) if asset.partitions_def is None else asset.partitions_def.keys(START):
            story.made(asset, part, way)

    def test_that_more_is_out_of_date_above(self) -> None:
        story = self.story(*map(table, "abc"), table("t", "a", "b", "c"), table("u", "t"))
        for key in "ctu":
            self.make(story, key)
        before = same(story, None)
        story.tried(story.graph["c"], None, 0)
        after = same(story, before)
        assert before.statuses[4].roots == after.statuses[4].roots
        assert after.statuses[4].reasons[-1].text.endswith("; more above it is out of date")

    def test_when_what_a_view_shows_was_made(self) -> None:
        story = self.story(table("a"), table("b"), table("v", "a", "b", computed_on_read=True), table("c", "v"))
        for key in "abvc":
            self.make(story, key)
        story.now += MINUTE
        self.make(story, "a", 4)
        before = same(story, None)
        story.now += MINUTE
        self.make(story, "b")
        assert list(map(str, same(story, before).statuses[3].roots)) == ["a", "b"]

    def test_what_a_view_shows_that_was_made_by_a_clock_set_back(self) -> None:
        tables = [table(key) for key in "abcd"]
        story = self.story(*tables, table("v", *"abcd", computed_on_read=True), table("e", "v"))
        for key in "abcdve":
            self.make(story, key)
        before = same(story, None)
        story.now -= HOUR
        self.make(story, "a", 4)  # the view shows newer ones than that, as before
        assert same(story, before).statuses[5].status == "stale"

    def test_what_makes_anew_what_was_there_before(self) -> None:
        days = DailyPartitionsDefinition("2026-01-02")
        view = table("v", "a", computed_on_read=True)
        story = self.story(table("a", grows="append"), view, table("p", "v", partitions_def=days))
        for key in "avp":
            self.make(story, key)
        story.tried(story.graph["a"], None, 0)
        before = same(story, None)
        story.looked(story.graph["a"], None, 0)
        same(story, before)
