"""Where a tool chooses once for several places: what shares an invocation, why the rest does not, what is proven."""

from __future__ import annotations

from collections.abc import Iterable

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.plan import Plan
from assetry.plan.planner import make_plan
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given
from hypothesis import strategies as st

MILL = Integration("shop", "mill")
GROUP = InvocationGroup("mill:shop", ordered=False, choice=("tap", "target", "stream"))
#: Who chooses, for which place, and what: ``a>x:users``.
Made = tuple[str, str, str]


def stream(made: Made, **more: object) -> Asset:
    tap, target, name = made
    spec = {"tap": tap, "target": target, "stream": name}
    return Asset(key=f"{tap}/{target}/{name}", kind="mill", integration=MILL, spec=spec, **more)  # type: ignore[arg-type]


def planned(made: Iterable[Made], *others: Asset) -> Plan:
    graph = AssetGraph.of([*map(stream, made), *others])
    return make_plan(graph, dict.fromkeys(graph.keys), {key: GROUP for key in graph.keys if graph[key].kind == "mill"})


def shared(plan: Plan) -> list[list[str]]:
    return [[str(asset.key) for asset in each.invocation.assets] for each in plan.invocations]


def test_places_for_which_the_same_is_chosen_are_made_in_one_go() -> None:
    plan = planned([("a", "x", "users"), ("a", "x", "orders"), ("a", "y", "orders"), ("a", "y", "users")])
    assert (plan.count, plan.lower_bound, plan.splits) == (1, 1, ())


def test_places_for_which_something_else_is_chosen_are_two_and_the_plan_says_why() -> None:
    plan = planned([("a", "x", "users"), ("a", "x", "orders"), ("a", "y", "users"), ("b", "x", "visits")])
    assert shared(plan) == [["a/x/users", "a/x/orders", "b/x/visits"], ["a/y/users"]]
    assert (plan.count, plan.minimal, plan.notes) == (2, True, ())
    [split] = plan.splits
    assert (split.group, split.first, split.second) == ("mill:shop", "1", "2")
    assert split.because == "a chooses once for x and y, and `orders` is made for one of them alone"


def test_two_that_choose_share_as_many_as_one_of_them_needs() -> None:
    plan = planned([("a", "x", "u"), ("a", "y", "v"), ("b", "x", "u"), ("b", "y", "v")])
    assert shared(plan) == [["a/x/u", "b/x/u"], ["a/y/v", "b/y/v"]]
    assert len(plan.splits) == 1


def test_what_is_not_proven_to_be_the_least_does_not_say_so() -> None:
    """The first place could be made bit by bit, with each of the others."""
    plan = planned([("a", "x", "u"), ("a", "x", "v"), ("a", "y", "u"), ("a", "z", "v")])
    assert (plan.count, plan.lower_bound, plan.minimal) == (3, 2, False)
    assert plan.notes == (
        "What one tool chooses differs from place to place; to make some of it bit by bit was not tried",
    )


def test_partitions_that_differ_are_another_choice() -> None:
    days = StaticPartitionsDefinition(["mon", "tue"])
    made = [stream(("a", place, "users"), partitions_def=days) for place in "xy"]
    graph = AssetGraph.of(made)
    both, one = Parts.of([0, 1]), Parts.of([0])
    group = InvocationGroup("mill:shop", ordered=False, partitions="range", choice=GROUP.choice)
    groups = dict.fromkeys(graph.keys, group)
    alike = make_plan(graph, {AssetKey("a/x/users"): both, AssetKey("a/y/users"): both}, groups)
    assert alike.count == 1
    apart = make_plan(graph, {AssetKey("a/x/users"): both, AssetKey("a/y/users"): one}, groups)
    assert apart.count == 2
    assert apart.splits[-1].because == "a chooses once for x and y, and not the same partitions are made for both"


def test_a_group_that_is_made_as_a_whole_has_nothing_to_choose() -> None:
    whole = InvocationGroup("mill:shop", whole=True, choice=GROUP.choice)
    graph = AssetGraph.of([stream(("a", "x", "u")), stream(("a", "y", "v"))])
    assert make_plan(graph, dict.fromkeys(graph.keys), dict.fromkeys(graph.keys, whole)).count == 1


NAMES = st.sampled_from("xyz")
CHOICES = st.lists(st.tuples(st.sampled_from("ab"), NAMES, st.sampled_from("uvw")), unique=True, min_size=1)


@given(made=CHOICES)
def test_in_each_invocation_one_choice_is_right_for_all_places_and_no_plan_is_shorter(made: list[Made]) -> None:
    plan = planned(made)
    specs = [[asset.spec for asset in each.invocation.assets] for each in plan.invocations]
    assert sorted((each["tap"], each["target"], each["stream"]) for run in specs for each in run) == sorted(made)
    for run in specs:
        for tap in {each["tap"] for each in run}:
            places: dict[str, set[str]] = {}
            for each in run:
                if each["tap"] == tap:
                    places.setdefault(each["target"], set()).add(each["stream"])
            assert len({frozenset(each) for each in places.values()}) == 1
    assert plan.lower_bound <= fewest(made) <= plan.count
    assert len(plan.splits) == plan.count - 1


def fewest(made: list[Made]) -> int:
    """Return the least number of runs, each of which has one choice of each tap: tried one after the other."""
    wanted: dict[str, dict[str, frozenset[str]]] = {}
    for tap, target, name in made:
        places = wanted.setdefault(tap, {})
        places[target] = places.get(target, frozenset()) | {name}
    return max(_of_one(frozenset(each.values())) for each in wanted.values())


def _of_one(wanted: frozenset[frozenset[str]]) -> int:
    """Return how many choices there have to be, so that each wanted set is the sum of some that do not overlap."""
    everything = [*_subsets(frozenset().union(*wanted))]
    tried: list[tuple[frozenset[str], ...]] = [()]
    while True:
        for choices in tried:
            if all(_is_sum(each, choices) for each in wanted):
                return len(choices)
        tried = [(*choices, more) for choices in tried for more in everything if not choices or more != choices[-1]]


def _subsets(names: frozenset[str]) -> Iterable[frozenset[str]]:
    listed = sorted(names)
    for bits in range(1, 1 << len(listed)):
        yield frozenset(name for number, name in enumerate(listed) if bits >> number & 1)


def _is_sum(wanted: frozenset[str], choices: tuple[frozenset[str], ...]) -> bool:
    if not wanted:
        return True
    return any(
        each <= wanted and _is_sum(wanted - each, choices[:number] + choices[number + 1 :])
        for number, each in enumerate(choices)
    )
