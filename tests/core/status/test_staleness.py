import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.status.comparison import MOST_ROOTS
from assetry.status.partitions.sums import UNKNOWN
from assetry.status.staleness import STATUS_NAMES, stale_keys
from assetry.status.versions import Versions
from assetry.types.assets import Asset, Column, Dep
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Attempt, Materialization
from assetry.views.json import status_to_json
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.judged import statuses

START = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC)


def table(key, *deps, **given):
    given.setdefault("code_version", "1")
    return Asset(key=key, kind="test", deps=deps, **given)


def view(key, *deps, **given):
    return table(key, *deps, computed_on_read=True, **given)


def source(key, **given):
    return replace(table(key, executable=False, code_version=None), **given)


@dataclass
class World:
    """Definitions that change, and records as a run makes them."""

    assets: dict = field(default_factory=dict)
    latest: dict = field(default_factory=dict)
    attempts: dict = field(default_factory=dict)
    clock: int = 0
    run: int = 0

    @classmethod
    def of(cls, *assets):
        return cls({asset.key: asset for asset in assets})

    @property
    def graph(self):
        return AssetGraph.of(self.assets.values())

    @property
    def now(self):
        return START + timedelta(minutes=self.clock)

    def change(self, key, **given):
        self.assets[key] = replace(self.assets[key], **given)

    def make(self, *keys, version=None, partition=None, **given):
        """Make assets in one run; each time with new content unless `version` says which."""
        self.run += 1
        for key in keys:
            self.clock += 1
            asset = self.graph[key]
            self.latest[asset.key, partition] = Materialization(
                key=asset.key,
                partition=partition,
                at=self.now,
                run=f"r{self.run}",
                data_version=version or f"{key}@{self.clock}",
                code_version=asset.code_version,
                code_parts=asset.code_parts,
                inputs=Versions(self.graph, self.latest).inputs(asset, partition),
                **given,
            )
            self.tried(key, "materialized", partition=partition)

    def make_all(self):
        self.make(*(asset.key for asset in self.graph.assets if asset.executable))

    def observe(self, key, version):
        self.clock += 1
        self.latest[AssetKey(key), None] = Materialization(
            key=AssetKey(key), at=self.now, run="outside", data_version=version
        )

    def tried(self, key, outcome, message=None, *, partition=None, run=None, **given):
        self.attempts[AssetKey(key), partition] = Attempt(
            key=AssetKey(key),
            partition=partition,
            run=run or f"r{self.run}",
            at=self.now,
            outcome=outcome,
            message=message,
            **given,
        )

    def fail(self, key, message="it broke", outcome="failed", **given):
        self.clock += 1
        self.run += 1
        self.tried(key, outcome, message, **given)

    def statuses(self, **given):
        given.setdefault("now", self.now)
        return {each.key: each for each in statuses(self.graph, self.latest, self.attempts, **given)}

    def words(self, **given):
        return {str(key): each.status for key, each in self.statuses(**given).items()}

    def why(self, key, **given):
        return [tuple(map(str, reason[:3])) for reason in self.statuses(**given)[key].reasons]


@pytest.fixture
def chain():
    world = World.of(source("raw"), table("a", "raw"), table("b", "a"), table("c", "b"))
    world.make_all()
    return world


