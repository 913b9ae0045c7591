"""Commands that outlive us, as real processes: found again, read whole, stopped, and never mistaken for another."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Mask, RunError, is_alive, process_of
from assetry.testing import eventually
from assetry_toolkit.commands import KEPT, KEPT_DAYS, Command, JournaledCommand, Line
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.toolkit.commands.processes import (
    STARTER,
    WAITING,
    found,
    is_gone,
    keeper_of,
    kill_all,
    killed_starter,
    pid_of,
)

#: Has a child, and notes that it was asked to end.
HANGING = """
    import os, pathlib, signal, subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    def asked(number, frame):
        pathlib.Path("asked").write_text(str(number))
        sys.exit(0)
    signal.signal(signal.SIGTERM, asked)
    pathlib.Path("part").write_text(f"{os.getpid()} {child.pid}")
    os.rename("part", "pids")
    print("there", flush=True)
    time.sleep(600)
"""
STUBBORN = HANGING.replace("signal.SIGTERM, asked", "signal.SIGTERM, signal.SIG_IGN")


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for journals; what a failing test leaves running there is killed."""
    folder = tmp_path / "journals"
    yield folder
    for begun in folder.glob("*/begun"):
        with suppress(ValueError, OSError):
            process = json.loads(begun.read_text())["process"]
            if is_alive(process_of(process["pid"])) and process_of(process["pid"]).born == process["born"]:
                os.killpg(process["pid"], signal.SIGKILL)


def shell(script: str, **how: Any) -> Command:
    return Command(("sh", "-c", script), **how)


def python(code: str, **how: Any) -> Command:
    return Command((sys.executable, "-S", "-c", textwrap.dedent(code)), **how)


def texts(running: JournaledCommand) -> list[str]:
    return [line.text for line in running.lines()]


def all_gone(folder: Path) -> bool:
    return all(is_gone(int(pid)) for pid in (folder / "pids").read_text().split())


# -- what it says ----------------------------------------------------------------------------------------------------


def test_lines_come_while_it_works_and_its_exit_code_at_the_end(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell(WAITING, folder=tmp_path), journals) as running:
        lines = running.lines()
        assert {next(lines), next(lines)} == {Line("out", b"first\n"), Line("err", b"first\n")}
        assert running.returncode is None
        assert running.alive
        (tmp_path / "go").touch()
        assert list(lines) == [Line("out", b"second\n")]
        assert (running.returncode, list(running.errors), running.stopped) == (3, ["first"], False)
        assert not running.alive


def test_merged_output_keeps_its_order_and_the_last_line_needs_no_end(journals: Path) -> None:
    command = shell("echo a; echo b >&2; printf c", merged=True)
    with JournaledCommand.prepare(command, journals) as running:
        assert list(running.lines()) == [Line("out", b"a\n"), Line("out", b"b\n"), Line("out", b"c")]
    assert running.returncode == 0


def test_a_signal_that_ended_it_is_told_from_an_exit_code(journals: Path) -> None:
    for script, code in (("kill -9 $$", -9), ("exit 137", 137)):
        with JournaledCommand.prepare(shell(script), journals) as running:
            assert texts(running) == []
            assert (running.returncode, running.stopped) == (code, False)


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"\n", b"\r\n", b"x" * 70_000]), max_size=6).map(b"".join))
def test_every_byte_comes_through_and_is_cut_at_the_ends_of_lines(
    tmp_path_factory: pytest.TempPathFactory, written: bytes
) -> None:
    base = tmp_path_factory.getbasetemp()
    (base / "written").write_bytes(written)
    with JournaledCommand.prepare(Command(("cat", str(base / "written"))), base / "journals") as running:
        lines = [line.data for line in running.lines()]
        assert lines == [line.data for line in running.lines()], "it can be read again from its first line"
    assert b"".join(lines) == written
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines[:-1])


def test_a_line_without_end_is_stopped(journals: Path) -> None:
    endless = python("import sys\nwhile True: sys.stdout.write('x' * 100_000)", longest=1 << 20, grace=0.1)
    with JournaledCommand.prepare(endless, journals) as running:
        with pytest.raises(RunError, match="a line of more than 1 MiB"):
            list(running.lines())
        pid = pid_of(running.token)
    assert is_gone(pid)


