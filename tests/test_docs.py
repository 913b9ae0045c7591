"""What the documentation shows is run."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from assetry import plugin, testing
from assetry.cli.definitions.scaffold import plugin_files
from assetry.hooks import specs as hookspecs
from assetry.hooks.inspection import hooks_in

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("README.md", "core/*.md", "toolkit/*.md", "integrations/*/README.md", "docs/*.md")
    for path in ROOT.glob(pattern)
)
BLOCK = re.compile(r"^```python(?P<tags>[^\n]*)\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def runnable(page: Path) -> list[str]:
    """Return the Python blocks of a page that are marked to run, each behind as many lines as stand before it there.

    So the code of a function is found again: its file is the page.
    """
    text = page.read_text()
    found = [match for match in BLOCK.finditer(text) if "norun" not in match["tags"]]
    return ["\n" * text.count("\n", 0, match.start("code")) + match["code"] for match in found]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if runnable(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": f"page_{page.stem}"}
    for code in runnable(page):
        exec(compile(code, str(page), "exec"), names)


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted(ROOT.glob("examples/*/README.md"))], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


# -- what plugin authors read ------------------------------------------------------------------------------------------

GUIDE = (ROOT / "docs" / "write-an-integration.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
HEADINGS = set(re.findall(r"^### (\w+)$", REFERENCE, re.MULTILINE))
TESTED = set(
    re.findall(r"^def test_hook_(\w+)\(", "\n".join(map(Path.read_text, ROOT.glob("tests/**/test_*.py"))), re.M)
)


@pytest.mark.parametrize("hook", hooks_in(hookspecs))
def test_every_hook_has_a_heading_and_a_test_of_its_name(hook: str) -> None:
    assert hook in HEADINGS, "docs/reference.md says nothing of it: run `make docs`"
    assert any(f"{name}_".startswith(f"{hook}_") for name in TESTED), f"no test is called test_hook_{hook}"


def test_every_test_of_a_hook_is_of_one_that_there_is() -> None:
    known = tuple(f"{hook}_" for hook in hooks_in(hookspecs))
    assert [name for name in TESTED if not f"{name}_".startswith(known)] == []


@pytest.mark.parametrize("name", testing.__all__)
def test_everything_for_tests_is_in_the_reference(name: str) -> None:
    assert name in HEADINGS, "run `make docs`"


@pytest.mark.parametrize("module", ["commands", "http", "auth", "jobs", "work", "polling", "hosted.syncs", "testing"])
def test_the_toolkit_has_a_reference(module: str) -> None:
    text = (ROOT / "docs" / "toolkit.md").read_text()
    assert re.search(rf"^## {re.escape(module)}$", text, re.MULTILINE), "run `make docs`"
    there = import_module(f"assetry_toolkit.{module}")
    names = [name for name, each in vars(there).items() if getattr(each, "__module__", "") == there.__name__]
    assert [each for each in names if each[0] != "_" and len(each) > 1 and f"\n### {each}\n" not in text] == []


@pytest.mark.parametrize("name", sorted(set(plugin.__all__) - {"hookimpl", "Event"}))
def test_everything_for_plugins_is_in_the_reference(name: str) -> None:
    known = name in HEADINGS or f"─ {name} " in REFERENCE or f"| `{name}` |" in REFERENCE
    assert known or name == "AssetryError", "run `make docs`"


@pytest.mark.parametrize("path", ["src/assetry_mill/plugin.py", "tests/test_conformance.py"])
def test_the_guide_shows_what_the_scaffold_writes(path: str) -> None:
    shown = re.search(rf"^```python title={re.escape(path)}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1] == plugin_files("mill")[path]
