"""A mail server on this machine for the tests: it takes what a test wants, and refuses the rest."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default


class MailServer:
    """A server under way: `mails` are what it took, by recipients; `answers` are given first, by command."""

    def __init__(self) -> None:
        self.port = 0
        self.mails: list[tuple[list[str], Message]] = []
        self.answers: dict[str, list[str]] = {}
        self.logins: list[tuple[str, str]] = []

    def answer(self, command: str) -> str | None:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else None


class _Handler(socketserver.StreamRequestHandler):
    mail: MailServer

    def handle(self) -> None:
        self._recipients: list[str] = []
        self._say(self.mail.answer("CONNECT") or "220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split(":")[0].split()[0].upper()
            said = self.mail.answer(word) or getattr(self, f"_{word.lower()}", lambda _: "250 OK")(line)
            if said is None:
                return
            self._say(said)

    def _ehlo(self, _: str) -> str:
        return "250-here\r\n250 AUTH PLAIN"

    def _auth(self, line: str) -> str:
        _, user, password = base64.b64decode(line.split()[-1]).decode().split("\0")
        self.mail.logins.append((user, password))
        return "235 in"

    def _rcpt(self, line: str) -> str:
        self._recipients.append(line.partition("<")[2].partition(">")[0])
        return "250 OK"

    def _data(self, _: str) -> str:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.mail.mails.append((self._recipients, message_from_bytes(b"".join(lines), policy=default)))
        return "250 taken"

    def _quit(self, _: str) -> None:
        self._say("221 bye")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        pass  # a client that went away


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Give a server for as long as this lasts."""
    mail = MailServer()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"mail": mail}))
    mail.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield mail
    finally:
        server.shutdown()
        server.server_close()
