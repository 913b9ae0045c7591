"""The sources of a project's modules: what each binds at its top, imports, and where its functions stand.

Code that is installed, Python's own and assetry's is none of a project's.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import tokenize
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder

_PYTHON = os.path.join(os.path.dirname(os.__file__), "")  # noqa: PTH118, PTH120 - compared with each module's path
_ASSETRY = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")  # noqa: PTH118, PTH120
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

#: A name with what is taken from it: ``helper.rate`` is ``("helper", "rate")``.
Chain = tuple[str, ...]


class Module:
    """The source of one module: the statements that bind each name at its top, and where its functions stand."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        self.name = name
        self.path = path
        self.tree = tree
        self.bindings: dict[str, list[ast.stmt]] = {}
        #: By the line at which the code of a function begins; and the function around it, if there is one.
        self.functions: dict[int, tuple[ast.AST, ast.AST | None]] = {}
        #: By function: its text, once that was asked for; a loop makes many of one.
        self.texts: dict[ast.AST, str] = {}
        self._bind(tree.body)
        self._place(tree, None)

    @property
    def package(self) -> str:
        """Return the package that relative imports start from."""
        whole = os.path.basename(self.path) == "__init__.py"  # noqa: PTH119 - a text is asked, no file
        return self.name if whole else self.name.rpartition(".")[0]

    @property
    def root(self) -> str:
        """Return the folder that its dotted name starts from."""
        folder = os.path.dirname(self.path)  # noqa: PTH120
        for _ in self.package.split(".") if self.package else ():
            folder = os.path.dirname(folder)  # noqa: PTH120
        return folder

    def _bind(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            if isinstance(statement, (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.Match)):
                for case in getattr(statement, "cases", ()):
                    self._bind(case.body)
                for field in ("body", "orelse", "finalbody"):
                    self._bind(getattr(statement, field, ()))
                for handler in getattr(statement, "handlers", ()):
                    self._bind(handler.body)
                for name in _stored(statement):
                    self.bindings.setdefault(name, []).append(statement)
            else:
                for name in _bound(statement):
                    self.bindings.setdefault(name, []).append(statement)

    def _place(self, tree: ast.AST, around: ast.AST | None) -> None:
        waiting = [(child, around) for child in ast.iter_child_nodes(tree)]
        while waiting:
            node, outer = waiting.pop()
            if isinstance(node, (*FUNCTIONS, ast.Lambda)):
                decorators = getattr(node, "decorator_list", ())
                self.functions[min(each.lineno for each in (*decorators, node))] = (node, outer)
                outer = node
            waiting += [(child, outer) for child in ast.iter_child_nodes(node)]


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that one simple statement, a function or a class binds or changes."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        yield statement.name
        # ``@area.register`` changes what ``area`` is.
        called = (each.func if isinstance(each, ast.Call) else each for each in statement.decorator_list)
        yield from roots(each for each in called if isinstance(each, ast.Attribute))
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        for alias in statement.names:
            yield alias.asname or (alias.name if isinstance(statement, ast.ImportFrom) else alias.name.split(".")[0])
    elif isinstance(statement, ast.Expr):
        # ``RATES.update(…)`` changes what RATES is.
        if isinstance(statement.value, ast.Call) and isinstance(statement.value.func, ast.Attribute):
            yield from roots([statement.value.func])
    else:
        yield from _stored(statement)


def _stored(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that the targets of a statement name, ``RATES`` for ``RATES["a"] = 1``."""
    if isinstance(statement, (ast.Assign, ast.Delete)):
        yield from roots(statement.targets)
    elif isinstance(statement, ast.Match):
        captures = (each for case in statement.cases for each in ast.walk(case.pattern))
        yield from (each.name for each in captures if isinstance(each, (ast.MatchAs, ast.MatchStar)) and each.name)
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign, ast.For)):
        yield from roots([statement.target])
    elif isinstance(statement, ast.With):
        yield from roots([each.optional_vars for each in statement.items if each.optional_vars])


def roots(targets: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the names that targets start from, ``a`` and ``b`` for ``a.x, b[0] = …``."""
    waiting = list(targets)
    while waiting:
        target = waiting.pop()
        if isinstance(target, ast.Name):
            yield target.id
        elif isinstance(target, (ast.Attribute, ast.Subscript, ast.Starred)):
            waiting.append(target.value)
        elif isinstance(target, (ast.Tuple, ast.List)):
            waiting += target.elts


def own_path(path: str | None) -> bool:
    """Tell whether a file is a source of somebody's project: not installed, not Python's and not assetry's.

    >>> own_path("/shop/assets.py"), own_path("/shop/.venv/lib/site-packages/pandas/__init__.py"), own_path(os.__file__)
    (True, False, False)
    """
    if path is None or not path.endswith(".py"):
        return False
    installed = ("site-packages", "dist-packages")
    return not path.startswith((_PYTHON, _ASSETRY)) and not any(f"{os.sep}{each}{os.sep}" in path for each in installed)


@functools.lru_cache(1024)
def _read(name: str, path: str, state: tuple[int, int]) -> Module | None:  # noqa: ARG001 - a changed file is read again
    try:
        with tokenize.open(path) as file:
            return Module(name, path, ast.parse(file.read()))
    except (OSError, SyntaxError, ValueError):
        return None


def module_at(name: str, path: str | None) -> Module | None:
    """Return the module of a file of the project; None for another file, and for one that cannot be read."""
    if path is None or not own_path(path):
        return None
    try:
        facts = os.stat(path)  # noqa: PTH116 - runs for each function and each module that is reached
    except OSError:
        return None
    return _read(name, path, (facts.st_mtime_ns, facts.st_size))


def module_named(name: str) -> Module | None:
    """Return a module of the project by its dotted name, without importing it; None for one of others."""
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None) if loaded is not None else spec_of(name)
    return module_at(name, getattr(spec, "origin", None) or getattr(loaded, "__file__", None))


def spec_of(name: str) -> object:
    """Find a module that was not imported; of installed packages only the outermost folder is looked at."""
    parent, _, _ = name.rpartition(".")
    if not parent:
        return PathFinder.find_spec(name)
    above = sys.modules.get(parent)
    folders = getattr(above, "__path__", None) or getattr(spec_of(parent), "submodule_search_locations", None)
    if not folders or any("-packages" in folder or folder.startswith(_PYTHON) for folder in folders):
        return None
    return PathFinder.find_spec(name, list(folders))


def imported(node: ast.Import | ast.ImportFrom, module: Module) -> Iterator[tuple[str, Chain]]:
    """Yield the names that an import binds, each with the module and the name it means."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            yield alias.asname or alias.name, (absolute(node, module), alias.name)
        elif alias.asname:
            yield alias.asname, (alias.name,)
        else:
            yield alias.name.split(".")[0], (alias.name.split(".")[0],)


def absolute(node: ast.ImportFrom, module: Module) -> str:
    """Return the dotted name of the module that a ``from … import`` names."""
    if not node.level:
        return node.module or ""
    package = module.package.split(".")
    base = ".".join(package[: len(package) - node.level + 1])
    return f"{base}.{node.module}" if node.module else base


def imported_with(module: Module) -> set[str]:
    """Return the modules of the project that are imported with a module: those that its top imports, and so on."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        where = waiting.pop()
        for statements in where.bindings.values():
            for name in (each for statement in statements for each in _modules(statement, where)):
                if name not in found and (there := module_named(name)) is not None:
                    found.add(name)
                    waiting.append(there)
    return found


def _modules(statement: ast.stmt, module: Module) -> Iterator[str]:
    """Yield the names under which a statement may import modules, with the packages that these are in."""
    names: list[str] = []
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom):
        names = [f"{absolute(statement, module)}.{alias.name}" for alias in statement.names]
    for name in names:
        parts = name.split(".")
        yield from (".".join(parts[: end + 1]) for end in range(len(parts)))
