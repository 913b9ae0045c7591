"""Partitions of models: microbatch as dbt counts it, and what `meta` declares; each wrong word with what was meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    StaticPartitionsDefinition,
    WeeklyPartitionsDefinition,
    YearlyPartitionsDefinition,
)
from assetry.plugin import DefinitionError
from assetry_dbt.manifest.manifest import Manifest, Metadata, Node
from assetry_dbt.manifest.partitions import ModelPartitions, makes_batches, partitions_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

MICROBATCH = {"materialized": "incremental", "incremental_strategy": "microbatch", "event_time": "ts"}
BERLIN = "Europe/Berlin"
NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def node(declared: Any = None, **config: Any) -> Node:
    meta = {} if declared is None else {"assetry": {"partitions": declared}}
    found = Node("model.shop.m", "m", "model", "shop", original_file_path="models/m.sql")
    found.config = {"meta": meta, **config}
    return found


def microbatch(declared: Any = None, **config: Any) -> Node:
    return node(declared, **{**MICROBATCH, "batch_size": "day", "begin": "2026-03-01", **config})


def wrong(model: Node) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        partitions_of(model, True)
    assert "the model 'm'" in caught.value.message
    assert caught.value.where == "models/m.sql"
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("size", "begin", "expected"),
    [
        ("hour", "2026-03-01T10:30:00", HourlyPartitionsDefinition("2026-03-01T10:00:00", end_offset=1, lookback=1)),
        ("day", "2026-03-01T10:30:00+02:00", DailyPartitionsDefinition("2026-03-01", end_offset=1, lookback=1)),
        ("month", "2026-03-17", MonthlyPartitionsDefinition("2026-03-01", end_offset=1, lookback=1)),
        ("year", "2026-03-17T00:00:00Z", YearlyPartitionsDefinition("2026-01-01", end_offset=1, lookback=1)),
    ],
)
def test_a_microbatch_model_has_a_partition_for_each_batch_and_the_one_that_is_not_over(
    size: str, begin: str, expected: Any
) -> None:
    found = partitions_of(microbatch(batch_size=size, begin=begin), True)
    assert found == ModelPartitions(expected, {"batches": size}, "ts")
    start, end = expected.window(expected.keys_of(expected.existing(NOW).last(1))[0])
    assert start <= NOW < end


@pytest.mark.parametrize(("written", "lookback"), [(None, 1), (0, 0), (3, 3)])
def test_lookback_is_dbts_own(written: int | None, lookback: int) -> None:
    found = partitions_of(microbatch(lookback=written), True)
    assert found is not None
    assert found.definition.lookback == lookback  # type: ignore[attr-defined]


@settings(max_examples=examples(100))
@given(
    st.sampled_from(["hour", "day", "month", "year"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=40)),
)
def test_batches_are_those_that_dbt_counts(size: str, begin: datetime, after: timedelta) -> None:
    from dbt.artifacts.resources.types import BatchSize
    from dbt.materializations.incremental.microbatch import MicrobatchBuilder

    found = partitions_of(microbatch(batch_size=size, begin=begin.isoformat()), True)
    assert found is not None
    now = (begin + after + timedelta(seconds=1)).replace(tzinfo=UTC)
    end = MicrobatchBuilder.ceiling_timestamp(now, BatchSize(size))
    at = MicrobatchBuilder.truncate_timestamp(begin, BatchSize(size))
    expected = []
    while at < end:
        expected.append(at)
        at = MicrobatchBuilder.offset_timestamp(at, BatchSize(size), 1)
    keys = found.definition.keys_of(found.definition.existing(now))
    if MicrobatchBuilder.truncate_timestamp(now, BatchSize(size)) == now:
        keys = keys[:-1]  # at the stroke of the hour dbt does not begin the next batch yet
    assert [found.definition.window(key)[0] for key in keys] == expected  # type: ignore[index]


def test_what_is_made_anew_in_every_run_or_in_a_way_of_its_own_has_no_partitions() -> None:
    assert partitions_of(microbatch(full_refresh=True), True) is None
    assert partitions_of(microbatch(), False) is None
    assert partitions_of(microbatch(begin=None), True) is None
    assert partitions_of(node(materialized="table"), True) is None


def test_a_strategy_of_the_project_makes_microbatch_models_whole_unless_a_flag_says_otherwise() -> None:
    own = Manifest(metadata=Metadata(adapter_type="duckdb"))
    own.macros = {"macro.dbt.get_incremental_microbatch_sql": None, "macro.shop.get_incremental_microbatch_sql": None}  # type: ignore[dict-item]
    assert not makes_batches(own, {})
    assert makes_batches(own, {"flags": {"require_batched_execution_for_custom_microbatch_strategy": True}})
    del own.macros["macro.shop.get_incremental_microbatch_sql"]
    own.macros["macro.dbt_duckdb.get_incremental_microbatch_sql"] = None  # type: ignore[assignment]
    assert makes_batches(own, {})


def test_more_can_be_said_of_the_batches_of_a_microbatch_model() -> None:
    found = partitions_of(microbatch({"start": "2026-03-02", "late": 3600, "exclude": "2026-03-03"}), True)
    expected = DailyPartitionsDefinition(
        "2026-03-02", end_offset=1, lookback=1, late=timedelta(hours=1), exclude=["2026-03-03"]
    )
    assert found == ModelPartitions(expected, {"batches": "day"}, "ts")


COUNTS = "dbt's microbatch counts days in UTC"


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"type": "daily", "timezone": "Europe/Berlin"}, f"are daily in Europe/Berlin; {COUNTS}"),
        ({"type": "weekly"}, f"are weekly in UTC; {COUNTS}"),
        ({"hour_offset": 6}, f"are daily in UTC; {COUNTS}"),
        ({"type": "static", "keys": ["a"]}, f"are static; {COUNTS}"),
        ({"vars": {"start": "a"}}, "have vars, and it is a microbatch model"),
    ],
)  # fmt: skip
def test_another_grid_for_a_microbatch_model_is_an_error(declared: Any, told: str) -> None:
    error = wrong(microbatch(declared))
    assert told in error.message


@pytest.mark.parametrize(
    ("declared", "definition"),
    [
        ({"type": "daily", "start": "2024-01-01"}, DailyPartitionsDefinition("2024-01-01")),
        (
            {"type": "weekly", "start": "2024-01-01", "end": "2025-01-01", "timezone": BERLIN, "day_offset": 1},
            WeeklyPartitionsDefinition("2024-01-01", "2025-01-01", BERLIN, day_offset=1),
        ),
        (
            {"type": "monthly", "start_date": "2024-01-01", "lookback": 2},
            MonthlyPartitionsDefinition("2024-01-01", lookback=2),
        ),
        ({"type": "yearly", "start": "2020-01-01"}, YearlyPartitionsDefinition("2020-01-01")),
        ({"type": "hourly", "start": "2024-01-01"}, HourlyPartitionsDefinition("2024-01-01")),
    ],
)  # fmt: skip
def test_meta_declares_partitions_that_vars_tell(declared: Any, definition: Any) -> None:
    names = {"start": "from_date", "end": "to_date"}
    assert partitions_of(node({**declared, "vars": names}), True) == ModelPartitions(definition, {"vars": names})


def test_keys_are_told_by_one_var_or_as_a_list() -> None:
    for word in ("key", "keys"):
        found = partitions_of(node({"type": "static", "keys": ["eu", "us"], "vars": {word: "region"}}), True)
        assert found == ModelPartitions(StaticPartitionsDefinition(["eu", "us"]), {"vars": {word: "region"}})


def test_the_column_that_tells_partitions_is_named_or_event_time() -> None:
    declared = {"type": "daily", "start": "2024-01-01", "vars": VARS}
    regions = {"type": "static", "keys": ["eu"], "vars": {"key": "region"}}
    found = [
        partitions_of(node(declared, event_time="ts"), True),
        partitions_of(node({**declared, "column": "day"}, event_time="ts"), True),
        partitions_of(node({**regions, "column": "region"}), True),
        partitions_of(node(regions, event_time="ts"), True),
        partitions_of(microbatch({"column": "day"}), True),
    ]
    assert [each and each.column for each in found] == ["ts", "day", "region", None, "day"]


VARS = {"start": "a", "end": "b"}


@pytest.mark.parametrize(
    ("declared", "told", "near"),
    [
        ("daily", "are 'daily'", ""),
        ({"start": "2024-01-01", "vars": VARS}, "have no type", ""),
        ({"type": "dayly", "start": "2024-01-01", "vars": VARS}, "are of the type 'dayly'", "daily"),
        ({"type": "daily", "strat": "2024-01-01", "vars": VARS}, "have 'strat'", "start"),
        ({"type": "daily", "vars": VARS}, "have no 'start'", ""),
        ({"type": "cron", "start": "2024-01-01", "vars": VARS}, "have no 'cron'", ""),
        ({"type": "daily", "start": "yesterday", "vars": VARS}, "cannot be", ""),
        ({"type": "daily", "start": "2024-01-01", "timezone": "Europe/Belrin", "vars": VARS}, "cannot be", ""),
        ({"type": "daily", "start": "2024-01-01", "late": "soon", "vars": VARS}, "wrong type", ""),
        ({"type": "daily", "start": "2024-01-01"}, "have no vars", ""),
        ({"type": "daily", "start": "2024-01-01", "vars": ["a"]}, "have no vars", ""),
        ({"type": "daily", "start": "2024-01-01", "vars": {"strat": "a"}}, "have the var 'strat'", "start"),
        ({"type": "daily", "start": "2024-01-01", "vars": {"start": 1}}, "have 1 as the name of the var for start", ""),
        ({"type": "daily", "start": "2024-01-01", "vars": {"start": "a", "end": "a"}}, "use the var 'a' for two", ""),
        ({"type": "static", "keys": ["eu"], "vars": {"start": "a"}}, "means nothing without time", ""),
        ({"type": "static", "keys": "eu", "vars": {"key": "a"}}, "have 'eu' as keys", ""),
        ({"type": "dynamic", "vars": {"key": "a"}}, "are of the type 'dynamic'", ""),
    ],
)
def test_what_is_declared_wrongly_is_told_with_model_file_and_what_was_meant(
    declared: Any, told: str, near: str
) -> None:
    error = wrong(node(declared))
    assert told in error.message
    if near:
        assert near in error.near


def test_a_microbatch_model_that_is_made_whole_has_none_to_declare() -> None:
    declared = {"type": "daily", "start": "2024-01-01", "vars": VARS}
    assert "in some other way than batch by batch" in wrong(microbatch(declared, full_refresh=True)).message
