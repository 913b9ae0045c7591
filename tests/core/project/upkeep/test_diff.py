"""Definitions compared with those of a commit, a run, a file, and with what was last materialized."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from assetry import Project, asset
from assetry.cli.program import Program
from assetry.errors import DefinitionError, UsageError
from assetry.project.upkeep.diff import Diff
from click.testing import CliRunner

if TYPE_CHECKING:
    from conftest import Repository


def told(found: Diff) -> dict[str, list[str]]:
    changes = found.differences
    return {
        **{f"+{each.key}": [] for each in changes.added},
        **{f"-{each.key}": [] for each in changes.removed},
        **{str(each.definition.key): [change.text for change in each.changes] for each in changes.changed},
    }


def made(found: Diff) -> dict[str, int]:
    return {str(key): len(parts) for key, parts in found.following.to_make.items()}


# -- with what was last materialized -----------------------------------------------------------------------------------


def test_what_was_never_made_is_new_and_what_was_made_as_it_is_now_is_no_difference(repository: Repository) -> None:
    project = repository.load()
    assert told(project.diff()) == {"+raw": [], "+daily": [], "+total": []}
    project.materialize(partition="all")
    assert not project.diff().any
    assert made(project.diff()) == {}


def test_code_policies_partitions_and_what_is_gone_differ_from_what_was_last_made(repository: Repository) -> None:
    repository.load().materialize(partition="all")
    repository.change("shop_assets.py", "    return 1", "    return 2")
    repository.change("shop_assets.py", '"2026-01-01"', '"2025-12-30"')
    repository.change("shop_assets.py", "@asset\ndef total", '@asset(tags=["core"])\ndef total')
    found = repository.load().diff()
    grids = [f"daily (from {first}, to 2026-01-11)" for first in ("2025-12-30", "2026-01-01")]
    assert told(found) == {
        "raw": ["its body changed"],
        "daily": [f"its partitions are {grids[0]}, were {grids[1]}"],
        "total": ["its tags changed"],
    }
    assert made(found) == {"raw": 1, "daily": 12, "total": 1}
    repository.write({"shop_assets.py": "from assetry import asset\n@asset\ndef raw() -> int:\n    return 2\n"})
    assert set(told(repository.load().diff())) == {"raw", "-daily", "-total"}


def forget_definitions(project: Project) -> None:
    """Make the records those of an assetry that kept no definitions."""
    with project.store._database.write() as db:  # type: ignore[attr-defined]
        db.execute("UPDATE runs SET definitions = NULL")


def test_a_record_whose_definition_is_not_known_still_tells_of_its_code(repository: Repository) -> None:
    project = repository.load()
    project.materialize("raw")
    forget_definitions(project)
    repository.change("shop_assets.py", "    return 1", "    return 2")
    assert told(repository.load().diff()) == {"raw": ["its body changed"], "+daily": [], "+total": []}


def test_how_long_it_takes_is_known_of_what_was_made_once(repository: Repository) -> None:
    repository.load().materialize(partition="all")
    repository.change("shop_assets.py", "    return 1", "    return 2")
    found = repository.load().diff()
    assert found.prediction.unknown == 0
    assert found.prediction.work >= found.prediction.longest > 0


# -- with a commit -----------------------------------------------------------------------------------------------------


def test_a_clean_checkout_differs_in_nothing_from_its_commit(repository: Repository) -> None:
    heard: list[str] = []
    found = repository.load().diff("HEAD", on_load=heard.append)
    assert told(found) == {}
    assert (found.before.kind, found.before.commit) == ("commit", repository.git("rev-parse", "HEAD"))
    assert len(heard) == 1


def alone(repository: Repository) -> bool:
    """Tell whether the repository has no other place where its files are checked out."""
    return repository.git("worktree", "list").count("\n") == 0


def test_what_a_push_touches_is_told_and_nothing_is_left_behind(repository: Repository) -> None:
    repository.load().materialize(partition="all")
    before = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "feature")
    repository.change("rates.py", "1.2", "1.19")
    repository.commit()
    # What is not committed counts as well.
    repository.change("shop_assets.py", "    return raw", "    return raw + 0")
    status = repository.git("status", "--porcelain")
    project = repository.load()
    for since in ("main", before, before[:10], "HEAD~1", "main..."):
        found = project.diff(since)
        assert told(found) == {"daily": ["its body changed"], "total": ["its constant rates.VAT changed"]}, since
        assert made(found) == {"daily": 10, "total": 1}
    assert repository.git("status", "--porcelain") == status
    assert alone(repository)
    assert repository.git("branch", "--show-current") == "feature"


def test_where_a_branch_was_left_is_not_what_it_has_become(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "feature")
    repository.change("shop_assets.py", "    return 1", "    return 2")
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.change("rates.py", "1.2", "1.19")
    repository.commit()
    repository.git("checkout", "-q", "feature")
    project = repository.load()
    assert set(told(project.diff("main"))) == {"raw", "total"}
    assert set(told(project.diff("main..."))) == {"raw"}


def test_a_commit_is_loaded_with_its_own_modules_also_those_that_an_installed_package_leads_to(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = repository.top / "lib" / "shop_lib" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("FACTOR = 1\n")
    repository.change("shop_assets.py", "from rates import VAT", "from rates import VAT\nfrom shop_lib import FACTOR")
    repository.change(
        "shop_assets.py",
        "    return 1",
        '    return 1\n\n\n@asset(code_version=f"f{FACTOR}")\ndef other() -> int:\n    return 1',
    )
    repository.commit()
    package.write_text("FACTOR = 2\n")
    monkeypatch.syspath_prepend(str(repository.top / "lib"))
    monkeypatch.setenv("PYTHONPATH", str(repository.top / "lib"))
    monkeypatch.delitem(sys.modules, "shop_lib", raising=False)
    assert set(told(repository.load().diff("HEAD"))) == {"other"}


def test_definitions_that_fail_to_load_there_are_told_and_nothing_is_left_behind(repository: Repository) -> None:
    repository.change("shop_assets.py", "    return 1", "    return (")
    repository.commit("Broken")
    repository.change("shop_assets.py", "    return (", "    return 1")
    project = repository.load()
    with pytest.raises(DefinitionError, match=r"The definitions of HEAD fail to load: .*shop_assets"):
        project.diff("HEAD")
    assert alone(repository)
    repository.git("rm", "-q", "-r", "--cached", "data")
    repository.git("commit", "-q", "-m", "Without it")
    with pytest.raises(UsageError, match="has no folder data"):
        project.diff("HEAD")
    assert alone(repository)


def test_git_is_asked_about_our_repository_also_in_a_hook_of_another_and_runs_no_hooks(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = repository.top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert not repository.load().diff("HEAD").any
    assert not (tmp_path / "ran").exists()


def test_what_there_is_not_is_told_with_what_was_meant(repository: Repository, tmp_path: Path) -> None:
    project = repository.load()
    with pytest.raises(UsageError, match="There is no commit, run or file 'mian'") as caught:
        project.diff("mian")
    assert "main" in caught.value.near
    with pytest.raises(UsageError, match="There is no commit"):
        project.diff("--output=/tmp/x")
    (tmp_path / "assets.py").write_text("from assetry import asset\n@asset\ndef a() -> int:\n    return 1\n")
    with Project.load(tmp_path) as plain, pytest.raises(UsageError, match="There is no commit"):
        plain.diff("main")


def test_a_project_that_was_given_its_definitions_is_compared_with_its_records_alone() -> None:
    @asset
    def one() -> int:
        return 1

    with Project(assets=[one], store="sqlite::memory:", io="memory:") as project:
        assert told(project.diff()) == {"+one": []}
        with pytest.raises(UsageError, match="given its definitions in Python"):
            project.diff("main")


# -- with a run, a file, a folder --------------------------------------------------------------------------------------


def test_a_run_is_compared_with_what_was_defined_when_it_began(repository: Repository) -> None:
    first = repository.load().materialize("raw").run.id
    repository.change("shop_assets.py", "    return 1", "    return 2")
    second = repository.load().materialize("raw").run.id
    repository.change("rates.py", "1.2", "1.19")
    project = repository.load()
    assert set(told(project.diff(first))) == {"raw", "total"}
    assert set(told(project.diff(second))) == {"total"}
    assert project.diff(second).before.kind == "run"
    forget_definitions(project)
    with pytest.raises(UsageError, match="were not recorded"):
        project.diff(first)


def call(repository: Repository, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(Program(), ["-C", str(repository.root), *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_a_graph_that_was_exported_is_compared_with(repository: Repository, tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    file.write_text(call(repository, "graph", "--output", "json").stdout)
    assert not repository.load().diff(str(file)).any
    repository.change("shop_assets.py", "    return 1", "    return 2")
    assert told(repository.load().diff(str(file))) == {"raw": ["its body changed"]}
    file.write_text(call(repository, "graph", "-s", "raw", "--output", "json").stdout)
    with pytest.raises(UsageError, match="only what was selected"):
        repository.load().diff(str(file))
    for text in ("", "[]", '{"assets": []}', '{"whole": true, "assets": [{}]}'):
        file.write_text(text)
        with pytest.raises(UsageError, match="nothing that assetry has written"):
            repository.load().diff(str(file))


def test_another_checkout_of_the_project_is_compared_with(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "-q", str(tmp_path / "other"), "HEAD")
    repository.change("shop_assets.py", "    return 1", "    return 2")
    assert told(repository.load().diff(str(tmp_path / "other" / "data"))) == {"raw": ["its body changed"]}


# -- as the command line tells it --------------------------------------------------------------------------------------


def test_the_command_tells_what_changed_what_that_touches_and_what_is_to_be_made(repository: Repository) -> None:
    call(repository, "materialize", "-q", "-p", "all")
    nothing = "Since what was last materialized: no asset is defined otherwise\n"
    assert call(repository, "diff", "--exit-code").stdout == nothing
    repository.change("shop_assets.py", "    return 1", "    return 2")
    repository.change("shop_assets.py", "@asset\ndef total", '@asset(tags=["core"])\ndef total')
    result = call(repository, "diff", "--since", "main", "--exit-code", code=4)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith("Since main (")
    assert lines[0].endswith("): 2 changed; 2 more assets touched")
    assert lines[1:3] == ["changed raw its body changed", "total its tags changed"]
    assert "partitions 10 of daily" in lines
    assert lines[-1].startswith("To make: 3 assets, 10 partitions; about ")
    data = json.loads(call(repository, "diff", "--since", "main", "--output", "json").stdout)
    assert data["since"]["kind"] == "commit"
    assert data["counts"] == {"added": 0, "removed": 0, "changed": 2, "touched": 2, "exposures": 0}
    assert data["to_make"]["assets"] == ["raw", "daily", "total"]
    changes = [("changed", "raw"), ("changed", "total"), ("touched", "daily"), ("touched", "total")]
    assert [(each["change"], each["key"]) for each in data["assets"]] == changes
    assert data["assets"][0]["owners"] == ["ana@example.com"]


WAITS = """\
import os, time
open(os.environ["MARK"], "w").close()
time.sleep(120)
"""


def test_a_process_that_is_interrupted_leaves_no_files_behind(repository: Repository) -> None:
    """Ctrl-C while the definitions of a commit are loaded."""
    repository.change("shop_assets.py", "DAYS = ", f"{WAITS}DAYS = ")
    repository.commit("Slow")
    repository.change("shop_assets.py", WAITS, "")
    mark = repository.top / "loading"
    with subprocess.Popen(
        [sys.executable, "-m", "assetry", "-C", str(repository.root), "diff", "--since", "HEAD"],
        env={**os.environ, "MARK": str(mark)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # Tests that are started in the background ignore it, and so would this process.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 100
        while not mark.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, 2)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert alone(repository)


# -- what a plugin adds ------------------------------------------------------------------------------------------------

MILL = """
import json
from pathlib import Path

