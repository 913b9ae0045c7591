"""Jobs of a mill behind real HTTP: started once, found again, followed, and cancelled only when they are ours."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Event, Failed, JobOverError, Log, Materialized, Progress, RunError, Started
from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.jobs import Token
from assetry_toolkit.testing import FakeClock
from assetry_toolkit.work import Job

from tests.toolkit.loopback import Answer
from tests.toolkit.mill import Mill, Seen, Told, begin, intent, milling, noted

BUSY, LOST = Answer(503), Answer(drop=True)


@pytest.fixture
def mill() -> Iterator[Mill]:
    with milling() as mill:
        yield mill


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def fail(mill: Mill, request: str, *answers: Answer, carried_out: bool = False) -> None:
    """Let the next requests of a kind be answered so; each is `carried_out` all the same when that is said."""
    waiting, usual = list(answers), mill.service.answer

    def answer(asked: Any) -> Any:
        if f"{asked.method} {asked.path}" == request and waiting:
            if carried_out:
                usual(asked)
            return waiting.pop(0)
        return usual(asked)

    mill.service.answer = answer


def test_a_job_is_started_and_followed_to_its_end(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["queued", "queued", "running", "done"]
    told = begin(mill, clock).go()
    assert (told.job.status if told.job else None, mill.posts) == ("done", 1)
    names = [event.name for event in told.events]
    assert names.count("started") == 1
    assert names.index("started") > names.index("log")  # nothing starts while it waits for its turn
    assert told.said.splitlines() == ["Job 1 is queued.", "Job 1 is running.", "Job 1 is done."]
    assert Token.read(told.token) == Token("orders", 1)


def test_one_that_failed_is_given_back_as_it_ended(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running", "failed"]
    told = begin(mill, clock).go()
    assert told.job is not None
    assert (told.job.ended, told.job.succeeded, mill.posts) == (True, False, 1)
    assert told.started == ["mill/orders"]


@pytest.mark.parametrize("first", ["queued", "running"])
def test_where_none_is_joined_one_of_others_is_waited_for(mill: Mill, clock: FakeClock, first: str) -> None:
    mill.start(first, "running", "done")
    told = begin(mill, clock, joins=False).go()
    assert "A job is under way on 'orders' (job 1); waiting for its end." in told.said
    assert (told.job.id if told.job else None, mill.posts) == (2, 1)
    mill.start("running")
    assert "is under way already (job 3)" in str(begin(mill, clock, joins=False, attach="refuse").go().error)


def test_where_none_is_joined_a_later_one_takes_no_ones_place(mill: Mill, clock: FakeClock) -> None:
    told = begin(mill, clock, joins=False).go(lambda event: isinstance(event, Started))
    mill.end(1, "failed")
    mill.start("done")
    assert told.go().job is not None
    assert (told.job.id if told.job else None, told.job.succeeded if told.job else None) == (1, False)


# -- started once ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [LOST, Answer(504), Answer(200, "<html>")])
def test_a_lost_answer_to_the_start_finds_the_job_that_it_started(mill: Mill, clock: FakeClock, answer: Answer) -> None:
    fail(mill, "POST /jobs", answer, carried_out=True)
    told = begin(mill, clock).go()
    assert "It is unclear whether the job was started" in told.said
    assert (told.job is not None, mill.posts, len(mill.jobs)) == (True, 1, 1)


def test_the_job_may_appear_late(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "POST /jobs", LOST, carried_out=True)
    mill.hides = 4  # before it is started, then three looks
    assert begin(mill, clock).go().job is not None
    assert (mill.posts, len(mill.jobs)) == (1, 1)


def test_only_when_no_job_appears_is_another_started(mill: Mill, clock: FakeClock) -> None:
    mill.end(mill.start().id)  # one of before is not taken for ours
    fail(mill, "POST /jobs", LOST)
    told = begin(mill, clock).go()
    assert (told.job.id if told.job else None, mill.posts, len(mill.jobs)) == (2, 2, 2)
    assert sum(clock.slept) >= 90


def test_it_is_given_up_when_no_start_is_ever_answered(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "POST /jobs", *[LOST] * 9)
    told = begin(mill, clock).go()
    assert isinstance(told.error, ServiceError)
    assert (mill.posts, len(mill.jobs)) == (3, 0)


def test_a_start_that_certainly_was_not_carried_out_is_repeated_at_once(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "POST /jobs", Answer(429, headers={"Retry-After": "5"}))
    told = begin(mill, clock).go()
    assert "unclear" not in told.said
    assert (mill.posts, len(mill.jobs), clock.slept[0]) == (2, 1, 5.5)


def test_a_refusal_is_told_at_once_and_better_where_the_integration_knows_better(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "POST /jobs", Answer(400, {"message": "no such table"}), Answer(400, {"message": "closed"}))
    assert "no such table" in str(begin(mill, clock).go().error)
    assert str(begin(mill, clock).go().error) == "The mill is closed on Sundays."
    assert mill.posts == 2


def test_a_conflict_is_tried_again_then_told(mill: Mill, clock: FakeClock) -> None:
    conflict = Answer(409, {"message": "try again"})
    fail(mill, "POST /jobs", conflict, conflict)
    assert begin(mill, clock).go().job is not None
    fail(mill, "POST /jobs", *[conflict] * 9)
    told = begin(mill, clock).go()
    assert isinstance(told.error, Refused)
    assert "The mill would not start" not in str(told.error)
    assert (mill.posts, len(mill.jobs)) == (3 + 4, 1)


# -- what runs already -----------------------------------------------------------------------------------------------


def test_a_job_that_runs_already_is_joined(mill: Mill, clock: FakeClock) -> None:
    mill.start("queued", "running", "done")
    told = begin(mill, clock).go()
    assert "under way already (job 1); it is joined" in told.said
    assert (told.job.id if told.job else None, mill.posts) == (1, 0)
    assert Token.read(told.token) == Token("orders", 1, ours=False)


def test_one_that_starts_just_after_we_have_looked_is_joined_too(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "POST /jobs", Answer(409, {"message": "busy"}))
    told = begin(mill, clock).go(intent)
    mill.start("running", "done")
    assert told.go().job is not None
    assert (mill.posts, len(mill.jobs)) == (1, 1)


def test_of_several_the_newest_that_runs_is_joined(mill: Mill, clock: FakeClock) -> None:
    for script in (["running"] * 9, ["running", "done"], ["queued"] * 9):
        mill.start(*script)
    told = begin(mill, clock).go(noted)
    assert Token.read(told.token) == Token("orders", 2, ours=False)


def test_one_that_began_before_its_inputs_were_done_does_not_count(mill: Mill, clock: FakeClock) -> None:
    mill.start("running", "done")
    told = begin(mill, clock, late=True).go()
    assert "began before its inputs were done" in told.said
    assert told.job is not None
    assert told.job.id == 2


def test_unless_one_says_so_or_it_has_not_begun(mill: Mill, clock: FakeClock) -> None:
    mill.start("running", "done")
    assert begin(mill, clock, late=True, attach="accept").go().job is not None
    mill.start("queued", "running", "done")
    assert begin(mill, clock, late=True).go().job is not None
    mill.start()
    assert "under way already" in str(begin(mill, clock, attach="refuse").go().error)
    assert mill.posts == 0


def test_what_is_something_else_is_waited_for_and_never_taken_for_ours(mill: Mill, clock: FakeClock) -> None:
    mill.start("running", "running", "done", kind="reset")
    fail(mill, "POST /jobs", LOST)
    told = begin(mill, clock).go(intent)
    assert "A reset is under way on 'orders' (job 1); waiting for its end." in told.said
    mill.end(mill.start(kind="reset").id)  # after ours was asked for, and lost
    told.go()
    assert (told.job.id if told.job else None, mill.posts) == (3, 2)


# -- following -------------------------------------------------------------------------------------------------------


def test_no_burst_of_errors_while_polling_fails_or_cancels_the_job(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 3 + ["done"]
    fail(mill, "GET /jobs/1", BUSY, LOST, Answer(500), Answer(502, "<html>"), LOST, BUSY)
    told = begin(mill, clock).go()
    assert told.job is not None
    assert (mill.stopped, mill.posts) == ([], 1)
    assert any(isinstance(event, Log) and event.level == "warning" for event in told.events)


def test_after_its_budget_the_job_is_left_alone_and_can_be_taken_up_again(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 200
    fail(mill, "GET /jobs/1", *[BUSY] * 8)
    told = begin(mill, clock, poll_error_budget=60.0).go()
    assert "Nothing is known of job 1 since 60 seconds" in str(told.error)
    assert mill.stopped == []
    mill.end(1)
    again = begin(mill, clock, told.token).go()
    assert again.job is not None
    assert mill.posts == 1


def test_running_and_waiting_count_apart_and_too_long_is_no_failure(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["queued"] * 1000 + ["running", "done"]
    assert begin(mill, clock, poll_timeout=600.0).go().job is not None
    assert clock.monotonic() > 3600
    mill.next_script = ["queued"] * 1000
    assert "waited for its turn for more than 600 seconds (queue_timeout)" in str(
        begin(mill, clock, queue_timeout=600.0).go().error
    )
    mill.end(2)
    mill.next_script = ["grinding"] * 1000
    told = begin(mill, clock, poll_timeout=300.0).go()
    assert "running for more than 300 seconds (poll_timeout); it is 'grinding' and goes on" in str(told.error)
    assert mill.stopped == []


def test_a_job_that_is_not_found_for_a_moment_is_looked_for_again(mill: Mill, clock: FakeClock) -> None:
    gone = Answer(404, {"message": "no job"})
    fail(mill, "GET /jobs/1", gone, gone, gone)
    assert begin(mill, clock).go().job is not None
    assert clock.slept[1:4] == [5.0, 10.0, 15.0]


def test_then_it_is_unknown_and_no_other_is_started(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "GET /jobs/1", *[Answer(403)] * 20)
    told = begin(mill, clock).go()
    assert "what became of it is unknown" in str(told.error)
    again = begin(mill, clock, told.token).go()
    assert "unknown" in str(again.error)
    assert (mill.posts, mill.stopped) == (1, [])


def test_a_job_that_another_one_replaced_is_followed_there(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running", "running"]
    told = begin(mill, clock).go(lambda event: isinstance(event, Started))
    mill.end(1, "stopped")
    mill.start("running", "done")
    told.go()
    assert "job 2 took its place and is followed" in told.said
    assert (told.job.id if told.job else None, mill.posts) == (2, 1)


def test_or_named_when_one_does_not_want_that(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running", "running"]
    told = begin(mill, clock, follow_superseded=False).go(lambda event: isinstance(event, Started))
    mill.end(1, "failed")
    mill.start()
    assert "job 2 took its place" in str(told.go().error)


# -- found again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["running", "done"])
def test_the_job_of_a_killed_run_is_taken_up(mill: Mill, clock: FakeClock, end: str) -> None:
    killed = begin(mill, clock).go(noted)
    if end == "done":
        mill.end(1)
        mill.end(mill.start().id, "failed")  # by somebody else, while nobody was looking
    again = begin(mill, clock, killed.token).go()
    assert (again.job.id if again.job else None, mill.posts) == (1, 1)
    assert "Job 1 of the earlier run is taken up" in again.said


def test_one_that_failed_meanwhile_is_followed_by_a_new_one(mill: Mill, clock: FakeClock) -> None:
    killed = begin(mill, clock).go(noted)
    mill.end(1, "failed")
    again = begin(mill, clock, killed.token).go()
    assert (again.job.id if again.job else None, mill.posts) == (2, 2)


def test_a_run_that_is_cancelled_before_the_new_one_does_not_take_the_failed_one_for_its_result(
    mill: Mill, clock: FakeClock
) -> None:
    killed = begin(mill, clock).go(noted)
    mill.end(1, "failed")
    again = begin(mill, clock, killed.token).go(intent)
    again.run.off.set()
    again.go()
    assert (again.job, again.error, mill.posts, mill.stopped) == (None, None, 1, [])


@pytest.mark.parametrize("started", [False, True])
def test_a_run_that_was_killed_around_the_start_starts_no_second_one(
    mill: Mill, clock: FakeClock, started: bool
) -> None:
    mill.end(mill.start().id)  # an older one is not taken for ours
    killed = begin(mill, clock).go(intent)
    if started:
        mill.end(mill.start().id)  # what the request of the killed run did
    again = begin(mill, clock, killed.token).go()
    assert (again.job.id if again.job else None, mill.posts) == (2, 0 if started else 1)


def test_one_that_was_killed_around_a_start_that_failed_starts_another(mill: Mill, clock: FakeClock) -> None:
    killed = begin(mill, clock).go(intent)
    mill.end(mill.start().id, "failed")
    again = begin(mill, clock, killed.token).go()
    assert (again.job.id if again.job else None, mill.posts) == (2, 1)


#: Brings about a job as another process, and writes each token before it goes on, as a run's records do.
OTHER = """
import sys
from pathlib import Path
from assetry.plugin import Handle
from assetry_toolkit.testing import FakeClock
from assetry_toolkit.work import Job
from tests.toolkit import mill

