"""What runs that others have started make of streams."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Log, NothingKeptError, Observed
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.owed_rows import Owed
from assetry_toolkit.extract_load.row_counts import ABSENT
from assetry_toolkit.singer.loads import TapLoad
from assetry_toolkit.singer.logs import Said
from assetry_toolkit.singer.outside import Look, PastRun, told_in
from assetry_toolkit.singer.streams import StreamLoad


class Context:
    """The context of a run, as far as it counts: rows by the names of streams."""

    def __init__(self, rows: dict[str, int]) -> None:
        self.rows = rows

    def aggregate(self, key: Any, *_: Any) -> int:
        if self.rows[key.name] == ABSENT:
            raise NothingKeptError("There is no such table.")
        return self.rows[key.name]


def run(
    id_: str, *read: str, well: bool = True, silent: bool = False, kept: bool = True, ended: bool = False
) -> PastRun:
    """Return a run whose log tells that some streams were read, two rows each."""
    said: Iterable[tuple[str, Said]] = [("tap-a", Said("rows", stream=name, value=2)) for name in read]
    said = [*said, *(("tap-a", Said("ended", stream=name, value=1)) for name in read if ended)]
    said = [*said, ("target-a", Said("said"))]
    return PastRun(id=id_, well=well, facts={"run": id_}, log=lambda: [] if silent else said if kept else None)


def looked(folder: Path, *runs: PastRun, unfinished: str = "", mapped: bool = False, **rows: int) -> list[Event]:
    rows = rows or {"users": 2, "orders": 2}
    spec = {"keys": ["id"], "method": "INCREMENTAL"}
    assets = [
        Asset(
            key=f"s/{each}",
            kind="mill",
            spec={"stream": each, "name": each, **spec},
            relation=("d", "s", each),
            io="x:",
        )
        for each in rows
    ]
    load = TapLoad("tap-a", "target-a", [StreamLoad(each) for each in assets], offered=2, mapped=mapped)
    context: Any = Context(rows)
    look = Look(context, RunHistory(folder, "shop"), "a", lambda id_: id_ == unfinished)
    return list(look.events(load, runs))


def versions(events: list[Event]) -> dict[str, str | None]:
    return {each.key.name: each.data_version for each in events if isinstance(each, Observed)}


def words(events: list[Event]) -> str:
    return " ".join(each.message for each in events if isinstance(each, Log))


def test_each_stream_is_as_the_newest_run_has_left_it_that_read_it(tmp_path: Path) -> None:
    both = looked(tmp_path, run("3", "users"), run("2", "orders", "users"), run("1", "orders"))
    assert versions(both) == {"users": "3", "orders": "2"}
    [users, _] = [each for each in both if isinstance(each, Observed)]
    assert users.metadata == {"run": "3", "result_known_by": "stream", "rows_extracted": 2, "rows": 2}
    some = looked(tmp_path, run("3", "users"), run("2", "orders", well=False), run("1", "orders"))
    assert versions(some) == {"users": "3"}, "the run that failed may have left a part"
    assert "its log does not tell that tap-a read orders" in words(some)
    half = looked(
        tmp_path,
        PastRun(
            id="1",
            well=True,
            log=lambda: [
                ("tap-a", Said("began", stream="users")),
                ("tap-a", Said("ended", stream="users", value=1)),
                ("tap-a", Said("began", stream="orders")),
                ("tap-a", Said("rows", stream="orders", value=9)),
            ],
        ),
    )
    assert versions(half) == {"users": "1"}
    assert "ended before its end" in words(half)


def test_a_run_of_ours_says_itself_what_it_moved_and_none_before_it_is_looked_at(tmp_path: Path) -> None:
    RunHistory(tmp_path, "shop").versions.after("a", "2", None, {"users": 1, "orders": 1}, ["orders"])
    assert versions(looked(tmp_path, run("2", silent=True), run("1", "orders"))) == {"users": "2"}
    assert versions(looked(tmp_path, run("3", "orders"), run("2"), run("1"))) == {"users": "2", "orders": "3"}


def test_a_run_of_ours_that_was_not_followed_to_its_end_is_left_to_a_retry(tmp_path: Path) -> None:
    found = looked(tmp_path, run("2", "users", "orders"), run("1", "orders"), unfinished="2", users=2, orders=ABSENT)
    assert [each for each in found if isinstance(each, Observed) and not each.gone] == []
    assert "one of ours that was not followed to its end: `assetry retry`" in words(found)


@pytest.mark.parametrize("how", [{"silent": True}, {"kept": False}])
def test_where_no_log_tells_it_the_runners_word_counts_but_not_for_what_failed_in_ours(
    tmp_path: Path, how: Any
) -> None:
    history = RunHistory(tmp_path, "shop")
    history.failed("a", {"orders": True})
    found = looked(tmp_path, run("1", **how))
    assert versions(found) == {"users": "1"}
    [users] = [each for each in found if isinstance(each, Observed)]
    assert users.metadata["result_known_by"] == "exit code"
    assert "it is not known whether it read orders" in words(found)
    history.failed("a", {"orders": False})
    assert versions(looked(tmp_path, run("1", **how))) == {"users": "1", "orders": "1"}
    history.told("a", True)
    assert versions(looked(tmp_path, run("1", silent=True))) == {}


def test_a_table_has_what_it_owes_and_what_it_had(tmp_path: Path) -> None:
    history = RunHistory(tmp_path, "shop")
    history.owed("a").note("users", Owed(2))
    history.counted("a").note({"orders": 3}, "0")
    found = looked(tmp_path, run("1", "users", "orders"))
    assert versions(found) == {"users": "1"}
    assert "The table d.s.orders has 2 rows, and had 3" in words(found)
    history.owed("a").note("users", Owed(2, lost=True))
    assert versions(looked(tmp_path, run("1", "users", "orders"))) == {}


def test_a_table_that_is_not_there_is_gone_and_which_command_brings_it_back_is_told(tmp_path: Path) -> None:
    [gone, users] = looked(tmp_path, run("1", "users", "orders"), users=2, orders=ABSENT)
    assert isinstance(gone, Observed)
    assert (gone.gone, gone.key.name) == (True, "orders")
    assert gone.hint == "`assetry materialize -s s/orders --full-refresh` reads it anew."
    assert isinstance(users, Observed)
    assert not any(getattr(each, "gone", False) for each in looked(tmp_path, run("1"), mapped=True, users=ABSENT))


def test_a_journal_tells_of_a_run_until_all_of_it_was_told(tmp_path: Path) -> None:
    journal = tmp_path / "job-1"
    journal.mkdir()
    (journal / "out").write_text("run ID '1'\n")
    assert told_in(tmp_path, "run ID '1'")
    assert not told_in(tmp_path, "run ID '2'")
    (journal / "told").touch()
    assert not told_in(tmp_path, "run ID '1'")
