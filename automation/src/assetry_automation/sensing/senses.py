"""All that sees what others have made in a project, by name; and how one of it is asked."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from assetry import Project
from assetry.plugin import (
    AssetKey,
    AssetryError,
    ConflictError,
    DefinitionError,
    DocumentChange,
    Integration,
    Observed,
    RunError,
    UsageError,
    near_names,
    selection_value,
)

from assetry_automation.decision.senses import Sense
from assetry_automation.kept import SPACE
from assetry_automation.sensing.sensors import Sensor, SensorContext

#: Where the states of sensors are: a look at what automation remembers does not read them.
STATES = f"{SPACE}/sensors"
#: How long an integration may take to see what became of its assets: it may ask a service, or run its tool.
OBSERVING = timedelta(minutes=10)


class Saw(NamedTuple):
    """What was seen when something was asked: of which assets, with how much that is new; `told` says more.

    >>> Saw(("raw/files",), 2).told
    ''
    """

    keys: tuple[str, ...] = ()
    new: int = 0
    told: str = ""


@dataclass(frozen=True, slots=True)
class Senses:
    """The senses of a project: `sensors` and `integrations`, by name."""

    sensors: Mapping[str, Sensor]
    integrations: Mapping[str, Integration]

    @property
    def all(self) -> tuple[Sense, ...]:
        """Return when each is asked."""
        sensors = (
            Sense(name=name, of="sensor", every=each.every, timeout=each.timeout) for name, each in self.sensors.items()
        )
        integrations = (
            Sense(name=name, of="integration", every=each.observe, timeout=OBSERVING)
            for name, each in self.integrations.items()
            if each.observe is not None
        )
        return (*sensors, *integrations)


def senses_of(project: Project) -> Senses:
    """Return all that sees what others have made; raise `DefinitionError` for a name twice, and for a wrong asset."""
    graph = project.graph
    sensors: dict[str, Sensor] = {}
    for sensor in project.defined(Sensor):
        first = sensors.setdefault(sensor.name, sensor)
        if first is not sensor:
            raise DefinitionError(
                f"Two sensors are called {sensor.name!r}.",
                where=f"{first.source} and {sensor.source}",
                hint='Give one another name: @sensor(name="…", …).',
            )
        if sensor.asset is not None:
            _check_asset(project, sensor, sensor.asset)
    # Thousands of assets share one value, which is cheaper told by what it is than by what it is equal to.
    own = {id(asset.integration): asset.integration for asset in graph.assets if asset.integration is not None}
    observed: dict[str, Integration] = {}
    for integration in (*project.integrations, *own.values()):
        if integration.observe is None:
            continue
        if integration.name in sensors:
            raise DefinitionError(
                f"A sensor and an integration that is observed are both called {integration.name!r}.",
                where=sensors[integration.name].source,
                hint='Give the sensor another name: @sensor(name="…", …).',
            )
        observed.setdefault(integration.name, integration)
    return Senses(sensors, observed)


def _check_asset(project: Project, sensor: Sensor, key: AssetKey) -> None:
    graph, what = project.graph, f"Sensor {sensor.name!r} is attached to {str(key)!r}"
    if key not in graph:
        near = near_names(str(key), list(map(str, graph.keys)))
        raise DefinitionError(
            f"{what}, which nothing defines.", where=sensor.source, near=near, hint="Define it: executable=False."
        )
    if graph[key].executable:
        raise DefinitionError(
            f"{what}, which is made here.",
            where=sensor.source,
            hint="A sensor tells what others make: attach it to an external asset, from which it is made.",
        )


def ask(project: Project, name: str) -> Saw:
    """Ask a sensor, or an integration, what it sees, and record that; raise an `AssetryError` that says what is wrong.

    What others have recorded of it meanwhile stays, and is what is told.
    """
    found = senses_of(project)
    try:
        if name in found.sensors:
            return _ask_sensor(project, found.sensors[name])
        if name in found.integrations:
            return _observe(project, name)
    except ConflictError:
        return Saw(told="another process asked it at the same time, and has recorded what it saw")
    names = [each.name for each in found.all]
    raise UsageError(
        f"There is no sensor {name!r}, and no integration of that name is observed.",
        near=near_names(name, names),
        hint=f"Known: {', '.join(names)}." if names else 'Write one: @sensor(every="1m"), or observe = "5m".',
    )


def _observe(project: Project, name: str) -> Saw:
    result = project.observe(f"integration:{selection_value(name)}", only_news=True)
    if result.problems:
        raise RunError(result.problems[0])
    return Saw((), sum(result.counts.get(each, 0) for each in ("new_content", "dropped")))


# -- a sensor --------------------------------------------------------------------------------------------------------


def _ask_sensor(project: Project, sensor: Sensor) -> Saw:
    kept = project.store.documents(STATES).get(sensor.name)
    before: Mapping[str, Any] = kept.value if kept is not None and isinstance(kept.value, Mapping) else {}
    state = before.get("state", {})
    context = SensorContext(
        sensor.name, project.root, json.loads(json.dumps(state)), sensor.asset, project.plugins.secret
    )
    events = _called(project, sensor, context)
    after = {"state": _plain(sensor, context.state, project.plugins.secrets.mask), "seen": _digest(events)}
    # It is compared when it is written, so that of two who ask at once only one records what both saw.
    revision = kept and kept.revision
    documents = [DocumentChange(STATES, sensor.name, after, revision)] if after != before else []
    try:
        result = project.record_observed(events, documents=documents, options={"sensor": sensor.name})
    except UsageError as error:
        told = f"Sensor {sensor.name!r} told of what cannot be: {error.message}"
        raise RunError(told, where=sensor.source, near=error.near, hint=error.hint) from error
    keys = tuple(dict.fromkeys(str(each.key) for each in events))
    return Saw(keys, sum(result.counts.get(each, 0) for each in ("new_content", "dropped", "gone")))


def _called(project: Project, sensor: Sensor, context: SensorContext) -> list[Observed]:
    try:
        seen = sensor.seen(context)
    except AssetryError as error:
        error.where = error.where or sensor.source
        raise
    except (Exception, SystemExit) as error:
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        told = project.plugins.secrets.mask(f"Sensor {sensor.name!r} raised {words}.")
        raise RunError(told, where=_place(error, project.root) or sensor.source) from error
    for each in seen:
        if not isinstance(each, Observed):
            raise RunError(
                f"Sensor {sensor.name!r} yielded {each!r:.100}, which is no Observed.",
                where=sensor.source,
                hint='For example Observed("raw/files", data_version="v2").',
            )
        if sensor.asset is not None and each.key != sensor.asset:
            raise RunError(
                f"Sensor {sensor.name!r} is attached to {str(sensor.asset)!r}, and told of {str(each.key)!r}.",
                where=sensor.source,
                hint="Leave out asset=…, or tell of that one: context.observed(…).",
            )
    return seen


def _place(error: BaseException, root: Path) -> str | None:
    """Return the last line of the project's own code that an error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if Path(each.filename).is_relative_to(root) and "site-packages" not in each.filename]
    return f"{Path(own[-1].filename).relative_to(root)}:{own[-1].lineno}" if own else None


def _plain(sensor: Sensor, state: Any, mask: Callable[[str], str]) -> Any:
    try:
        written = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise RunError(
            f"The state of sensor {sensor.name!r} is no JSON: {error}.",
            where=sensor.source,
            hint="Keep texts, numbers, lists and dicts in context.state.",
        ) from error
    if mask(written) != written:
        raise RunError(
            f"The state of sensor {sensor.name!r} has a secret in it, and is not recorded.",
            where=sensor.source,
            hint="Ask for it each time: context.secret.",
        )
    return json.loads(written)


def _digest(events: Iterable[Observed]) -> str:
    digest = blake2b(digest_size=12)
    for each in events:
        place = (str(each.key), each.partition, each.through, each.data_version, each.gone)
        digest.update(f"{json.dumps(place, default=str)}\n".encode(errors="replace"))
    return digest.hexdigest()
