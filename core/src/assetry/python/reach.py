"""What a function reaches in the project: functions, classes, constants and modules, followed through its source.

The source is read: what is imported only when a function runs is found as well, and two looks at the same files say the
same. Where a constant's text does not say its value, as of one that is read from a file, the value itself is asked.
Code that is installed, Python's own and assetry's are not followed.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType
from typing import NamedTuple

from assetry.python.held import Held, held
from assetry.python.sources import (
    FUNCTIONS,
    Chain,
    Module,
    absolute,
    imported,
    imported_with,
    module_at,
    module_named,
    roots,
    spec_of,
)


class Found(NamedTuple):
    """What is reached under one name of a module: its `kind`, the statements that make it, and its text."""

    kind: str
    module: Module
    name: str
    text: str
    statements: tuple[ast.stmt, ...]

    def label(self, home: str) -> str:
        """Return what people call it, seen from the module `home`."""
        if self.kind == "module":
            return f"module {self.module.name}"
        return f"{self.kind} {self.name if self.module.name == home else f'{self.module.name}.{self.name}'}"


class Reach:
    """Everything that is reached from functions of the module `home`, each item read once."""

    def __init__(self, home: str = "") -> None:
        self.home = home
        self.found: dict[tuple[str, str], Found] = {}
        self._near: set[str] | None = None

    def follow(self, module: Module, function: ast.AST) -> None:
        """Add what a function of `module` refers to, and all that this refers to in turn; not its decorators."""
        visitor = _References(module)
        visitor.function(function, {})
        self._add_all((module, chain) for chain in visitor.found)

    def add(self, module: str, name: str) -> None:
        """Add what stands under a dotted name in a module, and all that this refers to."""
        there = module_named(module)
        if there is not None:
            self._add_all([(there, tuple(name.split(".")))])

    def whole(self, name: str) -> None:
        """Add a module as a whole, and all that it refers to."""
        self._add_all([(module, ("", name))] if (module := module_named(name)) is not None else ())

    def _add_all(self, chains: Iterable[tuple[Module, Chain]]) -> None:
        waiting = list(chains)
        while waiting:
            where, chain = waiting.pop()
            for item in _resolved(where, chain):
                if "__doc__" in chain and item.kind in ("function", "class"):
                    words = "\n".join(ast.unparse(each) for each in item.statements)
                    name = f"{item.name}.__doc__"
                    self.found[item.module.name, name] = Found("text", item.module, name, words, ())
                if (item.module.name, item.name) not in self.found:
                    held = self._held(item)
                    self.found[item.module.name, item.name] = item._replace(text="\n".join((item.text, *held.texts)))
                    visitor = _References(item.module)
                    for statement in item.statements:
                        visitor.visit(statement, {})
                    waiting += [(item.module, each) for each in visitor.found]
                    waiting += [
                        (module, tuple(each.__qualname__.split(".")))
                        for each in (*held.functions, *held.classes)
                        if (module := module_named(each.__module__)) is not None
                    ]

    def _held(self, item: Found) -> Held:
        """Return what a constant or a class holds now, where its text does not say it."""
        loaded = sys.modules.get(item.module.name)
        if item.kind not in ("constant", "class") or loaded is None:
            return Held()
        if self._near is None:
            home = module_named(self.home)
            self._near = {self.home} if home is None else {self.home, *imported_with(home)}
        # Of a module that is only imported when a function runs, it depends on the others whether it is there yet.
        return (
            held(item.statements, item.name, vars(loaded), item.module.root)
            if item.module.name in self._near
            else Held()
        )


#: What a name means inside a function: None for its own, else the module and the name that it imports.
_Scope = Mapping[str, Chain | None]


_WORD = re.compile(r"[^\W\d]\w*")


def _makes_assets(item: Found) -> bool:
    return any(
        _is_assetrys(decorator, item.module)
        for statement in item.statements
        if isinstance(statement, FUNCTIONS)
        for decorator in statement.decorator_list
    )


class _References:
    """A walk through code that finds the names of outside, but for those in annotations.

    A name that a function imports itself is found as ``("", "module", "attribute")``.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.found: set[Chain] = set()

    def visit(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, (ast.Name, ast.Attribute)):
            chain = _chain(node)
            if chain is not None:
                self._add(chain, scope)
                return
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            self.function(node, scope)
            for decorator in getattr(node, "decorator_list", ()):
                if not _is_assetrys(decorator, self.module):
                    self.visit(decorator, scope)
            return
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            scope = {**scope, **dict.fromkeys(roots([each.target for each in node.generators]))}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._words(node.value, scope)
        if isinstance(node, ast.Call):
            self._import_by_name(node)
        skipped = node.annotation if isinstance(node, ast.AnnAssign) else None
        for child in ast.iter_child_nodes(node):
            if child is not skipped:
                self.visit(child, scope)
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.AnnAssign):
                    self.visit(each.annotation, scope)  # dataclasses and models do what these say

    def _words(self, text: str, scope: _Scope) -> None:
        """Add what a text names of the module's top, as SQL names a frame; but for modules and assets."""
        for word in set(_WORD.findall(text)) & self.module.bindings.keys() - scope.keys():
            items = list(_resolved(self.module, (word,)))
            if not any(item.kind == "module" or _makes_assets(item) for item in items):
                self.found.add((word,))

    def _import_by_name(self, call: ast.Call) -> None:
        name = getattr(call.func, "attr", getattr(call.func, "id", None))
        first = call.args[0] if call.args else None
        if name in ("import_module", "__import__") and isinstance(first, ast.Constant) and isinstance(first.value, str):
            self.found.add(("", first.value))

    def function(self, node: ast.AST, scope: _Scope) -> None:
        """Visit a function's defaults and body, in which its own names hide others."""
        assert isinstance(node, (*FUNCTIONS, ast.Lambda))
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default, scope)
        listed = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        inner: dict[str, Chain | None] = {**scope, **{each.arg: None for each in listed if each is not None}}
        body: list[ast.AST] = [*node.body] if isinstance(node.body, list) else [node.body]
        inner.update(_own_names(body, self.module))
        for statement in body:
            self.visit(statement, inner)

    def _add(self, chain: Chain, scope: _Scope) -> None:
        if chain[0] not in scope:
            self.found.add(chain)
            return
        meant = scope[chain[0]]
        if meant is not None:
            self.found.add(("", *meant, *chain[1:]))


