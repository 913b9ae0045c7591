"""The house reads like its picture: levels, no cycles, integrations on the public surfaces only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core" / "src" / "assetry"

#: A module imports from its own level and those before it (architecture, "Core, by level").
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors", "keys", "codec", "memory", "processes"),
    (
        "windows",
        "partitions",
        "policies",
        "assets",
        "events",
        "invocations",
        "records",
        "panels",
        "protocols",
        "contents",
        "columns",
    ),
    ("joins", "graph", "patterns", "selectors", "criteria", "selection"),
    ("words", "gates", "collapse", "plan", "versions", "staleness", "schedule", "drawing", "svg"),
    ("hookspecs", "candidates", "plugins", "plugin"),
    (
        *("functions", "decorators", "calls", "modules", "frames", "tables", "io", "python"),
        *("rows", "database", "store", "executors"),
    ),
    ("board", "ledger", "remainder", "notices", "context", "run", "observation", "settings", "project"),
    ("cli", "testing", "__main__", "__init__"),
)
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}
PUBLIC = {"assetry", "assetry.plugin", "assetry.testing"}


def module_name(path: Path, src: Path) -> str:
    parts = list(path.relative_to(src).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, name: str, modules: set[str]) -> Iterator[str]:
    """Yield the modules that a file imports, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else node.module


def edges(src: Path) -> dict[str, set[str]]:
    files = {module_name(path, src): path for path in sorted(src.rglob("*.py"))}
    return {name: set(imports(path, name, set(files))) - {name} for name, path in files.items()}


def sources() -> list[Path]:
    return [ROOT / "core" / "src", *sorted((ROOT / "integrations").glob("*/src"))]


def strongly_connected(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the cycles: modules that reach each other."""
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
    return [[a, b] for a in graph for b in reach[a] if a <= b and a in reach[b]]


def top(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def test_every_core_module_has_a_level() -> None:
    found = {top(name) for name in edges(ROOT / "core" / "src")}
    assert found == set(LEVEL) - {"schedule"} or found == set(LEVEL)


def test_core_imports_only_from_its_own_level_and_below() -> None:
    wrong = [
        f"{name} (level {LEVEL[top(name)]}) imports {target} (level {LEVEL[top(target)]})"
        for name, targets in edges(ROOT / "core" / "src").items()
        for target in targets
        if target.split(".")[0] == "assetry" and LEVEL[top(target)] > LEVEL[top(name)] and target != "assetry"
    ]
    assert not wrong


@pytest.mark.parametrize("src", sources(), ids=lambda src: src.parent.name)
def test_no_import_cycles_even_lazy_ones(src: Path) -> None:
    assert strongly_connected(edges(src)) == []


@pytest.mark.parametrize("src", sources()[1:], ids=lambda src: src.parent.name)
def test_integrations_stay_on_the_public_surfaces(src: Path) -> None:
    own = next(src.iterdir()).name
    wrong = [
        f"{name} imports {target}"
        for name, targets in edges(src).items()
        for target in targets
        if target.startswith("assetry") and target.split(".")[0] != own and target not in PUBLIC
    ]
    assert not wrong


def test_core_never_imports_a_tool_or_a_data_frame_library_at_the_top_of_a_module() -> None:
    heavy = {"dbt", "pandas", "pyarrow", "polars", "duckdb", "httpx", "sqlalchemy", "rich", "yaml", "msgspec"}
    wrong = []
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}: {name}" for name in names if name.split(".")[0] in heavy]
    assert not wrong
