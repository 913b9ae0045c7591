"""What is made from the revenue in Python."""

import pandas as pd
from assetry import asset


@asset
def best_countries(revenue: pd.DataFrame) -> pd.DataFrame:
    """Countries by revenue, the best first."""
    return revenue.sort_values("revenue", ascending=False).reset_index(drop=True)
