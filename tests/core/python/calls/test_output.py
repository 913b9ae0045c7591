"""What functions tell with the values that they return, and by their context: kept with what was made, or an error."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import pytest
from assetry import (
    AssetContext,
    CheckResult,
    DailyPartitionsDefinition,
    Link,
    MaterializeResult,
    Output,
    Preview,
    Project,
    asset,
    asset_check,
    multi_asset,
)
from assetry.types.records import Materialization

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
KEYS = ["2026-01-01", "2026-01-02", "2026-01-03"]


class Bench:
    """Make functions' assets over records and values in memory."""

    def __init__(self) -> None:
        self.opened: list[Project] = []

    def __call__(self, *functions: Any, **keywords: Any) -> Any:
        self.project = Project(functions, io="memory:", store="sqlite::memory:", executor="threads:1")
        self.opened.append(self.project)
        self.result = self.project.materialize(**keywords)
        return self.result

    def made(self, key: str, partition: str | None = None) -> Materialization:
        (found,) = self.project.store.latest([self.project.graph[key].key], [partition]).values()
        return found

    def told(self, key: str, partition: str | None = None) -> Mapping[str, Any]:
        """Return the metadata of what was made, without the type that a place tells of what is no table."""
        return {name: each for name, each in self.made(key, partition).metadata.items() if name != "type"}

    def failure(self, key: str) -> str:
        (found,) = [each for (of, _), each in self.result.outcomes.items() if of == key and each.outcome == "failed"]
        assert found.hint
        return str(found.message)


@pytest.fixture
def run() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    for each in bench.opened:
        each.close()


# -- one asset ---------------------------------------------------------------------------------------------------------


def test_a_value_is_kept_and_what_is_told_of_it_stands_beside_what_assetry_finds(run: Bench) -> None:
    @asset
    def orders(context: AssetContext) -> Output[pd.DataFrame]:
        context.add_metadata(mean=1.0, source="the API")
        table = pd.DataFrame({"id": [1, 2]})
        return Output(table, metadata={"mean": 2.5, "page": Link("https://x/7"), "head": Preview(table, 1)})

    @asset
    def doubled(orders: pd.DataFrame) -> int:
        return len(orders) * 2

    assert run(orders, doubled).value("doubled") == 4
    told = dict(run.told("orders"))
    assert told.pop("rows") == 2
    assert told.pop("io") == "project"
    assert (told["mean"], told["source"]) == (2.5, "the API"), "what is returned goes before what was told"
    assert told["page"] == {"type": "link", "url": "https://x/7"}
    assert told["head"] == {"type": "preview", "columns": ["id"], "rows": [[1]], "total": 2}
    assert run.told("doubled") == {"io": "project"}


def test_the_word_of_the_user_goes_before_what_assetry_finds(run: Bench) -> None:
    @asset
    def orders() -> pd.DataFrame:
        return Output(pd.DataFrame({"id": [1, 2]}), metadata={"rows": 7, "preview": "none"})  # type: ignore[return-value]

    run(orders)
    assert (run.told("orders")["rows"], run.told("orders")["preview"]) == (7, "none")


def test_without_a_value_what_is_told_is_kept(run: Bench) -> None:
    @asset
    def table_elsewhere() -> MaterializeResult:
        return MaterializeResult(metadata={"rows": 3}, data_version="v7")

    @asset
    def another() -> None:
        return Output(None, metadata={"rows": 4})  # type: ignore[return-value]

    @asset
    def third(context: AssetContext) -> None:
        context.add_metadata(rows=5)

    run(table_elsewhere, another, third)
    assert run.told("table_elsewhere") == {"io": "none", "rows": 3}
    assert run.made("table_elsewhere").data_version == "v7"
    assert (run.told("another")["rows"], run.told("third")["rows"]) == (4, 5)


def test_a_version_that_stays_leaves_what_is_below_up_to_date(run: Bench) -> None:
    made: list[int] = []

    @asset
    def source() -> Output[int]:
        made.append(1)
        return Output(len(made), data_version="v1")

    @asset
    def below(source: int) -> int:
        return source

    run(source, below)
    run.project.materialize("source")
    assert run.made("source").data_version == "v1"
    assert {str(each.key): each.status for each in run.project.status()} == {"source": "fresh", "below": "fresh"}


def test_the_type_that_is_promised_is_that_of_the_value(run: Bench) -> None:
    @asset
    def wrong() -> Output[int]:
        return Output("text")  # type: ignore[arg-type]

    @asset
    def nothing() -> MaterializeResult:
        return Output(3)  # type: ignore[return-value]

    @asset
    def nested() -> Any:
        return Output(Output(3))

    @asset
    def whatever() -> Output:  # type: ignore[type-arg]
        return Output(3)

    run(wrong, nothing, nested, whatever)
    assert "expected int, got str" in run.failure("wrong")
    assert "expected None, got int" in run.failure("nothing")
    assert "another one as its value" in run.failure("nested")
    assert run.told("whatever") == {"io": "project"}


def test_a_function_called_with_plain_values_returns_what_it_returns() -> None:
    @asset
    def orders(raw: int) -> Output[int]:
        return Output(raw, metadata={"x": 1})

    assert orders(3).value == 3


