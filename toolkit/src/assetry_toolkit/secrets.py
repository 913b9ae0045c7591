"""Secrets: options refer to them, the values are put in when something runs, and are masked in all that is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import to_json

from assetry_toolkit.live_objects import take

#: A value itself, or where it is found: ``{"env": "NAME"}``, or ``{"given": "1"}`` for an object of this process.
Reference = str | Mapping[str, str]

#: The fewest characters in base64 that are taken for a part of a secret.
_SURE = 6
#: The shortest line that counts as a secret by itself, of one that has several.
_LINE = 8


def is_reference(value: Any) -> bool:
    """Tell whether a value says where another one is found.

    >>> is_reference({"env": "TOKEN"}), is_reference("t0ken"), is_reference({"env": "TOKEN", "or": "none"})
    (True, False, False)
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    [(kind, name)] = value.items()
    return kind in ("env", "given") and isinstance(name, str)


def resolve(reference: Reference | None, secret: Callable[[str], str]) -> str:
    """Return the value that a reference means, "" for None; `secret` is asked for environment variables.

    In a run `secret` is `RunContext.secret`, outside of one `assetry.plugin.read_secret`.

    >>> resolve({"env": "TOKEN"}, {"TOKEN": "t0ken"}.__getitem__), resolve("bob", str)
    ('t0ken', 'bob')
    """
    if isinstance(reference, Mapping):
        return secret(reference["env"]) if "env" in reference else str(take(reference))
    return reference or ""


def resolved(value: Any, secret: Callable[[str], str]) -> tuple[Any, frozenset[str]]:
    """Return a configuration with each reference in it replaced by its value, and the values put in.

    >>> resolved({"user": "bob", "key": {"env": "KEY"}}, {"KEY": "s3cret"}.__getitem__)
    ({'user': 'bob', 'key': 's3cret'}, frozenset({'s3cret'}))
    """
    secrets: set[str] = set()

    def put(each: Any) -> Any:
        if is_reference(each):
            secrets.add(found := resolve(each, secret))
            return found
        if isinstance(each, Mapping):
            return {name: put(inner) for name, inner in each.items()}
        return [put(inner) for inner in each] if isinstance(each, (list, tuple)) else each

    return put(to_json(value)), frozenset(secrets)


@dataclass(frozen=True, slots=True)
class Mask:
    """What takes secrets out of all that is shown, in whichever spelling they stand there.

    Besides the secret itself that is how it stands in a URL, in JSON, in HTML, in Python's source text, and in base64
    as a part of anything, such as a header for basic authentication; and each longer line of one with several lines.

    >>> mask = Mask(frozenset({"p/ss w0rd"}))
    >>> mask("login with p/ss w0rd failed: https://x/?key=p%2Fss%20w0rd"), mask("Basic Ym9iOnAvc3MgdzByZA==")
    ('login with *** failed: https://x/?key=***', 'Basic Ym9iO***')
    >>> mask
    Mask(of 1)
    """

    secrets: frozenset[str] = frozenset()
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        patterns = sorted({each for secret in self.secrets for each in _spellings(secret)}, key=len, reverse=True)
        # The longest first: one secret may be the beginning of another.
        object.__setattr__(self, "_pattern", re.compile("|".join(patterns)) if patterns else None)

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        return text if self._pattern is None else self._pattern.sub("***", text)

    def __or__(self, other: Mask) -> Mask:
        """Return what takes out the secrets of both."""
        return Mask(self.secrets | other.secrets)

    def __repr__(self) -> str:
        return f"Mask(of {len(self.secrets)})"


def _spellings(secret: str) -> Iterator[str]:
    """Yield regular expressions for all the ways in which a secret may stand in a text."""
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    plain = {secret, *(line for each in secret.splitlines() if len(line := each.strip()) >= _LINE)} - {""}
    for text in plain:
        # Half a character is in no URL, but it must not make a mask fail.
        quoted = {quote(text, safe=safe, errors="replace") for safe in ("", "/")} | {quote_plus(text, errors="replace")}
        quoted |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
        written = {dumps(text)[1:-1], dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1], escape(text)}
        yield from (re.escape(each) for each in {text} | quoted | written)
        yield from _in_base64(text.encode(errors="replace"))


def _in_base64(data: bytes) -> Iterator[str]:
    """Yield regular expressions for data in base64, with anything or nothing before and after it.

    Three bytes are four characters, so it may be written in three ways, and the characters at its borders hold a part
    of what is beside it: these are taken out with it.
    """
    from base64 import b64encode

    for before in range(3):
        written = b64encode(bytes(before) + data).decode().rstrip("=")
        first = (0, 2, 3)[before]
        whole = written[first : (before + len(data)) * 8 // 6]
        if len(whole) >= _SURE:
            core = re.escape(whole).replace(r"\+", "[+-]").replace("/", "[/_]")
            yield ("" if before == 0 else "[A-Za-z0-9+/_-]") + core + "(?:[A-Za-z0-9+/_-]?={0,2})"


def secret_names(schema: Any, marks: Iterable[str] = ("writeOnly",)) -> frozenset[str]:
    """Return the names of the fields that a JSON schema calls secret, at any depth.

    `marks` are the keywords, one of which is true for such a field: JSON Schema's own is ``writeOnly``.

    >>> sorted(secret_names({"properties": {"user": {}, "login": {"properties": {"token": {"writeOnly": True}}}}}))
    ['token']
    """
    wanted = tuple(marks)
    found: set[str] = set()
    todo = [schema]
    while todo:
        each = todo.pop()
        if isinstance(each, Mapping):
            properties = each.get("properties")
            for name, inner in properties.items() if isinstance(properties, Mapping) else ():
                if isinstance(inner, Mapping) and any(inner.get(mark) is True for mark in wanted):
                    found.add(str(name))
            todo += each.values()
        elif isinstance(each, (list, tuple)):
            todo += each
    return frozenset(found)


def values_of(config: Any, names: frozenset[str]) -> frozenset[str]:
    """Return the texts that stand under some names in a configuration, at any depth.

    >>> values_of({"auth": {"token": "t0ken", "user": "bob"}}, frozenset({"token"}))
    frozenset({'t0ken'})
    """
    if isinstance(config, Mapping):
        own = {value for name, value in config.items() if name in names and isinstance(value, str)}
        return frozenset(own).union(*(values_of(value, names) for value in config.values()))
    each = config if isinstance(config, (list, tuple)) else ()
    return frozenset().union(*(values_of(value, names) for value in each))
