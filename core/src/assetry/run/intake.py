"""What tools report, before it is believed: fields of the types that events have, and only what can be kept. Pure.

A plugin's slip costs the asset it is about, never the run or what other tools make. Secrets that were handed out are
masked here, and what is too large for a record is cut, with a note that says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from hashlib import blake2b
from typing import Any

from assetry.errors import PLUGIN_FAULT, error_words
from assetry.hooks.masks import Mask, masked
from assetry.types.codec import LONGEST_INT, is_unicode, plain
from assetry.types.events import Checked, Content, Event, Failed, Handle, Log, Materialized, Ranged, Skipped
from assetry.types.fields import misfit

_LEVELS = ("debug", "info", "warning", "error")
#: The texts that a tool may give as anything that has words, such as an exception.
_WORDS = ("message", "because", "hint")
_TEXTS = (*_WORDS, "url")
#: What may be the number of a library, such as a bool of NumPy.
_NUMBERS = ("passed", "done", "total")
#: What is found again by its name.
_NAMES = ("token", "partition", "through", "check")
#: What is the core's own in metadata: places of values.
_OWN = ("project", "files", "none")

#: The most characters of a text (64 Ki), and of the metadata of an event (1 Mi), that are recorded.
TEXT_LIMIT, METADATA_LIMIT = 64 * 1024, 1024 * 1024
#: Under this name metadata says what of it was left out.
LEFT_OUT = "left_out"
#: The next step of many failures.
_RETRY = "`assetry retry`"
#: The shortest secret for which a token is refused: shorter ones are found in tokens by chance.
_CERTAIN = 8


def taken(event: Event, label: str, mask: Mask = Mask()) -> Event:  # noqa: B008 - it is frozen
    """Return `event` as it can go on, or what has to be said instead: `label` names the plugin that reported it.

    `mask` takes secrets out of its words, its metadata and the descriptions of columns. Of a data version with one, or
    of one that is far too long, a digest is kept. What things are found by (keys, partitions) is left as it is, and a
    token with one is refused.

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
    wrong = wrong or misfit(event) or _half_a_character(event) or _token_problem(event, mask) or _range_problem(event)
    if wrong is not None:
        event = _instead(event, f"{label} reported {type(event).__name__}, and its {wrong}.")
    return _recordable(event, mask)


def of_backfill(event: Event, backfill: str | None) -> Event:
    """Return `event` with the next step that goes on with the backfill that its run is of: a retry leaves it to that.

    >>> of_backfill(Failed("a", "no", "Mend it, then run `assetry retry`."), "b7").hint
    'Mend it, then run `assetry backfill --resume b7 --failed`.'
    """
    if backfill is None or not isinstance(event, Failed) or event.hint is None or _RETRY not in event.hint:
        return event
    return replace(event, hint=event.hint.replace(_RETRY, f"`assetry backfill --resume {backfill} --failed`"))


def _recordable(event: Event, mask: Mask) -> Event:
    """Return `event` without secrets, and with nothing that is too large for a record."""
    changed: dict[str, Any] = {}
    for name in _among(event, _TEXTS):
        text = getattr(event, name)
        if text and (mask.secrets or len(text) > TEXT_LIMIT):
            changed[name] = recordable(text, mask)
    metadata = getattr(event, "metadata", None)
    if metadata and (found := _recordable_metadata(metadata, mask)) is not metadata:
        changed["metadata"] = found
    if isinstance(event, Content):
        if event.columns and (mask.secrets or any(len(each.description) > TEXT_LIMIT for each in event.columns)):
            described = (each._replace(description=recordable(each.description, mask)) for each in event.columns)
            changed["columns"] = tuple(described)
        version = event.data_version
        if version and (len(version) > TEXT_LIMIT or (mask.secrets and _certain(version, mask))):
            # It differs still exactly when the version does.
            changed["data_version"] = blake2b(version.encode(errors="replace"), digest_size=16).hexdigest()
    return replace(event, **changed) if changed else event


def recordable(text: str, mask: Mask) -> str:
    """Return a text without secrets, cut where it is too long for a record.

    >>> recordable("x" * 70_000, Mask())[-40:]
    'xxxxxx … (cut: it had 70,000 characters)'
    """
    if len(text) <= TEXT_LIMIT:
        return mask(text)
    # What is far too long is cut before it is searched, and then at a place where no half of a secret is left.
    head = mask(text[: 2 * TEXT_LIMIT])
    reach = max((len(each) * 12 for each in mask.secrets), default=0)
    kept = head[: min(TEXT_LIMIT, max(0, len(head) - (reach if len(text) > 2 * TEXT_LIMIT else 0)))]
    return f"{kept} … (cut: it had {len(text):,} characters)" if len(kept) < len(head) else head


