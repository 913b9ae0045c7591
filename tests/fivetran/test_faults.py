"""The table of faults, row by row: each is injected over HTTP, and the stated behaviour follows."""

from __future__ import annotations

import math
import re
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import AssetryError, IntegrationError, JobOverError, Log, Skipped
from assetry_fivetran.connections.definitions import NO_TABLES
from assetry_fivetran.testing import LOGIN_PAGE, FakeConnection, FakeFivetran, Fault
from assetry_toolkit.errors import AuthError, ServiceError, Unavailable
from assetry_toolkit.hosted.fetching import PATIENCE

from tests.fivetran.conftest import Outcome, Place, RunOf

BOTH = {"crm/accounts", "crm/orders"}


def sync(place: Place, connection: FakeConnection, **options: Any) -> Outcome:
    return place.run(place.invocation(place.load(connection, **options)))


# -- 429 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:09 GMT", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 9.0),
        ({}, 2.0),
    ],
)
def test_429_is_waited_for_as_long_as_the_server_wishes(
    place: Place, crm: FakeConnection, headers: dict[str, str], waits: float
) -> None:
    invocation = place.invocation(place.load(crm))
    place.clock.slept.clear()
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(status=429, headers=headers))
    outcome = place.run(invocation)
    assert outcome.made == BOTH
    assert waits <= place.clock.slept[0] <= waits + 0.5
    assert place.posts() == 1


def test_429_never_fails_a_project_that_was_read_before(place: Place, crm: FakeConnection) -> None:
    first = place.load(crm)
    place.fivetran.fail(".*", Fault(status=429, headers={"Retry-After": "3000"}), times=100)
    assert place.load(crm) == first
    with pytest.raises(Unavailable) as caught:
        place.pull(crm)
    assert "takes calls again in 3000 seconds" in str(caught.value)
    assert "What was read just now stays as it is." in str(caught.value)
    place.fivetran.faults.clear()
    assert place.load(crm) == first


def test_a_wait_is_told_of_when_it_begins_and_the_error_says_when_and_which_option(
    place: Place, crm: FakeConnection, caplog: pytest.LogCaptureFixture
) -> None:
    wish = {"Retry-After": "30"}
    place.fivetran.fail("GET .*", Fault(status=429, body={"message": "Max 500"}, headers=wish), times=1)
    place.load(crm)
    (told,) = [each.getMessage() for each in caplog.records if each.name == "assetry.toolkit"]
    assert "HTTP 429: Max 500" in told
    assert re.search(r"; waiting until \d\d:\d\d:\d\d\. .*calls_per_hour", told)
    place.fivetran.fail("GET .*", Fault(status=429, headers={"Retry-After": "3000"}))
    with pytest.raises(Unavailable, match=r"HTTP 429") as caught:
        place.pull(crm)
    assert re.search(r"takes calls again in 3000 seconds, at \d\d:\d\d:\d\d\.", str(caught.value.hint))
    assert "calls_per_hour" in str(caught.value.hint)


def test_a_project_does_not_wait_long_to_be_loaded(place: Place, crm: FakeConnection) -> None:
    place.fivetran.fail("GET .*", Fault(status=429), times=100)
    with pytest.raises(Unavailable):
        place.load(crm)
    assert sum(place.clock.slept) <= PATIENCE


@pytest.mark.parametrize("fault", [Fault(status=429), Fault(drop=True)])
def test_no_longer_is_waited_for_an_answer_than_the_options_say(
    place: Place, crm: FakeConnection, fault: Fault
) -> None:
    assets = place.load(crm, poll_error_budget=3)
    for request in (f"GET /connections/{crm.id}/schemas", f"GET /connections/{crm.id}"):
        place.fivetran.faults.clear()
        place.fivetran.fail(f"{request}$", fault, times=100)
        place.clock.slept.clear()
        assert isinstance(place.run(place.invocation(assets)).error, Unavailable)
        assert sum(place.clock.slept) <= 7.0  # the fake clock ends no pause before its time
    with pytest.raises(Unavailable):
        place.observe(assets)


