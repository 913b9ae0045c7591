"""Some iterations of the campaign, and that it would notice; ``make campaign`` runs many."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.campaign.iteration import Iteration
from tests.e2e.campaign.scenarios import Scenario
from tests.e2e.campaign.truth import Tables, false_records, false_status, overlaps
from tests.e2e.campaign.world import World, world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: Short ones: faults at statements of the store, a disk that is full when DuckDB begins its file, a clock set back, and
#: machines apart.
SEEDS = (32, 49, 52, 58)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("campaign") / "world") as found:
        yield found


@pytest.mark.parametrize("seed", SEEDS, ids="seed-{}".format)
def test_whatever_befalls_commands_nothing_is_lost_doubled_or_left_and_the_status_is_true(
    here: World, seed: int
) -> None:
    scenario = Scenario.drawn(seed)
    if (scenario.fills_disk or scenario.is_far_apart) and not here.small_disk:
        pytest.skip("only root can make a small disk, and be on another machine")
    print(scenario)
    iteration = Iteration(here, scenario)
    assert iteration.run() == [], "\n".join(map(str, iteration.children))


# -- that it would notice --------------------------------------------------------------------------------------------


def told(here: World) -> list[str]:
    status = here.nursery.call(here.root, "status", "--output", "json").data()
    tables = Tables(here)
    return [*false_status(tables, status), *tables.odd, *false_records(here, [])]


def test_what_is_made_as_it_should_be_is_no_violation(here: World) -> None:
    here.begin(made=True)
    assert told(here) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from events where ts = '2026-01-02'", "status: events 2026-01-02 is called fresh, and is not there"),
        ("update events set made = 'x' where ts = '2026-01-02'", "daily 2026-01-02 is called fresh, has read events-"),
        ("insert into events select * from events where ts = '2026-01-03'", "events 2026-01-03: it is there twice"),
    ],
)
def test_a_table_that_is_not_as_recorded_is_noticed(here: World, statement: str, words: str) -> None:
    here.begin(made=True)
    here.change(statement)
    assert any(words in each for each in told(here)), told(here)


COLUMNS = "key, partition, at, run, data_version, code_version, seconds, trace, as_of"


def test_a_record_of_what_was_not_made_is_noticed(here: World) -> None:
    here.begin(made=True)
    with closing(sqlite3.connect(here.root / ".assetry/state.db")) as store, store:
        twice = f"select id + 1000, {COLUMNS} from materializations where key = 'report'"
        store.execute(f"insert into materializations {twice}")
    assert any("records: report - is recorded 2 times" in each for each in told(here)), told(here)


def test_two_runs_that_make_the_same_at_once_are_noticed(here: World) -> None:
    here.begin(made=True)
    assert list(overlaps(here)) == []
    with closing(sqlite3.connect(here.root / ".assetry/state.db")) as store, store:
        began = json.dumps({"event": "started", "asset": "daily", "partition": "2026-01-02", "through": "2026-01-03"})
        ended = json.dumps({"event": "failed", "asset": "daily", "partition": "2026-01-03"})
        for run, body in (("one", began), ("two", began), ("two", ended), ("one", ended)):
            store.execute("insert into events (run, at, body) values (?, '', ?)", (run, body))
    assert len(list(overlaps(here))) == 2
