"""What a function says by itself: its place, the assets it takes, and the version of its code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from assetry.errors import DefinitionError
from assetry.types.assets import Column

#: The parameter that receives the `assetry.python.context.AssetContext` instead of a value.
CONTEXT = "context"

#: How many functions, classes and constants are named by themselves; of more, their modules are.
_MOST_NAMED = 32


def parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the parameters that receive assets' values, in order.

    >>> parameters(lambda context, orders, top=3: None)
    ('orders',)
    """
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise DefinitionError(
                f"{function.__name__}() takes {parameter}, which names no asset.",
                where=place(function),
                hint="Name each upstream asset as a parameter; for those whose values are not needed use deps=[…].",
            )
        if parameter.name != CONTEXT and parameter.default is parameter.empty:
            names.append(parameter.name)
    return tuple(names)


def place(function: Callable[..., Any]) -> str:
    """Return where `function` is defined, ``file.py:line``; relative when it is below the current folder."""
    code: CodeType | None = getattr(function, "__code__", None)
    return written_place(code.co_filename, code.co_firstlineno) if code else repr(function)


def written_place(path: str, line: int) -> str:
    """Return ``file:line``, the file relative to the current folder when it is below it.

    >>> written_place("/nowhere/sales.py", 3)
    '/nowhere/sales.py:3'
    """
    import os

    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118 - runs for each asset; pathlib would cost more
    return f"{path[len(here) :] if path.startswith(here) else path}:{line}"


def root_place(written: str | None, root: str) -> str | None:
    """Return a place as it is written from a project's folder, when it is below that.

    >>> root_place("/shop/assets/sales.py:3", "/shop"), root_place("/elsewhere/sales.py:3", "/shop")
    ('assets/sales.py:3', '/elsewhere/sales.py:3')
    """
    import os

    if not written:
        return written
    path, below = os.path.abspath(written), os.path.join(root, "")  # noqa: PTH100, PTH118 - as above
    return path[len(below) :] if path.startswith(below) else written


def code_version(
    function: Callable[..., Any], columns: tuple[Column, ...] = (), given: str | None = None
) -> tuple[str, dict[str, str]]:
    """Return the code version of an asset function and the parts it is made of; `given` replaces them.

    >>> version, parts = code_version(place)
    >>> sorted(parts)
    ['body']
    """
    if given is not None:
        return str(given), {"code_version": str(given)}
    try:
        parts = _reached_parts(function)
    except RecursionError:  # an expression of a thousand terms, which also Python's own reader cannot write out
        parts = {"body": _digest(_code_text(function.__code__))}
    if columns:
        parts["schema"] = _digest(repr([column[:2] for column in columns]))
    return _digest(repr(parts)) if len(parts) > 1 else parts["body"], parts


def _reached_parts(function: Callable[..., Any]) -> dict[str, str]:
    """Return the hashes of a function's body, of the values it was made with, and of what it reaches in the project."""
    # Only once something is decorated: reading sources takes longer to import than all the rest.
    from assetry.python.reach import Reach, bare_text, function_at

    reach = Reach()
    texts: dict[str, str] = {}
    settings: dict[str, Any] = {}
    written = inspect.unwrap(function)
    for each in _wrapped(function):
        there = function_at(each.__code__, each.__module__ or "")
        label = "body" if each is written else f"function {each.__code__.co_name}"
        if there is None:
            texts.setdefault(label, source_text(each.__code__))
            continue
        module, node, around = there
        texts.setdefault(label, bare_text(module, node))
        reach.follow(module, node)
        for value in _cells(each).values():
            if inspect.isclass(value):
                reach.add(value.__module__, value.__qualname__)
        known, all_known = _settings(each)
        settings.update(known)
        if not all_known and around is not None:
            # A value that cannot be written down is told by the code that makes it.
            texts[f"function {getattr(around, 'name', '<lambda>')}"] = bare_text(module, around)
            reach.follow(module, around)
    whole = {item.module.name for item in reach.found.values() if item.kind == "module"}
    # In an order of their own: they are found in one that another process may not have.
    found = [reach.found[place] for place in sorted(reach.found)]
    items = [item for item in found if item.kind == "module" or item.module.name not in whole]
    for item in items:
        label = item.label(function.__module__) if len(items) <= _MOST_NAMED else f"module {item.module.name}"
        texts[label] = "\n".join((texts.get(label, ""), item.text))
    # In the order of names, because another order of calls is a change of the body alone.
    parts = {label: _digest(texts[label]) for label in sorted(texts, key=lambda each: (each != "body", each))}
    if settings:
        parts["settings"] = _digest(repr(sorted(settings.items())))
    return parts


def _wrapped(function: Callable[..., Any]) -> list[Any]:
    """Return a function and those that it wraps: what decorators put around it calls it through a variable."""
    from assetry.python.reach import own_path

    found: list[Any] = [function]
    for each in found:
        for other in (getattr(each, "__wrapped__", None), *_cells(each).values()):
            # A method of a cache, for example, wraps a function as well.
            inner = inspect.unwrap(other, stop=inspect.isfunction) if callable(other) else None
            if inspect.isfunction(inner) and own_path(inner.__code__.co_filename) and inner not in found:
                found.append(inner)
    return found


def _cells(function: Any) -> dict[str, Any]:
    """Return the values that a function takes from the function around it."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _settings(function: Any) -> tuple[dict[str, str], bool]:
    """Return the plain values that a function was made with, as text, and whether there are no others."""
    given = _cells(function)
    if "<locals>" in function.__qualname__:
        defaults = function.__defaults__ or ()
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        given |= dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) | (function.__kwdefaults__ or {})
    texts = {name: _written(value) for name, value in given.items()}
    settings = {name: text for name, text in texts.items() if text is not None}
    return settings, all(settings.get(name) is not None or callable(value) for name, value in given.items())


def _written(value: Any) -> str | None:
    """Return one way to write a plain value; None for any other."""
    if isinstance(value, (str, bytes, int, float, complex, bool, type(None))):
        return repr(value)
    if isinstance(value, dict):
        inner = [(_written(name), _written(each)) for name, each in value.items()]
        return None if any(None in each for each in inner) else f"{{{', '.join(f'{a}: {b}' for a, b in inner)}}}"
    if isinstance(value, (list, tuple, set, frozenset)):
        listed = [_written(each) for each in value]
        texts = [each for each in listed if each is not None]
        if isinstance(value, (set, frozenset)):
            texts.sort()
        return f"{type(value).__name__}({', '.join(texts)})" if len(texts) == len(listed) else None
    return None


def _digest(text: str) -> str:
    import hashlib

    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def source_text(code: CodeType) -> str:
    """Return what a function does as text, where its module cannot be read: its own source, or its compiled code.

    >>> source_text(place.__code__).splitlines()[0]
    'def _(function: Callable[..., Any]) -> str:'
    """
    import ast
    import textwrap

    from assetry.python.reach import bare_text

    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return _code_text(code)
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _code_text(code)
    return bare_text(None, tree)


def _code_text(code: CodeType) -> str:
    constants = [_code_text(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return repr((code.co_code.hex(), constants, code.co_names))
