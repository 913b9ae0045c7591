"""What a store gives away, to whom, and what it refuses to write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assetry.errors import LeaseLostError
from assetry.testing.child import LONGEST
from assetry.testing.store.samples import EVENTS, START, A, B, made, record, run, tried
from assetry.testing.verdicts import needs
from assetry.types.leases import BETWEEN_RUNS, HeldLease, Lease, LeasedParts, Share, SlotRequest
from assetry.types.protocols import Store
from assetry.types.records import Acceptance


class LeaseChecks:
    """Checks of who may make what, and of what is written without the right to."""

    def test_lease_an_asset_to_one_run(self, store: Store) -> None:
        assert store.lease("r1", {A: None}).lease is not None, "a free asset cannot be leased"
        store.begin(run("r1"))
        found = store.lease("r2", {A: None, B: None})
        assert found == (None, (HeldLease(A, "r1"),)), f"an asset that a living run holds is given away: {found}"
        assert {each.key for each in store.leases()} == {A}, "when one asset is held, none may be leased"
        store.finish("r1", "succeeded", START)
        assert store.lease("r2", {A: None, B: None}).lease is not None, "finish must release what a run had leased"

    def test_lease_to_only_one_of_many_threads(self, store: Store) -> None:
        for number in range(8):
            store.begin(run(f"r{number}"))
        together = threading.Barrier(8)

        def lease(number: int) -> bool:
            together.wait(LONGEST)
            return store.lease(f"r{number}", {A: None}).lease is not None

        with ThreadPoolExecutor(8) as pool:
            winners = sum(pool.map(lease, range(8)))
        assert winners == 1, f"{winners} of 8 threads have leased one asset: compare and set in one transaction"

    @needs("test_lease_an_asset_to_one_run", "test_lease_to_only_one_of_many_threads")
    def test_lease_other_partitions_of_one_asset_to_two_runs(self, store: Store) -> None:
        january, february, both = (LeasedParts("days", {"": (span,)}) for span in ((0, 31), (31, 59), (30, 32)))
        assert store.lease("r1", {A: january}).lease is not None, "free partitions cannot be leased"
        store.begin(run("r1"))
        assert store.lease("r2", {A: february, B: None}).lease is not None, "another run cannot have other partitions"
        store.begin(run("r2"))
        held = [HeldLease(A, "r1", january), HeldLease(A, "r2", february)]
        asked = store.lease("r3", {A: both})
        assert asked.lease is None, "partitions that living runs hold are given away"
        assert sorted(asked.held) == held, f"both runs hold some of them, and it tells {asked.held}"
        assert store.lease("r3", {A: None}).lease is None, "all of an asset is given away while runs hold some of it"
        hours = LeasedParts("hours", {"": ((2000, 2001),)})
        assert store.lease("r3", {A: hours}).lease is None, "partitions of two grids cannot be told apart"
        found = sorted(store.leases())
        assert found == [*held, HeldLease(B, "r2")], f"leases() is to tell of all that is held, and tells {found}"
        store.finish("r1", "succeeded", START)
        assert store.lease("r3", {A: january}).lease is not None, "finish must release what a run had leased"

    @needs("test_lease_an_asset_to_one_run", "test_lease_to_only_one_of_many_threads")
    def test_let_go_of_what_a_run_does_not_lease_again(self, store: Store) -> None:
        store.begin(run("r1"))
        store.lease("r1", {A: None})
        assert store.lease("r1", {B: None}).lease is not None, "a run cannot lease again"
        assert set(store.leases()) == {HeldLease(B, "r1")}, "a run that leases again has nothing of what it had before"
        assert store.lease("r1", {}).lease is not None, "a run that leases nothing has a lease nevertheless"
        assert not store.leases(), "a run that leases nothing lets go of all that it had"
        ended = store.run("r1")
        assert ended is not None, "a run that lets go of all is there"
        assert ended.state == "running", f"a run that lets go of all goes on, and is {ended.state!r}"

    @needs("test_lease_an_asset_to_one_run")
    def test_give_every_lease_a_greater_token(self, store: Store) -> None:
        tokens = []
        for number in range(3):
            lease = store.lease(f"r{number}", {A: None}).lease
            assert lease is not None, "finish must release what a run had leased"
            tokens.append(lease.token)
            store.begin(run(f"r{number}"), lease)
            store.append([], [made(A, f"v{number}", number)], lease=lease)
            store.finish(f"r{number}", "succeeded", START, lease=lease)
        store.begin(run("r3"))
        assert tokens == sorted(set(tokens)), f"three leases have the tokens {tokens}: each is to be greater"

    @needs("test_give_every_lease_a_greater_token", "test_give_back_every_event_as_it_was")
    def test_write_only_with_the_lease_that_a_run_has(self, store: Store) -> None:
        first = store.lease("r", {A: None}).lease
        assert first is not None, "a free asset cannot be leased"
        assert store.begin(run("r"), first) == first, "a run begins with the lease that it has"
        store.append([record(EVENTS[0])], lease=first)
        second = store.lease("r", {B: None}).lease
        assert second is not None, "a run may lease more, and has a new lease then"
        _refused(store, first, "a lease that another one came after")
        store.append([record(EVENTS[1])], [made(A, "v1", 0)], lease=second)
        store.finish("r", "succeeded", START, lease=second)
        _refused(store, second, "the lease of a run that has ended")
        found = [each.event for each in store.events("r")], {key for key, _ in store.latest()}
        assert found == (list(EVENTS[:2]), {A}), f"with the leases that it had, the run has recorded {found}"
        ended = store.run("r")
        assert ended is not None, "a run that has ended is there"
        assert ended.state == "succeeded", f"a lease that is over has changed the run's end to {ended.state!r}"
        third = store.lease("r", {A: None}).lease
        assert third is not None, "a run that has ended may go on, and lease again"
        store.begin(run("r"), third)
        _refused(store, second, "a lease of before a run went on")
        store.append([record(EVENTS[2])], lease=third)

    @needs("test_write_only_with_the_lease_that_a_run_has")
    def test_renew_the_lease_that_a_run_has(self, store: Store) -> None:
        lease = store.begin(run("r"))
        again = store.renew(lease)
        assert (again.run, again.token) == (lease.run, lease.token), f"a renewed lease is another one: {again}"
        assert (again.expires or START) >= (lease.expires or START), "a renewed lease expires before it would have"
        store.append([record(EVENTS[0])], lease=lease)
        store.finish("r", "succeeded", START, lease=again)
        try:
            store.renew(lease)
        except LeaseLostError:
            return
        raise AssertionError("the lease of a run that has ended is renewed: raise LeaseLostError")

    @needs("test_lease_an_asset_to_one_run", "test_renew_the_lease_that_a_run_has")
    def test_keep_those_who_wait_in_turn(self, store: Store) -> None:
        store.lease("r1", {A: None})
        store.begin(run("r1"))
        for number, priority in ((2, 50), (3, 0), (4, 0)):
            waits = replace(run(f"r{number}", started=START + timedelta(seconds=number)), priority=priority)
            lease = store.enqueue(waits, {A: None} if number < 4 else {B: None})
            store.renew(lease)
        found = [(each.run.id, each.run.state, dict(each.wanted)) for each in store.queue()]
        wanted = [("r3", "queued", {A: None}), ("r4", "queued", {B: None}), ("r2", "queued", {A: None})]
        # All have waited for longer than an hour, but for a store whose clock is set.
        assert sorted(found) == sorted(wanted), f"of three runs that wait queue() gives {found}"
        assert [each.id for each in store.runs()] == ["r1"], "a run that waits has not begun, and is none of runs()"
        store.finish("r1", "succeeded", START)
        first, second = (each[0] for each in found if each[2] == {A: None})
        assert store.lease(second, {A: None}).lease is None, "what waits first is leased first"
        assert store.lease(first, {A: None}).lease is not None, "what waits first cannot lease what is free"
        assert store.lease("r4", {B: None}).lease is not None, "it waits for those who want other assets"
        assert [each.run.id for each in store.queue()] == [second], "what has leased waits no more"
        store.finish(second, "cancelled", START)
        assert store.queue() == (), "finish is to take out of the queue what waits"
        left = store.run(second)
        assert left is None, "a run that was taken out of the queue has done nothing, and must not stay"

    @needs("test_keep_those_who_wait_in_turn")
    def test_let_what_waits_be_put_first(self, store: Store) -> None:
        now = datetime.now(UTC)
        for number in (1, 2):
            store.enqueue(replace(run(f"r{number}", started=now + timedelta(seconds=number)), priority=50), {A: None})
        store.prioritize("r2", 0)
        found = [(each.run.id, each.run.priority) for each in store.queue()]
        assert found == [("r2", 0), ("r1", 50)], f"after prioritize('r2', 0) those who wait are {found}"


class PoolChecks:
    """Checks of slots of pools, which all runs share."""

    @needs("test_write_only_with_the_lease_that_a_run_has")
    def test_give_no_more_slots_than_a_pool_has(self, store: Store) -> None:
        one, two = store.begin(run("r1")), store.begin(run("r2"))
        share = Share("warehouse", 1, 2)
        requests = [SlotRequest(name, (share,)) for name in "ab"]
        assert set(store.exchange_slots(one, take=requests)) == {"a", "b"}, "slots that are free are not given"
        found = store.exchange_slots(two, take=[SlotRequest("c", (share,))])
        assert found == (), f"of a pool of two slots three are given away: {found}"
        slots = {(each.run, each.ticket, each.pool, each.weight, each.limit, each.held) for each in store.slots()}
        wanted = {("r1", each, "warehouse", 1, 2, True) for each in "ab"} | {("r2", "c", "warehouse", 1, 2, False)}
        assert slots == wanted, f"slots() is to tell of all that is held and waited for, and tells {slots}"
        store.exchange_slots(one, free=["a"])
        assert store.exchange_slots(two, take=[SlotRequest("c", (share,))]) == ("c",), "what was freed is not given"

    @needs("test_give_no_more_slots_than_a_pool_has")
    def test_give_all_that_is_asked_for_or_nothing(self, store: Store) -> None:
        one, two = store.begin(run("r1")), store.begin(run("r2"))
        full, free = Share("full", 1, 1), Share("free", 2, 2)
        store.exchange_slots(one, take=[SlotRequest("a", (full,))])
        both = SlotRequest("b", (full, free))
        assert store.exchange_slots(two, take=[both]) == (), "of two pools one is full"
        found = store.exchange_slots(one, take=[SlotRequest("c", (free,))])
        assert found == ("c",), "what waits for another pool holds what is free of this one"

    @needs("test_give_no_more_slots_than_a_pool_has")
    def test_keep_runs_apart_and_not_what_one_run_does(self, store: Store) -> None:
        one, two = store.begin(run("r1")), store.begin(run("r2"))
        some, all_ = (Share(f"{BETWEEN_RUNS}place", weight, 5) for weight in (1, 5))
        assert store.exchange_slots(one, take=[SlotRequest("a", (some,))]) == ("a",), (
            "slots that are free are not given"
        )
        own = store.exchange_slots(one, take=[SlotRequest("b", (all_,))])
        assert own == ("b",), f"of a pool whose name begins with {BETWEEN_RUNS!r} a run's own slots are in its way"
        other = store.exchange_slots(two, take=[SlotRequest("c", (some,))])
        assert other == (), f"of a pool whose name begins with {BETWEEN_RUNS!r} two runs have more than there is"
        more = store.exchange_slots(one, take=[SlotRequest("d", (some,))])
        assert more == ("d",), "a run that has all of such a pool waits for others to use it, too"
        store.exchange_slots(one, free=["a", "b", "d"])
        assert store.exchange_slots(two, take=[SlotRequest("c", (some,))]) == ("c",), "what was freed is not given"

    @needs("test_give_no_more_slots_than_a_pool_has")
    def test_give_slots_in_turn(self, store: Store) -> None:
        share = Share("warehouse", 1, 1)
        leases = [store.begin(run(f"r{number}")) for number in range(3)]
        store.exchange_slots(leases[0], take=[SlotRequest("a", (share,))])
        for lease in leases[1:]:
            store.exchange_slots(lease, take=[SlotRequest("a", (share,))])
        store.exchange_slots(leases[0], free=["a"])
        late = store.exchange_slots(leases[2], take=[SlotRequest("a", (share,))])
        assert late == (), "a slot is given to one who came after another that waits for it"
        first = store.exchange_slots(leases[1], take=[SlotRequest("a", (share,))])
        assert first == ("a",), "who waits first is given nothing, though it is free"

    @needs("test_give_no_more_slots_than_a_pool_has")
    def test_free_the_slots_of_a_run_that_ends(self, store: Store) -> None:
        share = Share("warehouse", 1, 1)
        one, two = store.begin(run("r1")), store.begin(run("r2"))
        store.exchange_slots(one, take=[SlotRequest("a", (share,))])
        store.finish("r1", "failed", START, lease=one)
        assert store.exchange_slots(two, take=[SlotRequest("a", (share,))]) == ("a",), "finish must free its slots"
        try:
            store.exchange_slots(one, take=[SlotRequest("b", (Share("other", 1, 1),))])
        except LeaseLostError:
            return
        raise AssertionError("a run that has ended takes slots: raise LeaseLostError")


def _refused(store: Store, lease: Lease, what: str) -> None:
    """Fail unless nothing can be written with a lease."""
    before, after = made(B, "w", 9), made(B, "w", 10)
    said = Acceptance(at=START, by="ana", why="It is the same.", before=before, after=after)
    writes: dict[str, Callable[[], object]] = {
        "append": lambda: store.append([record(EVENTS[2])], [before], [tried(B, "failed", "r", 9)], lease=lease),
        "finish": lambda: store.finish("r", "failed", START, lease=lease),
        "accept": lambda: store.accept([said], lease=lease),
        "forget": lambda: store.forget(A, lease=lease),
        "change_partition_keys": lambda: store.change_partition_keys(B, add=["late"], lease=lease),
    }
    for word, write in writes.items():
        try:
            write()
        except LeaseLostError:
            continue
        raise AssertionError(f"{word} takes {what}: raise LeaseLostError, and record nothing")
