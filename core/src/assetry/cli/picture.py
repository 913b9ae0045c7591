"""What changes at the foot of a terminal while work goes on, below the lines that stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self

from assetry.cli.lines import event_line
from assetry.cli.output import end_passing_note
from assetry.cli.session import Session
from assetry.cli.text import cut, shown
from assetry.types.records import EventRecord

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


class Picture:
    """The `lines` at the foot of a terminal, drawn so many times a second for as long as this is entered.

    Each is cut to the width of the terminal, which is stderr unless `console` is another one.
    """

    def __init__(
        self, session: Session, lines: Callable[[], Iterable[str]], console: Console | None, times_a_second: int
    ) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lines = lines
        self._console = console or Console(stderr=True, no_color=session.color is False, highlight=False)
        self._live = Live(
            console=self._console, get_renderable=self.text, refresh_per_second=times_a_second, transient=True
        )

    def __enter__(self) -> Self:
        end_passing_note()
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def stay(self, record: EventRecord) -> None:
        """Write the line of an event above the picture, where it stays."""
        from rich.text import Text

        line = Text.from_ansi(shown(event_line(record)))
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def text(self) -> Text:
        """Return what is drawn now."""
        from rich.text import Text

        width = self._console.width
        return Text("\n".join(cut(line, width) for line in self._lines()), no_wrap=True)
