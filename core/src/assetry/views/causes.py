"""Causes: what is out of date, grouped by what it is out of date from, and who owns that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from assetry.graph.graph import AssetGraph
from assetry.status.reasons import Reason, new_content_text, was_interrupted
from assetry.status.staleness import OUT_OF_DATE, Status, StatusName
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

#: In the order in which people are told.
_WORST_FIRST: tuple[StatusName, ...] = ("failed", "stale", "never", "running")


@dataclass(frozen=True, slots=True)
class Cause:
    """One root, or several that were all never made or failed by the same words, and what is out of date because of it.

    `status` is the root's own; of one that is not out of date itself, as of a source with new content, that of what is
    below it. `reasons` are those that lie in it, `text` says them for people, with the root's name where `named`.
    `below` are the assets that are out of date from it, by status; one below two roots is below each.
    """

    assets: tuple[AssetKey, ...]
    status: StatusName
    reasons: tuple[Reason, ...]
    text: str
    named: bool = False
    owners: tuple[str, ...] = ()
    below: Mapping[StatusName, tuple[AssetKey, ...]] = field(default_factory=dict)

    @property
    def hints(self) -> tuple[str, ...]:
        """Return the next steps that tools have said."""
        return tuple(dict.fromkeys(each.hint for each in self.reasons if each.hint))

    @property
    def count(self) -> int:
        """Return how many assets are below it."""
        return sum(map(len, self.below.values()))


def causes(
    graph: AssetGraph,
    statuses: Sequence[Status],
    chosen: Collection[AssetKey] | None = None,
    makers: Mapping[AssetKey, str] = MappingProxyType({}),
) -> list[Cause]:
    """Return what the `chosen` assets are out of date from, failures first, then what most is below of.

    `statuses` are those of all assets: a root may be outside of what is chosen. None chooses all. `makers` are the runs
    that make assets now.

    >>> from assetry.types.assets import Asset
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> a, b = graph.keys
    >>> changed = Reason("code_changed", a, "its body changed")
    >>> found = [Status(a, "stale", (changed,), roots=(a,)),
    ...     Status(b, "stale", (Reason("upstream_changed", a, "`a` is out of date: its body changed"),), roots=(a,))]
    >>> [(each.text, each.below) for each in causes(graph, found)]
    [('its body changed', {'stale': (AssetKey('b'),)})]
    """
    by_key = {each.key: each for each in statuses}
    wanted = [each for each in statuses if each.status in OUT_OF_DATE and (chosen is None or each.key in chosen)]
    groups: dict[tuple[str, ...], list[AssetKey]] = {}
    place: dict[AssetKey, tuple[str, ...]] = {}
    for root in dict.fromkeys(root for each in wanted for root in each.roots):
        place[root] = _group(by_key[root])
        groups.setdefault(place[root], []).append(root)
    below: dict[tuple[str, ...], dict[StatusName, dict[AssetKey, None]]] = {}
    for status in wanted:
        if status.key not in place:
            for root in status.roots:
                found = below.setdefault(place[root], {})
                found.setdefault(status.status, {})[status.key] = None
    told = [
        _cause(graph, [by_key[root] for root in roots], below.get(group, {}), makers) for group, roots in groups.items()
    ]
    return sorted(told, key=lambda cause: (_WORST_FIRST.index(cause.status), -cause.count))


def roots_of(statuses: Sequence[Status], word: StatusName) -> int:
    """Return how many roots the assets of a status have together.

    >>> roots_of([Status(AssetKey("b"), "stale", roots=(AssetKey("a"),))], "stale")
    1
    """
    return len({root for each in statuses if each.status == word for root in each.roots})


def held_back(graph: AssetGraph, statuses: Iterable[Status], blocking: Iterable[AssetKey] = ()) -> frozenset[AssetKey]:
    """Return the assets that stay out of date, however often they are made, until somebody has mended what failed.

    These are those that failed, that nothing brings newer data of any more, or that are gone and do not come back by
    being made, what is out of date from them, and all below the assets that are `blocking`, because a check of them
    failed. Of one with partitions that have not failed some can be made; so can what was interrupted.

    >>> from assetry.types.assets import Asset
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> a, b = graph.keys
    >>> sorted(held_back(graph, [Status(a, "failed", roots=(a,)), Status(b, "stale", roots=(a,))]))
    [AssetKey('a'), AssetKey('b')]
    >>> sorted(held_back(graph, [Status(a, "stale", roots=(a,)), Status(b, "failed", roots=(b,))]))
    [AssetKey('b')]
    """
    known = [each for each in statuses if each.status in OUT_OF_DATE]
    failed = {each.key for each in known if each.status == "failed" and _has_failed_wholly(each)}
    failed |= {each.key for each in known if has_ended(graph[each.key]) or is_lost(each)}
    below = graph.descendants(graph.index(key) for key in blocking)
    return frozenset(
        each.key
        for each in known
        if each.key in failed or graph.index(each.key) in below or not failed.isdisjoint(each.roots)
    )


def has_ended(asset: Asset) -> bool:
    """Tell whether nothing brings newer data of an asset any more.

    >>> from assetry.types.policies import FreshnessPolicy
    >>> has_ended(Asset(key="a", kind="x", freshness_policy=FreshnessPolicy(ended="connection 'crm' is gone")))
    True
    """
    return asset.freshness_policy is not None and asset.freshness_policy.has_ended


def broke_off(status: Status) -> bool:
    """Tell whether what failed in an asset was interrupted only: nothing has to be mended there.

    >>> told = "the last attempt failed: interrupted: the process that was making it is gone"
    >>> broke_off(Status(AssetKey("a"), "failed", (Reason("last_failed", AssetKey("a"), told),)))
    True
    """
    return any(was_interrupted(each) for each in _own(status))


def is_lost(status: Status) -> bool:
    """Tell whether an asset is gone, and making it as usual does not bring it back, as its tool has said.

    >>> gone = Reason("gone", AssetKey("a"), "its table is gone", hint="Make it with `--full-refresh`.")
    >>> is_lost(Status(AssetKey("a"), "stale", (gone,)))
    True
    """
    return any(each.code == "gone" and each.hint is not None for each in _own(status))


def _has_failed_wholly(status: Status) -> bool:
    if broke_off(status):
        return False
    return status.partitions is None or status.partitions.due == status.partitions.failed


def _own(status: Status) -> list[Reason]:
    return [reason for reason in status.reasons if reason.is_of(status.key)] if status.status != "external" else []


def _group(status: Status) -> tuple[str, ...]:
    """Return what is equal for roots that stand together: those that were never made, for the same reason."""
    own = _own(status)
    if own and all(reason.code == "never_materialized" for reason in own):
        return (status.status, _text(own))
    if status.status == "failed" and own:
        # What broke an invocation is the same for each of its assets.
        return (status.status, _text(own), *(each.hint or "" for each in own))
    return (status.status, "", status.key)


def _text(own: Sequence[Reason]) -> str:
    texts = dict.fromkeys(" ".join(reason.text.split("\n", 1)[0].split()) for reason in own)
    # A run that refuses columns says of each what is wrong with it.
    told = [each for each in texts if not any(each in other for other in texts if other != each)]
    return "; ".join([*(each.removesuffix(".") for each in told[:-1]), *told[-1:]])


def _cause(
    graph: AssetGraph,
    roots: Sequence[Status],
    below: Mapping[StatusName, Mapping[AssetKey, None]],
    makers: Mapping[AssetKey, str],
) -> Cause:
    first, own = roots[0], _own(roots[0])
    text = _text(own) if own else new_content_text(graph[first.key], first.last_materialized)
    if first.status == "running" and any(each.code == "last_failed" for each in own):
        text = _made_anew(first, own, makers.get(first.key))
    return Cause(
        assets=tuple(each.key for each in roots),
        status=first.status if own else next((word for word in _WORST_FIRST if word in below), "stale"),
        reasons=tuple(own),
        text=text,
        named=not own,
        owners=tuple(dict.fromkeys(owner for each in roots for owner in graph[each.key].owners)),
        below={word: tuple(below[word]) for word in OUT_OF_DATE if word in below},
    )


def _made_anew(status: Status, own: Sequence[Reason], run: str | None) -> str:
    """Return that what failed, or was interrupted, is being made by another run: that is what there is to know of it.

    >>> told = "the last attempt failed: interrupted: the process that was making it is gone"
    >>> reason = Reason("last_failed", AssetKey("a"), told)
    >>> _made_anew(Status(AssetKey("a"), "running", (reason,)), [reason], "r7")
    'is being made anew by run r7'
    """
    by = "" if run is None else f" by run {run}"
    if status.partitions is not None:
        # It need not be of those partitions that failed.
        return f"some of it is being made{by}; {_text(own)}"
    others = [each for each in own if not was_interrupted(each)]
    return f"is being made anew{by}" + (f"; {_text(others)}" if others else "")
