"""What extractors offer: asked once by `meltano invoke --dump=catalog`, for each environment."""

from __future__ import annotations

from pathlib import Path

from assetry.plugin import IntegrationError, read_secret
from assetry_toolkit.commands import ending
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.catalogs import Catalog
from assetry_toolkit.singer.kept_catalogs import KeptCatalogs
from assetry_toolkit.singer.log_words import last_words
from assetry_toolkit.singer.plugins import Plugin

from assetry_meltano.project.program import Program, install_hint
from assetry_meltano.project.project import MeltanoProject

VERSION = 3
_OTHER = 'Or commit the file of `snapshot` where it can be asked; or load others only: pairs = ["tap-a target-b"].'


class Catalogs(KeptCatalogs):
    """The catalogs of a project's extractors, kept in one file."""

    def __init__(self, project: MeltanoProject) -> None:
        super().__init__(project.extractors, project.options.snapshot_path, VERSION, _OTHER)
        self._project = project

    def place(self, tap: Plugin) -> tuple[str, str]:
        """Return the name of an answer, and a hash of what an extractor is and is told; variables count by name."""
        told = [tap.essence, tap.definition.get("select"), tap.definition.get("select_filter")]
        folder, files = self._project.options.folder, [tap.definition.get(each) for each in ("executable", "catalog")]
        return f"{tap.name}@{self._project.environment}", digest(told, *(folder / str(each or "") for each in files))

    def asked(self, tap: Plugin) -> Catalog:
        """Return an extractor's catalog, in which Meltano has applied all that selects."""
        program = Program(self._project, read_secret)
        done = program.command("invoke", "--no-install", "--refresh-catalog", "--dump=catalog", tap.name).finish()
        where = str(Path(self._project.options.project_dir, tap.source))
        if done.returncode == 0 and (found := json_object(done.out)):
            try:
                return Catalog.read(found)
            except IntegrationError as error:
                raise IntegrationError(f"{tap.name}: {error.message}", where=where, hint=error.hint) from None
        said = program.mask(last_words(done.err)) or f"it {ending(done.returncode or 0)}"
        *before, last = said.splitlines()
        hint = install_hint(tap.name, "extractor", said)
        told = f"does not say which streams it has: {'its program is not there' if hint else last.strip().rstrip('.')}"
        hint = hint or "\n".join(before and ["It wrote:", *before]) or None
        raise IntegrationError(f"Extractor {tap.name!r} {told}.", where=where, hint=hint)
