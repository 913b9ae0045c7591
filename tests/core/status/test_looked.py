"""What is gone is out of date, and what nobody looked at is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.status.looked import data_time
from assetry.status.staleness import Status, stale_keys
from assetry.types.assets import Asset, Integration
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Attempt, Look, Materialization
from assetry.views.causes import held_back

from tests.judged import statuses

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
TOOL = Integration("tool", "tool")
RAW = Asset(key="raw", kind="tool", integration=TOOL, executable=False, relation=("w", "main", "raw"))
TABLE = Asset(key="table", kind="tool", integration=TOOL, deps=["raw"], relation=("w", "main", "t"), code_version="1")
BELOW = Asset(key="below", kind="tool", integration=TOOL, deps=["table"], code_version="1")


def made(key: str, at: datetime = NOON, partition: str | None = None, **more: Any) -> Materialization:
    return Materialization(
        key=AssetKey(key), partition=partition, at=at, run="r", data_version=f"{key}1", code_version="1", **more
    )


def tried(
    key: str, outcome: Any, hours: float = 1, message: str | None = None, partition: str | None = None
) -> Attempt:
    at = NOON + timedelta(hours=hours)
    return Attempt(key=AssetKey(key), partition=partition, run="look", at=at, outcome=outcome, message=message)


def judged(
    *assets: Asset, records: Any = (), attempts: Any = (), seen: Any = None, looks: Any = None
) -> dict[str, Status]:
    found = statuses(
        AssetGraph.of(assets),
        {(each.key, each.partition): each for each in records},
        {(each.key, each.partition): each for each in attempts},
        now=NOON + timedelta(days=1),
        seen=seen,
        looks=looks or {},
    )
    return {str(each.key): each for each in found}


ALL = (made("table", inputs={AssetKey("raw"): ""}), made("below", inputs={AssetKey("table"): "table1"}))


def test_what_is_gone_is_stale_and_so_is_what_is_below() -> None:
    found = judged(RAW, TABLE, BELOW, records=ALL, attempts=[tried("table", "gone", message="w.main.t")])
    assert (found["table"].status, found["table"].reasons[0].code) == ("stale", "gone")
    assert found["table"].reasons[0].text == "its table w.main.t is gone"
    assert found["below"].reasons[0].text == "`table` is out of date: its table w.main.t is gone"
    assert stale_keys(found.values()) == ("table", "below")


def test_what_was_made_since_is_not_gone() -> None:
    again = made("table", NOON + timedelta(hours=2), inputs={AssetKey("raw"): ""})
    found = judged(RAW, TABLE, records=[again], attempts=[tried("table", "gone")])
    assert found["table"].status == "fresh"


def test_what_was_never_made_is_not_gone() -> None:
    assert judged(RAW, TABLE, attempts=[tried("table", "gone")])["table"].status == "never"


def test_a_look_just_now_has_the_last_word() -> None:
    place = (AssetKey("table"), None)
    there = judged(RAW, TABLE, records=ALL[:1], attempts=[tried("table", "gone")], seen={place: True})
    gone = judged(RAW, TABLE, records=ALL[:1], seen={place: False})
    assert (there["table"].status, gone["table"].status) == ("fresh", "stale")


def test_partitions_that_are_gone_are_counted() -> None:
    parts = Asset(key="parts", kind="tool", kept=True, partitions_def=StaticPartitionsDefinition(["a", "b"]))
    records = [made("parts", partition="a"), made("parts", partition="b")]
    found = judged(parts, records=records, seen={(AssetKey("parts"), "b"): False})
    assert [each.text for each in found["parts"].reasons] == ["1 of 2 partitions: its value is gone (b)"]


def test_a_source_says_what_is_known_of_it() -> None:
    assert "not observed" in str(judged(RAW)["raw"].note)
    assert "nothing tells when its data changes" in str(judged(RAW, attempts=[tried("raw", "there")])["raw"].note)
    assert judged(RAW, records=[made("raw")])["raw"].note is None
    gone = judged(RAW, records=[made("raw")], attempts=[tried("raw", "gone")])["raw"]
    assert (gone.status, gone.note) == ("external", "its table w.main.raw was not there at 2026-01-02 13:00:00 UTC")


def test_what_only_reads_and_what_is_no_table_need_not_be_observed() -> None:
    board = Asset(key="board", kind="tool", executable=False, consumer=True, deps=["table"])
    tests = Asset(key="tests", kind="tool", executable=False)
    found = judged(RAW, TABLE, board, tests)
    assert (found["board"].note, found["tests"].note, found["table"].note) == (None, None, None)


def test_a_source_is_as_old_as_its_data() -> None:
    policy = FreshnessPolicy(timedelta(days=2))
    raw = Asset(key="raw", kind="tool", executable=False, relation=RAW.relation, freshness_policy=policy)
    new = made("raw", metadata={"data_time": "2026-01-02T11:00:00Z"})
    old = made("raw", metadata={"data_time": "2025-12-31T11:00:00+00:00"})
    below = made("table", inputs={AssetKey("raw"): "raw1"})
    assert judged(raw, TABLE, records=[new, below])["raw"].note is None
    found = judged(raw, TABLE, records=[old, below])
    assert found["raw"].note == "overdue since 2026-01-02 11:00:00 UTC: it may be 2 days old at most"
    assert [each.code for each in found["raw"].reasons] == ["overdue"]
    # Nothing here can bring it up to date.
    assert (found["raw"].status, found["table"].status) == ("external", "fresh")
    for told in ("9999-12-31T23:59:59", "9999-12-31T23:59:59-05:00"):
        for_ever = made("raw", metadata={"data_time": told})
        assert judged(raw, TABLE, records=[for_ever, below])["raw"].note is None


def test_a_time_that_cannot_be_read_is_that_of_the_look() -> None:
    assert data_time(made("raw", metadata={"data_time": "yesterday"})) == NOON
    assert data_time(made("raw", metadata={"data_time": "2026-01-01T00:00:00"})) == datetime(2026, 1, 1, tzinfo=UTC)


def test_what_nothing_brings_any_more_is_overdue_for_that_reason_however_new_it_is() -> None:
    ended = replace(TABLE, freshness_policy=FreshnessPolicy(ended="connection 'crm' is gone"))
    found = judged(RAW, ended, BELOW, records=ALL)
    assert [(each.code, each.text) for each in found["table"].reasons] == [("overdue", "connection 'crm' is gone")]
    assert stale_keys(found.values()) == ("table", "below")
    again = NOON + timedelta(hours=2)
    back = replace(TABLE, freshness_policy=FreshnessPolicy(ended="it was off", again=again))
    assert [each.text for each in judged(RAW, back, BELOW, records=ALL)["table"].reasons] == ["it was off"]
    anew = [made("table", again, inputs={AssetKey("raw"): ""}), ALL[1]]
    assert [each.status for each in judged(RAW, back, BELOW, records=anew).values()] == ["external", "fresh", "fresh"]
    looked = {(AssetKey("table"), None): Look(key=AssetKey("table"), at=again, data_version="table1", as_of=again)}
    assert not judged(RAW, back, records=ALL, looks=looked)["table"].reasons, "it was seen to be as it was"
    graph = AssetGraph.of([RAW, ended, BELOW])
    assert held_back(graph, found.values()) == {AssetKey("table"), AssetKey("below")}
    assert [each.code for each in judged(RAW, ended)["table"].reasons] == ["never_materialized"]
