"""A table put in the place of what is there, and one partition of it; columns that become wider for what comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assetry.plugin import Asset, Relation, ValueStoreError, Widening

from assetry_postgres.sql import LONGEST_NAME, Attribute, sql_name, sql_table, sql_text, table_columns, table_kind
from assetry_postgres.types import PARTITION, TABLES, read, sql_type

if TYPE_CHECKING:
    import pyarrow as pa

#: What is said of a column that is called as that of partitions, and is one of the asset's own.
_OWN = "assetry: a column of the asset's own, not that of partitions"
#: Types of text, to which PostgreSQL cuts what is too long when it is asked to cast.
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})


def stage(cursor: Any, relation: Relation, rows: pa.Table | pa.RecordBatchReader) -> tuple[Relation, int]:
    """Write rows into a table of a name of its own beside another; return it, and how many rows they were."""
    staged = relation._replace(identifier=_staged_name(relation.identifier))
    columns = ", ".join(f"{sql_name(field.name)} {sql_type(field.type)}" for field in rows.schema)
    cursor.execute(f"CREATE TABLE {sql_table(staged)} ({columns})")
    count = cursor.adbc_ingest(staged.identifier, rows, mode="append", db_schema_name=staged.schema)
    return staged, int(count)


def _staged_name(name: str) -> str:
    from secrets import token_hex

    # The random part keeps two runs apart; nobody sees the name before the transaction ends.
    return f"assetry_{token_hex(4)}_" + name.encode()[: LONGEST_NAME - 17].decode(errors="ignore")


# -- a whole table -----------------------------------------------------------------------------------------------------


def put(cursor: Any, relation: Relation, existing: Sequence[Attribute], staged: Relation) -> None:
    """Put a staged table in the place of what is there."""
    if existing:
        kind = _kind(cursor, relation)
        if kind == "TABLE":
            _copy_grants(cursor, relation, staged)
        views = _views(cursor, relation)
        if views:
            _exchange_rows(cursor, relation, staged, existing, views, kind)
            return
        cursor.execute(f"DROP {kind} {sql_table(relation)}")
    cursor.execute(f"ALTER TABLE {sql_table(staged)} RENAME TO {sql_name(relation.identifier)}")


def drop(cursor: Any, relation: Relation) -> None:
    """Drop the table or view that is there, and nothing that stands on it: PostgreSQL refuses then."""
    cursor.execute(f"DROP {_kind(cursor, relation)} {sql_table(relation)}")


def _kind(cursor: Any, relation: Relation) -> str:
    """Return what is there under a name, as `DROP` says it."""
    words = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}
    return words.get(table_kind(cursor, relation), "TABLE")


def mark_own(cursor: Any, relation: Relation) -> None:
    """Say of a column called as that of partitions that it is one of the asset's own."""
    cursor.execute(f"COMMENT ON COLUMN {sql_table(relation)}.{PARTITION} IS {sql_text(_OWN)}")


def has_partitions(cursor: Any, relation: Relation, attributes: Sequence[Attribute]) -> bool:
    """Tell whether a table is one of partitions, and not one whose asset has a column of that name."""
    if PARTITION not in [each.name for each in attributes]:
        return False
    cursor.execute(
        "SELECT col_description(a.attrelid, a.attnum)::text FROM pg_attribute a "
        "WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped",
        (sql_table(relation), PARTITION),
    )
    return (_OWN,) not in cursor.fetchall()


def _exchange_rows(
    cursor: Any,
    relation: Relation,
    staged: Relation,
    existing: Sequence[Attribute],
    views: Sequence[tuple[str, str]],
    kind: str,
) -> None:
    """Put a staged table's rows in the place of those of a table that views stand on; columns may come and go.

    Those that a view reads stay, with their types.
    """
    new = table_columns(cursor, staged)
    old = {each.name: each for each in existing}
    coming = {each.name: each for each in new}
    read_by = {column for _, column in views}
    fixed = [name for name in read_by & old.keys() if name not in coming or coming[name].written != old[name].written]
    if kind != "TABLE" or fixed:
        raise ValueStoreError(
            f"{relation} cannot be replaced: {', '.join(dict.fromkeys(view for view, _ in views))} stands on it, "
            f"and its columns have changed from ({_listed(existing)}) to ({_listed(new)}).",
            hint="Drop what stands on it, run `assetry retry`, and make that again.",
        )
    table = sql_table(relation)
    # Not TRUNCATE: who reads with an older snapshot would see an empty table.
    cursor.execute(f"DELETE FROM {table}")
    for each in existing:
        name = sql_name(each.name)
        if each.name not in coming:
            cursor.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
        elif coming[each.name].written != each.written:
            written = coming[each.name].written
            cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {name} TYPE {written} USING NULL::{written}")
    for each in new:
        if each.name not in old:
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN {sql_name(each.name)} {each.written}")
    names = ", ".join(sql_name(each.name) for each in new)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {sql_table(staged)}")
    cursor.execute(f"DROP TABLE {sql_table(staged)}")


def _listed(attributes: Sequence[Attribute]) -> str:
    return ", ".join(f"{each.name} {each.written}" for each in attributes)


def _views(cursor: Any, relation: Relation) -> list[tuple[str, str]]:
    """Return the views that stand directly on a table, each with a column that it reads."""
    cursor.execute(
        "SELECT DISTINCT v.oid::regclass::text, coalesce(a.attname, '')::text FROM pg_depend d "
        "JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class "
        "LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum > 0 "
        "WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass($1) AND v.oid <> d.refobjid "
        "ORDER BY 1, 2",
        (sql_table(relation),),
    )
    return [(str(view), str(column)) for view, column in cursor.fetchall()]


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


