"""Bad IO managers, stores and executors: each is one of assetry's own with one fault, which the kit must catch.

As in bad_plugins.py, `caught` says which check finds it, this one and no other.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pyarrow as pa
import pytest
from assetry.io.files import FileIO
from assetry.io.memory import MemoryIO
from assetry.plugin import (
    Asset,
    AssetKey,
    Attempt,
    BackfillRecord,
    Event,
    HeldLease,
    KeyTable,
    Lease,
    Leased,
    LeasedParts,
    RunInfo,
    Saved,
    SlotRequest,
    ValueStoreError,
    columns_of,
    content_version,
    hookimpl,
    job_tokens,
)
from assetry.run.threads import ThreadExecutor
from assetry.store.sqlite import SQLiteStore
from assetry.testing import (
    ExecutorConformance,
    ExecutorUnderTest,
    IOManagerConformance,
    IOUnderTest,
    StoreConformance,
    StoreUnderTest,
)

#: How many times as patient the kit is with these plugins, where they are judged once more on a busy machine.
PATIENCE = float(os.environ.get("ASSETRY_KIT_PATIENCE", "1"))


class Keeper:
    """A plugin that opens what it is given."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    @hookimpl
    def assetry_open_io(self, url: str) -> Any:
        return self.make() if url == "bad:io" else None

    @hookimpl
    def assetry_open_store(self, url: str) -> Any:
        return self.make() if url.startswith("bad:store") else None

    @hookimpl
    def assetry_open_executor(self, url: str) -> Any:
        return self.make() if url == "bad:executor" else None


# -- IO managers -----------------------------------------------------------------------------------------------------


def io(make: Callable[[], Any], **more: Any) -> IOUnderTest:
    refuses = {"durable": "memory", "atomic": "memory keeps anything", **more.pop("refuses", {})}
    return IOUnderTest(Keeper(make), url="bad:io", refuses=refuses, **more)


class DeletesPartitions(MemoryIO):
    """Delete all of an asset when one partition of it is to go."""

    def delete(self, asset: Asset, partition: str | None = None) -> None:
        super().delete(asset)


class TestDeletesTooMuch(IOManagerConformance):
    subject = io(lambda: DeletesPartitions())
    caught = "test_delete_what_is_asked_and_nothing_else"


class Formless(MemoryIO):
    form: Any = "tables"


class TestIsNoIOManager(IOManagerConformance):
    subject = io(lambda: Formless())
    caught = "test_be_an_io_manager"


class Stringly(MemoryIO):
    def load(self, asset: Asset, partition: str | None = None) -> Any:
        found = super().load(asset, partition)
        return found if hasattr(found, "num_rows") else str(found)


class TestTurnsValuesIntoText(IOManagerConformance):
    subject = io(lambda: Stringly())
    caught = "test_give_back_any_value"


class Rowless(MemoryIO):
    def load(self, asset: Asset, partition: str | None = None) -> Any:
        found = super().load(asset, partition)
        return found.select([]) if getattr(found, "num_rows", 1) == 0 else found


class TestLosesColumnsWithoutRows(IOManagerConformance):
    subject = io(lambda: Rowless())
    caught = "test_keep_a_table_without_rows"


class KeepsColumns(MemoryIO):
    """Keep the columns that a table once had."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        old = self._values.get(asset.key, {}).get(partition)
        if old is not None and hasattr(value, "num_rows") and value.column_names != old.column_names:
            for name in set(old.column_names) - set(value.column_names):
                value = value.append_column(name, [[None] * value.num_rows])
        return super().save(asset, value, partition)


class TestKeepsOldColumns(IOManagerConformance):
    subject = io(lambda: KeepsColumns())
    caught = "test_replace_rows_and_columns"


class OneAtATime(MemoryIO):
    """Remember whose turn it is in the manager itself."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        self.turn = asset
        threading.Event().wait(0.01)
        return super().save(self.turn, value, partition)


class TestIsNotSafeForThreads(IOManagerConformance):
    subject = io(lambda: OneAtATime())
    caught = "test_work_for_several_threads"


class ForgetsParts(MemoryIO):
    """Keep the last partition of several only."""

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        saved = super().save_parts(asset, value, column, keys)
        del self._values[asset.key][keys[0]]
        return saved


class TestLosesOneOfManyPartitions(IOManagerConformance):
    subject = io(lambda: ForgetsParts())
    caught = "test_keep_many_partitions_at_once"


class OneVersionForAll(MemoryIO):
    """Tell the version of all rows of each partition."""

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        version = content_version(value)
        return [replace(each, data_version=version) for each in super().save_parts(asset, value, column, keys)]


class TestTellsOneVersionOfManyPartitions(IOManagerConformance):
    subject = io(lambda: OneVersionForAll())
    caught = "test_keep_many_partitions_at_once"


class EmptiesFirst(MemoryIO):
    """Remove what was there of many partitions before it keeps what comes."""

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        old = self._values.get(asset.key, {})
        self._values[asset.key] = {name: each.slice(0, 0) if name in keys else each for name, each in old.items()}
        threading.Event().wait(0.01)
        return super().save_parts(asset, value, column, keys)


class TestShowsAHole(IOManagerConformance):
    subject = io(lambda: EmptiesFirst())
    caught = "test_show_readers_all_partitions_old_or_new"


