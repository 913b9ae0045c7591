"""The context: what an invocation sees of its run, and no more."""

from __future__ import annotations

import pytest
from assetry.errors import UsageError, ValueStoreError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import load_plugins
from assetry.io.plugin import assetry_open_io
from assetry.io.values import ValueRouter
from assetry.run.context import Context, InvocationTask, RunFacts
from assetry.types.assets import Asset, Integration
from assetry.types.events import Event, Log
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.protocols import RunContext

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
    """Tell what a table comes to."""

    def aggregate(self, asset: Asset, function: str, column: str | None) -> object:
        return f"{function} of {column} of {asset.key}"


def test_what_a_table_comes_to_is_known_where_its_place_can_tell(context: Context) -> None:
    assert context.aggregate("shop/orders", "max", "at") is None
    facts = RunFacts("r", {}, ValueRouter(lambda _: Place(), "place:"), GRAPH.__getitem__)  # type: ignore[arg-type, return-value]
    asking = Context(facts, lambda _: None)
    assert asking.aggregate("shop/orders", "max", "at") == "max of at of shop/orders"
    assert asking.aggregate("shop/orders", "count") == "count of None of shop/orders"
