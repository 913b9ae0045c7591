from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_history_newest_first(shop: Folder) -> None:
    assert "no run yet" in shop.call("runs").stderr
    shop.call("materialize", "-q")
    shop.call("materialize", "-q", "-s", "orders", "--full-refresh")
    head, newest, oldest = shop.call("runs").stdout.splitlines()
    assert head.split() == ["RUN", "STATE", "STARTED", "TOOK", "ASSETS", "ASKED"]
    assert newest.endswith("-s orders --full-refresh")
    assert oldest.endswith("everything")
    data = shop.json("runs")["runs"]
    assert [run["state"] for run in data] == ["succeeded", "succeeded"]
    assert data[0]["assets"] == ["orders"]
    assert data[0].keys() >= {"run", "state", "started", "finished", "assets", "options"}
    assert len(shop.ndjson("runs", "-n", "1")) == 1
