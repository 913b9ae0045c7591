"""Orphans that are deleted: what was made first, then its records, so that a kill in between forgets nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from assetry.errors import AssetryError, error_words
from assetry.io.urls import public_place
from assetry.project.runs.services import services_of
from assetry.project.upkeep.kept import delete_kept
from assetry.project.upkeep.leasing import renewed
from assetry.project.upkeep.orphans import chosen, orphans_of
from assetry.project.upkeep.state import State
from assetry.run.context import Context, RunFacts
from assetry.run.listeners import Listeners
from assetry.run.result import new_run
from assetry.status.changes.orphans import Orphan, deletion_order, readers_among
from assetry.types.assets import Integration
from assetry.types.events import Deleted, Event, Log, RunFinished, RunStarted
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.records import EventRecord, Materialization, RunInfo, RunState

#: How many partitions are deleted before it is written down.
_AT_A_TIME = 100


@dataclass(frozen=True, slots=True)
class Left:
    """An orphan that stays, or partitions of it, and why; `failed` tells that it was tried to delete it."""

    orphan: Orphan
    because: str
    hint: str | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was deleted of the orphans, what is left of them and why, and the run that did it, None where none did.

    `deleted` has each that is gone with all that it was in, in words; none where only its record went.
    """

    deleted: tuple[tuple[Orphan, tuple[str, ...]], ...] = ()
    left: tuple[Left, ...] = ()
    run: RunInfo | None = None


def prune(
    project: State,
    names: Iterable[str] = (),
    *,
    records_only: bool = False,
    on_event: Callable[[EventRecord], None] | None = None,
) -> Pruning:
    """Delete orphans, or those that are named, and forget their records; with `records_only` these alone.

    Raises `UsageError`, with near names, for a name that is of no orphan.
    """
    everything = orphans_of(project)
    found = chosen(project, everything, names)
    due = [each for each in found if records_only or each.refused is None]
    left = [Left(each, each.refused) for each in found if each.refused is not None and not records_only]
    if not due:
        return Pruning((), tuple(left))
    info = new_run((), {"prune": [str(each.key) for each in due], "records_only": records_only})
    store = project.store
    lease, held = _lease(project, info, {each.key for each in due})
    left += [Left(each, f"run {held[each.key]} is making it") for each in due if each.key in held]
    due = [each for each in due if each.key not in held]
    if lease is None:
        return Pruning((), tuple(left))
    state: RunState = "cancelled"
    with renewed(store, lease):
        try:
            store.begin(info, lease)
            with closing(Listeners(services_of(project), project.graph, info, on_event)) as listeners:
                work = _Work(project, info, lease, listeners)
                work.note(RunStarted(len({each.key for each in due}), 0))
                work.delete(due, everything, records_only)
                state = "failed" if work.left else "succeeded"
                work.finish(state)
        finally:
            finished = datetime.now(UTC)
            store.finish(info.id, state, finished, lease=lease)
    return Pruning(tuple(work.deleted), (*left, *work.left), replace(info, state=state, finished=finished))


def _lease(project: State, info: RunInfo, keys: set[AssetKey]) -> tuple[Lease | None, Mapping[AssetKey, str]]:
    """Keep runs from making assets; return the lease, and those that a run is making now, each with that run."""
    held: dict[AssetKey, str] = {}
    while keys - held.keys():
        lease, others = project.store.lease(info.id, dict.fromkeys(sorted(keys - held.keys())))
        if lease is not None:
            return lease, held
        held.update((each.key, each.run) for each in others)
    return None, held


