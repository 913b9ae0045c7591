"""The kit catches each bad plugin by one check, says what to do, and lets the good ones pass."""

from __future__ import annotations

import ast
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
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
from assetry.testing.verdicts import needed

BAD = (Path(__file__).with_name("bad_plugins.py"), Path(__file__).with_name("bad_keepers.py"))
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"

#: How many processes judge the plugins.
AT_ONCE = 4

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass
class Verdict:
    """What the kit says of one plugin: messages of failures and skips by check, what passed, and how long it took."""

    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    #: Failures as they are printed, tracebacks and all.
    printed: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What one run of the kit over all the plugins gave, by class, and what was printed."""

    verdicts: Mapping[str, Verdict]
    output: str
    code: int


def judged(folder: Path, *arguments: str, patience: int = 1) -> Outcome:
    """Run the kit over bad plugins, in a process of its own, so many times as patient as they ask for."""
    report, said = folder / "report.xml", folder / "said"
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short"]
    for each in ("cacheprovider", "xdist", "singer_testing"):  # what is not needed, and takes long to import
        command += ["-p", f"no:{each}"]
    # No configuration of ours: the kit has to work in anybody's project.
    command += ["-c", os.devnull, "--rootdir", str(Path(__file__).parent), "--import-mode=importlib"]
    with said.open("wb") as out:  # no pipe: some of the plugins leave processes behind that would hold it
        environment = {**os.environ, "ASSETRY_KIT_PATIENCE": str(patience)}
        code = subprocess.call([*command, f"--junitxml={report}", *arguments], stdout=out, stderr=out, env=environment)
    verdicts: dict[str, Verdict] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        verdict = verdicts.setdefault(case.get("classname", "").rpartition(".")[2], Verdict())
        verdict.seconds += float(case.get("time", "0"))
        name, found = case.get("name", ""), {each.tag: each for each in case}
        wrong = found.get("failure", found.get("error"))
        if wrong is not None:
            verdict.failed[name] = wrong.get("message", "")
            verdict.printed += wrong.text or ""
        elif "skipped" in found:
            verdict.skipped[name] = found["skipped"].get("message", "")
        else:
            verdict.passed.add(name)
    return Outcome(verdicts, said.read_text(), code)


@pytest.fixture(scope="session")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the verdicts on all plugins, in a few processes at once: most of the time a check waits for what hangs.

    The kit has two seconds for each check of these, where it has 15 for those of others. On a busy machine that is too
    little here and there: a class that is not judged as expected is judged again, by itself and with more time.
    """
    names = [f"{inspect.getfile(each)}::{name}" for name, each in CLASSES.items()]
    folders = [tmp_path_factory.mktemp("kit") for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda i: judged(folders[i], *names[i::AT_ONCE]), range(AT_ONCE)))
    verdicts = {name: verdict for each in found for name, verdict in each.verdicts.items()}
    for name in [each for each, verdict in verdicts.items() if set(verdict.failed) != expected(each)]:
        test = f"{inspect.getfile(CLASSES[name])}::{name}"
        again = judged(tmp_path_factory.mktemp("kit"), test, patience=10)
        verdicts.update(again.verdicts)
    return Outcome(verdicts, "".join(each.output for each in found), max(each.code for each in found))


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


def expected(name: str) -> set[str]:
    """Return the check that is to catch a plugin; none for a good one."""
    return {CLASSES[name].caught} - {""}


@pytest.mark.parametrize("name", CLASSES)
def test_each_plugin_is_caught_by_the_right_check(name: str, outcome: Outcome) -> None:
    verdict = outcome.verdicts[name]
    assert set(verdict.failed) == expected(name)
    assert {*verdict.failed, *verdict.skipped, *verdict.passed} == checks(CLASSES[name])


def test_a_fault_is_told_once() -> None:
    many = [name for name, each in CLASSES.items() if not isinstance(each.caught, str)]
    assert many == []


