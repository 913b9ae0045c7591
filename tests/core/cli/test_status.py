from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.cli.runs.status import status_lines
from assetry.status.staleness import Reason, Status
from assetry.types.keys import AssetKey

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


def test_selection_and_ndjson(shop: Folder) -> None:
    assert [line["key"] for line in shop.ndjson("status", "-s", "total+")] == ["shop/total", "report"]


def test_a_root_outside_the_selection_is_named_by_its_text() -> None:
    why = Reason("upstream_changed", AssetKey("raw"), "`raw` was made anew at noon")
    found = [Status(AssetKey("a"), "stale", (why,)), Status(AssetKey("b"), "stale", (why,))]
    assert list(status_lines(found)) == [
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
