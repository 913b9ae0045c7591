"""The program as completion needs it: as the real one is, without what that imports."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from assetry import Project, asset
from assetry.cli.completion.offers import OFFERS
from assetry.cli.completion.program import ARGUMENTS, completions
from assetry.cli.overview import COMMANDS


def words(*before: str, typed: str = "") -> list[str]:
    return [item.value for item in completions(before, typed)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_argument_that_its_module_says(name: str) -> None:
    command = import_module(f"assetry.cli.{COMMANDS[name].home}.{name}").command
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    assert [each.name for each in arguments] == ([ARGUMENTS[name]] if name in ARGUMENTS else [])


def test_each_offer_is_of_a_parameter_that_there_is() -> None:
    commands = {name: import_module(f"assetry.cli.{entry.home}.{name}").command for name, entry in COMMANDS.items()}
    known = {f"{name}.{each.name}" for name, command in commands.items() for each in command.params}
    assert {name for name in OFFERS if "." in name} <= known


def test_commands_and_options_are_completed() -> None:
    assert words(typed="ma") == ["materialize"]
    assert words(typed="b") == ["backfill", "backfills", "bump"]
    assert words("plan", typed="--st") == ["--stale", "--state"]  # one of them is dbt's
    assert words("graph", "--output", typed="d") == ["dot"]
    assert words("notify", typed="s") == ["send", "status"]
    assert {"--select", "--no-color"} <= set(words("list", typed="--"))


def test_without_records_methods_are_completed_and_nothing_else() -> None:
    assert "tag:" in words("list", "-s")
    assert words("show") == words("logs") == words("backfills") == []
    assert words("list", "-s", typed="state:f") == ["state:failed", "state:fresh"]


def test_files_and_folders_are_left_to_the_shell() -> None:
    assert [item.type for item in completions(["-C"], "")] == ["dir"]
    assert [item.type for item in completions(["record"], "x")] == ["file"]


def test_a_folder_is_entered_as_a_command_does(elsewhere: Path) -> None:
    (elsewhere / "a" / "b").mkdir(parents=True)
    words("-C", "a", "show", "-Cb")
    assert Path.cwd() == elsewhere / "a" / "b"


PLUGIN = """
from assetry.plugin import hookimpl

def look(context, keys: list[str], *, run: str | None = None) -> None:
    "Look at assets."

@hookimpl
def assetry_add_commands(commands):
    print("a word that no shell must see")
    commands.group("mill", "Mills.").command("look")(look)
"""


def test_parameters_of_plugins_are_completed_by_their_names(elsewhere: Path) -> None:
    @asset
    def orders() -> int:
        return 1

    with Project([orders], root=elsewhere) as project:
        run = project.materialize().run.id
    (elsewhere / "assetry_plugins.py").write_text(PLUGIN)
    assert words("mill") == ["look"]
    assert words("mill", "look", "orders", typed="o") == ["orders"]
    assert words("mill", "look", "--run") == [run]


def test_nothing_that_works_is_imported() -> None:
    asked = "from assetry.cli.completion.program import completions; completions(['show'], 'o'); import sys; "
    told = "print([name for name in ('assetry.project.project', 'assetry.run.loop', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked + told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