class There:
    class service:
        url = sys.argv[1]

for event in mill.begin(There, FakeClock()).stream:
    if isinstance(event, Handle):
        Path(sys.argv[2]).write_text(event.token)
"""


def test_a_process_killed_between_its_start_and_the_answer_has_started_one_job(
    clock: FakeClock, tmp_path: Path
) -> None:
    arrived, go = threading.Event(), threading.Event()

    class Held(Mill):
        def answer(self, asked: Any) -> Any:
            found = super().answer(asked)
            if asked.method == "POST":
                arrived.set()
                go.wait(30)  # carried out, and not answered while the process that asks lives
            return found

    token = tmp_path / "token"
    with milling(Held()) as mill:
        words = [sys.executable, "-c", textwrap.dedent(OTHER), mill.service.url, str(token)]
        with subprocess.Popen(words) as process:
            assert arrived.wait(30)
            process.kill()
        go.set()
        assert Token.read(token.read_text()) == Token("orders")
        again = begin(mill, clock, token.read_text()).go()
        assert (again.job.id if again.job else None, mill.posts, len(mill.jobs)) == (1, 1, 1)


@pytest.mark.parametrize("token", [None, "", "{", "[]", '{"job": 1}', json.dumps({"work": "refunds", "job": 7})])
def test_a_token_of_something_else_starts_a_job(mill: Mill, clock: FakeClock, token: str | None) -> None:
    told = begin(mill, clock, token).go()
    assert (told.job.id if told.job else None, mill.posts) == (1, 1)


# -- cancelled -------------------------------------------------------------------------------------------------------


def cancelled(told: Told) -> Told:
    """Cancel a run when its job has started."""
    told.go(lambda event: isinstance(event, Started))
    told.run.off.set()
    return told.go()


def test_a_cancelled_run_cancels_the_job_that_it_started(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 50
    told = cancelled(begin(mill, clock))
    assert (told.job, told.error, mill.stopped) == (None, None, [1])


def test_closing_the_stream_does_the_same(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 50
    begin(mill, clock).go(lambda event: isinstance(event, Started)).stream.close()
    assert mill.stopped == [1]


def test_a_job_that_was_joined_goes_on_also_when_it_is_taken_up_again(mill: Mill, clock: FakeClock) -> None:
    mill.start(*["running"] * 50)
    told = cancelled(begin(mill, clock))
    cancelled(begin(mill, clock, told.token))
    assert mill.stopped == []


def test_one_that_the_start_gave_back_and_did_not_start_is_not_ours(mill: Mill, clock: FakeClock) -> None:
    mill.start(*["running"] * 50)
    fail(mill, "GET /jobs", Answer(200, [{"id": 1, "status": "done", "kind": "job"}]))  # a list that is behind
    fail(mill, "POST /jobs", Answer(200, {"id": 1, "status": "running", "kind": "job"}))
    told = cancelled(begin(mill, clock))
    assert Token.read(told.token) == Token("orders", 1, ours=False)
    assert mill.stopped == []


def test_a_job_that_has_just_ended_is_no_error(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 50
    fail(mill, "DELETE /jobs/1", Answer(409, {"message": "it has ended"}))
    assert cancelled(begin(mill, clock)).error is None


def test_one_that_is_left_running_is_told_by_an_error_and_can_be_taken_up(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 50
    told = cancelled(begin(mill, clock, on_cancel="leave"))
    assert isinstance(told.error, RunError)
    assert "left running in the mill" in str(told.error)
    assert mill.stopped == []
    mill.end(1)
    assert begin(mill, clock, told.token).go().job is not None
    assert mill.posts == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_run_that_is_cancelled_before_it_has_a_job_starts_none_and_does_not_go_on_asking(
    mill: Mill, clock: FakeClock, late: bool
) -> None:
    if late:
        mill.start(*["running"] * 50)
    told = begin(mill, clock, late=late)
    told.go(lambda event: isinstance(event, Log) if late else intent(event))
    told.run.off.set()
    told.go()
    assert (told.job, told.error, mill.posts, mill.stopped) == (None, None, 0, [])
    assert len(mill.service.asked) == 1


# -- jobs that are over ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 410])
def test_one_that_is_gone_is_over_so_that_the_run_starts_another(mill: Mill, clock: FakeClock, status: int) -> None:
    fail(mill, "GET /jobs/1", *[Answer(status)] * 20)
    told = begin(mill, clock).go()
    assert isinstance(told.error, JobOverError)
    again = begin(mill, clock, told.token).go()
    assert isinstance(again.error, JobOverError)
    assert "`assetry retry` starts another job" in str(again.error)
    assert (mill.posts, mill.stopped) == (1, [])


def test_one_that_was_left_running_when_the_stream_was_closed_is_told_by_an_error(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"] * 50
    told = begin(mill, clock, on_cancel="leave").go(noted)
    with pytest.raises(RunError, match="left running in the mill"):
        told.stream.close()
    assert mill.stopped == []
    ours = begin(mill, clock).go(noted)
    ours.stream.close()  # joined: it is not ours to leave, or to keep


# -- what is told of assets --------------------------------------------------------------------------------------------


def telling(job: Seen) -> list[Event]:
    """Say of a job all that is known so far: one table is made while it runs, the other as it ends."""
    known: list[Event] = [Progress("mill/orders", 7), Materialized("mill/raw", metadata={"job": job.id})]
    if job.ended:
        known.append(Materialized("mill/orders") if job.succeeded else Failed("mill/orders", "It stopped."))
    return known


def of_assets(told: Told) -> list[tuple[str, str]]:
    return [(event.name, str(event.key)) for event in told.events if getattr(event, "key", None) is not None]


def test_what_a_job_has_made_is_told_as_it_goes_and_each_once(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["queued", "running", "running", "running", "done"]
    told = begin(mill, clock, tells=telling).go()
    assert of_assets(told) == [
        ("started", "mill/orders"),
        ("progress", "mill/orders"),
        ("materialized", "mill/raw"),
        ("materialized", "mill/orders"),
    ]


def test_what_is_made_is_told_before_the_job_has_ended(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running"]
    told = begin(mill, clock, tells=telling).go(until=lambda event: isinstance(event, Materialized))
    assert of_assets(told)[-1] == ("materialized", "mill/raw")
    mill.end(1)
    assert of_assets(told.go())[-1] == ("materialized", "mill/orders")


def test_a_job_that_has_ended_at_once_is_told_of_as_well(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["done"]
    assert [name for name, _ in of_assets(begin(mill, clock, tells=telling).go())] == [
        "started",
        "progress",
        "materialized",
        "materialized",
    ]


def test_nothing_is_told_by_a_job_that_is_only_waited_for(mill: Mill, clock: FakeClock) -> None:
    mill.start("running", "running", "running", "done")
    told = begin(mill, clock, late=True, tells=telling).go()
    assert next(event.metadata for event in told.events if isinstance(event, Materialized)) == {"job": 2}


def test_nothing_is_told_by_a_failed_job_that_another_one_follows(mill: Mill, clock: FakeClock) -> None:
    first = begin(mill, clock, tells=telling).go(until=noted)
    mill.end(1, "failed")
    told = begin(mill, clock, resume=first.token, tells=telling).go()
    assert next(event.metadata for event in told.events if isinstance(event, Materialized)) == {"job": 2}
    assert not [event for event in told.events if isinstance(event, Failed)]
    mill.next_script = ["running", "running", "running", "failed"]
    third = begin(mill, clock, tells=telling).go(until=noted)
    mill.end(3, "failed")
    mill.start("running", "done")
    assert not [event for event in third.go().events if isinstance(event, Failed)], "its place was taken"


def test_a_failed_job_tells_what_failed_when_no_other_follows(mill: Mill, clock: FakeClock) -> None:
    mill.next_script = ["running", "failed"]
    assert of_assets(begin(mill, clock, tells=telling).go())[-1] == ("failed", "mill/orders")


# -- what the service no longer has ------------------------------------------------------------------------------------


def test_what_was_deleted_has_a_next_step(mill: Mill, clock: FakeClock) -> None:
    fail(mill, "GET /jobs", Answer(404, {"message": "there are no orders"}))
    told = begin(mill, clock).go()
    assert isinstance(told.error, Refused)
    assert (told.error.status, told.error.hint) == (404, "Look whether the mill still has 'orders'.")
    fail(mill, "GET /jobs", Answer(403, {"message": "we are closed"}))
    assert "on Sundays" in str(begin(mill, clock).go().error)


def test_a_ready_job_reads_what_most_services_say() -> None:
    assert [Job("b1", word).ended for word in ("queued", "running", "succeeded", "failed")] == [
        False,
        False,
        True,
        True,
    ]
    assert (Job("b1", "pending").waiting, Job("b1", "running").order, Job("12", "x").order) == (True, -1, 12)
