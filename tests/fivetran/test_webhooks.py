"""Webhooks: only those that are signed, each once, and the truth is what the API says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.plugin import RunError
from assetry_fivetran.testing import FakeConnection, FakeFivetran, Fault
from assetry_fivetran.webhooks import Inbox, SyncEnd, observe

from tests.fivetran.conftest import Place

SECRET = "hook-s3cret"


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(SECRET)


def synced(place: Place, crm: FakeConnection) -> None:
    place.fivetran.begin(crm)
    place.clock.pass_time(60)
    place.fivetran.connection_json(crm)


def sent(place: Place, crm: FakeConnection, **fields: Any) -> tuple[bytes, str]:
    body, headers = place.fivetran.webhook(crm.syncs[-1], SECRET, **fields)
    return body, headers["X-Fivetran-Signature-256"]


def test_one_that_is_signed_is_taken_once_however_often_it_comes(
    place: Place, crm: FakeConnection, inbox: Inbox
) -> None:
    synced(place, crm)
    body, signature = sent(place, crm)
    assert inbox.take(body, signature) == (200, SyncEnd(crm.id, f"{crm.id}-0", "SUCCESSFUL"))
    assert inbox.take(body, signature) == (200, None)
    assert inbox.take(body, signature.lower()) == (200, None)


@pytest.mark.parametrize("signature", ["", None, "00", "é"])
def test_one_that_is_not_signed_is_refused(inbox: Inbox, signature: str | None) -> None:
    assert inbox.take(b'{"event": "sync_end"}', signature) == (401, None)


def test_the_very_bytes_are_signed(place: Place, crm: FakeConnection, inbox: Inbox) -> None:
    synced(place, crm)
    body, signature = sent(place, crm)
    assert inbox.take(json.dumps(json.loads(body), indent=1).encode(), signature)[0] == 401


@pytest.mark.parametrize("fields", [{"event": "test_event", "sync_id": None}, {"event": "sync_start"}])
def test_a_test_and_other_events_are_answered_and_mean_nothing(
    place: Place, crm: FakeConnection, inbox: Inbox, fields: dict[str, Any]
) -> None:
    synced(place, crm)
    assert inbox.take(*sent(place, crm, **fields)) == (200, None)


def test_the_newer_spelling_is_read_too(place: Place, crm: FakeConnection, inbox: Inbox) -> None:
    synced(place, crm)
    _, event = inbox.take(*sent(place, crm, connection_id="c_new", connector_id=None))
    assert event is not None
    assert event.connection == "c_new"


def test_a_webhook_becomes_an_observation_of_what_the_api_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Inbox
) -> None:
    monkeypatch.setenv("SECRET", FakeFivetran.api_secret)
    with FakeFivetran() as fivetran:
        crm = fivetran.add_connection("crm", ["accounts"], seconds=0.0)
        (tmp_path / "assetry.toml").write_text(
            f'[integrations.crm]\nkind = "fivetran"\nconnection_id = "{crm.id}"\nbase_url = "{fivetran.url}"\n'
            f'api_key = "{fivetran.api_key}"\napi_secret = {{ env = "SECRET" }}\n'
        )
        fivetran.begin(crm)
        # It says that it failed, and Fivetran has mended it by itself: what counts is how the connection stands.
        body, headers = fivetran.webhook(crm.syncs[-1], SECRET, data={"status": "FAILURE"})
        _, event = inbox.take(body, headers["X-Fivetran-Signature-256"])
        assert event is not None
        with Project.load(tmp_path) as project:
            assert observe(project, event) == ["crm/accounts"]
            (seen,) = project.store.latest().values()
            assert seen.metadata["synced_at"].startswith("2026-01-01T")
            assert observe(project, SyncEnd("another", "s", "SUCCESSFUL")) == []


def test_an_event_that_could_not_be_looked_at_is_taken_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Inbox
) -> None:
    monkeypatch.setenv("SECRET", FakeFivetran.api_secret)
    with FakeFivetran() as fivetran:
        crm = fivetran.add_connection("crm", ["accounts"], seconds=0.0)
        (tmp_path / "assetry.toml").write_text(
            f'[integrations.crm]\nkind = "fivetran"\nconnection_id = "{crm.id}"\nbase_url = "{fivetran.url}"\n'
            f'api_key = "{fivetran.api_key}"\napi_secret = {{ env = "SECRET" }}\npoll_error_budget = 0.1\n'
        )
        fivetran.begin(crm)
        body, headers = fivetran.webhook(crm.syncs[-1], SECRET)
        signature = headers["X-Fivetran-Signature-256"]
        with Project.load(tmp_path) as project:
            assert len(project.graph) == 1  # it is read before Fivetran is down
            fivetran.fail("GET .*", Fault(status=500), times=100)
            with pytest.raises(RunError, match=f"(?s)Nothing was observed of connection {crm.id}: .*500"):
                inbox.handle(body, signature, lambda event: observe(project, event))
            assert project.store.latest() == {}
            fivetran.faults.clear()
            assert inbox.handle(body, signature, lambda event: observe(project, event)) == 200
            assert len(project.store.latest()) == 1
            assert inbox.handle(body, signature, lambda _: pytest.fail("It was taken already.")) == 200


def test_a_webhook_waits_no_longer_than_its_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inbox: Inbox
) -> None:
    monkeypatch.setenv("SECRET", FakeFivetran.api_secret)
    with FakeFivetran() as fivetran:
        crm = fivetran.add_connection("crm", ["accounts"], seconds=0.0)
        (tmp_path / "assetry.toml").write_text(
            f'[integrations.crm]\nkind = "fivetran"\nconnection_id = "{crm.id}"\nbase_url = "{fivetran.url}"\n'
            f'api_key = "{fivetran.api_key}"\napi_secret = {{ env = "SECRET" }}\n'
        )
        with Project.load(tmp_path) as project:
            assert len(project.graph) == 1
            fivetran.fail("GET .*", Fault(status=429, headers={"Retry-After": "3000"}), times=100)
            began = time.monotonic()
            with pytest.raises(RunError, match="takes calls again in 3000 seconds"):
                observe(project, SyncEnd(crm.id, "s", "SUCCESSFUL"))
            assert time.monotonic() - began < 60
