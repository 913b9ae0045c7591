"""YAML files that tools are configured with. PyYAML is needed, on which an integration that reads them depends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, near_names


def read_yaml(path: Path, strict: bool = False) -> dict[str, Any]:
    """Return the mapping that the YAML file at `path` holds; an empty file is an empty mapping.

    `strict` is for tools that refuse tabs between words, as all do that read YAML in Python; libyaml takes them.

    Raises `IntegrationError` when it cannot be read or is not a mapping; the place is named by line.
    """
    import yaml

    try:
        text = path.read_bytes()
        slow = strict and b"\t" in text
        loader: Any = yaml.SafeLoader if slow else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(text, loader)
    except OSError as error:
        raise IntegrationError(f"{path.name} cannot be read: {error.strerror}.", where=str(path)) from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise IntegrationError(f"{path.name} is not valid YAML: {error.problem}.", where=f"{path}{line}") from None
    except yaml.YAMLError as error:
        raise IntegrationError(f"{path.name} is not valid YAML: {error}.", where=str(path)) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise IntegrationError(f"{path.name} is not a mapping of names to settings.", where=str(path))
    return data


def place_of(name: str, texts: Mapping[Path, str], root: Path) -> str | None:
    """Return where the first entry of a name stands in some YAML files, as ``file:line``; the file starts from `root`.

    For `Asset.source`. An entry is a mapping with ``name: …``; None when there is none.

    >>> place_of("orders", {Path("/shop/mill.yml"): "tables:\\n- {name: users}\\n- name: orders\\n"}, Path("/shop"))
    'mill.yml:3'
    """
    pattern = re.compile(rf"\bname['\"]?:\s*['\"]?{re.escape(name)}['\"]?\s*(?:[,}}#]|$)", re.MULTILINE)
    for path, text in texts.items():
        if found := pattern.search(text):
            return f"{path.relative_to(root)}:{text.count(chr(10), 0, found.start()) + 1}"
    return None


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping; an empty one for nothing, or for what stands there by mistake.

    >>> mapping({"days": 1}), mapping([])
    ({'days': 1}, {})
    """
    return value if isinstance(value, dict) else {}


def named_entries(whole: Mapping[str, Any], kind: str, where: Path) -> list[dict[str, Any]]:
    """Return the entries under a word such as ``jobs``; raise `IntegrationError` unless each has a name.

    >>> named_entries({"jobs": [{"nme": "load"}]}, "jobs", Path("meltano.yml"))
    Traceback (most recent call last):
    assetry.errors.IntegrationError: Entry 1 of jobs has no `name`.
      at meltano.yml
      did you mean 'nme'?
    ...
    """
    found = whole.get(kind)
    if found is not None and not isinstance(found, list):
        raise IntegrationError(f"{kind} is no list.", where=str(where), hint=f"Write {kind}: [{{name: …}}].")
    for number, each in enumerate(found or (), 1):
        if not isinstance(each, dict) or not isinstance(each.get("name"), (str, int)):
            has = mapping(each)
            raise IntegrationError(
                f"Entry {number} of {kind} has no `name`.",
                where=str(where),
                near=near_names("name", map(str, has)),
                hint=f"It is {', '.join(map(str, has)) or each!r}.",
            )
    return list(found or ())


def entries(value: Any) -> list[dict[str, Any]]:
    """Return the mappings of a list; what is nothing, or stands there by mistake, is left out.

    >>> entries([{"name": "tap-shop"}, None]), entries(None)
    ([{'name': 'tap-shop'}], [])
    """
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
