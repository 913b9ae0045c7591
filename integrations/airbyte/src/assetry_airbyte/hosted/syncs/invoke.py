"""Carry out an invocation: one sync of one connection, told as events; and look at what others have synced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import (
    Asset,
    Event,
    Failed,
    Invocation,
    Log,
    Materialized,
    Observed,
    RunContext,
    Skipped,
)
from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.hosted.changes import Changes
from assetry_toolkit.hosted.turns import Turn
from assetry_toolkit.jobs import JobRun, Token

from assetry_airbyte.hosted.api.responses import APPENDING, REFRESH, Connection, Job, Stream
from assetry_airbyte.hosted.api.service import Service, service_for
from assetry_airbyte.hosted.api.streams import JobFacts, StreamFacts, StreamId, Streams
from assetry_airbyte.hosted.connections.naming import placed
from assetry_airbyte.hosted.connections.snapshot import SNAPSHOTS
from assetry_airbyte.hosted.settings import Options
from assetry_airbyte.hosted.syncs.data_versions import epochs, versions
from assetry_airbyte.hosted.syncs.refresh import Refreshes, Scope, kept_text, refresh_id
from assetry_airbyte.hosted.syncs.sync import Syncs, check_usable

CHANGES = Changes("Airbyte", "stream", "airbyte")


def invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Sync the connection of `invocation` once, yielding events; raises when what became of the sync is unknown.

    Assets whose stream is no longer part of the connection fail; the others are synced, and what comes along with
    them is recorded as made.
    """
    with _Turn.opened(Options.of, service_for, invocation, context) as turn:
        yield from turn.events()


def observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Yield, for each asset, the last sync or reset of its connection that succeeded, also one started elsewhere.

    Where there was none for an asset, it was looked at all the same.
    """
    with _Turn.opened(Options.of, service_for, invocation, context) as turn:
        history = turn.history()
        job = next((each for each in history if each.status == "succeeded"), None)
        seen = list(turn.observed(job, history)) if job is not None else []
        yield from seen
        told = {event.key for event in seen}
        yield from (Observed(asset.key) for asset in invocation.assets if asset.key not in told)


class _Turn(Turn[Service, Options]):
    """One call, with all that it needs."""

    def history(self) -> list[Job]:
        return self.service.jobs(self.connection, limit=100)

    # -- a sync ------------------------------------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        connection = self._read_connection()
        if self._is_skipped(connection):
            why = f"connection {connection.name!r} is {connection.trouble}"
            yield from (Skipped(asset.key, why, root=asset.key) for asset in self.invocation.assets)
            return
        found = self._placed(connection)
        missing = [asset for asset in self.invocation.assets if asset.key not in found]
        for asset in missing:
            there = [each.name for each in connection.streams]
            yield CHANGES.gone(asset, str(asset.spec.get("stream")), connection.name, there)
        asked = [asset for asset in self.invocation.assets if asset.key in found]
        yield from self._unknown_streams(connection)
        if asked:
            yield from self._synced(connection, asked, found)

    def _read_connection(self) -> Connection:
        """Return the connection as it is now; raise `ServiceError` when it cannot be synced."""
        try:
            connection = self.service.connection(self.connection, lambda: self.context.cancelled)
        except Refused as error:
            raise CHANGES.refused(self.connection, error, self.options) from None
        if not self._is_under_way(connection) and not self._is_skipped(connection):
            check_usable(connection)
        return connection

    def _is_under_way(self, connection: Connection) -> bool:
        """Tell whether an earlier run has started a job, which goes on whatever the connection is now."""
        earlier = Token.read(self.context.resume)
        ours = (connection.id, refresh_id(connection.id))
        return earlier is not None and earlier.job is not None and earlier.work in ours

    def _is_skipped(self, connection: Connection) -> bool:
        """Tell whether a connection is switched off, and is to be left so."""
        off = connection.status == "inactive" and self.options.on_inactive == "skip"
        return off and not self._is_under_way(connection)

    def _placed(self, connection: Connection) -> dict[str, Stream]:
        """Return the stream of each asset, as the connection has it now."""
        found = {}
        for asset in (*self.invocation.assets, *self.invocation.also):
            stream = stream_of(asset, connection)
            if stream is not None:
                found[asset.key] = stream
        return found  # type: ignore[return-value]

    def _unknown_streams(self, connection: Connection) -> Iterable[Event]:
        """Warn of streams that came to the connection since it was read."""
        snapshot = SNAPSHOTS.known(self.options.snapshot_path, self.options.asks_for)
        if snapshot is None or self.options.destination_tables:
            return
        known = (stream for each in snapshot.connections if each.id == connection.id for stream in each.streams)
        ours = {(stream.namespace, stream.name) for stream in known}
        new = [each.name for each in connection.streams if (each.namespace, each.name) not in ours]
        yield from CHANGES.unknown(connection.name, new)

    def _scope(self, asked: Iterable[Stream]) -> Scope:
        """Return what is to be read anew; raise `ServiceError` where the options do without what can do it."""
        if not self.invocation.full_refresh:
            return Scope((), ())
        scope = Scope.of(asked, self.options.on_full_refresh)
        if scope.anew and not self.options.streams:
            raise ServiceError(
                "streams = false does without Airbyte's configuration API, and that alone refreshes streams.",
                hint="Take the option out, or leave --full-refresh out.",
            )
        return scope

    def _synced(self, connection: Connection, asked: list[Asset], found: Mapping[str, Stream]) -> Iterator[Event]:
        scope = self._scope(found[asset.key] for asset in asked)
        if scope.kept:
            yield Log(kept_text(connection, scope.kept), "warning")
        mode, every = self.options.on_full_refresh, self.options.poll_interval
        syncs = Syncs(self.service, connection, every)
        if scope.anew:
            syncs = Refreshes(self.service, connection, every, mode, scope.anew)
        run = JobRun(syncs, self.context, self.options.jobs, late=bool(self.invocation.inputs))
        job = yield from run.run(self.context.resume, [asset.key for asset in asked])
        if job is None:
            return  # cancelled
        streams = self._streams_of(connection)
        facts = streams.of(connection.id, job)
        note = streams.note()
        if note is not None:
            yield Log(note)
        anew = frozenset((each.namespace, each.name) for each in scope.anew)
        made_anew = self._epochs(connection, job, facts, found.values())
        result = _Result(connection, job, facts, not run.ours, syncs.url, anew, mode, made_anew)
        along = self.invocation.also if self.options.on_unselected == "materialize" else ()
        made = [asset for asset in (*asked, *along) if asset.key in found and result.made(found[asset.key])]
        if made and result.silent:
            yield Log(
                f"Job {job.id} of {connection.name!r} succeeded, and Airbyte tells neither rows nor bytes of it: what "
                "it moved is not known, so its tables count as changed. Look at it in Airbyte.",
                "warning",
            )
        told = versions(self.service, streams, connection.id, job, facts, [found[asset.key] for asset in made])
        ours = {asset.key for asset in asked}
        for asset in (*asked, *along):
            stream = found.get(asset.key)
            if stream is None:
                continue
            if result.made(stream):
                version = told[stream.namespace, stream.name]
                yield Materialized(
                    asset.key, data_version=version, metadata=result.metadata(stream, asset.key not in ours)
                )
            elif asset.key in ours:
                yield result.not_made(asset, stream)

    def _epochs(
        self,
        connection: Connection,
        job: Job,
        facts: JobFacts | None,
        streams: Iterable[Stream],
        history: Sequence[Job] | None = None,
    ) -> dict[StreamId, str]:
        """Return, of streams that only add to their tables, which job last made these anew, where that is known."""
        adding = [stream for stream in streams if stream.sync_mode == APPENDING]
        try:
            jobs = self.history() if history is None and adding else history or ()
        except ServiceError:
            return {}
        asked = self._streams_of(connection)

        def facts_of(other: Job) -> JobFacts | None:
            return facts if other.id == job.id else asked.of(connection.id, other, states=False)

        return epochs(jobs, facts_of, adding)

    def _streams_of(self, connection: Connection) -> Streams:
        return Streams(self.service, connection.workspace, self.options.streams)

    # -- an observation ------------------------------------------------------------------------------------------------

    def observed(self, job: Job, history: Sequence[Job]) -> Iterator[Observed]:
        connection = self.service.connection(self.connection)
        found = self._placed(connection)
        streams = self._streams_of(connection)
        facts = streams.of(connection.id, job)
        page = self.service.address.page(connection.workspace, connection.id)
        made_anew = self._epochs(connection, job, facts, found.values(), history)
        result = _Result(connection, job, facts, False, page, epochs=made_anew)
        told = versions(self.service, streams, connection.id, job, facts, found.values())
        for asset in self.invocation.assets:
            stream = found.get(asset.key)
            if stream is not None and result.made(stream):
                yield Observed(
                    asset.key,
                    data_version=told[stream.namespace, stream.name],
                    metadata=result.metadata(stream, along=False),
                )


@dataclass(frozen=True, slots=True)
class _Result:
    """What a finished job means for each of its streams."""

    connection: Connection
    job: Job
    facts: JobFacts | None
    joined: bool
    page: str | None
    #: The streams that were to be read anew, and what was to become of the rows that they had.
    anew: frozenset[StreamId] = frozenset()
    mode: str = ""
    #: Of streams that only add to their tables: which job last made these anew, where one is known.
    epochs: Mapping[StreamId, str] = field(default_factory=dict)

    def _left_out(self, stream: Stream) -> bool:
        """Tell whether the job surely did not read a stream anew that it was to."""
        refreshed = self.facts.refreshed if self.facts is not None else None
        id_ = (stream.namespace, stream.name)
        return id_ in self.anew and refreshed is not None and id_ not in refreshed

    def _of(self, stream: Stream) -> StreamFacts:
        known = self.facts.streams if self.facts is not None else {}
        return known.get((stream.namespace, stream.name), StreamFacts())

    @property
    def silent(self) -> bool:
        """Tell whether nothing is known of how much a job moved that succeeded."""
        counted = self.facts is not None and any(each.rows is not None for each in self.facts.streams.values())
        return self.job.succeeded and self.job.rows is None and self.job.bytes is None and not counted

    def made(self, stream: Stream) -> bool:
        """Tell whether the table was loaded to its end."""
        facts = self._of(stream)
        if self._left_out(stream):
            return False
        if self.job.status == "succeeded":
            return not facts.failed
        return facts.state == "complete"

    def not_made(self, asset: Asset, stream: Stream) -> Event:
        """Return the event that tells why a table was not made."""
        job, facts = self.job, self._of(stream)
        if job.status == "cancelled":
            return Skipped(
                asset.key, f"its sync was cancelled in Airbyte (job {job.id}); who did it is not known", root=asset.key
            )
        why = self.facts.failure if self.facts is not None else ""
        noun, what = REFRESH if self.anew else "sync", "did not complete" if facts.failed else "failed"
        if self._left_out(stream):
            what = "did not read it anew"
        message = f"{stream.name}: the {noun} {what} (job {job.id} of connection {self.connection.name!r})"
        message += f": {why}" if why else "."
        partial = "" if facts.state else " The table may hold a part of the data."
        see = f"See {self.page}." if self.page else "See the job in Airbyte."
        return Failed(asset.key, message, hint=f"{see}{partial}", retryable=job.status == "failed")

    def metadata(self, stream: Stream, along: bool) -> dict[str, Any]:
        """Return what is recorded of a loaded table."""
        job, facts = self.job, self._of(stream)
        by_stream = facts.rows is not None
        told: dict[str, Any] = {
            "connection": self.connection.name,
            "job": job.id,
            "rows": facts.rows,
            "bytes": facts.bytes,
            "rows_of_job": None if by_stream else job.rows,
            "bytes_of_job": None if by_stream else job.bytes,
            "result_known_by": "stream" if facts.state else "job",
            "synced_at": job.updated.isoformat() if job.updated else None,
            "data_time": job.began.isoformat() if job.began else None,
            "loaded_at": job.updated.isoformat() if job.updated else None,
            "epoch": self.epochs.get((stream.namespace, stream.name)),
            "job_seconds": job.seconds,
            "url": self.page,
        }
        if (stream.namespace, stream.name) in self.anew:
            told["read_anew"] = f"{self.mode} the rows there were"
        if along:
            told["origin"] = "unselected"
        if self.joined:
            told["started_by"] = "somebody else"
        return {name: value for name, value in told.items() if value is not None}


def stream_of(asset: Asset, connection: Connection) -> Stream | None:
    """Return the stream of an asset as the connection has it now; None when it has it no more."""
    wanted, namespace = asset.spec.get("stream"), asset.spec.get("namespace")
    for each in connection.streams:
        if (each.name, each.namespace) == (wanted, namespace):
            return each
    if asset.spec.get("unverified"):
        # Defined by its table's name alone, before the connection could be read.
        fitting = [each for each in connection.streams if wanted in (each.name, placed(connection, each)[1])]
        fitting = [each for each in fitting if namespace in (None, each.namespace, placed(connection, each)[0])]
        return fitting[0] if len(fitting) == 1 else None
    return None
