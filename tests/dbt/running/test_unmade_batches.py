"""Batches that failed are remembered until some dbt command has made them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from assetry_dbt.running.unmade_batches import FILE, Result, Unmade, latest, read_unmade, write_unmade
from hypothesis import given
from hypothesis import strategies as st

MODEL = "model.shop.daily"
DAYS = [f"2026-01-{day:02}T00:00:00+00:00" for day in range(1, 10)]
BATCHES = list(pairwise(DAYS))


def ran(folder: Path, invocation: str, made: list[Any], failed: list[Any], status: str = "success") -> None:
    """Write the run_results.json of a dbt command."""
    result = {"unique_id": MODEL, "status": status, "batch_results": {"successful": made, "failed": failed}}
    data = {"metadata": {"invocation_id": invocation}, "results": [result]}
    (folder / "run_results.json").write_text(json.dumps(data))


def test_what_failed_is_noted_and_outlives_the_next_command(tmp_path: Path) -> None:
    ran(tmp_path, "a", [BATCHES[0], BATCHES[2]], [BATCHES[1]], "partial success")
    write_unmade(tmp_path, read_unmade(tmp_path))
    ran(tmp_path, "b", [BATCHES[3]], [])
    unmade = read_unmade(tmp_path)
    assert unmade.batches == {MODEL: (BATCHES[1],)}
    (finished,) = unmade.outcomes([MODEL, "model.shop.other"]).values()
    assert (finished.unique_id, finished.status) == (MODEL, "partial success")
    assert "dbt run --select daily --event-time-start 2026-01-02T00:00:00 --event-time-end 2026-01-03T00:00:00" in str(
        finished.message
    )


def test_a_command_is_counted_once(tmp_path: Path) -> None:
    ran(tmp_path, "a", [], [BATCHES[1]], "partial success")
    unmade = read_unmade(tmp_path)
    assert unmade.after("b", {MODEL: Result(made=(BATCHES[1],))}).batches == {}
    assert latest(Unmade({}, "a"), tmp_path).batches == {}


def test_a_full_refresh_makes_everything_that_is_wanted_now(tmp_path: Path) -> None:
    ran(tmp_path, "b", [BATCHES[3]], [])
    assert latest(Unmade({MODEL: (BATCHES[1],)}, "a"), tmp_path, full_refresh=True).batches == {}
    assert latest(Unmade({MODEL: (BATCHES[1],)}, "a"), tmp_path).batches == {MODEL: (BATCHES[1],)}


def test_where_nothing_ever_failed_no_file_is_made(tmp_path: Path) -> None:
    ran(tmp_path, "a", BATCHES, [])
    write_unmade(tmp_path, read_unmade(tmp_path))
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"results": null}', '{"results": [{"unique_id": "model.a.b"}]}'])
def test_files_of_other_shapes_say_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "run_results.json").write_text(text)
    (tmp_path / FILE).write_text(text)
    assert read_unmade(tmp_path).batches == {}


@given(st.lists(st.dictionaries(st.integers(0, 7), st.booleans()), max_size=6))
def test_what_is_left_is_what_failed_the_last_time_it_was_tried(commands: list[dict[int, bool]]) -> None:
    unmade, expected = Unmade(), {}
    for number, command in enumerate(commands):
        made = tuple(BATCHES[each] for each, good in command.items() if good)
        failed = tuple(BATCHES[each] for each, good in command.items() if not good)
        unmade = unmade.after(str(number), {MODEL: Result(made, failed)})
        expected.update(command)
    left = tuple(sorted(BATCHES[each] for each, good in expected.items() if not good))
    assert unmade.batches == ({MODEL: left} if left else {})
