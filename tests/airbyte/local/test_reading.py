"""Reading with local connectors: sync modes, states, types, events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.airbyte.local.scripted import KEYED, Bench, stream

Make = Callable[..., Bench]

#: A stream that goes on from its state: `config["upto"]` rows of growing `at`.
FOLLOWING = """
    def read():
        for name in chosen:
            status(name, "STARTED")
            at = start_of(name)
            for at in range(at + 1, config["upto"] + 1):
                record(name, id=at % 3, at=at)
            state(name, at=at)
            status(name, "COMPLETE")
"""
AT = {"id": {"type": "integer"}, "at": {"type": "integer"}}


def test_full_refresh_replaces_the_table_and_tells_what_it_did(bench: Make) -> None:
    body = """
        def read():
            status("orders", "STARTED")
            estimate = {"name": "orders", "type": "STREAM", "row_estimate": 4}
            say("TRACE", trace={"type": "ESTIMATE", "estimate": estimate})
            for i in range(config.get("rows", 2)):
                record("orders", id=i)
            status("orders", "COMPLETE")
    """
    made = bench([stream("orders")], body)
    assert made.run().ok
    [done] = made.of("materialized")
    assert [column[:2] for column in done.columns] == [("id", "BIGINT")]
    facts = dict(done.metadata)
    assert (facts["rows"], facts["records"], facts["sync_mode"]) == (2, 2, "full_refresh_overwrite")
    assert facts["relation"] == "shop.main.orders"
    assert [(each.done, each.total) for each in made.of("progress")][-1] == (2, 2)
    names = [record.event.name for record in made.events]
    assert names.count("started") == names.count("materialized") == 1
    assert names.index("started") < names.index("materialized")
    made.options["config"] = {"rows": 1}
    assert made.run().ok
    assert made.rows("SELECT * FROM orders") == [(0,)]


def test_only_the_selected_streams_are_read(bench: Make) -> None:
    made = bench([stream("orders"), stream("users"), stream("visits")])
    assert made.run("shop/orders shop/visits").ok
    [call] = made.calls()
    assert [each["stream"]["name"] for each in call["catalog"]["streams"]] == ["orders", "visits"]
    assert {str(each.key) for each in made.of("materialized")} == {"shop/orders", "shop/visits"}


def test_what_is_asked_of_the_connector(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED), stream("users")])
    made.run()
    [call] = made.calls()
    orders, users = call["catalog"]["streams"]
    assert {name: orders[name] for name in ("sync_mode", "destination_sync_mode", "cursor_field", "primary_key")} == {
        "sync_mode": "incremental",
        "destination_sync_mode": "append_dedup",
        "cursor_field": ["at"],
        "primary_key": [["id"]],
    }
    assert orders["stream"] == made.streams[0]
    assert (users["sync_mode"], users["destination_sync_mode"]) == ("full_refresh", "overwrite")


def test_append_dedup_follows_its_state_and_keeps_the_newest(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 4})
    assert made.run().ok
    assert made.rows("SELECT * FROM orders ORDER BY id") == [(0, 3), (1, 4), (2, 2)]
    made.options["config"] = {"upto": 5}
    assert made.run().ok
    assert made.rows("SELECT * FROM orders ORDER BY id") == [(0, 3), (1, 4), (2, 5)]
    first, second = made.calls()
    assert first["state"] == []
    assert second["state"] == [
        {"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"at": 4}}}
    ]
    [done] = made.of("materialized")
    assert (done.metadata["records"], done.metadata["changed"], done.metadata["rows"]) == (1, 1, 3)


def test_append_adds_and_full_refresh_begins_anew(bench: Make) -> None:
    mode = {"orders": {"sync_mode": "incremental_append", "cursor_field": "at"}}
    made = bench([stream("orders", AT)], FOLLOWING, streams=mode, config={"upto": 2})
    for upto in (2, 3):
        made.options["config"] = {"upto": upto}
        assert made.run().ok
    assert made.rows('SELECT "at" FROM orders ORDER BY 1') == [(1,), (2,), (3,)]
    assert made.run(full_refresh=True).ok
    assert made.calls()[-1]["state"] == []
    assert made.rows('SELECT "at" FROM orders ORDER BY 1') == [(1,), (2,), (3,)]


def test_what_appends_tells_when_it_was_read_from_its_beginning(bench: Make) -> None:
    mode = {"orders": {"sync_mode": "incremental_append", "cursor_field": "at"}}
    made = bench([stream("orders", AT)], FOLLOWING, streams=mode, config={"upto": 2})
    epochs = []
    for upto, anew in ((2, False), (3, False), (3, True), (4, False)):
        made.options["config"] = {"upto": upto}
        assert made.run(full_refresh=anew).ok
        [done] = made.of("materialized")
        epochs.append(done.metadata.get("epoch"))
    assert [each is not None for each in epochs] == [True, False, True, False]
    assert epochs[0] != epochs[2]


def test_full_refresh_append_adds_everything_each_time(bench: Make) -> None:
    made = bench([stream("orders")], streams={"orders": {"sync_mode": "full_refresh_append"}})
    versions = set()
    for _ in range(2):
        assert made.run().ok
        versions.add(made.of("materialized")[0].data_version)
    assert made.rows("SELECT * FROM orders") == [(1,), (1,)]
    assert len(versions) == 2


@pytest.mark.parametrize("mode", ["incremental_append_dedup", "incremental_append", "full_refresh_overwrite"])
def test_a_sync_that_moves_nothing_keeps_the_data_version(bench: Make, mode: str) -> None:
    choice: dict[str, Any] = {"sync_mode": mode}
    if mode != "full_refresh_overwrite":
        choice |= {"cursor_field": "at", "primary_key": "id"}
    made = bench([stream("orders", AT)], FOLLOWING, streams={"orders": choice}, config={"upto": 3})
    seen = []
    for upto in (3, 3, 4, 4):
        made.options["config"] = {"upto": upto}
        assert made.run().ok
        seen.append(made.of("materialized")[0].data_version)
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_rows_that_come_again_change_nothing(bench: Make) -> None:
    # Many connectors send the last row again: their cursor says "from here", not "after here".
    body = FOLLOWING.replace("range(at + 1,", "range(max(at, 1),")
    made = bench([stream("orders", AT, **KEYED)], body, config={"upto": 3})
    versions = []
    for _ in range(2):
        assert made.run().ok
        versions.append(made.of("materialized")[0].data_version)
    [done] = made.of("materialized")
    assert (done.metadata["records"], done.metadata["changed"]) == (1, 0)
    assert versions[0] == versions[1]


def test_another_way_of_reading_begins_anew(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 3})
    made.run()
    made.options["streams"] = {"orders": {"sync_mode": "incremental_append", "cursor_field": "at"}}
    assert made.run().ok
    assert made.calls()[-1]["state"] == []
    assert "is read anew, and its table replaced" in made.logs("warning")
    assert len(made.rows("SELECT * FROM orders")) == 3


def test_a_table_that_is_gone_is_read_anew_by_the_next_run(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 3})
    made.run()
    (made.root / "shop.duckdb").unlink()
    assert not made.run().ok
    [failed] = made.of("failed")
    assert "The table of orders is gone" in failed.message
    assert failed.retryable
    assert made.run().ok
    assert len(made.rows("SELECT * FROM orders")) == 3


def test_state_is_kept_only_after_the_table(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 3})
    good = made.io
    made.io = f"duckdb:{made.root}/calls/shop.duckdb"  # in a folder that is a file
    (made.root / "calls").write_text("")
    assert not made.run().ok
    assert not (made.root / ".assetry/airbyte/shop/state.json").exists()
    made.io = good
    assert made.run().ok
    assert [each["state"] for each in made.state().values()] == [{"at": 3}]


def test_a_state_for_all_streams_together(bench: Make) -> None:
    body = """
        def read():
            seen = kept[0]["global"]["shared_state"]["lsn"] if kept else 0
            for name in chosen:
                status(name, "STARTED")
                record(name, id=seen, at=seen)
                status(name, "COMPLETE")
            streams = [{"stream_descriptor": {"name": name}, "stream_state": {}} for name in chosen]
            shared = {"shared_state": {"lsn": seen + 1}, "stream_states": streams}
            say("STATE", state={"type": "GLOBAL", "global": shared})
    """
    made = bench([stream("orders", AT, **KEYED), stream("users", AT, **KEYED)], body)
    assert made.run().ok
    assert made.run().ok
    assert made.calls()[1]["state"][0]["global"]["shared_state"] == {"lsn": 1}
    assert made.rows("SELECT id FROM users ORDER BY id") == [(0,), (1,)]
    assert not made.run("shop/users").ok
    [failed] = made.of("failed")
    assert "one state for several streams together" in failed.message
    assert "(orders, users)" in failed.message
    assert "--full-refresh" in failed.hint


def test_the_state_of_an_old_connector_is_one_blob(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=kept["at"] if kept else 0, at=0)
            say("STATE", state={"data": {"at": 7}})
    """
    made = bench([stream("orders", AT, **KEYED)], body)
    assert made.run().ok
    assert made.run().ok
    assert made.calls()[1]["state"] == {"at": 7}
    assert made.rows("SELECT id FROM orders ORDER BY id") == [(0,), (7,)]