def test_it_has_nothing_to_read_and_the_signals_that_programs_expect(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "1")
    code = """
        import os, signal, sys
        ignored = {each.name for each in signal.Signals if signal.getsignal(each) == signal.SIG_IGN}
        given = os.environ["GIVEN"], os.environ["MORE"]
        print(sys.stdin.read(), *given, sorted(ignored), os.getpgrp() == os.getpid())
    """
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with JournaledCommand.prepare(python(code, environment={"MORE": "2"}), journals) as running:
            # Python ignores these two by itself.
            assert texts(running) == [" 1 2 ['SIGPIPE', 'SIGXFSZ'] True"]
    finally:
        signal.signal(signal.SIGINT, before)
    with JournaledCommand.prepare(shell("yes | head -1"), journals) as running:
        assert texts(running) == ["y"], "a broken pipe ends the program, quietly"


def test_its_journal_is_private_and_the_environment_is_not_in_it(journals: Path) -> None:
    with JournaledCommand.prepare(shell("true", environment={"TOKEN": "s3cret-s3cret"}), journals) as running:
        texts(running)
        place = Path(running.token)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {each.name: stat.S_IMODE(each.stat().st_mode) & 0o077 for each in place.iterdir()} == dict.fromkeys(
        ("out", "err", "end", "begun", "asks", "of"), 0
    )
    files = [each for each in place.iterdir() if each.is_file()]
    assert not [each.name for each in files if b"s3cret-s3cret" in each.read_bytes()]


@pytest.mark.parametrize("merged", [False, True])
def test_what_is_hidden_never_reaches_the_disk(journals: Path, merged: bool) -> None:
    hidden = Mask(frozenset({"s3cret w/rd", "an0ther"}))
    say = (
        "printf 'the s3cret w'; sleep 0.1; printf '/rd is\\n%s\\n\\377 here' \"$TOKEN\"; echo an0ther >&2; printf tail"
    )
    with JournaledCommand.prepare(
        shell(say, merged=merged, environment={"TOKEN": "s3cret%20w%2Frd"}), journals, hidden
    ) as (running):
        lines = [line.data for line in running.lines()]
        assert running.returncode == 0
        kept = {each.name: each.read_bytes() for each in Path(running.token).iterdir() if each.is_file()}
    assert not [name for name, data in kept.items() if b"s3cret" in data or b"an0ther" in data]
    assert b"the *** is\n" in lines
    assert b"***\n" in lines
    assert b"".join(lines).count(b"\xff here") == 1
    assert b"".join(lines).replace(b"\n", b"").endswith((b"tail", b"***"))


def test_what_hides_tells_all_the_rest_and_how_it_ended(journals: Path) -> None:
    code = "import sys\nfor n in range(30_000): print(n, 'x' * 90)\nsys.exit(7)"
    with JournaledCommand.prepare(python(code), journals, Mask(frozenset({"s3cret"}))) as (running):
        assert [int(text.split()[0]) for text in texts(running)] == list(range(30_000))
        assert running.returncode == 7


def test_a_command_with_hidden_words_outlives_its_starter_and_is_stopped(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(python(HANGING, folder=tmp_path), journals, Mask(frozenset({"there"}))) as running:
        assert next(running.lines()).text == "***"
        again = JournaledCommand.find(running.token)
        assert again is not None
        with again:
            assert again.alive
        assert running.stopped
        pids = (tmp_path / "pids").read_text().split()
    assert eventually(lambda: all(is_gone(int(pid)) for pid in pids), 30)
    assert (tmp_path / "asked").exists()


# -- how it starts ---------------------------------------------------------------------------------------------------


def test_it_starts_when_its_lines_are_asked_for_and_not_before(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell("touch begun", folder=tmp_path), journals) as running:
        assert Path(running.token).is_dir()
        assert not running.alive
    assert not (tmp_path / "begun").exists()
    assert list(journals.iterdir()) == [], "and leaves nothing behind when it never does"


def test_one_that_was_found_before_it_started_never_starts(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell("touch begun", folder=tmp_path), journals) as running:
        assert JournaledCommand.find(running.token) is None
        with pytest.raises(RunError, match="another process took its work over"):
            running.begin()
    assert not (tmp_path / "begun").exists()


def test_what_cannot_be_started_says_why(tmp_path: Path, journals: Path) -> None:
    with pytest.raises(RunError, match="no program 'no-such-program'"):
        JournaledCommand.prepare(Command(("no-such-program",)), journals)
    nowhere = shell("true", folder=tmp_path / "nowhere")
    with pytest.raises(RunError, match="nowhere"), JournaledCommand.prepare(nowhere, journals) as running:
        running.begin()
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="can keep no journal") as caught:
        JournaledCommand.prepare(shell("true"), tmp_path / "file")
    assert caught.value.where == str(tmp_path / "file")
    (tmp_path / "tool").write_text("not a program")
    (tmp_path / "tool").chmod(0o755)
    with JournaledCommand.prepare(Command(("./tool",), folder=tmp_path), journals) as running:
        assert "tool cannot be started: Exec format error" in "".join(texts(running))
    assert running.returncode == 126


