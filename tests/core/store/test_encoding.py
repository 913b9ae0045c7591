from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import PurePosixPath

import pytest
from assetry.store import encoding as rows
from assetry.types import events
from assetry.types.assets import Column
from assetry.types.keys import AssetKey
from assetry.types.records import Accepted, Appended, Attempt, EventRecord, Materialization, RunInfo
from hypothesis import given
from hypothesis import strategies as st

text = st.text(st.characters(codec="utf-8"), max_size=8)
keys = st.sampled_from([AssetKey("a"), AssetKey("shop/orders"), AssetKey("größe/x y")])
# UTC has no earlier ones, nor later ones.
times = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
metadata = st.dictionaries(text, json_values, max_size=3)
columns = st.none() | st.lists(
    st.builds(Column, text, st.none() | text, text, st.lists(text, max_size=2).map(tuple)), max_size=3
).map(tuple)
maybe = st.none() | text.filter(bool)
every_event = st.one_of(
    st.builds(events.Started, keys),
    st.builds(events.Progress, keys, st.floats(0, 1e9), st.none() | st.floats(0, 1e9)),
    st.builds(events.Log, text, st.sampled_from(["debug", "info", "warning", "error"]), st.none() | keys),
    st.builds(events.Handle, text, maybe),
    st.builds(events.Materialized, keys, maybe, maybe, columns, metadata),
    st.builds(events.Observed, keys, maybe, maybe, columns, metadata),
    st.builds(events.Checked, keys, text, st.booleans(), st.sampled_from(["error", "warn"]), maybe, metadata),
    st.builds(events.Skipped, keys, text),
    st.builds(events.Failed, keys, text, maybe, st.booleans()),
    st.builds(events.RunStarted, st.integers(0, 9), st.integers(0, 9)),
    st.builds(events.InvocationStarted, text, st.lists(keys, max_size=3).map(tuple), maybe),
    st.builds(events.InvocationFinished, text, st.floats(0, 9), maybe),
    st.builds(events.RunFinished, text, st.floats(0, 9), st.dictionaries(text, st.integers(0, 9), max_size=2)),
)


@given(st.builds(EventRecord, at=times, run=text, event=every_event, invocation=maybe))
def test_every_event_comes_back(record):
    assert rows.event_record(rows.event_row(record)) == record


@given(
    st.builds(
        Materialization,
        key=keys,
        partition=maybe,
        at=times,
        run=text,
        data_version=text,
        code_version=maybe,
        code_parts=st.dictionaries(text, text, max_size=2),
        inputs=st.dictionaries(keys, text),
        columns=columns,
        accepted=st.none() | st.builds(Accepted, maybe, columns),
        metadata=metadata,
        seconds=st.none() | st.floats(0, 1e6),
        as_of=st.none() | times,
        appended=st.dictionaries(keys, st.builds(Appended, st.none() | times, maybe), max_size=2),
        epoch=st.none() | text,
    )
)
def test_every_materialization_comes_back(made):
    assert rows.materialization(rows.materialization_row(made)) == made


@given(
    st.builds(
        Attempt,
        key=keys,
        partition=maybe,
        run=text,
        at=times,
        outcome=st.sampled_from(["running", "materialized", "failed", "check_failed", "skipped"]),
        message=st.none() | text,
        because=st.none() | keys,
    )
)
def test_every_attempt_comes_back(tried):
    assert rows.attempt(rows.attempt_row(tried)) == tried


@given(
    st.builds(
        RunInfo,
        id=text,
        state=st.sampled_from(["running", "failed"]),
        started=times,
        finished=st.none() | times,
        assets=st.lists(keys).map(tuple),
        options=metadata,
        process=st.integers(0, 2**31),
        host=text,
    )
)
def test_every_run_comes_back(run):
    assert rows.run_info(rows.run_row(run)) == run


@dataclass
class Odd:
    x: int = 3


def test_metadata_that_is_no_json_is_kept_as_well_as_can_be():
    numpy = pytest.importorskip("numpy")
    odd = {
        "rows": numpy.int64(3),
        "mean": numpy.float32(0.5),
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "age": timedelta(minutes=1),
        "path": PurePosixPath("a/b"),
        "odd": object,
        "value": Odd(4),
        ("a", 1): 1,
        "nested": [{2: {(3, 4): {"set"}}}],
    }
    row = rows.event_row(EventRecord(at=datetime.now(UTC), run="r", event=events.Materialized("a", metadata=odd)))
    assert rows.event_record(row).event.metadata == {
        "rows": 3,
        "mean": 0.5,
        "at": "2026-01-02T00:00:00+00:00",
        "age": 60.0,
        "path": "a/b",
        "odd": "<class 'object'>",
        "value": {"x": 4},
        "('a', 1)": 1,
        "nested": [{"2": {"(3, 4)": ["set"]}}],
    }


def test_an_event_of_a_newer_assetry_is_shown_as_it_stands():
    body = '{"event":"teleported","asset":"a"}'
    assert rows.event_record(("r", "2026-01-02T00:00:00+00:00", None, body)).event == events.Log(body, "debug")
