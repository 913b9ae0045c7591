from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder
ASSET_KEYS = {
    "key",
    "kind",
    "integration",
    "group",
    "deps",
    "invocation_group",
    "description",
    "owners",
    "tags",
    "columns",
    "relation",
    "checks",
    "source",
    "executable",
}


def test_json_has_the_contracts_shape(shop: Folder) -> None:
    data = shop.json("list")
    assert [asset["key"] for asset in data["assets"]] == ["orders", "shop/total", "report"]
    for asset in data["assets"]:
        assert set(asset) >= ASSET_KEYS
    orders, total, report = data["assets"]
    assert orders["kind"] == "python"
    assert orders["integration"] == "python"
    assert orders["group"] == "raw"
    assert orders["owners"] == ["data@example.com"]
    assert orders["tags"] == ["daily"]
    assert orders["source"].startswith("shop_assets.py:")
    assert orders["executable"] is True
    assert orders["relation"] is None
    assert orders["invocation_group"] is None
    assert total["checks"] == ["is_positive"]
    assert report["deps"] == ["shop/total", "orders"]


def test_ndjson_has_one_asset_per_line(shop: Folder) -> None:
    assert [line["key"] for line in shop.ndjson("list")] == ["orders", "shop/total", "report"]


def test_text_is_grouped_and_aligned(shop: Folder) -> None:
    lines = shop.call("list").stdout.splitlines()
    assert lines[0] == "python: 3 assets"
    assert lines[1:] == [
        "  orders      asset  What was ordered.",
        "  report      asset  A report for people.",
        "  shop/total  asset  The sum of all orders.",
    ]


def test_quiet_lists_bare_keys_and_verbose_what_they_are_made_from(shop: Folder) -> None:
    assert shop.call("list", "-q").stdout.split() == ["orders", "shop/total", "report"]
    assert "    from shop/total, orders" in shop.call("list", "-v").stdout


def test_selection_before_and_after_the_command(shop: Folder) -> None:
    assert shop.call("-q", "list", "-s", "+total").stdout.split() == ["orders", "shop/total"]
    assert shop.call("-s", "+total", "list", "-q", "--exclude", "orders").stdout.split() == ["shop/total"]


def test_an_option_of_selection_takes_several_values_as_in_dbt(shop: Folder) -> None:
    assert shop.call("list", "--select", "orders", "report", "-q").stdout.split() == ["orders", "report"]
    assert shop.call("list", "-q", "--exclude", "orders", "report").stdout.split() == ["shop/total"]


def test_a_part_that_matches_nothing_is_told_on_stderr(shop: Folder) -> None:
    result = shop.call("list", "-q", "-s", "orders ordres")
    assert result.stdout.split() == ["orders"]
    assert result.stderr == ""  # -q
    assert "'ordres' matches nothing; did you mean 'orders'?" in shop.call("list", "-s", "orders ordres").stderr


def test_an_exclusion_that_matches_nothing_warns_and_names_it(shop: Folder) -> None:
    result = shop.call("list", "--exclude", "reprot", "total")
    assert "shop/total" not in result.stdout
    assert "warning: --exclude 'reprot' matches nothing; did you mean 'report'?" in result.stderr


def test_a_selection_of_nothing_exits_2_with_near_names(shop: Folder) -> None:
    result = shop.call("list", "-s", "ordres", code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "did you mean 'orders'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_empty_project_says_so(folder: Folder) -> None:
    assert "assetry init" in folder.call("list").stderr
    assert folder.json("list") == {"version": 1, "assets": []}


def test_long_descriptions_stay_within_the_terminal(shop: Folder) -> None:
    shop.write("shop_assets.py", f'from assetry import asset\n\n@asset\ndef a():\n    """{"words " * 40}"""\n')
    lines = shop.call("list", env={"COLUMNS": "80"}).stdout.splitlines()
    assert lines[1].endswith("…")
    assert max(map(len, lines)) <= 80


ODD = """
from assetry import DynamicPartitionsDefinition, asset

@asset(key="crm/all accounts", partitions_def=DynamicPartitionsDefinition())
def accounts(context) -> int:
    return 1

@asset(key="it's, `5\\"` $HOME+")
def discs() -> int:
    return 1
"""


def test_what_is_told_of_a_key_with_odd_signs_can_be_pasted_in_a_shell(shop: Folder) -> None:
    shop.write("shop_assets.py", ODD)
    keys = shop.call("list", "-q").stdout.splitlines()
    assert keys == ["crm/all accounts", """it's, `5"` $HOME+"""]
    for key, wrong in zip(keys, ("crm/all acounts", keys[1].replace("HOME", "HOEM")), strict=True):
        assert shop.call("list", "-q", "-s", key).stdout.splitlines() == [key]
        told = shop.call("list", "-s", f'"{wrong.replace(chr(34), 2 * chr(34))}"', code=2).stderr
        (near,) = shlex.split(re.findall("did you mean (.*)[?]", told)[0])
        assert shop.call("list", "-q", "-s", near).stdout.splitlines() == [key]
        told = shop.call("show", wrong, code=2).stderr
        (near,) = shlex.split(re.findall("did you mean (.*)[?]", told)[0])
        assert near == key
    told = shop.call("partitions", "add", keys[0], "x").stderr
    command = shlex.split(re.findall("`assetry (.*)`", told)[0])
    assert "1 asset: 1 made" in shop.call(*command).stdout
    told = shop.call("list", *keys, code=2).stderr
    command = shlex.split(re.findall("`assetry (.*)`", told)[0])
    assert shop.call(*command, "-q").stdout.splitlines() == keys