class TestWords:
    def test_nothing_made_yet(self):
        world = World.of(source("raw"), table("a", "raw"), table("b", "a"))
        assert world.words() == {"raw": "external", "a": "never", "b": "never"}
        assert world.why("b") == [("never_materialized", "b", "never materialized")]

    def test_all_made(self, chain):
        assert chain.words() == {"raw": "external", "a": "fresh", "b": "fresh", "c": "fresh"}
        status = chain.statuses()["b"]
        assert (status.reasons, status.run) == ((), "r1")
        assert status.last_materialized == chain.latest["b", None].at

    def test_code_changed_names_the_parts_and_is_the_root_of_all_below(self, chain):
        chain.change("a", code_version="2")
        assert chain.words() == {"raw": "external", "a": "stale", "b": "stale", "c": "stale"}
        assert chain.why("a") == [("code_changed", "a", "its code changed")]
        below = [("upstream_changed", "a", "`a` is out of date: its code changed")]
        assert chain.why("b") == chain.why("c") == below

    def test_the_changed_parts_are_named(self):
        world = World.of(table("a", code_parts={"body": "1", "config": "1", "macros": "1"}))
        world.make_all()
        world.change("a", code_version="2", code_parts={"body": "2", "config": "1", "vars": "1"})
        # A body that no longer calls a macro, and asks for a var instead, is what was changed.
        assert world.why("a") == [("code_changed", "a", "its body changed")]
        world.change("a", code_version="3", code_parts={"body": "1", "config": "1", "vars": "1"})
        assert world.why("a") == [("code_changed", "a", "its vars and macros changed")]

    def test_an_unknown_code_version_is_no_change(self, chain):
        chain.change("a", code_version=None)
        assert chain.words()["a"] == "fresh"

    def test_a_change_taken_back_is_none(self, chain):
        chain.change("a", code_version="2")
        chain.change("a", code_version="1")
        assert stale_keys(chain.statuses().values()) == ()

    def test_two_roots_are_both_named_in_order(self, chain):
        chain.change("a", code_version="2")
        chain.change("b", code_version="2")
        assert [reason[:2] for reason in chain.why("b")] == [("code_changed", "b"), ("upstream_changed", "a")]
        assert [reason[:2] for reason in chain.why("c")] == [("upstream_changed", "a"), ("upstream_changed", "b")]

    def test_new_content_names_what_was_made_when(self, chain):
        chain.make("a")
        assert chain.words() == {"raw": "external", "a": "fresh", "b": "stale", "c": "stale"}
        reason = ("upstream_changed", "a", "`a` was made anew at 2026-01-02 03:04:00 UTC")
        assert chain.why("b") == chain.why("c") == [reason]

    def test_an_input_that_changed_while_it_was_read_is_news(self, chain):
        """Another run made `a` anew after `b` had read it and before `b` was done."""
        chain.make("a")
        chain.latest["b", None] = replace(chain.latest["b", None], at=chain.now + timedelta(minutes=1))
        assert chain.words() == {"raw": "external", "a": "fresh", "b": "stale", "c": "stale"}

    def test_a_root_with_two_faults_is_named_once_with_the_worse(self, chain):
        chain.make("a")
        chain.change("a", code_version="2")
        assert chain.why("b") == chain.why("c") == [("upstream_changed", "a", "`a` is out of date: its code changed")]

    def test_early_cutoff(self, chain):
        before = chain.latest["a", None].data_version
        chain.make("a")
        chain.make("a", version=before)
        assert stale_keys(chain.statuses().values()) == ()

    def test_a_missing_asset_in_the_middle(self, chain):
        del chain.latest["b", None]
        assert chain.why("c") == [("upstream_changed", "b", "`b` was never materialized")]
        assert stale_keys(chain.statuses().values()) == ("b", "c")

    def test_never_made_below_a_cause_is_no_cause_of_its_own(self, chain):
        del chain.latest["b", None]
        chain.change("a", code_version="2")
        assert [reason[:2] for reason in chain.why("c")] == [("upstream_changed", "a")]

    def test_many_roots_are_cut_short_and_say_so(self):
        roots = [table(f"r{n:02}") for n in range(20)]
        world = World.of(*roots, table("x", *(root.key for root in roots)), table("y", "x"))
        world.make_all()
        for root in roots:
            world.change(root.key, code_version="2")
        for key in ("x", "y"):
            reasons = world.why(key)
            assert [reason[1] for reason in reasons] == [f"r{n:02}" for n in range(MOST_ROOTS)]
            assert [reason[2].endswith("more above it is out of date") for reason in reasons] == [False] * 7 + [True]