def test_a_state_that_cannot_be_read_is_never_taken_for_none(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 3})
    made.run()
    (made.root / ".assetry/airbyte/shop/state.json").write_text('{"streams": [1')
    assert not made.run().ok
    [failed] = made.of("failed")
    assert "The state of the connector cannot be read" in failed.message
    assert len(made.calls()) == 1


def test_types(bench: Make) -> None:
    properties = {
        "day": {"type": "string", "format": "date"},
        "moment": {"type": ["null", "string"], "format": "date-time"},
        "local": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
        "clock": {"type": "string", "format": "time"},
        "price": {"type": "number"},
        "flag": {"type": "boolean"},
        "either": {"type": ["string", "integer"]},
        "list": {"type": "array"},
        "object": {"type": "object"},
        "never": {"type": "string"},
    }
    body = """
        def read():
            record("t", day="2026-01-31", moment="2026-01-31T10:00:00+02:00", local="2026-01-31T10:00:00.5",
                   clock="10:30:00", price=19.9, flag=True, either=1, list=[1, "a"], object={"a": None})
            record("t", either="x")
    """
    made = bench([stream("t", properties)], body)
    assert made.run().ok, made.of("failed")
    query = (
        "SELECT day::text, (moment AT TIME ZONE 'UTC')::text, local::text, clock::text, price, flag, either, list, "
        "object, never FROM t"
    )
    assert made.rows(query)[0] == (
        *("2026-01-31", "2026-01-31 08:00:00", "2026-01-31 10:00:00.5", "10:30:00", 19.9, True, "1"),
        *('[1,"a"]', '{"a":null}', None),
    )
    assert made.rows(query)[1] == (None, None, None, None, None, None, '"x"', None, None, None)
    with made.project() as project:
        assert not [each for each in project.status() if each.status != "fresh"]


