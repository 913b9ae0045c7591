"""The kit catches each bad plugin by the right check, says what to do, and lets the good ones pass."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import assetry.testing
import pytest
from assetry.errors import UsageError
from assetry.hooks.installed import PluginInfo
from assetry.testing import (
    ExecutorConformance,
    IntegrationConformance,
    IOManagerConformance,
    IOUnderTest,
    PluginConformance,
    PluginUnderTest,
    StoreConformance,
)
from assetry.testing.subjects import INTEGRATION_CAPABILITIES, IO_CAPABILITIES, refusals

BAD = (Path(__file__).with_name("bad_plugins.py"), Path(__file__).with_name("bad_keepers.py"))
#: Written in the source, so that the bad plugins are not imported here, but only where they are run.
NEED_ASSETS = "every check that needs assets"


pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Outcome:
    """What one run of the kit over all the plugins gave: failures by class and check, and what was printed."""

    failures: Mapping[str, Mapping[str, str]]
    passed: Mapping[str, set[str]]
    output: str


@pytest.fixture(scope="session")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    report = tmp_path_factory.mktemp("kit") / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # No configuration of ours: the kit has to work in anybody's project.
    command += ["-c", os.devnull, "--rootdir", str(Path(__file__).parent), "--import-mode=importlib"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", *map(str, BAD)], capture_output=True, text=True, check=False
    )
    failures: dict[str, dict[str, str]] = {}
    passed: dict[str, set[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("classname", "").rpartition(".")[2]
        wrong = case.find("failure") if case.find("failure") is not None else case.find("error")
        if wrong is None:
            passed.setdefault(name, set()).add(case.get("name", ""))
        else:
            failures.setdefault(name, {})[case.get("name", "")] = wrong.get("message", "")
    return Outcome(failures, passed, done.stdout)


def classes(file: Path) -> dict[str, Any]:
    """Return the test classes of a file of bad plugins, by name."""
    spec = spec_from_file_location(f"{file.stem}_read", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: each for name, each in vars(module).items() if name.startswith("Test")}


def checks(kit: type[Any]) -> set[str]:
    return {name for name in dir(kit) if name.startswith("test_")}


CLASSES = {**classes(BAD[0]), **classes(BAD[1])}
KITS = (IntegrationConformance, IOManagerConformance, StoreConformance, ExecutorConformance)


@pytest.mark.parametrize("name", CLASSES)
def test_each_plugin_is_caught_by_the_right_checks(name: str, outcome: Outcome) -> None:
    caught = set(outcome.failures.get(name, ()))
    expected = set(CLASSES[name].caught)
    if NEED_ASSETS in expected:
        assert caught >= expected - {NEED_ASSETS}
    else:
        assert caught == expected
    assert caught | outcome.passed[name] == checks(CLASSES[name])


@pytest.mark.parametrize("kit", KITS)
def test_every_check_catches_some_bad_plugin(kit: type[Any]) -> None:
    caught = set().union(*(each.caught for each in CLASSES.values() if issubclass(each, kit)))
    assert checks(kit) - checks(PluginConformance) <= caught


def test_every_check_of_plugins_catches_some_bad_plugin() -> None:
    caught = set().union(*(each.caught for each in CLASSES.values()))
    #: What only third parties' packages can do wrong; see below.
    elsewhere = {"test_use_hooks_that_will_stay", "test_say_which_versions_of_assetry_you_need"}
    assert checks(PluginConformance) - caught == elsewhere


def test_every_failure_says_what_to_do(outcome: Outcome) -> None:
    for name, failed in outcome.failures.items():
        if NEED_ASSETS in CLASSES[name].caught:
            continue
        for check, message in failed.items():
            assert message.startswith(("AssertionError: ", "UserWarning: ")), f"{name}.{check}: {message}"
            assert len(message.splitlines()[0]) > 40, f"{name}.{check}: {message}"


def test_refusals_are_printed_with_their_reasons(outcome: Outcome) -> None:
    assert "refused by plugins under test" in outcome.output
    assert "TestGood refuses resume: its process ends with ours" in outcome.output
    assert "TestGoodService refuses" not in outcome.output


def test_every_assertion_of_the_kit_has_a_message_of_its_own() -> None:
    """In other people's environments nothing may rewrite the kit's assertions."""
    for file in Path(assetry.testing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            silent = isinstance(node, ast.Assert) and node.msg is None and "stdout" not in ast.unparse(node)
            assert not silent, f"{file.name}:{node.lineno}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("kit", KITS)
def test_names_of_checks_are_advice(kit: type[Any]) -> None:
    """Each begins with what to do, so that a failure reads as an instruction."""
    first = {name.removeprefix("test_").partition("_")[0] for name in checks(kit)}
    nouns = {"the", "a", "it", "assets", "events", "group", "groups", "tool", "stream", "that", "no", "one"}
    assert not first & nouns


# -- packages --------------------------------------------------------------------------------------------------------


def package(folder: Path, requires: str) -> None:
    """Make a folder that looks like an installed package with a plugin."""
    (folder / "acme_hooks.py").write_text("from assetry.plugin import hookimpl\n@hookimpl\ndef assetry_io_url(): ...\n")
    facts = folder / "assetry_acme-0.2.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: assetry-acme\nVersion: 0.2\n{requires}")
    (facts / "entry_points.txt").write_text("[assetry]\nacme = acme_hooks\n")


@pytest.mark.parametrize("requires", ["", "Requires-Dist: assetry\n", "Requires-Dist: assetry>=0.1\n"])
def test_a_package_must_say_up_to_which_assetry(requires: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, requires)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AssertionError, match=r'"assetry>=0\.1,<0\.2"'):
        PluginConformance().test_say_which_versions_of_assetry_you_need(PluginUnderTest("acme_hooks"))


def test_a_package_that_says_it_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "Requires-Dist: assetry>=0.1,<0.2\n")
    monkeypatch.syspath_prepend(tmp_path)
    PluginConformance().test_say_which_versions_of_assetry_you_need(PluginUnderTest("acme_hooks"))


def test_hooks_that_will_go_are_caught() -> None:
    info = PluginInfo("acme", "assetry-acme", "0.2", "acme", ("assetry_io_url",), warnings=("assetry_x is going",))
    with pytest.raises(AssertionError, match=r"assetry-acme 0\.2: assetry_x is going"):
        PluginConformance().test_use_hooks_that_will_stay(info)


# -- capabilities ----------------------------------------------------------------------------------------------------


def test_a_plugin_s_own_refusals_count() -> None:
    subject = PluginUnderTest("x", refuses={"stream": "mine"})
    declared = {"resume": "no ids", "stream": "its"}
    assert refusals(subject, INTEGRATION_CAPABILITIES, declared) == {"resume": "no ids", "stream": "mine"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"refuses": {"durabel": "x"}}, "There is no capability 'durabel'"),
        ({"can": {"durable": False}}, "refused without a reason"),
        ({"can": {"durable": True}, "refuses": {"durable": "x"}}, "said to be possible, and refused"),
        ({"refuses": {"durable": " "}}, "reason for refusing 'durable' is empty"),
    ],
)
def test_wrong_capabilities_are_errors(more: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        refusals(IOUnderTest("x", url="memory:", **more), IO_CAPABILITIES, {})