def test_a_check_is_skipped_only_where_another_one_fails(outcome: Outcome) -> None:
    skipped = 0
    for name, verdict in outcome.verdicts.items():
        for check, message in verdict.skipped.items():
            cause = re.match(r"not judged: (test_\w+) fails: .", message)
            assert cause is not None, f"{name}.{check}: {message}"
            assert cause[1] in verdict.failed, f"{name}.{check}: {message}"
            skipped += 1
    assert skipped > 100, "the bad plugins no longer show it"


@pytest.mark.parametrize("check", ["test_work_in_a_project", "test_let_no_secret_out", "test_keep_metadata_small"])
def test_one_check_alone_fails_when_what_it_needs_does(check: str, tmp_path: Path) -> None:
    alone = judged(tmp_path, f"{BAD[0]}::TestRaisesInLoad::{check}")
    assert alone.code == 1
    message = alone.verdicts["TestRaisesInLoad"].failed[check]
    assert "ValueError: boom" in message
    assert "said by test_load_assets_without_raising" in message


@pytest.mark.parametrize("check", ["test_work_in_a_project", "test_let_go_of_a_job_that_is_over"])
def test_one_check_alone_passes_with_a_good_plugin(check: str, tmp_path: Path) -> None:
    alone = judged(tmp_path, f"{BAD[0]}::TestGoodService::{check}")
    assert (alone.code, alone.verdicts["TestGoodService"].passed) == (0, {check})


@pytest.mark.parametrize("kit", KITS)
def test_what_a_check_needs_is_there_and_comes_before_it(kit: type[Any]) -> None:
    """So that the check that fails is the one that is about the fault, whatever else is carried out."""
    order = [name for base in reversed(kit.__mro__) for name in vars(base) if name.startswith("test_")]
    for check in checks(kit):
        for each in needed(kit, check):
            assert each in order, f"{check} needs {each}, which is no check"

    def rank(check: str, way: tuple[str, ...] = ()) -> None:
        assert check not in way, f"{check} needs itself, by way of {way}"
        for each in needed(kit, check):
            rank(each, (*way, check))

    for check in checks(kit):
        rank(check)


@pytest.mark.parametrize("kit", KITS)
def test_every_check_catches_some_bad_plugin(kit: type[Any]) -> None:
    caught = set().union(*(expected(name) for name, each in CLASSES.items() if issubclass(each, kit)))
    assert checks(kit) - checks(PluginConformance) <= caught


def test_every_check_of_plugins_catches_some_bad_plugin() -> None:
    caught = set().union(*map(expected, CLASSES))
    #: What only third parties' packages can do wrong; see below.
    elsewhere = {"test_use_hooks_that_will_stay", "test_say_which_versions_of_assetry_you_need"}
    assert checks(PluginConformance) - caught == elsewhere


