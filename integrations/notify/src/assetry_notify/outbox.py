"""The outbox of a target, in the project's store: what it knows of, and what is still to be sent to it.

Several processes may look at once: each changes the document only as it has read it, and what one has taken to be sent
no other sends, unless that one is gone for long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from assetry.plugin import Store

from assetry_notify.messages import Message
from assetry_notify.notices import Open

#: Where the store keeps it: the name of the entry point.
SPACE = "notify"
#: How many messages wait for a target at most; of more, the oldest are left out and counted.
MOST = 50
#: After how long what a process has taken to be sent is taken by another one: that process is gone.
TAKEN = timedelta(minutes=10)
#: The first pause after a delivery that failed, and the longest.
PAUSE, LONGEST = timedelta(minutes=1), timedelta(hours=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is to be sent: how often that was tried, what came of it, and not before when it is tried again.

    `taken` is until when a process has it that sends it now.
    """

    message: Message
    tries: int = 0
    error: str | None = None
    next: datetime | None = None
    taken: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        times = {"next": self.next and self.next.isoformat(), "taken": self.taken and self.taken.isoformat()}
        return {"message": self.message.to_json(), "tries": self.tries, "error": self.error, **times}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Waiting:
        """Return what `to_json` was made of."""
        next_, taken = (given[name] and datetime.fromisoformat(given[name]) for name in ("next", "taken"))
        return cls(Message.from_json(given["message"]), given["tries"], given["error"], next_, taken)


@dataclass(frozen=True, slots=True)
class State:
    """All that is kept of a target: the problems that it knows of, and its messages, the oldest first.

    `left_out` counts messages that were too many to wait.

    >>> State.from_json(State().to_json()) == State()
    True
    """

    known: Mapping[str, Open] = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()
    left_out: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "known": {id_: each.to_json() for id_, each in self.known.items()},
            "waiting": [each.to_json() for each in self.waiting],
            "left_out": self.left_out,
        }

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> State:
        """Return what `to_json` was made of."""
        known = {id_: Open.from_json(each) for id_, each in given["known"].items()}
        return cls(known, tuple(map(Waiting.from_json, given["waiting"])), given["left_out"])

    def with_message(self, message: Message) -> State:
        """Return it with one more message to be sent."""
        waiting = (*self.waiting, Waiting(message))
        over = max(0, len(waiting) - MOST)
        return replace(self, waiting=waiting[over:], left_out=self.left_out + over)


class Outbox:
    """What is kept of one target in a store."""

    def __init__(self, store: Store, target: str) -> None:
        self._store = store
        self._target = target

    @property
    def state(self) -> State:
        """Return what is kept now."""
        return self._read()[0]

    def _read(self) -> tuple[State, int | None]:
        document = self._store.documents(SPACE).get(self._target)
        return (State(), None) if document is None else (State.from_json(document.value), document.revision)

    def change(self, change: Callable[[State], tuple[State, T]]) -> T:
        """Change what is kept, as often as another process comes first; return what `change` says beside it."""
        while True:
            before, revision = self._read()
            after, answer = change(before)
            if after == before:
                return answer
            empty = after == State()
            if empty and revision is None:
                return answer
            value = None if empty else after.to_json()
            if self._store.change_document(SPACE, self._target, value, revision) is not None:
                return answer

    def take(self, now: datetime, *, all_: bool = False) -> tuple[Waiting, ...]:
        """Take what is to be sent now, so that no other process sends it; with `all_` also what is to wait longer.

        Where the first one is taken, or has to wait, so do the others: they are sent in their order.
        """

        def taken(state: State) -> tuple[State, tuple[Waiting, ...]]:
            first = next(iter(state.waiting), None)
            if first is None or (first.taken is not None and first.taken > now):
                return state, ()
            if first.next is not None and first.next > now and not all_:
                return state, ()
            mine = tuple(replace(each, taken=now + TAKEN) for each in state.waiting)
            return replace(state, waiting=mine), mine

        return self.change(taken)

    def sent(self, id_: str) -> None:
        """Forget a message that has arrived."""
        self.change(lambda state: (replace(state, waiting=tuple(_but(state, id_))), None))

    def failed(self, id_: str, error: str, now: datetime, wish: float = 0.0) -> None:
        """Keep a message that could not be sent for a later time, and those behind it.

        `wish` is for how many seconds the target asked to be left alone.
        """

        def kept(state: State) -> tuple[State, None]:
            return replace(
                state, waiting=tuple(_given_back(each, id_, error, now, wish) for each in state.waiting)
            ), None

        self.change(kept)


def _but(state: State, id_: str) -> list[Waiting]:
    return [each for each in state.waiting if each.message.id != id_]


def _given_back(each: Waiting, id_: str, error: str, now: datetime, wish: float) -> Waiting:
    if each.message.id != id_:
        return replace(each, taken=None)
    wished = timedelta(seconds=min(wish, LONGEST.total_seconds()))
    pause = max(wished, min(PAUSE * 2 ** min(each.tries, 10), LONGEST))
    return replace(each, tries=each.tries + 1, error=error, next=now + pause, taken=None)
