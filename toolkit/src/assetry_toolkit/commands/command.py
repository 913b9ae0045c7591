"""A command, and one that runs as a child of this process: read through pipes, and gone when we are."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import ceil
from pathlib import Path
from typing import IO, NamedTuple

from assetry.plugin import IntegrationError, RunError, near_names

from assetry_toolkit.clock import never
from assetry_toolkit.commands.output import CHUNK, KEPT_LINES, Block, Line, LineCutter, Stream, ending, lines_of

#: Seconds between two looks at whether the run was cancelled.
POLL = 0.1

# The shell turns into the program; before that it leaves a watcher behind in the program's process group, which reads
# from a pipe that only we hold open: when we end, however that comes about, it asks the group to end, and kills it.
_WATCHED = """\
ask=$1 grace=$2; shift 2
exec 3<&0 </dev/null
( ( trap '' INT TERM HUP QUIT
    read _ <&3
    kill -$ask 0
    while [ "$grace" -gt 0 ] && kill -0 $$; do sleep 1; grace=$((grace - 1)); done
    kill -KILL 0
) >/dev/null 2>&1 & )
exec 3<&- "$@"
"""

# A signal that is ignored here, as by `nohup` or in the background of a script, would be ignored there too, and a shell
# cannot undo that. This can; it also gives back the two signals that Python itself ignores from its start.
_HEEDING = """\
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, ())
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Finished(NamedTuple):
    """What a command came to; `returncode` is None when it was cancelled, and negative when a signal ended it."""

    returncode: int | None
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Command:
    r"""A program and its arguments, and how they are run.

    * `folder`: where it works; this process's own unless given.
    * `environment`: variables that it has more than this process, or, where None, less.
    * `merged`: what it writes to its standard error comes as if it were standard output.
    * `ask`: the signal that asks it to end; what has not ended `grace` seconds after it is killed.
    * `longest`: bytes of a line beyond which it is stopped, because no message is that long.
    * `name`: what errors call it; the program's own name unless given.

    >>> Command(("sh", "-c", "echo $WHO; exit 3"), environment={"WHO": "me"}).finish()
    Finished(returncode=3, out='me\n', err='')
    """

    words: Sequence[str]
    _: KW_ONLY
    folder: Path | str | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    merged: bool = False
    ask: signal.Signals = signal.SIGTERM
    grace: float = 5.0
    longest: int = 1 << 28
    name: str | None = None

    @property
    def called(self) -> str:
        """Return what errors call it.

        >>> Command(("/usr/bin/env", "true")).called
        'env'
        """
        return self.name or Path(self.words[0]).name

    def start(self) -> RunningCommand:
        """Start it; use what is returned as a context, which stops it. Raises `RunError` when it cannot be started."""
        return RunningCommand(self)

    def finish(self, cancelled: Callable[[], bool] = never) -> Finished:
        """Run it to its end, or until `cancelled`, and return what it wrote. Raises `RunError` as `start` does."""
        told: dict[str, list[bytes]] = {"out": [], "err": [], "idle": []}
        with self.start() as running:
            for block in running.blocks(cancelled):
                told[block.stream].append(block.data)
        out, err = (b"".join(told[name]).decode("utf-8", "replace") for name in ("out", "err"))
        return Finished(running.returncode, out, err)

    def output(self, good: Collection[int] = (0,), mask: Callable[[str], str] = str) -> str:
        r"""Run it to its end and return its output: what a hook needs that loads by asking a tool.

        Raises `RunError` as `start` does, and `IntegrationError` when its exit code is not `good`, with its last words,
        which `mask` has gone over.

        >>> Command(("sh", "-c", "echo orders; echo users")).output().split()
        ['orders', 'users']
        """
        done = self.finish()
        if done.returncode not in good:
            lines = mask(done.err).strip().splitlines()[-KEPT_LINES:]
            how = ending(done.returncode) if done.returncode is not None else "was stopped"
            last = f": {lines[-1]}" if lines else "."
            raise IntegrationError(
                f"{self.called} {how}{last}", hint="It wrote:\n" + "\n".join(lines) if lines[1:] else None
            )
        return done.out

    def variables(self) -> dict[str, str]:
        """Return the environment it is run in."""
        asked = {**os.environ, **self.environment}
        return {name: value for name, value in asked.items() if value is not None}

    def program(self) -> str:
        """Return the file that is run. Raises `RunError`, with near names, when there is none that can be."""
        name = self.words[0]
        places = self.variables().get("PATH", os.defpath)
        if os.sep in name:
            path = Path(self.folder or ".", name)
            if os.access(path, os.X_OK) and path.is_file():
                return os.path.abspath(path)  # noqa: PTH100 - links stay: an environment's Python is one
            there = "is not executable" if path.exists() else "is not there"
            raise RunError(f"The program {name} {there}.", where=str(path))
        found = shutil.which(name, path=places)
        if found is None:
            raise RunError(
                f"There is no program {name!r}.",
                near=near_names(name, _programs(places)),
                hint="Install it where PATH leads, or name it by its path.",
            )
        return os.path.abspath(found)  # noqa: PTH100


