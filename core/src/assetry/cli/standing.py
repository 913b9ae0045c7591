"""Where the person stands who called: places and next steps are written from there, whatever folder is worked in."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assetry.types.assets import Integration

#: A command in a sentence; a backtick in quotes is a part of it.
_COMMAND = re.compile(r"""`assetry ((?:'[^']*'|"[^"]*"|[^`'"])+)`""")


@dataclass(slots=True)
class Standing:
    """The folder of the call, and the folder that -C named, as it was written; None without -C.

    >>> Standing("/home", "shop").hint("See `assetry list`.")
    'See `assetry list -C shop`.'
    """

    folder: str
    given: str | None = None

    def enter(self, given: str) -> None:
        """Take down that the call works in another folder."""
        self.given = given if self.given is None else os.path.join(self.given, given)  # noqa: PTH118 - a text

    def hint(self, text: str) -> str:
        """Return a text whose commands work from where the person stands."""
        if self.given is None:
            return text
        folder = shlex.quote(self.given)
        return _COMMAND.sub(lambda found: f"`assetry {found[1]} -C {folder}`", text)

    def place(self, where: str | None, integrations: Iterable[Integration] = ()) -> str | None:
        """Return ``file:line`` so that it leads there from where the person stands; as it is without such a file.

        Relative files are looked for in the folder that is worked in, and in those of `integrations`.
        """
        if where is None or (self.given is None and not os.path.isabs(where) and os.path.exists(_file(where))):  # noqa: PTH110, PTH117
            return where
        bases = list(_folders(integrations))
        return " and ".join(self._one(each, bases) for each in where.split(" and "))

    def _one(self, where: str, bases: Iterable[str]) -> str:
        file = _file(where)
        for base in (os.getcwd(), *bases):  # noqa: PTH109 - texts are quicker here, and all that is needed
            found = os.path.normpath(os.path.join(base, file))  # noqa: PTH118
            if os.path.isfile(found):  # noqa: PTH113
                near = os.path.relpath(found, self.folder)
                return (near if near.count("..") < 3 else found) + where[len(file) :]
        return where


def _file(where: str) -> str:
    return re.sub(r"(:\d+)+\Z", "", where)


def _folders(integrations: Iterable[Integration]) -> Iterator[str]:
    """Yield the folders that integrations' files may start from: their root, and what an option names below it."""
    for each in integrations:
        yield each.root
        for value in each.options.values():
            if isinstance(value, str) and os.path.isdir(os.path.join(each.root, value)):  # noqa: PTH112, PTH118
                yield os.path.join(each.root, value)  # noqa: PTH118