class OneByOne(MemoryIO):
    """Refuse a column that is called bad, once it has emptied a partition."""

    form: Any = "arrow"

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        if not isinstance(value, pa.Table) or "bad" in value.column_names:
            raise ValueStoreError("It cannot be kept.", hint="Keep something else.")
        return super().save(asset, value, partition)

    def save_parts(self, asset: Asset, value: Any, column: str, keys: Sequence[str]) -> list[Saved]:
        if "bad" in value.column_names:
            super().save_parts(asset, value.slice(0, 0), column, keys[:1])
            raise ValueStoreError("It cannot be kept.", hint="Keep something else.")
        return super().save_parts(asset, value, column, keys)


class TestSpoilsWhatItRefuses(IOManagerConformance):
    subject = IOUnderTest(
        Keeper(OneByOne), url="bad:io", refuses={"durable": "memory"}, unkeepable=pa.table({"bad": [1]})
    )
    caught = "test_keep_what_was_there_when_many_partitions_are_refused"


class AsKept(MemoryIO):
    """Give partitions in the order in which they were kept."""

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> Any:
        kept = [str(name) for name in self._values.get(asset.key, {}) if name in keys]
        return super().load_parts(asset, kept if len(kept) == len(keys) else keys)


class TestMixesPartitions(IOManagerConformance):
    subject = io(lambda: AsKept())
    caught = "test_load_many_partitions_at_once"


class Truncating(MemoryIO):
    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        return super().save(asset, value.slice(0, 2) if hasattr(value, "slice") else value, partition)


class TestLosesRows(IOManagerConformance):
    subject = io(lambda: Truncating())
    caught = "test_give_back_what_was_saved"


class Flat(MemoryIO):
    """Keep by a name that is not the asset's own."""

    def _flat(self, asset: Asset) -> Asset:
        name = "".join(each for each in asset.key if each.isalnum() or each == "_")
        return Asset(key=name.removesuffix("_2").removesuffix("2"), kind="python")

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        return super().save(self._flat(asset), value, partition)

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        return super().load(self._flat(asset), partition)

    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool]:
        return super().exists([(self._flat(asset), partition) for asset, partition in places])


class TestMixesAssetsUp(IOManagerConformance):
    subject = io(lambda: Flat(), refuses={"threads": "checked elsewhere"})
    caught = "test_keep_assets_apart"


class Optimistic(MemoryIO):
    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool]:
        return [True] * len(places)


class TestSaysThatAllIsThere(IOManagerConformance):
    subject = io(lambda: Optimistic())
    caught = "test_tell_what_is_there"


class Hasty(MemoryIO):
    """Look at the last row only."""

    def aggregate(self, asset: Asset, function: str, column: str | None) -> Any:
        found = self.load(asset)
        if column is None:
            return found.num_rows
        return found[column][-1].as_py() if found.num_rows else None


class TestTellsTheLastForTheGreatest(IOManagerConformance):
    subject = io(lambda: Hasty())
    caught = "test_tell_what_a_table_comes_to"


class Forgiving(MemoryIO):
    """Know nothing of what is not there, instead of saying so."""

    def aggregate(self, asset: Asset, function: str, column: str | None) -> Any:
        found = self._values.get(asset.key, {}).get(None)
        if column is None:
            return found.num_rows if found is not None else 0
        return (
            max(found[column].to_pylist(), default=None) if found is not None and column in found.schema.names else None
        )


class TestKnowsNothingOfWhatIsNotThere(IOManagerConformance):
    subject = io(lambda: Forgiving())
    caught = "test_tell_what_a_table_comes_to"


class Rounding(MemoryIO):
    """Guess how many rows there are, as a database's statistics do."""

    def aggregate(self, asset: Asset, function: str, column: str | None) -> Any:
        found = self.load(asset)
        if column is None:
            return found.num_rows // 2 * 2
        return max(found[column].to_pylist(), default=None)


class TestGuessesTheCount(IOManagerConformance):
    subject = io(lambda: Rounding())
    caught = "test_tell_what_a_table_comes_to"


class Remembering(MemoryIO):
    """Look at the columns of a table once."""

    @contextmanager
    def columns(self) -> Iterator[Any]:
        known: dict[AssetKey, Any] = {}

        yield lambda asset: known.setdefault(asset.key, columns_of(self.load(asset)))


class TestRemembersTheColumns(IOManagerConformance):
    subject = io(lambda: Remembering())
    caught = "test_tell_the_columns_of_tables"


class Columnless(MemoryIO):
    """Have no columns for what is not there."""

    @contextmanager
    def columns(self) -> Iterator[Any]:
        yield lambda asset: columns_of(self.load(asset)) if asset.key in self._values else ()


class TestHasNoColumnsForNothing(IOManagerConformance):
    subject = io(lambda: Columnless())
    caught = "test_tell_the_columns_of_tables"


class Bare(MemoryIO):
    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        super().save(asset, value, partition)
        return Saved(data_version=str(id(value)))


class TestTellsNothing(IOManagerConformance):
    subject = io(lambda: Bare())
    caught = "test_tell_columns_and_rows"


class NewEachTime(MemoryIO):
    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        return replace(super().save(asset, value, partition), data_version=uuid4().hex)


class TestHasANewVersionEachTime(IOManagerConformance):
    subject = io(lambda: NewEachTime())
    caught = "test_give_equal_contents_equal_versions"


class Eager(MemoryIO):
    """Make the table when it is named."""

    def relation(self, asset: Asset) -> Any:
        self.save(asset, "made to be named")
        return super().relation(asset)


