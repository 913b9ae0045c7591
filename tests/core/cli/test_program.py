from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from assetry.cli.command import spread
from assetry.cli.overview import COMMANDS, OPTIONS, OTHER_WORDS, overview
from assetry.cli.program import Program
from click.testing import CliRunner

if TYPE_CHECKING:
    from conftest import Folder

HEAVY = ("dbt", "pandas", "pyarrow", "rich", "httpx", "sqlalchemy", "yaml", "msgspec", "click", "pluggy", "sqlite3")


def modules_after(arguments: list[str], folder: Path) -> set[str]:
    """Return the modules that a call of the command line has imported."""
    code = (
        "import sys, atexit; atexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
        f"from assetry.cli import main; main({arguments!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["build", "-s", "+orders tag:x"], "here it is `assetry materialize -s '+orders tag:x'`"),
        (["run"], "here it is `assetry materialize`"),
        (["test", "-s", "orders"], "here it is `assetry materialize -s orders`.\n  Checks run with the assets"),
        (["ls", "--select", "x"], "here it is `assetry list --select x`"),
    ],
)
def test_words_of_other_tools_are_answered_with_ours(shop: Folder, words: list[str], ours: str) -> None:
    assert ours in shop.call(*words, code=2).stderr


def test_no_word_of_another_tool_is_a_command_of_ours() -> None:
    assert not set(OTHER_WORDS) & set(COMMANDS)
    assert set(OTHER_WORDS.values()) <= set(COMMANDS)


def test_help_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    found = modules_after(["--help"], tmp_path)
    assert "assetry.cli.overview" in found
    assert not [name for name in HEAVY if name in found]
    assert not [name for name, entry in COMMANDS.items() if f"assetry.cli.{entry.home}.{name}" in found]


def test_help_of_a_command_imports_no_tool(tmp_path: Path) -> None:
    found = modules_after(["plan", "--help"], tmp_path)
    assert "assetry.cli.runs.plan" in found
    assert not [name for name in HEAVY if name in found and name not in ("click", "pluggy", "sqlite3")]


def test_the_overview_lists_every_command_and_option_once() -> None:
    text = overview()
    program = Program()
    context = click.Context(program)
    assert max(map(len, text.splitlines())) <= 80
    for name in COMMANDS:
        command = program.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert f"\n  {name}" in text
    told = " ".join(OPTIONS)
    for option in program.get_params(context):
        assert any(each in told for each in option.opts), option.opts


def test_both_ways_to_the_overview_say_the_same(folder: Folder) -> None:
    with folder.process("--help") as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    assert set(overview().splitlines()) <= set(out.splitlines())
    assert CliRunner().invoke(Program(), ["--help"]).stdout.strip() == out.strip()


