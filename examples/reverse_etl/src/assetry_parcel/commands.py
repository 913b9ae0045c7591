"""What `assetry parcel` can do."""

import json
from pathlib import Path

from assetry.plugin import CommandContext, UsageError, near_names


def syncs(context: CommandContext, names: list[str], *, write: bool = False) -> None:
    """List the syncs that Parcel has.

    :param names: integrations, as in assetry.toml; all of kind parcel when none is named
    :param write: write them into the file from which assets are loaded, too
    """
    from assetry_toolkit.http import Request

    from assetry_parcel.service import connect

    places = {each.name: each for each in context.project.integrations if each.kind == "parcel"}
    for name in names:
        if name not in places:
            known = ", ".join(places) or "none"
            near = near_names(name, places)
            raise UsageError(
                f"There is no integration {name!r} of kind parcel.", near=near, hint=f"There are: {known}."
            )
    found = []
    for name in names or places:
        with connect(places[name], context.secret) as http:
            syncs = http.ask(Request("GET", "syncs"))["data"]
        found += [{"integration": name, **each} for each in syncs]
        if write:
            file = Path(places[name].root, places[name].options.get("syncs", "parcel.json"))
            file.write_text(f"{json.dumps({'syncs': syncs}, indent=2)}\n")
            context.note(f"Wrote {len(syncs)} syncs into {file}.")
    if not context.text:
        context.emit({"syncs": found}, rows="syncs")
    for each in found if context.text else ():
        objects = ", ".join(f"{sent['table']} as {sent['name']}" for sent in each["objects"])
        context.say(f"{each['integration']}/{each['name']} → {each['destination']}: {objects}")
