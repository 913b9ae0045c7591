from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, NamedTuple

import pytest
from assetry.partitions.definitions import PartitionsDefinition
from assetry.types.assets import Asset, Column, Integration
from assetry.types.codec import from_json, to_json
from assetry.types.events import Checked, Event, Failed, Handle, Log, Materialized, Skipped, Started
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, Materialization, RunInfo
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2024, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
KEY = AssetKey("shop/orders")
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Inner(NamedTuple):
    name: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    when: datetime
    key: AssetKey | None = None
    day: date | None = None
    took: timedelta | None = None
    inner: tuple[Inner, ...] = ()
    pair: tuple[str, int] = ("", 0)
    by_key: Mapping[AssetKey, Inner] = field(default_factory=dict)
    words: frozenset[str] = frozenset()
    anything: Any = None
    json_names: ClassVar[Mapping[str, str]] = {"when": "at"}


OUTERS = st.builds(
    Outer,
    st.datetimes(timezones=st.just(UTC)),
    st.none() | st.just(KEY),
    st.none() | st.dates(),
    st.none() | st.integers(-(10**6), 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    st.lists(st.builds(Inner, st.text(), st.lists(st.text()).map(tuple)), max_size=2).map(tuple),
    st.tuples(st.text(), st.integers()),
    st.dictionaries(st.just(KEY), st.builds(Inner, st.text())),
    st.frozensets(st.text(), max_size=3),
    JSON,
)


@given(OUTERS)
def test_a_value_comes_back_from_its_json(value: Outer) -> None:
    assert from_json(Outer, json.loads(json.dumps(to_json(value)))) == value


@given(JSON)
def test_json_data_is_its_own_json(data: Any) -> None:
    assert to_json(data) == data


RECORDS: list[Any] = [
    Started(KEY),
    Log("line"),
    Log("line", "error", KEY),
    Handle("token", "https://example.com/job/1"),
    Materialized(KEY, "2024-01-01", "v1", [Column("id", "int")], {"rows": 3}),
    Checked(KEY, "unique", False, "warn", "2 rows", {"rows": 2}),
    Skipped(KEY, "upstream failed"),
    Failed(KEY, "no", "try again", True),
    Materialization(key=KEY, at=NOW, run="r", data_version="v", inputs={AssetKey("a"): "1"}, columns=(Column("id"),)),
    Attempt(key=KEY, run="r", at=NOW, outcome="failed", because=AssetKey("a")),
    RunInfo(id="r", state="running", started=NOW, assets=(KEY,), options={"select": ["a"]}),
    Invocation(
        id="1",
        group=InvocationGroup("dbt:x", whole=True),
        integration=Integration("x", "dbt", {"token": {"env": "TOKEN"}}),
        assets=(Asset(key=KEY, kind="dbt"),),
        checks=(CheckRef(KEY, "unique"),),
        partitions=("2024-01-01",),
    ),
]


@pytest.mark.parametrize("value", RECORDS, ids=lambda value: type(value).__name__)
def test_records_and_events_come_back(value: Any) -> None:
    assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value


def test_an_event_is_found_by_its_name() -> None:
    found = from_json(Event, {"event": "failed", "asset": "shop/orders", "message": "no"})
    assert found == Failed(KEY, "no")
    assert to_json(found) == {"event": "failed", "asset": "shop/orders", "message": "no"}
    with pytest.raises(TypeError, match="unknown kind"):
        from_json(Event, {"event": "exploded"})


def test_every_event_and_partitions_definition_has_a_name_of_its_own() -> None:
    for base in (Event, PartitionsDefinition):
        kinds: dict[Any, set[str]] = {}
        waiting: list[Any] = [base]
        while waiting:
            for kind in waiting.pop().__subclasses__():
                waiting.append(kind)
                if "json_tag" in vars(kind):
                    # dataclass(slots=True) makes a class anew; the first one lives until it is collected.
                    kinds.setdefault(kind.json_tag, set()).add(kind.__qualname__)
        assert len(kinds) >= 7
        assert all(len(names) == 1 for names in kinds.values())


def test_variants_are_found_in_modules_that_were_not_imported() -> None:
    program = (
        "import sys, assetry.types.assets, assetry.types.codec as c\n"
        "assert 'assetry.partitions.grids.time_grids' not in sys.modules\n"
        "data = {'partitions': 'daily', 'start_date': '2024-01-01'}\n"
        "read = c.from_json(assetry.types.assets.PartitionsDefinition, data)\n"
        "print(read.range_of('2024-01-01', '2024-01-02'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(19723, 19725)"


def test_records_hold_events() -> None:
    record = EventRecord(at=NOW, run="r", event=Materialized(KEY))
    assert from_json(EventRecord, json.loads(json.dumps(to_json(record)))) == record


def test_what_is_not_known_is_left_aside_and_defaults_are_not_written() -> None:
    assert from_json(Column, {"name": "id", "invented": {"later": 1}}) == Column("id")
    assert to_json(Column("id")) == {"name": "id"}
    assert to_json(InvocationGroup("k")) == {"key": "k"}


def test_keys_leave_as_plain_text() -> None:
    assert type(to_json(KEY)) is str
    assert type(next(iter(to_json({KEY: 1})))) is str


def test_what_is_not_data_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        to_json({"x": object()})
