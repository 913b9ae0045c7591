"""Assets of a connection's tables: what they have in common is said once; there may be very many."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Asset, AssetKey, Dep, Integration, Relation


@dataclass(slots=True, kw_only=True)
class ConnectionAssets:
    """What is the same for all assets of a connection; see `assetry.plugin.Asset` for each of them.

    `tell` makes metadata of the manner in which a table is synced: manners are few, and tables many.

    >>> crm = ConnectionAssets(integration=Integration("crm", "mill"), group="crm", spec={"connection": "c"})
    >>> crm.asset(AssetKey("crm/orders"), None, {"table": "orders"}).spec
    {'connection': 'c', 'table': 'orders'}
    """

    integration: Integration
    group: str
    spec: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    description: str = ""
    executable: bool = True
    resource_type: str = "table"
    tell: Callable[[Any], Mapping[str, Any]] = dict
    _made: dict[Hashable, Mapping[str, Any]] = field(default_factory=dict)
    _deps: tuple[Dep, ...] | None = None

    def asset(
        self,
        key: AssetKey,
        relation: Relation | None,
        spec: Mapping[str, Any],
        manner: Hashable = None,
        **more: Any,
    ) -> Asset:
        """Return one of the assets, with the metadata of its manner, if it has one; what is empty is left out.

        `more` are other fields of `Asset`.
        """
        metadata = self._made.get(manner)
        if metadata is None:
            made = {} if manner is None else self.tell(manner)
            told = {**self.metadata, **made}
            metadata = self._made[manner] = {name: value for name, value in told.items() if value}
        if self._deps is None:
            self._deps = tuple(Dep(AssetKey(each)) for each in self.deps)
        return Asset(
            key=key,
            kind=self.integration.kind,
            integration=self.integration,
            deps=self._deps,
            spec={**self.spec, **spec},
            description=self.description,
            group=self.group,
            tags=self.tags,
            metadata=metadata,
            relation=relation,
            executable=self.executable,
            resource_type=self.resource_type,
            **more,
        )
