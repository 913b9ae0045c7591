"""A mixed graph: every tool runs exactly once, also when its run is killed at any moment and retried.

The moment is drawn by a seed, which stands in the test's name. ``make campaign`` tries many, with ``SEEDS=17-17`` one.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from assetry.testing import eventually
from assetry.testing.outcome import ENDS, Outcome
from assetry_airbyte.testing import FakeAirbyte
from assetry_fivetran.testing import FakeFivetran

from tests.e2e.mixed import TABLES, WAIT, Mixed, Moment, Services
from tests.meltano.scripted import tap_processes

# Each waits for many processes in turn, on a machine that may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * WAIT)]

FIRST, _, LAST = os.environ.get("ASSETRY_SEEDS", "9").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as patch, FakeFivetran() as fivetran, FakeAirbyte() as airbyte:
        patch.setenv("FIVETRAN_API_SECRET", FakeFivetran.api_secret)
        patch.setenv("AIRBYTE_CLIENT_SECRET", FakeAirbyte.client_secret)
        yield Services(fivetran, airbyte)


@pytest.fixture(scope="module")
def planned(services: Services, tmp_path_factory: pytest.TempPathFactory) -> tuple[Mixed, Outcome]:
    """Return the project, in which all tools were asked what they have, and its plan; nothing was run."""
    mixed = Mixed(tmp_path_factory.mktemp("planned") / "project", services)
    mixed.use()
    return mixed, mixed.run("plan", "--output", "json").assert_ok()


@pytest.fixture
def mixed(planned: tuple[Mixed, Outcome], tmp_path: Path) -> Mixed:
    """Return a copy of the project, and services that have synced nothing."""
    shutil.copytree(planned[0].root, tmp_path / "project")
    made = Mixed(tmp_path / "project", planned[0].services)
    made.use()
    return made


def test_the_plan_has_one_invocation_per_connection_and_the_fewest_dbt_runs(planned: tuple[Mixed, Outcome]) -> None:
    plan = planned[1].data
    groups = [(each["kind"], each["assets"]) for each in plan["invocations"] if each["kind"] != "python"]
    assert sorted(groups) == [
        ("airbyte", ["shop_api/orders"]),
        ("airbyte", ["site/pages", "site/visits"]),
        ("dbt", ["one/costs", "one/people", "one/visitors"]),
        ("dbt", ["two/report"]),
        ("fivetran", ["ads/clicks"]),
        ("fivetran", ["crm/accounts"]),
        ("meltano", ["bank/tap-bank/payments", "bank/tap-bank/payers"]),
    ]
    assert (plan["count"], plan["lower_bound"], plan["minimal"]) == (7, 7, True)


def test_each_tool_runs_once_and_then_nothing_is_left_to_do(mixed: Mixed) -> None:
    run = mixed.materialize(process=True).assert_ok()
    assert run.launches == 7
    assert run.ends["crm/accounts"]["metadata"]["result_known_by"] == "table"
    assert mixed.reads == [{"pages", "visits"}]
    check_all_is_made_once(mixed)


def check_all_is_made_once(mixed: Mixed) -> None:
    counts = dict.fromkeys(("crm_1", "ads_1", "orders", "meltano", "tap"), 1)
    assert mixed.counts == counts
    assert mixed.tables() == TABLES
    status = mixed.run("status", "--output", "json").assert_ok().data
    assert set(status["counts"]) == {"fresh"}, status
    again = mixed.materialize("--stale").assert_ok()
    assert not again.events
    assert mixed.counts == counts


def test_a_loader_that_survives_its_run_is_named_and_the_retry_waits_for_it(mixed: Mixed) -> None:
    (held := mixed.root / "held-payments").touch()
    (closed := mixed.root / "closed").touch()
    with mixed.started("materialize", "-s", "kind:meltano integration:site") as run:
        assert eventually(lambda: mixed.is_loading or run.poll() is not None, WAIT)
        run.kill()
    assert tap_processes(mixed.root)
    assert mixed.is_loading, (mixed.root / "errors").read_text()
    closed.unlink()
    # What does not know of it is told who has the file; nothing was lost by that.
    other = mixed.materialize("-s", "integration:site")
    other.assert_code(1).assert_failed(
        "pages", r"shop.duckdb is locked by .*target_shop.py.* \(PID \d+\)[^$]*Wait for its"
    )
    [ours] = [each["run"] for each in mixed.run("runs", "--output", "json").data["runs"] if each["state"] != "failed"]
    with mixed.started("retry", ours) as again:
        assert again.stdout is not None
        told = map(json.loads, again.stdout)
        assert next(each for each in told if each["event"] == "invocation_started")["kind"] == "meltano"
        held.unlink()
        ends = {each["asset"]: each["event"] for each in told if each["event"] in ENDS}
    assert again.returncode == 0, ends
    assert set(ends) == {"bank/tap-bank/payments", "bank/tap-bank/payers", "site/pages", "site/visits"}
    assert (mixed.counts["meltano"], mixed.counts["tap"]) == (1, 1)
    made = ("raw.payments", "raw.payers", "web.pages", "web.visits")
    assert mixed.tables(*made) == {each: TABLES[each] for each in made}


@pytest.mark.parametrize("seed", SEEDS, ids="seed-{}".format)
def test_a_run_that_is_killed_at_any_moment_is_finished_by_retry_with_each_tool_once(mixed: Mixed, seed: int) -> None:
    random = Random(seed)
    # How busy the machine is changes what a moment meets, and never what must be in the end.
    moments = [Moment.drawn(random) for _ in range(random.choice((1, 1, 2)))]
    print(f"seed {seed}: killed at {moments}")
    recorded, reads = [frozenset[str]()], [0]
    for moment in moments:
        told = mixed.killed(moment, "retry" if mixed.begun else "materialize")
        print("told last:", *(f"{each['event']} {each.get('asset', '')}" for each in told[-3:]), sep="\n  ")
        recorded.append(mixed.made())
        reads.append(len(mixed.reads))
        assert {each["asset"] for each in told if each["event"] == "materialized"} <= recorded[-1]
    retries = retry_until_all_is_made(mixed)
    # The connector ends with its run, so it is asked again: once each time, and never for what is recorded.
    assert len(mixed.reads) <= len(moments) + retries
    for made, before in zip(recorded, reads, strict=True):
        for streams in mixed.reads[before:]:
            assert not {f"site/{each}" for each in streams} & made, (recorded, mixed.reads)
    check_all_is_made_once(mixed)


def retry_until_all_is_made(mixed: Mixed) -> int:
    """Retry once; again only where a tool that has not ended yet had the warehouse open, and that was told."""
    deadline, number = time.monotonic() + WAIT, 0
    while True:
        number += 1
        run = mixed.run("retry" if mixed.begun else "materialize", "--output", "ndjson", process=True)
        if run.code == 0:
            return number
        run.assert_said("locked by|in use by another process")
        assert time.monotonic() < deadline
