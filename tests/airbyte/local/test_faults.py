"""Connectors that print garbage, die, lie, hang or are killed: what a run makes of it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry import Asset, Integration, Project
from assetry.plugin import Invocation, InvocationGroup, Materialized, Started, hookimpl

from tests.airbyte.local.scripted import KEYED, Bench, alive, stream, wait_for

Make = Callable[..., Bench]
TWO = [stream("orders"), stream("users")]


def outcome(made: Bench) -> dict[str, str]:
    """Return how each asset ended."""
    ends = ("materialized", "failed", "skipped")
    return {str(r.event.key): r.event.name for r in made.events if r.event.name in ends}


def test_lines_that_are_no_messages_go_to_the_log(bench: Make) -> None:
    body = """
        def read():
            print("Welcome to the shop!", flush=True)
            print('{"no": "type"}', flush=True)
            print('{"type": "RECORD", "record": {"stream": "orders"}}', flush=True)
            sys.stdout.buffer.write(b"\\xff\\xfe not text\\n"); sys.stdout.flush()
            record("orders", id=1)
            print("", flush=True)
    """
    made = bench([stream("orders")], body)
    assert made.run().ok
    logs = made.logs("info")
    for line in (
        "Welcome to the shop!",
        '{"no": "type"}',
        '{"type": "RECORD", "record": {"stream": "orders"}}',
        "not text",
    ):
        assert line in logs
    assert "left out because they have no stream or no data: 1." in made.logs("warning")
    assert made.rows("SELECT * FROM orders") == [(1,)]


def test_a_flood_of_garbage_does_not_flood_the_log(bench: Make) -> None:
    made = bench([stream("orders")], "def read():\n    for i in range(5000): print('garbage', i)")
    assert made.run().ok
    assert len(made.of("log")) < 300
    assert "4800 more lines of the connector's output are left out" in made.logs()


def test_what_others_write_as_json_is_read_too(bench: Make) -> None:
    body = """
        def read():
            print('{"type": "RECORD", "record": {"stream": "t", "data": {"n": NaN, "s": "\\\\ud800"}}}')
            print('{"type": "RECORD", "record": {"stream": "t", "data": {"n": 1, "s": "x"}, "emitted_at": "now"}}')
            print('{"type": "RECORD", "record": {"stream": "t", "namespace": 3, "data": {"n": 2}}}')
    """
    made = bench([stream("t", {"n": {"type": "number"}, "s": {"type": "string"}})], body)
    assert made.run().ok
    assert made.rows("SELECT isnan(n), s FROM t") == [(True, "?"), (False, "x")]
    assert "t: 's' has half of a character, which no table holds; it is kept as '?'" in made.logs("warning")
    assert "rows of 3.t, which was not asked for" in made.logs("warning")


def test_unknown_messages_are_passed_over(bench: Make) -> None:
    body = """
        def read():
            say("HOROSCOPE", horoscope={"today": "good"})
            say("TRACE", trace={"type": "ANALYTICS", "analytics": {}})
            say("CONTROL", control={"type": "CONNECTOR_CONFIG", "connectorConfig": {"config": {"token": "t0ken"}}})
            say("LOG", log={"level": "WARN", "message": "slow today", "stack_trace": "at the till"})
            record("orders", id=1)
    """
    made = bench([stream("orders")], body)
    assert made.run().ok
    assert "unknown type HOROSCOPE" in made.logs("debug")
    assert "unknown type ANALYTICS" in made.logs("debug")
    assert "slow today\nat the till" in made.logs("warning")
    assert "configuration changed (token)" in made.logs("warning")
    assert "t0ken" not in made.logs()


def test_a_record_of_ten_megabytes(bench: Make) -> None:
    made = bench([stream("t", {"s": {"type": "string"}})], "def read(): record('t', s='x' * 10_000_000)")
    assert made.run().ok
    assert made.rows("SELECT length(s) FROM t") == [(10_000_000,)]


def test_an_error_stands_at_its_stream_and_the_others_go_on(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=1)
            error("No access to orders", "config_error", "orders", internal_message="403 at /orders")
            status("orders", "INCOMPLETE")
            record("users", id=1)
            status("users", "COMPLETE")
            sys.exit(1)
    """
    made = bench(TWO, body)
    assert not made.run().ok
    assert outcome(made) == {"shop/orders": "failed", "shop/users": "materialized"}
    [failed] = made.of("failed")
    assert (failed.message, failed.retryable) == ("No access to orders", False)
    assert "Correct the connector's config" in failed.hint
    [told] = made.of("log", "shop/orders")
    assert (told.level, told.message) == ("error", "No access to orders\n403 at /orders")


