"""The selectors of selectors.yml, as a manifest has them, written as selections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assetry.plugin import selection_value


def named_selections(selectors: Any, integration: str) -> dict[str, str]:
    """Return the text of each selector, by name; one that cannot be written is an empty text.

    What a selector names is looked for among what its own project has, as in dbt; from there ``+`` goes where it leads.

    >>> kids = {"definition": {"method": "fqn", "value": "orders", "children": True, "children_depth": 1}}
    >>> named_selections({"kids": kids}, "shop")
    {'kids': '(fqn:orders and integration:shop)+1'}
    """
    listed = selectors.items() if isinstance(selectors, Mapping) else ()
    found = {}
    for name, selector in listed:
        definition = selector.get("definition") if isinstance(selector, Mapping) else None
        try:
            found[str(name)] = _text(definition, integration)
        except ValueError:
            found[str(name)] = ""
    return found


def _text(definition: Any, integration: str) -> str:
    if isinstance(definition, str):
        return _text(_criterion_of(definition), integration)
    if not isinstance(definition, Mapping):
        raise ValueError("neither a text nor a table")
    for kind, word in (("union", " or "), ("intersection", " and ")):
        if kind in definition:
            return _set(definition[kind], word, integration)
    if "method" in definition and "value" in definition:
        text = _criterion(definition, integration)
        return _without(text, definition["exclude"], integration) if definition.get("exclude") else text
    if len(definition) == 1:
        ((method, value),) = definition.items()
        return _criterion({"method": method, "value": value}, integration)
    raise ValueError("neither a set nor a criterion")


def _set(parts: Any, word: str, integration: str) -> str:
    """Return a union or an intersection; what is to be left out of it stands among its parts."""
    if not isinstance(parts, list):
        raise ValueError("not a list of parts")
    excluded = [each for each in parts if isinstance(each, Mapping) and "exclude" in each and "method" not in each]
    included = [_text(each, integration) for each in parts if each not in excluded]
    if not included:
        raise ValueError("nothing is included")
    text = included[0] if len(included) == 1 else f"({word.join(f'({each})' for each in included)})"
    return _without(text, [part for each in excluded for part in each["exclude"]], integration) if excluded else text


def _without(text: str, excluded: Iterable[Any], integration: str) -> str:
    left_out = " or ".join(f"({_text(each, integration)})" for each in excluded)
    return f"(({text}) and not ({left_out}))" if left_out else text


def _criterion(given: Mapping[str, Any], integration: str) -> str:
    value = selection_value(str(given["value"]))
    before = "@" if given.get("childrens_parents") else ""
    if given.get("parents"):
        before += f"{given.get('parents_depth') or ''}+"
    after = f"+{given.get('children_depth') or ''}" if given.get("children") else ""
    return f"{before}({given['method']}:{value} and integration:{selection_value(integration)}){after}"


def _criterion_of(text: str) -> dict[str, Any]:
    """Return a criterion that is written as on dbt's command line: ``2+tag:nightly+``."""
    found: dict[str, Any] = {}
    if text.startswith("@"):
        found["childrens_parents"], text = True, text[1:]
    depth, plus, rest = text.partition("+")
    if plus and (not depth or depth.isdigit()):
        found |= {"parents": True, "parents_depth": depth}
        text = rest
    rest, plus, depth = text.rpartition("+")
    if plus and (not depth or depth.isdigit()):
        found |= {"children": True, "children_depth": depth}
        text = rest
    method, colon, value = text.partition(":")
    if colon:
        return {**found, "method": method, "value": value}
    # As in dbt: what has a slash is a path, what ends like a file is one, anything else a name.
    implied = "path" if "/" in text else "file" if text.lower().endswith((".sql", ".py", ".csv")) else "fqn"
    return {**found, "method": implied, "value": text}
