"""The hooks: each object that a sync of Parcel sends is an asset, made from a table; a sync runs as a whole."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from assetry import plugin
from assetry_toolkit.options import JOB_OPTIONS

OPTIONS = {
    "url": plugin.TEXT.needed("Where Parcel is."),
    "api_key": plugin.SECRET.needed("The API key."),
    "warehouse": plugin.TEXT.about("The DuckDB file that Parcel reads, if it is one: held while a sync runs."),
    "poll_every": plugin.SECONDS.about("The pause between two looks at a run.", default="1, and growing"),
    **JOB_OPTIONS,
}
ASSETRY_KINDS = {"parcel": OPTIONS}
SYNCS = "parcel.json"  # `assetry parcel pull` writes it


@plugin.hookimpl
def assetry_load_assets(integration: plugin.Integration, context: plugin.LoadContext) -> Iterator[plugin.Asset]:
    """Load what the file of syncs says: the tables that are read, and the objects that are sent."""
    from assetry_toolkit.definitions.digests import digest

    context.reads(file := Path(integration.root, SYNCS))
    try:
        sent = [(sync, each) for sync in json.loads(file.read_text())["data"] for each in sync["objects"]]
    except (OSError, ValueError, KeyError) as error:
        raise plugin.IntegrationError(f"No syncs in {file}.", hint="Run `assetry parcel pull`.") from error
    new = partial(plugin.Asset, kind="parcel", integration=integration)
    # By the whole name of a table the graph finds which asset makes it.
    for name in dict.fromkeys(each["table"] for _, each in sent):
        yield new(key=f"{integration.name}/tables/{name}", executable=False, relation=plugin.Relation(*name.split(".")))
    for sync, each in sent:
        page = f"{integration.options['url'].rstrip('/')}/syncs/{sync['name']}"
        yield new(
            key=f"{integration.name}/{sync['name']}/{each['name']}",
            consumer=True,  # a name that could mean it or a table means the table
            deps=[f"{integration.name}/tables/{each['table']}"],
            code_version=digest([sync["destination"], each]),
            spec={"sync": sync["name"], "object": each["name"], "page": page},
        )


@plugin.hookimpl
def assetry_invocation_group(asset: plugin.Asset) -> plugin.InvocationGroup:
    """Put the objects of a sync together: one run of it sends all of them."""
    place = asset.integration
    assert place
    holds = (f"duckdb:{Path(place.root, file).resolve()}",) if (file := place.options.get("warehouse")) else ()
    return plugin.InvocationGroup(f"parcel:{place.name}:{asset.spec.get('sync')}", whole=True, holds=holds)


@plugin.hookimpl
def assetry_invoke(invocation: plugin.Invocation, context: plugin.RunContext) -> Iterator[plugin.Event]:
    """Start the sync once, or find it again, and tell of each object when it was sent."""
    from assetry_parcel.runs import connect, run_sync

    with connect(invocation.integration, context.secret) as http:
        yield from run_sync(http, invocation, context, plugin.checked_options(invocation.integration, OPTIONS))


@plugin.hookimpl
def assetry_add_commands(commands: plugin.Commands) -> None:
    """Add `assetry parcel pull`."""
    commands.group("parcel", "Look at what Parcel sends.").command("pull")(pull)


def pull(context: plugin.CommandContext) -> None:
    """Read which syncs Parcel has, and write them into the file from which assets are loaded."""
    from assetry_toolkit.http import Request

    from assetry_parcel.runs import connect

    for place in (each for each in context.project.integrations if each.kind == "parcel"):
        with connect(place, context.secret) as http:
            Path(place.root, SYNCS).write_text(json.dumps(http.ask(Request("GET", "syncs")), indent=2))
        context.say(f"Wrote {SYNCS} of {place.name}.")
