"""Python below the models of dbt."""

import pandas as pd
from assetry import asset


@asset
def best_country(revenue_by_country: pd.DataFrame) -> pd.DataFrame:
    """The country with the most revenue."""
    return revenue_by_country.nlargest(1, "euros")
