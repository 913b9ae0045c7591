"""What an author fills in: the subject of a conformance class, and what it can and refuses to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from assetry.errors import UsageError, near_names
from assetry.types.assets import Asset, Integration

#: What an integration may refuse, and what the kit demands of it otherwise.
INTEGRATION_CAPABILITIES: Mapping[str, str] = {
    "collapse": "several assets are made in one launch of the tool",
    "stream": "each asset is told of as soon as the tool has made it",
    "subset": "some assets of a group are made, the others are left alone",
    "fail_one": "the failure of one asset is told as such, and the others are made",
    "die": "a tool that is killed in the middle is noticed, and what it had done is kept",
    "cancel": "the tool is stopped when the stream is closed, or the run cancelled",
    "resume": "a job that an earlier process started is found again by its token, and known to be over when it is",
    "spawn": "an invocation runs in another process",
}
#: What an IO manager may refuse.
IO_CAPABILITIES: Mapping[str, str] = {
    "durable": "values are there for the next process",
    "partitions": "the partitions of an asset are kept apart",
    "threads": "several threads save and load at once",
    "atomic": "a save that fails leaves the value from before",
}
#: What a store may refuse.
STORE_CAPABILITIES: Mapping[str, str] = {"durable": "records are there for the next process, and for other ones"}
#: What an executor may refuse.
EXECUTOR_CAPABILITIES: Mapping[str, str] = {
    "parallel": "several tasks run at a time",
    "interrupt": "a task is ended that does not look whether it was cancelled",
}


@runtime_checkable
class Tool(Protocol):
    """The control of the tool of an integration under test: a `FakeTool`, or a real one with real files.

    For a real tool, "break an asset" may mean to write a model that fails, and "hold" one that waits for a file. A tool
    whose jobs can be found again may have a method more, ``kill()``: end without a word what runs now, so that a token
    of a dead job can be tried. Without it only tokens of jobs that were cancelled, or never were, are tried.
    """

    @property
    def launches(self) -> int:
        """Return how many processes or jobs were started since `reset`."""

    @property
    def running(self) -> int:
        """Return how many of them have not ended."""

    @property
    def holding(self) -> bool:
        """Tell whether the tool waits now before an asset, as it was told by `hold`."""

    def reset(self) -> None:
        """Undo `hold`, `break_asset` and `die_at`, and forget the launches. What was made may stay."""

    def hold(self, asset: Asset) -> None:
        """Let the tool wait before it makes `asset`, until `release`."""

    def release(self) -> None:
        """Let the tool go on."""

    def break_asset(self, asset: Asset) -> None:
        """Let `asset`, and nothing else, fail when it is made."""

    def die_at(self, asset: Asset) -> None:
        """Let the tool end without a word when it comes to `asset`."""

    def made(self, asset: Asset) -> bool:
        """Tell whether the tool has made `asset` since `reset`."""


@dataclass(frozen=True, slots=True)
class PluginUnderTest:
    """A plugin to be tested: the module with its hooks, its dotted name, or an object with hooks.

    `heavy` are modules that the hook module must not import; those that everybody knows (dbt, pandas, httpx …) are
    looked for anyway. `can` says for each capability whether the plugin has it (all, unless refused), and `refuses`
    gives the reason for each it has not; a plugin may say the same in its attribute ``ASSETRY_REFUSES``.

    >>> PluginUnderTest("assetry.run.threads").refuses
    {}
    """

    plugin: Any
    heavy: Sequence[str] = ()
    can: Mapping[str, bool] = field(default_factory=dict)
    refuses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntegrationUnderTest(PluginUnderTest):
    """An integration to be tested: its plugin, a configured `Integration`, and control of its tool.

    The integration must have at least three executable assets, in one group when it can collapse. `another` is a
    second integration of the same kind (the same one by another name, when None). `secrets` are environment variables
    to be set, whose values must turn up nowhere; so must those of variables that the options refer to. `partitions`
    are asked for where assets have some. `beside` are further plugins that this one needs. `patience` is how many
    seconds a check waits for what must happen, all its waits together, before it says that it did not; a real tool
    that needs longer for a run is given more.

    >>> from assetry.testing import FakeTool
    >>> subject = IntegrationUnderTest(
    ...     "assetry_acme.plugin",
    ...     integration=Integration("mill", "acme"),
    ...     tool=FakeTool(),
    ...     refuses={"resume": "its jobs have no ids"},
    ... )
    >>> subject.patience
    15.0
    """

    integration: Integration = field(kw_only=True)
    tool: Tool = field(kw_only=True)
    another: Integration | None = field(default=None, kw_only=True)
    secrets: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    partitions: tuple[str, ...] = field(default=(), kw_only=True)
    beside: Sequence[Any] = field(default=(), kw_only=True)
    patience: float = field(default=15.0, kw_only=True)


@dataclass(frozen=True, slots=True)
class IOUnderTest(PluginUnderTest):
    """An IO manager to be tested: its plugin, and a URL of an empty place.

    `values` are further values it must keep; `unkeepable` is one that it must refuse with an `AssetryError` (a lock,
    when None, which cannot be kept; for a manager of tables give a table that its types cannot hold). `secrets` are
    what stands in the URL and must turn up nowhere.

    >>> IOUnderTest("assetry.io.files", url="memory:", refuses={"durable": "memory ends with the process"}).url
    'memory:'
    """

    url: str = field(kw_only=True)
    values: Sequence[Any] = field(default=(), kw_only=True)
    unkeepable: Any = field(default=None, kw_only=True)
    secrets: Sequence[str] = field(default=(), kw_only=True)


@dataclass(frozen=True, slots=True)
class StoreUnderTest(PluginUnderTest):
    """A store to be tested: its plugin, and a function that returns the URL of a new, empty one.

    >>> StoreUnderTest("assetry.store.sqlite", new_url=lambda: "sqlite::memory:").new_url()
    'sqlite::memory:'
    """

    new_url: Callable[[], str] = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class ExecutorUnderTest(PluginUnderTest):
    """An executor to be tested: its plugin, and a URL that opens one with at least two slots.

    >>> ExecutorUnderTest("assetry.run.threads", url="threads:3").url
    'threads:3'
    """

    url: str = field(kw_only=True)
    patience: float = field(default=30.0, kw_only=True)


def refusals(subject: PluginUnderTest, known: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """Return what a subject refuses, with reasons; `declared` is what its plugin says of itself.

    Raises `UsageError` for a capability that is not known, or that is refused without a reason.

    >>> refusals(PluginUnderTest("x", can={"durable": False}, refuses={"durable": "memory"}), IO_CAPABILITIES, {})
    {'durable': 'memory'}
    """
    reasons = {**declared, **subject.refuses}
    for name in (*subject.can, *reasons):
        if name not in known:
            raise UsageError(
                f"There is no capability {name!r}.",
                near=near_names(name, known),
                hint=f"Known capabilities: {', '.join(known)}.",
            )
    for name, able in subject.can.items():
        if able and name in reasons:
            raise UsageError(f"{name!r} is said to be possible, and refused.", hint="Take it out of one of the two.")
        if not able and name not in reasons:
            raise UsageError(
                f"{name!r} is refused without a reason.", hint=f'Say why it cannot be: refuses={{"{name}": "…"}}.'
            )
    for name, reason in reasons.items():
        if not reason.strip():
            raise UsageError(f"The reason for refusing {name!r} is empty.", hint="Write what a user should know.")
    return dict(reasons)
