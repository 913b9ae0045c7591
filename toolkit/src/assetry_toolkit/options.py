"""The options of an integration, read and checked once: each has a kind, and a wrong one is an error with a next step.

A table says which options there are::

    OPTIONS = {"folder": TEXT, "tables": TEXTS, "mode": one_of("append", "replace"), "token": SECRET}
    given = checked_options(integration, OPTIONS)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any

from assetry.plugin import DefinitionError, Integration, near_names

from assetry_toolkit.secrets import is_reference


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: how it is called, which values are of it, and what is made of them.

    `choices` are the only values, where there are few; `hint` is what to do about a wrong one. Of a `secret` only a
    reference is right.

    >>> port = Kind("a port", lambda value: value in range(1, 65536), str)
    >>> checked({"port": 8080}, {"port": port}, "integration 'shop'")
    {'port': '8080'}
    """

    words: str
    fits: Callable[[Any], bool]
    make: Callable[[Any], Any] = _same
    choices: tuple[str, ...] = ()
    hint: str | None = None
    secret: bool = False

    def hinting(self, hint: str) -> Kind:
        """Return this kind with another hint."""
        return replace(self, hint=hint)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, (list, tuple)) and all(map(_is_text, value)))


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return value.isoformat() if isinstance(value, (date, time)) else value


def _tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


#: Text.
TEXT = Kind("text", _is_text)
#: Text or a list of texts; a tuple of texts is made of it.
TEXTS = Kind("text or a list of texts", _are_texts, _tuple)
#: True or false.
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
#: A whole number.
COUNT = Kind("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool))
#: A number of seconds, not negative.
SECONDS = Kind("a number of seconds", lambda value: _is_number(value) and value >= 0, float)
#: A whole number above zero.
POSITIVE = Kind("a whole number above 0", lambda value: COUNT.fits(value) and value > 0)
#: A table: a mapping of names to anything; in JSON a date, which a project file may have, is the text of it.
TABLE = Kind("a table", lambda value: isinstance(value, Mapping), lambda value: {**_json(value)})
#: A reference to a secret, never the secret itself.
SECRET = Kind("a reference to a secret", is_reference, secret=True)
#: Text, or a reference to it.
REFERENCE = Kind("text or a reference", lambda value: _is_text(value) or is_reference(value))
#: A reference to a live object of this process; see `assetry_toolkit.live_objects`.
OBJECT = Kind("an object handed over in Python", lambda value: is_reference(value) and "given" in value)
#: Anything.
ANYTHING = Kind("anything", lambda _: True)


def one_of(*choices: str) -> Kind:
    """Return the kind of a text that has only these values.

    >>> one_of("append", "replace", "merge").words
    "'append', 'replace' or 'merge'"
    """
    listed = [repr(each) for each in choices]
    words = " or ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
    return Kind(words, choices.__contains__, choices=choices)


def checked_options(integration: Integration, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Return the options of an integration, each as its kind makes it; one that is None counts as not given.

    Raises `DefinitionError` for an option that is unknown, with the near ones, or that is of another kind.

    >>> kinds = {"tables": TEXTS, "folder": TEXT}
    >>> checked_options(Integration("shop", "mill", {"tables": "orders", "folder": None}), kinds)
    {'tables': ('orders',)}
    >>> checked_options(Integration("shop", "mill", {"tabels": "orders"}), kinds)
    Traceback (most recent call last):
    assetry.errors.DefinitionError: Integration 'shop' has no option 'tabels'.
      did you mean 'tables'?
      The options of its kind, mill: tables, folder.
    """
    known = f"The options of its kind, {integration.kind}: {', '.join(kinds)}."
    return checked(integration.options, kinds, f"integration {integration.name!r}", known)


def checked(given: Mapping[str, Any], kinds: Mapping[str, Kind], of: str, known: str | None = None) -> dict[str, Any]:
    """Return options of anything, such as a table within the options, each as its kind makes it.

    `of` says whose they are, `known` the next step after an unknown one. Raises `DefinitionError`.

    >>> checked({"mode": "apend"}, {"mode": one_of("append", "replace")}, "stream 'orders'")
    Traceback (most recent call last):
    assetry.errors.DefinitionError: Option 'mode' of stream 'orders' must be 'append' or 'replace', not 'apend'.
      did you mean 'append'?
    """
    found = {}
    for name, value in given.items():
        kind = kinds.get(name)
        if kind is None:
            raise DefinitionError(
                f"{of[:1].upper()}{of[1:]} has no option {name!r}.",
                near=near_names(str(name), kinds),
                hint=known or f"There are: {', '.join(kinds)}.",
            )
        if value is not None:
            if not kind.fits(value):
                raise _wrong(name, value, kind, of)
            found[name] = kind.make(value)
    return found


def _wrong(name: str, value: Any, kind: Kind, of: str) -> DefinitionError:
    if kind.secret:
        stands = "is given as a value" if isinstance(value, str) else f"is not {kind.words}"
        hint = f'Secrets are given by the environment variable that holds them: {name} = {{ env = "{name.upper()}" }}.'
        return DefinitionError(f"Option {name!r} of {of} {stands}.", hint=kind.hint or hint)
    near = near_names(value, kind.choices) if isinstance(value, str) else ()
    shown = _shown(value, bool(kind.choices))
    return DefinitionError(f"Option {name!r} of {of} must be {kind.words}, not {shown}.", near=near, hint=kind.hint)


def _shown(value: Any, whole: bool) -> str:
    """Return how a wrong value is told: by its sort, since any text may be a secret that stands in the wrong place."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)) or (whole and isinstance(value, str)):
        return repr(value)
    sorts = {str: "text", list: "a list", tuple: "a list", dict: "a table"}
    return next((words for sort, words in sorts.items() if isinstance(value, sort)), f"a {type(value).__name__}")
