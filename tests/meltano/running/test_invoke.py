"""Runs of the real Meltano: what is loaded, what is told of it, and what is kept for the next one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from assetry.plugin import is_alive, process_of
from assetry.testing import eventually

from tests.meltano.conftest import TWO, Made
from tests.meltano.scripted import Bench, tap_processes

pytestmark = pytest.mark.slow


def test_all_and_a_part_with_what_is_told_and_no_secret_in_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the state that names only what was read, Meltano's own choice would drop the rest."""
    monkeypatch.setenv("SHOP_TOKEN", "t0ken-of-the-shop")
    monkeypatch.setenv("TAP_A_KEY", "an0ther-t0ken")
    bench = made(says=["the token is t0ken-of-the-shop", "the key an0ther-t0ken"])
    bench.plugins["extractors"][0]["settings"].append({"name": "key", "sensitive": True})
    bench.save()
    text = '[integrations.meltano]\nkind = "meltano"\nenv = { TAP_A_TOKEN = { env = "SHOP_TOKEN" } }\n'
    bench.write("assetry.toml", text)
    bench.write("logging.yaml", "version: 1\nroot: {level: CRITICAL, handlers: []}\n")  # changes nothing here
    whole = bench.materialize("-v").assert_ok().assert_only_materialized("users", "orders")
    assert whole.launches == bench.launches == 1
    assert (bench.rows("users"), bench.rows("orders")) == (2, 3)
    named = [(each["event"], each.get("asset", "")[-6:]) for each in whole.events if each.get("asset")]
    order = [named.index((each, "/users")) for each in ("started", "progress", "materialized")]
    assert order == sorted(order)
    facts = whole.ends["meltano/tap-a/orders"]["metadata"]
    known = {name: facts[name] for name in ("rows_extracted", "state_id", "result_known_by")}
    assert known == {"rows_extracted": 3, "state_id": "dev:tap-a-to-target-files", "result_known_by": "stream"}
    assert bench.database("select state, run_id from runs") == [("SUCCESS", facts["run"].replace("-", ""))]
    whole.assert_said(r"tap-a: the token is \*\*\*", r"the key \*\*\*")
    part = bench.materialize("-s", "meltano/tap-a/orders").assert_ok().assert_only_materialized("orders")
    assert (bench.rows("users"), bench.rows("orders")) == (2, 6)
    assert bench.bookmarks() == {"users": {"n": 2}, "orders": {"n": 3}}
    [started] = [each for each in part.events if each["event"] == "invocation_started"]
    command = "meltano --environment=dev run --state-strategy merge tap-a target-files"
    assert started["command"] == f"TAP_A__SELECT_FILTER='[\"orders\"]' {command}"
    plan = json.loads(bench.run("plan", "--full-refresh", "--output", "json").assert_ok().out)
    assert plan["invocations"][0]["command"] == "meltano --environment=dev run --full-refresh tap-a target-files"
    kept = [each.read_bytes() for each in (bench.root / ".assetry").rglob("*") if each.is_file()]
    for secret in ("t0ken-of-the-shop", "an0ther-t0ken"):
        assert secret not in f"{whole.out}{whole.err}"
        assert not any(secret.encode() in each for each in kept)


def test_a_pair_that_fails_stays_alone_in_one_invocation(made: Made) -> None:
    bench = made(visits=True)
    bench.script("tap-a", streams={"users": {}, "orders": {"rows": 1, "code": 3}})
    outcome = bench.materialize().assert_code(1)
    assert outcome.launches == 1
    outcome.assert_only_materialized("visits").assert_failed("users", "exit code 3.*orders is out of reach")
    outcome.assert_failed("orders", r"tap-a target-files: .*exit code 3")
    bench.script("tap-a", streams=TWO)
    bench.retry().assert_ok().assert_only_materialized("users", "orders")


