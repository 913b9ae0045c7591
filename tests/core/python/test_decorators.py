"""The decorators: what a function says of its assets and checks."""

from __future__ import annotations

import importlib.util
import pickle
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from assetry.errors import AmbiguousNameError, DefinitionError
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.python.code import source_text
from assetry.python.decorators import AssetFunction, AssetKeywords, CheckResult, asset, asset_check, multi_asset
from assetry.types.assets import Asset, Column, Dep
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy


@asset
def website_events() -> list[str]:
    """Return what happened.

    At length.
    """
    return ["login", "logout"]


@asset(key="app/logins", tags=["daily"])
def logins(website_events: list[str], limit: int = 10, context: Any = None) -> list[str]:
    return [each for each in website_events if each == "login"][:limit]


def define(tmp_path: Path, source: str, name: str = "defined") -> ModuleType:
    path = tmp_path / f"{name}.py"
    path.write_text(textwrap.dedent(source))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Two versions of one second have the same time stamp, and byte code of the first would do for the second.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_a_decorated_function_is_still_the_function() -> None:
    assert logins(["login", "x", "login"], limit=1) == ["login"]
    assert logins(website_events=website_events()) == ["login"]
    assert logins.__name__ == "logins"
    assert (website_events.__doc__ or "").startswith("Return what happened.")
    assert pickle.loads(pickle.dumps(website_events)) is website_events


def test_a_bare_function_says_it_all() -> None:
    made = website_events.asset
    assert (made.key, made.kind, made.integration, made.deps) == ("website_events", "python", None, ())
    assert made.description == "Return what happened.\n\nAt length."
    assert made.spec == {"module": __name__, "qualname": "website_events", "args": {}}
    line = Path(__file__).read_text().splitlines().index("@asset") + 1
    assert made.source is not None
    assert made.source.endswith(f"tests/core/python/test_decorators.py:{line}")


def test_dependencies_are_parameters_without_defaults_and_not_the_context() -> None:
    assert logins.asset.deps == (Dep(AssetKey("website_events"), name="website_events", short=True),)


def test_every_keyword_arrives() -> None:
    @asset(
        key=("app", "n"),
        deps=["shop/orders", logins],
        description="d",
        group="g",
        owners="data@example.com",
        tags={"daily": "", "tier": "1"},
        metadata={"a": 1},
        schema={"id": "int64", "name": None},
        compute_kind="pandas",
        code_version="7",
        freshness_policy=timedelta(hours=1),
        automation="stale",
        grows="append",
        io_manager="memory:",
        retry_policy=3,
    )
    def n() -> None: ...

    made = n.asset
    assert (made.key, made.description, made.group, made.io) == ("app/n", "d", "g", "memory:")
    assert [dep.key for dep in made.deps] == ["shop/orders", "app/logins"]
    assert all(dep.short for dep in made.deps)
    assert (made.owners, made.tags) == (("data@example.com",), ("daily", "tier:1"))
    assert made.metadata == {"a": 1, "compute_kind": "pandas"}
    assert made.columns == (Column("id", "int64"), Column("name"))
    assert made.grows == "append"
    assert (made.code_version, made.code_parts) == ("7", {"code_version": "7"})
    assert made.freshness_policy == FreshnessPolicy(timedelta(hours=1))
    assert (made.automation, made.retry_policy) == (AutomationPolicy("stale"), RetryPolicy(3))


def test_how_a_function_is_called_for_partitions_arrives() -> None:
    made = daily(partitions="range", max_partitions=30, partition_column="day").asset
    assert {name: made.spec[name] for name in ("partitions", "max_partitions", "partition_column")} == {
        "partitions": "range",
        "max_partitions": 30,
        "partition_column": "day",
    }
    assert not {"partitions", "max_partitions", "partition_column"} & daily(partitions="one").asset.spec.keys()
    assert daily(partitions="range").asset.code_version == daily().asset.code_version


def test_a_listed_key_explains_the_parameter_of_that_name() -> None:
    @asset(deps=["shop/orders", "shop/wait"])
    def total(orders: Any, rates: Any) -> None: ...

    assert [(dep.key, dep.name) for dep in total.asset.deps] == [
        ("shop/orders", "orders"),
        ("rates", "rates"),
        ("shop/wait", None),
    ]


