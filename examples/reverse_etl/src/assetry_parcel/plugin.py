"""The hooks: each object that a sync of Parcel sends is an asset, made from a table; a sync runs as a whole."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from assetry import plugin
from assetry_toolkit.options import JOB_OPTIONS

OPTIONS = {
    "url": plugin.TEXT.needed("Where Parcel is."),
    "api_key": plugin.SECRET.needed("The API key."),
    "syncs": plugin.TEXT.about("What `assetry parcel syncs --write` writes.", default="parcel.json"),
    "warehouse": plugin.TEXT.about("The DuckDB file that Parcel reads, if it is one: held while a sync runs."),
    "poll_every": plugin.SECONDS.about("The pause between two looks at a run.", default="1, and growing"),
    **JOB_OPTIONS,
}
ASSETRY_KINDS = {"parcel": OPTIONS}


@plugin.hookimpl
def assetry_load_assets(integration: plugin.Integration, context: plugin.LoadContext) -> Iterable[plugin.Asset]:
    """Load what the file of syncs says: the tables that are read, and the objects that are sent."""
    context.reads(file := Path(integration.root, integration.options.get("syncs", "parcel.json")))
    try:
        syncs = json.loads(file.read_text())["syncs"]
        sent = [(sync, each) for sync in syncs for each in sync["objects"]]
    except (OSError, ValueError, KeyError) as error:
        raise plugin.IntegrationError(f"No syncs in {file}.", hint="Run `assetry parcel syncs --write`.") from error
    tables = dict.fromkeys(each["table"] for _, each in sent)
    return [*(_table(integration, each) for each in tables), *(_sent(integration, *each) for each in sent)]


def _table(place: plugin.Integration, name: str) -> plugin.Asset:
    database, schema, table = ["", "", *name.split(".")][-3:]  # by its whole name the graph finds who makes it
    relation = plugin.Relation(database or None, schema or None, table)
    key = f"{place.name}/tables/{name}"
    return plugin.Asset(key=key, kind="parcel", integration=place, executable=False, relation=relation)


def _sent(place: plugin.Integration, sync: dict[str, Any], each: dict[str, Any]) -> plugin.Asset:
    return plugin.Asset(
        key=f"{place.name}/{sync['name']}/{each['name']}",
        kind="parcel",
        integration=place,
        consumer=True,  # a name that could mean it or a table means the table
        deps=[f"{place.name}/tables/{each['table']}"],
        description=f"{each['table']}, sent to {sync['destination']}.",
        code_version=hashlib.sha256(json.dumps([sync["destination"], each], sort_keys=True).encode()).hexdigest(),
        spec={
            "sync": sync["name"],
            "object": each["name"],
            "page": f"{place.options['url'].rstrip('/')}/syncs/{sync['name']}",
        },
    )


@plugin.hookimpl
def assetry_invocation_group(asset: plugin.Asset) -> plugin.InvocationGroup | None:
    """Put the objects of a sync together: one run of it sends all of them."""
    if not asset.integration or not asset.spec:
        return None
    file = asset.integration.options.get("warehouse")
    holds = (f"duckdb:{Path(asset.integration.root, file).resolve()}",) if file else ()
    return plugin.InvocationGroup(f"parcel:{asset.integration.name}:{asset.spec['sync']}", whole=True, holds=holds)


@plugin.hookimpl
def assetry_invocation_command(invocation: plugin.Invocation) -> str:
    """Show which sync will run."""
    return f"Parcel sync {invocation.assets[0].spec['sync']}"


@plugin.hookimpl
def assetry_invoke(invocation: plugin.Invocation, context: plugin.RunContext) -> Iterator[plugin.Event]:
    """Start the sync once, or find it again, and tell of each object when it was sent."""
    from assetry_parcel.runs import Sync, run_sync
    from assetry_parcel.service import connect

    wanted = {asset.spec["object"]: asset.key for asset in (*invocation.assets, *invocation.also)}
    with connect(invocation.integration, context.secret) as http:
        sync = Sync(http, invocation.assets[0].spec, plugin.checked_options(invocation.integration, OPTIONS))
        yield from run_sync(sync, context, wanted)


@plugin.hookimpl
def assetry_panels(asset: plugin.Asset) -> Iterator[plugin.Panel]:
    """Show the sync's own page beside an asset."""
    if asset.kind == "parcel" and asset.spec:
        yield plugin.Panel(title="Parcel", links={f"Sync {asset.spec['sync']}": asset.spec["page"]})


@plugin.hookimpl
def assetry_add_commands(commands: plugin.Commands) -> None:
    """Add `assetry parcel syncs`."""
    from assetry_parcel.commands import syncs

    commands.group("parcel", "Look at what Parcel sends.").command("syncs")(syncs)
