"""What assetry adds to dbt: CPU seconds of whole processes, and of a second materialize within one process.

A generated dbt-duckdb project of 15 nodes and 16 tests is built by plain `dbt build`, by `assetry materialize`, by each
engine of assetry-dbt alone (a process that loads the manifest and streams one invocation of everything), and twice
within one process. The least of interleaved rounds counts: other work on a machine only ever adds. Byte code is cached
in a folder of its own, as it is where a person installs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bench.measure import assetry, child_cpu, environment, row

NODES = 15
TESTS = 16
ROUNDS = 3
#: What a build may cost, as a multiple of plain `dbt build`.
AIMS = {"materialize": 1.1, "second": 1 / 3}


def write_project(folder: Path) -> Path:
    """Write a project of a seed, models that read each other, and tests on them."""
    (folder / "models").mkdir(parents=True)
    (folder / "seeds").mkdir()
    (folder / "dbt_project.yml").write_text("name: bench\nprofile: bench\nmodels: {bench: {+materialized: table}}\n")
    target = "dev: {type: duckdb, path: bench.duckdb, threads: 4}"
    (folder / "profiles.yml").write_text(f"bench: {{target: dev, outputs: {{{target}}}}}\n")
    (folder / "seeds" / "raw.csv").write_text("id,v\n" + "".join(f"{i},{i * 7 % 11}\n" for i in range(100)))
    described = ["models:"]
    for number in range(1, NODES):
        above = "raw" if number <= 5 else f"m{number - 5}"
        sql = f"select id, v + {number} as v from {{{{ ref('{above}') }}}}\n"
        (folder / "models" / f"m{number}.sql").write_text(sql)
        tests = "[not_null, unique]" if number <= TESTS - NODES + 1 else "[not_null]"
        described.append(f"  - name: m{number}\n    columns: [{{name: id, data_tests: {tests}}}]")
    (folder / "models" / "schema.yml").write_text("\n".join(described) + "\n")
    return folder


def build_here(folder: str, engine: str) -> None:
    """Build everything once in this process by one engine, without assetry's graph, plan and records."""
    from assetry.plugin import CheckRef, Integration, Invocation, Materialized
    from assetry_dbt.loading import load
    from assetry_dbt.running.invoke import invoke

    context: Any = SimpleNamespace(run_id="bench", options={}, resume=None, cancelled=False)
    integration = Integration("bench", "dbt", {"engine": engine}, folder)
    assets = tuple(asset for asset in load(integration).assets if asset.executable)
    checks = tuple(CheckRef(asset.key, check.name) for asset in assets for check in asset.checks)
    asked = Invocation(id="1", group=None, integration=integration, assets=assets, checks=checks)
    made = [event for event in invoke(asked, context) if isinstance(event, Materialized)]
    assert len(made) == NODES, made


def materialize_twice(folder: str) -> None:
    """Materialize everything twice in this process; print the CPU seconds of the second time."""
    from assetry import Project

    for _ in range(2):
        before = time.process_time()
        with Project.load(folder) as project:
            result = project.materialize()
        assert result.ok, result.counts
        spent = time.process_time() - before
    print(spent)


def here(folder: Path, what: str) -> list[str]:
    """Return the command that calls this module for one of the parts above."""
    return [sys.executable, "-m", "tests.bench.bench_dbt", str(folder), what]


def second_build(folder: Path, env: Mapping[str, str]) -> float:
    """Return the CPU seconds of the second materialize in one process."""
    done = subprocess.run(here(folder, "twice"), env=env, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the figures."""
    dbt = [shutil.which("dbt", path=str(Path(sys.executable).parent)) or "dbt", "build"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_project(Path(scratch) / "bench")
        env = {**environment(), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        parts: dict[str, Callable[[], float]] = {
            "plain": lambda: child_cpu(dbt, cwd=folder, env=env),
            "materialize": lambda: child_cpu(assetry("-C", str(folder), "-q", "materialize"), env=env),
            "second": lambda: second_build(folder, env),
            "in-process": lambda: child_cpu(here(folder, "in-process"), env=env),
            "subprocess": lambda: child_cpu(here(folder, "subprocess"), env=env),
        }
        for measure in parts.values():
            measure()  # byte code and dbt's own caches
        spent = {name: [measure()] for name, measure in parts.items()}
        for _ in range(ROUNDS - 1):
            for name, measure in parts.items():
                spent[name].append(measure())
    report({name: min(found) for name, found in spent.items()})


def report(spent: Mapping[str, float]) -> None:
    """Print one line for each part."""
    labels = {
        "materialize": "assetry materialize, whole process",
        "second": "  a second one in the same process",
        "in-process": "  its engine in this process, alone",
        "subprocess": "  its engine of a subprocess, alone",
    }
    row(f"dbt build, {NODES} nodes and {TESTS} tests", f"{spent['plain']:.2f} s", "")
    for name, label in labels.items():
        ratio, aim = spent[name] / spent["plain"], AIMS.get(name)
        figure = f"{spent[name]:.2f} s, {ratio:.2f} x dbt"
        row(label, figure, f"at most {aim:.2f} x" if aim else "", ratio <= aim if aim else None)


if __name__ == "__main__":
    if sys.argv[2:] == ["twice"]:
        materialize_twice(sys.argv[1])
    elif len(sys.argv) == 3:
        build_here(sys.argv[1], sys.argv[2])
    else:
        main()