class TestFailures:
    def test_a_failure_after_the_last_materialization(self, chain):
        chain.fail("b", "Database Error\n  no such column:  x")
        assert chain.words() == {"raw": "external", "a": "fresh", "b": "failed", "c": "stale"}
        text = "the last attempt failed: Database Error no such column: x"
        assert chain.why("b") == [("last_failed", "b", text)]
        assert chain.why("c") == [("upstream_changed", "b", f"`b` failed: {text}")]

    def test_a_failure_before_it_is_over(self, chain):
        chain.fail("b")
        chain.make("b", version=chain.latest["b", None].data_version)
        assert stale_keys(chain.statuses().values()) == ()

    def test_a_failed_first_attempt_is_failed_not_never(self):
        world = World.of(table("a"))
        world.fail("a")
        assert world.words() == {"a": "failed"}
        assert world.why("a") == [("last_failed", "a", "the last attempt failed: it broke")]

    def test_a_failed_check_is_named_even_when_it_reported_first(self, chain):
        chain.make("b", version=chain.latest["b", None].data_version)
        chain.tried("b", "check_failed", "check not_null_b_id failed: 3 rows")
        chain.attempts["b", None] = replace(chain.attempts["b", None], at=chain.now - timedelta(seconds=1))
        assert chain.words()["b"] == "failed"
        assert chain.why("b") == [("last_failed", "b", "check not_null_b_id failed: 3 rows")]

    def test_a_long_message_is_cut(self, chain):
        chain.fail("b", "x" * 10_000)
        assert len(chain.why("b")[0][2]) < 400

    def test_a_failure_and_what_else_is_wrong(self, chain):
        chain.fail("b")
        chain.change("b", code_version="2")
        assert [reason[0] for reason in chain.why("b")] == ["last_failed", "code_changed"]
        assert chain.words()["b"] == "failed"

    def test_a_skip_that_left_nothing_behind_names_its_root(self):
        world = World.of(table("a"), table("b", "a"))
        world.fail("a")
        world.tried("b", "skipped", "a failed", because=AssetKey("a"))
        assert world.words() == {"a": "failed", "b": "never"}
        assert world.why("b") == [
            ("never_materialized", "b", "never materialized; skipped in run r1: `a` stood in the way")
        ]
        world.tried("b", "skipped", "`a` failed")
        assert world.why("b")[0][2] == "never materialized; skipped in run r1: `a` failed"

    def test_a_skip_that_the_asset_brought_on_itself_keeps_its_reason(self):
        world = World.of(table("a"))
        world.tried("a", "skipped", "connection 'crm' is paused", because=AssetKey("a"))
        assert world.why("a")[0][2] == "never materialized; skipped in run r0: connection 'crm' is paused"

    def test_a_skip_alone_makes_nothing_stale(self, chain):
        chain.fail("b", "`a` failed", outcome="skipped")
        assert chain.words()["b"] == "fresh"

    def test_an_interrupted_attempt(self, chain):
        chain.fail("b", "interrupted: the process that was making it is gone")
        assert chain.words()["b"] == "failed"


class TestDependencies:
    def test_one_more(self, chain):
        chain.assets["x"] = table("x")
        chain.make("x")
        chain.change("c", deps=(Dep(AssetKey("b")), Dep(AssetKey("x"))))
        assert chain.why("c") == [("deps_changed", "x", "it now reads `x`")]

    def test_one_less(self, chain):
        chain.change("c", deps=())
        assert chain.why("c") == [("deps_changed", "b", "it no longer reads `b`")]

    def test_one_whose_asset_is_gone(self, chain):
        chain.change("a", deps=())
        del chain.assets["raw"]
        assert chain.why("a") == [("deps_changed", "raw", "it no longer reads `raw`")]

    def test_a_source_that_turned_out_to_be_another_asset_is_still_the_same(self):
        relation = ("db", "main", "events")
        world = World.of(source("shop/raw/events", relation=relation), table("a", "shop/raw/events"))
        world.make_all()
        world.assets["events"] = table("events", relation=relation)
        assert world.graph["a"].deps[0].key == "events"
        assert world.why("a") == [("upstream_changed", "events", "`events` was never materialized")]
        world.make("events")
        assert [reason[:2] for reason in world.why("a")] == [("upstream_changed", "events")]

    def test_a_record_without_a_trace_is_judged_by_time(self, chain):
        """What was seen of an asset that somebody else made does not say what it was made from."""
        chain.observe("b", "seen")
        assert chain.words()["b"] == "fresh"
        chain.make("a")
        assert chain.words()["b"] == "stale"
        assert [reason[:2] for reason in chain.why("b")] == [("upstream_changed", "a")]


