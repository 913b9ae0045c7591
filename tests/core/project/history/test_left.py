"""What runs have left, where others made some of it beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from assetry import DynamicPartitionsDefinition, Project, asset
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo

KEYS = ("orders", "files", "total")


def project(killed: dict[str, RunInfo], **options: Any) -> Project:
    """Return a project in whose next run another one begins, of the same assets, and is killed at once."""

    @asset
    def orders() -> int:
        if "run" not in killed:
            wants = {"files": [["b", "b"], ["a", "a"]]}
            info = RunInfo(
                id="killed",
                state="running",
                started=datetime.now(UTC),
                assets=tuple(map(AssetKey, KEYS)),
                options={**options, "wants": wants},
            )
            found.store.begin(info)
            found.store.finish(info.id, "interrupted", datetime.now(UTC))
            killed["run"] = found.find_run("killed")
        return 1

    @asset(partitions_def=DynamicPartitionsDefinition("file"))
    def files(partition: str, orders: int) -> str:
        assert not (partition == "b" and "broken" in killed), "it is broken"
        return partition

    @asset
    def total(orders: int) -> int:
        return orders

    found = Project([orders, files, total], store="sqlite::memory:", io="memory:")
    return found


def left(found: Project, run: RunInfo) -> dict[str, int | None]:
    plan = found.plan_retry(run)
    return {
        str(key): None if parts is None else len(parts)
        for each in plan.invocations
        for key, parts in {asset.key: each.parts.get(asset.key) for asset in each.invocation.assets}.items()
    }


def test_what_was_out_of_date_and_another_run_made_meanwhile_is_not_left_of_a_killed_run() -> None:
    killed: dict[str, RunInfo] = {}
    with project(killed, stale=True) as found:
        assert found.materialize("orders files", partition="a, b").ok
        assert found.undone(killed["run"]) == ("total",)
        assert left(found, killed["run"]) == {"total": None}
        assert found.retry("killed").ok
        assert found.undone(killed["run"]) == ()


def test_a_partition_that_the_other_run_did_not_make_is_left() -> None:
    killed: dict[str, RunInfo] = {}
    with project(killed, stale=True) as found:
        found.materialize("orders files total", partition="a")
        killed["broken"] = killed["run"]
        found.materialize("files", partition="b")
        assert left(found, killed["run"]) == {"files": 1}


@pytest.mark.parametrize("options", [{}, {"stale": False}])
def test_what_was_asked_for_is_left_though_another_run_that_began_before_made_it(options: Any) -> None:
    killed: dict[str, RunInfo] = {}
    with project(killed, **options) as found:
        assert found.materialize("orders files total", partition="a, b").ok
        assert left(found, killed["run"]) == {"orders": None, "files": 2, "total": None}