def test_an_error_of_no_stream_is_that_of_all_that_are_left(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=1)
            status("orders", "COMPLETE")
            error("The shop is closed", "transient_error")
            sys.exit(1)
    """
    made = bench([*TWO, stream("visits")], body)
    assert not made.run().ok
    assert outcome(made) == {"shop/orders": "materialized", "shop/users": "failed", "shop/visits": "failed"}
    assert {(each.message, each.retryable) for each in made.of("failed")} == {("The shop is closed", True)}


def test_one_that_dies_midway_leaves_what_was_complete(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=1)
            status("orders", "COMPLETE")
            record("users", id=1)
            sys.stderr.write("Segmentation fault, said the shop\\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    made = bench(TWO, body)
    assert not made.run().ok
    assert outcome(made) == {"shop/orders": "materialized", "shop/users": "failed"}
    [failed] = made.of("failed")
    assert failed.message == "The connector was killed by SIGKILL."
    assert "Segmentation fault, said the shop" in failed.hint
    assert made.rows("SELECT table_name FROM information_schema.tables") == [("orders",)]
    made.write("")
    with made.project() as project:
        result = project.retry()
    assert [str(key) for key in result.keys("materialized")] == ["shop/users"]


def test_an_exit_code_against_its_words_fails(bench: Make) -> None:
    body = """
        def read():
            for name in chosen:
                record(name, id=1)
                status(name, "COMPLETE")
            sys.exit(2)
    """
    made = bench([stream("orders")], body)
    assert not made.run().ok
    assert made.of("failed")[0].message == (
        "The connector ended with exit code 2, though it had said that the stream was complete."
    )
    assert not made.of("materialized")


def test_a_good_end_without_a_complete_stream_fails(bench: Make) -> None:
    made = bench(
        TWO, "def read():\n    status('orders', 'STARTED')\n    record('orders', id=1)\n    status('users', 'COMPLETE')"
    )
    assert not made.run().ok
    assert outcome(made) == {"shop/orders": "failed", "shop/users": "materialized"}
    assert "did not say that orders was complete" in made.of("failed")[0].message


def test_a_stream_that_nothing_is_said_of_keeps_its_rows(bench: Make) -> None:
    made = bench(TWO)
    assert made.run().ok
    made.write("def read():\n    status('orders', 'STARTED')\n    status('orders', 'COMPLETE')")
    assert not made.run().ok
    assert outcome(made) == {"shop/orders": "materialized", "shop/users": "failed"}
    assert made.rows("SELECT * FROM users") == [(1,)]


def test_rows_after_the_end_of_a_stream_are_left_out_and_told(bench: Make) -> None:
    body = """
        def read():
            record("orders", id=1)
            status("orders", "COMPLETE")
            record("orders", id=2)
            record("users", id=1)
            status("users", "COMPLETE")
    """
    made = bench(TWO, body)
    assert made.run().ok
    assert made.rows("SELECT * FROM orders") == [(1,)]
    assert "after it said that it was complete" in made.logs("warning")


def test_a_failed_stream_keeps_its_old_table_and_state(bench: Make) -> None:
    at = {"id": {"type": "integer"}, "at": {"type": "integer"}}
    made = bench(
        [stream("orders", at, **KEYED)], "def read():\n    record('orders', id=1, at=1)\n    state('orders', at=1)"
    )
    assert made.run().ok
    made.write("def read():\n    record('orders', id=2, at=2)\n    state('orders', at=2)\n    sys.exit(1)")
    assert not made.run().ok
    assert made.rows("SELECT id FROM orders") == [(1,)]
    assert [each["state"] for each in made.state().values()] == [{"at": 1}]


# -- what is private ---------------------------------------------------------------------------------------------


def test_the_files_are_private_and_gone_afterwards(bench: Make, secret: str) -> None:
    body = """
        def read():
            modes = [oct(os.stat(path).st_mode) for path in (options["--config"], os.path.dirname(options["--config"]))]
            print("modes", *modes, config["key"], config["deep"][0]["key"], flush=True)
            error("The key " + config["key"] + " was refused")
            sys.stderr.write("traceback with " + config["key"])
            say("LOG", log={"level": "INFO", "message": "using " + config["key"]})
            sys.exit(1)
    """
    key = {"env": "SHOP_KEY"}
    made = bench([stream("orders")], body, config={"key": key, "deep": [{"key": key}]})
    assert not made.run().ok
    assert f"modes {oct(stat.S_IFREG | 0o600)} {oct(stat.S_IFDIR | 0o700)} *** ***" in made.logs()
    [call] = made.calls()
    assert call["config"]["key"] == secret
    assert not Path(call["files"]["--config"]).exists()
    everything = repr(made.events) + "".join(
        path.read_bytes().decode("utf-8", "replace")
        for path in made.root.rglob("*")
        if path.is_file() and path.name != "calls"
    )
    assert secret not in everything


def test_what_the_connector_calls_secret_is_masked_wherever_it_stands(bench: Make) -> None:
    body = "def read():\n    error('The token ' + config['deep'][0]['token'] + ' was refused')\n    sys.exit(1)"
    made = bench([stream("orders")], body, config={"deep": [{"token": "t0ken"}]})
    assert not made.run().ok
    assert made.of("failed")[0].message == "The token *** was refused"
    assert "t0ken" not in repr(made.events)


def test_a_secret_is_masked_also_where_a_long_line_is_cut(bench: Make, secret: str) -> None:
    made = bench(
        [stream("orders")], "def read():\n    print('x' * 1990 + config['key'])", config={"key": {"env": "SHOP_KEY"}}
    )
    made.run()
    assert "x" * 1990 + "***" in made.logs()
    assert secret[:5] not in made.logs()


def test_a_secret_is_masked_also_where_a_colour_stands_in_the_middle(bench: Make) -> None:
    body = r"""
