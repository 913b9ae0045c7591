"""Drawings of a graph: its stages, a tree for terminals, and DOT for Graphviz.

Pure: a `Drawing` holds what is drawn, as values; `assetry.views.svg` draws the same as a picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.types.assets import Asset

#: The colour of a kind on light and on dark ground; both have a contrast of at least 4.5 to 1.
KIND_COLOURS = {
    "dbt": ("#c2410c", "#ff8a65"),
    "python": ("#2563a8", "#6cb0f5"),
    "airbyte": ("#5b4bdb", "#a79bff"),
    "fivetran": ("#0b6e8a", "#4fc3dc"),
    "meltano": ("#7a2fa0", "#d08bf2"),
}
OTHER_COLOURS = ("#57606a", "#9aa4af")


class Node(NamedTuple):
    """One asset of a drawing."""

    key: str
    kind: str
    type: str
    executable: bool
    description: str = ""

    @property
    def name(self) -> str:
        """Return the last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def label(self) -> str:
        """Return kind and type as people say them: ``dbt model``, ``python``.

        >>> Node("a", "dbt", "model", True).label, Node("b", "python", "asset", True).label
        ('dbt model', 'python')
        """
        return self.kind if self.type == "asset" else f"{self.kind} {self.type}"


class Drawing(NamedTuple):
    """What is drawn: nodes in dependency order, and what each is made from and leads to, by number."""

    nodes: tuple[Node, ...]
    upstream: tuple[tuple[int, ...], ...]
    downstream: tuple[tuple[int, ...], ...]


def drawing_of(graph: AssetGraph, keys: Iterable[str] | None = None) -> Drawing:
    """Return the drawing of some assets of a graph and of the dependencies between them; all when `keys` is None.

    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])])
    >>> drawing_of(graph, ["b"]).upstream
    ((),)
    """
    chosen = range(len(graph)) if keys is None else sorted({graph.index(key) for key in keys})
    place = {i: number for number, i in enumerate(chosen)}
    upstream = tuple(tuple(place[j] for j in graph.upstream[i] if j in place) for i in chosen)
    downstream = tuple(tuple(place[j] for j in graph.downstream[i] if j in place) for i in chosen)
    return Drawing(tuple(_node(graph.assets[i]) for i in chosen), upstream, downstream)


def _node(asset: Asset) -> Node:
    return Node(str(asset.key), asset.kind, asset.resource_type, asset.executable, asset.description)


def stages(drawing: Drawing) -> list[int]:
    """Return for each node the length of the longest way that leads to it.

    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])])
    >>> stages(drawing_of(graph))
    [0, 1]
    """
    found: list[int] = []
    for upstream in drawing.upstream:
        found.append(1 + max((found[j] for j in upstream), default=-1))
    return found


#: How far a tree is drawn to the right. Without an end, a chain of n assets would be drawn with n² characters.
MOST_LEVELS = 32


class TreeLine(NamedTuple):
    """One line of a tree: its branches, its node, and whether the node is drawn out here or further below."""

    branches: str
    node: Node
    later: bool


def tree(drawing: Drawing) -> list[TreeLine]:
    """Return the graph as a tree for terminals: below each node what is made from it, each dependency once.

    A node with several inputs is drawn out below the last of them; above that it is only mentioned (`later`). So,
    read from the top, everything stands below all that it is made from. What is more than `MOST_LEVELS` below the
    first of its tree is mentioned there, and begins a tree of its own.

    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])])
    >>> [line.branches + line.node.key for line in tree(drawing_of(graph))]
    ['a', '└─ b']
    """
    waiting = [len(above) for above in drawing.upstream]
    lines: list[TreeLine] = []
    for first, above in enumerate(drawing.upstream):
        roots = [] if above else [first]
        while roots:
            root = roots.pop()
            # An explicit stack: a chain may be longer than Python's own reaches.
            stack: list[tuple[int, str, str]] = [(root, "", "")]
            while stack:
                i, branches, inner = stack.pop()
                waiting[i] -= 1
                deep = waiting[i] == 0 and len(branches) >= 3 * MOST_LEVELS and bool(drawing.downstream[i])
                later = waiting[i] > 0 or deep
                lines.append(TreeLine(branches, drawing.nodes[i], later))
                if deep:
                    roots.append(i)
                elif not later:
                    stack.extend(reversed(_branches(drawing.downstream[i], inner)))
    return lines


def _branches(below: Sequence[int], inner: str) -> list[tuple[int, str, str]]:
    last = len(below) - 1
    return [
        (j, inner + ("└─ " if number == last else "├─ "), inner + ("   " if number == last else "│  "))
        for number, j in enumerate(below)
    ]


def dot(drawing: Drawing) -> str:
    """Return the graph in the language of Graphviz.

    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])])
    >>> '"a" -> "b";' in dot(drawing_of(graph))
    True
    """
    lines = [
        "digraph assets {",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
        '  edge [color="#8c959f", arrowsize=0.7];',
    ]
    for node in drawing.nodes:
        style = "rounded" if node.executable else "rounded,dashed"
        colour = KIND_COLOURS.get(node.kind, OTHER_COLOURS)[0]
        label = f"{_escaped(node.key)}\\n{_escaped(node.label)}"
        lines.append(f'  "{_escaped(node.key)}" [label="{label}", color="{colour}", style="{style}"];')
    for i, above in enumerate(drawing.upstream):
        lines += [f'  "{_escaped(drawing.nodes[j].key)}" -> "{_escaped(drawing.nodes[i].key)}";' for j in above]
    return "\n".join([*lines, "}"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
