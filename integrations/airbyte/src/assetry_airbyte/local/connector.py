"""A connector as a process: started with private files, read as it speaks, stopped with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from assetry.plugin import IntegrationError, near_names

from assetry_airbyte.local.options import Mask, Source
from assetry_airbyte.local.protocol import Garbage, Message, read_complaint, read_messages, section, text

#: Seconds between two looks at whether the run was cancelled.
POLL = 0.1
#: Seconds that a connector has, after it was asked to end, before it is killed.
GRACE = 5.0
#: Lines kept of what a connector wrote to its standard error.
KEPT_LINES = 20
#: Bytes of one line: beyond that it is no message of anybody's.
LONGEST_LINE = 1 << 28
_CHUNK = 1 << 20

# The shell turns into the connector; before that it leaves a watcher behind in the connector's process group, which
# reads from a pipe that only we hold open: when we end, however that comes about, it kills the group.
_WATCHED = (
    "exec 3<&0 </dev/null; "
    "( ( trap '' TERM INT HUP; read _ <&3; kill -9 0 ) >/dev/null 2>&1 & ); "
    'exec 3<&-; exec "$@"'
)


class Block(NamedTuple):
    """Be what a connector wrote: whole lines of its standard output (``out``) or error (``err``); or nothing yet."""

    stream: Literal["out", "err", "idle"]
    data: bytes = b""


class Workplace:
    """Be a folder that nobody else can read, for what a connector is given and what is made of its rows.

    It is gone when the work is done. What a killed process left behind goes with the next one.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep(folder)
        self.path = folder / f"run-{os.getpid()}-{os.urandom(4).hex()}"

    def __enter__(self) -> Workplace:
        import fcntl

        self.path.mkdir(mode=0o700)
        self._held = (self.path / "held").open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()

    def write(self, name: str, value: Any) -> Path:
        """Write JSON into a file that only this user can read; return its path."""
        path = self.path / name
        # Made with its final mode: there must be no moment at which others can open it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
        return path

    @staticmethod
    def _sweep(folder: Path) -> None:
        import fcntl

        for left in folder.glob("run-*"):
            with contextlib.suppress(OSError), (left / "held").open() as held:
                # Whoever works there holds this lock as long as it lives.
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)


