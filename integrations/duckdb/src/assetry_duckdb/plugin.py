"""The hooks of assetry-duckdb."""

from __future__ import annotations

from assetry.plugin import IOManager, hookimpl

ASSETRY_SCHEMES = {"io": ("duckdb",)}


@hookimpl
def assetry_open_io(url: str) -> IOManager:
    """Open ``duckdb:PATH?schema=…&option=…``; see `assetry_duckdb.io.DuckDBIO`."""
    from assetry_duckdb.io import DuckDBIO

    return DuckDBIO.from_url(url)
