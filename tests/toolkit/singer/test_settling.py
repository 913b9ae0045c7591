"""How streams come out in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Failed, Log, Materialized, NothingKeptError
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.owed_rows import Owed
from assetry_toolkit.extract_load.row_counts import ABSENT
from assetry_toolkit.singer.loads import TapLoad
from assetry_toolkit.singer.settling import Settling
from assetry_toolkit.singer.streams import StreamLoad


class Context:
    """The context of a run, as far as it counts."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows

    def aggregate(self, key: Any, *_: Any) -> int:
        if self.rows[key.name] == ABSENT:
            raise NothingKeptError("There is no such table.")
        return self.rows[key.name]


def load(well: bool | None = True, **rows: int) -> TapLoad:
    specs = {name: {"stream": name, "name": name, "keys": ["id"]} for name in rows}
    assets = [Asset(key=f"s/{each}", kind="mill", spec=spec, relation=("d", "s", each)) for each, spec in specs.items()]
    found = TapLoad("tap-a", "target-a", [StreamLoad(each, rows[each.key.name], seen=True) for each in assets])
    found.speaks, found.well = True, well
    return found


def settled(folder: Path, given: TapLoad, rows: dict[str, int], **how: Any) -> list[Event]:
    context: Any = Context(**rows)
    return list(Settling(context=context, history=RunHistory(folder, "shop"), line="a", **how).events(given))


def versions(events: list[Event]) -> dict[str, str | None]:
    return {each.key.name: each.data_version for each in events if isinstance(each, Materialized)}


def test_the_version_of_a_stream_is_the_run_that_moved_rows_of_it(tmp_path: Path) -> None:
    rows = {"users": 2, "orders": 3}
    assert versions(settled(tmp_path, load(users=2, orders=3), rows, run="1")) == {"users": "1", "orders": "1"}
    again = settled(tmp_path, load(users=0, orders=1), rows, run="2", before="1")
    assert versions(again) == {"users": "1", "orders": "2"}
    assert versions(settled(tmp_path, load(users=0), rows)) == {"users": None}, "runs are not known"


@pytest.mark.parametrize("warn", [False, True])
def test_rows_that_are_missing_fail_a_stream_and_no_other_unless_that_is_only_a_warning(
    tmp_path: Path, warn: bool
) -> None:
    events = settled(tmp_path, load(users=2, orders=3), {"users": 2, "orders": 2}, run="1", only_warn=warn)
    told = "tap-a extracted 3 rows of orders, and the table d.s.orders has 2."
    found = [each for each in events if isinstance(each, (Log, Failed))]
    assert [each.message for each in found] == [told]
    assert isinstance(found[0], Log) == warn
    history = RunHistory(tmp_path, "shop")
    assert (history.owed("a").of("orders"), history.version("a", "1", "orders")) == (
        (None, "1") if warn else (Owed(3, lost=True), None)
    )
    assert history.version("a", "1", "users") == "1"


def test_a_load_that_was_left_off_owes_what_it_has_extracted(tmp_path: Path) -> None:
    context: Any = Context()
    history = RunHistory(tmp_path, "shop")
    Settling(context=context, history=history, line="a").left_off(load(None, users=5))
    assert history.owed("a").of("users") == Owed(5)
    [failed] = settled(tmp_path, load(users=1), {"users": 1})
    assert isinstance(failed, Failed)
    assert failed.message.startswith("Of 5 rows of users that an earlier run extracted some were lost")


def test_no_version_is_kept_of_a_load_that_failed(tmp_path: Path) -> None:
    [failed] = settled(tmp_path, load(False, users=2), {}, run="1")
    assert isinstance(failed, Failed)
    assert not (tmp_path / "shop-versions.json").exists()


def test_rows_that_were_not_compared_are_told_in_the_metadata(tmp_path: Path) -> None:
    given = load(users=2, orders=3)
    given.streams[1].asset = replace(given.streams[1].asset, relation=(None, "s", "orders"))
    events = settled(tmp_path, given, {"users": 2}, run="1")
    found = {each.key.name: each.metadata for each in events if isinstance(each, Materialized)}
    assert found["orders"].get("rows_not_compared") == "its table is not known"
    assert "rows_not_compared" not in found["users"]


def silent(**rows: int) -> TapLoad:
    """Return a load whose log told nothing of any stream, and that ended well."""
    found = load(**rows)
    found.speaks = False
    for each in found.streams:
        each.rows, each.seen = None, False
        each.asset = replace(each.asset, io="duckdb:lake.duckdb")
    return found


