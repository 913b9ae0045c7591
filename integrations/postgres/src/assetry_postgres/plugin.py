"""The hooks of assetry-postgres."""

from __future__ import annotations

from assetry.plugin import IOManager, hookimpl


@hookimpl
def assetry_open_io(url: str) -> IOManager | None:
    """Open ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE?schema=…``; see `assetry_postgres.io.PostgresIO`."""
    if not url.startswith(("postgresql://", "postgres://")):
        return None
    from assetry_postgres.io import PostgresIO

    return PostgresIO.from_url(url)
