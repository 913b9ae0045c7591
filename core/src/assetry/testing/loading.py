"""The plugin of a subject, loaded as the core would load it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

from assetry.hooks.inspection import refusals_of
from assetry.hooks.installed import Candidate, PluginInfo
from assetry.hooks.manager import Plugins, load_plugins
from assetry.project.definitions import BUILT_IN

#: Modules that no hook module may import: they would slow down every start of the program.
HEAVY = (
    *("dbt", "pandas", "polars", "pyarrow", "numpy", "duckdb", "sqlalchemy", "httpx", "requests", "aiohttp", "boto3"),
    *("google.cloud", "snowflake", "psycopg", "psycopg2", "adbc_driver_manager", "dask", "distributed", "airbyte"),
)


def module_of(plugin: Any) -> str:
    """Return the name of the module that a plugin's hooks stand in.

    >>> module_of("assetry.io.files"), module_of(import_module("assetry.io.files"))
    ('assetry.io.files', 'assetry.io.files')
    """
    if isinstance(plugin, str):
        return plugin
    return plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__


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
    loader = partial(import_module, plugin) if isinstance(plugin, str) else partial(_itself, plugin)
    return Candidate(PluginInfo(name, package, version, "project"), loader)


def own_info(plugins: Plugins) -> PluginInfo:
    """Return what is known of the plugin under test: it was loaded last."""
    return plugins.infos[-1]


def declared_refusals(plugin: Any) -> Mapping[str, str]:
    """Return what a plugin itself says that it refuses; nothing when it cannot be imported."""
    try:
        found = import_module(plugin) if isinstance(plugin, str) else plugin
    except Exception:  # why it cannot be imported is told by a check
        return {}
    return refusals_of(found)


def _itself(plugin: Any) -> Any:
    return plugin


def _package(module: str) -> tuple[str, str | None]:
    from importlib.metadata import entry_points

    for point in entry_points(group="assetry"):
        if point.module == module and point.dist is not None:
            return point.dist.name, point.dist.version
    return module, None
