"""What a change of assets touches, asked of a project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from assetry.errors import AmbiguousNameError, UsageError
from assetry.partitions.text import read_partitions
from assetry.project.upkeep.orphans import gone_assets
from assetry.project.upkeep.state import State
from assetry.status.changes.impact import Impact, impact
from assetry.status.staleness import numbering_of
from assetry.types.keys import AssetKey


def meant(project: State, text: str) -> tuple[AssetKey, ...]:
    """Return the assets that a key, the last part of one, or a selection means.

    Raises `UsageError`, with near names, when nothing fits, when the last part is that of several keys, and for what is
    recorded and nothing defines any more.
    """
    graph = project.graph
    if ":" in text and text not in graph:
        return project.select(text)
    try:
        return (graph.find(text),)
    except AmbiguousNameError as error:  # here the question is wrong, and no definition
        raise UsageError(error.message, hint=error.hint) from None
    except UsageError:
        for key in sorted(gone_assets(project)):
            if text in (key, key.name):
                hint = f"`assetry prune {key}` tells what there still is of it."
                raise UsageError(f"Nothing defines {str(key)!r} any more.", hint=hint) from None
        raise


def impact_of(project: State, names: Iterable[str], partition: str | Sequence[str] = ()) -> Impact:
    """Return what a change of some assets touches; of `partition`, where only these change.

    Raises `UsageError`, with near names, for an asset or a partition that there is not.
    """
    graph, now = project.graph, datetime.now(UTC)
    keys = tuple(dict.fromkeys(key for name in names for key in meant(project, name)))
    parted = any(asset.partitions_def is not None for asset in graph.assets)
    statuses = project.status(now=now) if parted else ()
    numbering = numbering_of(graph, statuses, now)
    changed = {key: numbering.existing(key) for key in keys}
    if partition:
        sets = {each.key: each.partitions for each in statuses if each.key in changed}
        by_name = {str(key): each for key in keys if (each := numbering.definition(key)) is not None}
        if len(by_name) < len(keys):
            none = next(key for key in keys if str(key) not in by_name)
            raise UsageError(f"{none} has no partitions.", hint="Leave --partition out.")
        words = {str(key): each.words for key, each in sets.items() if each is not None}
        found = read_partitions(partition, by_name, now, words)
        changed = {key: found[str(key)] for key in keys}
    return impact(graph, changed, numbering)
