"""The dbt integration keeps the promises of all integrations, with a real dbt on DuckDB, by both engines."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from assetry.plugin import Asset, Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest, Tool
from assetry_dbt.plugin import assetry_load_assets

pytestmark = pytest.mark.slow

SECRET = "correct-horse-battery"
#: Seconds without a sign of life after which a query has ended; it gives fifty signs a second.
SILENCE = 0.4

#: a ← b ← d, c on its own. Each model asks for each row whether it may go on, so that a test can hold it.
MODELS = {"a": "range(3)", "c": "range(3)", "b": "{{ ref('a') }}", "d": "{{ ref('b') }}"}
FILES = {
    "dbt_project.yml": """\
name: kit
profile: kit
models: {kit: {+materialized: table, +post-hook: "copy (select 1) to '{{ var('control') }}/made-{{ this.name }}'"}}
on-run-start: "copy (select 1) to '{{ var('control') }}/launch-{{ invocation_id }}'"
""",
    "profiles.yml": """\
kit:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: warehouse.duckdb
      threads: 2
      module_paths: [FOLDER]
      plugins: [{module: kit_control, config: {folder: FOLDER/control, token: "{{ env_var('DBT_ENV_SECRET_KIT') }}"}}]
""",
    "models/schema.yml": """\
models:
  - {name: a, columns: [{name: id, data_tests: [not_null]}]}
  - {name: d, columns: [{name: id, data_tests: [not_null, unique]}]}
""",
    "kit_control.py": """\
import os, time
from pathlib import Path
from dbt.adapters.duckdb.plugins import BasePlugin


class Plugin(BasePlugin):
    def initialize(self, config):
        self.folder = Path(config["folder"])

    def configure_connection(self, conn):
        folder = self.folder

        def may_go_on(name: str, row: int) -> bool:
            if row % 2048:
                return False
            if (folder / f"dies-{name}").exists():
                os._exit(70)
            if not (folder / f"held-{name}").exists():
                return True
            (folder / f"beat-{os.getpid()}").touch()
            time.sleep(0.02)
            return False

        conn.create_function("may_go_on", may_go_on, ["VARCHAR", "BIGINT"], "BOOLEAN", side_effects=True)
""",
}


class DbtTool:
    """Control a real dbt by the files of its project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "control"
        self.control.mkdir(parents=True)
        (folder / "models").mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text.replace("FOLDER", str(folder)))
        self.reset()

    def _model(self, name: str) -> Path:
        return self.folder / "models" / f"{name}.sql"

    def reset(self) -> None:
        for file in self.control.iterdir():
            file.unlink()
        for name, rows in MODELS.items():
            # As many rows as it takes until it may go on; a query that is cancelled ends between two chunks of them.
            text = (
                f"with going as (select 1 from range(1000000000000) r(row) where may_go_on('{name}', row) limit 1)\n"
                f"select id from {rows} t(id) where exists (select 1 from going)\n"
            )
            if not self._model(name).exists() or self._model(name).read_text() != text:
                self._model(name).write_text(text)

    @property
    def launches(self) -> int:
        return len(list(self.control.glob("launch-*")))

    @property
    def holding(self) -> bool:
        return any(self.control.glob("beat-*"))

    @property
    def running(self) -> int:
        for beat in self.control.glob("beat-*"):
            beat.unlink()
        time.sleep(SILENCE if any(self.control.glob("held-*")) else 0)
        return len(list(self.control.glob("beat-*")))

    def hold(self, asset: Asset) -> None:
        (self.control / f"held-{asset.key.name}").touch()

    def release(self) -> None:
        for file in self.control.glob("held-*"):
            file.unlink()

    def break_asset(self, asset: Asset) -> None:
        self._model(asset.key.name).write_text("select id from a_table_that_nobody_made\n")

    def die_at(self, asset: Asset) -> None:
        (self.control / f"dies-{asset.key.name}").touch()

    def made(self, asset: Asset) -> bool:
        return (self.control / f"made-{asset.key.name}").exists()


def dbt(folder: Path, engine: str, **refuses: str) -> IntegrationUnderTest:
    tool = DbtTool(folder / "project")
    assert isinstance(tool, Tool)
    options = {"engine": engine, "vars": {"control": str(tool.control)}}
    # dbt reads the project when assets are loaded, before the kit sets what must not be seen.
    os.environ["DBT_ENV_SECRET_KIT"] = SECRET
    return IntegrationUnderTest(
        "assetry_dbt.plugin",
        integration=Integration("transform", "dbt", options, str(tool.folder)),
        tool=tool,
        secrets={"DBT_ENV_SECRET_KIT": SECRET},
        patience=60.0,
        refuses={"resume": "dbt ends with the process that started it", **refuses},
    )


class TestDbtInProcess(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        return dbt(folder, "in-process", die="dbt runs in this process, which would die with it")


class TestDbtCommand(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        subject = dbt(folder, "subprocess", spawn="what travels is the same for both engines")
        # Read once by the dbt of this process, which is warm: the manifest is the same.
        options = {**subject.integration.options, "engine": "in-process"}
        list(assetry_load_assets(replace(subject.integration, options=options)))
        return subject
