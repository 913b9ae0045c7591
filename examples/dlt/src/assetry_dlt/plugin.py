"""The hooks. dlt is in a process of its own, `python -m assetry_dlt`, to list what there is as to load it."""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assetry import plugin

OPTIONS = {
    "folder": plugin.TEXT.needed("The folder with the source and all of the project that it imports."),
    "source": plugin.TEXT.needed("The function that returns the dlt source: MODULE:NAME."),
    "database": plugin.TEXT.needed("The DuckDB file; the integration's name is the schema of the tables."),
    "arguments": plugin.TABLE.about('What the function is called with; secrets as { env = "NAME" }.'),
}
ASSETRY_KINDS = {"dlt": OPTIONS}


@plugin.hookimpl
def assetry_load_assets(integration: plugin.Integration, context: plugin.LoadContext) -> Iterator[plugin.Asset]:
    """Ask the source for its resources, again only when something in its folder has changed."""
    from assetry_toolkit.definitions.digests import digest

    context.reads(folder := _path(integration, "folder"))
    # A load that asks for secrets is not kept, and to say what there is most sources need none.
    lines = _command(integration, "no-{}-while-loading".format, "list").output().splitlines()
    logic = [ast.dump(ast.parse(each.read_bytes())) for each in sorted(folder.rglob("*.py"))]  # no comments
    version = digest([logic, integration.options.get("arguments")])
    for each in map(json.loads, lines):
        yield plugin.Asset(
            key=f"{integration.name}/{each['name']}",
            kind="dlt",
            integration=integration,
            # By its whole name it is the same asset as a source of dbt at that table.
            relation=plugin.Relation(_path(integration, "database").stem, *each["place"]),
            code_version=version,
            incremental=each["adds"],
        )


@plugin.hookimpl
def assetry_invocation_group(asset: plugin.Asset) -> plugin.InvocationGroup:
    """Put a source together: one run of its pipeline loads any of its resources, all or none."""
    place = asset.integration
    assert place
    return plugin.InvocationGroup(f"dlt:{place.name}", atomic=True, holds=(assetry_io_url(place),))


@plugin.hookimpl
def assetry_invoke(invocation: plugin.Invocation, context: plugin.RunContext) -> Iterator[plugin.Event]:
    """Load the resources in one process, and tell what it prints; after a kill that process is found again."""
    from assetry_toolkit.commands import json_events, run_command

    words = ("refresh" if invocation.full_refresh else "load", *(asset.key.name for asset in invocation.assets))
    command = _command(invocation.integration, context.secret, *words)
    journal = Path(invocation.integration.root, ".assetry", "dlt", "journals")
    # It ends with 3 when it has said which resource failed.
    yield from run_command(command, context, json_events(invocation), good=(0, 3), journal=journal)


@plugin.hookimpl
def assetry_io_url(integration: plugin.Integration) -> str:
    """Let Python assets read the tables, by assetry-duckdb."""
    return f"duckdb:{_path(integration, 'database')}"


def _path(place: plugin.Integration, option: str) -> Path:
    return Path(place.root, place.options[option]).resolve()


def _command(place: plugin.Integration, secret: Any, *words: str) -> Any:
    from assetry_toolkit.commands import Command
    from assetry_toolkit.secrets import resolved

    given, _ = resolved({**place.options, "name": place.name, "root": str(Path(place.root).resolve())}, secret)
    # Not in its words, which everybody can see: there are secrets in it.
    environment = {"ASSETRY_DLT": json.dumps(given)}
    program = (sys.executable, "-m", "assetry_dlt", *words)
    return Command(program, folder=_path(place, "folder"), environment=environment, name="dlt")
