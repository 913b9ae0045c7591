"""A command as a whole invocation: what it says becomes events, and how it ends is judged."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Event, Handle, Level, Log, RunError, Started, is_alive, process_of
from assetry_toolkit.commands import Command, run_command
from assetry_toolkit.secrets import Mask

from tests.toolkit.commands.processes import WAITING, found, is_gone, kill_all, killed_starter, pid_of


class Context:
    """The context of a run, as far as a command needs it."""

    def __init__(self, resume: str | None = None) -> None:
        self.resume = resume
        self.off = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.off.is_set()

    def log(self, message: str, level: Level = "info", key: Any = None) -> None:
        raise AssertionError("events are in the order in which they came only where they are yielded")


def read(line: str) -> Iterator[Event]:
    yield Started(line)


def shell(script: str, **how: Any) -> Command:
    return Command(("sh", "-c", script), **{"name": "mill", **how})


def run(command: Command, context: Any, **how: Any) -> Iterator[Event]:
    return run_command(command, context, read, **how)


def token_of(events: Sequence[Event]) -> str:
    assert isinstance(events[0], Handle)
    return events[0].token


def made(events: Iterable[Event]) -> list[str]:
    """Return what was read, without what was logged."""
    return [str(each.key) for each in events if isinstance(each, Started)]


BOTH = pytest.mark.parametrize("journal", [None, "journals"], ids=["piped", "journaled"])


def place(tmp_path: Path, journal: str | None) -> Path | None:
    return tmp_path / journal if journal else None


# -- either way ------------------------------------------------------------------------------------------------------


@BOTH
def test_lines_are_read_and_its_error_is_logged(tmp_path: Path, journal: str | None) -> None:
    events = list(
        run(shell("echo a; echo s3cret >&2"), Context(), journal=place(tmp_path, journal), mask=Mask({"s3cret"}))
    )
    told = [each for each in events if not isinstance(each, Handle)]
    assert sorted(map(str, told)) == sorted(map(str, [Started("a"), Log("***")]))


@BOTH
def test_a_bad_exit_code_is_an_error_with_its_last_words(tmp_path: Path, journal: str | None) -> None:
    where = place(tmp_path, journal)
    with pytest.raises(RunError, match=r"^mill ended with exit code 3\.\n") as caught:
        list(run(shell("echo no s3cret >&2; exit 3"), Context(), journal=where, mask=Mask({"s3cret"})))
    assert caught.value.hint == "It wrote:\nno ***"
    with pytest.raises(RunError, match="killed by SIGKILL") as caught:
        list(run(shell("kill -9 $$"), Context(), journal=where))
    assert "assetry logs" in str(caught.value.hint)
    assert list(run(shell("exit 3"), Context(), journal=where, good=(0, 3)))[1:] == []


@BOTH
def test_a_cancelled_one_ends_without_an_error(tmp_path: Path, journal: str | None) -> None:
    context = Context()
    script = "echo $$ > pid; echo there; exec sleep 600"
    for event in run(shell(script, folder=tmp_path), context, journal=place(tmp_path, journal)):
        if event == Started("there"):
            context.off.set()
    assert not is_alive(process_of(int((tmp_path / "pid").read_text())))


@BOTH
@pytest.mark.parametrize("how", ["closed", "misread"])
def test_nothing_is_left_when_reading_ends_early(tmp_path: Path, journal: str | None, how: str) -> None:
    def broken(line: str) -> Iterator[Event]:
        yield Started(line)
        raise ValueError(line)

    script = "echo $$ > pid; echo there; exec sleep 600"
    events = run_command(
        shell(script, folder=tmp_path),
        Context(),  # type: ignore[arg-type]
        broken,
        journal=place(tmp_path, journal),
    )
    assert Started("there") in (next(events), next(events)) if journal else next(events) == Started("there")
    if how == "closed":
        events.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(ValueError, match="there"):
            next(events)
    assert not is_alive(process_of(int((tmp_path / "pid").read_text())))


# -- come back to ----------------------------------------------------------------------------------------------------


def launches(folder: Path) -> int:
    return len((folder / "launches").read_text().split())


def test_a_command_that_goes_on_is_read_from_its_first_line_and_not_started_again(tmp_path: Path) -> None:
    command = shell(WAITING, folder=tmp_path)
    token = killed_starter(tmp_path, command)
    events = run(command, Context(token), journal=tmp_path / "journals", good=(3,))
    assert token_of([next(events)]) == token
    assert made([next(events), next(events)]) == ["first"]
    (tmp_path / "go").touch()
    assert made(events) == ["second"]
    assert launches(tmp_path) == 1


def test_one_that_ended_well_is_read_again_when_the_run_was_killed_before_it_recorded_that(tmp_path: Path) -> None:
    command = shell("echo x >> launches; echo orders; echo users", folder=tmp_path)
    first = list(run(command, Context(), journal=tmp_path / "journals"))  # nothing of this was recorded
    again = list(run(command, Context(token_of(first)), journal=tmp_path / "journals"))
    assert (made(again), token_of(again)) == (["orders", "users"], token_of(first))
    assert launches(tmp_path) == 1


@pytest.mark.parametrize("gone", ["journal deleted", "all killed", "told before", "never started", "stopped"])
def test_one_that_has_nothing_more_to_say_is_started_anew(tmp_path: Path, gone: str) -> None:
    command = shell(WAITING, folder=tmp_path)
    journals = tmp_path / "journals"
    (tmp_path / "go").touch()
    if gone == "never started":
        (tmp_path / "launches").touch()
        first = run(command, Context(), journal=journals)
        token = token_of([next(first)])
    elif gone == "told before":
        events: list[Event] = []
        with pytest.raises(RunError):
            events.extend(run(command, Context(), journal=journals))
        token = str(next(journals.iterdir()))
    else:
        (tmp_path / "go").unlink()
        token = killed_starter(tmp_path, command)
        pid = pid_of(token)
        if gone == "stopped":
            with found(token):
                pass
        elif gone == "journal deleted":
            shutil.rmtree(token)
        else:
            kill_all(token)
        assert is_gone(pid)
        (tmp_path / "go").touch()
    before = launches(tmp_path)
    events = list(run(command, Context(token), journal=journals, good=(3,)))
    assert token_of(events) != token
    assert made(events) == ["first", "second"]
    assert launches(tmp_path) == before + 1
    if gone == "never started":
        with pytest.raises(RunError, match="took its work over"):
            list(first)
        assert launches(tmp_path) == 1


def test_one_whose_end_was_not_seen_is_an_error_that_says_so(tmp_path: Path) -> None:
    for gone, said in (("all killed", "not known how mill ended"), ("stopped", "stopped by another process")):
        events = run(shell(WAITING, folder=tmp_path), Context(), journal=tmp_path / "journals")
        token = token_of([next(events)])
        assert made([next(events), next(events)]) == ["first"]
        if gone == "stopped":
            with found(token):
                pass
        else:
            kill_all(token)
        with pytest.raises(RunError, match=said):
            list(events)
