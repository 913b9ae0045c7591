"""Notices: what is to be told to one target of how a project is now, given what it was told before. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from assetry_notify.problems import Problem, Situation, with_assets
from assetry_notify.targets import Target

#: Whether something is told anew, is told because it goes on, or because it has befallen more.
Manner = Literal["new", "still", "also", "over"]


@dataclass(frozen=True, slots=True)
class Open:
    """A problem that a target knows of, and when it was last told; None where it is not told of such."""

    problem: Problem
    told: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"problem": self.problem.to_json(), "told": self.told and self.told.isoformat()}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Open:
        """Return what `to_json` was made of."""
        told = given["told"]
        return cls(Problem.from_json(given["problem"]), told and datetime.fromisoformat(told))


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is told: a problem, and in which manner; with ``over`` it is none any more."""

    problem: Problem
    manner: Manner = "new"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, as it stands in what a webhook or a command is given."""
        over = {"event": "recovered", "was": self.problem.event} if self.manner == "over" else {}
        return {**self.problem.to_json(), "manner": self.manner, **over}


@dataclass(frozen=True, slots=True)
class News:
    """What a target is told now, and all that it knows of from then on."""

    items: tuple[Item, ...] = ()
    known: Mapping[str, Open] = field(default_factory=dict)


def news(
    target: Target,
    known: Mapping[str, Open],
    now: datetime,
    found: Situation,
    chosen: Collection[str] | None = None,
) -> News:
    """Return what a target is to be told, which knows of some problems.

    `chosen` are the assets that it is told of, None for all.

    >>> problem = Problem(event="failed", root="a", text="no disk", at="2026-01-01T00:00:00+00:00", assets=("a",))
    >>> target, at = Target("ops", "slack"), datetime(2026, 1, 1)
    >>> first = news(target, {}, at, Situation((problem,)))
    >>> [each.manner for each in first.items], news(target, first.known, at, Situation((problem,))).items
    (['new'], ())
    >>> [each.manner for each in news(target, first.known, at, Situation(())).items]
    ['over']
    """
    concerned = [each for each in found.problems if chosen is None or not each.concerned.isdisjoint(chosen)]
    items, after = [], dict[str, Open]()
    for problem in concerned:
        item, after[problem.id] = _told(target, known, problem, now)
        items += [item] if item is not None else []
    there = {each.id for each in found.problems}
    for id_, each in known.items():
        if id_ in after or id_ in there:
            continue  # it is there still, also where this target is not told of it any more
        waits = each.problem.event == "held" and not found.knows_held
        if waits or each.problem.root in found.unsettled:
            after[id_] = each
        else:
            items += _recovered(target, each, concerned)
    return News(tuple(items), after)


def _told(target: Target, known: Mapping[str, Open], problem: Problem, now: datetime) -> tuple[Item | None, Open]:
    """Return what is told of a problem that is there, None for nothing; and how it is known from then on."""
    if problem.event not in target.events:
        return None, Open(problem)
    before = known.get(problem.id)
    of_event = [each for each in known.values() if each.problem.event == problem.event and each.told is not None]
    if problem.event != "failed" and of_event:
        heard = {asset for each in of_event for asset in each.problem.assets}
        joined = [asset for asset in problem.assets if asset not in heard]
        if not joined and before is None:
            # Only the cause of it is another one now.
            before = Open(problem, max(each.told for each in of_event if each.told is not None))
        elif joined and len(joined) < len(problem.assets):
            return Item(with_assets(problem, joined), "also"), Open(problem, now)
        elif joined:
            before = None
    if before is None or before.told is None:
        return Item(problem), Open(problem, now)
    if target.remind is not None and now - before.told >= target.remind:
        return Item(problem, "still"), Open(problem, now)
    return None, Open(problem, before.told)


def _recovered(target: Target, known: Open, problems: Collection[Problem]) -> Iterator[Item]:
    """Yield that a problem is over, as far as none of its sort has taken its place."""
    if "recovered" not in target.events:
        return
    problem = known.problem
    if problem.event == "failed":
        yield Item(problem, "over")
        return
    still = {asset for each in problems if each.event == problem.event for asset in each.assets}
    over = [asset for asset in problem.assets if asset not in still]
    if over:
        yield Item(replace(problem, assets=tuple(over), skipped=()), "over")
