"""What a large Fivetran account costs: 500 connections of 100 tables at start, and 100 syncs that are followed."""

from __future__ import annotations

import tempfile
import threading
from datetime import UTC, datetime
from pathlib import Path

from assetry.plugin import Integration
from assetry_fivetran.api.responses import Connection, Destination, Table
from assetry_fivetran.api.service import service_for
from assetry_fivetran.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_fivetran.settings import Options
from assetry_fivetran.testing import FakeFivetran

from tests.bench.measure import loading, row

CONNECTIONS, TABLES = 500, 100
FOLLOWED, SECONDS = 100, 20.0
PROJECT = '[integrations.lake]\nkind = "fivetran"\nbase_url = "http://localhost:1"\n'


def prepare(folder: str) -> None:
    """Write a project and its snapshot."""
    (Path(folder) / "assetry.toml").write_text(PROJECT)
    options = Options.of(Integration("lake", "fivetran", {"base_url": "http://localhost:1"}, folder))
    connections = tuple(
        Connection(
            id=f"connection_{number}",
            name=f"team_{number}",
            service="salesforce",
            group=f"g{number % 20}",
            schedule="every 360 minutes",
            tables=tuple(
                Table(f"Team {number}", f"Table {each}", f"team_{number}", f"table_{each}", "SOFT_DELETE")
                for each in range(TABLES)
            ),
        )
        for number in range(CONNECTIONS)
    )
    places = {
        f"g{number}": Destination(f"g{number}", "snowflake", {"database": f"RAW_{number}"}) for number in range(20)
    }
    SNAPSHOTS.write(options.snapshot_path, Snapshot(datetime.now(UTC), options.asks_for, connections, places))


def followed(folder: str) -> float:
    """Return the requests per second of following many syncs at a time."""
    with FakeFivetran() as fivetran:
        ids = [fivetran.add_connection(f"c{number}", ["t"], seconds=SECONDS).id for number in range(FOLLOWED)]
        for each in fivetran.connections.values():
            fivetran.begin(each)
        given = {"base_url": fivetran.url, "api_key": fivetran.api_key, "api_secret": {"env": "NOWHERE"}}
        options = Options.of(Integration("lake", "fivetran", given, folder))
        with service_for(options, lambda _: fivetran.api_secret) as service:

            def follow(id_: str) -> None:
                for look in service.watch(id_, lambda: False):
                    if look.job is not None and not look.job.syncing:
                        return

            threads = [threading.Thread(target=follow, args=(id_,)) for id_ in ids]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return len(fivetran.seen) / max(fivetran.now(), SECONDS)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        seconds = loading(folder, CONNECTIONS * TABLES)
        requests = followed(folder)
    row(
        f"{CONNECTIONS} Fivetran connections of {TABLES} tables, snapshot to graph",
        f"{seconds:.2f} CPU s",
        "less than 1 CPU s",
        seconds < 1,
    )
    row(
        f"{FOLLOWED} Fivetran syncs followed at a time",
        f"{requests:.2f} requests/s",
        "at most 1 request/s",
        requests <= 1,
    )


if __name__ == "__main__":
    main()