def failures(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    for name, verdict in outcome.verdicts.items():
        yield from ((name, check, message) for check, message in verdict.failed.items())


def test_every_failure_says_what_to_do(outcome: Outcome) -> None:
    for name, check, message in failures(outcome):
        assert message.startswith(("AssertionError: ", "UserWarning: ")), f"{name}.{check}: {message}"
        least = 60 if issubclass(CLASSES[name], IntegrationConformance) else 40
        assert len(message.splitlines()[0]) > least, f"{name}.{check}: {message}"


def test_whatever_is_raised_in_a_hook_is_told_with_hook_error_and_place(outcome: Outcome) -> None:
    seen = set()
    for name, check, message in failures(outcome):
        if re.search(r"TestRaises(In|At|For|Before)", name) and "boom" in outcome.verdicts[name].printed:
            told = re.search(
                r"(assetry_\w+) raised (ValueError|KeyError|RuntimeError): '?boom'? at \S+\.py:\d+[,:] .{20,}", message
            )
            assert told is not None, f"{name}.{check}: {message}"
            seen.add(told[1])
    assert len(seen) == 15, seen


def test_what_does_not_return_is_told_with_the_place_where_it_stands(outcome: Outcome) -> None:
    for name, check, message in failures(outcome):
        if re.search(r"Hangs|Spins|Waits", name):
            assert re.search(r"stands at \S+\.py:\d+", message), f"{name}.{check}: {message}"


def test_no_failure_shows_a_secret(outcome: Outcome) -> None:
    verdict = outcome.verdicts["TestRaisesWithASecret"]
    assert "no access with ***" in "".join(verdict.failed.values())
    for name, each in outcome.verdicts.items():
        assert "correct horse" not in "".join((*each.failed.values(), *each.skipped.values())), name
    assert "no access with correct" not in verdict.printed


def test_the_slowest_verdicts_are_shown(outcome: Outcome) -> None:
    slowest = sorted(outcome.verdicts, key=lambda name: -outcome.verdicts[name].seconds)[:5]
    print("slowest verdicts:", ", ".join(f"{name} {outcome.verdicts[name].seconds:.1f} s" for name in slowest))
    assert slowest


# -- the page --------------------------------------------------------------------------------------------------------

#: What docs/conformance.md shows: for each check one plugin, and some more of those that are often written.
MORE = (
    *(
        "TestWrongHook",
        "TestGeneratorHook",
        "TestRandomKeys",
        "TestFinder",
        "TestCallsAFailureMade",
        "TestIsGreenAfterDeath",
    ),
    *("TestSecretInPythonsLog", "TestSecretInBase64", "TestHangsInLoad", "TestHangsInClose", "TestWaitsForADeadJob"),
    *(
        "TestWaitsForAPipe",
        "TestNeedsALoadInItsProcess",
        "TestGroupsDifferentlyElsewhere",
        "TestRaisesBeforeTheFirstEvent",
    ),
    *("TestStreamsNothing", "TestGroupsByText", "TestShowsHTML", "TestTellsOfAHalf", "TestRaisesForADeadJob"),
)


def shown(outcome: Outcome) -> list[str]:
    """Return the names of the plugins on the page, in the order of the checks that catch them."""
    bad = {
        name: each.caught for name, each in CLASSES.items() if issubclass(each, IntegrationConformance) and each.caught
    }
    first = {check: name for name, check in reversed(bad.items())}
    chosen = {*first.values(), *MORE}
    order = [
        name for base in reversed(IntegrationConformance.__mro__) for name in vars(base) if name.startswith("test_")
    ]
    return sorted(chosen, key=lambda name: (order.index(bad[name]), list(bad).index(name)))


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def row(name: str, verdict: Verdict) -> str:
    """Return a row of the page: what the plugin is called, what it does wrong, the check, and what is printed."""
    said = verdict.failed[CLASSES[name].caught].splitlines()[0].partition(": ")[2]
    # Where it stands is another place in each checkout, and after each change.
    said = re.sub(r"(?:[^\s'\"]*/)?(\w+)\.py:\d+", r"\1.py:…", said)
    said = re.sub(r"(?:0x)?[0-9a-f]{12,}|-?\b\d{9,}|\b[\d.]+(?= seconds)|\b\d{6,}(?= bytes)", "…", said)
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.removeprefix("Test")).lower()
    wrong = " ".join((CLASSES[name].__doc__ or "").split())
    return f"| {words} | {cell(wrong)} | `{CLASSES[name].caught}` | {cell(said)} |"


def test_the_page_of_bad_plugins_is_as_the_kit_has_it(outcome: Outcome) -> None:
    names = shown(outcome)
    assert len(names) >= 30
    rows = [row(name, outcome.verdicts[name]) for name in names]
    table = "\n".join(
        ["| plugin | what it does wrong | caught by | what is printed |", "| --- | --- | --- | --- |", *rows]
    )
    page = PAGE.read_text()
    begin, end = "<!-- bad plugins -->\n", "\n<!-- end -->"
    new = page[: page.index(begin) + len(begin)] + table + page[page.index(end) :]
    if os.environ.get("ASSETRY_WRITE_CONFORMANCE"):
        PAGE.write_text(new)
    # What is printed may name what came first; which check it is, and what for, is certain.
    assert [each.rpartition(" | ")[0] for each in PAGE.read_text().splitlines()] == [
        each.rpartition(" | ")[0] for each in new.splitlines()
    ], "docs/conformance.md says otherwise: look at what has changed, then run `make conformance`"


