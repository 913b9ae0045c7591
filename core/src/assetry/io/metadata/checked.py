"""What a function tells of an asset, looked at before anything is kept: names, values and sizes. Pure.

A value of another type than metadata has, or a name with a meaning that the value does not fit, is an error that names
asset and metadata, says what it got, and the next step. Never the value itself: it may be a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from assetry.errors import MetadataError
from assetry.io.metadata.values import KINDS, MOST_BYTES, Png, Preview, named
from assetry.types.codec import LONGEST_INT, plain
from assetry.types.keys import AssetKey

#: The most characters of all that is told of one asset, or of one partition, as JSON: every status reads them.
MOST_CHARACTERS = 64 * 1024
#: The most characters of a name, and how deep lists and mappings may be nested.
_LONGEST_NAME, _DEEPEST = 100, 20
#: What assetry itself writes under these names: where a value is, which rows are from before, what was left out.
_OWN = frozenset(("io", "older_rows", "epoch", "left_out"))
#: Names with a meaning as numbers: what of a value is shown, and added up.
_COUNTS = frozenset(("rows", "columns", "bytes", "changed"))
#: Names with a meaning as moments: a freshness policy counts from what the data reaches.
_MOMENTS = frozenset(("data_time", "loaded_at"))
_TYPES = "numbers, texts, booleans, None, dates and times, lists and mappings of these, Link, Markdown, Preview and Png"
#: What to write in the place of what is often given.
_INSTEAD: Mapping[type[Any], str] = {
    timedelta: "Give its seconds: .total_seconds().",
    bytes: "Give a picture as Png(…), and anything else as a text.",
    bytearray: "Give a picture as Png(…), and anything else as a text.",
    set: "Give it as a list: sorted(…).",
    frozenset: "Give it as a list: sorted(…).",
}


def checked_metadata(asset: AssetKey, given: Any) -> dict[str, Any]:
    """Return what is told of an asset as plain JSON, but for `Link`, `Markdown`, `Preview` and `Png`.

    Dates and times become ISO 8601. Raises `MetadataError`.

    >>> checked_metadata(AssetKey("orders"), {"mean": 2.5, "day": date(2026, 1, 31), "by": {"eu": (1, 2)}})
    {'mean': 2.5, 'day': '2026-01-31', 'by': {'eu': [1, 2]}}
    >>> checked_metadata(AssetKey("orders"), {"open": {3}})
    Traceback (most recent call last):
    assetry.errors.MetadataError: Metadata 'open' of asset 'orders' is a set.
      Give it as a list: sorted(…).
    """
    if not isinstance(given, Mapping):
        raise MetadataError(
            f"The metadata of asset {str(asset)!r} is {named(given)}.", hint='Give a mapping: {"mean": 2.5}.'
        )
    found = {}
    for name, value in given.items():
        _check_name(asset, name)
        of = f"Metadata {name!r} of asset {str(asset)!r}"
        found[str(name)] = value if type(value) in KINDS else _plain(of, value)
        _check_meaning(of, name, value, found[name])
    return found


def check_sizes(asset: AssetKey, told: Mapping[str, Any]) -> None:
    """Raise `MetadataError` where something that is told of an asset is too large to be kept beside its record."""
    for name, value in told.items():
        if type(value) is Png and value.size > MOST_BYTES:
            raise MetadataError(
                f"Metadata {name!r} of asset {str(asset)!r} is a PNG of {value.size:,} bytes, and at most "
                f"{MOST_BYTES:,} are kept.",
                hint="Save it with fewer pixels, figure.savefig(…, dpi=100); or keep it elsewhere, and give a Link.",
            )
    sizes = {name: len(name) + len(json.dumps(plain(value), ensure_ascii=False)) for name, value in told.items()}
    if sum(sizes.values()) > MOST_CHARACTERS:
        largest = max(sizes, key=sizes.__getitem__)
        less = "Show fewer rows of it: Preview(table, 5)." if type(told[largest]) is Preview else "Tell less of it."
        raise MetadataError(
            f"The metadata of asset {str(asset)!r} has {sum(sizes.values()):,} characters, and may have "
            f"{MOST_CHARACTERS:,}: {largest!r} alone has {sizes[largest]:,}.",
            hint=f"{less} Or make an asset of it, or keep it elsewhere and give a Link.",
        )


def checked_version(asset: AssetKey, given: Any) -> str | None:
    """Return a version of data as a text, None where none is given; raise `MetadataError` for anything else.

    >>> checked_version(AssetKey("orders"), 7)
    '7'
    """
    if given is None or (isinstance(given, str) and given):
        return None if given is None else str(given)
    if type(given) is int and given.bit_length() <= LONGEST_INT:
        return str(given)
    told = "an empty text" if given == "" else named(given)
    raise MetadataError(
        f"The data_version of asset {str(asset)!r} is {told}.",
        hint="Give a text that changes exactly when the content does, or leave it out.",
    )


def _check_name(asset: AssetKey, name: Any) -> None:
    if not isinstance(name, str):
        told, hint = f"A name in the metadata of asset {str(asset)!r} is {named(name)}.", "Name it by a text."
    elif not name or len(name) > _LONGEST_NAME or not name.isprintable():
        told = f"A name in the metadata of asset {str(asset)!r} has {len(name)} characters, or some that do not show."
        hint = f"Name it by 1 to {_LONGEST_NAME} characters."
    elif name in _OWN:
        told = f"Metadata {name!r} of asset {str(asset)!r} has a name under which assetry itself writes."
        hint = f'Call it otherwise, such as "{asset.name}_{name}".'
    else:
        return
    raise MetadataError(told, hint=hint)


def _check_meaning(of: str, name: str, value: Any, found: Any) -> None:
    """Raise where a name has a meaning, and the value none that is one of it."""
    if name in _COUNTS and (type(found) is not int or found < 0):
        raise MetadataError(
            f"{of} is {_told(found)}: under this name it is a number of them.",
            hint=f'Give a whole number, or call it otherwise, such as "{name}_of_it".',
        )
    if name in _MOMENTS and not _is_moment(found):
        raise MetadataError(
            f"{of} is {_told(value)}, and a freshness policy counts from it.",
            hint="Give a datetime with a zone, such as datetime.now(UTC), or call it otherwise.",
        )


def _told(value: Any) -> str:
    return "less than none" if type(value) is int and value < 0 else named(value)


def _is_moment(found: Any) -> bool:
    """Tell whether a value, in plain JSON, is a moment that can be read, in a zone."""
    try:
        moment = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return False
    return moment is not None and moment.tzinfo is not None


def _plain(of: str, value: Any, depth: int = 0) -> Any:
    """Return a value as plain JSON; `of` names what it is."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > LONGEST_INT:
            raise MetadataError(f"{of} is a whole number that no float reaches.", hint="Give it as a text: hex(…).")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat() if value == value else None  # what pandas has for no time is one, and not itself
    if isinstance(value, Mapping):
        return _items(of, value, depth)
    if isinstance(value, (list, tuple)):
        _check_depth(of, depth)
        return [_plain(f"An item of {_lower(of)}" if depth == 0 else of, each, depth + 1) for each in value]
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
        # NumPy's own is a number of nanoseconds as a Python value.
        raise MetadataError(f"{of} is {named(value)}.", hint="Give a datetime: pandas.Timestamp(…).")
    number: Callable[[], Any] | None = getattr(value, "item", None)
    if callable(number) and getattr(value, "ndim", None) == 0 and type(item := number()) is not type(value):
        return _plain(of, item, depth)
    raise MetadataError(f"{of} is {named(value)}.", hint=_next_step(value))