def test_a_tap_that_told_what_it_read_and_then_tells_nothing_has_read_nothing(tmp_path: Path) -> None:
    assert versions(settled(tmp_path, silent(users=2), {"users": 2})) == {"users": None}, "it may never tell"
    settled(tmp_path, load(users=2), {"users": 2})
    [failed] = settled(tmp_path, silent(users=2), {"users": 2})
    assert isinstance(failed, Failed)
    assert failed.message == (
        "Nothing tells that tap-a has read users, which was asked for, though it did tell in an earlier run."
    )
    assert "Choose all" not in (failed.hint or "")
    assert versions(settled(tmp_path, silent(users=2), {"users": 2}, accept_silence=True)) == {"users": None}


@pytest.mark.parametrize("trusted", [False, True])
def test_a_stream_of_which_nothing_is_told_has_a_table_at_least(tmp_path: Path, trusted: bool) -> None:
    events = settled(tmp_path, silent(users=2, orders=2), {"users": 0, "orders": ABSENT}, accept_silence=trusted)
    [failed] = [each for each in events if isinstance(each, Failed)]
    assert failed.message == "Nothing tells that tap-a has read orders, and there is no table d.s.orders."
    assert versions(events) == {"users": None}
    warned = settled(tmp_path, silent(orders=2), {"orders": ABSENT}, only_warn=True)
    assert [type(each) for each in warned] == [Log, Materialized]


RAW = ("d", "s", "orders")
GROWS = {"keys": ["id"], "method": "INCREMENTAL", "load_method": None}


def held_back(
    folder: Path, rows: int, reached: set[str] | None, counted: int | None, run: str | None = None, **how: Any
) -> list[Event]:
    """Return what is told before a run of a stream `orders` whose table has so many rows now."""
    spec = {"stream": "orders", "name": "orders", **GROWS, **how.pop("spec", {})}
    given = TapLoad("tap-a", "target-a", [StreamLoad(Asset(key="s/orders", kind="mill", spec=spec, relation=RAW))])
    history, context = RunHistory(folder, "shop"), Context(orders=rows)
    chosen: Any = replace(given.streams[0].asset, io="duckdb:s.duckdb")
    given.streams[0].asset = chosen
    if counted is not None:
        history.counted("a").note({"orders": counted}, "1")
    settling = Settling(context=context, history=history, line="a", before=run, **how)  # type: ignore[arg-type]
    return list(settling.hold_back(given, lambda: reached))


@pytest.mark.parametrize(
    ("rows", "reached", "counted", "run", "held"),
    [
        (ABSENT, {"orders"}, None, None, True),
        (ABSENT, {"orders"}, 7, "1", True),
        (ABSENT, {"orders"}, 0, "2", True),  # another run came between, and may have brought rows
        (ABSENT, {"orders"}, 0, "1", False),  # it never had any
        (ABSENT, set(), 7, "1", False),  # the state was cleared: all is read
        (ABSENT, None, 7, "1", True),
        (ABSENT, None, None, None, False),
        (0, {"orders"}, 7, "1", True),
        (0, {"orders"}, None, None, False),
        (3, {"orders"}, 7, "1", False),
    ],
)
def test_what_would_go_on_behind_rows_that_are_gone_is_held_back(
    tmp_path: Path, rows: int, reached: set[str] | None, counted: int | None, run: str | None, held: bool
) -> None:
    found = held_back(tmp_path, rows, reached, counted, run)
    assert [type(each) for each in found] == ([Failed] if held else [])
    assert (RunHistory(tmp_path, "shop").owed("a").of("orders") is not None) == held


def test_what_is_read_from_its_first_row_on_is_not_held_back(tmp_path: Path) -> None:
    assert not held_back(tmp_path, ABSENT, {"orders"}, 7, "1", anew=True)
    assert not held_back(tmp_path, ABSENT, {"orders"}, 7, "1", spec={"method": "FULL_TABLE"})
    [told] = held_back(tmp_path, ABSENT, {"orders"}, 7, "1", only_warn=True)
    assert isinstance(told, Log)
    assert told.message.startswith("There is no table d.s.orders, and the state goes on behind the rows")


def test_a_full_refresh_that_may_double_rows_is_warned_of_before_and_after(tmp_path: Path) -> None:
    [told] = held_back(tmp_path, 7, {"orders"}, 7, "1", anew=True, spec={"keys": []})
    assert isinstance(told, Log)
    assert told.message.startswith("orders is read from its first row on, and its table has 7 rows. It has no key,")
    given = load(users=2)
    given.streams[0].before = 2
    given.streams[0].asset = replace(given.streams[0].asset, spec={**given.streams[0].asset.spec, "keys": []})
    [after, made] = settled(tmp_path, given, {"users": 4}, anew=True)
    assert isinstance(after, Log)
    assert "added to the 2 that the table d.s.users had: rows may be there twice" in after.message
    assert isinstance(made, Materialized)
    assert made.metadata["rows_doubled"] is True
