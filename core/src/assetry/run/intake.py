"""What tools report, before it is believed: fields of the types that events have, and only what can be kept. Pure.

A plugin's slip costs the asset it is about, never the run or what other tools make.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assetry.errors import PLUGIN_FAULT, error_words
from assetry.types.codec import is_unicode, plain
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Skipped
from assetry.types.fields import misfit

_LEVELS = ("debug", "info", "warning", "error")
#: The texts that a tool may give as anything that has words, such as an exception.
_WORDS = ("message", "because", "hint")


def taken(event: Event, label: str) -> Event:
    """Return `event` as it can go on, or what has to be said instead: `label` names the plugin that reported it.

    >>> taken(Failed("a", ValueError("no such table")), "Acme").message
    'ValueError: no such table'
    >>> taken(Materialized("a", data_version=3), "Acme").message
    'Acme reported Materialized, and its data_version is an int instead of a str.'
    """
    wrong = None
    try:
        event = _plain(event)
    except RecursionError:
        wrong = "metadata is nested too deep"
    except Exception as error:
        wrong = f"metadata cannot be kept: {error_words(error)}"
    wrong = wrong or misfit(event) or _half_a_character(event)
    return event if wrong is None else _instead(event, f"{label} reported {type(event).__name__}, and its {wrong}.")


def _plain(event: Event) -> Event:
    """Return `event` with its words as text, its numbers as Python's, and its metadata as JSON data of its own."""
    changed: dict[str, Any] = {}
    for name in _WORDS:
        text = getattr(event, name, None)
        if text is not None and not isinstance(text, str):
            changed[name] = error_words(text) if isinstance(text, BaseException) else _shown(text)
    for name in ("passed", "done", "total"):
        number = getattr(getattr(event, name, None), "item", None)
        if callable(number):
            changed[name] = number()
    if isinstance(event, Log) and event.level not in _LEVELS:
        changed["level"] = "info"
    metadata = getattr(event, "metadata", None)
    if metadata and isinstance(metadata, Mapping):
        changed["metadata"] = plain(metadata)
    return replace(event, **changed) if changed else event


def _half_a_character(event: Event) -> str | None:
    """Return which name in `event` is not Unicode, so that it could not be found again; other texts are escaped."""
    for name in ("token", "partition", "check"):
        text = getattr(event, name, None)
        if text and not text.isascii() and not is_unicode(text):
            return f"{name} has half a character, which is not Unicode"
    return None


def _shown(value: Any) -> str:
    try:
        return str(value)
    except Exception:
        return f"{type(value).__name__} (it cannot be shown)"


def _instead(event: Event, said: str) -> Event:
    """Return what is told in place of an event that cannot be taken."""
    key = getattr(event, "key", None)
    partition = getattr(event, "partition", None)
    if isinstance(event, (Materialized, Failed, Skipped)) and key is not None:
        return Failed(key, said, PLUGIN_FAULT, partition=partition if isinstance(partition, str) else None)
    if isinstance(event, Checked) and isinstance(event.check, str) and is_unicode(event.check):
        return Checked(event.key, event.check, False, "error", f"{said} {PLUGIN_FAULT}")
    return Log(f"{said} {PLUGIN_FAULT}", "error", key)