def test_values_that_break_the_schema_widen_the_column_and_are_not_lost(bench: Make) -> None:
    properties = {"id": {"type": "integer"}, "n": {"type": "integer"}, "at": {"type": "string", "format": "date"}}
    body = """
        def read():
            for i in range(5000):
                record("t", id=i, n=i, at="2026-01-31")
            record("t", id="many", n=0.5, at="soon", more=[1])
    """
    made = bench([stream("t", properties)], body)
    assert made.run().ok
    assert made.rows("SELECT id, n, t.at, more FROM t WHERE t.at = 'soon'") == [("many", 0.5, "soon", "[1]")]
    assert made.rows("SELECT count(*), sum(n), min(id), min(t.at) FROM t") == [(5001, 12497500.5, "0", "2026-01-31")]
    warnings = made.logs("warning")
    assert "'id' has values that integer cannot hold as they are; the table has it as text" in warnings
    assert "'more' is not in its schema" in warnings
    # The definition follows what was found, so that the table is not stale for ever; and so does the next sync.
    with made.project() as project:
        assert {str(each.status) for each in project.status()} == {"fresh"}
        assert {column.name: column.type for column in project.graph["shop/t"].columns}["id"] == "text"
    made.write("def read(): record('t', id=1, n=1, at='2026-01-31')")
    assert made.run().ok
    assert made.rows("SELECT * FROM t") == [("1", 1.0, "2026-01-31", None)]


def test_digits_and_zones_that_a_type_does_not_hold_are_kept(bench: Make) -> None:
    properties = {
        "n": {"type": "number"},
        "t": {"type": "string", "format": "date-time", "airbyte_type": "timestamp_without_timezone"},
    }
    body = """
        def read():
            print('{"type": "RECORD", "record": {"stream": "t", "data": {"n": 12345678901234567891.5, '
                  '"t": "2026-01-01T00:00:00.123456789"}}}')
            record("t", n=1.5, t="2026-01-01T00:00:00+02:00")
    """
    made = bench([stream("t", properties)], body)
    assert made.run().ok
    assert made.rows("SELECT n, t FROM t ORDER BY n") == [
        ("1.5", "2026-01-01T00:00:00+02:00"),
        ("12345678901234567891.5", "2026-01-01T00:00:00.123456789"),
    ]
    assert "t: 't' has values that timestamp cannot hold as they are; the table has it as text" in made.logs("warning")


