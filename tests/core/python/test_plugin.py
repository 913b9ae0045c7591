"""The Python plugin: modules loaded, functions called, events told."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import DefinitionError, IntegrationError, UnknownDependencyError, ValueStoreError
from assetry.graph.graph import AssetGraph
from assetry.io.plugin import assetry_open_io
from assetry.io.values import ValueRouter
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.python.decorators import AssetFunction, CheckResult, asset, asset_check, multi_asset
from assetry.python.modules import import_modules
from assetry.python.plugin import PythonPlugin
from assetry.types.assets import Asset, Integration
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Started
from assetry.types.invocations import CheckRef, Invocation
from assetry.types.keys import AssetKey
from assetry.types.policies import RetryPolicy

PYTHON = Integration("python", "python")


class Context:
    """Be the context of a run over values in memory."""

    run_id = "run"
    deadline: float | None = None
    resume: str | None = None
    options: Mapping[str, Any] = {"full_refresh": False}

    def __init__(self, graph: AssetGraph) -> None:
        self.graph = graph
        self.values = ValueRouter(assetry_open_io, "memory:")
        self.lines: list[str] = []
        self.stopped = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.stopped.is_set()

    def secret(self, name: str) -> str:
        return os.environ[name]

    def load(self, key: AssetKey | str, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        return self.values.load(self.graph[key], form, partition)

    def save(self, key: AssetKey | str, value: Any, partition: Any = None, column: str | None = None) -> Any:
        if isinstance(partition, (list, tuple)):
            return self.values.save_parts(self.graph[key], value, partition, column)
        return self.values.save(self.graph[key], value, partition)

    def log(self, message: str, level: Any = "info", key: Any = None) -> None:
        self.lines.append(f"{key}: {message}")


class Bench:
    """Load functions, then make assets one after the other."""

    def __init__(self, *functions: AssetFunction[..., Any], external: tuple[Asset, ...] = ()) -> None:
        self.plugin = PythonPlugin(functions)
        self.graph = AssetGraph.of([*(self.plugin.assetry_load_assets(PYTHON) or ()), *external])
        self.context = Context(self.graph)

    def invocation(self, *keys: str, checked: bool = True, **more: Any) -> Invocation:
        assets = tuple(self.graph[key] for key in keys)
        inputs = tuple(self.graph[dep.key] for each in assets for dep in each.deps)
        refs = tuple(CheckRef(each.key, check.name) for each in assets for check in each.checks if checked)
        group = self.plugin.assetry_invocation_group(assets[0]) if assets else None
        return Invocation(
            **{
                "id": "1",
                "group": group,
                "integration": PYTHON,
                "assets": assets,
                "checks": refs,
                "inputs": inputs,
                **more,
            }
        )

    def stream(self, *keys: str, **more: Any) -> Iterator[Event]:
        return self.plugin.assetry_invoke(self.invocation(*keys, **more), self.context)

    def make(self, *keys: str, **more: Any) -> list[Event]:
        return list(self.stream(*keys, **more))


@asset
def events() -> pd.DataFrame:
    return pd.DataFrame({"type": ["login", "logout", "login"], "n": [1, 2, 3]})


@asset
def logins(events: pd.DataFrame) -> pd.DataFrame:
    return events[events["type"] == "login"]


def failed(made: list[Event]) -> Failed:
    (found,) = [each for each in made if isinstance(each, Failed)]
    assert made[-1] is found
    return found


# -- values ------------------------------------------------------------------------------------------------------


def test_a_value_goes_from_function_to_function() -> None:
    bench = Bench(events, logins)
    bench.make("events")
    started, made = bench.make("logins")
    assert started == Started("logins")
    assert isinstance(made, Materialized)
    assert [column[:2] for column in made.columns or ()] == [("type", "string"), ("n", "int64")]
    assert made.metadata["rows"] == 2
    assert made.data_version is not None
    assert bench.context.load("logins", pa.Table).column("n").to_pylist() == [1, 3]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader, None, Any])
def test_an_annotation_chooses_the_type(kind: Any) -> None:
    seen = []

    @asset
    def look(events):  # type: ignore[no-untyped-def]
        seen.append(type(events))

    if kind is not None:
        look.function.__annotations__["events"] = kind
    bench = Bench(events, look)
    bench.make("events")
    assert isinstance(bench.make("look")[-1], Materialized)
    assert seen == [pd.DataFrame if kind in (None, Any) else kind]


def test_annotations_that_cannot_be_resolved_are_understood_as_written() -> None:
    seen = []

    @asset
    def look(events: pl.DataFrame, other: Nowhere = None) -> Nowhere2:  # type: ignore[name-defined]  # noqa: F821
        seen.append(type(events))
        return 1

    bench = Bench(events, look)
    bench.make("events")
    assert isinstance(bench.make("look")[-1], Materialized)
    assert seen == [pl.DataFrame]


def test_an_annotation_that_is_no_table_is_refused_with_the_choices() -> None:
    @asset
    def look(events: dict[str, int]) -> None: ...

    bench = Bench(events, look)
    bench.make("events")
    told = failed(bench.make("look"))
    assert "'events' is a table, and cannot be had as dict" in told.message
    assert "pandas.DataFrame, polars.DataFrame" in (told.hint or "")


def test_a_missing_input_fails_with_the_next_step() -> None:
    told = failed(Bench(events, logins).make("logins"))
    assert "There is no value of 'events'" in told.message
    assert told.hint == "Materialize it first: `assetry materialize -s key:events`."


def test_asynchronous_functions_positional_parameters_and_the_context() -> None:
    @asset
    async def look(events: Any, /, context: Any, top: int = 2) -> int:
        context.log(f"{context.key} of {context.run_id}")
        return len(events) + top

    bench = Bench(events, look)
    bench.make("events")
    bench.make("look")
    assert bench.context.load("look") == 5
    assert bench.context.lines == ["look: look of run"]


def test_a_function_that_returns_nothing_keeps_nothing() -> None:
    @asset
    def touch() -> None: ...

    @asset
    def after(touch: Any) -> None: ...

    bench = Bench(touch, after)
    made = bench.make("touch")[-1]
    assert isinstance(made, Materialized)
    assert (made.metadata, made.data_version) == ({"io": "none"}, None)
    assert "no value of 'touch'" in failed(bench.make("after")).message


# -- what goes wrong in a function ---------------------------------------------------------------------------------


def test_an_exception_is_told_by_the_user_s_own_lines() -> None:
    @asset
    def broken(events: pd.DataFrame) -> pd.DataFrame:
        return events[events["tpye"] == "login"]

    bench = Bench(events, broken)
    bench.make("events")
    told = failed(bench.make("broken"))
    lines = told.message.splitlines()
    assert lines[0] == "KeyError: 'tpye'"
    assert lines[1].startswith("  at ")
    assert lines[1].endswith(f"test_plugin.py:{broken.function.__code__.co_firstlineno + 2} in broken")
    assert lines[2].strip() == 'return events[events["tpye"] == "login"]'
    assert len(lines) == 3
    assert "site-packages" not in told.message
    assert "assetry retry" in (told.hint or "")


def test_the_cause_of_an_exception_is_named() -> None:
    @asset
    def broken() -> int:
        try:
            return int("x")
        except ValueError as error:
            raise RuntimeError("no number") from error

    told = failed(Bench(broken).make("broken"))
    assert told.message.splitlines()[0] == "RuntimeError: no number"
    assert "caused by ValueError: invalid literal" in told.message


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (pd.DataFrame, None, "expected pandas.DataFrame, got None"),
        (pd.DataFrame, pl.DataFrame({"a": [1]}), "expected pandas.DataFrame, got polars.DataFrame"),
        (pl.LazyFrame, pl.DataFrame({"a": [1]}), "expected polars.LazyFrame, got polars.DataFrame"),
        (pd.DataFrame, {"a": [1]}, "expected pandas.DataFrame, got dict"),
        (int, "1", "expected int, got str"),
        (list[int], None, "expected list[int], got None"),
        (None, 1, "expected None, got int"),
    ],
)
def test_another_type_than_promised_fails_and_is_not_kept(annotation: Any, value: Any, problem: str) -> None:
    @asset
    def made():  # type: ignore[no-untyped-def]
        return value

    made.function.__annotations__["return"] = annotation
    bench = Bench(made)
    assert problem in failed(bench.make("made")).message
    with pytest.raises(ValueStoreError):
        bench.context.load("made")


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(float, 1), (int | None, None), (pd.DataFrame | None, None), (Any, None), ("Unknown", 3), (list[int], [])],
)
def test_what_fits_the_promise_is_kept(annotation: Any, value: Any) -> None:
    @asset
    def made():  # type: ignore[no-untyped-def]
        return value

    made.function.__annotations__["return"] = annotation
    assert isinstance(Bench(made).make("made")[-1], Materialized)


def test_a_promised_column_that_is_missing_fails_before_the_old_value_is_gone() -> None:
    names = ["id", "name"]

    @asset(schema={"id": "string", "name": "string"})
    def people() -> pd.DataFrame:
        return pd.DataFrame({name: ["x"] for name in names})

    bench = Bench(people)
    bench.make("people")
    names[1] = "nmae"
    told = failed(bench.make("people"))
    assert "`name` is declared but not there; did you mean `nmae`?" in told.message
    assert "test_plugin.py:" in told.message
    assert list(bench.context.load("people").columns) == ["id", "name"]


def test_a_promised_column_of_another_type_fails_before_the_old_value_is_gone() -> None:
    values: list[Any] = [1]

    @asset(schema={"id": "bigint", "at": "timestamp"})
    def people() -> pd.DataFrame:
        return pd.DataFrame({"id": values, "at": [None for _ in values]})

    bench = Bench(people)
    (*_, made) = bench.make("people")
    assert [column.type for column in made.columns] == ["int64", "timestamp[us]"]  # without a value: the promised type
    values[0] = "x"
    told = failed(bench.make("people"))
    assert "`id`: declared integer (bigint), got text (string)" in told.message
    assert list(bench.context.load("people")["id"]) == [1]


def test_a_value_that_cannot_be_kept_is_that_asset_s_failure() -> None:
    @asset
    def mixed() -> pd.DataFrame:
        return pd.DataFrame({"fine": [1, 2], "odd": [1, "x"]})

    told = failed(Bench(mixed).make("mixed"))
    assert "column 'odd' cannot be kept: it mixes int and str" in told.message


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
def test_what_stops_a_program_is_not_swallowed(kind: type[BaseException]) -> None:
    @asset
    def stop() -> None:
        raise kind

    with pytest.raises(kind):
        Bench(stop).make("stop")


def test_a_function_that_ends_the_program_is_that_asset_s_failure() -> None:
    @asset
    def leaves() -> int:
        raise SystemExit(0)

    told = failed(Bench(leaves).make("leaves"))
    assert told.message.startswith("SystemExit: 0")
    assert " in leaves" in told.message


# -- retries -----------------------------------------------------------------------------------------------------


def flaky(times: int, policy: RetryPolicy) -> AssetFunction[..., Any]:
    tries = iter(range(times))

    @asset(retry_policy=policy)
    def unsteady() -> int:
        for each in tries:
            raise OSError(f"try {each}")
        return 1

    return unsteady


def test_a_failure_is_tried_again_as_often_as_allowed() -> None:
    made = Bench(flaky(2, RetryPolicy(2))).make("unsteady")
    assert [type(each) for each in made] == [Started, Log, Log, Materialized]
    assert "OSError: try 1; try 2 of 2" in made[2].message  # type: ignore[attr-defined]
    assert "OSError: try 2" in failed(Bench(flaky(3, RetryPolicy(2))).make("unsteady")).message


def test_waiting_for_the_next_try_ends_when_the_run_is_stopped() -> None:
    bench = Bench(flaky(1, RetryPolicy(1, delay=3600)))
    stream = bench.stream("unsteady")
    assert isinstance([next(stream), next(stream)][1], Log)
    threading.Timer(0.05, bench.context.stopped.set).start()
    assert "stopped before the next try" in failed(list(stream)).message


# -- several assets ------------------------------------------------------------------------------------------------


def several(give: Callable[[], Any], **more: Any) -> AssetFunction[..., Any]:
    @multi_asset(assets=["ml/train", "ml/test"], **more)
    def split() -> Any:
        return give()

    return split


@pytest.mark.parametrize("value", [{"train": 1, "ml/test": 2}, (1, 2), [1, 2]])
def test_several_outputs_by_name_or_order(value: Any) -> None:
    bench = Bench(several(lambda: value))
    made = bench.make("ml/train", "ml/test")
    assert [type(each) for each in made] == [Started, Started, Materialized, Materialized]
    assert (bench.context.load("ml/train"), bench.context.load("ml/test")) == (1, 2)


def test_what_is_yielded_is_told_at_once() -> None:
    @multi_asset(assets=["a", "b"])
    def both() -> Iterator[tuple[str, int]]:
        yield "a", 1
        assert bench.context.load("a") == 1
        yield "b", 2

    bench = Bench(both)
    stream = bench.stream("a", "b")
    told = [next(stream) for _ in range(3)]
    assert isinstance(told[2], Materialized)
    assert isinstance(next(stream), Materialized)


def test_a_failure_in_the_middle_leaves_what_was_made() -> None:
    @multi_asset(assets=["a", "b", "c"])
    def three() -> Iterator[tuple[str, int]]:
        yield "b", 2
        raise ValueError("no more")

    made = Bench(three).make("a", "b", "c")
    assert [(type(each).__name__, each.key) for each in made[3:]] == [  # type: ignore[attr-defined]
        ("Materialized", "b"),
        ("Failed", "a"),
        ("Failed", "c"),
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"train": 1}, "gave no value"),
        ({"train": 1, "tset": 2}, "returned 'tset', which is not one of its assets"),
        ((1,), "returned 1 values for 2 assets"),
        (7, "returned int"),
        (None, "returned None"),
    ],
)
def test_outputs_that_are_missing_or_foreign_fail(value: Any, problem: str) -> None:
    made = Bench(several(lambda: value)).make("ml/train", "ml/test")
    told = [each for each in made if isinstance(each, Failed)]
    assert problem in told[-1].message
    assert len([each for each in made if isinstance(each, (Failed, Materialized))]) == 2


def test_some_of_them_only() -> None:
    @multi_asset(assets=["a", "b"], can_subset=True)
    def both(context: Any) -> dict[str, int]:
        return {key: len(context.keys) for key in context.keys}

    bench = Bench(both)
    assert [type(each) for each in bench.make("b")] == [Started, Materialized]
    assert bench.context.load("b") == 1


def test_what_comes_along_is_made_and_told() -> None:
    bench = Bench(several(lambda: (1, 2)))
    made = bench.make("ml/train", also=(bench.graph["ml/test"],))
    assert [each.key for each in made if isinstance(each, Materialized)] == ["ml/train", "ml/test"]


def test_groups_hold_together_what_one_function_makes() -> None:
    whole = Bench(several(lambda: (1, 2)))
    group = whole.plugin.assetry_invocation_group(whole.graph["ml/train"])
    assert group is not None
    assert (group.whole, group.counted) == (True, False)
    assert group == whole.plugin.assetry_invocation_group(whole.graph["ml/test"])
    free = Bench(several(lambda: (1, 2), can_subset=True))
    assert not free.plugin.assetry_invocation_group(free.graph["ml/train"]).whole  # type: ignore[union-attr]
    assert whole.plugin.assetry_invocation_group(Bench(events).graph["events"]) is None


def test_functions_from_one_factory_are_kept_apart() -> None:
    def factory(name: str) -> AssetFunction[..., Any]:
        @multi_asset(assets=[f"{name}/a", f"{name}/b"])
        def both() -> tuple[str, str]:
            return name, name

        return both

    bench = Bench(factory("x"), factory("y"))
    groups = {bench.plugin.assetry_invocation_group(each) for each in bench.graph}
    assert len(groups) == 2
    bench.make("y/a", "y/b")
    assert bench.context.load("y/a") == "y"


# -- checks ------------------------------------------------------------------------------------------------------


def checks_of(made: list[Event]) -> list[tuple[bool, str | None]]:
    return [(each.passed, each.message) for each in made if isinstance(each, Checked)]


def outcome(give: Callable[[Any], Any], promise: Any = Any) -> tuple[bool, str | None]:
    @asset
    def one() -> list[int]:
        return [1]

    def checked(value: Any) -> Any:
        return give(value)

    checked.__annotations__["return"] = promise
    made = Bench(one, asset_check(asset=one)(checked)).make("one")
    assert [type(each) for each in made] == [Started, Materialized, Checked]
    return checks_of(made)[0]


def refuse(value: Any) -> None:
    assert value == [2], f"it is {value}"


def raising(value: Any) -> None:
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("give", "expected"),
    [
        (lambda value: value == [1], (True, None)),
        (lambda value: None, (True, None)),
        (lambda value: False, (False, None)),
        (lambda value: pd.Series([1]).eq(2).all(), (False, None)),
        (lambda value: CheckResult(False, "three gaps"), (False, "three gaps")),
        (refuse, (False, "it is [1]")),
    ],
)
def test_outcomes_of_a_check(give: Callable[[Any], Any], expected: tuple[bool, str | None]) -> None:
    passed, message = outcome(give)
    assert passed == expected[0]
    assert (message or "").partition("\n")[0] == (expected[1] or "")


def test_a_check_that_breaks_or_says_nothing_has_failed() -> None:
    passed, message = outcome(raising)
    assert not passed
    assert (message or "").startswith("KeyError: 'gone'")
    assert outcome(lambda value: "yes") == (False, "returned str")


@pytest.mark.parametrize("promise", [bool, "bool", CheckResult, None, type(None), bool | None, Any])
def test_a_check_that_forgets_to_return_what_it_promises_has_failed(promise: Any) -> None:
    passed, message = outcome(lambda value: None, promise)
    assert passed == (promise not in (bool, "bool", CheckResult))
    assert passed or "returned None, so nothing was checked: expected" in (message or "")


def test_a_check_that_ends_the_program_has_failed() -> None:
    def leaves(value: list[int]) -> bool:
        raise SystemExit(0)

    passed, message = outcome(leaves)
    assert not passed
    assert (message or "").startswith("SystemExit: 0")


def test_a_check_sees_the_type_it_asks_for() -> None:
    seen: list[Any] = []

    @asset_check(asset=events, severity="warn")
    def plain(rows):  # type: ignore[no-untyped-def]
        seen.append(type(rows))

    @asset_check(asset=events, also=["logins"])
    def two(rows: pl.DataFrame, others: pa.Table) -> bool:
        seen.extend([type(rows), type(others)])
        return len(rows) > others.num_rows

    bench = Bench(events, logins, plain, two)
    bench.make("events", checked=False)
    bench.make("logins")
    made = bench.make(
        checks=(CheckRef(AssetKey("events"), "plain"), CheckRef(AssetKey("events"), "two")),
        inputs=(bench.graph["events"],),
    )
    assert made == [Checked("events", "plain", True, "warn"), Checked("events", "two", True)]
    assert seen == [pd.DataFrame, pl.DataFrame, pa.Table]


def test_partitions_are_made_and_checked_one_after_the_other() -> None:
    days = StaticPartitionsDefinition(["mon", "tue"])

    @asset(partitions_def=days)
    def numbers(context: Any) -> list[str]:
        return [context.partition]

    @asset(partitions_def=days)
    def twice(numbers: list[str]) -> list[str]:
        return numbers * 2

    @asset
    def total(numbers: dict[str, list[str]]) -> int:
        return len(numbers)

    @asset_check(asset=twice)
    def of_its_day(value: list[str], context: Any) -> bool:
        return set(value) == {context.partition}

    bench = Bench(numbers, twice, total, of_its_day)
    bench.make("numbers", partitions=("mon", "tue"))
    made = bench.make("twice", partitions=("mon", "tue"))
    assert [each.partition for each in made if isinstance(each, Materialized)] == ["mon", "tue"]
    assert checks_of(made) == [(True, None), (True, None)]
    bench.make("total")
    assert (bench.context.load("twice", partition="tue"), bench.context.load("total")) == (["tue", "tue"], 2)


def test_what_was_not_made_is_not_checked() -> None:
    @asset
    def broken() -> int:
        raise ValueError

    @asset_check(asset=broken)
    def never(value: Any) -> None:
        raise AssertionError

    assert checks_of(Bench(broken, never).make("broken")) == []


def test_a_check_on_another_tool_s_asset_goes_to_it() -> None:
    @asset_check(asset="orders")
    def no_gaps(orders: Any) -> bool:
        return True

    orders = Asset(key="shop/orders", kind="dbt", integration=Integration("shop", "dbt"))
    bench = Bench(no_gaps, external=(orders,))
    assert [asset.key for asset in bench.graph] == ["shop/orders"]
    (check,) = bench.graph["shop/orders"].checks
    assert (check.name, check.integration) == ("no_gaps", "python")
    with pytest.raises(UnknownDependencyError, match="The check 'no_gaps' is about 'orders'") as caught:
        Bench(no_gaps, external=(Asset(key="shop/order", kind="dbt"),))
    assert caught.value.near == ("shop/order",)


# -- modules -----------------------------------------------------------------------------------------------------


def write(root: Path, **files: str) -> Integration:
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return Integration("python", "python", {"modules": ["shop_assets"]}, str(root))


def load(integration: Integration, plugin: PythonPlugin | None = None) -> list[Asset]:
    return list((plugin or PythonPlugin()).assetry_load_assets(integration) or ())


ONE = """
from assetry.python.decorators import asset
@asset
def one():
    return 1