class ConnectorProcess:
    """Be one connector process in a group of its own."""

    def __init__(self, command: Sequence[str], directory: Path) -> None:
        life, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _WATCHED, "sh", *command],
                cwd=directory,
                stdin=life,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._life)
            raise
        finally:
            os.close(life)
        self.returncode: int | None = None
        self.errors: deque[str] = deque(maxlen=KEPT_LINES)

    def __enter__(self) -> ConnectorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.returncode is None:
                self._stop()
        finally:
            # What the connector has left behind goes too, whether it ended by itself or not.
            self._signal(signal.SIGKILL)
            os.close(self._life)
            self._process.wait()
            for pipe in (self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()

    def blocks(self, cancelled: Callable[[], bool]) -> Iterator[Block]:
        """Yield what the connector writes as it comes, ``idle`` when nothing does.

        Ends when it ended (`returncode` is set then) or when `cancelled` says so.
        """
        with selectors.DefaultSelector() as selector:
            outputs = [_Output("out", self._process.stdout), _Output("err", self._process.stderr)]
            for output in outputs:
                selector.register(output.pipe, selectors.EVENT_READ, output)
            while selector.get_map() and not cancelled():
                ready = selector.select(POLL)
                if not ready:
                    yield Block("idle")
                    if self._process.poll() is not None:
                        break  # somebody it has started holds its output open, and will say nothing that counts
                for key, _ in ready:
                    output = key.data
                    data = output.read()
                    if data is None:
                        selector.unregister(output.pipe)
                    yield from self._told(output.name, output.rest() if data is None else data)
            if not cancelled():
                self.returncode = self._process.wait()

    def _told(self, name: Literal["out", "err"], data: bytes) -> Iterator[Block]:
        if data:
            if name == "err":
                self.errors += data.decode("utf-8", "replace").splitlines()
            yield Block(name, data)

    def _stop(self) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=GRACE)

    def _signal(self, number: int) -> None:
        # The watcher keeps the group's number ours even when the connector is gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Output:
    """Cut a pipe into blocks of whole lines."""

    def __init__(self, name: Literal["out", "err"], pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self.name = name
        self.pipe = pipe
        self._parts: list[bytes] = []
        self._size = 0
        _widen(pipe)

    def read(self) -> bytes | None:
        """Return the whole lines there are, maybe none; None at the end."""
        chunk = os.read(self.pipe.fileno(), _CHUNK)
        if not chunk:
            return None
        end = chunk.rfind(b"\n") + 1
        if not end:
            return self._keep(chunk)
        block = b"".join((*self._parts, chunk[:end]))
        self._parts, self._size = [], 0
        self._keep(chunk[end:])
        return block

    def rest(self) -> bytes:
        """Return the last line, which has no end."""
        return b"".join(self._parts)

    def _keep(self, chunk: bytes) -> bytes:
        self._parts.append(chunk)
        self._size += len(chunk)
        if self._size > LONGEST_LINE:
            raise IntegrationError(
                f"The connector wrote a line of more than {LONGEST_LINE >> 20} MiB.",
                hint="No message is that long; ask the connector's authors.",
            )
        return b""


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, where the system can: fewer and larger blocks to read."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)


def find_command(source: Source) -> tuple[str, ...]:
    """Return the command line of a connector: an executable of its own environment, on PATH, or a path.

    Raises `IntegrationError` when there is none.
    """
    words = source.command
    if source.requirement:
        from assetry_airbyte.local.environments import executable

        words = (str(executable(source)), *words[1:])
    name = words[0]
    if name in ("python", "python3") and len(words) > 1:
        return (sys.executable, *words[1:])  # the very Python of the project
    path = source.root / name
    found = shutil.which(str(path) if path.is_file() else name)
    if found is not None:
        return (found, *words[1:])
    if path.is_file():
        raise IntegrationError(
            f"The connector {name} of {source.name!r} is not executable.",
            where=str(path),
            hint=f'Make it so (chmod +x {name}), or write the program before it: command = ["python", "{name}"].',
        )
    raise IntegrationError(
        f"The connector {name!r} of {source.name!r} is neither on PATH nor a file.",
        near=near_names(name, _beside(source.root)),
        hint=f'Install it (uv tool install airbyte-{name}), or write requirement = "airbyte-{name}".',
    )


def _beside(root: Path) -> list[str]:
    folders = [root, *(Path(each) for each in os.get_exec_path())]
    names: set[str] = set()
    for folder in folders:
        with contextlib.suppress(OSError):
            names.update(each.name for each in folder.iterdir() if each.name.startswith("source"))
    return sorted(names)


class Question(NamedTuple):
    """Be a question to a connector that is one message to answer: ``spec``, ``check`` or ``discover``."""

    verb: str
    type: str
    config: Any = None


def ask(source: Source, question: Question, mask: Mask) -> Mapping[str, Any]:
    """Put a question to a connector; return what stands under the answer's type.

    Raises `IntegrationError` with the connector's own words when it does not answer.
    """
    command = find_command(source)
    talk = _Talk(question)
    with Workplace(source.folder) as place:
        given = [] if question.config is None else ["--config", str(place.write("config.json", question.config))]
        with ConnectorProcess([*command, question.verb, *given], source.root) as process:
            for block in process.blocks(lambda: False):
                talk.take(block)
            errors = list(process.errors)
    answer = talk.answer
    if answer is not None and not talk.complaints:
        return answer
    said = talk.complaints[0] if talk.complaints else ""
    ended = f"It ended with exit code {process.returncode} and gave no answer."
    tail = "\n".join(errors or talk.garbage) if not said else ""
    raise IntegrationError(
        mask(f"Connector {source.name!r} cannot {question.verb}: " + (said or ended)),
        hint=mask(f"It wrote:\n{tail}") if tail else "Correct its config, or its command.",
    )


class _Talk:
    """Collect what a connector says to one question."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self.answer: Mapping[str, Any] | None = None
        self.complaints: list[str] = []
        self.garbage: deque[str] = deque(maxlen=KEPT_LINES)

    def take(self, block: Block) -> None:
        for message in read_messages(block.data) if block.stream == "out" else ():
            if isinstance(message, Garbage):
                self.garbage.append(message.text[:500])
            else:
                self._take(message)

    def _take(self, message: Message) -> None:
        if message.type == self._question.type:
            found = {"CATALOG": message.catalog, "SPEC": message.spec, "CONNECTION_STATUS": message.connectionStatus}
            self.answer = section(found.get(message.type))
        elif message.type == "TRACE" and section(message.trace).get("type") == "ERROR":
            self.complaints.append(read_complaint(message.trace).text)


def specification(source: Source) -> Mapping[str, Any]:
    """Return what a connector says of its configuration; nothing when it does not say."""
    try:
        return section(ask(source, Question("spec", "SPEC"), Mask()), "connectionSpecification")
    except IntegrationError:
        return {}


def discover(source: Source, config: Any, mask: Mask) -> Mapping[str, Any]:
    """Return what a connector offers, after it has found its configuration good."""
    status = ask(source, Question("check", "CONNECTION_STATUS", config), mask)
    if status.get("status") != "SUCCEEDED":
        said = text(status.get("message")).strip() or "it gives no reason"
        raise IntegrationError(
            mask(f"Connector {source.name!r} cannot connect: {said}"), hint="Correct its config; nothing was read."
        )
    return ask(source, Question("discover", "CATALOG", config), mask)
