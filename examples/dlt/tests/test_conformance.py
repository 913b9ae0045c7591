"""The integration keeps what an integration promises: the kit asks, the real dlt and a real DuckDB answer."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, Integration, is_alive, process_of
from assetry.testing import IntegrationConformance, IntegrationUnderTest, eventually

SOURCE = '''
import os
import sys
import time
from pathlib import Path

import dlt

TOLD = Path("../told")  # what the test wants of a resource, by its name


def rows(name):
    told = TOLD / name
    if told.exists() and told.read_text() == "break":
        raise ValueError(f"There is no page of {name}.")
    while told.exists():
        (TOLD / "holding").touch()
        time.sleep(0.02)
    yield [{"id": 1, "of": name}, {"id": 2, "of": name}]


@dlt.source
def shelf(token):
    """A shelf with four tables, one of them made from the rows of another."""
    if "list" not in sys.argv:
        (TOLD.parent / "processes").open("a").write(f"{os.getpid()}\\n")
    sheets = [dlt.resource(rows, name=name, write_disposition="replace")(name) for name in ("raw", "orders", "users")]

    @dlt.transformer(data_from=sheets[1], write_disposition="replace")
    def sizes(page):
        yield from rows("sizes")

    return [*sheets, sizes]
'''


class Shelf:
    """Control dlt through what its source reads, and see what it did by what it wrote."""

    def __init__(self, root: Path) -> None:
        self.told, self.processes = root / "told", root / "processes"
        self.journals = root / ".assetry" / "dlt" / "journals"
        for folder in (self.told, root / "ingest" / ".dlt"):
            folder.mkdir(parents=True)
        (root / "ingest" / "shelf.py").write_text(SOURCE)
        (root / "ingest" / ".dlt" / "config.toml").write_text("[runtime]\ndlthub_telemetry = false\n")

    def reset(self) -> None:
        self.release()
        shutil.rmtree(self.journals, ignore_errors=True)
        self.processes.write_text("")

    # -- told ---------------------------------------------------------------------------------------------------------

    def break_asset(self, asset: Asset) -> None:
        (self.told / asset.key.name).write_text("break")

    def hold(self, asset: Asset) -> None:
        (self.told / asset.key.name).write_text("hold")

    def release(self) -> None:
        for file in self.told.iterdir():
            file.unlink(missing_ok=True)

    def die_at(self, asset: Asset) -> None:
        self.hold(asset)
        threading.Thread(target=self._kill, daemon=True).start()

    def _kill(self) -> None:
        eventually(lambda: self.holding, 30)
        self.kill()

    def kill(self) -> None:
        """End dlt without a word, as the kernel might."""
        os.kill(self._processes[0], signal.SIGKILL)

    # -- seen ---------------------------------------------------------------------------------------------------------

    @property
    def holding(self) -> bool:
        return (self.told / "holding").exists()

    @property
    def launches(self) -> int:
        return len(self._processes)

    @property
    def running(self) -> int:
        return sum(is_alive(process_of(process)) is True for process in self._processes)

    def made(self, asset: Asset) -> bool:
        return any(fact["name"] == asset.key.name and fact["event"] == "materialized" for fact in self._facts())

    @property
    def _processes(self) -> list[int]:
        return [int(line) for line in self.processes.read_text().splitlines()]

    def _facts(self) -> Iterator[dict[str, Any]]:
        for printed in self.journals.glob("*/out"):
            yield from map(json.loads, printed.read_text().splitlines())


class TestDlt(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        shelf = Shelf(folder / "shelf")
        options: dict[str, Any] = {"folder": "ingest", "source": "shelf:shelf", "database": "tables.duckdb"}
        options |= {"arguments": {"token": {"env": "SHELF_TOKEN"}}}
        return IntegrationUnderTest(
            "assetry_dlt.plugin",
            integration=Integration("shelf", "dlt", options, str(folder / "shelf")),
            tool=shelf,
            secrets={"SHELF_TOKEN": "a-token-of-the-shelf"},
            patience=60,
        )
