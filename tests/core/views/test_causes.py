"""What is out of date, grouped by what it is out of date from."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.status.reasons import Reason
from assetry.status.staleness import OUT_OF_DATE, Status
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Materialization
from assetry.views.causes import Cause, causes, roots_of
from hypothesis import given
from hypothesis import strategies as st

from tests.judged import statuses

NOW = datetime(2026, 1, 31, tzinfo=UTC)
A, B = AssetKey("a"), AssetKey("b")
TWO = AssetGraph.of([Asset(key="a", kind="x", owners=["ana"]), Asset(key="b", kind="x", deps=["a"])])


def test_an_asset_is_told_with_all_that_is_wrong_in_itself() -> None:
    own = (
        Reason("last_failed", A, "the last attempt failed: no.\nmore"),
        Reason("code_changed", A, "its body changed"),
    )
    (cause,) = causes(TWO, [Status(A, "failed", own, roots=(A,)), Status(B, "fresh")])
    assert (cause.text, cause.named, cause.owners) == ("the last attempt failed: no; its body changed", False, ("ana",))


def test_a_root_that_is_up_to_date_itself_is_told_by_its_new_content() -> None:
    why = Reason("upstream_changed", A, "3 of 9 partitions: `a` was made anew at …")
    found = [Status(A, "fresh", last_materialized=NOW), Status(B, "stale", (why,), roots=(A,))]
    (cause,) = causes(TWO, found)
    assert (cause.assets, cause.status, cause.below) == ((A,), "stale", {"stale": (B,)})
    assert (cause.text, cause.named) == ("`a` was made anew at 2026-01-31 00:00:00 UTC", True)
    assert causes(TWO, found, {A}) == []


def test_failures_come_first_and_then_what_most_is_below_of() -> None:
    made = [("f", []), ("s", []), ("t", []), ("u", ["t"]), ("v", ["t", "f"])]
    graph = AssetGraph.of([Asset(key=key, kind="x", deps=deps) for key, deps in made])
    f, s, t, u, v = graph.keys
    found = [
        Status(f, "failed", (Reason("last_failed", f, "failed"),), roots=(f,)),
        *(Status(key, "stale", (Reason("code_changed", key, "changed"),), roots=(key,)) for key in (s, t)),
        Status(u, "stale", roots=(t,)),
        Status(v, "never", (Reason("never_materialized", v, "never"),), roots=(f, t)),
    ]
    told = causes(graph, found)
    assert [(each.assets, each.below) for each in told] == [
        ((f,), {"never": (v,)}),
        ((t,), {"stale": (u,), "never": (v,)}),
        ((s,), {}),
    ]
    assert (roots_of(found, "stale"), roots_of(found, "never"), roots_of(found, "fresh")) == (2, 2, 0)


def test_what_failed_by_the_same_words_is_told_once() -> None:
    graph = AssetGraph.of([Asset(key=key, kind="x") for key in "abc"])
    a, b, c = graph.keys
    told = ((a, "no grain", "Buy some."), (b, "no grain", "Buy some."), (c, "no grain", None))
    found = [
        Status(key, "failed", (Reason("last_failed", key, text, hint=hint),), roots=(key,)) for key, text, hint in told
    ]
    assert [(each.assets, each.hints) for each in causes(graph, found)] == [((a, b), ("Buy some.",)), ((c,), ())]


def test_what_a_failure_tells_already_is_not_told_once_more() -> None:
    a = AssetKey("a")
    failed = Reason("last_failed", a, "its columns are wrong: `nome` is declared but not there.")
    differs = Reason("columns_differ", a, "`nome` is declared but not there")
    [cause] = causes(AssetGraph.of([Asset(key="a", kind="x")]), [Status(a, "failed", (failed, differs), roots=(a,))])
    assert (cause.text, cause.reasons) == (failed.text, (failed, differs))


def test_what_is_being_made_is_a_root_with_its_own_word() -> None:
    running = Status(A, "running", (Reason("code_changed", A, "its body changed"),))
    found = [running, Status(B, "stale", (Reason("upstream_changed", A, "`a` is out of date"),), roots=(A,))]
    assert [(each.status, each.text, each.count) for each in causes(TWO, found)] == [("running", "its body changed", 1)]


GRIDS = [None, DailyPartitionsDefinition("2026-01-05"), WeeklyPartitionsDefinition("2026-01-05")]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[AssetGraph, list[Status]]:
    """Return a graph and how its assets are, after some were made, some failed, and some code changed."""
    assets: list[Asset] = []
    for number in range(draw(st.integers(1, 6))):
        above = draw(st.lists(st.sampled_from(assets), unique_by=lambda each: each.key, max_size=2)) if assets else []
        view, outside = draw(st.booleans()), not above and draw(st.booleans())
        assets.append(
            Asset(
                key=f"a{number}",
                kind="x",
                deps=[each.key for each in above],
                code_version=draw(st.sampled_from("12")),
                computed_on_read=view and bool(above),
                executable=not outside,
                partitions_def=draw(st.sampled_from(GRIDS)),
            )
        )
    graph = AssetGraph.of(assets)
    latest, attempts = {}, {}
    for asset in graph.assets:
        keys = [None] if asset.partitions_def is None else list(asset.partitions_def.keys(NOW))[-2:]
        for key in keys:
            place, at = (asset.key, key), NOW.replace(day=draw(st.integers(10, 30)))
            if draw(st.integers(0, 3)):
                inputs = {dep.key: draw(st.sampled_from(["v1", "v2"])) for dep in asset.deps}
                version = draw(st.sampled_from(["v1", "v2"]))
                latest[place] = Materialization(
                    **{"key": asset.key, "partition": key, "at": at, "run": "r", "data_version": version},
                    code_version="1",
                    inputs=inputs,
                )
            if not draw(st.integers(0, 4)):
                attempts[place] = Attempt(key=asset.key, partition=key, run="s", at=at, outcome="failed")
    return graph, list(statuses(graph, latest, attempts, now=NOW))


@given(worlds())
def test_every_asset_that_is_out_of_date_is_a_root_or_below_one(world: tuple[AssetGraph, list[Status]]) -> None:
    graph, found = world
    told = causes(graph, found)
    out = {each.key for each in found if each.status in OUT_OF_DATE}
    roots = {key for cause in told for key in cause.assets}
    below = {key for cause in told for keys in cause.below.values() for key in keys}
    assert out <= roots | below
    assert not roots & below
    assert below <= out
    above = {key: {graph.keys[j] for j in graph.ancestors([i])} for i, key in enumerate(graph.keys)}
    for cause in told:
        for keys in cause.below.values():
            # One that was never made stands with others of its kind.
            assert all(above[key] & set(cause.assets) for key in keys)


def test_a_cause_counts_what_is_below_it() -> None:
    assert Cause((A,), "stale", (), "changed", below={"stale": (B,), "never": (A, B)}).count == 3
