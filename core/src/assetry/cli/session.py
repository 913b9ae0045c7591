"""What one call of the command line was asked, where it stands, and how it answers."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assetry.cli.output import Output, end_passing_note, note_line, passing_note
from assetry.cli.standing import Standing
from assetry.cli.text import styled
from assetry.errors import AssetryError, UsageError, as_typed
from assetry.hooks.masks import Mask
from assetry.types.options import flag_of

if TYPE_CHECKING:
    from assetry.project.project import Project
    from assetry.selection.selection import Selection
    from assetry.types.assets import Asset, Integration
    from assetry.types.keys import AssetKey

VERSION = 1
#: A selection of one part, without a reach in front.
_ONE = re.compile(r"[\w.:/*-]+\+?")


@dataclass(slots=True)
class Session:
    """What was asked of a call of the command line, whatever the command, and the project.

    `options` are those of integrations, such as ``--target``.

    A plugin's command receives it as its `CommandContext`: `project` is the loaded project, `say` writes a line of the
    result, `note` one about it, `emit` a document as the asked format.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    output: str = "text"
    quiet: bool = False
    verbose: int = 0
    color: bool | None = None
    options: dict[str, Any] = field(default_factory=dict)
    standing: Standing = field(default_factory=lambda: Standing(os.getcwd()))  # noqa: PTH109 - a text is all it takes
    out: Output = field(default_factory=Output)
    _project: Project | None = None
    _before: list[str] = field(default_factory=list)

    # -- the project ---------------------------------------------------------------------------------------------

    def enter(self, folder: str) -> None:
        """Work in `folder` from now on, as if the command had been called there."""
        before = os.getcwd()  # noqa: PTH109 - a text is what os.chdir takes
        try:
            os.chdir(folder)
        except OSError as error:
            raise UsageError(
                f"Cannot work in {folder!r}: {error.strerror}.", hint="Give a project's folder with -C DIR."
            ) from None
        self._before.append(before)
        self.standing.enter(folder)

    @property
    def project(self) -> Project:
        """Return the project of the folder, found and set up, its definitions not loaded yet."""
        if self._project is None:
            from assetry.cli.doubts import tell_doubts
            from assetry.project.project import Project

            tell_doubts(self.warn)
            self._project = Project.load(".", on_load=self._loading, options=self.options)
            for problem in self._project.plugins.problems:
                self.warn(f"plugin {problem.plugin}: {problem.message}")
        return self._project

    def _loading(self, integration: Integration) -> None:
        """Say on a terminal what is being read; for dbt that takes seconds."""
        if not self.quiet:
            kind = f" ({integration.kind})" if integration.kind != integration.name else ""
            passing_note(f"Reading {integration.name}{kind} …", self.color)

    @property
    def selectors(self) -> tuple[str, ...] | None:
        """Return the selections, None when everything is meant."""
        return self.select or None

    def again(self, command: str, *, with_above: bool = False) -> str:
        """Return a command with the selection and the options of this call, as it can be typed.

        With `with_above` it selects what that is made from as well; all there is, where something was excluded.

        >>> session = Session(select=("orders", "tag:raw,path:models"), options={"target": "prod"})
        >>> session.again("assetry plan")
        '`assetry plan -s orders -s tag:raw,path:models --target prod`'
        >>> session.again("assetry plan", with_above=True)
        "`assetry plan -s +orders -s '+(tag:raw,path:models)' --target prod`"
        """
        select, exclude = self.select, self.exclude
        if with_above:
            select, exclude = () if exclude else tuple(map(_with_above, select)), ()
        words = [word for text in select for word in ("-s", text)]
        words += [word for text in exclude for word in ("--exclude", text)]
        for name, value in self.options.items():
            words += [flag_of(name), value if isinstance(value, str) else json.dumps(value)]
        return f"`{' '.join((command, *map(shlex.quote, words)))}`"

    def secret(self, name: str) -> str:
        """Return the secret `name`; it is masked from now on in notes, warnings and errors."""
        return self.project.plugins.secret(name)

    @property
    def mask(self) -> Mask:
        """Return what takes secrets that were handed out from what is shown."""
        return Mask() if self._project is None else self._project.plugins.secrets.mask

    def chosen(self) -> tuple[AssetKey, ...]:
        """Return the selected keys in the graph's order; warn of parts of the selection that match nothing."""
        return self.selection().keys

    def selection(self) -> Selection:
        """Return what is selected, to be handed on; warn of parts of the selection that match nothing."""
        found = self.project.selection(self.selectors, self.exclude)
        for part in found.unmatched:
            near = f"; did you mean {' or '.join(map(as_typed, part.near))}?" if part.near else "."
            option = "--exclude " if part.excluded else ""
            self.warn(f"{option}{part.text!r} matches nothing{near}{f' {part.why}' if part.why else ''}")
        return found

    def close(self) -> None:
        """Close the project, and go back to the folder that the call came from."""
        end_passing_note()
        if self._project is not None:
            self._tell_listeners()
            self._project.close()
            self._project = None
        while self._before:
            with suppress(OSError):
                os.chdir(self._before.pop())

    def _tell_listeners(self) -> None:
        """Warn of plugins that raised when they heard of events: the run has gone on, and nothing else tells of it."""
        assert self._project is not None
        for problem in self._project.plugins.problems:
            if problem.message.startswith("assetry_event: "):
                self.warn(f"plugin {problem.plugin}: {problem.message}")

    # -- answers -------------------------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """Return how many characters fit in a line of the result."""
        return self.out.width

    @property
    def text(self) -> bool:
        """Tell whether people read the result."""
        return self.output == "text"

    def say(self, text: str = "") -> None:
        """Write to stdout."""
        self.out.write(text, self.color)

    def note(self, text: str) -> None:
        """Write to stderr, unless asked to be quiet."""
        if not self.quiet:
            note_line(self.standing.hint(text), self.color, self.mask)

    def alarm(self, text: str) -> None:
        """Write to stderr what failed, also when asked to be quiet."""
        note_line(f"{styled('error:', fg='red', bold=True)} {self.standing.hint(text)}", self.color, self.mask)

    def place(self, where: str | None, asset: Asset | None = None) -> str | None:
        """Return a place so that it leads there from where the person stands; of an asset, where its files may be."""
        return self.standing.place(where, () if asset is None or asset.integration is None else (asset.integration,))

    def locate(self, error: AssetryError) -> None:
        """Give an error its place and its next step as they are from where the person stands."""
        known: Iterable[Integration] = ()
        if self._project is not None:
            self._project.settings.locate(error)
            if (option := getattr(error, "option", None)) in self.options:
                error.where = flag_of(option)
            with suppress(AssetryError):
                known = self._project.integrations
        error.where = self.standing.place(error.where, known)
        error.hint = None if error.hint is None else self.standing.hint(error.hint)

    def warn(self, text: str) -> None:
        """Write a warning to stderr, unless asked to be quiet."""
        self.note(f"{styled('warning:', fg='yellow')} {text}")

    def emit(self, document: Mapping[str, Any], rows: str | None = None) -> None:
        """Write a result as JSON; as NDJSON one line for each of `document[rows]`, each with the version."""
        from assetry.views.json import json_text

        unicode = self.out.unicode
        if self.output == "ndjson":
            lines: Sequence[Mapping[str, Any]] = document[rows] if rows else [document]
            texts = [json_text({"version": VERSION, **_row(line)}, unicode=unicode) for line in lines]
            if texts:
                self.say("\n".join(texts))
            return
        # The indented form is for eyes, and costs ten times as much.
        indent = 2 if self.out.terminal else None
        self.say(json_text({"version": VERSION, **document}, unicode=unicode, indent=indent))

    def emit_line(self, text: str) -> None:
        """Write a line of JSON at once; when the reader is gone the work goes on unseen."""
        try:
            self.out.write(text, False)
        except BrokenPipeError:
            silence()


def _with_above(text: str) -> str:
    """Return a selection that means what a selection means, and all that is made from.

    >>> [_with_above(text) for text in ("orders+", "+orders", "2+orders", "orders tag:raw")]
    ['+orders+', '+orders', '+(2+orders)', '+(orders tag:raw)']
    """
    one = text.removeprefix("+")
    return f"+{one}" if _ONE.fullmatch(one) else f"+({text})"


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line without what would take the place of the version of the shape."""
    return {name: value for name, value in line.items() if name != "version"}


def silence() -> None:
    """Send what is still to be written to a reader that is gone to nowhere; the others keep what is theirs."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # it is full or gone; what is left would be tried again at the end
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except ValueError:
            continue  # already closed