def test_nothing_is_left_in_this_process(tmp_path: Path, journals: Path) -> None:
    def count() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/dev/fd"))  # noqa: PTH208

    def use() -> None:
        with JournaledCommand.prepare(shell("echo a; echo b >&2"), journals) as running:
            texts(running)
        again = JournaledCommand.find(running.token)
        assert again is not None
        with again:
            again.settle()
            texts(again)
        assert JournaledCommand.find(running.token) is None
        with JournaledCommand.prepare(python(HANGING, folder=tmp_path), journals) as running:
            next(running.lines())
        assert JournaledCommand.find(running.token) is None
        with suppress(RunError), JournaledCommand.prepare(shell("true", folder="/nowhere"), journals) as running:
            running.begin()

    use()
    before = count()
    use()
    assert count() == before


# -- found again -----------------------------------------------------------------------------------------------------


def test_it_goes_on_when_its_starter_is_killed_and_is_read_from_the_first_line(tmp_path: Path) -> None:
    token = killed_starter(tmp_path, shell(WAITING))
    with found(token) as running:
        assert running.alive
        lines = running.lines()
        assert {next(lines), next(lines)} == {Line("out", b"first\n"), Line("err", b"first\n")}
        (tmp_path / "go").touch()
        assert list(lines) == [Line("out", b"second\n")]
    assert running.returncode == 3


def test_one_that_ended_meanwhile_tells_its_lines_and_exit_code_until_all_is_told(tmp_path: Path) -> None:
    token = killed_starter(tmp_path, shell(WAITING))
    (tmp_path / "go").touch()
    assert is_gone(int((tmp_path / "pid").read_text()))
    for _ in range(2):
        with found(token) as running:
            assert sorted(texts(running)) == ["first", "first", "second"]
            assert running.returncode == 3
    running.settle()
    assert JournaledCommand.find(token) is None


def test_two_read_it_at_once(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell(WAITING, folder=tmp_path, merged=True), journals) as running:
        first = running.lines()
        next(first)
        other = found(running.token)
        second = other.lines()
        assert [next(second).text, next(first).text] == ["first", "first"]
        (tmp_path / "go").touch()
        assert [line.text for line in first] == ["second"]
        assert [line.text for line in second] == ["first", "second"]
        assert running.returncode == other.returncode == 3
        with other:
            pass


@pytest.mark.parametrize("code", [HANGING, STUBBORN], ids=["heeds", "ignores SIGTERM"])
def test_it_is_stopped_by_another_process_than_its_starter(tmp_path: Path, journals: Path, code: str) -> None:
    command = python(code, folder=tmp_path, grace=0.2 if code == STUBBORN else 60)
    with JournaledCommand.prepare(command, journals) as running:
        lines = running.lines()
        assert next(lines).text == "there"
        stop = "import sys; from assetry_toolkit.commands import JournaledCommand\n"
        stop += "with JournaledCommand.find(sys.argv[1]): pass"
        subprocess.run([sys.executable, "-c", stop, running.token], check=True, timeout=50)
        assert all_gone(tmp_path)
        assert list(lines) == []
        assert (running.returncode, running.stopped) == (None, True)
    assert (tmp_path / "asked").exists() == (code == HANGING)
    assert JournaledCommand.find(running.token) is None, "it was stopped, and so is to be started anew"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, GeneratorExit])
def test_a_reader_that_ends_before_it_takes_it_along(
    tmp_path: Path, journals: Path, error: type[BaseException]
) -> None:
    command = python(HANGING, folder=tmp_path)
    with pytest.raises(error), JournaledCommand.prepare(command, journals) as running:  # noqa: PT012
        for _ in running.lines():
            keeper = keeper_of(running.token)
            raise error
    assert all_gone(tmp_path)
    assert is_gone(keeper)


def test_a_cancelled_one_is_asked_to_end(tmp_path: Path, journals: Path) -> None:
    off = threading.Event()
    with JournaledCommand.prepare(python(HANGING, folder=tmp_path, grace=60), journals) as running:
        for _ in running.lines(off.is_set):
            off.set()
    assert running.returncode is None
    assert (tmp_path / "asked").read_text() == str(int(signal.SIGTERM))
    assert all_gone(tmp_path)


