"""The tables of the shop; what is sent from them is defined in Parcel."""

import pandas as pd
from assetry import asset


@asset
def customers() -> pd.DataFrame:
    """Everybody who bought something; one of them without an address."""
    return pd.DataFrame({"email": ["ada@example.com", "ben@example.com", None], "spent": [120, 30, 5]})


@asset
def customer_scores(customers: pd.DataFrame) -> pd.DataFrame:
    """How much a customer spends, as a part of what all spend."""
    known = customers.dropna(subset=["email"])
    return pd.DataFrame({"email": known["email"], "score": known["spent"] / known["spent"].sum()})


@asset
def best_customers(customer_scores: pd.DataFrame) -> pd.DataFrame:
    """Those whom the advertisements look for more of."""
    return customer_scores[customer_scores["score"] > 0.5]
