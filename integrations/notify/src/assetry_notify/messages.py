"""Messages: what is told at once, as values, and in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assetry_notify.notices import Item

#: How many lines of one message tell of problems, and how many assets one line names.
LINES, NAMED = 20, 5
_WORDS = {"failed": "failed", "overdue": "is overdue", "held": "is held"}


@dataclass(frozen=True, slots=True)
class Message:
    """All that one target is told at once; `id` is another one for each, and the same however often it is sent.

    >>> message = Message("m1", "shop", "2026-01-01T00:00:00+00:00", ())
    >>> Message.from_json(message.to_json()) == message
    True
    """

    id: str
    project: str
    at: str
    items: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, id_: str, project: str, now: datetime, items: Sequence[Item]) -> Message:
        """Return the message that tells of some items."""
        return cls(id_, project, now.isoformat(), tuple(each.to_json() for each in items))

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON: what webhooks and commands are given."""
        return {
            "version": 1,
            "id": self.id,
            "project": self.project,
            "at": self.at,
            "title": self.title,
            "text": "\n".join(self.lines),
            "items": list(self.items),
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Message:
        """Return what `to_json` was made of."""
        return cls(given["id"], given["project"], given["at"], tuple(given["items"]))

    @property
    def title(self) -> str:
        """Return what it is about, in a line: how many of each event."""
        counts: dict[str, int] = {}
        for each in self.items:
            counts[each["event"]] = counts.get(each["event"], 0) + 1
        told = ", ".join(f"{count} {event}" for event, count in counts.items())
        return f"{self.project}: {told or 'a test'}"

    @property
    def lines(self) -> list[str]:
        """Return what there is to tell, a line for each cause; of very many the first."""
        if not self.items:
            return ["This is a test: problems are told here."]
        found = [_line(group) for group in _grouped(self.items)]
        more = len(found) - LINES
        return [*found[:LINES], *([f"… and {more} more: `assetry status` has all of them."] if more > 0 else [])]


def _grouped(items: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Put failures of one run together that say the same, as of a tool that was not there."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for each in items:
        alike = each["event"] == "failed" and each["run"] is not None
        place = (each["manner"], each["run"], each["text"]) if alike else (each["event"], each["root"])
        groups.setdefault(place, []).append(each)
    return list(groups.values())


def _line(group: Sequence[Mapping[str, Any]]) -> str:
    first = group[0]
    if first["event"] == "recovered":
        return f"Recovered: {_names(_befallen(group))} ({first['was']} since {_time(first['at'])})"
    names = _names(_befallen(group))
    words = _WORDS[first["event"]]
    if len(_befallen(group)) > 1:
        words = words.replace("is ", "are ")
    again = {"still": "still ", "also": "also "}.get(first["manner"], "")
    facts = "; ".join(_facts(group))
    return f"{names} {again}{words}: {first['text'].rstrip('.')}{f' ({facts})' if facts else ''}"


def _befallen(group: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of what something befell: runs, or assets."""
    if any(each["root"].startswith("run ") for each in group):
        return [each["root"] for each in group]
    return list(dict.fromkeys(name for each in group for name in each["assets"] or [each["root"]]))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def _facts(group: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    skipped = {name for each in group for name in each["skipped"]}
    if skipped:
        are = "asset below was" if len(skipped) == 1 else "assets below were"
        yield f"{len(skipped)} {are} skipped because of it"
    run = group[0]["run"]
    if run is not None and not group[0]["root"].startswith("run "):
        yield f"run {run}"
    yield f"since {_time(group[0]['at'])}"
    owners = list(dict.fromkeys(owner for each in group for owner in each["owners"]))
    if owners:
        yield f"owned by {', '.join(owners)}"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
