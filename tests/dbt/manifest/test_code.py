"""Tests of `assetry_dbt.manifest.code`: a code version changes exactly when the result may."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from assetry_dbt.manifest.assets import code_versions
from assetry_dbt.manifest.code import code_version
from assetry_dbt.manifest.manifest import decode_manifest

Plain = dict[str, Any]
Parts = Mapping[str, str]


@pytest.fixture(scope="module")
def plain(nasty_project: Path) -> Plain:
    found: Plain = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    return found


def parts(plain: Plain, unique_id: str, variables: Plain | None = None, declared: Plain | None = None) -> Parts:
    manifest = decode_manifest(json.dumps(plain).encode())
    assert manifest.nodes is not None
    codes = code_versions(manifest, variables or {}, declared or {}, None)
    return codes.parts(manifest.nodes[unique_id])


def differing(before: Parts, after: Parts) -> set[str]:
    assert (code_version(before) == code_version(after)) == (before == after)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def after(plain: Plain, unique_id: str, change: Callable[[Plain], object]) -> set[str]:
    """Return the parts of a node that differ after a change of the manifest."""
    other = copy.deepcopy(plain)
    change(other)
    return differing(parts(plain, unique_id), parts(other, unique_id))


def set_node(unique_id: str, **fields: Any) -> Callable[[Plain], object]:
    return lambda plain: plain["nodes"][unique_id].update(fields)


def set_config(unique_id: str, **fields: Any) -> Callable[[Plain], object]:
    return lambda plain: plain["nodes"][unique_id]["config"].update(fields)


def set_macro(unique_id: str, **fields: Any) -> Callable[[Plain], object]:
    return lambda plain: plain["macros"][unique_id].update(fields)


B = "model.shop.stg_b"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (set_node(B, raw_code="select 2"), {"body"}),
        (set_node(B, alias="other"), {"relation"}),
        (set_node(B, schema="other"), {"relation"}),
        (set_config(B, materialized="table"), {"config"}),
        (set_config(B, unique_key="id"), {"config"}),
        (set_config(B, **{"post-hook": [{"sql": "analyze", "transaction": True, "index": None}]}), {"config"}),
        (set_config(B, partition_by={"field": "at"}), {"config"}),
        (set_config(B, on_schema_change="fail"), {"config"}),
        (set_macro("macro.shop.cents", macro_sql="{% macro cents(c) %}1{% endmacro %}"), {"macros"}),
        (set_macro("macro.shop.hundred", macro_sql="{% macro hundred() %}99{% endmacro %}"), {"macros"}),
    ],
)
def test_what_changes_the_result(plain: Plain, change: Callable[[Plain], object], expected: set[str]) -> None:
    assert after(plain, B, change) == expected


@pytest.mark.parametrize(
    "change",
    [
        set_node(B, description="Other words.", patch_path="shop://models/other.yml", tags=["x"], meta={"a": 1}),
        set_node(B, columns={"id": {"name": "id", "description": "Other.", "data_type": "text"}}),
        set_node(B, created_at=1.0, unrendered_config={}, docs={"show": False}, access="public", group="g"),
        set_config(
            B, tags=["x"], meta={"a": 1}, docs={"show": False}, group="g", access="public", grants={"select": []}
        ),
        set_config(B, a_setting_of_tomorrow=None, another={}, a_third=False, lookback=1, on_schema_change="ignore"),
        set_macro("macro.dbt.run_query", macro_sql="changed by an upgrade"),
        lambda plain: plain["nodes"].pop("model.shop.stg_c"),
        lambda plain: plain["metadata"].update(dbt_version="9.9", generated_at="later"),
    ],
    ids=["words", "columns", "notes", "passive config", "config that says nothing", "dbt", "others", "metadata"],
)
def test_what_does_not_change_the_result(plain: Plain, change: Callable[[Plain], object]) -> None:
    assert after(plain, B, change) == set()


def test_ephemeral_models_count_for_who_reads_them(plain: Plain) -> None:
    for inner in ("model.shop.e1", "model.shop.e2", "model.shop.loner"):
        assert after(plain, "model.shop.uses", set_node(inner, raw_code="select 3")) == {"ephemeral"}
        assert after(plain, "model.shop.uses", set_node(inner, description="Other.")) == set()
    assert after(plain, "model.shop.uses", set_node("model.shop.stg_a", raw_code="select 3")) == set()
    assert after(plain, "model.shop.m2", set_node("model.shop.e1", raw_code="select 3")) == set()


def test_a_contract_counts_when_it_is_enforced(plain: Plain) -> None:
    columns = {"id": {"name": "id", "data_type": "bigint", "description": ""}}
    assert after(plain, "model.shop.typed", set_node("model.shop.typed", columns=columns)) == {"contract"}
    columns["id"].update(data_type="integer", description="Other words.")
    assert after(plain, "model.shop.typed", set_node("model.shop.typed", columns=columns)) == set()


def test_vars_count_where_they_are_used(plain: Plain) -> None:
    declared = {"cutoff": 10, "other": 1}
    before = parts(plain, "model.shop.stg_a", {}, declared)
    assert differing(before, parts(plain, "model.shop.stg_a", {"cutoff": 11}, declared)) == {"vars"}
    assert differing(before, parts(plain, "model.shop.stg_a", {}, {**declared, "cutoff": 12})) == {"vars"}
    assert differing(before, parts(plain, "model.shop.stg_a", {}, {**declared, "shop": {"cutoff": 12}})) == {"vars"}
    assert differing(before, parts(plain, "model.shop.stg_a", {"other": 2}, declared)) == set()
    assert "vars" not in parts(plain, B, {"cutoff": 11}, declared)


def test_vars_of_macros_count(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_macro("macro.shop.hundred", macro_sql="{% macro hundred() %}{{ var('rate') }}{% endmacro %}")(other)
    assert differing(parts(other, B, {"rate": 1}), parts(other, B, {"rate": 2})) == {"vars"}


def test_macros_that_call_each_other_end(plain: Plain) -> None:
    def loop(plain: Plain) -> None:
        plain["macros"]["macro.shop.hundred"]["depends_on"] = {"macros": ["macro.shop.cents"]}

    assert after(plain, B, loop) == set()


def test_an_override_reached_through_dbt_counts(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    other["nodes"][B]["depends_on"]["macros"] = ["macro.dbt.run_query"]
    other["macros"]["macro.dbt.run_query"]["depends_on"] = {"macros": ["macro.shop.hundred"]}
    assert after(other, B, set_macro("macro.shop.hundred", macro_sql="changed")) == {"macros"}


def test_a_materialization_of_the_project_counts(plain: Plain) -> None:
    own = {
        "unique_id": "macro.shop.materialization_view_default",
        "package_name": "shop",
        "macro_sql": "one",
        "depends_on": {"macros": []},
    }
    other = copy.deepcopy(plain)
    other["macros"][own["unique_id"]] = own
    assert after(other, B, set_macro("macro.shop.materialization_view_default", macro_sql="two")) == {"macros"}
    assert after(other, "model.shop.m1", set_macro("macro.shop.materialization_view_default", macro_sql="two")) == set()


def test_seeds_are_their_content(plain: Plain) -> None:
    seed = "seed.shop.country"
    assert after(plain, seed, set_node(seed, checksum={"name": "sha256", "checksum": "ff"})) == {"body"}
    assert after(plain, seed, set_config(seed, column_types={"id": "text"})) == {"config"}


def test_a_seed_too_large_for_dbt_is_read(plain: Plain, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    file = tmp_path / "seeds" / "country.csv"
    other = copy.deepcopy(plain)
    set_node("seed.shop.country", checksum={"name": "path", "checksum": "seeds/country.csv"})(other)
    manifest = decode_manifest(json.dumps(other).encode())
    assert manifest.nodes is not None
    bodies = set()
    for text in ("id\n1\n", "id\n2\n"):
        file.write_text(text)
        bodies.add(code_versions(manifest, {}, {}, tmp_path).parts(manifest.nodes["seed.shop.country"])["body"])
    assert len(bodies) == 2


def test_snapshots_have_a_body_and_a_config(plain: Plain) -> None:
    snapshot = "snapshot.shop.snap"
    assert after(plain, snapshot, set_config(snapshot, strategy="timestamp")) == {"config"}