# -- rows that join others ---------------------------------------------------------------------------------------------


def is_one_of(keys: Sequence[str]) -> str:
    """Return the condition that a row is of one of some partitions, as SQL.

    >>> is_one_of(["2026-01-01", "it's"])
    "_partition IN ('2026-01-01', 'it''s')"
    """
    return f"{PARTITION} IN ({', '.join(map(sql_text, keys))})" if keys else "false"


def replace_partitions(cursor: Any, relation: Relation, staged: Relation, asset: Asset, keys: Sequence[str]) -> None:
    """Put staged rows in the place of those of some partitions."""
    cursor.execute(f"DELETE FROM {sql_table(relation)} WHERE {is_one_of(keys)}")
    grow(cursor, relation, staged, asset)
    insert(cursor, relation, staged)


def insert(cursor: Any, relation: Relation, staged: Relation) -> None:
    """Move staged rows into a table that has room for them."""
    types = {each.name: each for each in table_columns(cursor, relation)}
    coming = table_columns(cursor, staged)
    names = ", ".join(sql_name(each.name) for each in coming)
    values = ", ".join(as_there(each, types[each.name]) for each in coming)
    cursor.execute(f"INSERT INTO {sql_table(relation)} ({names}) SELECT {values} FROM {sql_table(staged)}")
    cursor.execute(f"DROP TABLE {sql_table(staged)}")


def as_there(coming: Attribute, there: Attribute, prefix: str = "") -> str:
    """Return a staged column in the type of the table's, as SQL."""
    name = prefix + sql_name(coming.name)
    # Text that is too long is an error when it is inserted, and would be cut by a cast.
    return name if coming.written == there.written or there.type in _TEXTS else f"{name}::{there.written}"


def grow(cursor: Any, relation: Relation, staged: Relation, asset: Asset) -> None:
    """Make room in a table for staged rows: columns that it lacks, types that keep the values of both.

    Raises `ValueStoreError` that names a column for which there is no such type.
    """
    table = sql_table(relation)
    there = {each.name: each for each in table_columns(cursor, relation)}
    coming = table_columns(cursor, staged)
    for each in coming:
        if each.name not in there:
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN {sql_name(each.name)} {each.written}")
    new = [each for each in coming if each.name in there and not _takes(there[each.name], each)]
    if not new:
        return
    old = [there[each.name] for each in new]
    names = [each.name for each in new]
    free, empty = _without_values(cursor, relation, names), _without_values(cursor, staged, names)
    was, comes = _schema(cursor, relation, old), _schema(cursor, staged, new)
    grown = TABLES.grown(asset, was, comes, free, empty)
    for name in names:
        if (name in grown.look_there - free and _exceeds(cursor, relation, name)) or (
            name in grown.look_coming and _exceeds(cursor, staged, name)
        ):
            raise TABLES.no_common_type(asset, name, was.field(name).type, comes.field(name).type)
    views = _views(cursor, relation) if grown.widened else []
    written = {each.name: each.written for each in new}
    for name, kind in grown.widened.items():
        standing = [view for view, column in views if column == name]
        if standing:
            raise ValueStoreError(
                f"asset {str(asset.key)!r}: column {name!r} of {relation} is {there[name].written} and cannot become "
                f"{sql_type(kind)}: {', '.join(standing)} stands on it.",
                where=asset.source,
                hint="Drop what stands on it, run `assetry retry`, and make that again.",
            )
        type_ = written[name] if kind == comes.field(name).type else sql_type(kind)
        using = f"NULL::{type_}" if name in free else f"{sql_name(name)}::{type_}"
        cursor.execute(f"ALTER TABLE {table} ALTER COLUMN {sql_name(name)} TYPE {type_} USING {using}")


def _schema(cursor: Any, relation: Relation, columns: Sequence[Attribute]) -> pa.Schema:
    """Return columns as Arrow types, UUIDs as such though they are read as text: made of text, they change."""
    import pyarrow as pa

    read_as = read(cursor, sql_table(relation), columns, " LIMIT 0").schema
    uuid = getattr(pa, "uuid", lambda: pa.binary(16))()  # older versions of Arrow have no such type
    uuids = {"uuid": uuid, "_uuid": pa.list_(uuid)}
    return pa.schema([(each.name, uuids.get(each.type, read_as.field(each.name).type)) for each in columns])


def _takes(there: Attribute, coming: Attribute) -> bool:
    """Tell whether a column takes every value of another without a look at types: plain `numeric` any whole number."""
    if there.written == coming.written:
        return True
    return there.written == "numeric" and coming.type in ("numeric", "int2", "int4", "int8")


def _without_values(cursor: Any, relation: Relation, names: Sequence[str]) -> set[str]:
    cursor.execute(f"SELECT {', '.join(f'count({sql_name(each)})' for each in names)} FROM {sql_table(relation)}")
    return {name for name, count in zip(names, cursor.fetchall()[0], strict=True) if not count}


def _exceeds(cursor: Any, relation: Relation, name: str) -> bool:
    exact = Widening.exact
    cursor.execute(
        f"SELECT 1 FROM {sql_table(relation)} WHERE {sql_name(name)} NOT BETWEEN -{exact} AND {exact} LIMIT 1"
    )
    return bool(cursor.fetchall())
