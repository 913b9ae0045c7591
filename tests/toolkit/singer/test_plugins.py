"""Definitions of taps and targets: what inherits, what is laid over, what sets a setting, and what is a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.singer.plugins import Plugin, check_definition, plugins_of
from hypothesis import given
from hypothesis import strategies as st

SETTINGS = [
    {"name": "key", "aliases": ["api_key"], "sensitive": True, "env": "SHOP_KEY"},
    {"name": "list", "sensitive": True, "kind": "array"},
    {"name": "pin", "kind": "password"},
    {"name": "days", "value": 7},
    {"name": "auth.user"},
]


def plugin(**definition: Any) -> Plugin:
    return Plugin("tap-shop", "tap-shop", {"settings": SETTINGS, **definition})


@pytest.mark.parametrize(
    ("config", "variables", "value"),
    [
        ({}, {}, 7),
        ({"days": 3}, {}, 3),
        ({"days": "$DAYS"}, {"DAYS": "2"}, "2"),
        ({"days": "$DAYS"}, {}, None),
        ({"days": 3}, {"TAP_SHOP_DAYS": "1"}, "1"),
        ({"days": 3}, {"SHOP_DAYS": "1"}, "1"),
        ({"days": 3}, {"SHOP_DAYS": "1", "TAP_SHOP_DAYS": "0"}, "0"),
        ({"days": False}, {}, False),
    ],
)
def test_what_sets_a_setting(config: dict[str, Any], variables: dict[str, str], value: Any) -> None:
    assert plugin(config=config, namespace="shop").setting("days", variables) == value


@pytest.mark.parametrize("config", [{"auth": {"user": "bob"}}, {"auth.user": "bob"}, {"auth.user": "bob", "auth": 3}])
def test_a_name_with_dots_leads_into_mappings(config: dict[str, Any]) -> None:
    assert plugin(config=config).setting("auth.user", {}) == "bob"
    assert plugin(config=config).setting("auth.name", {}) is None


def test_what_stands_beside_the_settings_is_one_too() -> None:
    shop = plugin(load_schema="$WHERE")
    assert shop.setting("_load_schema", {"WHERE": "raw"}) == "raw"
    assert shop.setting("_load_schema", {"TAP_SHOP__LOAD_SCHEMA": "mine"}) == "mine"


SECRET = st.text("abc123", min_size=1)


@given(
    where=st.sampled_from(["name", "alias", "variable", "alias's variable", "known as", "list", "list in a variable"]),
    text=SECRET,
)
def test_a_secret_is_found_wherever_it_is_set(where: str, text: str) -> None:
    config: dict[str, Any] = {}
    variables: dict[str, str] = {}
    if where in ("name", "alias"):
        config["key" if where == "name" else "api_key"] = text
    elif where == "list":
        config["list"] = {"any": [text, None, True]}
    elif where == "list in a variable":
        variables["TAP_SHOP_LIST"] = f'["{text}"]'
    else:
        names = {"variable": "TAP_SHOP_KEY", "alias's variable": "TAP_SHOP_API_KEY", "known as": "SHOP_KEY"}
        variables[names[where]] = text
    assert [*plugin(config=config).secrets(variables)] == [text]


def test_numbers_are_secrets_and_what_is_not_sensitive_is_none() -> None:
    shop = plugin(config={"pin": 77712345, "days": 3}, env={"OWN": "x"})
    assert [*shop.secrets({})] == ["77712345"]
    assert [*plugin(config={"pin": "$OWN"}, env={"OWN": "$OUTER-own"}).secrets({"OUTER": "an"})] == ["an-own"]


def test_plugins_inherit_setting_by_setting_and_what_is_over_them_has_the_last_word() -> None:
    own: dict[str, Any] = {
        "tap-a": {"inherit_from": "tap-shop", "variant": "mine", "config": {"days": 1, "auth": {"user": "bob"}}},
        "tap-b": {"inherit_from": "tap-a", "config": {"auth": {"key": "k"}}, "select": ["x.*"]},
        "tap-c": {"inherit_from": "tap-b", "env": {"X": "1"}},
    }
    over = {"tap-a": {"config": {"days": 2}, "env": {"Y": "2"}}}
    asked = []

    def published(name: str, variant: str | None) -> dict[str, Any]:
        asked.append((name, variant))
        return {"namespace": "shop", "settings": [{"name": "days", "value": 9}], "config": {"days": 0}}

    found = plugins_of(own, over, published, {"tap-c": ["mill.yml:7", "mill.yml:2"]})
    tap = found["tap-c"]
    assert set(asked) == {("tap-shop", "mine")}
    assert (tap.base, tap.namespace, tap.source) == ("tap-shop", "shop", "mill.yml:7")
    assert tap.places == ["mill.yml:7", "mill.yml:2"]
    assert tap.config == {"days": 2, "auth": {"user": "bob", "key": "k"}}
    assert (tap.definition["select"], tap.definition["env"]) == (["x.*"], {"Y": "2", "X": "1"})


def test_plugins_that_inherit_from_each_other_are_read_all_the_same() -> None:
    own = {"tap-a": {"inherit_from": "tap-b"}, "tap-b": {"inherit_from": "tap-a", "config": {"days": 1}}}
    found = plugins_of(own, {}, lambda *_: {}, {})
    assert found["tap-a"].config == {"days": 1}


def test_what_decides_what_it_does_has_no_words_for_people() -> None:
    shop = plugin(label="The shop", select=["x.*"], config={"days": 1})
    assert shop.essence == plugin(config={"days": 1}).essence
    assert shop.essence != plugin(config={"days": 2}).essence
    more = [*SETTINGS, {"name": "later"}]
    assert plugin(settings=more).essence == plugin().essence, "a setting without a default changes nothing"


def test_one_of_which_no_capability_is_told_has_all() -> None:
    assert plugin().can("discover")
    assert not plugin(capabilities=["state"]).can("discover")


@pytest.mark.parametrize(
    ("name", "definition", "message"),
    [
        ("tap", {"config": ["s"]}, "config is no mapping"),
        ("tap", {"env": 3}, "env is no mapping"),
        ("tap", {"settings": 7}, "settings is no list: 7"),
        ("tap", {"capabilities": True}, "capabilities is no list: True"),
        ("tap/x", {}, "'tap/x' is no name of a plugin"),
        ("tap", {"inherit_from": "/tap"}, "'/tap' is no name of a plugin"),
    ],
)
def test_what_has_another_shape_is_refused(name: str, definition: dict[str, Any], message: str) -> None:
    with pytest.raises(IntegrationError, match=message) as told:
        check_definition(name, definition, "mill.yml:3")
    assert told.value.where == "mill.yml:3"


def test_one_that_is_not_installed_is_known_by_its_files(tmp_path: Path) -> None:
    own = {
        "tap": {"pip_url": "shop"},
        "tap-eu": {"inherit_from": "tap", "pip_url": "other"},
        "tap-de": {"inherit_from": "tap-eu", "executable": "tap-x"},
        "hub-tap": {"inherit_from": "tap-hub", "pip_url": "hub"},
        "file": {"executable": "./tap.py"},
        "bare": {"executable": "tap-bare"},
        "variable": {"executable": "$TAP"},
        "nothing": {},
    }
    found = plugins_of(own, {}, lambda name, variant: {}, {})

    def told() -> dict[str, str | None]:
        how = (tmp_path, tmp_path / ".mill", str(tmp_path / "bin"), "mill install")
        return {name: each.absent("loaders", *how) for name, each in found.items()}

    assert told() == {
        **{name: f"loader {name} is not installed (mill install)" for name in ("tap", "tap-eu", "tap-de", "hub-tap")},
        "file": f"tap.py, the executable of loader file, is not in {tmp_path}",
        "bare": "tap-bare, the executable of loader bare, is not on PATH",
        **{"variable": None, "nothing": None},
    }
    files = ["tap/venv/bin/tap", "tap-eu/venv/bin/tap-x", "tap-hub/venv/bin/tap-hub"]
    for each in (*(Path(".mill", "loaders", file) for file in files), Path("tap.py"), Path("bin/tap-bare")):
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).touch(0o755)
    assert set(told().values()) == {None}
    (tmp_path / "tap.py").chmod(0o644)
    assert told()["file"] == f"tap.py, the executable of loader file, may not be executed (chmod +x {tmp_path}/tap.py)"
    (tmp_path / "tap.py").chmod(0o755)
    (tmp_path / ".mill/loaders/tap-eu/venv/bin/tap-x").unlink()
    assert [name for name, each in told().items() if each] == ["tap-de"]


def test_a_version_that_loses_rows_is_known_by_its_files(tmp_path: Path) -> None:
    own = {"target-duckdb": {"pip_url": "target-duckdb"}, "lake": {"inherit_from": "target-duckdb"}, "other": {}}
    found = plugins_of(own, {}, lambda name, variant: {}, {})
    site = tmp_path / "loaders" / "target-duckdb" / "venv" / "lib" / "python3.11" / "site-packages"

    def told() -> list[str]:
        return [name for name, each in found.items() if each.known_fault("loaders", tmp_path)]

    (site / "target_duckdb-0.8.1.dist-info").mkdir(parents=True)
    assert told() == []
    lossy = site / "target_duckdb-0.8.0.dist-info"
    lossy.mkdir()
    assert told() == ["target-duckdb", "lake"]
    assert str(found["lake"].known_fault("loaders", tmp_path)).startswith("target-duckdb 0.8.0 may lose the first row")
    (lossy / "direct_url.json").touch()
    assert told() == [], "one that is not of a registry may be mended"
