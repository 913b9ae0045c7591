"""Commands as real processes: what they say comes as they say it, and nothing of them is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import IntegrationError, Mask, RunError, is_alive, process_of
from assetry.testing import eventually
from assetry_toolkit.commands import Command, Finished, Line
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

#: A program with a child that holds its output open; it says that it is there, and when it is asked to end.
HANGING = """
    import os, pathlib, signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    def note(name, text):
        pathlib.Path("part").write_text(text)
        os.rename("part", name)
    def asked(number, frame):
        note("asked", str(number))
        sys.exit(0)
    signal.signal(signal.SIGTERM, asked)
    note("pids", f"{os.getpid()} {child.pid}")
    print("there", flush=True)
    time.sleep(600)
"""
#: One that will not hear that it is to end.
STUBBORN = HANGING.replace("signal.SIGTERM, asked", "signal.SIGTERM, signal.SIG_IGN")


def python(code: str, *arguments: str, **how: Any) -> Command:
    return Command((sys.executable, "-S", "-c", textwrap.dedent(code), *arguments), **how)


def shell(script: str, **how: Any) -> Command:
    return Command(("sh", "-c", script), **how)


def gone(folder: Path) -> bool:
    """Tell whether the program and its child are, soon: what is killed takes a moment to be gone."""
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    return len(pids) == 2 and eventually(lambda: not any(is_alive(process_of(pid)) for pid in pids), 30)


# -- what it says ----------------------------------------------------------------------------------------------------


def test_a_line_comes_while_the_program_works_on(tmp_path: Path) -> None:
    script = "echo first; until [ -e go ]; do sleep 0.02; done; printf second"
    with shell(script, folder=tmp_path).start() as running:
        lines = running.lines()
        assert next(lines) == Line("out", b"first\n")
        assert running.returncode is None
        (tmp_path / "go").touch()
        assert list(lines) == [Line("out", b"second")]
    assert running.returncode == 0


def test_output_and_error_come_apart_or_merged_in_their_order() -> None:
    script = "echo a; echo b >&2; echo c"
    assert shell(script).finish() == Finished(0, "a\nc\n", "b\n")
    assert shell(script, merged=True).finish() == Finished(0, "a\nb\nc\n", "")


def test_the_last_lines_of_its_error_are_kept() -> None:
    with shell("for i in $(seq 50); do echo $i >&2; done; exit 3").start() as running:
        assert len(list(running.lines())) == 50
    assert (running.returncode, list(running.errors)) == (3, [str(each) for each in range(31, 51)])


@settings(max_examples=examples(30))
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"\r\n", b"x" * 70_000]), max_size=6).map(b"".join))
def test_every_byte_comes_through_and_is_cut_at_the_ends_of_lines(
    tmp_path_factory: pytest.TempPathFactory, written: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "written"
    file.write_bytes(written)
    with Command(("cat", str(file))).start() as running:
        lines = [line.data for line in running.lines()]
    assert b"".join(lines) == written
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines[:-1])


def test_what_is_no_text_is_shown_as_far_as_it_is() -> None:
    [line] = list(_lines(shell(r"printf 'half \303\r\n'")))
    assert line.text == "half \N{REPLACEMENT CHARACTER}"


def test_a_line_without_end_is_stopped() -> None:
    endless = python("import sys\nwhile True: sys.stdout.write('x' * 100_000)", longest=1 << 20)
    with pytest.raises(RunError, match="a line of more than 1 MiB"):
        list(_lines(endless))


def test_it_has_nothing_to_read_and_the_environment_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", "1")
    monkeypatch.setenv("TAKEN", "1")
    script = "cat; echo $GIVEN ${TAKEN-none} $MORE"
    assert shell(script, environment={"TAKEN": None, "MORE": "2"}).finish().out == "1 none 2\n"


def _lines(command: Command) -> Any:
    with command.start() as running:
        yield from running.lines()


# -- how it starts ---------------------------------------------------------------------------------------------------


def test_a_program_that_is_not_there_is_named_with_the_near_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meltano").write_text("#!/bin/sh\n")
    (tmp_path / "meltano").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert Command(("meltano",)).finish().returncode == 0
    with pytest.raises(RunError, match="no program 'meltno'") as caught:
        Command(("meltno",)).start()
    assert caught.value.near[0] == "meltano"
    (tmp_path / "meltano").chmod(0o644)
    with pytest.raises(RunError, match="meltano is not executable"):
        Command(("./meltano",), folder=tmp_path).start()
    with pytest.raises(RunError, match="meltno is not there"):
        Command(("./meltno",), folder=tmp_path).start()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nowhere"):
        Command(("true",), folder=tmp_path / "nowhere").start()


def test_a_relative_program_is_looked_for_where_it_works(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "tool").chmod(0o755)
    assert Command(("./tool",), folder=tmp_path).finish().out == f"{tmp_path.resolve()}\n"


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_a_cancelled_program_is_asked_to_end_and_goes_with_all_that_it_started(tmp_path: Path) -> None:
    off = threading.Event()
    with python(HANGING, folder=tmp_path, grace=60).start() as running:
        for line in running.lines(off.is_set):
            assert line.text == "there"
            off.set()
    assert running.returncode is None
    assert (tmp_path / "asked").read_text() == str(int(signal.SIGTERM))
    assert gone(tmp_path)


def test_one_that_does_not_heed_is_killed(tmp_path: Path) -> None:
    with python(STUBBORN, folder=tmp_path, grace=0.2).start() as running:
        next(running.lines())
    assert not (tmp_path / "asked").exists()
    assert gone(tmp_path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_of_the_reader_ends_it_too(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), python(HANGING, folder=tmp_path).start() as running:  # noqa: PT012
        for _ in running.lines():
            raise error
    assert gone(tmp_path)


def test_closing_the_generator_that_reads_ends_it_too(tmp_path: Path) -> None:
    lines = _lines(python(HANGING, folder=tmp_path))
    next(lines)
    lines.close()
    assert gone(tmp_path)


def test_what_it_says_while_it_ends_does_not_hold_it_up(tmp_path: Path) -> None:
    code = """
        import pathlib, signal, sys, time
        def asked(number, frame):
            for _ in range(100): print("x" * 100_000)
            pathlib.Path("ended").touch()
            sys.exit(0)
        signal.signal(signal.SIGTERM, asked)
        print("there", flush=True)
        time.sleep(600)
    """
    with python(code, folder=tmp_path, grace=60).start() as running:
        next(running.lines())
    assert (tmp_path / "ended").exists()


@pytest.mark.parametrize("works", ["sleep 600", "while :; do echo noise; done"], ids=["silent", "noisy"])
def test_a_child_that_holds_the_output_open_holds_nothing_up(tmp_path: Path, works: str) -> None:
    with shell(f"({works}) & echo $! > child; echo done; printf last >&2", folder=tmp_path).start() as running:
        lines = list(running.lines())
    assert Line("out", b"done\n") in lines
    assert (Line("err", b"last") in lines, list(running.errors)) == (True, ["last"])
    assert running.returncode == 0
    child = process_of(int((tmp_path / "child").read_text()))
    assert eventually(lambda: not is_alive(child), 30)


def test_all_that_it_wrote_before_its_end_is_there_however_slowly_it_is_read(tmp_path: Path) -> None:
    with shell("seq 10000; touch ended", folder=tmp_path).start() as running:
        blocks = running.blocks()
        data = next(block.data for block in blocks if block.data)
        assert eventually((tmp_path / "ended").exists, 30)
        data += b"".join(block.data for block in blocks)
    assert data.split() == [b"%d" % number for number in range(1, 10_001)]


def test_all_that_it_wrote_before_its_end_is_there_though_it_ended_while_nothing_was_read(tmp_path: Path) -> None:
    """As when this process is stopped, or kept from running, between two looks."""
    script = "until [ -e go ]; do sleep 0.02; done; echo one; echo two; printf three"
    with shell(script, folder=tmp_path).start() as running:
        blocks = running.blocks()
        assert next(blocks).stream == "idle"
        (tmp_path / "go").touch()
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        assert b"".join(block.data for block in blocks) == b"one\ntwo\nthree"
    assert running.returncode == 0


def test_one_that_has_closed_its_output_is_waited_for_and_can_be_cancelled(tmp_path: Path) -> None:
    with shell("exec >&- 2>&-; until [ -e go ]; do sleep 0.02; done; exit 4", folder=tmp_path).start() as running:
        blocks = running.blocks()
        next(blocks)
        (tmp_path / "go").touch()
        assert not [block for block in blocks if block.data]
    assert running.returncode == 4
    off = threading.Event()
    with shell("exec >&- 2>&-; exec sleep 600").start() as running:
        for _ in running.blocks(off.is_set):
            off.set()
    assert running.returncode is None
    assert is_alive(process_of(running.pid)) is False


#: Runs a command of two words, code and how it is asked, and waits for it.
OUTER = """
import signal, sys
from assetry_toolkit.commands import Command
ask = signal.Signals(int(sys.argv[2]))
{before}
with Command((sys.executable, "-S", "-c", sys.argv[1]), ask=ask, grace=60).start() as running:
    for line in running.lines():
        {then}
