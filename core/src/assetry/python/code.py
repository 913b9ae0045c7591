"""What a function says by itself: its place, the assets it takes, and the version of its code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any, NamedTuple

from assetry.errors import DefinitionError
from assetry.types.assets import PARTITION, Column

#: The parameter that receives the `assetry.python.calls.context.AssetContext` instead of a value.
CONTEXT = "context"

#: How many functions, classes and constants are named by themselves; of more, their modules are.
_MOST_NAMED = 32


def takes_partition(function: Callable[..., Any], values: int) -> bool:
    """Tell whether a check's function of so many values takes the key of the partition besides, by that name.

    >>> takes_partition(lambda orders, partition: None, 1), takes_partition(lambda orders, partition: None, 2)
    (True, False)
    """
    names = parameters(function)
    return len(names) > values and PARTITION in names[1:]


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
    function: Callable[..., Any],
    columns: tuple[Column, ...] = (),
    given: str | None = None,
    *,
    rules: str = "",
    called: Iterable[Callable[..., Any]] = (),
) -> tuple[str, dict[str, str]]:
    """Return the code version of an asset function and the parts it is made of; `given` replaces them.

    Of a schema `columns` count, what else it asks for (`rules`), and the functions that it has values checked by.

    >>> version, parts = code_version(place)
    >>> sorted(parts)
    ['body']
    """
    if given is not None:
        return str(given), {"code_version": str(given)}
    try:
        parts = _reached_parts(function, called)
    except RecursionError:  # an expression of a thousand terms, which also Python's own reader cannot write out
        parts = {"body": _digest(_code_text(function.__code__))}
    if columns or rules:
        told = repr([column[:2] for column in columns])
        parts["schema"] = _digest(f"{told}\n{rules}" if rules else told)
    return _digest(repr(parts)) if len(parts) > 1 else parts["body"], parts


def _reached_parts(function: Callable[..., Any], called: Iterable[Callable[..., Any]]) -> dict[str, str]:
    """Return the hashes of a function's body, of the values it was made with, and of what it reaches in the project.

    Functions that are `called` beside it count as if it called them.
    """
    # Only once something is decorated: reading sources takes longer to import than all the rest.
    from assetry.python.reach import Reach, bare_text, function_at
    from assetry.python.sources import own_path

    reach = Reach(function.__module__)
    texts: dict[str, str] = {}
    settings: list[tuple[str, str, str]] = []
    written = inspect.unwrap(function)
    functions: list[Any] = [function, *(each for each in called if own_path(each.__code__.co_filename))]
    for each in functions:
        label = "body" if each is written else f"function {each.__code__.co_name}"
        there = function_at(each.__code__, each.__module__ or "")
        _append(texts, label, source_text(each.__code__) if there is None else bare_text(there[0], there[1]))
        if there is not None:
            reach.follow(there[0], there[1])
        given = _given(each, there[0].root if there is not None else "")
        settings += [(each.__code__.co_name, *pair) for pair in given.texts.items()]
        for kind in given.classes:
            reach.add(kind.__module__, kind.__qualname__)
        if not given.all_told and there is not None:
            # A value that cannot be written down is told by the code that makes it.
            module, _, around = there
            if around is not None:
                _append(texts, f"function {getattr(around, 'name', '<lambda>')}", bare_text(module, around))
                reach.follow(module, around)
            for name in _makers():
                reach.whole(name)
        for other in (getattr(each, "__wrapped__", None), *given.functions):
            if inspect.isfunction(other) and own_path(other.__code__.co_filename) and other not in functions:
                functions.append(other)
    whole = {item.module.name for item in reach.found.values() if item.kind == "module"}
    # In an order of their own: they are found in one that another process may not have.
    found = [reach.found[place] for place in sorted(reach.found)]
    items = [item for item in found if item.kind == "module" or item.module.name not in whole]
    for item in items:
        label = item.label(function.__module__) if len(items) <= _MOST_NAMED else f"module {item.module.name}"
        _append(texts, label, item.text)
    # In the order of names, because another order of calls is a change of the body alone.
    parts = {label: _digest(texts[label]) for label in sorted(texts, key=lambda each: (each != "body", each))}
    if settings:
        parts["settings"] = _digest(repr(sorted(settings)))
    return parts


def _append(texts: dict[str, str], label: str, text: str) -> None:
    texts[label] = f"{texts[label]}\n{text}" if label in texts else text


class _Given(NamedTuple):
    """What a function was made with: values as text, functions and classes; and whether that is all."""

    texts: dict[str, str]
    functions: list[Any]
    classes: list[type]
    all_told: bool


def _given(function: Any, root: str) -> _Given:
    """Return what a function takes from the function around it, and its defaults when it was made inside one."""
    from assetry.python.sources import own_path
    from assetry.python.written import UntoldError, Writer

    writer, texts, all_told = Writer(root), {}, True
    for name, value in (_cells(function) | _defaults(function)).items():
        # A method of a cache, for example, wraps a function as well.
        inner = inspect.unwrap(value, stop=inspect.isfunction) if callable(value) else None
        if inspect.isfunction(inner):
            writer.functions.append(inner)
            if own_path(inner.__code__.co_filename):
                continue  # its own text says more than its name
        try:
            texts[name] = writer.text(value)
        except UntoldError:
            all_told = False
            writer.classes.append(type(value))
    return _Given(texts, writer.functions, writer.classes, all_told)


def _cells(function: Any) -> dict[str, Any]:
    """Return the values that a function takes from the function around it."""
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return found


def _defaults(function: Any) -> dict[str, Any]:
    if "<locals>" not in function.__qualname__:
        return {}  # its source says them
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return dict(zip(names[len(names) - len(defaults) :], defaults, strict=True)) | (function.__kwdefaults__ or {})


def _makers() -> list[str]:
    """Return the modules whose code is just making a function: the factory's, up to the one that is being imported."""
    from assetry.python.sources import own_path

    names: list[str] = []
    frame = sys._getframe(1).f_back
    while frame is not None:
        if own_path(frame.f_code.co_filename):
            names.append(frame.f_globals.get("__name__", ""))
            if frame.f_code.co_name == "<module>":
                break
        frame = frame.f_back
    return names


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


def spec_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return where a function is found again, as the `spec` of its assets has it."""
    return {"module": function.__module__, "qualname": function.__qualname__}
