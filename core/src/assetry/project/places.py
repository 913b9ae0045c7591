"""Whether the places that a project names exist: something opens each store, executor and place of values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from assetry.errors import AssetryError
from assetry.hooks.manager import Plugins
from assetry.io.values import ValueRouter
from assetry.project.settings import Settings, absolute
from assetry.types.assets import Asset


def place_problems(
    settings: Settings, plugins: Plugins, values: ValueRouter, assets: Iterable[Asset]
) -> Iterator[AssetryError]:
    """Yield what is wrong with the places that a project and its assets name, each with where it is named.

    Nothing is written: what is opened is closed again, and a store that does not exist yet is not made.
    """
    yield from _tried(lambda: plugins.open_store(absolute(settings.store, settings.root)), settings.where("store"))
    yield from _tried(lambda: plugins.open_executor(settings.executor), settings.where("executor"))
    if settings.io is not None:
        yield from _tried(lambda: plugins.open_io(absolute(str(settings.io), settings.root)), settings.where("io"))
    told: set[str] = set()
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


def _tried(opening: Callable[[], Any], where: str | None) -> Iterator[AssetryError]:
    try:
        opening().close()
    except AssetryError as error:
        yield type(error)(error.message, where=error.where or where, near=error.near, hint=error.hint)
