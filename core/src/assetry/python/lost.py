"""What was decorated while modules were imported, and stands in none of them: it would be lost without a word."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from assetry.errors import DefinitionError
from assetry.python.code import place

#: Where a module keeps what was decorated in its file.
_MADE = "__assetry_made__"

_thread = threading.local()


def note_made(function: Any) -> None:
    """Note what a decorator makes of a function now, where modules are being imported."""
    made: list[Any] | None = getattr(_thread, "made", None)
    if made is not None:
        made.append(function)


@contextmanager
def noting_made() -> Iterator[None]:
    """Have the modules that are imported meanwhile keep what decorators make in their files."""
    before = getattr(_thread, "made", None)
    made: list[Any] = []
    _thread.made = made
    try:
        yield
    finally:
        _thread.made = before
        for each in made:
            module = sys.modules.get(each.function.__module__)
            if module is not None:
                vars(module).setdefault(_MADE, []).append(each)


def held_in(module: ModuleType, kinds: tuple[type[Any], ...]) -> Iterator[Any]:
    """Yield what stands in a module by name, in lists and in mappings, lists of lists included."""
    own = {name: value for name, value in vars(module).items() if name != _MADE}
    yield from _members(own, kinds, set())


def _members(value: Any, kinds: tuple[type[Any], ...], seen: set[int]) -> Iterator[Any]:
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset, dict)) and id(value) not in seen:
        seen.add(id(value))
        for each in list(value.values() if isinstance(value, dict) else value):
            yield from _members(each, kinds, seen)


def refuse_lost(modules: Sequence[ModuleType], others: Iterable[ModuleType], kind: type[Any]) -> None:
    """Raise `DefinitionError` for the first decorated function of type `kind` that stands in no module.

    Of `modules` everything counts; of `others`, those that they import, what one of their functions made.
    """
    if not modules:
        return
    beside = [each for each in others if each not in modules]
    held = {id(each) for module in (*modules, *beside) for each in held_in(module, (kind,))}
    for module in (*modules, *beside):
        for made in vars(module).get(_MADE, ()):
            local = "<locals>" in made.function.__qualname__
            if id(made) not in held and (local or module in modules):
                raise _lost(made, module, kind)


def _lost(made: Any, module: ModuleType, kind: type[Any]) -> DefinitionError:
    function = made.function
    what = f"{' and '.join(made.named)} would be lost"
    outer, dot, name = function.__qualname__.rpartition(".")
    now = None if dot else vars(module).get(name)
    if isinstance(now, kind):
        why = f"two functions are called {name}(), and the one at {place(now.function)} replaces this one"
        hint = "Give one of them another name; key=… may say the same as before."
    elif now is not None and _wraps(now, made):
        why, hint = "another decorator hides it", "Write the decorator of assetry above all others."
    elif now is not None:
        why, hint = f"{name} is something else at the end of its module", "Give one of the two another name."
    elif outer.endswith("<locals>"):
        where = outer.removesuffix(".<locals>")
        why = f"it is made in {where}(), and no module holds it"
        hint = "Give it a name at the top of a module, or put it in a list there."
    elif outer:
        why, hint = f"it stands in class {outer}", "Move it to the top of its module."
    else:
        why, hint = f"its module does not hold {name}() any more", "Keep the name, or remove the decorator."
    return DefinitionError(f"{what}: {why}.", where=place(function), hint=hint)


def _wraps(outer: Any, made: Any) -> bool:
    for _ in range(20):
        outer = getattr(outer, "__wrapped__", None)
        if outer is None or outer is made:
            break
    return outer is made