class TestMakesTheTableItNames(IOManagerConformance):
    subject = io(lambda: Eager())
    caught = "test_name_the_table_without_touching_it"


class Raw(MemoryIO):
    def load(self, asset: Asset, partition: str | None = None) -> Any:
        return self._values[asset.key][partition]


class TestRaisesErrorsOfItsOwn(IOManagerConformance):
    subject = io(lambda: Raw())
    caught = "test_say_that_nothing_is_kept"


class OnePartition(MemoryIO):
    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        self._values.pop(asset.key, None)
        return super().save(asset, value, partition)


class TestKeepsOnePartition(IOManagerConformance):
    subject = io(lambda: OnePartition(), refuses={"threads": "checked elsewhere"})
    caught = "test_keep_partitions_apart"


class Closing(MemoryIO):
    closed = False

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        if self.closed:
            raise RuntimeError("closed")
        return super().load(asset, partition)

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        self.closed = False
        return super().save(asset, value, partition)

    def close(self) -> None:
        self.closed = True


class TestIsDeadAfterClose(IOManagerConformance):
    subject = io(lambda: Closing())
    caught = "test_work_again_after_close"


class Chatty(MemoryIO):
    def __repr__(self) -> str:
        return "Chatty('bad://me:correct-horse@db')"


class TestShowsThePassword(IOManagerConformance):
    subject = io(lambda: Chatty(), secrets=["correct-horse"])
    caught = "test_let_no_secret_out"


class InPieces(MemoryIO):
    """Write row by row, so that readers see a part."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        rows = getattr(value, "num_rows", 0)
        for count in range(0, rows, 10):
            super().save(asset, value.slice(0, count), partition)
            threading.Event().wait(0.001)
        return super().save(asset, value, partition)


class TestWritesInPieces(IOManagerConformance):
    subject = io(lambda: InPieces())
    caught = "test_show_readers_the_old_value_or_the_new"


class Forgets(FileIO):
    """Lose the old value before the new one is known to be good."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        for path in self.folder.rglob(f"{asset.key.name}.*"):
            path.unlink()
        return super().save(asset, value, partition)


class TestLosesTheOldValue(IOManagerConformance):
    def subject(self, folder: Path) -> IOUnderTest:
        refuses = {"durable": "checked elsewhere", "threads": "checked elsewhere"}
        return IOUnderTest(Keeper(lambda: Forgets(folder / "values")), url="bad:io", refuses=refuses)

    caught = "test_keep_the_old_value_when_a_save_fails"


class Scratch:
    """A plugin that keeps things in a folder of each process."""

    @hookimpl
    def assetry_open_io(self, url: str) -> Any:
        import os

        return FileIO(Path(url.partition(":")[2]) / str(os.getpid())) if url.startswith("bad:") else None


class TestIsGoneForTheNextProcess(IOManagerConformance):
    def subject(self, folder: Path) -> IOUnderTest:
        return IOUnderTest(Scratch(), url=f"bad:{folder}")

    caught = "test_be_there_for_the_next_process"


# -- stores ----------------------------------------------------------------------------------------------------------


def store(make: Callable[[], Any]) -> StoreUnderTest:
    return StoreUnderTest(Keeper(make), new_url=lambda: "bad:store", refuses={"durable": "memory"})


class Memory(SQLiteStore):
    def __init__(self) -> None:
        super().__init__(":memory:")


class Attached(Memory):
    """Forget what was made, and not how it came out."""

    def forget(self, key: AssetKey, partitions: Any = None, *, lease: Any = None) -> None:
        tried = list(self.attempts([key]).values())
        super().forget(key, partitions, lease=lease)
        self.append([], [], tried)


class TestCannotForget(StoreConformance):
    subject = store(lambda: Attached())
    caught = "test_forget_what_is_asked_and_nothing_else"


class Haunted(Memory):
    def attempts(self, keys: Any = None, *, made: bool = True) -> Any:
        return {**super().attempts(keys, made=made), (AssetKey("ghost"), None): Attempt(**GHOST)}


GHOST: dict[str, Any] = {"key": AssetKey("ghost"), "run": "r", "at": datetime(2026, 1, 1), "outcome": "failed"}


class TestIsNotEmptyAtFirst(StoreConformance):
    subject = store(Haunted)
    caught = "test_be_a_store_that_begins_empty"


class Rosy(Memory):
    def attempts(self, keys: Any = None, *, made: bool = True) -> Any:
        return super().attempts(keys)


class TestLeavesOutNothing(StoreConformance):
    subject = store(Rosy)
    caught = "test_leave_out_the_attempts_that_came_out_well_when_asked_to"


class Forgetful(Memory):
    def changes(self, keys: Any, since: str | None = None) -> Any:
        found = super().changes(keys, since)
        return found if since is None or found is None else found._replace(latest={})


class TestMissesWhatWasMadeSince(StoreConformance):
    subject = store(Forgetful)
    caught = "test_tell_what_was_made_since_a_revision"


class Credulous(Memory):
    def changes(self, keys: Any, since: str | None = None) -> Any:
        return super().changes(keys, since) or super().changes(keys)._replace(latest={})  # type: ignore[union-attr]


class TestTakesAnyRevision(StoreConformance):
    subject = store(Credulous)
    caught = "test_know_no_revision_of_another_store"


