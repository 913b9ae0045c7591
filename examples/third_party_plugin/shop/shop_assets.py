"""Python on both sides of the scripts: what they read, and what is made from them."""

import pandas as pd
from assetry import asset


@asset
def countries() -> pd.DataFrame:
    """The names of the countries we sell to."""
    return pd.DataFrame({"code": ["de", "fr"], "name": ["Germany", "France"]})


@asset
def best_country(revenue_by_country: pd.DataFrame) -> pd.DataFrame:
    """The country with the most revenue."""
    return revenue_by_country.nlargest(1, "revenue")
