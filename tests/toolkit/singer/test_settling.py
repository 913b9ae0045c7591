"""How streams come out in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Failed, Log, Materialized
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.extract_load.owed_rows import Owed
from assetry_toolkit.singer.loads import StreamLoad, TapLoad
from assetry_toolkit.singer.settling import Settling


class Context:
    """The context of a run, as far as it counts."""

    def __init__(self, **rows: int) -> None:
        self.rows = rows

    def aggregate(self, key: Any, *_: Any) -> int:
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
