"""What dbt takes with our arguments is what was wanted, and the arguments are short."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from assetry.plugin import Asset, Check, CheckRef, Integration, Invocation, InvocationGroup
from assetry_dbt.loading import load
from assetry_dbt.selecting.evaluation import Evaluation
from assetry_dbt.selecting.index import TESTS, Index, Item
from assetry_dbt.selecting.search import Selection, compress, selection_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.quick_dbt import quick_dbt

Ls = Callable[[Selection], set[str]]


@pytest.fixture(scope="module")
def integration(nasty_project: Path) -> Integration:
    return Integration("transform", "dbt", {"project_dir": str(nasty_project)})


@pytest.fixture(scope="module")
def index(integration: Integration) -> Index:
    return load(integration).index


@pytest.fixture(scope="module")
def ls(nasty_project: Path) -> Iterator[Ls]:
    """Return a function that asks the real dbt what it takes; the project is parsed once."""
    from dbt.cli.main import dbtRunner

    where = ["--project-dir", str(nasty_project), "--profiles-dir", str(nasty_project)]
    logs = ["--quiet", "--log-path", str(nasty_project / "target")]
    runner = dbtRunner(manifest=dbtRunner().invoke([*logs, "parse", *where]).result)

    def ask(selection: Selection) -> set[str]:
        output = ["--output", "json", "--output-keys", "unique_id"]
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = runner.invoke([*logs, "ls", *where, *output, *selection.args()])
        assert outcome.success, outcome.exception
        return {json.loads(line)["unique_id"] for line in outcome.result}

    with quick_dbt():
        yield ask


def named(index: Index, unique_ids: Iterable[str]) -> set[str]:
    """Return those that dbt builds or tests: what else comes along does nothing."""
    return {each for each in unique_ids if each in index.items and not index.items[each].free}


def complete_tests(index: Index, built: set[str]) -> set[str]:
    """Return the tests that read nothing outside `built`, as a plan would have them run."""
    return {
        each
        for each in index.tests
        if all(parent in built or index.items[parent].free for parent in index.items[each].parents)
    }


def test_the_project_is_nasty(index: Index) -> None:
    fqns = [(item.fqn, item.resource_type) for item in index.items.values()]
    assert (("shop", "orders"), "model") in fqns
    assert (("shop", "orders"), "test") in fqns
    assert (("shop", "orders", "items"), "model") in fqns
    assert (("pkg", "shop", "orders", "items"), "model") in fqns
    assert len({fqn for fqn, _ in fqns}) < len(fqns) - 1  # two tests of one name in one folder as well


@settings(max_examples=examples(30), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_dbt_takes_exactly_what_is_wanted(index: Index, ls: Ls, data: st.DataObject) -> None:
    built = data.draw(st.sets(st.sampled_from(sorted(index.built))))
    tests = data.draw(
        st.one_of(
            st.just(complete_tests(index, built)),
            st.just(set(index.tests)),
            st.just(set()),
            st.sets(st.sampled_from(sorted(index.tests))),
        )
    )
    if not built and not tests:
        return
    selection = compress(index, built, tests)
    assert named(index, ls(selection)) == built | tests, selection


@settings(max_examples=examples(25), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_lineages_are_exact(index: Index, ls: Ls, data: st.DataObject) -> None:
    start = data.draw(
        st.sampled_from(sorted(each for each in index.items if index.items[each].resource_type not in TESTS))
    )
    below, waiting = {start}, [start]
    while waiting:
        for child in index.children.get(waiting.pop(), ()):
            if child not in below:
                below.add(child)
                waiting.append(child)
    built = below & index.built
    if data.draw(st.booleans()):
        built = index.built - built
    tests = complete_tests(index, built)
    if built or tests:
        assert named(index, ls(compress(index, built, tests))) == built | tests


SELECTIONS = [
    Selection(select=("fqn:shop.orders",), indirect="eager"),
    Selection(select=("fqn:shop.orders.*",), indirect="cautious"),
    Selection(select=("fqn:shop.order[s]",), indirect="empty"),
    Selection(select=("fqn:shop.*",), indirect="empty"),
    Selection(select=("fqn:shop",), indirect="empty"),
    Selection(select=("fqn:pkg.ver.ver.v1",), indirect="empty"),
    Selection(select=("fqn:shop.core.ver.v[12]",), indirect="empty"),
    Selection(select=("fqn:ver",), indirect="cautious"),
    Selection(select=("source:shop.raw.clicks+",), indirect="eager"),
    Selection(select=("1+fqn:shop.marts.m1+1",), indirect="empty"),
    Selection(select=("+fqn:shop.marts.m.dotted",), indirect="cautious"),
    Selection(select=("fqn:shop.orders.items,package:shop",), indirect="eager"),
    Selection(select=("fqn:shop.orders,resource_type:test",), indirect="empty"),
    Selection(exclude=("fqn:shop.staging.stg_a",), indirect="eager"),
    Selection(exclude=("fqn:shop.staging.stg_a",), indirect="cautious"),
    Selection(exclude=("fqn:shop.marts.m1", "fqn:shop.eph.*"), indirect="cautious"),
    Selection(select=("fqn:shop.staging.*",), exclude=("fqn:shop.staging.stg_b",), indirect="cautious"),
    Selection(exclude=("fqn:shop.staging.stg_a",), indirect="empty", resource_types=("model", "seed")),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda selection: " ".join(selection.args()))
def test_our_reading_of_selectors_is_dbts(index: Index, ls: Ls, selection: Selection) -> None:
    taken = Evaluation(index).taken(selection.select, selection.exclude, selection.indirect, selection.resource_types)
    assert named(index, taken) == named(index, ls(selection))


def test_everything_needs_no_arguments(index: Index) -> None:
    assert compress(index, index.built, index.tests).args() == ()


def test_where_dbt_has_a_default_selector_it_is_always_told_what_to_take(index: Index, ls: Ls) -> None:
    narrowed = Index(index.items.values(), [], None, narrowed=True)
    everything = compress(narrowed, index.built, index.tests)
    assert everything.args() == ("--select", "fqn:*")
    assert named(index, ls(everything)) == index.built | index.tests
    models = {each for each in index.built if index.items[each].resource_type == "model"}
    assert compress(narrowed, models, ()).args() == ("--select", "fqn:*", "--resource-type", "model")


def test_what_is_behind_a_source_is_one_word(index: Index) -> None:
    built = {"model.shop.stg_c", "model.shop.ver.v1", "model.shop.ver.v2"}
    built |= {"model.shop.m1", "model.shop.m2", "model.shop.m.dotted"}
    tests = {
        each
        for each in index.tests
        if any(parent in built or parent == "source.shop.raw.clicks" for parent in index.items[each].parents)
    }
    assert compress(index, built, tests).select == ("source:shop.raw.clicks+",)


def test_a_selection_follows_the_invocation(integration: Integration, index: Index) -> None:
    assets = {str(asset.key): asset for asset in load(integration).assets}
    chosen = assets["shop/stg_b"]
    checks = (CheckRef(chosen.key, "same_name"), CheckRef(assets["shop/stg_a"].key, "a_and_b"))
    invocation = Invocation(
        id="1", group=InvocationGroup("g"), integration=integration, assets=(chosen,), checks=checks
    )
    selection = selection_for(index, invocation)
    taken = Evaluation(index).taken(selection.select, selection.exclude, selection.indirect, selection.resource_types)
    same_name = next(check for check in chosen.checks if check.name == "same_name").spec["unique_id"]
    assert named(index, taken) == {"model.shop.stg_b", same_name, "test.shop.a_and_b"}


def test_a_check_is_found_on_the_asset_that_makes_its_source(integration: Integration, index: Index) -> None:
    source = next(asset for asset in load(integration).assets if asset.key == "shop/raw/events")
    made = Asset(key="website_events", kind="python", checks=source.checks)
    reference = CheckRef(made.key, "source_not_null_raw_events_id")
    expected = source.checks[0].spec["unique_id"]
    assert index.test_of(reference, [made]) == expected
    assert index.test_of(reference) == expected  # by its name alone, which is unique
    assert index.test_of(CheckRef(made.key, "same_name")) is None
    assert index.test_of(CheckRef(made.key, "nothing")) is None


def big_index(models: int = 2000, folders: int = 40) -> Index:
    """Return an index as of a project with two tests per model, each model reading the one before it."""
    items, assets = [], []
    for i in range(models):
        folder = f"folder_{i * folders // models}"
        unique_id = f"model.shop.m{i}"
        parents = (f"model.shop.m{i - folders}",) if i >= folders else ("source.shop.raw.events",)
        items.append(Item(unique_id, "model", "shop", ("shop", folder, f"m{i}"), parents))
        checks = []
        for kind in ("unique", "not_null"):
            test = f"test.shop.{kind}_m{i}.0"
            items.append(Item(test, "test", "shop", ("shop", folder, f"{kind}_m{i}"), (unique_id,)))
            checks.append(Check(f"{kind}_m{i}", spec={"unique_id": test}))
        assets.append(Asset(key=f"shop/m{i}", kind="dbt", spec={"unique_id": unique_id}, checks=checks))
    items.append(Item("source.shop.raw.events", "source", "shop", ("shop", "raw", "events"), (), free=True))
    return Index(items, assets)


@pytest.fixture(scope="module")
def big() -> Index:
    return big_index()


def compressed(index: Index, built: set[str]) -> Selection:
    selection = compress(index, built, complete_tests(index, built))
    taken = Evaluation(index).taken(selection.select, selection.exclude, selection.indirect, selection.resource_types)
    assert named(index, taken) == built | complete_tests(index, built)
    return selection


def test_all_but_three_is_three_words(big: Index) -> None:
    left_out = {"model.shop.m3", "model.shop.m777", "model.shop.m1999"}
    selection = compressed(big, big.built - left_out)
    assert len(selection.exclude) == 3
    assert selection.select in ((), ("fqn:shop.*",))


def test_a_folder_is_one_word(big: Index) -> None:
    folder = {each for each in big.built if big.items[each].fqn[1] == "folder_7"}
    assert compressed(big, folder).select == ("fqn:shop.folder_7.*",)


def test_a_folder_but_for_one_is_two_words(big: Index) -> None:
    folder = {each for each in big.built if big.items[each].fqn[1] == "folder_7"}
    selection = compressed(big, folder - {min(folder)})
    assert selection.select == ("fqn:shop.folder_7.*",)
    assert len(selection.exclude) == 1


def test_the_models_without_their_tests_are_a_word(big: Index) -> None:
    assert compress(big, big.built, ()).args() == ("--resource-type", "model")
    assert compress(big, (), big.tests).args() == ("--resource-type", "test")


def test_one_model_is_its_name(big: Index) -> None:
    selection = compressed(big, {"model.shop.m9"})
    assert selection.select == ("fqn:shop.folder_0.m9",)
    assert selection.exclude == ()


def test_what_cannot_be_compressed_is_still_exact(big: Index) -> None:
    every_third = {f"model.shop.m{i}" for i in range(0, 300, 3)}
    compressed(big, every_third)


def test_the_arguments_are_in_dbts_form() -> None:
    selection = Selection(("a",), ("b", "c"), "empty", ("model", "test"))
    assert " ".join(selection.args()) == (
        "--select a --exclude b c --indirect-selection empty --resource-type model --resource-type test"
    )
