from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.cli.runs.status import status_lines
from assetry.cli.text import shown
from assetry.status.reasons import Reason
from assetry.status.staleness import Status
from assetry.types.keys import AssetKey
from click import unstyle

if TYPE_CHECKING:
    from conftest import Folder


def test_json_has_the_contracts_shape(shop: Folder) -> None:
    data = shop.json("status")
    assert data["counts"] == {"never": 3}
    for asset in data["assets"]:
        assert set(asset) >= {"key", "status", "reasons", "last_materialized", "run"}
        assert asset["last_materialized"] is None
    shop.call("materialize", "-q")
    data = shop.json("status")
    assert data["counts"] == {"fresh": 3}
    assert data["assets"][0]["last_materialized"].endswith("+00:00")
    assert data["assets"][0]["run"]


def test_exit_code_tells_whether_something_is_stale(shop: Folder) -> None:
    shop.call("status", "--exit-code", code=4)
    shop.call("materialize", "-q")
    result = shop.call("status", "--exit-code")
    assert result.stdout == "3 assets: 3 fresh\n"
    assert result.stderr == ""


def test_a_change_stands_once_with_what_is_below_it(shop: Folder) -> None:
    shop.call("materialize", "-q")
    shop.write("shop_assets.py", (shop.root / "shop_assets.py").read_text().replace("[3, 1, 2]", "[3, 1, 2, 4]"))
    lines = shop.call("status").stdout.splitlines()
    assert lines[0] == "3 assets: 3 stale"
    assert lines[1].startswith("   stale  orders: ")
    assert "changed" in lines[1]
    assert lines[2] == "          and so are shop/total and report"


def test_a_failure_is_told_with_what_it_stopped(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    text = failing.call("status").stdout
    assert "failed  shop/total: the last attempt failed: " in text
    assert "no sum today" in text
    assert "1 fresh, 1 failed, 1 never made" in text


def test_checks_that_warned_are_told(shop: Folder) -> None:
    shop.write("shop_assets.py", WARNING)
    shop.call("materialize", "-q")
    assert "  warned  a: check few: too few" in shop.call("status").stdout.splitlines()
    assert shop.json("status")["assets"][0]["warnings"] == [{"check": "few", "message": "too few", "partition": None}]
    assert "warned" not in shop.call("status", "-s", "b").stdout
    shop.write("shop_assets.py", WARNING.replace("False", "True"))
    shop.call("materialize", "-q")
    assert "warned" not in shop.call("status").stdout


WARNING = """
from assetry import CheckResult, asset, asset_check

@asset
def a():
    return 1

@asset
def b():
    return 2

@asset_check(asset=a, severity="warn")
def few(x) -> CheckResult:
    return CheckResult(False, "too few")
"""


def test_an_asset_stands_in_one_line_with_all_that_is_its_own() -> None:
    key = AssetKey("a")
    own = (
        Reason("last_failed", key, "the last attempt failed: no\nmore"),
        Reason("code_changed", key, "its body changed"),
    )
    above = Reason("upstream_changed", AssetKey("raw"), "`raw` was made anew")
    told = [unstyle(shown(line)) for line in status_lines([Status(key, "failed", (*own, above))])]
    assert told[1:] == ["  failed  a: the last attempt failed: no; its body changed"]


def test_what_is_below_a_cause_is_told_by_its_own_status() -> None:
    root, key = AssetKey("a"), AssetKey("b")
    changed = Status(root, "stale", (Reason("code_changed", root, "its body changed"),))
    for word, line in (("stale", "          and so is b"), ("never", "          below it, never made: b")):
        below = Status(key, word, (Reason("upstream_changed", root, "`a` changed"),))  # type: ignore[arg-type]
        told = [unstyle(shown(each)) for each in status_lines([changed, below])]
        assert told[1:] == ["   stale  a: its body changed", line]


def test_selection_and_ndjson(shop: Folder) -> None:
    assert [line["key"] for line in shop.ndjson("status", "-s", "total+")] == ["shop/total", "report"]


def test_a_root_outside_the_selection_is_named_by_its_text() -> None:
    why = Reason("upstream_changed", AssetKey("raw"), "`raw` was made anew at noon")
    found = [Status(AssetKey("a"), "stale", (why,)), Status(AssetKey("b"), "stale", (why,))]
    assert [shown(line) for line in status_lines(found)] == [
        "2 assets: \x1b[33m2 stale\x1b[0m",
        "\x1b[33m   stale\x1b[0m  a and b: `raw` was made anew at noon",
    ]


def test_many_assets_of_one_cause_are_counted() -> None:
    never = [
        Status(AssetKey(f"a{i}"), "never", (Reason("never_materialized", AssetKey(f"a{i}"), "never materialized"),))
        for i in range(30)
    ]
    assert list(status_lines(never))[1].endswith("a0, a1, a2, a3 and 26 more: never materialized")
    assert "a29" in list(status_lines(never, None))[1]
