"""A call of a hook about one connection, with all that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar

from assetry.plugin import Integration, Invocation, RunContext

from assetry_toolkit.clock import Clock, Within
from assetry_toolkit.errors import Refused
from assetry_toolkit.hosted.changes import Changes, ConnectionGone
from assetry_toolkit.hosted.pulling import UNFOUND
from assetry_toolkit.options import IntegrationOptions
from assetry_toolkit.patience import told_within
from assetry_toolkit.work import GONE

S = TypeVar("S")
O = TypeVar("O", bound=IntegrationOptions)  # noqa: E741 - options


@dataclass(slots=True)
class Turn(Generic[S, O]):
    """One call: the service that is open for it, the options, and what the hook was given; to be made a subclass of.

    With `changes` any request for a connection that is gone, or may not be used, ends in their words.

    class _Turn(Turn[Service, Options]):
        def events(self): ...

    with _Turn.opened(Options.of, service_for, invocation, context) as turn:
        yield from turn.events()
    """

    changes: ClassVar[Changes | None] = None

    service: S
    options: O
    invocation: Invocation
    context: RunContext

    @classmethod
    @contextmanager
    def opened(
        cls,
        options_of: Callable[[Integration], O],
        service_for: Callable[[O, Callable[[str], str]], AbstractContextManager[S]],
        invocation: Invocation,
        context: RunContext,
    ) -> Iterator[Self]:
        """Open the service for a call, by the options, with the secrets that the run may read.

        Where the call ends because its connection is there no more, `gone` is told of it.
        """
        options = options_of(invocation.integration)
        with service_for(options, context.secret) as service:
            turn = cls(service, options, invocation, context)
            try:
                yield turn
            except (ConnectionGone, Refused) as error:
                if isinstance(error, ConnectionGone) or error.status in GONE:
                    turn.gone(UNFOUND)
                if turn.changes is None or isinstance(error, ConnectionGone) or error.status not in (*GONE, 403):
                    raise
                raise turn.changes.refused(turn.connection, error, options) from None

    def gone(self, why: str) -> None:
        """Take note that the connection is there no more, and by which words to tell of it; to be overridden."""

    def told_within(self, seconds: float, clock: Clock) -> Within:
        """Return what ends the wait for an answer: the run's end, or so long a silence; the run is told of pauses."""
        return told_within(seconds, clock, self.context, f"Connection {self.connection}")

    @property
    def connection(self) -> str:
        """Return the id of the connection that the assets belong to, as `connection` in their spec."""
        return str(self.invocation.assets[0].spec["connection"])