class Lossy(Memory):
    """Lose what is appended while something else is."""

    busy = False

    def __init__(self) -> None:
        super().__init__()
        self.lost = threading.Event()

    def append(self, events: Any, materializations: Any = (), attempts: Any = (), looks: Any = (), **more: Any) -> None:
        if self.busy:
            self.lost.set()
            return
        self.busy = True
        self.lost.wait(0.05)  # long enough that another comes, and no longer
        try:
            super().append(events, materializations, attempts, looks, **more)
        finally:
            self.busy = False


class TestLosesWhatThreadsAppend(StoreConformance):
    subject = store(Lossy)
    caught = "test_append_from_several_threads"


class Reversing(Memory):
    def events(self, run_id: str, skip: int = 0) -> Any:
        return iter(list(super().events(run_id, skip))[::-1])


class TestTurnsEventsRound(StoreConformance):
    subject = store(Reversing)
    caught = "test_give_back_every_event_as_it_was"


class LastOnly(Memory):
    def runs(self, limit: int | None = None, **only: Any) -> Any:
        return super().runs(**only)[::-1][:limit]


class TestListsRunsOldestFirst(StoreConformance):
    subject = store(LastOnly)
    caught = "test_list_runs_newest_first"


class Generous(Memory):
    """List all runs, whichever are asked for."""

    def runs(self, limit: int | None = None, **_: Any) -> Any:
        return super().runs(limit)


class TestListsRunsThatAreNotAskedFor(StoreConformance):
    subject = store(Generous)
    caught = "test_list_the_runs_that_are_asked_for_alone"


class Exact(Memory):
    def run(self, run_id: str) -> Any:
        return next((each for each in self.runs() if each.id == run_id), None)


class TestFindsOnlyWholeIds(StoreConformance):
    subject = store(Exact)
    caught = "test_find_a_run_by_the_beginning_of_its_id"


class FirstCounts(Memory):
    def append(self, events: Any, materializations: Any = (), attempts: Any = (), looks: Any = (), **more: Any) -> None:
        known = self.latest()
        new = [each for each in materializations if (each.key, each.partition) not in known]
        super().append(events, new, attempts, looks, **more)


class TestRemembersTheFirst(StoreConformance):
    subject = store(FirstCounts)
    caught = "test_remember_the_last_materialization_of_each_partition"


Wanted = Mapping[AssetKey, LeasedParts | None]


class AllOrSome(Memory):
    """Give away what another run holds, if two ask at once."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        held = [each for each in self.leases() if each.key in wanted and each.run != run_id]
        threading.Event().wait(0.05)
        return self.given(run_id, wanted, held)

    def given(self, run_id: str, wanted: Wanted, held: Sequence[HeldLease]) -> Leased:
        if held:
            return Leased(None, tuple(held))
        # So that what another has now is no hindrance: it is taken away, and given back.
        with self._database.write() as db:
            rows = db.execute("SELECT key, run, parts FROM leases").fetchall()
            db.execute("DELETE FROM leases")
        found = super().lease(run_id, wanted)
        with self._database.write() as db:
            db.executemany("INSERT OR REPLACE INTO leases VALUES (?,?,?)", rows)
        return found


class Hoarding(Memory):
    """Have what a run had leased before as well, when it leases again."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        before = {each.key: each.parts for each in self.leases() if each.run == run_id}
        return super().lease(run_id, {**before, **wanted}, priority=priority)


class TestLetsGoOfNothing(StoreConformance):
    subject = store(Hoarding)
    caught = "test_let_go_of_what_a_run_does_not_lease_again"


class TestLeasesWithoutComparing(StoreConformance):
    subject = store(AllOrSome)
    caught = "test_lease_to_only_one_of_many_threads"


class Half(Memory):
    """Lease what is free, also when something else is not."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        found = super().lease(run_id, wanted)
        held = {each.key for each in found.held}
        if held and len(held) < len(wanted):
            super().lease(run_id, {key: parts for key, parts in wanted.items() if key not in held})
        return found


class TestLeasesAHalf(StoreConformance):
    subject = store(Half)
    caught = "test_lease_an_asset_to_one_run"


class Whole(Memory):
    """Lease an asset where only partitions of it are asked for."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        return super().lease(run_id, dict.fromkeys(wanted))


class TestLeasesTheWhole(StoreConformance):
    subject = store(Whole)
    caught = "test_lease_other_partitions_of_one_asset_to_two_runs"


