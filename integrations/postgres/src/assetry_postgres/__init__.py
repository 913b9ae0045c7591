"""PostgreSQL for assetry: DataFrames in and out of a PostgreSQL database."""
