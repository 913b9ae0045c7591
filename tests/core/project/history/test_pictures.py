"""Pictures are beside the records of a project, and go with the last record that refers to them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry import (
    Asset,
    AssetContext,
    CheckResult,
    Integration,
    Link,
    Output,
    Png,
    Project,
    StaticPartitionsDefinition,
    asset,
    asset_check,
)
from assetry.plugin import Event, Invocation, Materialized, Observed, hookimpl
from assetry.project.history.retention import Retention
from assetry.types.keys import AssetKey

from tests.pictures import png

WIDTH = [1]
#: Everything is old at once.
NOTHING_STAYS = Retention(**dict.fromkeys(("events", "runs", "attempts", "materializations"), timedelta(0)))


@asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]), partitions="range")
def sales(context: AssetContext) -> Any:
    context.add_metadata(None, "us", shape=Png(png(WIDTH[0], 9)))
    return Output({"eu": 1, "us": 2}, metadata={"plot": Png(png(WIDTH[0]))})


@asset
def total() -> Output[int]:
    return Output(3, metadata={"plot": Png(png(WIDTH[0]))})


@asset_check(asset=total)
def good(total: int) -> CheckResult:
    return CheckResult(True, metadata={"plot": Png(png(WIDTH[0], 7))})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    WIDTH[0] = 1
    with Project([sales, total, good], root=tmp_path) as found:
        found.settings = replace(found.settings, retention=NOTHING_STAYS)
        yield found


def there(project: Project) -> list[tuple[int, int]]:
    """Return the pictures that are there, by width and height, all of them as if they were of two days ago."""
    folder = project.root / ".assetry" / "state.db.pictures"
    then = time.time() - 2 * 24 * 60 * 60
    found = []
    for path in folder.iterdir():
        os.utime(path, (then, then))
        picture = Png(path)
        found.append((picture.width, picture.height))
    return sorted(found)


def test_they_are_kept_once_and_go_when_nothing_refers_to_them(project: Project) -> None:
    def make() -> None:
        assert project.materialize(partition="all").ok

    make()
    assert there(project) == [(1, 2), (1, 7), (1, 9)]
    assert project.prune_history().pictures == 0, "what was made last refers to them"
    WIDTH[0] = 2
    make()
    project.accept("total", why="as it was")
    WIDTH[0] = 3
    make()
    assert there(project) == [(width, height) for width in (1, 2, 3) for height in (2, 7, 9)]
    assert project.prune_history(dry_run=True).pictures == 0, "records refer to them that are not removed yet"
    assert project.prune_history().pictures == 6
    assert there(project) == [(3, 2), (3, 7), (3, 9)]
    (made,) = project.store.latest([AssetKey("total")]).values()
    assert project.pictures.read(made.metadata["plot"]["digest"]) == png(3)


def test_records_in_memory_have_them_there(tmp_path: Path) -> None:
    with Project([total], root=tmp_path, store="sqlite::memory:", io="memory:") as found:
        assert found.materialize().ok
        (made,) = found.store.latest().values()
        assert found.pictures.read(made.metadata["plot"]["digest"]) == png(WIDTH[0])
        assert found.with_options({}).pictures is found.pictures
        assert found.prune_history().pictures == 0
    assert list(tmp_path.iterdir()) == []


def test_a_store_elsewhere_has_them_beside_it(tmp_path: Path) -> None:
    with Project([total], root=tmp_path, store=f"sqlite:{tmp_path}/my records.db", io="memory:") as found:
        assert found.materialize().ok
        assert (tmp_path / "my records.db.pictures").is_dir()


class Mill:
    """A plugin whose tool draws pictures."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_invoke(self, invocation: Invocation) -> Iterator[Event]:
        yield Materialized("flour", metadata={"plot": Png(png(5)), "page": Link("https://example.com")})

    @hookimpl
    def assetry_observe(self, invocation: Invocation) -> Iterator[Event]:
        yield Observed("flour", data_version="2", metadata={"plot": Png(png(6))})


def test_those_of_any_integration_are_kept(tmp_path: Path) -> None:
    flour = Asset(key="flour", kind="mill", integration=Integration("mill", "mill"))
    grain = Asset(key="grain", kind="mill", executable=False)
    with Project([flour, grain], plugins=[Mill()], root=tmp_path, io="memory:") as found:
        assert found.materialize().ok
        assert found.history("flour")[0].metadata["page"] == {"type": "link", "url": "https://example.com"}
        assert found.observe("flour").ok
        assert found.record_observed([Observed("grain", data_version="1", metadata={"plot": Png(png(7))})]).ok
        told = [*found.history("flour"), *found.history("grain")]
        assert [each.metadata["plot"]["width"] for each in told] == [6, 5, 7]
        assert [found.pictures.read(each.metadata["plot"]["digest"]) for each in told] == [png(6), png(5), png(7)]
