"""What is asked of Meltano once for many tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.meltano.scripted import Bench

#: The streams of `tap-a` and `tap-b` in the shared project.
TWO: dict[str, Any] = {"users": {"rows": 2}, "orders": {"rows": 3}}
VISITS: dict[str, Any] = {"visits": {}}
Made = Callable[..., Bench]


@pytest.fixture(scope="package")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which Meltano has its database, and extractors were asked which streams they have."""
    bench = Bench(tmp_path_factory.mktemp("known"), {"tap-a": {"streams": TWO}, "tap-b": {"streams": VISITS}})
    bench.run("list").assert_ok().assert_said("3 streams")
    return bench.root


@pytest.fixture
def made(known: Path, tmp_path: Path) -> Made:
    """Return what makes a project with one or both of these extractors, which are not asked again."""

    def make(loader: str = "target-files", visits: bool = False, **script: Any) -> Bench:
        for name in (".meltano", ".assetry/meltano"):
            shutil.copytree(known / name, tmp_path / name, dirs_exist_ok=True)
        taps = {"tap-a": {"streams": TWO, **script}, **({"tap-b": {"streams": VISITS}} if visits else {})}
        return Bench(tmp_path, taps, loader)

    return make
