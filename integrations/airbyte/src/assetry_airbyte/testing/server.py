"""The fake server: HTTP on loopback, tokens, faults, and a log of what arrived."""

from __future__ import annotations

import json
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from assetry_airbyte.testing.faults import Fault, Faults, Seen
from assetry_airbyte.testing.world import Refusal, World


class FakeAirbyte(World):
    """An Airbyte, from `start_server` to `stop_server`, or as a context.

    * `auth`: ``application`` (the client id and secret below), ``token``, ``basic`` or ``none``.
    * `now`: the clock that jobs and tokens live by; hand over the client's own to let no real time pass.
    * `token_seconds`: how long a token lives.

    >>> with FakeAirbyte() as airbyte:
    ...     connection = airbyte.add_connection("Shop", ["users"])
    ...     airbyte.url.startswith("http://127.0.0.1:")
    True
    """

    client_secret = "s3cret-of-the-application"
    token = "static-token"
    username, password = "operator", "s3cret-of-operator"

    def __init__(self, *, auth: str = "application", now: Callable[[], float] | None = None) -> None:
        began = time.monotonic()
        super().__init__(now or (lambda: time.monotonic() - began))
        self.auth = auth
        # One of its own: the official SDK shares tokens between servers that have an application in common.
        self.client_id = f"application-{secrets.token_hex(4)}"
        self.token_seconds: float | None = 900.0
        self.seen: list[Seen] = []
        #: How many requests were refused for want of a valid Authorization header.
        self.refused = 0
        self.faults = Faults()
        self.accepts_form_only = self.accepts_json_only = False
        self._tokens: dict[str, float] = {}
        self._server: ThreadingHTTPServer | None = None
        self._scheme = "http"

    # -- life ----------------------------------------------------------------------------------------------------------

    def start_server(self, tls: Any = None) -> None:
        """Begin to listen; `tls` is an `ssl.SSLContext` with a certificate, for https."""
        handler = type("Handler", (_Handler,), {"airbyte": self})
        self._server = _Server(("127.0.0.1", 0), handler)
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

    def __enter__(self) -> FakeAirbyte:
        self.start_server()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_server()

    @property
    def host(self) -> str:
        """Return scheme, host and port."""
        assert self._server is not None, "the server is not running"
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Return the base URL of the public API."""
        return f"{self.host}/api/public/v1"

    # -- for tests -----------------------------------------------------------------------------------------------------

    def fail(self, request: str, *faults: Fault, times: int = 1) -> None:
        """Let the next requests that match (``POST /jobs``, ``GET /jobs/.*``) meet faults, one each."""
        self.faults.add(request, list(faults) * times)

    def requests(self, prefix: str = "") -> list[Seen]:
        """Return the requests that arrived whose method and path begin like that."""
        return [each for each in self.seen if str(each).startswith(prefix)]

    def revoke_tokens(self) -> None:
        """Let every token that was handed out be refused from now on."""
        self._tokens.clear()

    # -- answering -----------------------------------------------------------------------------------------------------

    def hand_out(self, given: Any) -> Any:
        """Answer a request for a token."""
        if given.get("client_id") != self.client_id or given.get("client_secret") != self.client_secret:
            raise Refusal(401, "unauthorized", "Invalid client id or secret")
        token = secrets.token_hex(8)
        lifetime = self.token_seconds
        self._tokens[token] = self.now() + (180.0 if lifetime is None else lifetime)
        told: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
        if lifetime is not None:
            told["expires_in"] = lifetime
        return told

    def admits(self, header: str | None) -> bool:
        """Tell whether an Authorization header is accepted."""
        import base64

        kind, _, value = (header or "").partition(" ")
        if self.auth == "none":
            return True
        if self.auth == "basic":
            return kind == "Basic" and base64.b64decode(value).decode() == f"{self.username}:{self.password}"
        if self.auth == "token":
            return kind == "Bearer" and value == self.token
        return kind == "Bearer" and self._tokens.get(value, -1.0) > self.now()


#: A header by which a proxy in between tells a fault that a test asked for.
_MARK = {"X-Fault": "yes"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    airbyte: FakeAirbyte
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        body = self._body()
        base = next((each for each in ("/api/public/v1", "/api/v1") if parts.path.startswith(each)), "")
        path = parts.path.removeprefix(base)
        seen = Seen(
            self.command, path, dict(parse_qsl(parts.query)), body, dict(self.headers.items()), self.airbyte.now()
        )
        self.airbyte.seen.append(seen)
        fault = self.airbyte.faults.next(str(seen))
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        if fault is not None and (fault.drop or fault.status is not None):
            if fault.carried_out:
                self._truth(seen, base)
            self._drop() if fault.drop else self._send(fault.status or 200, fault.body, {**_MARK, **fault.headers})
            return
        status, told = self._truth(seen, base)
        patched = fault is not None and fault.patch is not None and isinstance(told, dict)
        if fault is not None and patched:
            told = {name: value for name, value in {**told, **(fault.patch or {})}.items() if value is not ...}
        self._send(status, told, _MARK if patched else {})

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server looks for

    def _truth(self, seen: Seen, base: str) -> tuple[int, Any]:
        try:
            if seen.path == "/applications/token" and base:
                return 200, self._token(seen)
            if not base:
                raise Refusal(404, "not-found", "There is nothing here")
            if not self.airbyte.admits(self.headers.get("Authorization")):
                self.airbyte.refused += 1
                raise Refusal(401, "unauthorized", "Unauthorized")
            if base == "/api/v1":
                return 200, self.airbyte.internal_answer(seen.path, seen.body)
            return 200, self.airbyte.answer(seen.method, seen.path, seen.query, seen.body)
        except Refusal as refusal:
            return refusal.status, refusal.body

    def _token(self, seen: Seen) -> Any:
        kind = self.headers.get("Content-Type", "").partition(";")[0]
        if self.airbyte.accepts_form_only and kind == "application/json":
            raise Refusal(415, "unsupported-media-type", "Unsupported Media Type")
        if self.airbyte.accepts_json_only and kind != "application/json":
            raise Refusal(401, "unauthorized", "Unauthorized")
        return self.airbyte.hand_out(seen.body or {})

    def _body(self) -> Any:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length) if length else b""
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(raw.decode()))
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            return raw.decode(errors="replace")

    def _send(self, status: int, told: Any, headers: Any) -> None:
        raw = told.encode() if isinstance(told, str) else b"" if told is None else json.dumps(told).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_response_only(status)
        for name, value in {
            "Date": format_datetime(self.airbyte.date(), usegmt=True),
            "Content-Type": kind,
            **headers,
            "Content-Length": str(len(raw)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _drop(self) -> None:
        """Break the connection off, so that the client sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
