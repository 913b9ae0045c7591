"""The house reads like its picture: packages in order, no cycles, pure rooms, integrations on the public doors only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "src"

#: A package of core imports from itself and from those named before it.
ORDER = (
    *("errors", "gc_pause", "partitions", "types", "columns", "graph"),  # what there is
    *("selection", "plan", "status", "views"),  # what is to be done: pure
    *("hooks", "io", "store", "python", "run"),  # doing it
    *("automation", "project", "cli", "plugin", "testing", "__main__", "__init__"),  # the doors
)
#: Packages that decide and do nothing: they touch no clock, file, thread or process.
PURE = {"partitions", "types", "columns", "graph", "selection", "plan", "status", "views"}
DEEDS = {"os", "pathlib", "threading", "subprocess", "time", "sqlite3", "socket", "asyncio", "shutil", "tempfile"}
ACTS = {"open", "print", "datetime.now", "datetime.utcnow", "date.today", "datetime.today"}
#: What integrations, and all else that stands on core, may import of it.
DOORS = {"assetry", "assetry.plugin", "assetry.testing"}
#: Packages that anything outside core may import besides its own.
SHARED = {"assetry_toolkit"}
MOST_LINES = 450
MOST_FILES = 14


def module_name(path: Path, src: Path) -> str:
    parts = list(path.relative_to(src).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(tree: ast.AST, modules: set[str]) -> Iterator[str]:
    """Yield the modules that code imports, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def edges(src: Path) -> dict[str, set[str]]:
    """Return for each module below a folder what it imports."""
    files = {module_name(path, src): path for path in sorted(src.rglob("*.py"))}
    return {name: set(imported(ast.parse(path.read_text()), set(files))) - {name} for name, path in files.items()}


def sources() -> list[Path]:
    return [
        CORE,
        *sorted(ROOT.glob("toolkit/src")),
        *sorted(ROOT.glob("automation/src")),
        *sorted(ROOT.glob("integrations/*/src")),
    ]


def package(module: str) -> str:
    """Return the package of core that a module is in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


# -- what is wrong with a tree, as functions of its imports, so that a broken one can be tried -----------------------


def out_of_order(graph: dict[str, set[str]]) -> list[str]:
    level = {name: number for number, name in enumerate(ORDER)}
    return [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in sorted(targets)
        if target.startswith("assetry.") and level[package(target)] > level[package(name)]
    ]


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return pairs of modules that reach each other."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for target in graph.get(todo.pop(), ()):
                if target in graph and target not in seen:
                    seen.add(target)
                    todo.append(target)
        reach[start] = seen
    return [[a, b] for a in graph for b in reach[a] if a < b and a in reach[b]]


def impurities(name: str, text: str) -> list[str]:
    """Return what a module of a pure package does: imports, also inside functions, of what acts; files; the clock."""
    found = []
    for node in ast.walk(ast.parse(text)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found += [f"{name} imports {each}" for each in names if each.split(".")[0] in DEEDS]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [f"{name} calls {called}()"] if called in ACTS else []
    return found


def indoors(own: str, graph: dict[str, set[str]]) -> list[str]:
    """Return what a package outside core imports that is not a public door."""
    return [
        f"{name} imports {target}"
        for name, targets in graph.items()
        for target in sorted(targets)
        if target.startswith("assetry") and target.split(".")[0] not in {own, *SHARED} and target not in DOORS
    ]


# -- the tree as it is -------------------------------------------------------------------------------------------


def test_every_package_of_core_has_its_place_in_the_order() -> None:
    assert {package(name) for name in edges(CORE)} == set(ORDER)


def test_core_imports_only_from_its_own_package_and_those_before_it() -> None:
    assert out_of_order(edges(CORE)) == []


@pytest.mark.parametrize("src", sources(), ids=lambda src: src.parent.name)
def test_no_import_cycles_even_lazy_ones(src: Path) -> None:
    assert cycles(edges(src)) == []


@pytest.mark.parametrize("name", sorted(PURE))
def test_what_decides_does_nothing(name: str) -> None:
    files = sorted((CORE / "assetry" / name).rglob("*.py"))
    assert files
    assert [each for path in files for each in impurities(module_name(path, CORE), path.read_text())] == []


@pytest.mark.parametrize("src", sources()[1:], ids=lambda src: src.parent.name)
def test_integrations_stay_on_the_public_doors(src: Path) -> None:
    assert indoors(next(src.iterdir()).name, edges(src)) == []


def test_core_never_imports_a_tool_or_a_data_frame_library_at_the_top_of_a_module() -> None:
    heavy = {"dbt", "pandas", "pyarrow", "polars", "duckdb", "httpx", "sqlalchemy", "rich", "yaml", "msgspec"}
    wrong = []
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}: {name}" for name in names if name.split(".")[0] in heavy]
    assert not wrong


@pytest.mark.parametrize("src", sources(), ids=lambda src: src.parent.name)
def test_no_room_is_crowded(src: Path) -> None:
    long = {
        module_name(path, src): lines
        for path in src.rglob("*.py")
        if (lines := path.read_text().count("\n")) > MOST_LINES
    }
    full = {
        str(folder.relative_to(src)): files
        for folder in src.rglob("*")
        if folder.is_dir()
        and (files := len([each for each in folder.glob("*.py") if each.stem != "__init__"])) > MOST_FILES
    }
    assert (long, full) == ({}, {})


# -- these tests can fail -----------------------------------------------------------------------------------------


def test_an_import_upwards_is_seen() -> None:
    assert out_of_order({"assetry.plan.plan": {"assetry.run.loop", "assetry.types.keys"}}) == [
        "assetry.plan.plan imports assetry.run.loop"
    ]


def test_a_lazy_import_is_seen_and_closes_a_cycle() -> None:
    one = set(imported(ast.parse("def later():\n    from assetry.b import x"), {"assetry.b"}))
    assert cycles({"assetry.a": one, "assetry.b": {"assetry.a"}}) == [["assetry.a", "assetry.b"]]


@pytest.mark.parametrize(
    "line",
    ["import time", "from pathlib import Path", "def f():\n    import os.path", "open('x')", "datetime.now(UTC)"],
)
def test_a_deed_in_a_pure_package_is_seen(line: str) -> None:
    assert len(impurities("assetry.plan.plan", f'"""Doc."""\n\n{line}\n')) == 1


def test_an_integration_in_a_back_room_is_seen() -> None:
    graph = {"assetry_dbt.plugin": {"assetry.plugin", "assetry.run.loop", "assetry_toolkit.http", "assetry_airbyte"}}
    assert indoors("assetry_dbt", graph) == [
        "assetry_dbt.plugin imports assetry.run.loop",
        "assetry_dbt.plugin imports assetry_airbyte",
    ]
