"""What integrations warn of their assets: each plugin is asked of its own, and one that fails spoils nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import load_plugins
from assetry.hooks.specs import hookimpl
from assetry.hooks.warnings import warnings_of
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.warnings import AssetWarning

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MILL, SHOP = Integration("mill", "mill"), Integration("shop", "shop")
GRAPH = AssetGraph.of(
    [
        Asset(key="flour", kind="mill", integration=MILL),
        Asset(key="bread", kind="shop", integration=SHOP, deps=["flour"]),
        Asset(key="cake", kind="mill", integration=MILL, deps=["flour"]),
        Asset(key="byhand", kind="x", integration=Integration("gone", "gone")),
        Asset(key="alone", kind="x"),
        Asset(key="rain", kind="x", executable=False),
        Asset(key="bill", kind="x", executable=False, consumer=True),
    ]
)


class Warner:
    def __init__(self, kind: str, answer: Any) -> None:
        self.kind = kind
        self.answer = answer
        self.asked: list[tuple[list[str], dict[str, list[str]], datetime]] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Iterable[Asset] | None:
        return [] if integration.kind == self.kind else None

    @hookimpl
    def assetry_warnings(
        self,
        assets: Sequence[Asset],
        readers: Mapping[AssetKey, Sequence[Asset]],
        elsewhere: Sequence[Asset],
        now: datetime,
    ) -> Any:
        self.elsewhere = [str(each.key) for each in elsewhere]
        names = {str(key): [str(each.key) for each in found] for key, found in readers.items()}
        self.asked.append(([str(each.key) for each in assets], names, now))
        return self.answer() if callable(self.answer) else self.answer

    @hookimpl
    def assetry_invocation_notes(self, invocation: Invocation) -> Any:
        return self.answer() if callable(self.answer) else self.answer


def warned(*warners: Warner, keys: list[AssetKey] | None = None) -> tuple[list[str], list[str]]:
    plugins = load_plugins({}, warners, allowed=[])
    found = [str(each) for each in warnings_of(GRAPH, plugins, keys, NOW)]
    return found, [each.message for each in plugins.problems]


def test_hook_assetry_warnings_is_asked_of_its_own_assets_with_all_that_read_them() -> None:
    old = AssetWarning(AssetKey("flour"), "is old", "Grind anew.")
    mill, shop = Warner("mill", [AssetWarning(AssetKey("cake"), "is dry"), old]), Warner("shop", None)
    assert warned(mill, shop) == (["flour is old. Grind anew.", "cake is dry."], [])
    assert mill.asked == [(["flour", "cake"], {"flour": ["bread", "cake"], "cake": []}, NOW)]
    assert [each[0] for each in shop.asked] == [["bread"]]
    assert mill.elsewhere == shop.elsewhere == ["rain"]
    assert warned(mill, shop, keys=[AssetKey("cake")])[0] == ["cake is dry."]


def test_what_is_warned_of_what_is_not_there_is_left_out() -> None:
    assert warned(Warner("mill", [AssetWarning(AssetKey("elsewhere"), "is old")]), Warner("shop", ())) == ([], [])


def test_a_plugin_that_fails_is_a_problem_and_no_more() -> None:
    def breaks() -> Any:
        yield AssetWarning(AssetKey("flour"), "is old")
        raise KeyError("boom")

    for answer in (breaks, lambda: 1 / 0, lambda: ["flour is old"], lambda: 3):
        dry = AssetWarning(AssetKey("bread"), "is dry")
        found, problems = warned(Warner("mill", answer), Warner("shop", [dry]))
        assert found == ["bread is dry."]
        assert len(problems) == 1
        assert "assetry_warnings" in problems[0]


def test_hook_assetry_invocation_notes_is_asked_where_a_plan_is_shown() -> None:
    invocation = Invocation(id="1", group=None, integration=MILL, assets=())
    plugins = load_plugins({}, [Warner("mill", ["it reads elsewhere"])], allowed=[])
    assert plugins.invocation_notes(invocation) == ("it reads elsewhere",)
    plugins = load_plugins({}, [Warner("mill", [1, "it reads elsewhere"])], allowed=[])
    assert plugins.invocation_notes(invocation) == ("it reads elsewhere",)
    assert len(plugins.problems) == 1
