#!/usr/bin/env python3
"""A Singer tap for a shop that does not exist: customers, orders by day, and returns, which nobody has selected."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

STREAMS = {
    "customers": {"id": "integer", "name": "string", "country": "string"},
    "orders": {"id": "integer", "day": "integer", "customer_id": "integer", "amount": "number"},
    "returns": {"id": "integer", "order_id": "integer"},
}
COUNTRIES = ("de", "fr", "nl", "pl")


def catalog_entry(name: str) -> dict[str, Any]:
    properties = {column: {"type": ["null", kind]} for column, kind in STREAMS[name].items()}
    whole = {"inclusion": "available", "table-key-properties": ["id"]}
    if name == "orders":
        whole |= {"replication-method": "INCREMENTAL", "replication-key": "day", "valid-replication-keys": ["day"]}
    metadata = [{"breadcrumb": [], "metadata": whole}]
    metadata += [{"breadcrumb": ["properties", each], "metadata": {"inclusion": "available"}} for each in properties]
    schema = {"type": "object", "properties": properties}
    return {"tap_stream_id": name, "stream": name, "key_properties": ["id"], "schema": schema, "metadata": metadata}


def rows(name: str, days: int, after: int) -> Iterator[dict[str, Any]]:
    if name == "customers":
        for id_ in range(1, 101):
            yield {"id": id_, "name": f"Customer {id_}", "country": COUNTRIES[id_ % len(COUNTRIES)]}
    elif name == "orders":
        for day in range(after + 1, days + 1):
            for number in range(48):
                id_ = day * 100 + number
                yield {"id": id_, "day": day, "customer_id": id_ * 7 % 100 + 1, "amount": float(id_ * 13 % 97)}
    else:
        for id_ in range(1, days + 1):
            yield {"id": id_, "order_id": id_ * 100}


def say(kind: str, **message: Any) -> None:
    print(json.dumps({"type": kind, **message}), flush=kind != "RECORD")


def main(arguments: list[str]) -> None:
    options = dict(pairwise(arguments))
    if "--discover" in arguments:
        print(json.dumps({"streams": [catalog_entry(name) for name in STREAMS]}))
        return
    days = int(json.loads(Path(options["--config"]).read_text())["days"])
    state = json.loads(Path(options["--state"]).read_text()) if "--state" in options else {}
    bookmarks = state.get("bookmarks", {})
    for stream in json.loads(Path(options["--catalog"]).read_text())["streams"]:
        name = stream["stream"]
        if not any(each["breadcrumb"] == [] and each["metadata"].get("selected") for each in stream["metadata"]):
            continue
        say("SCHEMA", stream=name, schema=stream["schema"], key_properties=["id"])
        count = 0
        for row in rows(name, days, bookmarks.get(name, {}).get("day", 0)):
            say("RECORD", stream=name, record=row)
            count += 1
        if name == "orders":
            bookmarks[name] = {"day": days}
        say("STATE", value={"bookmarks": bookmarks})
        metric = {"type": "counter", "metric": "record_count", "value": count, "tags": {"endpoint": name}}
        print(f"INFO METRIC: {json.dumps(metric)}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
