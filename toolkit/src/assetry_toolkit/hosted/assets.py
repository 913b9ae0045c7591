"""Assets of a connection's tables: what they have in common is said once; there may be very many."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from shlex import quote
from typing import TYPE_CHECKING, Any, Literal

from assetry.plugin import (
    Asset,
    AssetKey,
    AssetWarning,
    Attempt,
    Dep,
    FreshnessPolicy,
    Integration,
    Invocation,
    InvocationGroup,
    Relation,
)

if TYPE_CHECKING:
    from assetry_toolkit.hosted.snapshots import Breaks

#: How the next step begins after a failure that was due to a setting in the service: reading it anew tells whether it
#: is so still.
ENABLE, LOOK, MEND, SET_UP = "Enable it in", "Look at it in", "Mend it in", "Finish its set-up in"


def connection_group(asset: Asset, along: Literal["always", "unless_refreshed"] = "always") -> InvocationGroup | None:
    """Return the group of what a connection makes, which is synced as a whole; None for what none makes.

    `along` is that of `InvocationGroup`, unless the integration's option `on_unselected` says that what was not chosen
    is no affair of ours.

    >>> connection_group(Asset(key="shop/orders", kind="mill", spec={"connection": "c_1"})).key
    'mill:c_1'
    """
    connection, options = asset.spec.get("connection"), asset.integration.options if asset.integration else {}
    if not connection:
        return None
    ignored = options.get("on_unselected") == "ignore"
    return InvocationGroup(f"{asset.kind}:{connection}", ordered=False, whole=True, along="never" if ignored else along)


def refresh_hint(asset: Asset) -> str:
    """Return the next step for a table that is gone, into which syncs bring new rows alone: ``assetry_gone_hint``.

    >>> refresh_hint(Asset(key="shop/orders", kind="mill"))
    'If it was removed, `assetry materialize --full-refresh -s shop/orders` loads it again.'
    """
    anew = f"`assetry materialize --full-refresh -s {quote(asset.key.selection)}`"
    return f"If it was removed, {anew} loads it again."


def failure_hint(asset: Asset, failure: Attempt) -> str | None:
    """Return the next step after a failure that was due to a setting in the service, where it is another by now.

    It is an `assetry_failure_hint`: what was read since the failure tells whether the setting is as it was.

    >>> from datetime import UTC, datetime
    >>> key, at = AssetKey("shop/orders"), datetime(2026, 1, 1, tzinfo=UTC)
    >>> failed = Attempt(key=key, run="r", at=at, outcome="failed", message="It is paused.", hint="Enable it in Mill.")
    >>> read = {"definitions_read": "2026-01-02T00:00:00+00:00"}
    >>> failure_hint(Asset(key="shop/orders", kind="mill", metadata=read), failed)
    'It is so no more, as `assetry mill pull` has read since: `assetry materialize -s shop/orders`.'
    >>> failure_hint(Asset(key="shop/orders", kind="mill", metadata={**read, "trouble": "paused"}), failed) is None
    True
    """
    from assetry_toolkit.hosted.answers import moment

    read = moment(asset.metadata.get("definitions_read"))
    of_setting = any(each in (failure.hint or "") for each in (ENABLE, LOOK, MEND, SET_UP))
    if not of_setting or read is None or read <= failure.at:
        return None
    if asset.freshness_policy is not None and asset.freshness_policy.has_ended:
        return ""  # it is told that it has ended, and why
    if asset.metadata.get("trouble") or asset.metadata.get("gone"):
        return None
    anew = f"`assetry materialize -s {quote(asset.key.selection)}`"
    return f"It is so no more, as `assetry {asset.kind} pull` has read since: {anew}."


def left_out_until(asset: Asset) -> datetime:
    """Return until when syncs may have left out the table of an asset that a connection does not sync, or does again.

    It is in the far future as long as it is not synced, and in the far past where it always was: no sync is of then.

    >>> left_out_until(Asset(key="shop/orders", kind="mill")).year
    1
    """
    from assetry_toolkit.hosted.answers import moment

    if asset.freshness_policy is not None and asset.freshness_policy.has_ended:
        return datetime.max.replace(tzinfo=UTC)
    return moment(asset.metadata.get("left_out_until")) or datetime.min.replace(tzinfo=UTC)


def warnings_of_left(integration: Integration, elsewhere: Sequence[Asset]) -> Iterable[AssetWarning]:
    """Return what is known of assets that are made `elsewhere`: that an integration brought their tables once.

    It is an `assetry_warnings`, for integrations that are read anew by `Definitions.renewed`.

    >>> [*warnings_of_left(Integration("shop", "mill"), [])]
    []
    """
    from assetry_toolkit.hosted.snapshots import left_of
    from assetry_toolkit.options import IntegrationOptions

    given = integration.options.get("snapshot")
    own = IntegrationOptions(name=integration.name, kind=integration.kind, root=integration.root, snapshot=given)
    known: list[tuple[str, Any]] = [*left_of(own.snapshot_path).items()] if elsewhere else []
    left = {Relation(*place).folded: key for key, place in known}
    pull = f"`assetry {integration.kind} pull`"
    for asset in elsewhere if left else ():
        if asset.relation is not None and (key := left.get(asset.relation.folded)):
            told = f"is not brought any more by integration {integration.name!r}, which had it as {key}"
            hint = f"Let the connection bring this table again, then {pull}; or do without it."
            yield AssetWarning(asset.key, told, hint)


def connection_command(verb: str, invocation: Invocation) -> str:
    """Return how people are told of the sync of a connection: ``mill sync c_1 (crm)``.

    >>> shop = Integration("shop", "mill")
    >>> orders = Asset(key="shop/orders", kind="mill", spec={"connection": "c_1", "name": "crm"})
    >>> connection_command("mill sync", Invocation(id="1", group=None, integration=shop, assets=(orders,)))
    'mill sync c_1 (crm)'
    """
    spec = invocation.assets[0].spec
    name = f" ({spec['name']})" if spec.get("name") not in (None, spec["connection"]) else ""
    return f"{verb} {spec['connection']}{name}"


def _break(breaks: Breaks, metadata: Mapping[str, Any], *names: str | None) -> dict[str, Any]:
    """Return the fields of an asset whose table its connection does not sync any more, or does so again."""
    from assetry_toolkit.hosted.answers import moment
    from assetry_toolkit.hosted.snapshots import table_id

    id_ = table_id(*names)
    if id_ not in breaks:
        return {}
    at, left_out_until = breaks[id_] or (None, None)
    again = moment(at)
    if again is None:
        told = "its connection syncs this table no more"
        return {"metadata": {**metadata, "gone": told}, "freshness_policy": FreshnessPolicy(ended=told)}
    told = f"its connection syncs this table again since {again:%Y-%m-%d %H:%M} UTC, and has not brought it since"
    until = {"left_out_until": left_out_until} if left_out_until else {}
    return {"metadata": {**metadata, **until}, "freshness_policy": FreshnessPolicy(ended=told, again=again)}


def _no_more(_manner: Hashable) -> Mapping[str, Any]:
    return {}


@dataclass(slots=True, kw_only=True)
class ConnectionAssets:
    """What is the same for all assets of a connection; see `assetry.plugin.Asset` for each of them.

    `tell` makes metadata of the manner in which a table is synced, and `fields` other fields of `Asset`, such as
    `grows`: manners are few, and tables many. What was made by
    another connection, or by one that is `gone` since, is out of date: nothing is as fresh as that connection was. So
    is a table that was not synced for a while, by `breaks` (see `breaks_of`), until it was synced again; its metadata
    say by ``left_out_until`` which syncs may have left it out. The
    `trouble` of one that cannot be synced stands in description and metadata of its assets. They stay executable, so
    that they are fresh by what was made or seen alone, and a run says what is wrong.

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
    gone: bool = False
    trouble: str | None = None
    resource_type: str = "table"
    breaks: Breaks = field(default_factory=dict)
    tell: Callable[[Any], Mapping[str, Any]] = dict
    fields: Callable[[Any], Mapping[str, Any]] = _no_more
    _shared: dict[Hashable, Mapping[str, Any]] = field(default_factory=dict)

    def asset(
        self,
        key: AssetKey,
        relation: Relation | None,
        spec: Mapping[str, Any],
        manner: Hashable = None,
        **more: Any,
    ) -> Asset:
        """Return one of the assets, with the metadata of its manner, if it has one; what is empty is left out.

        What is in `spec` of a table are its names, as in its `table_id`; `more` are other fields of `Asset`.
        """
        shared = self._shared.get(manner)
        if shared is None:
            shared = self._shared[manner] = self._fields_of(manner)
        if self.breaks and not self.gone:
            more = {**_break(self.breaks, shared["metadata"], *spec.values()), **more}
        if more:
            shared = {**shared, **more}
        return Asset(key=key, relation=relation, spec={**self.spec, **spec}, **shared)

    def _fields_of(self, manner: Hashable) -> Mapping[str, Any]:
        """Return the fields that all assets of a manner have in common."""
        told = {**self.metadata, "trouble": self.trouble, **({} if manner is None else self.tell(manner))}
        return {
            "kind": self.integration.kind,
            "integration": self.integration,
            "deps": tuple(Dep(AssetKey(each)) for each in self.deps),
            "description": f"Connection {self.group!r} is {self.trouble}." if self.trouble else self.description,
            "group": self.group,
            "tags": self.tags,
            "metadata": {name: value for name, value in told.items() if value},
            "executable": self.executable,
            "resource_type": self.resource_type,
            **self._own_code(),
            **({} if manner is None else self.fields(manner)),
        }

    def _own_code(self) -> Mapping[str, Any]:
        """Return the fields by which what another connection has made is seen to be out of date."""
        if "connection" not in self.spec:
            return {}
        own = f"{self.spec['connection']} is gone" if self.gone else str(self.spec["connection"])
        # Also what others were only seen to have made is not fresh when its connection is gone.
        freshness = FreshnessPolicy(ended=f"connection {self.group!r} is gone") if self.gone else None
        return {"code_version": own, "code_parts": {"connection": own}, "freshness_policy": freshness}
