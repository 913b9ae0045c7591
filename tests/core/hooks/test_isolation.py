"""No plugin takes the program along: what is wrong with one is told with its name, and the others work."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from assetry import asset
from assetry.errors import AssetryError, ClaimError, NoClaimError, PluginError
from assetry.hooks.installed import Candidate, PluginInfo, unmet
from assetry.hooks.manager import Plugins, load_plugins
from assetry.hooks.specs import hookimpl, hookspec
from assetry.project.project import Project
from assetry.run.result import RunResult
from assetry.types.assets import Asset, Integration
from assetry.types.events import Failed, InvocationFinished, Log, Materialized, Started
from assetry.types.hooks.panels import PanelContext
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.records import EventRecord

ACME = Integration("mill", "acme")


class Acme:
    """A plugin whose hooks can be replaced by the tests."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "acme":
            return None
        return [Asset(key=f"mill/{name}", kind="acme", integration=integration) for name in ("a", "b")]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> Any:
        return InvocationGroup("acme:mill")

    @hookimpl
    def assetry_invoke(self, invocation: Any, context: Any) -> Any:
        for each in invocation.assets:
            yield Started(each.key)
            yield Materialized(each.key)


def acme(**hooks: Callable[..., Any]) -> Any:
    """Return the plugin with some hooks replaced."""
    return type("Acme", (Acme,), {name: staticmethod(hookimpl(hook)) for name, hook in hooks.items()})()


def install(folder: Path, code: str, requires: str = "assetry>=0.1,<0.2") -> None:
    """Make a folder that looks like the installed package assetry-acme 0.2."""
    (folder / "acme_hooks.py").write_text(code)
    facts = folder / "assetry_acme-0.2.dist-info"
    facts.mkdir()
    head = "Metadata-Version: 2.1\nName: assetry-acme\nVersion: 0.2\n"
    (facts / "METADATA").write_text(f"{head}Requires-Dist: {requires}\n")
    (facts / "entry_points.txt").write_text("[assetry]\nacme = acme_hooks\n")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that installs assetry-acme 0.2 for the test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("ASSETRY_PLUGINS", "acme")
    yield lambda code, **more: install(tmp_path, code, **more)
    sys.modules.pop("acme_hooks", None)


@asset
def healthy() -> int:
    """Be made, whatever others do."""
    return 1


def run(*plugins: Any, integrations: Any = (ACME,)) -> tuple[RunResult, list[EventRecord]]:
    """Materialize everything of a project with these plugins and a healthy asset."""
    records: list[EventRecord] = []
    urls: dict[str, Any] = {"store": "sqlite::memory:", "io": "memory:"}
    with Project([healthy], integrations=integrations, plugins=plugins, **urls) as project:
        result = project.materialize(on_event=records.append)
    return result, records


def messages(records: list[EventRecord]) -> list[str]:
    return [each.event.message for each in records if isinstance(each.event, (Failed, Log))]


# -- loading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import a_tool_that_nobody_has", "ModuleNotFoundError: No module named 'a_tool_that_nobody_has'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("class Gone(BaseException): ...\nraise Gone('away')", "Gone: away"),
        ("def broken(:", "SyntaxError"),
        (
            "from assetry.plugin import hookimpl\n@hookimpl\ndef assetry_invoke(invokation): ...",
            "did you mean invocation?",
        ),
    ],
)
def test_an_installed_plugin_that_cannot_be_loaded_is_a_problem_with_its_name(
    code: str, said: str, installed: Callable[..., None]
) -> None:
    installed(code)
    result, _ = run(integrations=())
    assert result.ok
    found = load_plugins({}).problems
    assert [problem.plugin for problem in found] == ["assetry-acme 0.2"]
    assert said in found[0].message


def test_ctrl_c_while_plugins_load_is_still_ctrl_c() -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Plugins().add(Candidate(PluginInfo("x", "x", None, "x"), interrupted))


