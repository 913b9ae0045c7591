"""Resources of dlt sources as tables of a DuckDB file: an integration for assetry."""
