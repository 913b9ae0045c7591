"""Conformance of any plugin: it loads, its hooks are the core's, and it answers only what it is asked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from assetry.graph.graph import AssetGraph
from assetry.hooks import specs as hookspecs
from assetry.hooks.answers import first_fault
from assetry.hooks.commands import Commands
from assetry.hooks.declarations import declared_words
from assetry.hooks.installed import PluginInfo
from assetry.hooks.loading import Loading
from assetry.hooks.manager import Plugins
from assetry.project.project import Project
from assetry.project.runs.services import services_of
from assetry.run.listeners import Surroundings
from assetry.testing.child import ChildError, elsewhere, heavy_imports
from assetry.testing.json_schemas import refused_by_editors
from assetry.testing.loading import (
    HEAVY,
    IMPORT,
    called,
    declared_refusals,
    import_fault,
    load,
    module_of,
    own_info,
)
from assetry.testing.subjects import PluginUnderTest, refusals
from assetry.testing.verdicts import ADVICE, Judge, Verdicts, asked, needs
from assetry.types.assets import Integration
from assetry.types.events import Log
from assetry.types.hooks.listening import EventContext
from assetry.types.options import CommandOption, OptionType
from assetry.types.records import EventRecord, RunInfo

#: A kind that no plugin answers for.
FOREIGN = "no-plugins-kind"
#: The hooks that only one plugin may answer.
CLAIMS = ("assetry_load_assets", "assetry_open_io", "assetry_open_store", "assetry_open_executor")

#: The hooks that are asked of every plugin, whatever goes on, and what they answer when they do.
ASKED_OF_ALL: Mapping[str, Any] = {
    "assetry_command_options": CommandOption,
    "assetry_value_metadata": Mapping,
    "assetry_selection_hint": str,
    "assetry_event": type(None),
}
#: Seconds that a hook has to answer a question that needs no work, and a process to begin.
ANSWER, STARTING = 5.0, 10.0

#: Under this name a refusal travels with a test's report.
REFUSAL = "assetry_refusal"


class Kit:
    """What the checks of one class share: the folder, and what is made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verdicts = Verdicts()
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` returned the first time."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


def note_refusals(request: pytest.FixtureRequest, refused: Mapping[str, str]) -> None:
    """Let the report of a test say what its subject refuses."""
    where = request.cls.__name__ if request.cls is not None else request.node.name
    for name, reason in refused.items():
        request.node.user_properties.append((REFUSAL, [where, name, reason]))


class PluginConformance:
    """Checks to inherit; fill in `subject`: a `PluginUnderTest`, or a method that makes one in an empty folder.

    >>> class TestThreads(PluginConformance):
    ...     subject = PluginUnderTest("assetry.run.threads")
    """

    subject: ClassVar[Any]
    #: What a subject of this class may refuse.
    capabilities: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(autouse=True)
    def assetry_judge(self, request: pytest.FixtureRequest, assetry_kit: Kit) -> Judge:
        """Return the one who carries out the checks; the pytest plugin of assetry calls it."""
        return Judge(request, assetry_kit.verdicts)

    def begin_anew(self, fixtures: Mapping[str, Any]) -> None:
        """Make what a check is given as good as new, after another one that it needs was carried out with it."""

    @pytest.fixture
    def filled(self, assetry_kit: Kit, request: pytest.FixtureRequest) -> PluginUnderTest:
        """Return the subject, made once for the class."""
        filled: PluginUnderTest = assetry_kit.once("subject", lambda: self._filled(assetry_kit.folder))
        note_refusals(request, refusals(filled, self.capabilities, declared_refusals(filled.plugin)))
        return filled

    def _filled(self, folder: Path) -> Any:
        subject = getattr(self, "subject", None)
        assert subject is not None, f"fill in {type(self).__name__}.subject"
        return subject(folder) if callable(subject) else subject

    @pytest.fixture
    def loaded(self, assetry_kit: Kit, filled: PluginUnderTest) -> Plugins:
        """Return the plugin, loaded as the core does it."""
        loaded: Plugins = assetry_kit.once("loaded", lambda: load(filled.plugin, getattr(filled, "beside", ())))
        return loaded

    @pytest.fixture
    def info(self, loaded: Plugins) -> PluginInfo:
        """Return what the core knows of the plugin."""
        return own_info(loaded)

    # -- checks ------------------------------------------------------------------------------------------------------

    def test_import_the_hook_module_without_errors(self, info: PluginInfo, filled: PluginUnderTest) -> None:
        fault = import_fault(filled.plugin)
        assert fault is None, f"{info.label} cannot be loaded, so it cannot be used: {fault}"
        assert info.hooks or info.problems, f"{info.label} has no hooks: mark functions named assetry_… with @hookimpl"

    @needs("test_import_the_hook_module_without_errors")
    def test_spell_hooks_and_arguments_as_the_core_does(self, info: PluginInfo) -> None:
        assert not info.problems, f"{info.label}: {'; '.join(info.problems)}; spell them as docs/reference.md does"

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_use_hooks_that_will_stay(self, info: PluginInfo) -> None:
        assert not info.warnings, f"{info.label}: {'; '.join(info.warnings)}"

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_let_editors_refuse_nothing_that_you_take(self, info: PluginInfo) -> None:
        for of, name, option in declared_options(info):
            refused = next(iter(refused_by_editors(option)), None)
            assert refused is None, (
                f"option {name!r} of {of} takes {refused!r}, and its json_schema does not, so that editors mark what "
                "is right: let it tell no less than the option takes, or leave it out"
            )

    @needs("test_import_the_hook_module_without_errors")
    def test_import_heavy_modules_inside_functions(self, filled: PluginUnderTest, tmp_path: Path) -> None:
        if not isinstance(filled.plugin, (str, ModuleType)):
            return  # an object stands in a test or a script, which may import what it likes
        name = module_of(filled.plugin)
        try:
            came = elsewhere(heavy_imports, name, [*HEAVY, *filled.heavy], folder=tmp_path, seconds=IMPORT + STARTING)
        except ChildError as error:
            raise AssertionError(f"{name} cannot be imported in a new process: {error}") from error
        assert not came, (
            f"importing {name} imports {', '.join(came)}: every start of the program waits for that; "
            "import it inside the function that needs it"
        )

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_write_claiming_hooks_as_plain_functions(self, loaded: Plugins, info: PluginInfo) -> None:
        for hook, function in implementations(loaded, info, asked_of(info)):
            assert not inspect.isgeneratorfunction(function), (
                f"{hook} is a generator function, so it answers every question, also those of others: "
                "return None or an iterable, and put the yield into a function of its own"
            )

    @needs("test_write_claiming_hooks_as_plain_functions")
    def test_answer_none_to_what_is_not_yours(self, loaded: Plugins, info: PluginInfo) -> None:
        foreign = Integration("foreign", FOREIGN)
        questions = {"integration": foreign, "context": Loading(foreign.root), "url": f"{FOREIGN}:somewhere"}
        for hook, function in implementations(loaded, info, asked_of(info)):
            answer = asked(hook, partial(called, function, questions), ANSWER)
            assert answer is None, (
                f"{hook} answers for {FOREIGN!r}, which is not its own: no other plugin can answer then; "
                "declare your own (ASSETRY_KINDS, ASSETRY_SCHEMES), or return None when it is another's"
            )

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_discover_nothing_in_an_empty_folder(self, loaded: Plugins, info: PluginInfo, tmp_path: Path) -> None:
        for hook, function in implementations(loaded, info, ("assetry_discover",)):
            found = asked(hook, lambda ask=function: list(called(ask, {"root": str(tmp_path)}) or ()), ANSWER)  # type: ignore[misc]
            assert not found, f"assetry_discover finds {found[0].name!r} in an empty folder: look for your own files"

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_add_commands_that_can_be_called(self, loaded: Plugins, info: PluginInfo) -> None:
        for hook, function in implementations(loaded, info, ("assetry_add_commands",)):
            added = Commands()
            asked(hook, partial(called, function, {"commands": added}), ANSWER)
            assert not added.problems, f"{info.label}: {hook}: {'; '.join(added.problems)}"
            assert not added.warnings, f"{info.label}: {'; '.join(added.warnings)}"

    @needs("test_spell_hooks_and_arguments_as_the_core_does")
    def test_add_to_the_program_without_raising(self, loaded: Plugins, info: PluginInfo) -> None:
        for hook, function in implementations(loaded, info, ASKED_OF_ALL):
            answer = asked(hook, partial(_asked_of_all, hook, function), ANSWER)
            each = answer if hook == "assetry_command_options" else [] if answer is None else [answer]
            wrong = first_fault(each, ASKED_OF_ALL[hook])
            assert wrong is None, f"{hook} {wrong}: {ADVICE[hook]}"

    def test_say_which_versions_of_assetry_you_need(self, filled: PluginUnderTest) -> None:
        if not isinstance(filled.plugin, (str, ModuleType)):
            return
        needs = requirements(module_of(filled.plugin))
        if needs is None:
            return  # not installed by an entry point, so there is no package to say it
        assert any("<" in each or "~=" in each or "==" in each for each in needs), (
            f"the package's dependencies say {needs or 'nothing'} about assetry: write the versions that it is "
            'tested with, as "assetry>=0.1,<0.2", so that a later one is not blamed on you'
        )


def _nowhere() -> EventContext:
    """Return what a listener is given of a project that has no assets."""
    return Surroundings(services_of(Project(store="sqlite::memory:", io="memory:")), AssetGraph.of([]))


def _asked_of_all(hook: str, function: Callable[..., Any]) -> Any:
    """Ask what every plugin is asked, of things that are none of its own."""
    now = datetime.now(UTC)
    questions = {
        "value": object() if hook == "assetry_value_metadata" else "x",
        "method": FOREIGN,
        "event": EventRecord(at=now, run="kit", event=Log("a line")),
        "run": RunInfo(id="kit", state="running", started=now),
        "context": _nowhere(),
    }
    answer = called(function, questions)
    return list(answer or ()) if hook == "assetry_command_options" else answer


def declared_options(info: PluginInfo) -> Iterator[tuple[str, str, OptionType]]:
    """Yield every option that a plugin declares, with whose it is and what it is called."""
    for kind, options in (info.kinds or {}).items():
        yield from ((f"kind {kind!r}", name, each) for name, each in options.items())
    for table, held in info.tables.items():
        for options in () if held is None else (held.options, held.named or {}, *held.kinds.values()):
            yield from ((f"[{table}]", name, each) for name, each in options.items())


def portable(plugin: Any) -> Any:
    """Return a plugin as it can be sent: a module by its name."""
    return module_of(plugin) if isinstance(plugin, ModuleType) else plugin


def asked_of(info: PluginInfo) -> tuple[str, ...]:
    """Return the hooks that a plugin is asked for whatever is of another: it does not declare what is its own."""
    return tuple(hook for hook in CLAIMS if declared_words(info, hook) is None)


def implementations(
    plugins: Plugins, info: PluginInfo, hooks: Iterable[str]
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the implementations that a plugin has of some hooks."""
    plugin = plugins.plugin(info.name)
    for hook in hooks:
        if hook in info.hooks and hasattr(hookspecs, hook):
            yield hook, getattr(plugin, hook)


def requirements(module: str) -> list[str] | None:
    """Return what the package of a hook module says it needs of assetry; None when no entry point names the module.

    >>> requirements("assetry.io.files") is None
    True
    """
    from importlib.metadata import entry_points

    for point in entry_points(group="assetry"):
        if point.module == module and point.dist is not None:
            # Its name ends where extras, versions or markers begin: `assetry[cron]>=0.1`.
            return [each for each in point.dist.requires or () if re.match(r"assetry(?![\w.-])", each)]
    return None
