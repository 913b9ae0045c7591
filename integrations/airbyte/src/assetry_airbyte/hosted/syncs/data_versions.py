"""Data versions of tables: which job last changed what is in them.

Derived from the server's own history of jobs alone, so that every machine finds the same version, also of a sync
that was started elsewhere: a sync that moved no rows gives each table the version that it had before, and nothing that
is made from it becomes stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from assetry_toolkit.errors import ServiceError

from assetry_airbyte.hosted.api.responses import REFRESH, RESETS, Job, Stream
from assetry_airbyte.hosted.api.service import Service
from assetry_airbyte.hosted.api.streams import JobFacts, StreamId, Streams

#: How far back is looked for the job that last moved rows: pages of 100 jobs, and jobs asked for their streams.
PAGES, DEPTH = 3, 10

#: The version of a table that was replaced by no rows: an empty table is always the same.
EMPTY = "empty"
#: The version of a table that no job is known to have put anything into.
UNTOUCHED = "untouched"


def versions(
    service: Service, streams: Streams, connection: str, job: Job, facts: JobFacts | None, of: Iterable[Stream]
) -> dict[StreamId, str]:
    """Return the data version that each stream's table has after a finished job.

    Where one job's rows are not known by stream, the job's own count stands for all of them: a table then may count
    as changed though another one was, never the other way round.
    """
    found: dict[StreamId, str] = {}
    open_: dict[StreamId, None] = {}
    for stream in of:
        id_ = (stream.namespace, stream.name)
        if _moved(job, facts, id_):
            found[id_] = _version(job)
        elif stream.overwrites:
            found[id_] = EMPTY
        else:
            open_[id_] = None
    if open_:
        found.update(_earlier(service, streams, connection, job, open_))
    return found


def epochs(
    history: Iterable[Job], facts_of: Callable[[Job], JobFacts | None], of: Iterable[Stream]
) -> dict[StreamId, str]:
    """Return which job last made the table of each stream anew, whatever syncs add to it, where one is known.

    `history` are jobs, newest first. A refresh of which nothing says what it read anew may have read everything.

    >>> jobs = [Job(id=8, status="succeeded"), Job(id=7, status="succeeded", type="reset")]
    >>> epochs(jobs, lambda job: None, [Stream("users")])
    {(None, 'users'): 'job:7'}
    """
    found: dict[StreamId, str] = {}
    wanted, depth = {(stream.namespace, stream.name) for stream in of}, 0
    for job in history:
        if not wanted:
            break
        if job.type not in (*RESETS, REFRESH) or not job.ended or not _may_have_changed(job):
            continue
        facts = None
        if job.type == REFRESH and depth < DEPTH:
            facts = facts_of(job)
            depth += 1
        anew = {id_ for id_ in wanted if job.type in RESETS or _refreshed(facts, id_)}
        found |= dict.fromkeys(anew, _version(job))
        wanted -= anew
    return found


def _version(job: Job) -> str:
    return f"job:{job.id}"


def _moved(job: Job, facts: JobFacts | None, id_: StreamId) -> bool:
    """Tell whether a job may have changed a table."""
    if job.type in RESETS or (job.type == REFRESH and _refreshed(facts, id_)):
        return True
    if job.moved_nothing:
        return False
    known = facts.streams.get(id_) if facts is not None else None
    return known is None or known.rows != 0


def _refreshed(facts: JobFacts | None, id_: StreamId) -> bool:
    """Tell whether a refresh may have read a stream anew: then its table is another, even where it had no rows."""
    return facts is None or facts.refreshed is None or id_ in facts.refreshed


def _earlier(
    service: Service, streams: Streams, connection: str, job: Job, wanted: Mapping[StreamId, None]
) -> dict[StreamId, str]:
    """Return, for streams that a job moved nothing of, the version that an earlier job gave them."""
    found: dict[StreamId, str] = {}
    depth = 0
    try:
        for earlier in _history(service, connection, job):
            left = [id_ for id_ in wanted if id_ not in found]
            if not left:
                break
            facts = None
            if earlier.type not in RESETS and depth < DEPTH:
                facts = streams.of(connection, earlier, states=False)
                depth += 1
            found.update({id_: _version(earlier) for id_ in left if _moved(earlier, facts, id_)})
    except ServiceError:
        # Without the history it cannot be said that nothing has changed.
        return {id_: found.get(id_, _version(job)) for id_ in wanted}
    return {id_: found.get(id_, UNTOUCHED) for id_ in wanted}


def _history(service: Service, connection: str, job: Job) -> Iterable[Job]:
    """Yield the jobs before one that may have changed tables, newest first."""
    for page in range(PAGES):
        listed = service.jobs(connection, page=page, limit=100)
        for each in listed:
            if each.order < job.order and each.ended and _may_have_changed(each):
                yield each
        if len(listed) < 100:
            return


def _may_have_changed(job: Job) -> bool:
    """Tell whether a job that has ended may have changed a table."""
    if job.type in RESETS or (job.type == REFRESH and job.status == "succeeded"):
        return job.status == "succeeded"
    return not job.moved_nothing
