"""What a store does with old history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from assetry.testing.store.samples import START, A, B, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import Acceptance, KeptHistory


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

    @needs("test_remember_the_last_materialization_of_each_partition")
    def test_tell_what_was_made_of_an_asset_newest_first(self, store: Store) -> None:
        parts = [made(A, f"p{number}", number, partition=each) for number, each in enumerate("xyx")]
        whole, other = made(A, "v1", 3), made(B, "w1", 4)
        for each in (parts[1], parts[0], whole, other, parts[2]):
            store.append([], [each])
        wanted = [whole, parts[2], parts[1], parts[0]]
        assert list(store.history(A)) == wanted, "history() gives all that was made of an asset, newest first"
        assert list(store.history(A, limit=2)) == wanted[:2], "with a limit it gives the newest"
        assert list(store.history(A, "x")) == [parts[2], parts[0]], "with a partition it gives what was made of that"
        assert list(store.history(AssetKey("shop"))) == [], "an asset that was never made has a history"
        after = replace(whole, code_version="c2")
        store.accept([Acceptance(at=whole.at, by="ana", why="", before=whole, after=after)])
        assert list(store.history(A)) == [after, *wanted[1:]], "what counts as another record is in it as that, once"

    @needs("test_remember_the_last_materialization_of_each_partition", "test_give_back_every_event_as_it_was")
    def test_tell_which_pictures_are_needed(self, store: Store) -> None:
        assert store.pictures() == frozenset(), "a new store refers to pictures"
        names = [f"{number:032x}" for number in range(5)]
        told = [{"plot": {"type": "png", "digest": name, "size": 9, "width": 1, "height": 1}} for name in names]
        store.begin(run("r"))
        check = record(ev.Checked(A, "good", True, metadata=told[1]))
        store.append([record(ev.Materialized(B, "x", "v1", metadata=told[0])), check])
        whole = replace(made(A, "v1", 1), metadata=told[2])
        after = replace(whole, code_version="c2")
        store.append([], [whole])
        store.accept([Acceptance(at=whole.at, by="ana", why="", before=whole, after=after)])
        store.append([], [replace(made(A, "v2", 2), metadata={**told[3], "text": f'"digest": "{names[4]}"'})])
        found = store.pictures()
        assert found >= set(names[:4]), "pictures() lacks some that events, checks, what was made or accepted refer to"
        store.finish("r", "succeeded", START)
        store.prune(_until(START + timedelta(days=1)))
        found = store.pictures()
        assert found >= set(names[1:4]), "pictures() lacks some that what is never pruned refers to"
        assert names[0] not in found, "pictures() has one that only an event referred to which was pruned"

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
