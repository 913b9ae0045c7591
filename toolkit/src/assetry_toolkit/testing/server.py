"""A fake server: HTTP on this machine, faults, its own clock, and a log of what arrived."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from assetry_toolkit.testing.faults import Fault, Faults, Refusal, Seen


class FakeServer:
    """A service over HTTP, from `start_server` to `stop_server`, or as a context; `answer` is the service.

    `now` is the clock that the service lives by, in seconds since its calendar began (1 January 2026, shifted by `skew`
    hours); hand over the client's own, such as `FakeClock.monotonic`, to let no real time pass.

    >>> class Mill(FakeServer):
    ...     def answer(self, seen: Seen) -> Any:
    ...         return {"asked": str(seen)}
    >>> with Mill() as mill:
    ...     mill.host.startswith("http://127.0.0.1:")
    True
    """

    #: What URLs begin with; it is taken off `Seen.path`. The first that fits.
    base_paths: ClassVar[tuple[str, ...]] = ("",)
    #: The content type of errors.
    error_type: ClassVar[str] = "application/json"

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        began = time.monotonic()
        self.now = now or (lambda: time.monotonic() - began)
        self.lock = threading.RLock()
        #: Hours by which the server's calendar is wrong.
        self.skew = 0.0
        self.seen: list[Seen] = []
        self.faults = Faults()
        self._server: ThreadingHTTPServer | None = None
        self._scheme = "http"

    def answer(self, seen: Seen) -> Any:
        """Return what is answered, as JSON; raise `Refusal` for an error."""
        raise NotImplementedError

    # -- life ----------------------------------------------------------------------------------------------------------

    def start_server(self, tls: Any = None, port: int = 0) -> None:
        """Begin to listen; `tls` is an `ssl.SSLContext` with a certificate, for https."""
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", port), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if tls is None else "https"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop_server(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_server()

    @property
    def host(self) -> str:
        """Return scheme, host and port."""
        assert self._server is not None, "the server is not running"
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    # -- for tests -----------------------------------------------------------------------------------------------------

    def fail(self, request: str, *faults: Fault, times: int = 1) -> None:
        """Let the next requests that match (``POST /jobs``, ``GET /jobs/.*``) meet faults, one each."""
        self.faults.add(request, list(faults) * times)

    def requests(self, prefix: str = "") -> list[Seen]:
        """Return the requests that arrived whose method and path begin like that."""
        return [each for each in self.seen if str(each).startswith(prefix)]

    def date(self) -> datetime:
        """Return what the server takes for the time."""
        return self.moment(self.now())

    def moment(self, at: float) -> datetime:
        """Return a moment of the server's clock as its calendar has it."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.skew, seconds=at)


#: A header by which a proxy in between tells a fault that a test asked for.
_MARK = {"X-Fault": "yes"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        seen = self._seen()
        self.fake.seen.append(seen)
        fault = self.fake.faults.next(str(seen)) or Fault()
        if fault.delay:
            time.sleep(fault.delay)
        if fault.drop or fault.status is not None:
            if fault.carried_out:
                self._truth(seen)
            self._drop() if fault.drop else self._send(fault.status or 200, fault.body, {**_MARK, **fault.headers})
            return
        status, told, headers = self._truth(seen)
        if fault.patch is not None and isinstance(told, dict):
            told = {name: value for name, value in {**told, **fault.patch}.items() if value is not ...}
            self._send(status, told, _MARK)
        else:
            self._send(status, told, headers, cut=fault.cut)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the names that http.server looks for

    def _seen(self) -> Seen:
        parts = urlsplit(self.path)
        base = next((each for each in self.fake.base_paths if parts.path.startswith(each)), "")
        query, headers = dict(parse_qsl(parts.query)), dict(self.headers.items())
        path = parts.path.removeprefix(base)
        return Seen(str(self.command), path, query, self._body(), headers, self.fake.now(), base)

    def _truth(self, seen: Seen) -> tuple[int, Any, Mapping[str, str]]:
        try:
            return 200, self.fake.answer(seen), {}
        except Refusal as refusal:
            return refusal.status, refusal.body, refusal.headers

    def _body(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(raw.decode()))
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            return raw.decode(errors="replace")

    def _send(self, status: int, told: Any, headers: Any, cut: bool = False) -> None:
        raw = told.encode() if isinstance(told, str) else b"" if told is None else json.dumps(told).encode()
        kind = self.fake.error_type if status >= 400 else "application/json"
        self.send_response_only(status)
        for name, value in {
            "Date": format_datetime(self.fake.date(), usegmt=True),
            "Content-Type": kind,
            **headers,
            "Content-Length": str(len(raw)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw[: len(raw) // 2] if cut else raw)
        if cut:
            self._drop()

    def _drop(self) -> None:
        """Break the connection off, so that the client sees a reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
