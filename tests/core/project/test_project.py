"""Projects: found, loaded, planned, run, asked, closed and used again; what is wrong is said with its place."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry import Asset, AssetKey, DailyPartitionsDefinition, Integration, Project, asset, asset_check, materialize
from assetry.errors import (
    AmbiguousNameError,
    AssetryError,
    CycleError,
    DefinitionError,
    DuplicateKeyError,
    IntegrationError,
    NoClaimError,
    ProjectFileError,
    RunFailedError,
    SelectionError,
    StoreError,
    StoreVersionError,
    UnknownDependencyError,
    UsageError,
    ValueStoreError,
)
from assetry.plugin import (
    AssetCheck,
    Check,
    Checked,
    Decorated,
    Event,
    Invocation,
    InvocationGroup,
    Materialized,
    Started,
    hookimpl,
)
from assetry.project.settings import absolute

ASSETS = """
from assetry import asset

@asset
def one() -> int:
    return 1

@asset
def two(one: int) -> int:
    return one + 1
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of the project; return the project's folder."""

    def written(name: str, text: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return tmp_path

    return written


@pytest.fixture
def opened() -> Iterator[Callable[[Project], Project]]:
    found: list[Project] = []

    def keep(project: Project) -> Project:
        found.append(project)
        return project

    yield keep
    for each in found:
        each.close()


@asset
def one() -> int:
    return 1


@asset
def two(one: int) -> int:
    return one + 1


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project([one, two], root=tmp_path) as project:
        yield project


def keys(project: Project) -> list[str]:
    return [str(key) for key in project.graph.keys]


# -- definitions ---------------------------------------------------------------------------------------------------


def test_functions_assets_and_lists_of_both(tmp_path: Path) -> None:
    raw = Asset(key="raw", kind="x", executable=False)
    project = Project([one, [two, (raw,)]], root=tmp_path)
    assert set(keys(project)) == {"one", "two", "raw"}


MILL = Integration("mill", "mill")


class Mill:
    """A plugin that makes one table and checks what others make."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "mill":
            return None
        return [
            Asset(key="mill/a", kind="mill", integration=integration),
            AssetCheck(AssetKey("one"), Check("agrees"), integration),
        ]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("mill")

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: Any) -> Iterator[Event]:
        for each in invocation.assets:
            yield Started(each.key)
            context.save(each.key, 1)
            yield Materialized(each.key)
        for ref in invocation.checks:
            yield Checked(ref.key, ref.check, False, "warn", "they differ")


def test_a_plugin_checks_what_another_makes(tmp_path: Path) -> None:
    with Project([one], root=tmp_path, integrations=[MILL], plugins=[Mill()]) as project:
        result = project.materialize()
    assert result.counts["checks_warned"] == 1


def test_a_check_is_given_beside_assets(tmp_path: Path) -> None:
    given = [one, [AssetCheck(AssetKey("mill/a"), Check("by_hand"))]]
    with Project(given, root=tmp_path, integrations=[MILL], plugins=[Mill()]) as project:
        assert [check.name for check in project.graph["mill/a"].checks] == ["by_hand"]


def test_a_check_that_is_all_there_is_of_python_is_found_and_called(tmp_path: Path) -> None:
    # Not to be imported by its name, so it is only there under the integration that it was loaded for.
    @asset_check(asset="a", name="by_hand")
    def is_positive(value: int) -> bool:
        return value > 0

    one_by_mill = Asset(key="one", kind="mill", executable=False)
    theirs = AssetCheck(AssetKey("mill/a"), Check("by_hand"))
    with Project([theirs, is_positive, one_by_mill], root=tmp_path, integrations=[MILL], plugins=[Mill()]) as project:
        result = project.materialize("mill/a")
        names = [check.name for check in project.graph["mill/a"].checks]
    assert names == ["by_hand", "python:by_hand"]
    assert result.ok
    assert result.counts["checks_passed"] == 1


@pytest.mark.parametrize("stray", [42, "orders", {"a": one}, None, lambda: 1])
def test_what_is_no_asset_is_refused(stray: object) -> None:
    with pytest.raises(DefinitionError, match="is not an asset") as caught:
        Project([one, stray])
    assert caught.value.exit_code == 3
    assert "@asset" in (caught.value.hint or "")


def test_assets_of_a_file_named_assets(write: Any, opened: Any) -> None:
    root = write("assets.py", ASSETS)
    project = opened(Project.load(root))
    assert keys(project) == ["one", "two"]
    assert project.root == root.resolve()
    assert project.materialize().ok
    assert sorted(path.name for path in root.iterdir()) == [".assetry", "assets.py"]


@pytest.mark.parametrize("package", [True, False])
def test_assets_of_a_folder_named_assets(write: Any, opened: Any, package: bool) -> None:
    if package:
        write("assets/__init__.py")
    write("assets/numbers.py", ASSETS)
    root = write("assets/more/deep.py", "from assetry import asset\n@asset\ndef deep(two): return two")
    assert set(keys(opened(Project.load(root)))) == {"one", "two", "deep"}


def test_a_folder_of_other_things_named_assets_is_no_code(write: Any, opened: Any) -> None:
    root = write("assets/logo.svg", "<svg/>")
    assert keys(opened(Project.load(root))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("assetry.toml", 'modules = ["shop_assets"]'),
        ("pyproject.toml", '[project]\nname = "x"\n[tool.assetry]\nmodules = ["shop_assets"]'),
    ],
)
def test_modules_that_a_project_file_names(write: Any, opened: Any, name: str, text: str) -> None:
    write(name, text)
    write("assets.py", "raise ValueError('not asked for')")
    root = write("shop_assets.py", ASSETS)
    assert keys(opened(Project.load(root))) == ["one", "two"]


def test_a_project_file_above_is_the_root(write: Any, opened: Any) -> None:
    write("assetry.toml", 'modules = ["shop_assets"]')
    write("shop_assets.py", ASSETS)
    root = write("models/staging/x.sql")
    project = opened(Project.load(root / "models" / "staging"))
    assert project.root == root.resolve()
    assert keys(project) == ["one", "two"]


def test_a_plugin_file_beside_the_project(write: Any, opened: Any) -> None:
    write(
        "assetry_plugins.py",
        """
        from assetry.plugin import Asset, hookimpl

        @hookimpl
        def assetry_load_assets(integration):
            if integration.kind == "mill":
                return [Asset(key=integration.options["key"], kind="mill", integration=integration)]
        """,
    )
    root = write("assetry.toml", '[integrations.m]\nkind = "mill"\nkey = "ground"')
    project = opened(Project.load(root))
    assert keys(project) == ["ground"]
    assert any(info.source == "project" for info in project.plugins.infos)


def test_the_source_of_a_source_is_found_by_its_key(tmp_path: Path) -> None:
    source = Asset(key="one", kind="x", executable=False, resource_type="source", integration=Integration("x", "x"))
    project = Project([one, source], root=tmp_path, plugins=[Loader()])
    assert keys(project) == ["one"]
    assert project.graph["one"].executable


class Loader:
    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> list[Asset] | None:
        return [] if integration.kind == "x" else None


# -- bad definitions -----------------------------------------------------------------------------------------------


def failing(write: Any, text: str, kind: type[AssetryError]) -> AssetryError:
    root = write("assets.py", "from assetry import asset\n" + textwrap.dedent(text))
    with Project.load(root) as project, pytest.raises(kind) as caught:
        _ = project.graph
    assert type(caught.value) is kind
    return caught.value


def test_an_unknown_module(write: Any, opened: Any) -> None:
    write("shop_assets.py", ASSETS)
    root = write("assetry.toml", 'modules = ["shop_asset"]')
    with pytest.raises(IntegrationError, match="no Python module 'shop_asset'") as caught:
        _ = opened(Project.load(root)).graph
    assert caught.value.near == ("shop_assets",)
    assert caught.value.exit_code == 3


def test_a_module_that_cannot_be_imported_is_placed(write: Any) -> None:
    error = failing(write, "\nimport nowhere_at_all\n", IntegrationError)
    assert (error.where or "").endswith("assets.py:3")
    assert "nowhere_at_all" in error.message
    assert "Install" in (error.hint or "")


def test_a_syntax_error_is_placed(write: Any) -> None:
    error = failing(write, "def one(:\n    pass\n", IntegrationError)
    assert (error.where or "").endswith("assets.py:2")


def test_an_unknown_dependency_names_who_where_and_what_is_near(write: Any) -> None:
    error = failing(write, "@asset\ndef orders(): ...\n@asset\ndef total(order): ...\n", UnknownDependencyError)
    assert "total" in error.message
    assert "order" in error.message
    assert error.near == ("orders",)
    assert "assets.py:4" in (error.where or "") or "assets.py:5" in (error.where or "")


def test_what_is_missing_may_be_what_the_project_file_leaves_out(write: Any) -> None:
    """A file that names integrations names all of them: what is there beside them is not looked for."""
    plugin = """
        from assetry.plugin import Asset, Integration, hookimpl

        ASSETRY_KINDS = {"mill": {}, "press": {}}

        @hookimpl
        def assetry_discover(root):
            return [Integration("oil", "press", {"folder": "olives"}, root), Integration("mill", "mill", {}, root)]

        @hookimpl
        def assetry_load_assets(integration):
            return [Asset(key="flour", kind="mill", integration=integration, deps=["oil/olives"])]
        """
    write("assetry_plugins.py", plugin)
    root = write("assetry.toml", '[integrations.corn]\nkind = "mill"\n')
    with pytest.raises(UnknownDependencyError) as caught:
        _ = Project.load(root).graph
    assert caught.value.where == "integration 'corn'"
    assert '[integrations.oil] with kind = "press", folder = "olives"' in str(caught.value)
    assert "integrations.mill" not in str(caught.value)


def test_a_cycle_is_shown_as_a_path(write: Any) -> None:
    error = failing(write, "@asset\ndef a(b): ...\n@asset\ndef b(a): ...\n", CycleError)
    assert "a" in error.message
    assert "→" in error.message


def test_the_same_key_twice_names_both_places(write: Any) -> None:
    error = failing(write, "@asset\ndef a(): ...\n@asset(key='a')\ndef b(): ...\n", DuplicateKeyError)
    said = str(error)
    assert "assets.py:2" in said
    assert "assets.py:4" in said


def test_an_argument_name_that_fits_two_lists_them(write: Any) -> None:
    text = "@asset(key='x/a')\ndef a(): ...\n@asset(key='y/a')\ndef b(): ...\n@asset\ndef c(a): ...\n"
    error = failing(write, text, AmbiguousNameError)
    assert "x/a" in str(error)
    assert "y/a" in str(error)


def test_an_unknown_key_of_the_project_file(write: Any) -> None:
    root = write("assetry.toml", 'module = ["x"]')
    with pytest.raises(ProjectFileError, match="Unknown key 'module'") as caught:
        Project.load(root)
    assert caught.value.near == ("modules",)
    assert (caught.value.where or "").endswith("/assetry.toml:1")


def test_an_integration_that_no_plugin_loads(write: Any, opened: Any) -> None:
    root = write("assetry.toml", '[integrations.m]\nkind = "mill"')
    with pytest.raises(NoClaimError, match="'mill'") as caught:
        _ = opened(Project.load(root)).graph
    assert "pip install" not in (caught.value.hint or "")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("option", "value"), [("store", "redis:x"), ("executor", "cluster:x")])
def test_a_place_that_no_plugin_knows(tmp_path: Path, option: str, value: str) -> None:
    with (
        Project([one], root=tmp_path, **{option: value}) as project,
        pytest.raises(NoClaimError, match="No plugin"),
    ):
        project.materialize()


def test_a_place_for_values_that_no_plugin_knows_is_told_before_anything_is_run(tmp_path: Path) -> None:
    with Project([one], root=tmp_path, io="tape:x") as project:
        with pytest.raises(NoClaimError, match="No plugin keeps values at 'tape' URLs"):
            project.materialize()
        assert project.store.runs() == []


def test_plans_and_results_are_a_line_in_a_notebook(tmp_path: Path) -> None:
    with Project([one], root=tmp_path) as project:
        assert repr(project.plan()) == "<Plan: 1 assets, 1 invocations, 0 of tools (minimal)>"
        result = project.materialize()
        assert repr(result) == f"<RunResult {result.run.id} succeeded: 1 materialized>"


def test_the_value_of_what_failed_is_not_that_of_an_earlier_run(tmp_path: Path) -> None:
    @asset(key="shop/half")
    def half() -> float:
        return 1 / 0

    @asset
    def below(half: float) -> float:
        return half

    result = materialize([half, below], project={"root": tmp_path})
    with pytest.raises(RunFailedError, match=r"shop/half failed: ZeroDivisionError(.|\n)*`Project.load_value`"):
        result.value("half")
    with pytest.raises(RunFailedError, match="below was skipped: shop/half failed"):
        result.value("below")


def test_the_next_step_is_one_that_works(tmp_path: Path) -> None:
    @asset
    def half() -> float:
        return 1 / 0

    for store, hint in ((None, "`assetry retry`"), ("sqlite::memory:", "`outcomes` of the result")):
        with pytest.raises(RunFailedError) as caught:
            materialize(half, store=store, raise_on_error=True, project={"root": tmp_path})  # type: ignore[arg-type]
        assert hint in (caught.value.hint or "")


def test_one_asset_needs_no_list_and_a_plain_function_is_told_as_one(tmp_path: Path) -> None:
    assert materialize(one, project={"root": tmp_path}).value("one") == 1  # type: ignore[arg-type]

    def plain() -> None: ...

    for given in (plain, [plain]):
        with pytest.raises(DefinitionError, match=r"plain\(\) is not an asset") as caught:
            materialize(given, project={"root": tmp_path})  # type: ignore[arg-type]
        assert caught.value.hint == "Decorate it with @asset."
        assert "test_project.py:" in (caught.value.where or "")


def test_a_selection_that_was_looked_for_is_taken_as_it_is(tmp_path: Path) -> None:
    also = asset(key="also")(lambda: 1)
    with Project([one, also], root=tmp_path) as project:
        found = project.selection(None, "also")
        assert project.selection(found) is found
        assert [each.key for each in project.status(found)] == ["one"]
        assert project.materialize(project.selection(None), "also").run.options["select"] == ["one", "also"]
        assert [key for key, _ in project.store.latest()] == ["one"]
        assert project.select(found, "also") == ("one",)


def test_every_place_that_is_named_is_looked_at(tmp_path: Path) -> None:
    far = asset(key="far", io_manager="tape:x")(lambda: 1)
    also = asset(key="also", io_manager="tape:y")(lambda: 1)
    named = {"store": "redis:x", "executor": "cluster:x", "io": "floppy:x"}
    with Project([far, also, one], root=tmp_path, **named) as project:  # type: ignore[arg-type]
        told = [str(each) for each in project.place_problems()]
    words = ("'redis'", "'cluster'", "'floppy'", "Asset 'far': No plugin keeps values at 'tape'", "Asset 'also'")
    assert len(told) == len(words)
    assert all(word in each for word, each in zip(words, told, strict=True))
    assert "test_project.py:" in told[3]
    with Project([one], root=tmp_path) as good:
        assert good.place_problems() == ()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProjectFileError, match="There is no folder"):
        Project.load(tmp_path / "nowhere")


def test_a_store_that_is_no_store_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_text("not a database, but somebody's text\n" * 50)
    before = file.read_bytes()
    with Project([one], root=tmp_path, store="sqlite:state.db") as project, pytest.raises(StoreError):
        project.materialize()
    assert file.read_bytes() == before


def test_a_store_of_a_newer_assetry_is_left_as_it_is(tmp_path: Path) -> None:
    import sqlite3

    with Project([one], root=tmp_path) as project:
        project.materialize()
    with sqlite3.connect(tmp_path / ".assetry" / "state.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with (
        Project([one], root=tmp_path) as project,
        pytest.raises(StoreVersionError, match="newer assetry") as caught,
    ):
        project.status()
    assert "pip install --upgrade assetry" in (caught.value.hint or "")


# -- questions -----------------------------------------------------------------------------------------------------


def test_select_and_what_matches_nothing(project: Project) -> None:
    assert project.select("one+") == ("one", "two")
    assert project.select(["two", "one"], exclude="one") == ("two",)
    with pytest.raises(SelectionError) as caught:
        project.select("tow")
    assert caught.value.near == ("two",)
    assert caught.value.exit_code == 2
    assert project.selection("one nowhere").unmatched[0].text == "nowhere"


def test_plan_of_what_is_stale(project: Project) -> None:
    assert [planned.because for planned in project.plan(stale=True).invocations] == [
        {"one": "never materialized"},
        {"two": "never materialized"},
    ]
    project.materialize("one")
    assert [str(key) for planned in project.plan(stale=True).invocations for key in planned.because] == ["two"]
    project.materialize("two")
    assert project.plan(stale=True).invocations == ()


def test_commands_are_filled_in_for_people(project: Project) -> None:
    (planned,) = project.commands(project.plan("one")).invocations
    assert planned.command is not None
    assert planned.command.endswith(".one()")


def test_an_unknown_way_of_collapsing_is_refused(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        project.plan(collapse="fewer")
    assert "fewest" in caught.value.near
    assert project.plan(collapse="earliest").invocations


def test_status_of_all_of_some_and_of_one(project: Project) -> None:
    assert [status.status for status in project.status()] == ["never", "never"]
    project.materialize("one")
    assert {str(each.key): each.status for each in project.status()} == {"one": "fresh", "two": "never"}
    assert [str(each.key) for each in project.status("state:never")] == ["two"]
    assert project.status_of("one").status == "fresh"
    with pytest.raises(UsageError) as caught:
        project.status_of("onn")
    assert caught.value.near == ("one",)


def test_the_value_of_an_asset(project: Project) -> None:
    with pytest.raises(ValueStoreError, match="There is no value"):
        project.load_value("two")
    project.materialize()
    assert project.load_value("two") == 2


def test_runs_are_found_by_the_beginning_of_their_id(project: Project) -> None:
    with pytest.raises(UsageError, match="There is no run yet"):
        project.find_run()
    result = project.materialize()
    assert project.find_run() == project.find_run(result.run.id) == project.find_run(result.run.id[:-2])
    assert project.find_run().options["partition"] == []
    with pytest.raises(UsageError, match="There is no run 'nope'"):
        project.find_run("nope")


def test_what_is_left_of_a_run_is_what_nobody_made_since(tmp_path: Path) -> None:
    broken = [True]

    @asset
    def flaky(one: int) -> int:
        if broken:
            raise ValueError("no")
        return one

    @asset
    def below(flaky: int) -> int:
        return flaky

    with Project([one, flaky, below], root=tmp_path) as project:
        failed = project.materialize().run
        assert project.undone(failed) == ("flaky", "below")
        broken.clear()
        project.materialize("flaky")
        assert project.undone(failed) == ("below",)
        result = project.retry(failed.id)
        assert list(result.outcomes) == [(AssetKey("below"), None)]
        assert result.run.options["retry_of"] == failed.id
        assert project.undone(failed) == ()


def test_what_is_left_leaves_out_what_is_no_longer_defined(tmp_path: Path) -> None:
    @asset
    def flaky() -> int:
        raise ValueError("no")

    with Project([one, flaky], root=tmp_path) as project:
        failed = project.materialize().run
    with Project([one], root=tmp_path) as project:
        assert project.undone(failed) == ()


# -- where things are kept -----------------------------------------------------------------------------------------


def test_relative_places_start_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    @asset(io_manager="parquet:own")
    def three() -> int:
        return 3

    with Project([one, three], root=root, store="sqlite:state/s.db", io="parquet:values") as project:
        project.materialize()
        assert project.load_value("three") == 3
    assert (root / "state" / "s.db").is_file()
    assert any((root / "values").rglob("one*"))
    assert any((root / "own").rglob("three*"))
    assert list(elsewhere.iterdir()) == []


def test_places_that_are_no_files_are_left_alone(tmp_path: Path) -> None:
    for url in ("sqlite::memory:", "memory:", "memory", "duckdb:md:shop", "parquet:s3://bucket/x", "postgres://h/d"):
        assert absolute(url, tmp_path) == url
    assert absolute("duckdb:shop.duckdb", tmp_path) == f"duckdb:{tmp_path}/shop.duckdb"
    assert absolute("sqlite:/x/s.db", tmp_path) == "sqlite:/x/s.db"


class Warehouse(Loader):
    @hookimpl
    def assetry_io_url(self, integration: Integration) -> str | None:
        return "memory:"


def test_values_go_to_the_first_warehouse_of_an_integration_and_else_to_files(tmp_path: Path) -> None:
    with Project([one], root=tmp_path) as project:
        assert project.values.default == f"parquet:{tmp_path}/.assetry/data"
    warehouse = Integration("x", "x")
    with Project([one], integrations=[warehouse], plugins=[Warehouse()], root=tmp_path) as project:
        assert project.values.default == "memory:"
    table = Asset(key="t", kind="x", integration=warehouse)
    with Project([one, table], plugins=[Warehouse()], root=tmp_path) as project:
        assert project.values.default == "memory:"
    with Project([one, table], plugins=[Warehouse()], root=tmp_path, io="parquet:here") as project:
        assert project.values.default == f"parquet:{tmp_path}/here", "what is configured goes first"


def test_a_closed_project_holds_nothing_and_can_be_used_again(tmp_path: Path) -> None:
    project = Project([one, two], root=tmp_path)
    assert project.materialize().ok
    project.close()
    project.close()
    if Path("/proc/self/fd").exists():
        held = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
        assert not [path for path in held if path.is_relative_to(tmp_path)]
    assert {status.status for status in project.status()} == {"fresh"}
    assert project.load_value("two") == 2
    assert project.materialize().ok
    project.close()


def test_what_cannot_be_closed_does_not_keep_the_rest_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project([one], root=tmp_path)
    project.materialize()
    closed: list[str] = []

    def stubborn() -> None:
        closed.append("values")
        raise OSError("busy")

    monkeypatch.setattr(project.values, "close", stubborn)
    monkeypatch.setattr(project.store, "close", lambda: closed.append("store"))
    with pytest.raises(OSError, match="busy"):
        project.close()
    assert closed == ["values", "store"]


def test_materialize_returns_how_it_went(tmp_path: Path) -> None:
    result = materialize([one, two], "one", project={"root": tmp_path})
    assert result.ok
    assert result.keys("materialized") == ("one",)
    with pytest.raises(SelectionError):
        materialize([one], "nope", project={"root": tmp_path})


def test_values_come_out_of_a_result(tmp_path: Path) -> None:
    result = materialize([one, two], store="sqlite::memory:", io="memory:")
    assert (result.value("one"), result.value("two")) == (1, 2)
    assert materialize([one], project={"root": tmp_path}).value("one") == 1
    with pytest.raises(UsageError, match="No asset 'tow'"):
        result.value("tow")


def test_a_failure_is_an_exception_where_that_is_asked_for(tmp_path: Path) -> None:
    @asset
    def broken() -> int:
        raise ValueError("no rows")

    with pytest.raises(RunFailedError, match=r"failed\.\n  broken: ValueError: no rows") as caught:
        materialize([one, broken], io="memory:", raise_on_error=True, project={"root": tmp_path})
    assert "assetry retry" in (caught.value.hint or "")
    assert not materialize([one, broken], io="memory:", project={"root": tmp_path}).ok
    assert materialize([one], io="memory:", raise_on_error=True, project={"root": tmp_path}).ok


def test_a_keyword_that_does_not_exist_is_told_with_what_was_meant(tmp_path: Path) -> None:
    project = Project([one], root=tmp_path)
    with pytest.raises(UsageError, match="no keyword 'stail'") as caught:
        project.plan(stail=True)  # type: ignore[call-arg]
    assert caught.value.near[0] == "stale"


@pytest.mark.parametrize("verb", [Project.plan, Project.materialize, materialize])
def test_the_keywords_of_a_plan_show_in_signatures(verb: Callable[..., object]) -> None:
    assert {"stale", "full_refresh", "partition", "collapse"} <= set(inspect.signature(verb).parameters)


def test_an_asset_with_partitions_and_one_without(tmp_path: Path) -> None:
    @asset(partitions_def=DailyPartitionsDefinition(start_date="2026-01-01"))
    def daily(context: Any) -> str:
        return str(context.partition)

    with Project([one, daily], root=tmp_path) as project:
        result = project.materialize(partition="2026-01-02")
        assert {(str(key), part) for key, part in result.outcomes} == {("one", None), ("daily", "2026-01-02")}
        assert project.load_value("daily", partition="2026-01-02") == "2026-01-02"


def test_a_partition_of_the_future_is_refused(tmp_path: Path) -> None:
    @asset(partitions_def=DailyPartitionsDefinition(start_date="2026-01-01"))
    def daily() -> int:
        return 1

    with Project([daily], root=tmp_path) as project, pytest.raises(UsageError, match="is not over yet") as caught:
        project.materialize(partition="2999-01-01")
    assert len(caught.value.near) == 1


def test_an_empty_plan_succeeds_and_leaves_nothing_to_retry(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text("from assetry import asset\n@asset\ndef one() -> int:\n    return 1\n")
    with Project.load(tmp_path) as project:
        assert project.materialize().ok
        assert project.materialize(stale=True).ok
        assert len(project.store.runs()) == 1


def test_a_module_that_exits_is_an_error_of_the_definitions(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text("import sys\nsys.exit('no configuration')\n")
    with Project.load(tmp_path) as project, pytest.raises(IntegrationError, match="SystemExit: no configuration"):
        _ = project.graph


class Keeper:
    """A plugin whose assets assetry keeps: one says nothing of its table, one a part."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        if integration.kind != "keeper":
            return None
        made = {"kind": "keeper", "integration": integration, "kept": True}
        return [
            Asset(key="k/logins", **made),
            Asset(key="k/orders", relation=(None, "raw", "orders"), **made),
        ]


def test_what_any_tool_lets_assetry_keep_gets_its_table(tmp_path: Path) -> None:
    where = {"root": tmp_path, "integrations": [Integration("k", "keeper")], "plugins": [Keeper()]}
    with Project(io="duckdb:shop.duckdb", **where) as project:
        assert project.graph["k/orders"].relation == ("shop", "raw", "orders")
        assert project.graph["k/logins"].relation is None  # nothing asks for it yet
    read = Asset(key="read/orders", kind="x", executable=False, relation=("shop", None, "orders"))
    with Project([read], io="duckdb:shop.duckdb", **where) as project:
        assert project.graph["k/orders"].aliases == ("read/orders",)


def test_what_any_tool_lets_assetry_keep_is_joined_with_a_source_at_its_table(tmp_path: Path) -> None:
    read = Asset(key="read/logins", kind="x", executable=False, relation=("shop", "main", "logins"))
    where = {"root": tmp_path, "integrations": [Integration("k", "keeper")], "plugins": [Keeper()]}
    with Project([read], io="duckdb:shop.duckdb", **where) as project:
        assert project.graph["k/logins"].aliases == ("read/logins",)
        assert project.graph["k/logins"].relation == ("shop", "main", "logins")


def test_two_tools_that_let_assetry_keep_one_table_are_refused(tmp_path: Path) -> None:
    @asset(key="app/logins")
    def logins() -> int:
        return 1

    where = {"root": tmp_path, "integrations": [Integration("k", "keeper")], "plugins": [Keeper()]}
    with (
        Project([logins], io="duckdb:shop.duckdb", **where) as project,
        pytest.raises(DuplicateKeyError, match="'k/logins' and 'app/logins' would be kept in one table"),
    ):
        _ = project.graph


def test_a_python_asset_in_the_table_of_another_tool_is_refused(tmp_path: Path) -> None:
    class Tool:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            if integration.kind != "tool":
                return None
            table = ("shop", "main", "One")
            return [Asset(key="tool/made", kind="tool", integration=integration, relation=table, source="made.sql")]

        @hookimpl
        def assetry_io_url(self, integration: Integration) -> str:
            return f"duckdb:{tmp_path}/shop.duckdb"

    project = Project([one], integrations=[Integration("tool", "tool")], plugins=[Tool()], root=tmp_path)
    with pytest.raises(DuplicateKeyError, match=r"'tool/made' and 'one' would be kept in one table") as caught:
        _ = project.graph
    assert "made.sql" in (caught.value.where or "")


@pytest.mark.parametrize(
    ("files", "schemas", "refused"), [("aa", "xX", True), ("ab", "xx", False), ("aa", "xy", False)]
)
def test_two_integrations_that_make_one_table_are_refused(
    tmp_path: Path, files: str, schemas: str, refused: bool
) -> None:
    class Tool:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            if integration.kind != "tool":
                return None
            table = ("shop", integration.options["schema"], "orders")
            return [Asset(key=f"{integration.name}/orders", kind="tool", integration=integration, relation=table)]

        @hookimpl
        def assetry_io_url(self, integration: Integration) -> str:
            return f"duckdb:{tmp_path}/{integration.options['file']}.duckdb"

    tools = [
        Integration(name, "tool", {"file": file, "schema": schema})
        for name, file, schema in zip(("eu", "us"), files, schemas, strict=True)
    ]
    with Project(integrations=tools, plugins=[Tool()], root=tmp_path) as project:
        if not refused:
            assert len(project.graph) == 2
            return
        with pytest.raises(
            DuplicateKeyError, match=r"'eu/orders' and 'us/orders' would be kept in one table"
        ) as caught:
            _ = project.graph
        assert "another schema or target" in (caught.value.hint or "")


@pytest.mark.parametrize(("whole", "keys", "refused"), [(True, "aa", True), (True, "ab", False), (False, "aa", False)])
def test_two_integrations_that_name_what_only_runs_as_a_whole_are_refused(
    tmp_path: Path, whole: bool, keys: str, refused: bool
) -> None:
    class Tool:
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Any:
            if integration.kind != "tool":
                return None
            return [Asset(key=f"{integration.name}/orders", kind="tool", integration=integration)]

        @hookimpl
        def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
            assert asset.integration is not None
            return InvocationGroup(f"tool:{asset.integration.options['unit']}", ordered=False, whole=whole)

    tools = [Integration(name, "tool", {"unit": unit}) for name, unit in zip(("eu", "us"), keys, strict=True)]
    with Project(integrations=tools, plugins=[Tool()], root=tmp_path) as project:
        if not refused:
            assert len(project.graph) == 2
            return
        with pytest.raises(DefinitionError, match="Integrations 'eu' and 'us' both name tool:a") as caught:
            _ = project.graph
        assert "Name it in one integration" in (caught.value.hint or "")


def test_two_assets_of_one_table_are_refused(tmp_path: Path) -> None:
    text = "from assetry import asset\n"
    for key in ("app/logins", "web/logins"):
        text += f"@asset(key={key!r})\ndef {key.replace('/', '_')}() -> int:\n    return 1\n"
    (tmp_path / "assets.py").write_text(text)
    with Project.load(tmp_path) as project:
        assert len(project.graph) == 2  # files have a place for each key
    (tmp_path / "assetry.toml").write_text('io = "duckdb:shop.duckdb"\n')
    with Project.load(tmp_path) as project, pytest.raises(DuplicateKeyError, match=r"one table, shop\.main\.logins"):
        _ = project.graph


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            'kind = "python"\nmodules = 5',
            "Option 'modules' of integration 'shop' must be text or a list of texts, not 5",
        ),
        ('kind = "python"\nmodules = [5]', "must be text or a list of texts, not a list"),
        ('kind = "python"\nmodule = ["x"]', "Integration 'shop' has no option 'module'"),
        ('kind = "dbt"\ntarget = 5', "Option 'target' of integration 'shop' must be text"),
        ('kind = "dbt"\nthreads = 0', "must be a whole number above 0, not 0"),
        ('kind = "airbyte"\nconnection_id = 5', "Option 'connection_id' of integration 'shop' must be text"),
        ('kind = "nothing"', "No plugin loads 'nothing' integrations"),
    ],
)
def test_a_wrong_option_of_any_integration_is_told_with_its_line(
    write: Callable[..., Path], table: str, words: str
) -> None:
    root = write("assetry.toml", f"name = 'x'\n\n[integrations.shop]\n{table}\n")
    with pytest.raises(AssetryError) as caught, Project.load(root) as project:
        project.graph  # noqa: B018
    assert words in str(caught.value)
    assert str(caught.value.where).endswith("assetry.toml:3" if "nothing" in table else "assetry.toml:5")


