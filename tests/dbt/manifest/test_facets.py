"""Tests of `assetry_dbt.manifest.facets`, against what dbt's own selection finds of the same nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assetry.plugin import Asset, Integration
from assetry.selection.facets import facet_test
from assetry_dbt import plugin
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.facets import ManifestFacets, hint_of
from assetry_dbt.manifest.manifest import (
    Exposure,
    Link,
    Manifest,
    Node,
    Source,
    TestMetadata,
    UnitTest,
    read_manifest,
)
from dbt.graph.selector_methods import (
    ConfigSelectorMethod,
    ExposureSelectorMethod,
    MetricSelectorMethod,
    PackageSelectorMethod,
    SavedQuerySelectorMethod,
    SemanticModelSelectorMethod,
    SourceSelectorMethod,
    TestNameSelectorMethod,
    UnitTestSelectorMethod,
)
from hypothesis import example, given
from hypothesis import strategies as st

Facets = Mapping[str, Any]
NAMES = st.sampled_from(["shop", "raw", "this", "tools", "page.views", "orders", "that"])
PATTERNS = st.sampled_from(
    ["this", "t*", "*", "raw", "*.orders", "r*.*s", "shop.*.*", "?aw.page.views", "a.b.c", "page*"]
)
SECTIONS = (
    *("nodes", "sources", "exposures", "metrics"),
    *("unit_tests", "semantic_models", "saved_queries", "functions"),
)


def facets_of(manifest: Manifest | None = None) -> ManifestFacets:
    return ManifestFacets(manifest or Manifest(), "shop")


def model(name: str = "orders", package: str = "shop", **rest: Any) -> Node:
    return Node(f"model.{package}.{name}", name, "model", package, config=rest.pop("config", {}), **rest)


def found_by_dbt(method: Any, node: Any, value: str, section: str = "nodes", words: Iterable[str] = ()) -> bool:
    """Tell whether dbt's own method finds the only node of a manifest."""
    sections: dict[str, Any] = {name: {"x": node} if name == section else {} for name in SECTIONS}
    manifest = SimpleNamespace(**sections, metadata=SimpleNamespace(project_name="shop", adapter_type="duckdb"))
    return list(method(manifest, None, list(words)).search({"x"}, value)) == ["x"]


def finds(facets: Facets, method: str, value: str) -> bool:
    return facet_test(method, value)(facets)


# -- packages, sources, exposures, versions, access ------------------------------------------------------------------


@given(NAMES.filter(lambda name: name != "this"), PATTERNS | NAMES)
def test_a_package_is_found_as_in_dbt(package: str, value: str) -> None:
    node = model(package=package)
    assert finds(facets_of().node(node), "package", value) == found_by_dbt(PackageSelectorMethod, node, value)


@given(NAMES, NAMES, NAMES, PATTERNS | NAMES)
def test_a_source_is_found_as_in_dbt(package: str, name: str, table: str, value: str) -> None:
    source = Source("source.x", table, name, package, config={})
    assert finds(facets_of().source(source), "source", value) == found_by_dbt(
        SourceSelectorMethod, source, value, "sources"
    )


@given(NAMES, NAMES, PATTERNS.filter(lambda value: value.count(".") < 2) | NAMES)
def test_an_exposure_is_found_as_in_dbt(package: str, name: str, value: str) -> None:
    exposure = Exposure("exposure.x", name, package, config={})
    assert finds(facets_of().exposure(exposure), "exposure", value) == found_by_dbt(
        ExposureSelectorMethod, exposure, value, "exposures"
    )


@pytest.mark.parametrize(
    ("kind", "method", "section"),
    [
        ("metric", MetricSelectorMethod, "metrics"),
        ("semantic_model", SemanticModelSelectorMethod, "semantic_models"),
        ("saved_query", SavedQuerySelectorMethod, "saved_queries"),
    ],
)
@given(NAMES, NAMES, PATTERNS.filter(lambda value: value.count(".") < 2) | NAMES)
def test_metrics_and_their_like_are_found_as_in_dbt(
    kind: str, method: Any, section: str, package: str, name: str, value: str
) -> None:
    link = Link(f"{kind}.x", name=name, package_name=package)
    assert finds(facets_of().link(link), kind, value) == found_by_dbt(method, link, value, section)


