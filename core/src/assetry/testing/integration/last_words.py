"""What a stream said before it broke, as it stands in the messages of checks. Pure."""

from __future__ import annotations

from assetry.testing.verdicts import raised
from assetry.testing.watching import Recording, Watch
from assetry.types.events import Log

#: So many lines of the log stand below a sentence about a stream that broke.
_SHOWN = 10


def last_words(stream: Recording | Watch) -> str:
    """Return what stands below a sentence about a stream: the hint of what broke it, and the last that it logged.

    >>> from assetry.errors import RunError
    >>> print(last_words(Recording((Log("made raw"),), RunError("No.", hint="Ask."), (), 1, 0, frozenset())))
    <BLANKLINE>
      its hint: Ask.
      it logged: made raw
    """
    logged = [*stream.lines, *(event.message for event in stream.events if isinstance(event, Log))]
    lines = [each for text in logged for each in text.splitlines()][-_SHOWN:]
    hint = getattr(stream.error, "hint", None)
    return "".join(("\n  its hint: " + hint if hint else "", *(f"\n  it logged: {each}" for each in lines)))


def stream_error(recording: Recording) -> str:
    """Say what broke a stream, and when."""
    return "" if recording.error is None else f"{raised(recording.error)}, {recording.moment}"
