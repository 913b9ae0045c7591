from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_json_tells_name_source_hooks_and_problems(shop: Folder) -> None:
    found = {plugin["name"]: plugin for plugin in shop.json("plugins")["plugins"]}
    assert found["store"]["source"] == "built in"
    assert found["store"]["hooks"] == ["assetry_open_store"]
    assert found["store"]["problems"] == []
    assert found.keys() >= {"python", "io", "executors"}


def test_a_local_plugin_and_what_is_wrong_with_it(shop: Folder) -> None:
    shop.write("assetry_plugins.py", "def assetry_event(event, run): ...\n")
    text = shop.call("plugins").stdout
    assert "assetry_plugins" in text
    assert "broken: assetry_event is not marked with @hookimpl" in text
    assert "Correct it in the project." in text


def test_installed_plugins_can_be_left_out(shop: Folder) -> None:
    names = {plugin["name"] for plugin in shop.json("plugins")["plugins"]}
    limited = shop.call("plugins", "--output", "ndjson", env={"ASSETRY_PLUGINS": ""}).stdout
    assert len(limited.splitlines()) <= len(names)
    assert '"entry' not in limited
    assert all('"source": "built in"' in line for line in limited.splitlines())