@pytest.mark.parametrize(
    ("version", "latest", "word"),
    [
        (None, None, "none"), (None, 2, "none"), (2, 2, "latest"), ("b", "b", "latest"), (1, 2, "old"),
        (3, 2, "prerelease"), ("10", "9", "prerelease"), (1.5, "2", "old"), ("a", "b", "old"), ("c", 2, "prerelease"),
        (0, 1, None), (1, None, None),
    ],
)  # fmt: skip
def test_a_version_is_one_of_four(version: Any, latest: Any, word: str | None) -> None:
    facets = facets_of().node(model(version=version, latest_version=latest))
    assert [each for each in ("none", "latest", "old", "prerelease") if finds(facets, "version", each)] == [
        *([word] if word else [])
    ]


def test_a_model_has_an_access_and_nothing_else_has_one() -> None:
    assert finds(facets_of().node(model()), "access", "protected")
    assert finds(facets_of().node(model(access="public")), "access", "public")
    seed = Node("seed.shop.a", "a", "seed", "shop", config={})
    assert not any(finds(facets_of().node(seed), method, "*") for method in ("access", "version", "source", "exposure"))


def test_every_asset_knows_every_method() -> None:
    facets = facets_of()
    made = (
        facets.node(model()),
        facets.source(Source("source.shop.raw.a", "a", "raw", "shop", config={})),
        facets.exposure(Exposure("exposure.shop.a", "a", "shop", config={})),
    )
    for each in made:
        assert {"package", "access", "version", "source", "exposure", "config"} <= set(each)


# -- configurations --------------------------------------------------------------------------------------------------

KEYS = st.sampled_from(["materialized", "meta", "owner", "tags", "pii"])
SCALARS = st.none() | st.booleans() | st.sampled_from(["a", "true", "False", "*", "fin", "[a]", 2, 0.5])
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=3), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.lists(KEYS, min_size=1, max_size=3),
    st.sampled_from(["a", "true", "TRUE", "false", "*", "fin", "f*", "[a]", "2", "None", "null"]),
)
@example({"meta": {"owner": ["a", True]}}, ["meta", "owner"], "True")
def test_a_configuration_is_found_as_in_dbt(config: dict[str, Any], path: list[str], value: str) -> None:
    node = model(config=config)
    ours = finds(facets_of().node(node), f"config.{'.'.join(path)}", value)
    assert ours == found_by_dbt(ConfigSelectorMethod, node, value, words=path)


@pytest.mark.parametrize("severity", ["warn", "WARN", "Error"])
@pytest.mark.parametrize("value", ["warn", "WARN", "error", "Error", "eRROR"])
def test_the_severity_of_a_test_is_found_as_in_dbt_in_the_usual_ways_to_write_it(severity: str, value: str) -> None:
    test = Node("test.shop.a", "a", "test", "shop", config={"severity": severity})
    by_dbt = found_by_dbt(ConfigSelectorMethod, test, value, words=["severity"])
    assert finds(facets_of().test(test), "config.severity", value) == (by_dbt and value != "eRROR")


def test_dbt_does_not_look_at_the_configuration_of_exposures_and_functions() -> None:
    config = {"enabled": True}
    function = Node("function.shop.a", "a", "function", "shop", config=config)
    assert not finds(facets_of().node(function), "config.enabled", "true")
    assert not finds(facets_of().exposure(Exposure("e", "a", "shop", config=config)), "config.enabled", "true")


def test_nodes_of_one_configuration_share_it() -> None:
    config = {"materialized": "table"}
    assert facets_of().node(model(config=config))["config"] is config


# -- tests -----------------------------------------------------------------------------------------------------------


def generic(name: Any = "unique", **rest: Any) -> Node:
    return Node(f"test.shop.{name}_a", f"{name}_a", "test", "shop", test_metadata=TestMetadata(name), **rest)


@given(st.sampled_from(["unique", "not_null"]), st.sampled_from(["unique", "un*", "*_null", "unique_a", "*"]))
def test_a_test_is_found_by_its_kind_as_in_dbt(name: str, value: str) -> None:
    test = generic(name, config={})
    assert finds(facets_of().test(test), "test_name", value) == found_by_dbt(TestNameSelectorMethod, test, value)


