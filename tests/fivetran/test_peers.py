"""What other orchestrators' Fivetran integrations were seen to do wrong, each by a test of its name."""

from __future__ import annotations

import pytest
from assetry.plugin import IntegrationError
from assetry_fivetran.testing import FakeConnection, Fault
from assetry_toolkit.errors import ServiceError

from tests.fivetran.conftest import Place


def test_pages_after_the_first_are_read(place: Place) -> None:
    """One reads `nextCursor`, and the API says `next_cursor`."""
    for number in range(7):
        place.fivetran.add_connection(f"crm_{number}", [f"t{number}"])
    first = {"items": [place.fivetran.connection_json(place.fivetran.connections["connection_1"])], "next_cursor": "1"}
    place.fivetran.fail("GET /connections", Fault(status=200, body={"code": "Success", "data": first}))
    assert len(place.load()) == 7


def test_a_refused_connection_is_a_clear_error(place: Place, crm: FakeConnection) -> None:
    """One ends in an UnboundLocalError."""
    integration = place.integration(crm)
    place.fivetran.stop_server()
    with pytest.raises(ServiceError, match="cannot be reached"):
        place.load_of(integration)


def test_what_is_final_is_not_repeated_and_what_is_not_is_waited_for(place: Place, crm: FakeConnection) -> None:
    """One asks four times after a 404, and waits 0.19 s where it was asked to wait for 7."""
    place.fivetran.fail("GET .*", Fault(status=404, body={"code": "NotFound_Connection", "message": "gone"}))
    with pytest.raises(IntegrationError, match="gone"):
        place.load(crm)
    assert len(place.fivetran.requests(f"GET /connections/{crm.id}")) == 1
    place.fivetran.fail("GET .*", Fault(status=429, headers={"Retry-After": "7"}))
    place.load(crm)
    assert place.clock.slept[0] >= 7


def test_a_start_is_never_repeated_blindly(place: Place, crm: FakeConnection) -> None:
    """One repeats the POST after any error."""
    invocation = place.invocation(place.load(crm))
    place.fivetran.fail("POST .*", Fault(status=500, carried_out=True))
    assert place.run(invocation).made
    assert (place.posts(), len(crm.syncs)) == (1, 1)


@pytest.mark.parametrize(
    ("service", "config", "database"),
    [("big_query", {"project_id": "shop"}, "shop"), ("databricks", {"catalog": "main"}, "main")],
)
def test_bigquery_and_databricks_have_a_database(
    place: Place, service: str, config: dict[str, str], database: str
) -> None:
    """One looks for `config.database` only, and joins nothing there."""
    place.fivetran.add_destination("lake", service, **config)
    place.fivetran.add_connection("crm", ["accounts"], group="lake")
    assert [each.relation for each in place.load()] == [(database, "crm", "accounts")]


def test_a_sync_that_was_under_way_is_not_reported_as_ours(place: Place, crm: FakeConnection) -> None:
    """One reports success as soon as a sync ends that began before the trigger."""
    assets = place.load(crm, attach="wait_then_start")
    place.fivetran.begin(crm)
    assert place.run(place.invocation(assets)).made == {"crm/accounts", "crm/orders"}
    assert len(crm.syncs) == 2
    assert crm.syncs[1].began >= place.fivetran.requests("POST ")[0].at


def test_a_trigger_without_effect_is_not_waited_for_for_ever(place: Place, crm: FakeConnection) -> None:
    """One polls for ever when the trigger is accepted and no sync comes of it."""
    crm.ignores = 100
    outcome = place.run(place.invocation(place.load(crm)))
    assert set(outcome.failed) == {"crm/accounts", "crm/orders"}
    assert place.clock.monotonic() < 3600
