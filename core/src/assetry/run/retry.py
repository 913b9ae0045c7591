"""What a run has left undone: the assets, the partitions of them, and the outside jobs that may still be under way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.plan.plan import Plan
from assetry.types.events import Handle, InvocationFinished, InvocationStarted, JobOver
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import WELL, Attempt, EventRecord, RunInfo

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition
    from assetry.partitions.key_table import KeyTable

Attempts = Mapping[tuple[AssetKey, str | None], Attempt]


class Undone(NamedTuple):
    """What a run has left undone: assets in graph order, each with its partitions, None for one made as a whole.

    `definitions` are those of the partitions; `gone` are wanted ones that are no partitions any more, by asset. `begun`
    are all that were wanted of assets of which some partitions were made.
    """

    wants: dict[AssetKey, Parts | None]
    definitions: dict[AssetKey, PartitionsDefinition]
    gone: dict[AssetKey, list[str]]
    begun: dict[AssetKey, Parts]

    def refreshed(self, graph: AssetGraph) -> tuple[Undone, bool]:
        """Return what is left of a full refresh, and whether it is to be one: no table is made anew a second time.

        Where other tables are still to be made anew, which one call of a tool cannot do for some only, all that was
        wanted is.
        """
        anew = [key for key in self.wants if graph[key].incremental and graph[key].refreshable]
        begun = {key: self.begun[key] for key in anew if key in self.begun}
        if len(begun) == len(anew):
            return self, not begun
        return self._replace(wants={**self.wants, **begun}), True


@dataclass(frozen=True, slots=True)
class RunOrder:
    """Which of two runs began later: as their store has it, because a clock may have been set back between them.

    Of runs that it does not know, and of those that only record what others have made, the moments tell.

    >>> from datetime import UTC
    >>> one, two = (RunInfo(id=id_, state="failed", started=datetime.now(UTC)) for id_ in ("one", "two"))
    >>> RunOrder.of([two, one]).is_since("two", datetime(2020, 1, 1), "one", datetime(2026, 1, 1))
    True
    """

    places: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, runs: Iterable[RunInfo]) -> RunOrder:
        """Return the order of runs that are given newest first."""
        return cls({run.id: -number for number, run in enumerate(runs) if run.makes})

    def is_since(self, run: str, at: datetime, other: str, moment: datetime) -> bool:
        """Tell whether what a run did at a moment was in another run, or after that had begun, at another moment."""
        if run in self.places and other in self.places:
            return self.places[run] >= self.places[other]
        return at >= moment


def undone(
    run: RunInfo,
    graph: AssetGraph,
    attempts: Attempts,
    tables: Mapping[AssetKey, KeyTable] | None = None,
    order: RunOrder | None = None,
) -> Undone:
    """Return what a run was to make and has not been made since; of partitions those that are left.

    `attempts` are the last ones at the assets of the run, in whichever run; `tables` the keys of partitions that were
    made known, and dropped; `order` is that of these runs.

    >>> from datetime import UTC, datetime
    >>> from assetry.types.assets import Asset
    >>> run = RunInfo(id="r", state="failed", started=datetime.now(UTC), assets=(AssetKey("a"), AssetKey("gone")))
    >>> undone(run, AssetGraph.of([Asset(key="a", kind="x")]), {}).wants
    {AssetKey('a'): None}
    """
    from assetry.partitions.recorded import numbered, with_known  # most projects have no partitions

    asked, tried = set(run.assets), dict[AssetKey, list[str]]()
    for key, partition in attempts:
        if partition is not None:
            tried.setdefault(key, []).append(partition)
    left, since = Undone({}, {}, {}, {}), order or RunOrder()
    for asset in graph.assets:
        if asset.key not in asked:
            continue
        ranges = _wanted(run, asset.key) if asset.partitions_def is not None else ()
        joined = _joined(run, asset.key)
        if asset.partitions_def is None or not ranges:
            if not _done(run, attempts, since, (asset.key, None), joined):
                left.wants[asset.key] = None
            continue
        keys = tried.get(asset.key, [])
        known = numbered(
            with_known(asset.partitions_def, (tables or {}).get(asset.key)),
            [*keys, *(end for each in ranges for end in each)],
        )
        wanted, gone = _parts(known.definition, ranges)
        taken = {other: _parts(known.definition, own)[0] for other, own in joined.items()}
        made = Parts.at(
            known.places[part]
            for part in keys
            if part in known.places and _done(run, attempts, since, (asset.key, part), _with(taken, known.places[part]))
        )
        if gone:
            left.gone[asset.key] = gone
        if wanted - made:
            left.wants[asset.key], left.definitions[asset.key] = wanted - made, known.definition
            if wanted & made:
                left.begun[asset.key] = wanted
    return left


def _wanted(run: RunInfo, key: AssetKey) -> Sequence[Sequence[str]]:
    """Return the ranges of keys that a run was to make of an asset with partitions."""
    wants = run.options.get("wants")
    if wants is not None:
        return wants.get(str(key)) or ()
    # Before runs kept that, all assets with partitions had the same.
    return [(part, part) for part in run.options.get("partition") or ()]


def _joined(run: RunInfo, key: AssetKey) -> Mapping[str, Sequence[Sequence[str]]]:
    """Return the other runs of which a run has taken an asset as they made it, with the ranges of keys."""
    joined = run.options.get("joined") or {}
    return {other: own[str(key)] for other, own in joined.items() if str(key) in own}


def _with(taken: Mapping[str, Parts], place: tuple[str, int]) -> Collection[str]:
    """Return the runs of which a partition is taken."""
    return [other for other, parts in taken.items() if place in parts] if taken else ()


def _parts(definition: PartitionsDefinition, ranges: Sequence[Sequence[str]]) -> tuple[Parts, list[str]]:
    """Return the partitions of ranges of keys, and those ranges that are none any more."""
    parts, gone = NOTHING, list[str]()
    for first, last in ranges:
        with suppress(UsageError):
            possible = definition.possible(Parts.from_json([(first, last)], definition))
            if possible:
                parts |= possible
                continue
        gone.append(first if first == last else f"{first}..{last}")
    return parts, gone


def _done(
    run: RunInfo,
    attempts: Attempts,
    order: RunOrder,
    place: tuple[AssetKey, str | None],
    joined: Collection[str] = (),
) -> bool:
    """Tell whether an asset, or a partition of it, was made in a run or since, the last time that it was tried.

    So it is as well where it did not have to be made, or was to be taken as one of `joined` made it.
    """
    last, whole = attempts.get(place), attempts.get((place[0], None))
    if last is None or last.outcome not in WELL:
        return False
    # One from before the run: the run was killed before it came to the asset.
    if last.run not in joined and not order.is_since(last.run, last.at, run.id, run.started):
        return False
    if whole is None or whole.outcome not in ("check_failed", "cancelled"):
        return True
    # A check is of the asset as a whole, and speaks of what was made in its run or before it.
    return whole.run != last.run and order.is_since(last.run, last.at, whole.run, whole.at)


class LeftJob(NamedTuple):
    """A job that a run has left behind: its token, and the assets that it was asked for; none where that is not known.

    >>> LeftJob("7", frozenset({AssetKey("a")})).token
    '7'
    """

    token: str
    assets: frozenset[AssetKey] = frozenset()

    def is_of(self, invocation: Invocation) -> bool:
        """Tell whether an invocation of its group is to take it up."""
        return not self.assets or any(asset.key in self.assets for asset in (*invocation.assets, *invocation.also))


def taken_up(jobs: Mapping[str, LeftJob], plan: Plan) -> dict[str, LeftJob]:
    """Return the jobs by group, so that one invocation of a plan takes each up if there is one of its group.

    It is one that makes what the job was asked for; where none does, it may be any.
    """
    found = {}
    for group, job in jobs.items():
        invocations = (each.invocation for each in plan.invocations)
        own = any(job.is_of(each) for each in invocations if each.group is not None and each.group.key == group)
        found[group] = job if own else LeftJob(job.token)
    return found


class Left:
    """What a retry is planned by: how the assets of a run were last tried, and the jobs that it has left behind."""

    def __init__(self, run: RunInfo, store: Store) -> None:
        self._run, self._store = run, store
        self._attempts = store.attempts(run.assets)
        self.jobs = jobs_left(run, store)

    def is_still(self, plan: Plan) -> bool:
        """Tell whether that is as it was, for what a plan makes; another retry may have come between."""
        groups = {each.invocation.group.key for each in plan.invocations if each.invocation.group is not None}
        keys = [asset.key for each in plan.invocations for asset in each.invocation.assets]
        jobs = jobs_left(self._run, self._store) if groups else {}
        return all(jobs.get(group) == self.jobs.get(group) for group in groups) and all(
            self._attempts.get(place) == tried for place, tried in self._store.attempts(keys).items()
        )


def breaks(run: RunInfo, store: Store) -> tuple[str, ...]:
    """Return what broke invocations of a run, where no later run has called the same tool to its end."""
    broken: dict[str | tuple[AssetKey, ...], list[str]] = {}
    assets = set[AssetKey]()
    for begun, ended in _calls(run.id, store):
        if ended.broken is not None:
            broken.setdefault(begun.group or begun.assets, []).append(ended.broken)
            assets.update(begun.assets)
    later = takewhile(lambda each: each.id != run.id, store.runs() if broken else ())
    for each in reversed(tuple(later)):
        if broken and not assets.isdisjoint(each.assets):
            for begun, ended in _calls(each.id, store):
                if ended.broken is None and ended.state != "cancelled":
                    broken.pop(begun.group or begun.assets, None)
    return tuple(said for own in broken.values() for said in own)


def _calls(run_id: str, store: Store) -> Iterator[tuple[InvocationStarted, InvocationFinished]]:
    """Yield the beginning and the end of each invocation of a run that has ended."""
    begun: dict[str | None, InvocationStarted] = {}
    for record in store.events(run_id):
        if isinstance(record.event, InvocationStarted):
            begun[record.invocation] = record.event
        elif isinstance(record.event, InvocationFinished) and record.invocation in begun:
            yield begun[record.invocation], record.event


def jobs_of(tokens: Mapping[str, str], events: Iterable[EventRecord]) -> dict[str, LeftJob]:
    """Return the jobs that a run has left behind, by group; `tokens` are by invocation.

    >>> jobs_of({}, [])
    {}
    """
    found: dict[str, LeftJob] = {}
    for record in events if tokens else ():
        event = record.event
        if isinstance(event, InvocationStarted) and event.group and (token := tokens.get(record.invocation or "")):
            found[event.group] = LeftJob(token, frozenset(event.assets))
    return found


def jobs_left(run: RunInfo, store: Store) -> dict[str, LeftJob]:
    """Return the jobs, by group, that a run and the retries before and after it have left behind.

    A retry answers for the job of a group as soon as it has called that group's tool with its token: what it knows of
    it counts then, and not what the run before has recorded. A job of which it did not come to think is still left.
    """
    jobs: dict[str, LeftJob] = {}
    for each in family(run, store.runs()):
        told = _Told.of(each, store)
        for group in {group for group, _ in told.taken}:
            jobs.pop(group, None)
        jobs.update(jobs_of(told.tokens, told.begun))
    return jobs


def forget_ended(run: RunInfo, store: Store, at: datetime) -> None:
    """Forget the jobs of a run, and of the retries before and after it, of which a later one has seen the end.

    A run that was killed keeps the token of its job. A retry that takes the job up keeps the token, too, until the job
    is over, or another one has taken its place.
    """
    taken, held = set[tuple[str, str]](), set[tuple[str, str]]()
    over: list[EventRecord] = []
    for each in reversed(family(run, store.runs())):
        told = _Told.of(each, store)
        own = [(invocation, (told.groups.get(invocation, ""), token)) for invocation, token in told.tokens.items()]
        ended = [(invocation, job) for invocation, job in own if job in taken - held]
        over += [EventRecord(at=at, run=each.id, invocation=id_, event=JobOver(token)) for id_, (_, token) in ended]
        held.update(job for _, job in own if job not in taken)
        taken |= told.taken
    if over:
        store.append(over, (), ())


class _Told(NamedTuple):
    """What the records of a run say of jobs.

    `begun` are the records of invocations that began, `groups` their groups, `tokens` those that are kept, and `taken`
    all that were ever told of, each with the group.
    """

    begun: list[EventRecord]
    groups: dict[str, str]
    tokens: Mapping[str, str]
    taken: set[tuple[str, str]]

    @classmethod
    def of(cls, run: RunInfo, store: Store) -> _Told:
        begun, handles = list[EventRecord](), list[tuple[str, str]]()
        groups: dict[str, str] = {}
        for record in store.events(run.id):
            if isinstance(record.event, InvocationStarted):
                begun.append(record)
                groups[record.invocation or ""] = record.event.group or ""
            elif isinstance(record.event, Handle):
                handles.append((record.invocation or "", record.event.token))
        taken = {(groups[id_], token) for id_, token in handles if groups.get(id_)}
        return cls(begun, groups, store.handles(run.id), taken)


def family(run: RunInfo, runs: Iterable[RunInfo]) -> list[RunInfo]:
    """Return a run, those that it retried, and those that retried any of them, oldest first; `runs` newest first.

    >>> from datetime import UTC, datetime
    >>> family(RunInfo(id="r", state="failed", started=datetime.now(UTC)), [])
    []
    """
    known = {each.id: each for each in runs}
    ours = {run.id}
    before = run.options.get("retry_of")
    while before in known and before not in ours:
        ours.add(before)
        before = known[before].options.get("retry_of")
    found = []
    for each in reversed(known.values()):
        if each.id in ours or each.options.get("retry_of") in ours:
            ours.add(each.id)
            found.append(each)
    return found