def test_a_table_that_grows_never_holds_what_its_type_would_change(bench: Make) -> None:
    mode = {"orders": {"sync_mode": "incremental_append", "cursor_field": "at"}}
    body = "def read():\n    record('orders', id=config['id'], at=1)\n    state('orders', at=1)"
    made = bench([stream("orders", AT)], body, streams=mode, config={"id": 1})
    assert made.run().ok
    made.options["config"] = {"id": 2.5}
    assert made.run().ok
    made.options["config"] = {"id": "three"}
    assert not made.run().ok
    [failed] = made.of("failed")
    assert "assetry materialize -s shop/orders --full-refresh" in failed.hint
    assert made.rows("SELECT id FROM orders ORDER BY 1") == [(1.0,), (2.5,)]
    assert made.run(full_refresh=True).ok
    assert made.rows("SELECT id FROM orders") == [("three",)]


def test_a_state_keeps_its_digits(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=1, at=1)
            print('{"type": "STATE", "state": {"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, '
                  '"stream_state": {"at": 1767225600.12345678901234}}}}')
            with open("given", "a") as file:
                file.write(open(options["--state"]).read() if kept else "")
    """
    made = bench([stream("orders", AT, **KEYED)], body)
    for _ in range(2):
        assert made.run().ok
    assert '"at":1767225600.12345678901234' in (made.root / "given").read_text()


def test_fields_that_differ_by_case_have_columns_of_their_own_that_stay(bench: Make) -> None:
    mode = {"t": {"sync_mode": "incremental_append_dedup", "cursor_field": "at", "primary_key": "Id"}}
    body = "def read():\n    record('t', **config['row'])\n    state('t', at=1)"
    made = bench([stream("t", {"Id": {"type": "integer"}, "at": {"type": "integer"}})], body, streams=mode)
    for row in ({"Id": 1, "id": 7, "at": 1}, {"id": 8, "Id": 1, "ID": 5, "at": 2}):
        made.options["config"] = {"row": row}
        assert made.run().ok, made.of("failed")
    made.streams = [stream("t", {name: {"type": "integer"} for name in ("ID", "id", "Id", "at")})]
    made.write(body)
    made.options["config"] = {"row": {"ID": 6, "id": 9, "Id": 2, "at": 3}}
    assert made.run().ok, made.of("failed")
    names = made.state()['[null, "t"]']["names"]
    assert names["Id"] == "Id"
    assert made.rows(f'SELECT "Id", {names["id"]}, {names["ID"]} FROM t ORDER BY 1') == [(1, 8, 5), (2, 9, 6)]
    with made.project() as project:
        told = {column.name: column.description for column in project.graph["shop/t"].columns}
        assert {str(each.status) for each in project.status()} == {"fresh"}
    assert told[names["id"]] == "The source's 'id'."


@pytest.mark.parametrize("row", ["at=1", "id=None, at=1", "Id=1, at=1"])
def test_rows_without_a_primary_key_are_never_merged(bench: Make, row: str) -> None:
    body = f"def read():\n    record('orders', id=1, at=1)\n    record('orders', {row})\n    record('orders', {row})"
    made = bench([stream("orders", AT, **KEYED)], body)
    assert not made.run().ok
    [failed] = made.of("failed")
    assert failed.message == (
        "2 rows of orders came without a value of the primary key (id), by which rows are merged."
    )
    assert not (made.root / "shop.duckdb").exists()
    # As the hint says.
    made.options["streams"] = {"orders": {"sync_mode": "incremental_append"}}
    assert made.run().ok
    assert made.rows("SELECT count(*) FROM orders") == [(3,)]


def test_a_part_of_a_primary_key_may_be_missing_and_is_told(bench: Make) -> None:
    mode = {"orders": {"sync_mode": "incremental_append_dedup", "cursor_field": "at", "primary_key": ["id", "at"]}}
    body = "def read():\n    record('orders', id=1)\n    record('orders', id=2)\n    record('orders', id=2, at=1)"
    made = bench([stream("orders", AT)], body, streams=mode)
    assert made.run().ok
    assert "orders: 2 rows lack a part of their primary key (id, at)" in made.logs("warning")
    assert len(made.rows("SELECT * FROM orders")) == 3


COUNTED = """
    def counted(stream, count):
        about = {"stream_descriptor": {"name": stream}, "stream_state": {"at": 1}}
        say("STATE", state={"type": "STREAM", "stream": about, "sourceStats": {"recordCount": count}})

    def read():
        for name in chosen:
            record(name, id=1, at=1)
            record(name, id=2, at=2)
            counted(name, 2.0)
            record(name, id=3, at=3)
            counted(name, config["count"])
            status(name, "COMPLETE")
