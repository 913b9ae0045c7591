"""The shop's own connector: an executable that speaks the Airbyte protocol, with nothing installed for it.

    python source_shop.py discover --config config.json

It stands for a shop system with two tables. `customers` is read whole; `orders` goes on where it ended: its cursor is
the day, and one row for each id is kept. What it says is made up, but always the same.
"""

import json
import random
import sys
from datetime import date, timedelta
from pathlib import Path

CUSTOMERS = [
    ("Aurora Books", "NO"),
    ("Blue Kettle", "DE"),
    ("Copper Lane", "FR"),
    ("Dune Outfitters", "DE"),
    ("Elm Street Deli", "NO"),
    ("Fjord Supply", "NO"),
    ("Granite Gym", "FR"),
    ("Harbour Tea", "DE"),
]
OPENED = date(2026, 3, 1)
TEXT, NUMBER, DAY = {"type": "string"}, {"type": "number"}, {"type": "string", "format": "date"}
ID = {"type": "integer"}
SCHEMAS = {
    "customers": {"id": ID, "name": TEXT, "country": TEXT, "signed_up": DAY},
    "orders": {"id": ID, "customer_id": ID, "ordered_on": DAY, "amount": NUMBER, "status": TEXT},
}


def say(kind, **what):
    """Write one message: a line of JSON."""
    print(json.dumps({"type": kind, **what}), flush=kind != "RECORD")


def offered(name):
    follows = {"source_defined_cursor": True, "default_cursor_field": ["ordered_on"]} if name == "orders" else {}
    return {
        "name": name,
        "json_schema": {"type": "object", "properties": SCHEMAS[name]},
        "supported_sync_modes": ["full_refresh", "incremental"] if follows else ["full_refresh"],
        "source_defined_primary_key": [["id"]],
        **follows,
    }


def customers(_config, _state):
    for number, (name, country) in enumerate(CUSTOMERS, 1):
        yield {"id": number, "name": name, "country": country, "signed_up": str(OPENED - timedelta(60 - 8 * number))}


def orders(config, state):
    chance = random.Random(7)
    number = 0
    for day in (OPENED + timedelta(each) for each in range(config.get("days", 42))):
        for _ in range(chance.randint(2, 5)):
            number += 1
            row = {"id": number, "customer_id": chance.randint(1, len(CUSTOMERS)), "ordered_on": str(day)}
            row |= {"amount": chance.choice([9.5, 14, 19.9, 25, 42, 64.5, 80])}
            row |= {"status": "returned" if chance.random() < 0.2 else "completed"}
            if row["ordered_on"] > state.get("ordered_on", ""):
                yield row


def read(config, catalog, kept):
    states = {each["stream"]["stream_descriptor"]["name"]: each["stream"]["stream_state"] for each in kept}
    for name in (each["stream"]["name"] for each in catalog["streams"]):
        about = {"stream_descriptor": {"name": name}}
        say("TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 0, "stream_status": {**about, "status": "STARTED"}})
        state = dict(states.get(name, {}))
        for row in {"customers": customers, "orders": orders}[name](config, states.get(name, {})):
            say("RECORD", record={"stream": name, "data": row, "emitted_at": 0})
            state = {"ordered_on": row["ordered_on"]} if name == "orders" else state
        say("STATE", state={"type": "STREAM", "stream": {**about, "stream_state": state}})
        say("TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 0, "stream_status": {**about, "status": "COMPLETE"}})


def given(option, default):
    if option not in sys.argv:
        return default
    return json.loads(Path(sys.argv[sys.argv.index(option) + 1]).read_text())


def main():
    verb = sys.argv[1]
    if verb == "spec":
        days = {"type": "integer", "description": "How many days of orders there are."}
        say("SPEC", spec={"connectionSpecification": {"type": "object", "properties": {"days": days}}})
    elif verb == "check":
        say("CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED"})
    elif verb == "discover":
        say("CATALOG", catalog={"streams": [offered(name) for name in SCHEMAS]})
    else:
        read(given("--config", {}), given("--catalog", {"streams": []}), given("--state", []))


if __name__ == "__main__":
    main()
