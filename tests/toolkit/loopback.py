"""A service on this machine for the tests: real HTTP, answered by a function, and as broken as a test wants it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    """What is answered: JSON, text, or nothing at all when it is to `drop` the connection."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A service under way; `answers` come first, one for each request, then what `answer` says."""

    def __init__(self, answer: Callable[[Asked], Any]) -> None:
        self.answer = answer
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []
        self.url = ""
        self.lock = threading.Lock()

    def take(self, asked: Asked) -> Answer:
        with self.lock:
            self.asked.append(asked)
            if self.answers:
                return self.answers.pop(0)
        found = self.answer(asked)
        return found if isinstance(found, Answer) else Answer(body=found)


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _take(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(str(self.command), parts.path, dict(parse_qsl(parts.query)), dict(self.headers), body)
        answer = self.service.take(asked)
        if answer.drop:
            self.close_connection = True
            return
        data = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        data = b"" if answer.body is None else data
        self.send_response_only(answer.status)
        kind = "text/html" if isinstance(answer.body, str) and answer.body[:1] == "<" else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PATCH = _take  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        pass  # a client that was killed


@contextmanager
def serving(answer: Callable[[Asked], Any], tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """Give a service for as long as this lasts."""
    service = Service(answer)
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service}))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
