"""The bench on which an integration is tested: its assets, its invocations, and its streams as they come."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.io.values import ValueRouter
from assetry.partitions.parts import Parts
from assetry.plan.plan import Plan
from assetry.plan.planner import make_plan
from assetry.project.loads.load_cache import LoadCache
from assetry.project.project import Project
from assetry.run.context import Context, RunFacts
from assetry.testing.child import ChildError, elsewhere, run_invocation
from assetry.testing.integration.comparison import assets_in
from assetry.testing.loading import declared_refusals, load, module_of, own_info
from assetry.testing.plugin import STARTING, portable
from assetry.testing.secrecy import referred_variables
from assetry.testing.subjects import INTEGRATION_CAPABILITIES, IntegrationUnderTest, refusals
from assetry.testing.verdicts import Verdicts, asked, chained, unanswered
from assetry.testing.watching import Decide, Lines, Recording, Watch, Worker, eventually
from assetry.types.assets import Asset, AssetCheck, Integration
from assetry.types.events import Log
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey

#: Seconds of a load beyond which the kit warns.
SLOW_LOAD = 1.0
#: Seconds that all streams have to end when their check is over, and when they were told more than that.
_CLEANING, _STOPPING = 3.0, 0.5

T = TypeVar("T")


class Once(Generic[T]):
    """A property that is found once; when finding it fails, it fails the same way each time, and at once."""

    def __init__(self, find: Callable[[Any], T]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    def __get__(self, owner: Any, _: Any = None) -> T:
        found = owner.__dict__.setdefault("_once", {})
        if self._find not in found:
            try:
                found[self._find] = (self._find(owner), None)
            except Exception as error:
                found[self._find] = (None, error)
        value, failure = found[self._find]
        if failure is not None:
            raise failure
        return cast(T, value)


class Bench:
    """An integration under test, shared by all checks of a class; what is only looked at is run once.

    `folder` is an empty one for the values and records of the bench itself. `secrets` are those that the subject names
    and those that its options refer to.
    """

    def __init__(self, subject: IntegrationUnderTest, folder: Path, verdicts: Verdicts) -> None:
        self.subject = subject
        self.folder = folder
        self.tool = subject.tool
        self.integration = subject.integration
        self.refused = refusals(subject, INTEGRATION_CAPABILITIES, declared_refusals(subject.plugin))
        self._verdicts = verdicts
        self._contexts: list[Context] = []
        self._watches: list[Watch] = []
        #: What was logged through contexts, by their ids.
        self._logged: dict[int, list[str]] = {}
        self._before: dict[str, str | None] = {}
        self._deadline: float | None = None
        self._loaded: Integration | None = None
        names = referred_variables(subject.integration.options)
        referred = {name: os.environ.get(name) or f"kit-secret-{name}" for name in names}
        self.secrets = {**referred, **subject.secrets}
        verdicts.patience, verdicts.secrets = subject.patience, self.secrets
        #: What loads said that did not come to an end, and what was logged and printed while things were loaded.
        self.load_texts: list[str] = []
        #: What the definitions looked like when the plugin gave them.
        self.handed_out: list[str] = []
        self._second: list[Asset | AssetCheck] = []
        # As it is before anything is loaded: what it remembers later must not travel along.
        self._pristine = [_copied(each) for each in (subject.plugin, *subject.beside)]

    # -- around the checks -------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Set the secrets, and make the tool as good as new."""
        self._before = {name: os.environ.get(name) for name in self.secrets}
        os.environ.update(self.secrets)
        self._deadline = None
        self.tool.reset()

    @property
    def left(self) -> float:
        """Return the seconds that a check may still wait: all its waits together have the subject's patience."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._verdicts.left
        return max(self._deadline - now, 0.2)

    def clean(self) -> None:
        """Let everything end that still waits."""
        self.tool.release()
        for context in self._contexts:
            context.stop()
        dropped = [watch.dropped for watch in self._watches if watch.dropped is not None]
        closing = [Worker(each.close) for each in dropped]  # type: ignore[attr-defined]
        open_: list[Watch | Worker[Any]] = [*self._watches, *closing]
        if not eventually(lambda: all(each.ended for each in open_), min(self.subject.patience, _CLEANING)):
            for each in open_:
                each.interrupt()
            eventually(lambda: all(each.ended for each in open_), _STOPPING)
        self._contexts, self._watches, self._logged = [], [], {}
        self.tool.reset()
        for name, value in self._before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    def begin_again(self) -> None:
        """Let end what a check has begun, and make the tool as good as new, within the time of the check."""
        deadline = self._deadline
        self.clean()
        self.prepare()
        self._deadline = deadline

    def ask(self, hook: str, work: Callable[[], T]) -> T:
        """Do what calls a hook; raise `AssertionError` with what to do when it raises or does not return."""
        return asked(hook, work, self.left)

    # -- definitions -------------------------------------------------------------------------------------------------

    @Once
    def plugins(self) -> Plugins:
        """Return the plugin, loaded as the core does it."""
        return load(self.subject.plugin, self.subject.beside)

    @cached_property
    def another(self) -> Integration:
        """Return a second integration of the same kind."""
        from dataclasses import replace

        return self.subject.another or replace(self.integration, name=f"{self.integration.name}_again")

    def load(self, integration: Integration | None = None) -> list[Asset | AssetCheck]:
        """Load the assets and checks anew."""
        wanted = integration or self.integration
        self._loaded = wanted
        with Lines() as said:
            found = self.ask("assetry_load_assets", lambda: self.plugins.load_assets(wanted))
        self.load_texts += said.texts
        return found

    def try_load(self, integration: Integration) -> list[Asset | AssetCheck] | None:
        """Load an integration whose options may mean nothing; None when the plugin says so."""
        self._loaded = integration
        worker = Worker(lambda: self.plugins.load_assets(integration))
        try:
            return worker.answer(self.left)
        except Exception as error:
            self.load_texts.append(chained(error))
            return None

    def load_last(self) -> None:
        """Make sure that the integration under test is the one that was loaded, and asked for groups, last."""
        if self._loaded is not None and self._loaded != self.integration:
            self.groups(self.load())

    @Once
    def definitions(self) -> list[Asset | AssetCheck]:
        """Return the assets and checks of the integration, loaded once."""
        found = self.load()
        self.handed_out = [repr(each) for each in found]
        return found

    @Once
    def load_seconds(self) -> float:
        """Return how long a load takes that is not the first one."""
        self.definitions  # noqa: B018 - the first may read what the next ones know
        before = time.perf_counter()
        self._second = self.load()
        return time.perf_counter() - before

    @Once
    def kept_load_seconds(self) -> float:
        """Return how long a command waits for a load that says what it reads: the second one of a project."""
        loads = LoadCache(self.plugins, self.folder / "loads")
        self.ask("assetry_load_assets", lambda: loads.load(self.integration))
        before = time.perf_counter()
        self.ask("assetry_load_assets", lambda: loads.load(self.integration))
        return time.perf_counter() - before

    @property
    def loaded_again(self) -> list[Asset | AssetCheck]:
        """Return the assets and checks as a second load gives them."""
        self.load_seconds  # noqa: B018 - it is that load
        return self._second

    @Once
    def assets(self) -> list[Asset]:
        """Return the assets of the integration."""
        return assets_in(self.definitions)

    @cached_property
    def outside(self) -> list[Asset]:
        """Return what the assets are made from, or what is checked, outside of the integration: as bare sources."""
        known = {asset.key for asset in self.assets} | {alias for asset in self.assets for alias in asset.aliases}
        missing = dict.fromkeys(dep.key for asset in self.assets for dep in asset.deps if dep.name is None)
        checked = (each.key for each in self.definitions if isinstance(each, AssetCheck))
        names = {key.name for key in known}
        missing.update(dict.fromkeys(key for key in checked if key not in names))
        return [Asset(key=key, kind="outside", executable=False) for key in missing if key not in known]

    @Once
    def graph(self) -> AssetGraph:
        """Return the graph of the integration."""
        return AssetGraph.of([*self.definitions, *self.outside])

    def group(self, asset: Asset) -> InvocationGroup | None:
        """Ask for the group of an asset."""
        return self.ask("assetry_invocation_group", lambda: self.plugins.invocation_group(asset))

    def groups(self, definitions: Iterable[Asset | AssetCheck]) -> dict[AssetKey, InvocationGroup | None]:
        """Return the groups of what is executable among definitions."""
        assets = [asset for asset in assets_in(definitions) if asset.executable]
        return self.ask(
            "assetry_invocation_group", lambda: {each.key: self.plugins.invocation_group(each) for each in assets}
        )

    def command(self) -> str | None:
        """Return the command of the main invocation."""
        return self.ask("assetry_invocation_command", lambda: self.plugins.invocation_command(self.main))

    def gone_hint(self) -> str | None:
        """Ask what brings back an asset that is gone."""
        return self.ask("assetry_gone_hint", lambda: self.plugins.gone_hint(self.last))

    def implementation(self, hook: str) -> Callable[..., Any] | None:
        """Return the plugin's own implementation of a hook; None when it has none."""
        info = own_info(self.plugins)
        return getattr(self.plugins.plugin(info.name), hook) if hook in info.hooks else None

    def plan(self, keys: Sequence[AssetKey] | None = None) -> Plan:
        """Plan some assets, or all."""
        self.load_last()
        assets = [asset for asset in self.graph.assets if asset.executable]
        groups = self.groups(assets)
        wants: dict[AssetKey, Parts | None] = {}
        for key in [each.key for each in assets] if keys is None else keys:
            definition = self.graph[key].partitions_def
            parted = definition is not None and self.subject.partitions
            wants[key] = definition.parts_of(self.subject.partitions) if definition and parted else None
        return make_plan(self.graph, wants, groups)

    @Once
    def main(self) -> Invocation:
        """Return the invocation of the whole plan that makes the most assets."""
        planned = self.plan().invocations
        assert planned, (
            f"integration {self.integration.name!r} has no executable assets, so nothing can be checked: fill in one "
            "with three assets or more"
        )
        return max((each.invocation for each in planned), key=lambda each: len(each.assets))

    @property
    def atomic(self) -> bool:
        """Tell whether the main invocation makes all of its assets or none."""
        return bool(getattr(self.main.group, "atomic", False))

    @property
    def last(self) -> Asset:
        """Return the asset of the main invocation that comes last in dependency order."""
        return self.main.assets[-1]

    def part(self) -> Invocation:
        """Return an invocation for the last asset alone, planned as the core would."""
        wanted = self.last.key
        planned = self.plan([wanted]).invocations
        return next(each.invocation for each in planned if any(a.key == wanted for a in each.invocation.assets))

    def below(self, asset: Asset) -> set[AssetKey]:
        """Return what is made from an asset, directly or not."""
        graph = self.graph
        return {graph.keys[i] for i in graph.descendants([graph.index(asset.key)])} - {asset.key}

    @Once
    def to_break(self) -> Asset:
        """Return the asset to break: something else of the invocation should not be made from it."""
        assets = self.main.assets
        others = {
            asset.key: len(assets) - 1 - len(self.below(asset) & {each.key for each in assets}) for asset in assets
        }
        both = [asset for asset in assets if 0 < others[asset.key] < len(assets) - 1]
        return (both or [asset for asset in assets if others[asset.key]] or list(assets))[0]

    # -- streams -----------------------------------------------------------------------------------------------------

    @cached_property
    def values(self) -> ValueRouter:
        """Return where the bench keeps values."""
        files = f"parquet:{self.folder / 'values'}"
        return ValueRouter(
            self.plugins.open_io,
            files,
            files=files,
            io_url=self.plugins.io_url,
            last_metadata=lambda _key, _partition: {},
            describe=lambda _value: {},
        )

    def context(self, resume: str | None = None) -> tuple[Context, list[str]]:
        """Return a context, and the list of lines that are logged through it."""
        lines: list[str] = []

        def heard(event: Any) -> None:
            if isinstance(event, Log):
                lines.append(event.message)

        context = Context(RunFacts("conformance", {}, self.values, self.graph.__getitem__), heard, resume)
        self._contexts.append(context)
        self._logged[id(context)] = lines
        return context, lines

    def watch(self, invocation: Invocation, context: Context, decide: Decide = lambda _: "on") -> Watch:
        """Start a stream and drain it on a thread of its own."""
        watch = Watch(lambda: self.plugins.invoke(invocation, context), decide)
        watch.lines = self._logged.get(id(context), [])
        self._watches.append(watch)
        return watch

    def record(
        self,
        invocation: Invocation,
        resume: str | None = None,
        seconds: float | None = None,
        last: Integration | None = None,
    ) -> Recording:
        """Run an invocation to its end; a recording has a patience of its own.

        `last` is the integration that was loaded last; the one under test is loaded anew when it is None.
        """
        if last is None:
            self.load_last()
        context, lines = self.context(resume)
        seconds = self._verdicts.left if seconds is None else seconds
        with Lines() as logged:
            watch = self.watch(invocation, context)
            ended = watch.wait(seconds)
        assert ended, (
            f"the stream does not end: {unanswered('assetry_invoke', seconds, watch.place)}, and return when the tool "
            "has ended"
        )
        eventually(lambda: self.tool.running == 0, min(self.subject.patience, 2))
        made = frozenset(asset.key for asset in self.graph.assets if asset.executable and self.tool.made(asset))
        said = (*lines, *logged.texts)
        return Recording(
            tuple(watch.events), watch.error, said, self.tool.launches, self.tool.running, made, watch.moment
        )

    @Once
    def plain(self) -> Recording:
        """Return the main invocation, run without any trouble."""
        return self._undisturbed(lambda: self.record(self.main))

    @Once
    def broken(self) -> Recording:
        """Return the main invocation, run while one asset fails."""
        self.plain  # noqa: B018 - what the others are made from is there
        self.tool.break_asset(self.to_break)
        return self._undisturbed(lambda: self.record(self.main))

    @Once
    def dead(self) -> Recording:
        """Return the main invocation, run while the tool dies before its last asset."""
        self.tool.die_at(self.last)
        return self._undisturbed(lambda: self.record(self.main))

    def _undisturbed(self, run: Callable[[], Recording]) -> Recording:
        recording = run()
        self.tool.reset()  # the launches that come now belong to the check
        return recording

    @Once
    def observed(self) -> tuple[list[Any], int, list[str]]:
        """Return what an observation of the main assets gives: events, launches of the tool, and what it says."""
        main = self.main
        context, lines = self.context()
        with Lines() as said:
            events = self.ask("assetry_observe", lambda: list(self.plugins.observe(main, context)))
        return events, self.tool.launches, [*lines, *said.texts]

    @Once
    def in_another_process(self) -> Mapping[str, Any]:
        """Return what a process that has loaded nothing makes of the assets and of the main invocation."""
        plugins = (self.subject.plugin, *self.subject.beside)
        modules = [module_of(each) for each in plugins]
        first, *others = [pickle.loads(each) if isinstance(each, bytes) else each for each in self._pristine]
        subject = {"plugin": first, "beside": others, "folder": str(self.folder / "values")}
        assets = [asset for asset in self.assets if asset.executable]
        seconds = self._verdicts.left + STARTING
        try:
            found: Mapping[str, Any] = elsewhere(
                run_invocation, subject, self.main, assets, folder=self.folder, modules=modules, seconds=seconds
            )
        except ChildError as error:
            raise AssertionError(
                f"the invocation does not run in another process: {error}; take everything from the invocation, the "
                "context and the environment, nothing from globals or from what was loaded before"
            ) from error
        return found

    @contextmanager
    def project(self) -> Iterator[Project]:
        """Open a project with this integration, as a user's would be, records and values in the bench's folder."""
        urls: Mapping[str, Any] = {"store": "sqlite::memory:", "io": f"parquet:{self.folder / 'project'}"}
        # Without the installed plugins: the one under test may be among them.
        given = {"integrations": [self.integration], "root": self.folder, "plugins": self.plugins, **urls}
        with Project(self.outside, **given) as project:
            yield project


def expected(bench: Bench) -> list[tuple[AssetKey, str | None]]:
    """Return asset and partition of the ends that the main invocation owes."""
    parts = bench.main.partitions
    return [
        (asset.key, part)
        for asset in bench.main.assets
        for part in (parts if parts and asset.partitions_def is not None else (None,))
    ]


def _copied(plugin: Any) -> Any:
    """Return a plugin as it can be sent to another process: a module by its name, an object as a pickle."""
    try:
        return plugin if isinstance(plugin, str) else pickle.dumps(portable(plugin))
    except Exception:  # that it cannot be sent is told by the check that sends it
        return plugin
