"""Digests: by which it is seen that what something depends on has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

#: Bytes beyond which a file is taken for a program, which counts by its name alone; a script counts by its content.
LARGEST_SCRIPT = 1 << 20


def digest(value: Any, *scripts: Path, size: int = 8) -> str:
    """Return a hash of data, in twice as many digits as `size`: for `Asset.code_version`, or to see a change by.

    Equal tables have one hash, in whichever order they are written; what JSON has no form for counts by its text.
    The content of `scripts` counts too, where they are files of no more than 1 MiB.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": (2,), "a": 1}), digest("orders")
    (True, '73d52ed8e4608acd')
    """
    found = blake2b(json.dumps(_keyed(value), sort_keys=True, default=str).encode(), digest_size=size)
    for path in scripts:
        if path.is_file() and path.stat().st_size <= LARGEST_SCRIPT:
            found.update(path.read_bytes())
    return found.hexdigest()


def _keyed(value: Any) -> Any:
    """Return data whose tables have texts as keys, as JSON writes them: those of several kinds have no order."""
    if isinstance(value, Mapping):
        return {_key(key): _keyed(each) for key, each in value.items()}
    return [_keyed(each) for each in value] if isinstance(value, (list, tuple)) else value


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    return json.dumps(key) if key is None or isinstance(key, (bool, int, float)) else str(key)
