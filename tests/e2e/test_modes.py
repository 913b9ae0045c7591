"""What a whole project keeps, a connector's and dbt's work included, is its user's alone, whatever the umask."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")]

SHOP = Path(__file__).parents[2] / "examples" / "shop"
TABLE = """
import pandas as pd
from assetry import asset


@asset(io_manager="duckdb:.assetry/tables.duckdb")
def table() -> pd.DataFrame:
    return pd.DataFrame({"a": [1]})
"""


@pytest.mark.parametrize("umask", [0, 0o022])
def test_a_run_over_connector_dbt_duckdb_and_python(tmp_path: Path, umask: int) -> None:
    root = tmp_path / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns(".assetry", "target", "*.duckdb", "__pycache__"))
    (root / "more_assets.py").write_text(TABLE)
    file = root / "assetry.toml"
    file.write_text(file.read_text().replace('["shop_assets"]', '["shop_assets", "more_assets"]'))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for arguments in (["materialize"], ["observe"], ["status"]):
        done = subprocess.run(
            [sys.executable, "-m", "assetry", *arguments],
            **{"cwd": root, "umask": umask, "env": {**os.environ, "PATH": path}},  # type: ignore[call-overload]
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    state = root / ".assetry"
    kept = [state, *state.rglob("*")]
    names = {each.name for each in kept}
    assert {"state.db", "tables.duckdb", "airbyte", "catalog.json", "state.json"} <= names, names
    wide = {str(each.relative_to(root)) for each in kept if stat.S_IMODE(each.stat().st_mode) & 0o077}
    assert wide == set()
