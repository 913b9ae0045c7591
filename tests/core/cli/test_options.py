"""Options of integrations: a plugin names them, and commands take them for one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder

MILL = """
from assetry.plugin import Asset, CommandOption, Failed, InvocationGroup, Materialized, hookimpl

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    return [Asset(key="flour", kind="mill", integration=integration)]

@hookimpl
def assetry_command_options():
    return [
        CommandOption(kind="mill", name="grain_size", short="-g", metavar="SIZE", help="How coarse."),
        CommandOption(kind="mill", name="dry", switch=True, help="Without water."),
    ]

@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup("mill")

@hookimpl
def assetry_invocation_command(invocation):
    options = invocation.integration.options
    return f"mill {options.get('grain_size')} {'dry' if options.get('dry') else 'wet'}"

@hookimpl
def assetry_invoke(invocation, context):
    size = invocation.integration.options.get("grain_size")
    yield Failed("flour", f"broken at {size}") if size != "fine" else Materialized("flour")
"""


@pytest.fixture
def mill(folder: Folder) -> Folder:
    folder.write("assetry_plugins.py", MILL)
    folder.write("assetry.toml", '[integrations.north]\nkind = "mill"\ngrain_size = "coarse"\n')
    return folder


@pytest.mark.parametrize(
    "given",
    [["--grain-size", "fine"], ["--grain-size=fine"], ["-g", "fine"], ["-gfine"], ["-s", "a", "flour", "-g", "fine"]],
)
def test_the_plan_shows_an_option_where_it_is_usual(mill: Folder, given: list[str]) -> None:
    assert "mill coarse" in mill.call("plan").stdout
    assert "mill fine" in mill.call("plan", *given).stdout


@pytest.mark.parametrize("command", [["list"], ["status"], ["graph"], ["check"], ["show", "flour"], ["observe"]])
def test_every_command_on_definitions_takes_it(mill: Folder, command: list[str]) -> None:
    mill.call(*command, "-g", "fine")
    assert "-g, --grain-size SIZE" in mill.call(command[0], "--help").stdout
    assert "How coarse. (mill)" in mill.call(command[0], "--help").stdout


def test_a_switch_is_given_without_a_value_and_says_nothing_where_it_is_not(mill: Folder) -> None:
    assert "mill coarse dry" in mill.call("plan", "--dry", "-s", "flour").stdout
    assert "mill coarse wet" in mill.call("plan").stdout
    (mill.root / "assetry.toml").write_text('[integrations.north]\nkind = "mill"\ngrain_size = "coarse"\ndry = true\n')
    assert "mill coarse dry" in mill.call("plan").stdout
    assert "Without water. (mill)" in mill.call("plan", "--help").stdout


def test_a_folder_after_it_counts(mill: Folder, tmp_path: object) -> None:
    from assetry.cli.program import Program
    from click.testing import CliRunner

    done = CliRunner().invoke(Program(), ["plan", "--grain-size", "fine", "-C", str(mill.root)])
    assert "mill fine" in done.stdout, done.stderr


def test_a_run_keeps_it_and_a_retry_has_it_again(mill: Folder) -> None:
    assert "broken at odd" in mill.call("materialize", "-g", "odd", code=1).stdout
    assert "broken at odd" in mill.call("retry", code=1).stdout
    assert mill.json("runs")["runs"][0]["options"]["integration_options"] == {"grain_size": "odd"}
    mill.call("materialize", "-g", "fine")


def test_an_option_that_no_plugin_has_is_refused_with_a_near_one(mill: Folder) -> None:
    refused = mill.call("plan", "--grain-siz", "fine", code=2)
    assert "--grain-size" in refused.stderr
    mill.write("assetry.toml", "modules = []")
    assert "has no integration of kind mill" in mill.call("plan", "-g", "fine", code=2).stderr