"""


def test_modules_give_functions_assets_and_lists_of_them(tmp_path: Path) -> None:
    integration = write(
        tmp_path,
        shop_assets="""
        from assetry.types.assets import Asset, Integration
        from shop_more import one, MORE
        single = Asset(key="raw/single", kind="file", executable=False)
        bare = Asset(key="bare", kind="python")
        several = [Asset(key="a", kind="dbt", integration=Integration("t", "dbt")), single]
        numbers = [1, 2]
        """,
        shop_more=ONE + "MORE = (one,)\n",
    )
    two_modules = Integration("python", "python", {"modules": ["shop_assets", "shop_more"]}, str(tmp_path))
    found = {str(each.key): each.integration for each in load(two_modules)}
    assert found == {"one": two_modules, "raw/single": None, "bare": two_modules, "a": Integration("t", "dbt")}
    assert len(load(two_modules)) == 4
    assert load(integration)


def test_a_package_gives_all_its_modules(tmp_path: Path) -> None:
    integration = write(tmp_path, shop_assets="")
    (tmp_path / "shop_assets.py").unlink()
    sources = {"__init__": "", "sales": ONE, "__main__": "raise SystemExit", "deep/more": ONE.replace("one", "two")}
    for name, text in sources.items():
        path = tmp_path / "shop_assets" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "shop_assets" / "data").mkdir()
    assert {str(each.key) for each in load(integration)} == {"one", "two"}


def test_loading_leaves_no_file_behind(tmp_path: Path) -> None:
    load(write(tmp_path, shop_assets=ONE))
    assert [path.name for path in tmp_path.iterdir()] == ["shop_assets.py"]


def test_an_edited_module_is_seen_in_the_same_process(tmp_path: Path) -> None:
    integration = write(tmp_path, shop_assets="from shop_more import one", shop_more=ONE)
    (before,) = load(integration)
    assert load(integration)[0].code_version == before.code_version
    write(tmp_path, shop_more=ONE.replace("return 1", "return 2"))
    assert load(integration)[0].code_version != before.code_version


def test_two_projects_may_have_modules_of_one_name(tmp_path: Path) -> None:
    plugin = PythonPlugin()
    here = write(tmp_path / "here", shop_assets=ONE)
    there = write(tmp_path / "there", shop_assets=ONE.replace("return 1", "return 2"))
    for integration in (here, there):
        (found,) = load(integration, plugin)
    graph = AssetGraph.of([found])
    for integration, value in ((here, 1), (there, 2), (here, 1)):
        context = Context(graph)
        invocation = Invocation(id="1", group=None, integration=integration, assets=(found,))
        assert isinstance(list(plugin.assetry_invoke(invocation, context))[-1], Materialized)
        assert context.load("one") == value


def test_a_worker_that_never_loaded_finds_the_function_by_name(tmp_path: Path) -> None:
    integration = write(tmp_path, shop_assets=ONE)
    (found,) = load(integration)
    context = Context(AssetGraph.of([found]))
    invocation = Invocation(id="1", group=None, integration=integration, assets=(found,))
    assert isinstance(list(PythonPlugin().assetry_invoke(invocation, context))[-1], Materialized)
    write(tmp_path, shop_assets=ONE.replace("def one", "def other"))
    with pytest.raises(IntegrationError, match="There is no 'one' in module 'shop_assets'"):
        list(PythonPlugin().assetry_invoke(invocation, context))


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        ("import json\nvalue = json.loads('{')", "JSONDecodeError", 2),
        ("def half(:\n    pass", "SyntaxError", 1),
        ("\n\nimport nowhere_at_all", "No module named 'nowhere_at_all'", 3),
    ],
)
def test_a_module_that_fails_is_told_by_its_line(tmp_path: Path, source: str, message: str, line: int) -> None:
    with pytest.raises(IntegrationError, match=message) as caught:
        load(write(tmp_path, shop_assets=source))
    assert (caught.value.where or "").endswith(f"shop_assets.py:{line}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("raise SystemExit('gone')", "SystemExit: gone"),
        ("class Stop(BaseException): ...\nraise Stop('not today')", "Stop: not today"),
        ("class Stop(BaseException):\n  def __str__(self): 1 / 0\nraise Stop", "cannot be imported: Stop."),
    ],
)
def test_a_module_that_ends_in_any_exception_is_told_as_one(tmp_path: Path, source: str, message: str) -> None:
    with pytest.raises(IntegrationError) as caught:
        load(write(tmp_path, shop_assets=source))
    assert message in caught.value.message
    assert f"shop_assets.py:{len(source.splitlines())}" in (caught.value.where or "")


def test_ctrl_c_while_a_module_is_imported_stops_the_program(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(write(tmp_path, shop_assets="raise KeyboardInterrupt"))


FACTORY = """
from assetry.python.decorators import asset
def make(name):
    @asset(key=name)
    def made():
        return name
    return made
