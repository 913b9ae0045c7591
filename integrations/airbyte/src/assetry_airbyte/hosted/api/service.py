"""One Airbyte as the rest of the package sees it: the few questions that are asked of it, as values.

All invocations of a process that use the same Airbyte as the same user share one service, and with it the token, the
connections and the polling. It is made when the first needs it and closed when the last has let go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from assetry_toolkit.clock import never
from assetry_toolkit.errors import Unavailable
from assetry_toolkit.hosted.answers import table
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.live_objects import Shared

from assetry_airbyte.hosted.api.address import FORMS, Address
from assetry_airbyte.hosted.api.auth import Credentials, Secret, auth_of, fetch_token
from assetry_airbyte.hosted.api.responses import (
    Connection,
    Destination,
    Job,
    Stream,
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
#: How often the internal API is asked, which is of use and never needed.
INTERNAL_ATTEMPTS = 3

Check = Callable[[], bool]


class Service:
    """The questions to one Airbyte, asked as one user; raises `ServiceError`."""

    def __init__(self, http: Http, address: Address) -> None:
        self.http = http
        self.address = address
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
        return read_connection(self.http.ask(Request("GET", f"connections/{id_}"), called_off))

    def connections(self, workspace: str | None) -> list[Mapping[str, Any]]:
        """Return what is listed of the connections of a workspace, or of all of them, as it was answered."""
        found: dict[str, Mapping[str, Any]] = {}
        for page in range(MOST_PAGES):
            # Our own offset: the server's link to the next page may name another host, and forgets filters.
            params: dict[str, Any] = {"limit": PAGE, "offset": page * PAGE}
            if workspace:
                params["workspaceIds"] = workspace
            listed = read_list(self.http.ask(Request("GET", "connections", params)))
            known = len(found)
            for each in listed:
                found.setdefault(str(each.get("connectionId")), each)
            if len(listed) < PAGE or len(found) == known:
                break
        return list(found.values())

    def destination(self, id_: str) -> Destination:
        """Return one destination."""
        return read_destination(self.http.ask(Request("GET", f"destinations/{id_}")), id_)

    # -- jobs --------------------------------------------------------------------------------------------------------

    def jobs(self, connection: str, called_off: Check = never, *, page: int = 0, limit: int = 20) -> list[Job]:
        """Return jobs of a connection, newest first."""
        params = {"connectionId": connection, "orderBy": "createdAt|DESC", "limit": limit, "offset": page * limit}
        return read_jobs(self.http.ask(Request("GET", "jobs", params), called_off))

    def workspace_jobs(self, workspace: str) -> list[Job]:
        """Return the newest jobs of a workspace; asks once, and raises at the first error."""
        params = {"workspaceIds": workspace, "orderBy": "createdAt|DESC", "limit": PAGE}
        return read_jobs(self.http.once(Request("GET", "jobs", params)))

    def job(self, id_: int | str) -> Job:
        """Return one job; asks once, and raises at the first error."""
        return read_job(self.http.once(Request("GET", f"jobs/{id_}")))

    def start(self, connection: str) -> Job:
        """Start a sync; asks once: what an error has left behind is for the caller to find out."""
        body = {"connectionId": connection, "jobType": "sync"}
        return read_job(self.http.once(Request("POST", "jobs", json=body, timeout=START_TIMEOUT)))

    def refresh(self, connection: str, mode: str, streams: Iterable[Stream]) -> Job:
        """Start a refresh of streams by the internal API; asks once, as `start` does."""
        named = [_given(streamName=each.name, streamNamespace=each.namespace) for each in streams]
        body = {"connectionId": connection, "refreshMode": mode, "streams": named}
        url = f"{self.address.config}/connections/refresh"
        job = table(self.http.once(Request("POST", url, json=body, timeout=START_TIMEOUT))).get("job")
        if job is None:
            raise Unavailable("Airbyte took the refresh, and does not say which job it is.")
        return read_job(job)

    def cancel(self, id_: int | str) -> None:
        """Stop a job; asks once."""
        self.http.once(Request("DELETE", f"jobs/{id_}", timeout=CANCEL_TIMEOUT))

    # -- the internal API --------------------------------------------------------------------------------------------

    def internal(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask the configuration API, which only looks here; it may be blocked or changed."""
        return self.http.ask(
            Request("POST", f"{self.address.config}/{path}", json=body, looks=True), attempts=INTERNAL_ATTEMPTS
        )


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


_SERVICES = Shared[Service](close=lambda service: service.http.close())


@contextmanager
def service_for(options: Options, secret: Secret) -> Iterator[Service]:
    """Give the service that the options name while this lasts."""
    credentials = Credentials.of(options)
    key = (options.address, credentials.identity(), options.ca_bundle, options.lives)
    with _SERVICES.lend(key, lambda: Service(_http(options, credentials, secret), options.address)) as service:
        yield service


def _http(options: Options, credentials: Credentials, secret: Secret) -> Http:
    address = options.address
    clock = options.time
    api = Api(
        name="Airbyte",
        base=address.public,
        headers={"User-Agent": "assetry-airbyte"},
        ca_bundle=options.ca_path,
        address_hint=FORMS,
        auth_hint='Set client_id and client_secret = { env = "…" } of an application: Airbyte, Settings, Applications.',
        credentials=credentials.named,
    )
    auth = auth_of(credentials, secret, clock, lambda user, value: fetch_token(http, address.token, user, value))
    http = Http(api, auth, client=options.client, clock=clock)
    return http
