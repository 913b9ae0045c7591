"""Plugins are loaded one by one, isolated, routed and explained."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assetry.errors import ClaimError, IntegrationError, NoClaimError, PluginError
from assetry.hooks.manager import Candidate, PluginInfo, Plugins, load_plugins
from assetry.hooks.packages import PACKAGES, TABLES
from assetry.hooks.specs import hookimpl
from assetry.project.definitions import BUILT_IN
from assetry.python.plugin import PythonPlugin
from assetry.types.assets import Asset, AssetCheck, Check, Integration
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey

ACME = Integration("mill", "acme", {"tables": ["a", "b"]})


class Acme:
    """A plugin for one kind."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "acme":
            return None
        return [Asset(key=name, kind="acme", integration=integration) for name in integration.options["tables"]]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup(f"acme:{asset.key}")

    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str:
        return f"mill:{integration.name}"


def plugins(*local: Any) -> Plugins:
    return load_plugins({}, local, allowed=[])


def built_in() -> Plugins:
    loaders = {name: partial(import_module, module) for name, module in BUILT_IN.items()}
    return load_plugins({**loaders, "python": PythonPlugin}, allowed=[])


def test_hook_assetry_load_assets_is_a_claim() -> None:
    assert [asset.key for asset in plugins(Acme()).load_assets(ACME)] == ["a", "b"]


def test_hook_assetry_load_assets_may_give_checks_of_other_tools_assets() -> None:
    class Checking(Acme):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            return [AssetCheck(AssetKey("shop/orders"), Check("ok"), integration)] if integration == ACME else None

    assert plugins(Checking()).load_assets(ACME) == [AssetCheck(AssetKey("shop/orders"), Check("ok"), ACME)]


def test_two_claims_name_both_plugins() -> None:
    class Greedy:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            return []

    with pytest.raises(ClaimError, match=r"Acme.*Greedy"):
        plugins(Acme(), Greedy()).load_assets(ACME)


