"""Values of many partitions on their way to the places that keep them, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from assetry.errors import NothingKeptError, ValueStoreError
from assetry.io.files import FileIO
from assetry.io.memory import MemoryIO
from assetry.io.values import ValueRouter
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.types.assets import Asset, Integration, Relation
from assetry.types.keys import AssetKey
from assetry.types.records import Origin

DAYS = DailyPartitionsDefinition("2026-01-01")
KEYS = ("2026-01-01", "2026-01-02", "2026-01-03")
SALES = Asset(key="sales", kind="python", partitions_def=DAYS, kept=True, source="sales.py:3")


class Tables(MemoryIO):
    """Keep tables only, and note what it is asked for."""

    form = "arrow"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        self.asked.append(f"load {partition}")
        return super().load(asset, partition)

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> Any:
        self.asked.append(f"load_parts {len(keys)}")
        return super().load_parts(asset, keys)


class Places:
    """A router over a place of tables and a folder, and what a later process knows of it."""

    def __init__(self, folder: Path) -> None:
        self.tables, self.files = Tables(), FileIO(folder)
        self.records: dict[str | None, Mapping[str, Any]] = {}
        self.read: list[tuple[AssetKey, tuple[str | None, ...]]] = []
        self.values = self.later()

    def later(self) -> ValueRouter:
        def records(key: AssetKey, partitions: Sequence[str | None]) -> Mapping[str | None, Mapping[str, Any]]:
            self.read.append((key, tuple(partitions)))
            return {each: self.records[each] for each in partitions if each in self.records}

        return ValueRouter(
            {"tables:": self.tables, "files:": self.files}.get,
            "tables:",
            files="files:",
            last_metadata=records,
            was_made=lambda _, partition: partition in self.records,
            describe=lambda value: {"seen": getattr(value, "num_rows", None)},
        )

    def save(self, value: Any, keys: Sequence[str], column: str | None = None) -> None:
        saved = self.values.save_parts(SALES, value, keys, column)
        self.records.update({key: each.metadata for key, each in zip(keys, saved, strict=True)})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


FRAME = pd.DataFrame({"day": ["2026-01-03", "2026-01-01", "2026-01-03"], "n": [1, 2, 3]})


def test_each_partition_has_its_own_version_rows_and_facts(places: Places) -> None:
    saved = places.values.save_parts(SALES, FRAME, KEYS, "day")
    assert [each.metadata for each in saved] == [{"rows": n, "seen": n, "io": "project"} for n in (1, 0, 2)]
    alone = places.values.save(SALES, FRAME[FRAME["day"] == "2026-01-03"], "2026-01-03")
    assert alone.data_version == saved[2].data_version
    changed = FRAME.assign(n=[9, 2, 3])
    again = places.values.save_parts(SALES, changed, KEYS, "day")
    assert [one.data_version == other.data_version for one, other in zip(saved, again, strict=True)] == [
        True,
        True,
        False,
    ]


def test_many_partitions_are_read_by_one_question_and_one_look_at_the_records(places: Places) -> None:
    places.save(FRAME, KEYS, "day")
    later = places.later()
    found = later.load(SALES, pd.DataFrame, KEYS[::-1])
    assert found["n"].tolist() == [1, 3, 2]
    assert places.tables.asked == ["load_parts 3"]
    assert places.read == [(SALES.key, KEYS[::-1])]


def test_a_partition_that_was_never_made_is_named_among_many(places: Places) -> None:
    places.save(FRAME[FRAME["day"] == "2026-01-01"], KEYS[:1], "day")
    with pytest.raises(ValueStoreError, match="Partition '2026-01-02' of asset 'sales' was never made") as caught:
        places.later().load(SALES, None, KEYS)
    assert "--partition 2026-01-02" in str(caught.value.hint)


def test_rows_of_others_are_an_error_before_anything_is_kept(places: Places) -> None:
    places.save(FRAME, KEYS, "day")
    with pytest.raises(ValueStoreError, match="2 rows of 3 are outside"):
        places.values.save_parts(SALES, FRAME.assign(n=0), KEYS[:2], "day")
    assert places.values.load(SALES, pa.Table)["n"].to_pylist() == [2, 1, 3]


def test_what_is_no_table_is_kept_by_partition_and_comes_back_as_a_dict(places: Places) -> None:
    places.save({"2026-01-02": {"a": 2}, "2026-01-01": {"a": 1}}, KEYS[:2])
    assert places.records["2026-01-01"]["io"] == "files"
    assert places.later().load(SALES, None, KEYS[:2]) == {"2026-01-01": {"a": 1}, "2026-01-02": {"a": 2}}
    with pytest.raises(ValueStoreError, match="asked for as pandas"):
        places.later().load(SALES, pd.DataFrame, KEYS[:2])


def test_partitions_in_several_places_come_together(places: Places) -> None:
    places.save({"2026-01-01": {"a": 1}}, KEYS[:1])
    places.save(FRAME[FRAME["day"] == "2026-01-03"], KEYS[2:], "day")
    found = places.later().load(SALES, None, (KEYS[0], KEYS[2]))
    assert found["2026-01-01"] == {"a": 1}
    assert found["2026-01-03"].num_rows == 2


def test_a_dict_of_tables_is_kept_as_they_are(places: Places) -> None:
    places.save({key: pd.DataFrame({"n": [key]}) for key in KEYS}, KEYS)
    assert places.later().load(SALES, pd.DataFrame, KEYS)["n"].tolist() == list(KEYS)


def test_a_partition_that_is_named_twice_is_read_once(places: Places) -> None:
    places.save(FRAME, KEYS, "day")
    assert places.values.load(SALES, pd.DataFrame, (KEYS[0], KEYS[0]))["n"].tolist() == [2]


def test_a_table_of_a_tools_own_is_read_once_for_all_partitions() -> None:
    """Also where its place knows nothing of partitions, and gives the whole table for any of them."""

    class Warehouse:
        form = "arrow"

        def load(self, asset: Asset, partition: str | None = None) -> pa.Table:
            days = [pd.Timestamp(each) for each in KEYS]
            return pa.table({"day": pa.array(days, pa.timestamp("us")), "n": [1, 2, 3]})

    values = ValueRouter({"warehouse:": Warehouse()}.get, "warehouse:")  # type: ignore[arg-type]
    daily = Asset(key="daily", kind="dbt", partitions_def=DAYS, partition_column="day", relation=("w", "main", "daily"))
    assert values.load(daily, pa.Table, KEYS[:2])["n"].to_pylist() == [1, 2]
    assert values.load(daily, pa.Table, KEYS[2])["n"].to_pylist() == [3]


def test_no_partitions_and_those_of_what_has_none_are_refused(places: Places) -> None:
    with pytest.raises(ValueStoreError, match="is asked for no partition"):
        places.values.load(SALES, None, [])
    with pytest.raises(ValueStoreError, match="is asked for no partition"):
        places.values.save_parts(SALES, FRAME, [], "day")
    with pytest.raises(ValueStoreError, match="'plain' has no partitions"):
        places.values.save_parts(Asset(key="plain", kind="python", kept=True), FRAME, KEYS, "day")


def test_what_a_user_changes_afterwards_is_not_what_was_kept(tmp_path: Path) -> None:
    values = ValueRouter({"memory:": MemoryIO(), "files:": FileIO(tmp_path)}.get, "memory:", files="files:")
    frame = FRAME.copy()
    values.save_parts(SALES, frame, KEYS, "day")
    frame.loc[:, "n"] = 0
    assert values.load(SALES, pd.DataFrame, KEYS)["n"].tolist() == [2, 1, 3]


def test_files_are_moved_when_those_of_all_partitions_are_whole(tmp_path: Path) -> None:
    files = FileIO(tmp_path)
    values = ValueRouter({"files:": files}.get, "files:", files="files:")
    values.save_parts(SALES, FRAME, KEYS, "day")
    wide = pa.table({"day": ["2026-01-01"], "n": pa.nulls(1, pa.month_day_nano_interval())})
    with pytest.raises(ValueStoreError):
        values.save_parts(SALES, wide, KEYS, "day")
    assert values.load(SALES, pd.DataFrame, KEYS)["n"].tolist() == [2, 1, 3]
    assert sorted(path.name for path in (tmp_path / "sales=partitions").iterdir()) == [f"{key}.parquet" for key in KEYS]


@pytest.mark.parametrize("made", [True, False])
@pytest.mark.parametrize("given", ["crm", "shop"])
def test_a_tools_table_that_is_elsewhere_is_not_made_by_making_it(tmp_path: Path, made: bool, given: str) -> None:
    own = Integration(given, "mill")
    orders = Asset(key="crm/orders", kind="mill", integration=own, relation=("d", "s", "orders"))
    values = ValueRouter(
        lambda _: FileIO(tmp_path),
        "files:",
        io_url=lambda own: "shop:" if own.name == "shop" else None,
        last_metadata=lambda _, partitions: {each: {} for each in partitions if made},
    )
    with pytest.raises(NothingKeptError) as caught:
        values.load(orders)
    again = "Materialize it first: `assetry materialize -s crm/orders`."
    where = "table d.s.orders is in another place. Name that place with `io` in assetry.toml: of integration 'crm', "
    told = f"Its {where}" if made else f"{again} If that was done, its {where}"
    assert caught.value.hint is not None
    # What names the place of its tables has none there.
    assert caught.value.hint.startswith(again if given == "shop" else told)
    assert ("`io`" in caught.value.hint) == (given == "crm")


# -- what was made, and is deleted -----------------------------------------------------------------------------------


def test_the_origin_says_where_a_value_really_is(places: Places) -> None:
    table, other = Asset(key="t", kind="python", kept=True), Asset(key="o", kind="python", kept=True)
    for asset, value, io in ((table, FRAME, "tables:"), (other, {"a": 1}, "files:")):
        saved = places.values.save(asset, value)
        origin = places.values.origin(asset, saved.metadata)
        assert (origin.io, origin.kept, origin.kind, origin.integration) == (io, True, "python", None)
    unkept = Asset(key="n", kind="python", kept=True)
    assert places.values.origin(unkept, {}).io is None
    shop = Integration("shop", "dbt")
    view = Asset(key="v", kind="dbt", integration=shop, relation=Relation("d", "s", "v"), computed_on_read=True)
    assert places.later().origin(view, {}) == Origin("dbt", "shop", Relation("d", "s", "v"), None, True)
