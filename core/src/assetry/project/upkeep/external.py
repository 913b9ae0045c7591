"""Runs of tools that others have started, recorded from what the tools wrote of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from assetry.errors import UsageError, near_names
from assetry.project.runs.services import services_of
from assetry.project.upkeep.leasing import lease_all, renewed
from assetry.project.upkeep.state import State
from assetry.run.intake import taken
from assetry.run.listeners import Listeners
from assetry.run.partition_keys import known_keys, known_numbering
from assetry.run.recorder import Before, Recorder
from assetry.run.result import new_run
from assetry.status.versions import with_read
from assetry.types.assets import Integration
from assetry.types.events import (
    TERMINAL,
    Checked,
    Event,
    Failed,
    InvocationFinished,
    InvocationStarted,
    Log,
    Progress,
    Ranged,
    RunFinished,
    RunStarted,
    Skipped,
    Started,
)
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.records import (
    Attempt,
    EventRecord,
    ExternalRun,
    Latest,
    RunInfo,
    RunState,
    Verdicts,
)

Place = tuple[AssetKey, str | None]
_SINCE = "it was made or tried here since"


@dataclass(frozen=True, slots=True)
class Recorded:
    """An external run as it is recorded: what it came to, and what its file tells and is not recorded, with the reason.

    `already` tells that it was recorded before: then nothing was done.
    """

    run: RunInfo
    counts: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    already: bool = False
    command: str | None = None


def record(
    project: State,
    path: Path,
    integration: str | None = None,
    on_event: Callable[[EventRecord], None] | None = None,
) -> Recorded:
    """Record the run that a file of a tool tells of, once.

    `integration` names whose it is, where several could have run it. Raises `UsageError` for a file that none knows,
    `ConflictError` while a run makes one of the assets.
    """
    owner, told = _found(project, path, integration)
    if told.refused is not None:
        recorded = _recorded(project, owner, told)
        if recorded is None:
            raise UsageError(told.refused, where=str(path), hint=told.hint)
        return Recorded(recorded, already=True, command=told.command)
    info = _info(project, owner, told, path)
    before = project.store.run(info.id)
    if before is not None and before.id == info.id and (before.state != "interrupted" or _is_whole(project, info.id)):
        if before.state == "interrupted":
            before = replace(info, state=_state_of(project, info.id))
            project.store.begin(before)
            project.store.finish(info.id, before.state, told.finished)
        return Recorded(before, already=True, command=told.command)
    lease = lease_all(project.store, info.id, info.assets)
    state: RunState = "cancelled"
    with renewed(project.store, lease):
        try:
            project.store.begin(info, lease)
            work = _Recording(project, owner, told, info, lease)
            with closing(Listeners(services_of(project), project.graph, info, on_event)) as listeners:
                listeners.tell(work.write())
            state = work.state
        finally:
            project.store.finish(info.id, state, told.finished, lease=lease)
    run = replace(info, state=state, finished=told.finished)
    return Recorded(run, work.counts, {**told.left_out, **work.left}, command=told.command)


def _found(project: State, path: Path, name: str | None) -> tuple[Integration, ExternalRun]:
    """Return the run that a file tells of, and whose it is."""
    if not path.is_file():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UsageError(f"There is no file {path}.", near=near_names(path.name, beside))
    names = [each.name for each in project.integrations]
    if name is not None and name not in names:
        raise UsageError(f"There is no integration {name!r}.", near=near_names(name, names))
    asked = [each for each in project.integrations if name in (None, each.name)]
    found = [(each, run) for each in asked if (run := project.plugins.load_run(str(path.resolve()), each)) is not None]
    if found and all(run.refused is not None for _, run in found):
        return next((each for each in found if _recorded(project, *each) is not None), found[0])
    found = [(each, run) for each, run in found if run.refused is None]
    if len(found) > 1:
        raise UsageError(
            f"{path} may be a run of {' or '.join(each.name for each, _ in found)}.",
            hint=f"Say of which: --integration {found[0][0].name}.",
        )
    if not found:
        whose = f"of the integration {name!r}" if name else "of an integration of this project"
        raise UsageError(
            f"{path} tells of no run {whose}.",
            hint="Of dbt it is run_results.json, with the manifest.json of the same run beside it. It may be a file of"
            " another project.",
        )
    return found[0]


def _info(project: State, owner: Integration, told: ExternalRun, path: Path) -> RunInfo:
    """Return the run as it is recorded; its id comes of the tool's own, so that it is the same each time."""
    sign = hashlib.sha256(f"{owner.name}\0{told.id}".encode()).hexdigest()[:6]
    run_id = f"{told.started.astimezone(UTC):%Y%m%d-%H%M%S}-{sign}"
    options = {"record": _sign(owner, told), "file": path.name}
    return replace(new_run(_keys(project, owner, told), options), id=run_id, started=told.started)


