"""What a plan says of an asset because of its status: why it is made, and what making it leaves as it is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from assetry.graph.graph import AssetGraph
from assetry.status.old_rows import keeps_rows, warning
from assetry.status.reasons import Reason
from assetry.status.staleness import OUT_OF_DATE, Status
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

#: How many assets a sentence names.
_NAMED = 5


def because(status: Status, asset: Asset) -> str:
    """Return why an asset is made.

    >>> from assetry.types.keys import AssetKey
    >>> because(Status(AssetKey("a"), "fresh"), Asset(key="a", kind="x"))
    'selected; it is up to date'
    """
    if not status.reasons:
        return "selected; it is up to date"
    # What is not reached by it is one of the plan's notes.
    return status.reasons[0].text.removesuffix(f"; {warning(asset)}")


def kept_rows(graph: AssetGraph, statuses: Iterable[Status], refreshed: bool) -> Iterator[str]:
    """Yield a sentence for each incremental asset whose code changed, unless it is `refreshed`, made in full."""
    for status in statuses:
        asset = graph[status.key]
        if not keeps_rows(asset) or (refreshed and asset.refreshable):
            continue
        kept = warning(asset)
        if any(each.asset == status.key and each.text.endswith(kept) for each in _changes(status)):
            yield f"The code of `{status.key}`, which is incremental, changed; {kept}"


def not_refreshed(graph: AssetGraph, keys: Iterable[AssetKey]) -> Iterator[str]:
    """Yield a sentence about the assets that a full refresh does not make anew, if there are any.

    >>> graph = AssetGraph.of([Asset(key=key, kind="x", refreshable=key == "a") for key in "abc"])
    >>> list(not_refreshed(graph, graph.keys))
    ['Not made anew by a full refresh: b, c']
    """
    left = [key for key in keys if graph[key].executable and not graph[key].refreshable]
    if left:
        more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
        yield f"Not made anew by a full refresh: {', '.join(left[:_NAMED])}{more}"


def stays_behind(statuses: Iterable[Status], keys: Collection[AssetKey]) -> Iterator[str]:
    """Yield a sentence on which of some assets are still out of date once all of these are made, if any are.

    They are made from what is out of date, too, and is not among them; `statuses` are those of all assets.

    >>> a, b = AssetKey("a"), AssetKey("b")
    >>> list(stays_behind([Status(a, "stale", roots=(a,)), Status(b, "stale", roots=(a,))], [b]))
    ['Still out of date afterwards, since `a` is, which is not selected: b; -s +b makes it, too']
    """
    known = {each.key: each for each in statuses}
    roots = {key: [root for root in known[key].roots if root not in keys and _is_due(known[root])] for key in keys}
    left = [key for key, above in roots.items() if above]
    if left:
        more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
        names, first = ", ".join(left[:_NAMED]), roots[left[0]][0]
        yield f"Still out of date afterwards, since `{first}` is, which is not selected: {names}{more}; " + (
            f"-s +{left[0]} makes it, too" if len(left) == 1 else "-s +KEY makes what KEY is made from, too"
        )


def _is_due(status: Status) -> bool:
    return status.status in OUT_OF_DATE


def changed_above(graph: AssetGraph, statuses: Iterable[Status], keys: Iterable[AssetKey]) -> Iterator[AssetKey]:
    """Yield what some assets are made from, near or far, and whose code changed since it was made."""
    wanted = set(keys)
    above = {graph.keys[i] for i in graph.ancestors([graph.index(key) for key in wanted])}
    yield from (each.key for each in statuses if each.key in above and each.key not in wanted and _has_changed(each))


def _has_changed(status: Status) -> bool:
    return any(reason.asset == status.key for reason in _changes(status))


def _changes(status: Status) -> Iterator[Reason]:
    return (reason for reason in status.reasons if reason.code == "code_changed")