class OneForAll(Memory):
    """Have one token for all leases."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        lease, held = super().lease(run_id, wanted)
        with self._database.write() as db:
            db.execute("UPDATE runs SET token = 1")
        return Leased(lease and replace(lease, token=1), held)


class TestCountsNoTokens(StoreConformance):
    subject = store(OneForAll)
    caught = "test_give_every_lease_a_greater_token"


class Gullible(Memory):
    """Write for a run, whatever lease it says to have."""

    def append(self, *records: Any, lease: Any = None, **more: Any) -> None:
        super().append(*records, **more)


class TestWritesWithoutALease(StoreConformance):
    subject = store(Gullible)
    caught = "test_write_only_with_the_lease_that_a_run_has"


class Patient(Memory):
    """Renew whatever it is asked to."""

    def renew(self, lease: Lease) -> Lease:
        return lease


class TestRenewsWhatIsOver(StoreConformance):
    subject = store(Patient)
    caught = "test_renew_the_lease_that_a_run_has"


class Reminiscent(Memory):
    """Tell of backfills as they were first."""

    def backfills(self) -> list[BackfillRecord]:
        return [replace(each, state="open") for each in super().backfills()]


class TestRemembersBackfillsAsTheyWere(StoreConformance):
    subject = store(Reminiscent)
    caught = "test_keep_backfills_as_they_were_last_changed"


class Headstrong(Memory):
    """Change a backfill whatever it has become meanwhile, if two ask one after the other."""

    def change_backfill(self, record: BackfillRecord, before: str | None) -> bool:
        found = {each.id: each.state for each in self.backfills()}
        return super().change_backfill(record, found.get(record.id, before))


class TestChangesBackfillsInAnyCase(StoreConformance):
    subject = store(Headstrong)
    caught = "test_change_a_backfill_only_as_long_as_it_is_as_expected"


class Unguarded(Memory):
    """Look at a backfill first, and change it then."""

    def change_backfill(self, record: BackfillRecord, before: str | None) -> bool:
        as_expected = {each.id: each.state for each in self.backfills()}.get(record.id) == before
        threading.Event().wait(0.05)
        if as_expected:
            now = {each.id: each.state for each in self.backfills()}.get(record.id)
            super().change_backfill(record, now)
        return as_expected


class TestChangesBackfillsWithoutComparing(StoreConformance):
    subject = store(Unguarded)
    caught = "test_let_only_one_of_many_threads_change_a_backfill"


class Nostalgic(Memory):
    """Tell of documents as they were first."""

    def change_document(self, space: str, key: str, value: Any, before: int | None) -> int | None:
        return super().change_document(space, key, value, before) if before is None else before + 1


class TestKeepsDocumentsAsTheyWere(StoreConformance):
    subject = store(Nostalgic)
    caught = "test_keep_documents_as_they_were_last_changed"


class Unmoved(Memory):
    """Tell the revisions of documents as if none was ever changed."""

    def document_revisions(self, space: str) -> Mapping[str, int]:
        return dict.fromkeys(super().document_revisions(space), 0)


class TestTellsNoRevisions(StoreConformance):
    subject = store(Unmoved)
    caught = "test_keep_documents_as_they_were_last_changed"


class Blunt(Memory):
    """Change a document whatever it has become meanwhile."""

    def change_document(self, space: str, key: str, value: Any, before: int | None) -> int | None:
        found = self.documents(space).get(key)
        return super().change_document(space, key, value, found and found.revision)


class TestChangesDocumentsInAnyCase(StoreConformance):
    subject = store(Blunt)
    caught = "test_change_a_document_only_as_long_as_it_is_as_it_was_read"


class Halving(Memory):
    """Record first, and change what is beside it then."""

    def append(self, *records: Any, beside: Any = None, **more: Any) -> None:
        super().append(*records, **more)
        if beside is not None:
            super().append([], beside=beside)


class TestRecordsWithoutWhatIsBeside(StoreConformance):
    subject = store(Halving)
    caught = "test_record_and_change_what_is_beside_it_in_one_transaction"


class Headlong(Memory):
    """Look at a document first, and change it then."""

    def change_document(self, space: str, key: str, value: Any, before: int | None) -> int | None:
        found = self.documents(space).get(key)
        as_read = (found and found.revision) == before
        threading.Event().wait(0.05)
        found = self.documents(space).get(key)
        return super().change_document(space, key, value, found and found.revision) if as_read else None


class TestChangesDocumentsWithoutComparing(StoreConformance):
    subject = store(Headlong)
    caught = "test_let_only_one_of_many_threads_change_a_document"


class Crowded(Memory):
    """Let any process wait under an id under which another one waits."""

    def enqueue(self, run: RunInfo, wanted: Wanted) -> Lease:
        for each in self.queue():
            if each.run.id == run.id and each.run.process != run.process:
                self.finish(run.id, "cancelled", run.started)
        return super().enqueue(run, wanted)


class TestLetsTwoWaitAsOne(StoreConformance):
    subject = store(Crowded)
    caught = "test_let_one_process_at_a_time_wait_under_one_id"


class Unfair(Memory):
    """Lease to whoever comes, whoever waits."""

    def lease(self, run_id: str, wanted: Wanted, *, priority: int = 0) -> Leased:
        with self._database.write() as db:
            db.execute("UPDATE runs SET wanted = '{}' WHERE id <> ?", (run_id,))
        return super().lease(run_id, wanted, priority=priority)


class TestLeasesToWhoeverComes(StoreConformance):
    subject = store(Unfair)
    caught = "test_keep_those_who_wait_in_turn"


class Stubborn(Memory):
    """Give no run another class."""

    def prioritize(self, run_id: str, priority: int) -> None:
        return None


class TestPutsNothingFirst(StoreConformance):
    subject = store(Stubborn)
    caught = "test_let_what_waits_be_put_first"


class Generous(Memory):
    """Give slots as if each pool had one more."""

    def exchange_slots(self, lease: Lease, *, free: Any = (), take: Sequence[SlotRequest] = ()) -> tuple[str, ...]:
        more = [replace(each, shares=tuple(s._replace(limit=s.limit + 1) for s in each.shares)) for each in take]
        found = super().exchange_slots(lease, free=free, take=more)
        with self._database.write() as db:
            db.execute("UPDATE slots SET most = most - 1 WHERE most > 1")
        return found


class TestGivesTooManySlots(StoreConformance):
    subject = store(Generous)
    caught = "test_give_no_more_slots_than_a_pool_has"


class Piecemeal(Memory):
    """Hold what is free of several pools while another one is not."""

    def exchange_slots(self, lease: Lease, *, free: Any = (), take: Sequence[SlotRequest] = ()) -> tuple[str, ...]:
        found = super().exchange_slots(lease, free=free, take=take)
        with self._database.write() as db:
            db.execute(
                "UPDATE slots SET held = 1 WHERE (run, ticket) IN"
                " (SELECT run, ticket FROM slots GROUP BY run, ticket HAVING count(*) > 1)"
            )
        return found


class TestGivesSlotsPieceByPiece(StoreConformance):
    subject = store(Piecemeal)
    caught = "test_give_all_that_is_asked_for_or_nothing"


class Pushy(Memory):
    """Give slots to whoever asks when they are free."""

    def exchange_slots(self, lease: Lease, *, free: Any = (), take: Sequence[SlotRequest] = ()) -> tuple[str, ...]:
        with self._database.write() as db:
            waiting = db.execute("SELECT * FROM slots WHERE held = 0 AND run <> ?", (lease.run,)).fetchall()
            db.execute("DELETE FROM slots WHERE held = 0 AND run <> ?", (lease.run,))
        found = super().exchange_slots(lease, free=free, take=take)
        with self._database.write() as db:
            db.executemany("INSERT INTO slots VALUES (?,?,?,?,?,?,?,?)", waiting)
        return found


class SelfBound(Memory):
    """Let a run wait for itself where only runs are to be kept apart."""

    def exchange_slots(self, lease: Lease, *, free: Any = (), take: Sequence[SlotRequest] = ()) -> tuple[str, ...]:
        plain = [
            replace(
                each, shares=tuple(share._replace(pool=share.pool.removeprefix("between:")) for share in each.shares)
            )
            for each in take
        ]
        return super().exchange_slots(lease, free=free, take=plain)


class TestKeepsARunFromItself(StoreConformance):
    subject = store(SelfBound)
    caught = "test_keep_runs_apart_and_not_what_one_run_does"


class TestGivesSlotsOutOfTurn(StoreConformance):
    subject = store(Pushy)
    caught = "test_give_slots_in_turn"


class Clinging(Memory):
    """Leave slots with runs that have ended."""

    def finish(self, run_id: str, state: Any, at: datetime, *, lease: Lease | None = None) -> None:
        with self._database.write() as db:
            held = db.execute("SELECT * FROM slots WHERE run = ?", (run_id,)).fetchall()
        super().finish(run_id, state, at, lease=lease)
        with self._database.write() as db:
            db.executemany("INSERT INTO slots VALUES (?,?,?,?,?,?,?,?)", held)


class TestKeepsSlotsOfEndedRuns(StoreConformance):
    subject = store(Clinging)
    caught = "test_free_the_slots_of_a_run_that_ends"


class Keepsake(Memory):
    def handles(self, run_id: str) -> Mapping[str, str]:
        found = [each for each in self.events(run_id) if each.event.name == "handle"]
        return {str(each.invocation): each.event.token for each in found}  # type: ignore[attr-defined]


class TestKeepsTokensOfEndedJobs(StoreConformance):
    subject = store(Keepsake)
    caught = "test_keep_the_tokens_of_jobs_that_have_not_ended"


class Hoarder(Memory):
    """Forget a token only when its invocation has ended well."""

    def handles(self, run_id: str) -> Mapping[str, str]:
        heard = [each for each in self.events(run_id) if each.event.name != "job_over"]
        return {id_: token for id_, token in job_tokens(heard).items() if token is not None}


class TestKeepsTokensOfJobsThatAreOver(StoreConformance):
    subject = store(Hoarder)
    caught = "test_keep_tokens_until_their_jobs_are_over"


class Unselective(Memory):
    def latest_checks(self, keys: Iterable[AssetKey] | None = None, **how: Any) -> Any:
        return super().latest_checks(**how)


class TestIgnoresTheKeysAskedFor(StoreConformance):
    subject = store(Unselective)
    caught = "test_remember_the_last_outcome_of_each_check"


class Forgetful(Memory):
    """Keep only the last outcome of a check, whichever partition it looked at."""

    def latest_checks(self, keys: Iterable[AssetKey] | None = None, **how: Any) -> Any:
        found = super().latest_checks(keys, **how)
        last = {(key, name): place for place in found for key, name, _ in (place,)}
        return {place: found[place] for place in last.values()}


class TestForgetsTheOutcomesOfOtherPartitions(StoreConformance):
    subject = store(Forgetful)
    caught = "test_remember_the_last_outcome_of_a_check_for_each_partition"


class Optimist(Memory):
    def run_attempts(self, run_id: str) -> Any:
        return self.attempts()


class TestMixesRunsUp(StoreConformance):
    subject = store(Optimist)
    caught = "test_remember_the_last_attempt_of_each_asset"


class Fickle(Memory):
    """Remember of each asset what came of it last, a skip as well as a failure."""

    def attempts(self, keys: Any = None, *, made: bool = True) -> Any:
        found = dict(super().attempts(keys, made=made))
        for info in reversed(self.runs()):
            tried = self.run_attempts(info.id)
            found |= {each: attempt for each, attempt in tried.items() if each in found}
        return found


class TestForgetsFailuresThatWereSkipped(StoreConformance):
    subject = store(Fickle)
    caught = "test_keep_the_failure_of_what_was_only_skipped_since"


class Renumbering(Memory):
    """Give a key another number when it comes back."""

    def partition_keys(self, keys: Any = None) -> Any:
        found = super().partition_keys(keys)
        return {key: KeyTable(table.living) for key, table in found.items()}


class TestNumbersKeysAnew(StoreConformance):
    subject = store(Renumbering)
    caught = "test_number_the_keys_of_partitions_once_and_for_ever"


class Presentist(Memory):
    """Tell of every run the definitions of the last one."""

    def definitions(self, run_id: str) -> Any:
        return super().definitions(self.runs(1)[0].id if super().definitions(run_id) is not None else run_id)


class TestForgetsEarlierDefinitions(StoreConformance):
    subject = store(Presentist)
    caught = "test_remember_the_definitions_that_runs_began_with"


class Trusting(Memory):
    """Accept what is said of records that are not the last ones any more."""

    def accept(self, acceptances: Any, *, lease: Any = None) -> Any:
        self.append([], [each.after for each in super().accept(acceptances, lease=lease)])
        return ()


class TestAcceptsWhatWasMadeAnew(StoreConformance):
    subject = store(Trusting)
    caught = "test_let_records_count_as_others_where_they_are_still_the_last"


class ShortOfMemory(Memory):
    """Tell only of the last thing that was accepted."""

    def acceptances(self, keys: Any = None) -> Any:
        return super().acceptances(keys)[-1:]


class TestForgetsWhatWasAccepted(StoreConformance):
    subject = store(ShortOfMemory)
    caught = "test_keep_what_people_accepted_for_ever"


class Shortsighted(Memory):
    """Keep only looks at whole assets."""

    def looks(self, keys: Any = None) -> Any:
        return {place: each for place, each in super().looks(keys).items() if place[1] is None}


class TestForgetsLooksAtPartitions(StoreConformance):
    subject = store(Shortsighted)
    caught = "test_remember_the_last_look_at_each_partition"


class Upright(Memory):
    """Tell what was made in the order in which it was recorded."""

    def history(self, key: Any, partition: Any = None, limit: Any = None) -> Any:
        return super().history(key, partition)[::-1][:limit]


class TestTellsTheOldestFirst(StoreConformance):
    subject = store(Upright)
    caught = "test_tell_what_was_made_of_an_asset_newest_first"


class Sketchy(Memory):
    """Look for pictures in the last records only."""

    def pictures(self) -> frozenset[str]:
        last = str([each.metadata for each in self.latest().values()])
        return frozenset(each for each in super().pictures() if each in last)


class TestForgetsPictures(StoreConformance):
    subject = store(Sketchy)
    caught = "test_tell_which_pictures_are_needed"


class Impatient(Memory):
    """Keep how long an asset took last."""

    def durations(self, keys: Any = None) -> Any:
        return {key: each[-1:] for key, each in super().durations(keys).items()}


class TestForgetsHowLongAssetsTook(StoreConformance):
    subject = store(Impatient)
    caught = "test_remember_how_long_assets_took"


class Zealous(Memory):
    """Prune what a retry still needs, too."""

    def prune(self, kept: Any, *, dry_run: bool = False) -> Any:
        return super().prune(replace(kept, whole=frozenset()), dry_run=dry_run)


class TestPrunesWhatIsNeeded(StoreConformance):
    subject = store(Zealous)
    caught = "test_remove_what_is_old_and_nothing_else"


class Recounting(Memory):
    """Count from one again, once something was pruned."""

    pruned = False

    def prune(self, kept: Any, *, dry_run: bool = False) -> Any:
        self.pruned = self.pruned or not dry_run
        return super().prune(kept, dry_run=dry_run)

    def changes(self, keys: Any, since: str | None = None) -> Any:
        found = super().changes(keys, since)
        return found._replace(latest={}) if self.pruned and since and found is not None else found


class TestMissesWhatWasMadeAfterPruning(StoreConformance):
    subject = store(Recounting)
    caught = "test_tell_what_was_made_since_after_pruning_too"


class Private:
    """A plugin whose store is another one in each process."""

    @hookimpl
    def assetry_open_store(self, url: str) -> Any:
        return Memory() if url.startswith("bad:") else None


class TestForgetsOnClose(StoreConformance):
    subject = StoreUnderTest(Private(), new_url=lambda: "bad:store")
    caught = "test_work_after_close"


class PerProcess:
    """A plugin whose stores are there as long as their process."""

    def __init__(self) -> None:
        self.stores: dict[str, Any] = {}

    def __reduce__(self) -> Any:
        return (PerProcess, ())

    @hookimpl
    def assetry_open_store(self, url: str) -> Any:
        if not url.startswith("bad:"):
            return None
        if url not in self.stores:
            self.stores[url] = Lasting()
        return self.stores[url]


class Lasting(Memory):
    def close(self) -> None:
        """Keep everything in memory."""


class TestIsPrivate(StoreConformance):
    subject = StoreUnderTest(PerProcess(), new_url=lambda: f"bad:{uuid4().hex}")
    caught = "test_be_there_for_another_process"


#: A module, so that the process that is killed can import it.
UNDEAD = """\
from assetry.plugin import hookimpl
from assetry.store.sqlite import SQLiteStore


