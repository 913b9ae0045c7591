"""What is kept of counted rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from assetry_toolkit.extract_load.counted_rows import Counted, CountedRows


def test_lines_are_kept_apart_and_streams_stay(tmp_path: Path) -> None:
    path = tmp_path / "counted.json"
    shop, crm = CountedRows(path, "shop"), CountedRows(path, "crm")
    shop.note({"orders": 3}, "run 1")
    shop.note({"users": 2}, None)
    crm.note({"orders": 9}, "run 2")
    assert (shop.of("orders"), shop.of("users"), crm.of("orders")) == (
        Counted(3, "run 1"),
        Counted(2),
        Counted(9, "run 2"),
    )


@pytest.mark.parametrize(
    "kept", ["[]", '{"shop": 1}', '{"shop": {"orders": 3}}', '{"shop": {"orders": {"rows": "3"}}}']
)
def test_what_is_of_another_form_counts_as_nothing(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "counted.json"
    path.write_text(kept)
    counted = CountedRows(path, "shop")
    assert counted.of("orders") is None
    counted.note({"orders": 3}, "run 1")
    assert json.loads(path.read_text())["shop"]["orders"] == {"rows": 3, "run": "run 1"}


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "counted.json").mkdir()
    CountedRows(tmp_path / "counted.json", "shop").note({"orders": 3}, None)
    assert "a table that is emptied may pass" in caplog.text
