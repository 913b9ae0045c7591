#!/usr/bin/env python3
"""A Singer target for DuckDB: rows with a key take the place of those that have it, others are added."""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

#: Seconds to wait for another process that has the file open: DuckDB lets one at a time.
PATIENCE = 60.0
TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


def sql_name(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


class Table:
    """One table, and the rows that are to go into it."""

    def __init__(self, schema: str, message: dict[str, Any]) -> None:
        self.name = f"{sql_name(schema)}.{sql_name(message['stream'].lower())}"
        self.columns = list(message["schema"]["properties"])
        self.keys = message["key_properties"]
        self.rows: list[list[Any]] = []
        self._types = [self._type(each) for each in message["schema"]["properties"].values()]

    @staticmethod
    def _type(schema: dict[str, Any]) -> str:
        kinds = [each for each in schema["type"] if each != "null"]
        return TYPES.get(kinds[0], "VARCHAR")

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        parts = [f"{sql_name(name)} {kind}" for name, kind in zip(self.columns, self._types, strict=True)]
        parts += [f"PRIMARY KEY ({', '.join(map(sql_name, self.keys))})"] if self.keys else []
        connection.execute(f"CREATE TABLE IF NOT EXISTS {self.name} ({', '.join(parts)})")

    def write(self, connection: duckdb.DuckDBPyConnection) -> None:
        if self.rows:
            marks = ", ".join("?" * len(self.columns))
            word = "INSERT OR REPLACE" if self.keys else "INSERT"
            connection.executemany(f"{word} INTO {self.name} VALUES ({marks})", self.rows)
            self.rows.clear()


def connect(path: str) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return duckdb.connect(path)
        except duckdb.IOException:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def main(arguments: list[str]) -> None:
    options = dict(pairwise(arguments))
    config = json.loads(Path(options["--config"]).read_text())
    schema = config["default_target_schema"]
    tables: dict[str, Table] = {}
    state = None
    with connect(config["path"]) as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {sql_name(schema)}")
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "SCHEMA":
                tables[message["stream"]] = Table(schema, message)
                tables[message["stream"]].create(connection)
            elif message["type"] == "RECORD":
                table = tables[message["stream"]]
                table.rows.append([message["record"].get(name) for name in table.columns])
            elif message["type"] == "STATE":
                state = message["value"]
        connection.begin()
        for table in tables.values():
            table.write(connection)
        connection.commit()
    if state is not None:
        # Meltano keeps it: so the next run goes on where this one has ended.
        print(json.dumps(state), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
