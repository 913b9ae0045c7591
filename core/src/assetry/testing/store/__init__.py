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

from assetry.testing.child import LONGEST, ChildError, elsewhere
from assetry.testing.loading import declared_refusals, load, module_of
from assetry.testing.plugin import Kit, PluginConformance, portable
from assetry.testing.store.acceptances import AcceptanceChecks
from assetry.testing.store.definitions import DefinitionChecks
from assetry.testing.store.forgetting import ForgettingChecks
from assetry.testing.store.history import HistoryChecks
from assetry.testing.store.records import RecordChecks
from assetry.testing.store.samples import EVENTS, START, A, B, made, record, run, tried
from assetry.testing.subjects import STORE_CAPABILITIES, StoreUnderTest, refusals
from assetry.testing.verdicts import needs
from assetry.types import events as ev
from assetry.types.events import Event
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import ClaimedParts


class StoreConformance(
    AcceptanceChecks, DefinitionChecks, ForgettingChecks, HistoryChecks, RecordChecks, PluginConformance
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

    # -- who may build what ------------------------------------------------------------------------------------------

    def test_let_one_run_claim_an_asset(self, store: Store) -> None:
        assert dict(store.claim("r1", [A])) == {}, "a free asset cannot be claimed"
        store.begin(run("r1"))
        held = store.claim("r2", [A, B])
        assert dict(held) == {A: "r1"}, f"an asset that a living run holds is given away: {dict(held)}"
        assert B not in store.claims(), "when one asset is held, none may be claimed"
        store.finish("r1", "succeeded", START)
        assert dict(store.claim("r2", [A, B])) == {}, "finish must release the claims of a run"

    def test_let_only_one_of_many_threads_claim(self, store: Store) -> None:
        for number in range(8):
            store.begin(run(f"r{number}"))
        together = threading.Barrier(8)

        def claim(number: int) -> dict[AssetKey, str]:
            together.wait(LONGEST)
            return dict(store.claim(f"r{number}", [A]))

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(claim, range(8)))
        winners = [number for number, held in enumerate(answers) if not held]
        assert len(winners) == 1, f"{len(winners)} of 8 threads claimed one asset: compare and set in one transaction"

    @needs("test_let_one_run_claim_an_asset", "test_let_only_one_of_many_threads_claim")
    def test_let_two_runs_claim_other_partitions_of_one_asset(self, store: Store) -> None:
        january, february, both = (ClaimedParts("days", {"": (span,)}) for span in ((0, 31), (31, 59), (30, 32)))
        assert dict(store.claim("r1", [A], {A: january})) == {}, "free partitions cannot be claimed"
        store.begin(run("r1"))
        assert dict(store.claim("r2", [A, B], {A: february})) == {}, "another run cannot have other partitions"
        store.begin(run("r2"))
        assert set(store.claim("r3", [A], {A: both})) == {A}, "partitions that a living run holds are given away"
        assert set(store.claim("r3", [A])) == {A}, "all of an asset is given away while runs hold partitions of it"
        hours = ClaimedParts("hours", {"": ((2000, 2001),)})
        assert set(store.claim("r3", [A], {A: hours})) == {A}, "partitions of two grids cannot be told apart"
        assert store.claims().get(A) in ("r1", "r2"), "claims() does not tell of partitions that are held"
        store.finish("r1", "succeeded", START)
        assert dict(store.claim("r3", [A], {A: january})) == {}, "finish must release the claims of a run"

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

    @needs("test_be_there_for_another_process")
    def test_release_what_a_killed_process_held(
        self, store: Store, url: str, durable: bool, filled: StoreUnderTest
    ) -> None:
        if not durable:
            return
        code = (
            "import sys; from assetry.testing.store import hold; hold(sys.argv[1], sys.argv[2]); "
            "print('held', flush=True); sys.stdin.read()"
        )
        plugin = module_of(filled.plugin)
        path = os.pathsep.join(each for each in sys.path if each)
        command = [sys.executable, "-c", code, plugin, url]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n", "another process cannot claim"
            assert dict(store.claim("mine", [A])) == {A: "theirs"}, "what another living process claimed is given away"
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        assert dict(store.claim("mine", [A])) == {}, "a killed process still holds its claims: look whether it is alive"
        found = store.run("theirs")
        assert found is not None, "the run of a killed process is gone: what it had recorded must stay"
        assert found.state == "interrupted", f"the run of a killed process is {found.state!r}: record it as interrupted"
        attempt = store.attempts([A]).get((A, None))
        outcome = attempt.outcome if attempt is not None else "not told"
        assert outcome == "failed", f"what a killed process was making is {outcome}: record the attempt as failed"


def hold(plugin: str, url: str) -> None:
    """Begin a run that makes `A`, and hold it."""
    store = load(plugin).open_store(url)
    store.claim("theirs", [A])
    store.begin(run("theirs"))
    store.append([record(ev.Started(A), run_id="theirs")], [], [tried(A, "running", "theirs", 0)])
    hold.store = store  # type: ignore[attr-defined]  # or its connection ends with this call


def read(plugin: Any, url: str) -> tuple[list[str], list[Event], list[str]]:
    """Read a store in this process."""
    store = load(plugin).open_store(url)
    runs = [each.id for each in store.runs()]
    return runs, [each.event for each in store.events("r")], [each.data_version for each in store.latest().values()]
