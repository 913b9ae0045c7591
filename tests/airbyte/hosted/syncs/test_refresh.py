"""Full refreshes: which streams are read anew, by which job, and what is told where Airbyte cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from assetry import Project, asset
from assetry.plugin import Asset, Handle
from assetry_airbyte.testing import LOGIN_PAGE, FakeConnection, Fault
from assetry_toolkit.errors import ServiceError

from tests.airbyte.conftest import Outcome, Place

FOLDED, ADDED, WHOLE = "incremental_deduped_history", "incremental_append", "full_refresh_overwrite"


@asset(key="active_users", deps=["shop/users"])
def active_users() -> None:
    return None


@asset(key="big_orders", deps=["shop/orders"])
def big_orders() -> None:
    return None


def shop(place: Place, **modes: str) -> FakeConnection:
    """Add a connection with a stream for each mode; those of the mode `FOLDED` have a namespace."""
    streams = [
        {"name": name, "syncMode": mode, **({"namespace": "crm"} if mode == FOLDED else {})}
        for name, mode in (modes or {"users": FOLDED, "orders": FOLDED}).items()
    ]
    return place.airbyte.add_connection("Shop", streams, namespaceDefinition="destination")


def refreshed(place: Place, connection: FakeConnection, *names: str, **more: Any) -> Outcome:
    options = {name: more.pop(name) for name in ("on_full_refresh", "streams", "attach") if name in more}
    assets = place.load(connection, **options)
    return place.run(place.invocation(assets, *names, full_refresh=True), **more)


def asked(place: Place) -> list[Any]:
    return [each.body for each in place.airbyte.requests("POST /connections/refresh")]


def test_the_streams_that_were_chosen_are_read_anew_and_the_others_synced_by_one_job(place: Place) -> None:
    connection = shop(place)
    outcome = refreshed(place, connection, "users")
    named = [{"streamName": "users", "streamNamespace": "crm"}]
    assert asked(place) == [{"connectionId": connection.id, "refreshMode": "Truncate", "streams": named}]
    assert (outcome.error, place.posts(), len(place.airbyte.jobs)) == (None, 0, 1)
    made = {event.key.name: event.metadata for event in outcome.events if event.name == "materialized"}  # type: ignore[attr-defined]
    assert made["users"]["read_anew"] == "remove the rows there were"
    assert "read_anew" not in made["orders"]
    assert made["orders"]["origin"] == "unselected"


def test_rows_that_were_there_can_be_kept(place: Place) -> None:
    outcome = refreshed(place, shop(place, users=FOLDED, events=ADDED), on_full_refresh="retain")
    assert outcome.made == {"shop/crm/users", "shop/events"}
    (body,) = asked(place)
    assert (body["refreshMode"], len(body["streams"])) == ("Merge", 2)
    assert outcome.said.count("only add") == 0


def test_what_every_sync_reads_as_a_whole_is_synced(place: Place) -> None:
    outcome = refreshed(place, shop(place, users=WHOLE))
    assert (outcome.made, asked(place), place.posts()) == ({"shop/users"}, [], 1)


def test_a_table_that_is_only_added_to_is_synced_as_ever_with_a_warning(place: Place) -> None:
    outcome = refreshed(place, shop(place, events=ADDED))
    assert (outcome.made, asked(place), place.posts()) == ({"shop/events"}, [], 1)
    assert "events of 'Shop' only add to their tables" in outcome.said
    assert 'on_full_refresh = "retain"' in outcome.said


def test_the_plan_tells_what_is_read_anew_and_what_is_not(place: Place) -> None:
    connection = shop(place, users=FOLDED, events=ADDED, countries=WHOLE)
    with Project(place.load(connection), root=place.root, io="memory:") as project:
        plan = project.commands(project.plan(full_refresh=True))
        assert str(plan.invocations[0].command).endswith("(Shop), reads users anew")
        assert plan.notes == ("Not made anew by a full refresh: shop/events",)
        plan = project.commands(project.plan())
        assert (str(plan.invocations[0].command).endswith("(Shop)"), plan.notes) == (True, ())


# -- where Airbyte cannot ----------------------------------------------------------------------------------------------


def no_internal_api(place: Place, connection: FakeConnection) -> None:
    place.airbyte.internal = False


def no_refresh(place: Place, connection: FakeConnection) -> None:
    place.airbyte.fail("POST /connections/refresh", Fault(status=403, body={"message": "Forbidden"}))


def no_support(place: Place, connection: FakeConnection) -> None:
    place.airbyte.destinations[connection.destination]["refreshes"] = False


def a_login_page(place: Place, connection: FakeConnection) -> None:
    place.airbyte.fail("POST /actor_definition_versions/.*", LOGIN_PAGE)


@pytest.mark.parametrize(
    ("hindrance", "told"),
    [
        (no_internal_api, "configuration API, which alone refreshes streams, does not do it for us"),
        (no_refresh, "configuration API, which alone refreshes streams, does not do it for us: .*Forbidden"),
        (no_support, "The destination of connection 'Shop' takes no refreshes .airbyte/destination-postgres 1.0.0."),
        (a_login_page, "configuration API, which alone refreshes streams, does not do it for us"),
    ],
)
def test_nothing_is_synced_where_streams_cannot_be_read_anew(
    place: Place, hindrance: Callable[[Place, FakeConnection], None], told: str
) -> None:
    connection = shop(place)
    hindrance(place, connection)
    outcome = refreshed(place, connection)
    assert isinstance(outcome.error, ServiceError)
    assert outcome.error.hint is not None
    assert "leave --full-refresh out" in outcome.error.hint
    with pytest.raises(ServiceError, match=told):
        raise outcome.error
    assert (len(place.airbyte.jobs), outcome.made) == (0, set())


def test_without_the_configuration_api_by_choice_nothing_is_read_anew(place: Place) -> None:
    connection = shop(place)
    outcome = refreshed(place, connection, streams=False)
    assert "streams = false does without" in str(outcome.error)
    assert len(place.airbyte.jobs) == 0
    assert place.run(place.invocation(place.load(connection, streams=False))).error is None


def test_a_job_that_read_other_streams_anew_is_no_success(place: Place) -> None:
    connection = shop(place)
    other = {"job": {"id": 1, "refreshConfig": {"streamsToRefresh": [{"name": "orders", "namespace": "crm"}]}}}
    place.airbyte.fail("POST /jobs/get_without_logs", Fault(patch=other))
    outcome = refreshed(place, connection)
    assert outcome.made == {"shop/crm/orders"}
    assert "users: the refresh did not read it anew (job 1 of connection 'Shop')" in outcome.failed["shop/crm/users"]


# -- one job, whatever happens -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("type_", ["sync", "refresh"])
def test_what_runs_already_is_waited_for_and_never_joined(place: Place, type_: str) -> None:
    connection = shop(place)
    place.airbyte.start(connection, type_, "running").script = ["running", "succeeded"]
    outcome = refreshed(place, connection)
    assert f"A {type_} is under way on 'Shop' (job 1); waiting for its end." in outcome.said
    assert [job.type for job in place.airbyte.jobs.values()] == [type_, "refresh"]
    assert outcome.made == {"shop/crm/users", "shop/crm/orders"}


def test_a_refresh_whose_answer_was_lost_is_found(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 20 + ["succeeded"]
    place.airbyte.fail("POST /connections/refresh", Fault(drop=True, carried_out=True))
    outcome = refreshed(place, connection)
    assert (outcome.made, len(place.airbyte.jobs)) == ({"shop/crm/users", "shop/crm/orders"}, 1)


def test_a_refresh_without_a_job_in_its_answer_is_found(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 20 + ["succeeded"]
    place.airbyte.fail("POST /connections/refresh", Fault(carried_out=True, status=200, body={}))
    outcome = refreshed(place, connection)
    assert "does not say which job it is" in outcome.said
    assert (outcome.made, len(place.airbyte.jobs)) == ({"shop/crm/users", "shop/crm/orders"}, 1)


def test_the_refresh_of_a_killed_run_is_taken_up_though_its_connection_was_switched_off(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 20 + ["succeeded"]
    killed = refreshed(place, connection, until=lambda e: isinstance(e, Handle) and json.loads(e.token).get("job"))
    connection.fields["status"] = "inactive"
    outcome = refreshed(place, connection, resume=killed.token)
    assert (outcome.made, len(place.airbyte.jobs)) == ({"shop/crm/users", "shop/crm/orders"}, 1)


# -- what has changed --------------------------------------------------------------------------------------------------


def stale(project: Project) -> set[str]:
    return {str(each.key) for each in project.status() if each.status == "stale"}


def test_what_came_along_with_a_refresh_without_rows_makes_nothing_stale(place: Place) -> None:
    connection = place.airbyte.add_connection("Shop", [{"name": n, "syncMode": FOLDED} for n in ("users", "orders")])
    assets: list[Asset] = [*place.load(connection)]
    with Project([*assets, active_users, big_orders], root=place.root, io="memory:") as project:
        assert project.materialize().ok
        connection.rows = {"users": 0, "orders": 0}
        assert project.materialize("shop/users", full_refresh=True).ok
        assert [job.type for job in place.airbyte.jobs.values()] == ["sync", "refresh"]
        # The table of users was replaced by an empty one.
        assert stale(project) == {"active_users"}
        project.materialize("active_users")
        project.materialize("shop/users")
        assert stale(project) == set()
        assert project.observe().ok
        assert stale(project) == set()


def test_a_refresh_begins_another_epoch_of_the_streams_that_it_has_read_anew(place: Place) -> None:
    connection = shop(place, users=ADDED, events=ADDED)
    refreshed(place, connection, "users", on_full_refresh="retain")
    outcome = place.run(place.invocation(place.load(connection)))
    made = {event.key.name: event.metadata for event in outcome.events if event.name == "materialized"}  # type: ignore[attr-defined]
    assert {name: facts.get("epoch") for name, facts in made.items()} == {"users": "job:1", "events": None}
