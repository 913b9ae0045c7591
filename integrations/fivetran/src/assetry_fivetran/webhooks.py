"""Fivetran's webhooks, for those who can receive them: checked, taken once, and turned into an observation.

A webhook only says that it is worth looking: what became of a sync is read from the API, as `assetry observe` does. So
one that is forged, late or repeated can do no harm, and a failure that Fivetran mends by itself is none.

    from assetry_fivetran.webhooks import Inbox

    inbox = Inbox(secret=os.environ["FIVETRAN_WEBHOOK_SECRET"])

    def post(request):  # of any web framework
        signature = request.headers.get("X-Fivetran-Signature-256")
        return inbox.handle(request.body, signature, lambda event: observe(project, event))

An error is to be answered with 500, as frameworks do: Fivetran sends the event again then, and it is looked at anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assetry_toolkit.hosted.answers import table, text
from assetry_toolkit.hosted.webhooks import SignedInbox, observe_connection

if TYPE_CHECKING:
    from assetry import Project


@dataclass(frozen=True, slots=True)
class SyncEnd:
    """A sync ended, as a webhook has it; its `status` is provisional: Fivetran may try again."""

    connection: str
    sync: str
    status: str


def read_event(body: bytes) -> SyncEnd | None:
    """Return the end of a sync; None for any other event, a test among them. All spellings that were seen are read.

    >>> read_event(b'{"event": "sync_end", "connector_id": "c", "sync_id": "s", "data": {"status": "SUCCESSFUL"}}')
    SyncEnd(connection='c', sync='s', status='SUCCESSFUL')
    >>> read_event(b'{"event": "test_event"}'), read_event(b"<html>")
    (None, None)
    """
    try:
        given: Mapping[str, Any] = table(json.loads(body))
    except ValueError:
        return None
    connection = text(given.get("connection_id")) or text(given.get("connector_id"))
    if given.get("event") != "sync_end" or connection is None:
        return None
    status = text(table(given.get("data")).get("status")) or ""
    return SyncEnd(connection, text(given.get("sync_id")) or text(given.get("created")) or "", status.upper())


class Inbox(SignedInbox[SyncEnd]):
    """Takes webhooks: each that is signed, once. Safe for several threads.

    Fivetran sends an event again for a day until it is answered with 200, and turns the webhook off after that.

    >>> Inbox("s3cret").take(b"{}", "00")
    (401, None)
    """

    def __init__(self, secret: str) -> None:
        super().__init__(secret, read_event)


def observe(project: Project, event: SyncEnd) -> list[str]:
    """Look at the connection of an event and record what became of it; return the keys that were observed.

    Raises `RunError` when Fivetran could not be asked: nothing was observed, then.
    """
    return observe_connection(project, "fivetran", event.connection)