def test_a_mapping_says_what_each_parameter_takes() -> None:
    @asset(deps={"events": "shop/website_events", "seen": logins})
    def total(events: Any, seen: Any) -> None: ...

    assert [(dep.key, dep.name) for dep in total.asset.deps] == [
        ("shop/website_events", "events"),
        ("app/logins", "seen"),
    ]
    assert total.asset.spec["args"] == {"events": "shop/website_events", "seen": "app/logins"}


def bad_two(a: Any = None) -> None: ...


DAYS = DailyPartitionsDefinition("2026-01-01")

WRONG: list[tuple[Callable[[], Any], type[DefinitionError], str]] = [
    (lambda: asset(grp="x"), DefinitionError, "did you mean 'group'"),  # type: ignore[call-overload]
    (lambda: asset("key"), DefinitionError, "is for functions, not for str"),  # type: ignore[call-overload]
    (lambda: asset(website_events), DefinitionError, "decorated twice"),
    (lambda: asset(lambda *rows: rows), DefinitionError, r"takes \*rows"),
    (lambda: asset(lambda **rows: rows), DefinitionError, r"takes \*\*rows"),
    (lambda: asset(deps={"odrers": "x"})(lambda orders: orders), DefinitionError, "did you mean 'orders'"),
    (lambda: asset(deps=["a/x", "b/x"])(lambda x: x), AmbiguousNameError, "fits 'a/x' and 'b/x'"),
    (lambda: asset(key="x")(lambda x: x), DefinitionError, "depends on itself"),
    (lambda: multi_asset(assets=[]), DefinitionError, "needs assets"),
    (lambda: multi_asset(assets=[{"tags": ["x"]}]), DefinitionError, "has no key"),
    (lambda: multi_asset(assets=[{"key": "a", "tgas": []}]), DefinitionError, "did you mean 'tags'"),  # type: ignore[typeddict-unknown-key]
    (lambda: asset_check(asset="a", severity="fatal"), DefinitionError, "neither 'error' nor 'warn'"),  # type: ignore[arg-type]
    (lambda: asset_check(asset="a")(bad_two), DefinitionError, "takes 0 values, but is about 1"),
    (lambda: asset(freshness_policy=timedelta(0))(bad_two), DefinitionError, "takes a positive timedelta"),
    (lambda: asset(automation="stael")(bad_two), DefinitionError, "did you mean 'stale'"),
    (
        lambda: asset(grows="apend")(bad_two),
        DefinitionError,
        "grows by 'apend'(?s:.*)did you mean 'append'",
    ),  # type: ignore[arg-type]
    (lambda: asset(key="a//b")(bad_two), DefinitionError, "is not an asset key"),
    (lambda: asset(deps=[bad_two])(bad_two), DefinitionError, "function 'bad_two' is neither an asset"),  # type: ignore[list-item]
    (lambda: asset(deps=bad_two)(bad_two), DefinitionError, "function 'bad_two' is neither an asset"),  # type: ignore[call-overload]
    (lambda: asset_check(asset="a", also=5), DefinitionError, "int 5 is neither an asset"),  # type: ignore[arg-type]
    (lambda: multi_asset(assets=5), DefinitionError, r"not 5 \(int\)"),  # type: ignore[arg-type]
    (lambda: asset_check(asset=bad_two), DefinitionError, "function 'bad_two' is neither an asset"),  # type: ignore[arg-type]
    (
        lambda: asset(deps=[Dep(AssetKey("up"), "lsat")])(bad_two),
        DefinitionError,
        "partition_mapping 'lsat', which does not exist.\n.*\n  did you mean 'last'",
    ),
    (lambda: daily(partitions="rnage"), DefinitionError, "neither 'one' nor 'range'.\n.*\n  did you mean 'range'"),
    (lambda: daily(partitions="range", max_partitions=0), DefinitionError, "max_partitions=0 is less than one"),
    (lambda: daily(max_partitions=3), DefinitionError, "is for a function that is called for a range"),
    (lambda: daily(partition_column=""), DefinitionError, "partition_column is empty"),
    (lambda: asset(partitions="range")(bad_two), DefinitionError, "for an asset with partitions, and this one has"),
    (lambda: asset(partition_column="day")(bad_two), DefinitionError, "partition_column is for an asset with partitio"),
    (lambda: several(DAYS, max_partitions=3), DefinitionError, "max_partitions=… of output 'b' is how the function is"),
    (lambda: several(DAYS, partitions_def=StaticPartitionsDefinition(["x"])), DefinitionError, "other partitions each"),
]


