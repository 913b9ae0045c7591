"""Differences that a person accepts: what was made counts as made from what it would be made from now."""

from __future__ import annotations

import getpass
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from assetry.errors import UsageError, near_names
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.text import read_partitions
from assetry.project.upkeep.leasing import lease_all, renewed
from assetry.project.upkeep.state import State
from assetry.run.partition_keys import known_keys
from assetry.run.result import new_run
from assetry.status.accepted import CAUSES, Counted, Unreal, counted
from assetry.status.freshness.growth import Growth
from assetry.status.partitions.sums import UNKNOWN
from assetry.status.reasons import Code
from assetry.status.staleness import OUT_OF_DATE, Status
from assetry.status.versions import Versions, with_read
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.records import Acceptance, Materialization


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says: of which partitions, for which reasons, why, and who it is.

    >>> Word(why="Only a comment.").causes
    ()
    """

    why: str = ""
    by: str | None = None
    partitions: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    undo: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Accepting:
    """What was accepted, or would be; why the rest of what was asked for was not, by asset, and what is stale still."""

    accepted: tuple[Acceptance, ...] = ()
    left: Mapping[AssetKey, str] = field(default_factory=dict)
    still: Mapping[AssetKey, str] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """The records that can be accepted, each as it would count; and what keeps some assets from it, by asset.

    That is what they were made as, or read, and is not the real thing: which asset that is, and how it was made.
    """

    records: list[tuple[Materialization, Counted]] = field(default_factory=list)
    unreal: dict[AssetKey, tuple[AssetKey, str]] = field(default_factory=dict)

    def why_not(self, key: AssetKey) -> str | None:
        """Return why an asset cannot be accepted, without the next step; None where it can."""
        if key not in self.unreal:
            return None
        root, way = self.unreal[key]
        return f"it was {way}" if root == key else f"`{root}`, which it reads, was {way}"

    def told(self, key: AssetKey) -> str | None:
        """Return why an asset cannot be accepted, with the next step; None where it can."""
        because = self.why_not(key)
        return None if because is None else f"{because}; {self.next_step(key)}"

    def next_step(self, key: AssetKey) -> str:
        """Return what to do about an asset that cannot be accepted."""
        return f"`assetry materialize --stale -s {self.unreal[key][0]}` makes the real one"


def accept(project: State, keys: Sequence[AssetKey], word: Word) -> Accepting:
    """Let what was made of assets count as made from what it would be made from now; or, with `undo`, no longer.

    What was made and is not the real thing, such as a table without rows, is never accepted, and neither is new content
    of it in what reads it. Raises `UsageError` without a reason why, for causes and partitions that there are not, and
    where all that is asked for is not the real thing; `ConflictError` when a living run is making one of the assets.
    """
    causes = _causes(word.causes)
    if not word.why.strip() and not word.undo and not word.dry_run:
        raise UsageError("Nobody will know why it is accepted.", hint='Say it: --why "only the comments changed".')
    now = datetime.now(UTC)
    # Before anything is leased: what is leased counts as being made.
    before = _statuses(project, keys, now)
    asked = _asked(word.partitions, before, now)

    def found() -> _Found:
        if word.undo:
            return _Found(_undone(project, before, asked))
        some = _found(project, before, asked, causes, now)
        _refuse_unreal(some, keys)
        return some

    def said(records: Iterable[tuple[Materialization, Counted]]) -> list[Acceptance]:
        return [
            Acceptance(
                at=now,
                by=word.by or _somebody(),
                why=word.why,
                causes=each.causes,
                undone=word.undo,
                before=made,
                after=each.made,
            )
            for made, each in records
        ]

    if word.dry_run:
        some = found()
        accepted = said(some.records)
        taken = {each.key for each in accepted}
        return Accepting(tuple(accepted), _left(project, before, taken, some, word), dry_run=True)
    with _leased(project, keys) as lease:
        some = found()
        accepted = said(some.records)
        late = {(each.key, each.partition) for each in project.store.accept(accepted, lease=lease)}
    accepted = [each for each in accepted if (each.key, each.partition) not in late]
    after = _statuses(project, keys, datetime.now(UTC))
    left = _left(project, after, {each.key for each in accepted}, some, word)
    still = {
        key: some.told(key) or each.reasons[0].text
        for key, each in after.items()
        if key not in left and each.status in OUT_OF_DATE and each.reasons and not word.undo
    }
    return Accepting(tuple(accepted), {**left, **{key: "it was made meanwhile" for key, _ in late}}, still)


def _refuse_unreal(found: _Found, keys: Sequence[AssetKey]) -> None:
    """Raise `UsageError` where nothing can be accepted because all that is asked for is not the real thing."""
    if found.records or not keys or not all(key in found.unreal for key in keys):
        return
    many = f", nor {len(keys) - 1} more" if len(keys) > 1 else ""
    raise UsageError(
        f"{str(keys[0])!r} cannot be accepted{many}: {found.why_not(keys[0])}.", hint=f"{found.next_step(keys[0])}."
    )


@contextmanager
def _leased(project: State, keys: Sequence[AssetKey]) -> Iterator[Lease]:
    """Keep runs from making assets; raise `ConflictError` when one does."""
    lease = lease_all(project.store, new_run(tuple(keys), {}).id, keys)
    try:
        with renewed(project.store, lease):
            yield lease
    finally:
        project.store.finish(lease.run, "cancelled", datetime.now(UTC))


def _statuses(project: State, keys: Sequence[AssetKey], now: datetime) -> dict[AssetKey, Status]:
    chosen = set(keys)
    return {each.key: each for each in project.status(now=now) if each.key in chosen}


def _causes(names: Iterable[str]) -> tuple[Code, ...]:
    for name in names:
        if name not in CAUSES:
            raise UsageError(
                f"{name!r} is no cause that can be accepted.",
                near=near_names(name, CAUSES),
                hint=f"There are {', '.join(CAUSES)}. What failed or is missing has to be made.",
            )
    return tuple(each for each in CAUSES if not names or each in names)


def _asked(texts: Sequence[str], statuses: Mapping[AssetKey, Status], now: datetime) -> Mapping[AssetKey, Parts] | None:
    """Return the partitions that are asked for, of each asset that has some; None for all."""
    if not texts:
        return None
    sets = {str(key): each.partitions for key, each in statuses.items() if each.partitions is not None}
    if not sets:
        raise UsageError(
            "A partition is asked for, but nothing that is selected has partitions.", hint="Leave --partition out."
        )
    definitions = {key: each.definition for key, each in sets.items()}
    found = read_partitions(texts, definitions, now, {key: each.words for key, each in sets.items()})
    return {AssetKey(key): parts for key, parts in found.items()}


def _found(
    project: State,
    statuses: Mapping[AssetKey, Status],
    asked: Mapping[AssetKey, Parts] | None,
    causes: Collection[Code],
    now: datetime,
) -> _Found:
    """Return the records that are out of date for one of some causes, each as it would count."""
    graph, store = project.graph, project.store
    due = {key: each for key, each in statuses.items() if each.reasons and graph[key].executable}
    read = with_read(graph, due)
    latest = store.latest(read)
    versions, growth = Versions(graph, latest, tables=known_keys(graph, store, read)), Growth(graph, latest)
    unreal = Unreal(graph, latest, versions, now)
    found = _Found()
    for key, status in due.items():
        asset = graph[key]
        for partition in _places(asset, status, asked):
            made, way = latest.get((key, partition)), unreal.built(key, partition)
            if way is not None:
                found.unreal[key] = key, way
            if made is None or way is not None:
                continue
            inputs = versions.inputs(asset, partition, now)
            each = counted(graph, asset, made, inputs, growth, causes)
            roots = unreal.read(asset, partition) if each.causes else {}
            if roots:
                all_of_it = each
                # A version that is not known is not accepted.
                inputs = {name: UNKNOWN if name in roots else version for name, version in inputs.items()}
                each = counted(graph, asset, made, inputs, growth, causes)
                if each != all_of_it:
                    found.unreal.setdefault(key, next(iter(roots.values())))
            if each.causes:
                found.records.append((made, each))
    return found


def _places(asset: Asset, status: Status, asked: Mapping[AssetKey, Parts] | None) -> Iterable[str | None]:
    """Return the partitions of an asset that something is wrong with, of those that are asked for."""
    if status.partitions is None:
        return (None,)
    parts = NOTHING
    for reason in status.reasons:
        parts |= reason.parts
    parts &= status.partitions.made & status.partitions.existing
    if asked is not None:
        parts &= asked.get(asset.key, NOTHING)
    return status.partitions.definition.keys_of(parts)


def _undone(
    project: State, statuses: Mapping[AssetKey, Status], asked: Mapping[AssetKey, Parts] | None
) -> list[tuple[Materialization, Counted]]:
    """Return the records that count as accepted, each as it was before it was accepted the first time."""
    before: dict[tuple[AssetKey, str | None], Materialization] = {}
    for each in project.store.acceptances(statuses):
        if each.before.accepted is None:
            before[each.key, each.partition] = each.before
    names: dict[AssetKey, Collection[str]] = {}
    for key, parts in (asked or {}).items():
        sets = statuses[key].partitions
        names[key] = frozenset(sets.definition.keys_of(parts)) if sets is not None else ()
    return [
        (made, Counted(before[place], ()))
        for place, made in project.store.latest(statuses).items()
        if made.accepted is not None and place in before and (asked is None or place[1] in names.get(place[0], ()))
    ]


def _left(
    project: State, statuses: Mapping[AssetKey, Status], accepted: Collection[AssetKey], found: _Found, word: Word
) -> dict[AssetKey, str]:
    """Return why nothing was accepted of assets that were asked for."""
    left = {key: each for key, each in statuses.items() if key not in accepted}
    return {key: found.told(key) or _why_not(project.graph[key], each, word) for key, each in left.items()}


def _why_not(asset: Asset, status: Status, word: Word) -> str:
    if word.undo:
        return "nothing of it counts as accepted"
    if not asset.executable:
        return "nothing here makes it"
    if status.status not in OUT_OF_DATE or not status.reasons:
        return "it is up to date"
    return status.reasons[0].text


def _somebody() -> str:
    """Return who is at work, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody without a name here"
