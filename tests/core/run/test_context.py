"""The context: what an invocation sees of its run, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from assetry.errors import NothingKeptError, UsageError, ValueStoreError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import load_plugins
from assetry.hooks.specs import hookimpl
from assetry.io.plugin import assetry_open_io
from assetry.io.values import ValueRouter
from assetry.run.context import Context, InvocationTask, RunFacts
from assetry.types.assets import Asset, Column, Integration
from assetry.types.contexts import RunContext
from assetry.types.events import Event, Log, Materialized, Started
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey

GRAPH = AssetGraph.of([Asset(key="shop/orders", kind="python")])


@pytest.fixture
def said() -> list[Event]:
    return []


@pytest.fixture
def context(said: list[Event]) -> Context:
    facts = RunFacts("r", {"full_refresh": True}, ValueRouter(assetry_open_io, "memory:"), GRAPH.__getitem__)
    return Context(facts, said.append, resume="job-7")


def test_it_is_what_plugins_are_promised(context: Context) -> None:
    promised = {name for name in vars(RunContext) if not name.startswith("_")} | set(RunContext.__annotations__)
    assert len(promised) <= 11
    assert all(hasattr(context, name) for name in promised)
    assert (context.run_id, context.options, context.resume) == ("r", {"full_refresh": True}, "job-7")
    assert context.deadline is None


def test_values_by_key(context: Context) -> None:
    saved = context.save(AssetKey("shop/orders"), [1, 2])
    assert saved.data_version is not None
    assert context.load("shop/orders") == [1, 2]
    with pytest.raises(UsageError) as caught:
        context.load("shop/order")
    assert caught.value.near == ("shop/orders",)


def test_a_value_that_was_never_made(context: Context) -> None:
    with pytest.raises(ValueStoreError, match="There is no value"):
        context.load("shop/orders")


def test_secrets_come_from_the_environment(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    assert context.secret("SHOP_TOKEN") == "s3cret"
    with pytest.raises(UsageError, match="SHOP_TOKN is not set") as caught:
        context.secret("SHOP_TOKN")
    assert caught.value.near == ("SHOP_TOKEN",)
    assert "s3cret" not in str(caught.value)


def test_a_word_in_the_log_is_told_at_once(context: Context, said: list[Event]) -> None:
    context.log("hello")
    context.log("oh", "warning")
    assert said == [Log("hello"), Log("oh", "warning")]


def test_stopping_a_task_is_seen_by_its_tool(context: Context) -> None:
    class Mill:
        from assetry.plugin import hookimpl

        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
            return [] if integration.kind == "mill" else None

        @hookimpl
        def assetry_invoke(self, invocation: Invocation, context: RunContext) -> object:
            yield Log(f"{invocation.id} {context.cancelled}")
            yield Log(f"{invocation.id} {context.cancelled}")

    invocation = Invocation(id="1", group=None, integration=Integration("m", "mill"), assets=())
    task = InvocationTask(invocation, load_plugins({}, [Mill()], allowed=[]), context)
    stream = task.stream()
    assert next(stream) == Log("1 False")
    task.stop()
    assert next(stream) == Log("1 True")


class Place:
    """Tell what a table comes to, and which columns it has."""

    def __init__(self, wrong: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.wrong = wrong

    @contextmanager
    def columns(self) -> Iterator[Any]:
        self.asked.append("open")
        yield self._columns
        self.asked.append("close")

    def _columns(self, asset: Asset) -> list[Column]:
        self.asked.append(str(asset.key))
        if self.wrong is not None:
            raise self.wrong
        return [Column("id", "BIGINT")]

    def aggregate(self, asset: Asset, function: str, column: str | None) -> object:
        return f"{function} of {column} of {asset.key}"


def test_what_a_table_comes_to_is_known_where_its_place_can_tell(context: Context) -> None:
    assert context.aggregate("shop/orders", "max", "at") is None
    facts = RunFacts("r", {}, ValueRouter(lambda _: Place(), "place:"), GRAPH.__getitem__)  # type: ignore[arg-type, return-value]
    asking = Context(facts, lambda _: None)
    assert asking.aggregate("shop/orders", "max", "at") == "max of at of shop/orders"
    assert asking.aggregate("shop/orders", "count") == "count of None of shop/orders"


@pytest.mark.parametrize("made", [None, {"rows": 7}])
def test_a_table_that_is_not_there_comes_with_what_was_recorded_of_it(made: Any) -> None:
    class Empty(Place):
        def aggregate(self, asset: Asset, function: str, column: str | None) -> object:
            raise NothingKeptError(f"No {asset.key}.")

    def recorded(key: AssetKey, partitions: Sequence[str | None]) -> dict[str | None, Any]:
        return {} if made is None else {each: {**made, "key": key} for each in partitions}

    values = ValueRouter(lambda _: Empty(), "place:", last_metadata=recorded)  # type: ignore[arg-type, return-value]
    asking = Context(RunFacts("r", {}, values, GRAPH.__getitem__), lambda _: None)
    with pytest.raises(NothingKeptError) as found:
        asking.aggregate("shop/orders", "count")
    assert found.value.made == (None if made is None else {**made, "key": "shop/orders"})


class Weaver:
    """Make two tables, a view that tells its columns itself, and what is no table."""

    def __init__(self, holds: tuple[str, ...] = ()) -> None:
        self.holds = holds
        self.closed = False

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
        return [] if integration.kind == "loom" else None

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("loom", holds=self.holds)

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str:
        return "place:"

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        try:
            yield Started("one")
            yield Materialized("one")
            yield Materialized("two")
            yield Materialized("told", columns=[Column("own")])
            yield Materialized("nowhere")
        finally:
            self.closed = True


LOOM = Integration("loom", "loom")


def woven(weaver: Weaver, place: Any) -> InvocationTask:
    assets = [
        Asset(key=name, kind="loom", integration=LOOM, relation=None if name == "nowhere" else ("db", "main", name))
        for name in ("one", "two", "told", "nowhere")
    ]
    plugins = load_plugins({}, [weaver], allowed=[])
    values = ValueRouter(lambda _: place, "place:", io_url=plugins.io_url)
    facts = RunFacts("r", {}, values, GRAPH.__getitem__)
    invocation = Invocation(id="1", group=None, integration=LOOM, assets=tuple(assets))
    return InvocationTask(invocation, plugins, Context(facts, lambda _: None), values)


def columns_told(task: InvocationTask) -> dict[str, Any]:
    return {str(each.key): each.columns for each in task.stream() if isinstance(each, Materialized)}


def test_what_a_tool_made_is_told_with_the_columns_that_its_place_has() -> None:
    place, weaver = Place(), Weaver()
    read = (Column("id", "BIGINT"),)
    assert columns_told(woven(weaver, place)) == {"one": read, "two": read, "told": (Column("own"),), "nowhere": None}
    assert place.asked == ["open", "one", "two", "close"]
    assert weaver.closed


@pytest.mark.parametrize("place", [object(), Place(ValueStoreError("no")), Place(KeyError("odd"))])
def test_a_place_that_cannot_tell_them_spoils_nothing(place: Any) -> None:
    assert set(columns_told(woven(Weaver(), place)).values()) == {None, (Column("own"),)}


def test_what_a_tool_holds_is_not_asked() -> None:
    place = Place()
    assert columns_told(woven(Weaver(holds=("place:",)), place))["one"] is None
    assert place.asked == []


def test_closing_the_stream_closes_the_tool_and_the_place() -> None:
    place, weaver = Place(), Weaver()
    stream = woven(weaver, place).stream()
    assert [type(next(stream)) for _ in range(2)] == [Started, Materialized]
    stream.close()  # type: ignore[attr-defined]
    assert weaver.closed
    assert place.asked == ["open", "one", "close"]
