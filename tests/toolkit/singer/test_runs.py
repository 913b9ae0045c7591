"""Invocations by a runner of taps and targets: what fails stays alone, what broke off goes on, and all is settled."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Failed, Handle, JobOverError, Log, Materialized, Progress
from assetry.testing import eventually
from assetry_toolkit.commands import Command, JournaledCommand
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.owed_rows import Owed
from assetry_toolkit.secrets import Mask
from assetry_toolkit.singer import runs
from assetry_toolkit.singer.loads import TapLoad
from assetry_toolkit.singer.logs import read_log
from assetry_toolkit.singer.reading import LoadReading
from assetry_toolkit.singer.runs import Held, LoadRun
from assetry_toolkit.singer.settling import Settling
from assetry_toolkit.singer.streams import StreamLoad
from assetry_toolkit.testing import FakeClock

from tests.toolkit.commands.processes import kill_all, killed_starter

#: Says what stands in the file of each tap, and ends with the first that fails; waits where it is told to.
MILL = """\
echo x >> launches
for tap in "$@"; do
  if [ -e "$tap.locked" ]; then echo "locked $tap"; exit 1; fi
  echo "begin $tap"
  cat "$tap.log"
  until [ ! -e "$tap.held" ]; do touch holding; sleep 0.02; done
  if [ -e "$tap.fails" ]; then echo "failed $tap"; exit 1; fi
  echo "ended $tap"
