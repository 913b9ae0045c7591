"""Tests of `assetry_dbt.manifest.code`: a code version changes exactly when the result may."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from assetry_dbt.manifest.code import CodeVersions, Surroundings, code_version
from assetry_dbt.manifest.manifest import decode_manifest

Plain = dict[str, Any]
Parts = Mapping[str, str]


@pytest.fixture(scope="module")
def plain(nasty_project: Path) -> Plain:
    found: Plain = json.loads((nasty_project / "target" / "manifest.json").read_bytes())
    for macro in found["macros"].values():
        if macro["package_name"].startswith("dbt"):
            macro["macro_sql"] = ""  # is not looked at, and is most of the file
    return {name: found[name] for name in ("metadata", "nodes", "sources", "macros")}


def parts(
    plain: Plain, unique_id: str, variables: Plain | None = None, declared: Plain | None = None, **around: Any
) -> Parts:
    manifest = decode_manifest(json.dumps(plain).encode())
    assert manifest.nodes is not None
    codes = CodeVersions(manifest, Surroundings(variables or {}, declared or {}, **around))
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
        (set_node(B, raw_code="select 2, {{ cents('id') }} from {{ ref('country') }}"), {"body"}),
        (set_node(B, alias="other"), {"relation"}),
        (set_node(B, schema="other"), {"relation"}),
        (set_config(B, materialized="table"), {"config", "relations read"}),
        (set_config(B, unique_key="id"), {"config"}),
        (set_config(B, **{"post-hook": [{"sql": "analyze", "transaction": True, "index": None}]}), {"config"}),
        (set_config(B, partition_by={"field": "at"}), {"config"}),
        (set_config(B, on_schema_change="fail"), {"config"}),
        (set_macro("macro.shop.cents", macro_sql="{% macro cents(c) %}{{ hundred() }}{% endmacro %}"), {"macro cents"}),
        (set_macro("macro.shop.hundred", macro_sql="{% macro hundred() %}99{% endmacro %}"), {"macro hundred"}),
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
        set_macro("macro.shop.hundred", macro_sql="{% macro hundred() %}{# a #}100{% endmacro %}"),
        set_node(B, depends_on={"nodes": ["seed.shop.country"], "macros": ["macro.shop.cents", "macro.shop.shout"]}),
        lambda plain: plain["nodes"].pop("model.shop.stg_c"),
        lambda plain: plain["metadata"].update(dbt_version="9.9", generated_at="later"),
    ],
    ids=[
        "words",
        "columns",
        "notes",
        "passive config",
        "config that says nothing",
        "dbt",
        "layout",
        "run",
        "others",
        "metadata",
    ],
)
def test_what_does_not_change_the_result(plain: Plain, change: Callable[[Plain], object]) -> None:
    assert after(plain, B, change) == set()


def test_ephemeral_models_count_for_who_reads_them(plain: Plain) -> None:
    for inner in ("model.shop.e1", "model.shop.e2", "model.shop.loner"):
        assert after(plain, "model.shop.uses", set_node(inner, raw_code="select 3")) == {
            f"ephemeral {inner.rpartition('.')[2]}"
        }
        assert after(plain, "model.shop.uses", set_node(inner, description="Other.")) == set()
    assert after(plain, "model.shop.uses", set_node("model.shop.stg_a", raw_code="select 3")) == set()
    assert after(plain, "model.shop.m2", set_node("model.shop.e1", raw_code="select 3")) == set()


def test_versions_are_the_same_in_every_process(plain: Plain, tmp_path: Path) -> None:
    inner = plain["nodes"]["model.shop.e1"]
    code = "{{ var('cutoff') }} {{ var('own') }} {{ env_var('HOME') }} {{ cents('id') }} " + inner["raw_code"]
    changed = {**plain, "nodes": {**plain["nodes"], "model.shop.e1": {**inner, "raw_code": code}}}
    (tmp_path / "manifest.json").write_text(json.dumps(changed))
    script = """