class TestViews:
    @pytest.fixture
    def world(self):
        world = World.of(table("t"), view("v", "t"), view("w", "v"), table("c", "w"))
        world.make_all()
        return world

    def test_views_stay_fresh_while_what_they_show_changes(self, world):
        world.make("t")
        assert world.words() == {"t": "fresh", "v": "fresh", "w": "fresh", "c": "stale"}
        assert world.why("c") == [("upstream_changed", "t", "`t` was made anew at 2026-01-02 03:05:00 UTC")]

    def test_what_reads_a_view_is_fresh_without_the_view_made_again(self, world):
        world.make("t", "c")
        assert set(world.words().values()) == {"fresh"}

    def test_what_is_out_of_date_shows_through(self, world):
        world.change("t", code_version="2")
        assert world.words() == {"t": "stale", "v": "fresh", "w": "fresh", "c": "stale"}
        assert world.why("c") == [("upstream_changed", "t", "`t` is out of date: its code changed")]

    def test_a_view_made_again_is_no_news(self, world):
        world.make("v", "w")
        assert stale_keys(world.statuses().values()) == ()

    def test_a_view_with_other_code_is_stale_and_then_news(self, world):
        world.change("v", code_version="2")
        assert world.words() == {"t": "fresh", "v": "stale", "w": "fresh", "c": "stale"}
        world.make("v")
        assert world.words() == {"t": "fresh", "v": "fresh", "w": "fresh", "c": "stale"}
        assert [reason[1] for reason in world.why("c")] == ["v"]

    def test_a_view_that_was_never_made(self, world):
        del world.latest["v", None]
        assert world.words() == {"t": "fresh", "v": "never", "w": "fresh", "c": "stale"}
        assert world.why("c") == [("upstream_changed", "v", "`v` was never materialized")]

    def test_a_view_that_reads_something_else(self, world):
        world.change("v", deps=())
        assert world.why("v") == [("deps_changed", "t", "it no longer reads `t`")]

    def test_a_view_has_no_age(self, world):
        world.change("v", freshness_policy=FreshnessPolicy(timedelta(seconds=1)))
        assert world.words(now=world.now + timedelta(days=9))["v"] == "fresh"


class TestOutside:
    def test_a_source_never_seen_dirties_nothing(self, chain):
        assert chain.words()["a"] == "fresh"
        assert chain.latest["a", None].inputs == {"raw": UNKNOWN}

    def test_a_source_that_changed_dirties_what_reads_it(self, chain):
        chain.observe("raw", "1")
        chain.make("a", "b", "c")
        chain.observe("raw", "1")
        assert chain.words() == {"raw": "external", "a": "fresh", "b": "fresh", "c": "fresh"}
        chain.observe("raw", "2")
        assert chain.words() == {"raw": "external", "a": "stale", "b": "stale", "c": "stale"}
        reason = ("upstream_changed", "raw", "`raw` changed outside; seen at 2026-01-02 03:09:00 UTC")
        assert chain.why("a") == chain.why("c") == [reason]
        assert chain.statuses()["raw"].last_materialized == chain.now

    def test_what_is_made_elsewhere_passes_nothing_on(self):
        world = World.of(table("a"), source("x", deps=(Dep(AssetKey("a")),)), table("b", "x"))
        world.make_all()
        world.change("a", code_version="2")
        assert world.words() == {"a": "stale", "x": "external", "b": "fresh"}

    def test_an_exposure_tells_what_is_wrong_above_it(self, chain):
        chain.assets["dash"] = table("dash", "c", executable=False, consumer=True)
        assert chain.why("dash") == []
        chain.change("a", code_version="2")
        assert chain.words()["dash"] == "external"
        assert [reason[:2] for reason in chain.why("dash")] == [("upstream_changed", "a")]
        assert "dash" not in stale_keys(chain.statuses().values())


class TestColumns:
    def test_real_columns_that_break_the_promise(self, chain):
        chain.make("c", columns=(Column("ID", "BIGINT"),))
        chain.change("c", columns=(Column("id", "varchar"), Column("name")))
        assert chain.why("c") == [
            ("columns_differ", "c", "`id`: declared text (varchar), got integer (BIGINT)"),
            ("columns_differ", "c", "`name` is declared but not there"),
        ]

    def test_unknown_columns_are_no_reason(self, chain):
        chain.change("c", columns=(Column("id", "varchar"),))
        assert chain.words()["c"] == "fresh"