class RunningCommand:
    """One command under way, in a process group of its own; a context, at whose end nothing of it is left."""

    def __init__(self, command: Command) -> None:
        self.command = command
        #: How it ended by itself; None while it runs, and when it was stopped here.
        self.returncode: int | None = None
        #: The last lines that it wrote to its standard error, unless that was merged.
        self.errors: deque[str] = deque(maxlen=KEPT_LINES)
        self._left = 2 * CHUNK
        life, self._life = os.pipe()
        try:
            self._process = self._started(life)
        except BaseException:
            os.close(self._life)
            raise
        finally:
            os.close(life)
        self._selector = selectors.DefaultSelector()
        outputs: dict[Stream, IO[bytes] | None] = {"out": self._process.stdout, "err": self._process.stderr}
        self._pipes = [pipe for pipe in outputs.values() if pipe is not None]
        for name, pipe in outputs.items():
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, _Pipe(name, pipe, command))

    def _started(self, life: int) -> subprocess.Popen[bytes]:
        command = self.command
        words = [command.program(), *command.words[1:]]
        if _deaf():
            words = [sys.executable, "-I", "-S", "-c", _HEEDING, *words]
        watched = ["/bin/sh", "-c", _WATCHED, "sh", command.ask.name.removeprefix("SIG"), str(ceil(command.grace))]
        try:
            return subprocess.Popen(
                [*watched, *words],
                cwd=command.folder,
                env=command.variables(),
                stdin=life,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if command.merged else subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise RunError(f"{command.called} cannot be started: {error}.") from error

    @property
    def pid(self) -> int:
        """Return the number of its process, which is that of its group."""
        return self._process.pid

    def __enter__(self) -> RunningCommand:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.returncode is None:
                self._stop()
        finally:
            # What the program has left behind goes too, whether it ended by itself or not.
            self._signal(signal.SIGKILL)
            os.close(self._life)
            self._process.wait()
            self._selector.close()
            for pipe in self._pipes:
                pipe.close()

    # -- what it says --------------------------------------------------------------------------------------------

    def lines(self, cancelled: Callable[[], bool] = never) -> Iterator[Line]:
        """Return each line as it comes, until the program has ended (`returncode` is set then) or was `cancelled`.

        To be read to the end by one loop: lines that came together are lost with a loop that is left.
        """
        return lines_of(self.blocks(cancelled))

    def blocks(self, cancelled: Callable[[], bool] = never) -> Iterator[Block]:
        """Yield what it writes in blocks of whole lines, as it comes; ``idle``, ten times a second, when nothing does.

        Ends as `lines` does. For programs that write very much, or where something is to be done meanwhile.
        """
        while self._selector.get_map() and not cancelled():
            # Asked first: what it wrote before its end is there by then, however long we were kept from looking.
            has_ended = self._process.poll() is not None
            ready = self._selector.select(0 if has_ended else POLL)
            for key, _ in ready:
                yield from self._read(key.data)
            # What it has started may hold its output open, and even write: that is not waited for.
            if has_ended and (not ready or self._left <= 0):
                yield from self._rest()
                break
            if not ready:
                yield Block("idle")
        while not cancelled():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.returncode = self._process.wait(POLL)
                return
            yield Block("idle")  # it has closed its output, and works on

    def _read(self, output: _Pipe) -> Iterator[Block]:
        data = output.read()
        if self._process.returncode is not None:
            self._left -= len(data or b"") + 1
        if data is None:
            self._selector.unregister(output.pipe)
            data = output.rest()
        yield from self._told(output.name, data)

    def _rest(self) -> Iterator[Block]:
        """Yield the last lines of outputs that others hold open, if they have no end."""
        for key in list(self._selector.get_map().values()):
            yield from self._told(key.data.name, key.data.rest())

    def _told(self, name: Stream, data: bytes) -> Iterator[Block]:
        if data:
            if name == "err":
                self.errors += data.decode("utf-8", "replace").splitlines()
            yield Block(name, data)

    # -- its end -------------------------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Ask it to end, and give it time; what it writes meanwhile is taken, so that it does not wait for that."""
        self._signal(self.command.ask)
        end = time.monotonic() + self.command.grace
        while self._process.poll() is None and time.monotonic() < end:
            for key, _ in self._selector.select(POLL / 4) if self._selector.get_map() else ():
                if not os.read(key.fd, CHUNK):
                    self._selector.unregister(key.fileobj)
            if not self._selector.get_map():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(POLL)

    def _signal(self, number: int) -> None:
        # The watcher keeps the group's number ours even when the program is gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class _Pipe:
    """A pipe, read in blocks of whole lines."""

    def __init__(self, name: Stream, pipe: IO[bytes], command: Command) -> None:
        self.name = name
        self.pipe = pipe
        self._cutter = LineCutter(command.called, command.longest)
        _widen(pipe)

    def read(self) -> bytes | None:
        """Return the whole lines there are, maybe none; None at the end."""
        chunk = os.read(self.pipe.fileno(), CHUNK)
        return self._cutter.cut(chunk) if chunk else None

    def rest(self) -> bytes:
        """Return the last line, which has no end."""
        return self._cutter.rest()


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold more, where the system can: fewer and larger blocks to read."""
    import fcntl

    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, CHUNK)


def _deaf() -> bool:
    """Tell whether what this thread starts would not hear that it is to end."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return any(signal.getsignal(number) == signal.SIG_IGN or number in blocked for number in numbers)


def _programs(places: str) -> Iterator[str]:
    for place in places.split(os.pathsep):
        with contextlib.suppress(OSError):
            yield from os.listdir(place)  # noqa: PTH208 - names are all that is wanted
