from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_counts_per_integration(shop: Folder) -> None:
    assert shop.call("check").stdout.splitlines()[-1] == "ok: 3 assets, 1 check in 1 integration"
    data = shop.json("check")
    assert data["ok"] is True
    assert data["file"] == "assetry.toml"
    assert data["integrations"] == [{"name": "python", "kind": "python", "assets": {"asset": 3}}]
    assert data["problems"] == []
    assert data["near_misses"] == []


def test_places_that_nothing_opens_exit_3_with_the_line_that_names_them(shop: Folder) -> None:
    shop.write("assetry.toml", 'modules = ["shop_assets"]\nstore = "sqlte:x.db"\n')
    result = shop.call("check", code=3)
    assert "no such place: No plugin keeps records at 'sqlte' URLs." in result.stdout
    assert "assetry.toml:2" in result.stdout
    (told,) = shop.json("check", code=3)["places"]
    assert told["near"] == ["sqlite"]


def test_what_plugins_find_wrong_in_their_own_tables_exits_3_with_near_names(shop: Folder) -> None:
    shop.write(
        "assetry.toml",
        """
        modules = ["shop_assets"]

        [automation]
        max_run = 2

        [notify.ops]
        kind = "slak"

        [openlineage]
        urll = "http://127.0.0.1:5000"
        """,
    )
    result = shop.call("check", code=3)
    for told in ("[automation] has no 'max_run'", "did you mean 'max_runs'?", "'slack'", "did you mean 'url'?"):
        assert told in result.stdout
    found = shop.json("check", code=3)["mistakes"]
    assert [each["where"].rpartition("/")[2].partition(":")[0] for each in found] == ["assetry.toml"] * 3


def test_definitions_that_do_not_load_exit_3(shop: Folder) -> None:
    shop.write("shop_assets.py", "from assetry import asset\n\n@asset\ndef a(nowhere): ...\n")
    result = shop.call("check", code=3)
    assert result.stderr.startswith("error: ")
    assert "nowhere" in result.stderr
    assert "shop_assets.py:" in result.stderr
    assert "Traceback" not in result.stderr


def test_verbose_adds_the_traceback(shop: Folder) -> None:
    shop.write("shop_assets.py", "from assetry import asset\n\n@asset\ndef a(nowhere): ...\n")
    assert "Traceback" in shop.call("check", "-v", code=3).stderr


def test_an_unknown_key_of_the_project_file_is_placed(shop: Folder) -> None:
    shop.write("assetry.toml", 'modles = ["shop_assets"]\n')
    result = shop.call("check", code=3)
    assert "assetry.toml:1" in result.stderr
    assert "'modules'" in result.stderr


def test_a_plugin_that_is_broken_exits_3(shop: Folder) -> None:
    shop.write(
        "assetry_plugins.py",
        """
        from assetry.plugin import hookimpl

        @hookimpl
        def assetry_load_asets(integration): ...
        """,
    )
    result = shop.call("check", code=3)
    assert "assetry_load_assets" in result.stdout
    assert "not ok" in result.stdout
    assert "warning: plugin assetry_plugins" in result.stderr
    assert shop.json("check", code=3)["problems"][0]["plugin"] == "assetry_plugins"


def test_near_misses_are_told(shop: Folder) -> None:
    shop.write(
        "assetry_plugins.py",
        """
        from assetry.plugin import Asset, hookimpl

        @hookimpl
        def assetry_load_assets(integration):
            if integration.kind != "acme":
                return None
            def make(key, **more):
                return Asset(key=key, kind="acme", integration=integration, **more)
            return [
                make("a/events", relation=("db", "one", "events")),
                make("b/events", relation=("db", "two", "events")),
                make("shop/events", executable=False, relation=(None, None, "events")),
                make("shop/files", executable=False),
                make("a/files", deps=["shop/files"]),
                make("shop/board", executable=False, consumer=True, relation=("db", "one", "board")),
                make("shop/tests", executable=False),
                make("shop/left_out", executable=False, fqn=("shop", "left_out"), relation=("db", "one", "left_out")),
            ]
        """,
    )
    shop.write("assetry.toml", 'modules = []\n[integrations.acme]\nkind = "acme"\n')
    data = shop.json("check")
    assert {miss["source"] for miss in data["near_misses"]} == {"shop/events"}
    assert data["made_elsewhere"] == ["shop/events", "shop/files"]
    assert data["used_by_none"] == ["shop/events"]
    text = shop.call("check").stdout
    assert "near miss:" in text
    assert "Made elsewhere: shop/events and shop/files." in text


def test_the_schema_for_editors_is_brought_up_to_date_where_the_file_names_it(folder: Folder) -> None:
    folder.call("init")
    schema = folder.root / ".assetry/assetry.schema.json"
    whole = schema.read_text()
    assert "assetry.schema.json" not in folder.call("check").stderr
    schema.write_text("{}")
    assert "assetry.schema.json is written anew" in folder.call("check").stderr
    assert schema.read_text() == whole
    folder.write("assetry.toml", 'modules = ["assets"]\n')
    schema.unlink()
    folder.call("check")
    assert not schema.exists()
