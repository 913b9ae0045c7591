"""The definitions of a project: found, loaded through plugins, and put together as one graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from assetry.errors import (
    DefinitionError,
    DuplicateKeyError,
    NoClaimError,
    UnknownDependencyError,
    near_names,
)
from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.hooks.installed import Candidate, PluginInfo
from assetry.hooks.manager import Plugins, load_plugins
from assetry.io.values import ValueRouter
from assetry.project.loads.load_cache import LoadCache
from assetry.project.options import refuse_untouched, with_given
from assetry.project.places import disagreements
from assetry.project.settings import Settings, absolute, check_tables
from assetry.python.code import place
from assetry.python.decorated import Decorated
from assetry.python.decorators import AssetFunction
from assetry.python.lost import held_in
from assetry.python.modules import import_modules
from assetry.python.plugin import KIND as PYTHON
from assetry.python.plugin import PythonPlugin
from assetry.types.assets import Asset, AssetCheck, Integration

#: The plugins that assetry itself consists of, by name; each is a module of hook implementations.
BUILT_IN = {"executors": "assetry.run.threads", "io": "assetry.io.plugin", "store": "assetry.store.sqlite"}

#: The module beside the project file that may hold the project's own hooks.
LOCAL_PLUGINS = "assetry_plugins"

#: What is called with each integration before it is loaded.
OnLoad = Callable[[Integration], None]
Definition = Asset | AssetCheck | Decorated
D = TypeVar("D", bound=Decorated)


class Definitions:
    """What a project consists of: assets given by hand, integrations, and the plugins that load these.

    `plugins` are those of the project, beside the installed ones; or all there are, loaded already. `on_load` is called
    with each integration before it is loaded. `options` are those of integrations that were given for this call.
    Nothing is loaded before it is needed.
    """

    def __init__(
        self,
        settings: Settings,
        given: Iterable[Any] = (),
        integrations: Sequence[Integration] = (),
        plugins: Sequence[Any] | Plugins = (),
        on_load: OnLoad | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._options = options
        self._on_load = on_load or (lambda _: None)
        self._given = tuple(_flat((given,)))
        self._integrations = tuple(integrations)
        self._local = plugins if isinstance(plugins, Plugins) else tuple(plugins)

    @cached_property
    def plugins(self) -> Plugins:
        """Return the loaded plugins."""
        if isinstance(self._local, Plugins):
            return self._local
        built_in: dict[str, Callable[[], Any]] = {
            name: partial(import_module, module) for name, module in BUILT_IN.items()
        }
        python = PythonPlugin(self._functions)
        return load_plugins({**built_in, PYTHON: lambda: python}, self._local)

    @property
    def _functions(self) -> list[AssetFunction[Any, Any]]:
        return [each for each in self._given if isinstance(each, AssetFunction)]

    @property
    def _assets(self) -> list[Asset]:
        return [each for each in self._given if isinstance(each, Asset)]

    @property
    def named(self) -> bool:
        """Tell whether the definitions were given, so that none are looked for in the folder."""
        return bool(self._given or self._integrations)

    @cached_property
    def integrations(self) -> tuple[Integration, ...]:
        """Return every integration of the project, the Python modules among them."""
        named = self._settings.integrations
        if named is None and self._settings.file is None and not self.named:
            named = tuple(self.plugins.discover(str(self._settings.root)))
        found = (*(named or ()), *self._integrations, *self._python())
        return with_given(found, self._options, self.plugins.command_options()) if self._options else found

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of integrations that were given for this call."""
        return self._options

    def with_options(self, options: Mapping[str, Any]) -> Definitions:
        """Return these definitions with options of integrations for one call; the plugins are loaded already."""
        return Definitions(self._settings, self._given, self._integrations, self.plugins, self._on_load, options)

    def defined(self, kind: type[D]) -> tuple[D, ...]:
        """Return what decorators of one kind have made in the project's modules, or was given, each once."""
        found: dict[int, D] = {id(each): each for each in self._given if isinstance(each, kind)}
        for integration in self.integrations:
            if integration.kind == PYTHON:
                for module in import_modules(integration.options.get("modules", ()), integration.root):
                    found |= {id(each): each for each in held_in(module, (kind,))}
        return tuple(found.values())

    def _python(self) -> Iterable[Integration]:
        modules = self._settings.modules
        if modules is None and not self.named:
            modules = default_modules(self._settings.root)
        names = list(modules or ())
        if names or self._functions:
            extra = self._settings.extra_columns
            said = {} if extra is None else {"extra_columns": extra}
            yield Integration(PYTHON, PYTHON, {"modules": names, **said}, str(self._settings.root))

    def warehouse_url(self) -> str | None:
        """Return the URL of the first warehouse that an integration names; None when none does."""
        known = {asset.integration.name: asset.integration for asset in self._assets if asset.integration}
        for integration in (*self.integrations, *known.values()):
            url = self.plugins.io_url(integration)
            if url is not None:
                return url
        return None

    def named_selections(self) -> Mapping[str, tuple[str, ...]]:
        """Return the selections that integrations give names to; several may have one of a name."""
        found: dict[str, tuple[str, ...]] = {}
        known = {asset.integration: None for asset in self._assets if asset.integration}
        for integration in dict.fromkeys((*self.integrations, *known)):
            for name, text in self.plugins.named_selections(integration).items():
                found[name] = (*found.get(name, ()), text)
        return found

    # -- the graph -----------------------------------------------------------------------------------------------

    def graph(self, values: Callable[[], ValueRouter]) -> AssetGraph:
        """Load all definitions and return their graph.

        `values` returns what tells which table keeps an asset; it is called only where that has to be known, because
        it may have to read a warehouse's profile. Raises `DefinitionError`, and what plugins raise for what they
        cannot read.
        """
        check_tables(self._settings, (table for info in self.plugins.infos for table in info.tables))
        found = [each for each in self._given if isinstance(each, (Asset, AssetCheck))]
        with paused_gc():
            for integration in self.integrations:
                self._on_load(integration)
                found += self._loaded(integration)
            assets = [each for each in found if isinstance(each, Asset)]
            refuse_untouched(assets, self.integrations, self._options, self.plugins.command_options)
            checks = [each for each in found if isinstance(each, AssetCheck)]
            try:
                graph = AssetGraph.of([*self._pooled(self._placed(assets, values)), *checks])
            except UnknownDependencyError as error:
                error.hint = "\n".join(filter(None, (error.hint, *self._left_out())))
                raise
        _check_wholes(graph, self.plugins)
        _check_tables(graph, values)
        for doubt in disagreements(graph, assets, values):
            _warn(doubt)
        return graph

    def _pooled(self, assets: Iterable[Asset]) -> Iterator[Asset]:
        """Give assets the pool that their integration names; raise `DefinitionError` for one that there is not."""
        pools, shares = self._settings.pools, self._settings.shares
        for name, share in shares.items():
            where = self._settings.where_of(name, "pool")
            check_pool(f"Integration {name!r}", share.pool, share.weight, pools, where)
        for asset in assets:
            own = shares.get(asset.integration.name) if shares and asset.integration is not None else None
            if asset.pool is not None:
                check_pool(f"Asset {str(asset.key)!r}", asset.pool, asset.weight, pools, asset.source)
            yield asset if own is None or asset.pool or not asset.executable else replace(asset, **own._asdict())

    def _left_out(self) -> Iterator[str]:
        """Yield what is there and was not looked for, because the project file names the integrations."""
        named = self._settings.integrations
        kinds = {each.kind for each in named or ()}
        for each in self.plugins.discover(str(self._settings.root)) if named else ():
            if each.kind not in kinds:
                options = "".join(f', {name} = "{value}"' for name, value in each.options.items())
                table = f'[integrations.{each.name}] with kind = "{each.kind}"{options}'
                yield f"A project file that names integrations has to name all of them; not named yet is {table}."

    def _loaded(self, integration: Integration) -> list[Asset | AssetCheck]:
        """Return the assets of an integration; what is wrong with its options is told with their place."""
        try:
            return self._loads.load(integration)
        except (DefinitionError, NoClaimError) as error:
            self._settings.locate(error, integration.name)
            raise

    @cached_property
    def _loads(self) -> LoadCache:
        # A project that leaves no records behind leaves no loads either.
        settings = self._settings
        return LoadCache(self.plugins, settings.root / ".assetry" if settings.keeps_records else None)

    def _placed(self, assets: Sequence[Asset], values: Callable[[], ValueRouter]) -> Iterable[Asset]:
        """Give the assets that assetry keeps their tables, as far as that has to be known.

        A stated one is completed. One that is not stated is told where it is some integration's source, so that the
        two become one node; but an asset that a source names, by its key or by `joins`, is kept where the source looks.
        """
        sources = [asset for asset in assets if asset.relation is not None and not asset.executable]
        wanted = {asset.relation.folded for asset in sources if asset.relation is not None}
        named = {asset.key for asset in sources} | {asset.joins for asset in sources}
        for given in assets:
            asset = given if given.io is None else replace(given, io=absolute(given.io, self._settings.root))
            stated = asset.relation is not None
            if asset.kept and (stated or (wanted and asset.executable and asset.key not in named)):
                relation = values().relation(asset)
                if stated or (relation is not None and relation.folded in wanted):
                    asset = replace(asset, relation=relation)
            yield asset


