"""A table or view that is dropped, and one partition of it that is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.plugin import Relation, ValueStoreError

from assetry_duckdb.sql import sql_table, table_columns, table_kind
from assetry_duckdb.tables import has_partitions, is_one_of

if TYPE_CHECKING:
    import duckdb


def drop(connection: duckdb.DuckDBPyConnection, relation: Relation) -> None:
    """Drop a table or view, if it is there; raise `ValueStoreError` when a view stands on it."""
    kind = table_kind(connection, relation)
    if kind is None:
        return
    # DuckDB drops what views read, and they fail later: those that can be read now have to be after it.
    views = _views(connection, relation)
    connection.execute("BEGIN")
    try:
        connection.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {sql_table(relation)}")
        for view in views:
            if not _can_be_read(connection, view):
                raise ValueStoreError(
                    f"{relation} cannot be dropped: the view {'.'.join(view)} stands on it.",
                    hint="Drop that first, if nothing needs it any more.",
                )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def delete_partition(connection: duckdb.DuckDBPyConnection, relation: Relation, partition: str) -> None:
    """Delete the rows of one partition, where a table of partitions is there."""
    if table_kind(connection, relation) != "BASE TABLE":
        return
    table = sql_table(relation)
    if has_partitions(connection, relation, table_columns(connection, table)):
        connection.execute(f"DELETE FROM {table} WHERE {is_one_of((partition,))}")


def _views(connection: duckdb.DuckDBPyConnection, relation: Relation) -> list[tuple[str, str, str]]:
    """Return the other views that have the name of a table anywhere in them, and can be read."""
    found = connection.execute(
        "SELECT database_name, schema_name, view_name FROM duckdb_views() "
        "WHERE NOT internal AND contains(lower(sql), lower(?)) ORDER BY ALL",
        [relation.identifier.replace('"', '""')],
    ).fetchall()
    own = [str(part).lower() for part in relation]
    return [view for view in found if [part.lower() for part in view] != own and _can_be_read(connection, view)]


def _can_be_read(connection: duckdb.DuckDBPyConnection, view: tuple[str, str, str]) -> bool:
    import duckdb

    try:
        connection.execute(f"DESCRIBE {sql_table(view)}")
    except (duckdb.CatalogException, duckdb.BinderException):
        return False
    return True
