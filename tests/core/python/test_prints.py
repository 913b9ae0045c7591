"""What functions print and log is in the log of their run, with its asset, and nowhere else."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from assetry import asset, asset_check, materialize, multi_asset
from assetry.python.prints import LONGEST, captured, without_echo
from assetry.types.events import Log


def logs(*assets: Any, root: Path) -> list[tuple[str | None, str, str]]:
    """Materialize assets; return asset, level and message of every line in the log."""
    found = []

    def take(record: Any) -> None:
        if isinstance(record.event, Log):
            found.append((record.event.key, record.event.level, record.event.message))

    from assetry import Project

    with Project(assets, root=root, store="sqlite::memory:", io="memory:") as project:
        assert project.materialize(on_event=take).ok
    return found


def test_prints_and_records_of_loggers_are_lines_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # as in a process that has configured none

    @asset
    def orders() -> int:
        print("reading", end=" ")
        print("orders")
        print("to stderr", file=sys.stderr)
        logging.getLogger("shop").info("3 orders")
        logging.getLogger("shop").error("one of them is odd")
        print("no end of line", end="")
        return 3

    assert logs(orders, root=tmp_path) == [
        ("orders", "info", "reading orders"),
        ("orders", "info", "to stderr"),
        ("orders", "info", "3 orders"),
        ("orders", "error", "one of them is odd"),
        ("orders", "info", "no end of line"),
    ]


def test_checks_and_generators_are_captured(tmp_path: Path) -> None:
    @multi_asset(assets=["a", "b"])
    def both():  # type: ignore[no-untyped-def]
        print("first")
        yield "a", 1
        print("second")
        yield "b", 2

    @asset_check(asset="a")
    def one(a: int) -> bool:
        print("looking")
        return a == 1

    assert logs(both, one, root=tmp_path) == [
        (None, "info", "first"),
        (None, "info", "second"),
        ("a", "info", "looking"),
    ]


def test_a_failing_function_is_heard_up_to_its_failure(tmp_path: Path) -> None:
    @asset
    def broken() -> int:
        print("so far")
        raise ValueError("no further")

    lines: list[str] = []
    with pytest.raises(ValueError, match="no further"), captured(lambda line, level: lines.append(line)):
        broken()
    assert lines == ["so far"]
    assert not materialize([broken], io="memory:", store="sqlite::memory:").ok


def test_each_thread_is_heard_by_its_own_asset_and_others_by_none(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    together = threading.Barrier(5)

    def work(number: int) -> list[str]:
        lines: list[str] = []
        with captured(lambda line, level: lines.append(line)):
            together.wait(60)
            print(f"thread {number}")
            together.wait(60)
        return lines

    with without_echo(), ThreadPoolExecutor(4) as pool:
        found = [pool.submit(work, number) for number in range(4)]
        together.wait(60)
        print("outside")
        together.wait(60)
        assert [each.result(60) for each in found] == [[f"thread {number}"] for number in range(4)]
    assert sys.stdout is before
    assert capsys.readouterr().out == "outside\n"


def test_a_thread_of_the_function_is_heard_with_its_context() -> None:
    lines: list[str] = []
    with captured(lambda line, level: lines.append(line)):
        context = contextvars.copy_context()
        thread = threading.Thread(target=lambda: context.run(print, "beside"))
        thread.start()
        thread.join()
    assert lines == ["beside"]


def test_loggers_that_are_configured_keep_their_level_and_handlers(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    with captured(lambda line, _: lines.append(line)):
        logging.getLogger("shop").info("too fine")
        logging.getLogger("shop").warning("worth a line")
    assert lines == ["worth a line"]
    assert (root.level, root.handlers) == (level, handlers)
    assert [record.message for record in caplog.records] == ["worth a line"]


def test_a_line_without_end_is_cut_and_a_picture_drawn_over_counts_once() -> None:
    lines: list[str] = []
    with captured(lambda line, level: lines.append(line)):
        print("x" * (LONGEST + 1))
        print("10 %\r50 %\r100 %")
    assert lines == ["x" * LONGEST + "… (10,001 characters)", "100 %"]


def test_a_session_of_python_sees_what_is_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    @asset
    def orders() -> int:
        print("in sight")
        return 3

    assert logs(orders, root=tmp_path) == [("orders", "info", "in sight")]
    assert capsys.readouterr().out == "in sight\n"
    with without_echo():
        logs(orders, root=tmp_path)
    assert capsys.readouterr().out == ""