def _sign(owner: Integration, told: ExternalRun) -> str:
    return f"{owner.name} {told.id}"


def _recorded(project: State, owner: Integration, told: ExternalRun) -> RunInfo | None:
    """Return the run that an external one was recorded as, where all of it was."""
    sign = _sign(owner, told)
    same = (each for each in project.store.runs() if each.options.get("record") == sign)
    return next((each for each in same if each.state != "interrupted" or _is_whole(project, each.id)), None)


def _keys(project: State, owner: Integration, told: ExternalRun) -> tuple[AssetKey, ...]:
    """Return the assets that a run tells of, and that its integration makes here, in graph order."""
    named = {key for _, event in told.events if (key := getattr(event, "key", None)) is not None}
    return tuple(key for key in project.graph.keys if key in named and _is_of(project, owner, key))


def _is_of(project: State, owner: Integration, key: AssetKey) -> bool:
    graph = project.graph
    return any(each.integration == owner for each in graph.definitions(graph.index(key)))


def _is_whole(project: State, run_id: str) -> bool:
    """Tell whether all of a run was recorded before its recording was killed: that is done at once, or not at all."""
    return next(iter(project.store.events(run_id)), None) is not None


def _state_of(project: State, run_id: str) -> RunState:
    ends = [each.event.state for each in project.store.events(run_id) if isinstance(each.event, RunFinished)]
    return "succeeded" if ends == ["succeeded"] else "failed"


