"""Orphans of a project, deleted: data first, then records, and nothing that is still wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from assetry import Project, StaticPartitionsDefinition, asset
from assetry.errors import LeaseLostError, UsageError, ValueStoreError
from assetry.io.files import FileIO
from assetry.plugin import (
    Asset,
    AssetKey,
    Integration,
    Invocation,
    Materialization,
    Materialized,
    Relation,
    RunContext,
    hookimpl,
)
from assetry.store.sqlite import SQLiteStore

LETTERS = StaticPartitionsDefinition(["a", "b", "c"])


@asset
def raw() -> pa.Table:
    return pa.table({"n": [1, 2, 3]})


@asset
def old(raw: pa.Table) -> pa.Table:
    return raw


@asset
def number() -> int:
    return 3


def letters(*keys: str) -> Any:
    @asset(key="letters", partitions_def=StaticPartitionsDefinition(keys) if keys else None)
    def letters(context: Any) -> pa.Table:
        return pa.table({"key": [context.partition or "all"]})

    return letters


class Shop:
    """Projects of one folder, one after the other."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opened: list[Project] = []

    def load(self, assets: Iterable[Any] = (), *, plugins: Sequence[Any] = (), **more: Any) -> Project:
        project = Project(assets, root=self.root, plugins=plugins, store=f"sqlite:{self.root}/r.db", **more)
        self.opened.append(project)
        return project

    def files(self) -> list[str]:
        folder = self.root / ".assetry" / "data"
        return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    made = Shop(tmp_path)
    yield made
    for each in made.opened:
        each.close()


def named(found: Iterable[Any]) -> dict[str, Any]:
    return {str(each.key): each.partitions for each in found}


def test_what_nothing_defines_goes_and_the_rest_stays(shop: Shop) -> None:
    before = shop.load([raw, old, number])
    assert before.materialize().ok
    assert before.orphans() == ()
    assert before.prune().run is None
    project = shop.load([raw])
    assert named(project.orphans()) == {"number": None, "old": None}
    assert [each.last_made is not None for each in project.orphans("old")] == [True]
    done = project.prune("old")
    assert [str(each.key) for each, _ in done.deleted] == ["old"]
    assert shop.files() == ["number.pkl", "raw.parquet"]
    assert named(project.orphans()) == {"number": None}
    assert [str(each.key) for each, _ in project.prune().deleted] == ["number"]
    assert shop.files() == ["raw.parquet"]
    assert (project.orphans(), project.store.recorded()) == ((), {"raw"})
    assert [each.status for each in project.status()] == ["fresh"]
    # What was forgotten is made like something new.
    assert shop.load([raw, old]).status_of("old").status == "never"


def test_it_is_a_run_that_tells_what_was_deleted_and_that_no_retry_goes_on_with(shop: Shop) -> None:
    made = shop.load([raw, old]).materialize().run
    project = shop.load([raw])
    heard: list[str] = []
    run = project.prune(on_event=lambda record: heard.append(record.event.name)).run
    assert run is not None
    assert heard == ["run_started", "deleted", "run_finished"]
    (deleted,) = (each.event for each in project.store.events(run.id) if each.event.name == "deleted")
    assert (deleted.key, deleted.partition) == ("old", None)  # type: ignore[attr-defined]
    assert str(shop.root / ".assetry" / "data") in deleted.what  # type: ignore[attr-defined]
    assert project.find_run().id == made.id
    assert project.find_run(run.id).state == "succeeded"
    assert project.undone(project.find_run(run.id)) == ()


def test_partitions_that_are_no_more_go_alone(shop: Shop) -> None:
    assert shop.load([letters("a", "b", "c")]).materialize(partition="all").ok
    project = shop.load([letters("a")])
    assert named(project.orphans()) == {"letters": ("b", "c")}
    assert project.prune().deleted[0][0].partitions == ("b", "c")
    assert shop.files() == ["letters=partitions/a.parquet"]
    assert {partition for _, partition in project.store.latest()} == {"a"}
    assert project.status_of("letters").status == "fresh"


def test_of_an_asset_that_has_no_partitions_any_more_they_go(shop: Shop) -> None:
    assert shop.load([letters("a", "b")]).materialize(partition="all").ok
    project = shop.load([letters()])
    assert project.materialize().ok
    assert named(project.orphans()) == {"letters": ("a", "b")}
    project.prune()
    assert shop.files() == ["letters.parquet"]
    assert project.status_of("letters").status == "fresh"


