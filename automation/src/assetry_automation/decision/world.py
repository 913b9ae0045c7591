"""How everything is at one moment, as far as it matters for what is started next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from assetry.plugin import (
    AssetGraph,
    AssetKey,
    Attempt,
    AutomationPolicy,
    Numbering,
    Parts,
    Reason,
    Status,
)

from assetry_automation.decision.settings import JobEnd, Settings
from assetry_automation.decision.standing import Standing
from assetry_automation.decision.statuses import Statuses

#: The longest that is waited between two starts, or after a failure.
LONGEST = timedelta(hours=1)
#: No partition of anything.
NOTHING = Parts()
#: The reasons that lie in the definition of an asset.
DEFINED = ("code_changed", "columns_differ", "deps_changed")


@dataclass(frozen=True, kw_only=True)
class World:
    """All that is known at a moment, `now`.

    * `standing` is what stays as it is while the definitions do.
    * `statuses` are those of all assets, in graph order, judged for data as new as the demands of this moment ask.
    * `tries` are the last ones of each that made nothing, `durations` are seconds of late, and `under_way` counts the
      runs that automation has started and that still go on.
    * `selections` and `jobs` are what those mean that may depend on how assets are; the others are `standing`.
    * `versions` are those of what was made, and observed, that has no partitions, and that those assets are made from
      which failed, or are out of date and wait for any of it.
    * `ended` is how the jobs came out that were run.
    * `load` is another text when the definitions were loaded anew, and changed.
    * `known` is since when there are just these policies, where an earlier look has found that; `told` are the statuses
      of which anything is to be said, in graph order, where these were found with them.
    """

    now: datetime
    standing: Standing
    statuses: Mapping[AssetKey, Status]
    numbering: Numbering
    tries: Mapping[AssetKey, Sequence[Attempt]] = field(default_factory=dict)
    durations: Mapping[AssetKey, Sequence[float]] = field(default_factory=dict)
    selections: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    versions: Mapping[AssetKey, str] = field(default_factory=dict)
    under_way: int = 0
    jobs: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    ended: Mapping[str, JobEnd] = field(default_factory=dict)
    load: str = ""
    known: Mapping[AssetKey, datetime] | None = None
    told: Iterable[Status] | None = None

    def with_durations(self, durations: Mapping[AssetKey, Sequence[float]]) -> World:
        """Return it with what is known of how long assets take, and with all that was found of it before."""
        found = copy(self)
        found.__dict__["durations"] = durations
        return found

    @cached_property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets."""
        return self.standing.graph

    @cached_property
    def policies(self) -> Mapping[AssetKey, AutomationPolicy]:
        """Return the policies that act."""
        return self.standing.policies

    @cached_property
    def settings(self) -> Settings:
        """Return how much is done at a time."""
        return self.standing.settings

    @cached_property
    def unsettled(self) -> tuple[Status, ...]:
        """Return the statuses of all assets, in graph order, of which anything is to be said: not those just fresh."""
        told = Statuses.of([*self.statuses.values()]).unsettled.values() if self.told is None else self.told
        return tuple(told)

    @cached_property
    def all_due(self) -> Mapping[AssetKey, Parts]:
        """Return what is out of date, in graph order: of an asset without partitions `Numbering.existing`."""
        found = {}
        for each in self.unsettled:
            if each.partitions is not None:
                if each.partitions.due:
                    found[each.key] = each.partitions.due
            elif each.is_due:
                found[each.key] = self.numbering.existing(each.key)
        return found

    @cached_property
    def all_running(self) -> Mapping[AssetKey, Parts]:
        """Return what is being made, in graph order."""
        found = {}
        for each in self.unsettled:
            if each.status == "running":
                parts = each.partitions.running if each.partitions is not None else NOTHING
                found[each.key] = parts or self.numbering.existing(each.key)
        return found

    def selected(self, selection: str) -> frozenset[AssetKey]:
        """Return what a selection means that a policy names."""
        return self.selections.get(selection) or self.standing.selections.get(selection, frozenset())

    def of_job(self, name: str) -> frozenset[AssetKey]:
        """Return what a job selects."""
        return self.jobs.get(name) or self.standing.jobs.get(name, frozenset())

    @cached_property
    def all_missing(self) -> Mapping[AssetKey, Parts]:
        """Return what was never made, in graph order; nothing of what is made elsewhere."""
        return {each.key: parts for each in self.unsettled if (parts := self._missing(each))}

    @cached_property
    def all_failed(self) -> Mapping[AssetKey, Parts]:
        """Return that of which the last try failed, in graph order."""
        return {each.key: parts for each in self.unsettled if (parts := self._failed(each))}

    def due(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that are out of date."""
        return self.all_due.get(key, NOTHING)

    def running(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that are being made."""
        return self.all_running.get(key, NOTHING)

    def missing(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset that were never made; nothing of what is made elsewhere."""
        return self.all_missing.get(key, NOTHING)

    def _missing(self, status: Status) -> Parts:
        sets = status.partitions
        if sets is None and status.last_materialized is not None:
            return NOTHING
        asset = self.graph[status.key]
        if not asset.executable or asset.computed_on_read:
            return NOTHING
        if sets is None:
            return self.numbering.existing(status.key)
        return NOTHING if sets.whole else sets.existing - sets.made

    def failed(self, key: AssetKey) -> Parts:
        """Return the partitions of an asset of which the last try failed."""
        return self.all_failed.get(key, NOTHING)

    def _failed(self, status: Status) -> Parts:
        if status.partitions is not None:
            return status.partitions.failed
        return self.numbering.existing(status.key) if status.status == "failed" else NOTHING

    def up(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return what of `upper` some partitions of `lower` are made from."""
        if not parts or self._is_linked(lower, upper):
            return self.numbering.up(lower, upper, parts)
        return self.numbering.existing(upper)

    def down(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return what of `lower` is made from some partitions of `upper`."""
        if not parts or self._is_linked(lower, upper):
            return self.numbering.down(lower, upper, parts)
        return self.numbering.existing(lower)

    def _is_linked(self, lower: AssetKey, upper: AssetKey) -> bool:
        """Tell whether the graph says what is made from what; it does not where neither of the two has partitions."""
        return lower in self.graph.links and bool(self.numbering.links(lower, upper))

    def parts(self, key: AssetKey, reasons: Iterable[Reason]) -> Parts:
        """Return the partitions of an asset that some of its reasons are about."""
        found = NOTHING
        for each in reasons:
            found |= each.parts or (NOTHING if self.statuses[key].partitions is not None else self.due(key))
        return found

    def last_start(self, key: AssetKey) -> datetime | None:
        """Return when an asset was last made, or tried, as far as records tell."""
        tried = [each.at for each in self.tries.get(key, ()) if each.outcome in ("failed", "running")]
        made = self.statuses[key].last_materialized
        return max([*tried, *([made] if made is not None else [])], default=None)

    def may_pause(self, key: AssetKey) -> bool:
        """Tell whether an asset was started so lately that it matters how long making it takes."""
        last = self.last_start(key)
        return last is not None and last + LONGEST > self.now

    def usual(self, key: AssetKey) -> timedelta:
        """Return how long making an asset takes in the middle; nothing where it is not known."""
        took = sorted(self.durations.get(key, ()))
        return timedelta(seconds=took[len(took) // 2] if took else 0.0)

    def print_of(self, key: AssetKey) -> str:
        """Return a text that is another one when a try at an asset may come out otherwise: its code, and its inputs.

        An input that was made again and came out as before is the same one.
        """
        read = (self._version(each) for each in made_from(self.graph, key) if each in self.statuses)
        return " ".join([str(self.graph[key].code_version), *read])

    def _version(self, key: AssetKey) -> str:
        if self.graph[key].computed_on_read:
            return str(self.graph[key].code_version)
        return self.versions.get(key) or str(self.statuses[key].run)


def made_from(graph: AssetGraph, key: AssetKey) -> Iterator[AssetKey]:
    """Yield what an asset is made from, and what is read by that where it is computed on read."""
    for dep in graph[key].deps:
        yield dep.key
        if dep.key != key and dep.key in graph and graph[dep.key].computed_on_read:
            yield from made_from(graph, dep.key)
