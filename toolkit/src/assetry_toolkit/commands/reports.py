"""Lines of JSON in which a program of an integration's own says what became of assets, read as events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from assetry.plugin import (
    AssetKey,
    Event,
    Failed,
    Invocation,
    Log,
    Materialized,
    Progress,
    RunError,
    Skipped,
    Started,
    from_json,
)

_KINDS = {kind.__name__.lower(): kind for kind in (Failed, Log, Materialized, Progress, Skipped, Started)}


def json_events(invocation: Invocation) -> Callable[[str], Iterator[Event]]:
    """Return what reads the lines of a program for `run_command`, one event of an asset in each.

    A line is a JSON object: `event` is started, progress, log, materialized, failed or skipped, `name` is the last part
    of the asset's key, and the rest are fields of that event. What is told of assets that the invocation does not have
    is left out, because a command that is found again may make more. A line that is no such object is logged.

    Raises `RunError` for an event that is not known, or that lacks a field.

    >>> from assetry.plugin import Asset, Integration, InvocationGroup
    >>> mill = Integration("shop", "mill")
    >>> orders = Asset(key="shop/orders", kind="mill", integration=mill)
    >>> asked = Invocation(id="1", group=InvocationGroup("mill"), integration=mill, assets=(orders,))
    >>> read = json_events(asked)
    >>> next(read('{"event": "materialized", "name": "orders", "metadata": {"rows": 7}}')).metadata["rows"]
    7
    >>> list(read('{"event": "materialized", "name": "users"}')), next(read("Hello")).message
    ([], 'Hello')
    """
    keys = {asset.key for asset in (*invocation.assets, *invocation.also)}

    def read(line: str) -> Iterator[Event]:
        fact = _object(line)
        if fact is None:
            yield Log(line)
            return
        kind, key = _KINDS.get(fact.pop("event")), AssetKey(f"{invocation.integration.name}/{fact.pop('name')}")
        if key not in keys:
            return
        try:
            if kind is None:
                raise ValueError(f"its event is none of {', '.join(sorted(_KINDS))}")
            event: Event = from_json(kind, {"asset": str(key), **fact})
        except (TypeError, ValueError, KeyError) as error:
            raise RunError(f"A line of the tool is no event: {error}.", hint=f"It is: {line}") from error
        yield event

    return read


def _object(line: str) -> dict[str, Any] | None:
    try:
        fact = json.loads(line)
    except ValueError:
        return None
    return fact if isinstance(fact, dict) and {"event", "name"} <= fact.keys() else None