def daily(**more: Any) -> Any:
    return asset(partitions_def=DAYS, **more)(bad_two)


def several(days: Any, **more: Any) -> Any:
    outputs: Any = ["a", {"key": "b", **more}]
    return multi_asset(assets=outputs, partitions_def=days, partitions="range")(bad_two)


#: Values that a keyword does not take, and what the error says of each.
STRANGE: list[tuple[str, Any, str]] = [
    ("key", 5, "a text or its parts, not 5 (int)"),
    ("key", ("a", 1), "not 1 (int)"),
    ("description", ["x"], "not list"),
    ("group", 5, "a text, not 5 (int)"),
    ("owners", 5, "texts, not 5 (int)"),
    ("owners", ["a", None], "not NoneType"),
    ("tags", [1], "texts, not 1 (int)"),
    ("tags", {"tier": 1}, "not 1 (int)"),
    ("metadata", ["x"], "not list"),
    ("metadata", {1: "x"}, "not 1 (int)"),
    ("schema", {"id": int}, "as the warehouse writes it, not the type int"),
    ("schema", ["id", 3], "not 3 (int)"),
    ("schema", [Column("id", int)], "not the type int"),  # type: ignore[arg-type]
    ("schema", "id", "not 'id' (str)"),
    ("compute_kind", 1, "not 1 (int)"),
    ("code_version", 1.5, "not 1.5 (float)"),
    ("partitions_def", "daily", "partitions, not 'daily' (str)"),
    ("partitions_def", StaticPartitionsDefinition, "not the type StaticPartitionsDefinition"),
    ("freshness_policy", 5, "a timedelta or a FreshnessPolicy, not 5 (int)"),
    ("automation", 5, "not 5 (int)"),
    ("grows", True, "a word, not True (bool)"),
    ("io_manager", 5, "the URL of a place, not 5 (int)"),
    ("partitions", 5, "a text, not 5 (int)"),
    ("max_partitions", "30", "a number, not '30' (str)"),
    ("max_partitions", True, "not True (bool)"),
    ("partition_column", ["day"], "the name of a column, not list"),
    ("retry_policy", True, "not True (bool)"),
    ("retry_policy", "3", "not '3' (str)"),
]


@pytest.mark.parametrize(("name", "value", "message"), STRANGE)
def test_a_value_of_a_wrong_type_is_named_with_its_keyword_and_place(name: str, value: Any, message: str) -> None:
    for decorated in (
        lambda: asset(**{name: value}),
        lambda: multi_asset(assets=[{"key": "a", name: value}]),  # type: ignore[misc]
    ):
        with pytest.raises(DefinitionError) as caught:
            decorated()
        assert caught.value.message.startswith(f"{name}=… of @")
        assert message in caught.value.message
        assert caught.value.hint is not None
        assert f"{name}=" in caught.value.hint
        assert "test_decorators.py:" in (caught.value.where or "")


def test_a_keyword_that_is_none_was_not_given() -> None:
    nothing = dict.fromkeys(AssetKeywords.__annotations__)
    assert asset(**nothing)(bad_two).asset == asset(bad_two).asset  # type: ignore[call-overload]


def test_an_upstream_asset_may_be_given_itself() -> None:
    assert asset(deps=[Asset(key="up", kind="python")])(bad_two).asset.deps[0].key == "up"  # type: ignore[list-item]


