"""All rows anew: a re-sync is recorded as made only when one has been, and never an ordinary sync in its place."""

from __future__ import annotations

from typing import Any

import pytest
from assetry.plugin import Handle
from assetry_fivetran.api.service import Service
from assetry_fivetran.testing import FakeConnection, Fault

from tests.fivetran.conftest import Place

BOTH = {"crm/accounts", "crm/orders"}


@pytest.fixture
def synced(place: Place, crm: FakeConnection) -> FakeConnection:
    """Give a connection that has been synced before."""
    crm.succeeded_at = place.clock.monotonic()
    place.clock.pass_time(60)
    return crm


def sync_before_the_request(monkeypatch: pytest.MonkeyPatch, place: Place, crm: FakeConnection) -> None:
    """Let Fivetran's own schedule begin a sync between our look and our first request."""
    ask, done = Service.resync, list[bool]()

    def raced(self: Service, *given: Any) -> None:
        if not done:
            done.append(True)
            place.fivetran.begin(crm)
        ask(self, *given)

    monkeypatch.setattr(Service, "resync", raced)


def resyncs(crm: FakeConnection) -> list[tuple[bool, str | None]]:
    return [(each.resync, each.outcome) for each in crm.syncs]


@pytest.mark.parametrize("outcome", ["SUCCESSFUL", "FAILURE"])
def test_a_sync_that_was_in_the_way_is_none(
    place: Place, synced: FakeConnection, monkeypatch: pytest.MonkeyPatch, outcome: Any
) -> None:
    sync_before_the_request(monkeypatch, place, synced)
    synced.outcomes = ["SUCCESSFUL", outcome]
    told = place.run(place.invocation(place.load(synced), full_refresh=True))
    assert resyncs(synced) == [(False, "SUCCESSFUL"), (True, outcome)]
    assert told.made == (BOTH if outcome == "SUCCESSFUL" else set())
    assert set(told.failed) == (set() if outcome == "SUCCESSFUL" else BOTH)


@pytest.mark.parametrize("wait", [0, 60])
def test_a_sync_of_the_schedule_after_a_kill_is_none(place: Place, synced: FakeConnection, wait: int) -> None:
    invocation = place.invocation(place.load(synced), "orders", full_refresh=True)
    first = place.run(invocation, until=lambda event: isinstance(event, Handle))
    assert '"full": true' in first.token
    place.fivetran.begin(synced)
    place.clock.pass_time(wait)
    assert place.run(invocation, resume=first.token).made == {"crm/orders"}
    assert resyncs(synced) == [(False, "SUCCESSFUL"), (True, "SUCCESSFUL")]


def test_a_sync_of_an_earlier_run_is_no_resync(place: Place, synced: FakeConnection) -> None:
    assets = place.load(synced)
    first = place.run(place.invocation(assets), until=lambda each: isinstance(each, Handle))
    place.fivetran.begin(synced)
    assert place.run(place.invocation(assets, full_refresh=True), resume=first.token).made == BOTH
    assert resyncs(synced) == [(False, "SUCCESSFUL"), (True, "SUCCESSFUL")]


def test_a_sync_that_begins_while_a_lost_resync_is_looked_for_is_none(
    place: Place, synced: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = place.load(synced)
    sync_before_the_request(monkeypatch, place, synced)
    place.fivetran.fail("POST .*/resync", Fault(status=503), times=1)
    assert place.run(place.invocation(assets, full_refresh=True)).made == BOTH
    assert resyncs(synced) == [(False, "SUCCESSFUL"), (True, "SUCCESSFUL")]


def test_a_resync_of_all_whose_answer_is_lost_is_found_and_not_doubled(place: Place, synced: FakeConnection) -> None:
    assets = place.load(synced)
    place.fivetran.fail("POST .*/resync", Fault(drop=True, carried_out=True), times=1)
    assert place.run(place.invocation(assets, full_refresh=True)).made == BOTH
    assert resyncs(synced) == [(True, "SUCCESSFUL")]


def test_a_resync_that_never_starts_is_asked_for_again_as_one(place: Place, synced: FakeConnection) -> None:
    assets = place.load(synced)
    place.fivetran.fail("POST .*/resync", Fault(status=200, body={"code": "Success"}), times=1)
    assert place.run(place.invocation(assets, full_refresh=True)).made == BOTH
    assert resyncs(synced) == [(True, "SUCCESSFUL")]


def test_a_resync_that_is_put_off_is_asked_for_again_as_one(place: Place, synced: FakeConnection) -> None:
    synced.manual, synced.outcomes = True, ["RESCHEDULED"]
    assert place.run(place.invocation(place.load(synced), "orders", full_refresh=True)).made == {"crm/orders"}
    assert resyncs(synced) == [(True, "RESCHEDULED"), (True, "SUCCESSFUL")]
