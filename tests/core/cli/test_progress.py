from __future__ import annotations

import io
from datetime import UTC, datetime

from assetry.cli.lines import event_line
from assetry.cli.progress import LiveProgress, View, picture_lines
from assetry.cli.runs.logs import is_for_people
from assetry.cli.session import Session
from assetry.types.codec import from_json
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    Handle,
    InvocationFinished,
    InvocationStarted,
    Log,
    Materialized,
    Observed,
    Progress,
    RunFinished,
    RunStarted,
    Skipped,
    Started,
)
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord
from assetry.views.json import complete, event_to_json
from rich.console import Console

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
KEYS = tuple(AssetKey(f"shop/{name}") for name in ("orders", "customers", "report"))
EVERY: tuple[Event, ...] = (
    RunStarted(3, 1),
    InvocationStarted("dbt", KEYS, "dbt:shop", "dbt build"),
    Started(KEYS[0]),
    Progress(KEYS[0], 5, 10),
    Log("a line", "warning", KEYS[0]),
    Handle("job-7", "https://example.com/jobs/7"),
    Materialized(KEYS[0], metadata={"rows": 1200}),
    Observed(KEYS[1], data_version="1"),
    Checked(KEYS[0], "unique", False, "warn", "2 rows\nmore"),
    Skipped(KEYS[2], "shop/customers failed"),
    Failed(KEYS[1], "No such table.\nDetails.", hint="Make it."),
    InvocationFinished("failed", 1.5, None),
    RunFinished("failed", 2.0, {"failed": 1}),
)


def record(event: Event, invocation: str | None = "1") -> EventRecord:
    return EventRecord(at=AT, run="r", invocation=invocation, event=event)


def test_every_event_is_a_line_for_people() -> None:
    for event in EVERY:
        line = event_line(record(event))
        assert "\n" not in line
        assert len(line) > 20


def test_what_a_job_is_found_again_by_is_for_those_who_ask_for_more() -> None:
    assert [each.name for each in EVERY if not is_for_people(each)] == ["progress", "handle"]


def test_every_event_is_json_that_reads_back() -> None:
    for event in EVERY:
        data = event_to_json(record(event))
        assert list(data)[:5] == ["version", "event", "at", "run", "invocation"]
        assert data["event"] == event.name
        assert data["at"] == "2026-01-31T12:00:00+00:00"
        assert from_json(Event, data) == event


def test_defaults_are_written_out() -> None:
    assert complete(Started("a")).items() >= {"asset": "a"}.items()
    assert complete(Failed("a", "no")).items() >= {"message": "no", "hint": None, "retryable": False}.items()


def picture(events: tuple[Event, ...]) -> list[str]:
    view = View(began=0.0)
    for event in events:
        view.take(record(event))
    for track in view.tracks.values():
        track.began = 0.0
    return list(picture_lines(view, now=65.0))


def test_the_picture_has_a_line_per_invocation_and_one_for_the_run() -> None:
    lines = picture(EVERY[:4])
    assert lines == ["▸ 1 min 5 s  dbt 0/3  shop/orders 50%", "  1 min 5 s  0/3 assets"]
    lines = picture(EVERY[:-2])
    assert lines[0] == "▸ 1 min 5 s  dbt 3/3"
    assert lines[1] == "  1 min 5 s  3/3 assets · 1 failed · 1 skipped · 1 check did not pass"
    assert len(picture(EVERY)) == 1


def test_many_invocations_do_not_fill_the_screen() -> None:
    view = View()
    for i in range(100):
        view.take(record(InvocationStarted("python", (AssetKey(f"a{i}"),)), str(i)))
    lines = list(picture_lines(view))
    assert len(lines) == 14
    assert "88 invocations more" in lines[-2]


def test_a_terminal_of_80_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system=None, highlight=False)
    with LiveProgress(Session(), console) as progress:
        for event in EVERY:
            progress.take(record(event))
            assert max(len(line) for line in progress.picture().plain.splitlines()) <= 80
    text = out.getvalue()
    assert "materialized  shop/orders  (1,200 rows)" in text
    assert "failed        shop/customers: No such table. …" in text
    assert "started" not in text  # what only goes on is in the picture, not above it
    assert progress.view.failures == [EVERY[10]]
    assert progress.view.done == 3


def test_ranges_count_as_many_and_what_is_begun_is_shown_till_all_of_it_has_ended() -> None:
    view = View(began=0.0)
    a = AssetKey("a")

    def shown(*events: Event) -> list[str]:
        for event in events:
            view.take(record(event))
        for track in view.tracks.values():
            track.began = 60.0
        return list(picture_lines(view, now=65.0))

    begun = shown(
        RunStarted(1, 1, partitions=9),
        InvocationStarted("x", (a,), partitions=9),
        Started(a, "1", through="4", count=4),
        Started(a, "5"),
    )
    assert begun == ["▸       5 s  x a 0/9  a [1..4] and a [5]", "  1 min 5 s  0/9 partitions"]
    some = shown(Materialized(a, "1", through="3", count=3), Failed(a, "no", partition="5"))
    assert some == ["▸       5 s  x a 4/9  a [1..4]", "  1 min 5 s  4/9 partitions · 1 failed"]
    rest = shown(Skipped(a, "no", partition="4"), Skipped(a, "no", partition="6", through="9", count=4))
    assert rest == ["▸       5 s  x a 9/9", "  1 min 5 s  9/9 partitions · 1 failed · 5 skipped"]


def test_a_range_is_a_line_and_json() -> None:
    made = record(Materialized("a", "1", "v", through="3", count=3))
    assert event_line(made).endswith("a [1..3]")
    data = event_to_json(made)
    assert (data["partition"], data["through"], data["count"]) == ("1", "3", 3)
    assert from_json(Event, data) == made.event
