"""The table of faults, row by row: each is injected over HTTP, and the stated behaviour follows.

Rows that are the toolkit's (retries, tokens, jobs that are found again, certificates) stand in tests/toolkit; here is
what is Airbyte's own, and that both work together.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import Any

import httpx
import pytest
from assetry import Project
from assetry.plugin import Asset, Failed, Handle, IntegrationError, Materialized, Started
from assetry_airbyte import plugin
from assetry_airbyte.hosted.api.service import service_for
from assetry_airbyte.hosted.settings import Options
from assetry_airbyte.testing import LOGIN_PAGE, FakeAirbyte, FakeClock, FakeConnection, Fault, Seen
from assetry_toolkit.live_objects import keep

from tests.airbyte.conftest import Outcome, Place, RunOf


def shop(place: Place, *streams: str, **fields: Any) -> FakeConnection:
    return place.airbyte.add_connection("Shop", streams or ("users", "orders"), **fields)


def sync(place: Place, connection: FakeConnection, *names: str, **options: Any) -> Outcome:
    return place.run(place.invocation(place.load(connection, **options), *names))


def job_of(event: Handle) -> int | None:
    found: int | None = json.loads(event.token).get("job")
    return found


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_row_1_many_threads_ask_for_one_token(place: Place) -> None:
    connections = [shop(place) for _ in range(6)]
    invocations = [place.invocation(place.load(each, name=f"shop_{n}")) for n, each in enumerate(connections)]
    before = len(place.airbyte.requests("POST /applications/token"))
    hold = threading.Barrier(len(invocations))
    for each in connections:
        each.script = ["running"] * 30 + ["succeeded"]

    def run(number: int) -> None:
        hold.wait(20)
        assert place.run(invocations[number]).error is None

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(invocations))]
    # The token goes with the last who uses the service; one that comes late would ask for another.
    with service_for(Options.of(invocations[0].integration), lambda name: os.environ[name]):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert len(place.airbyte.requests("POST /applications/token")) == before + 1


def test_row_2_refused_twice_names_the_base_url_and_the_kind(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("GET /connections/.*", Fault(status=401), times=2)
    outcome = place.run(invocation)
    assert "client_id and client_secret" in str(outcome.error)
    assert place.airbyte.url in str(outcome.error)
    assert place.posts() == 0


@pytest.mark.parametrize("options", [{"client_secret": {"env": "WRONG"}}, {"base_url": "{host}/elsewhere/v1/../../v1"}])
def test_row_3_no_token_shows_the_url_and_both_forms(place: Place, options: dict[str, Any]) -> None:
    given = dict(options)
    if "base_url" in given:
        given["base_url"] = f"{place.airbyte.host}/v1"
    with pytest.raises(IntegrationError) as caught:
        place.load(shop(place), **given)
    assert "/applications/token" in caught.value.message
    assert "https://api.airbyte.com/v1" in str(caught.value.hint)
    assert "/api/public/v1" in str(caught.value.hint)
    assert len(place.airbyte.requests("POST ")) == 1


# -- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault(drop=True, carried_out=True), Fault(status=504, carried_out=True)])
def test_row_6_a_lost_answer_to_the_post_finds_the_job_that_it_started(place: Place, fault: Fault) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("POST /jobs", fault)
    outcome = place.run(invocation)
    assert outcome.made == {"shop/users", "shop/orders"}
    assert (place.posts(), len(place.airbyte.jobs)) == (1, 1)


def test_row_7_a_sync_that_runs_already_is_joined_and_never_doubled(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("GET /jobs", Fault(status=200, body={"data": []}))  # it starts just after we have looked
    running = place.airbyte.start(connection)
    outcome = place.run(invocation)
    assert running.id == json.loads(outcome.token)["job"]
    assert outcome.made == {"shop/users", "shop/orders"}
    assert "is joined" in outcome.said
    assert len(place.airbyte.jobs) == 1


def test_row_7_a_sync_is_found_behind_many_old_jobs(place: Place) -> None:
    connection = shop(place)
    for _ in range(30):
        place.airbyte.finish(place.airbyte.start(connection))
        place.clock.pass_time(60)
    invocation = place.invocation(place.load(connection))
    running = place.airbyte.start(connection)
    outcome = place.run(invocation)
    assert json.loads(outcome.token)["job"] == running.id
    assert place.posts() == 0


def test_row_7_a_reset_is_waited_for(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.start(connection, "reset")
    outcome = place.run(invocation)
    assert "A reset is under way" in outcome.said
    assert [job.type for job in place.airbyte.jobs.values()] == ["reset", "sync"]
    assert json.loads(outcome.token)["job"] == 2


def test_row_7_an_inactive_connection_is_named_with_its_reason(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    connection.fields = {"status": "inactive", "statusReason": "credits are used up"}
    place.airbyte.fail("GET /connections/.*", Fault(patch={"status": "active", "statusReason": None}))
    outcome = place.run(invocation)
    assert "'Shop' is inactive" in str(outcome.error)
    assert "credits are used up" in str(outcome.error)
    assert place.posts() == 1


UPSTREAM = Asset(key="crm/export", kind="python")


def test_row_8_a_sync_that_began_before_its_inputs_were_done_does_not_count(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection, deps=["crm/export"]), inputs=(UPSTREAM,))
    place.airbyte.start(connection)
    outcome = place.run(invocation)
    assert "began before its inputs were done" in outcome.said
    assert json.loads(outcome.token)["job"] == 2
    assert len(place.airbyte.jobs) == 2


# -- following -------------------------------------------------------------------------------------------------------


def test_row_10_a_job_that_was_cancelled_elsewhere_has_not_failed(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running", "running", "cancelled"]
    outcome = sync(place, connection)
    assert not outcome.failed
    assert not outcome.made
    assert set(outcome.skipped) == {"shop/users", "shop/orders"}
    assert "cancelled in Airbyte (job 1); who did it is not known" in outcome.skipped["shop/users"]
    assert place.posts() == 1


def test_row_12_states_that_are_new_are_waited_for(place: Place) -> None:
    connection = shop(place, statusReason="x")
    connection.script = ["running", "running", "running", "succeeded"]
    place.airbyte.fail("GET /jobs/1", Fault(patch={"status": "defragmenting"}), times=2)
    outcome = sync(place, connection)
    assert outcome.made
    assert outcome.said.count("defragmenting") == 1
    assert not place.airbyte.requests("DELETE")


def test_row_12_other_unknown_words_are_kept_as_text(place: Place) -> None:
    connection = shop(place)
    odd = {"streams": [{"name": "users", "syncMode": "quantum_append"}]}
    new = Fault(patch={"schedule": {"scheduleType": "lunar"}, "configurations": odd})
    place.airbyte.fail("GET /connections/.*", new, Fault(patch={"status": "hibernating"}))
    asset = place.load(connection)[0]
    assert asset.metadata["sync_mode"] == "quantum_append"
    assert asset.metadata["schedule"] == "lunar"
    (again, _) = place.load(connection, name="again")
    assert again.metadata["trouble"] == "hibernating"


@pytest.mark.parametrize(
    "patch",
    [
        {"jobId": "1", "rowsSynced": "20", "bytesSynced": None, "surprise": {"a": 1}},
        {"startTime": None, "jobType": None, "connectionId": ..., "duration": "??"},
        {"rowsSynced": None, "lastUpdatedAt": 12, "duration": 7},
    ],
)
def test_row_13_missing_null_new_and_oddly_typed_fields_are_no_matter(place: Place, patch: dict[str, Any]) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("(GET|POST) /jobs(/1)?", Fault(), Fault(patch=patch), Fault(patch=patch), Fault(patch=patch))
    outcome = place.run(invocation)
    assert outcome.error is None
    assert outcome.made == {"shop/users", "shop/orders"}


@pytest.mark.parametrize("internal", [True, False])
def test_a_job_that_succeeded_without_a_count_is_warned_about(place: Place, internal: bool) -> None:
    place.airbyte.internal = internal
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    silent = Fault(patch={"rowsSynced": ..., "bytesSynced": ...})
    place.airbyte.fail("(GET|POST) /jobs(/1)?", *[Fault()] * 2, *[silent] * 4)
    outcome = place.run(invocation)
    assert outcome.made == {"shop/users", "shop/orders"}
    [job] = {event.metadata["job"] for event in outcome.of(Materialized)}
    # By stream it is known all the same.
    assert ("tells neither rows nor bytes" in outcome.said) is not internal
    assert {event.data_version for event in outcome.of(Materialized)} == {f"job:{job}"}


def test_row_13_an_answer_without_a_status_is_no_answer(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("GET /jobs/1", Fault(patch={"status": ...}), Fault(status=200, body="{"), Fault(status=200))
    assert place.run(invocation).made


def test_row_14_incomplete_is_not_the_end(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running", "incomplete", "incomplete", "running", "succeeded"]
    outcome = sync(place, connection)
    assert outcome.made
    assert "An attempt of job 1 has failed; Airbyte tries again." in outcome.said


def test_row_15_queued_for_hours_is_not_the_end_and_counts_apart(place: Place) -> None:
    connection = shop(place)
    connection.script = ["queued"] * 1000 + ["running", "succeeded"]
    invocation = place.invocation(place.load(connection, poll_timeout=600.0))
    outcome = place.run(invocation)
    assert outcome.made
    assert place.clock.monotonic() > 3600
    names = [event.name for event in outcome.events]
    assert names.index("started") > names.index("log")  # nothing starts while it is queued
    assert not place.airbyte.requests("DELETE")


@pytest.mark.parametrize("status", ["inactive", "deprecated", "locked"])
def test_row_16_a_connection_that_cannot_be_synced_stays_is_marked_and_warned_of(
    place: Place, caplog: pytest.LogCaptureFixture, status: str
) -> None:
    connection = shop(place, status=status, statusReason="because")
    with caplog.at_level(logging.WARNING, "assetry"):
        assets = place.load(connection)
    assert all(each.executable and each.metadata["trouble"] == f"{status}: because" for each in assets)
    assert assets[0].description == f"Connection 'Shop' is {status}: because."
    assert f"Shop is {status}: because" in caplog.text


@pytest.mark.parametrize("status", ["inactive", "deprecated", "locked", "broken"])
def test_row_16_what_reads_a_connection_that_cannot_be_synced_is_not_fresh_by_it(place: Place, status: str) -> None:
    connection = shop(place, status=status)
    reader = Asset(key="report", kind="x", deps=["shop/users"])
    with Project([*place.load(connection), reader], root=place.root, io="memory:") as project:
        assert {str(each.key): each.status for each in project.status()} == dict.fromkeys(
            ("shop/users", "shop/orders", "report"), "never"
        )
        made = project.materialize("shop/users")
        assert not made.ok
        assert project.status_of("shop/users").status == "failed"


def test_row_16_an_inactive_connection_may_be_left_out_with_all_that_is_made_from_it(place: Place) -> None:
    connection = shop(place, status="inactive", statusReason="not now")
    assets = place.load(connection, on_inactive="skip")
    skipped = place.run(place.invocation(assets)).skipped
    assert skipped == dict.fromkeys(("shop/users", "shop/orders"), "connection 'Shop' is inactive: not now")
    connection.fields["status"] = "locked"
    assert "'Shop' is locked" in str(place.run(place.invocation(assets)).error)
    connection.fields["status"] = "active"
    assert place.run(place.invocation(assets)).made == {"shop/users", "shop/orders"}, "without a pull"


def test_row_16_a_connection_that_became_unusable_fails_before_the_post(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    connection.fields["status"] = "inactive"
    assert "inactive" in str(place.run(invocation).error)
    connection.deleted = True
    assert "is gone" in str(place.run(invocation).error)
    assert place.posts() == 0
    assert place.clock.slept == []


# -- crashes and cancelling ------------------------------------------------------------------------------------------


def killed(place: Place, connection: FakeConnection, has_job: bool) -> tuple[Any, Outcome]:
    invocation = place.invocation(place.load(connection))
    seen = place.run(
        invocation, until=lambda event: isinstance(event, Handle) and (job_of(event) is not None) == has_job
    )
    return invocation, seen


@pytest.mark.parametrize("end", ["running", "succeeded"])
def test_row_18_a_job_of_a_killed_run_is_taken_up(place: Place, end: str) -> None:
    connection = shop(place)
    invocation, before = killed(place, connection, has_job=True)
    if end == "succeeded":
        place.airbyte.finish(1)
    outcome = place.run(invocation, resume=before.token)
    assert outcome.made == {"shop/users", "shop/orders"}
    assert (place.posts(), len(place.airbyte.jobs)) == (1, 1)


@pytest.mark.parametrize("end", ["running", "succeeded"])
def test_row_18_killed_between_the_post_and_its_answer(place: Place, end: str) -> None:
    connection = shop(place)
    invocation, before = killed(place, connection, has_job=False)
    assert job_of(before.of(Handle)[-1]) is None
    started = place.airbyte.start(connection)  # what the POST of the killed process did
    if end == "succeeded":
        place.airbyte.finish(started)
    outcome = place.run(invocation, resume=before.token)
    assert outcome.made == {"shop/users", "shop/orders"}
    assert (place.posts(), len(place.airbyte.jobs)) == (0, 1)


def cancelled(place: Place, connection: FakeConnection, resume: str | None = None, **options: Any) -> Outcome:
    invocation = place.invocation(place.load(connection, **options))
    context = RunOf(resume)
    outcome = Outcome()
    try:
        for event in plugin.assetry_invoke(invocation, context):  # type: ignore[arg-type]
            outcome.events.append(event)
            if isinstance(event, Started):
                context.stopped.set()
    except IntegrationError as error:
        outcome.error = error
    except Exception as error:
        outcome.error = error
    return outcome


def test_row_19_a_cancelled_run_cancels_the_job_that_it_started(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 50
    cancelled(place, connection)
    assert len(place.airbyte.requests("DELETE /jobs/1")) == 1
    assert place.airbyte.jobs[1].status == "cancelled"


def test_row_19_a_queued_job_that_the_post_gives_back_is_not_ours(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 50
    queued = place.airbyte.start(connection, status="queued")
    queued.script = ["running"] * 50
    behind = {"data": [{"jobId": queued.id, "status": "succeeded", "jobType": "sync"}]}
    place.airbyte.fail("GET /jobs", Fault(status=200, body=behind))
    cancelled(place, connection)
    assert place.posts() == 1
    assert len(place.airbyte.jobs) == 1
    assert not place.airbyte.requests("DELETE")


# -- time, addresses, lists ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew", [-30.0, 30.0])
def test_row_20_a_server_whose_clock_is_wrong_finds_and_syncs_the_same(place: Place, skew: float) -> None:
    place.airbyte.skew = skew
    connection = shop(place)
    place.airbyte.finish(place.airbyte.start(connection))
    invocation = place.invocation(place.load(connection))
    place.airbyte.fail("POST /jobs", Fault(drop=True, carried_out=True))
    outcome = place.run(invocation)
    assert json.loads(outcome.token)["job"] == 2
    assert outcome.made
    assert not [each for each in place.airbyte.requests("GET /jobs") if "createdAtStart" in each.query]


@pytest.mark.parametrize(
    "fault", [LOGIN_PAGE, Fault(status=302, headers={"Location": "https://sso.example.com/login"})]
)
def test_row_21_a_login_page_is_told_apart(place: Place, fault: Fault) -> None:
    place.airbyte.fail(".*", fault, times=3)
    with pytest.raises(IntegrationError) as caught:
        place.load(shop(place))
    assert f"There is no Airbyte API at {place.airbyte.url}" in str(caught.value)
    assert "https://HOST/api/public/v1" in str(caught.value)


def test_row_22_pages_are_counted_by_us_and_repeats_left_out(place: Place) -> None:
    for number in range(230):
        place.airbyte.add_connection(f"c{number}", [f"t{number}"], destination="d")
    first = place.airbyte.public_answer(Seen("GET", "/connections", {"limit": "100", "offset": "50"}, None, {}, 0.0))
    place.airbyte.fail("GET /connections", Fault(), Fault(status=200, body=first))  # the pages shifted meanwhile
    assets = place.load(workspace_id=place.airbyte.workspace)
    offsets = [each.query["offset"] for each in place.airbyte.requests("GET /connections")]
    assert offsets == ["0", "100", "200"]
    assert all(each.query["workspaceIds"] == place.airbyte.workspace for each in place.airbyte.requests("GET /conn"))
    assert len(assets) == 180  # 50 of them came twice, and 50 never: the next pull finds them
    assert len({asset.key for asset in assets}) == 180


def test_row_23_a_stream_that_is_gone_fails_alone_and_a_new_one_is_told(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    connection.streams = [{"name": "orders"}, {"name": "refunds"}]
    outcome = place.run(invocation)
    assert outcome.made == {"shop/orders"}
    assert "is not synced by connection 'Shop' any more" in outcome.failed["shop/users"]
    assert "refunds" in outcome.said
    assert "assetry airbyte pull" in outcome.said


def test_row_23_without_any_stream_left_nothing_is_synced(place: Place) -> None:
    connection = shop(place)
    invocation = place.invocation(place.load(connection), "users")
    connection.streams = [{"name": "orders"}]
    outcome = place.run(invocation)
    assert set(outcome.failed) == {"shop/users"}
    assert place.posts() == 0


def test_row_24_a_stream_that_failed_in_a_job_that_succeeded(place: Place) -> None:
    connection = shop(place)
    connection.stream_states = {"users": "INCOMPLETE"}
    outcome = sync(place, connection)
    assert outcome.made == {"shop/orders"}
    assert "users: the sync did not complete" in outcome.failed["shop/users"]


def test_row_24_streams_that_were_complete_in_a_job_that_failed(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running", "failed"]
    connection.stream_states = {"users": "COMPLETE"}
    connection.failure = "the source is asleep"
    outcome = sync(place, connection)
    assert outcome.made == {"shop/users"}
    assert "the source is asleep" in outcome.failed["shop/orders"]


def test_row_24_without_the_internal_api_the_job_stands_for_all_and_that_is_said_once(place: Place) -> None:
    place.airbyte.internal = False
    connection = shop(place)
    invocation = place.invocation(place.load(connection))
    outcome = place.run(invocation)
    assert outcome.made == {"shop/users", "shop/orders"}
    made = outcome.events[-1]
    assert made.metadata["result_known_by"] == "job"  # type: ignore[attr-defined]
    assert made.metadata["rows_of_job"] == 20  # type: ignore[attr-defined]
    assert outcome.said.count("results are known by job") == 1
    connection.script = ["running", "failed"]
    failed = place.run(invocation)
    assert set(failed.failed) == {"shop/users", "shop/orders"}
    hints = [event.hint for event in failed.of(Failed)]
    assert all("may hold a part" in hint for hint in hints)


def test_row_25_each_destination_is_read_once_and_four_requests_at_a_time(place: Place) -> None:
    under_way, most, lock = [0], [0], threading.Lock()

    class Counting(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            try:
                return super().handle_request(request)
            finally:
                with lock:
                    under_way[0] -= 1

    destinations = [place.airbyte.add_destination("postgres", database=f"db{n}") for n in range(12)]
    for number in range(150):
        place.airbyte.add_connection(f"c{number}", [f"t{number}"], destination=destinations[number % 12])
    place.airbyte.fail("GET /destinations/.*", Fault(delay=0.05), times=12)
    place.load(workspace_id=place.airbyte.workspace, http_client=keep(Counting()))
    asked = [each.path for each in place.airbyte.requests("GET /destinations")]
    assert sorted(asked) == sorted(f"/destinations/{id_}" for id_ in destinations)
    assert most[0] == 4
    assert {each.query["limit"] for each in place.airbyte.requests("GET /connections")} == {"100"}


def test_row_26_no_secret_is_told_or_kept(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    connection = shop(place)
    place.airbyte.destinations[connection.destination]["config"]["password"] = "hunter2-of-the-warehouse"
    place.airbyte.destinations[connection.destination]["config"]["ssh_key"] = "hunter2-of-the-warehouse"
    assets = place.load(connection)
    outcome = place.run(place.invocation(assets))
    kept = "".join(path.read_text() for path in place.root.rglob("*.json"))
    told = f"{outcome.events}{assets}{kept}{caplog.text}"
    assert FakeAirbyte.client_secret not in told
    assert "hunter2" not in told
    bearer = place.airbyte.requests("GET /connections")[0].headers["Authorization"].partition(" ")[2]
    assert bearer not in told
    with pytest.raises(IntegrationError) as caught:
        place.load(connection, name="other", client_secret={"env": "WRONG"})
    assert "wrong" not in str(caught.value)


def test_row_27_a_client_of_the_users_own_carries_every_request(place: Place) -> None:
    seen: list[str] = []
    own = httpx.Client(event_hooks={"request": [lambda request: seen.append(request.url.path)]})
    connection = shop(place)
    outcome = place.run(place.invocation(place.load(connection, http_client=keep(own))))
    assert outcome.made
    assert len(seen) == len(place.airbyte.seen)
    assert not own.is_closed


def test_row_27_a_certificate_authority_that_cannot_be_read_is_named(place: Place) -> None:
    with pytest.raises(IntegrationError, match=r"certificate authority .*nowhere\.pem cannot be read"):
        place.load(shop(place), ca_bundle="nowhere.pem")


def test_row_28_two_processes_share_one_job(place: Place) -> None:
    connection = shop(place)
    connection.script = ["running"] * 6 + ["succeeded"]
    first = place.invocation(place.load(connection))
    second = place.invocation(place.load(connection, name="again", clock=keep(FakeClock())))
    begun = place.run(first, until=lambda event: isinstance(event, Started))
    other = place.run(second)
    rest = Outcome()
    rest.events = list(begun.stream)  # type: ignore[attr-defined]
    assert len(place.airbyte.jobs) == 1
    versions = {event.data_version for event in other.events + rest.events if event.name == "materialized"}  # type: ignore[attr-defined]
    assert versions == {"job:1"}
    assert other.made == {"again/users", "again/orders"}
    assert rest.made == {"shop/users", "shop/orders"}
