"""A project, the front door: it loads the definitions and hands them on, one way, to graph, plan and run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, Unpack

from assetry.errors import UsageError
from assetry.plan.checks import with_sources
from assetry.plan.plan import Plan
from assetry.plan.scope import Wants
from assetry.project.ask import Ask, PlanKeywords, with_plan_keywords
from assetry.project.backfills.asked import BackfillAsk, BackfillOrder
from assetry.project.backfills.backfills import (
    BackfillPlan,
    Judged,
    add_backfill,
    bumped,
    cancelled,
    find_backfill,
    known_backfill,
    plan_backfill,
    resumed,
    wanted_by,
)
from assetry.project.backfills.carrying import BackfillTools, Carrying, OnProgress
from assetry.project.history.left import LeftRun, but_fresh, interrupted_runs, left_of, left_runs
from assetry.project.history.pruning import HistoryPruning, prune_history
from assetry.project.history.runs import found_run
from assetry.project.judged import JudgedProject, Selectors, Texts
from assetry.project.runs.conflicts import carry_out
from assetry.project.runs.order import OnConflict, OnNote, Order, checked_conflict, manner_of, no_note
from assetry.project.runs.runner import Runner
from assetry.project.runs.services import services_of
from assetry.project.upkeep.verbs import Upkeep
from assetry.project.wants import Wanted, plan_of, wanted
from assetry.run.leases.lease import made_since
from assetry.run.leases.shares import held_by_tools
from assetry.run.partition_keys import PartitionKeys
from assetry.run.result import RunResult
from assetry.run.retry import Left, LeftJob, breaks, forget_ended
from assetry.selection.selection import Selection
from assetry.status.backfill import Backfill
from assetry.status.staleness import Judgement
from assetry.status.why import changed_above
from assetry.types.events import Observed
from assetry.types.keys import AssetKey
from assetry.types.leases import PRIORITIES, Asker
from assetry.types.records import BackfillRecord, DocumentChange, EventRecord, RunInfo
from assetry.views.json import data
from assetry.views.queue import QueueItem, queue_of

#: Under this name a run keeps the options of integrations that it was given.
INTEGRATION_OPTIONS = "integration_options"
OnEvent = Callable[[EventRecord], None]


class Project(JudgedProject, Upkeep):
    """The assets of a project: planned, materialized, and asked how they are.

    `assets` may mix `Asset` values, functions decorated with `@asset` and lists of either, such as what
    ``load_assets_from_dbt_project()`` returns. `integrations` are loaded through their plugins. `plugins` are local
    ones, modules or objects (or a loaded `Plugins`, in the place of all installed ones). `root` is the project's
    folder, that relative paths start from. `store`, `io` and `executor` are URLs and go before what `settings`, those
    of a project file, say; `pools` are limits of pools, by name, beside those of the file. `on_load` is called with
    each integration before it is loaded.

    Nothing is loaded before it is needed: definitions at the first use of `graph`, which raises `DefinitionError`.

    >>> from assetry import asset
    >>> @asset
    ... def one() -> int:
    ...     return 1
    >>> @asset
    ... def two(one: int) -> int:
    ...     return one + 1
    >>> with Project(assets=[one, two], store="sqlite::memory:", io="memory:") as project:
    ...     result = project.materialize()
    ...     result.ok, result.value("two")
    (True, 2)
    """

    # -- partitions ----------------------------------------------------------------------------------------------

    def add_partitions(self, key: AssetKey | str, partitions: Iterable[str]) -> tuple[str, ...]:
        """Make keys of an asset's dynamic partitions known, so that they are missing until they are made.

        Returns those that were not known. Of several dimensions, one of them time, that is the part beside time.
        """
        return PartitionKeys(self.store).add(self.graph[key], partitions)

    def drop_partitions(self, key: AssetKey | str, partitions: Iterable[str]) -> tuple[str, ...]:
        """Drop keys of an asset's dynamic partitions; return those that were there. Records and data of them stay."""
        return PartitionKeys(self.store).drop(self.graph[key], partitions)

    # -- plan and run --------------------------------------------------------------------------------------------

    @with_plan_keywords
    def plan(self, select: Selectors = None, exclude: Texts = None, **keywords: Unpack[PlanKeywords]) -> Plan:
        """Return what would run for a selection, and why, without running anything.

        ``stale=True`` leaves out what is up to date, ``full_refresh=True`` reads and builds from the first row on,
        ``partition="2026-01-31"`` names partitions: a key, a range ``"2026-01..2026-02"``, ``last:7``, ``all``,
        ``missing``, ``stale``, ``failed``, or a list of these; without it, and without `stale`, the last one of each
        asset that has some is made. And ``collapse="earliest"`` trades invocations for an earlier start;
        ``target="prod"`` and the like are options of integrations. Raises `SelectionError` and `UsageError`.
        """
        project, ask = self._asked(keywords)
        return project._plan(select, exclude, ask)

    def plan_due(self, wants: Wants, *, newer_than: Mapping[AssetKey, datetime] = MappingProxyType({})) -> Plan:
        """Return the plan that makes what is out of date of these partitions of assets; None stands for all of one.

        `newer_than` is as in `judge`: what has to be made anew for that counts as out of date. `run` carries it out.
        """
        ask, now, revision = Ask(stale=True), self.clock(), self._revision()
        known = self.judge(now, newer_than=newer_than)
        keys = tuple(key for key in self.graph.keys if key in wants)
        found = wanted(self.graph, keys, ask, known.statuses, now).only(wants)
        return replace(self._plan_of(found, ask, known, now), revision=revision)

    def fits(self, plan: Plan) -> bool:
        """Tell whether a plan still fits: nothing of it was made, or tried, by others since it was made."""
        return not made_since(plan, self.graph, self.store)

    def _asked(self, keywords: Mapping[str, Any]) -> tuple[Project, Ask]:
        """Return the project that keywords mean, and what they ask of it."""
        ask, options = Ask.of(keywords, lambda: (each.name for each in self.plugins.command_options()))
        return self.with_options(options), ask

    def _plan(self, select: Selectors, exclude: Texts, ask: Ask, only: Wants | None = None) -> Plan:
        revision = self._revision()
        found, known, now = self._wanted(select, exclude, ask)
        return replace(self._plan_of(found.only(only), ask, known, now), revision=revision)

    def _wanted(self, select: Selectors, exclude: Texts, ask: Ask) -> Judged:
        """Return what is wanted of a selection, how all assets are, and when that was."""
        found = self.selection(select, exclude)
        # A selection that is handed over was looked at by the one who did it.
        told = () if isinstance(select, Selection) else found.unmatched
        keys, now = found.keys, self.clock()
        known = self.judge(now)
        found_wanted = wanted(self.graph, keys, ask, known.statuses, now)
        notes = (*(f"{part.text!r} matches nothing" for part in told), *found_wanted.notes)
        return replace(found_wanted, notes=notes), known, now

    def _revision(self) -> str | None:
        """Return the revision of the records; what comes after it is not in a plan that is made now."""
        return None if (found := self.store.changes(())) is None else found.revision

    def commands(self, plan: Plan) -> Plan:
        """Return a plan with the command of each invocation, and notes on it, for people to read."""
        ask, note = self.plugins.invocation_command, self.plugins.invocation_notes
        shown = ((each, each.invocation) for each in plan.invocations)
        return replace(plan, invocations=tuple(replace(each, command=ask(it), notes=note(it)) for each, it in shown))

    def _plan_of(self, wanted: Wanted, ask: Ask, known: Judgement, now: datetime) -> Plan:
        # Of what is not made no plugin is asked how it would be.
        return plan_of(self.graph, wanted, self.groups if wanted.wants else {}, known, ask, now)

    @with_plan_keywords
    def materialize(
        self,
        select: Selectors = None,
        exclude: Texts = None,
        *,
        on_event: OnEvent | None = None,
        raise_on_error: bool = False,
        on_conflict: OnConflict = "fail",
        on_note: OnNote = no_note,
        plan: Plan | None = None,
        by: Asker | None = None,
        **keywords: Unpack[PlanKeywords],
    ) -> RunResult:
        """Run a selection, with ``stale=True`` only what is out of date of it, and return how it went; see `plan`.

        Of what is out of date, assets whose inputs all come out as before are left, as ``unchanged``. A failed asset
        or check is an outcome of the result, and with `raise_on_error` a `RunFailedError`. `on_event` is called with
        each record once it is durable.

        When others made some of it since it was planned, it is planned anew before anything is run; `plan` is one that
        these keywords made before. When another run is making some of it, `on_conflict` says what to do: ``fail``
        raises `ConflictError`; ``wait`` waits, and plans anew what is asked for then; ``join`` makes the rest, and
        takes what the other makes as it comes out. `on_note` is called with what is waited for; `by` says who asks.
        """
        project, ask = self._asked(keywords)
        asked = list(select.keys) if isinstance(select, Selection) else select
        options = {"select": asked, "exclude": exclude, **ask.options()}
        again = partial(project._order, select, exclude, ask)
        first = again() if plan is None else Order(plan, partial(self.fits, plan), narrowed=again)
        manner = manner_of(options, by, on_event, checked_conflict(on_conflict), on_note)
        result = carry_out(project._runner, first, again, manner)
        return result.checked() if raise_on_error else result

    def _order(self, select: Selectors, exclude: Texts, ask: Ask, only: Wants | None = None) -> Order:
        plan = self._plan(select, exclude, ask, only)
        return Order(plan, partial(self.fits, plan), narrowed=partial(self._order, select, exclude, ask))

    @property
    def _runner(self) -> Runner:
        services = services_of(self, held_by_tools(self.groups.values()))
        given = {INTEGRATION_OPTIONS: data(self.options)} if self.options else {}
        executor = partial(self.plugins.open_executor, self.settings.executor)
        return Runner(self.graph, services, executor, given, self.load_value, self.settings.keeps_records)

    def run(
        self,
        plan: Plan,
        *,
        options: Mapping[str, Any] | None = None,
        resume: Mapping[str, LeftJob] | None = None,
        on_event: OnEvent | None = None,
        still: Callable[[], bool] | None = None,
        by: Asker | None = None,
    ) -> RunResult:
        """Carry out a plan as it is. An empty one succeeds and leaves no record: there is nothing in it to retry.

        `still` tells whether the plan still fits, once no other run can make any of it; `OutdatedPlanError` when not.
        `by` says who asks for it where no person does.
        Raises `ConflictError` when another run is making some of it, and `NoClaimError`, before anything is run, when
        no plugin opens the place of a value that it makes.
        """
        return carry_out(self._runner, Order(plan, still, resume or {}), None, manner_of(options or {}, by, on_event))

    def observe(
        self,
        select: Selectors = None,
        exclude: Texts = None,
        *,
        on_event: OnEvent | None = None,
        only_news: bool = False,
    ) -> RunResult:
        """Look at what happened to a selection outside, without running anything, and record it.

        For example a sync that was started elsewhere: what is downstream of it becomes stale. With `only_news` a look
        that saw what was known, or failed, leaves no run behind: for those who look every minute.
        """
        from assetry.run.observe import observe  # what only looks at records should not wait for it

        return observe(self.graph, self.select(select, exclude), services_of(self), on_event, only_news=only_news)

    def record_observed(
        self,
        events: Iterable[Observed],
        *,
        documents: Sequence[DocumentChange] = (),
        options: Mapping[str, Any] = MappingProxyType({}),
        on_event: OnEvent | None = None,
    ) -> RunResult:
        """Record what was seen of assets that nothing here makes, in one transaction with some documents of a plugin.

        Partitions that come into being are there once they are seen, and dropped once they are `gone`. What is as it
        was known to be leaves no run behind, and changes the documents alone. `options` are kept with the run. Raises
        `UsageError` for what cannot be so, and `ConflictError` where others have changed a document: nothing is
        recorded then.
        """
        from assetry.run.observe import record_observed

        services = services_of(self)
        return record_observed(self.graph, events, services, documents=documents, options=options, on_event=on_event)

    # -- backfills -----------------------------------------------------------------------------------------------

    def backfill(
        self,
        select: Selectors,
        partition: str | Sequence[str],
        exclude: Texts = None,
        *,
        name: str | None = None,
        start: bool = True,
        on_event: OnEvent | None = None,
        on_progress: OnProgress | None = None,
        **keywords: Any,
    ) -> Backfill:
        """Make partitions of a selection, however many, and return how that went.

        What is wanted is recorded, and carried out here in chunks of about ten minutes, the oldest partitions first and
        through all assets before the next; with ``start=False`` it is only recorded. A failure stops only what is made
        from it. When this process ends before it is through, `resume_backfill` goes on. `partition` is as in `plan`;
        further keywords are the fields of `BackfillAsk` (``only="missing"``, ``at_once=4`` …), and options of
        integrations. `on_progress` is called with how it stands. Raises `UsageError` where something above was never
        made and is not selected, and for a keyword that does not exist.
        """
        project, ask, texts = self._asked_of_backfill(partition, keywords)
        revision, tools = project._revision(), project._backfill_tools
        judged = wanted_by(ask, texts, partial(project._wanted, select, exclude))
        asked = {"select": select.keys if isinstance(select, Selection) else select, "exclude": exclude}
        order = BackfillOrder(ask=ask, name=name, partition=texts, options=data(project.options), revision=revision)
        record = add_backfill(tools, judged, order, asked)
        return Carrying(tools, record, on_event, on_progress).carry_out() if start else tools.told(record)

    def plan_backfill(
        self, select: Selectors, partition: str | Sequence[str], exclude: Texts = None, **keywords: Any
    ) -> BackfillPlan:
        """Return what `backfill` would do, and about how long it would take, without recording or running anything."""
        project, ask, texts = self._asked_of_backfill(partition, keywords)
        judged = wanted_by(ask, texts, partial(project._wanted, select, exclude))
        return plan_backfill(project._backfill_tools, judged, ask)

    def _asked_of_backfill(
        self, partition: str | Sequence[str], keywords: Mapping[str, Any]
    ) -> tuple[Project, BackfillAsk, tuple[str, ...]]:
        ask, options = BackfillAsk.of(keywords, lambda: (each.name for each in self.plugins.command_options()))
        return self.with_options(options), ask, (partition,) if isinstance(partition, str) else tuple(partition)

    @property
    def _backfill_tools(self) -> BackfillTools:
        executor = self.plugins.open_executor(self.settings.executor)
        executor.close()
        return BackfillTools(self.graph, self.store, self._runner, self.judge, self._plan_of, executor.slots)

    def backfills(self) -> tuple[Backfill, ...]:
        """Return all backfills and how they stand, newest first."""
        return tuple(self.find_backfill(record.id) for record in self.store.backfills())

    def find_backfill(self, id_: str | None = None) -> Backfill:
        """Return a backfill by its id, a unique beginning of it, or its name; the last one when None."""
        record = find_backfill(self.store, id_)
        return self._tools_of(record).told(record)

    def resume_backfill(
        self,
        id_: str | None = None,
        *,
        failed: bool = False,
        start: bool = True,
        on_event: OnEvent | None = None,
        on_progress: OnProgress | None = None,
    ) -> Backfill:
        """Go on, as `backfill` does, with one that was cancelled, killed or has failed, or with what `failed` of it."""
        tools = self._tools_of(record := find_backfill(self.store, id_))
        again = resumed(tools, record, failed)
        return Carrying(tools, again, on_event, on_progress).carry_out() if start else tools.told(again)

    def cancel_backfill(self, id_: str) -> str:
        """Call a backfill off, and return its id: nothing of it starts from now on. Runs of it are not stopped."""
        record = find_backfill(self.store, id_)
        return cancelled(self.store, record, lambda: self._tools_of(record).ended(record)).id

    def _tools_of(self, record: BackfillRecord) -> BackfillTools:
        return self.with_options(BackfillOrder.of(record).options)._backfill_tools

    # -- the queue -----------------------------------------------------------------------------------------------

    def queue(self) -> tuple[QueueItem, ...]:
        """Return what runs, and what waits in the order in which it will go on."""
        store = self.store
        there = store.runs(running=True), store.queue(), store.leases(), store.slots(), store.backfills()
        return queue_of(*there, datetime.now(UTC))

    def bump(self, id_: str) -> str:
        """Give a run that goes on or waits, or a backfill, the first class, and return its id; raise `UsageError`."""
        found = known_backfill(self.store, id_)
        if found is not None:
            return bumped(self.store, found)
        if (run := self.find_run(id_.partition(" ")[0])).is_over:
            raise UsageError(f"Run {run.id} has ended.", hint="`assetry queue` shows what runs and what waits.")
        self.store.prioritize(run.id, PRIORITIES["person"])
        return run.id

    # -- history -------------------------------------------------------------------------------------------------

    def find_run(self, run_id: str | None = None, *, ended: bool = False) -> RunInfo:
        """Return a run by its id or its beginning; when None the last one, or the last `ended`; raise `UsageError`."""
        return found_run(self.store, self.settings.retention, run_id, ended)

    def undone(self, run: RunInfo) -> tuple[AssetKey, ...]:
        """Return what a run was to make and has not been made since, in graph order."""
        return tuple(left_of(run, self.graph, self.store, lambda: self.judge().statuses).wants)

    def left_runs(self, *, interrupted: bool = False, judged: Judgement | None = None) -> tuple[LeftRun, ...]:
        """Return the runs that have left something undone which no run has made since, newest first.

        With `interrupted` those whose process was gone, of which no later run has tried it. `judged` saves judging.
        """
        found = (interrupted_runs if interrupted else left_runs)(self.graph, self.store)
        return tuple(but_fresh(self.graph, found, lambda: (judged or self.judge()).statuses))

    def changed_above(self, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
        """Return what some assets are made from, near or far, and whose code changed since it was made."""
        return tuple(changed_above(self.graph, self.judge().statuses, keys))

    def problems_of(self, run: RunInfo) -> tuple[str, ...]:
        """Return what broke invocations of a run, such as a failed hook of dbt's, and no run has got done since."""
        return breaks(run, self.store)

    def plan_retry(self, run: RunInfo, only: Wants | None = None) -> Plan:
        """Return the plan of what is left of a run, collapsed anew, with the options of integrations that it had.

        With `only`, of what is left of that.
        """
        variant = self._variant_of(run)
        if variant is not self:
            return variant.plan_retry(run, only)
        now, anew = datetime.now(UTC), bool(run.options.get("full_refresh"))
        judged = self.judge(now)
        left = left_of(run, self.graph, self.store, lambda: judged.statuses)
        if anew:
            left, anew = left.refreshed(self.graph)
        notes = [f"{', '.join(gone)} of {key}: no partition any more" for key, gone in left.gone.items()]
        wants = {key: left.wants.get(key) for key in with_sources(self.graph, left.wants)}
        ask = Ask(full_refresh=anew, stale=bool(run.options.get("stale")))
        wanted = Wanted(wants, left.definitions, tuple(notes)).only(only)
        return self._plan_of(wanted, ask, judged, now)

    def retry(
        self,
        run_id: str | None = None,
        *,
        on_event: OnEvent | None = None,
        on_conflict: OnConflict = "fail",
        on_note: OnNote = no_note,
    ) -> RunResult:
        """Run what is left of a run, in a new minimal plan; outside jobs that still run are re-attached.

        Where another retry came first, what is left then is planned anew; see `materialize` for `on_conflict`.
        """
        run = self.find_run(run_id, ended=True)
        if not run.is_over:
            still = "is still running" if run.state == "running" else "waits to begin"
            raise UsageError(f"Run {run.id} {still}.", hint=f"Stop it first: `assetry cancel {run.id}`.")
        # Also what a retry left that was killed when the job was over.
        forget_ended(run, self.store, datetime.now(UTC))
        again = partial(self._order_of_retry, run)
        manner = manner_of({**run.options, "retry_of": run.id}, None, on_event, checked_conflict(on_conflict), on_note)
        result = carry_out(self._variant_of(run)._runner, again(), again, manner)
        forget_ended(run, self.store, datetime.now(UTC))
        return result

    def _order_of_retry(self, run: RunInfo, only: Wants | None = None) -> Order:
        left = Left(run, self.store)
        plan = self.plan_retry(run, only)
        options = {"full_refresh": any(each.invocation.full_refresh for each in plan.invocations)}
        return Order(plan, partial(left.is_still, plan), left.jobs, partial(self._order_of_retry, run), options)

    def prune_history(self, *, dry_run: bool = False) -> HistoryPruning:
        """Remove what is older than ``[retention]`` in the project file keeps; return how much that was.

        How assets are, and what a retry makes, is the same as before. With `dry_run` nothing is removed.
        """
        given = self.store, self.graph, self.settings.retention, datetime.now(UTC)
        return prune_history(*given, pictures=self.pictures, dry_run=dry_run)

    def _variant_of(self, run: RunInfo) -> Project:
        return self.with_options(run.options.get(INTEGRATION_OPTIONS) or {})
