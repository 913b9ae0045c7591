"""The process between us and a command that has a journal: starts it, stops it when asked to, tells how it ended.

    python -I -S keeper.py FOLDER END GO SAID ASK GRACE HIDES PROGRAM ARGUMENT…

END, GO and SAID are open files: the locked one that the end is written into, a pipe that says when to begin (and, by
its own end, that there is nothing to begin with), and one that the program's pid is written to. It stands between the
program and the process that started it, to see how the program ends when that process is gone, and to stop the program
without trusting a pid. Where it HIDES something (`hides`, else `plain`) the program writes to it, and it writes what is
left to the journal; the regular expression of that comes through GO. It is run as a file and imports next to nothing:
so it starts quickly.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Mapping, Sequence

#: Seconds between two looks at whether the journal is still there.
_LOOK = 1.0
#: Bytes of the end, so that writing it later takes no space on a disk that may be full then.
END_SIZE = 64
#: What comes before and after the regular expression of what is to be hidden, which may be empty.
GO, WHOLE = b"g", b"\0"
#: Bytes of a line beyond which it is written in parts.
_LONGEST = 1 << 24
#: What the end says after the exit code.
BY_ITSELF, STOPPED = "ended", "stopped"

#: Signals that are for the program. By name: this module can be imported where there are no such signals.
_DEAF = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")
#: Signals that Python ignores from its start, and programs should not.
_OF_PYTHON = ("SIGPIPE", "SIGXFSZ")


def main(arguments: Sequence[str]) -> None:
    """Keep one command."""
    place, *numbers = arguments[:4]
    end, go, said = map(int, numbers)
    ask, grace, hides, words = int(arguments[4]), float(arguments[5]), arguments[6] == "hides", arguments[7:]
    for number in (end, go, said):
        os.set_inheritable(number, False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for each in _DEAF:
        signal.signal(signal.Signals[each], signal.SIG_IGN)
    # For both ways: there is always someone who may write, so that it never seems to have ended.
    asks = os.open(os.path.join(place, "asks"), os.O_RDWR | os.O_NONBLOCK)  # noqa: PTH118 - pathlib is slow to import
    woken = _wake_on_ends()
    gate, opener = os.pipe()
    pipes = _pipes() if hides else {}
    child = os.fork()
    if not child:
        os.close(opener)
        _become(words, gate, pipes)
    for _, writes in pipes.values():
        os.close(writes)
    os.setpgid(child, child)
    _anchor(child)
    os.write(said, b"%d" % child)
    os.close(said)
    hidden = _heard(go)
    if hidden is None:
        return  # the process that started us is gone, or gives up; the gate closes with us
    os.write(opener, b"g")
    os.close(opener)
    os.close(gate)
    pumps = {reads: _Pump(reads, number, hidden) for number, (reads, _) in pipes.items()}
    _tell(end, *_wait(child, (ask, grace), (end, asks, woken), pumps))


def _heard(go: int) -> bytes | None:
    """Return the regular expression of what is to be hidden; None when there is nothing to begin with."""
    said = b""
    while chunk := os.read(go, 1 << 16):
        said += chunk
    return said[len(GO) : -len(WHOLE)] if said.startswith(GO) and said.endswith(WHOLE) else None


def _pipes() -> dict[int, tuple[int, int]]:
    """Return a pipe for the output, and for the standard error where that goes elsewhere."""
    one = os.path.sameopenfile(1, 2)
    return {number: os.pipe() for number in ((1,) if one else (1, 2))}


class _Pump:
    """What the program writes, on its way into the journal: whole lines, without what is to be hidden."""

    def __init__(self, reads: int, writes: int, hidden: bytes) -> None:
        import re  # only where it is needed: it takes as long to import as all else

        self._reads, self._writes, self._rest = reads, writes, b""
        self._pattern = re.compile(hidden.decode()) if hidden else None

    def take(self) -> bool:
        """Take what there is, and wait for it; tell whether more may come."""
        chunk = os.read(self._reads, 1 << 16)
        lines, end, rest = (self._rest + chunk).rpartition(b"\n")
        whole = not chunk or len(rest) > _LONGEST
        self._rest = b"" if whole else rest
        if self._write(lines + end + (rest if whole else b"")) and chunk:
            return True
        os.close(self._reads)  # a program whose words find no place fails by itself
        return False

    def finish(self) -> None:
        """Take what is left; what still holds the pipe open is not waited for."""
        while select.select([self._reads], [], [], 0)[0]:
            if not self.take():
                return
        self._write(self._rest)

    def _write(self, data: bytes) -> bool:
        if self._pattern is not None:
            data = self._pattern.sub("***", data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        try:
            while data:
                data = data[os.write(self._writes, data) :]
        except OSError:
            return False  # the disk is full
        return True


def _anchor(group: int) -> None:
    """Keep the number of the group ours, also when all others are gone: by an ended process that is not waited for."""
    told, tells = os.pipe()
    if not os.fork():
        try:
            os.setpgid(0, group)
        finally:
            os._exit(0)
    os.close(tells)
    os.read(told, 1)  # until it has ended
    os.close(told)


def _become(words: Sequence[str], gate: int, pipes: Mapping[int, tuple[int, int]]) -> None:
    """Turn into the program, once the gate opens."""
    try:
        os.setpgid(0, 0)
        for number in (1, 2) if pipes else ():
            os.dup2(pipes.get(number, pipes[1])[1], number)
        if not os.read(gate, 1):
            os._exit(0)
        for each in (*_DEAF, *_OF_PYTHON, "SIGCHLD"):
            signal.signal(signal.Signals[each], signal.SIG_DFL)
        os.execv(words[0], list(words))
    except OSError as error:
        os.write(2, f"{words[0]} cannot be started: {error.strerror}\n".encode())
    finally:
        os._exit(126)


def _wake_on_ends() -> int:
    """Return a file that can be read from when a child has ended."""
    woken, wakes = os.pipe()
    for number in (woken, wakes):
        os.set_blocking(number, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    return woken


def _wait(
    child: int, asked: tuple[int, float], files: tuple[int, int, int], pumps: Mapping[int, _Pump]
) -> tuple[int, str]:
    """Wait for the program, and stop its group when asked to; return how it ended, and by whom."""
    ask, grace = asked
    end, asks, woken = files
    open_, deadline = dict(pumps), None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            # What the program has left behind goes too.
            _signal(child, signal.SIGKILL)
            for pump in open_.values():
                pump.finish()
            return os.waitstatus_to_exitcode(status), BY_ITSELF if deadline is None else STOPPED
        left = _LOOK if deadline is None else min(max(deadline - time.monotonic(), 0.05), _LOOK)
        ready, _, _ = select.select([asks, woken, *open_], [], [], left)
        for number in ready:
            if number not in open_:
                os.read(number, 4096)
            elif not open_[number].take():
                del open_[number]
        # What a command writes into a deleted journal can be read by no process that comes later.
        if deadline is None and (asks in ready or os.fstat(end).st_nlink == 0):
            _signal(child, ask)
            deadline = time.monotonic() + grace
        elif deadline is not None and time.monotonic() >= deadline:
            _signal(child, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib takes longer to import than all else
        os.killpg(group, number)
    except OSError:
        pass  # all have ended


def _tell(end: int, returncode: int, how: str) -> None:
    """Write how it ended, after all that it wrote is on the disk."""
    for number in (1, 2):
        try:  # noqa: SIM105
            os.fsync(number)
        except OSError:
            pass  # a disk that is full, or no file at all
    os.pwrite(end, f"{returncode} {how}.".encode().ljust(END_SIZE), 0)
    os.fsync(end)


if __name__ == "__main__":
    main(sys.argv[1:])
