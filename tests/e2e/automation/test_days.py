"""Days on hours, over the days on which clocks change: each is made once, when all of its hours are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.automation.story import DAY, DBT, HOUR, MINUTE, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BERLIN = ZoneInfo("Europe/Berlin")
ASSETS = """
from datetime import timedelta
from pathlib import Path
import pandas as pd
from assetry import AssetContext, DailyPartitionsDefinition, HourlyPartitionsDefinition, asset
from assetry.automation import eager

@asset(partitions_def=HourlyPartitionsDefinition("{first:%Y-%m-%d-%H:%M}"), automation=eager())
def events(context: AssetContext) -> pd.DataFrame:
    value = int(Path(__file__).with_name("value").read_text())
    return pd.DataFrame({{"ts": [pd.to_datetime(context.partition, format="%Y-%m-%d-%H:%M")], "v": [value]}})

@asset(
    partitions_def=DailyPartitionsDefinition("{day:%Y-%m-%d}", timezone="Europe/Berlin"),
    automation=eager().batch(timedelta(minutes=10)),
)
def berlin(events: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({{"hours": [len(events)], "total": [int(events["v"].sum())]}})
"""
DAILY = """
{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='day',
   lookback=0, begin='{day:%Y-%m-%d}', meta={{'assetry': {{
     'automation': {{'when': 'eager', 'batch': '10m'}}, 'partitions': {{'end_offset': 0}}}}}}) }}}}
select date_trunc('day', ts) as day, count(*) as n, sum(v) as total from {{{{ source('web', 'events') }}}} group by 1
"""
WEB = "sources: [{name: web, schema: main, tables: [{name: events, config: {event_time: ts}}]}]\n"


@pytest.mark.parametrize(("day", "hours"), [(datetime(2026, 3, 29), 23), (datetime(2026, 10, 25), 25)])
def test_a_day_is_made_once_when_all_its_hours_are_and_once_more_for_all_that_change(
    tmp_path: Path, day: datetime, hours: int
) -> None:
    midnight = day.replace(tzinfo=BERLIN).astimezone(UTC)
    before = day - DAY
    files = {
        **DBT,
        "assetry.toml": 'io = "duckdb:shop.duckdb"\n[integrations.shop]\nkind = "dbt"\n',
        "assets.py": ASSETS.format(first=midnight - DAY, day=before),
        "models/daily.sql": DAILY.format(day=before),
        "models/sources.yml": WEB,
        "value": "1",
    }
    ends, utc, partition = midnight + hours * HOUR, day.replace(tzinfo=UTC) + DAY, f"{day:%Y-%m-%d}"
    with told(tmp_path, files, at=midnight) as story:
        assert story.project.materialize(stale=True).ok
        story.live(utc + 30 * MINUTE)
        # Each hour once, as soon as it is over; the days once, and ten minutes after the last of their hours.
        over = [midnight + n * HOUR for n in range(int((story.clock.now - midnight) / HOUR))]
        assert story.parts("events") == [(each + HOUR, [f"{each:%Y-%m-%d-%H:%M}"]) for each in over]
        assert story.parts("berlin") == [(ends + 10 * MINUTE, [partition])]
        assert story.parts("shop/daily") == [
            (utc - DAY + 10 * MINUTE, [f"{before:%Y-%m-%d}"]),
            (utc + 10 * MINUTE, [partition]),
        ]
        value = story.project.load_value("berlin", partition=partition)
        assert [tuple(map(int, each)) for each in value.itertuples(index=False)] == [(hours, hours)]
        assert story.sql("select n, total::int from daily") == [(24, 24)] * 2

        # Three hours come again, one after the other and with other content: one more build for each day on them.
        story.forget()
        story.write("value", "10")
        for hour in (3, 4, 5):
            assert story.project.materialize("events", partition=f"{partition}-{hour:02}:00").ok
            assert story.turn() == []
            story.clock.advance(2 * MINUTE)
        told_of = " ".join(story.says("status", "-s", "berlin").split())
        assert "parts berlin: 2 of 2 made; 1 fresh, 1 stale" in told_of
        assert "next berlin: about 00:40 UTC: what else is wanted within 10 min joins it" in told_of
        story.live(story.clock.now + 10 * MINUTE)
        assert [parts for _, parts in story.parts("berlin")] == [[partition]]
        assert [parts for _, parts in story.parts("shop/daily")] == [[partition]]
        assert len(story.invocations("dbt")) == 1
        assert story.sql("select n, total::int from daily order by day") == [(24, 24), (24, 24 + 3 * 9)]
        # One that comes again as it was is no news.
        assert story.project.materialize("events", partition=f"{partition}-04:00").ok
        story.live(story.clock.now + 12 * MINUTE)
        assert len(story.made) == 2
        assert set(story.counts()) == {"fresh"}
