"""What extractors offer: asked once by `meltano invoke --dump=catalog`, and kept by the content it depends on.

The snapshot holds the selected streams of each extractor in each environment: names, columns, keys and how they are
read, never a setting. It is all that is needed to define the assets, so that a project loads without running Meltano.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, near_names, read_secret
from assetry_toolkit.commands import ending
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer, KeptAnswers
from assetry_toolkit.singer.catalogs import Catalog

from assetry_meltano.options import Options
from assetry_meltano.project.program import Program, install_hint
from assetry_meltano.project.project import MeltanoProject, Plugin

VERSION = 3


class Catalogs:
    """The catalogs of a project's extractors, kept in one file."""

    def __init__(self, options: Options, project: MeltanoProject) -> None:
        self._options, self._project = options, project
        self._kept = KeptAnswers(options.snapshot_path, VERSION)

    def known(self, plugin: Plugin) -> Answer:
        """Return what an extractor offers, from the file; asked when its definition is another than then.

        One that cannot be asked keeps the catalog it had. Raises `IntegrationError` when it has none.
        """
        return self._kept.get(*self._place(plugin), lambda: self._discovered(plugin))

    def ask(self, plugin: Plugin) -> Answer:
        """Ask an extractor anew, and keep the answer. Raises `IntegrationError` when it does not give one."""
        return self._kept.keep(*self._place(plugin), self._discovered(plugin))

    def _place(self, plugin: Plugin) -> tuple[str, str]:
        """Return the name of an answer, and a hash of what an extractor is and is told; variables count by name."""
        told = [plugin.essence, plugin.definition.get("select"), plugin.definition.get("select_filter")]
        script = self._project.folder / str(plugin.definition.get("executable") or "")
        return f"{plugin.name}@{self._project.environment or ''}", digest(told, script)

    def _discovered(self, plugin: Plugin) -> Mapping[str, Any]:
        """Return what is kept of an extractor's catalog, in which Meltano has applied all that selects."""
        program = Program(self._options, self._project, read_secret)
        done = program.command("invoke", "--no-install", "--refresh-catalog", "--dump=catalog", plugin.name).finish()
        with suppress(ValueError):
            found = json.loads(done.out)
            if done.returncode == 0 and isinstance(found, dict):
                return Catalog.read(found).to_json()
        # Its own errors are in boxes, between lines about this and that.
        said = [line for line in done.err.splitlines() if line.strip(" │╭╮╰╯─") and "[info" not in line]
        raise IntegrationError(
            f"Extractor {plugin.name!r} does not say which streams it has: it {ending(done.returncode or 0)}.",
            where=str(Path(self._options.project_dir, plugin.source)),
            hint=install_hint(plugin.name, "extractor", done.err) or program.mask("\n".join(["It wrote:", *said[-8:]])),
        )


def told_unselected(plugin: Plugin, offered: Sequence[str]) -> str:
    """Return what to tell of an extractor of which no stream is selected."""
    patterns = [str(each).partition(".")[0] for each in plugin.definition.get("select") or ()]
    near = dict.fromkeys(name for pattern in patterns for name in near_names(pattern, offered))
    meant = f" Did you mean {', '.join(near)}?" if near else ""
    offers = ", ".join(offered[:10]) or "none"
    return f"{plugin.name} selects none of its streams ({plugin.source}); it offers {offers}.{meant}"
