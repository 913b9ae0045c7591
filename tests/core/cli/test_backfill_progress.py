"""The table of a backfill, and what is told of it in lines."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
from assetry.cli.backfills.backfills import end_text
from assetry.cli.backfills.progress import BackfillProgress, LiveProgress, table_lines
from assetry.cli.session import Session
from assetry.status.backfill import Backfill, BackfillAsset
from assetry.types.events import Failed, InvocationStarted, Materialized, Waiting
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord
from rich.console import Console

A, B = AssetKey("shop/orders"), AssetKey("shop/report")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def standing(done: int = 30, **more: object) -> Backfill:
    assets = (
        BackfillAsset(key=A, wanted=40, done=done, failed=2, left=38 - done),
        BackfillAsset(key=B, wanted=1, left=1),
    )
    found = {"wanted": 41, "done": done, "failed": 2, "left": 39 - done, "assets": assets, **more}
    return Backfill(id="b1", state="running", at=NOW, **found)  # type: ignore[arg-type]


@pytest.fixture
def session() -> Session:
    return Session()


def test_the_table_has_each_asset_and_all_of_it(session: Session) -> None:
    progress = BackfillProgress(session)
    assert list(table_lines(progress)) == ["  reading what there is …"]
    progress.take(standing(running=3))
    first, second, last = table_lines(progress, progress.began + 65)
    assert first.split() == ["shop/orders", "███████████████×····", "30/40", "2", "failed", "8", "left"]
    assert second.split() == ["shop/report", "····················", "0/1", "1", "left"]
    assert last.strip() == "1 min 5 s  30 of 41 done, 2 failed, 9 left · 3 under way · not known yet"


def test_it_tells_how_fast_it_goes_by_what_was_made_since_it_began(session: Session) -> None:
    progress = BackfillProgress(session)
    progress.take(standing(10))
    assert progress.rate == "", "what was there before is no pace"
    progress.take(standing(30))
    progress.began -= 60
    pace = float(progress.rate.removesuffix(" a minute"))
    assert 15 < pace <= 20


def test_it_tells_about_when_it_ends() -> None:
    soon = datetime.now(UTC) + timedelta(days=40)
    assert end_text(standing(eta=soon)) == f"about {soon.astimezone():%Y-%m-%d %H:%M}"
    assert end_text(standing()) == "not known yet"
    assert end_text(Backfill(id="b1", state="done", at=NOW)) == ""


def test_what_waits_is_told_until_it_begins(session: Session) -> None:
    progress = BackfillProgress(session)
    progress.take(standing())
    progress.hear(EventRecord(at=NOW, run="r", event=Waiting("warehouse", ("x",), NOW.isoformat()), invocation="1"))
    assert any("warehouse" in line for line in table_lines(progress))
    progress.hear(EventRecord(at=NOW, run="r", event=InvocationStarted("python", (A,)), invocation="1"))
    assert not any("warehouse" in line for line in table_lines(progress))


def test_of_many_assets_the_first_are_shown(session: Session) -> None:
    progress = BackfillProgress(session)
    progress.take(standing(assets=tuple(BackfillAsset(key=AssetKey(f"a{n}"), wanted=1) for n in range(30))))
    assert "  … and 18 assets more" in list(table_lines(progress))


def test_on_a_terminal_failures_stand_above_the_table(session: Session) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, color_system=None, highlight=False)
    with LiveProgress(session, console) as progress:
        progress.take(standing())
        progress.hear(EventRecord(at=NOW, run="r", event=Materialized(A, partition="2026-01-01"), invocation="1"))
        progress.hear(EventRecord(at=NOW, run="r", event=Failed(A, "no today", partition="2026-01-02"), invocation="1"))
        assert "30 of 41 done" in str(progress.picture())
    assert "no today" in out.getvalue()
    assert "2026-01-01" not in out.getvalue(), "what came out well is counted alone"
