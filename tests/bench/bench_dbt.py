"""What assetry adds to dbt: CPU seconds of whole processes, and of a second build within one process.

A generated dbt-duckdb project of 15 nodes and 16 tests is built by plain `dbt build`, by both engines of assetry-dbt
(a process that loads the manifest and streams one invocation of everything), and twice within one process. The least
of interleaved rounds counts: other work on a machine only ever adds.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bench.measure import child_cpu, row

NODES = 15
TESTS = 16
ROUNDS = 3
#: What a build may cost, as a multiple of plain `dbt build`.
AIMS = {"in-process": 1.1, "second": 1 / 3}


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


def build_here(folder: str, engine: str, times: int) -> None:
    """Build everything `times` times in this process; print the CPU seconds of each, children included."""
    from assetry.plugin import CheckRef, Integration, Invocation, Materialized
    from assetry_dbt.invoke import invoke
    from assetry_dbt.loading import load

    context: Any = SimpleNamespace(run_id="bench", options={}, deadline=None, resume=None, cancelled=False)
    for _ in range(times):
        before = cpu()
        integration = Integration("bench", "dbt", {"engine": engine}, folder)
        assets = tuple(asset for asset in load(integration).assets if asset.executable)
        checks = tuple(CheckRef(asset.key, check.name) for asset in assets for check in asset.checks)
        asked = Invocation(id="1", group=None, integration=integration, assets=assets, checks=checks)
        made = [event for event in invoke(asked, context) if isinstance(event, Materialized)]
        assert len(made) == len(assets) == NODES, made
        print(cpu() - before, flush=True)


def cpu() -> float:
    """Return the CPU seconds of this process and of its ended children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def build_command(folder: Path, engine: str, times: int) -> list[str]:
    """Return the command that builds the project `times` times in one process."""
    return [sys.executable, "-m", "tests.bench.bench_dbt", str(folder), engine, str(times)]


def second_build(folder: Path) -> float:
    """Return the CPU seconds of the second build in one process."""
    done = subprocess.run(build_command(folder, "in-process", 2), capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the figures."""
    dbt = [shutil.which("dbt", path=str(Path(sys.executable).parent)) or "dbt", "build"]
    quiet = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    spent: dict[str, list[float]] = {"plain": [], "in-process": [], "subprocess": [], "second": []}
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_project(Path(scratch) / "bench")
        child_cpu(dbt, cwd=folder, env=quiet)
        for _ in range(ROUNDS):
            spent["plain"].append(child_cpu(dbt, cwd=folder, env=quiet))
            for engine in ("in-process", "subprocess"):
                spent[engine].append(child_cpu(build_command(folder, engine, 1)))
            spent["second"].append(second_build(folder))
    plain = min(spent["plain"])
    row(f"dbt build, {NODES} nodes and {TESTS} tests", f"{plain:.2f} s", "")
    for name, label in (
        ("in-process", "by the engine in this process"),
        ("second", "  a second one in the same process"),
    ):
        ratio, aim = min(spent[name]) / plain, AIMS[name]
        row(label, f"{min(spent[name]):.2f} s, {ratio:.2f} x dbt", f"at most {aim:.2f} x", ratio <= aim)
    row(
        "by the engine of a subprocess",
        f"{min(spent['subprocess']):.2f} s, {min(spent['subprocess']) / plain:.2f} x",
        "",
    )


if __name__ == "__main__":
    if len(sys.argv) == 4:
        build_here(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