def test_what_it_left_behind_in_its_group_goes_with_it_also_when_it_is_not_read(tmp_path: Path) -> None:
    token = killed_starter(
        tmp_path, shell("sleep 600 & echo $! > pids; echo first; until [ -e go ]; do sleep 0.02; done")
    )
    (tmp_path / "go").touch()
    assert all_gone(tmp_path)
    with found(token) as running:
        assert texts(running) == ["first"]
    assert running.returncode == 0


def test_a_daemon_that_it_started_holds_nothing_up_and_may_even_write(tmp_path: Path, journals: Path) -> None:
    code = """
        import os, pathlib, sys, time
        print("there", flush=True)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                pathlib.Path("part").write_text(str(os.getpid()))
                os.rename("part", "daemon")
                while True: print("noise" * 1000, flush=True)
            os._exit(0)
        while not os.path.exists("daemon"): time.sleep(0.02)
        sys.exit(4)
    """
    with JournaledCommand.prepare(python(code, folder=tmp_path), journals) as running:
        for line in running.lines():
            assert line.text == "there" or line.text[:5] in "noise"
    daemon = int((tmp_path / "daemon").read_text())
    try:
        assert running.returncode == 4
        assert is_alive(process_of(daemon)), "it left the group, as daemons do, and so is not ours to end"
    finally:
        os.kill(daemon, signal.SIGKILL)


# -- what can be killed, and lost ------------------------------------------------------------------------------------


def test_when_the_command_alone_is_killed_that_is_how_it_ended(tmp_path: Path) -> None:
    token = killed_starter(tmp_path, shell(WAITING))
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    with found(token) as running:
        assert sorted(texts(running)) == ["first", "first"]
    assert (running.returncode, running.stopped) == (-signal.SIGKILL, False)


def test_when_all_of_it_is_killed_its_end_is_not_known(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell(WAITING, folder=tmp_path, merged=True), journals) as running:
        lines = running.lines()
        next(lines)
        kill_all(running.token)
        assert next(lines).text == "first"
        assert list(lines) == []
        assert (running.returncode, running.stopped, running.alive) == (None, False, False)
    assert JournaledCommand.find(running.token) is None, "so it is to be started anew"
    unkept = JournaledCommand.find(running.token, unkept=True)
    assert unkept is not None, "its lines may tell how it ended"
    with unkept:
        assert (texts(unkept), unkept.returncode) == (["first", "first"], None)
    (Path(running.token) / "end").unlink()
    assert JournaledCommand.find(running.token, unkept=True) is None
    assert JournaledCommand.find(str(tmp_path / "gone"), unkept=True) is None


def test_when_only_its_keeper_is_killed_it_is_still_found_and_stopped(tmp_path: Path, journals: Path) -> None:
    command = python(STUBBORN, folder=tmp_path, grace=0.2)
    with JournaledCommand.prepare(command, journals) as running:
        lines = running.lines()
        next(lines)
        keeper = keeper_of(running.token)
        os.kill(keeper, signal.SIGKILL)
        assert is_gone(keeper)
        assert running.alive
        with found(running.token) as other:
            assert next(other.lines()).text == "there"
        assert all_gone(tmp_path)
        assert list(lines) == []
        assert running.returncode is None


def test_a_pid_that_was_given_out_anew_is_not_mistaken_for_it(tmp_path: Path, journals: Path) -> None:
    with JournaledCommand.prepare(shell(WAITING, folder=tmp_path, merged=True), journals) as running:
        next(running.lines())
        kill_all(running.token)
        assert eventually(lambda: not running.alive, 30)
    begun = Path(running.token, "begun")
    said = json.loads(begun.read_text())
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            for changed in (
                {"pid": other.pid},
                {"pid": other.pid, "born": process_of(other.pid).born, "boot": "another"},
            ):
                begun.write_text(json.dumps({**said, "process": {**said["process"], **changed}}))
                assert JournaledCommand.find(running.token) is None
            assert other.poll() is None
        finally:
            other.kill()


def test_one_whose_journal_is_deleted_is_stopped_and_not_found(tmp_path: Path, journals: Path) -> None:
    import shutil

    with JournaledCommand.prepare(python(HANGING, folder=tmp_path, grace=60), journals) as running:
        lines = running.lines()
        next(lines)
        shutil.rmtree(journals)
        assert JournaledCommand.find(running.token) is None
        assert list(lines) == []
        assert (running.returncode, running.stopped) == (None, True)
    assert (tmp_path / "asked").exists()
    assert all_gone(tmp_path)