@pytest.mark.parametrize(
    ("ask", "near", "hint"),
    [
        (lambda: built_in().load_assets(Integration("t", "dbt")), (), "Try: pip install assetry-dbt"),
        (lambda: built_in().load_assets(Integration("t", "dtb")), ("dbt",), "knows python"),
        (lambda: built_in().open_io("duckdb:x"), (), "Try: pip install assetry-duckdb"),
        (lambda: built_in().open_io("postgres://x"), ("postgresql",), "Try: pip install assetry-postgres"),
        (lambda: built_in().open_io("parqet:x"), ("parquet",), "knows parquet, memory"),
        (lambda: built_in().open_store("sqlit:x"), ("sqlite",), "knows sqlite"),
        (lambda: built_in().open_executor("thread:3"), ("threads",), "knows threads, inline"),
        (lambda: built_in().open_io("tape:x"), (), "`assetry plugins` lists"),
    ],
)
def test_no_claim_says_what_was_meant_and_names_only_packages_that_exist(
    ask: Any, near: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(NoClaimError) as caught:
        ask()
    assert caught.value.near == near
    assert hint in (caught.value.hint or "")


def test_the_packages_that_hints_name_are_those_of_this_workspace() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    members = [*root.glob("integrations/*/pyproject.toml"), root / "automation" / "pyproject.toml"]
    names = {tomllib.loads(file.read_text())["project"]["name"] for file in members}
    assert {package for known in (*PACKAGES.values(), TABLES) for package in known.values()} == names


def test_routed_hooks_reach_only_the_claimant() -> None:
    class Other:
        @hookimpl
        def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
            raise AssertionError("not routed")

    found = plugins(Other(), Acme())
    asset = found.load_assets(ACME)[0]
    assert found.invocation_group(asset) == InvocationGroup("acme:a")
    assert found.io_url(ACME) == "mill:mill"


def test_assets_made_elsewhere_are_routed_by_their_kind() -> None:
    asset = Asset(key="x", kind="acme", integration=ACME)
    assert plugins(Acme()).invocation_group(asset) == InvocationGroup("acme:x")


def test_a_failing_hook_is_attributed_and_recorded() -> None:
    class Broken:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            raise RuntimeError("boom")

    found = plugins(Broken())
    with pytest.raises(PluginError, match=r"Broken: assetry_load_assets raised RuntimeError: boom") as caught:
        found.load_assets(ACME)
    assert "test_manager.py:" in (caught.value.where or "")
    assert "boom" in found.problems[0].message


def test_a_broken_plugin_does_not_spoil_the_others_answer() -> None:
    class Broken:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            raise RuntimeError("boom")

    found = plugins(Broken(), Acme())
    assert len(found.load_assets(ACME)) == 2
    assert [problem.plugin for problem in found.problems] == ["Broken"]


def test_an_integrations_own_error_passes_through() -> None:
    class Honest:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            raise IntegrationError("no manifest", hint="make one")

    with pytest.raises(IntegrationError, match="no manifest"):
        plugins(Honest()).load_assets(ACME)


def test_an_import_error_becomes_a_problem_and_the_rest_loads() -> None:
    found = plugins(Acme())

    def fail() -> Any:
        raise ImportError("No module named 'mill'")

    found.add(Candidate(PluginInfo("mill", "assetry-mill", "0.2", "assetry_mill.plugin"), fail))
    assert found.problems[0].plugin == "assetry-mill 0.2"
    assert "No module named 'mill'" in found.problems[0].message
    assert len(found.load_assets(ACME)) == 2


def test_misspelt_hooks_and_arguments_are_reported_with_the_near_name() -> None:
    class Misspelt:
        @hookimpl
        def assetry_load_asset(self, integration: Integration) -> Any:
            return None

    class Misargued:
        @hookimpl
        def assetry_io_url(self, integratoin: Integration) -> Any:
            return None

    class Unmarked:
        def assetry_io_url(self, integration: Integration) -> Any:
            return None

    messages = {problem.plugin: problem.message for problem in plugins(Misspelt(), Misargued(), Unmarked()).problems}
    assert "did you mean assetry_load_assets?" in messages["Misspelt"]
    assert "assetry_io_url takes integration" in messages["Misargued"]
    assert "not marked" in messages["Unmarked"]


def test_a_plugin_that_registers_only_half_answers_nothing() -> None:
    class Half:
        @hookimpl
        def assetry_io_url(self, wrong: Any) -> Any:
            return "half:"

        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            return []

    with pytest.raises(NoClaimError):
        plugins(Half()).load_assets(ACME)


def test_hook_assetry_value_metadata_first_answer_counts() -> None:
    class Facts:
        @hookimpl
        def assetry_value_metadata(self, value: Any) -> Any:
            return {"rows": len(value)} if isinstance(value, list) else None

    assert plugins(Facts()).value_metadata([1, 2]) == {"rows": 2}
    assert plugins(Facts()).value_metadata("x") == {}


def test_hook_assetry_selection_hint_first_answer_counts() -> None:
    class Told:
        @hookimpl
        def assetry_selection_hint(self, method: str, value: str) -> str | None:
            return f"not {value}" if method == "result" else None

    class Broken:
        @hookimpl
        def assetry_selection_hint(self, method: str) -> str | None:
            raise ValueError(method)

    found = plugins(Told(), Broken())
    assert found.selection_hint("result", "error") == "not error"
    assert found.selection_hint("tag", "x") is None
    assert {problem.plugin for problem in found.problems} == {"Broken"}


def test_hook_assetry_named_selections_is_routed_by_kind() -> None:
    class Acme:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            return [] if integration.kind == "acme" else None

        @hookimpl
        def assetry_named_selections(self, integration: Integration) -> Any:
            return {"nightly": "tag:nightly"} if integration.name == "shop" else None

    found = plugins(Acme())
    assert found.named_selections(Integration("shop", "acme")) == {"nightly": "tag:nightly"}
    assert found.named_selections(Integration("other", "acme")) == {}


def test_hook_assetry_panels_asks_everyone() -> None:
    class One:
        @hookimpl
        def assetry_panels(self, asset: Asset, context: PanelContext) -> Any:
            return [Panel(title=f"about {asset.key}")]

    class Broken:
        @hookimpl
        def assetry_panels(self, asset: Asset) -> Any:
            raise ValueError("no")

    found = plugins(Broken(), One())
    assert [panel.title for panel in found.panels(Asset(key="x", kind="acme"), PanelContext())] == ["about x"]
    assert found.problems[0].plugin == "Broken"


def test_hook_assetry_discover_and_assetry_add_commands_ask_everyone() -> None:
    class Finder:
        @hookimpl
        def assetry_discover(self, root: str) -> Any:
            return [ACME]

        @hookimpl
        def assetry_add_commands(self, commands: Any) -> None:
            commands.append("mill")

    found, commands = plugins(Finder(), Acme()), []
    found.add_commands(lambda name: commands if name == "Finder" else [])  # type: ignore[arg-type, return-value]
    assert found.discover("/x") == [ACME]
    assert commands == ["mill"]


def test_assetry_plugins_limits_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSETRY_PLUGINS", "")
    assert load_plugins({}).infos == ()
    monkeypatch.setenv("ASSETRY_PLUGINS", "dbt")
    assert [info.name for info in load_plugins({}).infos] == ["dbt"]
    monkeypatch.delenv("ASSETRY_PLUGINS")
    assert {"dbt", "duckdb", "postgres"} <= {info.name for info in load_plugins({}).infos}


def test_assetry_trace_prints_hook_calls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ASSETRY_TRACE", "1")
    plugins(Acme()).load_assets(ACME)
    assert "assetry_load_assets → Acme" in capsys.readouterr().err


def test_urls_that_nobody_opens_are_not_printed() -> None:
    with pytest.raises(NoClaimError) as caught:
        plugins().open_io("mysql://me:secret@host/db")
    assert "secret" not in str(caught.value)
    assert "mysql" in str(caught.value)


def test_implementations_may_take_fewer_arguments() -> None:
    plugin = SimpleNamespace(assetry_io_url=hookimpl(lambda: "x:"), assetry_load_assets=hookimpl(lambda: []))
    assert plugins(plugin).io_url(ACME) == "x:"
