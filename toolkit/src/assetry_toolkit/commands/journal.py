"""A command with a journal: it outlives the process that started it, and is found again by a token.

    running = JournaledCommand.find(context.resume) if context.resume else None
    with running or JournaledCommand.prepare(command, Path(".assetry/mill")) as running:
        yield Handle(running.token)  # before it starts
        for line in running.lines(lambda: context.cancelled):
            …

A journal is a folder that only its user can read: ``out`` and ``err``, into which the program writes; ``end``, a file
that is locked for as long as the command is kept, and says how it ended; ``begun``, what is needed to stop it; and
``of``, the names that it was given. The environment is not written down anywhere, and of what the program writes only
what `hidden`, such as `assetry_toolkit.secrets.Mask`, leaves. Between us and the program is a small process, the
keeper, which sees how the program ends when we do not. `prepare` removes journals of the same folder that are over:
those that were read to their end beyond the newest `KEPT`, and all after `KEPT_DAYS`. For Linux and macOS, and for
disks that have locks and links.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from assetry.plugin import Mask, RunError, is_alive, private_folder, process_of

from assetry_toolkit.clock import never
from assetry_toolkit.commands import keeper
from assetry_toolkit.commands.command import Command
from assetry_toolkit.commands.journal_files import Begun, Written, link, made
from assetry_toolkit.commands.output import KEPT_LINES, Block, Line, Stream, lines_of

#: Journals kept of commands that ended and were read to their end.
KEPT = 20
#: Days after which any journal goes whose command has ended.
KEPT_DAYS = 7
#: Seconds between two looks into a journal.
PAUSE = 0.02


class JournaledCommand:
    """One command that writes into a journal, here or elsewhere; a context, at whose end it is stopped.

    It is made by `prepare` or `find`, and read as a `RunningCommand` is. What reads it can be killed without harm: the
    command goes on. Any number of processes may read it at a time, each from the first line on.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> with JournaledCommand.prepare(Command(("sh", "-c", "echo made; exit 3")), Path(folder.name)) as running:
    ...     [line.text for line in running.lines()], running.returncode
    (['made'], 3)
    >>> with JournaledCommand.find(running.token) as again:
    ...     [line.text for line in again.lines()], again.returncode
    (['made'], 3)
    >>> folder.cleanup()
    """

    def __init__(self, place: Path, command: Command | None = None, hidden: Mask | None = None) -> None:
        self._place = place
        self._hidden = (hidden or Mask()).expression
        self._command = command
        self._begun = Begun.read(place)
        self._child: subprocess.Popen[bytes] | None = None
        self._held: int | None = None
        self._said = ""
        self._files = {name: (place / name).open("rb") for name in ("out", "err", "end") if (place / name).exists()}
        #: How it ended by itself; None while it runs, when it was stopped, and when that will never be known.
        self.returncode: int | None = None
        #: The last lines that it wrote to its standard error, unless that was merged.
        self.errors: deque[str] = deque(maxlen=KEPT_LINES)

    @classmethod
    def prepare(
        cls, command: Command, folder: Path, hidden: Mask | None = None, of: Iterable[str] = ()
    ) -> JournaledCommand:
        """Make a new journal in `folder`, which is made; the command starts when its lines are asked for.

        So its token can be kept before there is anything to lose. What is `hidden` never reaches the disk: ``***``
        stands in its place. `of` names what it is about, see `remove`. Raises `RunError` when there is no such program,
        or no journal can be kept there.
        """
        command.program()
        folder = folder.absolute()
        try:
            private_folder(folder.parent)
            folder.mkdir(exist_ok=True, mode=0o700)  # its user's own wherever it stands
            _clear(folder)
            place, held = made(folder, command.merged, of)
            try:
                job = cls(place, command, hidden)
            except BaseException:
                os.close(held)
                raise
        except OSError as error:
            raise RunError(
                f"{command.called} can keep no journal: {error.strerror}.",
                where=str(folder),
                hint="Its folder must be one that you can write to, on a disk that has locks and links.",
            ) from error
        job._held = held
        return job

    @classmethod
    def find(cls, token: str, unkept: bool = False) -> JournaledCommand | None:
        """Find a command again by its token; None when it has nothing more to say, and may be started anew.

        That is so when its journal is gone, when it was never started (and never will be: the token is void from now
        on), when it was stopped, when all was told (`settle`), and when its end cannot be known: the machine went down,
        or what kept it was killed. With `unkept` that is found, too: for programs whose output says how they ended, as
        `returncode` will not. Raises `RunError` when its journal is there and cannot be read.
        """
        place = Path(token)
        try:
            job = cls(place)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise RunError(
                f"The journal of a command that an earlier run started cannot be read: {error.strerror}.",
                where=token,
                hint="Try again as the user who started it; or delete the journal, which ends the command.",
            ) from error
        if "end" in job._files and job._begun is None:
            # The process that prepared it may be about to begin: only one of us gets to write this.
            with contextlib.suppress(OSError):
                link(place, "begun", b"void")
            job._begun = Begun.read(place)
        whole = job._begun is not None and "end" in job._files and not (place / "told").exists()
        if whole and (job.alive or job._end() is not None or (unkept and not job.stopped)):
            return job
        job._close()
        return None

    @property
    def token(self) -> str:
        """Return all that another process needs to `find` it: where its journal is."""
        return str(self._place)

    @property
    def alive(self) -> bool:
        """Tell whether it has not ended; a process that was given its number later is never mistaken for it."""
        if self._begun is None or self._read_end() or self._files["end"].closed:
            return False
        if self._kept():
            return True
        # What kept it was killed. It may go on all the same, but how it ends will not be known.
        return not self._read_end() and is_alive(self._begun.process) is True

    @property
    def stopped(self) -> bool:
        """Tell whether it was asked to end, by whichever process, before it ended."""
        return self._read_end().endswith(keeper.STOPPED)

    def __enter__(self) -> JournaledCommand:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.returncode is None:
                self.stop()
            elif self._child is not None:
                self._child.wait()
        finally:
            self._close()

    # -- its start -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start it, unless it has been; asking for lines does so, too.

        Raises `RunError` when it cannot be started, or another process has found the token in the meantime and taken
        the work over.
        """
        if self._begun is not None:
            return
        if self._command is None or self._held is None:
            raise RunError(f"The command of {self._place} was never started.")
        go, say = os.pipe()
        try:
            command = self._command
            process = process_of(self._start_keeper(command, self._held, go))
            begun = Begun(command.called, command.longest, int(command.ask), command.grace, process)
            try:
                link(self._place, "begun", json.dumps(asdict(begun)).encode())
            except (FileExistsError, FileNotFoundError):
                raise OSError("another process took its work over, or its journal away") from None
            self._begun = begun
            said = keeper.GO + self._hidden.encode() + keeper.WHOLE
            while said:
                said = said[os.write(say, said) :]
        except OSError as error:
            raise RunError(f"{self._command.called} cannot be started: {error}.") from error
        finally:
            os.close(go)
            os.close(say)

    def _start_keeper(self, command: Command, held: int, go: int) -> int:
        """Start the keeper; return the pid of the program, which waits."""
        heard, said = os.pipe()
        numbers = [str(each) for each in (held, go, said, int(command.ask), command.grace)]
        numbers.append("hides" if self._hidden else "plain")
        words = [command.program(), *command.words[1:]]
        with contextlib.ExitStack() as open_files:
            open_files.callback(os.close, heard)
            out = open_files.enter_context((self._place / "out").open("ab"))
            merged = "err" not in self._files
            errors = subprocess.STDOUT if merged else open_files.enter_context((self._place / "err").open("ab"))
            try:
                self._child = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, str(self._place), *numbers, *words],
                    cwd=command.folder,
                    env=command.variables(),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=errors,
                    pass_fds=(held, go, said),
                    start_new_session=True,
                )
            finally:
                os.close(said)
            # From now on the keeper holds the lock, for as long as it lives.
            self._held = None
            os.close(held)
            pid = os.read(heard, 32)
        if not pid:
            raise OSError("what keeps its journal did not start")
        return int(pid)

    # -- what it says --------------------------------------------------------------------------------------------

    def lines(self, cancelled: Callable[[], bool] = never) -> Iterator[Line]:
        """Yield each line, from the first on, until it has ended or reading was `cancelled`.

        `returncode` is set when it ended by itself. Between its output and its standard error the order is that of a
        line's arrival, as with pipes, and for what was written before, all output first; `merged` keeps the order.
        """
        return lines_of(self.blocks(cancelled))

    def blocks(self, cancelled: Callable[[], bool] = never) -> Iterator[Block]:
        """Yield what it writes in blocks of whole lines; ``idle``, many times a second, when nothing comes."""
        self.begin()
        assert self._begun is not None
        self.errors.clear()
        names: tuple[Stream, ...] = ("out", "err")
        outputs = [Written(name, self._files[name].fileno(), self._begun) for name in names if name in self._files]
        ended = False
        while not cancelled():
            if not ended and not self.alive:
                # What is written from now on is not by the command, but by what it left behind.
                ended = True
                for output in outputs:
                    output.limit()
            blocks = [block for output in outputs if (block := output.read(ended)) is not None]
            for block in blocks:
                if block.stream == "err":
                    self.errors += block.data.decode("utf-8", "replace").splitlines()
                if block.data:
                    yield block
            if not blocks and ended:
                self.returncode = self._end()
                return
            if not blocks:
                yield Block("idle")
                time.sleep(PAUSE)

    def settle(self) -> None:
        """Note that all was told: the token finds nothing from now on, though the journal stays for a while."""
        with contextlib.suppress(OSError):  # at worst it is told once more
            (self._place / "told").touch(0o600)

    def mark_read(self) -> None:
        """Note that all was read: the journal may go some day. The token still finds it, should that be lost."""
        with contextlib.suppress(OSError):
            (self._place / "read").touch(0o600)

    def remove(self, superseded: bool = False) -> None:
        """Remove its journal, once it has ended and all that it told is recorded; one that goes on is stopped by it.

        With `superseded` those beside it go, too, that are over and `of` nothing but what this one is of: what they
        could still tell is older than what this one has told.
        """
        of = _of(self._place)
        shutil.rmtree(self._place, ignore_errors=True)
        for place in self._place.parent.glob("job-*") if superseded else ():
            if set() < _of(place) <= of and _over(place):
                shutil.rmtree(place, ignore_errors=True)

    # -- its end -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask it to end, and kill it with its group when it has not after `grace`; return when it is gone.

        It may have been started by another process. One that was never started never will be.
        """
        if self._begun is None:
            self._discard()
            return
        deadline = None
        while self.alive:
            if not self._ask():
                # There is no keeper to do it. The process is the one that was started, or `alive` would not say so.
                now = time.monotonic()
                number = self._begun.ask if deadline is None else signal.SIGKILL
                if deadline is None or now >= deadline:
                    with contextlib.suppress(OSError):
                        os.killpg(self._begun.process.pid, number)
                deadline = deadline or now + self._begun.grace
            time.sleep(PAUSE)
        if self._child is not None:
            self._child.wait()

    def _ask(self) -> bool:
        """Ask the keeper to stop the command; tell whether there is one."""
        try:
            asks = os.open(self._place / "asks", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return self._kept()  # where the journal was deleted, it stops by itself
        with contextlib.suppress(OSError):
            os.write(asks, b"a")
        os.close(asks)
        return True

    def _discard(self) -> None:
        """Take away a journal whose command is never to be started."""
        if self._held is not None:
            os.close(self._held)
            self._held = None
        if self._child is not None:
            self._child.wait()
        if self._command is not None and self._begun is None:
            shutil.rmtree(self._place, ignore_errors=True)

    def _close(self) -> None:
        if "end" in self._files:
            self._read_end()  # so that it can be asked for afterwards
        for file in self._files.values():
            file.close()

    def _kept(self) -> bool:
        """Tell whether the keeper lives: it holds the lock until it is gone."""
        import fcntl

        end = self._files["end"]
        try:
            fcntl.flock(end, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(end, fcntl.LOCK_UN)
        return False

    def _read_end(self) -> str:
        """Return what the keeper wrote at the end; "" before."""
        if not self._said and not self._files["end"].closed:
            said = os.pread(self._files["end"].fileno(), keeper.END_SIZE, 0).strip()
            self._said = said[:-1].decode() if said.endswith(b".") else ""
        return self._said

    def _end(self) -> int | None:
        """Return the exit code with which it ended by itself; None before, and when it was stopped."""
        code, _, how = self._read_end().partition(" ")
        return int(code) if how == keeper.BY_ITSELF else None


def _clear(folder: Path) -> None:
    """Remove journals of commands that are over, as the module says."""
    old = time.time() - KEPT_DAYS * 86_400
    found: list[tuple[float, Path]] = []
    for place in [*folder.glob("job-*"), *folder.glob(".job-*")]:
        with contextlib.suppress(OSError):
            found.append((place.stat().st_mtime, place))
    told = 0
    for changed, place in sorted(found, reverse=True):
        needless = (place / "told").exists() or (place / "read").exists()
        told += needless
        if (changed < old or (told > KEPT and needless)) and _over(place):
            shutil.rmtree(place, ignore_errors=True)


def _of(place: Path) -> set[str]:
    """Return what the command of a journal is about; nothing where that is not said."""
    with contextlib.suppress(OSError, ValueError):
        return set(json.loads((place / "of").read_text()))
    return set()


def _over(place: Path) -> bool:
    try:
        job = JournaledCommand(place)
    except OSError:
        return False  # in doubt it stays
    try:
        return "end" not in job._files or not (job._kept() or job.alive)
    finally:
        job._close()