class _Work:
    """The deletions of one run."""

    def __init__(self, project: State, info: RunInfo, lease: Lease, listeners: Listeners) -> None:
        self._project = project
        self._store = project.store
        self._info = info
        self._lease = lease
        self._listeners = listeners
        self._started = time.monotonic()
        self._integrations = {(each.name, each.kind): each for each in project.integrations}
        facts = RunFacts(
            info.id, info.options, project.values, project.graph.__getitem__, secret=project.plugins.secret
        )
        self._context = Context(facts, self.note)
        self.deleted: list[tuple[Orphan, tuple[str, ...]]] = []
        self.left: list[Left] = []

    @cached_property
    def _places(self) -> list[str]:
        """Return the URLs of the places that definitions and integrations lead to."""
        found = [each.io for each in self._project.graph.assets if each.io is not None]
        for integration in self._project.integrations:
            with suppress(AssetryError):  # what cannot tell where its tables are leads to none
                url = self._project.plugins.io_url(integration)
                found += [] if url is None else [url]
        return list(dict.fromkeys(found))

    def note(self, *events: Event) -> None:
        """Write events down."""
        records = [EventRecord(at=datetime.now(UTC), run=self._info.id, event=event) for event in events]
        self._store.append(records, lease=self._lease)
        self._listeners.tell(records)

    def finish(self, state: RunState) -> None:
        """Write down how it ended."""
        counts = {"deleted": len(self.deleted), "left": len(self.left)}
        self.note(RunFinished(state, round(time.monotonic() - self._started, 3), counts))

    def delete(self, due: Sequence[Orphan], everything: Sequence[Orphan], records_only: bool) -> None:
        """Delete orphans one by one, what reads others before these; those that cannot be deleted stay.

        `everything` are all orphans that there are: what is not to be deleted may stand on what is.
        """
        readers = {} if records_only else readers_among(everything)
        standing = {key for keys in readers.values() for key in keys}
        for each in deletion_order(due):
            self._store.renew(self._lease)  # what is not this run's any more stays
            reader = next((key for key in readers.get(each.key, ()) if key in standing), None)
            if reader is not None and each.partitions is None:
                self._leave(each, f"{reader}, a view, was made from it and is still there", "Prune that as well.")
            elif self._is_changed(each):
                self._leave(each, "it was made again meanwhile", None)
            elif records_only:
                self._forget(each, each.partitions)
                self.deleted.append((each, ()))
            elif self._is_deleted(each):
                standing.discard(each.key)

    def _is_changed(self, orphan: Orphan) -> bool:
        """Tell whether any of it was made since it was found; from now on the lease keeps runs away."""
        now = self._store.latest([orphan.key], orphan.partitions)
        return set(map(_mark, now.values())) != set(map(_mark, orphan.records))

    def _leave(self, orphan: Orphan, because: str, hint: str | None) -> None:
        self.left.append(Left(orphan, because, hint, failed=True))
        self.note(Log(f"not deleted: {because}{f' {hint}' if hint else ''}", "error", orphan.key))

    def _is_deleted(self, orphan: Orphan) -> bool:
        done: list[str] = []
        try:
            if orphan.partitions is None:
                done += [self._delete(made, None) for made in _of_each_origin(orphan.records)]
                self._forget(orphan, None, done)
            else:
                done += self._delete_partitions(orphan)
        except Exception as error:  # one that cannot be deleted says nothing of the others
            self._leave(orphan, *_told(error, orphan.key, self._project.plugins.secrets.mask))
            return False
        self.deleted.append((orphan, tuple(dict.fromkeys(done))))
        return True

    def _delete_partitions(self, orphan: Orphan) -> list[str]:
        """Delete partitions of an asset that stays; return what that was."""
        done: dict[str, None] = {}
        for made in _of_each_origin(orphan.records):
            keys = [each.partition for each in orphan.records if each.origin == made.origin and each.partition]
            what = self._ask(made, keys)
            if what is not None:
                self._forget(orphan, keys, [what])
                done[what] = None
            else:
                done.update(self._delete_one_by_one(orphan, made, keys))
        unmade = [each.partition for each in orphan.records if each.origin is None]
        if unmade:
            self._forget(orphan, unmade)
        return list(done)

    def _delete_one_by_one(self, orphan: Orphan, made: Materialization, keys: Sequence[str]) -> dict[str, None]:
        """Delete partitions where they are kept; those that are gone before one fails are forgotten."""
        done: dict[str, None] = {}
        for start in range(0, len(keys), _AT_A_TIME):
            gone: list[str] = []
            try:
                for key in keys[start : start + _AT_A_TIME]:
                    done[delete_kept(self._project.values, made, key, self._places)] = None
                    gone.append(key)
            finally:
                if gone:
                    self._forget(orphan, gone, list(done))
        return done

    def _delete(self, made: Materialization, partitions: Sequence[str] | None) -> str:
        """Delete what a record is of; return what that was."""
        what = self._ask(made, partitions)
        return delete_kept(self._project.values, made, None, self._places) if what is None else what

    def _ask(self, made: Materialization, partitions: Sequence[str] | None) -> str | None:
        """Let a plugin delete what a record is of; return what that was, None when none does."""
        return self._project.plugins.delete(made, self._integration(made), partitions, self._context)

    def _integration(self, made: Materialization) -> Integration | None:
        """Return what made something, where it is there and still leads to the place that it is in."""
        origin = made.origin
        if origin is None or origin.integration is None:
            return None
        integration = self._integrations.get((origin.integration, origin.kind))
        if integration is None or origin.kept or origin.io is None:
            return integration
        url = self._project.plugins.io_url(integration)
        # As after a run for another target: there may be a table of that name here, too.
        return integration if url is None or public_place(url) == origin.io else None

    def _forget(self, orphan: Orphan, partitions: Sequence[str | None] | None, what: Sequence[str] = ()) -> None:
        """Record that something was deleted, and then forget its records."""
        said = ", ".join(dict.fromkeys(what)) or None
        self.note(*(Deleted(orphan.key, each, said) for each in (partitions or (None,))))
        self._store.forget(orphan.key, partitions, lease=self._lease)


def _told(error: Exception, key: AssetKey, mask: Callable[[str], str]) -> tuple[str, str]:
    """Return what went wrong, and the next step, without secrets: to forget the records alone, at last."""
    forgets = f"`assetry prune {key} --delete --records-only` forgets it, and leaves it where it is."
    if not isinstance(error, AssetryError):
        return mask(error_words(error)), forgets
    hint = mask(error.hint) if error.hint else ""
    return mask(error.message), hint if "--records-only" in hint else " ".join(filter(None, (hint, forgets)))


def _mark(made: Materialization) -> tuple[str | None, str, datetime]:
    return made.partition, made.run, made.at


def _of_each_origin(records: Iterable[Materialization]) -> list[Materialization]:
    """Return the newest record of each place that something is in."""
    newest = {each.origin: each for each in reversed(list(records)) if each.origin is not None}
    return list(newest.values())
