"""Staleness: is versus should be, with the reasons and their roots. Pure.

Nothing is counted and no event is remembered: an asset is out of date exactly when what its last materialization was
made from (code version, versions of its inputs, columns) is not what it would be made from now. So no change can be
missed, a change that was taken back is none, and an input that was made again with the same content dirties nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappop, heappush
from typing import Literal

from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import ByNumber, with_others
from assetry.partitions.definitions import PartitionsDefinition
from assetry.plan.numbering import Numbering
from assetry.status.comparison import Comparison
from assetry.status.freshness.data_times import DataTimes, DataTimesByKey
from assetry.status.freshness.freshness import Demand, Durations, Freshness, Freshnesses, with_policies
from assetry.status.freshness.growth import Growth
from assetry.status.given import Attempts, Given, Running
from assetry.status.looked import Seen, gone, gone_hint, is_too_old, last_of, overdue_text, reached, source_note
from assetry.status.old_rows import note
from assetry.status.partitions.judge import PartitionJudge
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.partitions.records import PartitionRecords
from assetry.status.partitions.rows import Recorded, RowsGiven
from assetry.status.partitions.sets import PartitionSets
from assetry.status.reasons import Code, Reason, failures, never_text, overwritten_text, saying
from assetry.status.roots import NEW, OUT, RANKS, Root, Roots
from assetry.status.versions import last_read, partitioned
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Looks, Materialization

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
    """How every asset of a graph is at a moment, `now`, in graph order, and how far the data of each reaches.

    `source` is what a later one has to know that goes on from it, of where its records are from.

    >>> judge(AssetGraph.of([]), {}, {}, now=datetime(2026, 1, 2)).statuses
    ()
    """

    statuses: tuple[Status, ...]
    now: datetime
    _judge: _Judge
    source: object = None

    def is_of(self, graph: AssetGraph) -> bool:
        """Tell whether it is one of these very definitions, so that a later one may go on from it."""
        return self._judge.graph is graph

    def had_partitions(self, key: AssetKey) -> bool:
        """Tell whether there was a record of a partition of an asset, whether it has any or not."""
        return any(each.partition is not None for each in self._judge.given.made.get(key, ()))

    @property
    def data_times(self) -> DataTimesByKey:
        """Return how far the data of each asset reaches."""
        return DataTimesByKey(self._judge.graph, self._judge.data_times)


def judge(
    graph: AssetGraph,
    latest: Latest,
    attempts: Attempts,
    *,
    running: Running = (),
    now: datetime,
    seen: Seen | None = None,
    recorded: Recorded | None = None,
    looks: Looks | None = None,
    durations: Durations | None = None,
    newer_than: Mapping[AssetKey, datetime] | None = None,
    before: Judgement | None = None,
) -> Judgement:
    """Return how every asset of `graph` is, and how far its data reaches.

    `latest` and `attempts` are the last materialization and the last attempt by (key, partition); attempts that came
    out well may be left out. `running` are the assets that living runs are to make; when it maps them to the id of
    their run, those that this run is through with are judged as they now are. `seen` is what was looked at just now,
    each with whether it is there. `recorded` are the records of assets with partitions, where they are not in `latest`.
    `looks` are the last ones at what was found as it was recorded, `durations` how many seconds assets took of late.

    What has to be made anew, because something is overdue that is made from it, is out of date for that. So is what has
    to be made anew for data of assets to be `newer_than` a moment.

    With `before`, an earlier judgement of the same graph, `latest` has the records of those assets alone of which any
    is new since, all of each; and of those with partitions where these are not `recorded`. Those of others are taken
    from there, and only what may have changed is judged: the answer is the same.

    >>> from datetime import UTC
    >>> graph = AssetGraph.of([Asset(key="a", kind="x")])
    >>> judge(graph, {}, {}, now=datetime(2026, 1, 2, tzinfo=UTC)).statuses[0].reasons[0].text
    'never materialized'
    """
    with paused_gc():
        known = before._judge if before is not None and before.is_of(graph) else None
        given = (known.given if known is not None else Given(now=now)).with_records(latest)
        given = given.with_tries(attempts, running).with_looks(seen or {}, looks or {})
        found = recorded or RowsGiven(graph, latest, seen or {})
        judged = _Judge(graph, replace(given, now=now), latest, found, before=known)
        fresh = Freshnesses(graph, judged.data_times, judged.last, durations or {}, now, judged.asked)
        how = fresh.found()
        demands = fresh.demands(newer_than or {}) if how or newer_than else {}
        statuses = _Judge(graph, judged.given, {}, found, demands, judged).statuses if demands else judged.statuses
        return Judgement(_with_freshness(graph, statuses, how), now, judged)


def _with_freshness(
    graph: AssetGraph, statuses: tuple[Status, ...], how: Mapping[AssetKey, Freshness]
) -> tuple[Status, ...]:
    found = {}
    for key, freshness in how.items():
        i = graph.index(key)
        told = "; ".join(filter(None, [statuses[i].note, freshness.doubt])) or None
        found[i] = replace(statuses[i], freshness=freshness, note=told)
    return with_others(statuses, found)


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


_Records = Sequence[Materialization]


class _Judge:
    """The judgement of assets in one pass in graph order, or, after that of `before`, of what may be another one."""

    _comparison: Comparison
    _roots: Roots
    _growth: Growth
    _parted: frozenset[int]
    asked: Sequence[int]
    data_times: DataTimes
    last: ByNumber[Materialization | None]

    def __init__(
        self,
        graph: AssetGraph,
        given: Given,
        latest: Latest,
        recorded: Recorded,
        demands: Mapping[int, Demand] | None = None,
        before: _Judge | None = None,
    ) -> None:
        self.graph, self.given, self._demands = graph, given, demands or {}
        self._rows = recorded
        self._recorded: dict[AssetKey, RecordedPartitions] = {}
        known = None if before is None else before._comparison
        self._comparison = Comparison(graph, latest, given.now, self._recorded, recorded.rows, known)
        self._roots = Roots(graph, self._comparison, None if before is None else before._roots)
        self._growth = Growth(graph, latest) if before is None else before._growth
        if before is not None and given is not before.given:
            self._growth = before._growth.renewed(latest)
        self.last = self._comparison.last
        behind = None if before is None else before.data_times.behind
        self.data_times = DataTimes(
            graph, self._growth, given.now, given.looks, self.last, self._comparison.flawed, behind
        )
        self._partitions = PartitionJudge(
            graph, self._comparison, self._roots, self._growth, self.data_times, self._demands
        )
        #: By asset with a policy: how far its data reaches, for its age.
        self._reached: dict[int, datetime] = {} if before is None else {**before._reached}
        self._parted = partitioned(graph) if before is None else before._parted
        self.asked = with_policies(graph) if before is None else before.asked
        #: By asset, where any has partitions: those whose records nothing behind it asks for.
        self._last_read: Sequence[Sequence[int]] = () if before is None else before._last_read
        if before is None and self._parted:
            self._last_read = last_read(graph)
        self.statuses: tuple[Status, ...]
        if before is None:
            self.statuses = tuple([self._judge_one(i) for i in range(len(graph))])
        else:
            touched = self._judge_touched(before, self._touched(before, latest))
            self.statuses = with_others(before.statuses, touched)

    def _touched(self, before: _Judge, latest: Latest) -> set[int]:
        """Return what may be another one than before by itself; of what has partitions, a clock may say so of all."""
        keys = {key for key, _ in latest}.union(self.given.differing(before.given))
        found = {self.graph.index(key) for key in keys if key in self.graph}.union(self._parted)
        then, now, assets = before.given.now, self.given.now, self.graph.assets
        aged = before._reached.items()
        found.update(i for i, at in aged if is_too_old(assets[i], at, then) != is_too_old(assets[i], at, now))
        return found.union(i for i, _ in self._demands.items() ^ before._demands.items())

    def _judge_touched(self, before: _Judge, touched: set[int]) -> dict[int, Status]:
        """Judge what is touched, and all below it that is handed on something else than before; return all of it."""
        found, waiting, said = dict[int, Status](), sorted(touched), set[int]()
        while waiting:
            i = heappop(waiting)
            found[i] = self._judge_one(i)
            if (self.last[i], self._roots.said(i)) != (before.last[i], before._roots.said(i)):
                said.add(i)  # which is told of it by all that it is a root of
            told = said and any(j in said for j, _ in self._roots.of[i])
            if told or self._handed_on(i) != before._handed_on(i):
                for j in self.graph.downstream[i]:
                    if j not in touched:
                        touched.add(j)
                        heappush(waiting, j)
        return found

    def _handed_on(self, i: int) -> tuple[object, ...]:
        """Return all of an asset without partitions above it that what is made from it is judged by."""
        key, comparison, roots = self.graph.keys[i], self._comparison, self._roots
        own = (comparison.last[i], comparison.shown[i], comparison.versions.of(key))
        epoch = self._growth.epoch(key) if self._growth.has_epochs(key) else None
        return (*own, roots.of[i], i in roots.crowded, roots.rewriting.get(i), epoch)

    def _judge_one(self, i: int) -> Status:
        asset = self.graph.assets[i]
        self._roots.forget(i)
        self._comparison.versions.forget(asset.key)
        found = self._judge(i, asset) if asset.partitions_def is None else self._judge_partitions(i, asset)
        for j in self._last_read[i] if self._last_read else ():
            # Those of all assets may be more than fits into memory.
            if self._recorded.pop(self.graph.keys[j], None) is not None:
                self._partitions.forget(j)
        return found

    def _judge(self, i: int, asset: Asset) -> Status:
        records, overwritten = self._records(asset)
        last = last_of(records)
        # Of partitions that say nothing of it, there is new content all the same.
        seen = last_of(self.given.made[asset.key]) if last is None and asset.key in self.given.made else last
        self._comparison.add(i, asset, seen)
        own, news = (
            self._own(i, asset, records, overwritten) if asset.executable else (self._overdue(asset, records), [])
        )
        linked = self.graph.links and asset.key in self.graph.links
        above = self._partitions.above(i).roots if linked else self._roots.above(i)
        roots = self._roots.named(i, (*above, *((j, NEW) for j in news)))
        never = asset.executable and not records
        self._pass_on(i, asset, own, roots)
        self.data_times.behind[i] = bool(roots) or any(each.code in _BEHIND for each in own)
        whole = never or (asset.computed_on_read and asset.executable)
        reasons = tuple(own) if whole else (*own, *self._roots.reasons(i, roots))
        word = self._word(asset, own, reasons, last)
        at, run = (last.at, last.run) if last else (None, None)
        told = note(asset, last) if asset.executable else self._note(asset, records, own)
        causes = self._keys(word, [j for j, _ in self._roots.of[i]])
        return Status(asset.key, word, reasons, at, run, told, roots=causes)

    def _judge_partitions(self, i: int, asset: Asset) -> Status:
        recorded = self._recorded[asset.key] = self._rows.partitions(asset)
        tried = self.given.tried.get(asset.key, ())
        records = PartitionRecords(asset, recorded, tried, self._partitions.clocks, self.given.looked.get(asset.key))
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
        self._roots.of[i] = ()
        due = bool(sets.due)
        self._comparison.flawed[i] = due
        self.data_times.behind[i] = due
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
            told = source_note(asset, recorded.version is not None, tried, records.overdue(self.given.now))
        return Status(asset.key, word, reasons, at, run, told, sets, self._keys(word, self._partitions.roots(i)))

    def _keys(self, word: StatusName, roots: Iterable[int]) -> tuple[AssetKey, ...]:
        """Return the roots of an asset that is out of date, each once."""
        return tuple(dict.fromkeys(self.graph.keys[j] for j in roots)) if word in OUT_OF_DATE else ()

    def _note(self, asset: Asset, records: _Records, own: Sequence[Reason]) -> str | None:
        overdue = own[0].text if own else None
        return source_note(asset, bool(records), self.given.tried.get(asset.key, ()), overdue)

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
        return key in self.given.running or any(each.outcome == "running" for each in self.given.tried.get(key, ()))

    def _pass_on(self, i: int, asset: Asset, own: Sequence[Reason], roots: Sequence[Root]) -> None:
        if not asset.executable and not asset.computed_on_read:
            # What is made elsewhere is made when others want it; but a metric is just what it is computed from.
            roots = ()
        elif own and not (own[0].code == "never_materialized" and roots):
            self._roots.say((i, OUT), f"`{asset.key}` {saying(own[0])}")
            roots = (*roots, (i, OUT))
        self._roots.of[i] = tuple(roots)
        self._comparison.flawed[i] = bool(roots)
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
        return frozenset[Root]().union(*(self._roots.rewriting.get(j, ()) for j in self.graph.upstream[i]))

    # -- the asset itself ------------------------------------------------------------------------------------------

    def _records(self, asset: Asset) -> tuple[_Records, _Records]:
        """Return the records that speak of an asset without partitions, and those of what was overwritten since.

        Partitions take the place of a whole where assetry keeps the value, and in a table; else a tool may keep both.
        """
        records = self.given.made.get(asset.key, ())
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
        tried = self.given.tried.get(asset.key, ())
        reasons = failures(asset.key, tried, last_of(records))
        if overwritten:
            reasons.append(Reason("never_materialized", asset.key, overwritten_text(())))
        if not records:
            return reasons or [Reason("never_materialized", asset.key, never_text(tried))], []
        text, missing = gone(asset, records, tried, self.given.seen)
        if missing:
            reasons.append(Reason("gone", asset.key, text, hint=gone_hint(tried)))
        found: dict[tuple[Code, AssetKey, str], None] = {}
        news: dict[int, None] = {}
        for made in records:
            found |= dict.fromkeys(self._comparison.differences(i, asset, made, news))
        found |= {("overdue", asset.key, self._demands[i].text): None} if i in self._demands else {}
        return [*reasons, *(Reason(*each) for each in found), *self._overdue(asset, records)], list(news)

    def _overdue(self, asset: Asset, records: _Records) -> list[Reason]:
        if asset.freshness_policy is None:
            return []
        at = reached(asset, records, look := self.given.looks.get((asset.key, None)))
        if at is not None:
            self._reached[self.graph.index(asset.key)] = at
        text = overdue_text(asset, at, self.given.now, look)
        return [Reason("overdue", asset.key, text)] if text else []


#: Of what is wrong with an asset itself: that it is out of date with what it is made from, or not there.
_BEHIND = frozenset({"deps_changed", "gone", "never_materialized"})
#: What makes all of an asset anew that each run makes as a whole.
_ANEW: frozenset[Code] = frozenset({"gone", "never_materialized", "deps_changed", "code_changed", "columns_differ"})
_RANKS_ANEW = (OUT, *(RANKS[code] for code in _ANEW))
