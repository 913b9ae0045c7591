"""Patterns with wildcards, for names and for paths."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

_WILD = re.compile(r"[*?\[\]]")


def has_wildcard(text: str) -> bool:
    """Tell whether `text` is a pattern.

    >>> has_wildcard("stg_*")
    True
    """
    return _WILD.search(text) is not None


@lru_cache(maxsize=256)
def matcher(pattern: str, fold: bool = False) -> Callable[[str], bool]:
    """Return the test of a text against a pattern with ``*``, ``?`` and ``[…]``; `fold` disregards case.

    >>> matcher("stg_*")("stg_orders")
    True
    """
    if fold:
        inner = matcher(pattern.casefold())
        return lambda text: inner(text.casefold())
    if not has_wildcard(pattern):
        return pattern.__eq__
    match = re.compile(translate(pattern)).match
    return lambda text: match(text) is not None


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test of a path against a pattern: ``*`` stays within a folder, ``**`` goes through any number.

    >>> matches = path_matcher("models/**/*.sql")
    >>> matches("models/orders.sql"), matches("models/a/b/orders.sql"), matches("models/a")
    (True, True, False)
    >>> path_matcher("models/[z-a]")("models/z")
    False
    """
    words = [word for word in pattern.replace("\\", "/").split("/") if word not in ("", ".")]
    if not words:
        return bool
    steps = "".join(r"(?:[^/]+/)*" if word == "**" else _segment(word) + "/" for word in words)
    try:
        match = re.compile(steps).fullmatch
    except re.error:
        return lambda _: False  # a range that is none, as in [0-.]
    return lambda path: match(path + "/") is not None


def _segment(word: str) -> str:
    """Return the regular expression of one step of a path."""
    out, at = "", 0
    while at < len(word):
        closed = word.find("]", at + 3 if word[at + 1 : at + 2] == "!" else at + 2) if word[at] == "[" else -1
        if closed > 0:
            inner = word[at + 1 : closed].replace("\\", r"\\")
            out += f"[^{inner[1:]}]" if inner[0] == "!" else f"[{inner}]" if inner[0] != "^" else f"[\\{inner}]"
            at = closed
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(word[at]) or re.escape(word[at])
        at += 1
    return out


def path_of(source: str | None) -> str:
    """Return the path in where a definition stands, without its line.

    >>> path_of("./assets/sales.py:14")
    'assets/sales.py'
    """
    if not source:
        return ""
    path, _, line = source.rpartition(":")
    return (path if path and line.isdigit() else source).replace("\\", "/").removeprefix("./")


def folders(path: str) -> tuple[str, ...]:
    """Return a path and the folders it lies in.

    >>> folders("models/staging/orders.sql")
    ('models/staging/orders.sql', 'models/staging', 'models')
    """
    found = []
    while path:
        found.append(path)
        path = path.rpartition("/")[0]
    return tuple(found)


def file_names(source: str | None) -> tuple[str, ...]:
    """Return the name of the file a definition stands in, with and without its ending.

    >>> file_names("models/orders.sql")
    ('orders.sql', 'orders')
    """
    name = path_of(source).rpartition("/")[2]
    stem = name.rpartition(".")[0]
    return tuple(each for each in (name, stem) if each)
