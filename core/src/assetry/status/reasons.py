"""Why assets are out of date: reasons, and what they say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal, NamedTuple

from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.status.times import time_text
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import INTERRUPTED, Attempt, Materialization

Code = Literal[
    "last_failed",
    "never_materialized",
    "missing_partitions",
    "gone",
    "last_cancelled",
    "code_changed",
    "columns_differ",
    "deps_changed",
    "provisional",
    "overdue",
    "upstream_changed",
]
#: The outcomes of an attempt that made nothing and is no failure.
_LEFT = ("skipped", "cancelled")
_LONGEST = 200
#: A command in a message, and how many of them are told after a message that is too long.
_COMMAND = re.compile(r"`[a-z][^`]*`")
_COMMANDS = 2
_BROKE_OFF = re.compile(rf"(?:^|: )(?:the last attempt failed|partition .*?): {INTERRUPTED}")
#: How much of a set of partitions a reason names.
_RANGES, _ROOM = 6, 60


class Reason(NamedTuple):
    """Why an asset is out of date: `asset` is where it comes from, the asset itself or the root above it.

    `parts` are the partitions that are so because of it; nothing for an asset without partitions. `hint` is the next
    step, as a tool has said it.

    >>> Reason("code_changed", AssetKey("orders"), "its body changed").text
    'its body changed'
    """

    code: Code
    asset: AssetKey
    text: str
    parts: Parts = NOTHING
    hint: str | None = None

    def is_of(self, key: AssetKey) -> bool:
        """Tell whether it lies in the asset `key` itself, and not in what that is made from.

        >>> Reason("deps_changed", AssetKey("raw"), "it now reads `raw`").is_of(AssetKey("orders"))
        True
        """
        return self.code != "upstream_changed" and (self.code != "missing_partitions" or self.asset == key)


def share_text(text: str, parts: Parts, existing: Parts, definition: PartitionsDefinition) -> str:
    """Return what is so of `parts` of the partitions that exist, for people; of all of them it is just `text`.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> first = days.number("2026-01-01")
    >>> share_text("its code changed", Parts.range(first, first + 3), Parts.range(first, first + 9), days)
    '3 of 9 partitions: its code changed (2026-01-01..2026-01-03)'
    """
    if parts == existing:
        return text
    total = f"{len(existing):,} partition{'' if len(existing) == 1 else 's'}"
    return f"{len(parts):,} of {total}: {text} ({parts_text(parts, definition)})"


def parts_text(parts: Parts, definition: PartitionsDefinition) -> str:
    """Return a set of partitions as people write it; of many ranges the first ones.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> parts_text(Parts.of(range(20454, 20554, 2)), days)
    '2026-01-01, 2026-01-03, 2026-01-05, 2026-01-07, 2026-01-09, …'
    """
    ranges: dict[str, list[tuple[int, int]]] = {}
    for strand, first, stop in islice(parts.spans(), _RANGES):
        taken = min(stop, first + _RANGES) if definition.typical_length is None else stop
        ranges.setdefault(strand, []).append((first, taken))
    some = Parts(ranges)
    text = some.text(definition)
    if some == parts and len(text) <= _ROOM:
        return text
    end = max(text.rfind(", ", 0, _ROOM), text.rfind("; ", 0, _ROOM))
    return f"{text[:end]}, …" if end > 0 else f"{text[: _ROOM - 1]}…" if len(text) > _ROOM else f"{text}, …"


def saying(reason: Reason) -> str:
    """Return what is said of a root further down, after its name.

    >>> saying(Reason("code_changed", AssetKey("orders"), "its body changed"))
    'is out of date: its body changed'
    """
    if reason.code == "never_materialized":
        return "was never materialized"
    if reason.code == "missing_partitions":
        return "has partitions that were never made"
    if reason.code == "last_failed":
        return f"failed: {reason.text}"
    return f"is out of date: {reason.text}"


def new_content_text(asset: Asset, at: datetime | None) -> str:
    """Return that an asset has new content, and since when, where that is known.

    >>> from datetime import UTC
    >>> new_content_text(Asset(key="raw", kind="x", executable=False), datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    '`raw` changed outside; seen at 2026-01-31 09:30:00 UTC'
    """
    what = "was made anew" if asset.executable else "changed outside; seen"
    return f"`{asset.key}` has new content" if at is None else f"`{asset.key}` {what} at {time_text(at)}"


def never_text(tried: Iterable[Attempt]) -> str:
    """Return that an asset was never made, and what stood in the way at the last try.

    >>> from datetime import UTC
    >>> last, first = (
    ...     Attempt(key=AssetKey("a"), run=run, at=datetime(2026, 1, day, tzinfo=UTC), outcome="cancelled")
    ...     for run, day in (("r10", 2), ("r9", 1))
    ... )
    >>> never_text(()), never_text([first, last]) == never_text([last, first])
    ('never materialized', True)
    """
    left = [each for each in tried if each.outcome in _LEFT]
    if not left:
        return "never materialized"
    skipped = newest(left)
    other = skipped.because not in (None, skipped.key)  # what kept itself from being made has said why
    because = f": `{skipped.because}` stood in the way" if other else _after(skipped.message)
    return f"never materialized; {skipped.outcome} in run {skipped.run}{because}"


def failure_text(failed: Sequence[Attempt]) -> str:
    """Return what the newest of some failures was."""
    tried = newest(failed)
    message = shortened(" ".join((tried.message or "").split()))
    if tried.partition is not None:
        message = f"partition {tried.partition}: {message}" if message else f"partition {tried.partition}"
    if tried.outcome == "check_failed":
        return message or "a check failed"
    return f"the last attempt failed{': ' + message if message else ''}"


def failures(key: AssetKey, tried: Sequence[Attempt], made: Materialization | None) -> list[Reason]:
    """Return that the last attempt at an asset without partitions failed, or was cancelled, since it was `made`.

    >>> from datetime import UTC
    >>> failed = Attempt(key=AssetKey("a"), at=datetime(2026, 1, 2, tzinfo=UTC), run="r", outcome="failed")
    >>> [each.text for each in failures(failed.key, [failed], None)]
    ['the last attempt failed']
    """
    if not tried:
        return []
    failed: list[Attempt] = []
    cancelled: list[Attempt] = []
    for each in tried:
        if each.partition is not None or each.outcome not in ("failed", "check_failed", "cancelled"):
            continue
        # A check may report before its asset does; within one run the attempt has the last word.
        if made is None or each.run == made.run or each.at >= made.at:
            (cancelled if each.outcome == "cancelled" else failed).append(each)
    if failed:
        return [Reason("last_failed", key, failure_text(failed), hint=newest(failed).hint)]
    if cancelled and made is not None:
        return [Reason("last_cancelled", key, cancelled_text(cancelled))]
    return []


def was_interrupted(reason: Reason) -> bool:
    """Tell whether a failure was that the process of a run was gone: nothing has to be mended, a retry goes on.

    >>> told = "the last attempt failed: interrupted: the process that was making it is gone"
    >>> [was_interrupted(Reason("last_failed", AssetKey("a"), each)) for each in (told, "the last attempt failed: no")]
    [True, False]
    """
    return reason.code == "last_failed" and _BROKE_OFF.search(reason.text) is not None


def shortened(text: str, most: int = _LONGEST) -> str:
    """Return a text of `most` characters, and the commands in it, in backticks, that do not fit: a next step is whole.

    >>> shortened("The loader is not there, install it by `mill install loader`, or look elsewhere.", 30)
    'The loader is not there, inst… `mill install loader`'
    """
    if len(text) <= most:
        return text
    end = next((each.start() for each in _COMMAND.finditer(text) if each.start() < most - 1 < each.end()), most - 1)
    commands = dict.fromkeys(each[0] for each in _COMMAND.finditer(text, end) if len(each[0]) < most)
    return " ".join((f"{text[:end].rstrip()}…", *list(commands)[:_COMMANDS]))


def cancelled_text(cancelled: Sequence[Attempt]) -> str:
    """Return in which run the newest of some attempts was cancelled."""
    return f"its last attempt was cancelled, in run {newest(cancelled).run}"


def newest(tried: Iterable[Attempt]) -> Attempt:
    """Return the attempt that was made last."""
    return max(tried, key=lambda each: each.at)


def unreal_parts(made: Mapping[str, str], defined: Mapping[str, str]) -> list[str]:
    """Return the parts of a record's code that say how it is not the real thing; none where it is.

    These are named ``built …``, and no definition has them.

    >>> unreal_parts({"body": "1", "built with --empty": "1"}, {"body": "1"})
    ['built with --empty']
    """
    return [name for name in made if name not in defined and name.startswith("built ")]


def changed_parts_text(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return which parts of a code differ.

    >>> changed_parts_text({"body": "1", "config": "1"}, {"body": "2", "config": "1"})
    'its body changed'
    >>> changed_parts_text({"body": "1", "built with --empty": "1"}, {"body": "1"})
    'it was built with --empty'
    """
    built = unreal_parts(before, now)
    if built:
        return f"it was {_listed(built)}"
    names = [name for name in dict.fromkeys((*now, *before)) if now.get(name) != before.get(name)]
    # What came or went with a change of another part is not what somebody changed.
    names = [name for name in names if name in now and name in before] or names
    if not names or not before:
        return "its code changed"
    return f"its {_listed(names)} changed"


def overwritten_text(partitions: Sequence[str]) -> str:
    """Say what was overwritten: these partitions by a value that had none, or, without any, the whole by partitions.

    >>> overwritten_text(["b", "a"])
    'partition a and 1 more went when it was made as a whole, and not made since'
    """
    if not partitions:
        return "what it was as a whole went when partitions of it were made"
    many = f" and {len(partitions) - 1} more" if len(partitions) > 1 else ""
    return f"partition {min(partitions)}{many} went when it was made as a whole, and not made since"


def _after(message: str | None) -> str:
    text = " ".join((message or "").split())
    return f": {text}" if text else ""


def _listed(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