def test_what_was_made_before_there_were_partitions_is_only_forgotten(shop: Shop) -> None:
    assert shop.load([letters()]).materialize().ok
    project = shop.load([letters("a")])
    assert named(project.orphans()) == {"letters": (None,)}
    done = project.prune()
    assert (done.deleted, [each.failed for each in done.left], done.run) == ((), [False], None)
    assert named(each for each, _ in project.prune(records_only=True).deleted) == {"letters": (None,)}
    assert project.orphans() == ()


class Mill:
    """A tool that makes tables in a folder of files, and deletes them when it is asked."""

    def __init__(self, *tables: str, deletes: bool = True) -> None:
        self.tables = tables
        self.deletes = deletes
        self.asked: list[tuple[str, Sequence[str] | None]] = []
        self.refuses: Exception | None = None
        self.store: Callable[[], int] | None = None

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
        if integration.kind != "mill":
            return None
        return [
            Asset(key=f"mill/{each}", kind="mill", integration=integration, relation=Relation("db", "main", each))
            for each in self.tables
        ]

    @hookimpl
    def assetry_invoke(self, invocation: Invocation) -> Any:
        for each in invocation.assets:
            yield Materialized(each.key)

    @hookimpl
    def assetry_delete(
        self, record: Materialization, integration: Integration, partitions: Any, context: RunContext
    ) -> str | None:
        if not self.deletes:
            return None
        assert integration.name == "grain"
        assert record.origin is not None
        assert self.store is None or self.store(), "the record is there while its data is deleted"
        self.asked.append((str(record.key), partitions))
        context.log(f"grinding {record.key}")
        if self.refuses is not None:
            raise self.refuses
        return f"the table {record.origin.relation}"


GRAIN = Integration("grain", "mill")


def test_hook_assetry_delete_is_asked_of_what_made_it(shop: Shop) -> None:
    assert shop.load(integrations=[GRAIN], plugins=[Mill("flour", "bran")]).materialize().ok
    mill = Mill("bran")
    project = shop.load(integrations=[GRAIN], plugins=[mill])
    mill.store = lambda: len(project.store.latest(["mill/flour"]))  # type: ignore[list-item]
    done = project.prune()
    assert mill.asked == [("mill/flour", None)]
    assert [what for _, what in done.deleted] == [("the table db.main.flour",)]
    assert done.run is not None
    assert "grinding mill/flour" in [getattr(each.event, "message", "") for each in project.store.events(done.run.id)]
    assert project.orphans() == ()


def test_hook_assetry_delete_of_the_project_comes_before_that_of_the_tool(shop: Shop) -> None:
    asked: list[Any] = []

    class Ours:
        @hookimpl
        def assetry_delete(self, record: Materialization, integration: Integration | None) -> str | None:
            asked.append((str(record.key), integration and integration.name))
            return "moved to the attic" if record.key == "old" else None

    assert shop.load([raw, old, number], integrations=[GRAIN], plugins=[Mill("flour")]).materialize().ok
    mill = Mill()
    project = shop.load([raw], integrations=[GRAIN], plugins=[mill, Ours()])
    done = {str(each.key): what for each, what in project.prune().deleted}
    assert done["old"] == ("moved to the attic",)
    assert sorted(shop.files()) == ["old.parquet", "raw.parquet"], "what ours does not delete is deleted as before"
    assert [key for key, _ in mill.asked] == ["mill/flour"]
    assert sorted(asked) == [("mill/flour", "grain"), ("number", "python"), ("old", "python")]


def test_what_cannot_be_deleted_stays_with_its_record_and_says_why(shop: Shop) -> None:
    assert shop.load([number], integrations=[GRAIN], plugins=[Mill("flour", "bran")]).materialize().ok
    mill = Mill()
    mill.refuses = ValueStoreError("The mill is locked.", hint="Unlock it.")
    project = shop.load(integrations=[GRAIN], plugins=[mill])
    done = project.prune()
    forgets = "forgets it, and leaves it where it is."
    assert [str(each.key) for each, _ in done.deleted] == ["number"], "the others go on"
    assert [(str(each.orphan.key), each.because, each.hint, each.failed) for each in done.left] == [
        (key, "The mill is locked.", f"Unlock it. `assetry prune {key} --delete --records-only` {forgets}", True)
        for key in ("mill/bran", "mill/flour")
    ]
    assert done.run is not None
    assert done.run.state == "failed"
    assert named(project.orphans()) == {"mill/bran": None, "mill/flour": None}
    assert [str(each.key) for each, _ in project.prune(records_only=True).deleted] == ["mill/bran", "mill/flour"]
    assert len(mill.asked) == 2, "of records alone no plugin is asked"