class TestOverdue:
    def test_an_asset_grows_too_old(self, chain):
        chain.change("b", freshness_policy=FreshnessPolicy(timedelta(hours=6)))
        due = chain.latest["b", None].at + timedelta(hours=6)
        assert chain.words(now=due)["b"] == "fresh"
        late = due + timedelta(seconds=1)
        assert chain.words(now=late)["b"] == "stale"
        assert chain.why("b", now=late) == [
            ("overdue", "b", "overdue since 2026-01-02 09:02:00 UTC: it may be 6 hours old at most")
        ]
        assert [reason[:2] for reason in chain.why("c", now=late)] == [("upstream_changed", "b")]

    @pytest.mark.parametrize(
        ("age", "text"),
        [
            (timedelta(days=1), "1 day"),
            (timedelta(minutes=90), "90 minutes"),
            (timedelta(seconds=1.5), "1.5 seconds"),
        ],
    )
    def test_ages_in_words(self, chain, age, text):
        chain.change("b", freshness_policy=FreshnessPolicy(age))
        assert f"it may be {text} old at most" in chain.why("b", now=chain.now + timedelta(days=9))[0][2]


class TestRunning:
    def test_an_attempt_under_way(self, chain):
        chain.change("b", code_version="2")
        chain.run += 1
        chain.tried("b", "running")
        assert chain.words()["b"] == "running"
        assert chain.why("b")[0][0] == "code_changed"
        assert "b" not in stale_keys(chain.statuses().values())

    def test_what_a_living_run_is_still_to_make(self, chain):
        assert chain.words(running=["b"])["b"] == "running"
        assert chain.words(running={"b": "r9"})["b"] == "running"

    def test_what_it_has_made_is_judged(self, chain):
        chain.make("b")
        assert chain.words(running={"b": "r2", "c": "r2"}) == {
            "raw": "external",
            "a": "fresh",
            "b": "fresh",
            "c": "running",
        }


class TestPartitions:
    @pytest.fixture
    def world(self):
        days = StaticPartitionsDefinition(["1", "2"])
        world = World.of(
            table("u", partitions_def=days), table("d", "u", partitions_def=days), table("all", "u"), table("e", "all")
        )
        for day in ("1", "2"):
            world.make("u", "d", partition=day)
        world.make("all", "e")
        return world

    def test_made_in_parts(self, world):
        assert set(world.words().values()) == {"fresh"}
        assert world.statuses()["d"].last_materialized == world.latest["d", "2"].at

    def test_one_part_anew_dirties_the_same_part_below_and_what_reads_all(self, world):
        world.make("u", partition="1")
        assert world.words() == {"u": "fresh", "d": "stale", "all": "stale", "e": "stale"}
        assert [reason[:2] for reason in world.why("d")] == [("upstream_changed", "u")]
        world.make("d", partition="1")
        assert world.words()["d"] == "fresh"

    def test_the_same_content_dirties_nothing(self, world):
        world.make("u", partition="1", version=world.latest["u", "1"].data_version)
        assert set(world.words().values()) == {"fresh"}

    def test_code_changes_count_their_partitions(self, world):
        world.change("d", code_version="2")
        assert world.why("d") == [("code_changed", "d", "its code changed")]
        world.make("d", partition="2")
        assert world.why("d") == [("code_changed", "d", "1 of 2 partitions: its code changed (1)")]

    def test_a_failed_partition_is_named(self, world):
        world.fail("d", partition="1")
        assert world.words()["d"] == "failed"
        assert world.why("d") == [
            ("last_failed", "d", "1 of 2 partitions: the last attempt failed: partition 1: it broke (1)")
        ]
        world.fail("d", partition="2")
        assert world.why("d")[0][2] == "the last attempt failed: partition 2: it broke"
        world.make("d", partition="2")
        assert world.words()["d"] == "failed"

    def test_partitions_say_nothing_of_an_asset_that_has_none_any_more(self, world):
        world.change("d", partitions_def=None)
        assert world.words()["d"] == "never"

    def test_partitions_that_a_whole_took_the_place_of_are_gone(self, world):
        world.change("d", kept=True)
        world.change("d", partitions_def=None)
        world.make("d")
        assert world.words()["d"] == "fresh"
        world.change("d", partitions_def=StaticPartitionsDefinition(["1", "2"]))
        gone = "partition 1 and 1 more went when it was made as a whole, and not made since"
        assert world.why("d") == [("never_materialized", "d", gone)]
        assert world.words()["d"] == "never"
        world.make("d", partition="1")
        gone = "partition 2 went when it was made as a whole, and not made since"
        assert world.why("d") == [("missing_partitions", "d", f"1 of 2 partitions: {gone} (2)")]
        assert world.words()["d"] == "stale"
        world.make("d", partition="2")
        assert world.words()["d"] == "fresh"
        world.change("d", partitions_def=None)
        assert world.why("d") == [
            ("never_materialized", "d", "what it was as a whole went when partitions of it were made")
        ]

    def test_partitions_that_a_tool_keeps_do_not_go_with_the_whole(self, world):
        world.make("d")
        assert world.words()["d"] == "fresh"

    def test_records_from_before_it_had_partitions_say_nothing(self, world):
        world.change("all", partitions_def=StaticPartitionsDefinition(["1", "2"]))
        says_nothing = "what was made of it as a whole says nothing of its partitions"
        assert world.why("all") == [("never_materialized", "all", f"never materialized; {says_nothing}")]
        world.make("all", partition="1")
        assert world.words()["all"] == "stale"
        world.make("all", partition="2")
        assert world.words()["all"] == "fresh"
        world.latest["all", None] = replace(world.latest["all", None], code_version="0")
        assert world.words()["all"] == "fresh"