def _recordable_metadata(metadata: Mapping[str, Any], mask: Mask) -> Mapping[str, Any]:
    sizes = {name: len(name) + _size(value) for name, value in metadata.items()}
    size = sum(sizes.values())
    if size > METADATA_LIMIT:
        left_out = []
        for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
            left_out.append(name)
            size -= sizes[name]
            if size <= METADATA_LIMIT:
                break
        told = ", ".join(f"{name[:40]} ({sizes[name]:,} characters)" for name in left_out[:5])
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        gone = frozenset(left_out)
        kept = {name: value for name, value in metadata.items() if name not in gone}
        metadata = {**kept, LEFT_OUT: f"{told}{more}: the metadata of an event may have {METADATA_LIMIT:,}"}
    found = masked(metadata, mask)
    if found is not metadata and metadata.get("io") in _OWN:
        found = {**found, "io": metadata["io"]}
    return found if found is metadata else _with_digests(found, metadata, mask)


def _with_digests(found: Mapping[str, Any], metadata: Mapping[str, Any], mask: Mask) -> Mapping[str, Any]:
    """Return masked metadata with the digests of pictures as they were: a short secret is in some by chance."""
    kept = {
        name: {**found[name], "digest": each["digest"]}
        for name, each in metadata.items()
        if name in found
        and isinstance(each, Mapping)
        and each.get("type") == "png"
        and isinstance(digest := each.get("digest"), str)
        and found[name].get("digest") != digest
        and not _certain(digest, mask)
    }
    return {**found, **kept} if kept else found


def _size(value: Any) -> int:
    """Return about how many characters JSON data has when it is written."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(len(name) + _size(each) + 4 for name, each in value.items())
    return sum(_size(each) + 2 for each in value) if isinstance(value, (list, tuple)) else 4


def _token_problem(event: Event, mask: Mask) -> str | None:
    """Return what is wrong with a token that has a secret in it, or is too long: it can be neither masked nor cut."""
    if isinstance(event, Handle) and len(event.token) > TEXT_LIMIT:
        return f"token has {len(event.token):,} characters, and may have {TEXT_LIMIT:,}: it is not kept"
    if isinstance(event, Handle) and _certain(event.token, mask):
        return "token has a secret in it: it is not kept, so `assetry retry` cannot find the job again"
    return None


def _certain(text: str, mask: Mask) -> bool:
    """Tell whether a text has a secret in it, in any spelling, and not by chance."""
    if mask(text) == text:
        return False
    return Mask(frozenset(each for each in mask.secrets if len(each) >= _CERTAIN))(text) != text


def _range_problem(event: Event) -> str | None:
    """Return what is wrong with the range that an event is about."""
    if isinstance(event, Ranged) and event.through is not None and event.partition is None:
        return f"through is {event.through!r}, and it has no partition that this range would begin with"
    return None


def _among(event: Event, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which of some names are fields of an event."""
    kind: Any = type(event)
    return _fields_among(kind, names)


@cache
def _fields_among(kind: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    own = {each.name for each in fields(kind)}
    return tuple(each for each in names if each in own)


def _plain(event: Event) -> Event:
    """Return `event` with its words as text, its numbers as Python's, and its metadata as JSON data of its own."""
    changed: dict[str, Any] = {}
    for name in _among(event, _WORDS):
        text = getattr(event, name)
        if text is not None and not isinstance(text, str):
            changed[name] = error_words(text) if isinstance(text, BaseException) else _shown(text)
    for name in _among(event, _NUMBERS):
        number = getattr(getattr(event, name), "item", None)
        if callable(number):
            changed[name] = number()
        number = changed.get(name, getattr(event, name))
        if type(number) is int and number.bit_length() > LONGEST_INT:
            changed[name] = math.copysign(math.inf, number >> (number.bit_length() - 2))
    if isinstance(event, Log) and event.level not in _LEVELS:
        changed["level"] = "info"
    if isinstance(event, Skipped) and event.unchanged is not False:
        changed["unchanged"] = False  # a tool does not know what it would read
    if isinstance(event, Ranged) and event.count != 1:
        changed["count"] = 1  # it is counted here
    metadata = getattr(event, "metadata", None)
    if metadata and isinstance(metadata, Mapping):
        changed["metadata"] = plain(metadata)
    if isinstance(event, Checked) and event.partition is None and isinstance(metadata, Mapping):
        # Where it was said before verdicts had partitions.
        partition = metadata.get("partition")
        if isinstance(partition, str):
            changed["partition"] = partition
    return replace(event, **changed) if changed else event


def _half_a_character(event: Event) -> str | None:
    """Return which name in `event` is not Unicode, so that it could not be found again; other texts are escaped."""
    for name in _among(event, _NAMES):
        text = getattr(event, name)
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
    named = [each if isinstance(each := getattr(event, name, None), str) else None for name in ("partition", "through")]
    if isinstance(event, (Materialized, Failed, Skipped)) and key is not None:
        partition, through = named if named[0] is not None else (None, None)
        return Failed(key, said, PLUGIN_FAULT, partition=partition, through=through)
    if isinstance(event, Checked) and isinstance(event.check, str) and is_unicode(event.check):
        return Checked(event.key, event.check, False, "error", f"{said} {PLUGIN_FAULT}")
    return Log(f"{said} {PLUGIN_FAULT}", "error", key)
