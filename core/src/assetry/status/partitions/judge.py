"""How the partitions of an asset are, and why: sets of them, judged together. Pure.

A partition is out of date by what it is made from alone: what is out of date upstream reaches the partitions that its
link leads to, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.partitions.chains import spread
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.links import Link
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.status.comparison import MOST_ROOTS, Comparison
from assetry.status.freshness.data_times import DataTimes, Newest
from assetry.status.freshness.freshness import Demand
from assetry.status.freshness.growth import Growth
from assetry.status.partitions.records import Clocks, PartitionRecords
from assetry.status.partitions.sets import PartitionSets
from assetry.status.partitions.verification import NO_DIFFERENCES, Differences, Verification
from assetry.status.reasons import Code, Reason, parts_text, saying, share_text
from assetry.status.roots import NEW, OUT, RANKS, Root, Roots, code_of
from assetry.status.times import time_text
from assetry.types.assets import Asset

#: How many roots are kept apart on the way down; what is below more of them names the asset at which they met.
_KEPT = 4 * MOST_ROOTS


class Reach(NamedTuple):
    """What of an asset is out of date, for what is made from it: all of it, and by root."""

    due: Parts
    roots: Mapping[Root, Parts]


class PartitionJudge:
    """The judgement of assets with partitions, and of what reads them, in graph order."""

    def __init__(
        self,
        graph: AssetGraph,
        comparison: Comparison,
        roots: Roots,
        growth: Growth,
        data_times: DataTimes,
        demands: Mapping[int, Demand] | None = None,
    ) -> None:
        self._demands = demands or {}
        self._graph = graph
        self._verification = Verification(graph, comparison, growth)
        self._roots = roots
        self._growth = growth
        self._data_times = data_times
        self._now = comparison.now
        self.clocks = Clocks()
        #: By asset with partitions.
        self._reach: dict[int, Reach] = {}
        #: By asset: what of it was never made, and is not to be yet.
        self._waiting: dict[int, Parts] = {}
        self._records: dict[int, PartitionRecords] = {}

    def judge(
        self, i: int, records: PartitionRecords, seen: Mapping[str | None, bool]
    ) -> tuple[PartitionSets, tuple[Reason, ...]]:
        """Return how the partitions of an asset are, and why, worst first.

        `seen` is which were looked at just now, each with whether it is there.
        """
        asset = self._graph.assets[i]
        self._records[i] = records
        existing = self.clocks.existing(records.definition, self._now)
        made, above = records.made & existing, self.above(i)
        found = self._verification.differences(i, records.recorded, made) if asset.executable else None
        if found is NO_DIFFERENCES and self._is_plain(i, records, existing, above, seen):
            sets = PartitionSets(records.definition, existing=existing, made=existing, fresh=existing)
            self._reach[i] = above
            self._note_data_time(i, asset, records, (), above, sets)
            return sets, ()
        failures = records.failures()
        failed = failures.parts & existing if failures is not None and asset.executable else NOTHING
        sets = PartitionSets(
            records.definition,
            existing=existing,
            made=made,
            missing=existing - made - failed,
            failed=failed,
            running=records.running,
            orphan=records.made - existing,
            unknown=records.unknown,
            whole=records.whole,
        )
        own: list[Reason] = []
        if found is not None:
            own = self._own(i, records, sets, (failures, records.gone(seen)), found)
            sets = self._with_waiting(i, sets, own, above, found)
            above = _joined(above, {(j, NEW): parts for j, parts in found.news.items()})
        else:
            own = self._overdue(asset, records, sets)
        above = self._through_itself(i, above, own, sets)
        shown = [] if asset.computed_on_read else list(self._from_above(i, above, sets))
        wrong = NOTHING if asset.computed_on_read else above.due
        for finding in own:
            wrong |= finding.parts
        if not asset.executable:
            wrong = NOTHING  # it is not made here
        stale = (made & wrong) - failed
        sets = replace(sets, stale=stale, fresh=made - stale - failed)
        self._pass_on(i, asset, own, above, sets)
        self._note_data_time(i, asset, records, own, above, sets)
        return sets, (*(_shared(each, sets) for each in own), *shown)

    def _is_plain(
        self, i: int, records: PartitionRecords, existing: Parts, above: Reach, seen: Mapping[str | None, bool]
    ) -> bool:
        """Tell whether all of an asset was made, and there is nothing to ask about but how it differs.

        So it is of most assets: none of the questions is asked of them.
        """
        asset = self._graph.assets[i]
        plain = records.is_plain and not seen and i not in self._demands and asset.freshness_policy is None
        return plain and records.made == existing and not (above.due or above.roots or self._growth.read(asset))

    def forget(self, i: int) -> None:
        """Forget what is known of an asset for those that read it."""
        self._records[i].recorded = self._records[i].recorded.for_data_times()
        self._verification.forget(self._graph.keys[i])

    def roots(self, i: int) -> tuple[int, ...]:
        """Return the numbers of the assets that partitions of one are out of date from."""
        return tuple(sorted({j for j, _ in self._reach[i].roots}))

    def handed_on(self, i: int) -> frozenset[Root]:
        """Return the roots from which what is made from an asset is out of date."""
        return frozenset(self._reach[i].roots)

    # -- what comes from above ---------------------------------------------------------------------------------------

    def above(self, i: int) -> Reach:
        """Return what reaches an asset from what it is made from; `WHOLE` is an asset without partitions."""
        due = NOTHING
        reached: dict[Root, Parts] = {}
        asset = self._graph.assets[i]
        grown = self._growth.read(asset)
        for number, dep in enumerate(asset.deps):
            j = self._graph.index(dep.key)
            coming = self._reach.get(j)
            if j == i or not (self._roots.of[j] if coming is None else coming.due or coming.roots):
                continue
            link = self._link(i, j, number)
            if coming is None:
                coming = Reach(WHOLE if self._roots.of[j] else NOTHING, dict.fromkeys(self._roots.of[j], WHOLE))
                if coming.due and grown.get(dep.key) == number:
                    coming, link = self._growing(i, j), None
            led: dict[Parts, Parts] = {NOTHING: NOTHING}
            for parts in (coming.due, *coming.roots.values()):
                if parts not in led:
                    led[parts] = parts if link is None else link.down(parts, self._now)
            due |= led[coming.due]
            for root, parts in coming.roots.items():
                if led[parts]:
                    reached[root] = reached.get(root, NOTHING) | led[parts]
        return Reach(due, reached)

    def _growing(self, i: int, j: int) -> Reach:
        """Return what reaches an asset from an input that only grows: what may lack some of its time, but for roots
        that make anew what was there before."""
        records = self._records[i]
        existing = self.clocks.existing(records.definition, self._now)
        open_ = existing - (records.made - records.recorded.open)
        rewriting = self._roots.rewriting.get(j, frozenset())
        roots = {root: existing if root in rewriting else open_ for root in self._roots.of[j]}
        return Reach(existing if not rewriting.isdisjoint(roots) else open_, roots)

    def _with_waiting(
        self, i: int, sets: PartitionSets, own: Sequence[Reason], above: Reach, found: Differences
    ) -> PartitionSets:
        """Return the sets with what is not to be made yet: what it is made from does not reach to the end of its time.

        It is what is missing, and what is out of date by nothing else than that more has come of its time.
        """
        asset = self._graph.assets[i]
        told: list[tuple[str, Parts]] = []
        unready = inherited = NOTHING
        for key in self._growth.read(asset):
            soon = self._data_times.of(self._graph.index(key)).soon
            if soon is not None and soon < self._now:
                early = sets.existing - self.clocks.existing(sets.definition, soon)
                unready |= early
                told.append((f"`{key}`, whose data reaches to {time_text(soon)}", early))
        for number, dep in enumerate(asset.deps):
            j = self._graph.index(dep.key)
            if j in self._waiting and j != i and (link := self._link(i, j, number)) is not None:
                early = link.down(self._waiting[j], self._now) & sets.missing
                inherited |= early
                told.append((f"`{dep.key}`, which waits itself", early))
        if not unready and not inherited:
            return sets
        more, other = found.grown, found.other | above.due
        for finding in own:
            if finding.code == "provisional":
                more |= finding.parts
            elif finding.code not in ("never_materialized", "missing_partitions"):
                other |= finding.parts
        waiting = ((sets.missing | ((more & sets.made) - other)) & unready) | inherited
        waiting -= sets.failed
        if waiting & sets.missing:
            self._waiting[i] = waiting & sets.missing
        texts = (_wait_text(what, parts & waiting, sets.definition) for what, parts in told)
        return replace(sets, waiting=waiting, waits_for="; ".join(dict.fromkeys(filter(None, texts))))

    def _link(self, i: int, j: int, number: int) -> Link | None:
        """Return what a dependency means between the partitions that records know; None without partitions."""
        links = self._graph.links.get(self._graph.keys[i])
        link = links[number] if links is not None else None
        return link and link.numbered(self._definition(i), self._definition(j))

    def _definition(self, i: int) -> PartitionsDefinition | None:
        return self._records[i].definition if i in self._records else None

    def _through_itself(self, i: int, above: Reach, own: Sequence[Reason], sets: PartitionSets) -> Reach:
        """Return what comes from above, and from the asset's own earlier partitions, where it reads these."""
        links = self._links_to_itself(i)
        if not links:
            return above

        def down(parts: Parts) -> Parts:
            parts &= sets.existing
            # What waits is not made yet, so that nothing comes by way of it.
            passing = spread(parts - sets.waiting, links, sets.existing - sets.waiting, self._now)
            found = parts | passing
            for link in links if sets.waiting else ():
                found |= link.down(passing, self._now) & sets.existing
            return found

        roots = {root: down(parts) for root, parts in above.roots.items()}
        due = came = down(above.due)
        for finding in own:
            parts = _rooted(finding, came)
            further = down(parts) - parts
            if further:
                roots[i, RANKS[finding.code]] = further
                due |= further
        return Reach(due, roots)

    def _links_to_itself(self, i: int) -> list[Link]:
        """Return by which dependencies partitions of an asset read others of it."""
        deps, key = self._graph.assets[i].deps, self._graph.keys[i]
        found = [self._link(i, i, number) for number, dep in enumerate(deps) if dep.key == key]
        return [link for link in found if link is not None]

    def _from_above(self, i: int, above: Reach, sets: PartitionSets) -> Iterator[Reason]:
        """Yield the reasons above an asset, each root once, with the partitions that it reaches."""
        by_code: dict[tuple[int, Code], tuple[int, Parts]] = {}
        for (j, rank), parts in sorted(above.roots.items(), key=lambda each: each[0]):
            parts &= sets.made  # noqa: PLW2901 - what was never made is not out of date by what is above
            if parts:
                # Of its own earlier partitions, it is not what is wrong with itself.
                code: Code = "upstream_changed" if j == i else code_of((j, rank))
                worst, before = by_code.get((j, code), (rank, NOTHING))
                by_code[j, code] = (min(worst, rank), before | parts)
        named = list(self._roots.named(i, [(j, rank) for (j, _), (rank, _) in by_code.items()]))
        kept = {j for j, _ in named}
        shown = [(root, each) for root, each in by_code.items() if root[0] in kept]
        for number, ((j, code), (rank, parts)) in enumerate(shown, 1):
            at = self._newest(i, j, parts) if rank == NEW else None
            text = share_text(self._roots.text((j, rank), at), parts, sets.existing, sets.definition)
            yield Reason(code, self._graph.keys[j], text + (self._roots.more(i) if number == len(shown) else ""), parts)

    def _newest(self, i: int, j: int, parts: Parts) -> datetime | None:
        """Return when the newest partition of `j` was made that `parts` of `i` are made from; None when not known."""
        records = self._records.get(j)
        if records is None:
            return None
        read = NOTHING
        for number, dep in enumerate(self._graph.assets[i].deps):
            link = self._link(i, j, number) if self._graph.index(dep.key) == j else None
            if link is not None:
                read |= link.up(parts, self._now)
        return records.newest(read)

    # -- the asset itself --------------------------------------------------------------------------------------------

    def _own(
        self,
        i: int,
        records: PartitionRecords,
        sets: PartitionSets,
        lost: tuple[Reason | None, Reason | None],
        differences: Differences,
    ) -> list[Reason]:
        """Return what is wrong in the asset itself, worst first; `lost` is what failed, and what is gone."""
        failures, gone = lost
        asset = self._graph.assets[i]
        missing = _missing(asset, records, sets)
        found = [each for each in (failures, missing, gone, records.cancelled()) if each]
        found += differences.own
        early = records.provisional(sets.made, self._now, partial(self._known_until, i))
        if early:
            found.append(Reason("provisional", asset.key, "made before all of its data was there", early))
        found += self._overdue(asset, records, sets)
        if i in self._demands:
            demand = self._demands[i]
            found.append(Reason("overdue", asset.key, demand.text, records.behind(sets.made, demand.since)))
        found = [each._replace(parts=each.parts & sets.existing) for each in found]
        return [each for each in found if each.parts]

    def _known_until(self, i: int) -> datetime | None:
        """Return the moment until which it is known of all that an asset is made from whether it has new content."""
        above = self._graph.upstream[i]
        if not above or any(self._graph.assets[j].partitions_def is not None for j in above):
            return None
        found = self._data_times.together(above)
        return None if found.blind else found.at

    def _overdue(self, asset: Asset, records: PartitionRecords, sets: PartitionSets) -> list[Reason]:
        """Return that the newest partition is older than it may be."""
        late = records.overdue(self._now)
        newest = sets.definition.newest(1, self._now) & sets.made if late else NOTHING
        return [Reason("overdue", asset.key, late, newest)] if late and newest else []

    def _pass_on(self, i: int, asset: Asset, own: Sequence[Reason], above: Reach, sets: PartitionSets) -> None:
        if not asset.executable:
            # What is made elsewhere is made when others want it.
            self._reach[i] = Reach(NOTHING, {})
            return
        # What waits is made when others are, so that nothing is out of date from it yet.
        passing = sets.existing - sets.waiting
        roots = {root: parts & passing for root, parts in above.roots.items()}
        for finding in own:
            parts = _rooted(finding, above.due) & passing
            if parts:
                root = (i, RANKS[finding.code])
                roots[root] = roots.get(root, NOTHING) | parts
                self._roots.say(root, f"`{asset.key}` {saying(finding)}")
        if len(roots) > _KEPT:
            self._roots.say((i, OUT), f"`{asset.key}` is out of date")
            most = sorted(roots, key=lambda root: (-len(roots[root]), root))[_KEPT:]
            for root in most:
                roots[i, OUT] = roots.get((i, OUT), NOTHING) | roots.pop(root)
        due = sets.due | (above.due & passing)
        self._reach[i] = Reach(due, {root: parts for root, parts in roots.items() if parts})

    def _note_data_time(
        self, i: int, asset: Asset, records: PartitionRecords, own: Sequence[Reason], above: Reach, sets: PartitionSets
    ) -> None:
        """Note how far the data of an asset reaches, to be looked up when it is asked for."""
        if not asset.executable:
            self._data_times.newest[i] = lambda: Newest(fresh=records.reached)
            return
        behind = above.due
        for link in self._links_to_itself(i) if sets.due else ():
            behind |= link.down(sets.due, self._now)
        for finding in own:
            if finding.code in ("deps_changed", "gone"):
                behind |= finding.parts
        self._data_times.newest[i] = partial(records.newest_reached, sets.existing, behind)
        later = partial(records.newest_reached, sets.existing, sets.due)
        self._data_times.later[i] = later, bool(sets.missing - sets.waiting)


