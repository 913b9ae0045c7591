"""``assetry graph``: the graph as a tree for terminals, DOT, JSON or a picture."""

from __future__ import annotations

from collections.abc import Iterable

from assetry.cli.command import EVERY_OUTPUT, verb
from assetry.cli.session import Session
from assetry.cli.text import counted, styled
from assetry.views.drawing import KIND_COLOURS, TreeLine, dot, drawing_of, tree
from assetry.views.json import graph_to_json

_TERMINAL_COLOURS = dict(zip(KIND_COLOURS, ("yellow", "blue", "magenta", "cyan", "bright_magenta"), strict=True))


def draw_graph(session: Session) -> None:
    """Draw the graph, or the selected part of it.

    As text, what is made from an asset stands below it. An asset with several inputs stands below the last of them;
    "⋯" marks where it was mentioned before. --output svg gives a picture: assetry graph --output svg > graph.svg
    """
    graph = session.project.graph
    drawing = drawing_of(graph, session.chosen())
    if session.output == "dot":
        session.say(dot(drawing))
    elif session.output == "svg":
        from assetry.views.svg import svg

        session.say(svg(drawing, f"Assets of {session.project.settings.name or session.project.root.name}"))
    elif session.text:
        lines = tree(drawing)
        session.say("\n".join(_lines(lines)))
        edges = sum(map(len, drawing.upstream))
        legend = "; ⋯ stands below another of its inputs as well" if any(line.later for line in lines) else ""
        session.note(f"{counted(len(drawing.nodes), 'asset')}, {counted(edges, 'dependency')}{legend}")
    else:
        session.emit(graph_to_json(drawing, graph), rows="assets")


def _lines(lines: Iterable[TreeLine]) -> Iterable[str]:
    for line in lines:
        branches = styled(line.branches, dim=True) if line.branches else ""
        if line.later:
            yield f"{branches}{styled(f'{line.node.key} ⋯', dim=True)}"
        else:
            label = styled(line.node.label, fg=_TERMINAL_COLOURS.get(line.node.kind))
            yield f"{branches}{line.node.key}  {label}"


command = verb("graph", outputs=EVERY_OUTPUT, selects=True)(draw_graph)
