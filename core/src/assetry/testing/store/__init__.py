"""Conformance of a store: what is written is there, once, in order, for every process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from assetry.errors import LeaseLostError
from assetry.testing.child import LONGEST, ChildError, elsewhere
from assetry.testing.loading import declared_refusals, load, module_of
from assetry.testing.plugin import Kit, PluginConformance, portable
from assetry.testing.store.acceptances import AcceptanceChecks
from assetry.testing.store.backfills import BackfillChecks
from assetry.testing.store.definitions import DefinitionChecks
from assetry.testing.store.documents import DocumentChecks
from assetry.testing.store.forgetting import ForgettingChecks
from assetry.testing.store.history import HistoryChecks
from assetry.testing.store.leases import LeaseChecks, PoolChecks
from assetry.testing.store.records import RecordChecks
from assetry.testing.store.samples import EVENTS, A, made, record, run, tried
from assetry.testing.subjects import STORE_CAPABILITIES, StoreUnderTest, refusals
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.events import Event
from assetry.types.leases import HeldLease, Lease
from assetry.types.protocols import Store


class StoreConformance(
    AcceptanceChecks,
    BackfillChecks,
    DefinitionChecks,
    DocumentChecks,
    ForgettingChecks,
    HistoryChecks,
    LeaseChecks,
    PoolChecks,
    RecordChecks,
    PluginConformance,
):
    """Checks to inherit; fill in `subject`: a `StoreUnderTest`, or a method that makes one in an empty folder.

    >>> class TestSQLite(StoreConformance):
    ...     def subject(self, folder):
    ...         new_url = lambda: f"sqlite:{folder}/{os.urandom(4).hex()}.db"
    ...         return StoreUnderTest("assetry.store.sqlite", new_url=new_url)
    """

    capabilities: ClassVar[Mapping[str, str]] = STORE_CAPABILITIES

    @pytest.fixture
    def url(self, filled: StoreUnderTest) -> str:
        """Return the URL of a new store."""
        return filled.new_url()

    @pytest.fixture
    def store(self, loaded: Any, url: str) -> Iterator[Store]:
        """Return a new, empty store."""
        store: Store = loaded.open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def another(self, loaded: Any, filled: StoreUnderTest) -> Iterator[Store]:
        """Return another new, empty store."""
        store: Store = loaded.open_store(filled.new_url())
        yield store
        store.close()

    @pytest.fixture
    def durable(self, filled: StoreUnderTest) -> bool:
        """Tell whether records outlive the process."""
        return "durable" not in refusals(filled, STORE_CAPABILITIES, declared_refusals(filled.plugin))

    def test_append_from_several_threads(self, store: Store) -> None:
        store.begin(run("r"))
        together = threading.Barrier(4)

        def append(thread: int) -> None:
            for turn in range(10):
                together.wait(LONGEST)  # at the same moment, also on a busy machine
                store.append([record(ev.Log(str(10 * thread + turn)))])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(append, range(4)))
        found = {each.event.message for each in store.events("r")}  # type: ignore[attr-defined]
        assert found == {str(number) for number in range(40)}, (
            f"of 40 events that four threads appended {len(found)} are there"
        )

    def test_work_after_close(self, store: Store, durable: bool) -> None:
        store.begin(run("r"))
        store.close()
        store.close()
        if durable:
            assert [each.id for each in store.runs()] == ["r"], "close lets go of files; the next call opens them again"

    # -- other processes ---------------------------------------------------------------------------------------------

    @needs("test_work_after_close")
    def test_be_there_for_another_process(
        self, store: Store, url: str, durable: bool, filled: StoreUnderTest, assetry_kit: Kit
    ) -> None:
        if not durable:
            return
        store.begin(run("r"))
        store.append([record(event) for event in EVENTS], [made(A, "v1", 0)])
        given = (portable(filled.plugin), url)
        try:
            found = elsewhere(read, *given, folder=assetry_kit.folder, modules=[module_of(filled.plugin)])
        except ChildError as error:
            raise AssertionError(f"another process cannot read the store: {error}") from error
        assert found == (["r"], list(EVENTS), ["v1"]), "another process reads something else"

    @needs("test_be_there_for_another_process", "test_write_only_with_the_lease_that_a_run_has")
    def test_release_what_a_killed_process_held(
        self, store: Store, url: str, durable: bool, filled: StoreUnderTest
    ) -> None:
        if not durable:
            return
        code = (
            "import sys; from assetry.testing.store import hold; print(hold(sys.argv[1], sys.argv[2]), flush=True); "
            "sys.stdin.read()"
        )
        plugin = module_of(filled.plugin)
        path = os.pathsep.join(each for each in sys.path if each)
        command = [sys.executable, "-c", code, plugin, url]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        ) as holder:
            assert holder.stdout is not None
            token = holder.stdout.readline().strip()
            assert token.isdigit(), "another process cannot lease"
            held = store.lease("mine", {A: None}).held
            assert held == (HeldLease(A, "theirs"),), f"what another living process leased is given away: {held}"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        mine = store.lease("mine", {A: None}).lease
        assert mine is not None, "a killed process still holds what it had leased: look whether it is alive"
        found = store.run("theirs")
        assert found is not None, "the run of a killed process is gone: what it had recorded must stay"
        assert found.state == "interrupted", f"the run of a killed process is {found.state!r}: record it as interrupted"
        attempt = store.attempts([A]).get((A, None))
        outcome = attempt.outcome if attempt is not None else "not told"
        assert outcome == "failed", f"what a killed process was making is {outcome}: record the attempt as failed"
        try:
            store.append([record(ev.Log("late"), run_id="theirs")], lease=Lease("theirs", int(token)))
        except LeaseLostError:
            return
        raise AssertionError("a run that was taken for gone writes on with its lease: raise LeaseLostError")


def hold(plugin: str, url: str) -> int:
    """Begin a run that makes `A`, and hold it; return the token of its lease."""
    store = load(plugin).open_store(url)
    lease = store.lease("theirs", {A: None}).lease
    assert lease is not None, "a free asset cannot be leased"
    store.begin(run("theirs"), lease)
    store.append([record(ev.Started(A), run_id="theirs")], [], [tried(A, "running", "theirs", 0)], lease=lease)
    hold.store = store  # type: ignore[attr-defined]  # or its connection ends with this call
    return lease.token


def read(plugin: Any, url: str) -> tuple[list[str], list[Event], list[str]]:
    """Read a store in this process."""
    store = load(plugin).open_store(url)
    runs = [each.id for each in store.runs()]
    return runs, [each.event for each in store.events("r")], [each.data_version for each in store.latest().values()]
