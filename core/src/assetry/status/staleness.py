"""Staleness: is versus should be, with the reasons and their roots. Pure.

Nothing is counted and no event is remembered: an asset is out of date exactly when what its last materialization was
made from (code version, versions of its inputs, columns) is not what it would be made from now. So no change can be
missed, a change that was taken back is none, and an input that was made again with the same content dirties nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import PartitionsDefinition
from assetry.plan.numbering import Numbering
from assetry.status.comparison import Comparison
from assetry.status.freshness.data_times import DataTimes, DataTimesByKey
from assetry.status.freshness.freshness import Demand, Durations, Freshness, Freshnesses
from assetry.status.freshness.growth import Growth
from assetry.status.looked import Seen, gone, gone_hint, overdue_text, reached, source_note
from assetry.status.old_rows import note
from assetry.status.partitions.judge import PartitionJudge
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.partitions.records import PartitionRecords
from assetry.status.partitions.rows import Recorded, RowsGiven
from assetry.status.partitions.sets import PartitionSets
from assetry.status.reasons import (
    Code,
    Reason,
    cancelled_text,
    failure_text,
    never_text,
    newest,
    overwritten_text,
    saying,
)
from assetry.status.roots import NEW, OUT, RANKS, Root, Roots
from assetry.status.versions import last_read
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import WELL, Attempt, Latest, Looks, Materialization

StatusName = Literal["fresh", "stale", "failed", "never", "running", "external"]

STATUS_NAMES: tuple[StatusName, ...] = ("fresh", "stale", "failed", "never", "running", "external")
#: Those of assets that bringing everything up to date would make.
OUT_OF_DATE: tuple[StatusName, ...] = ("stale", "failed", "never")


@dataclass(frozen=True, slots=True)
class Status:
    """How an asset is: one of ``fresh stale failed never running external``, why, and its last materialization.

    An asset that nothing here makes is ``external``; its reasons tell what is out of date above it. Of an asset with
    partitions, the time and the run are those of the partition made last. `note` is to be known of it whatever its
    status: that it has rows of an older logic, or that it was not looked at. `partitions` says how each of them is;
    None for an asset without. `roots` are the assets that it is out of date from: itself where something is wrong in
    it, and those above that something is wrong with, or that have new content; of many the first. `freshness` is
    whether its data is as new as its policy asks; None where it has none.

    >>> Status(AssetKey("orders"), "fresh").reasons
    ()
    """

    key: AssetKey
    status: StatusName
    reasons: tuple[Reason, ...] = ()
    last_materialized: datetime | None = None
    run: str | None = None
    note: str | None = None
    partitions: PartitionSets | None = None
    roots: tuple[AssetKey, ...] = ()
    freshness: Freshness | None = None

    @property
    def is_due(self) -> bool:
        """Tell whether it is out of date, or was until what makes it now has ended."""
        was = self.status == "running" and (bool(self.reasons) or self.last_materialized is None)
        return self.status in OUT_OF_DATE or was


@dataclass(frozen=True, slots=True)
class Judgement:
    """How every asset of a graph is at a moment, `now`, in graph order, and how far the data of each reaches."""

    statuses: tuple[Status, ...]
    now: datetime
    _graph: AssetGraph
    _data_times: DataTimes

    @property
    def data_times(self) -> DataTimesByKey:
        """Return how far the data of each asset reaches."""
        return DataTimesByKey(self._graph, self._data_times)


def judge(
    graph: AssetGraph,
    latest: Latest,
    attempts: Mapping[tuple[AssetKey, str | None], Attempt],
    *,
    running: Mapping[AssetKey, str] | Iterable[AssetKey] = (),
    now: datetime,
    seen: Seen | None = None,
    recorded: Recorded | None = None,
    looks: Looks | None = None,
    durations: Durations | None = None,
    newer_than: Mapping[AssetKey, datetime] | None = None,
) -> Judgement:
    """Return how every asset of `graph` is, and how far its data reaches.

    `latest` and `attempts` are the last materialization and the last attempt by (key, partition); attempts that came
    out well may be left out. `running` are the assets that living runs are to make; when it maps them to the id of
    their run, those that this run is through with are judged as they now are. `seen` is what was looked at just now,
    each with whether it is there. `recorded` are the records of assets with partitions, where they are not in `latest`.
    `looks` are the last ones at what was found as it was recorded, `durations` how many seconds assets took of late.

    What has to be made anew, because something is overdue that is made from it, is out of date for that. So is what has
    to be made anew for data of assets to be `newer_than` a moment.

    >>> from datetime import UTC
    >>> graph = AssetGraph.of([Asset(key="a", kind="x")])
    >>> judge(graph, {}, {}, now=datetime(2026, 1, 2, tzinfo=UTC)).statuses[0].reasons[0].text
    'never materialized'
    """
    with paused_gc():
        found = recorded or RowsGiven(graph, latest, seen or {})
        given = (graph, latest, attempts, running, now, seen or {}, found, looks or {})
        judged = _Judge(*given)
        statuses = judged.judge_all()
        fresh = Freshnesses(graph, judged.data_times, judged.last, durations or {}, now)
        how = fresh.found()
        demands = fresh.demands(newer_than or {}) if how or newer_than else {}
        if demands:
            statuses = _Judge(*given, demands).judge_all()
        if how:
            statuses = tuple(_with_freshness(each, how.get(each.key)) for each in statuses)
        return Judgement(statuses, now, graph, judged.data_times)


def _with_freshness(status: Status, freshness: Freshness | None) -> Status:
    if freshness is None:
        return status
    told = "; ".join(filter(None, [status.note, freshness.doubt])) or None
    return replace(status, freshness=freshness, note=told)


def stale_keys(statuses: Iterable[Status], *, running: bool = False) -> tuple[AssetKey, ...]:
    """Return the assets that bringing everything up to date would make: those stale, failed or never made.

    One with partitions is not among them while none of these exists, or is due. With `running` those are among them
    that are out of date until the run ends which makes them now.

    >>> stale_keys([Status(AssetKey("a"), "fresh"), Status(AssetKey("b"), "never")])
    (AssetKey('b'),)
    """
    return tuple(
        each.key
        for each in statuses
        if (each.is_due if running else each.status in OUT_OF_DATE) and (each.partitions is None or each.partitions.due)
    )


def known_definitions(statuses: Iterable[Status]) -> dict[AssetKey, PartitionsDefinition]:
    """Return the definitions that have the numbers of all keys that records know."""
    return {each.key: each.partitions.definition for each in statuses if each.partitions is not None}


def numbering_of(graph: AssetGraph, statuses: Iterable[Status], now: datetime) -> Numbering:
    """Return the partitions of all assets by number, those that records know among them, and what each reads.

    >>> graph = AssetGraph.of([Asset(key="a", kind="x")])
    >>> numbering_of(graph, [Status(AssetKey("a"), "never")], datetime(2026, 1, 2)).definition(AssetKey("a")) is None
    True
    """
    return Numbering(graph, known_definitions(statuses), now)


_Records = list[Materialization]


class _Judge:
    """The judgement of all assets in one pass in graph order: everything above an asset is judged before it."""

    def __init__(
        self,
        graph: AssetGraph,
        latest: Latest,
        attempts: Mapping[tuple[AssetKey, str | None], Attempt],
        running: Mapping[AssetKey, str] | Iterable[AssetKey],
        now: datetime,
        seen: Seen,
        recorded: Recorded,
        looks: Looks,
        demands: Mapping[int, Demand] | None = None,
    ) -> None:
        self._demands = demands or {}
        self._graph = graph
        self._looks = looks
        self._seen = seen
        self._now = now
        self._rows = recorded
        self._recorded: dict[AssetKey, RecordedPartitions] = {}
        self._comparison = Comparison(graph, latest, now, self._recorded, recorded.rows)
        self._roots = Roots(graph, self._comparison)
        self._growth = Growth(graph, latest)
        self.data_times = DataTimes(graph, self._growth, now, looks, self._comparison.last, self._comparison.flawed)
        self._partitions = PartitionJudge(
            graph, self._comparison, self._roots, self._growth, self.data_times, self._demands
        )
        self.last = self._comparison.last
        #: How far the data of partitions was seen to reach.
        self._looked: dict[AssetKey, datetime] = {}
        for (key, partition), look in looks.items():
            if partition is not None:
                self._looked[key] = max(look.as_of, self._looked.get(key, look.as_of))
        living = running if isinstance(running, Mapping) else dict.fromkeys(running, "")
        done = (
            {(key, tried.run) for (key, _), tried in attempts.items() if tried.outcome != "running"} if living else ()
        )
        self._running = {key for key, run in living.items() if (key, run) not in done}
        self._made: dict[AssetKey, _Records] = {}
        for (key, _), made in latest.items():
            self._made.setdefault(key, []).append(made)
        #: By asset: the attempts that did not come out well, or are under way.
        self._tried: dict[AssetKey, list[Attempt]] = {}
        for (key, _), tried in attempts.items():
            if tried.outcome not in WELL:
                self._tried.setdefault(key, []).append(tried)

    def judge_all(self) -> tuple[Status, ...]:
        found = []
        for i, (asset, read) in enumerate(zip(self._graph.assets, last_read(self._graph), strict=True)):
            found.append(self._judge(i, asset) if asset.partitions_def is None else self._judge_partitions(i, asset))
            for j in read:
                # Those of all assets may be more than fits into memory.
                if self._recorded.pop(self._graph.keys[j], None) is not None:
                    self._partitions.forget(j)
        return tuple(found)

    def _judge(self, i: int, asset: Asset) -> Status:
        records, overwritten = self._records(asset)
        last = _last(records)
        # Of partitions that say nothing of it, there is new content all the same.
        seen = _last(self._made[asset.key]) if last is None and asset.key in self._made else last
        self._comparison.add(i, asset, seen)
        own, news = (
            self._own(i, asset, records, overwritten) if asset.executable else (self._overdue(asset, records), [])
        )
        linked = self._graph.links and asset.key in self._graph.links
        above = self._partitions.above(i).roots if linked else self._roots.above(i)
        roots = self._roots.named(i, (*above, *((j, NEW) for j in news)))
        never = asset.executable and not records
        self._pass_on(i, asset, own, roots)
        self.data_times.behind.append(bool(roots) or any(each.code in _BEHIND for each in own))
        whole = never or (asset.computed_on_read and asset.executable)
        reasons = tuple(own) if whole else (*own, *self._roots.reasons(i, roots))
        word = self._word(asset, own, reasons, last)
        at, run = (last.at, last.run) if last else (None, None)
        told = note(asset, last) if asset.executable else self._note(asset, records, own)
        causes = [j for j, _ in self._roots.of[i]]
        return Status(asset.key, word, reasons, at, run, told, roots=self._keys(word, causes))

    def _judge_partitions(self, i: int, asset: Asset) -> Status:
        recorded = self._recorded[asset.key] = self._rows.partitions(asset)
        tried = self._tried.get(asset.key, ())
        records = PartitionRecords(asset, recorded, tried, self._partitions.clocks, self._looked.get(asset.key))
        last = records.last
        # Of what was made, or seen, as a whole, there is new content all the same.
        newest = last or recorded.newest_record
        self._comparison.add(i, asset, newest)
        if newest is not None and self._growth.has_epochs(asset.key):
            self._growth.note(newest)
        sets, reasons = self._partitions.judge(i, records, self._rows.seen(asset, recorded))
        if self._growth.has_epochs(asset.key):
            # Where nothing was made yet, whatever went wrong: all that there will be is new.
            ranks = _RANKS_ANEW if sets.made else (OUT, *RANKS.values())
            anew = self._partitions.handed_on(i) if self._growth.begins_another(asset) else frozenset[Root]()
            self._roots.rewriting[i] = self._above_rewriting(i).union(anew, ((i, rank) for rank in ranks))
        self._roots.of.append(())
        due = bool(sets.due)
        self._comparison.flawed.append(due)
        self.data_times.behind.append(due)
        records.recorded = self._recorded[asset.key] = recorded.for_readers()
        word: StatusName = "stale" if sets.stale or sets.missing else "fresh"
        if not asset.executable:
            word = "external"
        elif self._is_running(asset.key):
            word = "running"
        elif sets.failed or not sets.made:
            word = "failed" if sets.failed else "never"
        at, run = (last.at, last.run) if last else (None, None)
        if asset.executable:
            told = "; ".join(filter(None, [note(asset, last), sets.waits_for])) or None
        else:
            told = source_note(asset, recorded.version is not None, tried, records.overdue(self._now))
        return Status(asset.key, word, reasons, at, run, told, sets, self._keys(word, self._partitions.roots(i)))

    def _keys(self, word: StatusName, roots: Iterable[int]) -> tuple[AssetKey, ...]:
        """Return the roots of an asset that is out of date, each once."""
        return tuple(dict.fromkeys(self._graph.keys[j] for j in roots)) if word in OUT_OF_DATE else ()

    def _note(self, asset: Asset, records: _Records, own: Sequence[Reason]) -> str | None:
        overdue = own[0].text if own else None
        return source_note(asset, bool(records), self._tried.get(asset.key, ()), overdue)

    def _word(
        self, asset: Asset, own: Sequence[Reason], reasons: Sequence[Reason], last: Materialization | None
    ) -> StatusName:
        if not asset.executable:
            return "external"
        if self._is_running(asset.key):
            return "running"
        if own and own[0].code == "last_failed":
            return "failed"
        if own and own[0].code == "never_materialized" and last is None:
            return "never"
        return "stale" if reasons else "fresh"

    def _is_running(self, key: AssetKey) -> bool:
        return key in self._running or any(each.outcome == "running" for each in self._tried.get(key, ()))

    def _pass_on(self, i: int, asset: Asset, own: Sequence[Reason], roots: Sequence[Root]) -> None:
        if not asset.executable and not asset.computed_on_read:
            # What is made elsewhere is made when others want it; but a metric is just what it is computed from.
            roots = ()
        elif own and not (own[0].code == "never_materialized" and roots):
            self._roots.say((i, OUT), f"`{asset.key}` {saying(own[0])}")
            roots = (*roots, (i, OUT))
        self._roots.of.append(tuple(roots))
        self._comparison.flawed.append(bool(roots))
        if self._growth.has_epochs(asset.key):
            self._roots.rewriting[i] = self._rewriting(i, asset, own)

    def _rewriting(self, i: int, asset: Asset, own: Sequence[Reason]) -> frozenset[Root]:
        """Return those roots of an asset from which what was there before will be made anew."""
        if self._growth.begins_another(asset):
            return frozenset(self._roots.of[i])
        anew: frozenset[Code] = frozenset({"gone"}) if asset.incremental else _ANEW
        never = asset.executable and self._comparison.last[i] is None
        itself = {(i, OUT)} if never or any(each.code in anew for each in own) else set[Root]()
        return frozenset(itself) if asset.incremental else self._above_rewriting(i).union(itself)

    def _above_rewriting(self, i: int) -> frozenset[Root]:
        return frozenset[Root]().union(*(self._roots.rewriting.get(j, ()) for j in self._graph.upstream[i]))

    # -- the asset itself ------------------------------------------------------------------------------------------

    def _records(self, asset: Asset) -> tuple[_Records, _Records]:
        """Return the records that speak of an asset without partitions, and those of what was overwritten since.

        Partitions take the place of a whole where assetry keeps the value, and in a table; else a tool may keep both.
        """
        records = self._made.get(asset.key, [])
        if not asset.executable or not records or (len(records) == 1 and records[0].partition is None):
            return records, []
        # Records from when the asset had partitions say nothing of it now.
        chosen = [each for each in records if each.partition is None]
        if len(chosen) == len(records) or not (asset.kept or asset.relation):
            return chosen, []
        since = max(each.at for each in records if each.partition is not None)
        return [each for each in chosen if each.at >= since], [each for each in chosen if each.at < since]

    def _own(self, i: int, asset: Asset, records: _Records, overwritten: _Records) -> tuple[list[Reason], list[int]]:
        """Return the reasons in the asset itself, worst first, and the inputs that have new content."""
        reasons = self._failures(asset, records)
        if overwritten:
            reasons.append(Reason("never_materialized", asset.key, overwritten_text(())))
        if not records:
            return reasons or [Reason("never_materialized", asset.key, never_text(self._tried.get(asset.key, ())))], []
        text, missing = gone(asset, records, self._tried.get(asset.key, ()), self._seen)
        if missing:
            reasons.append(Reason("gone", asset.key, text, hint=gone_hint(self._tried.get(asset.key, ()))))
        found: dict[tuple[Code, AssetKey, str], None] = {}
        news: dict[int, None] = {}
        for made in records:
            found |= dict.fromkeys(self._comparison.differences(i, asset, made, news))
        found |= {("overdue", asset.key, self._demands[i].text): None} if i in self._demands else {}
        return [*reasons, *(Reason(*each) for each in found), *self._overdue(asset, records)], list(news)

    def _overdue(self, asset: Asset, records: _Records) -> list[Reason]:
        text = overdue_text(asset, reached(asset, records, self._looks.get((asset.key, None))), self._now)
        return [Reason("overdue", asset.key, text)] if text else []

    def _failures(self, asset: Asset, records: _Records) -> list[Reason]:
        tried = self._tried.get(asset.key)
        if tried is None:
            return []
        before = _last(records)
        failed: list[Attempt] = []
        cancelled: list[Attempt] = []
        for each in tried:
            if each.partition is not None or each.outcome not in ("failed", "check_failed", "cancelled"):
                continue
            # A check may report before its asset does; within one run the attempt has the last word.
            if before is None or each.run == before.run or each.at >= before.at:
                (cancelled if each.outcome == "cancelled" else failed).append(each)
        if failed:
            return [Reason("last_failed", asset.key, failure_text(failed), hint=newest(failed).hint)]
        if cancelled and records:
            return [Reason("last_cancelled", asset.key, cancelled_text(cancelled))]
        return []


#: Of what is wrong with an asset itself: that it is out of date with what it is made from, or not there.
_BEHIND = frozenset({"deps_changed", "gone", "never_materialized"})
#: What makes all of an asset anew that each run makes as a whole.
_ANEW: frozenset[Code] = frozenset({"gone", "never_materialized", "deps_changed", "code_changed", "columns_differ"})
_RANKS_ANEW = (OUT, *(RANKS[code] for code in _ANEW))


def _last(records: _Records) -> Materialization | None:
    if len(records) < 2:
        return records[0] if records else None
    return max(records, key=lambda each: each.at)
