from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_it_runs_what_is_left(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    text = (failing.root / "shop_assets.py").read_text()
    failing.write("shop_assets.py", text.replace('raise ValueError("no sum today")', "return sum(orders)"))
    data = failing.json("retry")
    assert {asset["key"] for asset in data["assets"]} == {"shop/total", "report"}
    assert "retry of" in failing.call("runs").stdout
    assert failing.call("retry").stdout.startswith("Nothing is left of run ")


def test_what_was_mended_above_what_is_left_is_named(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    assert "changed since" not in failing.call("retry", code=1).stderr
    text = (failing.root / "shop_assets.py").read_text()
    failing.write("shop_assets.py", text.replace("return [3, 1, 2]", "return [3, 1, 4]"))
    told = failing.call("retry", code=1).stderr
    assert "orders changed since and is not made again by a retry: `assetry materialize --stale" in told


def test_a_run_may_be_named_by_its_beginning(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    failing.call("retry", run[:-2], "-q", code=1)
    assert failing.json("runs")["runs"][0]["options"]["retry_of"] == run


def test_without_a_run_it_says_so(shop: Folder) -> None:
    assert "There is no run yet." in shop.call("retry", code=2).stderr
    assert "There is no run 'abc'." in shop.call("retry", "abc", code=2).stderr