from assetry.plugin import Asset, hookimpl


def assets(data, integration, fetched):
    codes = {name: f"{code} {fetched}" for name, code in data.items()}
    return [Asset(key=f"mill/{n}", kind="mill", integration=integration, code_version=c) for n, c in codes.items()]


@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    root = Path(integration.root)
    fetched = (root / "fetched" / "names.json").read_text()
    return assets(json.loads((root / "mill.json").read_text()), integration, fetched)


@hookimpl
def assetry_load_file(path, integration):
    data = json.loads(Path(path).read_text())
    return assets(data["mill"], integration, "[]") if "mill" in data else None


@hookimpl
def assetry_local_files(integration):
    return ["fetched", "not-there"]
"""


@pytest.fixture
def mill(repository: Repository) -> Repository:
    """A repository with a plugin beside the project file; what it fetched is not under version control."""
    (repository.root / "shop_assets.py").unlink()
    project = '[integrations.mill]\nkind = "mill"\n'
    written = {"assetry_plugins.py": MILL, "assetry.toml": project, "mill.json": '{"rye": 1, "oats": 1}'}
    repository.write({**written, "fetched/names.json": "[]"})
    (repository.top / ".gitignore").write_text(".assetry/\nfetched/\n")
    repository.commit("Mill")
    return repository


def test_hook_assetry_local_files_are_taken_along_and_that_is_told(mill: Repository) -> None:
    mill.write({"mill.json": '{"rye": 2, "oats": 1}'})
    found = mill.load().diff("HEAD")
    assert told(found) == {"mill/rye": ["its code changed"]}
    assert found.before.notes == ("Not under version control, so taken as it is now: fetched",)
    assert (mill.root / "fetched" / "names.json").read_text() == "[]"


def test_hook_assetry_load_file_is_what_a_tool_has_written(mill: Repository, tmp_path: Path) -> None:
    file = tmp_path / "built.json"
    file.write_text(json.dumps({"mill": {"rye": 0, "barley": 1}}))
    found = mill.load().diff(str(file))
    assert told(found) == {"mill/rye": ["its code changed"], "+mill/oats": [], "-mill/barley": []}
    file.write_text(json.dumps({"bakery": {}}))
    with pytest.raises(UsageError, match="is no file of an integration of this project"):
        mill.load().diff(str(file))
