"""What extractors offer: asked once by `meltano invoke --dump=catalog`, and kept by the content it depends on.

The snapshot holds the selected streams of each extractor in each environment: names, columns, keys and how they are
read, never a setting. It is all that is needed to define the assets, so that a project loads without running Meltano.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, read_secret
from assetry_toolkit.commands import ending
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer, KeptAnswers
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.catalogs import Catalog
from assetry_toolkit.singer.plugins import Plugin

from assetry_meltano.project.program import Program, install_hint, last_words
from assetry_meltano.project.project import MeltanoProject

VERSION = 3
_log = logging.getLogger("assetry.meltano")


class Catalogs:
    """The catalogs of a project's extractors, kept in one file."""

    def __init__(self, project: MeltanoProject) -> None:
        self._project = project
        self._kept = KeptAnswers(project.options.snapshot_path, VERSION)

    def known(self, name: str) -> Answer:
        """Return what an extractor offers, from the file; asked when its definition is another than then.

        One that cannot be asked keeps the catalog it had; without any, and where it has streams of which none is
        selected, it raises `IntegrationError`. Of one that can never be asked there is only the reason.
        """
        tap = self._project.extractors[name]
        if not (tap.definition.get("catalog") or tap.can("discover")):
            return Answer(None, "", "it cannot say which streams it has")
        try:
            found = self._kept.get(*self._place(tap), lambda: self._discovered(tap))
        except IntegrationError as error:
            other = "Or commit the file of `snapshot` where it can be asked; or leave this extractor out of `pairs`."
            error.hint = "\n".join(filter(None, (error.hint, other)))
            raise
        for warning in self._warnings(tap, found.value):
            _log.warning("%s", warning)
        return found

    def ask(self, name: str) -> int:
        """Ask an extractor anew, keep the answer and return how many streams are selected.

        Raises `IntegrationError` when it does not give one, and where it has streams of which none is selected.
        """
        tap = self._project.extractors[name]
        found = self._discovered(tap)
        self._warnings(tap, found)
        return len(self._kept.keep(*self._place(tap), found).value["streams"])

    def _warnings(self, tap: Plugin, found: Mapping[str, Any]) -> list[str]:
        options = ("select_filter",) if tap.definition.get("catalog") else ("select", "select_filter")
        chosen = {option: tap.definition.get(option) for option in options}
        return Catalog.from_json(found).warnings(chosen, tap.name, tap.source)

    def _place(self, tap: Plugin) -> tuple[str, str]:
        """Return the name of an answer, and a hash of what an extractor is and is told; variables count by name."""
        told = [tap.essence, tap.definition.get("select"), tap.definition.get("select_filter")]
        folder, files = self._project.options.folder, [tap.definition.get(each) for each in ("executable", "catalog")]
        return f"{tap.name}@{self._project.environment}", digest(told, *(folder / str(each or "") for each in files))

    def _discovered(self, tap: Plugin) -> Mapping[str, Any]:
        """Return what is kept of an extractor's catalog, in which Meltano has applied all that selects."""
        program = Program(self._project, read_secret)
        done = program.command("invoke", "--no-install", "--refresh-catalog", "--dump=catalog", tap.name).finish()
        where = str(Path(self._project.options.project_dir, tap.source))
        if done.returncode == 0 and (found := json_object(done.out)):
            try:
                kept, file = self._kept.kept(self._place(tap)[0]), self._project.options.snapshot_path
                return Catalog.read(found).instead_of(kept.value if kept else None, file).to_json()
            except IntegrationError as error:
                raise IntegrationError(f"{tap.name}: {error.message}", where=where, hint=error.hint) from None
        said = program.mask(last_words(done.err)) or f"it {ending(done.returncode or 0)}"
        *before, last = said.splitlines()
        raise IntegrationError(
            f"Extractor {tap.name!r} does not say which streams it has: {last.strip().rstrip('.')}.",
            where=where,
            hint=install_hint(tap.name, "extractor", said) or "\n".join(before and ["It wrote:", *before]) or None,
        )