@pytest.mark.parametrize(("wrong", "kind", "message"), WRONG)
def test_mistakes_are_told_with_their_place(
    wrong: Callable[[], Any], kind: type[DefinitionError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        wrong()
    import re

    assert re.search(message, str(caught.value))
    assert "test_decorators.py:" in (caught.value.where or "")


def test_a_generator_function_makes_no_single_asset() -> None:
    def batches() -> Any:
        yield 1

    with pytest.raises(DefinitionError, match="yields") as caught:
        asset(batches)
    assert "multi_asset" in (caught.value.hint or "")

    async def stream() -> Any:
        yield 1

    with pytest.raises(DefinitionError, match="asynchronous generator"):
        multi_asset(assets=["a"])(stream)


BASE = '''
from assetry.python.decorators import asset
@asset
def total(orders):
    """Sum."""
    rows = [1, 2]
    return sum(rows)
'''
SAME = [
    BASE.replace('"""Sum."""', '"""Another text."""'),
    BASE.replace('    """Sum."""\n', ""),
    BASE.replace("rows = [1, 2]", "rows = [1,\n            2]  # two"),
    BASE.replace("@asset", "\n\n@asset(tags=['x'], description='else')"),
]
OTHER = [
    BASE.replace("[1, 2]", "[1, 3]"),
    BASE.replace("sum(rows)", "max(rows)"),
    BASE.replace("(orders)", "(clients)"),
]


def version_of(tmp_path: Path, source: str) -> str:
    return str(define(tmp_path, source).total.asset.code_version)


@pytest.mark.parametrize("source", SAME)
def test_what_changes_no_result_changes_no_version(tmp_path: Path, source: str) -> None:
    assert version_of(tmp_path, source) == version_of(tmp_path, BASE)


@pytest.mark.parametrize("source", OTHER)
def test_what_changes_the_function_changes_its_version(tmp_path: Path, source: str) -> None:
    assert version_of(tmp_path, source) != version_of(tmp_path, BASE)


def test_the_schema_is_a_part_of_the_version(tmp_path: Path) -> None:
    with_schema = define(tmp_path, BASE.replace("@asset", "@asset(schema=['id'])")).total.asset
    plain = define(tmp_path, BASE).total.asset
    assert with_schema.code_parts["body"] == plain.code_parts["body"]
    assert set(with_schema.code_parts) == {"body", "schema"}
    assert with_schema.code_version != plain.code_version


def test_the_settings_of_a_factory_are_a_part_of_the_version() -> None:
    def factory(limit: int, other: Any = None) -> Asset:
        @asset(key="x")
        def made(rows: Any) -> Any:
            return rows[:limit], other

        return made.asset

    assert factory(1, object()).code_version == factory(1, object()).code_version
    assert factory(1).code_version != factory(2).code_version
    assert factory(1).code_parts["body"] == factory(2).code_parts["body"]


def test_without_source_the_compiled_code_counts() -> None:
    space: dict[str, Any] = {}
    exec("def one(): return 1\ndef two(): return 2\ndef uno(): return 1", space)
    assert source_text(space["one"].__code__) != source_text(space["two"].__code__)
    assert source_text(space["one"].__code__) == source_text(space["uno"].__code__)


def test_several_assets_share_what_is_said_of_all() -> None:
    @multi_asset(
        assets=["ml/train", {"key": "ml/test", "tags": ["small"], "deps": ["calendar"]}],
        group="ml",
        deps=["shop/orders"],
        can_subset=True,
    )
    def split(orders: Any) -> Any: ...

    train, test = split.assets
    assert (split.multiple, split.can_subset) == (True, True)
    assert (train.group, test.group, test.tags) == ("ml", "ml", ("small",))
    assert [dep.key for dep in train.deps] == ["shop/orders"]
    assert [dep.key for dep in test.deps] == ["shop/orders", "calendar"]
    assert (train.spec["output"], train.spec["can_subset"]) == ("ml/train", True)
    with pytest.raises(DefinitionError, match="makes 2 assets"):
        _ = split.asset


def test_checks_name_their_asset_and_further_ones() -> None:
    @asset_check(asset=logins, also=["shop/users"], severity="warn", name="known")
    def all_known(rows: Any, users: Any, context: Any) -> CheckResult:
        """Every login is a user's."""
        return CheckResult(True)

    ((key, check, integration),) = all_known.checks
    assert (key, check.name, check.severity, check.also) == ("app/logins", "known", "warn", ("shop/users",))
    assert check.description == "Every login is a user's."
    assert (check.counted, integration) == (False, None)
    assert isinstance(all_known, AssetFunction)
    assert all_known([], [], None).passed
