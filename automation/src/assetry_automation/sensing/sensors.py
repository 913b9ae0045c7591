"""Sensors as Python functions: `@sensor`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, AssetKey, Decorated, DefinitionError, Observed, read_span

#: How long a sensor may take that does not say it.
TIMEOUT = timedelta(minutes=1)
#: The shortest interval: a look at the records takes about as long.
_SHORTEST = timedelta(seconds=1)


@dataclass(slots=True)
class SensorContext:
    """What a sensor is given.

    * `state`: what it keeps from one time to the next, as JSON; ``{}`` at first. It is recorded together with what the
      sensor saw, or neither is.
    * `name` of the sensor, the `asset` that it is attached to, and the `root` folder of the project.

    >>> context = SensorContext("landed", Path("."), {"last": "a.csv"}, asset=AssetKey("raw/files"))
    >>> context.state["last"], context.observed("v2").key
    ('a.csv', AssetKey('raw/files'))
    """

    name: str
    root: Path
    state: Any = field(default_factory=dict)
    asset: AssetKey | None = None
    find_secret: Callable[[str], str] | None = field(default=None, repr=False)

    def observed(
        self,
        data_version: str | None = None,
        partition: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        gone: bool = False,
    ) -> Observed:
        """Return what was seen of the asset that the sensor is attached to; raise `DefinitionError` without one."""
        if self.asset is None:
            raise DefinitionError(
                f"Sensor {self.name!r} is attached to no asset.",
                hint='Say which it tells of: @sensor(asset="raw/files", …), or Observed("raw/files", …).',
            )
        return Observed(self.asset, partition, data_version, metadata=metadata or {}, gone=gone)

    def secret(self, name: str) -> str:
        """Return the secret `name`, as in a run; it is masked in what is told of the sensor."""
        assert self.find_secret is not None, "it is given one where a sensor is called"
        return self.find_secret(name)


class Sensor(Decorated):
    """A function that tells what it saw of assets which nothing here makes; call it as the function it was.

    >>> @sensor(every="1m", asset="raw/files")
    ... def landed(context):
    ...     yield context.observed("v1", "a.csv")
    >>> str(landed.every), landed.asset
    ('0:01:00', AssetKey('raw/files'))
    """

    def __init__(
        self, function: Callable[..., Any], name: str, every: timedelta, timeout: timedelta, asset: AssetKey | None
    ) -> None:
        super().__init__(function)
        self.name = name
        self.every = every
        self.timeout = timeout
        self.asset = asset

    def seen(self, context: SensorContext) -> list[Any]:
        """Return all that the function yields or returns; one value counts as a list of it."""
        takes = inspect.signature(self.function).parameters
        found = self.function(context) if takes else self.function()
        if found is None or isinstance(found, Observed):
            return [] if found is None else [found]
        return list(found) if isinstance(found, Iterable) and not isinstance(found, (str, bytes, Mapping)) else [found]


def sensor(
    function: None = None,
    /,
    *,
    every: str | timedelta | None = None,
    asset: Asset | AssetKey | str | None = None,
    name: str | None = None,
    timeout: str | timedelta = TIMEOUT,
) -> Callable[[Callable[..., Any]], Sensor]:
    """Make a sensor of a function: it is asked `every` so often what it sees outside, and starts nothing itself.

    The function yields (or returns) `Observed` values of assets that nothing here makes, and may take a
    `SensorContext`. Attached to one `asset` it may leave out the key: ``context.observed("v2")``. Of an asset with a
    `DynamicPartitionsDefinition` a partition is there once it is seen, and is dropped once it is seen to be `gone`.

    It runs in a process of its own, at most `timeout` long, and all that it tells is recorded in one transaction with
    its `state`, or nothing is. `name` is that of the function when not given.

    Raises `DefinitionError` for a span of time that is none, and for a function that takes anything else.

    >>> @sensor(every="1m")
    ... def landed(context):
    ...     yield Observed("raw/files", partition="a.csv", data_version="etag")
    >>> landed.timeout
    datetime.timedelta(seconds=60)
    """
    if function is not None:
        raise _without_interval(Decorated(function))

    def decorate(function: Callable[..., Any]) -> Sensor:
        named = name if name is not None else getattr(function, "__name__", "")
        made = Sensor(function, named, timedelta(0), timedelta(0), None)
        if every is None:
            raise _without_interval(made)
        _check_function(made)
        made.every = _span(every, "every", made)
        made.timeout = _span(timeout, "timeout", made)
        if asset is not None:
            made.asset = asset.key if isinstance(asset, Asset) else AssetKey(asset)
        return made

    return decorate


def _without_interval(made: Decorated) -> DefinitionError:
    return DefinitionError("@sensor has no interval.", where=made.source, hint='@sensor(every="1m")')


def _span(given: str | timedelta, what: str, made: Sensor) -> timedelta:
    found = read_span(given, f"{what} of sensor {made.name!r}", made.source)
    if found < _SHORTEST:
        raise DefinitionError(
            f"{what} of sensor {made.name!r} is {given!r}, less than a second.",
            where=made.source,
            hint=f'For example {what}="1m".',
        )
    return found


def _check_function(made: Sensor) -> None:
    function = made.function
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"Sensor {made.name!r} is async.",
            where=made.source,
            hint="Write it without: it has a process of its own. `asyncio.run` calls what is.",
        )
    parameters = list(inspect.signature(function).parameters.values())
    needed = [each for each in parameters if each.default is each.empty]
    if len(parameters) > 1 or len(needed) > 1 or any(each.kind is each.KEYWORD_ONLY for each in needed):
        raise DefinitionError(
            f"Sensor {made.name!r} takes {', '.join(each.name for each in parameters)}.",
            where=made.source,
            hint="It may take one thing, its context.",
        )
    if not made.name.isprintable() or not made.name.strip():
        raise DefinitionError(
            f"{made.name!r} is no name of a sensor.", where=made.source, hint="Give it a line of text."
        )
