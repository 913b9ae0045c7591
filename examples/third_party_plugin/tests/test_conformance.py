"""The integration keeps what an integration promises: the kit asks, real scripts and a real DuckDB answer."""

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, Integration, is_alive, process_of
from assetry.testing import IntegrationConformance, IntegrationUnderTest, eventually

SCRIPTS = {
    "raw_orders": "SELECT 1 AS id, 'de' AS country",
    "orders": "-- check unique_id: SELECT id FROM orders GROUP BY id HAVING count(*) > 1\nSELECT * FROM raw_orders",
    "customers": "SELECT 1 AS id",
    "sizes": "SELECT count(*) AS size FROM orders",
}
#: A table of one row, as soon as it is written: until then, a query of it waits.
PIPE = "read_csv('{}', header = false, auto_detect = false, columns = {{'go': 'INT'}})"


class Scripts:
    """Control the tool through what it reads, and see what it did by what it wrote."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pipe = root / "pipe"
        self.journals = root / ".assetry" / "sqlfolder"
        (root / "sql").mkdir()
        self.writer: int | None = None

    def reset(self) -> None:
        self.release()
        shutil.rmtree(self.journals, ignore_errors=True)

    # -- told ---------------------------------------------------------------------------------------------------------

    def break_asset(self, asset: Asset) -> None:
        self._write(asset.key.name, "SELECT nonsense")

    def hold(self, asset: Asset) -> None:
        """Let the script read from a pipe that has not been written to yet."""
        self.pipe.unlink(missing_ok=True)
        os.mkfifo(self.pipe)
        self._write(asset.key.name, f"SELECT * FROM ({asset.spec['query']}), {PIPE.format(self.pipe)}")

    @property
    def holding(self) -> bool:
        if self.writer is None:
            with suppress(OSError):  # nothing reads yet
                self.writer = os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK)
        return self.writer is not None

    def release(self) -> None:
        for name, text in SCRIPTS.items():
            self._write(name, text)
        if self.pipe.is_fifo():
            # For both ways: so that a script that comes to it in this very moment finds somebody writing, too.
            last = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)
            os.write(last, b"1\n")
            (self.root / "written").write_text("1\n")
            (self.root / "written").replace(self.pipe)
            os.close(last)
        if self.writer is not None:
            os.close(self.writer)
        self.writer = None

    def die_at(self, asset: Asset) -> None:
        self.hold(asset)
        threading.Thread(target=self._kill, daemon=True).start()

    def _kill(self) -> None:
        eventually(lambda: self.holding, 30)
        self.kill()

    def kill(self) -> None:
        """End the runner without a word, as the kernel might."""
        os.kill(self._processes[0], signal.SIGKILL)

    def _write(self, name: str, text: str) -> None:
        (self.root / "sql" / f"{name}.sql").write_text(text)

    # -- seen ---------------------------------------------------------------------------------------------------------

    @property
    def launches(self) -> int:
        return len(self._processes)

    @property
    def running(self) -> int:
        return sum(is_alive(process_of(process)) is True for process in self._processes)

    def made(self, asset: Asset) -> bool:
        return any(fact.get("name") == asset.key.name and fact["what"] == "made" for fact in self._facts())

    @property
    def _processes(self) -> list[int]:
        return [fact["process"] for fact in self._facts() if fact["what"] == "begun"]

    def _facts(self) -> Iterator[dict[str, Any]]:
        for printed in self.journals.glob("*/out"):
            yield from map(json.loads, printed.read_text().splitlines())


class TestSqlFolder(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        (folder / "scripts").mkdir()
        scripts = Scripts(folder / "scripts")
        scripts.reset()
        return IntegrationUnderTest(
            "assetry_sqlfolder.plugin",
            integration=Integration("shop", "sqlfolder", {"database": "shop.duckdb"}, str(scripts.root)),
            tool=scripts,
        )
