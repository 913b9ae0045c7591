"""Other keys for definitions: copies of one package's tables, and everything of an integration."""

from __future__ import annotations

import pytest
from assetry.errors import DuplicateKeyError
from assetry.graph.graph import AssetGraph
from assetry.graph.renaming import rename_assets
from assetry.types.assets import Asset, Check, Integration
from assetry.types.keys import AssetKey

TOOLS = [Integration(name, "dbt") for name in ("a", "b", "c")]


def installed(tool: Integration, schema: str) -> list[Asset]:
    """Return a project that installs package `pk`, with a mart of its own that reads the package's log."""
    log = Asset(
        key="pk/log",
        kind="dbt",
        integration=tool,
        relation=("d", schema, "log"),
        deps=["pk/raw/events"],
        checks=[Check("related", also=(AssetKey("pk/raw/events"),))],
        fallback=True,
    )
    raw = Asset(
        key="pk/raw/events",
        kind="dbt",
        integration=tool,
        executable=False,
        relation=("d", schema, "events"),
        fallback=True,
    )
    board = Asset(key="pk/exposure/board", kind="dbt", integration=tool, deps=["pk/log"], executable=False,
                  consumer=True, fallback=True)  # fmt: skip
    tests = Asset(key="pk/tests", kind="dbt", integration=tool, executable=False, checks=[Check("t")], fallback=True)
    middle = Asset(key="pk/middle", kind="dbt", integration=tool, inlined=True, reads=["pk/log"], fallback=True)
    mart = Asset(key=f"{tool.name}/mart", kind="dbt", integration=tool, deps=["pk/log"], reads=["pk/middle"],
                 relation=("d", schema, "mart"))  # fmt: skip
    return [log, raw, board, tests, middle, mart]


def test_each_project_keeps_its_own_tables_of_a_package() -> None:
    a, b, _ = TOOLS
    graph = AssetGraph.of([*installed(a, "a"), *installed(b, "b")])
    plain = {"pk/log", "pk/raw/events", "pk/exposure/board", "pk/tests"}
    assert {str(key) for key in graph.keys} == {*plain, *(f"b/{key}" for key in plain), "a/mart", "b/mart"}
    assert graph.upstream_of("b/mart") == ("b/pk/log",)
    assert graph.upstream_of("b/pk/log") == ("b/pk/raw/events",)
    assert graph.upstream_of("b/pk/exposure/board") == ("b/pk/log",)
    assert graph["b/pk/log"].checks[0].also == ("b/pk/raw/events",)
    assert graph["b/mart"].reads == ("b/pk/middle",)
    assert graph.upstream_of("a/mart") == ("pk/log",)


def test_a_further_project_changes_no_key_of_those_before_it() -> None:
    a, b, c = TOOLS
    two = AssetGraph.of([*installed(a, "a"), *installed(b, "b")])
    three = AssetGraph.of([*installed(a, "a"), *installed(b, "b"), *installed(c, "c")])
    assert set(two.keys) < set(three.keys)
    assert all(two[key] == three[key] for key in two.keys)


def test_projects_that_build_a_package_into_one_schema_share_its_tables() -> None:
    a, b, c = TOOLS
    graph = AssetGraph.of([*installed(a, "x"), *installed(b, "X"), *installed(c, "y")])
    assert graph.upstream_of("b/mart") == ("pk/log",)
    assert graph.upstream_of("c/mart") == ("c/pk/log",)
    shared = AssetGraph.of([*installed(a, "x"), *installed(b, "y"), *installed(c, "y")])
    assert shared.upstream_of("c/mart") == shared.upstream_of("b/mart") == ("b/pk/log",)


def test_a_project_that_is_installed_elsewhere_keeps_its_keys_and_copies_get_others() -> None:
    a, b, c = TOOLS
    own = Asset(key="pk/log", kind="dbt", integration=c, relation=("d", "a", "log"))
    graph = AssetGraph.of([*installed(a, "a"), *installed(b, "b"), own])
    assert graph["pk/log"] == own
    assert graph.upstream_of("a/mart") == ("pk/log",)
    assert graph.upstream_of("b/mart") == ("b/pk/log",)


def test_one_project_twice_is_refused_with_the_option_that_parts_it() -> None:
    eu, us = Integration("eu", "dbt"), Integration("us", "dbt")
    assets = [
        Asset(key="s/m", kind="dbt", integration=eu, source="m.sql"),
        Asset(key="s/m", kind="dbt", integration=us),
    ]
    with pytest.raises(DuplicateKeyError, match=r'key_prefix = "us" in \[integrations.us\]'):
        AssetGraph.of(assets)


def test_what_definitions_name_of_each_other_follows_their_keys() -> None:
    a, _, _ = TOOLS
    keys = {asset.key: AssetKey(f"eu/{asset.key}") for asset in installed(a, "a")}
    renamed = rename_assets([*installed(a, "a"), Asset(key="x", kind="y", deps=["other"], joins="pk/log")], keys)
    assert [str(asset.key) for asset in renamed[:-1]] == [str(key) for key in keys.values()]
    assert renamed[5].deps[0].key == "eu/pk/log"
    assert renamed[-1].joins == "eu/pk/log"
    assert renamed[-1].deps[0].key == "other"
