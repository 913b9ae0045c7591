"""Plugins: each hook as a typed method, which knows how the hook is called (claim, routed, all).

The rest of the program asks here; how plugins are loaded, isolated and called stands in `assetry.hooks.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from assetry.errors import AssetryError, OptionError, PluginError, error_words
from assetry.hooks import specs as hookspecs
from assetry.hooks.answers import fault, first_fault
from assetry.hooks.commands import Commands
from assetry.hooks.declarations import KINDS, LOAD
from assetry.hooks.inspection import local_name
from assetry.hooks.installed import Candidate, PluginInfo, allowed_names, installed
from assetry.hooks.loading import Loading
from assetry.hooks.masks import masked
from assetry.hooks.registry import FAULTS, Registry
from assetry.hooks.secrets import answering, answering_all
from assetry.types.assets import Asset, AssetCheck, Integration
from assetry.types.contexts import LoadContext, RunContext
from assetry.types.events import Event
from assetry.types.hooks.listening import EventContext
from assetry.types.hooks.nexts import Next
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.options import ANYTHING, CommandOption, OptionTypes, checked_options
from assetry.types.protocols import Executor, IOManager, Store
from assetry.types.records import Attempt, EventRecord, ExternalRun, Materialization, RunInfo
from assetry.types.warnings import AssetWarning


class Plugins(Registry):
    """The loaded plugins, each hook as a typed method. Made by `load_plugins`.

    >>> Plugins().infos
    ()
    """

    def __init__(self, specs: Any = hookspecs) -> None:
        super().__init__(specs)
        self._claims: dict[str, str] = {}

    # -- who answers for an integration --------------------------------------------------------------------------

    def label(self, integration: Integration) -> str:
        """Return who answers for an integration, as errors name it: package and version, else the kind."""
        try:
            return self._infos[self.claimant(integration)].label
        except AssetryError:
            return integration.kind

    def _routed(self, integration: Integration, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call the one plugin that claimed the integration's kind; None when it does not implement the hook."""
        return self._called(self.claimant(integration), hook, arguments)

    def _asked(self, integration: Integration, hook: str, arguments: Mapping[str, Any], kind: type[Any]) -> Any:
        """Call the one plugin that claimed the integration's kind; its answer is of `kind`, or None."""
        answer = self._routed(integration, hook, arguments)
        wrong = None if answer is None else fault(answer, kind)
        if wrong is not None:
            raise self._wrong(self.claimant(integration), hook, wrong)
        return answer

    # -- the hooks, typed ----------------------------------------------------------------------------------------

    def claimant(self, integration: Integration) -> str:
        """Return the name of the plugin that answers for an integration's kind."""
        if integration.kind not in self._claims:
            arguments = {"integration": integration, "context": Loading(integration.root, self.secret)}
            self._claims[integration.kind] = self._found(integration, self._claimed, arguments)[0]
        return self._claims[integration.kind]

    def _found(
        self, integration: Integration, claim: Callable[..., tuple[str, Any] | None], arguments: Mapping[str, Any]
    ) -> tuple[str, Any]:
        """Return who answers for an integration, and the answer, found by `claim`; raise when there is none."""
        kind = integration.kind
        found = claim(LOAD, arguments, f"kind {kind!r}", kind)
        if found is None:
            raise self._unclaimed(LOAD, kind, f"No plugin loads {kind!r} integrations", f" ({integration.name!r})")
        return found

    def may_keep(self, kind: str) -> bool:
        """Tell whether the loads of a kind may be kept: a plugin declares it, and takes what to say their inputs to."""
        declaring = self._declaring(LOAD, kind)
        return any(each.plugin_name in declaring and "context" in each.argnames for each in self._implementations(LOAD))

    def answering(self, integration: Integration) -> tuple[PluginInfo, Any]:
        """Return what is known of the plugin that answers for an integration, and its module or object."""
        name = self.claimant(integration)
        return self._infos[name], self.plugin(name)

    def check_options(self, integration: Integration) -> None:
        """Raise `OptionError` when the options of an integration are not as the plugin for its kind declares them.

        Options that commands take are known, too. Nothing is checked for a kind that no plugin declares.
        """
        declaring = self._declaring(LOAD, integration.kind)
        types = (self._infos[declaring[0]].kinds or {})[integration.kind] if len(declaring) == 1 else None
        try:
            if types is not None and not _fits(integration, types):
                further = {each.name: ANYTHING for each in self.command_options() if each.kind == integration.kind}
                checked_options(integration, {**further, **types})
        except AssetryError:
            raise
        except FAULTS as error:
            raise self._attributed(declaring[0], f"an option's type in {KINDS}", error) from error

    def discover(self, root: str) -> list[Integration]:
        """Return the integrations that plugins recognise in a folder."""
        return self._gathered("assetry_discover", {"root": root}, Integration)

    def load_assets(self, integration: Integration, context: LoadContext | None = None) -> list[Asset | AssetCheck]:
        """Return the assets of an integration, and its checks on others'.

        Raises `OptionError` for options that are not as they are declared, the plugin's own error, or `PluginError`
        naming the plugin.
        """
        self.check_options(integration)
        hook = LOAD
        context = context or Loading(integration.root, self.secret)
        arguments = {"integration": integration, "context": context}
        name, assets = self._found(integration, self._claim, arguments)
        self._claims[integration.kind] = name
        return self._each(name, hook, assets, Asset, AssetCheck, secret=context.secret)

    def load_file(self, path: str, integration: Integration) -> list[Asset | AssetCheck] | None:
        """Return the assets that a tool's own file holds of an integration; None when it is none of it."""
        hook = "assetry_load_file"
        answer = self._asked(integration, hook, {"path": path, "integration": integration}, Iterable)
        return None if answer is None else self._each(self.claimant(integration), hook, answer, Asset, AssetCheck)

    def load_run(self, path: str, integration: Integration) -> ExternalRun | None:
        """Return the run of an integration that a tool's own file tells of; None when it tells of none."""
        arguments = {"path": path, "integration": integration}
        found: ExternalRun | None = self._asked(integration, "assetry_load_run", arguments, ExternalRun)
        return found

    def local_files(self, integration: Integration) -> list[Path]:
        """Return the files and folders that loading an integration needs and version control leaves out."""
        hook = "assetry_local_files"
        answer = self._asked(integration, hook, {"integration": integration}, Iterable)
        names = [] if answer is None else self._each(self.claimant(integration), hook, answer, str)
        return [Path(integration.root).absolute() / name for name in names]

    def _each(
        self, name: str, hook: str, answer: Iterable[Any], *kinds: type[Any], secret: Callable[[str], str] | None = None
    ) -> list[Any]:
        """Return what a plugin's answer yields; raise `PluginError` for what is of none of `kinds`."""
        try:
            found: list[Any] = answering(secret or self.secret, list, answer)
        except AssetryError:
            raise
        except FAULTS as error:
            self._report(name, f"{hook}: {error_words(error)}")
            raise self._attributed(name, hook, error) from error
        wrong = first_fault(found, *kinds)
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

    def gone_hint(self, asset: Asset) -> str | None:
        """Return the next step for an asset that is gone and does not come back by being made; None where it does."""
        if asset.integration is None:
            return None
        hint: str | None = self._asked(asset.integration, "assetry_gone_hint", {"asset": asset}, str)
        return masked(hint, self.secrets.mask)

    def failure_hint(self, asset: Asset, failure: Attempt) -> str | None:
        """Return the next step after a failure, as it is known now; None where there is none to be told."""
        if asset.integration is None or failure.hint is None:
            return failure.hint
        arguments = {"asset": asset, "failure": failure}
        hint: str | None = self._asked(asset.integration, "assetry_failure_hint", arguments, str)
        return failure.hint if hint is None else masked(hint, self.secrets.mask) or None

    def invocation_notes(self, invocation: Invocation) -> tuple[str, ...]:
        """Return what is to be told of an invocation before it runs."""
        arguments = {"invocation": invocation}
        return tuple(self._listed(invocation.integration, "assetry_invocation_notes", arguments, str))

    def warnings(
        self,
        integration: Integration,
        assets: Sequence[Asset],
        readers: Mapping[AssetKey, Sequence[Asset]],
        elsewhere: Sequence[Asset],
        now: datetime,
    ) -> list[AssetWarning]:
        """Return what an integration warns of its assets."""
        arguments = {"integration": integration, "assets": assets, "readers": readers, "elsewhere": elsewhere}
        arguments["now"] = now
        return self._listed(integration, "assetry_warnings", arguments, AssetWarning)

    def _listed(self, integration: Integration, hook: str, arguments: Mapping[str, Any], kind: type[Any]) -> list[Any]:
        """Return what the one plugin that claimed the integration's kind gives, one after the other.

        What is wrong with it is recorded, and the rest is taken.
        """
        name = self.claimant(integration)
        try:
            found = list(self._routed(integration, hook, arguments) or ())
        except PluginError:
            return []  # it is reported already
        except AssetryError:
            raise
        except FAULTS as error:
            self._report(name, f"{hook}: {error_words(error)}")
            return []
        wrong = first_fault(found, kind)
        if wrong is not None:
            self._report(name, f"{hook}: {wrong}")
        return [each for each in found if fault(each, kind) is None]

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
        return answering_all(context.secret, iter(stream))

    def observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Start the stream of an observation; empty when the plugin cannot look."""
        stream = self._routed(invocation.integration, "assetry_observe", {"invocation": invocation, "context": context})
        return answering_all(context.secret, iter(stream or ()))

    def delete(
        self,
        record: Materialization,
        integration: Integration | None,
        partitions: Sequence[str] | None,
        context: RunContext,
    ) -> str | None:
        """Delete what a record is of; return what that was, None when no plugin deletes it."""
        hook = "assetry_delete"
        # One that loads assets knows its own, and is asked of these.
        own = [each.name for each in reversed(self.infos) if each.source == "project" and LOAD not in each.hooks]
        routed = () if integration is None else (self.claimant(integration),)
        given = {"record": record, "integration": integration, "partitions": partitions, "context": context}
        for name in dict.fromkeys((*own, *routed)):
            answer = self._called(name, hook, given)
            if answer is not None:
                wrong = fault(answer, str)
                if wrong is not None:
                    raise self._wrong(name, hook, wrong)
                return str(masked(answer, self.secrets.mask))
        return None

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
        found = self._claim(hook, {"url": url}, f"the scheme {scheme!r}", scheme)
        if found is None:
            # Never the whole URL: it may carry a password.
            raise self._unclaimed(hook, scheme, f"No plugin {purpose} at {scheme!r} URLs")
        return found[1]

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

    def listeners(self, tables: Collection[str]) -> Sequence[Any]:
        """Return what listens to events; of a plugin with tables of its own where the project file has one of these."""
        found = []
        for impl in self._implementations("assetry_event"):
            own = self._infos[impl.plugin_name].tables
            if not own or any(each in tables for each in own):
                found.append(impl)
        return found

    def event(self, listeners: Iterable[Any], event: EventRecord, run: RunInfo, context: EventContext) -> None:
        """Tell those who listen of an event."""
        for impl in listeners:
            try:
                self._call(impl, "assetry_event", {"event": event, "run": run, "context": context})
            except FAULTS as error:
                self._report(impl.plugin_name, f"assetry_event: {error_words(error)}")

    def mistakes(self, project: Any) -> list[AssetryError]:
        """Return what plugins find wrong with what the project says to them."""
        found: list[AssetryError] = []
        for name, answer in self._all("assetry_check", {"project": project}):
            try:
                each = list(answer)
            except FAULTS as error:
                self._report(name, f"assetry_check: {error_words(error)}")
                continue
            errors = [item for item in each if isinstance(item, AssetryError)]
            if len(errors) < len(each):
                self._report(name, "assetry_check: it returns what is no AssetryError")
            found += errors
        return found

    def nexts(self, project: Any, statuses: Sequence[Any], now: datetime) -> dict[AssetKey, Next]:
        """Return when assets are made next, of those of which a plugin knows it: of several answers the earliest."""
        found: dict[AssetKey, Next] = {}
        for name, answer in self._all("assetry_next", {"project": project, "statuses": statuses, "now": now}):
            wrong = fault(answer, Mapping) or first_fault(answer.values(), Next)
            if wrong is not None:
                self._report(name, f"assetry_next: {wrong}")
                continue
            for key, each in answer.items():
                if key not in found or (each.at is not None and (found[key].at or each.at) >= each.at):
                    found[key] = each
        return masked(found, self.secrets.mask)

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


def _fits(integration: Integration, types: OptionTypes) -> bool:
    try:
        checked_options(integration, types)
    except OptionError:
        return False
    return True


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
