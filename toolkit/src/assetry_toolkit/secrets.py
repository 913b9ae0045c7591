"""Secrets: options refer to them, the values are put in when something runs, and are masked in all that is shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assetry.plugin import Mask, UsageError, is_reference, to_json

from assetry_toolkit.live_objects import take

__all__ = [
    "Mask",
    "Reference",
    "apart_from",
    "is_reference",
    "needed",
    "resolve",
    "resolved",
    "secret_names",
    "values_of",
]
__all__ += ["without_user"]

#: A value itself, or where it is found: ``{"env": "NAME"}``, ``{"secret": "path/name"}`` of a provider of secrets, or
#: ``{"given": "1"}`` for an object of this process.
Reference = str | Mapping[str, str]
#: Digits of a number that is nothing but a secret.
_LONG_NUMBER = 8


def place_of(reference: Reference | None) -> str:
    """Return where a secret is read, in words.

    >>> place_of({"env": "TOKEN"}), place_of("bob")
    ('read from the variable TOKEN', 'written in the options')
    """
    [(kind, name)] = reference.items() if isinstance(reference, Mapping) else [("", "")]
    return {"env": f"read from the variable {name}", "secret": f"the secret {name}"}.get(kind, "written in the options")


def without_user(url: str | None) -> str:
    """Return a URL, or what was given as one, without the user and the password that may stand in it, for errors.

    >>> without_user("http://bob:p/w@crm.example/v1"), without_user("crm.example")
    ('http://***@crm.example/v1', 'crm.example')
    """
    return re.sub(r"//\S*@", "//***@", url or "")


def resolve(reference: Reference | None, secret: Callable[[str], str]) -> str:
    """Return the value that a reference means, "" for None; `secret` is asked for secrets by their names.

    In a run `secret` is `RunContext.secret`, outside of one `assetry.plugin.read_secret`.

    >>> resolve({"env": "TOKEN"}, {"TOKEN": "t0ken"}.__getitem__), resolve("bob", str)
    ('t0ken', 'bob')
    """
    if isinstance(reference, Mapping):
        name = reference.get("env", reference.get("secret"))
        return str(take(reference)) if name is None else secret(name)
    return reference or ""


def needed(reference: Reference | None, secret: Callable[[str], str], named: str) -> str:
    """Return what `resolve` does; raise `UsageError` where that is empty: no service accepts it. `named` is the option.

    >>> needed({"env": "TOKEN"}, {"TOKEN": ""}.__getitem__, "api_token")
    Traceback (most recent call last):
    assetry.errors.UsageError: The secret TOKEN, which api_token names, is empty.
      Set it to what the service has given.
    """
    found = resolve(reference, secret)
    if not found:
        name = reference.get("env", reference.get("secret")) if isinstance(reference, Mapping) else None
        told = f"The secret {name}, which {named} names, is empty." if name else f"{named} is empty."
        raise UsageError(told, hint="Set it to what the service has given.")
    return found


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


def apart_from(mask: Mask, words: str) -> Mask:
    """Return a mask for what is still to be read by a program, which knows it by some `words`, in any case.

    What is a secret and a part of one of them, or a number of fewer than 8 digits, would make another text of it.

    >>> apart_from(Mask(frozenset({"s3cret", "user", "1234"})), '"User": "rows":')('{"user": "s3cret", "rows": 12345}')
    '{"user": "***", "rows": 12345}'
    """
    plain = words.casefold()
    numbers = {each for each in mask.secrets if each.isdigit() and len(each) < _LONG_NUMBER}
    return Mask(frozenset(each for each in mask.secrets - numbers if each.casefold() not in plain))


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