def test_what_needs_a_broken_plugin_names_it(installed: Callable[..., None]) -> None:
    installed("import a_tool_that_nobody_has")
    plugins = load_plugins({})
    with pytest.raises(NoClaimError, match=r"assetry-acme 0\.2 is broken: ModuleNotFoundError"):
        plugins.load_assets(ACME)
    with pytest.raises(NoClaimError, match=r"No plugin keeps values at 'acme' URLs: assetry-acme 0\.2 is broken"):
        plugins.open_io("acme:x")
    with pytest.raises(NoClaimError) as caught:
        plugins.load_assets(Integration("x", "other"))
    assert caught.value.hint == (
        "`assetry plugins` lists what is installed beside it, or mend assetry-acme 0.2: see `assetry plugins`"
    )


def test_a_broken_local_plugin_is_a_problem_too(project: Any) -> None:
    folder = project({"assets.py": "from assetry import asset\n@asset\ndef a(): return 1", "assetry_plugins.py": "1/0"})
    folder.materialize().assert_ok().assert_materialized("a").assert_said("warning: plugin assetry_plugins")
    found = folder.run("plugins").assert_ok().assert_said("broken:.*division by zero", "Correct it in the project")
    assert "assetry_plugins.py:1" in found.out


def test_a_local_plugin_works(project: Any) -> None:
    plugin = """
        from assetry.plugin import Asset, Integration, Materialized, hookimpl
        ASSETRY_REFUSES = {"resume": "it has no jobs"}

        @hookimpl
        def assetry_load_assets(integration):
            return [Asset(key="made", kind="mill", integration=integration)] if integration.kind == "mill" else None

        @hookimpl
        def assetry_invoke(invocation):
            yield Materialized("made")
    """
    folder = project({"assetry.toml": '[integrations.x]\nkind = "mill"', "assetry_plugins.py": plugin})
    folder.materialize().assert_ok().assert_only_materialized("made")
    folder.run("plugins").assert_said("assetry_plugins", "refuses resume: it has no jobs")
    found = folder.run("plugins", "--output", "json").data["plugins"]
    assert [each["refuses"] for each in found if each["name"] == "assetry_plugins"] == [{"resume": "it has no jobs"}]


def test_a_plugin_for_another_assetry_says_so_where_it_is_asked_or_fails(installed: Callable[..., None]) -> None:
    said = "it is made for assetry<0.0.2,>=0.0.1, and this is assetry 0."
    installed("from assetry.plugin import hookimpl", requires="assetry>=0.0.1,<0.0.2")
    plugins = load_plugins({})
    assert plugins.problems == ()
    plugins.check_versions()
    assert said in plugins.problems[0].message


def test_a_plugin_for_another_assetry_that_cannot_be_loaded_names_that_first(installed: Callable[..., None]) -> None:
    installed("from assetry.plugin import no_more", requires="assetry>=0.0.1,<0.0.2")
    first, second = load_plugins({}).problems
    assert "it is made for assetry" in first.message
    assert "no_more" in second.message


@pytest.mark.parametrize(
    ("requirement", "version", "met"),
    [
        ("assetry", "1.0", True),
        ("assetry>=0.1,<0.2", "0.1.9", True),
        ("assetry>=0.1,<0.2", "0.2", False),
        ("assetry>=0.1,<0.2", "0.2.0", False),
        ("assetry (>=0.1)", "0.0.9", False),
        ("assetry~=0.1.2", "0.1.10", True),
        ("assetry~=0.1.2", "0.2.0", False),
        ("assetry~=0.1.2", "0.1.1", False),
        ("assetry==0.1.*", "0.1.7", True),
        ("assetry==0.1.*", "0.2", False),
        ("assetry==0.1", "0.1.0", True),
        ("assetry!=0.1", "0.1", False),
        ("assetry>0.1", "0.1.0", False),
        ("assetry<=0.1", "0.1.0.dev3", True),
        ("assetry[pandas]>=2", "1.0", False),
        ("assetry<1; extra == 'old'", "1.0", True),
        ("assetry-dbt<1", "1.0", True),
        ("Assetry<1", "1.0", False),
        ("assetry>=0.1rc1", "0.0.1", False),
        ("this is not a requirement", "1.0", True),
    ],
)
def test_requirements_are_read_as_installers_read_them(requirement: str, version: str, met: bool) -> None:
    assert (unmet([requirement], version) is None) == met


