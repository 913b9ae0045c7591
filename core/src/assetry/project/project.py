"""A project: assets, the tools that make them, and where values and records are kept.

This is the front door: it finds and loads the definitions, and hands them on, one way, to graph, plan and run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from assetry.errors import DefinitionError, DuplicateKeyError, UsageError
from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.hooks.installed import Candidate, PluginInfo
from assetry.hooks.manager import Plugins, load_plugins
from assetry.io.values import ValueRouter
from assetry.plan.collapse import Mode
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.project.settings import Settings, absolute, read_settings
from assetry.python.decorators import AssetFunction
from assetry.python.modules import import_modules
from assetry.python.plugin import PythonPlugin
from assetry.run.loop import execute
from assetry.run.observe import Sight, observe
from assetry.run.result import RunRequest, RunResult, RunServices, new_run
from assetry.run.retry import jobs_of, undone
from assetry.selection.selection import Selection, selection
from assetry.status.staleness import Status, stale_keys, statuses
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import EventRecord, RunInfo

#: The plugins that assetry itself consists of, by name; each is a module of hook implementations.
BUILT_IN = {"executors": "assetry.run.threads", "io": "assetry.io.plugin", "store": "assetry.store.sqlite"}

PYTHON = "python"

#: The module beside the project file that may hold the project's own hooks.
LOCAL_PLUGINS = "assetry_plugins"

Definition = Asset | AssetFunction[Any, Any]
Selectors = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Ask:
    """Say how a selection is to be planned; see `Project.plan`.

    >>> Ask(partition="2026-01-31").partitions
    ('2026-01-31',)
    """

    stale: bool = False
    full_refresh: bool = False
    partition: str | Sequence[str] = ()
    collapse: Mode = "fewest"

    def __post_init__(self) -> None:
        if self.collapse not in ("fewest", "earliest"):
            raise UsageError(f"collapse={self.collapse!r}: unknown.", near=("fewest", "earliest"))

    @property
    def partitions(self) -> tuple[str, ...]:
        """Return the partitions asked for."""
        return (self.partition,) if isinstance(self.partition, str) else tuple(self.partition)

    def options(self) -> dict[str, Any]:
        """Return what a run keeps of this, as JSON."""
        return {"full_refresh": self.full_refresh, "partition": list(self.partitions), "stale": self.stale}


class Project:
    """Hold the assets of a project, plan them, materialize them, and tell how they are.

    `assets` may mix `Asset` values, functions decorated with `@asset` and lists of either, such as what
    ``load_assets_from_dbt_project()`` returns. `integrations` are loaded through their plugins. `plugins` are local
    ones, modules or objects. `store`, `io` and `executor` are URLs and go before what `settings` say; `settings` may
    also be just the project's folder, that relative paths start from.

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
    ...     result.ok, project.load_value("two")
    (True, 2)
    """

    def __init__(
        self,
        assets: Iterable[Any] = (),
        *,
        integrations: Sequence[Integration] = (),
        plugins: Sequence[Any] = (),
        store: str | None = None,
        io: str | None = None,
        executor: str | None = None,
        settings: Settings | Path | str = ".",
    ) -> None:
        base = settings if isinstance(settings, Settings) else Settings(Path(settings).resolve())
        self.settings = replace(base, store=store or base.store, io=io or base.io, executor=executor or base.executor)
        self._definitions = tuple(_flat(assets))
        self._integrations = tuple(integrations)
        self._local = tuple(plugins)
        self._opened: list[Any] = []

    @classmethod
    def load(cls, path: str | os.PathLike[str] = ".", *, plugins: Sequence[Any] = ()) -> Project:
        """Find the project in a folder (or above it) and return it.

        With a project file, what it names; without one, the integrations that plugins recognise in the folder, and
        ``assets.py`` or ``assets/``. Raises `ProjectFileError`.
        """
        settings = read_settings(Path(path))
        local = [*plugins, *_local_plugins(settings.root)]
        return cls(settings=settings, plugins=local)

    # -- definitions ---------------------------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """Return the project's folder."""
        return self.settings.root

    @cached_property
    def plugins(self) -> Plugins:
        """Return the loaded plugins."""
        built_in: dict[str, Callable[[], Any]] = {
            name: partial(import_module, module) for name, module in BUILT_IN.items()
        }
        functions = [each for each in self._definitions if isinstance(each, AssetFunction)]
        python = PythonPlugin(functions)
        return load_plugins({**built_in, PYTHON: lambda: python}, self._local)

    @cached_property
    def integrations(self) -> tuple[Integration, ...]:
        """Return every integration of the project, the Python modules among them."""
        named = self.settings.integrations
        if named is None and self.settings.file is None and not self._definitions and not self._integrations:
            named = tuple(self.plugins.discover(str(self.root)))
        return (*(named or ()), *self._integrations, *self._python())

    def _python(self) -> Iterable[Integration]:
        modules = self.settings.modules
        if modules is None and not self._definitions and not self._integrations:
            modules = _default_modules(self.root)
        functions = any(isinstance(each, AssetFunction) for each in self._definitions)
        names = list(modules or ())
        if names or functions:
            yield Integration(PYTHON, PYTHON, {"modules": names}, str(self.root))

    @cached_property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets; the definitions are loaded at the first use."""
        assets = [each for each in self._definitions if isinstance(each, Asset)]
        with paused_gc():
            for integration in self.integrations:
                assets += self.plugins.load_assets(integration)
            graph = AssetGraph.of(self._placed(assets))
        self._check_tables(graph)
        return graph

    def _check_tables(self, graph: AssetGraph) -> None:
        """Refuse two Python assets of one table: each would overwrite the other, and nobody would be told."""
        named: dict[str, list[Asset]] = {}
        for asset in graph.assets:
            if asset.kind == PYTHON and asset.executable:
                named.setdefault(asset.key.name.casefold(), []).append(asset)
        tables: dict[tuple[str, tuple[str | None, ...]], Asset] = {}
        for asset in (each for alike in named.values() if len(alike) > 1 for each in alike):
            relation = self.values.relation(asset)
            if relation is None:
                continue
            first = tables.setdefault((self.values.place(asset), relation.folded), asset)
            if first is not asset:
                raise DuplicateKeyError(
                    f"Assets {str(first.key)!r} and {str(asset.key)!r} would be kept in one table, {relation}.",
                    where=f"{first.source} and {asset.source}",
                    hint="Give one another last key part, or an io_manager with another schema.",
                )

    def _placed(self, assets: Sequence[Asset]) -> Iterable[Asset]:
        """Give a Python asset its table where that is somebody's source, so that the two are recognised as one.

        An asset that a source names by its key, or by `meta`, is kept where the source looks for it instead.
        """
        sources = [asset for asset in assets if asset.relation is not None and not asset.executable]
        wanted = {asset.relation.folded for asset in sources if asset.relation is not None}
        named = {asset.key for asset in sources} | {asset.joins for asset in sources}
        for given in assets:
            asset = given if given.io is None else replace(given, io=absolute(given.io, self.root))
            if asset.kept:
                yield replace(asset, relation=self.values.relation(asset))
                continue
            relation = None
            if wanted and asset.kind == PYTHON and asset.executable and asset.relation is None:
                relation = None if asset.key in named else self.values.relation(asset)
            joins = relation is not None and relation.folded in wanted
            yield replace(asset, relation=relation) if joins else asset

    # -- where things are kept -----------------------------------------------------------------------------------

    @cached_property
    def store(self) -> Store:
        """Return the store of records, opened."""
        store = self.plugins.open_store(absolute(self.settings.store, self.root))
        self._opened.append(store)
        return store

    @cached_property
    def values(self) -> ValueRouter:
        """Return what keeps and reads the values of assets."""
        values = ValueRouter(
            self.plugins.open_io,
            self._default_io() or self._files,
            files=self._files,
            io_url=self.plugins.io_url,
            last_metadata=self._last_metadata,
            describe=self.plugins.value_metadata,
        )
        self._opened.append(values)
        return values

    @property
    def _files(self) -> str:
        return f"parquet:{self.root / '.assetry' / 'data'}"

    def _default_io(self) -> str | None:
        """Return the URL that Python assets are kept at: as configured, else the first warehouse of an integration."""
        if self.settings.io is not None:
            return absolute(self.settings.io, self.root)
        known = {asset.integration.name: asset.integration for asset in self._loaded() if asset.integration}
        for integration in (*self.integrations, *known.values()):
            url = self.plugins.io_url(integration)
            if url is not None:
                return url
        return None

    def _loaded(self) -> Iterable[Asset]:
        return (each for each in self._definitions if isinstance(each, Asset))

    def _last_metadata(self, key: AssetKey, partition: str | None) -> Mapping[str, Any]:
        made = self.store.latest([key]).get((key, partition))
        return made.metadata if made is not None else {}

    def load_value(self, key: str, form: Any = None, partition: str | None = None) -> Any:
        """Return the value of an asset, as `form` (a type; None for the default: a DataFrame for a table)."""
        return self.values.load(self.graph[self.graph.find(key)], form, partition)

    def close(self) -> None:
        """Let go of files and connections; the project may be used again afterwards."""
        for name in ("store", "values"):
            self.__dict__.pop(name, None)
        with ExitStack() as closing:
            # What cannot be closed must not keep the others open.
            for each in self._opened:
                closing.callback(each.close)
            self._opened = []

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- questions -----------------------------------------------------------------------------------------------

    def select(self, select: Selectors = None, exclude: Selectors = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means; raise `SelectionError` when it is wrong or matches nothing."""
        return self.selection(select, exclude).keys

    def selection(self, select: Selectors = None, exclude: Selectors = None) -> Selection:
        """Do as `select`, and also return the parts of the selection that match nothing, for a warning."""
        return selection(self.graph, select, exclude or (), self._status_names)

    def _status_names(self) -> Mapping[AssetKey, str]:
        return {status.key: status.status for status in self._statuses}

    @property
    def _statuses(self) -> tuple[Status, ...]:
        latest, attempts, held = self.store.latest(), self.store.attempts(), self.store.claims()
        return statuses(self.graph, latest, attempts, running=held, now=datetime.now(UTC))

    def status(self, select: Selectors = None, exclude: Selectors = None) -> tuple[Status, ...]:
        """Return how each selected asset is, and why."""
        chosen = set(self.select(select, exclude))
        return tuple(status for status in self._statuses if status.key in chosen)

    def status_of(self, key: str) -> Status:
        """Return how one asset is, and why."""
        wanted = self.graph[key].key
        return next(status for status in self._statuses if status.key == wanted)

    def group_of(self, asset: Asset) -> InvocationGroup | None:
        """Return what an asset may share an invocation with; None when it runs on its own, or nothing here makes it."""
        return self.plugins.invocation_group(asset) if asset.executable else None

    # -- plan and run --------------------------------------------------------------------------------------------

    def plan(self, select: Selectors = None, exclude: Selectors = None, request: Ask | None = None, **ask: Any) -> Plan:
        """Return what would run for a selection, and why, without running anything.

        Keywords are the fields of `Ask`: ``stale=True`` leaves out what is up to date, ``full_refresh=True`` builds
        incremental models anew, ``partition="2026-01-31"`` names one partition (or a list), and
        ``collapse="earliest"`` trades invocations for an earlier start. Raises `SelectionError`.
        """
        request = request or Ask(**ask)
        keys = self.select(select, exclude)
        if request.partitions and all(self.graph[key].partitions_def is None for key in keys):
            raise UsageError(
                "A partition is asked for, but nothing that is selected has partitions.",
                hint="Leave --partition out, or select other assets.",
            )
        return self._plan_of(keys, request)

    def commands(self, plan: Plan) -> Plan:
        """Return a plan with the command of each invocation filled in, for people to read."""
        ask = self.plugins.invocation_command
        told = tuple(replace(planned, command=ask(planned.invocation)) for planned in plan.invocations)
        return replace(plan, invocations=told)

    def _plan_of(self, keys: Sequence[AssetKey], request: Ask) -> Plan:
        known = self._statuses
        if request.stale:
            stale = set(stale_keys(known))
            keys = [key for key in keys if key in stale]
        wanted = set(keys)
        because = {
            status.key: status.reasons[0].text if status.reasons else "selected; it is up to date"
            for status in known
            if status.key in wanted
        }
        groups: dict[AssetKey, InvocationGroup | None] = {
            asset.key: self.group_of(asset) for asset in self.graph.assets
        }
        return make_plan(
            self.graph,
            keys,
            groups,
            PlanRequest(
                because=because,
                mode=request.collapse,
                full_refresh=request.full_refresh,
                partitions=self._partitions(keys, request),
            ),
        )

    def _partitions(self, keys: Sequence[AssetKey], request: Ask) -> tuple[str, ...]:
        """Return the partitions asked for, each checked against the assets that have partitions."""
        for key in keys:
            definition = self.graph[key].partitions_def
            if definition is None:
                continue
            if not request.partitions:
                raise UsageError(
                    f"{key} has partitions; say which.",
                    hint="Add --partition KEY (more than once for several).",
                )
            for partition in request.partitions:
                definition.validate(partition)
        return request.partitions

    def materialize(
        self,
        select: Selectors = None,
        exclude: Selectors = None,
        request: Ask | None = None,
        *,
        on_event: Callable[[EventRecord], None] | None = None,
        **ask: Any,
    ) -> RunResult:
        """Bring a selection up to date and return how it went; see `plan` for the keywords.

        A failed asset or check is an outcome of the result, not an exception. `on_event` hears each record once it
        is durable. Raises `ConflictError` when another run is building one of the assets.
        """
        request = request or Ask(**ask)
        options = {"select": select, "exclude": exclude, **request.options()}
        return self.run(self.plan(select, exclude, request), options=options, on_event=on_event)

    def run(
        self,
        plan: Plan,
        *,
        options: Mapping[str, Any] | None = None,
        resume: Mapping[str, str] | None = None,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> RunResult:
        """Carry out a plan. An empty one succeeds and leaves no record: there is nothing in it to retry."""
        if not plan.invocations:
            info = new_run((), options or {})
            return RunResult(replace(info, state="succeeded", finished=info.started), {}, {})
        parts = dict.fromkeys(each for planned in plan.invocations for each in planned.invocation.partitions)
        request = RunRequest({"partition": list(parts), **(options or {})}, resume or {}, on_event)
        store, values = self.store, self.values
        executor = self.plugins.open_executor(self.settings.executor)
        try:
            return execute(plan, self.graph, RunServices(self.plugins, store, executor, values), request)
        finally:
            executor.close()

    def observe(
        self,
        select: Selectors = None,
        exclude: Selectors = None,
        *,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> RunResult:
        """Look at what happened to a selection outside, without running anything, and record it.

        For example a sync that somebody else started: what is downstream of it becomes stale.
        """
        sight = Sight(self.plugins, self.store, self.values)
        return observe(self.graph, self.select(select, exclude), sight, on_event)

    # -- history -------------------------------------------------------------------------------------------------

    def find_run(self, run_id: str | None = None) -> RunInfo:
        """Return a run by its id or a unique beginning of it, the last one when None; raise `UsageError`."""
        if run_id is None:
            found = next((run for run in self.store.runs() if not run.options.get("observe")), None)
        else:
            found = self.store.run(run_id)
        if found is None:
            what = "There is no run yet." if run_id is None else f"There is no run {run_id!r}."
            raise UsageError(what, hint="`assetry runs` lists them; `assetry materialize` starts one.")
        return found

    def undone(self, run: RunInfo) -> tuple[AssetKey, ...]:
        """Return what a run was to make and nobody has made since, in graph order."""
        return tuple(undone(run, self.graph, self.store.attempts(run.assets)))

    def plan_retry(self, run: RunInfo) -> Plan:
        """Return the plan of what is left of a run, collapsed anew."""
        left = undone(run, self.graph, self.store.attempts(run.assets))
        parts = dict.fromkeys(part for each in left.values() for part in each)
        return self._plan_of(
            tuple(left), Ask(full_refresh=bool(run.options.get("full_refresh")), partition=tuple(parts))
        )

    def retry(self, run_id: str | None = None, *, on_event: Callable[[EventRecord], None] | None = None) -> RunResult:
        """Run what is left of a run, in a new minimal plan; outside jobs that still run are re-attached."""
        run = self.find_run(run_id)
        if run.state == "running":
            raise UsageError(f"Run {run.id} is still running.", hint=f"Stop it first: `assetry cancel {run.id}`.")
        options = {**run.options, "retry_of": run.id}
        jobs = jobs_of(self.store.handles(run.id), self.store.events(run.id))
        return self.run(self.plan_retry(run), options=options, resume=jobs, on_event=on_event)


def materialize(
    assets: Iterable[Any],
    select: Selectors = None,
    exclude: Selectors = None,
    *,
    project: Mapping[str, Any] | None = None,
    **ask: Any,
) -> RunResult:
    """Materialize assets without a project file; `project` are keywords of `Project`.

    >>> from assetry import asset
    >>> @asset
    ... def one() -> int:
    ...     return 1
    >>> materialize([one], project={"store": "sqlite::memory:", "io": "memory:"}).ok
    True
    """
    with Project(assets, **(project or {})) as made:
        return made.materialize(select, exclude, **ask)


def _flat(definitions: Iterable[Any]) -> Iterable[Definition]:
    """Yield assets and asset functions out of lists of lists of them."""
    for each in definitions:
        if isinstance(each, (Asset, AssetFunction)):
            yield each
        elif isinstance(each, Iterable) and not isinstance(each, (str, bytes, Mapping)):
            yield from _flat(each)
        else:
            raise DefinitionError(
                f"{each!r} is not an asset.",
                hint="Pass Asset values, functions decorated with @asset, or lists of them.",
            )


def _default_modules(root: Path) -> tuple[str, ...]:
    """Return the module that is looked for when none is named: ``assets.py``, or a folder ``assets`` with Python."""
    found = (root / "assets.py").is_file() or any((root / "assets").glob("*.py"))
    return ("assets",) if found else ()


def _local_plugins(root: Path) -> list[Any]:
    """Return the plugin file beside the project file, if there is one; it is imported when plugins are loaded."""
    if not (root / f"{LOCAL_PLUGINS}.py").is_file():
        return []
    info = PluginInfo(LOCAL_PLUGINS, LOCAL_PLUGINS, None, "project")
    return [Candidate(info, lambda: import_modules([LOCAL_PLUGINS], str(root))[0])]
