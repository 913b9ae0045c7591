"""One file, no dbt: tables are kept as Parquet under .assetry/data, everything else as pickles.

assetry plan            # what would run, and why
assetry materialize     # run it
assetry status          # what is fresh
"""

import pandas as pd
from assetry import asset, asset_check


@asset
def website_events() -> pd.DataFrame:
    """What visitors did."""
    return pd.DataFrame({"user": ["ada", "ben", "ada", "cleo"], "type": ["login", "view", "view", "login"]})


@asset
def logins(website_events: pd.DataFrame) -> pd.DataFrame:
    """The logins among the events."""
    return website_events[website_events["type"] == "login"]


@asset
def login_rate(website_events: pd.DataFrame, logins: pd.DataFrame) -> float:
    """The share of events that are logins."""
    return len(logins) / len(website_events)


@asset_check(asset=login_rate)
def is_a_share(rate: float) -> bool:
    """A share lies between 0 and 1."""
    return 0 <= rate <= 1
