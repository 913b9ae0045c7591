"""The bench on which an integration is tested: its assets, its invocations, and its streams as they come."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from assetry.errors import PluginError, UsageError, error_words
from assetry.graph.graph import AssetGraph
from assetry.io.values import ValueRouter
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.project.project import Project
from assetry.run.context import Context, RunFacts
from assetry.testing.loading import declared_refusals, load
from assetry.testing.subjects import INTEGRATION_CAPABILITIES, IntegrationUnderTest, refusals
from assetry.testing.watching import Decide, Lines, Recording, Watch, eventually
from assetry.types.assets import Asset, AssetCheck, Integration
from assetry.types.codec import to_json
from assetry.types.events import TERMINAL, Log
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey

#: Seconds of a load beyond which the kit warns.
SLOW_LOAD = 1.0
#: Seconds that a stream has to end when its check is over.
_CLEANING = 5.0
#: The shortest secret that is looked for: shorter ones stand in texts by chance.
_SHORTEST = 6

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

    def __init__(self, subject: IntegrationUnderTest, folder: Path) -> None:
        self.subject = subject
        self.folder = folder
        self.tool = subject.tool
        self.integration = subject.integration
        self.refused = refusals(subject, INTEGRATION_CAPABILITIES, declared_refusals(subject.plugin))
        self._contexts: list[Context] = []
        self._watches: list[Watch] = []
        self._before: dict[str, str | None] = {}
        self._deadline: float | None = None
        referred = {name: os.environ.get(name) or f"kit-secret-{name}" for name in secret_names(subject.integration)}
        self.secrets = {**referred, **subject.secrets}

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
            self._deadline = now + self.subject.patience
        return max(self._deadline - now, 0.5)

    def clean(self) -> None:
        """Let everything end that still waits."""
        self.tool.release()
        for context in self._contexts:
            context.stop()
        for watch in self._watches:
            watch.wait(min(self.subject.patience, _CLEANING))
            if watch.dropped is not None:
                with suppress(Exception):
                    watch.dropped.close()  # type: ignore[attr-defined]
        self._contexts, self._watches = [], []
        self.tool.reset()
        for name, value in self._before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})

    # -- definitions -------------------------------------------------------------------------------------------------

    @Once
    def plugins(self) -> Any:
        """Return the plugin, loaded as the core does it."""
        return load(self.subject.plugin, self.subject.beside)

    @cached_property
    def another(self) -> Integration:
        """Return a second integration of the same kind."""
        from dataclasses import replace

        return self.subject.another or replace(self.integration, name=f"{self.integration.name}_again")

    @property
    def exposed(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of the secrets that can be looked for."""
        yield from ((name, value) for name, value in self.secrets.items() if len(value) >= _SHORTEST)

    def load(self, integration: Integration | None = None) -> list[Asset | AssetCheck]:
        """Load the assets and checks anew."""
        found: list[Asset | AssetCheck] = self.plugins.load_assets(integration or self.integration)
        return found

    @Once
    def definitions(self) -> list[Asset | AssetCheck]:
        """Return the assets and checks of the integration, loaded once."""
        return self.load()

    @Once
    def load_seconds(self) -> float:
        """Return how long a load takes that is not the first one."""
        self.definitions  # noqa: B018 - the first may read what the next ones know
        before = time.perf_counter()
        self.load()
        return time.perf_counter() - before

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
        found: InvocationGroup | None = self.plugins.invocation_group(asset)
        return found

    def plan(self, keys: Sequence[AssetKey] | None = None) -> Plan:
        """Plan some assets, or all."""
        assets = [asset for asset in self.graph.assets if asset.executable]
        groups = {asset.key: self.group(asset) for asset in assets}
        request = PlanRequest(partitions=self.subject.partitions)
        return make_plan(self.graph, [each.key for each in assets] if keys is None else keys, groups, request)

    @Once
    def main(self) -> Invocation:
        """Return the invocation of the whole plan that makes the most assets."""
        planned = self.plan().invocations
        if not planned:
            raise UsageError(
                f"Integration {self.integration.name!r} has no executable assets, so nothing can be checked.",
                hint="Fill in an integration with three assets or more.",
            )
        found = max((each.invocation for each in planned), key=lambda each: len(each.assets))
        if "collapse" not in self.refused and len(found.assets) < 3:
            raise UsageError(
                f"The largest invocation makes {len(found.assets)} assets; the checks need three in one.",
                hint="Give assets equal group keys when one launch can make them, or fill in an integration with "
                'more assets; a tool that makes one thing per launch refuses "collapse".',
            )
        return found

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
        return context, lines

    def watch(self, invocation: Invocation, context: Context, decide: Decide = lambda _: "on") -> Watch:
        """Start a stream and drain it on a thread of its own."""
        watch = Watch(lambda: self.plugins.invoke(invocation, context), decide)
        self._watches.append(watch)
        return watch

    def record(self, invocation: Invocation) -> Recording:
        """Run an invocation to its end."""
        context, lines = self.context()
        with Lines() as logged:
            watch = self.watch(invocation, context)
            ended = watch.wait(self.subject.patience * 2)
        assert ended, "the stream does not end: return from assetry_invoke when the tool has ended"
        eventually(lambda: self.tool.running == 0, min(self.subject.patience, 2))
        made = frozenset(asset.key for asset in self.graph.assets if asset.executable and self.tool.made(asset))
        return Recording(
            tuple(watch.events), watch.error, (*lines, *logged.texts), self.tool.launches, self.tool.running, made
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

    @contextmanager
    def project(self) -> Iterator[Project]:
        """Open a project with this integration, as a user's would be, records and values in the bench's folder."""
        urls: Mapping[str, Any] = {"store": "sqlite::memory:", "io": f"parquet:{self.folder / 'project'}"}
        # Without the installed plugins: the one under test may be among them.
        given = {"integrations": [self.integration], "root": self.folder, "plugins": self.plugins, **urls}
        with Project(self.outside, **given) as project:
            yield project


def assets_in(definitions: Iterable[Asset | AssetCheck]) -> list[Asset]:
    """Return what is an asset among definitions."""
    return [each for each in definitions if isinstance(each, Asset)]


def named(definition: Asset | AssetCheck) -> str:
    """Return what an asset or check is called in messages."""
    return str(definition.key) if isinstance(definition, Asset) else f"check {definition.check.name}"


def is_end(event: Any) -> bool:
    """Tell whether an event is the end of an asset's turn."""
    return isinstance(event, TERMINAL)


def expected(bench: Bench) -> list[tuple[AssetKey, str | None]]:
    """Return asset and partition of the ends that the main invocation owes."""
    parts = bench.main.partitions
    return [
        (asset.key, part)
        for asset in bench.main.assets
        for part in (parts if parts and asset.partitions_def is not None else (None,))
    ]


def told(bench: Bench) -> Iterator[tuple[str, str]]:
    """Yield every text that an integration gives away, and where it stands."""
    for each in bench.definitions:
        yield f"the definition of {named(each)}", repr(each) + json.dumps(to_json(each))
    for asset in bench.assets:
        yield f"the group of {asset.key}", repr(bench.group(asset)) if asset.executable else ""
    with suppress(PluginError):  # that it is not text is another check's to say
        yield "the command", str(bench.plugins.invocation_command(bench.main))
    runs = {"": bench.plain, " of a failing run": bench.broken}
    if "die" not in bench.refused:
        runs[" of a run that broke"] = bench.dead
    for which, run in runs.items():
        for event in run.events:
            yield f"an event{which}, {type(event).__name__}", repr(event)
        yield f"the error{which}", chained(run.error)
        yield f"the log{which}", "\n".join(run.lines)


def chained(error: BaseException | None) -> str:
    """Return the text of an error and of those that it came from."""
    texts = []
    while error is not None:
        texts.append(error_words(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def secret_names(integration: Integration) -> set[str]:
    """Return the environment variables that the options of an integration refer to.

    >>> sorted(secret_names(Integration("mill", "acme", {"password": {"env": "MILL_PASSWORD"}, "url": "http://mill"})))
    ['MILL_PASSWORD']
    """
    names: set[str] = set()
    open_: list[Any] = [integration.options]
    while open_:
        value = open_.pop()
        if isinstance(value, Mapping):
            name = value.get("env") if len(value) == 1 else None
            if isinstance(name, str):
                names.add(name)
            open_ += value.values()
        elif isinstance(value, (list, tuple)):
            open_ += value
    return names
