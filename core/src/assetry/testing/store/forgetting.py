"""What a store has records of, and what it forgets."""

from __future__ import annotations

from assetry.testing.store.samples import A, B, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store


class ForgettingChecks:
    """Checks of records that are forgotten."""

    @needs(
        "test_remember_the_last_materialization_of_each_partition",
        "test_remember_the_last_attempt_of_each_asset",
        "test_tell_what_was_made_since_a_revision",
    )
    def test_forget_what_is_asked_and_nothing_else(self, store: Store) -> None:
        longer = AssetKey(f"{A}/x")
        store.begin(run("r"))
        parts = [made(A, f"p{each}", number, partition=each) for number, each in enumerate("xyz")]
        whole, other, third = made(A, "v1", 5), made(B, "w1", 6), made(longer, "u1", 7)
        check = record(ev.Checked(A, "has_rows", False, partition="x"))
        store.append([check], [*parts, whole, other, third], [tried(A, "failed", "r", 8), tried(B, "failed", "r", 8)])
        store.change_partition_keys(A, add=["x", "y"])
        since = store.changes([A, B])
        assert since is not None, "changes() without a revision tells of all there is"
        assert store.recorded() == {A, B, longer}, f"of the assets with records it names {store.recorded()}"
        store.forget(A, ["x", None, "never"])
        there = dict(store.latest())
        wanted = {(A, "y"): parts[1], (A, "z"): parts[2], (B, None): other, (longer, None): third}
        assert there == wanted, f"after two of three partitions and a whole were forgotten there are {sorted(there)}"
        assert set(store.attempts()) == {(B, None)}, "attempts() tells how something came out that was forgotten"
        assert not store.latest_checks([A]), "latest_checks() tells of a partition that was forgotten"
        assert set(store.partition_keys([A])[A].keys) == {"x", "y"}, (
            "the keys of partitions go only with all of an asset"
        )
        found = store.changes([A, B], since.revision)
        assert found is None or found.revision != since.revision, (
            "changes(since) says that nothing has changed, and something was forgotten: no revision holds after that"
        )
        store.forget(A)
        assert set(store.latest()) == {(B, None), (longer, None)}, (
            "forget() without partitions is about all of an asset"
        )
        assert store.recorded() == {B, longer}, "recorded() names an asset that was forgotten"
        assert not store.partition_keys([A]), "the keys of partitions of an asset that was forgotten are still there"
        assert len(list(store.events("r"))) == 1, "events stay, whatever is forgotten"
        store.forget(A)
        again = made(A, "v9", 9)
        store.append([], [again])
        assert store.latest([A]) == {(A, None): again}, "what was forgotten cannot be made again"
