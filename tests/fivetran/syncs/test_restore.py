"""What is changed for a sync is put back on every way out, and a warning says when it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from assetry.plugin import Event, Handle, Invocation, JobOverError, Log, Started
from assetry_fivetran.testing import FakeConnection, Fault

from tests.fivetran.conftest import Place, RunOf

BOTH = {"crm/accounts", "crm/orders"}


@pytest.fixture
def paused(place: Place) -> FakeConnection:
    return place.fivetran.add_connection("crm", ["accounts", "orders"], paused=True)


def invocation(place: Place, paused: FakeConnection) -> Invocation:
    return place.invocation(place.load(paused, on_paused="unpause", schedule_type="manual", restore=True))


@pytest.mark.parametrize(
    "until",
    [
        lambda event: isinstance(event, Log) and "is enabled now" in event.message,
        lambda event: isinstance(event, Log) and "it is manual now" in event.message,
        lambda event: isinstance(event, Handle) and '"asked": true' in event.token,
        lambda event: isinstance(event, Started),
    ],
    ids=["enabled", "prepared", "asked", "started"],
)
def test_a_retry_puts_back_what_a_killed_run_has_changed(
    place: Place, paused: FakeConnection, until: Callable[[Event], bool]
) -> None:
    asked = invocation(place, paused)
    first = place.run(asked, until=until)
    assert not paused.paused
    assert place.run(asked, resume=first.token).made == BOTH
    assert (paused.paused, paused.manual, len(paused.syncs)) == (True, False, 1)


def test_a_retry_puts_back_what_a_cancelled_run_has_changed_and_the_run_says_so(
    place: Place, paused: FakeConnection
) -> None:
    asked, context = invocation(place, paused), RunOf()

    def cancel(event: Event) -> bool:
        if isinstance(event, Started):
            context.stopped.set()
        return False

    first = place.run(asked, context=context, until=cancel)
    assert (
        "(schedule_type, paused) is put back when its sync has ended: `assetry retry`, or the next run of it, sees"
        in first.said
    )
    assert not paused.paused  # to pause it could end the sync
    assert place.run(asked, resume=first.token).made == BOTH
    assert (paused.paused, paused.manual, len(paused.syncs)) == (True, False, 1)


def test_what_is_cancelled_before_the_sync_is_put_back(place: Place, paused: FakeConnection) -> None:
    context = RunOf()

    def cancel(event: Event) -> bool:
        if isinstance(event, Log) and "it is manual now" in event.message:
            context.stopped.set()
        return False

    told = place.run(invocation(place, paused), context=context, until=cancel)
    assert (told.error, paused.paused, paused.manual, paused.syncs) == (None, True, False, [])


def test_a_sync_that_is_refused_leaves_all_as_it_was(place: Place, paused: FakeConnection) -> None:
    asked = invocation(place, paused)
    place.fivetran.fail("POST .*/sync", Fault(status=423, body={"code": "Locked", "message": "locked"}))
    told = place.run(asked)
    assert "locked" in str(told.error)
    assert (paused.paused, paused.manual) == (True, False)
    assert '"changed": {}' in told.token  # a retry does not put it back once more


def test_a_sync_that_is_over_leaves_all_as_it_was(place: Place, paused: FakeConnection) -> None:
    paused.outcomes = ["CANCELED"]
    asked = invocation(place, paused)
    first = place.run(asked, until=lambda event: isinstance(event, Handle) and '"asked": true' in event.token)
    assert isinstance(place.run(asked, resume=first.token).error, JobOverError)
    assert (paused.paused, paused.manual) == (True, False)


def test_what_cannot_be_put_back_is_warned_of(place: Place, paused: FakeConnection) -> None:
    asked = invocation(place, paused)

    def deny(event: Event) -> bool:
        if isinstance(event, Started):
            place.fivetran.fail("PATCH .*", Fault(status=403, body={"code": "Forbidden", "message": "no"}))
        return False

    told = place.run(asked, until=deny)
    assert told.made == BOTH
    (warning,) = [each for each in told.of(Log) if "could not be put back" in each.message]
    assert warning.level == "warning"
    assert "paused = true" in warning.message
    assert "no (Forbidden)" in warning.message


@pytest.mark.parametrize("ended", [True, False], ids=["ended since", "under way"])
def test_what_a_killed_run_has_changed_is_put_back_by_any_later_run_and_warned_of_until_then(
    place: Place, paused: FakeConnection, caplog: pytest.LogCaptureFixture, ended: bool
) -> None:
    place.run(invocation(place, paused), until=lambda event: isinstance(event, Started))
    later = invocation(place, paused)
    assert "crm is still as it was changed for a sync (schedule_type, paused): its next run puts" in caplog.text
    assert "crm is paused" not in caplog.records[-1].getMessage(), "it was, before it was changed"
    if ended:
        place.fivetran.finish(paused)
    assert place.run(later).made == BOTH
    assert (paused.paused, paused.manual) == (True, False)
    caplog.clear()
    place.load(paused)
    assert "still as it was changed" not in caplog.text
    assert "crm is paused" in caplog.text


def test_what_is_owed_is_not_put_back_while_a_sync_is_under_way(place: Place, paused: FakeConnection) -> None:
    place.run(invocation(place, paused), until=lambda event: isinstance(event, Started))
    told = place.run(place.invocation(place.load(paused, attach="refuse", restore=True)))
    assert "under way already" in str(told.error)
    assert (paused.paused, paused.manual) == (False, True)
    assert "is put back when its sync has ended" in told.said


def test_a_run_that_changes_nothing_itself_puts_back_what_is_owed(place: Place, paused: FakeConnection) -> None:
    place.run(invocation(place, paused), until=lambda event: isinstance(event, Started))
    assert place.run(place.invocation(place.load(paused))).made == BOTH
    assert (paused.paused, paused.manual) == (True, False)


def test_nothing_is_changed_that_cannot_be_noted(place: Place, paused: FakeConnection) -> None:
    asked = invocation(place, paused)
    (place.root / ".assetry" / "fivetran" / "settings").write_text("in the way")
    assert "cannot be" in str(place.run(asked).error)
    assert (paused.paused, paused.manual) == (True, False)
