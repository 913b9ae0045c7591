"""Which table of the warehouse a table of a connection becomes.

Fivetran says how schema and table are called in the destination; the database stands in the destination's own
configuration, each kind of which has another word for it. What is not known stays open, and is never guessed.
"""

from __future__ import annotations

from assetry.plugin import Relation
from assetry_toolkit.hosted.tables import Override

from assetry_fivetran.api.responses import Connection, Destination, Table

#: What begins the name of a destination's service, and the option of its configuration that names the database: ""
#: where dbt has none. The first that fits.
DATABASES = (
    ("snowflake", "database"),
    *((name, "project_id") for name in ("big_query", "managed_big_query", "bigquery")),
    *((name, "catalog") for name in ("databricks", "managed_data_lake")),
    ("redshift", "database"),
    *((name, "database") for name in ("postgres", "aurora_postgres", "azure_postgres", "rds_postgres", "oracle")),
    *((name, "database") for name in ("sql_server", "azure_sql", "azure_synapse", "panoply", "periscope")),
    # Their databases are what dbt calls a schema.
    *((name, "") for name in ("mysql", "maria", "aurora", "azure_mysql", "singlestore", "clickhouse")),
)
#: Destinations to which names are the same whose letters differ by case only.
FOLDING = ("snowflake", "databricks", "redshift", "sql_server", "azure_sql", "motherduck", "oracle")
#: Destinations that keep no tables.
STREAMS = ("confluent_cloud", "kafka", "kinesis")


def database_of(destination: Destination | None) -> str | None:
    """Return the database of a destination as dbt calls it; None where that is not known.

    >>> database_of(Destination("g", "big_query", {"project_id": "shop"})), database_of(Destination("g", "motherduck"))
    ('shop', None)
    """
    if destination is None:
        return None
    option = next((option for name, option in DATABASES if destination.service.startswith(name)), "")
    found = destination.config.get(option) if option else None
    return str(found) if found else None


def prefix_of(connection: Connection) -> str:
    """Return what has to be put before the names of a connection's schemas; "" where nothing has.

    A database's schemas begin with the connection's prefix in the destination. Fivetran's ``name_in_destination`` was
    seen with it and without: it is put before them unless one of them has it. That it is a database, and no service
    with a schema of its own, is known by the configuration (``schema_prefix``), else by several schemas.

    >>> public = Table("public", "users", "public", "users")
    >>> prefix_of(Connection("c", "shop", prefix="shop", tables=(public,)))
    'shop_'
    >>> prefix_of(Connection("c", "shop", prefix="shop", tables=(public._replace(schema_there="shop_public"),)))
    ''
    """
    prefix = connection.prefix
    if not prefix or connection.source_naming:
        return ""
    schemas = {each.schema_there for each in connection.tables}
    complete = any(each == prefix or each.startswith(f"{prefix}_") for each in schemas)
    return "" if complete else f"{prefix}_"


class Tables:
    """The table of the warehouse that each table of a connection is.

    >>> lake = Destination("g", "snowflake", {"database": "RAW"})
    >>> Tables(Connection("c", "crm"), lake).of(Table("crm", "Account", "crm", "account"))
    Relation(database='RAW', schema='crm', identifier='account')
    """

    def __init__(
        self, connection: Connection, destination: Destination | None, override: Override | None = None
    ) -> None:
        service = destination.service if destination is not None else ""
        self._override = override or Override()
        self._joins = self._override.joins and not service.startswith(STREAMS)
        self._database = database_of(destination)
        self._prefix = prefix_of(connection)
        #: Whether upper and lower case are the same there; where it is not known they are not.
        self.folds_case = service.startswith(FOLDING)

    def schema_of(self, table: Table) -> str:
        """Return the schema of a table in the destination."""
        return self._prefix + table.schema_there

    def of(self, table: Table) -> Relation | None:
        """Return a table's place; None where there is none."""
        if not self._joins:
            return None
        found = Relation(self._database, self._prefix + table.schema_there, table.name_there)
        if not self._override:
            return found
        return self._override.of(found, {"name": table.name_there, "schema": found.schema or ""})
