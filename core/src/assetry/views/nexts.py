"""When assets are made next, for people and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from assetry.types.hooks.nexts import Next, NextKind
from assetry.types.keys import AssetKey

#: The kinds that people have to know of, because nothing happens by itself.
STUCK: tuple[NextKind, ...] = ("held", "backing_off", "daemon_down")
_WORDS: Mapping[NextKind, str] = {
    "when": "not yet",
    "running": "now",
    "queued": "queued",
    "coming": "in a backfill",
    "backing_off": "backs off",
    "held": "held",
    "not_automated": "by hand",
    "daemon_down": "no daemon runs",
}


def next_text(coming: Next, now: datetime) -> str:
    """Return when an asset is made next, for people; today's times without the day.

    >>> day = datetime(2026, 1, 5, tzinfo=UTC)
    >>> next_text(Next("at", "its clock ticks then", day.replace(hour=9)), day)
    'about 09:00 UTC: its clock ticks then'
    >>> next_text(Next("held", "it failed 5 times in a row"), day)
    'held: it failed 5 times in a row'
    """
    word = _WORDS.get(coming.kind)
    if coming.at is None:
        return f"{word or 'soon'}: {coming.because}"
    at = coming.at.astimezone(UTC)
    day = "" if at.date() == now.astimezone(UTC).date() else f"{at:%Y-%m-%d} "
    when = "now" if at <= now else f"about {day}{at:%H:%M} UTC"
    return (
        f"{when}: {coming.because}" if word is None else f"{word} until {when.removeprefix('about ')}: {coming.because}"
    )


def next_to_json(coming: Next | None) -> dict[str, Any] | None:
    """Return when an asset is made next as JSON; None where nothing is known of that.

    >>> next_to_json(Next("held", "it failed 5 times in a row"))["kind"]
    'held'
    """
    if coming is None:
        return None
    return {
        "kind": coming.kind,
        "at": coming.at and coming.at.astimezone(UTC).isoformat(),
        "because": coming.because,
        "on": coming.on and str(coming.on),
        "by": coming.by,
    }


def told_nexts(nexts: Mapping[AssetKey, Next], now: datetime) -> Iterator[tuple[str, list[AssetKey]]]:
    """Yield what people should know of when assets are made next, each with the assets that it is about.

    That is all that does not go on by itself, and what is made first of the rest, by each that makes some of it.

    >>> day = datetime(2026, 1, 5, tzinfo=UTC)
    >>> nexts = {AssetKey(name): Next("at", "it ticks then", day, by=f"job {name}") for name in ("a", "b")}
    >>> [keys for _, keys in told_nexts(nexts, day)]
    [[AssetKey('a')], [AssetKey('b')]]
    """
    stuck: dict[str, list[AssetKey]] = {}
    for key, each in nexts.items():
        if each.kind in STUCK:
            stuck.setdefault(next_text(each, now), []).append(key)
    yield from stuck.items()
    timed = [(each.at, key) for key, each in nexts.items() if each.kind == "at" and each.at is not None]
    for by in dict.fromkeys(nexts[key].by for _, key in timed):
        own = [(at, key) for at, key in timed if nexts[key].by == by]
        first = min(at for at, _ in own)
        keys = [key for at, key in own if at == first]
        yield next_text(nexts[keys[0]], now), keys
