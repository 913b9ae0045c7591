"""What decorators make of functions in a project's modules: core's own, and those of plugins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from assetry.python.code import place
from assetry.python.lost import note_made


class Decorated:
    """The base of what a decorator makes of a `function` that a project's modules hold; `Project.defined` finds it.

    One that stands in no module, since another of its name replaces it or a function makes it, is an error when the
    project is loaded. `source` is where the function stands.

    >>> Decorated(len).named
    ["'len'"]
    """

    function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        note_made(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    @property
    def source(self) -> str:
        """Return where the function stands, ``assets.py:14``."""
        return place(self.function)

    @property
    def named(self) -> Sequence[str]:
        """Return what people call what it defines, each in quotes."""
        return [repr(self.function.__name__)]
