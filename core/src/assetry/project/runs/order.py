"""An order: a plan that is to be carried out, as long as it fits what others have made meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from assetry.errors import UsageError, near_names
from assetry.plan.plan import Plan
from assetry.plan.scope import Wants
from assetry.run.result import RunRequest
from assetry.run.retry import LeftJob
from assetry.types.leases import PRIORITIES, Asker
from assetry.types.records import EventRecord

#: What to do where another run is making some of what is asked for.
OnConflict = Literal["fail", "wait", "join"]
ON_CONFLICT: tuple[OnConflict, ...] = ("fail", "wait", "join")


#: What is called with sentences for people.
OnNote = Callable[[str], None]


def no_note(_: str) -> None:
    """Tell nobody."""


def checked_conflict(word: str) -> OnConflict:
    """Return what to do on a conflict; raise `UsageError`, with near words, for one that there is not.

    >>> checked_conflict("wait")
    'wait'
    """
    for known in ON_CONFLICT:
        if word == known:
            return known
    raise UsageError(f"on_conflict={word!r}: unknown.", near=near_names(word, ON_CONFLICT) or ON_CONFLICT)


@dataclass(frozen=True, slots=True)
class Order:
    """A plan to be carried out, with the jobs of earlier runs to `resume`.

    `still` tells, once all of it is leased, whether the plan still fits; None for one that is carried out in any case.
    `narrowed` makes the order of some of its wants, as records are then: of those that are not wanted any more, none.
    `options` are kept with its run beside those of all runs.
    """

    plan: Plan
    still: Callable[[], bool] | None = None
    resume: Mapping[str, LeftJob] = field(default_factory=dict)
    narrowed: Callable[[Wants], Order] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manner:
    """How an order is carried out.

    `options` are kept with its runs. `on_event` is called with each record, `on_note` with sentences about what is
    waited for. `by` is who asks, None for a person; `priority` the class of its runs among those who wait.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    on_event: Callable[[EventRecord], None] | None = None
    on_conflict: OnConflict = "fail"
    on_note: OnNote = no_note
    by: Asker | None = None

    @property
    def priority(self) -> int:
        """Return the class of its runs."""
        return PRIORITIES["person" if self.by is None else self.by.priority]


def manner_of(
    options: Mapping[str, Any],
    by: Asker | None,
    on_event: Callable[[EventRecord], None] | None = None,
    on_conflict: OnConflict = "fail",
    on_note: OnNote = no_note,
) -> Manner:
    """Return how an order of someone is carried out: its name is among the options that are kept."""
    return Manner({**options, **(by.options if by is not None else {})}, on_event, on_conflict, on_note, by)


def request_of(order: Order, manner: Manner, run_id: str | None = None) -> RunRequest:
    """Return what is asked of the run of an order; `run_id` is that of one that has waited."""
    return RunRequest(
        {**manner.options, **order.options},
        order.resume,
        manner.on_event,
        still=order.still,
        run_id=run_id,
        priority=manner.priority,
    )