def test_an_output_is_a_plain_value() -> None:
    for each in (Output[int](3, metadata={"a": 1}, data_version="v"), MaterializeResult(metadata={"a": 1})):
        for same in (pickle.loads(pickle.dumps(each)), copy.copy(each)):
            assert (type(same), vars(same)) == (type(each), vars(each))
    with pytest.raises(TypeError):
        Output(3, {"a": 1})  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Output(3).value = 4  # type: ignore[misc]


def test_bad_metadata_fails_the_asset_before_its_value_is_kept(run: Bench) -> None:
    bad = False

    @asset
    def orders() -> Any:
        return Output(2 if bad else 1, metadata={"plot": object() if bad else 1})

    @asset
    def version() -> Any:
        return Output(1, data_version=1.5)  # type: ignore[arg-type]

    @asset
    def told(context: AssetContext) -> int:
        context.add_metadata(io="mine")
        return 1

    run(orders, version, told)
    assert "data_version of asset 'version' is a float" in run.failure("version")
    assert "'io' of asset 'told' has a name under which assetry itself writes" in run.failure("told")
    assert "test_output.py:" in run.failure("told")
    bad = True
    run.result = run.project.materialize("orders")
    assert "Metadata 'plot' of asset 'orders' is an object.\n  at " in run.failure("orders")
    assert run.project.load_value("orders") == 1
    assert run.told("orders")["plot"] == 1


def test_what_a_try_has_told_that_failed_is_not_kept(run: Bench) -> None:
    tries: list[int] = []

    @asset(retry_policy=2)
    def orders(context: AssetContext) -> int:
        tries.append(1)
        context.add_metadata(**{f"try_{len(tries)}": True}, tries=len(tries))
        if len(tries) < 2:
            raise RuntimeError("not yet")
        return 1

    assert run(orders).ok
    assert run.told("orders") == {"io": "project", "try_2": True, "tries": 2}


def test_secrets_are_masked_and_numbers_that_are_none_survive(run: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "s3cret-key")

    @asset
    def orders(context: AssetContext) -> Output[int]:
        key = context.secret("API_KEY")
        table = pd.DataFrame({"url": [f"https://x/?k={key}"]})
        told = {
            "page": Link(f"https://x/?k={key}"),
            "nested": {"a": [key]},
            "head": Preview(table),
            "loss": float("nan"),
        }
        return Output(1, metadata=told, data_version=f"of-{key}")

    run(orders)
    told = run.told("orders")
    assert "s3cret" not in str(told) + run.made("orders").data_version
    assert told["page"]["url"] == "https://x/?k=***"
    assert told["loss"] != told["loss"]


def test_a_check_tells_by_what_it_returns(run: Bench) -> None:
    @asset
    def orders() -> int:
        return 1

    @asset_check(asset=orders, severity="warn")
    def good(orders: int, context: AssetContext) -> CheckResult:
        context.add_metadata(a=1)
        return CheckResult(True)

    @asset_check(asset=orders)
    def better(orders: int) -> CheckResult:
        return CheckResult(True, metadata={"page": Link("https://x")})

    run(orders, good, better)
    checks = {name: each.event for (_, name, _), each in run.project.latest_checks().items()}
    assert "CheckResult(passed, message, {…})" in checks["good"].metadata["hint"]  # type: ignore[attr-defined]
    assert checks["better"].metadata["page"] == {"type": "link", "url": "https://x"}  # type: ignore[attr-defined]


# -- several assets ----------------------------------------------------------------------------------------------------


def test_each_of_several_assets_is_told_of(run: Bench) -> None:
    @multi_asset(assets=["ml/train", "ml/test"])
    def split(context: AssetContext) -> Any:
        context.add_metadata("train", share=0.8, by="chance")
        context.add_metadata("ml/test", share=0.2)
        return {"train": Output([1, 2], metadata={"share": 0.9}, data_version="t1"), "ml/test": [3]}

    result = run(split)
    assert (result.value("ml/train"), result.value("ml/test")) == ([1, 2], [3])
    assert run.told("ml/train") == {"io": "project", "share": 0.9, "by": "chance"}
    assert run.made("ml/train").data_version == "t1"
    assert run.told("ml/test") == {"io": "project", "share": 0.2}


@pytest.mark.parametrize("form", ["tuple", "generator"])
def test_one_that_cannot_be_kept_says_nothing_of_the_others(run: Bench, form: str) -> None:
    @multi_asset(assets=["train", "test"])
    def split() -> Any:
        return Output(1, metadata={"a": object()}), Output(2, metadata={"a": 1})

    @multi_asset(assets=["train", "test"])
    def one_by_one() -> Any:
        yield "train", Output(1, metadata={"a": object()})
        yield "test", Output(2, metadata={"a": 1})

    run(split if form == "tuple" else one_by_one)
    assert "'a' of asset 'train'" in run.failure("train")
    assert run.told("test") == {"io": "project", "a": 1}


