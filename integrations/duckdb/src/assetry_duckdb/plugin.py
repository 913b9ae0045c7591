"""The hooks of assetry-duckdb."""

from __future__ import annotations

from assetry.plugin import IOManager, hookimpl


@hookimpl
def assetry_open_io(url: str) -> IOManager | None:
    """Open ``duckdb:PATH?schema=…&option=…``; see `assetry_duckdb.io.DuckDBIO`."""
    if not url.startswith("duckdb:"):
        return None
    from assetry_duckdb.io import DuckDBIO

    return DuckDBIO.from_url(url)
