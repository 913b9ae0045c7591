"""The places that a project names: something opens each store, executor and place of values, and they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from assetry.errors import AssetryError, UsageError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.hooks.warnings import warnings_of
from assetry.io.urls import say_where
from assetry.io.values import ValueRouter
from assetry.project.settings import Settings, absolute
from assetry.types.assets import Asset, Integration
from assetry.types.keys import AssetKey
from assetry.types.warnings import AssetWarning


def place_problems(
    settings: Settings,
    plugins: Plugins,
    values: ValueRouter,
    integrations: Iterable[Integration],
    assets: Iterable[Asset],
) -> Iterator[AssetryError]:
    """Yield what is wrong with the places that a project and its assets name, each with where it is named.

    Nothing is written: what is opened is closed again, and a store that does not exist yet is not made.
    """
    yield from _tried(lambda: plugins.open_store(absolute(settings.store, settings.root)), settings.where("store"))
    yield from _tried(lambda: plugins.open_executor(settings.executor), settings.where("executor"))
    if settings.io is not None:
        yield from _tried(lambda: plugins.open_io(absolute(str(settings.io), settings.root)), settings.where("io"))
    told: set[str] = set()
    for integration in integrations:
        if integration.options.get("io") is not None:
            problem = _integration_problem(plugins, integration, settings.where_of(integration.name, "io"))
            yield from filter(None, [problem])
    for asset in assets:
        problem = value_problem(values, asset) if asset.io is not None else None
        if problem is not None and problem.message not in told:
            told.add(problem.message)
            yield problem


def value_problem(values: ValueRouter, asset: Asset) -> AssetryError | None:
    """Return what is wrong with the place of an asset's value, None when something opens it."""
    try:
        values.check(asset)
    except AssetryError as error:
        said = f"Asset {str(asset.key)!r}: {error.message}" if asset.io is not None else error.message
        return type(error)(said, where=error.where or asset.source, near=error.near, hint=error.hint)
    return None


def disagreements(graph: AssetGraph, given: Sequence[Asset], values: Callable[[], ValueRouter]) -> Iterator[str]:
    """Yield, for each two integrations, the first table that one reads in another file than the other writes it.

    `given` are the definitions that the graph was made of. Tables are one by their names, and two files may have
    tables of the same names: then what is read is not what was made. Only files are compared, because a server may
    have several addresses.
    """
    told: set[tuple[str, str]] = set()
    for source in given:
        made = graph[source.key] if source.relation is not None and not source.executable else source
        if made is source or not made.executable or source.integration is None or made.key == source.key:
            continue
        pair = (source.integration.name, made.integration.name if made.integration is not None else "")
        if pair[0] == pair[1] or pair in told:
            continue
        told.add(pair)
        read, written = _file_of(values, source), _file_of(values, made)
        if read and written and read != written:
            yield (
                f"{source.key} is taken for {made.key}, by the name of its table, {source.relation}; but "
                f"{source.integration.name} reads {read}, and {made.key} is written to {written}. "
                "Name one file in both places (a relative path may start from another folder)."
            )


def asset_warnings(
    graph: AssetGraph,
    plugins: Plugins,
    values: Callable[[], ValueRouter],
    keys: Iterable[AssetKey] | None = None,
    settings: Settings | None = None,
) -> tuple[AssetWarning, ...]:
    """Return what is warned of the assets of a graph, or of some of them, by their integrations and by their places.

    By `settings` places are told with their lines.
    """
    wanted = None if keys is None else set(keys)
    found = [*warnings_of(graph, plugins, wanted)]
    places = (*unreachable_inputs(graph, values), *missing_files(graph, values, settings))
    found += (each for each in places if wanted is None or each.key in wanted)
    return tuple(sorted(found, key=lambda each: graph.index(each.key)))


def missing_files(
    graph: AssetGraph, values: Callable[[], ValueRouter], settings: Settings | None = None
) -> Iterator[AssetWarning]:
    """Yield a warning for each integration whose option `io` names a file for its tables that is not there."""
    told: set[str] = set()
    for asset in graph.assets:
        own = asset.integration
        if own is None or own.name in told or asset.kept or asset.relation is None or own.options.get("io") is None:
            continue
        told.add(own.name)
        path = _file_of(values, asset)
        if path is not None and not Path(path.partition("?")[0]).exists():
            line = settings.where_of(own.name, "io") if settings is not None else None
            text = f"has its table in {path}, by `io` of integration {own.name!r}{f' ({line})' if line else ''}"
            yield AssetWarning(asset.key, f"{text}, and there is no such file", "Correct `io` unless it comes yet.")


def unreachable_inputs(graph: AssetGraph, values: Callable[[], ValueRouter]) -> Iterator[AssetWarning]:
    """Yield a warning for each asset whose function takes the value of a table that is in no place that is known."""
    known: dict[AssetKey, bool] = {}
    for asset in graph.assets:
        for key in dict.fromkeys(dep.key for dep in asset.deps if asset.kept and dep.name and dep.key in graph):
            read = graph[key]
            if read.key not in known:
                known[read.key] = _is_out_of_reach(values, read)
            if known[read.key]:
                text = f"reads {read.key}, whose table {read.relation} is in a place that is not known"
                yield AssetWarning(asset.key, text, say_where(read))


def _is_out_of_reach(values: Callable[[], ValueRouter], asset: Asset) -> bool:
    try:
        return values().is_out_of_reach(asset)
    except AssetryError:  # a secret that is not set, say: where the value is read that is told
        return False


def _file_of(values: Callable[[], ValueRouter], asset: Asset) -> str | None:
    """Return the file that holds an asset's table, None where that is no file or not known."""
    try:
        if asset.kept or asset.integration is None:
            place = values().place(asset)
        else:
            place = values().place_of_tool(asset.integration) or ""
    except AssetryError:  # where the table is used that is told
        return None
    path = place.partition(":")[2]
    return path if path.startswith("/") and not path.startswith("//") else None


def _integration_problem(plugins: Plugins, integration: Integration, where: str | None) -> AssetryError | None:
    """Return what is wrong with the place that an integration's option `io` names, None when something opens it."""
    try:
        try:
            url = plugins.io_url(integration)
        except UsageError:  # a secret that is not set here: where the tables are read that is told
            return None
        if url is not None:
            plugins.open_io(url).close()
    except AssetryError as error:
        said = f"`io` of integration {integration.name!r}: {error.message}"
        return type(error)(said, where=error.where or where, near=error.near, hint=error.hint)
    return None


def _tried(opening: Callable[[], Any], where: str | None) -> Iterator[AssetryError]:
    try:
        opening().close()
    except AssetryError as error:
        yield type(error)(error.message, where=error.where or where, near=error.near, hint=error.hint)
