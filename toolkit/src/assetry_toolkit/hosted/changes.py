"""What has changed in a connection since it was read: it is gone, tables of it are, or it has new ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from assetry.plugin import Asset, AssetryError, Event, Failed, JobOverError, Log, Skipped, near_names

from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.hosted.assets import ENABLE, LOOK
from assetry_toolkit.hosted.syncs import Ending
from assetry_toolkit.options import IntegrationOptions
from assetry_toolkit.work import GONE


class ConnectionGone(JobOverError):
    """A connection is there no more, and with it whatever was under way."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How changes of a service's connections are told; `noun` is its word for a table, `tool` the command that pulls.

    >>> [each.message for each in Changes("Mill", "table", "mill").unknown("crm", ["users"])]
    ["'crm' has tables that assetry does not know yet: users. `assetry mill pull` adds them."]
    """

    service: str
    noun: str
    tool: str

    def refused(self, connection: str, error: Refused, options: IntegrationOptions) -> AssetryError:
        """Return the error for a connection that is not given to us; of one that is gone no job can be under way."""
        hint = f"{LOOK} {self.service}; `assetry {self.tool} pull` reads the connections anew."
        if error.status in GONE:
            hint += f" Removing {options.snapshot_told} before that forgets what is gone."
            return ConnectionGone(f"Connection {connection} is gone: {error.message}", hint=hint)
        hint = " ".join(filter(None, (error.hint, hint)))
        return ServiceError(f"Connection {connection} may not be used: {error.message}", status=error.status, hint=hint)

    def gone(self, asset: Asset, name: str, connection: str, there: Iterable[str]) -> Failed:
        """Return the event for an asset whose table, called `name`, the connection has no more.

        `there` is what it may be called now.
        """
        near = near_names(name, [each for each in there if each != name])
        return Failed(
            asset.key,
            f"{self.noun.capitalize()} {name!r} is not synced by connection {connection!r} any more: "
            "it is disabled there, or gone."
            f"{f' Did you mean {near[0]!r}?' if near else ''}",
            hint=f"{ENABLE} {self.service}, or read the connections anew with `assetry {self.tool} pull`.",
        )

    def not_made(self, asset: Asset, ending: Ending[Any], page: str) -> Event:
        """Return the event that tells why an asset was not made by a sync that ended otherwise than well."""
        if ending.outcome in ("deferred", "skipped"):
            return Skipped(asset.key, ending.why, root=asset.key)
        message = f"The sync of connection {ending.standing.name!r} has no good end: {ending.why}."
        return Failed(asset.key, message, hint=f"See {page}.", retryable=True)

    def unknown(self, connection: str, new: Sequence[str]) -> Iterable[Event]:
        """Yield a warning of tables that came to the connection, if there are any."""
        if new:
            listed = f"{', '.join(new[:5])}{' …' if len(new) > 5 else ''}"
            told = f"{connection!r} has {self.noun}s that assetry does not know yet: {listed}."
            yield Log(f"{told} `assetry {self.tool} pull` adds them.", "warning")
