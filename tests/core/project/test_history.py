"""What was made of an asset over time, with what was told of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry import AssetContext, DailyPartitionsDefinition, Output, Project, StaticPartitionsDefinition, asset
from assetry.errors import UsageError

NUMBER = [0]


@asset(key="ml/loss")
def loss() -> Output[int]:
    NUMBER[0] += 1
    return Output(NUMBER[0], metadata={"mean": NUMBER[0] / 2, "by": "ana"})


@asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
def sales(context: AssetContext) -> int:
    context.add_metadata(count=len(str(context.partition)) * NUMBER[0])
    return 1


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    NUMBER[0] = 0
    with Project([loss, sales], root=tmp_path) as found:
        yield found


def means(project: Project, *given: Any, **more: Any) -> list[float]:
    return [each.value for each in project.numbers("loss", *given, **more)["mean"]]


def test_numbers_of_the_last_materializations_are_read_oldest_first(project: Project) -> None:
    for _ in range(4):
        assert project.materialize("ml/loss").ok
    assert means(project) == [0.5, 1.0, 1.5, 2.0]
    assert means(project, limit=2) == [1.5, 2.0]
    history = project.history("loss", limit=3)
    assert [each.metadata["mean"] for each in history] == [2.0, 1.5, 1.0]
    assert history[0].run == project.store.runs(1)[0].id
    assert {"by", "mean"} & set(project.numbers("ml/loss")) == {"mean"}


def test_of_partitions_each_is_told_by_itself(project: Project) -> None:
    for number in (1, 2):
        NUMBER[0] = number
        assert project.materialize("sales", partition="all").ok
    assert [each.value for each in project.numbers("sales", "eu")["count"]] == [2, 4]
    assert len(project.history("sales")) == 4
    assert project.numbers("sales", "asia") == {}


def test_what_is_accepted_is_told_once_and_with_its_metadata(project: Project) -> None:
    assert project.materialize("ml/loss").ok
    changed = Project([Again().asset, sales], root=project.root)
    with changed:
        assert changed.status("ml/loss")[0].status == "stale"
        changed.accept("ml/loss", why="A comment.")
        assert changed.status("ml/loss")[0].status == "fresh"
        assert [each.metadata["mean"] for each in changed.history("loss")] == [0.5]


class Again:
    """The same asset, by another function."""

    @property
    def asset(self) -> Any:
        @asset(key="ml/loss", code_version="2")
        def other() -> int:
            return 2

        return other


def test_what_nothing_defines_any_more_is_told_by_its_key(project: Project) -> None:
    assert project.materialize("ml/loss").ok
    with Project([sales], root=project.root) as later:
        assert [each.metadata["mean"] for each in later.history("ml/loss")] == [0.5]
        with pytest.raises(UsageError):
            later.history("ml/los")


def test_what_was_recorded_of_a_partition_that_is_made_again_has_what_was_told_last(tmp_path: Path) -> None:
    days = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")

    @asset(partitions_def=days, partitions="range", retry_policy=1)
    def visits(context: AssetContext) -> Any:
        NUMBER[0] += 1
        context.add_metadata(call=NUMBER[0])
        if NUMBER[0] == 1:
            raise RuntimeError("not yet")
        return dict.fromkeys(context.partitions, 1)

    NUMBER[0] = 0
    with Project([visits], root=tmp_path, io="memory:") as found:
        assert found.materialize(partition="all").ok
        assert found.materialize(partition="2026-01-02").ok
        calls = {
            part: [each.value for each in found.numbers("visits", part)["call"]]
            for part in ("2026-01-01", "2026-01-02")
        }
    assert calls == {"2026-01-01": [2], "2026-01-02": [2, 3]}