def test_types_of_tests() -> None:
    singular, unit = Node("test.shop.b", "b", "test", "shop", config={}), UnitTest("unit_test.shop.a.b", "b", "shop")
    made = {
        "generic": facets_of().test(generic(config={})),
        "singular": facets_of().test(singular),
        "unit": facets_of().unit_test(unit),
    }
    words = ("generic", "schema", "data", "singular", "unit")
    found = {name: [each for each in words if finds(facets, "test_type", each)] for name, facets in made.items()}
    assert found == {"generic": ["generic", "schema", "data"], "singular": ["data", "singular"], "unit": ["unit"]}
    assert finds(made["unit"], "resource_type", "unit_test")
    assert finds(made["singular"], "resource_type", "test")
    assert not finds(made["singular"], "test_name", "*")


@given(NAMES, NAMES, PATTERNS.filter(lambda value: value.count(".") < 2) | NAMES)
def test_a_unit_test_is_found_as_in_dbt(package: str, name: str, value: str) -> None:
    unit = UnitTest("unit_test.x", name, package, config={})
    assert finds(facets_of().unit_test(unit), "unit_test", value) == found_by_dbt(
        UnitTestSelectorMethod, unit, value, "unit_tests"
    )


def test_tests_of_one_kind_share_their_facets() -> None:
    facets, config = facets_of(), {"severity": "ERROR"}
    one, two, other = (facets.test(generic(name, config=config)) for name in ("unique", "unique", "not_null"))
    assert one is two
    assert one is not other


# -- paths -----------------------------------------------------------------------------------------------------------


def test_paths_are_those_of_the_project_s_own_files() -> None:
    own = model("a", original_file_path="models/staging/a.sql", patch_path="shop://models/schema.yml")
    theirs = model("b", "ext", original_file_path="models/staging/b.sql", patch_path="ext://models/schema.yml")
    stray = model("c", "ext", original_file_path="elsewhere/c.sql", patch_path="ext://models/other.yml")
    manifest = Manifest(nodes={each.unique_id: each for each in (own, theirs, stray)})
    facets = facets_of(manifest)
    assert facets.node(own)["path"] == ["models/schema.yml"]
    assert facets.node(theirs)["path"] == ["models/staging", "models", "models/schema.yml"]
    assert "path" not in facets.node(stray)


# -- as a project has them -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assets(nasty_project: Path) -> dict[str, Asset]:
    manifest = read_manifest(nasty_project / "target" / "manifest.json")
    placement = Placement(Integration("shop", "dbt"), "shop", "dev")
    found = assets_of(manifest, placement, CodeVersions(manifest))
    return {str(asset.key): asset for asset in found}


def test_what_the_assets_of_a_project_are_found_by(assets: dict[str, Asset]) -> None:
    def found(method: str, value: str) -> set[str]:
        fits = facet_test(method, value)
        return {key for key, asset in assets.items() if fits(asset.facets)}

    assert found("version", "old") == {"shop/ver/v1"}
    assert found("version", "latest") == {"shop/ver/v2", "pkg/ver/v1"}
    assert found("package", "this") == {key for key in assets if key.startswith("shop/")} - {"shop/tests"}
    assert found("source", "raw.*") == {"shop/raw/events", "shop/raw/clicks"}
    assert found("exposure", "shop.dash*") == {"shop/exposure/dashboard"}
    assert found("config.contract.enforced", "true") == {"shop/typed"}
    assert found("config.meta.owner", "data@example.com") == {"shop/raw/events"}
    assert found("config.meta.owner", "a@example.com") == {"shop/stg_a"}  # one of a list
    assert assets["shop/raw/events"].fqn is None


def test_checks_are_known_by_name_kind_and_package(assets: dict[str, Asset]) -> None:
    checks = {check.name: check for asset in assets.values() for check in asset.checks}
    assert checks["not_null_m1_id"].fqn == ("shop", "marts", "not_null_m1_id")
    assert finds(checks["not_null_m1_id"].facets, "test_name", "not_null")
    assert finds(checks["prices_are_cents"].facets, "unit_test", "shop.prices*")
    assert not any(check.counted is False for check in checks.values())


# -- words that find nothing here ------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["result:error", "source_status:fresher"])
def test_words_that_find_no_assets_say_what_to_write(written: str) -> None:
    assert hint_of(*written.split(":"))
    assert plugin.assetry_selection_hint(*written.split(":")) == hint_of(*written.split(":"))


def test_states_of_dbt_are_told_from_others() -> None:
    for value in ("modified", "modified.body", "new", "old", "unmodified"):
        assert "state:stale" in (hint_of("state", value) or "")
    assert hint_of("state", "stael") is None
    assert hint_of("tag", "result:error") is None
