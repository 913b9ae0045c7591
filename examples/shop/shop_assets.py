"""The Python side of the shop: a root that feeds dbt, a model between two dbt layers, and a forecast behind them.

No connection is configured anywhere: frames go in and out of the warehouse that the dbt profile names.
"""

import numpy as np
import pandas as pd
from assetry import asset, asset_check


@asset(group="web", owners=["data@example.com"])
def website_events() -> pd.DataFrame:
    """Visits to the shop's site, as its event log has them; the dbt source web.website_events."""
    random = np.random.default_rng(7)
    days = pd.date_range("2026-03-01", periods=42)
    count = 400
    return pd.DataFrame(
        {
            "visitor_id": random.integers(1, 9, count),
            "event_type": random.choice(["login", "view", "basket"], count, p=[0.3, 0.6, 0.1]),
            "happened_on": random.choice(days, count),
        }
    )


@asset(group="scoring")
def customer_scores(customer_features: pd.DataFrame) -> pd.DataFrame:
    """How valuable each customer is: recent, frequent and valuable, each ranked from 0 to 1."""
    ranks = pd.DataFrame(
        {
            "recency": pd.to_datetime(customer_features["last_order"]).rank(pct=True),
            "frequency": customer_features["orders"].rank(pct=True),
            "value": customer_features["revenue"].astype(float).rank(pct=True),
        }
    )
    score = ranks.mean(axis="columns").fillna(0.0).round(3)
    tier = pd.cut(score, [-1, 0.4, 0.7, 1], labels=["bronze", "silver", "gold"]).astype(str)
    return pd.DataFrame({"customer_id": customer_features["customer_id"], "score": score, "tier": tier})


@asset_check(asset=customer_scores)
def scores_lie_between_0_and_1(scores: pd.DataFrame) -> bool:
    """A score is a mean of ranks."""
    return bool(scores["score"].between(0, 1).all())


@asset(group="forecast")
def predicted_usage(daily_usage_stats: pd.DataFrame) -> pd.DataFrame:
    """The next seven days: a weekday's mean, moved along the trend of the last weeks."""
    stats = daily_usage_stats.sort_values("day").assign(day=lambda frame: pd.to_datetime(frame["day"]))
    stats["revenue"] = stats["revenue"].astype(float)
    number = np.arange(len(stats))
    slope, start = np.polyfit(number, stats["revenue"], 1)
    seasonal = (stats["revenue"] - (start + slope * number)).groupby(stats["day"].dt.weekday).mean()
    coming = pd.date_range(stats["day"].max() + pd.Timedelta(days=1), periods=7)
    trend = start + slope * (len(stats) + np.arange(7))
    return pd.DataFrame(
        {"day": coming, "revenue": (trend + seasonal.reindex(coming.weekday, fill_value=0).to_numpy()).round(2)}
    )
