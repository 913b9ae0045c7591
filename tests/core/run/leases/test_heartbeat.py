"""Signs of life: given while a run goes on, tried again when they cannot be given, and the run told when it is over."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from assetry.errors import LeaseLostError, StoreError
from assetry.run.leases.heartbeat import Heartbeat
from assetry.types.leases import Lease, lease_lost

WAIT = 30
LEASE = Lease("r", 7, seconds=0.2)


class Scripted:
    """A store that answers renewals by a script, and the last of it from then on."""

    def __init__(self, script: Sequence[Exception | None]) -> None:
        self.script = list(script)
        self.asked = threading.Semaphore(0)

    def renew(self, lease: Lease) -> Lease:
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.asked.release()
        if answer is not None:
            raise answer
        return replace(lease, seconds=LEASE.seconds)


class Losses:
    """What a heartbeat says of a lease that is lost."""

    def __init__(self) -> None:
        self.errors: list[LeaseLostError] = []
        self.told = threading.Event()

    def __call__(self, error: LeaseLostError) -> None:
        self.errors.append(error)
        self.told.set()


@pytest.fixture
def losses() -> Losses:
    return Losses()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("assetry.run.leases.heartbeat.INTERVAL", 0.005)
    monkeypatch.setattr("assetry.run.leases.heartbeat.AGAIN", 0.005)
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(WAIT)
        assert not thread.is_alive(), "the thread does not end"


def asked(store: Scripted, times: int) -> None:
    for _ in range(times):
        assert store.asked.acquire(timeout=WAIT), "no sign of life is given"


def test_signs_of_life_are_given_until_it_is_left(losses: Losses) -> None:
    store: Any = Scripted([None])
    with Heartbeat(store, LEASE, losses):
        asked(store, 20)
    assert losses.errors == []


def test_one_that_cannot_be_given_for_a_moment_is_given_then(losses: Losses) -> None:
    store: Any = Scripted([None, StoreError("is locked"), StoreError("is locked"), None])
    with Heartbeat(store, replace(LEASE, seconds=60), losses):
        asked(store, 20)
    assert losses.errors == []


def test_one_that_can_never_be_given_loses_the_lease_once_it_has_expired(losses: Losses) -> None:
    store: Any = Scripted([None, StoreError("state.db is locked by another program (database is locked).")])
    with Heartbeat(store, LEASE, losses):
        assert losses.told.wait(WAIT)
    (error,) = losses.errors
    assert store.asked.acquire(timeout=0)
    said = "Run r lost its lease: for 0 s it could give no sign of life. state.db is locked by another program"
    assert error.message.startswith(said)


def test_a_store_that_says_no_loses_it_at_once(losses: Losses) -> None:
    store: Any = Scripted([lease_lost("r", ": its process was taken for gone")])
    with Heartbeat(store, replace(LEASE, seconds=10_000), losses):
        assert losses.told.wait(WAIT)
    assert [each.message for each in losses.errors] == [lease_lost("r", ": its process was taken for gone").message]


def test_what_was_left_is_told_nothing(losses: Losses) -> None:
    may_answer = threading.Event()

    class Slow(Scripted):
        def renew(self, lease: Lease) -> Lease:
            self.asked.release()
            assert may_answer.wait(WAIT)
            raise lease_lost("r", "")

    store: Any = Slow([None])
    with Heartbeat(store, LEASE, losses):
        asked(store, 1)
    may_answer.set()
    for thread in threading.enumerate():
        if thread.name == "assetry-heartbeat":
            thread.join(WAIT)
    assert losses.errors == []


def test_a_lease_that_no_other_process_can_see_needs_none(losses: Losses) -> None:
    before = threading.active_count()
    with Heartbeat(Scripted([None]), Lease("r", 1), losses):  # type: ignore[arg-type]
        assert threading.active_count() == before
