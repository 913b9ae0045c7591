"""`examples/partitions`: what its README says comes true."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from assetry.testing import ProjectFolder

EXAMPLE = Path(__file__).parents[2] / "examples" / "partitions"


class Folder(ProjectFolder):
    def ask(self, *arguments: str, code: int = 0) -> Any:
        made = arguments[0] in ("materialize", "retry")
        return self.run(*arguments, "--output", "json", process=made).assert_code(code).data

    def counts(self) -> dict[str, tuple[int, ...]]:
        names = ("made", "fresh", "stale", "failed")
        found = self.ask("status", "-p")["assets"]
        return {each["key"]: tuple(each["partitions"][name] for name in names) for each in found}


@pytest.mark.slow
def test_a_bad_day_is_alone_and_made_alone(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns(".assetry", "target", "logs", "*.duckdb", "__pycache__", "*.txt")
    folder = Folder(shutil.copytree(EXAMPLE, tmp_path / "partitions", ignore=left_out), {})
    assert {sum(made) for made in folder.counts().values()} == {0}
    plan = folder.ask("plan", "-p", "2024-02-05..2024-03-03")
    assert [each["kind"] for each in plan["invocations"]].count("dbt") == 1
    assert plan["minimal"]
    folder.ask("materialize", "-p", "2024-02-05..2024-03-03", code=1)
    assert folder.counts() == {
        "sales": (27, 27, 0, 1),
        "transform/daily_revenue": (27, 27, 0, 0),
        "weekly_report": (3, 3, 0, 0),
    }
    (folder.root / "2024-02-29.txt").write_text("12.50")
    retry = folder.ask("retry")
    assert {(each["key"], each["partition"]) for each in retry["assets"]} == {
        ("sales", "2024-02-29"),
        ("transform/daily_revenue", "2024-02-29"),
        ("weekly_report", "2024-02-26"),
    }
    assert folder.counts() == {
        "sales": (28, 28, 0, 0),
        "transform/daily_revenue": (28, 28, 0, 0),
        "weekly_report": (4, 4, 0, 0),
    }
    # Made again with the same content, it is news to nothing.
    folder.ask("materialize", "-p", "2024-02-14", "-s", "sales")
    assert folder.counts()["transform/daily_revenue"] == (28, 28, 0, 0)
