"""Sending: what spools have, as lineage, by the official client."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assetry.plugin import AssetryError, IntegrationError, Mask
from assetry_toolkit.clock import Clock, never
from assetry_toolkit.secrets import resolve, without_user

from assetry_openlineage.options import Options
from assetry_openlineage.spool import Spool, spools

if TYPE_CHECKING:
    from openlineage.client.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

#: Seconds between two looks at what a run has told since, and the pauses before more tries once it is over.
LOOK, PAUSES = 0.5, (1.0, 4.0, 15.0)


@dataclass(slots=True)
class Sent:
    """How many events were sent, how many runs still wait, and why.

    >>> Sent().errors
    {}
    """

    events: int = 0
    waiting: int = 0
    errors: dict[str, str] = field(default_factory=dict)


class Reading:
    """What was read of a spool until now, and the events that follow from it and were not sent yet."""

    def __init__(self, spool: Spool, options: Options) -> None:
        from assetry_openlineage.lineage import Lineage

        self.spool = spool
        self._lineage = Lineage(options)
        self._place = 0
        self._at = ""
        #: Those that an earlier process has sent follow from the same lines, and are left out.
        self._skip = self.count = spool.sent
        self.events: deque[RunEvent] = deque()

    def go_on(self, *, over: bool) -> None:
        """Read what was written since; with `over` nothing more will be."""
        lines, self._place = self.spool.read(self._place)
        for line in lines:
            self._at = line.get("at", self._at)
            self._add(self._lineage.take(line))
        if over:
            self._add(self._lineage.end(self._at or datetime.now(UTC).isoformat()))

    def _add(self, events: Iterable[RunEvent]) -> None:
        for event in events:
            if self._skip:
                self._skip -= 1
            else:
                self.events.append(event)

    def sent_one(self) -> None:
        """Keep that the first of the events was sent."""
        self.events.popleft()
        self.count += 1
        self.spool.note_sent(self.count)


class Sender:
    """What sends lineage to the service that the options name; `secret` returns secrets by their names."""

    def __init__(self, options: Options, secret: Callable[[str], str]) -> None:
        self.options = options
        self._secret = secret
        self._mask = Mask()
        self._client: OpenLineageClient | None = None

    def send(self, reading: Reading, *, over: bool) -> int:
        """Send what there is of a run, and return how many events that was; with `over` its spool is removed then.

        Raises `IntegrationError` for what the service did not take.
        """
        reading.go_on(over=over)
        count = 0
        while reading.events:
            self._emit(reading.events[0])
            reading.sent_one()
            count += 1
        if over:
            reading.spool.remove()
        return count

    def _emit(self, event: RunEvent) -> None:
        try:
            self._opened().emit(event)
        except AssetryError:
            raise
        except Exception as error:  # the transports of the client raise whatever their libraries do
            told = without_user(self._mask(f"{type(error).__name__}: {error}"))
            raise IntegrationError(
                f"The lineage was not taken: {told}.", hint="It is kept, and `assetry openlineage send` sends it."
            ) from None

    def _opened(self) -> OpenLineageClient:
        if self._client is None:
            self._client = self._new_client()
        return self._client

    def _new_client(self) -> OpenLineageClient:
        from openlineage.client.client import OpenLineageClient
        from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

        given = self.options
        if given.url is None:
            client = OpenLineageClient()
            if client.transport.kind == "console":
                raise IntegrationError(
                    "Nothing says where lineage is to be sent.",
                    hint='Write url = "http://…" in [openlineage], or configure the client: OPENLINEAGE_URL.',
                )
            return client
        url, key = resolve(given.url, self._secret), resolve(given.api_key, self._secret)
        self._mask = Mask(frozenset(filter(None, (key, "" if isinstance(given.url, str) else url))))
        config = HttpConfig.from_dict({"url": url, "timeout": given.timeout})
        if key:
            config.auth = ApiKeyTokenProvider({"apiKey": key})
        return OpenLineageClient(transport=HttpTransport(config))

    def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            with suppress(Exception):
                self._client.close()


def follow(spool: Spool, sender: Sender, ended: threading.Event, clock: Clock) -> None:
    """Send what a run tells while it goes on, and the rest at its end, unless the service takes nothing for long."""
    pauses = iter(PAUSES)
    with spool.alone(wait=True) as there:
        reading = Reading(spool, sender.options) if there else None
        while reading is not None:
            over = ended.is_set()
            try:
                sender.send(reading, over=over)
            except AssetryError as error:
                spool.note_error(str(error))
                pause = next(pauses, None) if over else None
                if over and pause is None:
                    return
                if pause is not None:
                    clock.sleep(pause, never)
                else:
                    ended.wait(PAUSES[1])
                continue
            if over:
                return
            ended.wait(LOOK)


def send_left(root: Path, sender: Sender) -> Sent:
    """Send what waits of all runs, but of those that another process is at; one that cannot be sent ends it."""
    sent = Sent()
    for spool in spools(root):
        with spool.alone(wait=False) as there:
            if not there:
                continue
            over = spool.is_over
            try:
                if not sent.errors:
                    sent.events += sender.send(Reading(spool, sender.options), over=over)
            except AssetryError as error:
                spool.note_error(str(error))
                sent.errors[spool.run] = str(error)
            sent.waiting += bool(over and spool.path.exists())
    return sent