"""


def test_fewer_records_than_the_connector_counted_fail_the_stream(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED), stream("users", AT)], COUNTED, config={"count": 4.0})
    assert not made.run().ok
    said = [each.message for each in made.of("failed")]
    assert said == [
        f"{name}: the connector counted 6 records, and 3 came. Nothing of it was loaded."
        for name in ("orders", "users")
    ]
    assert not (made.root / ".assetry/airbyte/shop/state.json").exists()
    made.options["record_count"] = "warn"
    assert made.run().ok
    assert "orders: the connector counted 6 records, and 3 came." in made.logs("warning")


def test_records_counted_right_or_too_few_are_loaded(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], COUNTED, config={"count": 1})
    assert made.run().ok
    assert not made.logs("warning")
    made.options["config"] = {"count": 0}
    assert made.run().ok
    assert "orders: the connector counted 2 records, and 3 came." in made.logs("warning")


def test_a_state_of_all_streams_counts_the_records_of_all(bench: Make) -> None:
    body = """
        def read():
            for name in chosen:
                record(name, id=1, at=1)
            shared = {"type": "GLOBAL", "global": {"shared_state": {}}}
            say("STATE", state={**shared, "sourceStats": {"recordCount": config["n"]}})
    """
    made = bench([stream("orders", AT, **KEYED), stream("users", AT, **KEYED)], body, config={"n": 2})
    assert made.run().ok
    assert not made.logs("warning")
    made.options["config"] = {"n": 3}
    assert not made.run().ok
    assert "the connector counted 3 records, and 2 came" in made.of("failed")[0].message


def test_a_new_column_joins_a_table_that_grows(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 2})
    made.run()
    made.streams = [stream("orders", {**AT, "note": {"type": "string"}}, **KEYED)]
    made.write(FOLLOWING.replace("at=at)", "at=at, note='n')"))
    made.options["config"] = {"upto": 3}
    assert made.run().ok
    assert made.rows("SELECT * FROM orders ORDER BY 2") == [(1, 1, None), (2, 2, None), (0, 3, "n")]


def test_a_stream_without_rows_is_an_empty_table(bench: Make) -> None:
    made = bench([stream("orders")], "def read(): status('orders', 'COMPLETE')")
    assert made.run().ok
    assert made.rows("SELECT count(*) FROM orders") == [(0,)]


def test_the_time_of_the_sync_where_it_is_wanted(bench: Make) -> None:
    made = bench([stream("orders")], extracted_at=True)
    versions = []
    for _ in range(2):
        assert made.run().ok
        versions.append(made.of("materialized")[0].data_version)
    assert made.rows("SELECT _airbyte_extracted_at > now() - INTERVAL 1 HOUR FROM orders") == [(True,)]
    assert versions[0] == versions[1]


def test_tables_of_files_take_every_mode_too(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 4})
    made.io = f"parquet:{made.root}/data"
    made.run()
    made.options["config"] = {"upto": 5}
    assert made.run().ok
    with made.project() as project:
        table = project.load_value("shop/orders").sort_values("id")
    assert table.to_dict("list") == {"id": [0, 1, 2], "at": [3, 4, 5]}


def test_a_stream_is_materialized_while_the_others_go_on(bench: Make) -> None:
    # The second stream begins only when the first one's table is there: nothing waits for the connector's end.
    body = """
        def read():
            record("orders", id=1)
            status("orders", "COMPLETE")
            while not os.path.exists("seen"):
                time.sleep(0.01)
            record("users", id=1)
            status("users", "COMPLETE")
    """
    made = bench([stream("orders"), stream("users")], body)

    def seen(record: Any) -> None:
        made.events.append(record)
        if record.event.name == "materialized":
            (made.root / "seen").write_text("")

    with made.project() as project:
        assert project.materialize(on_event=seen).ok
    assert [str(each.key) for each in made.of("materialized")] == ["shop/orders", "shop/users"]


def test_state_is_for_people_to_read(bench: Make) -> None:
    made = bench([stream("orders", AT, **KEYED)], FOLLOWING, config={"upto": 2})
    made.run()
    kept = json.loads((made.root / ".assetry/airbyte/shop/state.json").read_text())
    assert kept["version"] == 1
    assert kept["streams"]['[null, "orders"]']["state"] == {"at": 2}
