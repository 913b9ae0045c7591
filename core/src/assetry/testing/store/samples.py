"""What a store under test is given to keep: runs, and records with everything that they can hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from assetry.types import events as ev
from assetry.types.assets import Column
from assetry.types.events import Event
from assetry.types.keys import AssetKey
from assetry.types.records import Appended, Attempt, EventRecord, Look, Materialization, Outcome, RunInfo

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
A, B = AssetKey("shop/a"), AssetKey("shop/b")

#: One of each event, with everything it can hold.
EVENTS: tuple[Event, ...] = (
    ev.RunStarted(2, 1),
    ev.InvocationStarted("acme", (A, B), "acme:mill", "acme make a b"),
    ev.Handle("job-7", "https://example.com/jobs/7"),
    ev.JobOver("job-7"),
    ev.Waiting("warehouse", ("other",), "2026-01-02T03:04:05+00:00"),
    ev.Started(A, "2024-01-01"),
    ev.Progress(A, 1.5, 3),
    ev.Log("a 'line' with ünïcödé\nand another", "warning", A),
    ev.Observed(A, "2024-01-01", "v0", (Column("id", "integer"),), {"rows": 1}),
    ev.Materialized(A, "2024-01-01", "v1", (Column("id", "integer", "the key", ("pii",)),), {"rows": 3, "deep": [{}]}),
    ev.Checked(A, "has_rows", False, "warn", "none", {"seen": 0}, partition="2024-01-01"),
    ev.Failed(B, "no column id", "Add it.", True, where="b.sql:3"),
    ev.Materialized(A, "2024-01-02", "v2", through="2024-01-31", count=30),
    ev.Skipped(B, "shop/a failed", A),
    ev.Deleted(A, "2024-01-01", "the table shop.a"),
    ev.InvocationFinished("failed", 1.25, "acme ended with 70"),
    ev.RunFinished("failed", 2.5, {"materialized": 1, "failed": 1}),
)


def run(id_: str, started: datetime = START, options: Mapping[str, Any] | None = None) -> RunInfo:
    """Return a run of this process."""
    return RunInfo(
        id=id_, state="running", started=started, assets=(A, B), options=options or {}, process=os.getpid(), host=""
    )


def record(event: Event, invocation: str = "1", run_id: str = "r") -> EventRecord:
    """Return the record of an event."""
    return EventRecord(at=START, run=run_id, event=event, invocation=invocation)


def made(key: AssetKey, version: str, minutes: int, partition: str | None = None) -> Materialization:
    """Return a materialization with everything it can hold."""
    return Materialization(
        key=key,
        partition=partition,
        at=START + timedelta(minutes=minutes),
        run="r",
        data_version=version,
        code_version="c1",
        code_parts={"body": "b1"},
        inputs={B: "w0"} if key == A else {},
        columns=(Column("id", "integer"),),
        metadata={"rows": 3},
        seconds=0.5,
        as_of=START + timedelta(minutes=minutes - 10),
        appended={B: Appended(START, "w0"), A: Appended()} if key == A else {},
        epoch="e1" if key == A else None,
    )


def looked(key: AssetKey, version: str, minutes: int, partition: str | None = None) -> Look:
    """Return a look at something that is as it was."""
    at = START + timedelta(minutes=minutes)
    return Look(key=key, partition=partition, at=at, data_version=version, as_of=at - timedelta(minutes=1))


def tried(
    key: AssetKey,
    outcome: Outcome,
    run_id: str,
    minutes: int,
    message: str | None = None,
    because: AssetKey | None = None,
) -> Attempt:
    """Return an attempt."""
    at = START + timedelta(minutes=minutes)
    hint = None if message is None else f"Mend that: {message}"
    return Attempt(key=key, run=run_id, at=at, outcome=outcome, message=message, because=because, hint=hint)
