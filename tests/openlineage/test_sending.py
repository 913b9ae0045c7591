"""Sending: what a run tells, whatever becomes of the run and of the service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.errors import OptionError
from assetry.plugin import process_of, to_json
from assetry_openlineage.options import read_options
from assetry_openlineage.spool import spools

from tests.openlineage.schemas import validated
from tests.toolkit.loopback import Answer, Asked, Service, serving

WAIT = 120.0
ASSETS = '''
import os, signal
from pathlib import Path
import pandas as pd
from assetry import asset
HERE = Path(__file__).parent

@asset(owners=["ana"])
def orders() -> pd.DataFrame:
    """All orders."""
    return pd.DataFrame({"id": [1, 2], "cents": [5, 7]})

@asset
def paid(orders: pd.DataFrame) -> pd.DataFrame:
    if (HERE / "kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (HERE / "break").exists():
        raise ValueError("no disk")
    return orders
'''


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(lambda _: Answer(201)) as found:
        yield found


def shop(folder: Path, url: str, more: str = "") -> Path:
    (folder / "assets.py").write_text(ASSETS)
    lines = f'io = "duckdb:shop.duckdb"\n[openlineage]\nurl = "{url}"\nnamespace = "shop"\n{more}'
    (folder / "assetry.toml").write_text(lines)
    return folder


def settled(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.05)


def events(service: Service) -> list[dict[str, Any]]:
    return [validated(each.json) for each in service.asked]


def brief(service: Service) -> list[tuple[str, str]]:
    return [(each["eventType"], each["job"]["name"]) for each in events(service)]


def over(folder: Path) -> bool:
    return (folder / ".assetry" / "openlineage").is_dir() and spools(folder) == []


def test_the_tables_of_a_run_are_told_with_their_columns(tmp_path: Path, service: Service) -> None:
    with Project.load(shop(tmp_path, service.url)) as project:
        assert project.materialize().ok
    settled(lambda: over(tmp_path))
    assert brief(service) == [
        ("START", "run"),
        *(("START", "orders"), ("COMPLETE", "orders")),
        *(("START", "paid"), ("COMPLETE", "paid")),
        ("COMPLETE", "run"),
    ]
    assert {each.path for each in service.asked} == {"/api/v1/lineage"}
    orders, paid = events(service)[2], events(service)[4]
    assert events(service)[1]["outputs"] == [], "where a new value will be kept is not known before"
    (table,) = orders["outputs"]
    assert (table["namespace"], table["name"]) == (f"duckdb://{tmp_path}/shop.duckdb", "shop.main.orders")
    assert [each["name"] for each in table["facets"]["schema"]["fields"]] == ["id", "cents"]
    assert table["outputFacets"]["outputStatistics"]["rowCount"] == 2
    assert [(each["namespace"], each["name"]) for each in paid["inputs"]] == [(table["namespace"], table["name"])]


def test_a_service_that_hangs_keeps_no_run_waiting_and_is_told_while_it_goes_on(tmp_path: Path) -> None:
    came, may_answer = threading.Event(), threading.Event()

    def slowly(_: Asked) -> Answer:
        came.set()
        may_answer.wait(WAIT)
        return Answer(201)

    with serving(slowly) as service:
        with Project.load(shop(tmp_path, service.url, "timeout = 100")) as project:
            assert project.materialize().ok
        assert came.wait(WAIT)
        assert len(service.asked) == 1, "the run has ended, and its first event is still under way"
        may_answer.set()
        settled(lambda: over(tmp_path))
        assert len(service.asked) == 6


def test_what_a_dead_service_did_not_take_is_kept_and_sent_by_a_command(project: Any) -> None:
    with serving(lambda _: Answer(401)) as service:
        made = project({"assets.py": ASSETS, "break": ""})
        made.write("assetry.toml", f'[openlineage]\nurl = "{service.url}"\nnamespace = "shop"\n')
        made.run("materialize").assert_code(1)
        (spool,) = spools(made.root)
        settled(lambda: spool.error is not None)
        # The process that the run has started tries for some time; it is over before anybody else may try.
        settled(lambda: _is_free(spool))
        assert "401" in made.run("openlineage", "status").assert_code(1).out
        assert "401" in made.run("openlineage", "send").assert_code(1).err
        service.asked.clear()
        service.answer = lambda _: Answer(201)
        assert "6 events sent" in made.run("openlineage", "send").assert_code(0).out
        assert "0 events sent" in made.run("openlineage", "send").assert_code(0).out
        assert "Nothing waits" in made.run("openlineage", "status").assert_code(0).out
        failed = events(service)[4]
        assert (failed["eventType"], failed["job"]["name"]) == ("FAIL", "paid")
        assert "no disk" in failed["run"]["facets"]["errorMessage"]["message"]
        assert len(service.asked) == 6


def _is_free(spool: Any) -> bool:
    with spool.alone(wait=False) as there:
        return bool(there)


def test_a_run_that_is_killed_is_told_as_aborted(tmp_path: Path, service: Service) -> None:
    (shop(tmp_path, service.url) / "kill").touch()
    run = [sys.executable, "-m", "assetry", "-C", str(tmp_path), "materialize"]
    assert subprocess.run(run, capture_output=True, timeout=WAIT, check=False).returncode == -signal.SIGKILL
    settled(lambda: over(tmp_path))
    assert brief(service)[-2:] == [("ABORT", "paid"), ("ABORT", "run")]


def test_what_was_sent_before_a_kill_is_not_sent_again(project: Any, service: Service) -> None:
    made = project({"assets.py": ASSETS})
    made.write("assetry.toml", f'[openlineage]\nurl = "{service.url}"\nnamespace = "shop"\n')
    folder = made.root / ".assetry" / "openlineage"
    folder.mkdir(parents=True)
    gone = json.dumps({**to_json(process_of(os.getpid())), "pid": 2**22 + 1})
    lines = (
        f'{{"version":1,"run":"r1","job":"run","parent":null,"process":{gone}}}\n'
        '{"at":"2026-01-31T10:02:00+00:00","event":{"event":"run_started","assets":1,"invocations":1}}\n'
        '{"at":"2026-01-31T10:02:00+00:00","event":{"event":"started","asset":"a"}}\n{"at":"20'
    )
    (folder / "r1.jsonl").write_text(lines)
    (folder / "r1.sent").write_text("1")
    assert "3 events sent" in made.run("openlineage", "send").assert_code(0).out
    assert brief(service) == [("START", "a"), ("ABORT", "a"), ("ABORT", "run")]


def test_the_key_and_a_secret_address_are_used_and_stand_nowhere(
    project: Any, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_KEY", "s3cret-of-lineage")
    monkeypatch.setenv("LINEAGE_URL", f"{service.url}/s3cret-of-path/")
    service.answer = lambda _: Answer(403)
    made = project({"assets.py": ASSETS})
    made.write("assetry.toml", '[openlineage]\nurl = { env = "LINEAGE_URL" }\napi_key = { env = "LINEAGE_KEY" }\n')
    made.run("materialize").assert_code(0)
    (spool,) = spools(made.root)
    settled(lambda: spool.error is not None)
    assert service.asked[0].headers["Authorization"] == "Bearer s3cret-of-lineage"
    assert service.asked[0].path == "/s3cret-of-path/api/v1/lineage"
    said = made.run("openlineage", "status")
    kept = b"".join(path.read_bytes() for path in (made.root / ".assetry").rglob("*") if path.is_file())
    assert b"403" in kept
    assert b"s3cret" not in kept
    assert "s3cret" not in said.out + said.err


def test_a_password_in_the_address_stands_in_no_error(project: Any) -> None:
    made = project({"assets.py": ASSETS})
    with serving(lambda _: Answer(403)) as service:
        url = service.url.replace("//", "//bob:s3cret-of-bob@")
        made.write("assetry.toml", f'[openlineage]\nurl = "{url}"\n')
        made.run("materialize").assert_code(0)
        (spool,) = spools(made.root)
        settled(lambda: spool.error is not None)
        assert "403" in (spool.error or "")
        assert "s3cret-of-bob" not in (spool.error or "")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"ulr": "http://x"}, "has no option 'ulr'"),
        ({"api_key": "k3y"}, "'api_key' .* is given as a value"),
        ({"namespaces": {"transform": 3}}, "The namespace of 'transform' .* is no text"),
    ],
)
def test_a_table_that_cannot_be_meant_is_an_error(table: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        read_options({"openlineage": table}, "/srv/shop")
