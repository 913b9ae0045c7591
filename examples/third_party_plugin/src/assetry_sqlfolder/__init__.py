"""SQL scripts in a folder, each a table of a DuckDB file: an integration for assetry."""
