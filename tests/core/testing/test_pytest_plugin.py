"""The pytest plugin disturbs nobody's tests, and is there for those who want it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import assetry.testing
import pytest

#: Modules that loading the plugin must not bring into a foreign test run.
HEAVY = (
    "pluggy_hooks",
    "pandas",
    "pyarrow",
    "dbt",
    "sqlite3",
    "click",
    "rich",
    "asyncio",
    "httpx",
    "concurrent.futures",
)

FOREIGN = """\
import sys

def test_nothing_of_assetry_is_used(request):
    loaded = sorted(name for name in sys.modules if name.startswith("assetry"))
    kit = [name for name in loaded if name.startswith("assetry.testing.")]
    assert kit == ["assetry.testing.pytest_plugin"], kit
    for name in ("project.project", "hooks.manager", "run.loop", "store.sqlite", "io.files"):
        assert f"assetry.{name}" not in loaded, name
    for name in HEAVY:
        assert name not in sys.modules, name
    assert not [name for name in request.fixturenames if name in ("project", "fake_transport", "assetry_kit")]
""".replace("HEAVY", repr(HEAVY))


def run(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_foreign.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    with_ours = ["-p", "assetry.testing.pytest_plugin"]
    return subprocess.run(
        [*command, *with_ours, f"--rootdir={folder}", str(folder / "test_foreign.py")],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def test_a_foreign_test_run_is_left_alone(tmp_path: Path) -> None:
    done = run(tmp_path, FOREIGN)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "assetry" not in done.stdout


def test_a_foreign_fixture_of_the_same_name_goes_before(tmp_path: Path) -> None:
    fixture = "import pytest\n@pytest.fixture\ndef project():\n    return 'mine'\n"
    text = f"{fixture}def test_x(project):\n    assert project == 'mine'\n"
    assert "1 passed" in run(tmp_path, text).stdout


def test_the_fixtures_are_there_for_who_asks(tmp_path: Path) -> None:
    text = (
        "def test_x(project):\n"
        "    folder = project({'assets.py': 'from assetry import asset\\n@asset\\ndef a(): return 1'})\n"
        "    folder.materialize().assert_ok().assert_materialized('a')\n"
    )
    done = run(tmp_path, text)
    assert "1 passed" in done.stdout, done.stdout


def test_importing_the_names_collects_no_tests(tmp_path: Path) -> None:
    text = "from assetry.testing import *\ndef test_x(): pass\n"
    assert "1 passed" in run(tmp_path, text).stdout


@pytest.mark.parametrize("name", assetry.testing.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(assetry.testing, name)
    assert found.__doc__, name
    assert found.__name__ == name


def test_public_names_are_sorted_and_complete() -> None:
    assert sorted(assetry.testing.__all__, key=str.casefold) == sorted(assetry.testing._HOMES, key=str.casefold)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = assetry.testing.nothing