# -- answering -------------------------------------------------------------------------------------------------------


def lazily_broken(integration: Integration) -> Any:
    def assets() -> Iterator[Asset]:
        yield Asset(key="mill/a", kind="acme", integration=integration)
        raise RuntimeError("half of it")

    return assets() if integration.kind == "acme" else None


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lazily_broken, r"Acme: assetry_load_assets raised RuntimeError: half of it"),
        (lambda integration: sys.exit(4), r"Acme: assetry_load_assets raised SystemExit: 4"),
        (
            lambda integration: [{"key": "a"}],
            r"Acme: assetry_load_assets returned a dict instead of an Asset or an AssetCheck",
        ),
    ],
)
def test_a_broken_load_names_the_plugin(hook: Callable[..., Any], said: str) -> None:
    plugins = load_plugins({}, [acme(assetry_load_assets=hook)], allowed=[])
    with pytest.raises(PluginError, match=said):
        plugins.load_assets(ACME)
    assert plugins.problems


def test_a_wrong_field_of_an_asset_names_plugin_and_field() -> None:
    assets = lambda integration: [Asset(key="mill/a", kind="acme", integration="mill")]  # type: ignore[arg-type]  # noqa: E731
    plugins = load_plugins({}, [acme(assetry_load_assets=assets)], allowed=[])
    said = "returned the Asset 'mill/a', and its integration is a str instead of an Integration"
    with pytest.raises(PluginError, match=f"Acme: assetry_load_assets {said}"):
        plugins.load_assets(ACME)


@pytest.mark.parametrize(
    ("hook", "ask"),
    [
        ("assetry_io_url", lambda plugins: plugins.io_url(ACME)),
        ("assetry_named_selections", lambda plugins: plugins.named_selections(ACME)),
        (
            "assetry_invocation_command",
            lambda plugins: plugins.invocation_command(Invocation(id="1", group=None, integration=ACME, assets=())),
        ),
    ],
)
def test_a_wrong_answer_names_plugin_and_hook(hook: str, ask: Callable[[Plugins], Any]) -> None:
    plugins = load_plugins({}, [acme(**{hook: lambda: 3})], allowed=[])
    with pytest.raises(PluginError, match=f"Acme: {hook} returned an int instead of a (str|Mapping)"):
        ask(plugins)


def test_a_group_that_is_none_names_the_plugin() -> None:
    plugin = acme(assetry_invocation_group=lambda asset: "acme")
    plugins = load_plugins({}, [plugin], allowed=[])
    with pytest.raises(PluginError, match="assetry_invocation_group returned a str instead of an InvocationGroup"):
        plugins.invocation_group(plugins.load_assets(ACME)[0])


def test_greedy_plugins_are_named_and_the_way_out_is_told() -> None:
    greedy = type("Greedy", (), {"assetry_load_assets": staticmethod(hookimpl(lambda integration: []))})()
    with pytest.raises(ClaimError, match=r"Two plugins claim kind 'acme': Acme and Greedy") as caught:
        run(Acme(), greedy)
    assert "ASSETRY_PLUGINS" in (caught.value.hint or "")


@pytest.mark.parametrize("hook", ["assetry_panels", "assetry_discover"])
@pytest.mark.parametrize("broken", [lambda: iter([1 / 0]), lambda: (each / 0 for each in [1]), lambda: [3], sys.exit])
def test_who_is_asked_among_others_spoils_nothing(hook: str, broken: Callable[..., Any]) -> None:
    plugins = load_plugins({}, [SimpleNamespace(**{hook: hookimpl(lambda: broken())})], allowed=[])
    assert plugins.panels(Asset(key="x", kind="x"), PanelContext()) == []
    assert plugins.discover("/nowhere") == []
    assert plugins.problems[0].message.startswith(hook)


