"""Whether a file of DuckDB is open as a whole, where something else in this process opens it at the same time."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

#: The function by which DuckDB reads what Python has; the package adds it to a database after that was opened.
_READS = "FROM python_arrow_scan()"


def is_whole(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether a connection can read what Python has.

    It cannot for a moment where another thread has just opened the file, as dbt does when it runs in this process.
    """
    return _reads(connection) or not _is_known()


def _reads(connection: duckdb.DuckDBPyConnection) -> bool:
    import duckdb

    try:
        connection.execute(_READS)
    except duckdb.CatalogException:
        return False
    except duckdb.Error:
        pass  # it is there, and says what it is to be given
    return True


@cache
def _is_known() -> bool:
    """Tell whether this version of DuckDB has such a function at all."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        return _reads(connection)
