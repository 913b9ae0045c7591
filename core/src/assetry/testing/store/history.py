"""What a store does with old history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from assetry.testing.store.samples import START, A, B, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.protocols import Store
from assetry.types.records import KeptHistory


class HistoryChecks:
    """Checks of what is removed, and of what never is."""

    @needs(
        "test_remember_the_last_materialization_of_each_partition",
        "test_remember_the_last_attempt_of_each_asset",
        "test_list_runs_newest_first",
    )
    def test_remove_what_is_old_and_nothing_else(self, store: Store) -> None:
        broken = record(ev.InvocationFinished("failed", 1.0, "acme ended with 70"), run_id="broken")
        for id_, minutes in (("old", 0), ("broken", 1), ("wanted", 2), ("job", 3), ("new", 60)):
            _one_run(store, id_, minutes)
        store.append([broken])
        store.append([record(ev.Handle("job-7"), run_id="job"), record(ev.Checked(A, "x", True), run_id="old")])
        store.begin(run("living", started=START))
        store.append([record(ev.Started(A), run_id="living")])
        before = _standing(store)
        kept = replace(_until(START + timedelta(minutes=30)), whole=frozenset(["wanted"]))
        found = store.prune(replace(kept, runs=None), dry_run=True)
        assert tuple(found) == (3, 0, 2, 2), f"with dry_run it tells {found}: of the runs `old` and `broken` that goes"
        assert len(list(store.events("old"))) == 2, "with dry_run nothing may be removed"
        assert store.prune(replace(kept, runs=None)) == found, "it removes something else than it has told"
        there = {each.id: len(list(store.events(each.id))) for each in store.runs()}
        wanted = {"living": 1, "new": 1, "job": 2, "wanted": 1, "broken": 1, "old": 0}
        assert there == wanted, f"of the events of each run there are {there}, not {wanted}: see Store.prune"
        assert {each.id for each in store.runs() if each.pruned} == {"old", "broken"}, (
            "RunInfo.pruned tells what is gone"
        )
        assert store.prune(kept).runs == 2, "runs go where they are to go"
        assert [each.id for each in store.runs()] == ["living", "new", "job", "wanted"], "other runs went than the old"
        assert _standing(store) == before, "what stands, as Store.prune lists it, is not the same after it"

    @needs("test_remove_what_is_old_and_nothing_else", "test_tell_what_was_made_since_a_revision")
    def test_tell_what_was_made_since_after_pruning_too(self, store: Store) -> None:
        for number in range(3):
            _one_run(store, f"r{number}", number)
        since = store.changes([A])
        assert since is not None, "changes() without a revision tells of all there is"
        store.prune(_until(START + timedelta(days=1)))
        store.begin(run("r"))
        last = made(B, "w1", 5)
        store.append([], [last])
        found = store.changes([A, B], since.revision)
        assert found is None or found.latest.get((B, None)) == last, (
            "what was made after something was pruned is missing: numbers must not be used twice"
        )


def _until(moment: datetime) -> KeptHistory:
    return KeptHistory(events=moment, runs=moment, attempts=moment, materializations=moment)


def _one_run(store: Store, id_: str, minutes: int) -> None:
    """Record a run that makes `A` and ends."""
    at = START + timedelta(minutes=minutes)
    store.begin(run(id_, started=at))
    kept, attempt = replace(made(A, id_, minutes), run=id_), tried(A, "materialized", id_, minutes)
    store.append([record(ev.Started(A), run_id=id_)], [kept], [attempt])
    store.finish(id_, "succeeded", at)


def _standing(store: Store) -> list[dict[Any, Any]]:
    """Return what no pruning takes away."""
    return [dict(each) for each in (store.latest(), store.attempts(), store.latest_checks(), store.handles("job"))]