def test_an_answer_is_waited_for_before_a_sync_as_long_as_the_options_say(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    for request in (f"GET /connections/{crm.id}/schemas$", f"GET /connections/{crm.id}$"):
        place.fivetran.fail(request, Fault(drop=True), times=9)
    assert place.run(invocation).made == BOTH
    assert place.posts() == 1


def test_a_secret_that_fivetran_repeats_is_not_kept(place: Place, crm: FakeConnection, tmp_path: Path) -> None:
    crm.setup, crm.tasks = "broken", [f"Cannot log in with {FakeFivetran.api_secret}"]
    assets = place.load(crm)
    kept = tmp_path / ".assetry" / "fivetran" / "crm.json"
    assert "Cannot log in with ***" in kept.read_text()
    crm.paused = True
    place.observe(assets)
    assert "paused and broken" in kept.read_text()
    assert "Cannot log in with ***" in kept.read_text()
    assert FakeFivetran.api_secret not in kept.read_text()


def test_a_destination_that_cannot_be_read_is_warned_of(
    place: Place, crm: FakeConnection, caplog: pytest.LogCaptureFixture
) -> None:
    place.fivetran.fail("GET /destinations/.*", Fault(status=429, headers={"Retry-After": "3000"}))
    assert place.load(crm)[0].relation == (None, "crm", "accounts")
    assert "the destination of group warehouse could not be read (Fivetran at" in caplog.text


def test_the_fake_says_when_it_takes_calls_again(place: Place, crm: FakeConnection) -> None:
    place.load(crm)
    place.fivetran.calls = len(place.fivetran.seen)
    place.clock.pass_time(600)
    with pytest.raises(Unavailable, match="TooManyRequests") as caught:
        place.pull(crm)
    assert "takes calls again in 3000 seconds" in str(caught.value.hint)


def test_429_at_the_start_is_no_start_and_asked_for_again(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    place.fivetran.fail("POST .*/sync", Fault(status=429))
    assert place.run(invocation).made == BOTH
    assert (place.posts(), len(crm.syncs)) == (2, 1)


def test_a_trial_whose_budget_is_used_up_says_when_it_is_free_again(place: Place, crm: FakeConnection) -> None:
    place.load(crm)
    with pytest.raises(Unavailable, match=r"The 1 call of Fivetran in 3600 seconds is used up; the next is free in"):
        place.load_of(place.integration(crm, "other", calls_per_hour=1))


def test_polling_keeps_within_the_budget_of_a_trial(place: Place, crm: FakeConnection) -> None:
    place.fivetran.calls = 500
    crm.seconds = 6 * 3600
    before = len(place.fivetran.seen)
    assert sync(place, crm, calls_per_hour=500).made == BOTH
    assert len(place.fivetran.seen) - before < 6 * 500 / 2 + 10
    assert place.fivetran.requests("GET /connections")


# -- answers that are none ---------------------------------------------------------------------------------------------

NO_ANSWERS = [
    *(Fault(status=status) for status in (500, 502, 503, 504)),
    Fault(status=503, body="<html>down</html>", headers={"Content-Type": "text/html"}),
    Fault(status=200, body='{"code": "Success", "data": {'),
    Fault(drop=True),
    Fault(cut=True),
]


@pytest.mark.parametrize("fault", NO_ANSWERS)
def test_what_only_looks_is_repeated(place: Place, crm: FakeConnection, fault: Fault) -> None:
    place.fivetran.fail("GET .*", fault, times=3)
    assert {str(each.key) for each in place.load(crm)} == BOTH


@pytest.mark.parametrize("fault", [Fault(status=502), Fault(drop=True), LOGIN_PAGE])
@pytest.mark.parametrize("carried_out", [True, False])
def test_a_start_without_an_answer_is_looked_for_and_never_doubled(
    place: Place, crm: FakeConnection, fault: Fault, carried_out: bool
) -> None:
    from dataclasses import replace

    invocation = place.invocation(place.load(crm))
    place.fivetran.fail("POST .*/sync", replace(fault, carried_out=carried_out))
    outcome = place.run(invocation)
    assert outcome.made == BOTH
    assert "It is unclear whether the sync was started" in outcome.said
    assert (place.posts(), len(crm.syncs)) == (1 if carried_out else 2, 1)


def test_a_server_that_is_not_there_is_named_with_its_host(place: Place, crm: FakeConnection) -> None:
    url, integration = place.fivetran.url, place.integration(crm)
    place.fivetran.stop_server()
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        place.load_of(integration)
    assert url in caught.value.message
    assert len(place.clock.slept) == 5


def test_a_host_without_an_address_is_named(place: Place) -> None:
    with pytest.raises(Unavailable, match=r"nowhere\.invalid"):
        place.load(connection_id="c", base_url="https://nowhere.invalid/v1")


def test_an_answer_that_takes_too_long_is_repeated(place: Place, crm: FakeConnection) -> None:
    import httpx

    class Slow(httpx.HTTPTransport):
        times = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            self.times += 1
            if self.times < 3:
                raise httpx.ReadTimeout("timed out", request=request)
            return super().handle_request(request)

    from assetry_toolkit.live_objects import keep

    assert len(place.load(crm, http_client=keep(Slow()))) == 2


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_that_is_not_trusted_names_the_option(place: Place, tmp_path: Path) -> None:
    certificate, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    asked = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    command = ["openssl", *asked.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    safe = FakeFivetran()
    connection = safe.add_connection("crm", ["accounts"])
    safe.start_server(tls)
    try:
        with pytest.raises(ServiceError, match=r"certificate of .* is not trusted") as caught:
            place.load(connection, base_url=safe.url)
        assert "ca_bundle" in str(caught.value.hint)
        assert len(place.load(connection, base_url=safe.url, ca_bundle=str(certificate))) == 1
    finally:
        safe.stop_server()


def test_a_login_page_in_the_place_of_the_api_is_no_api(place: Place, crm: FakeConnection) -> None:
    place.fivetran.fail("GET .*", LOGIN_PAGE, times=100)
    with pytest.raises(ServiceError, match=r"There is no Fivetran API at .*: it answers with a web page") as caught:
        place.load(crm)
    assert "https://api.fivetran.com/v1" in str(caught.value.hint)


def test_another_json_api_is_no_fivetran(place: Place, crm: FakeConnection) -> None:
    place.fivetran.fail("GET .*", Fault(status=200, body={"hello": "world"}), times=100)
    with pytest.raises(ServiceError, match="holds no data"):
        place.load(crm)


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_401_is_asked_once_and_shows_neither_key_nor_secret(place: Place, crm: FakeConnection) -> None:
    body = {"code": "AuthFailed", "message": f"{FakeFivetran.api_key}:wrong is not known"}
    place.fivetran.fail("GET .*", Fault(status=401, body=body))
    with pytest.raises(AuthError) as caught:
        place.load(crm, api_secret={"env": "WRONG"})
    assert "does not accept api_key and api_secret" in str(caught.value)
    assert FakeFivetran.api_key not in str(caught.value)
    assert "wrong" not in str(caught.value)
    assert "api_key is written in the options, api_secret is read from the variable WRONG." in str(caught.value.hint)
    assert caught.value.option == "api_key"
    assert len(place.fivetran.seen) == 1


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_is_asked_once_and_tells_code_and_message(place: Place, crm: FakeConnection, status: int) -> None:
    body = {"code": "NotFound_Connection", "message": "Cannot find it"}
    place.fivetran.fail("GET .*", Fault(status=status, body=body))
    with pytest.raises(IntegrationError, match=r"Cannot find it \(NotFound_Connection\)"):
        place.load(crm)
    assert len(place.fivetran.requests(f"GET /connections/{crm.id}")) == 1


def test_an_unknown_connection_says_where_its_id_stands(place: Place) -> None:
    with pytest.raises(IntegrationError, match="There is no connection 'nowhere'") as caught:
        place.load(connection_id="nowhere")
    assert "connection's URL" in str(caught.value.hint)


def test_a_connection_that_is_deleted_stays_and_is_marked(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    crm.deleted = True
    error = place.run(place.invocation(assets)).error
    assert isinstance(error, JobOverError)
    assert f"Connection {crm.id} is gone" in str(error)
    assert place.posts() == 0
    place.pull(crm)
    again = place.load(crm)
    assert [each.key for each in again] == [each.key for each in assets]
    assert "deleted" in again[0].metadata["trouble"]
    assert isinstance(place.run(place.invocation(again)).error, JobOverError)


def test_another_connection_takes_the_place_of_one_that_is_deleted(place: Place, crm: FakeConnection) -> None:
    (first, _) = place.load()
    crm.deleted = True
    other = place.fivetran.add_connection("crm", ["accounts"])
    place.pull()
    (again,) = place.load()
    assert (again.key, again.spec["connection"], first.spec["connection"]) == (first.key, other.id, crm.id)
    assert again.code_version != first.code_version


def test_a_connection_that_is_deleted_during_its_sync_ends_the_wait(place: Place, crm: FakeConnection) -> None:
    crm.seconds = math.inf
    invocation = place.invocation(place.load(crm))
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(), Fault(), *[Fault(status=404)] * 50)
    error = place.run(invocation).error
    assert isinstance(error, JobOverError)
    assert "is gone" in str(error)


def test_a_connection_that_may_not_be_used_may_be_syncing_still(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    place.fivetran.fail(f"GET /connections/{crm.id}/schemas", Fault(status=403), times=9)
    error = place.run(invocation).error
    assert isinstance(error, ServiceError)
    assert f"Connection {crm.id} may not be used" in str(error)


@pytest.mark.parametrize("schemas", ["404", "empty"])
def test_a_connection_without_a_schema_configuration_is_one_asset(
    place: Place, crm: FakeConnection, schemas: str
) -> None:
    crm.schemas = None if schemas == "404" else crm.schemas
    if schemas != "404":
        told = {"code": "Success", "data": {"schemas": {}}}
        place.fivetran.fail("GET .*/schemas", Fault(status=200, body=told), times=10)
    (asset,) = place.load(crm)
    assert (str(asset.key), asset.description, asset.relation) == ("crm/crm", NO_TABLES, None)
    assert place.run(place.invocation([asset])).made == {"crm/crm"}
    assert place.posts() == 1


def test_requests_say_what_the_api_wants_to_hear(place: Place, crm: FakeConnection) -> None:
    sync(place, crm)
    place.fivetran.begin(crm)
    for each in place.fivetran.requests():
        version = "application/json;version=2" if each.path.startswith("/connections") else "application/json"
        assert each.header("Accept") == version
    (post,) = place.fivetran.requests("POST ")
    assert (post.header("Content-Type"), post.body) == ("application/json", {"force": False})


def test_409_on_a_resync_waits_for_what_is_under_way(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(patch=None))
    place.fivetran.fail("POST .*/resync", Fault(status=409, body={"code": "Conflict", "message": "in progress"}))
    outcome = place.run(place.invocation(assets, full_refresh=True))
    assert outcome.made == BOTH
    assert "would not start the sync yet" in outcome.said
    assert [each.resync for each in crm.syncs] == [True]


def test_400_on_a_scoped_resync_never_becomes_a_whole_one(place: Place, crm: FakeConnection) -> None:
    crm.table_resync = False
    outcome = place.run(place.invocation(place.load(crm), "orders", full_refresh=True))
    assert "cannot re-sync single tables" in str(outcome.error)
    assert (place.posts(), crm.syncs) == (1, [])


def test_pages_that_lead_back_are_an_error(place: Place, crm: FakeConnection) -> None:
    page = {"code": "Success", "data": {"items": [], "next_cursor": "again"}}
    place.fivetran.fail("GET /connections", Fault(status=200, body=page), times=10)
    with pytest.raises(Unavailable, match="does not come to an end"):
        place.load()


# -- answers that are odd ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd",
    [
        {"status": None},
        {"status": {"sync_state": None, "setup_state": None, "tasks": "none", "rescheduled_for": 7}},
        {"schema": None, "surprise": [1], "sync_frequency": "often"},
        {"succeeded_at": "soon", "paused": None, "schedule_type": "sometimes", "config": "none"},
        {"service": 7, "group_id": None, "created_at": ...},
    ],
)
def test_fields_that_are_missing_new_or_odd_are_borne(place: Place, crm: FakeConnection, odd: dict[str, Any]) -> None:
    told = {**place.fivetran.connection_json(crm), **odd}
    told.pop("created_at", None)
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(status=200, body={"code": "Success", "data": told}))
    assert len(place.load(crm)) == 2


def test_a_state_that_is_new_to_us_counts_as_under_way(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm, attach="wait_then_start"))
    crm.status = {"sync_state": "warming_up"}
    place.fivetran.fail(f"GET /connections/{crm.id}/schemas", Fault())
    looks = 0

    def heal(event: Any) -> bool:
        nonlocal looks
        looks += 1
        crm.status = {} if looks > 1 else crm.status
        return False

    outcome = place.run(invocation, until=heal)
    assert "a state that is new to us ('warming_up')" in outcome.said
    assert outcome.made == BOTH


# -- what becomes of a sync ------------------------------------------------------------------------------------------


def test_a_sync_that_is_accepted_and_never_starts_is_asked_for_once_more_and_then_a_failure(
    place: Place, crm: FakeConnection
) -> None:
    crm.ignores = 1
    first = sync(place, crm)
    assert first.made == BOTH
    assert "has not started; it is asked for again" in first.said
    crm.ignores = 100
    second = sync(place, crm, start_timeout=30)
    assert "never started" in second.failed["crm/orders"]
    assert place.posts() == 2 + 2


def test_a_sync_that_is_cancelled_has_failed_and_is_not_waited_for(place: Place, crm: FakeConnection) -> None:
    crm.outcomes = ["CANCELED"]
    outcome = sync(place, crm)
    assert "it ended without a result" in outcome.failed["crm/orders"]
    assert place.clock.monotonic() < 600


def test_a_rescheduled_sync_is_waited_for(place: Place, crm: FakeConnection) -> None:
    crm.outcomes = ["RESCHEDULED"]
    outcome = sync(place, crm)
    assert outcome.made == BOTH
    assert "has put the sync of 'crm' off to 2026-01-01T00:10" in outcome.said
    assert (place.posts(), len(crm.syncs)) == (1, 2)


def test_a_rescheduled_sync_of_a_manual_schedule_is_asked_for_again_then_and_not_before(
    place: Place, crm: FakeConnection
) -> None:
    crm.manual, crm.outcomes = True, ["RESCHEDULED"]
    outcome = sync(place, crm)
    assert outcome.made == BOTH
    posts = [each.at for each in place.fivetran.requests("POST ")]
    assert len(posts) == 2
    assert posts[1] >= crm.syncs[0].began + crm.seconds + crm.put_off
    assert [each.outcome for each in crm.syncs] == ["RESCHEDULED", "SUCCESSFUL"]


def test_a_moment_to_reschedule_for_that_is_past_is_now(place: Place, crm: FakeConnection) -> None:
    crm.manual, crm.outcomes, crm.put_off = True, ["RESCHEDULED"], -3600.0
    assert sync(place, crm).made == BOTH
    assert place.posts() == 2


@pytest.mark.parametrize("manual", [True, False])
def test_a_sync_that_is_put_off_too_far_is_deferred_neither_made_nor_failed(
    place: Place, crm: FakeConnection, manual: bool
) -> None:
    crm.manual, crm.outcomes, crm.put_off = manual, ["RESCHEDULED"], 86400.0
    outcome = sync(place, crm)
    assert outcome.made == set()
    assert outcome.failed == {}
    assert "deferred until 2026-01-02T00:00" in outcome.skipped["crm/orders"]
    assert place.clock.monotonic() < 600


def test_a_connection_that_was_put_off_before_is_started_all_the_same(place: Place, crm: FakeConnection) -> None:
    crm.manual, crm.rescheduled_for, crm.start_delay = True, 86400.0, 5.0
    assert sync(place, crm).made == BOTH


def test_a_failure_that_fivetran_mends_by_itself_is_none_where_that_is_waited_for(
    place: Place, crm: FakeConnection
) -> None:
    crm.outcomes, crm.retries = ["FAILURE"], True
    outcome = sync(place, crm, retry_timeout=60)
    assert outcome.made == BOTH
    assert "waiting whether Fivetran tries again" in outcome.said


def test_a_failure_tells_what_there_is_to_do(place: Place, crm: FakeConnection) -> None:
    crm.outcomes, crm.tasks = ["FAILURE_WITH_TASK"], ["Reconnect your account."]
    outcome = sync(place, crm)
    assert set(outcome.failed) == BOTH
    assert "it failed: Reconnect your account" in outcome.failed["crm/orders"]
    assert outcome.events[-1].hint.startswith("See https://fivetran.com/")  # type: ignore[attr-defined]


# -- paused, broken, incomplete ----------------------------------------------------------------------------------------


def test_a_connection_that_is_paused_during_its_sync_ends_the_wait(place: Place, crm: FakeConnection) -> None:
    crm.start_delay = 60.0
    invocation = place.invocation(place.load(crm))

    def pause(_: Any) -> bool:
        crm.paused = crm.paused or place.posts() > 0
        return False

    assert "paused by somebody during the sync" in place.run(invocation, until=pause).failed["crm/orders"]


def test_a_paused_connection_is_an_error_and_never_green(place: Place, crm: FakeConnection) -> None:
    crm.paused = True
    outcome = sync(place, crm)
    assert "Connection 'crm' is paused" in str(outcome.error)
    assert (outcome.made, place.posts()) == (set(), 0)


def test_a_paused_connection_can_be_skipped(place: Place, crm: FakeConnection) -> None:
    crm.paused = True
    outcome = sync(place, crm, on_paused="skip")
    assert outcome.skipped["crm/orders"] == "connection 'crm' is paused"
    assert len(outcome.of(Skipped)) == 2


@pytest.mark.parametrize("restore", [True, False])
def test_a_change_never_runs_set_up_tests_and_is_restored_on_request(
    place: Place, crm: FakeConnection, restore: bool
) -> None:
    crm.paused = True
    outcome = sync(place, crm, on_paused="unpause", schedule_type="manual", restore=restore)
    assert outcome.made == BOTH
    assert {each.body["run_setup_tests"] for each in place.fivetran.requests("PATCH ")} == {False}
    assert (crm.paused, crm.manual, crm.tested) == (restore, not restore, 0)


def test_a_schedule_is_left_alone_unless_asked(place: Place, crm: FakeConnection) -> None:
    sync(place, crm)
    assert place.fivetran.requests("PATCH ") == []


def test_a_broken_connection_is_tried_and_healed(place: Place, crm: FakeConnection) -> None:
    crm.setup, crm.tasks = "broken", ["Reconnect"]
    outcome = sync(place, crm)
    assert outcome.made == BOTH
    assert "is broken (Reconnect); a sync is tried" in outcome.said


@pytest.mark.parametrize(("policy", "said"), [("fail", "error"), ("skip", "skipped")])
def test_a_paused_connection_that_is_broken_is_told_as_both_and_not_tried(
    place: Place, crm: FakeConnection, policy: str, said: str
) -> None:
    crm.paused, crm.setup, crm.tasks = True, "broken", ["Reconnect"]
    outcome = sync(place, crm, on_paused=policy)
    told = str(outcome.error) if said == "error" else outcome.skipped["crm/orders"]
    assert "onnection 'crm' is paused and broken (Reconnect)" in told
    assert ("Mend it in Fivetran: https://" in told) == (said == "error")
    assert "a sync is tried" not in outcome.said
    assert place.posts() == 0


def test_a_paused_connection_that_is_broken_is_enabled_and_tried_on_request(place: Place, crm: FakeConnection) -> None:
    crm.paused, crm.setup, crm.tasks = True, "broken", ["Reconnect"]
    outcome = sync(place, crm, on_paused="unpause")
    assert outcome.made == BOTH
    said = outcome.said
    assert said.index("it is enabled now") < said.index("is broken (Reconnect); a sync is tried")


def test_a_broken_connection_that_was_synced_is_made_with_a_warning(place: Place, crm: FakeConnection) -> None:
    crm.status = {"setup_state": "broken"}
    outcome = sync(place, crm)
    assert outcome.made == BOTH
    assert "calls it broken all the same" in outcome.said


def test_an_incomplete_connection_is_an_error_with_the_next_step(place: Place, crm: FakeConnection) -> None:
    crm.setup = "incomplete"
    outcome = sync(place, crm)
    assert "is incomplete" in str(outcome.error)
    assert f"connections/{crm.id}/status" in str(outcome.error)
    assert place.posts() == 0


def troubles(place: Place, crm: FakeConnection) -> set[str]:
    """Return what the next command that loads the project warns of."""
    return {each.metadata.get("trouble", "") for each in place.load(crm)}


def test_what_a_run_learns_of_a_connection_is_warned_of_from_then_on(place: Place, crm: FakeConnection) -> None:
    assert troubles(place, crm) == {""}
    read = place.load(crm)[0].metadata["definitions_read"]
    crm.paused = True
    place.clock.pass_time(3600)
    assert "is paused" in str(sync(place, crm).error)
    assert troubles(place, crm) == {"paused"}
    assert place.load(crm)[0].metadata["definitions_read"] == read  # nothing else was read
    crm.setup, crm.tasks = "broken", ["Reconnect"]
    place.observe(place.load(crm))
    assert troubles(place, crm) == {"paused and broken: Reconnect"}
    assert sync(place, crm, on_paused="unpause").made == BOTH
    assert troubles(place, crm) == {""}


def test_what_was_enabled_for_a_sync_alone_is_still_paused(place: Place, crm: FakeConnection) -> None:
    place.load(crm)
    crm.paused = True
    assert sync(place, crm, on_paused="unpause", restore=True).made == BOTH
    assert (crm.paused, troubles(place, crm)) == (True, {"paused"})


def test_what_a_run_learns_hides_neither_a_destination_that_is_not_there_nor_other_connections(place: Place) -> None:
    one, other = (place.fivetran.add_connection(name, ["a"], group="empty") for name in ("one", "other"))
    del place.fivetran.destinations["empty"]
    assets = place.load()
    one.paused = True
    place.observe([each for each in assets if each.group == "one"])
    told = {each.group: each.metadata["trouble"] for each in place.load()}
    assert told == {
        "one": "paused and incomplete: its group empty has no destination",
        "other": "incomplete: its group empty has no destination",
    }
    assert not other.paused


def test_a_snapshot_that_cannot_be_written_stops_no_run(
    place: Place, crm: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = place.load(crm)
    crm.paused = True

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("assetry_toolkit.hosted.snapshots.write_whole", full)
    assert "is paused" in str(place.run(place.invocation(assets)).error)


@pytest.mark.parametrize("destination", ["none", "incomplete"])
def test_a_group_without_a_destination_hides_nothing_else(place: Place, destination: str) -> None:
    good = place.fivetran.add_connection("good", ["a"])
    bad = place.fivetran.add_connection("bad", ["b"], group="empty")
    if destination == "none":
        del place.fivetran.destinations["empty"]
    else:
        place.fivetran.destinations["empty"]["setup_status"] = "INCOMPLETE"
    assets = {asset.group: asset for asset in place.load()}
    assert set(assets) == {good.name, bad.name}
    assert "trouble" not in assets["good"].metadata
    assert "destination" in assets["bad"].metadata["trouble"]


@pytest.mark.parametrize("skew", [-30.0, 30.0])
def test_a_server_whose_clock_is_wrong_syncs_the_same(place: Place, crm: FakeConnection, skew: float) -> None:
    place.fivetran.skew = skew
    crm.manual, crm.outcomes = True, ["RESCHEDULED"]
    assert sync(place, crm).made == BOTH
    posts = [each.at for each in place.fivetran.requests("POST ")]
    assert posts[1] - posts[0] >= crm.put_off


def test_no_answer_for_too_long_leaves_the_sync_to_a_retry(place: Place, crm: FakeConnection) -> None:
    crm.seconds = math.inf
    invocation = place.invocation(place.load(crm, poll_error_budget=60))
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(), *[Fault(status=503)] * 200)
    outcome = place.run(invocation)
    assert "Nothing is known of the sync of" in str(outcome.error)
    assert "assetry retry" in str(outcome.error)
    place.fivetran.faults.clear()
    crm.seconds = 1.0
    assert place.run(invocation, resume=outcome.token).made == BOTH
    assert (place.posts(), len(crm.syncs)) == (1, 1)


def test_a_sync_that_takes_too_long_goes_on_and_is_taken_up(place: Place, crm: FakeConnection) -> None:
    crm.seconds = 7200
    invocation = place.invocation(place.load(crm, poll_timeout=3600))
    outcome = place.run(invocation)
    assert "has been running for more than 3600 seconds (poll_timeout)" in str(outcome.error)
    assert place.run(invocation, resume=outcome.token).made == BOTH
    assert len(crm.syncs) == 1


def test_a_historical_sync_says_that_it_can_take_days(place: Place, crm: FakeConnection) -> None:
    assert "a historical one and can take days" in sync(place, crm).said


def test_a_secret_that_is_not_set_is_named(place: Place, crm: FakeConnection) -> None:
    with pytest.raises(AssetryError, match="NOT_SET"):
        place.load(crm, api_secret={"env": "NOT_SET"})


def test_a_run_that_is_cancelled_before_it_asks_leaves_nothing(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    context = RunOf()
    context.stopped.set()
    outcome = place.run(invocation, context=context)
    assert (outcome.made, place.posts()) == (set(), 0)


def test_a_manual_sync_that_is_put_off_to_no_moment_is_asked_for_again_once(place: Place, crm: FakeConnection) -> None:
    crm.manual, crm.outcomes = True, ["RESCHEDULED"]
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(), times=1)
    invocation = place.invocation(place.load(crm))

    def forget(_: Any) -> bool:
        if crm.rescheduled_for is not None:
            crm.status = {"rescheduled_for": None, "sync_state": "rescheduled"}
        if place.posts() > 1:
            crm.status = {}
        return False

    assert place.run(invocation, until=forget).made == BOTH
    assert place.posts() == 2


def test_calls_that_are_used_up_are_told_of_before_a_sync_is_waited_for(place: Place, crm: FakeConnection) -> None:
    invocation = place.invocation(place.load(crm))
    body = {"code": "TooManyRequests", "message": "Max 500 api calls allowed"}
    place.fivetran.fail("POST .*/sync", Fault(status=429, body=body, headers={"Retry-After": "200"}), times=4)
    outcome = place.run(invocation)
    assert outcome.made == BOTH
    told = [each.message for each in outcome.of(Log) if each.level == "warning"]
    assert len(told) == 4
    known = rf"The sync of {crm.id} is not asked for yet: .*: Max 500 api calls allowed .*; waiting until \d"
    assert re.match(known, told[0])
    assert told[0].endswith("calls_per_hour says how many the account has (500 in a trial).")
    place.fivetran.fail("POST .*/sync", Fault(status=429, headers={"Retry-After": "200"}), times=100)
    place.clock.slept.clear()
    assert isinstance(place.run(invocation).error, Unavailable)
    assert 600 < sum(place.clock.slept) <= 900


def test_a_long_wait_for_an_answer_is_told_of_where_it_is_waited(place: Place, crm: FakeConnection) -> None:
    assets = place.load(crm)
    context = RunOf()
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(status=429, headers={"Retry-After": "30"}))
    place.observe(assets, context)
    (told,) = context.logged
    known = rf"Connection {crm.id}: Fivetran at .* HTTP 429\b.*; waiting until \d\d:\d\d:\d\d\. .*calls_per_hour"
    assert re.match(known, told)
    place.fivetran.fail(f"GET /connections/{crm.id}", Fault(status=429, headers={"Retry-After": "30"}))
    place.run(place.invocation(assets), context=context)
    assert len(context.logged) == 2


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "The secret WRONG, which api_secret names, is empty."),
        ("s3cr\udce9t", "The secret WRONG is not text in UTF-8."),
    ],
)
def test_a_secret_that_can_be_none_is_named(
    place: Place, crm: FakeConnection, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    monkeypatch.setenv("WRONG", value)
    with pytest.raises(AuthError) as caught:
        place.load(crm, api_secret={"env": "WRONG"})
    assert told in str(caught.value)
    assert "s3cr" not in str(caught.value)
    assert place.fivetran.requests(".*") == []
