from __future__ import annotations

from assetry import Asset
from assetry.graph.graph import AssetGraph
from assetry.views.drawing import MOST_LEVELS, Drawing, dot, drawing_of, stages, tree
from assetry.views.json import graph_to_json
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    size = draw(st.integers(0, 12))
    assets = []
    for i in range(size):
        deps = draw(st.sets(st.integers(0, i - 1), max_size=4)) if i else set()
        assets.append(
            Asset(key=f"k/{i}", kind=draw(st.sampled_from(["dbt", "python", "x"])), deps=[f"k/{j}" for j in deps])
        )
    return AssetGraph.of(assets)


@given(graphs())
def test_a_tree_has_every_dependency_once_and_inputs_first(graph: AssetGraph) -> None:
    drawing = drawing_of(graph)
    lines = tree(drawing)
    edges = sum(map(len, drawing.upstream))
    roots = sum(not above for above in drawing.upstream)
    assert len(lines) == edges + roots
    drawn = [line.node.key for line in lines if not line.later]
    assert sorted(drawn) == sorted(str(key) for key in graph.keys)
    place = {key: number for number, key in enumerate(drawn)}
    for i, above in enumerate(drawing.upstream):
        for j in above:
            assert place[drawing.nodes[j].key] < place[drawing.nodes[i].key]


@given(graphs())
def test_stages_rise_along_every_edge(graph: AssetGraph) -> None:
    drawing = drawing_of(graph)
    level = stages(drawing)
    for i, above in enumerate(drawing.upstream):
        assert level[i] == (1 + max(level[j] for j in above) if above else 0)
    data = graph_to_json(drawing)
    assert len(data["edges"]) == dot(drawing).count(" -> ") == sum(map(len, drawing.upstream))


def test_a_chain_longer_than_the_stack_is_drawn() -> None:
    size = 5000
    chain = tuple((i - 1,) if i else () for i in range(size))
    below = tuple((i + 1,) if i + 1 < size else () for i in range(size))
    nodes = drawing_of(AssetGraph.of(Asset(key=f"k{i}", kind="x") for i in range(size))).nodes
    lines = tree(Drawing(nodes, chain, below))
    assert [line.node.key for line in lines if not line.later] == [f"k{i}" for i in range(size)]
    # Each piece begins with what the one before mentioned last, and no line is longer than a piece is deep.
    assert len(lines) == size + (size - 2) // MOST_LEVELS
    assert max(len(line.branches) for line in lines) == 3 * MOST_LEVELS


def test_what_is_deep_has_its_branches_in_a_tree_of_its_own() -> None:
    deps = {f"k{i}": [f"k{i - 1}"] if i else [] for i in range(MOST_LEVELS + 2)}
    deps |= {"x": ["k3"], "y": [f"k{MOST_LEVELS}"], "z": ["x", "y"]}
    lines = tree(drawing_of(AssetGraph.of(Asset(key=key, kind="x", deps=above) for key, above in deps.items())))
    drawn = [line.node.key for line in lines if not line.later]
    assert sorted(drawn) == sorted(deps)
    assert all(drawn.index(above) < drawn.index(key) for key, each in deps.items() for above in each)
    assert [bool(line.branches) for line in lines if line.node.key == f"k{MOST_LEVELS}"] == [True, False]


def test_names_with_quotes_are_safe_in_dot() -> None:
    drawing = drawing_of(AssetGraph.of([Asset(key='a"b\\c', kind="x")]))
    assert '"a\\"b\\\\c"' in dot(drawing)
