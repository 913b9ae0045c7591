"""A project: assets, the tools that make them, and where values and records are kept.

This is the front door: it loads the definitions and hands them on, one way, to graph, plan and run.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Unpack

from assetry.errors import AssetryError, OutdatedPlanError, UsageError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins, load_plugins
from assetry.io.values import ValueRouter
from assetry.plan.checks import with_sources
from assetry.plan.plan import Plan
from assetry.project.ask import Ask, PlanKeywords, with_plan_keywords
from assetry.project.definitions import Definitions, OnLoad, local_plugins
from assetry.project.history.pruning import HistoryPruning, prune_history
from assetry.project.history.runs import found_run
from assetry.project.places import place_problems, value_problem
from assetry.project.recorded import RecordedValues, recorded_judgement
from assetry.project.root import project_root
from assetry.project.settings import Settings, absolute, read_settings
from assetry.project.upkeep.verbs import Upkeep
from assetry.project.wants import Wanted, plan_of, wanted
from assetry.run.leases.lease import wanted_parts
from assetry.run.loop import execute
from assetry.run.observe import observe
from assetry.run.partition_keys import PartitionKeys
from assetry.run.result import RunRequest, RunResult, RunServices, new_run
from assetry.run.retry import Left, LeftJob, breaks, forget_ended, recorded_undone
from assetry.selection.selection import Selection, selection
from assetry.status.staleness import Judgement, Status
from assetry.status.verdicts import standing
from assetry.status.why import changed_above
from assetry.store.partition_cache import PartitionCache
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import EventRecord, RunInfo, Verdicts
from assetry.views.json import data

Texts = str | Sequence[str] | None
Selectors = Texts | Selection
#: Under this name a run keeps the options of integrations that it was given.
INTEGRATION_OPTIONS = "integration_options"
OnEvent = Callable[[EventRecord], None]


class Project(Upkeep):
    """The assets of a project: planned, materialized, and asked how they are.

    `assets` may mix `Asset` values, functions decorated with `@asset` and lists of either, such as what
    ``load_assets_from_dbt_project()`` returns. `integrations` are loaded through their plugins. `plugins` are local
    ones, modules or objects (or a loaded `Plugins`, in the place of all installed ones). `root` is the project's
    folder, that relative paths start from. `store`, `io` and `executor` are URLs and go before what `settings`, those
    of a project file, say. `on_load` is called with each integration before it is loaded.

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

    def __init__(
        self,
        assets: Iterable[Any] = (),
        *,
        root: Path | str = ".",
        integrations: Sequence[Integration] = (),
        plugins: Sequence[Any] | Plugins = (),
        store: str | None = None,
        io: str | None = None,
        executor: str | None = None,
        settings: Settings | Path | str | None = None,
        on_load: OnLoad | None = None,
    ) -> None:
        # Before there was `root`, a folder was given as `settings`.
        base = settings if isinstance(settings, Settings) else Settings(Path(settings or root).resolve())
        self.settings = replace(base, store=store or base.store, io=io or base.io, executor=executor or base.executor)
        self._definitions = Definitions(self.settings, assets, integrations, plugins, on_load)
        self._variants: list[Project] = []

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] = ".",
        *,
        plugins: Sequence[Any] = (),
        on_load: OnLoad | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Project:
        """Find the project in a folder (or above it) and return it.

        With a project file, what it names; without one, the integrations that plugins recognise in the folder, and
        ``assets.py`` or ``assets/``, also from a folder below. `on_load` is called with each integration before it is
        loaded; `options` are those of integrations, as `with_options` takes them. Raises `ProjectFileError`.
        """
        settings = read_settings(Path(path))
        if settings.file is None:
            settings = replace(settings, root=project_root(settings.root, load_plugins({}).discover))
        local = [*plugins, *local_plugins(settings.root)]
        project = cls(settings=settings, plugins=local, on_load=on_load)
        if options:
            project._definitions = project._definitions.with_options(options)
        return project

    # -- definitions ---------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """Return the project's folder."""
        return self.settings.root

    @property
    def plugins(self) -> Plugins:
        """Return the loaded plugins."""
        return self._definitions.plugins

    @property
    def integrations(self) -> tuple[Integration, ...]:
        """Return every integration of the project, the Python modules among them."""
        return self._definitions.integrations

    @cached_property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets; the definitions are loaded at the first use."""
        return self._definitions.graph(lambda: self.values)

    def group_of(self, asset: Asset) -> InvocationGroup | None:
        """Return what an asset may share an invocation with; None when it runs on its own, or nothing here makes it."""
        return self.plugins.invocation_group(asset) if asset.executable else None

    def with_options(self, options: Mapping[str, Any]) -> Project:
        """Return the project with options of integrations as given, such as dbt's ``target``, whatever its file says.

        It shares this one's store, and is closed with it. Raises `UsageError` for an option that no integration has.
        """
        if not options or options == self.options:
            return self
        variant = copy.copy(self)
        variant.__dict__ = {name: value for name, value in self.__dict__.items() if name not in ("graph", "values")}
        variant.__dict__["store"] = self.store
        variant._definitions = self._definitions.with_options({**self.options, **options})
        variant._variants = []
        self._variants.append(variant)
        return variant

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of integrations that were given for this project, in the place of what its file says."""
        return self._definitions.options

    # -- where things are kept -----------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """Return the store of records, opened."""
        return self.plugins.open_store(absolute(self.settings.store, self.root))

    @cached_property
    def values(self) -> ValueRouter:
        """Return what keeps and reads the values of assets."""
        files = f"parquet:{self.root / '.assetry' / 'data'}"
        recorded = RecordedValues(lambda: self.store, self.settings.keeps_records)
        configured = self.settings.io and absolute(self.settings.io, self.root)
        return ValueRouter(
            self.plugins.open_io,
            configured or self._definitions.warehouse_url() or files,
            files=files,
            io_url=self.plugins.io_url,
            last_metadata=recorded.metadata,
            was_made=recorded.was_made,
            describe=self.plugins.value_metadata,
        )

    def place_problems(self) -> tuple[AssetryError, ...]:
        """Return what is wrong with the places that the project names: a store, an executor, places of values."""
        return tuple(place_problems(self.settings, self.plugins, self.values, self.graph.assets))

    def load_value(self, key: str, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        """Return the value of an asset, as `form` (a type; None for the default: a DataFrame for a table).

        Of several partitions, given by their keys, it is one table, or a dict by key of what is no table.
        """
        return self.values.load(self.graph[self.graph.find(key)], form, partition)

    def close(self) -> None:
        """Close files and connections; the project may be used again afterwards."""
        with ExitStack() as closing:
            # What cannot be closed must not keep the other open.
            for name in ("store", "values"):
                if name in self.__dict__:
                    closing.callback(self.__dict__[name].close)
            for variant in self._variants:
                closing.callback(variant.close)

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- questions -----------------------------------------------------------------------------------------------

    def select(self, select: Selectors = None, exclude: Texts = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means; raise `SelectionError` when it is wrong or matches nothing."""
        return self.selection(select, exclude).keys

    def selection(self, select: Selectors = None, exclude: Texts = None) -> Selection:
        """Do as `select`, and also return the parts of the selection that match nothing, for a warning.

        What it returns may be given in the place of `select` to all that takes one, and is not looked for again.
        """
        if isinstance(select, Selection):
            gone = set(self.select(exclude)) if exclude else ()
            return select._replace(keys=tuple(key for key in select.keys if key not in gone)) if gone else select
        asked = (self._status_names, self.plugins.selection_hint, self._definitions.named_selections)
        return selection(self.graph, select, exclude or (), *asked)

    def _status_names(self) -> Mapping[AssetKey, str]:
        return {status.key: status.status for status in self._judged().statuses}

    def _judged(self, now: datetime | None = None) -> Judgement:
        cache = PartitionCache(self._state and self._state / "cache" / "partitions.db")
        return recorded_judgement(self.graph, self.store, self.values, cache, now or datetime.now(UTC))

    @property
    def _state(self) -> Path | None:
        """Return the folder of what is kept between commands; None for a project that keeps nothing."""
        return self.root / ".assetry" if self.settings.keeps_records else None

    def status(
        self, select: Selectors = None, exclude: Texts = None, *, now: datetime | None = None
    ) -> tuple[Status, ...]:
        """Return how each selected asset is, and why: now, or as it would be at another moment with today's records."""
        chosen = set(self.select(select, exclude))
        return tuple(status for status in self._judged(now).statuses if status.key in chosen)

    def status_of(self, key: str) -> Status:
        """Return how one asset is, and why."""
        wanted = self.graph[key].key
        return next(status for status in self._judged().statuses if status.key == wanted)

    def latest_checks(self, keys: Iterable[AssetKey] | None = None) -> Verdicts:
        """Return how the checks of assets last came out; only those that are still defined."""
        return standing(self.graph, self.store.latest_checks(keys))

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

    def _asked(self, keywords: Mapping[str, Any]) -> tuple[Project, Ask]:
        """Return the project that keywords mean, and what they ask of it."""
        ask, options = Ask.of(keywords, lambda: (each.name for each in self.plugins.command_options()))
        return self.with_options(options), ask

    def _plan(self, select: Selectors, exclude: Texts, ask: Ask) -> Plan:
        found = self.selection(select, exclude)
        # A selection that is handed over was looked at by the one who did it.
        told = () if isinstance(select, Selection) else found.unmatched
        keys, now = found.keys, datetime.now(UTC)
        known = self._judged(now)
        found_wanted = wanted(self.graph, keys, ask, known.statuses, now)
        notes = (*(f"{part.text!r} matches nothing" for part in told), *found_wanted.notes)
        return self._plan_of(replace(found_wanted, notes=notes), ask, known, now)

    def commands(self, plan: Plan) -> Plan:
        """Return a plan with the command of each invocation, and notes on it, for people to read."""
        ask, note = self.plugins.invocation_command, self.plugins.invocation_notes
        shown = ((each, each.invocation) for each in plan.invocations)
        return replace(plan, invocations=tuple(replace(each, command=ask(it), notes=note(it)) for each, it in shown))

    def _plan_of(self, wanted: Wanted, ask: Ask, known: Judgement, now: datetime) -> Plan:
        groups = {asset.key: self.group_of(asset) for asset in self.graph.assets}
        return plan_of(self.graph, wanted, groups, known, ask, now)

    @with_plan_keywords
    def materialize(
        self,
        select: Selectors = None,
        exclude: Texts = None,
        *,
        on_event: OnEvent | None = None,
        raise_on_error: bool = False,
        **keywords: Unpack[PlanKeywords],
    ) -> RunResult:
        """Run a selection, with ``stale=True`` only what is out of date of it, and return how it went; see `plan`.

        Of what is out of date, assets whose inputs all come out as before are left, as ``unchanged``. A failed asset
        or check is an outcome of the result, and with `raise_on_error` a `RunFailedError`. `on_event` is called with
        each record once it is durable. Raises `ConflictError` when another run is building one of the assets.
        """
        project, ask = self._asked(keywords)
        asked = list(select.keys) if isinstance(select, Selection) else select
        options = {"select": asked, "exclude": exclude, **ask.options()}
        result = project.run(project._plan(select, exclude, ask), options=options, on_event=on_event)
        return result.checked() if raise_on_error else result

    def run(
        self,
        plan: Plan,
        *,
        options: Mapping[str, Any] | None = None,
        resume: Mapping[str, LeftJob] | None = None,
        on_event: OnEvent | None = None,
        still: Callable[[], bool] | None = None,
    ) -> RunResult:
        """Carry out a plan. An empty one succeeds and leaves no record: there is nothing in it to retry.

        `still` tells whether the plan still fits, once no other run can make any of it; `OutdatedPlanError` when not.
        Raises `NoClaimError`, before anything is run, when no plugin opens the place of a value that it makes.
        """
        if not plan.invocations:
            info = new_run((), options or {})
            return RunResult(replace(info, state="succeeded", finished=info.started), {}, {}, load=self.load_value)
        for planned in plan.invocations:
            for asset in planned.invocation.assets:
                problem = value_problem(self.values, asset) if asset.kept else None
                if problem is not None:
                    raise problem
        given = {INTEGRATION_OPTIONS: data(self.options)} if self.options else {}
        wants = {str(key): own.to_json(each) for key, (each, own) in wanted_parts(plan, self.graph).items()}
        kept = {"partition": [], **(options or {}), **given, "wants": wants}
        request = RunRequest(kept, resume or {}, on_event, still=still)
        store, values = self.store, self.values
        executor = self.plugins.open_executor(self.settings.executor)
        try:
            result = execute(plan, self.graph, RunServices(self.plugins, store, values), executor, request)
            return replace(result, load=self.load_value, recorded=self.settings.keeps_records)
        finally:
            executor.close()

    def observe(self, select: Selectors = None, exclude: Texts = None, *, on_event: OnEvent | None = None) -> RunResult:
        """Look at what happened to a selection outside, without running anything, and record it.

        For example a sync that was started elsewhere: what is downstream of it becomes stale.
        """
        services = RunServices(self.plugins, self.store, self.values)
        return observe(self.graph, self.select(select, exclude), services, on_event)

    # -- history -------------------------------------------------------------------------------------------------

    def find_run(self, run_id: str | None = None) -> RunInfo:
        """Return a run by its id or a unique beginning of it, the last one when None; raise `UsageError`."""
        return found_run(self.store, self.settings.retention, run_id)

    def undone(self, run: RunInfo) -> tuple[AssetKey, ...]:
        """Return what a run was to make and has not been made since, in graph order."""
        return tuple(recorded_undone(run, self.graph, self.store).wants)

    def changed_above(self, keys: Iterable[AssetKey]) -> tuple[AssetKey, ...]:
        """Return what some assets are made from, near or far, and whose code changed since it was made."""
        return tuple(changed_above(self.graph, self._judged().statuses, keys))

    def problems_of(self, run: RunInfo) -> tuple[str, ...]:
        """Return what broke invocations of a run, such as a failed hook of dbt's: no asset's failure."""
        return tuple(breaks(self.store.events(run.id)))

    def plan_retry(self, run: RunInfo) -> Plan:
        """Return the plan of what is left of a run, collapsed anew, with the options of integrations that it had."""
        variant = self._variant_of(run)
        if variant is not self:
            return variant.plan_retry(run)
        left, anew = recorded_undone(run, self.graph, self.store), bool(run.options.get("full_refresh"))
        if anew:
            left, anew = left.refreshed(self.graph)
        notes = [f"{', '.join(gone)} of {key}: no partition any more" for key, gone in left.gone.items()]
        wants = {key: left.wants.get(key) for key in with_sources(self.graph, left.wants)}
        ask = Ask(full_refresh=anew, stale=bool(run.options.get("stale")))
        now = datetime.now(UTC)
        return self._plan_of(Wanted(wants, left.definitions, tuple(notes)), ask, self._judged(now), now)

    def retry(self, run_id: str | None = None, *, on_event: OnEvent | None = None) -> RunResult:
        """Run what is left of a run, in a new minimal plan; outside jobs that still run are re-attached."""
        run = self.find_run(run_id)
        if run.state == "running":
            raise UsageError(f"Run {run.id} is still running.", hint=f"Stop it first: `assetry cancel {run.id}`.")
        # Also what a retry left that was killed when the job was over.
        forget_ended(run, self.store, datetime.now(UTC))
        while True:
            left = Left(run, self.store)
            plan = self.plan_retry(run)
            anew = any(each.invocation.full_refresh for each in plan.invocations)
            options = {**run.options, "retry_of": run.id, "full_refresh": anew}
            # Where another retry came first, what is left now is planned anew.
            with suppress(OutdatedPlanError):
                result = self._variant_of(run).run(
                    plan, options=options, resume=left.jobs, on_event=on_event, still=partial(left.is_still, plan)
                )
                forget_ended(run, self.store, datetime.now(UTC))
                return result

    def prune_history(self, *, dry_run: bool = False) -> HistoryPruning:
        """Remove what is older than ``[retention]`` in the project file keeps; return how much that was.

        How assets are, and what a retry makes, is the same as before. With `dry_run` nothing is removed.
        """
        now = datetime.now(UTC)
        return prune_history(self.store, self.graph, self.settings.retention, now, dry_run=dry_run)

    def _variant_of(self, run: RunInfo) -> Project:
        return self.with_options(run.options.get(INTEGRATION_OPTIONS) or {})
