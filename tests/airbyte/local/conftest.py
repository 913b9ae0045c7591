"""Fixtures of the tests of local connectors; see `scripted` for what they give."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.airbyte.local.scripted import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Bench]:
    """Return what makes a project in a folder: ``bench([stream("orders")], '''def read(): …''')``."""

    def make(streams: Sequence[Mapping[str, Any]], body: str = "", /, **options: Any) -> Bench:
        made = Bench(tmp_path, tmp_path / "source-shop", streams, options, f"duckdb:{tmp_path}/shop.duckdb")
        made.write(body)
        return made

    return make


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a secret in the environment, as SHOP_KEY."""
    monkeypatch.setenv("SHOP_KEY", "k3y-of-the-shop")
    return os.environ["SHOP_KEY"]