def test_json_is_as_the_contract_says(chain):
    chain.change("c", code_version="2")
    data = status_to_json(tuple(chain.statuses().values()))
    assert json.loads(json.dumps(data)) == data
    assert (data["version"], data["counts"]) == (1, {"fresh": 2, "stale": 1, "external": 1})
    assert data["assets"][0] == {
        "key": "raw",
        "status": "external",
        "roots": [],
        "reasons": [],
        "last_materialized": None,
        "run": None,
        "warnings": [],
        "note": None,
        "partitions": None,
        "freshness": None,
        "next": None,
    }
    assert data["assets"][-1] == {
        "key": "c",
        "status": "stale",
        "roots": ["c"],
        "reasons": [
            {"code": "code_changed", "asset": "c", "text": "its code changed", "hint": None, "partitions": None}
        ],
        "last_materialized": "2026-01-02T03:03:00+00:00",
        "run": "r1",
        "warnings": [],
        "note": None,
        "partitions": None,
        "freshness": None,
        "next": None,
    }
    assert all(type(asset["key"]) is str for asset in data["assets"])


# -- against a naive model -------------------------------------------------------------------------------------------

KINDS = ("table", "table", "view", "source")


@st.composite
def graphs(draw):
    assets = []
    for n in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(KINDS))
        deps = [] if kind == "source" or not n else draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True))
        make = {"table": table, "view": view, "source": source}[kind]
        assets.append(make(f"k{n}", *(f"k{m}" for m in deps)))
    return assets


steps = st.lists(
    st.tuples(
        st.sampled_from(["make", "same", "code", "back", "fail", "observe", "forget"]),
        st.integers(0, 8),
    ),
    max_size=25,
)


class Naive:
    """Say the same by brute recursion over nested tuples, without hashes, caches or order."""

    def __init__(self, world):
        self.world, self.graph = world, world.graph
        self.traces = {}

    def effective(self, key):
        made = self.world.latest.get((key, None))
        asset = self.graph[key]
        if made is None:
            return None
        if not asset.computed_on_read:
            return made.data_version
        return (made.code_version, tuple(self.effective(dep.key) for dep in asset.deps))

    def own(self, key):
        made, tried = self.world.latest.get((key, None)), self.world.attempts.get((key, None))
        if made is None or (tried is not None and tried.outcome == "failed" and tried.at >= made.at):
            return True
        return made.code_version != self.graph[key].code_version

    def news(self, key):
        read = self.traces.get(key, {})
        return any(
            self.effective(dep.key) not in (None, read.get(dep.key))
            for dep in self.graph[key].deps
            if not self.graph[key].computed_on_read
        )

    def dirty(self, key):
        if not self.graph[key].executable:
            return False
        return self.own(key) or self.news(key) or any(self.dirty(dep.key) for dep in self.graph[key].deps)

    def word(self, key):
        asset, tried = self.graph[key], self.world.attempts.get((key, None))
        if not asset.executable:
            return "external"
        made = self.world.latest.get((key, None))
        if tried is not None and tried.outcome == "failed" and (made is None or tried.at >= made.at):
            return "failed"
        if made is None:
            return "never"
        return "stale" if (self.own(key) if asset.computed_on_read else self.dirty(key)) else "fresh"