# -- running ---------------------------------------------------------------------------------------------------------


def half_way(invocation: Any) -> Any:
    yield Materialized("mill/a")
    yield Started("mill/b")
    raise RuntimeError("boom")


def test_a_stream_that_breaks_is_attributed_with_package_and_version(installed: Callable[..., None]) -> None:
    installed(
        "from assetry.plugin import *\n"
        "@hookimpl\n"
        "def assetry_load_assets(integration):\n"
        "    if integration.kind == 'acme':\n"
        "        return [Asset(key=f'mill/{name}', kind='acme', integration=integration) for name in 'ab']\n"
        "@hookimpl\n"
        "def assetry_invocation_group(asset):\n"
        "    return InvocationGroup('acme:mill')\n"
        "@hookimpl\n"
        "def assetry_invoke(invocation):\n"
        "    yield Materialized('mill/a')\n"
        "    yield Started('mill/b')\n"
        "    raise RuntimeError('boom')\n"
    )
    result, records = run()
    said = "assetry-acme 0.2 raised RuntimeError: boom"
    assert said in messages(records)
    assert [each.event.message for each in records if isinstance(each.event, InvocationFinished)].count(said) == 1
    assert {str(key) for key in result.keys("materialized")} == {"mill/a", "healthy"}
    assert {str(key) for key in result.keys("failed")} == {"mill/b"}