import sys
from pathlib import Path
from assetry_dbt.manifest.code import CodeVersions, Surroundings, code_version
from assetry_dbt.manifest.manifest import read_manifest
manifest = read_manifest(Path(sys.argv[1]))
codes = CodeVersions(manifest, Surroundings({}, {"cutoff": 1, "own": 2}, environment={"HOME": "/h"}))
print([code_version(codes.parts(node)) for node in manifest.nodes.values()])
"""
    told = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "manifest.json")],
            check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(told) == 1


def test_a_contract_counts_when_it_is_enforced(plain: Plain) -> None:
    columns = {"id": {"name": "id", "data_type": "bigint", "description": ""}}
    assert after(plain, "model.shop.typed", set_node("model.shop.typed", columns=columns)) == {"contract"}
    columns["id"].update(data_type="integer", description="Other words.")
    assert after(plain, "model.shop.typed", set_node("model.shop.typed", columns=columns)) == set()


def test_vars_count_where_they_are_used(plain: Plain) -> None:
    declared = {"cutoff": 10, "other": 1}
    before = parts(plain, "model.shop.stg_a", {}, declared)
    assert differing(before, parts(plain, "model.shop.stg_a", {"cutoff": 11}, declared)) == {"var cutoff"}
    assert differing(before, parts(plain, "model.shop.stg_a", {}, {**declared, "cutoff": 12})) == {"var cutoff"}
    assert differing(before, parts(plain, "model.shop.stg_a", {}, {**declared, "shop": {"cutoff": 12}})) == {
        "var cutoff"
    }
    assert differing(before, parts(plain, "model.shop.stg_a", {"other": 2}, declared)) == set()
    assert not [name for name in parts(plain, B, {"cutoff": 11}, declared) if name.startswith("var")]


def test_vars_of_macros_count(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_macro("macro.shop.hundred", macro_sql="{% macro hundred() %}{{ var('rate') }}{% endmacro %}")(other)
    assert differing(parts(other, B, {"rate": 1}), parts(other, B, {"rate": 2})) == {"var rate"}


def test_macros_that_call_each_other_end(plain: Plain) -> None:
    def loop(plain: Plain) -> None:
        plain["macros"]["macro.shop.hundred"]["depends_on"] = {"macros": ["macro.shop.cents"]}

    assert after(plain, B, loop) == set()


def test_an_override_reached_through_dbt_counts(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    other["nodes"][B]["raw_code"] = "select {{ run_query('select 1') }}"
    other["macros"]["macro.dbt.run_query"]["depends_on"] = {"macros": ["macro.shop.hundred"]}
    assert after(other, B, set_macro("macro.shop.hundred", macro_sql="changed")) == {"macro hundred"}


def test_a_materialization_of_the_project_counts(plain: Plain) -> None:
    own = {
        "unique_id": "macro.shop.materialization_view_default",
        "package_name": "shop",
        "macro_sql": "one",
        "depends_on": {"macros": []},
    }
    other = copy.deepcopy(plain)
    other["macros"][own["unique_id"]] = own
    assert after(other, B, set_macro("macro.shop.materialization_view_default", macro_sql="two")) == {
        "macro materialization_view_default"
    }
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
        codes = CodeVersions(manifest, Surroundings(root=tmp_path))
        bodies.add(codes.parts(manifest.nodes["seed.shop.country"])["body"])
    assert len(bodies) == 2


def test_snapshots_have_a_body_and_a_config(plain: Plain) -> None:
    snapshot = "snapshot.shop.snap"
    assert after(plain, snapshot, set_config(snapshot, strategy="timestamp")) == {"config"}


def test_what_code_asks_for_counts_by_its_value(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    code = "select {{ env_var ('RATE', 1) }}, {{ target.schema }}, {{ config.get('meta')['limit'] }}, {{ model.tags }}"
    set_node(B, raw_code=code, tags=["a"])(other)
    set_config(B, meta={"limit": 1})(other)
    before = parts(other, B, environment={"RATE": "1", "OTHER": "1"}, target={"schema": "a"})
    same = parts(other, B, environment={"RATE": "1"}, target={"schema": "a"})
    assert differing(before, same) == set()
    assert differing(before, parts(other, B, environment={"RATE": "2"}, target={"schema": "a"})) == {"env_var RATE"}
    assert differing(before, parts(other, B, environment={"RATE": "1"}, target={"schema": "b"})) == {"target"}
    assert after(other, B, set_config(B, meta={"limit": 2})) == {"meta"}
    assert after(other, B, set_node(B, tags=["b"])) == {"tags"}
    assert after(other, B, set_node(B, description="Other words.")) == set()


def test_the_same_name_in_another_warehouse_is_another_table(plain: Plain) -> None:
    here = parts(plain, B, warehouse={"type": "duckdb", "path": "dev.duckdb"})
    assert differing(here, parts(plain, B, warehouse={"path": "dev.duckdb", "type": "duckdb"})) == set()
    assert differing(here, parts(plain, B, warehouse={"type": "duckdb", "path": "prod.duckdb"})) == {"warehouse"}


def test_a_computed_name_may_mean_any(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_node(B, raw_code="select {{ var('a' ~ 'b') }}, {{ env_var('RATE_' ~ target.name) }}, {{ config.get(x) }}")(
        other
    )
    before = parts(other, B, {"a": 1}, environment={"RATE_DEV": "1", "HOME": "/"})
    assert differing(before, parts(other, B, {"a": 2}, environment={"RATE_DEV": "1"})) == {"vars"}
    assert differing(before, parts(other, B, {"a": 1}, environment={"RATE_DEV": "2"})) == {"env_var RATE_DEV"}
    assert after(other, B, set_node(B, description="Other words.")) == {"properties"}


def test_vars_are_found_where_dbt_finds_them(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    model = "model.pkg.orders"
    set_node(model, raw_code="select {{ var('v') }}")(other)

    def value(options: Plain, root: Plain, package: Plain) -> str | None:
        return parts(other, model, options, root, package_vars=lambda _: package).get("var v")

    assert value({}, {}, {}) is None
    own = value({}, {}, {"v": 1})
    assert own is not None
    # The package's own, its own by name, the root's, the root's for the package, the options: the later counts.
    listed: list[tuple[Plain, Plain, Plain]] = [
        ({}, {}, {"v": 2, "pkg": {"v": 1}}),
        ({}, {"v": 1}, {"v": 2, "pkg": {"v": 2}}),
        ({}, {"v": 2, "pkg": {"v": 1}}, {"v": 2}),
        ({"v": 1}, {"v": 2, "pkg": {"v": 2}}, {}),
    ]
    assert [value(*each) for each in listed] == [own] * 4
    # What the root sets for itself is not for its packages.
    assert value({}, {"shop": {"v": 2}}, {"v": 1}) == own


def test_where_a_source_lies_counts_for_who_reads_it(plain: Plain) -> None:
    def move(plain: Plain) -> None:
        plain["sources"]["source.shop.raw.events"]["identifier"] = "elsewhere"

    assert after(plain, "model.shop.stg_a", move) == {"relation of raw.events"}
    assert after(plain, "model.shop.stg_c", move) == set()


def test_a_view_names_what_it_reads(plain: Plain) -> None:
    assert after(plain, B, set_node("seed.shop.country", alias="other")) == {"relations read"}
    other = copy.deepcopy(plain)
    set_config(B, materialized="table")(other)
    assert after(other, B, set_node("seed.shop.country", alias="other")) == set()


def test_what_is_said_of_all_nodes_counts_where_the_graph_is_read(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_node(B, raw_code="{% if execute %}select {{ graph.nodes.values() | list | length }}{% endif %}")(other)
    assert after(other, B, set_node("model.shop.stg_c", description="Other words.")) == {"graph"}
    ran = set_node("model.shop.stg_c", depends_on={**plain["nodes"]["model.shop.stg_c"]["depends_on"], "macros": ["x"]})
    assert after(other, B, ran) == set()


@pytest.mark.parametrize(
    "code",
    [
        "select {{ adapter.dispatch('hundred', 'shop')() }}",
        "{% if execute %}select {{ shop . hundred() }}{% endif %}",
        "{% set f = hundred %}select {{ f() }}",
        "select {{ context['hundred']() }}",
        "select {{ shop['hundred']() }}",
        "{% set ns = shop %}select {{ ns.hundred() }}",
        "select {{ shop.get('hundred')() }}",
        "-- {{ hundred() }}",
        "select '{{ hundred() }}'",
    ],
)
def test_a_macro_is_found_however_it_is_called(plain: Plain, code: str) -> None:
    other = copy.deepcopy(plain)
    set_node(B, raw_code=code, depends_on={"nodes": [], "macros": []})(other)
    other["macros"]["macro.shop.default__hundred"] = {
        **other["macros"]["macro.shop.hundred"],
        "unique_id": "macro.shop.default__hundred",
        "name": "default__hundred",
    }
    name = "default__hundred" if "dispatch" in code else "hundred"
    assert after(other, B, set_macro(f"macro.shop.{name}", macro_sql="changed")) == {f"macro {name}"}


def test_a_hook_counts_with_what_it_calls(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_node(B, raw_code="select 1")(other)
    set_config(B, **{"post-hook": [{"sql": "{{ hundred() }} {{ var('w', 1) }}"}]})(other)
    assert after(other, B, set_macro("macro.shop.hundred", macro_sql="changed")) == {"macro hundred"}
    assert differing(parts(other, B, {"w": 1}), parts(other, B, {"w": 2})) == {"var w"}


def test_a_macro_of_dbts_that_the_project_puts_another_for_counts(plain: Plain) -> None:
    own = {"package_name": "shop", "macro_sql": "one", "depends_on": {"macros": []}}
    for name in ("duckdb__create_view_as", "create_view_as"):
        other = copy.deepcopy(plain)
        other["macros"][f"macro.shop.{name}"] = {**own, "unique_id": f"macro.shop.{name}"}
        assert after(other, B, set_macro(f"macro.shop.{name}", macro_sql="two")) == {f"macro {name}"}, name
        assert after(other, "seed.shop.country", set_macro(f"macro.shop.{name}", macro_sql="two")) == set()


def test_the_file_that_a_source_stands_for_counts(plain: Plain) -> None:
    def at(place: str, **said: Any) -> Callable[[Plain], object]:
        def change(plain: Plain) -> None:
            source = plain["sources"]["source.shop.raw.events"]
            if place == "config":
                source["config"] = {**source["config"], **said}
            elif place == "config.meta":
                source["config"] = {**source["config"], "meta": {**source["config"]["meta"], **said}}
            else:
                source[place] = {**(source.get(place) or {}), **said}

        return change

    for place in ("config", "meta", "config.meta", "source_meta"):
        other = copy.deepcopy(plain)
        at(place, external_location="a.csv")(other)
        assert after(plain, "model.shop.stg_a", at(place, external_location="a.csv")) == {"relation of raw.events"}
        assert after(other, "model.shop.stg_a", at(place, external_location="b.csv")) == {"relation of raw.events"}
        assert after(other, "model.shop.stg_c", at(place, external_location="b.csv")) == set()
    assert after(plain, "model.shop.stg_a", at("config.meta", owner="b@example.com")) == set()
    assert after(plain, "model.shop.stg_a", at("config", tags=["a"], loaded_at_field="at")) == set()


def test_the_order_in_which_packages_are_searched_counts_where_it_chooses(plain: Plain) -> None:
    order = [{"macro_namespace": "pkg", "search_order": ["shop", "pkg"]}]
    other = copy.deepcopy(plain)
    set_node(B, raw_code="select {{ adapter.dispatch('rate', 'pkg')() }}")(other)
    own = {"macro_sql": "{% macro default__rate() %}1{% endmacro %}", "depends_on": {"macros": []}}
    other["macros"]["macro.shop.default__rate"] = {
        **own,
        "package_name": "shop",
        "unique_id": "macro.shop.default__rate",
    }
    assert differing(parts(other, B), parts(other, B, dispatch=order)) == set()
    other["macros"]["macro.pkg.default__rate"] = {**own, "package_name": "pkg", "unique_id": "macro.pkg.default__rate"}
    assert differing(parts(other, B), parts(other, B, dispatch=order)) == {"dispatch"}
    turned = [{"macro_namespace": "pkg", "search_order": ["pkg", "shop"]}]
    assert differing(parts(other, B, dispatch=order), parts(other, B, dispatch=turned)) == {"dispatch"}
    assert "dispatch" not in parts(other, "model.shop.stg_a", dispatch=order)


def test_fields_of_the_target_count_where_they_are_read(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    set_node(B, raw_code="select {{ target.threads }}")(other)
    two, three = {"threads": 2, "settings": {"a": 1}}, {"threads": 3, "settings": {"a": 2}}
    assert differing(parts(other, B, fields=two), parts(other, B, fields=three)) == {"target threads"}
    assert differing(parts(plain, B, fields=two), parts(plain, B, fields=three)) == set()
    set_node(B, raw_code="{% set t = target %}select {{ t['threads'] }}")(other)
    assert differing(parts(other, B, fields=two), parts(other, B, fields=three)) == {"target fields"}


def test_where_an_attached_database_lies_counts_where_it_is_named(plain: Plain) -> None:
    one, two = ({"attach": [{"path": f"{name}.duckdb", "alias": "old"}]} for name in ("one", "two"))
    assert differing(parts(plain, B, fields=one), parts(plain, B, fields=two)) == set()
    other = copy.deepcopy(plain)
    other["sources"]["source.shop.raw.events"]["database"] = "old"
    set_node(B, raw_code="select * from OLD.main.t")(other)
    for model in (B, "model.shop.stg_a"):
        assert differing(parts(other, model, fields=one), parts(other, model, fields=two)) == {"attached old"}


def test_event_times_count_for_models_made_batch_by_batch(plain: Plain) -> None:
    other = copy.deepcopy(plain)
    assert after(other, B, set_config(B, event_time="at")) == set()
    set_config(B, incremental_strategy="microbatch", event_time="at")(other)
    assert after(other, B, set_config(B, event_time="made_at")) == {"event times"}
    assert after(other, B, set_config("seed.shop.country", event_time="at")) == {"event times"}
    assert after(other, B, set_config("model.shop.stg_c", event_time="at")) == set()


def test_modules_of_the_project_count_for_models_in_python(plain: Plain, tmp_path: Path) -> None:
    for name in ("rates/__init__.py", "rates/eu.py", "base.py", "other.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("A = 1\n")
    (tmp_path / "rates" / "eu.py").write_text("from . import us\nimport base\n")
    other = copy.deepcopy(plain)
    code = "import json\nfrom rates import eu\n\ndef model(dbt, session):\n    return eu.f()\n"
    set_node(B, language="python", raw_code=code)(other)
    before = parts(other, B, modules=(tmp_path,))
    assert {name for name in before if name.startswith("module")} == {"module rates", "module rates.eu", "module base"}
    (tmp_path / "base.py").write_text("A = 2\n")
    (tmp_path / "other.py").write_text("A = 2\n")
    assert differing(before, parts(other, B, modules=(tmp_path,))) == {"module base"}
    (tmp_path / "base.py").write_text("# one\nA = 1\n")
    assert differing(before, parts(other, B, modules=(tmp_path,))) == set()


def test_a_large_seed_of_a_package_is_read_where_that_is_installed(plain: Plain, tmp_path: Path) -> None:
    other = copy.deepcopy(plain)
    large = {"checksum": {"name": "path", "checksum": "seeds/country.csv"}, "package_name": "pkg"}
    set_node("seed.shop.country", **large)(other)
    for folder in ("seeds", "installed/pkg/seeds"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "country.csv").write_text("id\n1\n")
    place = {"root": tmp_path, "packages": "installed"}
    before = parts(other, "seed.shop.country", **place)
    (tmp_path / "seeds" / "country.csv").write_text("id\n2\n")
    assert differing(before, parts(other, "seed.shop.country", **place)) == set()
    (tmp_path / "installed/pkg/seeds" / "country.csv").write_text("id\n2\n")
    assert differing(before, parts(other, "seed.shop.country", **place)) == {"body"}
