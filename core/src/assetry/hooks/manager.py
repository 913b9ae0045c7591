"""Plugins: found, loaded one by one, isolated from each other, asked and explained.

The rest of the program never touches pluggy: every hook is a typed method here, which knows how the hook is called
(claim, routed, all) and puts the name of the plugin on whatever goes wrong.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pluggy

from assetry.errors import PLUGIN_FAULT, AssetryError, ClaimError, NoClaimError, PluginError, error_words
from assetry.hooks import specs as hookspecs
from assetry.hooks.answers import fault, first_fault
from assetry.hooks.commands import Commands
from assetry.hooks.inspection import hooks_in, hooks_of, loading_problem, local_name, place_of, refusals_of
from assetry.hooks.installed import Candidate, PluginInfo, allowed_names, installed, unmet
from assetry.hooks.masks import masked
from assetry.hooks.packages import near_words, package_hint
from assetry.hooks.secrets import Secrets, answering, find_secret
from assetry.types.assets import Asset, AssetCheck, Integration
from assetry.types.events import Event
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.options import CommandOption
from assetry.types.panels import Panel, PanelContext
from assetry.types.protocols import Executor, IOManager, RunContext, Store
from assetry.types.records import EventRecord, RunInfo

#: What a plugin may end a call with besides an answer: a plugin that calls sys.exit() must not end the program.
FAULTS = (Exception, SystemExit)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a plugin, and the next step."""

    plugin: str
    message: str
    hint: str | None = None


