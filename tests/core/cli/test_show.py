from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_text_tells_all_of_an_asset(shop: Folder) -> None:
    shop.call("materialize", "-q")
    text = shop.call("show", "total").stdout
    for part in ("shop/total", "The sum of all orders.", "shop_assets.py:", "fresh", "Made from", "orders", "Used by"):
        assert part in text
    assert "report" in text
    assert "is_positive" in text
    assert "last made" in text


KINDS = """
from datetime import timedelta
from assetry import CheckResult, Column, asset, asset_check

@asset(metadata={"dashboard": "https://example.com/1"}, freshness_policy=timedelta(hours=6), retry_policy=2,
       automation="overdue", schema=[Column("id", "bigint", "The number.")])
def orders():
    import pandas
    return pandas.DataFrame({"id": [1], "found": ["x"]})

@asset_check(asset=orders)
def good(x) -> bool:
    return True

@asset_check(asset=orders, severity="warn")
def few(x) -> CheckResult:
    return CheckResult(False, "too few", {"rows": 1})

@asset_check(asset=orders)
def bad(x) -> CheckResult:
    return CheckResult(False, "all wrong")
"""


def test_outcomes_of_checks_policies_metadata_and_columns_that_are_not_declared(shop: Folder) -> None:
    shop.write("shop_assets.py", KINDS)
    assert shop.call("show", "orders").stdout.count("not run yet") == 3
    assert shop.json("show", "orders")["asset"]["checks"][0]["last"] is None
    shop.call("materialize", "-q", code=1)
    lines = [" ".join(line.split()) for line in shop.call("show", "orders").stdout.splitlines()]
    for line in (
        "good error passed just now",
        "few warn warned just now: too few",
        "bad error failed just now: all wrong",
        "freshness at most 6 hours old",
        "retries up to 2",
        "automation lazy",
        "dashboard https://example.com/1",
        "id bigint The number.",
    ):
        assert line in lines
    assert any(line.startswith("found ") and line.endswith(" not declared") for line in lines)
    last = {each["name"]: each["last"] for each in shop.json("show", "orders")["asset"]["checks"]}
    assert (last["good"]["passed"], last["few"]["passed"], last["few"]["metadata"]) == (True, False, {"rows": 1})


def test_a_selection_of_one_asset_names_it(shop: Folder) -> None:
    assert shop.json("show", "key:shop/total")["asset"]["key"] == "shop/total"
    refused = shop.call("show", "kind:python", code=2)
    assert "'kind:python' means 3 assets, orders, shop/total and report." in refused.stderr


def test_a_label_stands_apart_from_its_value(shop: Folder) -> None:
    shop.write("assetry_plugins.py", FACETS.replace("facets=facets", "aliases=['raw/events']"))
    shop.write("assetry.toml", 'modules = []\n[integrations.acme]\nkind = "acme"\n')
    assert "  also known as  raw/events\n" in shop.call("show", "events").stdout


def test_code_parts_are_shown_on_request(shop: Folder) -> None:
    assert "Code\n" not in shop.call("show", "total").stdout
    assert "Code\n" in shop.call("show", "total", "-v").stdout


def test_json_before_and_after_a_run(shop: Folder) -> None:
    before = shop.json("show", "shop/total")["asset"]
    assert before["status"] == "never"
    assert before["reasons"][0]["code"] == "never_materialized"
    assert before["last_materialization"] is None
    shop.call("materialize", "-q")
    after = shop.json("show", "total")["asset"]
    assert after["status"] == "fresh"
    assert after["consumers"] == ["report"]
    assert after["deps"] == ["orders"]
    assert after["last_materialization"]["inputs"].keys() == {"orders"}
    assert after["checks"][0]["name"] == "is_positive"
    assert after["last_attempt"]["outcome"] == "materialized"


def test_panels_of_plugins_are_shown(shop: Folder) -> None:
    shop.write(
        "assetry_plugins.py",
        """
        from assetry.plugin import Panel, hookimpl

        @hookimpl
        def assetry_panels(asset, context):
            state = context.attempt.outcome if context.attempt else "untried"
            return [Panel(title="Advice", markdown=f"{asset.key} is {state}", columns=("a", "b"), rows=((1, 2),),
                          links={"manual": "https://example.com/manual"})]
        """,
    )
    text = shop.call("show", "orders").stdout
    assert "Advice" in text
    assert "orders is untried" in text
    assert "https://example.com/manual" in text
    assert shop.json("show", "orders")["asset"]["panels"][0]["rows"] == [[1, 2]]


def test_what_a_panel_tells_is_told_there_alone(shop: Folder) -> None:
    text = (shop.root / "shop_assets.py").read_text()
    shop.write(
        "shop_assets.py", text.replace('@asset(group="raw"', '@asset(metadata={"pipe": "a b", "n": 7}, group="raw"')
    )
    plugin = """
    from assetry.plugin import Panel, hookimpl

    @hookimpl
    def assetry_panels(asset, context):
        return [Panel(title="Mill", rows=(("pipeline", asset.metadata.get("pipe")),), tells=("pipe",))]
    """
    shop.write("assetry_plugins.py", plugin)
    text = shop.call("show", "orders").stdout
    assert text.count("a b") == text.count("pipe") == 1
    assert "    n  7\n" in text
    assert shop.json("show", "orders")["asset"]["metadata"] == {"pipe": "a b", "n": 7}


FACETS = """
from assetry.plugin import Asset, hookimpl

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "acme":
        return None
    names = [["events"], ["raw", "events"]]
    facets = {"team": "growth", "table": names, "config": {"pii": True, "ttl": None}, "box": []}
    return [Asset(key="a/events", kind="acme", integration=integration, facets=facets)]

@hookimpl
def assetry_selection_hint(method, value):
    return "Write team:growth." if method == "squad" else None
"""


def test_what_an_asset_can_be_selected_by_is_shown_on_request(shop: Folder) -> None:
    shop.write("assetry_plugins.py", FACETS)
    shop.write("assetry.toml", 'modules = []\n[integrations.acme]\nkind = "acme"\n')
    assert shop.json("show", "events")["asset"]["facets"]["config"] == {"pii": True, "ttl": None}
    assert "growth" not in shop.call("show", "events").stdout
    text = shop.call("show", "events", "-v").stdout
    lines = [" ".join(line.split()) for line in text[text.index("Facets") :].splitlines()]
    assert lines[1:4] == ["team growth", "table events, raw.events", "config.pii true"]
    for selection in ("team:gr*", "table:raw.*", "config.pii:true", "resource_type:asset"):
        assert shop.call("list", "-q", "-s", selection).stdout == "a/events\n"
    refused = shop.call("list", "-s", "squad:growth", code=2)
    assert "Write team:growth." in refused.stderr


def test_an_unknown_key_exits_2_with_near_names(shop: Folder) -> None:
    result = shop.call("show", "ordres", code=2)
    assert "did you mean 'orders'?" in result.stderr


def test_two_assets_of_one_short_name_are_listed(shop: Folder) -> None:
    shop.write(
        "shop_assets.py",
        """
        from assetry import Asset

        assets = []
        """,
    )
    shop.write(
        "shop_assets.py",
        """
        from assetry import asset

        @asset(key="a/x")
        def one(): ...

        @asset(key="b/x")
        def two(): ...
        """,
    )
    result = shop.call("show", "x", code=2)
    assert "a/x" in result.stderr
    assert "b/x" in result.stderr


def test_no_selection_is_taken(shop: Folder) -> None:
    assert "takes no selection" in shop.call("-s", "orders", "show", "orders", code=2).stderr
