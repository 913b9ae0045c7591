"""The tables ``[automation]`` and ``[jobs.NAME]`` of a project file, as editors and people are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from assetry.plugin import FLAG, POSITIVE, SPAN, TEXT, OptionTable, OptionType

from assetry_automation.decision.settings import AUTOMATION, JOB, Settings

#: Nothing may be waited for, too, and of a batch as long as it pays.
_SPAN = replace(SPAN, json_schema={"anyOf": [SPAN.json_schema, {"enum": ["0"]}]})
_BATCH = OptionType(
    "a span of time, or auto",
    lambda value: value == "auto" or SPAN.fits(value),
    json_schema={"anyOf": [SPAN.json_schema, {"enum": ["auto", "0"]}]},
)
_TYPES: Mapping[type, OptionType] = {int: POSITIVE, bool: FLAG, str: TEXT, timedelta: _SPAN}

_OF_AUTOMATION = {
    "max_runs": "How many of its runs are under way at a time.",
    "max_partitions_per_wave": "How many partitions one run makes; the others are made by the next ones.",
    "batch": "How long what is wanted waits for what else comes to join it; auto: while that saves a run.",
    "slack": "How long before a deadline is begun what has never been made, so that it is not known how long it takes.",
    "surge": "Of more assets that are out of date because of definitions alone none is begun until a person says so.",
    "surge_partitions": "The same, of partitions.",
    "holds_after": "How often in a row something fails from the same code and inputs before it is held.",
}
_OF_JOBS = {
    "select": "What is made, as a selection.",
    "cron": "When: five fields, as for cron, or a name such as @daily.",
    "timezone": "The time zone of the clock.",
    "partitions": "Which partitions are made, as -p takes them, such as last:2.",
    "stale": "Make only what is out of date.",
}
_NEEDED = ("select", "cron")


def _default(name: str) -> Any:
    value = getattr(Settings(), name)
    return f"{value // timedelta(minutes=1)}m" if isinstance(value, timedelta) else value


def _of_automation(name: str) -> OptionType:
    type_ = _BATCH if name == "batch" else _TYPES[AUTOMATION[name]]
    return type_.about(_OF_AUTOMATION[name], default=_default(name))


def _of_job(name: str) -> OptionType:
    type_, defaults = _TYPES[JOB[name]], {"timezone": "UTC", "stale": True}
    return type_.needed(_OF_JOBS[name]) if name in _NEEDED else type_.about(_OF_JOBS[name], defaults.get(name))


TABLES = {
    "automation": OptionTable(
        help="How much automation does at a time.", options={name: _of_automation(name) for name in AUTOMATION}
    ),
    "jobs": OptionTable(help="What is made when a clock says so.", named={name: _of_job(name) for name in JOB}),
}