"""


def outer(tmp_path: Path, ask: signal.Signals, before: str = "", then: str = "pass") -> subprocess.Popen[bytes]:
    """Run HANGING, which is asked by a signal, in a process between us and it."""
    code = textwrap.dedent(HANGING).replace("signal.SIGTERM", f"signal.Signals({int(ask)})")
    words = [sys.executable, "-c", OUTER.format(before=before, then=then), code, str(int(ask))]
    return subprocess.Popen(words, cwd=tmp_path)


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
def test_when_our_own_process_is_killed_it_is_asked_to_end_and_nothing_is_left(
    tmp_path: Path, ask: signal.Signals
) -> None:
    process = outer(tmp_path, ask, then="open('heard', 'w').close()")
    assert eventually((tmp_path / "heard").exists, 30)
    process.kill()
    process.wait()
    asked = tmp_path / "asked"
    assert eventually(lambda: asked.exists() and asked.read_text() == str(int(ask)), 30)
    assert gone(tmp_path)


@pytest.mark.parametrize(
    "before",
    [
        "signal.signal(signal.SIGINT, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})",
    ],
    ids=["ignored", "blocked"],
)
def test_a_program_hears_an_interrupt_that_is_ignored_here(tmp_path: Path, before: str) -> None:
    # Python installs its own way of being interrupted only where the signal is not ignored at its start.
    code = """
        import pathlib, time
        try:
            print("there", flush=True)
            time.sleep(600)
        except KeyboardInterrupt:
            pathlib.Path("asked").touch()
    """
    words = [sys.executable, "-c", OUTER.format(before=before, then="break"), textwrap.dedent(code), str(2)]
    subprocess.run(words, cwd=tmp_path, check=True, timeout=50)  # it would wait for a minute
    assert (tmp_path / "asked").exists()


def test_a_broken_pipe_ends_a_program_quietly_also_where_interrupts_are_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert shell("yes | head -1").finish() == Finished(0, "y\n", "")
    finally:
        signal.signal(signal.SIGINT, before)


def test_nothing_is_left_in_this_process_either(tmp_path: Path) -> None:
    def count() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    shell("true").finish()
    before = count()
    shell("echo a; echo b >&2").finish()
    with python(HANGING, folder=tmp_path).start() as running:
        next(running.lines())
    with pytest.raises(RunError):
        Command(("no-such-program",)).start()
    assert count() == before


def test_the_output_of_a_command_that_fails_is_an_error_with_its_last_words() -> None:
    assert shell("echo orders; echo noise >&2").output() == "orders\n"
    with pytest.raises(IntegrationError, match=r"sh ended with exit code 3: no such table") as caught:
        shell("echo 'asked with s3cret' >&2; echo no such table >&2; exit 3").output(mask=Mask(frozenset({"s3cret"})))
    assert caught.value.hint == "It wrote:\nasked with ***\nno such table"
    assert shell("exit 3").output(good=(0, 3)) == ""
