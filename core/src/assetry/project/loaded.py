"""The definitions of a project, loaded, and the places where it keeps records and values."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from assetry.errors import AssetryError, UnknownDependencyError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins, load_plugins
from assetry.io.metadata.pictures import Pictures
from assetry.io.values import ValueRouter
from assetry.project.definitions import D, Definitions, OnLoad, local_plugins
from assetry.project.places import place_problems
from assetry.project.recorded import RecordedValues, told_of_gone
from assetry.project.root import project_root
from assetry.project.settings import Settings, absolute, read_settings
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store


class LoadedProject:
    """What a project consists of, and where it keeps things: what `Project` asks and runs.

    Nothing is loaded before it is needed: definitions at the first use of `graph`, which raises `DefinitionError`.

    `clock` tells what it takes for now where it judges and plans.

    >>> LoadedProject(root="/shop").root
    PosixPath('/shop')
    """

    #: A variant of a project may have another one.
    clock: Callable[[], datetime]

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
        pools: Mapping[str, int] | None = None,
    ) -> None:
        # Before there was `root`, a folder was given as `settings`.
        base = settings if isinstance(settings, Settings) else Settings(Path(settings or root).resolve())
        self.settings = replace(base, store=store or base.store, io=io or base.io, executor=executor or base.executor)
        self.settings = replace(self.settings, pools={**self.settings.pools, **(pools or {})})
        self._definitions = Definitions(self.settings, assets, integrations, plugins, on_load)
        self._variants: list[Self] = []
        self.clock = _utc_now

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] = ".",
        *,
        plugins: Sequence[Any] = (),
        on_load: OnLoad | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
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

    def defined(self, kind: type[D]) -> tuple[D, ...]:
        """Return what a plugin's decorator has made in the project's modules, each once: values of a `Decorated` class.

        They are found as assets are: by name at the top of a module, in lists and in mappings.
        """
        return self._definitions.defined(kind)

    @cached_property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets; the definitions are loaded at the first use."""
        try:
            return self._definitions.graph(lambda: self.values)
        except UnknownDependencyError as error:
            error.hint = self._told_of_gone(error.missing) or error.hint
            raise

    def _told_of_gone(self, missing: str | None) -> str | None:
        """Return what records tell of something that nothing defines; None for nothing, or where there are none."""
        if missing is None or not self.settings.keeps_records or not (self.root / ".assetry").is_dir():
            return None
        with suppress(AssetryError):
            return told_of_gone(self.store, missing)
        return None

    @cached_property
    def groups(self) -> Mapping[AssetKey, InvocationGroup | None]:
        """Return the group of every asset, as `group_of` does."""
        return {asset.key: self.group_of(asset) for asset in self.graph.assets}

    def group_of(self, asset: Asset) -> InvocationGroup | None:
        """Return what an asset may share an invocation with; None when it runs on its own, or nothing here makes it."""
        return self.plugins.invocation_group(asset) if asset.executable else None

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the project with options of integrations as given, such as dbt's ``target``, whatever its file says.

        It shares this one's store, and is closed with it. Raises `UsageError` for an option that no integration has.
        """
        if not options or options == self.options:
            return self
        variant = self._variant("graph", "groups", "values")
        variant.__dict__ |= {"store": self.store, "pictures": self.pictures}
        variant._definitions = self._definitions.with_options({**self.options, **options})
        return variant

    def with_records(self, store: str, clock: Callable[[], datetime] | None = None) -> Self:
        """Return the project with the records of another store, given by its URL, and another clock where one is given.

        It shares the definitions and the places of values, and is closed with this one.
        """
        _ = self.graph, self.groups  # loaded once, for both
        variant = self._variant("store", "values")
        variant.settings = replace(self.settings, store=store)
        variant.clock = clock or self.clock
        return variant

    def _variant(self, *without: str) -> Self:
        """Return a copy that is closed with this one, without some of what was loaded or opened."""
        variant = copy.copy(self)
        variant.__dict__ = {name: value for name, value in self.__dict__.items() if name not in without}
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

    @cached_property
    def pictures(self) -> Pictures:
        """Return what keeps the pictures among metadata: beside the records, in memory where these are there."""
        if not self.settings.keeps_records:
            return Pictures(None)
        scheme, _, path = absolute(self.settings.store, self.root).partition(":")
        file = Path(unquote(path)) if scheme == "sqlite" else self.root / ".assetry" / "state.db"
        return Pictures(file.with_name(f"{file.name}.pictures"))

    def place_problems(self) -> tuple[AssetryError, ...]:
        """Return what is wrong with the places that the project names: a store, an executor, places of values."""
        assets = self.graph.assets
        integrations = dict.fromkeys([*self.integrations, *(each.integration for each in assets if each.integration)])
        return tuple(place_problems(self.settings, self.plugins, self.values, integrations, assets))

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)
