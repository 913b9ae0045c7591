"""HTTP with a service: one request, its errors told apart, and repeated where that is safe and of use.

    api = Api(name="Mill", base="https://mill.example.com/api/v1")
    with Http(api, bearer(lambda: context.secret("MILL_TOKEN"))) as http:
        jobs = http.ask(Request("GET", "jobs", params={"limit": 20}))

`Http.once` asks once. `Http.ask` repeats what only looks (and what was certainly not carried out) with growing pauses;
what changes something is never repeated blindly. httpx is imported by the first request; it comes with the extra
``assetry-toolkit[http]``.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import TYPE_CHECKING, Any

from assetry.plugin import IntegrationError

from assetry_toolkit.auth import Auth
from assetry_toolkit.clock import Clock, Within, never
from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.retries import ATTEMPTS, TOLD, Tries, http_date, repeated, retry_after, time_in, waiting_text
from assetry_toolkit.secrets import Mask, Reference, place_of

if TYPE_CHECKING:
    import httpx

#: Seconds that an answer may take, and that connecting may: it is quick or broken.
TIMEOUT, CONNECT = 30.0, 10.0

LOG = logging.getLogger("assetry.toolkit")


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` is appended to the API's base unless it is a whole URL.

    The body is `json`, or `form` as fields of a form. `looks` says that it changes nothing, so that it may be repeated:
    GET and HEAD do not unless told. One that is not `signed` is sent without credentials. `timeout` is in seconds.

    >>> Request("GET", "jobs/7").only_looks, Request("POST", "jobs").only_looks
    (True, False)
    """

    method: str
    path: str = ""
    params: Mapping[str, Any] | None = None
    json: Any = None
    form: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = TIMEOUT
    looks: bool | None = None
    signed: bool = True

    @property
    def only_looks(self) -> bool:
        """Tell whether it changes nothing."""
        return self.method in ("GET", "HEAD") if self.looks is None else self.looks


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One API over HTTP: what errors call it, and where it stands.

    * `base`: the URL that paths are appended to.
    * `headers`: sent with every request.
    * `ca_bundle`: a file with a certificate authority of the user's own.
    * `address_hint`, `auth_hint`, `busy_hint`: the next step when something else answers there, when the credentials
      are refused, and when it has been asked too often.
    * `credentials`: references to these, by the option that each stands in: where it was read is told when they are
      refused, and the line of the first.
    """

    name: str
    base: str
    headers: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: str | None = None
    address_hint: str | None = None
    auth_hint: str | None = None
    credentials: Mapping[str, Reference | None] = field(default_factory=dict)
    busy_hint: str | None = None

    def url(self, path: str) -> str:
        """Return the URL of a path.

        >>> Api(name="Mill", base="https://mill.example.com/v1/").url("jobs")
        'https://mill.example.com/v1/jobs'
        """
        if path.startswith(("http://", "https://")):
            return path
        return f"{self.base.rstrip('/')}/{path.lstrip('/')}" if path else self.base


class Http:
    """The requests to one API, as one user; a context, at whose end the connections are closed.

    `client` is an `httpx.Client` of the user's, which is left open, or a transport; else a client is made at the first
    request, which heeds proxy variables. `mask` takes out of errors what else is secret, such as a key in a URL.
    `before` is called before each request, and may raise `Unavailable`: a budget of calls. Safe for several threads.
    """

    def __init__(
        self,
        api: Api,
        auth: Auth | None = None,
        *,
        client: httpx.Client | httpx.BaseTransport | None = None,
        clock: Clock | None = None,
        mask: Mask | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        self.api = api
        self.clock = clock or Clock()
        #: How often `ask` tries what says nothing else; where an answer can be done without it is made less.
        self.attempts = ATTEMPTS
        #: For how many seconds `ask` waits in all before it tries again.
        self.patience = inf
        #: Until when, by the clock, it was told that is waited.
        self._told_until = -inf
        self._auth = auth
        self._mask = mask or Mask()
        self._before = before
        #: The server's clock as its last answer showed it, and our own at that moment.
        self._date: tuple[datetime, float] | None = None
        self._given = client
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections that were opened here."""
        with self._lock:
            if self._client is not None and self._client is not self._given:
                self._client.close()
            self._client = None

    def ask(self, request: Request, called_off: Callable[[], bool] = never, attempts: int | None = None) -> Any:
        """Return the answer's JSON, repeating the request while that is safe and may help; raise `ServiceError`.

        It is repeated so many `attempts`; without them as long as `called_off` lasts, where that is a time (`within`):
        a pause that would be longer is not made. Long ones are told of, to that time where it is to be told.
        """
        most = attempts or (sys.maxsize if isinstance(called_off, Within) else self.attempts)
        left, tell = (called_off.left, called_off.tell) if isinstance(called_off, Within) else (inf, None)

        def waiting(error: ServiceError, seconds: float) -> None:
            if tell is None:
                self._tell_wait(error, seconds)
            elif seconds >= TOLD:
                tell(waiting_text(error, seconds))

        tries = Tries(most, request.only_looks, min(self.patience, left))
        return repeated(lambda: self.once(request), self.clock, called_off, tries, waiting)

    def once(self, request: Request) -> Any:
        """Return the answer's JSON, None for an empty one; see `response` for what is raised."""
        return self._json(self.response(request), request)

    def response(self, request: Request) -> httpx.Response:
        """Return the answer to one request, whatever its content, once it is known to be good.

        A 401 means that nothing was carried out: where another token can be had, it is fetched and the request sent
        once more. Raises `AuthError`, `WrongAddress`, `Refused` or `Unavailable`.
        """
        if not request.signed or self._auth is None:
            return self._checked(self._send(request, None), request)
        header = self._auth.header()
        response = self._send(request, header)
        if response.status_code == 401:
            self._auth.drop(header)
            if self._auth.renewable:
                header = self._auth.header()
                response = self._send(request, header)
        return self._checked(response, request)

    def _tell_wait(self, error: ServiceError, seconds: float) -> None:
        """Tell that is waited, where it is for long; of several requests that wait for the same it is told once."""
        end = self.clock.monotonic() + seconds
        with self._lock:
            known = seconds < TOLD or end < self._told_until + TOLD
            self._told_until = self._told_until if known else end
        if not known:
            LOG.warning("%s", waiting_text(error, seconds))

    @property
    def server_time(self) -> datetime | None:
        """Return what the server takes for the time, by the header ``Date``; None as long as it has not said."""
        known = self._date
        return None if known is None else known[0] + timedelta(seconds=self.clock.monotonic() - known[1])

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, request: Request, header: str | None) -> httpx.Response:
        client = self._opened()
        import httpx

        if self._before is not None:
            self._before()
        url = self.api.url(request.path)
        headers = {"Accept": "application/json", "User-Agent": "assetry", **self.api.headers, **request.headers}
        if header is not None:
            headers["Authorization"] = header
        try:
            response = client.request(
                request.method,
                url,
                params=request.params,
                json=request.json,
                data=request.form,
                headers=headers,
                timeout=httpx.Timeout(request.timeout, connect=CONNECT),
            )
            self._date = _date_of(response, self.clock) or self._date
            return response
        except httpx.RequestError as error:
            raise self._not_answered(url, error) from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._wrong(f"{url} is not a URL: {error}.") from None

    def _not_answered(self, url: str, error: httpx.RequestError) -> ServiceError:
        import httpx

        if isinstance(error, httpx.UnsupportedProtocol):
            return self._wrong(f"{url} is not a URL.")
        told = str(error) or type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in told:
            return WrongAddress(
                self.masked(f"The certificate of {self.api.base} is not trusted: {told}."),
                hint='Name your certificate authority: ca_bundle = "path/to/ca.pem".',
            )
        what = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
        found = Unavailable(
            self.masked(f"{self.api.name} at {self.api.base} {what}: {told}."),
            hint=" ".join(filter(None, ("Is it running?", self.api.address_hint))),
        )
        connecting = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        return found.before_execution() if isinstance(error, connecting) else found

    def _opened(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> httpx.Client:
        try:
            import httpx
        except ImportError:
            raise IntegrationError(
                "HTTP is spoken with httpx, which is not installed.", hint="pip install 'assetry-toolkit[http]'"
            ) from None
        if isinstance(self._given, httpx.Client):
            return self._given
        verify: Any = _trusting(self.api.ca_bundle) if self.api.ca_bundle else True
        return httpx.Client(transport=self._given, verify=verify, trust_env=True)

    # -- reading -----------------------------------------------------------------------------------------------------

    def _checked(self, response: httpx.Response, request: Request) -> httpx.Response:
        """Return an answer that is good; raise what it means otherwise."""
        status = response.status_code
        if status < 300:
            return response
        if status < 400:
            raise self._not_it(f"it redirects to {response.headers.get('location', 'another page')}", status)
        told = self._told(response)
        if status == 429 or status >= 500:
            raise self._not_now(response, request, told)
        if status == 401 and request.signed:
            raise self._unauthorized(told)
        if status == 404 and _is_page(response):
            raise self._not_it("it answers with a web page, perhaps a login page", status)
        hint = "The role of these credentials may be too low." if status == 403 else None
        message = f"{self.api.name} refused {request.method} {request.path}: {told or f'HTTP {status}'}"
        raise Refused(self.masked(message), status=status, hint=hint)

    def _told(self, response: httpx.Response) -> str:
        try:
            return said(response.json())
        except ValueError:
            return ""  # proxies answer with pages of their own

    def _not_now(self, response: httpx.Response, request: Request, told: str) -> Unavailable:
        status, seconds = response.status_code, retry_after(response.headers)
        message = f"{self.api.name} at {self.api.base} answered {request.method} {request.path} with HTTP {status}"
        found = Unavailable(
            self.masked(f"{message}: {told}" if told else f"{message}."),
            status=status,
            retry_after=seconds,
            hint=" ".join(filter(None, (_when_again(status, seconds), self.api.busy_hint if status == 429 else None))),
        )
        return found.before_execution() if status == 429 else found

    def _unauthorized(self, told: str) -> AuthError:
        named = self._auth.named if self._auth is not None else "requests without credentials"
        message = f"{self.api.name} at {self.api.base} does not accept {named} (HTTP 401{f': {told}' if told else ''})."
        read = ", ".join(f"{option} is {place_of(each)}" for option, each in self.api.credentials.items())
        hint = " ".join(filter(None, (self.api.auth_hint, f"Here {read}." if read else None))) or None
        error = AuthError(self.masked(message), status=401, hint=hint)
        error.option = next(iter(self.api.credentials), None)
        return error

    def _json(self, response: httpx.Response, request: Request) -> Any:
        if not response.content:
            return None
        try:
            return response.json()
        except ValueError:
            if _is_page(response):
                raise self._not_it("it answers with a web page, perhaps a login page", response.status_code) from None
            # A body that broke off is not a reason to believe that this is not the service.
            asked = f"{self.api.name} at {self.api.base} answered {request.method} {request.path}"
            raise Unavailable(self.masked(f"{asked} with something that is not JSON.")) from None

    def _not_it(self, why: str, status: int) -> WrongAddress:
        return self._wrong(f"There is no {self.api.name} API at {self.api.base}: {why}.", status)

    def _wrong(self, message: str, status: int | None = None) -> WrongAddress:
        return WrongAddress(self.masked(message), status=status, hint=self.api.address_hint)

    def masked(self, text: str) -> str:
        """Return a text of the service without our own secrets, which it may repeat: for what is kept of it."""
        own = self._auth.mask() if self._auth is not None else Mask()
        return own(self._mask(text))


def said(body: Any) -> str:
    """Return what an error's body tells people, in whichever of the usual places it stands; "" when it says nothing.

    A ``code`` that is a word is told with it: people look for it in the service's documentation.

    >>> said({"title": "x", "detail": "in short", "data": {"message": "at length"}})
    'at length'
    >>> said({"status": {"code": 404, "user_message": "No such job."}}), said({"errors": [{"message": "a"}]}), said([1])
    ('No such job.', 'a', '')
    >>> said({"code": "NotFound_Job", "message": "No such job."})
    'No such job. (NotFound_Job)'
    """
    if isinstance(body, (list, tuple)):
        return next(filter(None, map(said, body)), "")
    if not isinstance(body, Mapping):
        return ""
    deeper = (said(body.get(name)) for name in ("data", "error", "errors", "status"))
    names = ("user_message", "detail", "message", "error_description", "title", "error")
    own = (text.strip() for text in map(body.get, names) if isinstance(text, str))
    told, code = next(filter(None, (*deeper, *own)), ""), body.get("code")
    return f"{told} ({code})".strip() if isinstance(code, str) and code else told


def _date_of(response: httpx.Response, clock: Clock) -> tuple[datetime, float] | None:
    found = http_date(response.headers.get("date", ""))
    return None if found is None else (found, clock.monotonic())


def _when_again(status: int, seconds: float | None, now: datetime | None = None) -> str:
    """Return when an answer may be better.

    >>> _when_again(429, 90.0, datetime(2026, 1, 1, 12, 30))
    'It has been asked too often, and takes calls again in 90 seconds, at 12:31:30.'
    """
    why = "It has been asked too often" if status == 429 else "It may be overloaded or restarting"
    if seconds is None:
        return f"{why}; try again later."
    return f"{why}, and takes calls again in {seconds:.0f} seconds, at {time_in(seconds, now)}."


def _is_page(response: httpx.Response) -> bool:
    return "html" in response.headers.get("content-type", "") or response.text.lstrip()[:1] == "<"


def _trusting(ca_bundle: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise WrongAddress(
            f"The certificate authority {ca_bundle} cannot be read: {error}.",
            hint="ca_bundle names a PEM file; a relative path starts at the project's folder.",
        ) from None