def test_every_bad_integration_says_what_it_does_wrong() -> None:
    for name, each in CLASSES.items():
        if issubclass(each, IntegrationConformance) and each.caught:
            assert (each.__doc__ or "").strip().endswith("."), name
            assert each.__doc__ != IntegrationConformance.__doc__, name


# -- what is printed -------------------------------------------------------------------------------------------------


def test_refusals_are_printed_with_their_reasons(outcome: Outcome) -> None:
    assert "refused by plugins under test" in outcome.output
    assert "TestGood refuses resume: its process ends with ours" in outcome.output
    assert "TestGoodService refuses" not in outcome.output


def test_every_assertion_of_the_kit_has_a_message_of_its_own() -> None:
    """In other people's environments nothing may rewrite the kit's assertions."""
    for file in Path(assetry.testing.__file__).parent.rglob("*.py"):
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


# -- what is told beside -----------------------------------------------------------------------------------------------

PLUGIN = """
import time
from assetry.plugin import Asset, Handle, InvocationGroup, Log, RunError, hookimpl

ASSETRY_KINDS = {"mill": {}}


@hookimpl
def assetry_load_assets(integration, context):
    context.reads("mill.json")
    time.sleep(0.6)
    return [Asset(key=f"{integration.name}/{name}", kind="mill", integration=integration) for name in "abc"]


@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup(f"mill:{asset.integration.name}")


@hookimpl
def assetry_invoke(invocation, context):
    yield Log("The mill knows no table raw.orders.")
    context.log("It was asked with a-very-secret-word.")
    raise RunError("The mill ended with exit code 1.", hint="Read its manual.")
"""
SUBJECT = """
import sys
import pytest
sys.path.insert(0, {folder!r})
from assetry.plugin import Integration
from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest

pytestmark = pytest.mark.filterwarnings("error:.*loading takes.*")


class TestMill(IntegrationConformance):
    def subject(self, folder):
        integration = Integration("mill", "mill", root=str(folder))
        secrets = {{"MILL": "a-very-secret-word"}}
        return IntegrationUnderTest("kit_mill", integration=integration, tool=FakeTool(), secrets=secrets)

    @pytest.fixture(autouse=True)
    def _little_time(self, monkeypatch):
        monkeypatch.setattr("assetry.testing.integration.definitions.SLOW_LOAD", 0.5)
"""


@pytest.fixture(scope="module")
def mills(tmp_path_factory: pytest.TempPathFactory) -> Mapping[bool, Verdict]:
    """Return the verdicts on a plugin that says what its loads read, and on one that does not, judged at once."""
    folders = {says: tmp_path_factory.mktemp("mill") for says in (True, False)}

    def verdict(says: bool) -> Verdict:
        folder = folders[says]
        (folder / "kit_mill.py").write_text(PLUGIN if says else PLUGIN.replace('    context.reads("mill.json")\n', ""))
        (folder / "test_mill.py").write_text(SUBJECT.format(folder=str(folder)))
        return judged(folder, str(folder / "test_mill.py")).verdicts["TestMill"]

    with ThreadPoolExecutor(len(folders)) as pool:
        return dict(zip(folders, pool.map(verdict, folders), strict=True))


@pytest.mark.parametrize("says", [True, False])
def test_what_a_stream_said_before_it_broke_is_told_and_a_load_that_is_kept_may_be_slow(
    mills: Mapping[bool, Verdict], says: bool
) -> None:
    found = mills[says]
    told = found.failed["test_run_without_raising"]
    assert "raised RunError: The mill ended with exit code 1." in told
    assert "its hint: Read its manual." in told
    assert "it logged: The mill knows no table raw.orders." in told
    assert "it logged: It was asked with ***." in told
    assert ("test_load_quickly" in found.failed) is not says


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