def check_pool(what: str, pool: str, weight: int, pools: Mapping[str, int], where: str | None) -> None:
    """Raise `DefinitionError` where something uses a pool that there is not, or more of it than there is.

    >>> check_pool("Asset 'orders'", "warehouse", 1, {"warehouse": 2}, None)
    """
    if pool not in pools:
        known = (
            f"There are {', '.join(pools)}." if pools else f"Write [pools.{pool}] and limit = 2 in the project file."
        )
        raise DefinitionError(
            f"{what} uses the pool {pool!r}, which is not defined.",
            where=where,
            near=near_names(pool, pools),
            hint=known,
        )
    if weight > pools[pool]:
        raise DefinitionError(
            f"{what} takes {weight} slots of the pool {pool!r}, which has {pools[pool]}.",
            where=where,
            hint="Give it less weight, or the pool a higher limit.",
        )


def _warn(doubt: str) -> None:
    import logging

    logging.getLogger("assetry.project").warning(doubt)


def _check_wholes(graph: AssetGraph, plugins: Plugins) -> None:
    """Refuse two integrations that run what its tool can only run as a whole: each would run all of it once more."""
    # Thousands of assets share one value, which is cheaper told by what it is than by what it is equal to.
    runners = {id(asset.integration): asset.integration for asset in graph.assets if asset.executable}
    names: dict[str, set[str]] = {}
    for runner in runners.values():
        if runner is not None:
            names.setdefault(runner.kind, set()).add(runner.name)
    several = {kind for kind, own in names.items() if len(own) > 1}
    owners: dict[str, Integration] = {}
    for asset in graph.assets if several else ():
        own = asset.integration
        if own is None or own.kind not in several or not asset.executable:
            continue
        group = plugins.invocation_group(asset)
        if group is not None and group.whole and owners.setdefault(group.key, own).name != own.name:
            raise DefinitionError(
                f"Integrations {owners[group.key].name!r} and {own.name!r} both name {group.key}, which is only run as "
                "a whole: it would be run for each of them.",
                hint="Name it in one integration, with all assets of it that you want, and take it out of the other.",
            )


