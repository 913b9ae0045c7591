"""What ``schema=`` of an asset takes: an object of pandera, pyarrow or polars, or columns written by hand.

Nothing is imported for it: an object of a library comes from a module that is loaded already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from assetry.types.assets import Column, ColumnsAre

#: What is done about a column that a schema does not have, and what the columns of the schema are then.
EXTRA_COLUMNS: Mapping[str, ColumnsAre] = {"accept": "needed", "refuse": "all"}


class Schema(NamedTuple):
    """The columns that ``schema=`` names, and what is to be known of it besides.

    `are` is what it says of further columns itself, None when it says nothing. `validator` is the object of pandera
    that values are to pass; `rules` is all that it asks for as text, and `functions` are those that it calls.
    """

    columns: tuple[Column, ...] = ()
    are: ColumnsAre | None = None
    validator: Any = None
    rules: str = ""
    functions: tuple[Callable[..., Any], ...] = ()


def library_of(given: Any) -> str | None:
    """Return the library whose schema something is: ``pandera``, ``pyarrow`` or ``polars``.

    >>> library_of({"id": "bigint"}) is None
    True
    """
    kind = given if isinstance(given, type) else type(given)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if "pandera" in roots:
        return "pandera"
    if isinstance(given, type) or kind.__name__ != "Schema":
        return None
    return next((each for each in ("pyarrow", "polars") if each in roots), None)


def is_word(given: Any) -> bool:
    """Tell whether a type is given as text, or not at all."""
    return given is None or isinstance(given, str)


def is_type(given: Any) -> bool:
    """Tell whether something is a type of a column: in words, or as numpy, pandas, Arrow or polars have it.

    >>> import pyarrow
    >>> is_type("bigint"), is_type(pyarrow.int64()), is_type(None), is_type(int)
    (True, True, True, False)
    """
    kind = given if isinstance(given, type) else type(given)
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    return is_word(given) or not roots.isdisjoint(("numpy", "pandas", "pyarrow", "polars"))


def strange_parts(given: Any) -> Iterable[Any]:
    """Yield what of ``schema=`` is none of what it takes.

    >>> list(strange_parts({"id": "bigint", "at": 3})), list(strange_parts("id"))
    ([3], ['id'])
    """
    if library_of(given) is not None:
        return
    if isinstance(given, Mapping):
        yield from (name for name in given if not isinstance(name, str))
        yield from (each for each in given.values() if not is_type(each))
    elif isinstance(given, str) or not isinstance(given, Iterable):
        yield given
    else:
        for each in given:
            if isinstance(each, Column):
                yield from (part for part in each[:2] if not is_word(part))
            elif not isinstance(each, str):
                yield each
