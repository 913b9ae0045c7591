"""Secrets come from the environment or from one plugin, and never turn up in an error."""

from __future__ import annotations

from typing import Any

import pytest
from assetry.errors import ClaimError, PluginError, StoreError, UsageError
from assetry.hooks.manager import Plugins, load_plugins
from assetry.hooks.secrets import answering, read_secret
from assetry.hooks.specs import hookimpl
from assetry.types.assets import Asset, Integration
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.invocations import Invocation

MILL = Integration("mill", "mill")


class Vault:
    """A provider with some secrets."""

    def __init__(self, **held: Any) -> None:
        self.held = held
        self.asked: list[str] = []

    @hookimpl
    def assetry_secret(self, name: str) -> Any:
        self.asked.append(name)
        return self.held.get(name.replace("/", "_"))


class OtherVault(Vault):
    """A second provider."""


def plugins(*local: Any) -> Plugins:
    return load_plugins({}, local, allowed=[])


def test_hook_assetry_secret_is_a_claim() -> None:
    vault, other = Vault(shop_db="hunter2"), OtherVault(else_where="x")
    assert plugins(vault, other).secret("shop/db") == "hunter2"
    assert vault.asked == other.asked == ["shop/db"]


def test_the_environment_goes_first_and_no_plugin_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(TOKEN="of the vault")
    monkeypatch.setenv("TOKEN", "of the environment")
    assert plugins(vault).secret("TOKEN") == "of the environment"
    assert vault.asked == []
    monkeypatch.setenv("TOKEN", "")
    assert plugins(vault).secret("TOKEN") == "", "set, and empty"


def test_two_answers_name_both_plugins_and_no_value() -> None:
    with pytest.raises(ClaimError) as caught:
        plugins(Vault(TOKEN="hunter2"), OtherVault(TOKEN="hunter3")).secret("TOKEN")
    told = str(caught.value)
    assert "Two plugins claim the secret 'TOKEN'" in told
    assert "Vault" in told
    assert "OtherVault" in told
    assert "hunter" not in told


def test_without_an_answer_the_error_says_who_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_TOKEN", "t0ken")
    with pytest.raises(UsageError, match="The secret MILL_TOKN is not set") as caught:
        plugins(Vault()).secret("MILL_TOKN")
    assert caught.value.near == ("MILL_TOKEN",)
    assert caught.value.hint is not None
    assert "environment variable MILL_TOKN, or give it to Vault" in caught.value.hint
    with pytest.raises(UsageError) as alone:
        plugins().secret("MILL_TOKN")
    assert alone.value.hint == "Set the environment variable MILL_TOKN."


@pytest.mark.parametrize("answer", [7, b"hunter2", ["hunter2"], {"value": "hunter2"}])
def test_an_answer_that_is_no_text_is_told_as_that_plugins_without_it(answer: Any) -> None:
    found = plugins(Vault(TOKEN=answer))
    with pytest.raises(PluginError, match=f"assetry_secret of 'TOKEN' returned an? {type(answer).__name__}") as caught:
        found.secret("TOKEN")
    assert "Vault" in str(caught.value)
    assert "hunter2" not in str((caught.value, found.problems))


def test_a_provider_that_fails_is_told_unless_another_one_has_it() -> None:
    class Locked:
        @hookimpl
        def assetry_secret(self, name: str) -> str:
            raise ConnectionError("no route")

    with pytest.raises(PluginError, match=r"Locked: assetry_secret raised ConnectionError: no route"):
        plugins(Locked(), Vault()).secret("TOKEN")
    assert plugins(Locked(), Vault(TOKEN="hunter2")).secret("TOKEN") == "hunter2"

    class Sealed:
        @hookimpl
        def assetry_secret(self, name: str) -> str:
            raise StoreError("The vault is sealed.", hint="Unseal it.")

    with pytest.raises(StoreError, match="sealed"):
        plugins(Sealed()).secret("TOKEN")


def test_read_secret_in_a_hook_asks_the_plugins_and_outside_the_environment() -> None:
    class Mill:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            if integration.kind != "mill":
                return None
            read = read_secret("shop/db")
            return (Asset(key=f"{word}-{len(read_secret('shop/db'))}", kind="mill") for word in [f"of-{len(read)}"])

        @hookimpl
        def assetry_invocation_command(self, invocation: Invocation) -> str:
            return f"mill --password {read_secret('shop/db')}"

        @hookimpl
        def assetry_panels(self, asset: Asset, context: PanelContext) -> Any:
            return [Panel(title="Login", rows=(("password", read_secret("shop/db")),))]

    found = plugins(Mill(), Vault(shop_db="hunter2!"))
    assert [each.key for each in found.load_assets(MILL) if isinstance(each, Asset)] == ["of-8-8"]
    command = found.invocation_command(Invocation(id="1", group=None, integration=MILL, assets=()))
    assert command == "mill --password ***"
    assert found.panels(Asset(key="x", kind="mill"), PanelContext())[0].rows == (("password", "***"),)
    with pytest.raises(UsageError):
        read_secret("shop/db")


def test_what_was_handed_out_is_masked_from_then_on() -> None:
    found = plugins(Vault(shop_db="hunter2!", again="hunter3!"))
    assert found.secrets.mask("hunter2!") == "hunter2!"
    found.secret("shop/db")
    found.secret("again")
    assert found.secrets.mask("hunter2! hunter3!") == "*** ***"
    assert "hunter" not in repr(vars(found.secrets))


def test_what_is_asked_may_itself_look_into_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILL_TOKEN_OF_THE_TEST", "t0ken-t0ken")
    assert answering(read_secret, read_secret, "MILL_TOKEN_OF_THE_TEST") == "t0ken-t0ken"


def test_a_provider_that_needs_a_secret_that_is_not_set_is_asked_once() -> None:
    class Locked(Vault):
        @hookimpl
        def assetry_secret(self, name: str) -> Any:
            self.asked.append(name)
            return read_secret("VAULT_TOKEN_OF_THE_TEST") and self.held.get(name)

    vault = Locked(TOKEN="hunter2")
    with pytest.raises(UsageError, match="The secret VAULT_TOKEN_OF_THE_TEST is not set"):
        plugins(vault).secret("TOKEN")
    assert vault.asked == ["TOKEN", "VAULT_TOKEN_OF_THE_TEST"]


def test_a_secret_that_is_not_unicode_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_ENVIRONMENT", "caf\udce9")
    read = plugins(Vault(held="caf\udce9")).secret
    for name, ask in (("FROM_ENVIRONMENT", read), ("FROM_ENVIRONMENT", read_secret), ("held", read)):
        with pytest.raises(UsageError, match=f"The secret {name} is not text in UTF-8") as caught:
            ask(name)
        assert "caf" not in str(caught.value)
