"""How long history is kept, as the project file says it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from assetry.errors import ProjectFileError, UsageError
from assetry.project.history.retention import Retention, age_text, read_age
from assetry.project.settings import read_settings
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_without_a_word_events_are_kept_for_90_days_and_the_rest_for_ever(tmp_path: Path) -> None:
    kept = read_settings(tmp_path).retention.until(NOW)
    assert kept.events == datetime(2025, 12, 1, tzinfo=UTC)
    assert (kept.runs, kept.attempts, kept.materializations) == (None, None, None)


@pytest.mark.parametrize(("file", "above"), [("assetry.toml", ""), ("pyproject.toml", "tool.assetry.")])
def test_a_project_says_how_long(tmp_path: Path, file: str, above: str) -> None:
    text = f'[{above}retention]\nevents = "forever"\nruns = "2y"\nattempts = "12w"\n'
    (tmp_path / file).write_text(text)
    found = read_settings(tmp_path).retention
    assert found == Retention(events=None, runs=timedelta(days=730), attempts=timedelta(weeks=12))
    (tmp_path / file).write_text(text.replace("12w", "12 w"))
    with pytest.raises(ProjectFileError) as caught:
        read_settings(tmp_path)
    assert (caught.value.where, list(caught.value.near)) == (f"{tmp_path.resolve() / file}:4", ["12w"])


def test_it_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text('retention = "90d"\n')
    with pytest.raises(ProjectFileError, match="'retention' is not a table"):
        read_settings(tmp_path)


@given(st.integers(0, 99999), st.sampled_from("dwy"))
def test_an_age_is_read_as_it_is_written(number: int, unit: str) -> None:
    age = read_age(f"{number}{unit}")
    assert age is not None
    assert age.days == number * {"d": 1, "w": 7, "y": 365}[unit]
    if len(age_text(age)) <= 6:
        assert read_age(age_text(age)) == age
    assert Retention(events=age).until(NOW).events is not None


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("90days", ["90d"]),
        ("2 Years", ["2y"]),
        (90, ["90d"]),
        ("for ever", ["forever"]),
        ("-1d", []),
        ("", []),
        (1.5, []),
    ],
)
def test_another_text_is_told_with_what_was_meant(text: object, near: list[str]) -> None:
    with pytest.raises(UsageError, match="is no age") as caught:
        read_age(text)
    assert list(caught.value.near) == near
