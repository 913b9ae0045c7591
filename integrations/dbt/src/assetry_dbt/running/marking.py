"""What tables were made by: flags stand in their records, and by some of these a table is not the real one."""

from __future__ import annotations

from dataclasses import replace

from assetry.plugin import Event, Invocation, Materialized

from assetry_dbt.manifest.code import code_version, short_hash
from assetry_dbt.project.flags import BuildFlags
from assetry_dbt.running.partition_args import is_whole

#: The part of an asset's code that tells flags by which it is another table; see `assetry_dbt.loading`.
_FLAGS = "flags"


class Marking:
    """The flags of one invocation, and what they make of the tables that it makes.

    >>> from assetry.plugin import Asset, Integration
    >>> orders = Asset(key="shop/orders", kind="dbt", resource_type="model", code_version="1", code_parts={"body": "1"})
    >>> asked = Invocation(id="1", group=None, integration=Integration("shop", "dbt"), assets=(orders,))
    >>> event = Marking(BuildFlags({"EMPTY": ""}, {}), asked).told(Materialized("shop/orders"))
    >>> event.metadata["flags"], list(event.code_parts), event.code_version == "1"
    ({'empty': 'true'}, ['body', 'built with --empty'], False)
    """

    def __init__(self, flags: BuildFlags, invocation: Invocation) -> None:
        self._flags = flags
        self._assets = {asset.key: asset for asset in (*invocation.assets, *invocation.also)}

    def told(self, event: Event) -> Event:
        """Return an event that says by which flags a table was made, with a code that no definition has if need be."""
        asset = self._assets.get(event.key) if isinstance(event, Materialized) else None
        if asset is None or not isinstance(event, Materialized):
            return event
        mine = self._flags.of(asset.resource_type, is_whole(asset))
        if mine:
            event = replace(event, metadata={**event.metadata, "flags": mine})
        unreal = self._flags.unreal(asset.resource_type)
        if unreal is None:
            return event
        parts = {**(asset.code_parts if event.code_version is None else event.code_parts)}
        parts.pop(_FLAGS, None)
        parts[unreal] = short_hash(unreal)
        # A seed's version is that of its file, and a clone has what the state has.
        return replace(event, code_version=code_version(parts), code_parts=parts, data_version=None)
