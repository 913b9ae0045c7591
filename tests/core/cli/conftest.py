"""Projects of Python assets in a temporary folder, and the command line called on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from assetry.cli.program import Program
from click.testing import CliRunner, Result

PROJECT = """
modules = ["shop_assets"]
name = "shop"
io = "parquet:.assetry/data"
"""

ASSETS = '''
from assetry import asset, asset_check


@asset(group="raw", owners=["data@example.com"], tags=["daily"])
def orders() -> list[int]:
    """What was ordered.

    One number per order.
    """
    return [3, 1, 2]


@asset(key="shop/total")
def total(orders: list[int]) -> int:
    """The sum of all orders."""
    return sum(orders)


@asset_check(asset=total)
def is_positive(total: int) -> bool:
    """A total is more than nothing."""
    return total > 0


@asset
def report(total: int, orders: list[int]) -> str:
    """A report for people."""
    return f"{len(orders)} orders, {total} in all"
'''

FAILING = ASSETS.replace("return sum(orders)", 'raise ValueError("no sum today")')


@dataclass
class Folder:
    """A project's folder, and the command line called in it."""

    root: Path

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def call(self, *arguments: str, code: int = 0, **extra: Any) -> Result:
        """Call the command line in this process; check its exit code."""
        result = CliRunner().invoke(Program(), ["-C", str(self.root), *arguments], catch_exceptions=False, **extra)
        assert result.exit_code == code, f"exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *arguments: str, code: int = 0) -> Any:
        data = json.loads(self.call(*arguments, "--output", "json", code=code).stdout)
        assert data["version"] == 1
        return data

    def ndjson(self, *arguments: str, code: int = 0) -> list[Any]:
        lines = self.call(*arguments, "--output", "ndjson", code=code).stdout.splitlines()
        data = [json.loads(line) for line in lines]
        assert all(line["version"] == 1 for line in data)
        return data

    def process(self, *arguments: str, **extra: Any) -> subprocess.Popen[str]:
        """Start the command line as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "assetry", *arguments],
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            **extra,
        )

    def wait_for_slow(self, process: subprocess.Popen[str], seconds: float = 60) -> None:
        """Wait until the asset `slow` is being made by a process."""
        deadline = time.monotonic() + seconds
        while not (self.root / "started").exists():
            if process.poll() is not None:
                raise AssertionError(f"ended too early, with {process.returncode}: {process.communicate()}")
            assert time.monotonic() < deadline, "the asset was not begun"
            time.sleep(0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def shop(folder: Folder) -> Folder:
    folder.write("assetry.toml", PROJECT)
    folder.write("shop_assets.py", ASSETS)
    return folder


@pytest.fixture
def failing(shop: Folder) -> Folder:
    shop.write("shop_assets.py", FAILING)
    return shop


WAITING = """
import time
from pathlib import Path
from assetry import asset
from assetry.run import threads

threads.GRACE = 0.1  # it does not look whether it is cancelled


@asset
def quick() -> int:
    return 1


@asset
def slow(quick: int) -> int:
    Path("started").touch()
    deadline = time.monotonic() + 120
    while not Path("go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return quick + 1


@asset
def last(slow: int) -> int:
    return slow
"""


@pytest.fixture
def waiting(shop: Folder) -> Iterator[Folder]:
    """A project whose asset `slow` waits for the file ``go``, and says so with the file ``started``."""
    shop.write("shop_assets.py", WAITING)
    yield shop
    (shop.root / "go").touch()
