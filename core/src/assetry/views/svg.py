"""A picture of a graph as SVG: stages from left to right, readable without a mouse and by a screen reader.

The layout is the classic layered one: a column per stage, lanes for the edges that pass a stage, an order within each
column that keeps neighbours near (a few sweeps of medians), then positions that pull towards the neighbours.
Colours follow the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

from assetry.views.drawing import KIND_COLOURS, OTHER_COLOURS, Drawing, Node, stages

_HEIGHT, _GAP, _LANE = 44, 14, 10
_BETWEEN, _MARGIN = 56, 24
_CHARACTER = 7.2
_NARROWEST, _WIDEST = 120, 320
_SWEEPS, _PULLS = 6, 8
#: Above this, edges that pass a stage go straight: a picture with more lanes than this is not read but searched.
_MOST_LANES = 20_000


@dataclass(slots=True)
class _Place:
    """A node, or a lane of an edge, in its column."""

    node: int | None
    before: list[_Place] = field(default_factory=list)
    after: list[_Place] = field(default_factory=list)
    y: float = 0.0
    order: float = 0.0

    @property
    def height(self) -> float:
        return _HEIGHT if self.node is not None else _LANE


def svg(drawing: Drawing, title: str = "Asset graph") -> str:
    """Return the picture as a whole SVG document.

    >>> from assetry.views.drawing import Drawing, Node
    >>> picture = svg(Drawing((Node("shop/orders", "dbt", "model", True),), ((),), ((),)))
    >>> "<title>shop/orders (dbt model)</title>" in picture
    True
    """
    columns, edges = _columns(drawing)
    _arrange(columns)
    _settle(columns)
    widths = [_column_width(column, drawing) for column in columns]
    left = [_MARGIN + sum(widths[:i]) + _BETWEEN * i for i in range(len(columns))]
    x = {id(place): left[i] for i, column in enumerate(columns) for place in column}
    width = {id(place): widths[i] for i, column in enumerate(columns) for place in column}
    lines = [_edge(route, x, width) for route in edges]
    boxes = [_box(place, drawing, x, width) for column in columns for place in column if place.node is not None]
    right = (left[-1] + widths[-1] if columns else 0) + _MARGIN
    bottom = max((place.y + place.height for column in columns for place in column), default=0) + _MARGIN
    return _document(drawing, title, (right, bottom), [*lines, *boxes])


# -- layout ----------------------------------------------------------------------------------------------------------


def _columns(drawing: Drawing) -> tuple[list[list[_Place]], list[list[_Place]]]:
    """Return the columns with all nodes and lanes, and each edge's way through them."""
    level = stages(drawing)
    places = [_Place(i) for i in range(len(level))]
    columns: list[list[_Place]] = [[] for _ in range(max(level, default=-1) + 1)]
    for i, place in enumerate(places):
        columns[level[i]].append(place)
    lanes = sum(level[i] - level[j] - 1 for i, above in enumerate(drawing.upstream) for j in above)
    edges = []
    for i, above in enumerate(drawing.upstream):
        for j in above:
            route = [places[j]]
            if lanes <= _MOST_LANES:
                for stage in range(level[j] + 1, level[i]):
                    route.append(_Place(None))
                    columns[stage].append(route[-1])
            route.append(places[i])
            for one, other in pairwise(route):
                one.after.append(other)
                other.before.append(one)
            edges.append(route)
    return columns, edges