class Plugins:
    """The loaded plugins, each hook as a typed method. Made by `load_plugins`.

    >>> Plugins().infos
    ()
    """

    def __init__(self, specs: Any = hookspecs) -> None:
        self._manager = pluggy.PluginManager("assetry")
        self._manager.add_hookspecs(specs)
        self._specs = specs
        self._known = hooks_in(specs)
        self._infos: dict[str, PluginInfo] = {}
        self._claims: dict[str, str] = {}
        self._routes: dict[tuple[str, str], Any] = {}
        self.secrets = Secrets()
        self._trace = os.environ.get("ASSETRY_TRACE", "") not in ("", "0")

    # -- loading -------------------------------------------------------------------------------------------------

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Return what is known of each plugin, in the order of loading."""
        return tuple(self._infos.values())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return everything that is wrong with any plugin."""
        return tuple(
            Problem(info.label, problem, "Look at it with `assetry plugins`, or do without it: ASSETRY_PLUGINS=…")
            for info in self._infos.values()
            for problem in info.problems
        )

    def add(self, candidate: Candidate) -> None:
        """Load and register one plugin; whatever is wrong with it becomes a problem, never an exception."""
        info = candidate.info
        try:
            plugin = candidate.load()
            hooks, problems = hooks_of(plugin, self._known)
            soon, refuses = self._register(plugin, info.name), refusals_of(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may fail in any way; it must not take the program along
            # A half registered plugin would answer some hooks and not others.
            self._manager.unregister(name=info.name) if self._manager.has_plugin(info.name) else None
            hooks, problems, soon, refuses = (), (loading_problem(error, self._specs),), (), {}
        problems = (*info.problems, *problems)
        self._infos[info.name] = replace(info, hooks=hooks, problems=problems, warnings=soon, refuses=refuses)
        if problems:
            self._check_version(info.name)

    def check_versions(self) -> None:
        """Add a problem for each plugin whose package asks for another assetry than this one."""
        for name in tuple(self._infos):
            self._check_version(name)

    def _check_version(self, name: str) -> None:
        info = self._infos[name]
        problem = unmet(info.requires) if info.requires else None
        if problem is not None and problem not in info.problems:
            # First: it is the likely reason of the others.
            self._infos[name] = replace(info, problems=(problem, *info.problems))

    def _register(self, plugin: Any, name: str) -> tuple[str, ...]:
        """Register a plugin; return what pluggy warns of: hooks and arguments that will be gone."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._manager.register(plugin, name=name)
        return tuple(dict.fromkeys(str(each.message) for each in caught))

    def plugin(self, name: str) -> Any:
        """Return the module or object that was registered under a name; None when that could not be loaded."""
        return self._manager.get_plugin(name)

    def label(self, integration: Integration) -> str:
        """Return who answers for an integration, as errors name it: package and version, else the kind."""
        try:
            return self._infos[self.claimant(integration)].label
        except AssetryError:
            return integration.kind

    def tell(self, name: str, problems: Iterable[str], soon: Iterable[str] = ()) -> None:
        """Note what is wrong with a plugin, and what will be with a later assetry; each once."""
        info = self._infos[name]
        wrong, going = dict.fromkeys((*info.problems, *problems)), dict.fromkeys((*info.warnings, *soon))
        self._infos[name] = replace(info, problems=tuple(wrong), warnings=tuple(going))

    def _report(self, name: str, message: str) -> None:
        self.tell(name, (message,))

    # -- the three manners of calling ----------------------------------------------------------------------------

    def _call(self, impl: Any, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call one implementation with the arguments it takes."""
        started = time.perf_counter()
        try:
            return answering(self.secret, impl.function, *(arguments[name] for name in impl.argnames))
        finally:
            if self._trace:
                elapsed = (time.perf_counter() - started) * 1000
                print(f"assetry: {hook} → {impl.plugin_name} {elapsed:.1f} ms", file=sys.stderr)

    def _implementations(self, hook: str) -> list[Any]:
        """Return the implementations of a hook in the order of loading (pluggy keeps the last one last)."""
        return list(getattr(self._manager.hook, hook).get_hookimpls())

    def _claim(self, hook: str, arguments: Mapping[str, Any], question: str) -> tuple[str, Any] | None:
        """Ask every plugin; return the one that answered and its answer, None when none did."""
        answers: list[tuple[str, Any]] = []
        failures: list[tuple[str, BaseException]] = []
        for impl in self._implementations(hook):
            try:
                answer = self._call(impl, hook, arguments)
            except AssetryError:
                raise
            except FAULTS as error:
                failures.append((impl.plugin_name, error))
                self._report(impl.plugin_name, f"{hook}: {error_words(error)}")
                continue
            if answer is not None:
                answers.append((impl.plugin_name, answer))
        if len(answers) > 1:
            names = " and ".join(self._infos[name].label for name, _ in answers)
            raise ClaimError(
                f"Two plugins claim {question}: {names}.",
                hint="Uninstall one, or limit what is loaded: ASSETRY_PLUGINS=name,name.",
            )
        if not answers and failures:
            name, failure = failures[0]
            raise self._attributed(name, hook, failure) from failure
        return answers[0] if answers else None

    def _attributed(self, name: str, hook: str, error: BaseException) -> PluginError:
        return PluginError(
            f"{self._infos[name].label}: {hook} raised {error_words(error)}",
            where=place_of(error),
            hint=PLUGIN_FAULT,
        )

    def _wrong(self, name: str, hook: str, message: str) -> PluginError:
        """Return the error that says that a hook gave something else than it promises."""
        self._report(name, f"{hook}: {message}")
        return PluginError(
            f"{self._infos[name].label}: {hook} {message}.",
            hint=PLUGIN_FAULT,
        )

    def _routed(self, integration: Integration, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call the one plugin that claimed the integration's kind; None when it does not implement the hook."""
        name = self.claimant(integration)
        if (name, hook) not in self._routes:
            found = (impl for impl in self._implementations(hook) if impl.plugin_name == name)
            self._routes[name, hook] = next(found, None)
        impl = self._routes[name, hook]
        if impl is None:
            return None
        try:
            return self._call(impl, hook, arguments)
        except AssetryError:
            raise
        except FAULTS as error:
            self._report(name, f"{hook}: {error_words(error)}")
            raise self._attributed(name, hook, error) from error

    def _asked(self, integration: Integration, hook: str, arguments: Mapping[str, Any], kind: type[Any]) -> Any:
        """Call the one plugin that claimed the integration's kind; its answer is of `kind`, or None."""
        answer = self._routed(integration, hook, arguments)
        wrong = None if answer is None else fault(answer, kind)
        if wrong is not None:
            raise self._wrong(self.claimant(integration), hook, wrong)
        return answer

    def _all(self, hook: str, arguments: Mapping[str, Any] | Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
        """Call every plugin; one that fails is recorded and passed over."""
        for impl in self._implementations(hook):
            try:
                answer = self._call(impl, hook, arguments(impl.plugin_name) if callable(arguments) else arguments)
            except FAULTS as error:
                self._report(impl.plugin_name, f"{hook}: {error_words(error)}")
                continue
            if answer is not None:
                yield impl.plugin_name, answer

    def _gathered(self, hook: str, arguments: Mapping[str, Any], kind: type[Any]) -> list[Any]:
        """Return what every plugin gives, one after the other; a lazy answer that breaks is passed over, too."""
        found: list[Any] = []
        for name, answer in self._all(hook, arguments):
            try:
                each = list(answer)
            except FAULTS as error:
                self._report(name, f"{hook}: {error_words(error)}")
                continue
            wrong = first_fault(each, kind)
            if wrong is not None:
                self._report(name, f"{hook}: {wrong}")
            found += [item for item in each if fault(item, kind) is None]
        return found

    # -- the hooks, typed ----------------------------------------------------------------------------------------

    def claimant(self, integration: Integration) -> str:
        """Return the name of the plugin that answers for an integration's kind."""
        name = self._claims.get(integration.kind)
        if name is None:
            name, _ = self._claim_integration(integration)
        return name

    def _claim_integration(self, integration: Integration) -> tuple[str, Iterable[Asset | AssetCheck]]:
        found = self._claim("assetry_load_assets", {"integration": integration}, f"kind {integration.kind!r}")
        if found is None:
            raise self._no_plugin(integration)
        self._claims[integration.kind] = found[0]
        return found

    def _no_plugin(self, integration: Integration) -> NoClaimError:
        hook = "assetry_load_assets"
        question = f"No plugin loads {integration.kind!r} integrations"
        return self._broken_one(integration.kind, question) or NoClaimError(
            f"{question} ({integration.name!r}).",
            near=near_words(hook, integration.kind, self._implementing(hook)),
            hint=package_hint(hook, integration.kind) + self._others_broken(),
        )

    def _implementing(self, hook: str) -> list[str]:
        """Return the names of the installed plugins with a hook: they are often those of their kinds and schemes."""
        own = ("built in", "project")
        return [info.name for info in self._infos.values() if hook in info.hooks and info.source not in own]

    def _broken_one(self, word: str, question: str) -> NoClaimError | None:
        """Return the error that says that the plugin for a kind or scheme is there, but broken."""
        for info in self._infos.values():
            if info.problems and word in (info.name, *info.package.replace("_", "-").split("-")):
                said = f"{question}: {info.label} is broken: {info.problems[0]}."
                return NoClaimError(said, hint="Mend or update it; `assetry plugins` shows what is wrong.")
        return None

    def _others_broken(self) -> str:
        broken = [info.label for info in self._infos.values() if info.problems and not info.hooks]
        return f", or mend {', '.join(broken)}: see `assetry plugins`" if broken else ""

    def discover(self, root: str) -> list[Integration]:
        """Return the integrations that plugins recognise in a folder."""
        return self._gathered("assetry_discover", {"root": root}, Integration)

    def load_assets(self, integration: Integration) -> list[Asset | AssetCheck]:
        """Return the assets of an integration, and its checks on others'.

        Raises the plugin's own error, or `PluginError` naming the plugin.
        """
        name, assets = self._claim_integration(integration)
        hook = "assetry_load_assets"
        try:
            found: list[Asset | AssetCheck] = answering(self.secret, list, assets)
        except AssetryError:
            raise
        except FAULTS as error:
            self._report(name, f"{hook}: {error_words(error)}")
            raise self._attributed(name, hook, error) from error
        wrong = first_fault(found, Asset, AssetCheck)
        if wrong is not None:
            raise self._wrong(name, hook, wrong)
        return found

    def invocation_group(self, asset: Asset) -> InvocationGroup | None:
        """Return the group of an asset; None for an asset that runs on its own."""
        if asset.integration is None:
            return None
        group: InvocationGroup | None = self._asked(
            asset.integration, "assetry_invocation_group", {"asset": asset}, InvocationGroup
        )
        return group

    def invocation_command(self, invocation: Invocation) -> str | None:
        """Return the command of an invocation, for people to read."""
        command: str | None = self._asked(
            invocation.integration, "assetry_invocation_command", {"invocation": invocation}, str
        )
        return masked(command, self.secrets.mask)

    def invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Start the stream of an invocation."""
        stream = self._routed(invocation.integration, "assetry_invoke", {"invocation": invocation, "context": context})
        if stream is None:
            raise PluginError(
                f"{self._infos[self.claimant(invocation.integration)].label} cannot run anything: "
                "it has no assetry_invoke.",
                hint="Select other assets, or ask the plugin's authors.",
            )
        if not isinstance(stream, Iterable):
            name = self.claimant(invocation.integration)
            raise self._wrong(
                name, "assetry_invoke", f"returned a {type(stream).__name__} instead of an iterator of events"
            )
        return iter(stream)

    def observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Start the stream of an observation; empty when the plugin cannot look."""
        stream = self._routed(invocation.integration, "assetry_observe", {"invocation": invocation, "context": context})
        return iter(stream or ())

    def io_url(self, integration: Integration) -> str | None:
        """Return the URL by which an integration's tables can be read and written, None when they cannot."""
        url: str | None = self._asked(integration, "assetry_io_url", {"integration": integration}, str)
        return url

    def named_selections(self, integration: Integration) -> Mapping[str, str]:
        """Return the selections that an integration gives names to, by name."""
        return self._asked(integration, "assetry_named_selections", {"integration": integration}, Mapping) or {}

    def open_io(self, url: str) -> IOManager:
        """Return the IO manager for a URL."""
        manager: IOManager = self._open("assetry_open_io", url, "keeps values")
        return manager

    def open_store(self, url: str) -> Store:
        """Return the store for a URL."""
        store: Store = self._open("assetry_open_store", url, "keeps records")
        return store

    def open_executor(self, url: str) -> Executor:
        """Return the executor for a URL."""
        executor: Executor = self._open("assetry_open_executor", url, "runs invocations")
        return executor

    def _open(self, hook: str, url: str, purpose: str) -> Any:
        scheme = url.partition(":")[0]
        found = self._claim(hook, {"url": url}, f"the scheme {scheme!r}")
        if found is None:
            # Never the whole URL: it may carry a password.
            question = f"No plugin {purpose} at {scheme!r} URLs"
            hint = package_hint(hook, scheme) + self._others_broken()
            near = near_words(hook, scheme, self._implementing(hook))
            raise self._broken_one(scheme, question) or NoClaimError(f"{question}.", near=near, hint=hint)
        return found[1]

    def secret(self, name: str) -> str:
        """Return a secret: the environment's, else that of the one plugin that has it; it is masked from now on."""
        return self.secrets.note(find_secret(name, self.infos, self._claim, self._wrong))

    def selection_hint(self, method: str, value: str) -> str | None:
        """Return what to write instead of a criterion that no method answers; None when no plugin knows it."""
        for _, answer in self._all("assetry_selection_hint", {"method": method, "value": value}):
            return str(answer)
        return None

    def value_metadata(self, value: Any) -> Mapping[str, Any]:
        """Return facts about a value; empty when no plugin knows its type."""
        for name, answer in self._all("assetry_value_metadata", {"value": value}):
            if isinstance(answer, Mapping):
                return answer
            self._report(name, f"assetry_value_metadata: {fault(answer, Mapping)}")
        return {}

    def event(self, event: EventRecord, run: RunInfo) -> None:
        """Tell every plugin of an event."""
        for _ in self._all("assetry_event", {"event": event, "run": run}):
            pass

    def has_listeners(self) -> bool:
        """Tell whether any plugin wants to hear of events."""
        return bool(self._implementations("assetry_event"))

    def add_commands(self, commands_of: Callable[[str], Commands]) -> None:
        """Let every plugin add its commands to the command line: to those that `commands_of` returns for its name."""
        for _ in self._all("assetry_add_commands", lambda name: {"commands": commands_of(name)}):
            pass

    def command_options(self) -> list[CommandOption]:
        """Return the options of integrations that commands take."""
        return self._gathered("assetry_command_options", {}, CommandOption)

    def panels(self, asset: Asset, context: PanelContext) -> list[Panel]:
        """Return the panels of all plugins about an asset."""
        return masked(self._gathered("assetry_panels", {"asset": asset, "context": context}, Panel), self.secrets.mask)


def load_plugins(
    built_in: Mapping[str, Callable[[], Any]],
    local: Sequence[Any] = (),
    allowed: Iterable[str] | None = None,
) -> Plugins:
    """Load plugins: those of assetry itself, those installed (entry points, one by one), and the project's own.

    `built_in` maps a name to what imports the plugin; `allowed` limits the installed ones by entry-point name
    (the environment variable ASSETRY_PLUGINS when None; an empty value disables all). The project's own come last:
    modules, objects, or a `Candidate` for one that is imported only here, so that a broken one is a problem like any.

    >>> [info.name for info in load_plugins({}, allowed=[]).infos]
    []
    """
    plugins = Plugins()
    for name, load in built_in.items():
        plugins.add(Candidate(PluginInfo(name, "assetry", None, "built in"), load))
    for candidate in installed(allowed_names(allowed)):
        plugins.add(candidate)
    for plugin in local:
        plugins.add(plugin if isinstance(plugin, Candidate) else _local(plugin, plugins))
    return plugins


def _local(plugin: Any, plugins: Plugins) -> Candidate:
    name = local_name(plugin, [info.name for info in plugins.infos])
    return Candidate(PluginInfo(name, name, None, "project"), lambda: plugin)
