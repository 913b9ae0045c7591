"""A project of Python assets in a git repository."""

from __future__ import annotations

import os
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from assetry import Project

ASSETS = """
from assetry import DailyPartitionsDefinition, asset
from rates import VAT

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")


@asset(owners=["ana@example.com"])
def raw() -> int:
    return 1


@asset(partitions_def=DAYS)
def daily(raw: int) -> int:
    return raw


@asset
def total(daily) -> float:
    return sum(daily.values()) * VAT
"""


@dataclass
class Repository:
    """A repository with a project in a folder of it; what is loaded is closed at the end."""

    top: Path
    opened: list[Project] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.top / "data"

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))

    def change(self, name: str, before: str, after: str) -> None:
        text = (self.root / name).read_text()
        assert before in text
        self.write({name: text.replace(before, after)})

    def git(self, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.top, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "More") -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def load(self) -> Project:
        self.opened.append(Project.load(self.root))
        return self.opened[-1]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "shop")
    made.write({"assetry.toml": 'modules = ["shop_assets"]\n', "shop_assets.py": ASSETS, "rates.py": "VAT = 1.2\n"})
    (made.top / ".gitignore").write_text(".assetry/\n__pycache__/\n")
    made.git("init", "-q", "-b", "main")
    made.commit("First")
    yield made
    for each in made.opened:
        each.close()