def _chain(node: ast.AST) -> Chain | None:
    """Return ``a.b.c`` as parts; None when it starts at something that is no name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else None


def _own_names(body: Iterable[ast.AST], module: Module) -> dict[str, Chain | None]:
    """Return the names that a function's body binds, imports with what they mean; those in functions inside are not."""
    names: dict[str, Chain | None] = {}
    shared: set[str] = set()
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            shared.update(node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(imported(node, module))
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names[node.name] = None
            continue
        elif isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            continue
        waiting += ast.iter_child_nodes(node)
    return {name: meant for name, meant in names.items() if name not in shared}


def _resolved(module: Module, chain: Chain) -> Iterator[Found]:
    """Yield what a chain means, seen from the top of `module`."""
    if chain[0] == "":
        yield from _in_module(chain[1], chain[2:], set())
        return
    yield from _bound_to(module, chain[0], chain[1:], set())


def _bound_to(module: Module, name: str, rest: Chain, seen: set[tuple[str, str]]) -> Iterator[Found]:
    if (module.name, name) in seen:
        return
    seen.add((module.name, name))
    statements = module.bindings.get(name)
    if statements is None:
        for star in _stars(module):
            yield from _bound_to(star, name, rest, seen)
        return
    own: list[ast.stmt] = []
    foreign = False
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            meant = dict(imported(statement, module))[name]
            there = list(_in_module(meant[0], (*meant[1:], *rest), seen))
            foreign = foreign or not there or module_named(".".join(meant)) is not None
            yield from there
        else:
            own.append(statement)
    if foreign:  # what decorators of a module, or of an installed package, make is not in that
        own = [each for each in own if getattr(each, "name", name) == name]
    if own:
        yield _found(module, name, own)


def _in_module(name: str, rest: Chain, seen: set[tuple[str, str]]) -> Iterator[Found]:
    """Yield what stands under `rest` in the module `name`; the whole of it where it is used as a value."""
    module = module_named(name)
    if rest and (module is None or rest[0] not in module.bindings):
        below = f"{name}.{rest[0]}"
        if (module is not None or _is_own_folder(name)) and module_named(below) is not None:
            yield from _in_module(below, rest[1:], seen)
            return
        if module is None and _is_own_folder(name):
            yield from _in_module(below, rest[1:], seen) if len(rest) > 1 else ()
            return
    if module is None:
        return
    if rest:
        yield from _bound_to(module, rest[0], rest[1:], seen)
    else:
        body = [each for each in module.tree.body if not isinstance(each, (ast.Import, ast.ImportFrom))]
        yield Found("module", module, "", _text(module, body), tuple(module.tree.body))


def _is_own_folder(name: str) -> bool:
    """Tell whether a name is a folder of the project without an ``__init__.py``."""
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None) if loaded is not None else spec_of(name)
    folders = list(getattr(spec, "submodule_search_locations", None) or ())
    return bool(folders) and getattr(spec, "origin", None) is None and "-packages" not in folders[0]


