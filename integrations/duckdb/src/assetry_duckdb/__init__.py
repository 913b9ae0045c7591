"""DuckDB for assetry: DataFrames in and out of a DuckDB file."""
