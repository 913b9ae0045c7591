"""Collapse against brute force over all partitions, known cases, and bounded effort."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from assetry.plan.collapse import Collapse, Deadlock, Family, Mode, Proof, collapse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

Graph = tuple[list[tuple[int, ...]], list[int | None], list[Family]]
Apart = frozenset[tuple[int, int]]
NONE: Apart = frozenset()


# -- brute force ---------------------------------------------------------------------------------------------------


def partitions(groups: Sequence[int | None], families: Sequence[Family]) -> Iterator[list[int]]:
    """Yield every way to put nodes into blocks of one group: the block of each node."""
    blocks: list[int | None] = []
    place: list[int] = []

    def extend(node: int) -> Iterator[list[int]]:
        if node == len(groups):
            yield list(place)
            return
        group = groups[node]
        same = [each for each, owner in enumerate(blocks) if group is not None and owner == group]
        if group is not None and families[group].whole and same:
            choices = same
        else:
            blocks.append(group)
            place.append(len(blocks) - 1)
            yield from extend(node + 1)
            place.pop()
            blocks.pop()
            choices = same
        for each in choices:
            place.append(each)
            yield from extend(node + 1)
            place.pop()

    yield from extend(0)


def acyclic(edges: set[tuple[int, int]], count: int) -> bool:
    waiting = [0] * count
    for _, lower in edges:
        waiting[lower] += 1
    ready = [each for each in range(count) if not waiting[each]]
    for each in ready:
        for upper, lower in edges:
            if upper == each:
                waiting[lower] -= 1
                if not waiting[lower]:
                    ready.append(lower)
    return len(ready) == count


def valid(place: Sequence[int], graph: Graph, apart: Apart = NONE) -> bool:
    upstream, groups, families = graph
    edges = set()
    for node, parents in enumerate(upstream):
        for each in parents:
            group = groups[node]
            if place[each] != place[node]:
                edges.add((place[each], place[node]))
            elif group is None or families[group].whole:
                continue
            elif not families[group].ordered or (each, node) in apart:
                return False
    return acyclic(edges, max(place, default=-1) + 1)


def least(graph: Graph, apart: Apart = NONE) -> int | None:
    """Return the least number of counted blocks over all valid partitions, None when there is none."""
    _, groups, families = graph
    best = None
    for place in partitions(groups, families):
        counted = {
            block for block, group in zip(place, groups, strict=True) if group is not None and families[group].counted
        }
        if (best is None or len(counted) < best) and valid(place, graph, apart):
            best = len(counted)
    return best


# -- graphs --------------------------------------------------------------------------------------------------------

FAMILIES = st.builds(Family, ordered=st.booleans(), whole=st.booleans(), counted=st.booleans())
PLAIN = st.just(Family())


@st.composite
def graphs(draw: st.DrawFn, families: st.SearchStrategy[Family] = PLAIN, most: int = 8) -> Graph:
    kinds = draw(st.lists(families, min_size=1, max_size=4))
    count = draw(st.integers(0, most))
    group = st.one_of(st.none(), st.integers(0, len(kinds) - 1), st.integers(0, len(kinds) - 1))
    groups = [draw(group) for _ in range(count)]
    upstream = [
        tuple(sorted(draw(st.sets(st.integers(0, node - 1), max_size=3)))) if node else () for node in range(count)
    ]
    return upstream, groups, kinds


def random_graph(count: int, kinds: int, python: float, seed: int, parents: int = 2, window: int = 200) -> Graph:
    rng = random.Random(seed)
    groups = [None if rng.random() < python else rng.randrange(kinds) for _ in range(count)]
    upstream = [
        tuple({rng.randrange(max(0, node - window), node) for _ in range(rng.randint(0, parents))}) if node else ()
        for node in range(count)
    ]
    return upstream, groups, [Family()] * kinds


def check(found: Collapse, graph: Graph, apart: Apart = NONE) -> None:
    """Assert all that must hold of any answer."""
    upstream, groups, families = graph
    place = {node: position for position, slot in enumerate(found.slots) for node in slot.members}
    assert sorted(node for slot in found.slots for node in slot.members) == list(range(len(groups)))
    for slot in found.slots:
        assert slot.members == tuple(sorted(slot.members))
        assert {groups[node] for node in slot.members} == {slot.group}
        assert slot.group is not None or len(slot.members) == 1
    for node, parents in enumerate(upstream):
        for each in parents:
            group = groups[node]
            together = group is not None and (families[group].ordered or families[group].whole)
            together = together and ((each, node) not in apart or families[group or 0].whole)
            # The slots stand in an order in which they can run, so there is no cycle among them.
            assert place[each] < place[node] or (together and place[each] == place[node])
    for group, family in enumerate(families):
        taken = sum(slot.group == group for slot in found.slots)
        assert not family.whole or taken <= 1
    counted = [slot for slot in found.slots if slot.group is not None and families[slot.group].counted]
    assert found.count == len(counted)
    assert found.lower_bound <= found.count
    assert found.minimal == (found.lower_bound == found.count)
    assert len(found.splits) == len(counted) - len({slot.group for slot in counted})
    for split in found.splits:
        check_split(split, found, graph, place, apart)


def check_split(split: Proof, found: Collapse, graph: Graph, place: dict[int, int], apart: Apart = NONE) -> None:
    upstream, _, families = graph
    assert found.slots[split.first].group == found.slots[split.second].group == split.group
    if not found.minimal:
        return
    assert place[split.path[0]] == split.first
    assert place[split.path[-1]] == split.second
    for upper, lower in zip(split.path, split.path[1:], strict=False):
        assert upper in upstream[lower] or place[upper] == place[lower]
    # A real certificate: it leaves the group, or steps over a dependency that may not be inside an invocation.
    if families[split.group].ordered and split.path not in apart:
        assert split.first < place[split.path[1]] < split.second
    else:
        assert len(split.path) > 2 or split.path[0] in upstream[split.path[1]]


# -- the least count -----------------------------------------------------------------------------------------------


@settings(max_examples=examples(150))
@given(graphs())
def test_fewest_is_the_least_over_all_partitions(graph: Graph) -> None:
    found = collapse(*graph)
    check(found, graph)
    assert found.count == least(graph) == found.lower_bound


@settings(max_examples=examples(150))
@given(graphs(FAMILIES, most=7))
def test_fewest_is_the_least_for_whole_unordered_and_uncounted_groups(graph: Graph) -> None:
    optimum = least(graph)
    if optimum is None:
        with pytest.raises(Deadlock) as caught:
            collapse(*graph)
        check_deadlock(caught.value, graph)
        return
    found = collapse(*graph)
    check(found, graph)
    assert found.count == optimum == found.lower_bound


@st.composite
def graphs_with_pairs_apart(draw: st.DrawFn, families: st.SearchStrategy[Family] = FAMILIES) -> tuple[Graph, Apart]:
    graph = draw(graphs(families, most=7))
    pairs = [(each, node) for node, parents in enumerate(graph[0]) for each in parents]
    return graph, frozenset(draw(st.sets(st.sampled_from(pairs)))) if pairs else NONE


@settings(max_examples=examples(150))
@given(graphs_with_pairs_apart(), st.sampled_from(["fewest", "earliest"]))
def test_pairs_that_are_apart_share_no_invocation_and_the_count_is_still_the_least(
    given: tuple[Graph, Apart], mode: Mode
) -> None:
    graph, apart = given
    optimum = least(graph, apart)
    if optimum is None:
        return
    found = collapse(*graph, mode=mode, apart=apart)
    check(found, graph, apart)
    assert found.lower_bound == optimum
    assert mode == "earliest" or found.count == optimum


def check_deadlock(error: Deadlock, graph: Graph) -> None:
    upstream, groups, families = graph
    assert error.edges
    for (_, lower), (upper, _) in zip(error.edges, (*error.edges[1:], error.edges[0]), strict=True):
        group = groups[lower]
        assert lower == upper or (groups[upper] == group and group is not None and families[group].whole)
    for upper, lower in error.edges:
        assert upper in upstream[lower]
        group = groups[lower]
        assert group is None or groups[upper] != group or not families[group].whole


@settings(max_examples=examples(100))
@given(graphs(FAMILIES), st.integers(0, 3))
def test_a_small_budget_gives_an_honest_answer(graph: Graph, budget: int) -> None:
    optimum = least(graph)
    if optimum is None:
        return
    found = collapse(*graph, budget=budget)
    check(found, graph)
    assert found.lower_bound <= optimum <= found.count
    assert found.expansions <= budget


def test_without_any_budget_the_bound_is_that_of_each_group_alone() -> None:
    both = [Family(), Family()]
    straight = collapse([(), (0,), (1,)], [0, 1, 0], both, budget=0)
    assert (straight.count, straight.lower_bound, straight.minimal) == (3, 3, True)
    crossed = collapse([(), (0,), (), (2,)], [0, 1, 1, 0], both, budget=0)
    assert (crossed.count, crossed.lower_bound, crossed.minimal) == (3, 2, False)


@settings(max_examples=examples(100))
@given(graphs(FAMILIES))
def test_earliest_puts_every_node_at_its_own_depth(graph: Graph) -> None:
    optimum = least(graph)
    if optimum is None:
        return
    found = collapse(*graph, mode="earliest")
    check(found, graph)
    assert found.lower_bound <= optimum <= found.count
    upstream, groups, families = graph
    if any(family.whole for family in families):
        return
    place = {node: position for position, slot in enumerate(found.slots) for node in slot.members}
    depth: list[int] = []
    behind = [0] * len(found.slots)
    for slot, each in enumerate(found.slots):
        parents = {place[up] for node in each.members for up in upstream[node]} - {slot}
        behind[slot] = max((behind[parent] + 1 for parent in parents), default=0)
    for node, parents_of in enumerate(upstream):
        group = groups[node]
        together = group is not None and families[group].ordered
        depth.append(max((depth[up] + (not together or groups[up] != group) for up in parents_of), default=0))
    assert [behind[place[node]] for node in range(len(groups))] == depth


@settings(max_examples=examples(100))
@given(graphs())
def test_no_node_can_move_to_an_earlier_invocation_of_its_group(graph: Graph) -> None:
    upstream, groups, _ = graph
    found = collapse(*graph)
    place = {node: position for position, slot in enumerate(found.slots) for node in slot.members}
    for node, group in enumerate(groups):
        last = max((place[each] + (groups[each] != group) for each in upstream[node]), default=0)
        earlier = range(last, place[node])
        assert group is None or not [slot for slot in earlier if found.slots[slot].group == group]


def test_medium_graphs_are_solved_exactly() -> None:
    for seed in range(20):
        graph = random_graph(60, 3, 0.1, seed, window=20)
        found = collapse(*graph)
        check(found, graph)
        assert found.minimal


# -- known cases ---------------------------------------------------------------------------------------------------

A, B, P = 0, 1, None


def words(upstream: Sequence[Sequence[int]], groups: Sequence[int | None], **options: object) -> tuple[int, ...]:
    """Return the groups of the counted slots in order."""
    families = [Family()] * (max((group for group in groups if group is not None), default=-1) + 1)
    found = collapse(upstream, groups, families, **options)  # type: ignore[arg-type]
    check(found, (list(map(tuple, upstream)), list(groups), families))
    assert found.minimal
    return tuple(slot.group for slot in found.slots if slot.group is not None)


def test_nothing_and_python_alone_take_no_invocation() -> None:
    assert collapse([], [], []).slots == ()
    assert words([(), (0,)], [P, P]) == ()


def test_python_between_two_models_takes_two_invocations_with_the_rest_in_the_first() -> None:
    found = collapse([(), (0,), (1,), ()], [A, P, A, A], [Family()])
    assert [slot.members for slot in found.slots] == [(0, 3), (1,), (2,)]
    assert found.splits == (Proof(A, 0, 2, (0, 1, 2)),)


def test_late_root_does_not_add_an_invocation() -> None:
    # a -> p -> b, c alone, and x under an unrelated Python root: a colouring makes 3 of it.
    assert words([(), (0,), (1,), (), (), (4,)], [A, P, A, A, P, A]) == (A, A)


def test_a_cycle_of_tools_in_one_project_leaves_the_other_alone() -> None:
    # a1 -> p -> a2 in project A; project B has roots and models below three unrelated Python roots.
    upstream = [(), (0,), (1,), (), (), (), (), (4,), (5,), (6,)]
    assert sorted(words(upstream, [A, P, A, B, P, P, P, B, B, B])) == [A, A, B]


def test_own_depths_alone_are_a_trap() -> None:
    # d1 -> x2, x1 -> d2: one invocation each would be a cycle.
    assert len(words([(), (0,), (), (2,)], [A, B, B, A])) == 3


def test_projects_that_reference_each_other_take_three() -> None:
    assert words([(), (0,), (1,)], [A, B, A]) == (A, B, A)


def test_a_split_through_another_group_shows_who_shares_an_invocation() -> None:
    found = collapse([(), (0,), (), (2,)], [A, B, B, A], [Family(), Family()])
    (split,) = found.splits
    assert split.path in {(0, 1, 2, 3), (2, 3, 0, 1)}


def test_whole_groups_are_one_unit_even_when_unordered() -> None:
    found = collapse([(), (0,), (), ()], [0, 0, 1, 0], [Family(ordered=False, whole=True), Family()])
    assert [slot.members for slot in found.slots if slot.group == 0] == [(0, 1, 3)]


def test_whole_group_that_waits_for_itself_is_a_deadlock() -> None:
    with pytest.raises(Deadlock) as caught:
        collapse([(), (0,), (1,)], [0, P, 0], [Family(whole=True)])
    assert caught.value.edges == ((0, 1), (1, 2))


def test_unordered_members_that_depend_on_each_other_are_parted() -> None:
    found = collapse([(), (0,), (1,), ()], [0, 0, 0, 0], [Family(ordered=False)])
    assert [slot.members for slot in found.slots] == [(0, 3), (1,), (2,)]
    assert [split.path for split in found.splits] == [(0, 1), (1, 2)]


def test_what_a_tool_does_not_know_to_order_is_parted() -> None:
    found = collapse([(), (0,), (1,), ()], [0, 0, 0, 0], [Family()], apart={(0, 1)})
    assert [slot.members for slot in found.slots] == [(0, 3), (1, 2)]
    assert found.minimal
    assert found.splits == (Proof(0, 0, 1, (0, 1)),)


def test_uncounted_groups_are_kept_together_and_cost_nothing() -> None:
    families = [Family(), Family(whole=True, counted=False), Family(counted=False)]
    found = collapse([(), (0,), (0,), (1,), (2,), (4,)], [0, 1, 1, 2, 2, 2], families)
    assert found.count == found.lower_bound == 1
    assert [slot.members for slot in found.slots] == [(0,), (1, 2), (3, 4, 5)]


def test_earliest_does_not_wait_for_python() -> None:
    graph = ([(), (0,), (), (2,)], [P, A, A, A], [Family()])
    assert collapse(*graph).count == 1
    found = collapse(*graph, mode="earliest")
    assert [slot.members for slot in found.slots] == [(0,), (2, 3), (1,)]
    assert (found.count, found.lower_bound, found.minimal) == (2, 1, False)
    assert found.splits[0].path == (0, 1)


def test_a_batch_of_many_does_not_wait_for_a_batch_of_few() -> None:
    # x1 -> p -> x2 makes two invocations of B; most of B needs A alone, and fits into the first.
    upstream = [(), (), (1,), (2,), *[(0,)] * 20]
    groups = [A, B, P, B, *[B] * 20]
    found = collapse(upstream, groups, [Family(), Family()])
    assert [len(slot.members) for slot in found.slots if slot.group == B] == [21, 1]


def test_many_do_not_wait_for_what_only_the_last_batch_needs() -> None:
    # A alternates three times; most of the first B needs only the first of them.
    upstream = [(), (0,), (1,), (2,), (3,), (4,), *[(0,)] * 5, (6,), (11,)]
    assert words(upstream, [A, P, A, P, A, B, *[B] * 5, P, B]) == (A, B, A, A, B)


# -- effort, counted and not timed ---------------------------------------------------------------------------------


def shop(count: int, kinds: int, python: float) -> Graph:
    """Layers of models over syncs with a little Python in between, as real projects have it."""
    rng = random.Random(7)
    groups: list[int | None] = []
    upstream: list[tuple[int, ...]] = []
    for node in range(count):
        layer = node * kinds // count
        groups.append(None if rng.random() < python else layer)
        upstream.append(tuple({rng.randrange(max(0, node - 400), node) for _ in range(2)}) if node else ())
    return upstream, groups, [Family()] * kinds


@pytest.mark.parametrize("kinds", [1, 3, 30])
def test_ten_thousand_assets_take_no_search(kinds: int) -> None:
    graph = shop(10_000, kinds, 0.05)
    found = collapse(*graph)
    check(found, graph)
    assert found.minimal
    assert found.expansions == 0
    assert found.work < 200_000


@pytest.mark.parametrize("kinds", [3, 30])
def test_interleaved_tools_stay_within_the_budget(kinds: int) -> None:
    graph = random_graph(3_000, kinds, 0.05, seed=1)
    found = collapse(*graph, budget=200)
    check(found, graph)
    assert found.expansions <= 200
    assert found.work < 1_500_000
    assert not found.minimal
    assert found.lower_bound > 0


def test_a_chain_of_alternating_tools_is_followed_without_choices() -> None:
    count = 4_000
    upstream = [(node - 1,) if node else () for node in range(count)]
    groups: list[int | None] = [(A, P, B, P)[node % 4] for node in range(count)]
    found = collapse(upstream, groups, [Family(), Family()], budget=count)
    assert found.count == found.lower_bound == count // 2
    assert found.work < 10 * count


def test_the_proof_of_a_split_goes_through_what_stands_between() -> None:
    # 0 and 1 are the tool's, 2 is Python's, made from 1; 3 is the tool's, made from 0 directly and from 2.
    found = collapse([[], [0], [1], [0, 2]], [0, 0, None, 0], [Family()])
    assert [proof.path for proof in found.splits] == [(1, 2, 3)]
