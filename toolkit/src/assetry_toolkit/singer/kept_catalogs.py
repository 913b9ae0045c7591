"""What the taps of a project offer: asked once, and kept by the content it depends on.

The file holds the selected streams of each tap: names, columns, keys and how they are read, never a setting. It is all
that is needed to define the assets, so that a project loads without running a tap.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError

from assetry_toolkit.definitions.kept_answers import Answer, KeptAnswers
from assetry_toolkit.singer.catalogs import Catalog
from assetry_toolkit.singer.plugins import Plugin

_log = logging.getLogger("assetry.singer")


class KeptCatalogs(ABC):
    """The catalogs of `taps`, by name, kept in one file; of another `version` it counts as empty.

    A subclass says what a catalog depends on, and how a tap is asked for it. `other` is a further next step where one
    of which nothing is known cannot be asked.
    """

    def __init__(self, taps: Mapping[str, Plugin], file: Path, version: int, other: str) -> None:
        self._taps, self._file, self._other = taps, file, other
        self._kept = KeptAnswers(file, version)

    @abstractmethod
    def place(self, tap: Plugin) -> tuple[str, str]:
        """Return the name under which a catalog is kept, and a digest of all that it depends on."""

    @abstractmethod
    def asked(self, tap: Plugin) -> Catalog:
        """Return the catalog that a tap gives; raise `IntegrationError` when it gives none."""

    def known(self, name: str) -> Answer:
        """Return what a tap offers, from the file; asked when its definition is another than then.

        One that cannot be asked keeps the catalog it had; without any, and where it has streams of which none is
        selected, it raises `IntegrationError`. Of one that can never be asked there is only the reason.
        """
        tap = self._taps[name]
        if not (tap.definition.get("catalog") or tap.can("discover")):
            return Answer(None, "", "it cannot say which streams it has")
        try:
            found = self._kept.get(*self.place(tap), lambda: self._found(tap))
        except IntegrationError as error:
            error.hint = "\n".join(filter(None, (error.hint, self._other)))
            raise
        for warning in self._warnings(tap, found.value):
            _log.warning("%s", warning)
        return found

    def ask(self, name: str) -> int:
        """Ask a tap anew, keep the answer and return how many streams are selected.

        Raises `IntegrationError` when it does not give one, and where it has streams of which none is selected.
        """
        tap = self._taps[name]
        found = self._found(tap)
        self._warnings(tap, found)
        return len(self._kept.keep(*self.place(tap), found).value["streams"])

    def _found(self, tap: Plugin) -> Mapping[str, Any]:
        kept, catalog = self._kept.kept(self.place(tap)[0]), self.asked(tap)
        try:
            return catalog.instead_of(kept.value if kept else None, self._file).to_json()
        except IntegrationError as error:
            raise IntegrationError(f"{tap.name}: {error.message}", where=tap.source, hint=error.hint) from None

    def _warnings(self, tap: Plugin, found: Mapping[str, Any]) -> list[str]:
        options = ("select_filter",) if tap.definition.get("catalog") else ("select", "select_filter")
        chosen = {option: tap.definition.get(option) for option in options}
        return Catalog.from_json(found).warnings(chosen, tap.name, tap.source)
