"""Orders carried out beside other runs: planned anew where these came first, waited for, or joined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from assetry.errors import ConflictError, OutdatedPlanError
from assetry.project.runs.joining import Joining
from assetry.project.runs.order import Manner, Order, request_of
from assetry.project.runs.queueing import Queued
from assetry.project.runs.runner import Runner
from assetry.run.leases.lease import wanted_leases
from assetry.run.result import RunResult, new_run


def carry_out(runner: Runner, order: Order, again: Callable[[], Order] | None, manner: Manner) -> RunResult:
    """Carry out an order, and return how it ended; `again` makes it anew, by records as they are then.

    Raises `ConflictError` where another run is making some of it and that is to be no success, and `OutdatedPlanError`
    where it does not fit any more and cannot be made anew.
    """
    while True:
        try:
            return runner.run(order.plan, request_of(order, manner))
        except OutdatedPlanError:
            if again is None:
                raise
            manner.on_note("Another run has made some of it meanwhile: what is left is planned anew.")
            order = again()
        except ConflictError as conflict:
            if manner.on_conflict == "fail":
                raise
            if manner.on_conflict == "wait":
                return _waited(runner, order, again, manner)
            return Joining(runner, manner).result(order, conflict)


def _waited(runner: Runner, order: Order, again: Callable[[], Order] | None, manner: Manner) -> RunResult:
    """Wait until an order can be carried out, and do it as it is then."""
    store = runner.services.store
    info = replace(new_run(tuple(order.plan.wants), manner.options), priority=manner.priority)
    queued = Queued(store, info, manner.on_note)
    try:
        while queued.wait(wanted_leases(order.plan, runner.graph)):
            order = order if again is None else again()
            try:
                return runner.run(order.plan, request_of(order, manner, info.id))
            except ConflictError:
                continue  # another one was before us: by what it has leased, or has made
    finally:
        queued.leave()
    ended = replace(info, state="cancelled", finished=datetime.now(UTC))
    return RunResult(ended, {}, {}, load=runner.load, recorded=False)
