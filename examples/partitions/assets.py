"""Three years of days: what came in each day, and a report of each week over what dbt made of it."""

from datetime import date, timedelta
from pathlib import Path
from random import Random

import pandas as pd
from assetry import DailyPartitionsDefinition, WeeklyPartitionsDefinition, asset

DAYS = DailyPartitionsDefinition("2023-12-01", end_offset=1)
WEEKS = WeeklyPartitionsDefinition("2023-12-04", day_offset=1)
#: Where people write what was meant, for days on which the till wrote down something odd: 2024-02-29.txt
CORRECTIONS = Path(__file__).parent


@asset(partitions_def=DAYS, partition_column="day")
def sales(context) -> pd.DataFrame:
    """Return what the till wrote down on a day."""
    day = date.fromisoformat(context.partition)
    till = Random(day.toordinal())
    amounts = [f"{till.randint(100, 5000) / 100:.2f}" for _ in range(till.randint(3, 9))]
    if (day.month, day.day) == (2, 29):
        correction = CORRECTIONS / f"{day}.txt"
        amounts[0] = correction.read_text() if correction.exists() else "twelve fifty"
    return pd.DataFrame({"day": pd.Timestamp(day), "amount": [float(each) for each in amounts]})


@asset(partitions_def=WEEKS, partition_column="week")
def weekly_report(context, daily_revenue: pd.DataFrame) -> pd.DataFrame:
    """Return the revenue of a week, from the seven days that it is made of."""
    week = date.fromisoformat(context.partition)
    days = daily_revenue.assign(day=pd.to_datetime(daily_revenue["day"]).dt.date)
    days = days[(days["day"] >= week) & (days["day"] < week + timedelta(days=7))]
    return pd.DataFrame({"week": [pd.Timestamp(week)], "revenue": [float(days["revenue"].sum())], "days": [len(days)]})