def _rooted(finding: Reason, above: Parts) -> Parts:
    """Return the partitions for which something is a root; what is `above` them is it for those never made."""
    return finding.parts - above if finding.code in ("never_materialized", "missing_partitions") else finding.parts


def _joined(reach: Reach, news: Mapping[Root, Parts]) -> Reach:
    due, roots = reach.due, dict(reach.roots)
    for root, parts in news.items():
        due |= parts
        roots[root] = roots.get(root, NOTHING) | parts
    return Reach(due, roots)


def _missing(asset: Asset, records: PartitionRecords, sets: PartitionSets) -> Reason | None:
    if not sets.missing:
        return None
    told = records.gone_with or (
        "what was made of it as a whole says nothing of its partitions" if records.whole else ""
    )
    if sets.made:
        return Reason("missing_partitions", asset.key, told or "never made", sets.missing)
    text = records.gone_with or records.never_text + (f"; {told}" if told else "")
    return Reason("never_materialized", asset.key, text, sets.missing)


def _wait_text(what: str, parts: Parts, definition: PartitionsDefinition) -> str:
    """Return for people that partitions wait for something; "" where there are none."""
    return f"{parts_text(parts, definition)} wait{'s' if len(parts) == 1 else ''} for {what}" if parts else ""


def _shared(reason: Reason, sets: PartitionSets) -> Reason:
    """Return a reason with the share of the partitions in its text."""
    return reason._replace(text=share_text(reason.text, reason.parts, sets.existing, sets.definition))
