"""``assetry queue``: what runs now and what waits, for what, for whom, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import ago, aligned, clock, listed
from assetry.types.keys import AssetKey
from assetry.views.queue import QueueItem, queue_to_json
from assetry.views.waiting import waiting_words

_COLOURS = {"running": "blue", "waiting": "yellow"}
#: How many ranges of partitions are told.
_FEW = 3


def show_queue(session: Session) -> None:
    """Show what runs and what waits: runs, invocations that wait for slots of pools, and backfills.

    What waits stands in the order in which it will go on. `assetry bump ID` puts something first, `assetry cancel ID`
    takes it out.
    """
    items = session.project.queue()
    if not session.text:
        session.emit(queue_to_json(items), rows="queue")
        return
    if not items:
        session.say("Nothing runs, and nothing waits.")
        return
    now = datetime.now(UTC)
    head, *lines = aligned([("STATE", "CLASS", "SINCE", "ID", "WHAT"), *(_row(each, now) for each in items)])
    session.say(head)
    for item, line in zip(items, lines, strict=True):
        session.say(click.style(item.state, fg=_COLOURS[item.state]) + line[len(item.state) :])


def _row(item: QueueItem, now: datetime) -> tuple[str, ...]:
    return item.state, item.word, ago(item.since, now), item.id, "; ".join(_what(item))


def _what(item: QueueItem) -> Iterable[str]:
    """Yield what something does, or for what it waits and for whom."""
    wanted = wanted_text(item.assets, item.partitions)
    if item.kind == "backfill":
        yield f"backfill {item.name} of {wanted}" if item.name else f"backfill of {wanted}"
        if item.state == "waiting":
            yield f"no process carries it out, `assetry backfill --resume {item.id}` does"
    elif item.state == "running":
        yield f"{wanted}, of backfill {item.name or item.backfill}" if item.backfill else wanted
        pools = dict.fromkeys(each.pool for each in item.slots)
        if pools:
            yield f"has {listed(pools, 2)}"
    elif item.pool is not None and item.runs:
        since = "" if item.held_since is None else f" since {clock(item.held_since)}"
        words = waiting_words(item.pool, item.runs, held=item.held_since is not None)
        yield f"{words}{since}"
    elif item.runs:
        others = listed((f"run {run}" for run in item.runs), 2)
        yield f"{f'run {item.run} ' if item.run else ''}waits for {others}: {listed(item.assets, 2)}"
    else:
        yield f"goes on at once: {listed(item.assets, 2)}" if item.assets else "goes on at once"


def wanted_text(assets: Iterable[AssetKey], partitions: Mapping[AssetKey, Sequence[Sequence[str]]]) -> str:
    """Return what something makes, with some of the partitions, of which there are ranges.

    >>> a, b = AssetKey("a"), AssetKey("b")
    >>> days = [["2026-01-01", "2026-01-04"]]
    >>> wanted_text((a, b), {a: days, b: days})
    'a and b [2026-01-01..2026-01-04]'
    """
    texts = {key: _ranges_text(partitions.get(key, ())) for key in assets}
    if len(set(texts.values())) == 1:
        return f"{listed(texts, 2)}{next(iter(texts.values()))}"
    return listed((f"{key}{text}" for key, text in texts.items()), 2)


def _ranges_text(ranges: Sequence[Sequence[str]]) -> str:
    """Return ranges of partitions, of many the first ones.

    >>> _ranges_text([["a", "a"], ["c", "d"]])
    ' [a, c..d]'
    """
    told = [first if first == last else f"{first}..{last}" for first, last in ranges[:_FEW]]
    return f" [{', '.join([*told, '…'] if len(ranges) > _FEW else told)}]" if told else ""


command = verb("queue")(show_queue)
