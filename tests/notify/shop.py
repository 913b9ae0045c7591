"""A project with people to tell: what fails is what a file beside it says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assetry import Project
from assetry_notify import Held, Sent, send
from assetry_toolkit.testing import FakeClock

ASSETS = """
from pathlib import Path
from datetime import timedelta
from assetry import FreshnessPolicy, asset
HERE = Path(__file__).parent

def _may(name):
    if (HERE / name).exists():
        raise ValueError((HERE / name).read_text())

@asset(owners=["ana"], tags=["core"])
def raw() -> list:
    _may("raw.txt")
    return [1]

@asset(freshness_policy=FreshnessPolicy(max_age=timedelta(days=1)), owners=["bob"])
def dash(raw: list) -> list:
    return raw

@asset
def deep(dash: list) -> list:
    return dash

@asset(tags=["other"])
def alone() -> list:
    _may("alone.txt")
    return [2]
"""


class Shop:
    """A project in a folder; `tables` is what its file says of whom to tell."""

    def __init__(self, folder: Path, tables: str = "") -> None:
        self.folder = folder
        self.tables = tables
        (folder / "assets.py").write_text(ASSETS)
        (folder / "assetry.toml").write_text(f'name = "shop"\n{tables}')

    def breaks(self, name: str, why: str) -> None:
        (self.folder / f"{name}.txt").write_text(why)

    def mends(self, name: str) -> None:
        (self.folder / f"{name}.txt").unlink()

    def make(self, select: Any = None) -> str:
        """Make assets while there is nobody to tell, so that no process is started for it; return the run."""
        (self.folder / "assetry.toml").write_text('name = "shop"\n')
        with Project.load(self.folder) as project:
            return project.materialize(select).run.id

    def open(self) -> Project:
        (self.folder / "assetry.toml").write_text(f'name = "shop"\n{self.tables}')
        return Project.load(self.folder)

    def send(self, held: Iterable[Held] | None = None, **keywords: Any) -> Sent:
        with self.open() as project:
            return send(project, held, **{"clock": FakeClock(), **keywords})


def webhook(url: str, name: str = "ops", more: str = "") -> str:
    return f'[notify.{name}]\nkind = "webhook"\nurl = "{url}"\n{more}\n'


def told(asked: Iterable[Any]) -> list[tuple[str, str, str]]:
    """Return what messages told: the event, where it begins, and in which manner."""
    items = (item for each in asked for item in json.loads(each.body)["items"])
    return [(item["event"], item["root"], item["manner"]) for item in items]
