"""Rows of an older logic are told before they are kept, and as long as they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from assetry import Asset, Integration, Project
from assetry.plugin import Invocation, Materialized, RunContext, hookimpl


class Mill:
    """A plugin whose tool makes whatever it is asked for."""

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Materialized]:
        for asset in invocation.assets:
            yield Materialized(asset.key)

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None


GROWING = Asset(key="daily", kind="mill", code_version="1", code_parts={"body": "1"}, incremental=True)
REWRITTEN = replace(GROWING, code_version="2", code_parts={"body": "2"})


def project(folder: Path, asset: Asset) -> Project:
    return Project([asset], root=folder, plugins=[Mill()])


def made(folder: Path, asset: Asset, full_refresh: bool = False) -> None:
    with project(folder, asset) as found:
        found.materialize(full_refresh=full_refresh)


def note_of(folder: Path, asset: Asset) -> str | None:
    with project(folder, asset) as found:
        (status,) = found.status()
        return status.note


def test_a_change_is_told_with_what_it_does_not_reach(tmp_path: Path) -> None:
    made(tmp_path, GROWING)
    assert note_of(tmp_path, GROWING) is None
    with project(tmp_path, REWRITTEN) as found:
        (status,) = found.status()
        text = "its body changed; rows made before keep the old logic until a full refresh (`--full-refresh`)"
        assert (status.status, status.reasons[0].text) == ("stale", text)
        plan = found.plan(stale=True)
        assert plan.invocations[0].because == {"daily": "its body changed"}
        (note,) = plan.notes
        assert note.startswith(
            "The code of `daily`, which is incremental, changed; rows made before keep the old logic"
        )
        assert found.plan(full_refresh=True).notes == ()


def test_it_is_told_until_all_is_made_anew(tmp_path: Path) -> None:
    made(tmp_path, GROWING)
    made(tmp_path, REWRITTEN)
    first = note_of(tmp_path, REWRITTEN)
    assert first is not None
    assert first.endswith(" have an older logic until a full refresh (`--full-refresh`)")
    made(tmp_path, REWRITTEN)
    assert note_of(tmp_path, REWRITTEN) == first, "another run that adds rows reaches no older ones"
    made(tmp_path, REWRITTEN, full_refresh=True)
    assert note_of(tmp_path, REWRITTEN) is None


@pytest.mark.parametrize("full_refresh", [False, True])
def test_what_no_refresh_reaches_is_told_on(tmp_path: Path, full_refresh: bool) -> None:
    kept = {"refreshable": False}
    made(tmp_path, replace(GROWING, **kept))  # type: ignore[arg-type]
    with project(tmp_path, replace(REWRITTEN, **kept)) as found:  # type: ignore[arg-type]
        assert found.plan(full_refresh=full_refresh).notes[0].endswith("keep the old logic, also after a full refresh")
    made(tmp_path, replace(REWRITTEN, **kept), full_refresh)  # type: ignore[arg-type]
    assert str(note_of(tmp_path, replace(REWRITTEN, **kept))).endswith("have an older logic, also after a full refresh")  # type: ignore[arg-type]


def test_what_is_made_as_a_whole_keeps_nothing(tmp_path: Path) -> None:
    made(tmp_path, replace(GROWING, incremental=False))
    whole = replace(REWRITTEN, incremental=False)
    with project(tmp_path, whole) as found:
        assert found.status()[0].reasons[0].text == "its body changed"
        assert found.plan().notes == ()
    made(tmp_path, whole)
    assert note_of(tmp_path, whole) is None


def test_rows_of_another_table_do_not_come_along(tmp_path: Path) -> None:
    made(tmp_path, replace(GROWING, code_parts={"body": "1", "relation": "raw"}))
    moved = replace(REWRITTEN, code_parts={"body": "1", "relation": "lake"})
    with project(tmp_path, moved) as found:
        assert found.status()[0].reasons[0].text == "its relation changed"
        assert found.plan(stale=True).notes == ()
    made(tmp_path, moved)
    assert note_of(tmp_path, moved) is None
