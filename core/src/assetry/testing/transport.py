"""A transport for httpx clients that reaches no network: a function, or routes, answer instead of a server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from assetry.errors import near_names

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked of a fake service; `json` is the body read as JSON, None when there is none.

    `path` is without the query, which is in `query`; `arguments` are the parts of the path that a route names.

    >>> Request("GET", "https://api.example.com/jobs/7", "/jobs/7", arguments={"id": "7"}).arguments["id"]
    '7'
    """

    method: str
    url: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body) if self.body else None


#: An answer: JSON data, a status with JSON data, an exception to raise (a network that fails), or a ready response.
Answer = Any
Handler = Callable[[Request], Answer]


class Routes:
    """Answers by method and path: ``"GET /jobs/{id}"`` maps to a function of the request, or to a constant answer.

    A list of answers is given one by one, the last one again and again: that is how a job's state moves on. What no
    route answers is a 404 that names the near ones. `requests` are all that came, oldest first.

    >>> routes = Routes({"GET /jobs/{id}": [{"state": "running"}, {"state": "done"}]})
    >>> ask = Request("GET", "https://x/jobs/7", "/jobs/7")
    >>> [routes.answer(ask)[1]["state"] for _ in range(3)]
    ['running', 'done', 'done']
    >>> routes.answer(Request("GET", "https://x/job/7", "/job/7"))
    (404, {'error': "no route answers GET /job/7; did you mean 'GET /jobs/{id}'?"})
    """

    def __init__(self, routes: Mapping[str, Answer] | Handler) -> None:
        self.requests: list[Request] = []
        self._handler = routes if callable(routes) else None
        self._routes = {} if callable(routes) else {name: _steps(answer) for name, answer in routes.items()}

    def answer(self, request: Request) -> tuple[int, Any]:
        """Return status and data; raise what the route says is to be raised."""
        self.requests.append(request)
        found = self._handler(request) if self._handler is not None else self._routed(request)
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], int):
            return found
        return 200, found

    def _routed(self, request: Request) -> Answer:
        for name, steps in self._routes.items():
            arguments = _match(name, request)
            if arguments is not None:
                answer = steps.pop(0) if len(steps) > 1 else steps[0]
                return answer(_with(request, arguments)) if callable(answer) else answer
        asked = f"{request.method} {request.path}"
        near = near_names(asked, self._routes, most=1)
        return 404, {"error": f"no route answers {asked}" + (f"; did you mean {near[0]!r}?" if near else "")}


def fake_transport(routes: Mapping[str, Answer] | Handler) -> Any:
    """Return a transport for `httpx.Client(transport=…)` whose answers are `routes`, or come from a function.

    The transport's `requests` are what was asked, oldest first. Needs httpx::

        transport = fake_transport(
            {
                "POST /jobs": lambda request: {"id": tool.start(request.json["tables"])},
                "GET /jobs/{id}": lambda request: tool.poll(request.arguments["id"])._asdict(),
                "DELETE /jobs/{id}": lambda request: tool.cancel(request.arguments["id"]),
                "GET /broken": ConnectionError("no route to host"),
                "GET /busy": [(429, {"error": "slow down"}), {"ok": True}],
            }
        )
        client = httpx.Client(base_url="https://api.example.com", transport=transport)
    """
    import httpx

    class FakeTransport(httpx.BaseTransport):
        def __init__(self) -> None:
            self.routes = Routes(routes)

        @property
        def requests(self) -> list[Request]:
            return self.routes.requests

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.read()
            return _response(self.routes, request)

    return FakeTransport()


def _response(routes: Routes, request: httpx.Request) -> httpx.Response:
    import httpx

    parts = urlsplit(str(request.url))
    asked = Request(
        request.method,
        str(request.url),
        parts.path,
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        dict(request.headers),
        request.content,
    )
    try:
        status, data = routes.answer(asked)
    except ConnectionError as error:
        raise httpx.ConnectError(str(error), request=request) from error
    except TimeoutError as error:
        raise httpx.ReadTimeout(str(error), request=request) from error
    if isinstance(data, httpx.Response):
        return data
    return httpx.Response(status, json=data, request=request)


def _steps(answer: Answer) -> list[Answer]:
    """Return the answers that a route gives one after the other."""
    return list(answer) if isinstance(answer, list) and answer else [answer]


def _match(route: str, request: Request) -> dict[str, str] | None:
    """Return the named parts of a path when a route fits a request, else None.

    >>> _match("GET /jobs/{id}", Request("GET", "", "/jobs/7"))
    {'id': '7'}
    """
    method, _, pattern = route.partition(" ")
    wanted, given = pattern.strip("/").split("/"), request.path.strip("/").split("/")
    if method != request.method or len(wanted) != len(given):
        return None
    pairs = list(zip(wanted, given, strict=True))
    if any(want != got for want, got in pairs if not want.startswith("{")):
        return None
    return {want.strip("{}"): got for want, got in pairs if want.startswith("{")}


def _with(request: Request, arguments: Mapping[str, str]) -> Request:
    from dataclasses import replace

    return replace(request, arguments=arguments)
