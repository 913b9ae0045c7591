"""What is recorded of partitions: however it comes in, it is what all records together say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.partitions.sums import sum_of
from assetry.types.assets import Column
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 10, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01", end_offset=1, late=timedelta(hours=1))
KEYS = ["2026-01-08", "2026-01-09", "2026-01-10", "no day"]
GRIDS: list[tuple[Any, list[str]]] = [
    (DAYS, KEYS),
    (StaticPartitionsDefinition(["a", "b"]), ["a", "b", "gone"]),
    (DynamicPartitionsDefinition("file"), ["a", "b", "c"]),
    (
        MultiPartitionsDefinition({"day": DAYS, "file": DynamicPartitionsDefinition()}),
        ["2026-01-09|a", "2026-01-09|b", "2026-01-10|a", "other"],
    ),
]


@st.composite
def histories(draw: st.DrawFn) -> tuple[Any, list[list[Materialization]]]:
    grid, keys = draw(st.sampled_from(GRIDS))
    at, batches = START, []
    for _ in range(draw(st.integers(0, 5))):
        batch = []
        for _ in range(draw(st.integers(0, 3))):
            # A clock may be set back.
            at += timedelta(minutes=draw(st.sampled_from([60, 60, 60, 0, -90])))
            metadata = draw(st.sampled_from([{}, {}, {"io": "project"}, {"data_time": "2026-01-09T23:00:00Z"}]))
            batch.append(
                Materialization(
                    key=AssetKey("x"),
                    partition=draw(st.sampled_from([*keys, None])),
                    at=at,
                    run=draw(st.sampled_from(["r1", "r2"])),
                    data_version=draw(st.sampled_from(["1", "2"])),
                    code_version=draw(st.sampled_from([None, "1", "2"])),
                    columns=draw(st.sampled_from([None, (Column("id"),)])),
                    inputs=draw(st.dictionaries(st.sampled_from([AssetKey("u"), AssetKey("v")]), st.just("1"))),
                    metadata=metadata,
                )
            )
        batches.append(batch)
    return grid, batches


def told(recorded: RecordedPartitions) -> Any:
    """Return all that is said, but for the numbers that traces and keys happen to have."""
    definition = recorded.definition
    cells = {
        definition.key(number, strand): (trace, recorded.strand(strand).cell(number)._replace(trace=0))
        for trace, strand, first, stop in recorded.spans()
        for number in range(first, stop)
    }
    inputs = max((len(cell.inputs) for _, cell in cells.values()), default=0)
    early = {definition.key(number, strand): at for (strand, number), at in recorded.early.items()}
    whole = (recorded.last, recorded.whole, recorded.reached, recorded.version, dict(recorded.unknown))
    return {key: (trace, cell.version, cell.at, cell.run) for key, (trace, cell) in cells.items()}, early, whole, inputs


@given(histories())
def test_what_came_bit_by_bit_is_what_all_records_say(history: tuple[Any, list[list[Materialization]]]) -> None:
    grid, batches = history
    latest: dict[str | None, Materialization] = {}
    recorded = RecordedPartitions.of(grid, ())
    for batch in batches:
        news = {each.partition: each for each in batch}
        latest |= news
        # None: only all records can tell.
        recorded = recorded.changed(list(news.values())) or RecordedPartitions.of(grid, latest.values())
        mine, alone = told(recorded), told(RecordedPartitions.of(grid, latest.values()))
        assert mine[:3] == alone[:3]
        versions = {key: each.data_version for key, each in latest.items()}
        if not versions or versions.keys() == {None}:
            assert recorded.version == versions.get(None)
        else:
            assert recorded.version == sum_of(versions)


def test_it_is_early_until_it_is_made_of_all_its_data() -> None:
    def made(at: datetime) -> Materialization:
        return Materialization(key=AssetKey("x"), partition="2026-01-10", at=at, run="r", data_version="1")

    recorded = RecordedPartitions.of(DAYS, [made(START + timedelta(hours=24, minutes=30))])
    assert [DAYS.key(number) for _, number in recorded.early] == ["2026-01-10"]
    later = recorded.changed([made(START + timedelta(hours=25))])
    assert later is not None
    assert not later.early
