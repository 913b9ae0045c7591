"""The IO managers of assetry itself keep the promises of all: files, and memory."""

from __future__ import annotations

from pathlib import Path

from assetry.testing import IOManagerConformance, IOUnderTest


class TestFiles(IOManagerConformance):
    def subject(self, folder: Path) -> IOUnderTest:
        return IOUnderTest("assetry.io.plugin", url=f"parquet:{folder}/values", values=[b"bytes", (1, 2)])


class TestMemory(IOManagerConformance):
    subject = IOUnderTest(
        "assetry.io.plugin",
        url="memory:",
        refuses={"durable": "memory ends with the process", "atomic": "it keeps any object at all"},
    )
