"""HTTP with Airbyte's API: one request, its faults told apart, and repeated where that is safe and of use.

`Client.once` asks once. `Client.ask` repeats what only looks (and what was certainly not executed) with growing
pauses. What changes something is never repeated blindly.
"""

from __future__ import annotations

import email.utils
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assetry_airbyte.clock import Clock, never
from assetry_airbyte.hosted.address import Address
from assetry_airbyte.hosted.auth import Authority, Credentials, Secret
from assetry_airbyte.hosted.errors import FORMS, AirbyteError, AuthError, NotAirbyte, Refused, Unavailable, said

#: Seconds that an answer may take; a sync is started by a request that may take much longer.
TIMEOUT = 30.0
#: How often a look is repeated before it counts as failed, with pauses of 1, 2, 4, 8 … seconds between.
ATTEMPTS = 6
#: The longest that a server's wish to be left alone is heeded at a time.
LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Request:
    """Be one request; `path` is appended to the public base unless it is a whole URL."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    timeout: float = TIMEOUT


class Client:
    """Talk to one Airbyte, as one user.

    `http` is an `httpx.Client` of the user's, which is left open; else one is made at the first request, which heeds
    proxy variables and, with `ca_bundle`, another certificate authority. Safe for several threads.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        secret: Secret,
        *,
        http: Any = None,
        transport: Any = None,
        ca_bundle: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.address = address
        self.clock = clock or Clock()
        #: How often a look is repeated that says nothing else; whoever can do without an answer makes it less.
        self.attempts = ATTEMPTS
        self._given = http
        self._http = http
        self._transport = transport
        self._ca_bundle = ca_bundle
        self._lock = threading.Lock()
        self._authority = Authority(credentials, secret, self.clock, self._fetch_token)

    def close(self) -> None:
        """Let go of the connections that we opened."""
        with self._lock:
            if self._http is not None and self._given is None:
                self._http.close()
                self._http = None

    # -- asking ------------------------------------------------------------------------------------------------------

    def ask(self, request: Request, called_off: Callable[[], bool] = never, attempts: int | None = None) -> Any:
        """Return the answer's JSON, repeating the request while that may help; raise `AirbyteError`."""
        return self._again(lambda: self.once(request), called_off, attempts or self.attempts)

    def _again(self, work: Callable[[], Any], called_off: Callable[[], bool], attempts: int) -> Any:
        for attempt in range(attempts):
            try:
                return work()
            except Unavailable as error:
                if attempt + 1 == attempts or not self.clock.sleep(self.pause(error, attempt), called_off):
                    raise
        raise AssertionError("unreachable")

    def pause(self, error: AirbyteError, attempt: int) -> float:
        """Return the seconds to wait after an error, the `attempt`-th in a row, counted from 0."""
        if error.retry_after is not None:
            return min(error.retry_after, LONGEST_PAUSE) + self.clock.jitter(0.5)
        first = 2.0 if error.status == 429 else 1.0
        return self.clock.jitter(min(first * 2**attempt, 60.0))

    def once(self, request: Request) -> Any:
        """Return the answer's JSON, None for an empty one.

        A 401 means that nothing was executed: then another token is fetched and the request is sent once more. Raises
        `AuthError`, `NotAirbyte`, `Refused` or `Unavailable`.
        """
        header = self._authority.header()
        response = self._send(request, header)
        if response.status_code == 401 and self._authority.renewable:
            self._authority.drop(header)
            response = self._send(request, self._authority.header())
        if response.status_code == 401:
            raise self._unauthorized(response)
        return self._read(response, request)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, request: Request, header: str | None, **body: Any) -> Any:
        import httpx

        url = request.path if request.path.startswith("http") else f"{self.address.public}/{request.path}"
        headers = {"Accept": "application/json", "User-Agent": "assetry-airbyte"}
        if header is not None:
            headers["Authorization"] = header
        if request.json is not None and not body:
            body = {"json": request.json}
        # Connecting is quick or broken; only the answer may take its time.
        timeout = httpx.Timeout(request.timeout, connect=10.0)
        try:
            return self._opened().request(
                request.method, url, params=request.params, headers=headers, timeout=timeout, **body
            )
        except httpx.RequestError as error:
            raise self._unavailable(url, error) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise NotAirbyte(f"{url} is not a URL: {error}.", hint=FORMS) from None

    def _unavailable(self, url: str, error: Exception) -> AirbyteError:
        import httpx

        if isinstance(error, httpx.UnsupportedProtocol):
            return NotAirbyte(f"{url} is not a URL.", hint=FORMS)
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
        told = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in told:
            return NotAirbyte(
                f"The certificate of {self.address.public} is not trusted: {told}.",
                hint='Name your certificate authority: ca_bundle = "path/to/ca.pem".',
            )
        found = Unavailable(f"Airbyte at {self.address.public} {what}: {told}.", hint=f"Is it running? {FORMS}")
        if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
            found.executed = False
        return found

    def _opened(self) -> Any:
        with self._lock:
            if self._http is None:
                import httpx

                verify: Any = _trusting(self._ca_bundle) if self._ca_bundle else True
                self._http = httpx.Client(transport=self._transport, verify=verify, trust_env=True)
            return self._http

    # -- reading -----------------------------------------------------------------------------------------------------

    def _read(self, response: Any, request: Request) -> Any:
        status = response.status_code
        if status == 429 or status >= 500:
            raise self._not_now(response, request)
        body = self._json(response)
        if status >= 400:
            told = said(body) or f"HTTP {status}"
            hint = "The role of these credentials may be too low." if status == 403 else None
            raise Refused(f"Airbyte refused {request.method} {request.path}: {told}", hint=hint).with_status(status)
        return body

    def _not_now(self, response: Any, request: Request) -> AirbyteError:
        status = response.status_code
        try:
            told = said(response.json())
        except ValueError:
            told = ""  # proxies answer with pages of their own
        error = Unavailable(
            f"Airbyte at {self.address.public} answered {request.method} {request.path} with HTTP {status}"
            + (f": {told}" if told else "."),
            hint="It may be overloaded or restarting; try again later.",
        )
        if status == 429:
            error.executed = False
        return error.with_status(status, retry_after(response.headers))

    def _json(self, response: Any) -> Any:
        """Return the body; raise `NotAirbyte` for a login page, a redirect, or anything that is no JSON."""
        status, kind = response.status_code, response.headers.get("content-type", "").partition(";")[0]
        if 300 <= status < 400:
            raise self._not_airbyte(f"it redirects to {response.headers.get('location', 'another page')}")
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            if status >= 400 and status != 404:
                return None
            page = "html" in kind or response.text.lstrip()[:1] == "<"
            if status == 404 and not page:
                return None
            if page:
                raise self._not_airbyte("it answers with a web page, perhaps a login page") from None
            # A body that broke off is no reason to believe that this is not Airbyte.
            raise Unavailable(f"Airbyte at {self.address.public} answered with something that is no JSON.") from None

    def _not_airbyte(self, why: str) -> NotAirbyte:
        return NotAirbyte(f"There is no Airbyte API at {self.address.public}: {why}.", hint=FORMS)

    def _unauthorized(self, response: Any) -> AuthError:
        try:
            told = said(response.json())
        except ValueError:
            told = ""
        kinds = {
            "application": "client_id and client_secret",
            "token": "the token",
            "basic": "username and password",
            "none": "requests without authentication",
        }
        what = kinds[self._authority.kind]
        error = AuthError(
            f"Airbyte at {self.address.public} does not accept {what} (HTTP 401{f': {told}' if told else ''}).",
            hint='Set client_id and client_secret = { env = "…" } of an application (Airbyte: Settings, Applications).',
        )
        error.status = 401
        return error

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _fetch_token(self, user: str, secret: str) -> Mapping[str, Any]:
        # The API's own description misspells the field; servers have wanted either, and ignore what they do not know.
        given = {"client_id": user, "client_secret": secret}
        body = {**given, "grant_type": "client_credentials", "grant-type": "client_credentials"}
        request = Request("POST", self.address.token)
        response = self._send(request, None, json=body)
        if response.status_code in (400, 415):
            response = self._send(request, None, data=body)
        if response.status_code in (400, 401, 403, 404, 415, 422):
            self._no_page(response)
            raise self._no_token(response)
        answer = self._read(response, request)
        if not isinstance(answer, dict):
            raise self._not_airbyte("it hands out no tokens")
        return answer

    def _no_page(self, response: Any) -> None:
        if "html" in response.headers.get("content-type", ""):
            self._json(response) if response.status_code == 404 else None

    def _no_token(self, response: Any) -> AirbyteError:
        status = response.status_code
        what = "nothing hands out tokens there" if status == 404 else "client_id and client_secret are not accepted"
        error = AuthError(f"No token from {self.address.token} (HTTP {status}): {what}.", hint=FORMS)
        error.status = status
        return error


def _trusting(ca_bundle: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise NotAirbyte(
            f"The certificate authority {ca_bundle} cannot be read: {error}.",
            hint="ca_bundle names a PEM file; a relative path starts at the project's folder.",
        ) from None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to be left alone, from seconds or a date; None when it does not say.

    A date is taken against the server's own clock, as its ``Date`` header shows it.

    >>> retry_after({"retry-after": "7"}), retry_after({}), retry_after({"retry-after": "soon"})
    (7.0, None, None)
    >>> retry_after({"retry-after": "Wed, 01 Jan 2025 00:00:30 GMT", "date": "Wed, 01 Jan 2025 00:00:10 GMT"})
    20.0
    """
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    until, now = _date(value), _date(headers.get("date") or "") or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until is not None else None


def _date(text: str) -> datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
