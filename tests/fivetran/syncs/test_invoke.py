"""One sync of one connection: asked for at most once, followed, told table by table."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from assetry.plugin import (
    Asset,
    Event,
    Handle,
    JobOverError,
    Log,
    NothingKeptError,
    Observed,
    RunError,
    Started,
    ValueStoreError,
)
from assetry_fivetran import plugin
from assetry_fivetran.testing import FakeConnection, Fault

from tests.fivetran.conftest import Place, RunOf

UPSTREAM = Asset(key="crm/export", kind="python")


def test_any_selection_is_one_sync_and_the_rest_comes_along(place: Place, crm: FakeConnection) -> None:
    outcome = place.run(place.invocation(place.load(crm), "orders"))
    assert outcome.error is None
    assert outcome.made == {"crm/orders", "crm/accounts"}
    assert (place.posts(), len(crm.syncs)) == (1, 1)
    (along,) = [each for each in outcome.events if getattr(each, "metadata", {}).get("origin")]
    assert along.key == "crm/accounts"  # type: ignore[attr-defined]
    assert [each.key for each in outcome.of(Started)] == ["crm/orders"]


def test_what_comes_along_can_be_left_unrecorded(place: Place, crm: FakeConnection) -> None:
    assert place.run(place.invocation(place.load(crm, on_unselected="ignore"), "orders")).made == {"crm/orders"}


def test_the_intent_is_noted_before_the_sync_is_asked_for(place: Place, crm: FakeConnection) -> None:
    outcome = place.run(place.invocation(place.load(crm)), until=lambda event: isinstance(event, Handle))
    assert json.loads(outcome.token)["asked"] is False
    assert place.posts() == 0


@pytest.mark.parametrize("handles", [1, 2])
def test_a_killed_run_is_taken_up_with_exactly_one_sync(place: Place, crm: FakeConnection, handles: int) -> None:
    invocation = place.invocation(place.load(crm))
    seen: list[Any] = []
    until = lambda event: isinstance(event, Handle) and (seen.append(event) or len(seen) == handles)  # noqa: E731
    first = place.run(invocation, until=until)
    assert (place.posts(), len(crm.syncs)) == (handles - 1, handles - 1)
    assert place.run(invocation, resume=first.token).made == {"crm/accounts", "crm/orders"}
    assert (place.posts(), len(crm.syncs)) == (1, 1)


def test_a_run_that_was_killed_right_after_its_request_finds_the_sync(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    first = place.run(invocation, until=lambda event: isinstance(event, Handle))
    place.fivetran.begin(crm)  # what the request did whose answer was never seen
    outcome = place.run(invocation, resume=first.token)
    assert outcome.made == {"crm/accounts", "crm/orders"}
    assert (place.posts(), len(crm.syncs)) == (0, 1)


def test_a_sync_that_ended_between_two_runs_is_taken_up(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    first = place.run(invocation, until=lambda event: isinstance(event, Handle) and '"asked": true' in event.token)
    place.clock.pass_time(3600)
    assert place.run(invocation, resume=first.token).made == {"crm/accounts", "crm/orders"}
    assert len(crm.syncs) == 1


def test_a_sync_that_failed_between_two_runs_is_followed_by_another(place: Place, crm: FakeConnection) -> None:
    crm.outcomes = ["FAILURE"]
    invocation = place.invocation(place.load(crm))
    first = place.run(invocation, until=lambda event: isinstance(event, Handle) and '"asked": true' in event.token)
    place.clock.pass_time(3600)
    assert place.run(invocation, resume=first.token).made == {"crm/accounts", "crm/orders"}
    assert [each.outcome for each in crm.syncs] == ["FAILURE", "SUCCESSFUL"]


def test_a_sync_of_an_earlier_run_that_was_cancelled_in_fivetran_is_over(place: Place, crm: FakeConnection) -> None:
    crm.outcomes = ["CANCELED"]
    invocation = place.invocation(place.load(crm))
    first = place.run(invocation, until=lambda event: isinstance(event, Handle) and '"asked": true' in event.token)
    second = place.run(invocation, resume=first.token)
    assert isinstance(second.error, JobOverError)
    assert "is over: it ended without a result" in str(second.error)
    assert place.run(invocation).made == {"crm/accounts", "crm/orders"}
    assert [each.outcome for each in crm.syncs] == ["CANCELED", "SUCCESSFUL"]


def test_a_running_sync_is_joined_and_said_to_be_so(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    place.fivetran.begin(crm)
    outcome = place.run(invocation)
    assert "it is joined" in outcome.said
    assert place.posts() == 0
    assert {each.metadata["started_by"] for each in outcome.events if hasattr(each, "columns")} == {"somebody else"}


@pytest.mark.parametrize(("options", "inputs"), [({"attach": "wait_then_start"}, ()), ({}, (UPSTREAM,))])
def test_a_sync_that_began_before_its_inputs_is_waited_for(
    place: Place, crm: FakeConnection, options: dict[str, Any], inputs: tuple[Asset, ...]
) -> None:
    assets = place.load(crm, **options)
    place.fivetran.begin(crm)
    outcome = place.run(place.invocation(assets, inputs=inputs))
    assert outcome.made == {"crm/accounts", "crm/orders"}
    assert "waiting for its end" in outcome.said
    assert (place.posts(), len(crm.syncs)) == (1, 2)


def test_a_running_sync_can_be_refused(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm, attach="refuse")
    place.fivetran.begin(crm)
    assert "is under way already" in str(place.run(place.invocation(assets)).error)


def test_a_cancelled_run_leaves_the_sync_and_says_so(place: Place, crm: FakeConnection) -> None:
    crm.seconds = math.inf
    context = RunOf()
    invocation = place.invocation(place.load(crm))
    for event in (stream := plugin.assetry_invoke(invocation, context)):  # type: ignore[arg-type]
        if isinstance(event, Started):
            context.stopped.set()
            break
    with pytest.raises(RunError, match="goes on in Fivetran"):
        list(stream)
    assert crm.current is not None


def test_all_rows_anew_is_a_resync_of_the_tables(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    assert place.run(place.invocation(assets, "orders", full_refresh=True)).error is None
    assert (crm.syncs[0].resync, crm.syncs[0].scope) == (True, {"crm": ["orders"]})
    assert place.run(place.invocation(assets, full_refresh=True)).error is None
    assert (crm.syncs[1].resync, crm.syncs[1].scope) == (True, None)


def test_what_a_resync_of_some_tables_leaves_as_it_is_is_not_made(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    outcome = place.run(place.invocation(assets, "orders", full_refresh=True))
    assert outcome.made == {"crm/orders"}
    assert "does not know yet" not in outcome.said
    assert place.run(place.invocation(assets, full_refresh=True)).made == {"crm/accounts", "crm/orders"}


def test_what_is_no_affair_of_ours_is_not_told_as_new(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm, on_unselected="ignore"), "orders")
    assert "does not know yet" not in place.run(replace(invocation, also=())).said


def test_a_failed_sync_is_one_failure_of_all_its_tables(place: Place, crm: FakeConnection) -> None:
    crm.outcomes = ["FAILURE"]
    outcome = place.run(place.invocation(place.load(crm)))
    assert len(outcome.failed) == 2
    assert len(set(outcome.failed.values())) == 1


def test_a_group_without_a_destination_makes_nothing(place: Place, crm: FakeConnection) -> None:
    del place.fivetran.destinations[crm.group]
    outcome = place.run(place.invocation(place.load(crm)))
    assert "has no destination" in str(outcome.error)
    assert (outcome.made, crm.syncs) == (set(), [])


def test_one_table_that_cannot_be_read_anew_alone_is_an_error_that_says_so(place: Place, crm: FakeConnection) -> None:
    crm.table_resync = False
    error = place.run(place.invocation(place.load(crm), "orders", full_refresh=True)).error
    assert "cannot re-sync single tables" in str(error)
    assert "Select all of its tables" in str(error)
    assert crm.syncs == []


def test_a_table_that_is_blocked_since_fails_alone_with_what_is_near(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    crm.tables()["orders"]["enabled"] = False
    crm.tables()["orders_2"] = {"enabled": True, "name_in_destination": "orders_2"}
    outcome = place.run(place.invocation(assets))
    assert outcome.made == {"crm/accounts"}
    assert "Did you mean 'orders_2'?" in outcome.failed["crm/orders"]
    assert "does not know yet: orders_2" in outcome.said


# -- the truth by table ----------------------------------------------------------------------------------------------


def test_a_table_that_did_not_move_keeps_its_version(place: Place, crm: FakeConnection) -> None:
    times = {"crm/accounts": datetime(2026, 1, 1, tzinfo=UTC), "crm/orders": datetime(2026, 1, 1, tzinfo=UTC)}
    invocation = place.invocation(place.load(crm))
    first = place.run(invocation, context=RunOf(newest=times.get))
    times["crm/orders"] = datetime(2026, 1, 2, tzinfo=UTC)
    second = place.run(invocation, context=RunOf(newest=times.get))
    one, two = ({str(each.key): each for each in run.events if hasattr(each, "columns")} for run in (first, second))
    assert one["crm/accounts"].data_version == two["crm/accounts"].data_version
    assert one["crm/orders"].data_version != two["crm/orders"].data_version
    assert one["crm/orders"].metadata["result_known_by"] == "table"


def test_where_the_warehouse_does_not_say_the_connection_counts(place: Place, crm: FakeConnection) -> None:
    def out_of_reach(key: str) -> Any:
        raise ValueStoreError("no such table")

    invocation = place.invocation(place.load(crm))
    first, second = (place.run(invocation, context=RunOf(newest=out_of_reach)) for _ in range(2))
    versions = [{each.data_version for each in run.events if hasattr(each, "columns")} for run in (first, second)]
    assert [len(each) for each in versions] == [1, 1]
    assert versions[0] != versions[1]
    assert first.events[-1].metadata["result_known_by"] == "connection"  # type: ignore[attr-defined]


def gone(made: Any) -> Callable[[str], Any]:
    """Return what a place says that has accounts, and no orders; these were `made` before with that metadata."""

    def newest(key: str) -> Any:
        if key.endswith("accounts"):
            return datetime(2026, 1, 1, tzinfo=UTC)
        error = NothingKeptError(f"There is no value of {key!r} in lake.duckdb (lake.crm.orders).")
        error.made = made
        raise error

    return newest


@pytest.mark.parametrize(
    ("options", "made", "told"),
    [
        ({}, {"result_known_by": "table"}, "Its table was there when it was last made."),
        ({"io": "duckdb:lake.duckdb"}, None, "It should be there, by `io` of integration 'crm'."),
    ],
)
def test_a_table_that_is_not_where_it_should_be_fails_after_a_good_sync(
    place: Place, crm: FakeConnection, options: dict[str, Any], made: Any, told: str
) -> None:
    assets = place.load(crm, **options)
    outcome = place.run(place.invocation(assets), context=RunOf(newest=gone(made)))
    assert outcome.made == {"crm/accounts"}
    assert outcome.failed["crm/orders"] == (
        "The sync of connection 'crm' ended well, but: "
        f"There is no value of 'crm/orders' in lake.duckdb (lake.crm.orders). {told}"
    )
    along = place.run(place.invocation(assets, "accounts"), context=RunOf(newest=gone(made)))
    assert (along.made, along.failed) == ({"crm/accounts"}, {})
    assert told in along.said
    seen = place.observe(assets, RunOf(newest=gone(made)))
    (orders,) = [each for each in seen if isinstance(each, Observed) and each.key.name == "orders"]
    assert (orders.data_version, orders.gone) == (None, made is not None)
    anew = "If it was removed, `assetry materialize --full-refresh -s crm/orders` loads it again."
    assert (orders.hint or "").startswith(anew if made else "")
    assert [each.message.endswith(told) for each in seen if isinstance(each, Log)] == [True]


def test_a_table_that_was_never_seen_and_has_no_place_is_known_by_its_connection(
    place: Place, crm: FakeConnection
) -> None:
    outcome = place.run(place.invocation(place.load(crm)), context=RunOf(newest=gone(None)))
    known = {each.key.name: each.metadata["result_known_by"] for each in outcome.events if hasattr(each, "columns")}
    assert known == {"accounts": "table", "orders": "connection"}
    assert "lake.duckdb" not in outcome.said  # that is usual


def test_rows_that_go_without_a_trace_are_not_taken_for_none(place: Place, crm: FakeConnection) -> None:
    crm.tables()["orders"]["sync_mode"] = "LIVE"
    context = RunOf(newest=lambda _: datetime(2026, 1, 1, tzinfo=UTC))
    outcome = place.run(place.invocation(place.load(crm)), context=context)
    known = {each.key.name: each.metadata["result_known_by"] for each in outcome.events if hasattr(each, "columns")}
    assert known == {"accounts": "table", "orders": "connection"}


# -- observations ----------------------------------------------------------------------------------------------------


def test_hook_assetry_observe_tells_of_syncs_of_fivetrans_own_schedule(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    assert [each.data_version for each in place.observe(assets)] == [None, None]  # type: ignore[attr-defined]
    place.fivetran.begin(crm)
    place.clock.pass_time(60)
    seen = [each for each in place.observe(assets) if isinstance(each, Observed)]
    assert {each.metadata["data_time"] for each in seen} == {"2026-01-01T00:00:04+00:00"}
    outcome = place.run(place.invocation(assets))
    place_version = {each.data_version for each in outcome.events if hasattr(each, "columns")}
    again = {each.data_version for each in place.observe(assets) if isinstance(each, Observed)}
    assert again == place_version  # what we have synced is not seen as another sync
    assert again != {each.data_version for each in seen}


def test_an_unreadable_answer_while_polling_is_no_failure(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(), Fault(status=200, body='{"data": '), Fault(cut=True))
    outcome = place.run(invocation)
    assert outcome.made == {"crm/accounts", "crm/orders"}
    assert place.posts() == 1


@pytest.mark.parametrize("chosen", [(), ("accounts",)])
def test_a_table_that_is_disabled_while_its_sync_runs_is_not_made(
    place: Place, crm: FakeConnection, chosen: tuple[str, ...]
) -> None:
    invocation = place.invocation(place.load(crm), *chosen)

    def disable(event: Event) -> bool:
        if isinstance(event, Started):
            crm.tables()["orders"]["enabled"] = False
        return False

    outcome = place.run(invocation, until=disable)
    assert outcome.made == {"crm/accounts"}
    assert set(outcome.failed) == (set() if chosen else {"crm/orders"})  # of what comes along nothing is said


def test_a_look_that_fails_after_a_sync_is_a_warning_and_the_tables_are_made(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))

    def break_down(event: Event) -> bool:
        if isinstance(event, Started):
            place.fivetran.fail("GET .*/schemas", Fault(status=403, body={"code": "Forbidden", "message": "no"}))
        return False

    outcome = place.run(invocation, until=break_down)
    assert outcome.made == {"crm/accounts", "crm/orders"}
    assert "taken out meanwhile is not known" in outcome.said