def test_one_extractor_into_two_loaders_is_loaded_by_one_run(made: Made) -> None:
    bench = made()
    bench.jobs.append({"name": "more", "tasks": ["tap-a target-shop"]})
    bench.save()
    keys = {f"meltano/tap-a/{name}" for name in ("users", "orders", "target-shop/users", "target-shop/orders")}
    whole = bench.materialize().assert_ok().assert_only_materialized(*keys)
    assert (whole.launches, bench.launches, bench.rows("users")) == (1, 2, 2)
    both = ["meltano/tap-a/orders", "meltano/tap-a/target-shop/orders"]
    part = bench.materialize("-s", *both).assert_ok().assert_only_materialized(*both)
    assert (part.launches, bench.rows("users"), bench.rows("orders")) == (1, 2, 6)
    apart = ["meltano/tap-a/orders", "meltano/tap-a/target-shop/users"]
    assert bench.materialize("-s", *apart).assert_ok().assert_only_materialized(*apart).launches == 2
    assert (bench.rows("users"), bench.rows("orders")) == (2, 9)


def place_of_loader(bench: Bench) -> str:
    lines = (bench.root / "meltano.yml").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if '"name": "target-files"' in text)
    return f"meltano.yml:{line}"


def test_a_loader_that_fails_fails_its_streams(made: Made) -> None:
    bench = made()
    bench.plugins["loaders"][0]["config"] = {"breaks": True}
    bench.save()
    failed = bench.materialize().assert_code(1).assert_failed("users", "the disk is full")
    assert failed.ends["meltano/tap-a/users"]["where"] == place_of_loader(bench)


def test_a_stream_that_was_asked_for_and_not_read_has_failed(made: Made) -> None:
    """Meltano ends well: the choice of streams is the extractor's affair."""
    bench = made()
    bench.script("tap-a", streams={"users": {"pushy": True}, "orders": {"ignored": True}})
    outcome = bench.materialize("-s", "orders").assert_code(1)
    outcome.assert_failed("orders", r"does not tell that it read orders.*It tells of users\.(?s:.*)meltano pull")
    outcome.assert_said("tap-a reads stream 'users', which was not asked for")


def test_an_extractor_that_ends_half_way_without_an_error_is_told_with_all_that_is_known(made: Made) -> None:
    bench = made(visits=True)
    bench.script("tap-a", streams={"users": {"rows": 2}, "orders": {"rows": 40, "code": 0}})
    outcome = bench.materialize().assert_code(1).assert_only_materialized("users", "visits")
    told = r"tap-a ended without an error, and does not tell that it read orders.* It tells of users \(2 rows\)\."
    outcome.assert_failed(
        "orders", f"{told} It may have stopped half-way; it said last: CRITICAL orders is out of reach"
    )
    assert bench.rows("orders") == 40


def test_a_stream_with_a_dot_is_loaded_alone(tmp_path: Path) -> None:
    """Meltano takes what follows a dot in a pattern for a property, unless the dot is escaped."""
    bench = Bench(tmp_path, {"tap-a": {"streams": {"crm.deals": {"rows": 3}, "crm": {}, "crm-deals": {}}}})
    bench.materialize("-s", "key:meltano/tap-a/crm.deals").assert_ok().assert_only_materialized("crm.deals")
    assert [bench.rows(name) for name in ("crm.deals", "crm", "crm-deals")] == [3, 0, 0]


def test_a_plugin_that_is_not_installed_is_told_with_the_command(made: Made) -> None:
    bench = made()
    bench.plugins["loaders"][0]["executable"] = "target-that-is-not-there"
    bench.save()
    failed = bench.materialize().assert_code(1)
    failed.assert_failed("users", "meltano install --plugin-type loader target-files")
    assert ".." not in failed.ends["meltano/tap-a/users"]["message"]
    assert failed.ends["meltano/tap-a/users"]["where"] == place_of_loader(bench)
    bench.run("status").assert_said(r"`meltano install --plugin-type loader target-files`")