"""

USE = "from assetry.python.decorators import asset, asset_check\n"
LOST = [
    (ONE + "@asset(key='two')\ndef one():\n    return 2", 3, "'one' would be lost: two functions are called one()"),
    (ONE + "del one", 3, "'one' would be lost: its module does not hold one() any more"),
    (ONE + "one = 1", 3, "one is something else at the end of its module"),
    (
        "import functools\n" + USE + "hide = lambda f: functools.wraps(f)(lambda: f())\n@hide\n@asset\ndef one(): ...",
        4,
        "another decorator hides it",
    ),
    (FACTORY + "make('a')", 4, "'a' would be lost: it is made in make(), and no module holds it"),
    (FACTORY.replace("return made", "return None") + "for name in 'ab': make(name)", 4, "'a' would be lost"),
    ("from shop_more import make\nmake('a')", 4, "'a' would be lost: it is made in make()"),
    (USE + "class Jobs:\n    @asset\n    def one(): ...", 3, "'one' would be lost: it stands in class Jobs"),
    (USE + "class Jobs:\n    @asset\n    def one(self): ...", 3, "Jobs.one() is a method"),
    (USE + "@asset_check(asset='a')\ndef good(a): ...\ndel good", 2, "'check good' would be lost"),
]


@pytest.mark.parametrize(("source", "line", "message"), LOST)
def test_what_is_decorated_and_stands_in_no_module_is_told(
    tmp_path: Path, source: str, line: int, message: str
) -> None:
    integration = write(tmp_path, shop_assets=source, shop_more=FACTORY)
    for _ in range(2):  # the second time the module is imported already
        with pytest.raises(DefinitionError) as caught:
            load(integration)
        assert message in caught.value.message
        assert (caught.value.where or "").endswith(f".py:{line}")
        assert caught.value.hint


def test_what_stands_anywhere_in_a_module_is_loaded(tmp_path: Path) -> None:
    source = "from shop_more import make\nheld = {'x': [make('a'), (make('b'),)]}\nheld['itself'] = held"
    integration = write(tmp_path, shop_assets=source, shop_more=FACTORY + "other = make('other')")
    assert {str(each.key) for each in load(integration)} == {"a", "b"}


def test_a_definition_s_own_error_comes_through(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no keyword 'grp'"):
        load(write(tmp_path, shop_assets=ONE.replace("@asset", "@asset(grp=1)")))


def test_a_module_that_is_not_there_is_told_with_near_names(tmp_path: Path) -> None:
    write(tmp_path, shop_asset=ONE)
    with pytest.raises(IntegrationError, match="There is no Python module 'shop_assets'") as caught:
        load(Integration("python", "python", {"modules": ["shop_assets"]}, str(tmp_path)))
    assert caught.value.near == ("shop_asset",)


def test_a_failed_import_is_tried_again_once_corrected(tmp_path: Path) -> None:
    integration = write(tmp_path, shop_assets="import shop_more", shop_more="1 / 0")
    with pytest.raises(IntegrationError, match="ZeroDivisionError"):
        load(integration)
    write(tmp_path, shop_assets="from shop_more import one", shop_more=ONE)
    assert len(load(integration)) == 1


def test_commands_read_as_calls(tmp_path: Path) -> None:
    plugin = PythonPlugin()
    (one,) = load(write(tmp_path, shop_assets=ONE), plugin)
    assert (
        plugin.assetry_invocation_command(Invocation(id="1", group=None, integration=PYTHON, assets=(one,)))
        == "shop_assets.one()"
    )


@pytest.fixture(autouse=True)
def clean_modules() -> Iterator[None]:
    before, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("shop_"):
            del sys.modules[name]
    sys.path[:], sys.meta_path[:] = path, finders


def test_inspect_survives_a_folder_that_takes_the_name_of_an_earlier_module(tmp_path: Path) -> None:
    for root, file in (("one", "assets.py"), ("two", "assets/orders.py")):
        path = tmp_path / root / file
        path.parent.mkdir(parents=True)
        path.write_text("x = 1\n")
        import_modules(["assets"], str(tmp_path / root))
        inspect.getmodule(test_inspect_survives_a_folder_that_takes_the_name_of_an_earlier_module.__code__, "nowhere")