def test_help_names_the_plugins_that_add_commands_without_loading_them(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSETRY_PLUGINS", "dbt")
    assert "From plugins" not in folder.call("--help").stdout
    monkeypatch.setenv("ASSETRY_PLUGINS", "airbyte")
    assert "  airbyte " in folder.call("--help").stdout
    monkeypatch.setenv("ASSETRY_PLUGINS", "automation")
    told = folder.call("--help").stdout
    assert "  daemon            A command of automation.\n" in told
    assert "  run-job " in told
    assert "  automation " not in told


def test_nothing_asked_is_a_usage_error_with_the_overview(folder: Folder) -> None:
    with folder.process() as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert err.startswith("Usage: assetry")


def test_version(folder: Folder) -> None:
    assert folder.call("--version").stdout.startswith("assetry ")


def test_near_names_of_commands_and_options(folder: Folder) -> None:
    result = folder.call("pln", code=2)
    assert (
        result.stderr
        == "error: There is no command 'pln'.\n  did you mean 'plan' or 'plugins'?\n  See `assetry --help`.\n"
    )
    result = folder.call("plan", "--stal", code=2)
    assert "did you mean '--stale'?" in result.stderr
    assert "See `assetry plan --help`." in result.stderr


def test_shared_options_stand_before_or_after_the_command(shop: Folder) -> None:
    before = CliRunner().invoke(Program(), ["-C", str(shop.root), "--output", "json", "list"])
    after = CliRunner().invoke(Program(), ["list", "--output", "json", "-C", str(shop.root)])
    assert before.exit_code == 0
    assert before.stdout == after.stdout


def test_a_folder_that_is_not_there(folder: Folder) -> None:
    result = CliRunner().invoke(Program(), ["-C", str(folder.root / "none"), "list"])
    assert result.exit_code == 2
    assert "No such file or directory" in result.stderr


def test_the_call_leaves_the_working_folder_as_it_was(shop: Folder) -> None:
    before = Path.cwd()
    shop.call("list")
    shop.call("list", "-s", "nope", code=2)
    assert Path.cwd() == before


def test_a_bug_is_named_one_with_its_traceback(shop: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from assetry.cli.session import Session

    def broken(_: Session) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(Session, "project", property(broken))
    result = shop.call("list", code=1)
    assert "Traceback" in result.stderr
    assert "This is a bug in assetry: ZeroDivisionError: odd" in result.stderr
    assert result.stdout == ""


COMMAND = """
import click
from assetry.plugin import hookimpl


@hookimpl
def assetry_add_commands(commands):
    @commands.command("count", help="Count the assets.")
    @click.option("--twice", is_flag=True)
    @click.pass_obj
    def count(session, twice):
        session.say(str(len(session.project.graph) * (2 if twice else 1)))

    @commands.command("list", help="Never reached.")
    def other():
        raise AssertionError
"""


def test_a_plugins_command_is_called_and_listed(shop: Folder) -> None:
    shop.write("assetry_plugins.py", COMMAND)
    assert shop.call("count", "--twice").stdout == "6\n"
    assert shop.call("list", "-q").stdout.split() == ["orders", "shop/total", "report"]
    with shop.process("--help") as process:
        out, _ = process.communicate()
    assert "From plugins:" in out
    assert "count             Count the assets." in out
    assert "Never reached" not in out
    assert "did you mean 'count'?" in shop.call("coutn", code=2).stderr


def test_help_works_in_a_project_that_cannot_be_read(folder: Folder) -> None:
    folder.write("assetry.toml", "modules = [")
    folder.write("assetry_plugins.py", COMMAND)
    with folder.process("--help") as process:
        out, err = process.communicate()
    assert process.returncode == 0
    assert "materialize" in out
    assert "assetry.toml" in err


def test_a_project_file_that_is_wrong_is_told_once_where_a_command_may_be_of_a_plugin(folder: Folder) -> None:
    folder.write("assetry.toml", "automaton = 3\n")
    result = folder.call("daemon", code=3)
    assert result.stderr.count("error:") == 1
    assert "Unknown key 'automaton'" in result.stderr
    assert "did you mean 'automation'?" in result.stderr
    assert "There is no command" in folder.call("materialise", code=2).stderr


def test_a_reader_that_has_seen_enough_is_no_error(shop: Folder) -> None:
    shop.write("shop_assets.py", "from assetry import asset\n\nassets = []\n")
    functions = "\n".join(f"@asset\ndef a_name_that_is_rather_long_{i}(): ...\n" for i in range(2000))
    shop.write("shop_assets.py", f"from assetry import asset\n\n{functions}")
    with shop.process("list") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert process.wait() == 0


def test_ctrl_c_while_loading_exits_130_quietly(shop: Folder) -> None:
    shop.write("shop_assets.py", "import time\nfrom pathlib import Path\nPath('started').touch()\ntime.sleep(100)\n")
    with shop.process("list") as process:
        shop.wait_for_slow(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err.strip()) == ("", "")


def test_colours_only_where_they_are_wanted(shop: Folder) -> None:
    assert "\x1b[" not in shop.call("status").stdout
    assert "\x1b[" in shop.call("status", color=True).stdout
    assert "\x1b[" not in shop.call("--no-color", "status", color=True).stdout
    assert "\x1b[" not in shop.call("status", "--no-color", color=True).stdout
    assert "\x1b[" not in shop.call("status", color=True, env={"NO_COLOR": "1"}).stdout


def test_a_terminal_that_cannot_show_every_character(shop: Folder) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "assetry", "graph"], cwd=shop.root, env=env, capture_output=True, check=True
    )
    assert b"report" in done.stdout
    done = subprocess.run(
        [sys.executable, "-m", "assetry", "--help"], cwd=shop.root, env=env, capture_output=True, check=True
    )
    assert b"Usage" in done.stdout


def test_values_of_an_option_of_selection() -> None:
    assert spread(["-s", "a", "b", "-v", "c"]) == ["-s", "a", "-s", "b", "-v", "c"]
    assert spread(["--select", "-odd", "b"]) == ["--select", "-odd", "--select", "b"]
    assert spread(["--select=a", "b"]) == ["--select=a", "b"]
    assert spread(["-s"]) == ["-s"]


def test_secrets_are_never_printed(shop: Folder) -> None:
    shop.write(
        "assetry.toml",
        'modules = ["shop_assets"]\n[integrations.acme]\nkind = "acme"\ntoken = { env = "ACME_TOKEN" }\n',
    )
    shop.write(
        "assetry_plugins.py",
        """
        from assetry.plugin import Asset, hookimpl

        @hookimpl
        def assetry_load_assets(integration):
            if integration.kind == "acme":
                return [Asset(key="acme/x", kind="acme", integration=integration)]
        """,
    )
    for command in (["check"], ["show", "acme/x"], ["list"], ["plan"]):
        result = shop.call(*command, "--output", "json", env={"ACME_TOKEN": "hunter2"})
        assert "hunter2" not in result.stdout + result.stderr


SECRETIVE = """
import click
from assetry.plugin import AssetryError, hookimpl

@hookimpl
def assetry_secret(name):
    return "hunter2!" if name == "shop/db" else None

@click.command()
@click.argument("how")
@click.pass_obj
def vault(context, how):
    secret = context.secret("shop/db")
    context.note(f"noted {secret}")
    context.warn(f"warned of {secret}")
    if how == "error":
        raise AssetryError(f"401 for {secret}", hint=f"Not {secret}.")
    if how == "bug":
        raise ValueError(secret)
    context.say(str(len(secret)))

@hookimpl
def assetry_add_commands(commands):
    commands.add_command(vault)
"""


@pytest.mark.parametrize(("how", "code"), [("well", 0), ("error", 1), ("bug", 1)])
def test_a_secret_that_a_command_asked_for_is_masked_in_all_that_is_told_of_it(
    shop: Folder, how: str, code: int
) -> None:
    shop.write("assetry_plugins.py", SECRETIVE)
    result = shop.call("-v", "vault", how, code=code)
    assert "hunter2" not in result.stderr
    assert "noted ***" in result.stderr
    assert "warned of ***" in result.stderr
    assert ("8" in result.stdout) == (how == "well")
    if how == "error":
        assert "error: 401 for ***\n  Not ***." in result.stderr
