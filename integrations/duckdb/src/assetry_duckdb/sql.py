"""What is said to DuckDB in SQL: names, texts, and questions about tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.plugin import Column, Relation

if TYPE_CHECKING:
    import duckdb


def sql_name(text: str | None) -> str:
    """Return an identifier, quoted.

    >>> sql_name('a"b')
    '"a""b"'
    """
    return '"' + str(text).replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """Return a text literal.

    >>> sql_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def sql_table(parts: tuple[str | None, ...]) -> str:
    """Return the quoted name of a table, or of a schema.

    >>> sql_table(("shop", "raw", "orders"))
    '"shop"."raw"."orders"'
    """
    return ".".join(map(sql_name, parts))


def table_kind(connection: duckdb.DuckDBPyConnection, relation: Relation) -> str | None:
    """Return ``BASE TABLE`` or ``VIEW`` for what is there under a name; None when nothing is."""
    found = connection.execute(
        "SELECT table_type FROM information_schema.tables WHERE lower(table_catalog) = lower(?) "
        "AND lower(table_schema) = lower(?) AND lower(table_name) = lower(?)",
        list(relation),
    ).fetchall()
    return str(found[0][0]) if found else None


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> set[tuple[str, str]]:
    """Return schema and name, in small letters, of each table and view of a database."""
    found = connection.execute(
        "SELECT lower(table_schema), lower(table_name) FROM information_schema.tables WHERE lower(table_catalog) = ?",
        [database.lower()],
    )
    return {(str(schema), str(name)) for schema, name in found.fetchall()}


def table_columns(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[Column, ...]:
    """Return the columns of a table or view, given its quoted name."""
    return tuple(Column(name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall())
