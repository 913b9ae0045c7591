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


MILL = """
from assetry.plugin import SECRET, TEXTS, hookimpl, one_of

ASSETRY_KINDS = {
    "mill": {
        "tables": TEXTS.needed("The tables that the mill makes."),
        "mode": one_of("append", "replace").about("How rows are added.", default="append"),
        "token": SECRET.about("What the mill is asked with."),
    }
}
ASSETRY_SCHEMES = {"io": ("shelf",)}

@hookimpl
def assetry_load_assets(integration):
    return []

@hookimpl
def assetry_open_io(url):
    raise AssertionError
"""


def test_kinds_and_schemes_are_listed_and_options_where_they_are_asked_for(shop: Folder) -> None:
    shop.write("assetry_plugins.py", MILL)
    brief = shop.call("plugins").stdout
    assert "loads mill" in brief
    assert "opens shelf: (io)" in brief
    assert "opens sqlite: (store)" in brief
    assert "How rows" not in brief
    for arguments in (["assetry_plugins"], ["mill"], ["-v"]):
        text = " ".join(shop.call("plugins", *arguments).stdout.split())
        assert 'options of kind = "mill" tables The tables that the mill makes. (text or a list of texts; must' in text
        assert "mode How rows are added. ('append' or 'replace'; append unless given)" in text
        assert ("sqlite" in text) == (arguments == ["-v"])


def test_json_has_the_options_of_each_kind(shop: Folder) -> None:
    shop.write("assetry_plugins.py", MILL)
    (found,) = shop.json("plugins", "mill")["plugins"]
    assert found["schemes"] == {"io": ["shelf"]}
    assert found["kinds"]["mill"]["mode"] == {
        **{"type": "'append' or 'replace'", "help": "How rows are added.", "required": False, "default": "append"},
        **{"choices": ["append", "replace"], "secret": False, "in_python": False},
    }
    assert found["kinds"]["mill"]["tables"]["required"]
    assert found["kinds"]["mill"]["token"]["secret"]


def test_a_plugin_that_is_not_there_is_told_with_the_near_ones(shop: Folder) -> None:
    shop.write("assetry_plugins.py", MILL)
    said = shop.call("plugins", "mil", code=2).stderr
    assert "There is no plugin 'mil'" in said
    assert "did you mean 'mill'?" in said


def test_a_declaration_that_is_wrong_is_a_problem_of_its_plugin(shop: Folder) -> None:
    shop.write("assetry_plugins.py", MILL.replace('TEXTS.needed("The tables that the mill makes.")', '"text"'))
    text = shop.call("plugins").stdout
    assert "broken: ASSETRY_KINDS: option 'tables' of 'mill' is a str instead of an OptionType" in text
    assert "Correct it in the project." in text


def test_a_local_plugin_and_what_is_wrong_with_it(shop: Folder) -> None:
    shop.write("assetry_plugins.py", "def assetry_event(event, run): ...\n")
    text = shop.call("plugins").stdout
    assert "assetry_plugins" in text
    assert "broken: assetry_event is not marked with @hookimpl" in text
    assert "Correct it in the project." in text


def test_a_plugin_that_raises_when_it_hears_of_a_run_is_warned_of_once_and_the_run_is_made(shop: Folder) -> None:
    listens = "def assetry_event(event): raise ValueError('no such table')\n"
    shop.write("assetry_plugins.py", f"from assetry.plugin import hookimpl\n@hookimpl\n{listens}")
    said = shop.call("materialize").stderr
    assert said.count("warning: plugin assetry_plugins: assetry_event: ValueError: no such table") == 1
    assert "assetry_event" not in shop.call("status").stderr


def test_installed_plugins_can_be_left_out(shop: Folder) -> None:
    names = {plugin["name"] for plugin in shop.json("plugins")["plugins"]}
    limited = shop.call("plugins", "--output", "ndjson", env={"ASSETRY_PLUGINS": ""}).stdout
    assert len(limited.splitlines()) <= len(names)
    assert '"entry' not in limited
    assert all('"source": "built in"' in line for line in limited.splitlines())
