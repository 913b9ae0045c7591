"""``assetry airbyte``: what there is to do with Airbyte beside running it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from assetry.plugin import CommandContext, Commands, Integration, UsageError, near_names

KIND = "airbyte"


def add_commands(commands: Commands) -> None:
    """Add `assetry airbyte`."""
    airbyte = commands.group("airbyte", "Read connections from Airbyte, or the streams of connectors that run here.")
    airbyte.command("pull")(pull)


def pull(context: CommandContext, integrations: list[str]) -> None:
    """Read anew what there is to sync, of all integrations or of those named.

    :param integrations: names of integrations, as in assetry.toml
    """
    found = [_pulled(integration) for integration in _wanted(context.project.integrations, integrations)]
    if context.text:
        context.say("\n".join(line for each in found for line in _lines(each)))
    else:
        context.emit({"integrations": found}, rows="integrations")


def _pulled(integration: Integration) -> dict[str, Any]:
    """Read one integration anew; return what to tell of it."""
    if "command" in integration.options or "requirement" in integration.options:
        from assetry_airbyte.local.integration import pull_local

        return {"integration": integration.name, "connections": 0, "streams": pull_local(integration), "unusable": []}
    from assetry_airbyte.hosted.connections.definitions import pull as pull_hosted
    from assetry_airbyte.hosted.settings import Options

    options = Options.of(integration)
    snapshot = pull_hosted(options)
    unusable = [each for each in snapshot.connections if not each.usable]
    return {
        "integration": integration.name,
        "file": str(options.snapshot_path),
        "connections": len(snapshot.connections),
        "streams": sum(len(each.streams) for each in snapshot.connections),
        "unusable": [{"name": each.name, "status": each.status, "reason": each.reason} for each in unusable],
    }


def _wanted(integrations: Iterable[Integration], names: Sequence[str]) -> list[Integration]:
    known = {each.name: each for each in integrations if each.kind == KIND}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no airbyte integration {name!r}.", near=near_names(name, known), hint="See assetry.toml."
            )
    if not known:
        raise UsageError(
            "No integration of this project is an Airbyte.",
            hint='Add one to assetry.toml: [integrations.NAME], kind = "airbyte", connection_id = "…".',
        )
    return [known[name] for name in names or known]


def _lines(found: dict[str, Any]) -> Iterable[str]:
    connections, streams = _counted(found["connections"], "connection"), _counted(found["streams"], "stream")
    yield f"{found['integration']}: {connections + ', ' if found['connections'] else ''}{streams}"
    for each in found["unusable"]:
        yield f"  not synced: {each['name']} is {each['status']}{': ' + each['reason'] if each['reason'] else ''}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