@pytest.mark.parametrize("token", ["", "12 /tmp/x.jsonl", "/nowhere/job-1", "\0", "."])
def test_a_token_of_nothing_finds_nothing(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert JournaledCommand.find(token) is None


def test_a_journal_that_cannot_be_read_is_not_taken_for_one_that_is_gone(journals: Path) -> None:
    with JournaledCommand.prepare(shell("true"), journals) as running:
        texts(running)
    us = os.geteuid()
    journals.chmod(0)
    try:
        if us == 0:
            os.seteuid(65534)  # root could read it all the same
        with pytest.raises(RunError, match="cannot be read: Permission denied"):
            JournaledCommand.find(running.token)
    finally:
        os.seteuid(us)
        journals.chmod(0o700)
    assert JournaledCommand.find(running.token) is not None


def test_on_a_full_disk_it_fails_by_itself_and_its_end_is_known(tmp_path: Path) -> None:
    limited = textwrap.dedent("""
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    """)
    code = "import os\nos.write(1, b'x' * 99_000 + b'\\n')\nwhile True: os.write(1, b'y' * 1000)"
    words = (sys.executable, "-S", "-c", code)
    subprocess.run([sys.executable, "-c", limited + STARTER, *words], cwd=tmp_path, check=True, timeout=50)
    with found((tmp_path / "token").read_text()) as running:
        first, *rest = running.lines()
    assert len(first.data) == 99_001
    assert running.returncode == 1 or running.returncode == -signal.SIGXFSZ
    assert rest


def test_on_a_full_disk_one_that_hides_something_fails_by_itself_too(tmp_path: Path) -> None:
    limited = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    code = "import os\nos.write(1, b'x' * 9_000 + b'\\n')\nwhile True: os.write(1, b'y' * 999 + b'\\n')"
    words = (sys.executable, "-S", "-c", code)
    hiding = STARTER.replace('journals")', 'journals"), Mask(frozenset({"s3cret"}))')
    assert hiding != STARTER
    starter = f"{limited}from assetry.plugin import Mask\n{hiding}"
    subprocess.run([sys.executable, "-c", starter, *words], cwd=tmp_path, check=True, timeout=50)
    with found((tmp_path / "token").read_text()) as running:
        assert len(next(running.lines()).data) == 9_001
        texts(running)
    assert running.returncode == 1, "its output is closed"


# -- journals that are over ------------------------------------------------------------------------------------------


def test_old_journals_go_and_those_that_are_needed_stay(tmp_path: Path, journals: Path) -> None:
    made = []
    for number in range(KEPT + 3):
        with JournaledCommand.prepare(shell("true"), journals) as running:
            texts(running)
            running.mark_read() if number % 2 else running.settle()
            os.utime(running.token, (time.time(), time.time() - 1000 + number))
            made.append(running.token)
    with JournaledCommand.prepare(shell(WAITING, folder=tmp_path), journals) as running:
        next(running.lines())
        long_ago = time.time() - (KEPT_DAYS + 1) * 86_400
        os.utime(running.token, (long_ago, long_ago))
        with JournaledCommand.prepare(shell("true"), journals) as untold:
            texts(untold)
        os.utime(made[-1], (long_ago, long_ago))
        with JournaledCommand.prepare(shell("true"), journals) as last:
            texts(last)
        left = {str(each) for each in journals.iterdir()}
        assert left == {*made[3:-1], running.token, untold.token, last.token}
        assert JournaledCommand.find(untold.token) is not None


def test_with_a_journal_those_go_that_could_tell_nothing_newer(tmp_path: Path, journals: Path) -> None:
    def run(*of: str, script: str = "true") -> JournaledCommand:
        return JournaledCommand.prepare(shell(script, folder=tmp_path), journals, of=of)

    made = {}
    for name, of in {"same": ["a", "b"], "part": ["a"], "more": ["a", "b", "c"], "none": []}.items():
        with run(*of) as running:
            texts(running)
            made[name] = running.token
    with run("a", script=WAITING) as waiting:
        next(waiting.lines())
        for superseded, left in ((False, {"same", "part", "more", "none"}), (True, {"more", "none"})):
            with run("a", "b") as running:
                texts(running)
            running.remove(superseded)
            found_ = {str(each) for each in journals.iterdir()}
            assert found_ == {waiting.token, *(made[name] for name in left)}


def test_a_journal_below_the_state_of_a_project_lies_in_folders_of_its_user_alone(tmp_path: Path) -> None:
    journals = tmp_path / ".assetry" / "mill" / "journals"
    before = os.umask(0o022)
    try:
        JournaledCommand.prepare(Command(("true",)), journals)
    finally:
        os.umask(before)
    folders = (journals, *journals.parents[:2])
    assert [stat.S_IMODE(each.stat().st_mode) for each in folders] == [0o700] * 3
    assert (tmp_path / ".assetry" / ".gitignore").exists()