def _items(of: str, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    _check_depth(of, depth)
    for name in value:
        if not isinstance(name, str):
            raise MetadataError(f"{of} has {named(name)} among its names.", hint="Names are texts: str(…).")
    within = f"An item of {_lower(of)}" if depth == 0 else of
    return {str.__str__(name): _plain(within, each, depth + 1) for name, each in value.items()}


def _check_depth(of: str, depth: int) -> None:
    if depth >= _DEEPEST:
        raise MetadataError(
            f"{of} refers to itself, or is nested more than {_DEEPEST} deep.", hint="Tell less of it, or give a text."
        )


def _lower(of: str) -> str:
    return of[0].lower() + of[1:]


def _next_step(value: Any) -> str:
    if type(value) in KINDS:
        return f"{type(value).__name__}(…) has a name of its own, and stands in no list or mapping."
    if f"{type(value).__module__}.{type(value).__qualname__}" == "decimal.Decimal":  # not loaded for this alone
        return "Give it as float(…), or as a text to keep all digits."
    for kind, hint in _INSTEAD.items():
        if isinstance(value, kind):
            return hint
    if hasattr(value, "savefig"):
        return "Give it as Png(…)."
    if hasattr(value, "columns") or hasattr(value, "__arrow_c_stream__"):
        return "Give its first rows: Preview(table, 10)."
    if hasattr(value, "tolist"):
        return "Give a list of it: .tolist()."
    if hasattr(value, "__fspath__"):
        return "Give it as a text: str(…)."
    return f"There are {_TYPES}."
