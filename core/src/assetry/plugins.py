"""Plugins: found, loaded one by one, isolated from each other, asked and explained.

The rest of the program never touches pluggy: every hook is a typed method here, which knows how the hook is called
(claim, routed, all) and puts the name of the plugin on whatever goes wrong.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import pluggy

from assetry import hookspecs
from assetry.assets import Asset, Integration
from assetry.errors import AssetryError, ClaimError, NoClaimError, PluginError, near_names
from assetry.events import Event
from assetry.invocations import Invocation, InvocationGroup
from assetry.panels import Panel, PanelContext
from assetry.protocols import Executor, IOManager, RunContext, Store
from assetry.records import EventRecord, RunInfo

ENTRY_POINTS = "assetry"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("assetry_"))


@dataclass(frozen=True, slots=True)
class Problem:
    """Say what is wrong with a plugin, and the next step."""

    plugin: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """Describe one plugin: where it comes from, which hooks it implements, what is wrong with it.

    `source` is ``built in``, ``project`` or the entry point's value.
    """

    name: str
    package: str
    version: str | None
    source: str
    hooks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return package and version, as errors name the plugin."""
        return f"{self.package} {self.version}" if self.version else self.package


@dataclass(frozen=True, slots=True)
class Candidate:
    """Be a plugin that is about to be registered: what it calls itself, and how to get hold of it."""

    info: PluginInfo
    load: Callable[[], Any]