def _arrange(columns: Sequence[list[_Place]]) -> None:
    """Order each column so that neighbours in the next one stand near each other."""
    for column in columns:
        _number(column)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            for place in column:
                near = sorted(each.order for each in (place.before if forward else place.after))
                if near:
                    place.y = (near[(len(near) - 1) // 2] + near[len(near) // 2]) / 2
                else:
                    place.y = place.order
            column.sort(key=lambda place: place.y)
            _number(column)


def _number(column: Sequence[_Place]) -> None:
    for number, place in enumerate(column):
        # As a share of the column, so that columns of different heights can be compared.
        place.order = (number + 0.5) / len(column)


def _settle(columns: Sequence[list[_Place]]) -> None:
    """Give each place its height: packed first, then pulled towards its neighbours without changing the order."""
    tallest = max((_packed(column) for column in columns), default=0.0)
    for column in columns:
        shift = (tallest - _packed(column)) / 2
        for place in column:
            place.y += shift
    for pull in range(_PULLS):
        forward = pull % 2 == 0
        for column in columns if forward else reversed(columns):
            wanted = [_pull(place, place.before if forward else place.after) for place in column]
            _place_near(column, wanted)
    top = min((place.y for column in columns for place in column), default=0.0)
    for column in columns:
        for place in column:
            place.y += _MARGIN - top


def _packed(column: Sequence[_Place]) -> float:
    y = 0.0
    for place in column:
        place.y = y
        y += place.height + _GAP
    return y - _GAP


def _pull(place: _Place, neighbours: Sequence[_Place]) -> float:
    if not neighbours:
        return place.y
    return sum(each.y + each.height / 2 for each in neighbours) / len(neighbours) - place.height / 2


def _place_near(column: Sequence[_Place], wanted: Sequence[float]) -> None:
    """Put each place as near as can be to where it is wanted, in order and without overlap (least squares)."""
    # Blocks of places that touch; a block stands at the mean of what its members want.
    blocks: list[list[float]] = []  # sum of wanted starts of the block, members, height so far
    for place, want in zip(column, wanted, strict=True):
        blocks.append([want, 1, place.height + _GAP])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] + blocks[-2][2] > blocks[-1][0] / blocks[-1][1]:
            total, members, height = blocks.pop()
            blocks[-1][0] += total - members * blocks[-1][2]
            blocks[-1][1] += members
            blocks[-1][2] += height
    places = iter(column)
    for total, members, _ in blocks:
        y = total / members
        for _ in range(int(members)):
            place = next(places)
            place.y = y
            y += place.height + _GAP


# -- drawing ---------------------------------------------------------------------------------------------------------


def _column_width(column: Sequence[_Place], drawing: Drawing) -> float:
    texts = [drawing.nodes[place.node] for place in column if place.node is not None]
    longest = max((max(len(node.name), len(_below(node)) * 0.9) for node in texts), default=0)
    return min(max(longest * _CHARACTER + 28, _NARROWEST), _WIDEST)


def _below(node: Node) -> str:
    """Return what stands under the name: the path that leads to it, and its kind."""
    path = node.key.rpartition("/")[0]
    return f"{path} · {node.label}" if path else node.label


def _edge(route: Sequence[_Place], x: dict[int, float], width: dict[int, float]) -> str:
    first = route[0]
    path = f"M{x[id(first)] + width[id(first)]:.0f} {first.y + first.height / 2:.1f}"
    for one, other in pairwise(route):
        start, end = x[id(one)] + width[id(one)], x[id(other)]
        middle = (start + end) / 2
        from_, to = one.y + one.height / 2, other.y + other.height / 2
        path += f"C{middle:.0f} {from_:.1f} {middle:.0f} {to:.1f} {end:.0f} {to:.1f}"
        if other.node is None:
            path += f"H{end + width[id(other)]:.0f}"
    return f'<path class="edge" d="{path}"/>'


def _box(place: _Place, drawing: Drawing, x: dict[int, float], width: dict[int, float]) -> str:
    assert place.node is not None
    node = drawing.nodes[place.node]
    wide = width[id(place)]
    most = int((wide - 24) / _CHARACTER)
    look = f"node {_css_class(node.kind)}" + ("" if node.executable else " outside")
    inputs = [drawing.nodes[j].key for j in drawing.upstream[place.node]]
    told = [node.description.strip(), f"Made from {', '.join(inputs)}." if inputs else ""]
    return (
        f'<g class="{look}" transform="translate({x[id(place)]:.0f} {place.y:.1f})">'
        f"<title>{_safe(node.key)} ({_safe(node.label)})</title>"
        f"<desc>{_safe(' '.join(part for part in told if part))}</desc>"
        f'<rect class="box" width="{wide:.0f}" height="{_HEIGHT}" rx="6"/>'
        f'<rect class="bar" width="4" height="{_HEIGHT}" rx="2"/>'
        f'<text class="name" x="14" y="19">{_safe(_short(node.name, most))}</text>'
        f'<text class="kind" x="14" y="35">{_safe(_short(_below(node), int(most / 0.9)))}</text></g>'
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _safe(text: str) -> str:
    """Return text for XML, without the characters that XML cannot hold at all."""
    return escape("".join(each for each in text if each.isprintable() or each.isspace()), quote=True)


def _css_class(kind: str) -> str:
    return f"kind-{kind}" if kind in KIND_COLOURS else "kind-other"


def _document(drawing: Drawing, title: str, size: tuple[float, float], parts: Sequence[str]) -> str:
    kinds: dict[str, int] = {}
    for node in drawing.nodes:
        kinds[node.kind] = kinds.get(node.kind, 0) + 1
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    wide, high = (f"{length:.0f}" for length in size)
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
            'role="img" aria-labelledby="assetry-title assetry-desc">',
            f'<title id="assetry-title">{_safe(title)}</title>',
            f'<desc id="assetry-desc">{len(drawing.nodes)} assets ({_safe(told)}), from left to right in the order '
            "in which they are made.</desc>",
            f"<style>{_style()}</style>",
            '<rect class="ground" width="100%" height="100%"/>',
            *parts,
            "</svg>",
        )
    )


def _style() -> str:
    light = {"ground": "#ffffff", "box": "#ffffff", "line": "#d0d7de", "edge": "#8c959f", "name": "#1f2328"}
    dark = {"ground": "#0d1117", "box": "#161b22", "line": "#3d444d", "edge": "#656c76", "name": "#e6edf3"}
    return _theme(light, 0) + f"@media (prefers-color-scheme:dark){{{_theme(dark, 1)}}}"


def _theme(colours: dict[str, str], which: int) -> str:
    rules = [
        f".ground{{fill:{colours['ground']}}}",
        f".box{{fill:{colours['box']};stroke:{colours['line']}}}",
        f".edge{{fill:none;stroke:{colours['edge']};stroke-width:1.2}}",
        f".name{{fill:{colours['name']};font:600 12px ui-monospace,Menlo,Consolas,monospace}}",
        ".kind{font:11px ui-sans-serif,system-ui,sans-serif}",
        ".outside .box{stroke-dasharray:4 3}",
    ]
    for kind, pair in [*KIND_COLOURS.items(), ("other", OTHER_COLOURS)]:
        rules.append(f".kind-{kind} .bar,.kind-{kind} .kind{{fill:{pair[which]}}}")
    return "".join(rules)
