from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from assetry import Asset
from assetry.graph.graph import AssetGraph
from assetry.views.drawing import KIND_COLOURS, OTHER_COLOURS, drawing_of
from assetry.views.svg import svg
from hypothesis import given
from hypothesis import strategies as st

SPACE = "{http://www.w3.org/2000/svg}"


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    size = draw(st.integers(0, 14))
    assets = []
    for i in range(size):
        deps = draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set()
        assets.append(Asset(key=f"k/{i}", kind="dbt", deps=[f"k/{j}" for j in deps]))
    return AssetGraph.of(assets)


def boxes(picture: str) -> dict[str, tuple[float, float, float, float]]:
    """Return left, top, right, bottom by title."""
    found = {}
    for group in ET.fromstring(picture).iterfind(f"{SPACE}g"):
        place = re.fullmatch(r"translate\((\S+) (\S+)\)", group.get("transform", ""))
        rect = group.find(f"{SPACE}rect")
        assert place is not None
        assert rect is not None
        x, y = float(place[1]), float(place[2])
        title = group.find(f"{SPACE}title")
        assert title is not None
        found[str(title.text)] = (x, y, x + float(rect.get("width", 0)), y + float(rect.get("height", 0)))
    return found


@given(graphs())
def test_boxes_do_not_overlap_and_stand_within_the_picture(graph: AssetGraph) -> None:
    picture = svg(drawing_of(graph))
    root = ET.fromstring(picture)
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    found = list(boxes(picture).values())
    assert len(found) == len(graph)
    for i, (left, top, right, bottom) in enumerate(found):
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for other in found[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] + 0.2 or other[3] <= top + 0.2


@given(graphs())
def test_data_flows_from_left_to_right(graph: AssetGraph) -> None:
    drawing = drawing_of(graph)
    found = boxes(svg(drawing))
    for i, above in enumerate(drawing.upstream):
        for j in above:
            assert found[f"{drawing.nodes[j].key} (dbt)"][2] < found[f"{drawing.nodes[i].key} (dbt)"][0]


def test_text_is_escaped_and_edges_are_drawn() -> None:
    graph = AssetGraph.of(
        [Asset(key="a<b>&", kind="odd", description="\x00<script>"), Asset(key="c", kind="dbt", deps=["a<b>&"])]
    )
    picture = svg(drawing_of(graph), "T & <t>")
    root = ET.fromstring(picture)
    assert "<script>" not in picture
    assert len(root.findall(f"{SPACE}path")) == 1
    assert root.findtext(f"{SPACE}title") == "T & <t>"
    descriptions = [group.findtext(f"{SPACE}desc") for group in root.iterfind(f"{SPACE}g")]
    assert descriptions == ["<script>", "Made from a<b>&."]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_can_be_read_on_its_ground() -> None:
    for light, dark in [*KIND_COLOURS.values(), OTHER_COLOURS]:
        assert 1.05 / (luminance(light) + 0.05) >= 4.5
        assert (luminance(dark) + 0.05) / (luminance("#161b22") + 0.05) >= 4.5