def test_a_part_of_a_selection_that_matches_nothing_is_noted_in_the_plan(tmp_path: Path) -> None:
    with Project([one, two], root=tmp_path, store="sqlite::memory:", io="memory:") as project:
        assert project.plan("two", exclude="twoo").notes == ("'twoo' matches nothing",)
        assert project.plan("two").notes == ()


def test_what_the_decorator_of_a_plugin_makes_is_found_among_modules_and_what_was_given(tmp_path: Path) -> None:
    (tmp_path / "chores.py").write_text("from assetry.plugin import Decorated\n\nclass Chore(Decorated):\n    pass\n\n")
    (tmp_path / "assets.py").write_text(
        "from assetry import asset\nfrom chores import Chore\n\n@Chore\ndef sweep(): ...\n\ndef dust(): ...\n\n"
        "more = [Chore(dust)]\n\n"
        "@asset\ndef orders(): ...\n"
    )
    with Project.load(tmp_path) as project:
        found = project.defined(Decorated)
        assert [each.named for each in found] == [["'sweep'"], ["'dust'"], ["'orders'"]]
        assert found[0].source.endswith("assets.py:4")
        assert [str(key) for key in project.graph.keys] == ["orders"]
        given = Project([found[0]], store="sqlite::memory:")
        assert given.defined(type(found[0])) == (found[0],)


def test_what_the_decorator_of_a_plugin_makes_is_not_lost_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text(
        "from assetry.plugin import Decorated\n\n@Decorated\ndef sweep(): ...\n\n@Decorated\ndef sweep(): ...\n"
    )
    with pytest.raises(DefinitionError, match=r"'sweep' would be lost: two functions are called sweep\(\)"):
        _ = Project.load(tmp_path).graph
