"""The plugin of a subject, loaded as the core would load it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from assetry.errors import AssetryError, error_words
from assetry.hooks.inspection import refusals_of
from assetry.hooks.installed import Candidate, PluginInfo
from assetry.hooks.manager import Plugins, load_plugins
from assetry.project.definitions import BUILT_IN
from assetry.testing.watching import Unanswered, Worker, place_of_error

#: Modules that no hook module may import: they would slow down every start of the program.
HEAVY = (
    *("dbt", "pandas", "polars", "pyarrow", "numpy", "duckdb", "sqlalchemy", "httpx", "requests", "aiohttp", "boto3"),
    *("google.cloud", "snowflake", "psycopg", "psycopg2", "adbc_driver_manager", "dask", "distributed", "airbyte"),
)

#: Seconds that the import of a hook module may take: it is part of every start of the program.
IMPORT = 10.0

#: Why modules could not be imported that never end: they are waited for once.
_HUNG: dict[str, AssetryError] = {}


def module_of(plugin: Any) -> str:
    """Return the name of the module that a plugin's hooks stand in.

    >>> module_of("assetry.io.files"), module_of(import_module("assetry.io.files"))
    ('assetry.io.files', 'assetry.io.files')
    """
    if isinstance(plugin, str):
        return plugin
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__


def imported(plugin: Any) -> Any:
    """Return a plugin, imported when it is the name of a module; raise `AssetryError` when that does not end.

    >>> imported("json").__name__
    'json'
    """
    if not isinstance(plugin, str):
        return plugin
    if plugin in _HUNG:
        raise _HUNG[plugin]
    try:
        return Worker(partial(import_module, plugin)).answer(IMPORT)
    except Unanswered as late:
        _HUNG[plugin] = AssetryError(
            f"its import has not ended after {IMPORT:.0f} seconds: it stands at {late.place}; "
            "do inside a function what waits for something"
        )
        raise _HUNG[plugin] from None


def import_fault(plugin: Any) -> str | None:
    """Say why a plugin cannot be imported; None when it can."""
    try:
        imported(plugin)
    except AssetryError as error:
        return error.message
    except (Exception, SystemExit) as error:
        return f"importing it raised {error_words(error)} at {place_of_error(error)}"
    return None


def load(plugin: Any, beside: Sequence[Any] = ()) -> Plugins:
    """Load a plugin beside those of assetry itself, and no installed ones; the plugin's own entry names it.

    >>> plugins = load("assetry.run.threads")
    >>> [info.name for info in plugins.infos].count("assetry.run.threads")
    1
    """
    own = {module_of(each) for each in (plugin, *beside)}
    built_in: dict[str, Callable[[], Any]] = {
        name: partial(import_module, module) for name, module in BUILT_IN.items() if module not in own
    }
    plugins = load_plugins(built_in, allowed=[])
    for each in (*beside, plugin):
        plugins.add(candidate(each))
    return plugins


def candidate(plugin: Any) -> Candidate:
    """Return what the core would know of a plugin before it is imported: its entry point, where it has one."""
    found = plugin if isinstance(plugin, (str, ModuleType)) else None
    name = module_of(plugin) if found is not None else type(plugin).__name__
    package, version = _package(name) if found is not None else (name, None)
    return Candidate(PluginInfo(name, package, version, "project"), partial(imported, plugin))


def own_info(plugins: Plugins) -> PluginInfo:
    """Return what is known of the plugin under test: it was loaded last."""
    return plugins.infos[-1]


def declared_refusals(plugin: Any) -> Mapping[str, str]:
    """Return what a plugin itself says that it refuses; nothing when it cannot be imported."""
    try:
        found = imported(plugin)
    except (Exception, SystemExit):  # why it cannot be imported is told by a check
        return {}
    return refusals_of(found)


def _package(module: str) -> tuple[str, str | None]:
    from importlib.metadata import entry_points

    for point in entry_points(group="assetry"):
        if point.module == module and point.dist is not None:
            return point.dist.name, point.dist.version
    return module, None


def called(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Call an implementation of a hook with the arguments that it takes."""
    return function(**{name: arguments[name] for name in inspect.signature(function).parameters})
