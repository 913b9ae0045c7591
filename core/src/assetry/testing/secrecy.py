"""Secrets in texts: the environment variables that options refer to, and the spellings in which a value turns up."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

#: The shortest secret that is looked for: shorter ones stand in texts by chance.
SHORTEST = 6


def referred_variables(options: Mapping[str, Any]) -> set[str]:
    """Return the environment variables that the options of an integration refer to.

    >>> sorted(referred_variables({"password": {"env": "MILL_PASSWORD"}, "url": "http://mill"}))
    ['MILL_PASSWORD']
    """
    names: set[str] = set()
    open_: list[Any] = [options]
    while open_:
        value = open_.pop()
        if isinstance(value, Mapping):
            name = value.get("env") if len(value) == 1 else None
            if isinstance(name, str):
                names.add(name)
            open_ += value.values()
        elif isinstance(value, (list, tuple)):
            open_ += value
    return names


def spellings(value: str) -> Mapping[str, str]:
    """Return the texts by which a secret gives itself away, each with the name of its spelling.

    In base64 it is found wherever it stands in what was encoded, such as ``user:password``.

    >>> found = spellings("correct horse")
    >>> found["correct%20horse"], found["correct+horse"], found["Y29ycmVjdCBob3JzZ"]
    ('in URL spelling', 'in URL spelling', 'in base64')
    """
    if len(value) < SHORTEST:
        return {}
    found = {value: ""}
    for text in (quote(value, safe=""), quote(value), quote_plus(value)):
        found.setdefault(text, "in URL spelling")
    for text in (json.dumps(value)[1:-1], repr(value)[1:-1], escape(value)):
        found.setdefault(text, "with escapes")
    for text in _in_base64(value.encode()):
        found.setdefault(text, "in base64")
    found.setdefault(value.encode().hex(), "in hexadecimal")
    return found


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield what stands in any base64 of a text with `data` in it: the signs that no neighbour takes part in."""
    for before in range(3):
        encoded = b64encode(b"\0" * before + data).decode().rstrip("=")
        begin, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        yield encoded[begin:end]
        yield encoded[begin:end].replace("+", "-").replace("/", "_")


def betrayed(text: str, secrets: Mapping[str, str]) -> str | None:
    """Return the name of the secret that stands in a text, and its spelling; None when there is none.

    >>> betrayed("Authorization: Basic Ym9iOmNvcnJlY3QgaG9yc2U=", {"MILL_PASSWORD": "correct horse"})
    'the value of MILL_PASSWORD in base64'
    """
    for name, value in secrets.items():
        for spelling, how in spellings(value).items():
            if spelling in text:
                return f"the value of {name} {how}".rstrip()
    return None


def masked(text: str, secrets: Mapping[str, str]) -> str:
    """Return a text with ``***`` in the place of secrets, however they are spelt.

    >>> masked("no access with correct%20horse", {"MILL_PASSWORD": "correct horse"})
    'no access with ***'
    """
    for value in secrets.values():
        for spelling in sorted(spellings(value), key=len, reverse=True):
            text = text.replace(spelling, "***")
    return text
