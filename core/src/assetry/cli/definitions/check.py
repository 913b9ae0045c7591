"""``assetry check``: load and validate everything, and tell what looks wrong though it is allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import aligned, counted, listed, styled, warning_lines
from assetry.columns.column_types import KNOWN_NAMES, column_type
from assetry.errors import AssetryError, DefinitionError, near_names
from assetry.graph.graph import AssetGraph
from assetry.graph.merging import is_external
from assetry.hooks.masks import masked
from assetry.project.editors.schema_file import SCHEMA_FILE, names_schema, write_schema
from assetry.project.places import asset_warnings
from assetry.project.project import Project
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.warnings import AssetWarning
from assetry.views.json import warnings_to_json


def check_definitions(session: Session) -> int:
    """Load and validate all definitions; nothing is run.

    Exit code 3 when they cannot be loaded, when a plugin is broken or finds a mistake, or when nothing opens a place
    that is named. The schema for editors that assetry.toml names is written anew where plugins have changed.
    """
    project = session.project
    _refresh_schema(session)
    found = _findings(project)
    if session.text:
        located = {name: [_located(each, session) for each in found[name]] for name in ("places", "mistakes")}
        session.say("\n".join(_text({**found, **located})))
    else:
        session.emit(found)
    return 0 if found["ok"] else DefinitionError.exit_code


def _refresh_schema(session: Session) -> None:
    """Bring the schema by which editors check the project file up to date, where the file names it."""
    project = session.project
    file = project.settings.file
    if file is None or not names_schema(file):
        return
    try:
        if write_schema(project.root, project.plugins):
            session.note(f"{SCHEMA_FILE} is written anew: editors check {file.name} by it.")
    except OSError as error:
        session.warn(f"{SCHEMA_FILE}, by which editors check {file.name}, is not written: {error.strerror}")


def _findings(project: Project) -> dict[str, Any]:
    assets = project.graph.assets
    groups = {project.plugins.invocation_group(asset) for asset in assets if asset.executable}
    file = str(project.settings.file) if project.settings.file else None
    wrong = project.plugins.mistakes(project)
    for each in wrong:
        project.settings.locate(each)
    mistakes = [{**_told(each), "where": each.where or file} for each in wrong]
    mistakes = masked(mistakes, project.plugins.secrets.mask)
    # Asked last: a plugin may only show that it is broken when it is called.
    project.plugins.check_versions()
    places = [_told(each) for each in project.place_problems()]
    problems = [
        {"plugin": each.plugin, "message": each.message, "hint": each.hint} for each in project.plugins.problems
    ]
    return {
        "ok": not problems and not places and not mistakes,
        "root": str(project.root),
        "file": project.settings.file.name if project.settings.file else None,
        "assets": len(assets),
        "checks": sum(len(asset.checks) for asset in assets),
        "invocation_groups": sorted(group.key for group in groups if group is not None),
        "integrations": [
            {"name": each.name, "kind": each.kind, "assets": dict(_types(assets, each.name))}
            for each in _integrations(project)
        ],
        "problems": problems,
        "places": places,
        "mistakes": mistakes,
        "near_misses": [
            {"source": str(each.source), "candidate": str(each.candidate), "why": each.why}
            for each in project.graph.near_misses()
        ],
        "warnings": warnings_to_json(
            asset_warnings(project.graph, project.plugins, lambda: project.values, None, project.settings)
        ),
        "unknown_types": list(_unknown_types(assets)),
        "made_elsewhere": [str(asset.key) for i, asset in enumerate(assets) if _is_made_elsewhere(project.graph, i)],
        "used_by_none": [
            str(asset.key)
            for i, asset in enumerate(assets)
            if _is_made_elsewhere(project.graph, i) and not project.graph.downstream[i]
        ],
    }


def _told(error: AssetryError) -> dict[str, Any]:
    return {"message": error.message, "where": error.where, "near": list(error.near), "hint": error.hint}


def _unknown_types(assets: Iterable[Asset]) -> Iterable[dict[str, Any]]:
    """Yield the columns of schemas whose type is not understood, and so is not compared with anything."""
    for asset in assets:
        for column in asset.columns if asset.kept else ():
            if column.type and column_type(column.type) is None:
                near = list(near_names(column.type, KNOWN_NAMES, most=1))
                yield {"asset": str(asset.key), "column": column.name, "type": column.type, "near": near}


def _located(place: Mapping[str, Any], session: Session) -> Mapping[str, Any]:
    return {**place, "where": session.place(place["where"])}


def _integrations(project: Project) -> Iterable[Any]:
    known = {each.name: each for each in project.integrations}
    for asset in project.graph.assets:
        if asset.integration is not None:
            known.setdefault(asset.integration.name, asset.integration)
    return known.values()


def _types(assets: Iterable[Asset], integration: str) -> Mapping[str, int]:
    return Counter(each.resource_type for each in assets if each.integration and each.integration.name == integration)


def _is_made_elsewhere(graph: AssetGraph, i: int) -> bool:
    """Tell whether something unknown makes an asset: a table, or what others are made from.

    What its tool selects by a name of its own is the tool's to make, and was only left out here.
    """
    asset = graph.assets[i]
    return is_external(asset) and not asset.fqn and (asset.relation is not None or bool(graph.downstream[i]))


def _text(found: Mapping[str, Any]) -> Iterable[str]:
    rows = [
        (
            each["name"],
            each["kind"],
            ", ".join(counted(count, name) for name, count in each["assets"].items()) or "empty",
        )
        for each in found["integrations"]
    ]
    yield f"{found['file'] or 'No project file'} in {found['root']}"
    yield from aligned(rows, indent="  ")
    for problem in found["problems"]:
        yield f"{styled('broken:', fg='red')} {problem['plugin']}: {problem['message']}"
        yield f"  {problem['hint']}"
    for mistake in found["mistakes"]:
        yield f"{styled('wrong:', fg='red')} {AssetryError(**mistake)}"
    for place in found["places"]:
        yield f"{styled('no such place:', fg='red')} {AssetryError(**place)}"
    warned = (AssetWarning(AssetKey(each["asset"]), each["text"], each["hint"]) for each in found["warnings"])
    yield from warning_lines(warned)
    for each in found["unknown_types"]:
        near = f" Did you mean {each['near'][0]!r}?" if each["near"] else ""
        yield (
            f"{styled('not compared:', fg='yellow')} column {each['column']!r} of {each['asset']} is a "
            f"{each['type']!r}, which is no type that is known.{near}"
        )
    for miss in found["near_misses"]:
        yield f"{styled('near miss:', fg='yellow')} {miss['source']} was not taken for {miss['candidate']}:"
        yield f"  {miss['why']}"
    if found["made_elsewhere"]:
        yield f"Made elsewhere: {listed(found['made_elsewhere'], 5)}."
    if found["used_by_none"]:
        yield f"Used by nothing: {listed(found['used_by_none'], 5)}."
    if not found["assets"]:
        yield "No assets: neither assets.py nor a project of a known tool is here. `assetry init` makes an example."
    parts = [counted(found["assets"], "asset"), counted(found["checks"], "check")]
    good = styled("ok", fg="green") if found["ok"] else styled("not ok", fg="red")
    yield f"{good}: {', '.join(parts)} in {counted(len(found['integrations']), 'integration')}"


command = verb("check", loads=True)(check_definitions)
