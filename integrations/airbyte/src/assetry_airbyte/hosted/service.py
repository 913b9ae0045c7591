"""One Airbyte as the rest of the package sees it: the few questions that are asked of it, as values.

All invocations of a process that use the same Airbyte as the same user share one service, and with it the token, the
connections and the polling. It is made when the first needs it and closed when the last has let go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assetry_airbyte.clock import never
from assetry_airbyte.hosted.auth import Credentials, Secret
from assetry_airbyte.hosted.client import Client, Request
from assetry_airbyte.hosted.live_objects import take
from assetry_airbyte.hosted.responses import (
    Connection,
    Destination,
    Job,
    read_connection,
    read_destination,
    read_job,
    read_jobs,
    read_list,
)
from assetry_airbyte.hosted.settings import Options

#: The most that a list gives at a time.
PAGE = 100
#: No list is followed further than this many pages.
MOST_PAGES = 200
#: A sync is started by a request that the server may hold back for a minute, older ones until the sync runs.
START_TIMEOUT = 120.0
#: The request that stops a job is held back until it has stopped; a run has 30 seconds to end.
CANCEL_TIMEOUT = 15.0

Check = Callable[[], bool]


class Service:
    """Ask one Airbyte; raises `AirbyteError`."""

    def __init__(self, client: Client) -> None:
        self.client = client
        #: What invocations keep with the service: its poller, and whether the internal API answers.
        self.shared: dict[Any, Any] = {}
        self.lock = threading.Lock()

    def share(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return what is kept under a key, made by the first who asks."""
        with self.lock:
            if key not in self.shared:
                self.shared[key] = make()
            return self.shared[key]

    # -- definitions -------------------------------------------------------------------------------------------------

    def connection(self, id_: str, called_off: Check = never) -> Connection:
        """Return one connection."""
        return read_connection(self.client.ask(Request("GET", f"connections/{id_}"), called_off))

    def connections(self, workspace: str | None) -> list[Mapping[str, Any]]:
        """Return what is listed of the connections of a workspace, or of all of them, as it was answered."""
        found: dict[str, Mapping[str, Any]] = {}
        for page in range(MOST_PAGES):
            # Our own offset: the server's link to the next page may name another host, and forgets filters.
            params: dict[str, Any] = {"limit": PAGE, "offset": page * PAGE}
            if workspace:
                params["workspaceIds"] = workspace
            listed = read_list(self.client.ask(Request("GET", "connections", params)))
            known = len(found)
            for each in listed:
                found.setdefault(str(each.get("connectionId")), each)
            if len(listed) < PAGE or len(found) == known:
                break
        return list(found.values())

    def destination(self, id_: str) -> Destination:
        """Return one destination."""
        return read_destination(self.client.ask(Request("GET", f"destinations/{id_}")), id_)

    # -- jobs --------------------------------------------------------------------------------------------------------

    def jobs(self, connection: str, called_off: Check = never, *, page: int = 0, limit: int = 20) -> list[Job]:
        """Return jobs of a connection, newest first."""
        params = {"connectionId": connection, "orderBy": "createdAt|DESC", "limit": limit, "offset": page * limit}
        return read_jobs(self.client.ask(Request("GET", "jobs", params), called_off))

    def workspace_jobs(self, workspace: str) -> list[Job]:
        """Return the newest jobs of a workspace; asks once, and raises at the first fault."""
        params = {"workspaceIds": workspace, "orderBy": "createdAt|DESC", "limit": PAGE}
        return read_jobs(self.client.once(Request("GET", "jobs", params)))

    def job(self, id_: int | str) -> Job:
        """Return one job; asks once, and raises at the first fault."""
        return read_job(self.client.once(Request("GET", f"jobs/{id_}")))

    def start(self, connection: str) -> Job:
        """Start a sync; asks once: whoever calls must find out what an error has left behind."""
        body = {"connectionId": connection, "jobType": "sync"}
        return read_job(self.client.once(Request("POST", "jobs", json=body, timeout=START_TIMEOUT)))

    def cancel(self, id_: int | str) -> None:
        """Stop a job; asks once."""
        self.client.once(Request("DELETE", f"jobs/{id_}", timeout=CANCEL_TIMEOUT))

    # -- the internal API --------------------------------------------------------------------------------------------

    def internal(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask the configuration API, which only looks here; it may be blocked or changed."""
        return self.client.ask(Request("POST", f"{self.client.address.config}/{path}", json=body), attempts=3)


class _Shared:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.users = 0


_SERVICES: dict[tuple[Any, ...], _Shared] = {}
_LOCK = threading.Lock()


@contextmanager
def service_for(options: Options, secret: Secret) -> Iterator[Service]:
    """Give the service that the options name while this lasts."""
    credentials = Credentials.of(options)
    lives = tuple(reference["given"] for reference in (options.http_client, options.clock) if reference)
    key = (options.address, credentials.identity(), options.ca_bundle, lives)
    with _LOCK:
        if key not in _SERVICES:
            _SERVICES[key] = _Shared(Service(_client(options, credentials, secret)))
        shared = _SERVICES[key]
        shared.users += 1
    try:
        yield shared.service
    finally:
        with _LOCK:
            shared.users -= 1
            last = shared.users == 0
            if last:
                _SERVICES.pop(key, None)
        if last:
            shared.service.client.close()


def _client(options: Options, credentials: Credentials, secret: Secret) -> Client:
    http = take(options.http_client) if options.http_client else None
    transport = None
    if http is not None and hasattr(http, "handle_request"):
        http, transport = None, http
    return Client(
        options.address,
        credentials,
        secret,
        http=http,
        transport=transport,
        ca_bundle=str(Path(options.root) / options.ca_bundle) if options.ca_bundle else None,
        clock=take(options.clock) if options.clock else None,
    )
