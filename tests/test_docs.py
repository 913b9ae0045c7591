"""What the documentation shows is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    {ROOT / "README.md", *ROOT.glob("core/*.md"), *ROOT.glob("integrations/*/README.md"), *ROOT.glob("docs/*.md")}
)
BLOCK = re.compile(r"^```python(?P<tags>[^\n]*)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def runnable(page: Path) -> list[str]:
    """Return the Python blocks of a page that are marked to run: those with imports of their own come first."""
    return [match["code"] for match in BLOCK.finditer(page.read_text()) if "norun" not in match["tags"]]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if runnable(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": f"page_{page.stem}"}
    for code in runnable(page):
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []
