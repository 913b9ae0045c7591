"""Tables of a PostgreSQL database, in and out as Arrow through ADBC."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from assetry.plugin import (
    Asset,
    Column,
    NothingKeptError,
    Relation,
    Rows,
    Saved,
    ValueStoreError,
    content_version,
    nothing_kept,
)

from assetry_postgres.address import Address
from assetry_postgres.rows import add_rows, keep_best, reader_of
from assetry_postgres.sql import Attribute, sql_name, sql_table, sql_text, table_columns, table_kind
from assetry_postgres.types import from_postgres, read_expression, to_postgres

if TYPE_CHECKING:
    import pyarrow as pa

#: Column that tells the partitions of a partitioned asset apart; added when kept, left out when read.
PARTITION = "_partition"
#: What PostgreSQL cuts longer names to, in bytes.
LONGEST_NAME = 63
_READING = "Look whether the user of the URL may read it."
_WRITING = "What was there before is still there; correct the cause, then run `assetry retry`."


class PostgresIO:
    """Keep tables in a PostgreSQL database.

    An asset's table is its `relation`; without one, the last part of its key in the URL's schema (``public``). A
    table is written under another name and takes the old one's place, with its grants, in one transaction. Where
    views stand on the old one, it stays and its rows are exchanged instead, provided that the columns are the same.
    The partitions of an asset are rows of one table, told apart by the column ``_partition``.

    >>> io = PostgresIO.from_url("postgresql://bob@localhost/shop?schema=raw")
    >>> str(io.relation(Asset(key="app/events", kind="python")))
    'shop.raw.events'
    """

    form: Literal["arrow", "any"] = "arrow"

    def __init__(self, address: Address) -> None:
        self.address = address

    @classmethod
    def from_url(cls, url: str) -> PostgresIO:
        """Return the manager for a URL; nothing is opened yet."""
        return cls(Address.from_url(url))

    def relation(self, asset: Asset) -> Relation:
        """Return the table that holds an asset, or would."""
        given = asset.relation or Relation(None, None, asset.key.name)
        return Relation(given.database or self.address.database, given.schema or self.address.schema, given.identifier)

    def load(self, asset: Asset, partition: str | None = None) -> pa.Table:
        """Return the table as Arrow; raise `ValueStoreError` when there is none, or the database is out of reach."""
        relation = self._reachable(asset)
        with self._cursor(f"{relation} cannot be read", _READING) as cursor:
            attributes = table_columns(cursor, relation)
            if not attributes:
                raise nothing_kept(asset, partition, f"in PostgreSQL {self.address.name} ({relation})")
            partitioned = asset.kind == "python" and any(each.name == PARTITION for each in attributes)
            chosen = [each for each in attributes if not (partitioned and each.name == PARTITION)]
            expressions = ", ".join(read_expression(sql_name(each.name), each.type) for each in chosen)
            where = f" WHERE {PARTITION} = {sql_text(partition)}" if partitioned and partition is not None else ""
            cursor.execute(f"SELECT {expressions} FROM {sql_table(relation)}{where}")
            table = cursor.fetch_arrow_table()
        return from_postgres(table, [(each.type, each.modifier) for each in chosen])

    def save(self, asset: Asset, value: pa.Table, partition: str | None = None) -> Saved:
        """Replace the table, or the rows of one partition, in one transaction.

        Raises `ValueStoreError`, and leaves what was there, when PostgreSQL refuses.
        """
        relation = self._writable(asset)
        table = to_postgres(value, f"asset {str(asset.key)!r}")
        if partition is not None:
            import pyarrow as pa

            table = table.append_column(PARTITION, pa.array([partition] * table.num_rows, pa.string()))
        with self._cursor(f"{relation} cannot be written", _WRITING, asset.source) as cursor:
            _create_schema(cursor, relation.schema or "")
            existing = table_columns(cursor, relation)
            if partition is not None and any(each.name == PARTITION for each in existing):
                _replace_partition(cursor, relation, existing, table, partition)
            else:
                _replace(cursor, relation, existing, table)
            attributes = table_columns(cursor, relation)
        columns = [Column(each.name, each.written) for each in attributes if each.name in value.column_names]
        facts = {"rows": value.num_rows, "relation": str(relation)}
        return Saved(content_version(value), tuple(columns), facts)

    def save_rows(self, asset: Asset, rows: Rows) -> Saved:
        """Save rows as they come, in one transaction; see `assetry.plugin.Rows`."""
        relation = self._writable(asset)
        coming = reader_of(rows, f"asset {str(asset.key)!r}")
        staged = relation._replace(identifier=_staged_name(relation.identifier))
        with self._cursor(f"{relation} cannot be written", _WRITING, asset.source) as cursor:
            _create_schema(cursor, relation.schema or "")
            existing = table_columns(cursor, relation)
            grows = rows.mode != "replace" and bool(existing) and table_kind(cursor, relation) in "rp"
            if rows.mode != "replace" and rows.existing and not grows:
                raise NothingKeptError(f"The table {relation} is no longer there.", where=asset.source)
            changed = cursor.adbc_ingest(staged.identifier, coming, mode="create", db_schema_name=staged.schema)
            if rows.keys and rows.mode != "append":
                changed = keep_best(cursor, staged, rows)
            if grows:
                changed = add_rows(cursor, relation, staged, rows)
            else:
                _put(cursor, relation, existing, staged)
            written = table_columns(cursor, relation)
        facts = {"changed": changed, "relation": str(relation), **({} if grows else {"rows": changed})}
        return Saved(None, tuple(Column(each.name, each.written) for each in written), facts)

    def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _writable(self, asset: Asset) -> Relation:
        relation = self._reachable(asset)
        if len(relation.identifier.encode()) > LONGEST_NAME:
            raise ValueStoreError(
                f"{relation.identifier!r} is too long for a PostgreSQL table ({LONGEST_NAME} bytes).",
                where=asset.source,
                hint="Give the asset a shorter key.",
            )
        return relation

    def _reachable(self, asset: Asset) -> Relation:
        relation = self.relation(asset)
        if relation.database and relation.database.casefold() != self.address.database.casefold():
            raise ValueStoreError(
                f"{relation} is in another database than {self.address.name}, and PostgreSQL cannot reach across.",
                where=asset.source,
                hint="Give the asset an io_manager URL of that database.",
            )
        return relation

    @contextmanager
    def _cursor(self, doing: str, hint: str, where: str | None = None) -> Iterator[Any]:
        """Give a cursor in a transaction: committed at the end, rolled back when anything is raised."""
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi

        try:
            connection = dbapi.connect(self.address.uri)
        except Error as error:
            raise ValueStoreError(
                f"PostgreSQL {self.address.name} cannot be reached: {self._reason(error)}",
                hint="Start the server, or correct host, user and password.",
            ) from None
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except Error as error:
            raise ValueStoreError(f"{doing}: {self._reason(error)}", where=where, hint=hint) from None
        finally:
            # Closing without a commit rolls back.
            connection.close()

    def _reason(self, error: Exception) -> str:
        """Return what PostgreSQL said, without the driver's words around it and without secrets."""
        text = re.split(r"\n\nQuery was:|\nLINE \d+:|\nCONTEXT:", str(error))[0]
        text = re.sub(r"^(?:[A-Z_]+: )?(?:\[libpq\] )?(?:Failed to [^\n]*?(?:ERROR|FATAL): +)?", "", text, count=1)
        text = re.sub(r"\.? *(?:Vendor code: \d+\. *)?SQLSTATE: \w+$", "", text.strip()).strip()
        return self.address.scrub(" ".join(text.split()))


def _create_schema(cursor: Any, schema: str) -> None:
    cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (schema,))
    if not cursor.fetchall():
        # Two runs may both find it missing; the lock makes the second one wait, and then find it.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('assetry schema'))")
        cursor.fetchall()
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {sql_name(schema)}")


def _replace(cursor: Any, relation: Relation, existing: Sequence[Attribute], table: pa.Table) -> None:
    """Put a new table in the place of what is there."""
    staged = relation._replace(identifier=_staged_name(relation.identifier))
    cursor.adbc_ingest(staged.identifier, table, mode="create", db_schema_name=staged.schema)
    _put(cursor, relation, existing, staged)


def _put(cursor: Any, relation: Relation, existing: Sequence[Attribute], staged: Relation) -> None:
    """Put a staged table in the place of what is there."""
    if existing:
        kind = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}.get(table_kind(cursor, relation), "TABLE")
        if kind == "TABLE":
            _copy_grants(cursor, relation, staged)
        dependents = _dependents(cursor, relation)
        if dependents:
            _exchange_rows(cursor, relation, staged, existing, dependents, kind)
            return
        cursor.execute(f"DROP {kind} {sql_table(relation)}")
    cursor.execute(f"ALTER TABLE {sql_table(staged)} RENAME TO {sql_name(relation.identifier)}")


def _exchange_rows(
    cursor: Any, relation: Relation, staged: Relation, existing: Sequence[Attribute], views: Sequence[str], kind: str
) -> None:
    new = table_columns(cursor, staged)
    if kind != "TABLE" or {each[:3:2] for each in new} != {each[:3:2] for each in existing}:
        raise ValueStoreError(
            f"{relation} cannot be replaced: {', '.join(views)} stands on it, and its columns have changed "
            f"from ({_listed(existing)}) to ({_listed(new)}).",
            hint="Drop what stands on it, run `assetry retry`, and make that again.",
        )
    names = ", ".join(sql_name(each.name) for each in new)
    # Not TRUNCATE: who reads with an older snapshot would see an empty table.
    cursor.execute(f"DELETE FROM {sql_table(relation)}")
    cursor.execute(f"INSERT INTO {sql_table(relation)} ({names}) SELECT {names} FROM {sql_table(staged)}")
    cursor.execute(f"DROP TABLE {sql_table(staged)}")


def _listed(attributes: Sequence[Attribute]) -> str:
    return ", ".join(f"{each.name} {each.written}" for each in attributes)


def _dependents(cursor: Any, relation: Relation) -> list[str]:
    """Return the views that stand directly on a table."""
    cursor.execute(
        "SELECT DISTINCT v.oid::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
        "JOIN pg_class v ON v.oid = r.ev_class WHERE d.classid = 'pg_rewrite'::regclass "
        "AND d.refobjid = to_regclass($1) AND v.oid <> d.refobjid ORDER BY 1",
        (sql_table(relation),),
    )
    return [str(name) for (name,) in cursor.fetchall()]


def _copy_grants(cursor: Any, old: Relation, new: Relation) -> None:
    cursor.execute(
        "SELECT a.privilege_type::text, "
        "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END, "
        "a.is_grantable FROM pg_class c, aclexplode(c.relacl) a "
        "WHERE c.oid = to_regclass($1) AND a.grantee <> c.relowner",
        (sql_table(old),),
    )
    for privilege, role, grantable in cursor.fetchall():
        option = " WITH GRANT OPTION" if grantable else ""
        cursor.execute(f"GRANT {privilege} ON {sql_table(new)} TO {role}{option}")


def _replace_partition(
    cursor: Any, relation: Relation, existing: Sequence[Attribute], table: pa.Table, partition: str
) -> None:
    staged = relation._replace(identifier=_staged_name(relation.identifier))
    cursor.adbc_ingest(staged.identifier, table, mode="create", db_schema_name=staged.schema)
    known = {each.name for each in existing}
    new = table_columns(cursor, staged)
    for each in new:
        if each.name not in known:
            cursor.execute(f"ALTER TABLE {sql_table(relation)} ADD COLUMN {sql_name(each.name)} {each.written}")
    names = ", ".join(sql_name(each.name) for each in new)
    cursor.execute(f"DELETE FROM {sql_table(relation)} WHERE {PARTITION} = {sql_text(partition)}")
    cursor.execute(f"INSERT INTO {sql_table(relation)} ({names}) SELECT {names} FROM {sql_table(staged)}")
    cursor.execute(f"DROP TABLE {sql_table(staged)}")


def _staged_name(name: str) -> str:
    from secrets import token_hex

    # The random part keeps two runs apart; the name is not seen before the transaction ends.
    return f"assetry_{token_hex(4)}_" + name.encode()[: LONGEST_NAME - 17].decode(errors="ignore")