def _stars(module: Module) -> Iterator[Module]:
    for statement in module.bindings.get("*", ()):
        if isinstance(statement, ast.ImportFrom):
            star = module_named(absolute(statement, module))
            if star is not None:
                yield star


def _found(module: Module, name: str, statements: list[ast.stmt]) -> Found:
    kind = "constant"
    named = [each for each in statements if getattr(each, "name", None) == name]
    if any(isinstance(each, FUNCTIONS) for each in named):
        kind = "function"
    elif any(isinstance(each, ast.ClassDef) for each in named):
        kind = "class"
    return Found(kind, module, name, _text(module, statements), tuple(statements))


def _text(module: Module, statements: Iterable[ast.stmt]) -> str:
    return "\n".join(ast.unparse(_bare(each, module)) for each in statements)


def _bare(statement: ast.AST, module: Module | None) -> ast.AST:
    """Return a statement without docstrings, and without the decorators of assetry, which only describe."""
    if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return statement
    bare = copy.copy(statement)
    bare.decorator_list = [each for each in statement.decorator_list if not _is_assetrys(each, module)]
    body = statement.body[1:] if ast.get_docstring(statement, clean=False) is not None else statement.body
    inner = [_bare(each, module) for each in body]
    bare.body = [each for each in inner if isinstance(each, ast.stmt)] or [ast.Pass()]
    return bare


def _is_assetrys(decorator: ast.expr, module: Module | None) -> bool:
    chain = _chain(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if module is None or chain is None:
        return False
    return any(
        meant[0].partition(".")[0] == "assetry"
        for each in module.bindings.get(chain[0], ())
        if isinstance(each, (ast.Import, ast.ImportFrom))
        for name, meant in imported(each, module)
        if name == chain[0]
    )


def function_at(code: CodeType, name: str) -> tuple[Module, ast.AST, ast.AST | None] | None:
    """Return the module of a function's code, its definition, and the function around it; None without a source."""
    module = module_at(name, code.co_filename)
    if module is None:
        return None
    there = module.functions.get(code.co_firstlineno)
    if there is None or getattr(there[0], "name", "<lambda>") != code.co_name:
        return None
    return module, *there


def bare_text(module: Module | None, node: ast.AST) -> str:
    """Return a function's text without its name, decorators, docstring, comments and layout."""
    if module is None:
        return _bare_text(None, node)
    if node not in module.texts:
        module.texts[node] = _bare_text(module, node)
    return module.texts[node]


def _bare_text(module: Module | None, node: ast.AST) -> str:
    bare = _bare(node, module)
    if isinstance(bare, FUNCTIONS):
        bare.name, bare.decorator_list = "_", []
    # Unparsed rather than dumped: the dump changes with each version of Python, the text hardly ever does.
    return ast.unparse(bare)
