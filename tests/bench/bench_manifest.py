"""Measure how long a big dbt manifest takes to become a graph: CPU seconds, against a bare typed decode of the file.

Each figure is taken in a process of its own. Run it: ``python tests/bench/bench_manifest.py [MODELS]``.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS_PER_MODEL = 3
ROUNDS = 3


def write_manifest(path: Path, models: int) -> None:
    """Write a manifest of `models` models, three tests each, a source for every tenth, in dbt's own shape."""
    chance = random.Random(1)
    folders = [f"{area}/{team}" for area in ("staging", "core", "marts", "reports") for team in "abcdefghij"]
    nodes: dict[str, Any] = {}
    for i in range(models):
        add_model(nodes, i, folders[i * len(folders) // models], chance)
    sources = {f"source.shop.raw.table_{i}": source(i) for i in range(max(1, models // 10))}
    macros = {
        f"macro.{package}.m{i}": macro(package, i)
        for package, count in (("dbt", 400), ("shop", 50))
        for i in range(count)
    }
    maps = {name: list(node["depends_on"]["nodes"]) for name, node in nodes.items()}
    manifest = {
        "metadata": {
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
            "dbt_version": "1.11.0",
            "project_name": "shop",
            "adapter_type": "duckdb",
            "invocation_id": "0",
        },
        "nodes": nodes,
        "sources": sources,
        "macros": macros,
        "docs": {},
        "exposures": {},
        "metrics": {},
        "groups": {},
        "selectors": {},
        "disabled": {},
        "parent_map": maps,
        "child_map": maps,
        "unit_tests": {},
    }
    path.write_text(json.dumps(manifest))


def add_model(nodes: dict[str, Any], i: int, folder: str, chance: random.Random) -> None:
    """Add a model and its tests."""
    name, area = f"model_{i:05}", folder.split("/")
    parents = [f"model.shop.model_{chance.randrange(max(0, i - 300), i):05}" for _ in range(2)] if i > 10 else []
    if i % 10 == 0:
        parents.append(f"source.shop.raw.table_{i // 10}")
    columns = [f"column_{j}" for j in range(chance.randint(10, 15))]
    sql = "select\n" + ",\n".join(f"    {{{{ m{i % 50}('t.{c}') }}}} as {c}" for c in columns) + "\nfrom t\n" * 20
    unique_id = f"model.shop.{name}"
    nodes[unique_id] = {
        **common(unique_id, name, "model", area, folder),
        "columns": {c: column(c) for c in columns},
        "raw_code": sql,
        "refs": [{"name": p.rsplit(".", 1)[1], "package": None, "version": None} for p in parents],
        "depends_on": {"macros": [f"macro.shop.m{i % 50}"], "nodes": list(dict.fromkeys(parents))},
        "config": {**CONFIG, "materialized": "view" if i % 3 else "table", "tags": [area[0]]},
        "checksum": {"name": "sha256", "checksum": f"{i:064x}"},
        "patch_path": f"shop://models/{folder}/schema.yml",
        "description": f"What {name} holds, in a sentence or two of the usual length.",
    }
    for j, kind in enumerate(("not_null", "unique", "accepted_values")[:TESTS_PER_MODEL]):
        test = f"{kind}_{name}_{columns[j]}"
        test_id = f"test.shop.{test}.{i:05x}{j:05x}"
        nodes[test_id] = {
            **common(test_id, test, "test", area, folder),
            "columns": {},
            "raw_code": f"{{{{ test_{kind}(**_dbt_generic_test_kwargs) }}}}",
            "refs": [{"name": name, "package": None, "version": None}],
            "depends_on": {"macros": [f"macro.dbt.m{j}"], "nodes": [unique_id]},
            "config": TEST_CONFIG,
            "checksum": {"name": "none", "checksum": ""},
            "attached_node": unique_id,
            "column_name": columns[j],
            "test_metadata": {
                "name": kind,
                "namespace": None,
                "kwargs": {"column_name": columns[j], "model": f"{{{{ get_where_subquery(ref('{name}')) }}}}"},
            },
        }


CONFIG: dict[str, Any] = {
    "enabled": True, "alias": None, "schema": None, "database": None, "tags": [], "meta": {}, "group": None,
    "materialized": "view", "incremental_strategy": None, "batch_size": None, "lookback": 1, "begin": None,
    "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {}, "full_refresh": None,
    "unique_key": None, "on_schema_change": "ignore", "on_configuration_change": "apply", "grants": {},
    "packages": [], "docs": {"show": True, "node_color": None}, "contract": {"enforced": False, "alias_types": True},
    "event_time": None, "concurrent_batches": None, "access": "protected", "freshness": None,
}  # fmt: skip
TEST_CONFIG: dict[str, Any] = {
    "enabled": True, "alias": None, "schema": "dbt_test__audit", "database": None, "tags": [], "meta": {},
    "group": None, "materialized": "test", "severity": "ERROR", "store_failures": None, "store_failures_as": None,
    "where": None, "limit": None, "fail_calc": "count(*)", "warn_if": "!= 0", "error_if": "!= 0",
}  # fmt: skip


def common(unique_id: str, name: str, kind: str, area: list[str], folder: str) -> dict[str, Any]:
    """Return what dbt writes for every node."""
    return {
        "database": "shop",
        "schema": "main",
        "name": name,
        "resource_type": kind,
        "package_name": "shop",
        "path": f"{folder}/{name}.sql",
        "original_file_path": f"models/{folder}/{name}.sql",
        "unique_id": unique_id,
        "fqn": ["shop", *area, name],
        "alias": name,
        "tags": [],
        "description": "",
        "meta": {},
        "group": None,
        "docs": {"show": True, "node_color": None},
        "patch_path": None,
        "build_path": None,
        "unrendered_config": {"materialized": "view"},
        "created_at": 1700000000.123456,
        "relation_name": f'"shop"."main"."{name}"',
        "doc_blocks": [],
        "language": "sql",
        "sources": [],
        "metrics": [],
        "functions": [],
        "compiled_path": None,
        "contract": {"enforced": False, "alias_types": True, "checksum": None},
    }


def column(name: str) -> dict[str, Any]:
    """Return a column as dbt writes it."""
    return {
        "name": name,
        "description": f"What {name} means to the people who read it.",
        "meta": {},
        "data_type": "varchar",
        "constraints": [],
        "quote": None,
        "config": {"meta": {}, "tags": []},
        "tags": [],
        "granularity": None,
        "doc_blocks": [],
    }


def source(i: int) -> dict[str, Any]:
    """Return a source as dbt writes it."""
    name = f"table_{i}"
    return {
        "database": "shop",
        "schema": "raw",
        "name": name,
        "resource_type": "source",
        "package_name": "shop",
        "original_file_path": "models/staging/sources.yml",
        "unique_id": f"source.shop.raw.{name}",
        "fqn": ["shop", "staging", "raw", name],
        "source_name": "raw",
        "identifier": name,
        "columns": {c: column(c) for c in ("id", "at")},
        "config": {"enabled": True, "meta": {}},
        "description": "",
        "relation_name": f'"shop"."raw"."{name}"',
    }


def macro(package: str, i: int) -> dict[str, Any]:
    """Return a macro as dbt writes it."""
    return {
        "name": f"m{i}",
        "unique_id": f"macro.{package}.m{i}",
        "package_name": package,
        "macro_sql": f"{{% macro m{i}(x) %}}\n" + "    trim({{ x }})\n" * 40 + "{% endmacro %}",
        "depends_on": {"macros": []},
    }


def measure(what: str, path: Path) -> dict[str, float]:
    """Do one thing with the manifest at `path`; return CPU seconds of it and the peak memory of the process in MB."""
    import msgspec
    from assetry import Integration
    from assetry.plugin import paused_gc
    from assetry_dbt.manifest.assets import Placement, assets_of
    from assetry_dbt.manifest.code import CodeVersions
    from assetry_dbt.manifest.manifest import Manifest, read_manifest

    if what == "graph":
        from assetry.graph.graph import AssetGraph
    # What the imports left behind decides else which of the collections below walks all there is: a tenth more or less.
    gc.collect()
    if what != "nothing":
        started = time.process_time()
        if what == "decode":
            with paused_gc():
                msgspec.json.decode(path.read_bytes(), type=Manifest)
        else:
            manifest = read_manifest(path)
            codes = CodeVersions(manifest)
            assets = assets_of(manifest, Placement(Integration("shop", "dbt"), "shop", "dev"), codes)
            del manifest, codes
            if what == "graph":
                graph = AssetGraph.of(assets)
                assert len(graph) == len(assets)
        took = time.process_time() - started
    else:
        took = 0.0
    return {"cpu": took, "peak": peak()}


def peak() -> float:
    """Return the most memory this process had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike getrusage, which counts what the parent had when it forked.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def best(what: str, path: Path) -> dict[str, float]:
    """Return the best of some rounds, each in its own process."""
    rounds = []
    for _ in range(ROUNDS):
        command = [sys.executable, __file__, "--measure", what, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rounds.append(json.loads(done.stdout))
    return {name: min(each[name] for each in rounds) for name in ("cpu", "peak")}


def main(models: int = 5000) -> None:
    """Print the figures for a project of `models` models."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifest.json"
        write_manifest(path, models)
        print(f"{models} models, {models * TESTS_PER_MODEL} tests, {path.stat().st_size / 1e6:.1f} MB")
        base = best("decode", path)
        for what in ("nothing", "decode", "assets", "graph"):
            found = best(what, path)
            ratio = found["cpu"] / base["cpu"]
            print(f"{what:8} {found['cpu']:.3f} CPU s  {ratio:5.2f} x decode  peak {found['peak']:.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
