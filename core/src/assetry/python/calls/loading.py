"""The values that a function takes: of the partitions that its own are made from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assetry.errors import IntegrationError
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.links import Link
from assetry.partitions.recorded import has_dynamic
from assetry.python.calls.portion import Portion
from assetry.types.assets import PARTITION, Asset, Dep
from assetry.types.contexts import RunContext
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey


class Loading:
    """The values that a function of an invocation takes, for what it is called for."""

    def __init__(self, invocation: Invocation, context: RunContext, portion: Portion) -> None:
        self.context = context
        self.portion = portion
        known = (*invocation.assets, *invocation.also, *invocation.inputs)
        self._known = {asset.key: asset for asset in known}

    def value(self, key: AssetKey, form: Any) -> Any:
        """Return the value of an asset: of the partition at hand where it has partitions."""
        return self.context.load(key, form, None if self.partitions_of(key) is None else self.portion.partition)

    def partitions_of(self, key: AssetKey) -> PartitionsDefinition | None:
        """Return the definition of the partitions of an asset of the invocation; None when it has none."""
        known = self._known.get(key)
        return known.partitions_def if known is not None else None

    def argument(self, asset: Asset, name: str, form: Any) -> Any:
        """Return the value of the upstream asset that the parameter `name` takes; of `partition` without one, the key.

        Of ``last`` it is the newest partition that there should be. Where a partition is made from several, it is a
        table of them all, one below the other, or a dict by key of what is no table; where it is made from none, as
        the first that reads the one before it, None. A range is given what all of its partitions are made from, but for
        those that it makes itself.
        """
        dep = next((dep for dep in asset.deps if dep.name == name), None)
        if dep is None and name == PARTITION and self.portion.partition is not None:
            return self.portion.partition
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
            whole = asset.partitions_def is None or not self.portion.partitions
        return self.context.load(dep.key, form, None) if whole else self._partitions(asset, dep, upstream, form)

    def _partitions(self, asset: Asset, dep: Dep, upstream: Asset, form: Any) -> Any:
        from assetry.partitions.resolution import link_between

        assert upstream.partitions_def is not None
        link = link_between(
            dep.partition_mapping, asset.partitions_def, upstream.partitions_def, asset.key, dep.key, asset.source
        )
        keys = self._keys(asset, dep, link)
        if not keys and link.every and has_dynamic(upstream.partitions_def):
            raise IntegrationError(
                f"Asset {str(asset.key)!r} reads partitions of {str(dep.key)!r} whose keys come into being when they "
                "are made, and nothing says here which there are.",
                where=asset.source,
                hint=f'Read all of it, Dep("{dep.key}", "all"), and take out of it what is needed.',
            )
        if not keys:
            return None
        # A range is given a table of all it reads, how many partitions it may be of; but one that all read is one.
        single = link.single and (not self.portion.ranged or not link.ways)
        return self.context.load(dep.key, form, keys[0] if len(keys) == 1 and single else keys)

    def _keys(self, asset: Asset, dep: Dep, link: Link) -> tuple[str, ...]:
        """Return the keys upstream that the partitions at hand are made from, in order."""
        now = datetime.now(UTC)
        found = dict.fromkeys(key for each in self.portion.names for key in link.keys(each, now))
        if dep.key == asset.key:
            return tuple(key for key in found if key not in self.portion.partitions)
        return tuple(found)
