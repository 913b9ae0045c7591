"""Digests change with what they are of, and with nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from assetry_toolkit.definitions.digests import LARGEST_SCRIPT, digest


def test_a_script_counts_by_its_content_and_a_program_does_not(tmp_path: Path) -> None:
    script = tmp_path / "mill.py"
    seen = [digest("mill", script)]
    for content in ("one", "two"):
        script.write_text(content)
        seen.append(digest("mill", script))
    assert len(set(seen)) == 3
    script.write_bytes(b"a" * (LARGEST_SCRIPT + 1))
    assert digest("mill", script) == digest("mill", tmp_path / "nowhere") == digest("mill", tmp_path) == seen[0]


def test_tables_are_equal_in_any_order_and_what_is_no_json_counts_by_its_text() -> None:
    assert digest({"a": {"x": 1, "y": 2}, "b": 3}) == digest({"b": 3, "a": {"y": 2, "x": 1}})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({"a": Path("x")}) != digest({"a": Path("y")})
    assert len(digest(None, size=16)) == 32


def test_keys_of_any_kind_count_as_json_writes_them() -> None:
    """YAML has them: `1`, `true`, `on`, a date."""
    stores = {2: "x", "b": "y", None: 0, 0.5: 1, date(2026, 1, 2): {True: 2}}
    assert digest(stores) == digest({"2": "x", "b": "y", "null": 0, "0.5": 1, "2026-01-02": {"true": 2}})
