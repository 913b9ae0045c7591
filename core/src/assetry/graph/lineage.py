"""The lineage as tools see it: with the definitions in it that become part of what reads them."""

from __future__ import annotations

from assetry.graph.graph import AssetGraph
from assetry.graph.order import reversed_edges


def lineage(graph: AssetGraph) -> AssetGraph:
    """Return the graph with its inlined definitions as further nodes, after all of its assets.

    What reads one is made from it there, and no longer from what stands behind it, so that steps are counted as the
    tool counts them. Without inlined definitions it is the graph itself.

    >>> from assetry.types.assets import Asset
    >>> middle = Asset(key="middle", kind="x", inlined=True, reads=["first"])
    >>> last = Asset(key="last", kind="x", deps=["first"], reads=["middle"])
    >>> graph = AssetGraph.of([Asset(key="first", kind="x"), middle, last])
    >>> graph.upstream, lineage(graph).upstream
    (((), (0,)), ((), (2,), (0,)))
    """
    further = {each.key: each for each in graph.inlined if each.key not in graph}
    if not further:
        return graph
    nodes = (*graph.assets, *further.values())
    places = {key: number for number, key in enumerate(further, len(graph))}
    upstream = list(graph.upstream) + [()] * len(further)
    for i, node in enumerate(nodes):
        if node.reads:
            read = [places.get(key, graph.index(key) if key in graph else None) for key in node.reads]
            upstream[i] = tuple(dict.fromkeys(j for j in read if j is not None))
    edges = tuple(upstream)
    downstream = tuple(map(tuple, reversed_edges(edges)))
    return AssetGraph(nodes, edges, downstream, graph.absorbed, graph.integrations, links=graph.links)