class Plugins:
    """Ask plugins. Made by `load_plugins`.

    >>> Plugins().infos
    ()
    """

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager("assetry")
        self._manager.add_hookspecs(hookspecs)
        self._infos: dict[str, PluginInfo] = {}
        self._claims: dict[str, str] = {}
        self._routes: dict[tuple[str, str], Any] = {}
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
            hooks, problems = _hooks_of(plugin)
            self._manager.register(plugin, name=info.name)
        except Exception as error:  # a plugin may fail in any way; it must not take the program along
            # A half registered plugin would answer some hooks and not others.
            self._manager.unregister(name=info.name) if self._manager.has_plugin(info.name) else None
            hooks, problems = (), (_registration_problem(error),)
        self._infos[info.name] = PluginInfo(
            info.name, info.package, info.version, info.source, hooks, info.problems + tuple(problems)
        )

    def _report(self, name: str, message: str) -> None:
        info = self._infos[name]
        if message not in info.problems:
            self._infos[name] = PluginInfo(
                info.name, info.package, info.version, info.source, info.hooks, (*info.problems, message)
            )

    # -- the three manners of calling ----------------------------------------------------------------------------

    def _call(self, impl: Any, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call one implementation with the arguments it takes."""
        started = time.perf_counter()
        try:
            return impl.function(*(arguments[name] for name in impl.argnames))
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
        failures: list[tuple[str, Exception]] = []
        for impl in self._implementations(hook):
            try:
                answer = self._call(impl, hook, arguments)
            except AssetryError:
                raise
            except Exception as error:
                failures.append((impl.plugin_name, error))
                self._report(impl.plugin_name, f"{hook}: {type(error).__name__}: {error}")
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

    def _attributed(self, name: str, hook: str, error: Exception) -> PluginError:
        return PluginError(
            f"{self._infos[name].label}: {hook} raised {type(error).__name__}: {error}",
            where=_place(error),
            hint="This is a fault of the plugin; report it to its authors.",
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
        except Exception as error:
            self._report(name, f"{hook}: {type(error).__name__}: {error}")
            raise self._attributed(name, hook, error) from error

    def _all(self, hook: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Call every plugin; one that fails is recorded and passed over."""
        for impl in self._implementations(hook):
            try:
                answer = self._call(impl, hook, arguments)
            except Exception as error:
                self._report(impl.plugin_name, f"{hook}: {type(error).__name__}: {error}")
                continue
            if answer is not None:
                yield impl.plugin_name, answer

    # -- the hooks, typed ----------------------------------------------------------------------------------------

    def claimant(self, integration: Integration) -> str:
        """Return the name of the plugin that answers for an integration's kind."""
        name = self._claims.get(integration.kind)
        if name is None:
            name, _ = self._claim_integration(integration)
        return name

    def _claim_integration(self, integration: Integration) -> tuple[str, Iterable[Asset]]:
        found = self._claim("assetry_load_assets", {"integration": integration}, f"kind {integration.kind!r}")
        if found is None:
            raise self._no_plugin(integration)
        self._claims[integration.kind] = found[0]
        return found

    def _no_plugin(self, integration: Integration) -> NoClaimError:
        broken = [problem for problem in self.problems if integration.kind in problem.plugin]
        if broken:
            return NoClaimError(
                f"No plugin loads {integration.kind!r} integrations: {broken[0].plugin} is broken: {broken[0].message}",
                hint=broken[0].hint,
            )
        return NoClaimError(
            f"No plugin loads {integration.kind!r} integrations ({integration.name!r}).",
            near=near_names(integration.kind, self._infos),
            hint=f"Try: pip install assetry-{integration.kind}",
        )

    def discover(self, root: str) -> list[Integration]:
        """Return the integrations that plugins recognise in a folder."""
        return [each for _, found in self._all("assetry_discover", {"root": root}) for each in found]

    def load_assets(self, integration: Integration) -> list[Asset]:
        """Return the assets of an integration; raise the plugin's own error, or `PluginError` naming the plugin."""
        name, assets = self._claim_integration(integration)
        try:
            return list(assets)
        except AssetryError:
            raise
        except Exception as error:
            self._report(name, f"assetry_load_assets: {type(error).__name__}: {error}")
            raise self._attributed(name, "assetry_load_assets", error) from error

    def invocation_group(self, asset: Asset) -> InvocationGroup | None:
        """Return the group of an asset; None for an asset that runs on its own."""
        if asset.integration is None:
            return None
        group: InvocationGroup | None = self._routed(asset.integration, "assetry_invocation_group", {"asset": asset})
        return group

    def invocation_command(self, invocation: Invocation) -> str | None:
        """Return the command of an invocation, for people to read."""
        command: str | None = self._routed(
            invocation.integration, "assetry_invocation_command", {"invocation": invocation}
        )
        return command

    def invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Start the stream of an invocation."""
        stream = self._routed(invocation.integration, "assetry_invoke", {"invocation": invocation, "context": context})
        if stream is None:
            raise PluginError(
                f"{self._infos[self.claimant(invocation.integration)].label} cannot run anything: "
                "it has no assetry_invoke.",
                hint="Select other assets, or ask the plugin's authors.",
            )
        return iter(stream)

    def observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Start the stream of an observation; empty when the plugin cannot look."""
        stream = self._routed(invocation.integration, "assetry_observe", {"invocation": invocation, "context": context})
        return iter(stream or ())

    def io_url(self, integration: Integration) -> str | None:
        """Return the URL by which an integration's tables can be read and written, None when they cannot."""
        url: str | None = self._routed(integration, "assetry_io_url", {"integration": integration})
        return url

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
            raise NoClaimError(f"No plugin {purpose} at {scheme!r} URLs.", hint=f"Try: pip install assetry-{scheme}")
        return found[1]

    def value_metadata(self, value: Any) -> Mapping[str, Any]:
        """Return facts about a value; empty when no plugin knows its type."""
        for _, answer in self._all("assetry_value_metadata", {"value": value}):
            facts: Mapping[str, Any] = answer
            return facts
        return {}

    def event(self, event: EventRecord, run: RunInfo) -> None:
        """Tell every plugin of an event."""
        for _ in self._all("assetry_event", {"event": event, "run": run}):
            pass

    def has_listeners(self) -> bool:
        """Tell whether any plugin wants to hear of events."""
        return bool(self._implementations("assetry_event"))

    def add_commands(self, commands: Any) -> None:
        """Let every plugin add its commands to the command line."""
        for _ in self._all("assetry_add_commands", {"commands": commands}):
            pass

    def panels(self, asset: Asset, context: PanelContext) -> list[Panel]:
        """Return the panels of all plugins about an asset."""
        found = self._all("assetry_panels", {"asset": asset, "context": context})
        return [panel for _, panels in found for panel in panels]


def load_plugins(
    built_in: Mapping[str, Callable[[], Any]],
    local: Sequence[Any] = (),
    allowed: Iterable[str] | None = None,
) -> Plugins:
    """Load plugins: those of assetry itself, those installed (entry points, one by one), and the project's own.

    `built_in` maps a name to what imports the plugin; `allowed` limits the installed ones by entry-point name
    (the environment variable ASSETRY_PLUGINS when None; an empty value disables all). The project's own come last.

    >>> [info.name for info in load_plugins({}, allowed=[]).infos]
    []
    """
    plugins = Plugins()
    for name, load in built_in.items():
        plugins.add(Candidate(PluginInfo(name, "assetry", None, "built in"), load))
    for candidate in _installed(_allowed(allowed)):
        plugins.add(candidate)
    for plugin in local:
        name = _local_name(plugin, plugins)
        plugins.add(Candidate(PluginInfo(name, name, None, "project"), partial(_itself, plugin)))
    return plugins


def _allowed(allowed: Iterable[str] | None) -> frozenset[str] | None:
    if allowed is not None:
        return frozenset(allowed)
    limit = os.environ.get("ASSETRY_PLUGINS")
    return None if limit is None else frozenset(name.strip() for name in limit.split(",") if name.strip())


def _installed(allowed: frozenset[str] | None) -> Iterator[Candidate]:
    """Yield a candidate for each entry point; two of one name are one when an editable install lists it twice."""
    if allowed is not None and not allowed:
        return
    from importlib.metadata import entry_points

    seen: set[tuple[str, str]] = set()
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        if (allowed is not None and point.name not in allowed) or (point.name, point.value) in seen:
            continue
        seen.add((point.name, point.value))
        package = point.dist.name if point.dist else point.name
        version = point.dist.version if point.dist else None
        yield Candidate(PluginInfo(point.name, package, version, point.value), point.load)


def _itself(plugin: Any) -> Any:
    return plugin


def _local_name(plugin: Any, plugins: Plugins) -> str:
    name = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__name__
    taken = {info.name for info in plugins.infos}
    return name if name not in taken else f"{name}-{len(taken)}"


def _hooks_of(plugin: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the hooks a plugin implements, and what looks like a hook but is none."""
    hooks: list[str] = []
    problems: list[str] = []
    for name in dir(plugin):
        if not name.startswith("assetry_") or not callable(getattr(plugin, name)):
            continue
        marked = getattr(getattr(plugin, name), "assetry_impl", None)
        if marked is None:
            if name in HOOKS:
                problems.append(f"{name} is not marked with @hookimpl, so it is never called")
        elif name in HOOKS:
            hooks.append(name)
        elif not marked.get("optionalhook"):
            near = near_names(name, HOOKS, most=1)
            problems.append(f"there is no hook {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return tuple(hooks), tuple(problems)


def _registration_problem(error: Exception) -> str:
    if isinstance(error, pluggy.PluginValidationError):
        return str(error).splitlines()[0] + "".join(_argument_hint(error))
    where = _place(error)
    return f"{type(error).__name__}: {error}" + (f" ({where})" if where else "")


def _argument_hint(error: pluggy.PluginValidationError) -> Iterator[str]:
    """Yield the arguments that the misdeclared hook does have."""
    for name in HOOKS:
        if f"'{name}'" in str(error):
            yield f": {name} takes {', '.join(inspect.signature(getattr(hookspecs, name)).parameters)}"
            return


def _place(error: BaseException) -> str | None:
    """Return file:line of the innermost frame of an error."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else None
