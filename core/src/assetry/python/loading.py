"""The values that a function takes: of the partitions that its own partition is made from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assetry.errors import IntegrationError
from assetry.io.frames import from_arrow, is_frame, to_arrow
from assetry.partitions.recorded import has_dynamic
from assetry.types.assets import Asset, Dep
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.protocols import RunContext


class Loading:
    """The values that a function of an invocation takes, for one partition or for none."""

    def __init__(self, invocation: Invocation, context: RunContext, partition: str | None) -> None:
        self.context = context
        self.partition = partition
        known = (*invocation.assets, *invocation.also, *invocation.inputs)
        self._known = {asset.key: asset for asset in known}

    def value(self, key: AssetKey, form: Any) -> Any:
        """Return the value of an asset: of the partition at hand where it has partitions."""
        return self.context.load(key, form, self.partition if self.is_partitioned(key) else None)

    def is_partitioned(self, key: AssetKey) -> bool:
        """Tell whether an asset of the invocation has partitions."""
        known = self._known.get(key)
        return known is not None and known.partitions_def is not None

    def argument(self, asset: Asset, name: str, form: Any) -> Any:
        """Return the value of the upstream asset that the parameter `name` takes.

        Of ``last`` it is the newest partition that there should be. Where a partition is made from several, it is a
        table of them all, one below the other, or a dict by key of what is no table; where it is made from none, as
        the first that reads the one before it, None.
        """
        dep = next((dep for dep in asset.deps if dep.name == name), None)
        if dep is None:
            raise IntegrationError(
                f"Parameter {name!r} of asset {str(asset.key)!r} is not among its dependencies.",
                where=asset.source,
                hint="The function has changed since the project was loaded; load it again.",
            )
        upstream = self._known.get(dep.key)
        if upstream is None or upstream.partitions_def is None or dep.partition_mapping == "all":
            return self.context.load(dep.key, form, None)
        if dep.partition_mapping == "last":
            # Which of the keys that come into being is the last, only the records know.
            whole = has_dynamic(upstream.partitions_def)
        else:
            whole = asset.partitions_def is None or self.partition is None
        return self.context.load(dep.key, form, None) if whole else self._partitions(asset, dep, upstream, form)

    def _partitions(self, asset: Asset, dep: Dep, upstream: Asset, form: Any) -> Any:
        from assetry.partitions.resolution import link_between

        assert upstream.partitions_def is not None
        link = link_between(
            dep.partition_mapping, asset.partitions_def, upstream.partitions_def, asset.key, dep.key, asset.source
        )
        keys = link.keys(self.partition, datetime.now(UTC))
        if not keys and link.every and has_dynamic(upstream.partitions_def):
            raise IntegrationError(
                f"Asset {str(asset.key)!r} reads partitions of {str(dep.key)!r} whose keys come into being when they "
                "are made, and nothing says here which there are.",
                where=asset.source,
                hint=f'Read all of it, Dep("{dep.key}", "all"), and take out of it what is needed.',
            )
        if not keys:
            return None
        if len(keys) == 1 and link.single:
            return self.context.load(dep.key, form, keys[0])
        return self._joined(upstream, {key: self.context.load(dep.key, None, key) for key in keys}, form)

    def _joined(self, upstream: Asset, values: dict[str, Any], form: Any) -> Any:
        from assetry.io.merge import all_partitions

        value = all_partitions(upstream, values)
        name = f"asset {str(upstream.key)!r}"
        return from_arrow(to_arrow(value, name, categories=True), form, name) if is_frame(value) else value
