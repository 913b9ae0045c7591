"""What automation keeps among the records of a project: what it remembers, and which daemon runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from assetry.plugin import Process, Store, StoreError, from_json, is_alive, process_of, to_json

from assetry_automation.decision.memory import Memory, Written, read, written
from assetry_automation.decision.senses import Sensed
from assetry_automation.decision.settings import JobEnd

T = TypeVar("T")

#: Where documents are, and how often a change is tried that others make at the same time.
SPACE, _TRIES = "automation", 20
#: A daemon on another machine that gave no sign for so long does not run any more. Each sign is a change of the
#: records, after which all is looked at: so there are few.
LIVES = timedelta(minutes=10)


def memory_of(store: Store) -> Memory:
    """Return what is remembered."""
    found = store.documents(SPACE).get("memory")
    return Memory() if found is None else read(found.value)


class KeptMemory(NamedTuple):
    """What is remembered as it is written in the document of a revision: None where nothing was."""

    written: Written = Written()
    revision: int | None = None


def change_memory(store: Store, change: Callable[[Memory], Memory], known: KeptMemory | None = None) -> KeptMemory:
    """Remember what `change` makes of what is remembered, and return it; it is called again where another was first.

    What is `known` of before need not be read and written once more. Raises `StoreError` where others change it all the
    time.
    """
    before = known or KeptMemory()
    for _ in range(_TRIES):
        before = _read_memory(store, before)
        memory = change(before.written.memory)
        if memory == before.written.memory:
            return before._replace(written=Written(memory, before.written.document))
        document = written(memory, before.written)
        revision = store.change_document(SPACE, "memory", document, before.revision)
        if revision is not None:
            return KeptMemory(Written(memory, document), revision)
    raise _never_changed()


def _read_memory(store: Store, known: KeptMemory) -> KeptMemory:
    if known.revision is not None and store.document_revisions(SPACE).get("memory") == known.revision:
        return known
    found = store.documents(SPACE).get("memory")
    if found is None:
        return KeptMemory()
    return KeptMemory(Written(read(found.value, known.written), found.value), found.revision)


def known_senses(store: Store) -> dict[str, Sensed]:
    """Return how the senses of a project were when they were last asked, by name, as far as that was kept."""
    return _by_name(store, "senses", Sensed)


def keep_senses(store: Store, asked: Mapping[str, Sensed], senses: Collection[str]) -> None:
    """Keep how some senses were when they were asked now; of those that are not among `senses` nothing is kept."""
    _keep(store, "senses", Sensed, asked, senses)


def ended_jobs(store: Store) -> dict[str, JobEnd]:
    """Return how the last run of each job came out, by its name, as far as that was kept."""
    return _by_name(store, "jobs", JobEnd)


def keep_ended(store: Store, name: str, end: JobEnd, jobs: Collection[str]) -> None:
    """Keep how a job came out; of those that are not among `jobs` nothing is kept."""
    _keep(store, "jobs", JobEnd, {name: end}, jobs)


def _by_name(store: Store, key: str, kind: type[T]) -> dict[str, T]:
    """Return what a document has by name, without what cannot be read of it."""
    found = store.documents(SPACE).get(key)
    return {} if found is None else _read_each(found.value, kind)


def _read_each(value: Any, kind: type[T]) -> dict[str, T]:
    found = {}
    for name, each in value.items() if isinstance(value, Mapping) else ():
        with suppress(TypeError, ValueError, KeyError):
            found[str(name)] = from_json(kind, each)
    return found


def _keep(store: Store, key: str, kind: type[T], new: Mapping[str, T], names: Collection[str]) -> None:
    """Keep something new by name beside what there is; of what is not among `names` nothing is kept."""

    def changed(value: Any) -> Any:
        known = {name: each for name, each in _read_each(value, kind).items() if name in names}
        return {name: to_json(each) for name, each in {**known, **new}.items()}

    _change(store, key, changed)


def _change(store: Store, key: str, change: Callable[[Any], Any]) -> None:
    """Change a document, and again where another was first; one that stays as it was is not written."""
    for _ in range(_TRIES):
        known = store.documents(SPACE).get(key)
        before = None if known is None else known.value
        after = change(before)
        if after == before or store.change_document(SPACE, key, after, known and known.revision) is not None:
            return
    raise _never_changed()


def _never_changed() -> StoreError:
    return StoreError(
        "What automation remembers was changed by others each time it was to be written.", hint="Try again."
    )


def revision_of(store: Store) -> str | None:
    """Return a text that is another one once there is something new to decide on.

    That is when something was made, when a run began or ended, however that came out, and when a person has held
    something or let it go on.
    """
    found, memory = store.changes(()), store.document_revisions(SPACE).get("memory", 0)
    if found is None:
        return None
    # A failure makes nothing; all that is known of it at once is that its run is over.
    runs = [*store.runs(running=True), *store.runs(1)]
    told = [found.revision, memory, *(f"{each.id} {each.state}" for each in runs)]
    return " ".join(map(str, told))


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSign:
    """The last sign of a daemon: `at` when, by which process."""

    process: Process
    at: datetime

    @classmethod
    def own(cls, at: datetime) -> DaemonSign:
        """Return a sign of this process."""
        return cls(process=process_of(os.getpid()), at=at)

    def lives(self, now: datetime) -> bool:
        """Tell whether the daemon runs still, as far as that can be seen."""
        alive = is_alive(self.process)
        return now - self.at < LIVES if alive is None else alive


def daemon_of(store: Store) -> DaemonSign | None:
    """Return the last sign of the daemon that has the project, None where there never was one."""
    found = store.documents(SPACE).get("daemon")
    return None if found is None else _sign(found.value)


def _sign(value: Any) -> DaemonSign | None:
    try:
        found: DaemonSign = from_json(DaemonSign, value)
    except (TypeError, ValueError, KeyError):
        return None
    return found


def take_project(store: Store, sign: DaemonSign) -> DaemonSign | None:
    """Give a sign, and become the daemon that has the project unless another lives: that one is returned then."""
    known = store.documents(SPACE).get("daemon")
    other = None if known is None else _sign(known.value)
    if other is not None and other.process != sign.process and other.lives(sign.at):
        return other
    if store.change_document(SPACE, "daemon", to_json(sign), known and known.revision) is None:
        return daemon_of(store)
    return None


def leave_project(store: Store, sign: DaemonSign) -> None:
    """Say that this daemon does not run any more, so that another may begin at once."""
    known = store.documents(SPACE).get("daemon")
    other = None if known is None else _sign(known.value)
    if known is not None and other is not None and other.process == sign.process:
        store.change_document(SPACE, "daemon", None, known.revision)