@hookimpl
def assetry_open_store(url):
    return SQLiteStore(url.partition(":")[2]) if url.startswith("undead:") else None
"""


class TestBelievesInTheDead(StoreConformance):
    def subject(self, folder: Path) -> StoreUnderTest:
        (folder / "undead_store.py").write_text(UNDEAD)
        sys.path.insert(0, str(folder))
        return StoreUnderTest("undead_store", new_url=lambda: f"undead:{folder}/{uuid4().hex}.db")

    @pytest.fixture(autouse=True)
    def _everybody_lives(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("assetry.store.leases.runs.is_alive", lambda process: True)

    caught = "test_release_what_a_killed_process_held"


# -- executors -------------------------------------------------------------------------------------------------------


def executor(make: Callable[[], Any], **refuses: str) -> ExecutorUnderTest:
    return ExecutorUnderTest(Keeper(make), url="bad:executor", patience=1.5 * PATIENCE, refuses=refuses)


class Emitting(ThreadExecutor):
    """Change what is emitted."""

    change: ClassVar[Callable[[Any, Callable[[Any], None]], None]]

    def start(self, task: Any, emit: Any) -> Any:
        return super().start(task, lambda event: type(self).change(event, emit))


class TestHasTooFewSlots(ExecutorConformance):
    subject = executor(lambda: ThreadExecutor(1), interrupt="checked elsewhere")
    caught = "test_be_an_executor_with_slots"


class Polite(ThreadExecutor):
    """Ask tasks to stop, and leave it at that."""

    def start(self, task: Any, emit: Any) -> Any:
        running: Any = super().start(task, emit)
        running._interrupt = lambda: None
        return running


class TestCannotInterrupt(ExecutorConformance):
    subject = replace(executor(lambda: Polite(2)), patience=3.0 * PATIENCE)
    caught = "test_stop_a_task_that_does_not_look"


class Silent(Emitting):
    @staticmethod
    def change(event: Any, emit: Any) -> None:  # type: ignore[override]
        if event is not None:
            emit(event)


class TestNeverSaysTheEnd(ExecutorConformance):
    subject = executor(lambda: Silent(2), interrupt="checked elsewhere")
    caught = "test_emit_every_event_in_order_and_none_at_the_end"


class Swallowing(Emitting):
    @staticmethod
    def change(event: Any, emit: Any) -> None:  # type: ignore[override]
        emit(None if isinstance(event, BaseException) else event)


class TestSwallowsExceptions(ExecutorConformance):
    subject = executor(lambda: Swallowing(2), interrupt="checked elsewhere")
    caught = "test_emit_the_exception_that_broke_a_stream"


class Inline(ThreadExecutor):
    def start(self, task: Any, emit: Any) -> Any:
        running = super().start(task, emit)
        running.join(2)  # a task that waits for a file would wait for ever
        running.cancel()
        running.join(2)
        return running


class TestRunsTasksInStart(ExecutorConformance):
    subject = executor(lambda: Inline(1), parallel="one after the other", interrupt="checked elsewhere")
    caught = "test_return_from_start_at_once"


class OneThread(ThreadExecutor):
    def __init__(self) -> None:
        super().__init__(1)
        self._own = ThreadExecutor(1)

    def start(self, task: Any, emit: Any) -> Any:
        return self._own.start(task, emit)

    def close(self) -> None:
        self._own.close()


class TestHasFewerSlotsThanItSays(ExecutorConformance):
    @staticmethod
    def make() -> Any:
        found = OneThread()
        found.slots = 3
        return found

    subject = executor(make, interrupt="checked elsewhere")
    caught = "test_run_as_many_tasks_as_there_are_slots"


class Careless(ThreadExecutor):
    def close(self) -> None:
        """Leave everything running."""


class TestLeavesTasksRunning(ExecutorConformance):
    subject = executor(lambda: Careless(2), interrupt="checked elsewhere")
    caught = "test_stop_everything_on_close"


class Twice(Emitting):
    @staticmethod
    def change(event: Any, emit: Any) -> None:  # type: ignore[override]
        emit(event)
        if event is None:
            emit(event)


class TestSaysTheEndTwice(ExecutorConformance):
    subject = executor(lambda: Twice(2), interrupt="checked elsewhere")
    caught = "test_emit_every_event_in_order_and_none_at_the_end"


class Hurried(ThreadExecutor):
    """Keep back everything after the first event."""

    def start(self, task: Any, emit: Any) -> Any:
        first: list[Any] = []

        def tell(event: Any) -> None:
            if not first or task.work != "wait" or not isinstance(event, Event):
                emit(event)
            first.append(event)

        return super().start(task, tell)


class TestLosesLateEvents(ExecutorConformance):
    subject = executor(lambda: Hurried(2), interrupt="checked elsewhere")
    caught = "test_emit_events_while_the_task_runs"


class Offended(ThreadExecutor):
    """Run nothing more once a task has broken."""

    broken = False

    def start(self, task: Any, emit: Any) -> Any:
        def look(event: Any) -> None:
            self.broken = self.broken or isinstance(event, BaseException)
            emit(event)

        return super().start(replace(task, work="break") if self.broken else task, look)


class TestGivesUpAfterABrokenTask(ExecutorConformance):
    subject = executor(lambda: Offended(2), interrupt="checked elsewhere")
    caught = "test_go_on_after_a_task_that_broke"


class Unstoppable:
    """A running task that cannot be cancelled."""

    def __init__(self, running: Any) -> None:
        self.join = running.join

    def cancel(self) -> None:
        """Do nothing."""


class Stubborn(ThreadExecutor):
    def start(self, task: Any, emit: Any) -> Any:
        return Unstoppable(super().start(task, emit))


class TestCancelsNothing(ExecutorConformance):
    subject = executor(lambda: Stubborn(2), interrupt="checked elsewhere")
    caught = "test_stop_a_task_that_is_cancelled"