done
"""


class Reading(LoadReading[TapLoad]):
    """What the mill says."""

    def take(self, text: str) -> Iterator[Event]:
        word, _, name = text.partition(" ")
        load = next((each for each in self.loads if each.tap == name), None)
        if word == "begin":
            self.begin(load)
        elif word == "locked" and load is not None:
            load.locked = True
            self.begin(None)
        elif word in ("ended", "failed") and load is not None:
            self.over(word == "ended", "the rye is wet, said s3cret", "Dry it.")
        elif self.now is not None and text.startswith("INFO"):
            yield from self.plugin_said(self.now.tap, read_log(text), text)
        else:
            yield from self.said(text, read_log(text).level)


class Context:
    """The context of a run, as far as a runner needs it; `rows` is what each table has."""

    def __init__(self, resume: str | None = None, rows: int = 2) -> None:
        self.resume, self.rows = resume, rows
        self.off = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.off.is_set()

    def aggregate(self, *_: Any) -> int:
        return self.rows

    def log(self, *_: Any) -> None:
        raise AssertionError("nothing cannot be counted here")


class Mill(LoadRun[TapLoad]):
    """The mill in a folder, with one load for each tap of one stream, `users`."""

    runner = "The mill"

    def __init__(self, folder: Path, context: Any, *taps: str, held: Held | None = None, **how: Any) -> None:
        loads = [TapLoad(tap, "target-a", [StreamLoad(asset(tap))]) for tap in taps]
        super().__init__(context, loads, folder / "journals", **how)
        self.folder, self._is_held = folder, held

    def command(self, loads: Sequence[TapLoad]) -> Command:
        return mill(self.folder, *(load.tap for load in loads))

    def read(self, loads: Sequence[TapLoad], taken_up: bool) -> Reading:
        return Reading(loads, Mask({"s3cret"}), "the mill's log", taken_up=taken_up)

    def settling(self, load: TapLoad) -> Settling:
        history = RunHistory(self.folder, "shop")
        return Settling(context=self.context, history=history, line=load.called, run="7", facts={"mill": "old"})

    def held(self, load: TapLoad) -> Held:
        return self._is_held or super().held(load)

    @property
    def launches(self) -> int:
        return len((self.folder / "launches").read_text().split())

    def owed(self, tap: str) -> Owed | None:
        return RunHistory(self.folder, "shop").owed(f"{tap} target-a").of("users")


def asset(tap: str) -> Asset:
    spec = {"stream": "users", "name": "users", "keys": ["id"]}
    return Asset(key=f"shop/{tap}/users", kind="mill", spec=spec, relation=("d", "s", tap))


def mill(folder: Path, *taps: str) -> Command:
    return Command(("sh", "-c", MILL, "sh", *taps), folder=folder, name="mill", merged=True)


def grind(folder: Path, *taps: str, rows: int = 2) -> None:
    """Tell the mill what taps extract."""
    metric = {"metric": "record_count", "value": rows, "tags": {"stream": "users"}}
    for tap in taps:
        (folder / f"{tap}.log").write_text(f"INFO METRIC: {json.dumps(metric)}\n")


def made(events: Sequence[Event]) -> list[str]:
    return [each.key.parts[1] for each in events if isinstance(each, Materialized)]


def told(events: Sequence[Event]) -> str:
    return "\n".join(each.message for each in events if isinstance(each, (Log, Failed)))


def test_all_loads_are_one_command_and_each_is_settled_when_it_has_its_end(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a", "tap-b")
    run = Mill(tmp_path, Context(), "tap-a", "tap-b")
    (tmp_path / "tap-b.held").touch()
    events = []
    for event in run.events():
        events.append(event)
        if isinstance(event, Materialized):
            (tmp_path / "tap-b.held").unlink(missing_ok=True)  # only now it goes on with the other
    assert (made(events), run.launches) == (["tap-a", "tap-b"], 1)
    [first, _] = [each for each in events if isinstance(each, Materialized)]
    facts = {"mill": "old", "rows": 2, "rows_extracted": 2, "result_known_by": "stream"}
    # There were two before, and they have a key.
    facts["rows_not_compared"] = "the table has a key and had rows before"
    assert (first.data_version, first.metadata) == ("7", facts)
    assert not list((tmp_path / "journals").iterdir())


def test_a_load_that_fails_stays_alone(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a", "tap-b")
    (tmp_path / "tap-a.fails").touch()
    run = Mill(tmp_path, Context(), "tap-a", "tap-b")
    events = list(run.events())
    [failed] = [each for each in events if isinstance(each, Failed)]
    assert (failed.message, failed.hint) == (
        "tap-a target-a: the rye is wet, said *** after 2 rows of users.", "Dry it.",
    )  # fmt: skip
    assert (made(events), run.launches, run.owed("tap-a")) == (["tap-b"], 2, Owed(2))


def test_rows_that_are_missing_are_owed(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a", rows=3)
    run = Mill(tmp_path, Context(rows=2), "tap-a")
    assert "extracted 3 rows of users, and the table d.s.tap-a has 2" in told(list(run.events()))
    assert run.owed("tap-a") == Owed(3, lost=True)


def test_what_keeps_the_runner_from_beginning_fails_all_with_its_words(tmp_path: Path) -> None:
    class Broken(Mill):
        def command(self, loads: Sequence[TapLoad]) -> Command:
            return Command(("sh", "-c", "echo ERROR no grain; exit 3"), name="mill")

    events = list(Broken(tmp_path, Context(), "tap-a", "tap-b").events())
    failed = [each for each in events if isinstance(each, Failed)]
    assert [each.key.parts[1] for each in failed] == ["tap-a", "tap-b"]
    assert failed[0].message == "tap-a target-a: The mill ended with exit code 3."
    assert failed[0].hint == "ERROR no grain"


def test_a_full_disk_is_named_where_the_log_may_lack_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "FULL", 1 << 62)
    (tmp_path / "tap-a.log").touch()
    (tmp_path / "tap-a.fails").touch()

    class Mute(Mill):
        def command(self, loads: Sequence[TapLoad]) -> Command:
            return Command(("sh", "-c", "echo begin tap-a; exit 3"), name="mill")

    assert "the disk of" in told(list(Mute(tmp_path, Context(), "tap-a").events()))


def test_what_one_command_cannot_make_is_given_to_another(tmp_path: Path) -> None:
    class Single(Mill):
        def at_once(self, loads: Sequence[TapLoad]) -> Sequence[TapLoad]:
            return loads[:1]

    grind(tmp_path, "tap-a", "tap-b", "tap-c")
    (tmp_path / "tap-b.fails").touch()
    run = Single(tmp_path, Context(), "tap-a", "tap-b", "tap-c")
    events = list(run.events())
    assert (made(events), run.launches) == (["tap-a", "tap-c"], 3)
    # One that was found is read for all that it may have made.
    (tmp_path / "tap-b.fails").unlink()
    token = killed_starter(tmp_path, mill(tmp_path, "tap-a", "tap-b"))
    again = Single(tmp_path, Context(token), "tap-a", "tap-b")
    assert (made(list(again.events())), again.launches) == (["tap-a", "tap-b"], 4)


# -- cancelled, killed, and taken up ---------------------------------------------------------------------------------


def test_a_run_that_is_cancelled_notes_what_was_extracted(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a")
    (tmp_path / "tap-a.held").touch()
    context = Context()
    run = Mill(tmp_path, context, "tap-a")
    for event in run.events():
        if not isinstance(event, Handle) and run.loads[0].streams[0].rows:
            context.off.set()
    assert (run.loads[0].well, run.owed("tap-a"), list((tmp_path / "journals").iterdir())) == (None, Owed(2), [])


@pytest.mark.parametrize("how", ["goes on", "ended", "both killed after its end", "both killed"])
def test_a_command_of_a_process_that_was_killed_is_judged_by_its_output(tmp_path: Path, how: str) -> None:
    """What it has ended is not made a second time; what broke off is."""
    grind(tmp_path, "tap-a", "tap-b")
    (tmp_path / "tap-b.held").touch()
    token = killed_starter(tmp_path, mill(tmp_path, "tap-a", "tap-b"))
    assert eventually((tmp_path / "holding").exists, 30)
    if how == "both killed":
        kill_all(token)
    (tmp_path / "tap-b.held").unlink()
    if how in ("ended", "both killed after its end"):
        running = JournaledCommand.find(token)
        assert running is not None
        list(running.lines())
        if how != "ended":
            (Path(token) / "end").write_bytes(b"")  # as if what keeps it had been killed before it wrote that
    run = Mill(tmp_path, Context(token), "tap-a", "tap-b")
    events = list(run.events())
    assert made(events) == ["tap-a", "tap-b"]
    assert run.launches == (2 if how == "both killed" else 1)
    assert ("broke off: what it did not end is started anew" in told(events)) == (how == "both killed")
    assert not list((tmp_path / "journals").iterdir())


def test_a_token_that_finds_nothing_starts_anew_and_says_so(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a")
    run = Mill(tmp_path, Context(str(tmp_path / "journals" / "job-x")), "tap-a")
    events = list(run.events())
    assert (made(events), run.launches) == (["tap-a"], 1)
    assert "The mill's earlier run is over or was never begun" in told(events)


def test_a_command_that_another_process_stops_will_tell_nothing_more(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a")
    (tmp_path / "tap-a.held").touch()
    events = Mill(tmp_path, Context(), "tap-a").events()
    token = next(events)
    assert isinstance(token, Handle)
    assert any(isinstance(each, Progress) for each in events), "it is under way, and held"
    other = JournaledCommand.find(token.token)
    assert other is not None
    with other:
        pass
    with pytest.raises(JobOverError, match="The mill's run was stopped"):
        list(events)


# -- what another run has --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_locked_is_waited_for_after_the_rest_is_made(tmp_path: Path, seen: bool) -> None:
    grind(tmp_path, "tap-a", "tap-b")
    locked = tmp_path / "tap-a.locked"
    locked.touch()
    clock = FakeClock()

    class Watch(FakeClock):
        def sleep(self, seconds: float, called_off: Any) -> bool:
            assert made(events) == ["tap-b"]
            locked.unlink()
            return clock.sleep(seconds, called_off)

    held = Held("Another has it", "Another has it; waiting.", "Wait.", locked.exists if seen else None)
    run = Mill(tmp_path, Context(), "tap-a", "tap-b", held=held, clock=Watch())
    events: list[Event] = []
    for event in run.events():
        events.append(event)
    assert made(events) == ["tap-b", "tap-a"]
    assert told(events).count("Another has it; waiting.") == 1
    assert clock.slept == ([] if seen else [runs.BLIND]), "what is seen to be over is not waited for"


def test_what_stays_locked_for_too_long_fails_with_the_next_step(tmp_path: Path) -> None:
    grind(tmp_path, "tap-a")
    (tmp_path / "tap-a.locked").touch()
    held = Held("Another has it", "Another has it; waiting.", "Wait.", lambda: True)
    run = Mill(tmp_path, Context(), "tap-a", held=held, patience=60.0, clock=FakeClock())
    [failed] = [each for each in run.events() if isinstance(each, Failed)]
    assert (failed.message, failed.hint, failed.retryable) == (
        "Another has it, and goes on after 60 s.", "Wait.", True,
    )  # fmt: skip
    assert run.launches == 1
