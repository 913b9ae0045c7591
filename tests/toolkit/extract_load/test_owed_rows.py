"""What tables owe, kept between runs and processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assetry_toolkit.extract_load.owed_rows import Owed, OwedRows


def test_what_is_owed_is_kept_by_line_and_stream_until_it_is_paid(tmp_path: Path) -> None:
    def owed(line: str) -> OwedRows:
        return OwedRows(tmp_path / "owed.json", line)

    assert owed("shop").of("orders") is None
    owed("shop").note("orders", Owed(40, lost=True))
    owed("crm").note("orders", Owed(7))
    assert (owed("shop").of("orders"), owed("crm").of("orders")) == (Owed(40, lost=True), Owed(7))
    owed("shop").note("orders", None)
    assert (owed("shop").of("orders"), owed("crm").of("orders")) == (None, Owed(7))


@pytest.mark.parametrize("kept", [1, [], {"orders": 3}, {"orders": {"rows": "x"}}, {"orders": {"of": 1}}])
def test_what_is_of_another_form_counts_as_nothing(tmp_path: Path, kept: Any) -> None:
    path = tmp_path / "owed.json"
    path.write_text(json.dumps({"shop": kept}))
    owed = OwedRows(path, "shop")
    assert owed.of("orders") is None
    owed.note("users", Owed(5))
    assert (owed.of("orders"), owed.of("users")) == (None, Owed(5))