class Silent(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def silent(invocation: Any) -> Any:
    raise Silent


@pytest.mark.parametrize(
    ("invoke", "said"),
    [
        (silent, "Acme: assetry_invoke raised Silent (its text cannot be shown)"),
        (
            lambda invocation: iter([Materialized("mill/a", columns=[("id", "int")])]),  # type: ignore[list-item]
            "Acme reported Materialized, and its columns[0] is a tuple instead of a Column.",
        ),
        (half_way, "Acme raised RuntimeError: boom"),
        (lambda invocation: 3, "Acme: assetry_invoke returned a int instead of an iterator of events."),
        (lambda invocation: sys.exit(1), "Acme: assetry_invoke raised SystemExit: 1"),
        (lambda invocation: (sys.exit(1) for _ in "x"), "Acme raised SystemExit: 1"),
        (lambda invocation: 1 / 0, "Acme: assetry_invoke raised ZeroDivisionError: division by zero"),
        (lambda invocation: None, "Acme cannot run anything: it has no assetry_invoke."),
        (lambda invocation: iter(()), "acme ended without saying what became of mill/a."),
    ],
)
def test_whatever_invoke_does_the_run_goes_on(invoke: Callable[..., Any], said: str) -> None:
    result, records = run(acme(assetry_invoke=invoke))
    assert result.run.state == "failed"
    assert "healthy" in {str(key) for key in result.keys("materialized")}
    assert any(said in each for each in messages(records)), messages(records)


# -- the bad plugins of the kit --------------------------------------------------------------------------------------


def bad_plugins() -> ModuleType:
    path = Path(__file__).parents[2] / "conformance" / "bad_plugins.py"
    spec = importlib.util.spec_from_file_location("bad_plugins_of_the_kit", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: What never returns is ended by people: a program that gave up waiting would break what only takes long.
ENDLESS = ("TestHangs", "TestSpins", "TestWaits")
CASES = {name: case for name, case in vars(bad_plugins()).items() if name.startswith("Test")}
BAD = {name: case for name, case in CASES.items() if not name.startswith(ENDLESS)}

#: What is told of some of them, in the run or as an error; of the others nothing can be seen from outside.
TOLD = {
    "TestForgetsAnAsset": "service ended without saying what became of mill/c",
    "TestEndsAnAssetTwice": "a second end for mill/c",
    "TestTellsOfForeignAssets": "others/x, which was not asked of it",
    "TestYieldsNoEvents": "yielded a dict instead of an event",
    "TestRaisesHalfWay": "Altered raised RuntimeError: boom",
    "TestWrongArgument": "mend WrongArgument",
    "TestImportError": "broken_hooks",
    "TestGreedy": "Two plugins claim",
    "TestGeneratorHook": "Two plugins claim",
    "TestSameKeys": "mill/a",
}


@pytest.mark.parametrize("name", BAD)
def test_each_bad_plugin_leaves_a_working_program(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = BAD[name]().subject
    subject = filled(tmp_path) if callable(filled) else filled
    for variable, value in subject.secrets.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("ASSETRY_PLUGINS", "")
    subject.tool.reset()
    plugin = subject.plugin
    if isinstance(plugin, str):
        source = PluginInfo(plugin, plugin, None, "project")
        plugin = Candidate(source, lambda: importlib.import_module(str(subject.plugin)))
    try:
        result, records = run(plugin, integrations=(subject.integration,))
    except AssetryError as error:  # anything else would be a traceback
        said = str(error)
    else:
        assert "healthy" in {str(key) for key in result.keys("materialized")}
        said = "\n".join(messages(records))
    assert TOLD.get(name, "") in said
    # And the program itself goes on: another project of this process knows nothing of it.
    assert run(integrations=())[0].ok


# -- hooks that change -----------------------------------------------------------------------------------------------


class LaterSpecs:
    """The hooks of a later assetry: one argument more, one hook and one argument on their way out."""

    @hookspec
    def assetry_io_url(self, integration: Any, purpose: Any) -> Any:
        """Take one argument more than the plugins of today know."""

    @hookspec(warn_on_impl=DeprecationWarning("assetry_old goes in 0.4; use assetry_io_url"))
    def assetry_old(self, integration: Any) -> Any:
        """Go."""

    @hookspec(warn_on_impl_args={"root": DeprecationWarning("root goes in 0.4; use folder")})
    def assetry_discover(self, root: Any, folder: Any) -> Any:
        """Rename an argument."""


class OfToday:
    @hookimpl
    def assetry_io_url(self, integration: Any) -> str:
        return f"mill:{integration.name}"


class OfYesterday:
    @hookimpl
    def assetry_old(self, integration: Any) -> str:
        return "old"

    @hookimpl
    def assetry_discover(self, root: Any) -> Any:
        return []


def later(*objects: Any) -> Plugins:
    plugins = Plugins(LaterSpecs())
    for each in objects:
        name = type(each).__name__
        plugins.add(Candidate(PluginInfo(name, f"assetry-{name.lower()}", "0.2", "project"), lambda each=each: each))
    return plugins


def test_adding_an_argument_to_a_hook_breaks_nobody() -> None:
    plugins = later(OfToday())
    assert plugins.problems == ()
    assert plugins.infos[0].warnings == ()
    answers = plugins._all("assetry_io_url", {"integration": ACME, "purpose": "read"})
    assert list(answers) == [("OfToday", "mill:mill")]


def test_hooks_and_arguments_that_will_go_are_told_with_the_plugins_name(
    recwarn: pytest.WarningsRecorder,
) -> None:
    info = later(OfYesterday()).infos[0]
    assert info.label == "assetry-ofyesterday 0.2"
    assert info.problems == ()
    assert sorted(info.warnings) == ["assetry_old goes in 0.4; use assetry_io_url", "root goes in 0.4; use folder"]
    # Told once, where it is looked for; not as Python warnings of whoever runs the program.
    assert not recwarn.list


# -- limits and traces -----------------------------------------------------------------------------------------------


def test_an_empty_list_of_plugins_disables_the_installed_ones(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed("import a_tool_that_nobody_has")
    monkeypatch.setenv("ASSETRY_PLUGINS", " ")
    assert load_plugins({}).infos == ()
    monkeypatch.setenv("ASSETRY_PLUGINS", "other, acme")
    assert [info.name for info in load_plugins({}).infos] == ["acme"]


def test_the_trace_names_hook_plugin_and_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ASSETRY_TRACE", "1")
    run(Acme())
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("assetry: ")]
    assert any("assetry_load_assets → Acme" in line and line.endswith(" ms") for line in lines)
    assert any("assetry_invoke → Acme" in line for line in lines)
