"""What is read, or cloned, from where the state has it: the manifest of another target, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from assetry.plugin import Asset, IntegrationError, Invocation

from assetry_dbt.manifest.manifest import Manifest, Node, read_manifest
from assetry_dbt.project.project import DbtProject

#: How many tables are named.
_NAMED = 4
#: What dbt reads from the state.
_READ = frozenset({"model", "seed", "snapshot", "function"})


def notes_on(project: DbtProject, invocation: Invocation) -> Iterator[str]:
    """Yield what a plan should tell of where an invocation reads, and of what it makes not being the real thing.

    Raises `IntegrationError` when the manifest of the state cannot be read.
    """
    flags = project.flags
    kinds = {asset.resource_type for asset in invocation.assets}
    unreal = next(filter(None, map(flags.unreal, sorted(kinds))), None)
    if unreal is not None:
        yield f"{unreal}: none of it is the real table, and all of it is out of date afterwards"
    folder = project.state_path
    if folder is None:
        return
    there = relations(folder)
    if project.clones:
        yield f"cloned from {_short(project, folder)}: {_listed(invocation.assets, there)}"
        return
    read = [each for each in invocation.inputs if _is_built(each, invocation)]
    if not read:
        return
    # What the target has then, only dbt finds out.
    lacked = (
        "" if "FAVOR_STATE" in flags.content else f"what {project.target_name() or 'the target'} has not itself is "
    )
    yield f"{lacked}read as {_short(project, folder)} has it: {_listed(read, there)}"


def relations(folder: Path) -> Mapping[str, str]:
    """Return the table of each node of a state, by its unique id.

    Raises `IntegrationError`, with the next step, when there is no manifest that can be read.
    """
    try:
        manifest = read_manifest(folder / "manifest.json")
    except IntegrationError as error:
        raise IntegrationError(
            f"The state cannot be read: {error.message}",
            where=error.where,
            hint="Point state at a folder with the manifest.json of another target, as dbt leaves it in target.",
        ) from None
    return {node.unique_id: _relation(node) for node in _nodes(manifest) if node.resource_type in _READ}


def _nodes(manifest: Manifest) -> Iterator[Node]:
    yield from (manifest.nodes or {}).values()
    yield from (manifest.functions or {}).values()


def _relation(node: Node) -> str:
    return ".".join(filter(None, (node.database, node.schema, node.alias or node.name)))


def _is_built(asset: Asset, invocation: Invocation) -> bool:
    """Tell whether dbt builds an asset that an invocation reads: sources are where they are."""
    return asset.integration == invocation.integration and asset.resource_type in _READ


def _listed(assets: Iterable[Asset], there: Mapping[str, str]) -> str:
    found: list[str] = []
    lacking: list[str] = []
    for asset in assets:
        table = there.get(str(asset.spec.get("unique_id")))
        (lacking if table is None else found).append(str(asset.key) if table is None else f"{asset.key} from {table}")
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED + 1 else ""
    told = ", ".join(found[:_NAMED] if more else found) + more
    missing = f"{len(lacking)} that it has not, {lacking[0]} among them" if lacking else ""
    return "; ".join(filter(None, (told, missing)))


def _short(project: DbtProject, folder: Path) -> str:
    return project.near(str(folder))