def _check_tables(graph: AssetGraph, values: Callable[[], ValueRouter]) -> None:
    """Refuse an asset that would be kept in another one's table: each would overwrite the other without a word."""
    named: dict[str, list[Asset]] = {}
    for asset in graph.assets:
        if asset.executable and (asset.kept or asset.relation is not None):
            table = asset.relation.identifier if asset.relation is not None else asset.key.name
            named.setdefault(table.casefold(), []).append(asset)
    tables: dict[tuple[str, tuple[str | None, ...]], Asset] = {}
    # The tables of one tool are its own to tell apart.
    alike = (assets for assets in named.values() if len(assets) > 1 and any(_clash(assets[0], each) for each in assets))
    for asset in chain.from_iterable(alike):
        relation = values().relation(asset)
        if relation is None:
            continue
        first = tables.setdefault((values().place(asset), relation.folded), asset)
        if first is not asset and _clash(first, asset):
            raise DuplicateKeyError(
                f"Assets {str(first.key)!r} and {str(asset.key)!r} would be kept in one table, {relation}.",
                where=" and ".join(dict.fromkeys(each.source for each in (first, asset) if each.source)) or None,
                hint="Give one another name (the last part of its key), or an io_manager with another schema."
                if first.kept or asset.kept
                else "Let one of their integrations fill another schema or target, or leave the table out of one.",
            )


def _clash(one: Asset, other: Asset) -> bool:
    mine, its = one.integration, other.integration
    return one.kept or other.kept or (mine is not its and mine != its)


def _flat(definitions: Iterable[Any]) -> Iterable[Definition]:
    """Yield assets and asset functions out of lists of lists of them."""
    for each in definitions:
        if isinstance(each, (Asset, AssetCheck, Decorated)):
            yield each
        elif isinstance(each, Iterable) and not isinstance(each, (str, bytes, Mapping)):
            yield from _flat(each)
        else:
            plain = callable(each) and hasattr(each, "__name__")
            raise DefinitionError(
                f"{each.__name__}() is not an asset." if plain else f"{each!r} is not an asset.",
                where=place(each) if plain and hasattr(each, "__code__") else None,
                hint="Decorate it with @asset."
                if plain
                else "Pass Asset values, functions decorated with @asset, or lists of them.",
            )


def default_modules(root: Path) -> tuple[str, ...]:
    """Return the module that is looked for when none is named: ``assets.py``, or a folder ``assets`` with Python."""
    found = (root / "assets.py").is_file() or any((root / "assets").glob("*.py"))
    return ("assets",) if found else ()


def local_plugins(root: Path) -> list[Any]:
    """Return the plugin file beside the project file, if there is one; it is imported when plugins are loaded."""
    if not (root / f"{LOCAL_PLUGINS}.py").is_file():
        return []
    info = PluginInfo(LOCAL_PLUGINS, LOCAL_PLUGINS, None, "project")
    return [Candidate(info, lambda: import_modules([LOCAL_PLUGINS], str(root))[0])]
