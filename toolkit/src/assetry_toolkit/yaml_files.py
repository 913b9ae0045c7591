"""YAML files that tools are configured with. PyYAML is needed, on which an integration that reads them depends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping that the YAML file at `path` holds; an empty file is an empty mapping.

    Raises `IntegrationError` when it cannot be read or is not a mapping; the place is named by line.
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(path.read_bytes(), loader)
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
