"""What is said to PostgreSQL in SQL: names, texts, and questions about tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from assetry.plugin import Relation

#: What PostgreSQL cuts longer names to, in bytes.
LONGEST_NAME = 63


class Attribute(NamedTuple):
    """A column of a table: its type's name, its type as SQL writes it, and the type's modifier."""

    name: str
    type: str
    written: str
    modifier: int


def sql_name(text: str) -> str:
    """Return an identifier, quoted.

    >>> sql_name('a"b')
    '"a""b"'
    """
    return '"' + text.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """Return a text literal.

    >>> sql_text("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def sql_table(relation: Relation) -> str:
    """Return the quoted name of a table.

    >>> sql_table(Relation("shop", "raw", "orders"))
    '"raw"."orders"'
    """
    return f"{sql_name(relation.schema or 'public')}.{sql_name(relation.identifier)}"


def table_columns(cursor: Any, relation: Relation) -> list[Attribute]:
    """Return the columns of a table or view; none when there is no such table."""
    cursor.execute(
        "SELECT a.attname::text, t.typname::text, format_type(a.atttypid, a.atttypmod), a.atttypmod "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (relation.schema, relation.identifier),
    )
    return [Attribute(*row) for row in cursor.fetchall()]


def tables(cursor: Any, schemas: Iterable[str]) -> set[tuple[str, str]]:
    """Return schema and name of each table and view in some schemas."""
    cursor.execute(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname IN ({', '.join(map(sql_text, sorted(schemas)))})"
    )
    return {(str(schema), str(name)) for schema, name in cursor.fetchall()}


def table_kind(cursor: Any, relation: Relation) -> str:
    """Return what is there under a name, as PostgreSQL letters it: ``r`` a table, ``v`` a view …"""
    cursor.execute(
        "SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        (relation.schema, relation.identifier),
    )
    return str(cursor.fetchall()[0][0])
