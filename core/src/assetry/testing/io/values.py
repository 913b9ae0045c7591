"""Conformance of what keeps values: what is saved comes back, whole or not at all, for this process and the next."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from assetry.errors import AssetryError, NothingKeptError, ValueStoreError
from assetry.testing.child import LONGEST, ChildError, elsewhere
from assetry.testing.io.tables import (
    asset,
    gone,
    looked_at_while_written,
    nothing_there,
    numbers,
    refuses,
    same,
    table,
    tried,
)
from assetry.testing.loading import load, module_of
from assetry.testing.plugin import Kit, PluginConformance, portable
from assetry.testing.subjects import IO_CAPABILITIES, IOUnderTest
from assetry.testing.verdicts import needs
from assetry.types.assets import Asset, Relation
from assetry.types.protocols import IOManager, Saved


class ValueConformance(PluginConformance):
    """The checks of what an IO manager keeps of one value at a time."""

    capabilities: ClassVar[Mapping[str, str]] = IO_CAPABILITIES

    @pytest.fixture
    def refused(self, filled: IOUnderTest) -> Mapping[str, str]:
        """Return what is refused."""
        from assetry.testing.loading import declared_refusals
        from assetry.testing.subjects import refusals

        return refusals(filled, IO_CAPABILITIES, declared_refusals(filled.plugin))

    @pytest.fixture
    def io(self, assetry_kit: Kit, loaded: Any, filled: IOUnderTest) -> Iterator[IOManager]:
        """Return the IO manager, opened once for the class; what it keeps is told apart by key."""
        io: IOManager = assetry_kit.once("io", lambda: loaded.open_io(filled.url))
        yield io
        io.close()

    # -- one value ---------------------------------------------------------------------------------------------------

    def test_be_an_io_manager(self, io: IOManager) -> None:
        assert isinstance(io, IOManager), f"{type(io).__name__} lacks methods of IOManager: form, relation, load, save"
        assert io.form in ("arrow", "any"), f"form is {io.form!r}: say 'arrow' when only tables can be kept, else 'any'"

    def test_work_again_after_close(self, io: IOManager) -> None:
        made = asset("closed")
        io.save(made, numbers(5))
        io.close()
        io.close()
        same(tried("after close, load fails: open again", lambda: io.load(made)), numbers(5), "after close: ")

    @needs("test_work_again_after_close")
    def test_give_back_what_was_saved(self, io: IOManager) -> None:
        made = asset("given_back")
        saved = io.save(made, table())
        assert isinstance(saved, Saved), f"save returns {saved!r}: return Saved(data_version, columns, metadata)"
        same(io.load(made), table())

    def test_give_back_any_value(self, io: IOManager, filled: IOUnderTest) -> None:
        values = [*filled.values, *([{"a": [1, None]}, "text", None] if io.form == "any" else [])]
        for number, value in enumerate(values):
            made = asset(f"any_{number}")
            io.save(made, value)
            same(io.load(made), value)

    def test_keep_a_table_without_rows(self, io: IOManager) -> None:
        made = asset("no_rows")
        io.save(made, table().slice(0, 0))
        found = io.load(made)
        assert found.num_rows == 0, f"a table without rows comes back with {found.num_rows}"
        assert found.column_names == table().column_names, f"its columns come back as {found.column_names}"

    def test_replace_rows_and_columns(self, io: IOManager) -> None:
        made = asset("replaced")
        io.save(made, table())
        io.save(made, numbers(7))
        same(io.load(made), numbers(7))

    def test_keep_assets_apart(self, io: IOManager) -> None:
        assets = [asset(name) for name in ("apart", "apart_2", "apart 2", "apart.2", "apart-2")]
        for number, made in enumerate(assets):
            io.save(made, numbers(number))
        for number, made in enumerate(assets):
            same(io.load(made), numbers(number), f"{made.key} and others are kept in one place: ")

    # -- what is told ------------------------------------------------------------------------------------------------

    @needs("test_give_back_what_was_saved")
    def test_tell_columns_and_rows(self, io: IOManager) -> None:
        saved = io.save(asset("told"), table())
        names = [column.name for column in saved.columns or ()]
        assert names == table().column_names, f"Saved.columns are {names}: give those that were kept, in their order"
        rows = saved.metadata.get("rows")
        assert rows == table().num_rows, f'Saved.metadata["rows"] is {rows!r}: say how many rows were kept'

    @needs("test_tell_columns_and_rows")
    def test_give_equal_contents_equal_versions(self, io: IOManager) -> None:
        one, other = asset("version_1"), asset("version_2")
        first, again, third = (io.save(made, numbers(n)).data_version for made, n in ((one, 1), (one, 1), (other, 1)))
        changed = io.save(one, numbers(2)).data_version
        assert first == again == third, (
            f"equal contents have the versions {first}, {again} and {third}: hash what is kept, not when or where; "
            "see assetry.plugin.content_version"
        )
        assert first is None or changed != first, f"other contents have the same version {first}: hash all of them"

    @needs("test_work_again_after_close")
    def test_say_that_nothing_is_kept(self, io: IOManager) -> None:
        error = nothing_there(io, asset("never_saved"))
        assert error.hint, "the error has no hint: raise assetry.plugin.nothing_kept(asset, partition, place)"
        again = pickle.loads(pickle.dumps(error))
        assert str(again) == str(error), "the error is another one after pickling, as it comes from a worker"

    @needs("test_say_that_nothing_is_kept")
    def test_name_the_table_without_touching_it(self, io: IOManager) -> None:
        first, second = io.relation(asset("relation")), io.relation(asset("relation"))
        assert first == second, f"the relation is {first} once and {second} then"
        assert first is None or isinstance(first, Relation), f"the relation is {first!r}: give a Relation, or None"
        nothing_there(io, asset("relation"))

    def test_let_no_secret_out(self, io: IOManager, filled: IOUnderTest) -> None:
        saved = io.save(asset("secret"), numbers(1))
        texts = [repr(io), str(io), repr(saved)]
        for wrong in (lambda: io.load(asset("never_saved")), lambda: io.save(asset("secret"), threading.Lock())):
            try:
                wrong()
            except Exception as error:
                texts += [str(error), repr(error.__cause__), repr(error.__context__)]
        for secret in filled.secrets:
            assert not any(secret in text for text in texts), "a secret of the URL stands in an error or a repr"

    def test_tell_what_is_there(self, io: IOManager, refused: Mapping[str, str]) -> None:
        ask = getattr(io, "exists", None)
        if ask is None:
            return
        made, parts = asset("is_there"), asset("is_there_in_part", "a")
        io.save(made, numbers(1))
        if "partitions" not in refused:
            io.save(parts, numbers(1), "a")
        never = [(asset(f"never_{number}"), None) for number in range(3)]
        found = list(ask([(made, None), *never, (made, None)]))
        assert len(found) == 5, f"exists was asked for 5 places and gives {len(found)} answers: one for each, in order"
        assert found[0] is found[4] is not False, "exists says that what was saved is not there"
        assert not any(found[1:4]), "exists says that what was never saved is there"
        if "partitions" not in refused:
            found = list(ask([(parts, "a"), (parts, None)]))
            assert False not in found, "exists says that a partition that was saved, or its asset, is not there"
        assert list(ask([])) == [], "exists gives answers when it is asked for nothing"

    @needs("test_give_back_what_was_saved", "test_say_that_nothing_is_kept", "test_keep_assets_apart")
    def test_delete_what_is_asked_and_nothing_else(self, io: IOManager, refused: Mapping[str, str]) -> None:
        delete = getattr(io, "delete", None)
        if delete is None:
            return
        made, other, parts = asset("deleted"), asset("deleted_2"), asset("deleted_in_part", "a", "b")
        for each in (made, other):
            io.save(each, numbers(1))
        again = "delete raises where nothing is: return, for it may be gone already"
        for _ in range(2):
            tried(again, lambda: delete(made))
        gone(io, made)
        same(io.load(other), numbers(1), f"{made.key} was deleted, and of {other.key} ")
        if "partitions" in refused:
            return
        for number, key in enumerate("ab"):
            io.save(parts, numbers(number), key)
        for _ in range(2):
            tried(again, lambda: delete(parts, "a"))
        gone(io, parts, "a")
        same(io.load(parts, "b"), numbers(1), "partition 'a' was deleted, and of 'b' ")
        delete(parts)
        gone(io, parts, "b")

    def test_tell_what_a_table_comes_to(self, io: IOManager) -> None:
        ask = getattr(io, "aggregate", None)
        if ask is None:
            return
        import pyarrow as pa

        made, empty = asset("has_a_greatest"), asset("has_no_rows")
        io.save(made, pa.table({"n": pa.array([2, 3, 1], pa.int64())}))
        io.save(empty, numbers(0, rows=0))
        found = ask(made, "max", "n")
        assert found == 3, f"max is {found!r} of a column with 2, 3 and 1: give the greatest value of all rows"
        found = ask(empty, "max", "n")
        assert found is None, f"max is {found!r} of a table without rows: give None"
        counts = [ask(each, "count", None) for each in (made, empty)]
        assert counts == [3, 0], f"count is {counts} of tables with 3 rows and with none"
        never = asset("never_made")
        refuses(lambda: ask(made, "max", "not_there"), "max", ValueStoreError)
        refuses(lambda: ask(never, "max", "n"), "max", NothingKeptError)
        refuses(lambda: ask(never, "count", None), "count", NothingKeptError)

    def test_tell_the_columns_of_tables(self, io: IOManager) -> None:
        ask = getattr(io, "columns", None)
        if ask is None:
            return
        made = asset("has_columns")
        with ask() as columns_of:
            for version in (1, 2):  # the same connection sees what became of the table
                names = [f"n{version}", "m"]
                saved = io.save(made, numbers(0).append_column("m", numbers(1)["n"]).rename_columns(names))
                found = columns_of(made)
                assert [each.name for each in found] == names, (
                    f"columns gives {[each.name for each in found]} of a table with {names}: look at it each time"
                )
                types = [each.type for each in saved.columns or found]
                assert [each.type for each in found] == types, (
                    f"columns gives the types {[each.type for each in found]} where Saved has {types}: name them alike"
                )
            refuses(lambda: columns_of(asset("never_made")), "columns", NothingKeptError)

    # -- whole or not at all -----------------------------------------------------------------------------------------

    def test_keep_the_old_value_when_a_save_fails(
        self, io: IOManager, filled: IOUnderTest, refused: Mapping[str, str]
    ) -> None:
        if "atomic" in refused:
            return
        made = asset("refused")
        io.save(made, numbers(3))
        wrong = threading.Lock() if filled.unkeepable is None else filled.unkeepable
        try:
            io.save(made, wrong)
        except AssetryError:
            pass
        except Exception as error:
            raise AssertionError(
                f"a value that cannot be kept raises {type(error).__name__}: raise ValueStoreError, or fill in "
                "`unkeepable` with a value that you refuse"
            ) from error
        else:
            raise AssertionError("a value that cannot be kept is not refused: fill in `unkeepable` with one that is")
        left = tried("a save that failed has taken the value from before along", lambda: io.load(made))
        same(left, numbers(3), "a save that failed has spoilt the value from before: ")

    @needs("test_give_back_what_was_saved")
    def test_show_readers_the_old_value_or_the_new(self, io: IOManager, refused: Mapping[str, str]) -> None:
        if "threads" in refused:
            return
        made = asset("watched")
        io.save(made, numbers(1, 100))

        def look() -> None:
            seen = tried("a reader fails while a value is replaced", lambda: io.load(made)).to_pydict()["n"]
            assert len(set(seen)) == 1, "a reader saw a part of the old and a part of the new value"
            assert len(seen) == 100, f"a reader saw {len(seen)} of 100 rows: put the new value in the old one's place"

        looked_at_while_written(lambda turn: io.save(made, numbers(turn % 2, 100)), look)

    def test_work_for_several_threads(self, io: IOManager, refused: Mapping[str, str]) -> None:
        if "threads" in refused:
            return

        together = threading.Barrier(8)

        def work(number: int) -> Any:
            made = asset(f"thread_{number}")
            together.wait(LONGEST)  # at the same moment, also on a busy machine
            io.save(made, numbers(number))
            return tried("what a thread saved cannot be loaded", lambda: io.load(made)).to_pydict()["n"]

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(work, range(8)))
        assert found == [[number] for number in range(8)], f"eight threads read back {found}"

    # -- partitions and processes ------------------------------------------------------------------------------------

    @needs("test_say_that_nothing_is_kept")
    def test_keep_partitions_apart(self, io: IOManager, refused: Mapping[str, str]) -> None:
        if "partitions" in refused:
            return
        made = asset("parts", "a b", "2024-01-01", "x/y", "ü'")
        names = ("a b", "2024-01-01", "x/y", "ü'")
        for number, name in enumerate(names):
            io.save(made, numbers(number), name)
        io.save(made, numbers(9), names[1])
        for number, name in zip((0, 9, 2, 3), names, strict=True):
            found = tried(f"partition {name!r} cannot be loaded", lambda name=name: io.load(made, name))  # type: ignore[misc]
            same(found, numbers(number), f"partition {name!r}: ")
        whole = tried("read without a partition, load fails: give all partitions together", lambda: io.load(made))
        found = sorted(whole.to_pydict()["n"])
        assert found == [0, 2, 3, 9], f"read without a partition, the asset is {found}: give all partitions together"

    def test_be_there_for_the_next_process(
        self, io: IOManager, filled: IOUnderTest, refused: Mapping[str, str], assetry_kit: Kit
    ) -> None:
        if "durable" in refused:
            return
        made = asset("durable")
        io.save(made, table())
        io.close()
        given = (portable(filled.plugin), filled.url, made)
        try:
            found = elsewhere(read, *given, folder=assetry_kit.folder, modules=[module_of(filled.plugin)])
        except ChildError as error:
            raise AssertionError(f"another process cannot read what was saved: {error}") from error
        assert found == table().to_pylist(), f"another process reads {found}"


def read(plugin: Any, url: str, made: Asset) -> Any:
    """Read a table in this process, as rows."""
    return load(plugin).open_io(url).load(made).to_pylist()