def test_which_of_several_assets_is_meant_has_to_be_said(run: Bench) -> None:
    @multi_asset(assets=["train", "test"])
    def split(context: AssetContext) -> Any:
        context.add_metadata(share=1)
        return 1, 2

    @multi_asset(assets=["a", "b"])
    def other(context: AssetContext) -> Any:
        context.add_metadata("trian", share=1)
        return 1, 2

    @multi_asset(assets=["late", "later"])
    def yielding(context: AssetContext) -> Any:
        yield "late", 1
        context.add_metadata("late", share=1)
        yield "later", 2

    run(split, other, yielding)
    assert "does not say of which asset" in run.failure("train")
    assert "is of 'trian'" in run.failure("a")
    assert "asset 'late', which is kept already" in run.failure("later")


def test_metadata_in_a_mapping_is_told_how_to_be_written(run: Bench) -> None:
    @asset
    def orders(context: AssetContext) -> int:
        context.add_metadata({"mean": 2.5})  # type: ignore[arg-type]
        return 1

    @asset
    def named(context: AssetContext) -> int:
        context.add_metadata("named", **{"mean of all": 2.5}, key=1, partition="x")
        return 1

    run(orders, named)
    assert "was given a mapping" in run.failure("orders")
    assert run.told("named") == {"io": "project", "mean of all": 2.5, "key": 1, "partition": "x"}


def test_of_a_part_of_several_assets_what_is_not_made_is_not_told_of(run: Bench) -> None:
    @multi_asset(assets=["train", "test"], can_subset=True)
    def split(context: AssetContext) -> Any:
        for key in ("train", "test"):
            context.add_metadata(key, share=1)
        return dict.fromkeys(context.keys, 1)

    assert run(split, select="test").ok
    assert run.told("test") == {"io": "project", "share": 1}


# -- partitions --------------------------------------------------------------------------------------------------------


def test_each_partition_of_a_range_is_told_of(run: Bench) -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def sales(context: AssetContext) -> Any:
        context.add_metadata(of="all", n=0)
        context.add_metadata(None, "2026-01-03", n=3)
        first, second, third = context.partitions
        return {first: Output(1, metadata={"n": 1}, data_version="a"), second: 2, third: 3}

    assert run(sales, partition="all").ok
    assert [run.told("sales", day)["n"] for day in KEYS] == [1, 0, 3]
    assert run.made("sales", "2026-01-01").data_version == "a"
    assert run.told("sales", "2026-01-02")["of"] == "all"
    assert [run.project.load_value("sales", partition=day) for day in KEYS] == [1, 2, 3]


def test_a_table_of_a_range_is_told_of_as_a_whole(run: Bench) -> None:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sales(context: AssetContext) -> Output[pd.DataFrame]:
        return Output(pd.DataFrame({"day": context.partitions, "n": [1, 2, 3]}), metadata={"source": "the API"})

    assert run(sales, partition="all").ok
    told = run.told("sales", "2026-01-02")
    assert (told["source"], told["rows"]) == ("the API", 1)


def test_a_range_without_values_is_told_of_by_partition(run: Bench) -> None:
    lacking = False

    @asset(partitions_def=DAYS, partitions="range")
    def sales(context: AssetContext) -> Any:
        days = context.partitions[1:] if lacking else context.partitions
        return {day: MaterializeResult(metadata={"day": day}) for day in days}

    assert run(sales, partition="all").ok
    assert run.told("sales", "2026-01-02") == {"io": "none", "day": "2026-01-02"}
    lacking = True
    run.result = run.project.materialize("sales", partition="all")
    (message,) = {each.message for each in run.result.outcomes.values()}
    assert message is not None
    assert "of asset 'sales' lacks '2026-01-01'" in message


def test_a_partition_that_is_not_made_cannot_be_told_of(run: Bench) -> None:
    @asset(partitions_def=DAYS)
    def sales(context: AssetContext) -> int:
        context.add_metadata(None, "2026-01-09", n=1)
        return 1

    run(sales, partition="2026-01-02")
    assert "partition '2026-01-09', which is not being made" in run.failure("sales")


def test_one_partition_at_a_time_is_told_of(run: Bench) -> None:
    @asset(partitions_def=DAYS)
    def sales(partition: str) -> Output[str]:
        return Output(partition, metadata={"day": partition})

    assert run(sales, partition="all").ok
    assert [run.told("sales", day)["day"] for day in KEYS] == KEYS


def test_what_is_of_one_partition_goes_before_what_is_of_all(run: Bench) -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def sales(context: AssetContext) -> Any:
        first, second, third = context.partitions
        context.add_metadata(a="told", b="told", c="told", d="told")
        context.add_metadata(None, first, c="told of one", d="told of one")
        own = Output(1, metadata={"d": "returned of one"})
        return Output({first: own, second: 2, third: 3}, metadata={"b": "returned", "c": "returned"}, data_version="v")

    assert run(sales, partition="all").ok
    first, second = run.told("sales", KEYS[0]), run.told("sales", KEYS[1])
    assert [first[name] for name in "abcd"] == ["told", "returned", "told of one", "returned of one"]
    assert [second[name] for name in "abcd"] == ["told", "returned", "returned", "told"]
    assert {run.made("sales", day).data_version for day in KEYS} == {"v"}
