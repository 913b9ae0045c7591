"""Look at what happened outside, and record it: syncs that others started, sources with new rows, tables that are gone.

Nothing is run. What is seen is recorded like a materialization, with a version, so that whatever is downstream can
tell whether its inputs have changed. What is seen again unchanged is not recorded again. Whether what was made is still
there is asked of the places that keep it, of each once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from assetry.errors import AssetryError, error_words
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.io.values import ValueRouter
from assetry.run.context import Context, RunFacts
from assetry.run.intake import taken
from assetry.run.leases.heartbeat import Heartbeat
from assetry.run.listeners import Listeners
from assetry.run.partition_keys import PartitionKeys
from assetry.run.recorder import Before, Recorder, known_keys
from assetry.run.result import RunResult, RunServices, new_run
from assetry.status.versions import with_read
from assetry.types.assets import Asset, Integration
from assetry.types.events import Event, Log, Observed, RunFinished, RunStarted
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import EventRecord, Latest, RunState


def observe(
    graph: AssetGraph,
    keys: Iterable[AssetKey],
    services: RunServices,
    on_event: Callable[[EventRecord], None] | None = None,
) -> RunResult:
    """Ask the integrations of `keys` what became of these assets outside, and record what is new.

    The record is a run with the option ``observe``; its counts say how many assets were ``observed``, how many of them
    have ``new_content``, how many are ``gone``, and how many could not be looked at (``not_observed``). An integration
    or a place that fails is told in the run's log, and the others go on; the run's state is then ``failed``.
    """
    started = time.monotonic()
    info = new_run((), {"observe": True})
    store = services.store
    lease = store.begin(info)
    keys = list(keys)
    read = with_read(graph, keys)
    latest = store.latest(read)
    tables = known_keys(graph, store, read)
    recorder = Recorder(info.id, graph, Before(latest, store.attempts(read), tables), lease=lease)
    invocations = _invocations([graph[key] for key in keys], services.plugins)
    recorder.note(_now(), RunStarted(sum(len(each.assets) for each in invocations), len(invocations)))
    secret = services.plugins.secret
    add = PartitionKeys(store, lambda: lease).add
    facts = RunFacts(info.id, info.options, services.values, graph.__getitem__, secret=secret, add_partitions=add)
    state: RunState = "succeeded"
    # Nothing has to be stopped when the lease is lost: the next that is written is refused.
    beating = Heartbeat(store, lease, lambda _: None)
    with beating, closing(Listeners(services, graph, info, on_event)) as listeners:
        for invocation in invocations:
            said = partial(_tell, listeners, recorder, store)
            if not _look(invocation, services.plugins, facts, recorder, said):
                state = "failed"
            listeners.tell(recorder.write(store))
        asked = [asset for each in invocations for asset in each.assets]
        if not _look_for(asked, latest, services.values, recorder, services.plugins.secrets.mask):
            state = "failed"
        listeners.tell(recorder.write(store))
        recorder.note(_now(), RunFinished(state, round(time.monotonic() - started, 3), dict(recorder.counts)))
        records = recorder.write(store)
        finished = _now()
        store.finish(info.id, state, finished, lease=lease)
        listeners.tell(records)
    return RunResult(replace(info, state=state, finished=finished), dict(recorder.counts), {})


def _tell(listeners: Listeners, recorder: Recorder, store: Store) -> None:
    listeners.tell(recorder.write(store))


def _look(
    invocation: Invocation, plugins: Plugins, facts: RunFacts, recorder: Recorder, said: Callable[[], None]
) -> bool:
    """Note what an integration sees of its assets; return whether it could be asked.

    `said` is called after a warning: that a tool waits has to be told before it has waited.
    """
    label = plugins.label(invocation.integration)

    told = set[AssetKey]()

    def note(event: Event) -> None:
        event = taken(event, label, plugins.secrets.mask)
        if isinstance(event, Observed):
            told.add(event.key)
            recorder.look(_now(), event, invocation.id)
        else:
            recorder.note(_now(), event, invocation.id)
            if isinstance(event, Log) and event.level == "warning":
                said()

    try:
        for event in plugins.observe(invocation, Context(facts, note)):
            note(_checked(event, invocation))
    except Exception as error:  # one integration that cannot be asked says nothing of the others
        note(Log(_told(error, invocation, plugins), "error"))
        # That a table is there, which its place may say all the same, tells nothing of what the tool did to it.
        recorder.missed(asset.key for asset in invocation.assets if asset.key not in told)
        return False
    return True


def _look_for(
    assets: Sequence[Asset], latest: Latest, values: ValueRouter, recorder: Recorder, cover: Callable[[str], str]
) -> bool:
    """Note what is not there any more, or is there again; return whether every place could be asked."""
    wanted = {asset.key: asset for asset in assets}
    records = [(wanted[key], part, made.metadata) for (key, part), made in latest.items() if key in wanted]
    records += [(asset, None, {}) for asset in assets if not asset.executable and (asset.key, None) not in latest]
    found, problems = values.exists(records)
    for (key, partition), there in found.items():
        relation = wanted[key].relation
        facts = {"relation": str(relation)} if relation is not None and not there else {}
        recorder.look(_now(), Observed(key, partition, metadata=facts, gone=not there))
    for problem in problems:
        told = " ".join(filter(None, (problem.error.message, problem.error.hint)))
        recorder.note(_now(), Log(cover(told), "error"))
        recorder.missed(key for key in problem.keys if not recorder.has_looked(key))
    return not problems


def _invocations(assets: Sequence[Asset], plugins: Plugins) -> list[Invocation]:
    """Return one invocation for the assets of each group; assets without a group are asked after together."""
    members: dict[tuple[str, str | None], tuple[Integration, InvocationGroup | None, list[Asset]]] = {}
    for asset in assets:
        if asset.integration is not None and not asset.consumer:
            group = plugins.invocation_group(asset)
            place = (asset.integration.name, group.key if group else None)
            members.setdefault(place, (asset.integration, group, []))[2].append(asset)
    return [
        Invocation(id=str(number), group=group, integration=integration, assets=tuple(found))
        for number, (integration, group, found) in enumerate(members.values(), 1)
    ]


def _checked(event: Event, invocation: Invocation) -> Event:
    """Return an event if an observation may yield it, else a line that says why it is left out."""
    if isinstance(event, Log):
        return event
    known = {asset.key for asset in invocation.assets}
    if isinstance(event, Observed) and event.key in known:
        return event
    return Log(f"An observation may only yield Observed for the assets it was asked for, not {event!r}.", "warning")


def _told(error: Exception, invocation: Invocation, plugins: Plugins) -> str:
    if isinstance(error, AssetryError):
        return " ".join(filter(None, (f"{invocation.integration.name}: {error.message}", error.hint)))
    return f"{plugins.label(invocation.integration)} raised {error_words(error)}"


def _now() -> datetime:
    return datetime.now(UTC)
