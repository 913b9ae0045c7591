"""The backfills of a project: asked for, found, resumed, called off."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.errors import ConflictError, UsageError, near_names
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.project.ask import Ask
from assetry.project.backfills.asked import BackfillAsk, BackfillOrder, grids_of, wants_to_json
from assetry.project.backfills.carrying import BackfillTools
from assetry.project.backfills.chunks import middle_of
from assetry.project.backfills.needed import refuse_missing_inputs, seconds_of
from assetry.project.wants import Wanted
from assetry.status.backfill import size
from assetry.status.staleness import Judgement, Status, known_definitions
from assetry.store.leases.processes import hostname
from assetry.types.keys import AssetKey
from assetry.types.leases import PRIORITIES
from assetry.types.protocols import Store
from assetry.types.records import BackfillRecord

if TYPE_CHECKING:
    from assetry.plan.scope import Wants

#: What is wanted of a selection, how all assets are, and when that was.
Judged = tuple[Wanted, Judgement, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlan:
    """What a backfill would do: its plan, as if all was made at once, and about how many seconds it takes.

    `seconds` is None where nothing is known of how long anything takes.
    """

    plan: Plan
    partitions: int
    seconds: float | None


def wanted_by(ask: BackfillAsk, partition: Sequence[str], judge: Callable[[Ask], Judged]) -> Judged:
    """Return what a backfill wants: of what is asked for all, what is missing, or what is out of date."""
    if not partition:
        raise UsageError("Which partitions are to be made?", hint="Name them: -p 2026-01-01..2026-01-31, or -p all.")
    wanted, known, now = judge(Ask(partition=tuple(partition), stale=ask.only == "stale"))
    if ask.only == "missing":
        wanted = replace(wanted, wants=_missing(wanted.wants, known.statuses))
    return wanted, known, now


def _missing(wants: Wants, known: Sequence[Status]) -> Wants:
    """Return what of some wants was never made."""
    by_key = {each.key: each for each in known}
    found: dict[AssetKey, Parts | None] = {}
    for key, own in wants.items():
        status = by_key[key]
        if own is None:
            if status.last_materialized is None:
                found[key] = None
        elif status.partitions is not None and (missing := own - status.partitions.made):
            found[key] = missing
    return found


def plan_backfill(tools: BackfillTools, judged: Judged, ask: BackfillAsk) -> BackfillPlan:
    """Return what a backfill would do; raise `UsageError` where something above it was never made."""
    wanted, known, now = judged
    numbering = _numbering(tools, wanted, known, now)
    refuse_missing_inputs(tools.graph, wanted.wants, known.statuses, numbering)
    plan = tools.plan(wanted, Ask(stale=ask.only == "stale"), known, now)
    seconds = middle_of(tools.store.durations(wanted.wants))
    slots = min(tools.slots, ask.at_once or tools.slots)
    return BackfillPlan(plan=plan, partitions=size(wanted.wants), seconds=seconds_of(wanted.wants, seconds, slots))


def add_backfill(
    tools: BackfillTools, judged: Judged, order: BackfillOrder, asked: Mapping[str, Any]
) -> BackfillRecord:
    """Record a backfill that is `asked` for; from then on what is made of it counts, whoever makes it.

    Raises `UsageError` when another one that is not done has its name.
    """
    refuse_taken_name(tools.store, order.name, lambda each: settled(tools, each).state)
    wanted, known, now = judged
    numbering = _numbering(tools, wanted, known, now)
    refuse_missing_inputs(tools.graph, wanted.wants, known.statuses, numbering)
    record = BackfillRecord(id=f"b{now:%Y%m%d-%H%M%S}-{os.urandom(3).hex()}", at=now)
    codes = {str(key): tools.graph[key].code_version for key in wanted.wants}
    wants = wants_to_json(wanted.wants, numbering)
    select, exclude = (_texts(asked.get(name)) for name in ("select", "exclude"))
    grids = grids_of(wanted.wants, numbering)
    kept = replace(order, wants=wants, grids=grids, by=_whoever(), codes=codes, select=select, exclude=exclude).on(
        record
    )
    tools.store.change_backfill(kept, None)
    return kept


def refuse_taken_name(store: Store, name: str | None, state_of: Callable[[BackfillRecord], str]) -> None:
    """Raise `UsageError` where a backfill that is not done has a name: it could not be told from a new one of it.

    `state_of` returns the state of one as it is by now, see `settled`.
    """
    for each in _undone(store.backfills(), name) if name is not None else ():
        state = state_of(each)
        if state != "done":
            how = {"cancelled": "was cancelled", "failed": "has failed"}.get(state, "is wanted still")
            raise UsageError(
                f"There is a backfill {name!r} already, {each.id}: it {how}.",
                hint=f"`assetry backfill --resume {each.id}` goes on with it; ask for this one by another name.",
            )


def settled(tools: BackfillTools, record: BackfillRecord) -> BackfillRecord:
    """Return a backfill as done, and record it so, where all that was left when it ended was made since; else as is."""
    if record.state in ("cancelled", "failed"):
        standing, _ = tools.standing(record)
        if tools.all_made(record, standing):
            made = tools.ended(record, standing).on(record, state="done")
            return made if tools.store.change_backfill(made, record.state) else find_backfill(tools.store, record.id)
    return record


def _undone(known: Sequence[BackfillRecord], name: str | None) -> list[BackfillRecord]:
    """Return the backfills of a name that are not done."""
    return [each for each in known if each.body.get("name") == name and each.state != "done"]


def _numbering(tools: BackfillTools, wanted: Wanted, known: Judgement, now: datetime) -> Numbering:
    # Keys that come into being now are known to what is wanted alone.
    return Numbering(tools.graph, {**known_definitions(known.statuses), **wanted.definitions}, now)


def _texts(given: Any) -> tuple[str, ...]:
    return () if given is None else (given,) if isinstance(given, str) else tuple(map(str, given))


def _whoever() -> str:
    """Return who asks, as far as the system says it."""
    import getpass  # few commands ask for anything in somebody's name

    user = "?"
    with suppress(Exception):  # there may be no name for a number
        user = getpass.getuser()
    return f"{user}@{hostname()}"


def known_backfill(store: Store, id_: str | None) -> BackfillRecord | None:
    """Return a backfill by its id, a unique beginning of it, or its name; the last one of all when None.

    Of those of a name it is the one that is not done, else the newest. Raises `UsageError` when several begin so, or
    several of a name are not done.
    """
    known = store.backfills()
    exact = [each for each in known if id_ in (None, each.id)]
    if not exact:
        exact = _undone(known, id_)
        if len(exact) > 1:
            ids = [each.id for each in exact]
            raise UsageError(f"Several backfills have the name {id_!r}.", near=ids, hint="Name one by its id.")
        exact = exact or [each for each in known if each.body.get("name") == id_]
    found = exact[:1] or [each for each in known if id_ and each.id.startswith(id_)]
    if len(found) > 1:
        raise UsageError(f"Several backfills begin with {id_!r}.", near=[each.id for each in found[:6]])
    return found[0] if found else None


def find_backfill(store: Store, id_: str | None) -> BackfillRecord:
    """Do as `known_backfill`; raise `UsageError`, with near names, when there is none."""
    found = known_backfill(store, id_)
    if found is not None:
        return found
    if id_ is None:
        raise UsageError("There is no backfill yet.", hint="`assetry backfill -s SELECTION -p PARTS` starts one.")
    names = (name for each in store.backfills() for name in (each.id, each.body.get("name")) if name)
    hint = "`assetry backfills` lists them."
    raise UsageError(f"There is no backfill {id_!r}.", near=near_names(id_, names), hint=hint)


def bumped(store: Store, record: BackfillRecord) -> str:
    """Give a backfill, and what runs of it, the first class; return its id. Raises `UsageError` when it has ended."""
    first = PRIORITIES["person"]
    changed = replace(BackfillOrder.of(record), priority=first).on(record)
    if record.state != "open" or not store.change_backfill(changed, "open"):
        raise UsageError(f"Backfill {record.id} has ended.", hint="`assetry queue` shows what runs and what waits.")
    runs = (run.id for run in store.runs(running=True, backfill=record.id))
    for run_id in (record.id, *runs):
        store.prioritize(run_id, first)
    return record.id


def resumed(tools: BackfillTools, record: BackfillRecord, only_failed: bool) -> BackfillRecord:
    """Return a backfill that goes on, with what has failed to be tried again; or `only_failed` that.

    What had failed and was not gone on with to the end is what had failed still. Raises `UsageError` when all of it is
    made, and `ConflictError` when another process carries it out.
    """
    _refuse_running(tools.store, record)
    record = settled(tools, record)
    if record.state == "done":
        raise UsageError(f"Backfill {record.id} is done: nothing is left of it.", hint="Ask for another one.")
    order = BackfillOrder.of(record)
    limit = order.limit if only_failed else None
    if only_failed and limit is None:
        standing, _ = tools.standing(record)
        failed: dict[AssetKey, Parts | None] = {}
        for key, parts in (*standing.given_up.items(), *standing.blocked(tools.graph).items()):
            own = failed.get(key)
            whole = standing.wants[key] is None or parts is None
            failed[key] = None if whole else parts if own is None else own | (parts or own)
        if not failed:
            raise UsageError(
                f"Nothing of backfill {record.id} has failed.", hint="Leave --failed out to go on with it."
            )
        limit = wants_to_json(failed, standing.numbering)
    runs = tuple(run.id for run in tools.store.runs(backfill=record.id))
    changes: Mapping[str, Any] = {"limit": limit, "was": order.was if record.state == "open" else record.state}
    again = replace(order, resumed=runs, counts=None, assets=(), failures=(), given_up={}, **changes).on(
        record, state="open"
    )
    if not tools.store.change_backfill(again, record.state):
        raise UsageError(f"Backfill {record.id} was changed just now.", hint="Look at it: `assetry backfills`.")
    return again


def _refuse_running(store: Store, record: BackfillRecord) -> None:
    """Raise `ConflictError` where another process carries a backfill out: its order stays as it is."""
    run = store.run(record.id)
    if run is not None and run.id == record.id and (run.process, run.host) != (os.getpid(), hostname()):
        raise ConflictError(
            f"Backfill {record.id} is carried out by process {run.process} on {run.host.partition('/')[0]} already.",
            hint=f"`assetry queue` shows it; `assetry cancel {record.id}` stops it.",
        )


def cancelled(store: Store, record: BackfillRecord, ended: Callable[[], BackfillOrder]) -> BackfillRecord:
    """Return a backfill of which nothing new starts from now on; what is under way is for others to stop.

    `ended` returns its order with how far it is; where definitions cannot be loaded it is called off all the same.
    """
    while record.state == "open":
        order = BackfillOrder.of(record)
        with suppress(Exception):
            order = ended()
        ended_record = order.on(record, state="cancelled")
        if store.change_backfill(ended_record, "open"):
            return ended_record
        record = find_backfill(store, record.id)
    return record
