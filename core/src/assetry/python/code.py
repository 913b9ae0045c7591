"""What a function says by itself: its place, the assets it takes, and the version of its code."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from assetry.errors import DefinitionError
from assetry.types.assets import Column

#: The parameter that receives the `assetry.python.context.AssetContext` instead of a value.
CONTEXT = "context"


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


def code_version(
    function: Callable[..., Any], columns: tuple[Column, ...] = (), given: str | None = None
) -> tuple[str, dict[str, str]]:
    """Return the code version of an asset function and the parts it is made of; `given` replaces them.

    >>> code_version(place)[0] == code_version(place)[1]["body"]
    True
    """
    if given is not None:
        return str(given), {"code_version": str(given)}
    parts = {"body": _body_digest(function.__code__)}
    if columns:
        parts["schema"] = _digest(repr([column[:2] for column in columns]))
    settings = _settings(function)
    if settings:
        parts["settings"] = _digest(repr(settings))
    return _digest(repr(parts)) if len(parts) > 1 else parts["body"], parts


@functools.lru_cache(4096)
def _body_digest(code: CodeType) -> str:
    """Return the hash of a function's text; once for all the functions that a factory makes of one code."""
    return _digest(source_text(code))


def _settings(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the plain values that a function takes from the function around it: the settings of a factory."""
    settings = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
        if isinstance(value, (str, int, float, bool, type(None))):
            settings[name] = value
    return settings


def _digest(text: str) -> str:
    import hashlib

    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def source_text(code: CodeType) -> str:
    """Return what a function does as text: its source without its name, decorators, docstring,
    comments and layout.

    Where there is no source (a REPL), the compiled code stands in for it.

    >>> source_text(place.__code__).splitlines()[0]
    'def _(function: Callable[..., Any]) -> str:'
    """
    import ast
    import textwrap

    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return _code_text(code)
    if not isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _code_text(code)
    tree.name, tree.decorator_list = "_", []
    if ast.get_docstring(tree, clean=False) is not None:
        tree.body = tree.body[1:] or [ast.Pass()]
    # Unparsed rather than dumped: the dump changes with each version of Python, the text hardly ever does.
    return ast.unparse(tree)


def _code_text(code: CodeType) -> str:
    constants = [_code_text(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return repr((code.co_code.hex(), constants, code.co_names))
