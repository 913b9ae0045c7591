"""Commands: what they are given, and what is made of how they end."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from assetry_notify.delivery.command import Program
from assetry_notify.messages import Message
from assetry_notify.targets import Target
from assetry_toolkit.errors import Refused, Unavailable

MESSAGE = Message("m1", "shop", "2026-01-01T00:00:00+00:00", ())


def program(folder: Path, *words: str, timeout: float = 60.0) -> Program:
    return Program(Target("ops", "command", timeout=timeout, given={"command": words}), str(folder))


def test_it_is_given_the_message_and_works_in_the_projects_folder(tmp_path: Path) -> None:
    program(tmp_path, 'sh -c "cat > given.json; echo $ASSETRY_NOTIFY_TEXT > text"').send(MESSAGE)
    assert json.loads((tmp_path / "given.json").read_text()) == MESSAGE.to_json()
    assert "This is a test" in (tmp_path / "text").read_text()


def test_one_that_fails_is_told_with_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="sh ended with 3: no pager"):
        program(tmp_path, "sh", "-c", "echo first >&2; echo no pager >&2; exit 3").send(MESSAGE)


def test_one_that_reads_nothing_is_no_fault(tmp_path: Path) -> None:
    program(tmp_path, "true").send(MESSAGE)


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"pager-of-nobody cannot be run"):
        program(tmp_path, "pager-of-nobody").send(MESSAGE)


def test_one_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="did not end within 3 seconds"):
        program(tmp_path, "sh", "-c", "sleep 600 & echo $! > pid; wait", timeout=3.0).send(MESSAGE)
    pid, end = int((tmp_path / "pid").read_text()), time.monotonic() + 60
    while not _has_ended(pid):
        assert time.monotonic() < end
        threading.Event().wait(0.05)


def _has_ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits for its parent to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
