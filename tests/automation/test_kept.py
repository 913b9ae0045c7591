"""What is kept tells who looks that there is something new."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry import Project, asset
from assetry.plugin import AssetKey
from assetry_automation.kept import DaemonSign, change_memory, revision_of, take_project
from assetry_automation.looking import with_resumed


def test_there_is_something_new_when_something_was_made_or_a_person_let_it_go_on() -> None:
    fails = [False]

    @asset
    def orders() -> int:
        if fails[0]:
            raise ValueError("no")
        return 1

    with Project(assets=[orders], store="sqlite::memory:", io="memory:") as project:
        store, now = project.store, datetime.now(UTC)
        first = revision_of(store)
        assert take_project(store, DaemonSign.own(now)) is None
        assert revision_of(store) == first, "that the daemon lives is no news to it"
        change_memory(store, lambda memory: with_resumed(memory, [AssetKey("orders")], now))
        second = revision_of(store)
        assert second != first
        project.materialize()
        third = revision_of(store)
        assert third not in (first, second)
        fails[0] = True
        project.materialize()
        assert revision_of(store) != third, "what fails is to be made again"
