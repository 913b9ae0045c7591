"""What takes secrets out of texts, in whichever spelling they stand there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

#: The shortest secret that is masked: a shorter one stands in every text, and masking it would leave nothing to read.
SHORTEST = 4
#: The fewest characters in base64 that are taken for a part of a secret.
_SURE = 6
#: The shortest line that counts as a secret by itself, of one that has several.
_LINE = 8
#: The alphabet of base64 in URLs.
_SAFE_IN_URLS = str.maketrans("+/", "-_")


@dataclass(frozen=True, slots=True)
class Mask:
    """What takes secrets out of all that is shown, in whichever spelling they stand there.

    Besides the secret itself that is how it stands in a URL, in JSON, in JSON within JSON, in HTML, in Python's source
    text, and in base64 as a part of anything, such as a header for basic authentication; without the space around it;
    and each longer line of one with several lines.

    >>> mask = Mask(frozenset({"p/ss w0rd"}))
    >>> mask("login with p/ss w0rd failed: https://x/?key=p%2Fss%20w0rd"), mask("Basic Ym9iOnAvc3MgdzByZA==")
    ('login with *** failed: https://x/?key=***', 'Basic Ym9iO***')
    >>> mask
    Mask(of 1)

    One of fewer than 4 characters is left as it is: it stands in every text, and little would be left to read.
    """

    secrets: frozenset[str] = frozenset()
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    #: One of these stands in every text that has a secret. To look for them takes a tenth of the pattern's time.
    _signs: tuple[str, ...] = field(init=False, repr=False, compare=False)
    #: The most characters that a match has, or more.
    _reach: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        spellings = {each for secret in self.secrets if len(secret) >= SHORTEST for each in _spellings(secret)}
        # The longest first: one secret may be the beginning of another.
        patterns = sorted({pattern for _, pattern in spellings}, key=len, reverse=True)
        object.__setattr__(self, "_pattern", re.compile("|".join(patterns)) if patterns else None)
        object.__setattr__(self, "_signs", tuple({sign for sign, _ in spellings}))
        object.__setattr__(self, "_reach", max(map(len, patterns), default=0))

    def __call__(self, text: str) -> str:
        """Return `text` without them."""
        if self._pattern is None or not any(sign in text for sign in self._signs):
            return text
        kept: list[str] = []
        at = 0
        while (found := self._pattern.search(text, at)) is not None:
            begin, end = found.span()
            kept.append(text[at:begin])
            # One that begins within another would leave its rest.
            after = begin + 1
            while after < end and (found := self._pattern.search(text, after, end + self._reach)) is not None:
                if found.start() >= end:
                    break
                after, end = found.start() + 1, max(end, found.end())
            at = end
        return "***".join((*kept, text[at:]))

    @property
    def expression(self) -> str:
        """Return the regular expression of all that is taken out; "" when there is nothing to take out.

        >>> re.sub(Mask(frozenset({"s3cret"})).expression, "***", "the s3cret"), Mask().expression
        ('the ***', '')
        """
        return self._pattern.pattern if self._pattern is not None else ""

    def __or__(self, other: Mask) -> Mask:
        """Return what takes out the secrets of both."""
        return Mask(self.secrets | other.secrets)

    def __repr__(self) -> str:
        return f"Mask(of {len(self.secrets)})"


def _spellings(secret: str) -> Iterator[tuple[str, str]]:
    """Yield all the ways in which a secret may stand in a text, each with a regular expression for it."""
    from html import escape
    from json import dumps
    from urllib.parse import quote, quote_plus

    # One that was read from a file often ends with a line break, and tools leave that away.
    bare = {each for each in (secret.strip(),) if len(each) >= SHORTEST}
    plain = {secret, *bare, *(line for each in secret.splitlines() if len(line := each.strip()) >= _LINE)} - {""}
    for text in plain:
        # Half a character is in no URL, but it must not make a mask fail.
        quoted = {quote(text, safe=safe, errors="replace") for safe in ("", "/")} | {quote_plus(text, errors="replace")}
        quoted |= {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted}
        written = {repr(text)[1:-1], *(dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False))}
        # A line of a program stands once more as a text in a log in JSON.
        written |= {dumps(each, ensure_ascii=ascii)[1:-1] for each in written for ascii in (True, False)}
        written |= {re.sub(r"(?<=\\u)[0-9a-f]{4}", lambda found: found[0].upper(), each) for each in written}
        yield from ((each, re.escape(each)) for each in {text, escape(text)} | quoted | written)
        yield from _in_base64(text.encode(errors="replace"))


def _in_base64(data: bytes) -> Iterator[tuple[str, str]]:
    """Yield the ways in which data stands in base64, with anything or nothing before and after it.

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
            pattern = ("" if before == 0 else "[A-Za-z0-9+/_-]") + core + "(?:[A-Za-z0-9+/_-]?={0,2})"
            yield whole, pattern
            yield whole.translate(_SAFE_IN_URLS), pattern


def masked(value: T, mask: Mask) -> T:
    """Return plain data without secrets: texts, and names and values in mappings, sequences and dataclasses.

    Keys of assets are left as they are.

    >>> masked({"url": "https://x/?key=s3cret", "rows": 3}, Mask(frozenset({"s3cret"})))
    {'url': 'https://x/?key=***', 'rows': 3}
    """
    if not mask.secrets:
        return value
    found: Any = value
    if type(value) is str:
        found = mask(value)
    elif isinstance(value, Mapping):
        found = {masked(name, mask): masked(each, mask) for name, each in value.items()}
    elif type(value) in (list, tuple):
        found = type(value)(masked(each, mask) for each in value)  # type: ignore[attr-defined, call-arg]
    elif is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{each.name: masked(getattr(value, each.name), mask) for each in fields(value)})
    return found  # type: ignore[no-any-return]
