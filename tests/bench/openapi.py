"""The fault tests of hosted connections with a validating proxy of Airbyte's own API description in between.

    npm install @stoplight/prism-cli
    git clone --depth 1 https://github.com/airbytehq/airbyte-platform
    python -m tests.bench.openapi airbyte-platform/airbyte-api/server-api/src/main/openapi/api_sdk.yaml \\
        --prism node_modules/.bin/prism

Every request of the public API goes from the client to the proxy, from there to the fake, and back. What the proxy
finds wrong with a request, or with an answer that the fake gives of itself, is printed and makes the exit code 1;
answers that a test puts in the fake's mouth are faults on purpose. The description lists neither tokens nor the
internal API nor a server without authentication, which pass by the proxy; and not all refusals (401, 409) that the
server's code has, which are counted apart.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from assetry_airbyte.testing import FakeAirbyte

TESTS = ["tests/airbyte/hosted"]
PUBLIC = "/api/public/v1"
#: Headers that are about one connection only.
HOPS = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


@dataclass(slots=True)
class Exchange:
    """One request of a client, and what the fake answered; None while it has not, or when it broke off."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    port: int
    answer: tuple[int, list[tuple[str, str]], bytes] | None = None

    def send(self, port: int, path: str, more: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send the request somewhere; return status, headers and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(self.method, path, self.body or None, {**self.headers, **more})
            found = connection.getresponse()
            return found.status, found.getheaders(), found.read()
        finally:
            connection.close()


@dataclass
class Gate:
    """The way through the proxy: `front` is what clients talk to, `back` what the proxy takes for the server."""

    exchanges: dict[str, Exchange] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    unlisted: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    proxy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.front, self.back = self._serve(Front), self._serve(Back)

    def _serve(self, handler: type[Handler]) -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type(handler.__name__, (handler,), {"gate": self}))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return int(server.server_address[1])

    def validated(self, exchange: Exchange, path: str) -> None:
        """Send a request through the proxy, and take down what it says of the two sides."""
        with self.lock:
            number = str(next(self.numbers))
            self.exchanges[number] = exchange
        _, headers, _ = exchange.send(self.proxy, path, {"X-Exchange": number})
        # "Too many violations!" may stand before them, and their end be cut off.
        said = dict(headers).get("sl-violations", "[]")
        found = json.loads(said) if said.startswith("[") else [{"location": ["response"], "message": said[:500]}]
        operation = re.sub(r"/[0-9a-f-]{36}|/\d+", "/{id}", f"{exchange.method} {path.partition('?')[0]}")
        answered = exchange.answer
        fault = answered is None or "x-fault" in {name.lower() for name, _ in answered[1]}
        with self.lock:
            self.seen[operation] += 1
            self.faults += fault
            for each in found:
                side = each["location"][0]
                status = answered[0] if answered else "none"
                if "Unable to match the returned status code" in each["message"] and not fault:
                    self.unlisted[f"{operation} -> {status}"] += 1
                elif side == "request" or not fault:
                    where = ".".join(re.sub(r"^\d+$", "N", part) for part in each["location"])
                    self.violations[f"{operation} -> {status}: {where}: {each['message']}"] += 1


class Handler(BaseHTTPRequestHandler):
    """One side of the gate."""

    gate: Gate
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def body(self) -> bytes:
        """Return the body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def give(self, answer: tuple[int, list[tuple[str, str]], bytes] | None) -> None:
        """Answer; without an answer the connection breaks off."""
        self.close_connection = True
        if answer is None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        status, headers, body = answer
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOPS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Front(Handler):
    """What clients talk to: ``/PORT/api/public/v1/…`` is meant for the fake at that port."""

    def handle_any(self) -> None:
        """Answer as the fake does, by way of the proxy where it knows the path."""
        port, _, path = self.path.removeprefix("/").partition("/")
        path = "/" + path
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOPS}
        exchange = Exchange(self.command, path, headers, self.body(), int(port))
        if path.startswith(PUBLIC) and not path.startswith(f"{PUBLIC}/applications/"):
            self.gate.validated(exchange, path.removeprefix(PUBLIC))
            self.give(exchange.answer)
            return
        try:
            self.give(exchange.send(exchange.port, path, {}))
        except OSError:
            self.give(None)

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server looks for


class Back(Handler):
    """What the proxy takes for the server."""

    def handle_any(self) -> None:
        """Ask the fake, as the client asked."""
        self.body()
        exchange = self.gate.exchanges[self.headers["X-Exchange"]]
        try:
            exchange.answer = exchange.send(exchange.port, exchange.path, {})
            self.give(exchange.answer)
        except (OSError, http.client.HTTPException):
            self.give((503, [("Content-Type", "text/plain")], b"it broke off"))

    do_GET = do_POST = do_DELETE = handle_any  # noqa: N815 - the names that http.server looks for


def start_proxy(command: str, description: str, gate: Gate) -> subprocess.Popen[str]:
    """Start the proxy, and return when it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gate.proxy = free.getsockname()[1]
    words = [command, "proxy", description, f"http://127.0.0.1:{gate.back}", "-p", str(gate.proxy)]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "is listening" in line:
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return process
    raise SystemExit("The proxy did not start.")


def main() -> int:
    """Run the tests through the proxy; print what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("description", help="api_sdk.yaml of airbytehq/airbyte-platform")
    parser.add_argument("--prism", default="prism", help="the command of @stoplight/prism-cli")
    parser.add_argument("tests", nargs="*", default=TESTS)
    asked = parser.parse_args()
    gate = Gate()
    process = start_proxy(asked.prism, asked.description, gate)
    direct = FakeAirbyte.url.fget  # type: ignore[attr-defined]

    def url(airbyte: FakeAirbyte) -> str:
        if airbyte.host.startswith("https") or airbyte.auth == "none":
            return str(direct(airbyte))
        return f"http://127.0.0.1:{gate.front}/{airbyte.host.rpartition(':')[2]}{PUBLIC}"

    FakeAirbyte.url = property(url)  # type: ignore[assignment]
    try:
        failed = pytest.main(["-q", "-p", "no:cacheprovider", *asked.tests])
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    print(f"{gate.seen.total()} exchanges, {gate.faults} of them with faults on purpose")
    for operation, count in sorted(gate.seen.items()):
        print(f"  {count:6} {operation}")
    for operation, count in sorted(gate.unlisted.items()):
        print(f"  {count:6} {operation}, which the description does not list")
    print(f"{gate.violations.total()} violations")
    for told, count in gate.violations.most_common():
        print(f"  {count:6} {told}")
    return 1 if failed or gate.violations else 0


if __name__ == "__main__":
    sys.exit(main())