def play(world, naive, step, number):
    """Carry out one step on a random asset; return whether it changed anything."""
    graph = world.graph
    key = graph.keys[number % len(graph)]
    asset = graph[key]
    if not asset.executable:
        world.observe(key, f"{number}" if step == "same" else f"{world.clock}")
        return
    made = world.latest.get((key, None))
    if step in ("make", "same", "observe"):
        naive.traces[key] = {dep.key: naive.effective(dep.key) for dep in asset.deps}
        world.make(key, version=made.data_version if made and step == "same" else None)
    elif step == "code":
        world.change(key, code_version=f"c{world.clock}.{number}")
    elif step == "back":
        world.change(key, code_version="1")
    elif step == "fail":
        world.fail(key)
    else:
        world.latest.pop((key, None), None)
        world.attempts.pop((key, None), None)
    naive.graph = world.graph


@settings(max_examples=examples(150))
@given(graphs(), steps)
def test_any_history_is_judged_as_the_naive_model_does(assets, history):
    world = World.of(*assets)
    naive = Naive(world)
    for step, number in history:
        play(world, naive, step, number)
    found = world.statuses()
    assert {key: each.status for key, each in found.items()} == {key: naive.word(key) for key in world.graph.keys}
    for key, each in found.items():
        assert each.status in STATUS_NAMES
        assert bool(each.reasons) or each.status in ("fresh", "external")
        above = {key} | {world.graph.keys[i] for i in world.graph.ancestors([world.graph.index(key)])}
        assert {reason.asset for reason in each.reasons} <= above
        # A root is named once, and is one: itself out of date, or newly made.
        assert len({(reason.code, reason.asset) for reason in each.reasons}) == len(each.reasons)


@settings(max_examples=examples(150))
@given(graphs(), steps)
def test_making_what_is_stale_makes_all_fresh(assets, history):
    world = World.of(*assets)
    naive = Naive(world)
    for step, number in history:
        play(world, naive, step, number)
    world.make(*stale_keys(world.statuses().values()))
    assert set(world.words().values()) <= {"fresh", "external"}


@given(graphs(), st.integers(0, 8))
def test_one_code_change_dirties_exactly_what_is_below(assets, number):
    world = World.of(*assets)
    world.make_all()
    executable = [asset for asset in world.graph.assets if asset.executable]
    if not executable:
        return
    changed = executable[number % len(executable)]
    world.change(changed.key, code_version="2")
    graph = world.graph
    below = {graph.keys[i] for i in graph.descendants([graph.index(changed.key)])}
    stale = {key for key in below if not graph[key].computed_on_read} | {changed.key}
    found = world.statuses()
    assert set(stale_keys(found.values())) == stale
    assert {reason.asset for key in stale for reason in found[key].reasons} == {changed.key}


@given(graphs(), st.integers(0, 8))
def test_the_same_content_dirties_nothing(assets, number):
    world = World.of(*assets)
    world.make_all()
    key = world.graph.keys[number % len(assets)]
    if world.graph[key].executable:
        world.make(key, version=world.latest[key, None].data_version)
    assert set(world.words().values()) <= {"fresh", "external"}


@given(graphs(), st.text(max_size=3))
def test_metadata_dirties_nothing(assets, text):
    world = World.of(*assets)
    world.make_all()
    for asset in assets:
        world.change(
            asset.key, description=text, owners=(text,), tags=(text,), group=text, metadata={"x": text}, source=text
        )
    assert set(world.words().values()) <= {"fresh", "external"}
