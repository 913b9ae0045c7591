"""Where tables lie that are named otherwise: sources that stand for files, and databases that a profile attaches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from assetry_dbt.manifest.manifest import Source

#: Configuration of a source that says nothing of where it lies or what it holds.
_PASSIVE = frozenset(
    {"enabled", "meta", "tags", "freshness", "loaded_at_field", "loaded_at_query", "event_time", "description"}
)
#: Names in `meta` that make a source of dbt-duckdb one that a plugin loads, or a file; all of its `meta` counts then.
_FILES = ("external_location", "plugin")
#: Settings that are secret, by parts of their names.
_SECRET = re.compile(r"pass|secret|token|key|credential|private|auth", re.IGNORECASE)
_IN_TEXT = re.compile(r"(?i)\b(password|pwd|passwd|token|secret\w*|key\w*)\s*=\s*('[^']*'|[^\s;&]+)|(?<=://)[^/@\s]*@")


def source_place(source: Source) -> str:
    """Return what the configuration of a source says of where it lies; empty for a table of its name."""
    told = {
        name: value for name, value in source.config.items() if name not in _PASSIVE and value not in (None, {}, [])
    }
    for meta in (source.source_meta, source.meta, source.config.get("meta")):
        if isinstance(meta, Mapping) and any(name in meta for name in _FILES):
            told["meta"] = {**told.get("meta", {}), **{name: meta[name] for name in meta if name != "assetry"}}
    return msgspec.json.encode(told, enc_hook=str, order="sorted").decode() if told else ""


def public(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a target without those that are, or hold, a secret.

    >>> public({"threads": 2, "password": "a", "attach": [{"path": "postgres:host=h password=b"}]})
    {'threads': 2, 'attach': [{'path': 'postgres:host=h '}]}
    """
    return {str(name): _without(value) for name, value in settings.items() if not _SECRET.search(str(name))}


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return public(value)
    if isinstance(value, list):
        return [_without(each) for each in value]
    return _IN_TEXT.sub("", value) if isinstance(value, str) else value


def attached(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a profile of dbt-duckdb attaches, by name.

    >>> attached({"attach": [{"path": "a/raw.duckdb"}, {"path": "b.db", "alias": "old"}]})
    {'raw': {'path': 'a/raw.duckdb'}, 'old': {'path': 'b.db', 'alias': 'old'}}
    """
    listed = fields.get("attach")
    found: dict[str, Any] = {}
    for each in listed if isinstance(listed, list) else ():
        entry = each if isinstance(each, Mapping) else {"path": each}
        path = str(entry.get("path") or "").partition("?")[0]
        found[str(entry.get("alias") or PurePath(path).stem)] = entry
    return found