def test_a_program_that_is_not_where_its_path_says_is_no_matter_of_installing(made: Made) -> None:
    bench = made()
    bench.plugins["loaders"][0]["executable"] = "./plugins/missing.py"
    bench.save()
    failed = bench.materialize().assert_code(1).assert_failed("users", r"missing\.py: put it there, or correct")
    assert "meltano install" not in failed.ends["meltano/tap-a/users"]["hint"]
    bench.plugins["extractors"][0]["executable"] = "./plugins/missing.py"
    bench.save()
    told = bench.run("meltano", "pull").assert_code(3).assert_said(r"missing\.py")
    assert "meltano install" not in f"{told.out}{told.err}"


def test_what_keeps_meltano_from_beginning_fails_all_with_its_words(made: Made) -> None:
    bench = made(visits=True)
    text = '[integrations.meltano]\nkind = "meltano"\nenv = { MELTANO_DATABASE_URI = "no://db" }\n'
    bench.write("assetry.toml", text)
    failed = bench.materialize().assert_code(1)
    for name in ("users", "visits"):
        failed.assert_failed(name, "Meltano ended with exit code 1.*Can't load plugin: sqlalchemy.dialects:no")


def test_a_disk_that_fills_up_under_the_log_is_told(made: Made) -> None:
    bench = made(says=["y" * 1000] * 200)
    runs = bench.root / ".assetry" / "meltano" / "runs"
    runs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(runs)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    try:
        failed = bench.materialize().assert_code(1)
    finally:
        subprocess.run(["umount", "--lazy", str(runs)], check=True)
    failed.assert_failed("users", "the disk of .*runs is full, so its log may lack its end")


def test_nothing_is_read_where_what_tables_owe_could_not_be_kept(made: Made) -> None:
    bench = made()
    place = bench.root / ".assetry" / "meltano" / "meltano-owed.json"
    place.mkdir(parents=True)
    failed = bench.materialize().assert_code(1)
    failed.assert_failed("users", "What tables owe cannot be kept in .*meltano-owed.json: Is a directory")
    assert bench.rows("users") == 0
    place.rmdir()
    bench.retry().assert_ok().assert_only_materialized("users", "orders")


def remember(bench: Bench, state: str, heartbeat: datetime) -> None:
    """Put a run into Meltano's database that is not ours."""
    now = datetime.now(UTC).replace(tzinfo=None)
    bench.database(
        "insert into runs (job_name, state, started_at, last_heartbeat_at, payload, payload_flags, run_id, trigger) "
        "values ('dev:tap-a-to-target-files', ?, ?, ?, '{}', 0, ?, 'cli')",
        state,
        str(now - timedelta(minutes=9)),
        str(heartbeat.replace(tzinfo=None)),
        uuid4().hex,
    )


def test_what_brought_no_rows_makes_nothing_stale_unless_another_run_came_between(made: Made) -> None:
    bench = made()
    bench.script("tap-a", streams={"users": {"rows": 0}, "orders": {"rows": 1}})

    def versions(outcome: Any) -> list[str]:
        return [outcome.ends[f"meltano/tap-a/{name}"]["data_version"] for name in ("users", "orders")]

    first, second = versions(bench.materialize().assert_ok()), versions(bench.materialize().assert_ok())
    assert first[0] == second[0]
    assert first[1] != second[1]
    bench.run("observe").assert_ok().assert_said("0 with new content")
    remember(bench, "SUCCESS", datetime.now(UTC))
    bench.run("observe").assert_ok().assert_said("2 with new content")
    with bench.load() as project:
        seen = project.store.latest().values()
    assert {each.as_of < each.at - timedelta(minutes=8) for each in seen} == {True}, "it reaches to when that run began"


# -- other runs, and the end of this one -------------------------------------------------------------------------------


