"""The hooks of assetry-dbt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from assetry.plugin import Asset, Integration, Invocation, InvocationGroup, hookimpl

from assetry_dbt.options import OPTIONS

if TYPE_CHECKING:
    from datetime import datetime

    from assetry.plugin import AssetKey, AssetWarning, CommandOption, Event, ExternalRun, Materialization, RunContext

KIND = "dbt"
ASSETRY_KINDS = {KIND: OPTIONS}


@hookimpl
def assetry_discover(root: str) -> list[Integration]:
    """Recognise a dbt project by its dbt_project.yml, in the folder or one level below."""
    from pathlib import Path

    from assetry_dbt.project.discovery import discover

    return discover(Path(root))


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Load a dbt project, or the manifest of one."""
    from assetry_dbt.loading import load

    return load(integration).assets


@hookimpl
def assetry_load_file(path: str, integration: Integration) -> list[Asset] | None:
    """Load a manifest of the integration's dbt project, as another dbt has written it."""
    from assetry_dbt.loading import load_manifest

    return load_manifest(path, integration)


@hookimpl
def assetry_load_run(path: str, integration: Integration) -> ExternalRun | None:
    """Read a run_results.json of the integration's dbt project, judged by the manifest.json beside it."""
    from assetry_dbt.outside.run_results import external_run

    return external_run(path, integration)


@hookimpl
def assetry_local_files(integration: Integration) -> list[str]:
    """Name the installed packages, profiles.yml, and the manifest that is to be read."""
    from assetry_dbt.project.project import DbtProject

    project = DbtProject.of(integration)
    found = [project.project_dir / project.packages_path]
    found += [project.profiles_dir / "profiles.yml"] if project.profiles_dir is not None else []
    found += [project.manifest] if project.manifest is not None else []
    return [str(each) for each in found]


@hookimpl
def assetry_command_options() -> Iterable[CommandOption]:
    """Take on the command line what dbt's commands take: ``--target``, ``--vars``, ``--threads`` …"""
    from assetry_dbt.project.given import COMMAND_OPTIONS

    return COMMAND_OPTIONS


@hookimpl
def assetry_selection_hint(method: str, value: str) -> str | None:
    """Say what to write instead of words that select in dbt and find no assets, such as ``result:error``."""
    from assetry_dbt.manifest.facets import hint_of

    return hint_of(method, value)


@hookimpl
def assetry_named_selections(integration: Integration) -> Mapping[str, str] | None:
    """Return what selectors.yml has: ``selector:nightly`` is what ``dbt ls --selector nightly`` lists."""
    from assetry_dbt.loading import loaded
    from assetry_dbt.selecting.named import named_selections

    return named_selections(loaded(integration).selectors, integration.name)


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Put all that one integration builds in one target together: dbt orders it by itself.

    Models that vars tell of their partitions are apart, by the vars: these are the same for all that one dbt builds. So
    are microbatch models that are made whole in every run: a window for others would be one for them.
    """
    if asset.integration is None:
        return None
    spec = asset.spec
    names = tuple((spec.get("partitions") or {}).get("vars", {}).items())
    return _group(asset.integration, spec.get("target"), names, spec.get("whole") is True)


@lru_cache(maxsize=64)
def _group(
    integration: Integration, target: str | None, names: tuple[tuple[str, str], ...], whole: bool
) -> InvocationGroup:
    from assetry_dbt.warehouse import occupied_by_dbt

    key = f"dbt:{integration.name}@{target}" if target else f"dbt:{integration.name}"
    key += "?" + "&".join(f"{what}={name}" for what, name in sorted(names)) if names else ""
    key += "?whole" if whole else ""
    occupied = occupied_by_dbt(integration)
    return InvocationGroup(
        key,
        ordered=True,
        limit=1,
        holds=occupied.holds,
        opens=occupied.opens,
        partitions="one" if "key" in dict(names) else "range",
        mixed=not names and not whole,
    )


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str | None:
    """Show the dbt command that carries an invocation out, as one would type it in the project's folder."""
    from assetry_dbt.loading import loaded
    from assetry_dbt.running.partition_args import event_times, project_for
    from assetry_dbt.selecting.search import selection_for

    known = loaded(invocation.integration)
    project = project_for(known.project, invocation)
    if project.clones:
        selection = replace(selection_for(known.index, replace(invocation, checks=())), indirect=None)
    else:
        selection = selection_for(known.index, invocation)
    return project.command(selection.args(), invocation.full_refresh, event_times(invocation))


@hookimpl
def assetry_invocation_notes(invocation: Invocation) -> Iterable[str]:
    """Tell where an invocation reads what it does not build, and that what it makes is not the real thing."""
    from assetry_dbt.project.deferral import notes_on
    from assetry_dbt.project.project import DbtProject

    return notes_on(DbtProject.of(invocation.integration), invocation)


@hookimpl
def assetry_warnings(
    assets: Sequence[Asset], readers: Mapping[AssetKey, Sequence[Asset]], now: datetime
) -> Iterable[AssetWarning]:
    """Warn of models that are deprecated, and of private ones that are read from outside of their project."""
    from assetry_dbt.warnings import warnings_of

    return warnings_of(assets, readers, now)


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one `dbt build`, yielding its events as dbt reports them."""
    from assetry_dbt.project.manifest_stamp import kept_stamp
    from assetry_dbt.project.project import DbtProject
    from assetry_dbt.running.invoke import invoke

    with kept_stamp(DbtProject.of(invocation.integration)):
        yield from invoke(invocation, context)


@hookimpl
def assetry_observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one `dbt source freshness` for the sources that have `freshness:`."""
    from assetry_dbt.outside.observe import observe
    from assetry_dbt.project.manifest_stamp import kept_stamp
    from assetry_dbt.project.project import DbtProject

    with kept_stamp(DbtProject.of(invocation.integration)):
        yield from observe(invocation, context)


@hookimpl
def assetry_delete(
    record: Materialization, integration: Integration | None, partitions: Sequence[str] | None, context: RunContext
) -> str | None:
    """Drop the table or view of a model, seed or snapshot that is gone, by dbt's adapter."""
    from assetry_dbt.outside.deletion import delete
    from assetry_dbt.project.manifest_stamp import kept_stamp
    from assetry_dbt.project.project import DbtProject

    if integration is None or not DbtProject.of(integration).is_there:
        return None
    with kept_stamp(DbtProject.of(integration)):
        return delete(record, integration, partitions, context)


@hookimpl
def assetry_io_url(integration: Integration) -> str | None:
    """Return the URL of the warehouse that the profile names, or None when it is of a kind without IO."""
    from assetry_dbt.project.project import DbtProject
    from assetry_dbt.warehouse import warehouse_url

    project = DbtProject.of(integration)
    return warehouse_url(project.read_profile(), project.project_dir) if project.is_there else None
