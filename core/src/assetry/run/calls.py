"""What a run knows of the calls of tools that are under way, and of the invocations that it has told of."""

from __future__ import annotations

from dataclasses import dataclass

from assetry.errors import AssetryError, error_words
from assetry.hooks.manager import Plugins
from assetry.run.intake import recordable
from assetry.run.tracking.tracked import Interruption
from assetry.types.events import InvocationFinished
from assetry.types.invocations import Invocation

#: Seconds below which a call for some partitions is short: the next one is for twice as many, up to so many.
SHORT, MOST = 0.1, 1000


@dataclass(slots=True)
class Telling:
    """One invocation as it is recorded: since when, how large the next call for some of its partitions is to be."""

    started: float
    size: int = 1
    failed: bool = False
    broken: Interruption | None = None

    def end_call(self, seconds: float) -> None:
        """Learn how long a call took: they grow while they are short.

        So what takes no time costs none, and what does can go on early.

        >>> telling = Telling(0.0)
        >>> telling.end_call(0.01)
        >>> telling.size
        2
        """
        self.size = min(2 * self.size, MOST) if seconds < SHORT else 1

    def end(self, now: float, cancelled: bool) -> InvocationFinished:
        """Return how the invocation ended, at `now`."""
        state = "cancelled" if cancelled else "failed" if self.failed else "succeeded"
        words = (self.broken.message, self.broken.hint) if self.broken is not None else ()
        return InvocationFinished(state, round(now - self.started, 3), *words)


@dataclass(slots=True)
class Call:
    """One call under way: since when, with the token of which job it was called, and that of the last one."""

    invocation: Invocation
    #: The id under which it is recorded.
    told: str
    started: float
    resume: str | None = None
    token: str | None = None
    #: Whether its tool has said anything.
    heard: bool = False


def problem_of(plugins: Plugins, invocation: Invocation, error: BaseException) -> Interruption:
    """Return what broke an invocation whose tool raised an error."""
    mask = plugins.secrets.mask
    if isinstance(error, AssetryError):
        return Interruption(recordable(error.message, mask), recordable(error.hint, mask) if error.hint else None)
    said = f"{plugins.label(invocation.integration)} raised {error_words(error)}"
    return Interruption(recordable(said, mask))
