"""The hooks of assetry-postgres."""

from __future__ import annotations

from assetry.plugin import IOManager, hookimpl

ASSETRY_SCHEMES = {"io": ("postgresql", "postgres")}


@hookimpl
def assetry_open_io(url: str) -> IOManager:
    """Open ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=…``; see `assetry_postgres.io.PostgresIO`."""
    from assetry_postgres.io import PostgresIO

    return PostgresIO.from_url(url)
