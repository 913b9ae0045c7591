"""``make bench``: every figure that assetry promises, measured here and now."""

from __future__ import annotations

import os
import platform

from tests.bench import (
    bench_airbyte,
    bench_automation,
    bench_backfill,
    bench_cli,
    bench_connector,
    bench_dbt,
    bench_fivetran,
    bench_history,
    bench_import,
    bench_leases,
    bench_manifest,
    bench_meltano,
    bench_partitions,
    bench_plan,
    bench_run,
    bench_simulation,
    bench_start,
    bench_status,
    bench_store,
)


def main() -> None:
    """Run all benches, the cheap ones first."""
    load = os.getloadavg()[0]
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}; CPU seconds, least of several")
    for bench in (
        bench_import,
        bench_run,
        bench_store,
        bench_leases,
        bench_backfill,
        bench_plan,
        bench_manifest,
        bench_cli,
        bench_start,
        bench_status,
        bench_history,
        bench_partitions,
        bench_automation,
        bench_simulation,
        bench_airbyte,
        bench_fivetran,
        bench_connector,
        bench_meltano,
        bench_dbt,
    ):
        print(f"\n{(bench.__doc__ or '').splitlines()[0]}")
        bench.main()


if __name__ == "__main__":
    main()