def test_the_lock_of_a_killed_run_is_recognised_and_waited_for(made: Made) -> None:
    bench = made()
    # It is kept for five minutes after the last sign of life, which are over soon after Meltano has refused to run.
    remember(bench, "RUNNING", datetime.now(UTC) - timedelta(minutes=5) + timedelta(seconds=8))
    outcome = bench.materialize().assert_ok().assert_only_materialized("users", "orders")
    told = [each["message"] for each in outcome.events if each["event"] == "log" and each["level"] == "warning"]
    waited = [each for each in told if "was killed, and Meltano keeps its lock until" in each]
    # On a busy machine the time may be over before Meltano looks, or before we do.
    assert waited or bench.database("select count(*) from runs where state in ('FAIL', 'SUCCESS')") >= [(2,)]


def test_who_does_not_want_to_wait_is_told_what_to_do(made: Made) -> None:
    bench = made()
    remember(bench, "RUNNING", datetime.now(UTC) + timedelta(minutes=5))
    bench.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nlock_timeout = 0.5\n')
    bench.materialize().assert_code(1).assert_failed("users", "Another Meltano runs tap-a target-files.*force = true")
    bench.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nforce = true\n')
    bench.materialize().assert_ok()


def start(folder: Path) -> subprocess.Popen[bytes]:
    (folder / "held-orders").touch()
    words = [sys.executable, "-m", "assetry", "-C", str(folder), "materialize"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    assert eventually(lambda: (folder / "holding").exists() or process.poll() is not None, 90), (
        "waited for the extractor"
    )
    assert process.poll() is None
    assert tap_processes(folder)
    return process


def meltano_processes(folder: Path) -> list[int]:
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if (each / "cwd").readlink() == folder.resolve() and is_alive(process_of(int(each.name))):
                found.append(int(each.name))
        except OSError:
            continue
    return found


def keepers(folder: Path) -> list[int]:
    """Return what keeps the journals of a folder, which works beside its commands."""
    lines = {each: (Path("/proc") / str(each) / "cmdline").read_bytes() for each in meltano_processes(folder)}
    found = [pid for pid, line in lines.items() if b"keeper.py" in line]
    assert found
    return found


def test_an_interrupted_run_leaves_nothing_and_retry_goes_on(made: Made) -> None:
    bench = made()
    process = start(bench.root)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert eventually(lambda: not meltano_processes(bench.root), 90), "waited for the end of all processes"
    (bench.root / "held-orders").unlink()
    bench.retry().assert_ok().assert_only_materialized("users", "orders")
    assert bench.database("select state from runs order by id") == [("FAIL",), ("SUCCESS",)]


@pytest.mark.parametrize("ended", [False, True])
def test_a_killed_assetry_leaves_meltano_to_its_work_and_retry_follows_it(made: Made, ended: bool) -> None:
    """There is exactly one run, whether it goes on when we come back or has ended meanwhile."""
    bench = made()
    process = start(bench.root)
    process.kill()
    process.wait(60)
    assert tap_processes(bench.root)
    (bench.root / "held-orders").unlink()
    if ended:
        assert eventually(lambda: not meltano_processes(bench.root), 90), "waited for the end of Meltano"
        bench.run("observe").assert_ok().assert_said("not followed to its end: `assetry retry`")
        assert {each["status"] for each in json.loads(bench.run("status", "--output", "json").out)["assets"]} != {
            "fresh"
        }
    outcome = bench.retry().assert_ok().assert_only_materialized("users", "orders")
    assert (bench.launches, bench.rows("users"), bench.rows("orders")) == (1, 2, 3)
    [(state, run)] = bench.database("select state, run_id from runs")
    facts = outcome.ends["meltano/tap-a/orders"]["metadata"]
    assert (state, facts["run"].replace("-", ""), facts["rows_extracted"]) == ("SUCCESS", run, 3)
    assert not list((bench.root / ".assetry" / "meltano" / "runs").iterdir())


@pytest.mark.parametrize("well", [True, False])
def test_a_run_whose_keeper_was_killed_too_is_judged_by_its_log(made: Made, well: bool) -> None:
    """What it has ended is not loaded a second time; what broke off is."""
    bench = made()
    process = start(bench.root)
    for pid in (process.pid, *keepers(bench.root)):
        os.kill(pid, signal.SIGKILL)
    process.wait(60)
    if not well:
        for pid in meltano_processes(bench.root):
            os.kill(pid, signal.SIGKILL)
        bench.database("update runs set state = 'FAIL'")  # else its lock is waited for
    (bench.root / "held-orders").unlink()
    assert eventually(lambda: not meltano_processes(bench.root), 90), "waited for the end of Meltano"
    outcome = bench.retry().assert_ok().assert_only_materialized("users", "orders")
    assert outcome.ends["meltano/tap-a/orders"]["metadata"]["rows_extracted"] == 3
    assert bench.launches == (1 if well else 2)
    assert not list((bench.root / ".assetry" / "meltano" / "runs").iterdir())
    if not well:
        outcome.assert_said("broke off: what it did not end is started anew")


@pytest.mark.parametrize("token", ["t0ken-of-the-shop", "t0ken-of-\"the\\shöp'"])
def test_the_log_of_a_killed_run_has_no_secret_and_goes_when_its_streams_are_made_anew(
    made: Made, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """Then no run will ever read it, and `retry` has nothing left to do."""
    monkeypatch.setenv("SHOP_TOKEN", token)
    in_json = [json.dumps({"token": token}, ensure_ascii=each) for each in (True, False)]
    bench = made(says=[f"the token is {token}", *in_json, repr({"token": token}), "users"])
    text = '[integrations.meltano]\nkind = "meltano"\nenv = { TAP_A_TOKEN = { env = "SHOP_TOKEN" } }\n'
    bench.write("assetry.toml", text)
    process = start(bench.root)
    process.kill()
    process.wait(60)
    runs = bench.root / ".assetry" / "meltano" / "runs"
    assert eventually(lambda: any(b"the token is ***" in each.read_bytes() for each in runs.glob("*/out")), 60)
    assert not [each for each in runs.rglob("*") if each.is_file() and b"t0ken-of" in each.read_bytes()]
    (bench.root / "held-orders").unlink()
    bench.materialize("-s", "orders").assert_ok()
    assert len(list(runs.iterdir())) == 1, "a retry would go on from it: users are not made yet"
    bench.materialize().assert_ok()
    assert not list(runs.iterdir())
    bench.retry().assert_ok()


KILLED_BEFORE_IT_IS_RECORDED = """
import os, signal, time
from assetry.plugin import Materialized
from assetry.store.sql import SQLStore

write = SQLStore.append

def killed(self, events, *more, **lease):
    if any(isinstance(each.event, Materialized) for each in events):
        time.sleep(1)  # and what told of it goes on meanwhile
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, events, *more, **lease)

SQLStore.append = killed
"""


def test_the_log_stays_until_what_it_told_is_recorded(made: Made) -> None:
    bench = made()
    plugin = bench.write("assetry_plugins.py", KILLED_BEFORE_IT_IS_RECORDED)
    assert bench.materialize(process=True).code == -signal.SIGKILL
    plugin.unlink()
    bench.retry().assert_ok().assert_only_materialized("users", "orders")
    assert (bench.launches, bench.rows("users"), bench.rows("orders")) == (1, 2, 3)
    assert not list((bench.root / ".assetry" / "meltano" / "runs").iterdir())


def test_a_run_whose_journal_is_gone_is_started_anew(made: Made) -> None:
    """Deleting the journal stops it."""
    bench = made()
    process = start(bench.root)
    process.kill()
    process.wait(60)
    [journal] = (bench.root / ".assetry" / "meltano" / "runs").iterdir()
    (bench.root / "held-orders").unlink()
    (journal / "end").unlink()
    journal.rename(bench.root / "elsewhere")
    assert eventually(lambda: not meltano_processes(bench.root), 90), "waited for the end of Meltano"
    outcome = bench.retry().assert_ok().assert_only_materialized("users", "orders")
    outcome.assert_said("is over or was never begun: what is left is started anew")
