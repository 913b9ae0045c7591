"""What we publish works: our wheels and a stranger's, in an environment that has nothing else of ours."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset
from assetry.testing import FakeTool, eventually

from tests.guide import service_plugin

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "third_party_plugin"
WORK = shutil.ignore_patterns(".assetry", ".parcel", "*.duckdb*", "__pycache__", "target", "logs")
STRANGERS = (EXAMPLE, ROOT / "examples" / "reverse_etl", ROOT / "examples" / "dlt")


@dataclass(frozen=True)
class Clean:
    """An environment of wheels, and a folder to work in from which nothing of the repository can be imported."""

    uv: str
    venv: Path
    home: Path

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def uv_(self, *arguments: str | Path) -> None:
        run([self.uv, *arguments], self.home)

    def install(self, *what: str | Path) -> None:
        self.uv_("pip", "install", "--quiet", "--python", self.python, "--constraint", self.home / "locked.txt", *what)

    def assetry(self, folder: Path, *arguments: str, code: int = 0) -> str:
        return run([self.venv / "bin" / "assetry", *arguments], folder, code=code)

    def json(self, folder: Path, *arguments: str) -> Any:
        return json.loads(self.assetry(folder, *arguments, "--output", "json"))

    def pytest(self, folder: Path) -> str:
        return run([self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"], folder)


def run(command: list[Any], folder: Path, code: int = 0, env: Mapping[str, str] | None = None) -> str:
    """Run a command; return its stdout, and fail with all it said unless it ends as it should."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment = {**outside, "UV_PYTHON_DOWNLOADS": "never", "PYTHONUTF8": "1", **(env or {})}
    done = subprocess.run(
        [str(each) for each in command], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    said = f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == code, said
    return done.stdout


def find_uv() -> str:
    """Return uv as the Makefile finds it."""
    found = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    assert shutil.which(found), f"there is no uv at {found}: run `make test`, or name it in the variable UV"
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    home = tmp_path_factory.mktemp("clean")
    found = Clean(find_uv(), home / "venv", home)
    wheels = home / "wheels"
    found.uv_("build", "--quiet", "--wheel", "--all-packages", "--out-dir", wheels, ROOT)
    for example in STRANGERS:
        found.uv_("build", "--quiet", "--wheel", "--out-dir", wheels, example)
    # The versions that everything else here is tested with, without the hashes, which our own wheels have none of.
    locked = re.findall(r"^[\w.-]+==[^\s;\\]+(?: ?;[^\\\n]*)?", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (home / "locked.txt").write_text("\n".join(locked))
    found.uv_("venv", "--quiet", "--python", sys.executable, found.venv)
    found.install(*sorted(wheels.glob("*.whl")), "pandas", "pytest")
    return found


@pytest.fixture(scope="module")
def shop(clean: Clean) -> Path:
    """Return a copy of the example's project."""
    return Path(shutil.copytree(EXAMPLE / "shop", clean.home / "shop", ignore=WORK))


def test_nothing_comes_from_the_repository(clean: Clean) -> None:
    ours = sorted(path.name for path in ROOT.glob("*/src/*")) + sorted(path.name for path in ROOT.glob("*/*/src/*"))
    assert {"assetry", "assetry_toolkit", "assetry_dbt", "assetry_sqlfolder", "assetry_dlt"} <= set(ours)
    homes = "import importlib, sys; [print(importlib.import_module(name).__file__) for name in sys.argv[1:]]"
    for home in run([clean.python, "-c", homes, *ours], clean.home).split():
        assert Path(home).is_relative_to(clean.venv)


def test_every_plugin_is_found_whole_and_with_its_version(clean: Clean) -> None:
    found = {each["name"]: each for each in clean.json(clean.home, "plugins")["plugins"]}
    published = {path.parent.name for path in ROOT.glob("integrations/*/pyproject.toml")}
    assert published | {"sqlfolder", "parcel", "dlt"} <= set(found)
    assert not [each["problems"] + each["warnings"] for each in found.values() if each["problems"] or each["warnings"]]
    assert found["sqlfolder"]["package"] == "assetry-sqlfolder"
    assert found["sqlfolder"]["version"] == "0.1.0"
    assert "invoke" in " ".join(found["sqlfolder"]["hooks"])


def test_the_example_is_listed_planned_made_and_fresh(clean: Clean, shop: Path) -> None:
    assert len(clean.json(shop, "list")["assets"]) == 6
    plan = clean.json(shop, "plan")
    assert (plan["count"], plan["lower_bound"], plan["minimal"]) == (1, 1, True)
    command = next(each["command"] for each in plan["invocations"] if each["kind"] == "sqlfolder")
    assert command.startswith("python -m assetry_sqlfolder.runner")
    clean.assetry(shop, "materialize", "--output", "ndjson")
    assert clean.json(shop, "status")["counts"] == {"fresh": 6}


@pytest.fixture(scope="module")
def tested(clean: Clean, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[Path, Future[str]]]:
    """Start the tests of all examples at once: in turns they wait for their tools."""
    with ThreadPoolExecutor(len(STRANGERS)) as pool:
        folders = {example: tmp_path_factory.mktemp(example.name) for example in STRANGERS}
        for example, folder in folders.items():
            for part in ("tests", "shop"):
                shutil.copytree(example / part, folder / part, ignore=WORK)
            for file in (example / "pyproject.toml", *example.glob("*.py")):
                shutil.copy(file, folder)
            project = tomllib.loads((example / "pyproject.toml").read_text())["project"]
            clean.install(*project["optional-dependencies"]["test"])
        yield {example: pool.submit(clean.pytest, folder) for example, folder in folders.items()}


@pytest.mark.timeout(600)  # the kit and a project, with the real tool
@pytest.mark.parametrize("example", STRANGERS, ids=lambda example: example.name)
def test_an_example_keeps_what_an_integration_promises(tested: Mapping[Path, Future[str]], example: Path) -> None:
    assert "passed" in tested[example].result()


def test_the_scaffold_keeps_what_an_integration_promises_as_it_is(clean: Clean) -> None:
    clean.assetry(clean.home, "init", "--plugin", "mill")
    folder = clean.home / "assetry-mill"
    clean.install("--reinstall-package", "assetry-mill", folder)
    said = clean.pytest(folder)
    assert "passed" in said
    assert "refuses" not in said


# -- a plugin written from the documentation alone ---------------------------------------------------------------------

TABLES = {"raw": [], "orders": ["raw"], "customers": [], "report": ["orders", "customers"]}
PROJECT = """
[integrations.mill]
kind = "mill"
folder = "{folder}"
tables = {{ {tables} }}
"""
ASSETS = """
from assetry import asset

@asset(deps=["mill/raw"])
def after_raw() -> int:
    return 1

@asset(deps=["mill/report"])
def after_report() -> int:
    return 2
"""


@dataclass(frozen=True)
class Mill:
    """A project whose tool is reached by the plugin from the documentation, and that tool."""

    clean: Clean
    folder: Path
    tool: FakeTool

    def run(self, *arguments: str, code: int = 0) -> list[Any]:
        return told(self.clean.assetry(self.folder, *arguments, "--output", "ndjson", code=code))

    def counts(self) -> Any:
        return self.clean.json(self.folder, "status")["counts"]


def told(text: str) -> list[Any]:
    """Return the events of whole lines."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def made(events: list[Any]) -> set[str]:
    return {each["asset"] for each in events if each["event"] == "materialized"}


@pytest.fixture(scope="module")
def written(clean: Clean) -> Path:
    """Return the package that somebody has written who did what the page says: begin, then take the part with jobs."""
    home = clean.home / "written"
    home.mkdir()
    clean.assetry(home, "init", "--plugin", "mill")
    folder = home / "assetry-mill"
    (folder / "src" / "assetry_mill" / "plugin.py").write_text(service_plugin())
    test = folder / "tests" / "test_conformance.py"
    test.write_text(test.read_text().replace('"command": tool.command()', '"folder": str(tool.folder)'))
    clean.install("--reinstall-package", "assetry-mill", folder)
    return folder


@pytest.fixture
def mill(clean: Clean, written: Path, tmp_path: Path) -> Mill:
    tables = ", ".join(f"{name} = {json.dumps(needs)}" for name, needs in TABLES.items())
    (tmp_path / "assetry.toml").write_text(PROJECT.format(folder=tmp_path / "tool", tables=tables))
    (tmp_path / "assets.py").write_text(ASSETS)
    return Mill(clean, tmp_path, FakeTool(tmp_path / "tool", needs=TABLES))


def test_what_is_written_from_the_documentation_passes_the_kit_and_refuses_nothing(clean: Clean, written: Path) -> None:
    imported = set(re.findall(r"(?:from|import) (assetry[\w.]*)", (written / "src/assetry_mill/plugin.py").read_text()))
    assert imported == {"assetry.plugin", "assetry.testing"}
    said = clean.pytest(written)
    assert "refuses" not in said
    assert "passed" in said


def test_it_collapses_to_the_minimum_and_goes_on_after_a_failure(mill: Mill) -> None:
    plan = mill.clean.json(mill.folder, "plan")
    assert (plan["count"], plan["lower_bound"], plan["minimal"]) == (1, 1, True)
    mill.tool.break_asset(table("orders"))
    assert made(mill.run("materialize", code=1)) == {"mill/raw", "mill/customers", "after_raw"}
    mill.tool.reset()
    assert made(mill.run("retry")) == {"mill/orders", "mill/report", "after_report"}
    assert mill.tool.asked == (("orders", "report"),)
    assert mill.counts() == {"fresh": 6}


def test_it_streams_and_is_found_again_after_a_kill(mill: Mill) -> None:
    mill.tool.hold(table("report"))
    log = mill.folder / "log"
    command = [mill.clean.venv / "bin" / "assetry", "materialize", "--output", "ndjson"]
    with log.open("wb") as out, subprocess.Popen(command, cwd=mill.folder, stdout=out) as process:
        both = eventually(lambda: mill.tool.holding and "after_raw" in made(told(log.read_text())), 60)
        process.send_signal(signal.SIGKILL)
    assert both, f"what is below raw is made while the tool is still at work:\n{log.read_text()}"
    mill.tool.release()
    assert made(mill.run("retry")) == {"mill/report", "after_report"}
    assert mill.tool.launches == 1, "the job of the killed run was found again"
    assert mill.counts() == {"fresh": 6}


def table(name: str) -> Asset:
    return Asset(key=f"mill/{name}", kind="mill")
