"""What a store keeps of backfills: each as it was last changed, by one at a time."""

from __future__ import annotations

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from assetry.errors import ConflictError
from assetry.testing.child import LONGEST
from assetry.testing.store.samples import START, run
from assetry.testing.verdicts import needs
from assetry.types.protocols import Store
from assetry.types.records import BackfillRecord


class BackfillChecks:
    """Checks of what is kept of backfills."""

    def test_keep_backfills_as_they_were_last_changed(self, store: Store) -> None:
        assert list(store.backfills()) == [], "a new store has backfills: begin with none"
        body = {"wants": {"shop/äpfel": [["2026-01-01", "2026-01-31"]]}, "why": None, "limit": 3}
        first, second = (BackfillRecord(id=id_, at=START, body=body) for id_ in ("b1", "b2"))
        assert store.change_backfill(first, None), "a new backfill was not recorded: before=None asks for that"
        assert store.change_backfill(second, None), "a second backfill was not recorded beside the first"
        assert list(store.backfills()) == [second, first], "list backfills newest first, each as it was recorded"
        done = replace(first, state="done", body={"counts": {"done": 31}})
        assert store.change_backfill(done, "open"), (
            "a backfill that is open could not be ended: its state was as expected"
        )
        assert list(store.backfills()) == [second, done], (
            "one backfill is to be changed, and no other: keep what it was changed to"
        )

    @needs("test_keep_backfills_as_they_were_last_changed")
    def test_change_a_backfill_only_as_long_as_it_is_as_expected(self, store: Store) -> None:
        record = BackfillRecord(id="b", at=START, body={"n": 1})
        cancelled = replace(record, state="cancelled", body={"n": 2})
        assert not store.change_backfill(record, "open"), "a backfill that there is not was said to be changed"
        assert list(store.backfills()) == [], "a backfill that there is not was recorded as a changed one"
        store.change_backfill(record, None)
        assert not store.change_backfill(replace(record, body={"n": 3}), None), (
            "a backfill was recorded twice under one id: before=None asks for a new one"
        )
        assert store.change_backfill(cancelled, "open"), "a backfill that is as it was expected could not be changed"
        assert not store.change_backfill(replace(record, state="done"), "open"), (
            "a backfill was changed by one who took it for open: compare its state with `before`"
        )
        assert list(store.backfills()) == [cancelled], (
            "the backfill is not as it was changed first: leave it when `before` is not its state"
        )

    @needs("test_change_a_backfill_only_as_long_as_it_is_as_expected")
    def test_let_only_one_of_many_threads_change_a_backfill(self, store: Store) -> None:
        record = BackfillRecord(id="b", at=START)
        store.change_backfill(record, None)
        threads = 8
        together = threading.Barrier(threads)

        def end(number: int) -> bool:
            together.wait(LONGEST)
            return store.change_backfill(replace(record, state="done", body={"by": number}), "open")

        with ThreadPoolExecutor(threads) as pool:
            changed = list(pool.map(end, range(threads)))
        assert changed.count(True) == 1, f"{changed.count(True)} threads have changed a backfill from the same state"
        (found,) = store.backfills()
        assert found.body == {"by": changed.index(True)}, (
            "the backfill is not as the one has changed it who was told so"
        )

    def test_let_one_process_at_a_time_wait_under_one_id(self, store: Store) -> None:
        other = replace(run("r"), process=os.getppid(), host=socket.gethostname())
        store.enqueue(other, {})
        refused = False
        try:
            store.enqueue(run("r"), {})
        except ConflictError:
            refused = True
        assert refused, "two processes wait under one id: raise ConflictError, or both carry out what only one should"
        assert [each.run.process for each in store.queue()] == [other.process], (
            "who came second has taken the place of the first in the queue"
        )
        store.finish("r", "cancelled", START)
        store.enqueue(run("r"), {})
        store.enqueue(run("r"), {})
        assert [each.run.id for each in store.queue()] == ["r"], (
            "who waits already and asks again is to stand in the queue once"
        )
