"""What a large Airbyte costs at start: 1,000 connections of 50 streams each, from the snapshot to the graph."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from assetry.plugin import Integration
from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream
from assetry_airbyte.hosted.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_airbyte.hosted.settings import Options

from tests.bench.measure import loading, row

CONNECTIONS, STREAMS = 1000, 50
PROJECT = '[integrations.lake]\nkind = "airbyte"\nbase_url = "http://localhost:1"\n'


def prepare(folder: str) -> None:
    """Write a project and its snapshot."""
    (Path(folder) / "assetry.toml").write_text(PROJECT)
    options = Options.of(Integration("lake", "airbyte", {"base_url": "http://localhost:1"}, folder))
    connections = tuple(
        Connection(
            id=f"00000000-0000-4000-8000-{number:012d}",
            name=f"Team {number} to warehouse",
            workspace="00000000-0000-4000-8000-000000000000",
            destination=f"d{number % 20}",
            prefix="raw_",
            schedule="0 0 * * *",
            tags=("daily",),
            streams=tuple(
                Stream(f"table_{each}", f"team_{number}", "incremental_deduped_history", ("updated_at",), ("id",))
                for each in range(STREAMS)
            ),
        )
        for number in range(CONNECTIONS)
    )
    destinations = {
        f"d{number}": Destination(f"d{number}", f"Warehouse {number}", "snowflake", {"database": f"RAW_{number}"})
        for number in range(20)
    }
    SNAPSHOTS.write(options.snapshot_path, Snapshot(datetime.now(UTC), options.asks_for, connections, destinations))


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder)
        seconds = loading(folder, CONNECTIONS * STREAMS)
    row(
        f"{CONNECTIONS:,} Airbyte connections of {STREAMS} streams, snapshot to graph",
        f"{seconds:.2f} CPU s",
        "less than 1 CPU s",
        seconds < 1,
    )


if __name__ == "__main__":
    main()
