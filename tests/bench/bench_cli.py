"""What whole commands cost on large graphs: `assetry list` on 5,000 models, `assetry plan` on 10,000 assets."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.bench.bench_manifest import write_manifest
from tests.bench.measure import assetry, best, child_cpu, row

#: A plugin that gives 10,000 assets of three tools, one in twenty of Python, each made from two earlier ones.
PLUGIN = """
import random
from assetry.plugin import Asset, InvocationGroup, hookimpl

SIZE = 10_000

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    return list(assets(integration))

def assets(integration):
    rng, own = random.Random(7), int(integration.name[-1])
    for n in range(SIZE):
        alone, tool = rng.random() < 0.05, n * 3 // SIZE
        deps = sorted({rng.randrange(max(0, n - 400), n) for _ in range(2)}) if n else []
        if tool == own:
            yield Asset(key=f"mill/a{n:05}", kind="mill", integration=integration, code_version="1",
                        deps=[f"mill/a{dep:05}" for dep in deps], spec={"alone": alone})

@hookimpl
def assetry_invocation_group(asset):
    return None if asset.spec["alone"] else InvocationGroup(f"mill:{asset.integration.name}")
"""
SETTINGS = "".join(f'[integrations.mill{n}]\nkind = "mill"\n' for n in range(3))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_manifest(root / "manifest.json", 5000)
        (root / "assetry.toml").write_text('[integrations.shop]\nkind = "dbt"\nmanifest = "manifest.json"\n')
        for output in ("text", "json"):
            command = assetry("-C", folder, "list", "--output", output)
            seconds = best(lambda command=command: child_cpu(command), 3)  # type: ignore[misc]
            row(
                f"assetry list --output {output}, 5,000 models and 15,000 tests",
                f"{seconds:.2f} s",
                "under 1 s",
                seconds < 1,
            )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "assetry_plugins.py").write_text(PLUGIN)
        (root / "assetry.toml").write_text(SETTINGS)
        for output in ("text", "json"):
            command = assetry("-C", folder, "plan", "--output", output)
            seconds = best(lambda command=command: child_cpu(command), 3)  # type: ignore[misc]
            row(
                f"assetry plan --output {output}, 10,000 assets, 3 groups, 5 % Python",
                f"{seconds:.2f} s",
                "under 1 s",
                seconds < 1,
            )


if __name__ == "__main__":
    main()