def read():
    word = config['deep'][0]['token']
    print('with ' + word[:3] + '\x1b[0m' + word[3:])
"""
    made = bench([stream("orders")], body, config={"deep": [{"token": "t0ken-in-clear"}]})
    made.run()
    assert "with ***" in made.logs()
    assert "t0ken" not in made.logs()


def test_nothing_else_uses_a_file_that_another_tool_holds(bench: Make) -> None:
    # As a dbt does that runs in a process of its own: DuckDB opens a file for one process at a time.
    made = bench([stream("orders")])
    place = made.io

    class Holder:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            held = Asset(key="held", kind="holder", integration=integration)
            return [held] if integration.kind == "holder" else None

        @hookimpl
        def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
            return InvocationGroup("holder", holds=(place,))

        @hookimpl
        def assetry_invoke(self, invocation: Invocation) -> Any:
            yield Started("held")
            yield Materialized("held")

    integrations = [Integration("holder", "holder"), made.integration]
    where: dict[str, Any] = {"store": f"sqlite:{made.root}/s.db", "io": place, "settings": made.root}
    with Project(integrations=integrations, plugins=[Holder()], **where) as project:
        assert project.materialize(on_event=made.events.append).ok
    names = [r.event.name for r in made.events if r.event.name.startswith("invocation_")]
    assert names == ["invocation_started", "invocation_finished"] * 2


def test_what_a_killed_run_left_behind_goes_with_the_next(bench: Make) -> None:
    made = bench([stream("orders")], "def read():\n    open('hanging', 'w').close()\n    time.sleep(600)")
    with made.project() as project:
        _ = project.graph
    process = start(made)
    wait_for((made.root / "hanging").exists)
    [call] = made.calls()
    process.kill()
    process.wait()
    assert Path(call["files"]["--config"]).exists()
    # The connector does not write, so no broken pipe tells it: the watcher does.
    wait_for(lambda: not alive(call["pid"]))
    made.write("")
    assert made.run().ok
    assert not list((made.root / ".assetry/airbyte/shop").glob("run-*"))


# -- stopping ----------------------------------------------------------------------------------------------------

#: A connector with a child of its own that holds its output open; both would run for ever.
HANGING = """
    def read():
        record("orders", id=1)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open("child", "w").write(str(child.pid))
        os.rename("child", "child-pid")
        time.sleep(600)
"""


def start(made: Bench) -> subprocess.Popen[str]:
    """Run the project in a process of its own."""
    root, options = str(made.root), dict(made.integration.options)
    code = (
        "from assetry import Integration, Project\n"
        f"shop = Integration('shop', 'airbyte', {options!r}, {root!r})\n"
        f"p = Project(integrations=[shop], store='sqlite:{root}/state.db', io={made.io!r}, root={root!r})\n"
        "print(p.materialize().run.state)"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def children(made: Bench) -> list[int]:
    wait_for((made.root / "child-pid").exists)
    return [made.calls()[0]["pid"], int((made.root / "child-pid").read_text())]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_run_leaves_no_process(bench: Make, number: signal.Signals) -> None:
    made = bench([stream("orders")], HANGING)
    process = start(made)
    pids = children(made)
    process.send_signal(number)
    assert process.communicate()[0] == "cancelled\n"
    assert not any(map(alive, pids))
    assert not list((made.root / ".assetry/airbyte/shop").glob("run-*"))
