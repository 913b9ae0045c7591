"""What a tap or target says in its log, line by line.

How many rows a stream has is said by taps in METRIC lines, in two families: with Meltano's SDK as ``{"metric":
"record_count", "tags": {"stream": "users"}}``, with singer-python and PipelineWise as ``{"endpoint": "users"}`` or
``{"database": "public", "table": "users"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, Literal, NamedTuple, TypeGuard

from assetry.plugin import Level

_METRIC = re.compile(r"METRIC:?\s*(\{.*\})")
_BEGIN = re.compile(r"Beginning (?:\w+ )?sync of '([^']+)'")
#: What plugins made with Meltano's SDK begin with, whatever becomes of them.
_BANNER = re.compile(r"(?:\S+ v\S+, Meltano SDK v|Skipping parse of env var settings)")
_LEVEL = re.compile(r"\b(CRITICAL|ERROR|WARNING)\b")
_LEVELS: Mapping[str, Level] = {"critical": "error", "error": "error", "warning": "warning", "debug": "debug"}


class Said(NamedTuple):
    """What one line of a log says, how loud, and which stream it is about, if any.

    `what` is ``began``, ``rows`` (`value`: so many more) or ``ended`` (`value`: whether well) of a stream, else
    ``said``.
    """

    what: Literal["began", "rows", "ended", "said"]
    level: Level = "info"
    stream: str = ""
    value: int = 0


def read_log(text: str, metric: Any = None, level: str = "info") -> Said:
    """Return what a line of a tap or target says; `metric` is what was parsed of it already, if it was.

    `level` is what is said of its loudness elsewhere; CRITICAL, ERROR or WARNING at its front have the last word.

    >>> read_log('INFO METRIC: {"metric": "record_count", "value": 4, "tags": {"endpoint": "users"}}')
    Said(what='rows', level='info', stream='users', value=4)
    >>> read_log("CRITICAL the shop is closed")
    Said(what='said', level='error', stream='', value=0)
    """
    if not isinstance(metric, dict) and (found := _METRIC.search(text)):
        with suppress(ValueError, RecursionError):
            metric = json.loads(found[1])
    if isinstance(metric, dict) and isinstance(tags := metric.get("tags"), dict):
        table = "-".join(str(tags[name]) for name in ("database", "schema", "table") if tags.get(name))
        stream, value = str(tags.get("stream") or tags.get("endpoint") or table), metric.get("value")
        if stream and metric.get("metric") == "record_count" and _is_count(value):
            return Said("rows", stream=stream, value=int(value))
        if stream and metric.get("metric") == "sync_duration" and "status" in tags:
            return Said("ended", stream=stream, value=tags["status"] == "succeeded")
    if begin := _BEGIN.search(text):
        return Said("began", stream=begin[1])
    loud = _LEVEL.search(text[:200])
    return Said("said", _LEVELS.get((loud[1] if loud else level).lower(), "info"))


def is_banner(text: str) -> bool:
    """Tell whether a line is one that a tap or target begins with in any case, so that it says nothing of a failure.

    >>> is_banner("tap-shop v0.3.1, Meltano SDK v0.53.7"), is_banner("'path' is a required property")
    (True, False)
    """
    return _BANNER.match(text) is not None


def _is_count(value: Any) -> TypeGuard[int | float]:
    """Tell whether a value is a number of rows: NaN and infinity, which Python's JSON may have, are none."""
    return isinstance(value, int) or (isinstance(value, float) and isfinite(value))
