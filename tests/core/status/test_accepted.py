"""Records that count as made from what is defined now: what is accepted is answered, and nothing else is hidden."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.status.accepted import CAUSES, counted
from assetry.status.freshness.growth import Growth
from assetry.status.reasons import Code
from assetry.status.staleness import OUT_OF_DATE, Status
from assetry.status.versions import Versions
from assetry.types.assets import Asset, Column
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Accepted, Appended, Attempt, Materialization
from hypothesis import given
from hypothesis import strategies as st

from tests.judged import statuses

NOW = datetime(2026, 1, 31, tzinfo=UTC)
GRIDS = [None, None, DailyPartitionsDefinition("2026-01-26"), WeeklyPartitionsDefinition("2026-01-05")]
COLUMNS = [(), (Column("id", "integer"),), (Column("id", "text"), Column("note"))]


class World:
    """A graph with records that it has more or less to do with, and how its assets are."""

    def __init__(self, graph: AssetGraph, latest: Any, attempts: Any) -> None:
        self.graph, self.latest, self.attempts = graph, latest, attempts

    def statuses(self) -> dict[AssetKey, Status]:
        return {each.key: each for each in statuses(self.graph, self.latest, self.attempts, now=NOW)}

    def accept(self, key: AssetKey, causes: Any = CAUSES) -> None:
        asset = self.graph[key]
        versions, growth = Versions(self.graph, self.latest), Growth(self.graph, self.latest)
        for place, made in list(self.latest.items()):
            if place[0] == key:
                found = counted(self.graph, asset, made, versions.inputs(asset, place[1], NOW), growth, causes)
                self.latest[place] = found.made

    def versions(self) -> dict[Any, Any]:
        found = Versions(self.graph, self.latest)
        return {place: found.of(*place) for place in (*self.latest, *((key, None) for key in self.graph.keys))}


@st.composite
def worlds(draw: st.DrawFn) -> World:
    assets: list[Asset] = []
    for number in range(draw(st.integers(1, 6))):
        above = draw(st.lists(st.sampled_from(assets), unique_by=lambda each: each.key, max_size=2)) if assets else []
        view = bool(above) and draw(st.booleans())
        policy = FreshnessPolicy(NOW - datetime(2026, 1, 28, tzinfo=UTC)) if draw(st.booleans()) else None
        assets.append(
            Asset(
                key=f"a{number}",
                kind="x",
                deps=[each.key for each in above],
                code_version=draw(st.sampled_from([None, "c1", "c2"])),
                code_parts={"body": draw(st.sampled_from("12"))},
                columns=draw(st.sampled_from(COLUMNS)),
                computed_on_read=view,
                partitions_def=None if view else draw(st.sampled_from(GRIDS)),
                executable=bool(above) or draw(st.booleans()),
                freshness_policy=policy,
            )
        )
    graph = AssetGraph.of(assets)
    latest: dict[Any, Materialization] = {}
    attempts: dict[Any, Attempt] = {}
    names = [AssetKey(f"a{number}") for number in range(7)]
    for asset in graph.assets:
        keys = [None] if asset.partitions_def is None else list(asset.partitions_def.keys(NOW))[-2:]
        for key in keys:
            place, at = (asset.key, key), NOW.replace(day=draw(st.integers(10, 30)))
            if draw(st.integers(0, 4)):
                read = draw(st.lists(st.sampled_from(names), unique=True, max_size=3))
                latest[place] = Materialization(
                    **{"key": asset.key, "partition": key, "at": at, "run": "r"},
                    data_version=draw(st.sampled_from(["v1", "v2"])),
                    code_version=draw(st.sampled_from([None, "c1", "c2"])),
                    columns=draw(st.sampled_from([None, *COLUMNS[1:]])),
                    inputs={each: draw(st.sampled_from(["", "v1", "v2"])) for each in read if each != asset.key},
                )
            outcome: Any = draw(st.sampled_from([None, None, None, "failed", "check_failed", "cancelled", "gone"]))
            if outcome:
                attempts[place] = Attempt(key=asset.key, partition=key, run="s", at=at, outcome=outcome)
    return World(graph, latest, attempts)


def hidden(status: Status) -> dict[Code, int]:
    """Return what no acceptance may take away: by code, how many partitions."""
    found: dict[Code, int] = {}
    for reason in status.reasons:
        if reason.is_of(status.key) and reason.code not in CAUSES:
            found[reason.code] = found.get(reason.code, 0) + max(len(reason.parts), 1)
    return found


@given(worlds(), st.data())
def test_what_is_accepted_is_answered_and_nothing_else_is_hidden_or_made_stale(
    world: World, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from([asset.key for asset in world.graph.assets if asset.executable] or [None]))
    if key is None:
        return
    before, versions = world.statuses(), world.versions()
    world.accept(key)
    after = world.statuses()
    assert world.versions() == versions, "it holds something else now"
    own = [reason for reason in after[key].reasons if reason.is_of(key)]
    assert not [reason for reason in own if reason.code in CAUSES]
    for each in world.graph.keys:
        was, now = hidden(before[each]), hidden(after[each])
        if each != key:
            # What is accepted counts as what it would be now: so more of what is made from it has had all of its data.
            assert now.pop("provisional", 0) <= was.pop("provisional", 0)
        assert now == was
        assert after[each].status == before[each].status or before[each].status in OUT_OF_DATE
        # What was up to date stays so.
        assert (after[each].status in OUT_OF_DATE) <= (before[each].status in OUT_OF_DATE)
    # What is left of it comes from what is out of date above it.
    above = [world.graph.keys[j] for j in world.graph.ancestors([world.graph.index(key)])]
    if not any(after[each].status in OUT_OF_DATE for each in above):
        assert {reason.asset for reason in after[key].reasons} <= {key}
    world.accept(key)
    assert world.statuses() == after, "accepted twice is accepted once"


@given(worlds(), st.data())
def test_one_cause_answers_no_other(world: World, data: st.DataObject) -> None:
    keys = [asset.key for asset in world.graph.assets if asset.executable]
    if not keys:
        return
    key, cause = data.draw(st.sampled_from(keys)), data.draw(st.sampled_from(CAUSES))
    before = world.statuses()[key]
    world.accept(key, [cause])
    after = world.statuses()[key]
    texts = [
        {(reason.code, reason.text) for reason in each.reasons if reason.is_of(key) and reason.code != cause}
        for each in (before, after)
    ]
    assert texts[0] == texts[1]


AT = datetime(2026, 1, 1, tzinfo=UTC)
MADE = Materialization(key=AssetKey("a"), at=AT, run="r", data_version="1", code_version="c1", seconds=2.0)


def test_the_content_and_the_run_that_made_it_stay_what_they_are() -> None:
    graph = AssetGraph.of([Asset(key="a", kind="x", code_version="c2", code_parts={"body": "b2"})])
    found = counted(graph, graph["a"], MADE, {}, Growth(graph, {})).made
    assert replace(found, code_version="c1", code_parts={}, accepted=None) == MADE
    again = AssetGraph.of([Asset(key="a", kind="x", code_version="c3")])
    twice = counted(again, again["a"], found, {}, Growth(again, {})).made
    assert twice.accepted == Accepted("c1"), "the code that it was really made with"


def test_columns_are_accepted_as_they_differ_now_and_no_further() -> None:
    made = replace(MADE, columns=(Column("id", "integer"),))
    key = AssetKey("a")

    def reasons(record: Materialization, *columns: Column) -> list[str]:
        graph = AssetGraph.of([Asset(key="a", kind="x", code_version="c1", columns=columns)])
        return [each.text for each in statuses(graph, {(key, None): record}, {}, now=AT)[0].reasons]

    note, extra = Column("note"), Column("extra")
    graph = AssetGraph.of([Asset(key="a", kind="x", code_version="c1", columns=[note])])
    accepted = counted(graph, graph["a"], made, {}, Growth(graph, {})).made
    assert accepted.columns == made.columns
    assert reasons(made, note) == ["`note` is declared but not there"]
    assert reasons(accepted, note) == []
    assert reasons(accepted, note, extra) == ["`extra` is declared but not there"]
    assert reasons(accepted, extra) == ["`extra` is declared but not there"]


def test_a_view_whose_code_was_accepted_is_no_news_to_what_reads_it() -> None:
    assets = [
        Asset(key="raw", kind="x"),
        Asset(key="view", kind="x", deps=["raw"], code_version="c2", computed_on_read=True),
        Asset(key="b", kind="x", deps=["view"]),
    ]
    world = World(AssetGraph.of(assets), {}, {})
    raw, view, b = world.graph.keys
    world.latest[raw, None] = replace(MADE, key=raw)
    world.latest[view, None] = replace(MADE, key=view, inputs={raw: "1"})
    seen = Versions(world.graph, world.latest).inputs(world.graph["b"])
    world.latest[b, None] = replace(MADE, key=b, inputs=seen)
    assert [each.status for each in world.statuses().values()] == ["fresh", "stale", "stale"]
    world.accept(view)
    assert [each.status for each in world.statuses().values()] == ["fresh", "fresh", "fresh"]


def test_what_grows_and_was_loaded_anew_leaves_alone_what_it_was_accepted_for() -> None:
    days = DailyPartitionsDefinition("2026-01-29")
    assets = [
        Asset(key="raw", kind="x", grows="append"),
        Asset(key="daily", kind="x", deps=["raw"], partitions_def=days),
    ]
    world = World(AssetGraph.of(assets), {}, {})
    raw, daily = world.graph.keys
    for day in ("2026-01-29", "2026-01-30"):
        world.latest[daily, day] = Materialization(
            **{"key": daily, "partition": day, "at": NOW, "run": "r", "data_version": day, "inputs": {raw: "v1"}},
            appended={raw: Appended(NOW, "e1")},
        )

    def word(version: str, epoch: str) -> str:
        world.latest[raw, None] = replace(MADE, key=raw, data_version=version, epoch=epoch)
        return world.statuses()[daily].status

    assert [word("v2", "e1"), word("v3", "e2")] == ["fresh", "stale"]
    world.accept(daily)
    assert [word("v3", "e2"), word("v4", "e2"), word("v5", "e3")] == ["fresh", "fresh", "stale"]
    assert world.latest[daily, "2026-01-30"].appended == {raw: Appended(NOW, "e2")}