def test_a_kill_between_deletion_and_record_forgets_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    assert shop.load([raw, old]).materialize().ok
    project = shop.load([raw])
    with monkeypatch.context() as patch:
        patch.setattr(SQLiteStore, "forget", killed)
        with pytest.raises(Killed):
            project.prune()
    assert shop.files() == ["raw.parquet"]
    assert named(project.orphans()) == {"old": None}
    assert project.store.leases() == ()
    assert [str(each.key) for each, _ in project.prune().deleted] == ["old"], "what is not there any more counts"


def test_what_a_run_makes_now_is_left_to_it(shop: Shop) -> None:
    assert shop.load([raw, old, number]).materialize().ok
    project = shop.load([raw])
    assert project.store.lease("another", {AssetKey("old"): None}).lease is not None
    done = project.prune()
    assert [str(each.key) for each, _ in done.deleted] == ["number"]
    assert [(str(each.orphan.key), each.because) for each in done.left] == [("old", "run another is making it")]


def test_what_was_made_again_meanwhile_stays(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.load([raw, old]).materialize().ok
    other, project = shop.load([raw, old]), shop.load([raw])
    lease = SQLiteStore.lease

    def late(self: SQLiteStore, *arguments: Any) -> Any:
        monkeypatch.undo()
        assert other.materialize("old").ok
        return lease(self, *arguments)

    monkeypatch.setattr(SQLiteStore, "lease", late)
    done = project.prune()
    assert [(str(each.orphan.key), each.because) for each in done.left] == [("old", "it was made again meanwhile")]
    assert "old.parquet" in shop.files()


def test_what_is_taken_for_gone_meanwhile_deletes_no_more(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.load([raw, old, number]).materialize().ok
    project = shop.load([raw])
    forget = SQLiteStore.forget

    def late(self: SQLiteStore, *arguments: Any, lease: Any) -> None:
        forget(self, *arguments, lease=lease)
        self.finish(lease.run, "interrupted", datetime.now(UTC))

    with monkeypatch.context() as patch:
        patch.setattr(SQLiteStore, "forget", late)
        with pytest.raises(LeaseLostError) as lost:
            project.prune()
    assert lost.value.hint == "Run the command again: it does what is left to be done."
    (left,) = project.orphans()
    assert [each.partition(".")[0] for each in shop.files()] == sorted(["raw", str(left.key)]), "it was not deleted"
    assert project.store.runs()[0].state == "interrupted"
    assert len(project.prune().deleted) == 1


def test_the_table_of_something_defined_stays(shop: Shop) -> None:
    assert shop.load(integrations=[GRAIN], plugins=[Mill("flour")]).materialize().ok

    class Renamed(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
            relation = Relation("DB", None, "flour")
            return [Asset(key="mill/meal", kind="mill", integration=integration, relation=relation)]

    mill = Renamed()
    project = shop.load(integrations=[GRAIN], plugins=[mill])
    done = project.prune()
    assert [each.because for each in done.left] == ["db.main.flour is the table of mill/meal now"]
    assert mill.asked == []
    assert project.orphans() != ()


def test_where_nothing_leads_to_the_place_any_more_it_is_said_what_to_do(shop: Shop) -> None:
    assert shop.load(integrations=[GRAIN], plugins=[Mill("flour")]).materialize().ok
    done = shop.load([raw]).prune()
    (left,) = done.left
    assert "Nothing tells where 'mill/flour' was kept" in left.because
    assert "--records-only" in str(left.hint)


def test_values_that_were_moved_go_from_every_place(shop: Shop) -> None:
    first = {"io": f"parquet:{shop.root}/first"}
    assert shop.load([letters("a", "b")], **first).materialize(partition="a").ok
    second = {"io": f"parquet:{shop.root}/second"}
    assert shop.load([letters("a", "b")], **second).materialize(partition="b").ok
    places = [FileIO(shop.root / name) for name in ("first", "second")]
    assert [any(each.folder.rglob("*.parquet")) for each in places] == [True, True]
    done = shop.load([raw]).prune()
    assert [len(what) for _, what in done.deleted] == [2]
    assert [any(each.folder.rglob("*.parquet")) for each in places] == [False, False]


def test_a_key_that_is_no_orphan_is_told(shop: Shop) -> None:
    assert shop.load([raw, old]).materialize().ok
    project = shop.load([raw])
    with pytest.raises(UsageError, match=r"'raw' is no orphan: .*test_pruning.py:\d+ defines it") as told:
        project.prune("raw")
    assert told.value.near == ()
    with pytest.raises(UsageError, match="'odl' is no orphan") as told:
        project.orphans("odl")
    assert told.value.near == ("old",)
