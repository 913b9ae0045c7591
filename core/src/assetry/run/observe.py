"""Look at what happened outside, and record it: syncs that others started, sources with new rows, tables that are gone.

Nothing is run. What is seen is recorded like a materialization, with a version, so that whatever is downstream can
tell whether its inputs have changed. What is seen again unchanged is not recorded again. Whether what was made is still
there is asked of the places that keep it, of each once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assetry.errors import AssetryError, PluginError, UsageError, error_words
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.run.context import Context, RunFacts
from assetry.run.intake import taken
from assetry.run.leases.heartbeat import Heartbeat
from assetry.run.listeners import Listeners
from assetry.run.partition_keys import known_keys, known_numbering
from assetry.run.result import RunResult, RunServices
from assetry.run.sightings import OnEvent, Sightings, comes_into_being
from assetry.types.assets import Asset, Integration
from assetry.types.events import Event, Log, Observed
from assetry.types.fields import misfit
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import DocumentChange, RunState


def observe(
    graph: AssetGraph,
    keys: Iterable[AssetKey],
    services: RunServices,
    on_event: OnEvent | None = None,
    *,
    only_news: bool = False,
) -> RunResult:
    """Ask the integrations of `keys` what became of these assets outside, and record what is new.

    The record is a run with the option ``observe``; its counts say how many assets were ``observed``, how many of them
    have ``new_content``, how many are ``gone``, and how many could not be looked at (``not_observed``). An integration
    or a place that fails is told in the run's log, and the others go on; the run's state is then ``failed``. With
    `only_news` there is no record of an observation that saw what was known, or that failed.
    """
    keys = list(keys)
    seen = Sightings(graph, keys, services, {}, only_news=only_news)
    if only_news:
        state, problems = _observe(graph, keys, services, seen, lambda: None)
        return seen.finish(state, problems, on_event=on_event)
    assert seen.lease is not None, "it has begun"
    # Nothing has to be stopped when the lease is lost: the next that is written is refused.
    beating = Heartbeat(services.store, seen.lease, lambda _: None)
    with beating, closing(Listeners(services, graph, seen.info, on_event)) as listeners:
        state, problems = _observe(graph, keys, services, seen, lambda: listeners.tell(seen.write()))
        return seen.finish(state, problems, listeners=listeners)


def record_observed(
    graph: AssetGraph,
    events: Iterable[Observed],
    services: RunServices,
    *,
    documents: Sequence[DocumentChange] = (),
    options: Mapping[str, Any],
    on_event: OnEvent | None = None,
) -> RunResult:
    """Record what somebody has seen of assets outside, in one transaction with some documents; see `Project`.

    Raises `UsageError` for what cannot be so, and `ConflictError` where a document was changed by others: then nothing
    is recorded.
    """
    fitting = [_fitting(graph, each) for each in events]
    keys = list(dict.fromkeys(each.key for each in fitting))
    seen = Sightings(graph, keys, services, options, only_news=True)
    seen.begin(len(keys), 0)
    numbering = known_numbering(graph, known_keys(graph, services.store, keys))
    for event in fitting:
        for single in numbering.one_by_one(event) if event.through is not None else (event,):
            label, mask = f"What saw {event.key}", services.plugins.secrets.mask
            seen.take(taken(services.pictures.taken(single, mask), label, mask))
    return seen.finish("succeeded", (), documents, on_event=on_event)


def _fitting(graph: AssetGraph, event: Any) -> Observed:
    """Return an event if it can be so; raise `UsageError`."""
    if not isinstance(event, Observed):
        raise UsageError(f"{event!r} is no Observed.", hint='For example Observed("raw/files", data_version="v2").')
    wrong = misfit(event)
    if wrong is not None:
        raise UsageError(f"An Observed is wrong: its {wrong}.", hint="`data_version` is a text, or None.")
    asset = graph[event.key]
    if asset.executable:
        raise UsageError(
            f"{asset.key} is made here: only what others make can be seen from outside.",
            hint="Tell of an external asset, from which it is made.",
        )
    if asset.partitions_def is None and event.partition is not None:
        raise UsageError(f"{asset.key} has no partitions, and not {event.partition!r}.", hint="Leave `partition` out.")
    if asset.partitions_def is not None and event.partition is None:
        raise UsageError(f"{asset.key} has partitions.", hint="Say of which: Observed(key, partition=…).")
    for name in (event.partition, event.through):
        if name is not None and asset.partitions_def is not None:
            asset.partitions_def.validate(name)
    # It may have been told by another key that means the asset.
    return event if event.key == asset.key else replace(event, key=asset.key)


def _observe(
    graph: AssetGraph, keys: Sequence[AssetKey], services: RunServices, seen: Sightings, write: Callable[[], None]
) -> tuple[RunState, list[str]]:
    """Take what integrations and places say of assets; return how that ended, and what went wrong.

    What was taken is written by `write`, after each integration, and when one has to be heard at once.
    """
    plugins = services.plugins
    invocations = _invocations([graph[key] for key in keys], plugins, seen)
    asked = [asset for each in invocations for asset in each.assets]
    seen.begin(len(asked), len(invocations))

    def add(asset: Asset, names: Sequence[str]) -> Sequence[str]:
        added = seen.keys.add(asset, names)
        if added:
            seen.note_added(asset.key, added)
        return added

    info = seen.info
    facts = RunFacts(
        info.id, info.options, services.values, graph.__getitem__, secret=plugins.secret, add_partitions=add
    )
    problems = list[str]()
    for invocation in invocations:
        problem = _look(invocation, services, facts, seen, write)
        # What keeps us from one group, such as a key that is not set, often keeps us from all.
        if problem is not None and problem not in problems:
            seen.take(Log(problem, "error"), invocation.id)
            problems.append(problem)
        write()
    problems += _look_for(asked, seen, services)
    write()
    return "failed" if problems else "succeeded", problems


def _look(
    invocation: Invocation, services: RunServices, facts: RunFacts, seen: Sightings, said: Callable[[], None]
) -> str | None:
    """Note what an integration sees of its assets; return what kept it from being asked, None where nothing did.

    `said` is called after a warning: that a tool waits has to be told before it has waited.
    """
    plugins, pictures = services.plugins, services.pictures
    label = plugins.label(invocation.integration)
    looked = set[AssetKey]()

    def note(event: Event) -> None:
        mask = plugins.secrets.mask
        event = taken(pictures.taken(event, mask), label, mask)
        if isinstance(event, Observed):
            looked.add(event.key)
        seen.take(event, invocation.id)
        if isinstance(event, Log) and event.level == "warning":
            said()

    try:
        for event in plugins.observe(invocation, Context(facts, note)):
            note(_checked(event, invocation))
    except Exception as error:  # one integration that cannot be asked says nothing of the others
        # That a table is there, which its place may say all the same, tells nothing of what the tool did to it.
        seen.recorder.missed(asset.key for asset in invocation.assets if asset.key not in looked)
        return plugins.secrets.mask(_told(error, invocation, plugins))
    return None


def _look_for(assets: Sequence[Asset], seen: Sightings, services: RunServices) -> list[str]:
    """Note what is not there any more, or is there again; return what is wrong with places that could not be asked."""
    recorder, latest = seen.recorder, seen.latest
    wanted = {asset.key: asset for asset in assets}
    records = [(wanted[key], part, made.metadata) for (key, part), made in latest.items() if key in wanted]
    records += [(asset, None, {}) for asset in assets if not asset.executable and (asset.key, None) not in latest]
    found, problems = services.values.exists(records)
    for (key, partition), there in found.items():
        relation = wanted[key].relation
        facts = {"relation": str(relation)} if relation is not None and not there else {}
        asked = not there and wanted[key].executable
        hint = (recorder.gone_hint((key, partition)) or _gone_hint(wanted[key], services.plugins)) if asked else None
        recorder.look(_now(), Observed(key, partition, metadata=facts, gone=not there, hint=hint))
    told = []
    for problem in problems:
        told.append(services.plugins.secrets.mask(_with_hint(problem.error.message, problem.error.hint)))
        recorder.note(_now(), Log(told[-1], "error"))
        recorder.missed(key for key in problem.keys if not recorder.has_looked(key))
    return told


def _gone_hint(asset: Asset, plugins: Plugins) -> str | None:
    """Return how an asset that is gone comes back, as its tool says without looking; None where it cannot say."""
    try:
        return plugins.gone_hint(asset)
    except PluginError:
        return None  # the plugin's problem is noted where it is asked


def _invocations(assets: Sequence[Asset], plugins: Plugins, seen: Sightings) -> list[Invocation]:
    """Return one invocation for the assets of each group; assets without a group are asked after together.

    Of those whose partitions come into being by what is seen they name the ones that are known.
    """
    members: dict[tuple[str, str | None], tuple[Integration, InvocationGroup | None, list[Asset]]] = {}
    for asset in assets:
        if asset.integration is not None and not asset.consumer:
            group = plugins.invocation_group(asset)
            place = (asset.integration.name, group.key if group else None)
            members.setdefault(place, (asset.integration, group, []))[2].append(asset)
    return [
        Invocation(
            id=str(number),
            group=group,
            integration=integration,
            assets=tuple(found),
            own_partitions={each.key: seen.known(each.key).living for each in found if comes_into_being(each)},
        )
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
        return _with_hint(f"{invocation.integration.name}: {error.message}", error.hint)
    return f"{plugins.label(invocation.integration)} raised {error_words(error)}"


def _with_hint(message: str, hint: str | None) -> str:
    """Return what went wrong with the next step, as sentences."""
    return message if hint is None else f"{message}{'' if message.endswith(('.', '!', '?')) else '.'} {hint}"


def _now() -> datetime:
    return datetime.now(UTC)