class _Recording:
    """One external run on its way into the store, all of it at once."""

    def __init__(self, project: State, owner: Integration, told: ExternalRun, info: RunInfo, lease: Lease) -> None:
        self._project, self._owner, self._told, self._info = project, owner, told, info
        self._now = datetime.now(UTC)
        self.left: dict[str, str] = {}
        #: The root of each asset that was not made, as far as the run has told.
        self._roots: dict[AssetKey, AssetKey] = {}
        read = with_read(project.graph, info.assets)
        latest = project.store.latest(read)
        tables = known_keys(project.graph, project.store, read)
        self._numbering = known_numbering(project.graph, tables)
        self._events = [(at, each) for at, event in told.events for each in self._one_by_one(event)]
        self._newer = _Newer(
            latest, project.store.attempts(info.assets), project.store.latest_checks(info.assets), self._events
        )
        # What came to be while it ran it may have read, or not: that is not known then.
        known = {place: made for place, made in latest.items() if made.at <= told.started}
        self._recorder = Recorder(
            *(info.id, project.graph, Before(known, tables=tables), told.full_refresh),
            numbering=self._numbering,
            origin=project.values.origin,
            lease=lease,
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Return how many assets and checks came out how."""
        return dict(self._recorder.counts)

    @property
    def state(self) -> RunState:
        """Return how the run ended."""
        return "failed" if self._recorder.failed else "succeeded"

    def write(self) -> list[EventRecord]:
        """Record the run, and return its events."""
        told, note = self._told, self._note
        seconds = round((told.finished - told.started).total_seconds(), 3)
        note(told.started, RunStarted(len(self._info.assets), 1))
        note(told.started, InvocationStarted(self._owner.kind, self._info.assets, None, told.command))
        label, mask = self._project.plugins.label(self._owner), self._project.plugins.secrets.mask
        for at, event in self._events:
            for each in self._kept(taken(self._project.pictures.taken(event, mask), label, mask)):
                note(at, self._rooted(each))
        broken = None if told.broken is None else mask(told.broken)
        hint = None if told.hint is None else mask(told.hint)
        failed = self._recorder.failed or broken is not None
        note(told.finished, InvocationFinished("failed" if failed else "succeeded", seconds, broken, hint))
        note(told.finished, RunFinished(self.state, seconds, self.counts))
        return self._recorder.write(self._project.store)

    def _one_by_one(self, event: Event) -> Iterator[Event]:
        """Yield an event of a range of partitions as one of each: some of them may have newer records."""
        each: Sequence[Event] = (event,)
        if isinstance(event, Ranged):
            with suppress(UsageError):  # the recorder says what is wrong with the range
                each = self._numbering.one_by_one(event)
        yield from each

    def _note(self, at: datetime, event: Event) -> None:
        inside = not isinstance(event, (RunStarted, RunFinished))
        self._recorder.note(min(at, self._now), event, "1" if inside else None)

    def _kept(self, event: Event) -> Iterator[Event]:
        """Yield an event as it is recorded: nothing of what is not made here, and of what has newer records a line."""
        key: AssetKey | None = getattr(event, "key", None)
        if key is None:
            if isinstance(event, Log):
                yield event
            return
        if key not in self._info.assets:
            if isinstance(event, (*TERMINAL, Checked)):
                self.left.setdefault(str(key), f"{self._owner.name} makes nothing of that name here")
        elif not self._newer.than(event, self._read_by(event)):
            if isinstance(event, (Started, Progress, Checked, Log, *TERMINAL)):
                yield event
        elif isinstance(event, Checked):
            yield Log(f"not recorded: check {event.check} {event.outcome}, and {_SINCE}", key=key)
        elif isinstance(event, TERMINAL):
            self.left.setdefault(event.place, _SINCE)
            yield Log(f"not recorded: {event.name}, and {_SINCE}", key=key)

    def _rooted(self, event: Event) -> Event:
        """Return a skip with the asset in whose failure it begins, as a run of our own has it."""
        if isinstance(event, Failed) or (isinstance(event, Checked) and event.stops):
            self._roots[event.key] = event.key
        elif isinstance(event, Skipped):
            deps = self._project.graph[event.key].deps
            root = event.root or next((self._roots[dep.key] for dep in deps if dep.key in self._roots), None)
            self._roots[event.key] = root or event.key
            return replace(event, root=root)
        return event

    def _read_by(self, event: Event) -> Iterator[AssetKey]:
        """Return the other assets that a check is of."""
        if isinstance(event, Checked):
            for check in self._project.graph[event.key].checks:
                if check.name == event.check:
                    yield from check.also


class _Newer:
    """What the store has that is newer than what an external run tells."""

    def __init__(
        self,
        latest: Latest,
        attempts: Mapping[Place, Attempt],
        verdicts: Verdicts,
        events: Iterable[tuple[datetime, Event]],
    ) -> None:
        self._verdicts = {place: each.at for place, each in verdicts.items()}
        self._ends: dict[Place, datetime] = {}
        self._checks: dict[tuple[AssetKey, str, str | None], datetime] = {}
        for at, event in events:
            if isinstance(event, TERMINAL):
                self._ends[event.key, event.partition] = at
            elif isinstance(event, Checked):
                self._checks[event.key, event.check, event.partition] = at
        self._here: dict[Place, datetime] = {}
        ends = [(each.key, each.partition, each.at) for each in latest.values()]
        ends += [(each.key, each.partition, each.at) for each in attempts.values()]
        for key, partition, at in ends:
            self._here[key, partition] = max(at, self._here.get((key, partition), at))

    def than(self, event: Event, also: Iterable[AssetKey] = ()) -> bool:
        """Tell whether there are newer records of what an event is about; `also` are further assets of a check."""
        if isinstance(event, Checked):
            at = self._checks[event.key, event.check, event.partition]
            found = [self._verdicts.get((event.key, event.check, event.partition))]
            found += [self._here.get((key, event.partition)) for key in (event.key, *also)]
            return any(each is not None and each > at for each in found)
        place: Place = (getattr(event, "key"), getattr(event, "partition", None))  # noqa: B009 - not every event has one
        here, end = self._here.get(place), self._ends.get(place)
        return here is not None and end is not None and here > end
