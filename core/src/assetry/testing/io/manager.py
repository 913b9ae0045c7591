"""Conformance of an IO manager: of one value at a time, and of many partitions at once where it takes that."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.errors import NothingKeptError, ValueStoreError
from assetry.testing.io.tables import asset, looked_at_while_written, many, numbers, refuses, same, tried
from assetry.testing.io.values import ValueConformance
from assetry.testing.subjects import IOUnderTest
from assetry.testing.verdicts import needs
from assetry.types.protocols import IOManager

#: What must hold before anything can be said of many partitions.
_BASICS = ("test_give_back_what_was_saved", "test_keep_assets_apart", "test_keep_partitions_apart")


class IOManagerConformance(ValueConformance):
    """Checks to inherit; fill in `subject`: an `IOUnderTest`, or a method that makes one in an empty folder.

    What `save_parts` and `load_parts` do is looked at where a manager has them.

    >>> class TestFiles(IOManagerConformance):
    ...     def subject(self, folder):
    ...         return IOUnderTest("assetry.io.files", url=f"parquet:{folder}")
    """

    @needs(*_BASICS, "test_tell_columns_and_rows", "test_give_equal_contents_equal_versions")
    def test_keep_many_partitions_at_once(self, io: IOManager, refused: Mapping[str, str]) -> None:
        save = getattr(io, "save_parts", None)
        if save is None or "partitions" in refused:
            return
        keys = ("2024-01-01", "x/y", "ü'", "empty")
        made = asset("at_once", "beside", *keys)
        for number, key in enumerate(("beside", *keys)):
            io.save(made, numbers(number, 2), key)
        saved = list(save(made, many({"ü'": 7, "2024-01-01": 5, "x/y": 6}), "told by", keys))
        assert len(saved) == len(keys), (
            f"save_parts of {len(keys)} partitions tells of {len(saved)}: one each, in order"
        )
        for key, one, value in zip(keys, saved, (5, 6, 7, None), strict=True):
            wanted = numbers(value or 0, 0 if value is None else 3)
            same(tried(f"partition {key!r} cannot be loaded", lambda key=key: io.load(made, key)), wanted, f"{key!r}: ")  # type: ignore[misc]
            rows = one.metadata.get("rows")
            assert rows == wanted.num_rows, f"Saved of {key!r} tells of {rows} rows, and it has {wanted.num_rows}"
            names = [column.name for column in one.columns or ()]
            assert names == ["n"], f"Saved.columns of {key!r} are {names}: leave out the column that tells partitions"
            alone = io.save(made, wanted, key).data_version
            assert one.data_version == alone, (
                f"{key!r} has the version {one.data_version} saved with others and {alone} alone: hash its own rows"
            )
        same(io.load(made, "beside"), numbers(0, 2), "a partition that was not saved is another one now: ")

    @needs("test_keep_many_partitions_at_once")
    def test_show_readers_all_partitions_old_or_new(self, io: IOManager, refused: Mapping[str, str]) -> None:
        save = getattr(io, "save_parts", None)
        if save is None or "partitions" in refused or "threads" in refused:
            return
        made = asset("watched_parts", "a", "b")
        save(made, many({"a": 0, "b": 0}), "told by", ("a", "b"))

        def write(turn: int) -> None:
            save(made, many(dict.fromkeys("ab", turn % 2)), "told by", ("a", "b"))

        def look() -> None:
            seen = tried("a reader fails while partitions are replaced", lambda: io.load(made)).to_pydict()["n"]
            assert len(seen) == 6, f"a reader saw {len(seen)} of 6 rows while two partitions were replaced"

        looked_at_while_written(write, look)

    @needs(*_BASICS)
    def test_keep_what_was_there_when_many_partitions_are_refused(
        self, io: IOManager, filled: IOUnderTest, refused: Mapping[str, str]
    ) -> None:
        save, wrong = getattr(io, "save_parts", None), filled.unkeepable
        if save is None or {"partitions", "atomic"} & refused.keys() or not hasattr(wrong, "append_column"):
            return
        made = asset("refused_parts", "a", "b")
        for key in "ab":
            io.save(made, numbers(1), key)
        told = wrong.append_column("told by", [["a"] * wrong.num_rows])
        refuses(lambda: save(made, told, "told by", ("a", "b")), "save_parts", ValueStoreError, "what cannot be kept")
        for key in "ab":
            same(io.load(made, key), numbers(1), f"a refused save_parts has spoilt partition {key!r}: ")

    @needs(*_BASICS, "test_give_back_any_value")
    def test_load_many_partitions_at_once(self, io: IOManager, refused: Mapping[str, str]) -> None:
        load = getattr(io, "load_parts", None)
        if load is None or "partitions" in refused:
            return
        made = asset("loaded_at_once", "a b", "x/y", "ü'", "beside")
        for number, key in enumerate(("ü'", "a b", "beside", "x/y")):
            io.save(made, numbers(number, number), key)
        for keys, wanted in ((("x/y", "a b"), [3, 3, 3, 1]), (("a b", "ü'", "x/y"), [1, 3, 3, 3]), (("ü'",), [])):
            found = tried(f"load_parts fails for {keys}", lambda keys=keys: load(made, keys))  # type: ignore[misc]
            same(found.column("n"), wanted, f"load_parts of {keys} gives other rows, or in another order: ")
            assert found.column_names == ["n"], f"load_parts gives the columns {found.column_names}: only the asset's"
        if io.form == "any":
            for key in ("ü'", "x/y"):
                io.save(made, {"key": key}, key)
            objects = {key: {"key": key} for key in ("x/y", "ü'")}
            same(load(made, ("x/y", "ü'")), objects, "load_parts of what is no table: ")
        never = asset("never_loaded_at_once", "a", "b")
        refuses(lambda: load(never, ("a", "b")), "load_parts", NothingKeptError)
