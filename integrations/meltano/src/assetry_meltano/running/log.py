"""What a line of Meltano's log says, in JSON as `logging.json` beside this makes it be written.

How many rows a stream has is said by extractors in METRIC lines, in two families: with Meltano's SDK as
``{"metric": "record_count", "tags": {"stream": "users"}}``, with singer-python and PipelineWise as ``{"endpoint":
"users"}`` or ``{"database": "public", "table": "users"}``; parsed by Meltano, or as text in the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from assetry.plugin import Level

_METRIC = re.compile(r"METRIC:?\s*(\{.*\})")
_BEGIN = re.compile(r"Beginning (?:\w+ )?sync of '([^']+)'")
_JOB = re.compile(r"Running job with name '([^']+)'")
_LOCKED = re.compile(r"Another '([^']+)' pipeline is already running")
_LEVEL = re.compile(r"\b(CRITICAL|ERROR|WARNING)\b")
_LEVELS: Mapping[str, Level] = {"critical": "error", "error": "error", "warning": "warning", "debug": "debug"}

What = Literal["began", "rows", "ended", "job", "block", "locked", "said"]


class Line(NamedTuple):
    """One line: `what` it is about, which stream, pair or state it is about (`name`), and the value.

    * ``began``, ``rows`` (so many more) and ``ended`` (well or not) are about a stream; `plugin` tells who says so.
    * ``job`` begins the pair with that state; ``block`` ends the one that is under way, `value` tells whether well.
    * ``locked``: another run has that state's lock.
    """

    what: What
    text: str
    level: Level = "info"
    name: str = ""
    value: Any = None
    plugin: str | None = None


def read_line(text: str) -> Line:
    """Return what a line says; one that is not JSON says its own text.

    >>> metric = {"metric": "record_count", "value": 4, "tags": {"endpoint": "users"}}
    >>> line = {"event": f"INFO METRIC: {json.dumps(metric)}", "stdio": "stderr", "name": "tap-shop"}
    >>> read_line(json.dumps(line))[3:]
    ('users', 4, 'tap-shop')
    """
    given = None
    with suppress(ValueError):
        given = json.loads(text)
    if not isinstance(given, dict):
        return Line("said", text, _level(text, "info"))
    event = str(given.get("event", ""))
    if "stdio" in given:
        return _of_plugin(given, event, str(given["name"]))
    return _of_meltano(given, event, _level("", str(given.get("level", "info"))))


def _level(text: str, said: str) -> Level:
    found = _LEVEL.search(text[:200])
    return _LEVELS.get(found[1].lower() if found else said, "info")


def _of_meltano(given: Mapping[str, Any], event: str, level: Level) -> Line:
    if locked := _LOCKED.search(event):
        return Line("locked", event, "warning", locked[1])
    if job := _JOB.match(event):
        return Line("job", event, "debug", job[1])
    if event == "Block run completed":
        why = str(given.get("err") or "")
        codes = ", ".join(str(code) for code in (given.get("exit_codes") or {}).values())
        return Line("block", f"{why} (exit code {codes})" if codes else why, value=bool(given.get("success")))
    # What Meltano tells of its own doings is for those who look for something.
    return Line("said", event, "debug" if level == "info" else level)


def _of_plugin(given: Mapping[str, Any], event: str, plugin: str) -> Line:
    metric = given.get("metric_info")
    if not isinstance(metric, dict) and (found := _METRIC.search(event)):
        with suppress(ValueError):
            metric = json.loads(found[1])
    if isinstance(metric, dict) and isinstance(tags := metric.get("tags"), dict):
        table = "-".join(str(tags[name]) for name in ("database", "schema", "table") if tags.get(name))
        stream, value = str(tags.get("stream") or tags.get("endpoint") or table), metric.get("value")
        if stream and metric.get("metric") == "record_count" and isinstance(value, (int, float)):
            return Line("rows", event, name=stream, value=int(value), plugin=plugin)
        if stream and metric.get("metric") == "sync_duration" and "status" in tags:
            return Line("ended", event, name=stream, value=tags["status"] == "succeeded", plugin=plugin)
    if begin := _BEGIN.search(event):
        return Line("began", event, name=begin[1], plugin=plugin)
    return Line("said", event, _level(event, str(given.get("level", "info"))), plugin=plugin)
